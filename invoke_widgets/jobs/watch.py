"""Notices about the queue, made from successive snapshots: `NoticeTracker`, `follow`, and `Watch` for loops."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from invoke_widgets._loop import TICK_S as WAKE_S
from invoke_widgets._loop import Channel, LoopThread
from invoke_widgets.errors import InvalidRequest, JobTimeout, checks
from invoke_widgets.events import BatchEnqueued, Event
from invoke_widgets.history import job_error
from invoke_widgets.jobs.batch import Batch, Jobs, handles_of, in_one
from invoke_widgets.jobs.job import Context, Job, OnTimeout, hindrance, outcome, ticking, wait_options
from invoke_widgets.notices import (
    BatchDone,
    ConnectionBack,
    ConnectionLost,
    JobChanged,
    JobCompleted,
    JobDeleted,
    JobFailed,
    JobFinished,
    JobStalled,
    Notice,
    QueueFull,
    QueuePaused,
    QueueResumed,
    QueueUnwedged,
    QueueWedged,
)
from invoke_widgets.records import COMPLETED, FAILED, IN_PROGRESS, Cancellation, Counts, JobError, Progress, QueueItem
from invoke_widgets.sync import NOTHING, Change, QueueState, QueueStore

TICK_S = 1.0
"""The time between calls of `NoticeTracker.tick`, in seconds."""

_HOLD_S = 5.0
"""The longest time that a batch's end or a failure is held back while something about it has still to be read."""

_INTERVAL_S = 0.1
_BATCH_PATIENCE_S = 7.0
"""How long after its last job a watch waits for the end of a batch. It comes at once, or after what is still to be
read."""


class NoticeTracker:
    """Turns successive snapshots into notices. Pure but for its clock; to be called from one thread.

    Jobs that had ended before the first snapshot give no notice; a queue that is paused, stuck or out of reach in it
    does. On a server in multiuser mode, users who are not administrators get notices of their own jobs only.

    Args:
        state: the first snapshot.
        error_of: returns the classified error of a failed item, or None while it is not known: `ErrorLog.of`.
        stalled_s: seconds without a sign of life of a job in progress after which it counts as stalled; None: never.
            Only while events arrive, since nothing else reports progress.
        fresh: ids of jobs that give a notice even if they had ended before.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        state: QueueState,
        *,
        error_of: Callable[[QueueItem], JobError | None],
        stalled_s: float | None = None,
        fresh: Iterable[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._error_of = error_of
        self._stalled_s = stalled_s
        self._fresh = frozenset(fresh)
        self._seen = NOTHING
        self._refused: tuple[int, float] | None = None
        self._clock = clock
        self._known = state.newest_id
        self._newest = state.newest_id
        self._open: dict[int, tuple[QueueItem, Progress | None]] = {}
        self._batches: dict[str, set[int]] = {}
        self._ended: set[int] = set()
        self._failed: dict[int, tuple[QueueItem, float]] = {}
        self._closing: dict[str, float] = {}
        self._announced: dict[str, tuple[int, float]] = {}
        self._last_sign: dict[int, float] = {}
        self._stalled: set[int] = set()
        self._lost = self._refused_token = self._paused = self._wedged = False
        self._out: list[Notice] = []
        for item in state.items.values():
            if not item.is_terminal and not state.is_theirs(item):
                self._open_job(item, state.progress.get(item.item_id))

    def changed(self, change: Change) -> list[Notice]:
        """Return the notices for a change of the snapshot, in the order of what they are about."""
        self._state = state = change.state
        self._look_at_queue(state)
        self._seen |= change.item_ids
        if state.newest_id < self._newest:
            self._restart()
        self._newest = state.newest_id
        if self._known < 0 and state.connection.is_up:
            self._known = state.newest_id
        if not self._lost:
            for item_id in sorted(self._seen | self._fresh):
                self._look_at_job(state, item_id)
            self._seen = NOTHING
            self._fresh &= state.unread  # not read yet: still to be looked at
            self._report_failures()
            self._report_stalled()
            self._report_batches()
        out, self._out = self._out, []
        return out

    def tick(self) -> list[Notice]:
        """Return the notices that are due by time alone; to be called about every `TICK_S` seconds."""
        return self.changed(Change(self._state, NOTHING))

    def receive(self, event: Event) -> None:
        """Take an event: the snapshot does not show that a full queue took only a part of a batch."""
        if not isinstance(event, BatchEnqueued):
            return
        now = self._clock()
        self._announced = {k: v for k, v in self._announced.items() if now - v[1] < _HOLD_S}
        if event.enqueued:
            self._announced[event.batch_id] = (event.enqueued, now)
        if event.enqueued < event.requested:
            self._refused = (max(event.enqueued, 1), now)

    # -- the queue -------------------------------------------------------------------------------------------------

    def _look_at_queue(self, state: QueueState) -> None:
        lost, refused = state.connection.mode == "reconnecting", state.connection.is_refused
        if lost and (not self._lost or (refused and not self._refused_token)):
            connection = state.connection
            self._out.append(
                ConnectionLost(at=_now(), error=connection.error, remedy=connection.remedy, is_refused=refused)
            )
        elif self._lost and state.connection.is_up:
            self._out.append(ConnectionBack(at=_now()))
            now = self._clock()
            self._last_sign = dict.fromkeys(self._last_sign, now)
            self._failed = {item_id: (item, now) for item_id, (item, _) in self._failed.items()}
            self._closing = dict.fromkeys(self._closing, now)
        else:
            lost = self._lost
        self._lost, self._refused_token = lost, refused
        paused = state.is_paused
        if paused is not self._paused:
            self._out.append(QueuePaused(at=_now()) if paused else QueueResumed(at=_now()))
        self._paused = paused
        if state.wedge is not None and not self._wedged:
            self._out.append(QueueWedged(at=_now(), wedge=state.wedge))
        elif state.wedge is None and self._wedged:
            self._out.append(QueueUnwedged(at=_now()))
        self._wedged = state.wedge is not None
        if self._refused is not None:
            taken, since = self._refused
            pending = state.status.pending if state.status is not None else 0
            # With the counters that are read after it, which include what was taken.
            if pending >= taken or self._clock() - since >= 2 * TICK_S:
                self._refused = None
                self._out.append(QueueFull(at=_now(), pending=max(pending, taken)))

    def _restart(self) -> None:
        """Take the queue as another server's, since the ids went back: what is in it is not news."""
        for item_id, (item, _) in self._open.items():
            self._out.append(JobDeleted(at=_now(), item_id=item_id, item=item))
        for known in (self._open, self._batches, self._failed, self._closing, self._announced, self._last_sign):
            known.clear()
        self._ended.clear()
        self._known = -1

    # -- jobs ------------------------------------------------------------------------------------------------------

    def _look_at_job(self, state: QueueState, item_id: int) -> None:
        item = state.items.get(item_id)
        was_open = item_id in self._open
        if item is not None and not was_open and state.is_theirs(item):
            return
        if item is None:
            if item_id not in state.unread and (was_open or item_id in self._fresh) and item_id not in self._failed:
                last = self._open[item_id][0] if was_open else None
                self._out.append(JobDeleted(at=_now(), item_id=item_id, item=last))
                self._close_job(item_id)
        elif not item.is_terminal:
            self._open_job(item, state.progress.get(item_id), report=True)
        elif was_open or item_id in self._fresh or (0 <= self._known < item_id and item_id not in self._ended):
            if item.status == FAILED:
                if item_id not in self._failed:
                    self._open_job(item, None)
                    self._failed[item_id] = (item, self._clock())
                return
            kind = JobCompleted if item.status == COMPLETED else JobFinished
            self._out.append(kind(at=_now(), item=item))
            self._open_job(item, None)
            self._close_job(item_id)

    def _open_job(self, item: QueueItem, progress: Progress | None, *, report: bool = False) -> None:
        item_id = item.item_id
        if self._open.get(item_id) == (item, progress):
            return
        self._open[item_id] = (item, progress)
        self._batches.setdefault(item.batch_id, set()).add(item_id)
        if item.status == IN_PROGRESS:
            self._last_sign[item_id] = self._clock()
            self._stalled.discard(item_id)
        else:
            self._last_sign.pop(item_id, None)
        if report:
            self._out.append(JobChanged(at=_now(), item=item, progress=progress))

    def _close_job(self, item_id: int) -> None:
        item, _ = self._open.pop(item_id, (None, None))
        self._last_sign.pop(item_id, None)
        self._stalled.discard(item_id)
        self._ended.add(item_id)
        if len(self._ended) > 2 * len(self._state.items) + 1000:
            self._ended &= self._state.items.keys()
        if item is None:
            return
        left = self._batches[item.batch_id]
        left.discard(item_id)
        if not left:
            del self._batches[item.batch_id]
            self._closing[item.batch_id] = self._clock()

    def _report_failures(self) -> None:
        for item_id, (item, since) in list(self._failed.items()):
            item = self._state.items.get(item_id, item)
            error = self._error_of(item)
            if error is None:
                if self._clock() - since < _HOLD_S and item_id in self._state.items:
                    continue
                error = job_error(item)
            del self._failed[item_id]
            will_retry = item_id in self._state.retrying
            self._out.append(JobFailed(at=_now(), item=item, error=error, will_retry=will_retry))
            self._close_job(item_id)

    def _report_stalled(self) -> None:
        if self._stalled_s is None or self._state.connection.mode != "live":
            return
        now = self._clock()
        for item_id, since in self._last_sign.items():
            if now - since >= self._stalled_s and item_id not in self._stalled:
                self._stalled.add(item_id)
                self._out.append(JobStalled(at=_now(), item=self._open[item_id][0], quiet_s=now - since))

    # -- batches ---------------------------------------------------------------------------------------------------

    def _report_batches(self) -> None:
        for batch_id, since in list(self._closing.items()):
            if not self._is_done(batch_id, since):
                continue
            del self._closing[batch_id]
            self._announced.pop(batch_id, None)
            counts = Counts.tallied(self._state.tallies.batches.get(batch_id, {}))
            if counts.total:  # else it was deleted
                self._out.append(BatchDone(at=_now(), batch_id=batch_id, counts=counts))

    def _is_done(self, batch_id: str, since: float) -> bool:
        if batch_id in self._batches:
            del self._closing[batch_id]  # more was added to it
            return False
        state = self._state
        if any((item := state.items.get(i)) is not None and item.batch_id == batch_id for i in state.retrying):
            return False
        if self._clock() - since >= _HOLD_S:
            return True
        if state.unread:
            return False
        # A job may have finished before the list with the rest of its batch was read.
        announced = self._announced.get(batch_id, (0, 0.0))[0]
        return not announced or announced <= sum(state.tallies.batches.get(batch_id, {}).values())


def in_turn(
    listener: Callable[[Notice], object], deliver: Callable[[Callable[[], object]], object]
) -> Callable[[Notice], None]:
    """Return a function that has `deliver` call `listener(notice)`. Of a job's changes that wait, the last is kept.

    (Each may have a preview, and a slow listener would have ever more of them waiting.)
    """
    lock = threading.Lock()
    waiting: dict[object, Notice] = {}

    def call() -> None:
        with lock:
            notice = waiting.pop(next(iter(waiting)))
        listener(notice)

    def receive(notice: Notice) -> None:
        which = notice.item.item_id if isinstance(notice, JobChanged) else object()
        with lock:
            is_new = which not in waiting
            waiting[which] = notice
        if is_new:
            deliver(call)

    return receive


def follow(
    loop: LoopThread,
    store: QueueStore,
    receive: Callable[[Notice], None],
    *,
    error_of: Callable[[QueueItem], JobError | None],
    stalled_s: float | None = None,
    fresh: Iterable[int] = (),
    interval: float = 0.0,
) -> Callable[[], None]:
    """Call `receive(notice)` on the loop's thread for each notice from now on. Callable from any thread.

    Args:
        receive: must return quickly; exceptions it raises are logged.
        error_of, stalled_s, fresh: as for `NoticeTracker`.
        interval: seconds within which changes after the first are taken together.

    Returns:
        A function that ends it; callable from any thread, and more than once.

    Raises:
        InvalidRequest: the console was closed, or `stalled_s` is no number of seconds above 0.
    """
    if stalled_s is not None:
        checks.positive("stalled_s", stalled_s)
    loop.check()
    ends: list[Callable[[], None]] = []
    ended = False

    def put(found: list[Notice]) -> None:
        for notice in found:
            if not ended:
                receive(notice)

    def start() -> None:
        if ended:
            return
        tracker = NoticeTracker(store.state, error_of=error_of, stalled_s=stalled_s, fresh=fresh)

        def tick() -> None:
            if not ended:
                loop.schedule(TICK_S, tick)
                put(tracker.tick())

        ends.append(store.subscribe(lambda change: put(tracker.changed(change)), interval=interval))
        ends.append(store.events.add(tracker.receive))
        tick()

    def end() -> None:
        nonlocal ended
        ended = True
        loop.post(lambda: [stop() for stop in ends])

    loop.post(start)
    return end


def _now() -> datetime:
    return datetime.now(UTC)


class Watch:
    """Notices about some jobs, for `for` and `async for`. Made by `Console.watch`; each iteration starts afresh."""

    def __init__(
        self,
        context: Context,
        jobs: Job | Jobs | Iterable[Job | Jobs],
        *,
        timeout: float | None,
        on_timeout: OnTimeout,
        stalled_s: float | None,
    ) -> None:
        wait_options(timeout, on_timeout, None)
        if stalled_s is not None:
            checks.positive("stalled_s", stalled_s)
        self._context = context
        self._batches: list[Batch] = []
        self._jobs: list[Job] = []
        for handle in handles_of(jobs):
            if handle._context.store is not context.store:
                raise InvalidRequest(
                    f"jobs: {handle!r} belongs to another console.", suggestion="Watch it there.", field="jobs"
                )
            if isinstance(handle, Batch):
                self._batches.append(handle)
            self._jobs += handle._members()
        self._timeout = timeout
        self._on_timeout = on_timeout
        self._stalled_s = stalled_s

    def __repr__(self) -> str:
        return f"Watch({len({job.attempts[0] for job in self._jobs})} jobs)"

    def __iter__(self) -> Iterator[Notice]:
        with self._followed() as (notices, course):
            while not course.is_over():
                if course.is_late():
                    self._context.loop.call(self._leave(course))
                    return
                pause_s = course.pause_s()
                try:
                    notice = notices.get(pause_s)
                except queue.Empty:
                    course.idle_s += pause_s
                    continue
                if course.takes(notice):
                    yield notice

    async def __aiter__(self) -> AsyncIterator[Notice]:
        with self._followed() as (notices, course):
            while not course.is_over():
                if course.is_late():
                    leaving = self._context.loop.start(self._leave(course))
                    await ticking(leaving)
                    leaving.result()
                    return
                pause_s = course.pause_s()
                try:
                    notice = await notices.aget(pause_s)
                except queue.Empty:
                    course.idle_s += pause_s
                    continue
                if course.takes(notice):
                    yield notice

    @contextmanager
    def _followed(self) -> Iterator[tuple[Channel[Notice], _Course]]:
        with Channel[Notice](self._context.loop) as notices:
            course = _Course(self._context, self._jobs, self._batches, self._timeout)
            end = follow(
                self._context.loop,
                self._context.store,
                notices.put,
                error_of=self._context.errors.of,
                stalled_s=self._stalled_s,
                fresh=[job.attempts[-1] for job in self._jobs],
                interval=_INTERVAL_S,
            )
            try:
                yield notices, course
            finally:
                end()

    async def _leave(self, course: _Course) -> None:
        """Do what `on_timeout` asks for when time is up, on the loop's thread."""
        if self._on_timeout == "detach":
            return
        left = course.left_ids()
        canceled = await outcome(course.cancel()) if self._on_timeout == "cancel" else ""
        raise JobTimeout(
            f"{len(left)} of {course.count} jobs had not finished within {self._timeout or 0.0:g} s."
            f"{canceled}{hindrance(self._context)}",
            details={"item_ids": left},
        )


class _Course:
    """The progress of one iteration.

    Attributes:
        idle_s: how long nothing has come since the last job ended; not the time that the user takes for each notice.
    """

    def __init__(self, context: Context, jobs: list[Job], batches: list[Batch], timeout: float | None) -> None:
        self._context = context
        self._roots = {job.attempts[0]: job for job in jobs}
        self._left = set(self._roots)
        self._late: set[int] = set()
        self._batch_of = {root: batch for batch in batches for job in batch.jobs for root in job.attempts[:1]}
        self._batch_ids = {batch.batch_id for batch in batches}
        self._undone = set(self._batch_ids) if jobs else set()
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.idle_s = 0.0
        self.count = len(self._roots)

    def takes(self, notice: Notice) -> bool:
        """Return whether a notice belongs here: to one of the jobs or batches, or to the queue as a whole."""
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
        batches = self._context.store.state.tallies.batches  # of one that was deleted no end is reported
        patience_s = _BATCH_PATIENCE_S if any(batch_id in batches for batch_id in self._undone) else 0.0
        return not self._left and (not self._undone or self.idle_s > patience_s)

    def is_late(self) -> bool:
        """Whether time is up and jobs have not ended. Of those that have, notices may still wait for a slow reader."""
        if self._deadline is None or time.monotonic() < self._deadline:
            return False
        self._late = {root for root in self._left if not self._roots[root]._is_over(self._roots[root].item)}
        return bool(self._late)

    def pause_s(self) -> float:
        left = WAKE_S if self._deadline is None else self._deadline - time.monotonic()
        return left if 0.0 < left < WAKE_S else WAKE_S

    def left_ids(self) -> tuple[int, ...]:
        """Return the last attempts of the jobs that are late."""
        return tuple(sorted(self._roots[root].attempts[-1] for root in self._late))

    async def cancel(self) -> Cancellation:
        """Cancel what is late, whole batches at once."""
        batches = {batch.batch_id for root in self._late if (batch := self._batch_of.get(root)) is not None}
        actions = self._context.actions
        records = [await actions.cancel_batch(batch_id) for batch_id in sorted(batches)]
        singles = [self._roots[root].attempts[-1] for root in sorted(self._late - self._batch_of.keys())]
        others, failures = await actions.cancel_many(singles)
        if failures:
            raise failures[0]
        return in_one([*records, *others])

    def _root(self, item_id: int) -> int:
        return self._context.actions.reruns.attempts(item_id)[0]

    def _ended(self, root: int) -> None:
        if root in self._left:
            self._left.discard(root)
            self.idle_s = 0.0
