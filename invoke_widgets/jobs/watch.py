"""`Watch`: many jobs at once over the one socket, as notices, for `for` and for `async for`."""

from __future__ import annotations

import queue
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any

from invoke_widgets._loop import TICK_S, Channel
from invoke_widgets.errors import InvalidRequest, JobTimeout
from invoke_widgets.history import ErrorLog
from invoke_widgets.jobs.batch import Batch, Jobs, handles_of
from invoke_widgets.jobs.handles import Context, OnTimeout, Unsubscribe, ticking, wait_options
from invoke_widgets.jobs.job import Job
from invoke_widgets.jobs.notices import follow
from invoke_widgets.notices import BatchDone, JobChanged, JobDeleted, JobFinished, JobStalled, Notice

_INTERVAL_S = 0.1
_BATCH_PATIENCE_S = 7.0
"""So long after its last job the end of a batch is waited for; it comes at once, or after what is still to be read."""


class Watch:
    """Made by `Console.watch`. Each iteration follows from its own beginning on."""

    def __init__(
        self,
        context: Context,
        errors: ErrorLog,
        jobs: Job | Jobs | Iterable[Job | Jobs],
        *,
        timeout: float | None,
        on_timeout: OnTimeout,
        stalled_s: float | None,
    ) -> None:
        wait_options(timeout, on_timeout, None)
        checked_stall(stalled_s)
        self._context = context
        self._errors = errors
        self._batches: list[Batch] = []
        self._jobs: list[Job] = []
        for handle in _handles(jobs, context):
            if isinstance(handle, Batch):
                self._batches.append(handle)
            if isinstance(handle, Jobs):
                self._jobs.extend(handle.jobs)
            else:
                self._jobs.append(handle)
        self._timeout = timeout
        self._on_timeout = on_timeout
        self._stalled_s = stalled_s

    def __repr__(self) -> str:
        return f"Watch({len({job.attempts[0] for job in self._jobs})} jobs)"

    def __iter__(self) -> Iterator[Notice]:
        with Channel[Notice](self._context.loop) as notices:
            course = _Course(self._context, self._jobs, self._batches, self._timeout)
            end = self._follow(notices.put)
            try:
                while not course.is_over():
                    if course.is_late():
                        if (work := self._late(course)) is not None:
                            self._context.loop.call(work)
                        self._leave(course)
                        return
                    try:
                        notice = notices.get(course.pause_s())
                    except queue.Empty:
                        continue
                    if course.takes(notice):
                        yield notice
            finally:
                end()

    async def __aiter__(self) -> AsyncIterator[Notice]:
        with Channel[Notice](self._context.loop) as notices:
            course = _Course(self._context, self._jobs, self._batches, self._timeout)
            end = self._follow(notices.put)
            try:
                while not course.is_over():
                    if course.is_late():
                        if (work := self._late(course)) is not None:
                            canceling = self._context.loop.start(work)
                            await ticking(canceling, None)
                            canceling.result()
                        self._leave(course)
                        return
                    try:
                        notice = await notices.aget(course.pause_s())
                    except queue.Empty:
                        continue
                    if course.takes(notice):
                        yield notice
            finally:
                end()

    def _follow(self, put: Callable[[Notice], None]) -> Unsubscribe:
        return follow(
            self._context.loop,
            self._context.store,
            put,
            error_of=self._errors.of,
            stalled_s=self._stalled_s,
            fresh=[job.attempts[-1] for job in self._jobs],
            interval=_INTERVAL_S,
        )

    def _late(self, course: _Course) -> Coroutine[Any, Any, None] | None:
        return course.cancel() if self._on_timeout == "cancel" else None

    def _leave(self, course: _Course) -> None:
        if self._on_timeout != "detach":
            left = course.left_ids()
            raise JobTimeout(
                f"{len(left)} of {course.count} jobs had not finished within {self._timeout or 0.0:g} s.",
                details={"item_ids": left},
            )


class _Course:
    """How far one iteration has come."""

    def __init__(self, context: Context, jobs: list[Job], batches: list[Batch], timeout: float | None) -> None:
        self._context = context
        self._roots = {job.attempts[0] for job in jobs}
        self._left = set(self._roots)
        self._batch_of = {root: batch for batch in batches for job in batch.jobs for root in job.attempts[:1]}
        self._batch_ids = {batch.batch_id for batch in batches}
        self._undone = set(self._batch_ids) if jobs else set()
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._patience = time.monotonic() + _BATCH_PATIENCE_S
        self.count = len(self._roots)

    def takes(self, notice: Notice) -> bool:
        """Whether it is for this iteration: of one of its jobs or batches, or of the queue as a whole."""
        if isinstance(notice, BatchDone):
            self._undone.discard(notice.batch_id)
            return notice.batch_id in self._batch_ids
        if isinstance(notice, JobChanged | JobFinished | JobStalled):
            root = self._root(notice.item.item_id)
            if isinstance(notice, JobFinished) and not self._context.actions.reruns.will_go_on(notice.item):
                self._ended(root)
            return root in self._roots
        if isinstance(notice, JobDeleted):
            root = self._root(notice.item_id)
            self._ended(root)
            return root in self._roots
        return True

    def is_over(self) -> bool:
        return not self._left and (not self._undone or time.monotonic() > self._patience)

    def is_late(self) -> bool:
        return self._deadline is not None and bool(self._left) and time.monotonic() >= self._deadline

    def pause_s(self) -> float:
        left = TICK_S if self._deadline is None else self._deadline - time.monotonic()
        return min(max(left, 0.001), TICK_S)

    def left_ids(self) -> tuple[int, ...]:
        """The last attempts of the jobs that have not ended."""
        return tuple(sorted(self._context.actions.reruns.attempts(root)[-1] for root in self._left))

    async def cancel(self) -> None:
        """Cancel what is left, whole batches at once."""
        batches = {batch.batch_id for root in self._left if (batch := self._batch_of.get(root)) is not None}
        actions = self._context.actions
        for batch_id in sorted(batches):
            await actions.cancel_batch(batch_id)
        for root in sorted(self._left - self._batch_of.keys()):
            await actions.cancel(actions.reruns.attempts(root)[-1])

    def _root(self, item_id: int) -> int:
        return self._context.actions.reruns.attempts(item_id)[0]

    def _ended(self, root: int) -> None:
        if root in self._left:
            self._left.discard(root)
            self._patience = time.monotonic() + _BATCH_PATIENCE_S


def _handles(jobs: object, context: Context) -> list[Job | Jobs]:
    given = handles_of(jobs)
    for handle in given:
        if handle._context.store is not context.store:
            raise InvalidRequest(f"jobs: {handle!r} is of another console.", suggestion="Watch it there.")
    return given


def checked_stall(stalled_s: object) -> None:
    """
    Raises:
        InvalidRequest: it is neither None nor a number of seconds above 0.
    """
    is_number = isinstance(stalled_s, int | float) and not isinstance(stalled_s, bool) and stalled_s > 0
    if stalled_s is not None and not is_number:
        raise InvalidRequest(f"stalled_s: should be a number of seconds above 0, got {stalled_s!r}.")
