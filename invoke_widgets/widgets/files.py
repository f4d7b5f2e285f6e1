"""Files for the submitter's form: chosen or dropped, read, or refused in words."""

from __future__ import annotations

import codecs
import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.widgets.tables import printable

try:
    from invoke_widgets.widgets.file_zone import FileZone
except ImportError:  # without anywidget files can be chosen, not dropped
    FileZone = None  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from invoke_widgets.widgets.base import View

LIMIT = 4_000_000
"""Bytes. A Jupyter server ends a connection over which more than 10 MiB come at once, and a text grows on its way."""
_REMEDY = "Choose a graph or batch as JSON."


class FileInput:
    """A button that opens a file, and a line for what is wrong with it.

    Args:
        view: shows both. In its outermost element, of class `iw-submitter`, files can be dropped.
        taken: called with a file's text.
        fallback: use a core widget, onto which no file can be dropped.

    Attributes:
        button, error: to be shown.
    """

    def __init__(self, view: View, taken: Callable[[str], object], *, fallback: bool = False) -> None:
        self._taken = taken
        self.error = ipywidgets.HTML()
        if FileZone is not None and not fallback:
            self.button: Any = FileZone(limit=LIMIT)
            self.button.on_msg(view.guard(self._heard))
        else:
            self.button = ipywidgets.FileUpload(accept=".json,application/json", description="open file")
            self.button.observe(view.guard(self._chosen), names="value")

    def forgive(self) -> None:
        """Empty the line."""
        if self.error.value:
            self.error.value = ""

    def _heard(self, _: object, message: Any, buffers: list[Any]) -> None:
        name = str(message.get("name"))
        if message.get("t") == "file":
            self._take(name, bytes(buffers[0]))
        elif message.get("t") == "refused":
            self._refuse(refused(str(message.get("why")), name, message.get("size")))

    def _chosen(self, change: Any) -> None:
        if change["new"]:
            (file,) = change["new"]
            self.button.value = ()
            self._take(file["name"], bytes(file["content"]))

    def _take(self, name: str, content: bytes) -> None:
        try:
            text = read(name, content)
        except InvalidRequest as error:
            self._refuse(error)
        else:
            self.forgive()
            self._taken(text)

    def _refuse(self, error: InvalidRequest) -> None:
        remedy = f' <span class="iw-remedy">{html.escape(error.suggestion)}</span>'
        self.error.value = f'<div class="iw-field-error" role="alert">{html.escape(error.message)}{remedy}</div>'


def read(name: str, content: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 that says so, as some editors write it.

    Raises:
        InvalidRequest: it is too large, empty, or no text; the message begins with the file's name.
    """
    if len(content) > LIMIT:
        raise refused("size", name, len(content))
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{_named(name)} is not a text file in UTF-8.", suggestion=_REMEDY) from None
    if not text.strip():
        raise InvalidRequest(f"{_named(name)} is empty.", suggestion=_REMEDY)
    return text


def refused(why: str, name: str, size: object = None) -> InvalidRequest:
    """What to say of a file that was not read: for its "size", since there were "many", or for another reason."""
    if why == "size":
        told = f"has {size:,} bytes" if isinstance(size, int) else "is too large"
        remedy = "Read it in a cell, and pass it to console.submit."
        return InvalidRequest(f"{_named(name)} {told}; the form takes {LIMIT:,}.", suggestion=remedy)
    if why == "many":
        return InvalidRequest("The form takes one file at a time.", suggestion=_REMEDY)
    return InvalidRequest(f"{_named(name)} could not be read.", suggestion="Choose a file, not a folder.")


def _named(name: str) -> str:
    """A file's name, cut, and with nothing in it that cannot be seen."""
    seen = printable(name)
    return f'"{seen}"' if len(seen) <= 80 else f'"{seen[:79]}…"'
