"""`CancellationLogView`: what was canceled, with what outcome, and how long each part took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.records import Cancellation
from invoke_widgets.sync import Change
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.part import Part, script, style
from invoke_widgets.widgets.text import clean, html_table, text_table

if TYPE_CHECKING:
    from invoke_widgets.console import Console

LIMIT = 500
"""The number of records shown, newest first; all are in `console.cancellations`."""
_STATIC_ROWS = 50

HEADERS = ("when", "what", "outcome", "answered", "status changed", "worker stopped", "in words")
COLUMNS = ("at", "what", "outcome", "times", "stopped", "message")


def what(record: Cancellation) -> str:
    """What was to be canceled: "item 5", "batch 9c01…", "all waiting", "the queue"."""
    if record.scope == "item" and record.item_ids:
        return f"item {record.item_ids[0]}"
    if record.scope == "batch":
        return f"batch {words.short(record.batch_id or '')}"
    return {"pending": "all waiting", "clear": "the queue"}.get(record.scope, record.scope)


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


class CancellationLogView(Part):
    """Every cancellation that was requested in a console, newest first.

    Args:
        console: whose cancellations.
        height: of the rows, in pixels or as CSS.

    Attributes:
        selected: the ids of the selected records.
        columns: any of "at", "what", "outcome", "times", "stopped", "message".
        sort: a column's name, with "-" before it for descending.
        filters: any of `outcome`, `scope`, `text`.
    """

    _esm = script("table.js", "cancellations.js")
    _css = style("table.css")

    records: traitlets.List[Any] = traitlets.List().tag(sync=True)
    selected: traitlets.List[str] = traitlets.List().tag(sync=True)
    columns: traitlets.List[str] = traitlets.List(list(COLUMNS)).tag(sync=True)
    sort = traitlets.Unicode("-at").tag(sync=True)
    filters: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    density = traitlets.Enum(("comfortable", "compact"), "comfortable").tag(sync=True)
    height = traitlets.Unicode().tag(sync=True)

    def __init__(self, console: Console, *, height: int | str = 380) -> None:
        super().__init__(console, height=f"{height}px" if isinstance(height, int) else height)
        self.follow(console.cancellations)

    def draw(self, change: Change) -> None:
        if self.log_changed:
            self.records = [
                {
                    "id": record.cancellation_id or f"{record.requested_at.timestamp()}",
                    "at": record.requested_at.timestamp(),
                    "what": clean(what(record)),
                    "scope": record.scope,
                    "outcome": record.outcome,
                    "acknowledged": record.acknowledged_s,
                    "effective": record.effective_s,
                    "stopped": record.stopped_s,
                    "message": clean(record.message),
                    "items": list(record.item_ids[:LIMIT]),
                }
                for record in self._newest()[:LIMIT]
            ]

    def _newest(self) -> list[Cancellation]:
        return list(reversed(list(self.console.cancellations)))

    def as_html(self) -> str:
        return html_table(HEADERS, map(row, self._newest()[:_STATIC_ROWS]), caption="Cancellations")

    def as_text(self) -> str:
        return text_table(HEADERS, map(row, self._newest()[:_STATIC_ROWS]))
