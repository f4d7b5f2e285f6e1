"""`Dashboard`: everything about one console in one place. It only composes: each part is a view of its own."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets

from invoke_widgets.sync import Change
from invoke_widgets.widgets import liveness, plain
from invoke_widgets.widgets.acting import StyledView, put
from invoke_widgets.widgets.base import composing
from invoke_widgets.widgets.cancellation_log import CancellationLog
from invoke_widgets.widgets.controls import Controls
from invoke_widgets.widgets.error_log import ErrorLog
from invoke_widgets.widgets.queue_table import QueueTable
from invoke_widgets.widgets.results import Results
from invoke_widgets.widgets.server_line import ServerLine
from invoke_widgets.widgets.submitter import JobSubmitter
from invoke_widgets.widgets.toasts import Toasts

if TYPE_CHECKING:
    from invoke_widgets.console import Console
    from invoke_widgets.history import HistoryFile

QUEUE, RESULTS = 1, 4
"""Indices of tabs."""
_SETTLED_S = 0.4
"""A cell that ends within this time is not worth a word."""


class Dashboard(StyledView):
    """The server, the counters, what runs; submit, queue, errors, cancellations and results as tabs; and a footer.

    Args:
        console: what is shown.
        fallback: use core widgets only, for front ends that cannot load anywidget's script; by default only where
            anywidget is not installed.
    """

    def __init__(self, console: Console, *, fallback: bool | None = None) -> None:
        super().__init__(console, fallback=fallback)
        self._ends: list[Callable[[], None]] = []
        self._last_action = ""
        self._cell: liveness.Cell = "idle"
        self._versions = (liveness.ipykernel_version(), liveness.front_end())
        with composing():
            self.server_line = ServerLine(console, fallback=fallback)
            # What is selected, the table itself cancels.
            self.controls = Controls(console, whole=False, on_said=self._said, fallback=fallback)
            self.submitter = JobSubmitter(console, on_said=self._said, fallback=fallback)
            self.queue_table = QueueTable(console, on_said=self.controls.say, fallback=fallback)
            self.error_log = ErrorLog(console, on_show=self._show_row, on_said=self._said, fallback=fallback)
            self.cancellation_log = CancellationLog(console)
            self.results = Results(console, load=False, fallback=fallback)
            self.toasts = Toasts(console)
        # What comes and goes is under the table, so that its rows stay under the pointer.
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
        self.follow()
        self.follow_log(console.errors, console.cancellations)
        self._ends.append(liveness.cells.listen(self._cell_changed))
        self._cell_changed(liveness.cells.cell)
        self.run(self._tick())

    def draw(self, change: Change) -> None:
        put(self._tabs, "titles", self._titles())
        self._draw_footer()

    def _titles(self) -> tuple[str, ...]:
        def titled(name: str, count: int) -> str:
            return f"{name} {count:,}" if count else name

        errors, cancellations = len(self.console.errors), len(self.console.cancellations)
        return ("Submit", "Queue", titled("Errors", errors), titled("Cancellations", cancellations), "Results")

    def _draw_footer(self) -> None:
        now = liveness.liveness(*self._versions, self._cell)
        kind = {True: "yes", False: "no", None: "maybe"}[now.works]
        parts = [f'<span class="iw-alive iw-alive-{kind}">{html.escape(now.sentence)}</span>']
        if hasattr(self.console, "history"):
            parts.append(_kept(self.console.history))
        if self._last_action:
            parts.append(f"<span>last action: {html.escape(self._last_action)}</span>")
        put(self._footer, "value", f'<div class="iw-footer" role="status">{" ".join(parts)}</div>')

    # -- what time and cells change ----------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while not self.closed:
            await asyncio.sleep(1.0)
            self.server_line.tick()
            with self.lock:
                if not self.closed:
                    self._draw_footer()  # no change of the queue tells what the history's file has come to

    def _cell_changed(self, cell: liveness.Cell) -> None:
        """On the kernel's thread, when a cell starts or ends."""
        if cell == "idle":
            self._draw_cell(cell)
        elif not self.closed:
            self.run(self._settle(cell))

    async def _settle(self, cell: liveness.Cell) -> None:
        await asyncio.sleep(_SETTLED_S)
        if liveness.cells.cell == cell:
            self._draw_cell(cell)

    def _draw_cell(self, cell: liveness.Cell) -> None:
        with self.lock:
            if cell != self._cell and not self.closed:
                self._cell = cell
                self._draw_footer()

    # -- what the parts tell -----------------------------------------------------------------------------------------

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
        parts: list[StyledView | QueueTable] = [self.server_line, self.queue_table]
        if len(self.console.errors):
            parts.append(self.error_log)
        if len(self.console.cancellations):
            parts.append(self.cancellation_log)
        return "".join(part.as_html() for part in parts)

    def as_text(self) -> str:
        return plain.console_text(self.console)


def _kept(history: HistoryFile | None) -> str:
    """Where the history is kept, or why it is not, as HTML."""
    if history is None:
        return "<span>history kept in memory</span>"
    path = html.escape(str(history.path))
    if history.problem:
        return f'<span class="iw-alive-no">history not kept in {path}: {html.escape(history.problem)}</span>'
    return f"<span>history kept in {path}</span>"
