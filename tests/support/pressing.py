"""Views without a browser: find a button by its label, press it, read the text."""

from __future__ import annotations

import html
import re
from typing import Any

import ipywidgets

from invoke_widgets.widgets.base import View, models_within
from invoke_widgets.widgets.button import Button
from tests.support.wire import until


def button(view: View, words: str) -> Any:
    """Wait for the one visible button whose description has these words, ignoring case, and return it."""
    found = until(
        lambda: [b for b in _buttons(view) if words.casefold() in b.description.casefold()], f"a button {words!r}"
    )
    assert 1 == len(found), [b.description for b in found]
    return found[0]


def press(view: View, words: str, **choice: str) -> None:
    """Press a button once it is enabled, after selecting `choice` in the list beside it, if given."""
    until(lambda: _can_be_pressed(button(view, words)), f"{words!r} to be enabled")
    button(view, words).click(**choice)


def _can_be_pressed(button: Any) -> bool:
    return not button.disabled and not getattr(button, "busy", False)


def _buttons(view: View) -> list[Any]:
    return [widget for widget in _visible(view) if isinstance(widget, ipywidgets.Button | Button)]


def enabled(view: View) -> set[str]:
    """Return the labels of the visible enabled buttons, in lower case and without their counts."""
    return {
        re.sub(r"[^a-z ]|\(.*\)", "", b.description.casefold()).strip() for b in _buttons(view) if _can_be_pressed(b)
    } - {""}


def _visible(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    if widget.layout.display == "none":
        return []
    return [widget, *(inner for child in getattr(widget, "children", ()) for inner in _visible(child))]


def text(view: View) -> str:
    """Return the text of a view, without tags."""
    values = [m.value for m in models_within(view) if isinstance(m, ipywidgets.HTML)]
    plain = [re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", value, flags=re.DOTALL)) for value in values]
    return " ".join(html.unescape(" ".join(plain)).split())


def reads(view: View, words: str) -> str:
    """Wait until a view shows these words, and return its text."""
    until(lambda: words in text(view), f"{words!r} to be shown")
    return text(view)


def receive(widget: ipywidgets.Widget, message: dict[str, Any], *buffers: bytes) -> None:
    """Have a widget receive a message as if its page had sent it."""
    widget._handle_custom_msg(message, list(buffers))  # ipywidgets has no public way
