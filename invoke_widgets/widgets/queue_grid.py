"""The part of the queue table that lives in the page: its script, its style sheet, and the traits set on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from invoke_widgets.widgets.styles import THEME

# One module for the browser, in parts: pure functions first, the widget's entry last.
_SCRIPTS = (
    "queue_rows.js",
    "queue_detail.js",
    "queue_columns.js",
    "queue_toolbar.js",
    "queue_shared.js",
    "queue_order.js",
    "queue_window.js",
    "queue_actions.js",
    "queue_table.js",
)


def _read(*names: str) -> str:
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)


class Grid(anywidget.AnyWidget):
    """Rows come by messages, not by traits: all but the newest ones, which come with the widget."""

    _esm = _read(*_SCRIPTS)
    _css = THEME + _read("queue_table.css")

    first: traitlets.List[Any] = traitlets.List().tag(sync=True)
    columns: traitlets.List[str] = traitlets.List().tag(sync=True)
    sort = traitlets.Unicode("-item").tag(sync=True)
    filters: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    selected: traitlets.List[int] = traitlets.List().tag(sync=True)
    height = traitlets.Unicode().tag(sync=True)
