"""`JobLine`: a job, a batch or a retry as one live line, which a cell shows where it ends with one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.history import job_error
from invoke_widgets.jobs import Batch, Job, Jobs
from invoke_widgets.records import COMPLETED, FAILED, IN_PROGRESS, TERMINAL, Counts, QueueItem
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.controls import QueueActions
from invoke_widgets.widgets.part import Part, script, style
from invoke_widgets.widgets.pictures import read_pictures, send_pictures
from invoke_widgets.widgets.text import clean

if TYPE_CHECKING:
    from invoke_widgets.console import Console

_PICTURES = 6


class JobLine(Part):
    """How far a job or a batch is: a bar, counts, what runs, the newest pictures, the newest error, and *Cancel*.

    Args:
        console: whose job.
        handle: a job, a batch or a retry.
    """

    _esm = script("pictures.js", "job_line.js")
    _css = style("job_line.css")

    name = traitlets.Unicode().tag(sync=True)
    counts: traitlets.Dict[str, int] = traitlets.Dict().tag(sync=True)
    total = traitlets.Int().tag(sync=True)
    running: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    pictures: traitlets.List[str] = traitlets.List().tag(sync=True)
    more = traitlets.Unicode().tag(sync=True)

    def __init__(self, console: Console, handle: Job | Jobs) -> None:
        self._handle = handle
        self._ids: set[int] = set()
        self._pictured: tuple[int, ...] = ()
        super().__init__(console)
        kind = repr(handle).partition("(")[0]
        self.name = f"{kind} {handle.item_id}" if isinstance(handle, Job) else kind
        self.follow()

    def draw(self, change: Change) -> None:
        state = change.state
        if not self._ids or any(self._is_part(state, item_id) for item_id in change.item_ids):
            self._draw_counts(state)

    def _is_part(self, state: QueueState, item_id: int) -> bool:
        item = state.items.get(item_id)
        batch_id = self._handle.batch_id if isinstance(self._handle, Batch) else None
        return item_id in self._ids or (item is not None and item.batch_id == batch_id)

    def _draw_counts(self, state: QueueState) -> None:
        jobs = self._handle.jobs if isinstance(self._handle, Jobs) else [self._handle]
        ids = [job.attempts[-1] for job in jobs]
        items = [item for item_id in ids if (item := state.items.get(item_id)) is not None]
        self._ids.update(ids)
        self.total = len(jobs)
        self.counts = dict(Counts.tallied(Counter(item.status for item in items)).counters())
        running = next((item for item in items if item.status == IN_PROGRESS), None)
        self.running = {} if running is None else self._segment(state, running)
        failed = [item for item in items if item.status == FAILED]
        self.error = "" if not failed else clean(f"Item {failed[-1].item_id}: {job_error(failed[-1]).message}")
        done = tuple(item.item_id for item in items if item.status == COMPLETED)[-_PICTURES:]
        if done != self._pictured and state.connection.is_up:
            self._pictured = done
            self.run(read_pictures(self.console.client, list(done)), self._take)

    def _segment(self, state: QueueState, item: QueueItem) -> dict[str, Any]:
        progress = state.progress.get(item.item_id)
        return {
            "id": item.item_id,
            "message": "" if progress is None else clean(progress.message),
            "share": None if progress is None else progress.percentage,
        }

    def _take(self, read: list[tuple[int, QueueItem | None, list[str]]]) -> None:
        self.pictures = [clean(names[-1]) for _, _, names in read if names]
        further = sum(len(names) for _, _, names in read) - len(self.pictures)
        if self.counts["completed"] > len(read):  # of the others it is not known
            self.more = "and more" if self.pictures else ""
        else:
            self.more = f"and {further:,} more" if further else ""

    # -- acting ------------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[..., object]]:
        return {
            "cancel": self.cancel,
            "thumbnail": lambda names, page: self.run(send_pictures(self, names, page, full=False)),
        }

    def cancel(self) -> None:
        """Start canceling what has not finished, and return at once."""
        actions = QueueActions(self)
        if isinstance(self._handle, Batch):
            actions.cancel_batches([self._handle.batch_id], "cancel")
            return
        items = self.console.internals.store.state.items
        actions.cancel([i for i in self._ids if i in items and items[i].status not in TERMINAL], "cancel")

    # -- without widgets ---------------------------------------------------------------------------------------------

    def as_text(self) -> str:
        return repr(self._handle)

    def as_html(self) -> str:
        return words.paragraph(f"{self._handle!r}: {words.counts(Counts(**self.counts))}")

    def __repr__(self) -> str:
        return f"JobLine({self._handle!r})"
