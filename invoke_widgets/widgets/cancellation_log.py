"""`CancellationLogView`: what was canceled, with what outcome, and how long each part took."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import ipywidgets

from invoke_widgets.records import Cancellation
from invoke_widgets.sync import Change
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.base import View, put
from invoke_widgets.widgets.text import html_table, text_table

if TYPE_CHECKING:
    from invoke_widgets.console import Console

LIMIT = 50
"""The number of records shown, newest first; all are in `console.cancellations`."""

HEADERS = ("when", "what", "outcome", "answered", "status changed", "worker stopped", "in words")
_TITLES = {
    "answered": "until the server answered",
    "status changed": "until the items' status changed",
    "worker stopped": "until the worker moved on",
}
_NUMBERS = frozenset(_TITLES)


def what(record: Cancellation) -> str:
    """What was to be canceled: "item 5", "batch 9c01…", "all pending", "the queue"."""
    if record.scope == "item" and record.item_ids:
        return f"item {record.item_ids[0]}"
    if record.scope == "batch":
        return f"batch {words.short(record.batch_id or '')}"
    return {"pending": "all pending", "clear": "the queue"}.get(record.scope, record.scope)


def row(record: Cancellation) -> tuple[str, ...]:
    """A record as texts, in the order of `HEADERS`."""
    return (
        words.time_of_day(record.requested_at),
        what(record),
        record.outcome.replace("_", " "),
        words.duration(record.acknowledged_s),
        words.duration(record.effective_s),
        words.duration(record.stopped_s),
        record.message,
    )


def table_html(records: list[Cancellation]) -> str:
    """The newest records as a table."""
    if not records:
        return '<div class="iw-empty">Nothing has been canceled.</div>'
    heads = []
    for name in HEADERS:
        title = f' title="{_TITLES[name]}"' if name in _TITLES else ""
        number = ' class="iw-number"' if name in _NUMBERS else ""
        heads.append(f'<th scope="col"{title}{number}>{name}</th>')
    lines = []
    for record in records:
        cells = []
        for name, text in zip(HEADERS, row(record), strict=True):
            kind = f"iw-outcome iw-outcome-{html.escape(record.outcome)}" if name == "outcome" else ""
            kind = "iw-number" if name in _NUMBERS else kind
            cells.append(f'<td class="{kind}">{html.escape(text)}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="iw-scroll" tabindex="0" role="region" aria-label="Cancellations"><table class="iw-table">'
        f"<thead><tr>{''.join(heads)}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


class CancellationLogView(View):
    """Every cancellation that was requested in a console, newest first.

    Args:
        console: whose cancellations.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._table = ipywidgets.HTML()
        self.show(self._table)
        self.follow(console.cancellations)

    def draw(self, change: Change) -> None:
        if self.log_changed:
            put(self._table, "value", table_html(self._newest()))

    def _newest(self) -> list[Cancellation]:
        return list(reversed(list(self.console.cancellations)))[:LIMIT]

    def as_html(self) -> str:
        return html_table(HEADERS, map(row, self._newest()), caption="Cancellations")

    def as_text(self) -> str:
        return text_table(HEADERS, map(row, self._newest()))
