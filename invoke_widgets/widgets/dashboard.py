"""`Dashboard`: everything about one console in one place, composed of the other views."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets

from invoke_widgets.sync import Change
from invoke_widgets.widgets import kernel
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.base import View, composing, put
from invoke_widgets.widgets.cancellation_log import CancellationLogView
from invoke_widgets.widgets.controls import Controls
from invoke_widgets.widgets.error_log import ErrorLogView
from invoke_widgets.widgets.header import ServerLine
from invoke_widgets.widgets.queue_table import QueueTable
from invoke_widgets.widgets.results import ResultsView
from invoke_widgets.widgets.submitter import JobSubmitter
from invoke_widgets.widgets.toasts import ToastsView

if TYPE_CHECKING:
    from invoke_widgets.console import Console
    from invoke_widgets.history import HistoryFile

QUEUE, RESULTS = 1, 4
"""Indices of tabs."""
_SETTLED_S = 0.4
"""A cell that ends within this time is not mentioned."""


class Dashboard(View):
    """The server, the counters, what runs; submit, queue, errors, cancellations and results as tabs; and a footer.

    Args:
        console: what is shown.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._ends: list[Callable[[], None]] = []
        self._last_action = ""
        self._cell: kernel.Cell = "idle"
        self._versions = (kernel.ipykernel_version(), kernel.front_end())
        with composing():
            self.server_line = ServerLine(console)
            # The table cancels the selected items itself.
            self.controls = Controls(console, whole=False, on_said=self._said)
            self.submitter = JobSubmitter(console, on_said=self._said)
            self.queue_table = QueueTable(console, on_said=self.controls.say)
            self.error_log = ErrorLogView(console, on_show=self._show_row, on_said=self._said)
            self.cancellation_log = CancellationLogView(console)
            self.results = ResultsView(console, load=False)
            self.toasts = ToastsView(console)
        # Everything that comes and goes is under the table, so that its rows stay under the pointer.
        queue = ipywidgets.VBox([self.controls, self.queue_table, self.controls.below])
        self._tabs = ipywidgets.Tab(
            [self.submitter, queue, self.error_log, self.cancellation_log, self.results],
            titles=self._titles(),
            selected_index=QUEUE,
        )
        self._tabs.observe(self.guard(self._tab_chosen), names="selected_index")
        self._footer = ipywidgets.HTML()
        head = ipywidgets.HBox([self.server_line, self.controls.pause])
        head.add_class("iw-head")
        self.add_class("iw-dashboard")
        self.show(head, self._tabs, self.server_line.below, self.toasts, self._footer)
        self.follow(console.errors, console.cancellations)
        self._ends.append(kernel.cells.listen(self._cell_changed))
        self._cell_changed(kernel.cells.cell)
        self.later(self._tick, 1.0)

    def draw(self, change: Change) -> None:
        put(self._tabs, "titles", self._titles())
        self._draw_footer()

    def _titles(self) -> tuple[str, ...]:
        def titled(name: str, count: int) -> str:
            return f"{name} {count:,}" if count else name

        errors, cancellations = len(self.console.errors), len(self.console.cancellations)
        return ("Submit", "Queue", titled("Errors", errors), titled("Cancellations", cancellations), "Results")

    def _draw_footer(self) -> None:
        now = kernel.liveness(*self._versions, self._cell)
        kind = {True: "yes", False: "no", None: "maybe"}[now.works]
        parts = [f'<span class="iw-alive iw-alive-{kind}">{html.escape(now.sentence)}</span>']
        parts.append(_kept(self.console.history))
        if self._last_action:
            parts.append(f"<span>Last action: {html.escape(self._last_action)}</span>")
        put(self._footer, "value", f'<div class="iw-footer" role="status">{" ".join(parts)}</div>')

    # -- time and cells ----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.server_line.mark()
        self.mark()  # the history file may have failed or recovered without any change of the queue
        self.later(self._tick, 1.0)

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

    # -- from the parts ----------------------------------------------------------------------------------------------

    def _said(self, sentence: str) -> None:
        with self.lock:
            if not self.closed:
                self._last_action = sentence
                self._draw_footer()

    def _tab_chosen(self, change: Any) -> None:
        if change["new"] == RESULTS:
            self.results.load()

    def _show_row(self, item_id: int) -> None:
        self._tabs.selected_index = QUEUE
        self.queue_table.show_item(item_id)

    def close(self) -> None:
        if not self.closed:
            for end in self._ends:
                end()
        super().close()

    def as_html(self) -> str:
        parts: list[View] = [self.server_line, self.queue_table]
        if len(self.console.errors):
            parts.append(self.error_log)
        if len(self.console.cancellations):
            parts.append(self.cancellation_log)
        return "".join(part.as_html() for part in parts)

    def as_text(self) -> str:
        return words.console_text(self.console)


def _kept(history: HistoryFile | None) -> str:
    """Where the history is kept, or why it is not, as HTML."""
    if history is None:
        return "<span>History kept in memory</span>"
    path = html.escape(str(history.path))
    if history.problem:
        return f'<span class="iw-alive-no">History not kept in {path}: {html.escape(history.problem)}</span>'
    return f"<span>History kept in {path}</span>"
