"""`Dashboard`: everything about one console in one place, composed of the other parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from invoke_widgets.sync import Change
from invoke_widgets.widgets import kernel
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.cancellation_log import CancellationLogView
from invoke_widgets.widgets.error_log import ErrorLogView
from invoke_widgets.widgets.gallery import Gallery
from invoke_widgets.widgets.header import Header
from invoke_widgets.widgets.part import Part, script, style
from invoke_widgets.widgets.queue_table import QueueTable
from invoke_widgets.widgets.submitter import JobSubmitter
from invoke_widgets.widgets.text import clean

if TYPE_CHECKING:
    from invoke_widgets.alerts import Message
    from invoke_widgets.console import Console
    from invoke_widgets.history import HistoryFile

_SETTLED_S = 0.4
"""A cell that ends within this time is not mentioned."""


class Dashboard(Part):
    """The server, the counters and what runs; queue, errors, cancellations, gallery and submit as tabs; and a footer.

    Args:
        console: what is shown.

    Attributes:
        tab: "queue", "errors", "cancellations", "gallery" or "submit".
        header, queue_table, error_log, cancellation_log, gallery, submitter: the parts.
    """

    _esm = script("dashboard.js")
    _css = style("dashboard.css")

    parts: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True, **ipywidgets.widget_serialization)
    tab = traitlets.Enum(("queue", "errors", "cancellations", "gallery", "submit"), "queue").tag(sync=True)
    badges: traitlets.Dict[str, int] = traitlets.Dict().tag(sync=True)
    alive: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    kept: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    away = traitlets.Bool().tag(sync=True)
    toasts: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, console: Console) -> None:
        self._cell: kernel.Cell = "idle"
        self._versions = (kernel.ipykernel_version(), kernel.front_end())
        self.header = Header(console, on_said=self.repeat)
        self.queue_table = QueueTable(console, on_said=self.repeat)
        self.error_log = ErrorLogView(console, on_said=self.repeat)
        self.cancellation_log = CancellationLogView(console)
        self.gallery = Gallery(console, load=False, on_said=self.repeat)
        self.submitter = JobSubmitter(console, on_said=self.repeat)
        super().__init__(console)
        self.parts = {
            "header": self.header,
            "queue": self.queue_table,
            "errors": self.error_log,
            "cancellations": self.cancellation_log,
            "gallery": self.gallery,
            "submit": self.submitter,
        }
        self.queue_table.observe(self._filtered, names="filters")
        self.follow(console.errors, console.cancellations, console.alerts.toasts)
        self.until_closed(kernel.cells.listen(self._cell_changed))
        self._cell_changed(kernel.cells.cell)
        self._tick()

    # -- drawing -----------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        state = change.state
        self.badges = {
            "queue": len(state.items) + len(state.unread),
            "errors": len(self.console.errors),
            "cancellations": len(self.console.cancellations),
        }
        self.away = state.connection.mode in ("reconnecting", "closed")
        # The oldest first: those that are shown keep their places.
        self.toasts = [_toast(message) for message in reversed(self.console.alerts.toasts.showing)]
        self._draw_footer()

    def _draw_footer(self) -> None:
        now = kernel.liveness(*self._versions, self._cell)
        kind = {True: "yes", False: "no", None: "maybe"}[now.works]
        sentence = now.sentence
        if kind == "yes" and self.away:
            kind, sentence = "maybe", "Clicks arrive here, but not at the server"
        self.alive = {"kind": kind, "sentence": sentence}
        self.kept = _kept(self.console.history)

    # -- time and cells ----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """The history file may have failed or recovered without any change of the queue."""
        self.later(self._tick, 1.0)
        self.mark()

    def _cell_changed(self, cell: kernel.Cell) -> None:
        """On the kernel's thread, when a cell starts or ends."""
        if cell == "idle":
            self._draw_cell(cell)
        else:
            self.later(lambda: self._draw_cell(cell) if kernel.cells.cell == cell else None, _SETTLED_S)

    def _draw_cell(self, cell: kernel.Cell) -> None:
        with self.lock:
            if cell != self._cell and not self.closed:
                self._cell = cell
                self._draw_footer()

    # -- acting ------------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[..., object]]:
        return {"dismiss": self.dismiss}

    def dismiss(self, message_id: str | None = None) -> None:
        """Dismiss a toast, or all of them, in every dashboard of the console."""
        self.console.alerts.toasts.dismiss(message_id)

    def _filtered(self, change: Any) -> None:
        self.header.filter = change["new"].get("status", "")

    # -- the parts ---------------------------------------------------------------------------------------------------

    def within(self) -> tuple[Any, ...]:
        return (
            self.header,
            self.queue_table,
            self.error_log,
            self.cancellation_log,
            self.gallery,
            self.submitter,
        )

    def as_html(self) -> str:
        parts: list[Any] = [self.header, self.queue_table]
        if len(self.console.errors):
            parts.append(self.error_log)
        if len(self.console.cancellations):
            parts.append(self.cancellation_log)
        return "".join(part.as_html() for part in parts)

    def as_text(self) -> str:
        return words.console_text(self.console)


def _kept(history: HistoryFile | None) -> dict[str, Any]:
    """Where the history is kept, or why it is not."""
    if history is None:
        return {"text": "History in memory", "bad": False}
    if history.problem:
        return {"text": clean(f"History not kept in {history.path}: {history.problem}"), "bad": True}
    return {"text": clean(f"History in {history.path}"), "bad": False}


def _toast(message: Message) -> dict[str, Any]:
    item_id = message.data.get("item_id")
    where = " · ".join(part for part in (f"{message.at.astimezone():%H:%M:%S}", message.more) if part)
    return {
        "id": message.message_id,
        "severity": message.severity,
        "title": clean(message.title),
        "text": clean(message.text),
        "where": clean(where),
        "rule": clean(f"Alert: {message.alert}") if message.alert else "",
        "item_id": item_id if isinstance(item_id, int) else None,
    }
