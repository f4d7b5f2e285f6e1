"""What is worth telling, made of successive pictures: a job ended or stands still, the queue is wedged, ...

`Notices` is pure but for its clock: pictures in, notices out. `follow` keeps one in step with a store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from invoke_widgets._loop import LoopThread
from invoke_widgets.errors import classify
from invoke_widgets.events import BatchEnqueued, Event
from invoke_widgets.notices import (
    BatchDone,
    ConnectionBack,
    ConnectionLost,
    JobChanged,
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
from invoke_widgets.records import FAILED, IN_PROGRESS, Counts, JobError, Progress, QueueItem
from invoke_widgets.sync import NOTHING, Change, QueueState, QueueStore

__all__ = [
    "BatchDone",
    "ConnectionBack",
    "ConnectionLost",
    "JobChanged",
    "JobDeleted",
    "JobFailed",
    "JobFinished",
    "JobStalled",
    "Notice",
    "Notices",
    "QueueFull",
    "QueuePaused",
    "QueueResumed",
    "QueueUnwedged",
    "QueueWedged",
    "follow",
]

TICK_S = 1.0
_HOLD_S = 5.0
"""So long a batch's end or a failure is kept back, where something that belongs to it has still to be read."""


class Notices:
    """Turns pictures into notices. To be called from one thread.

    What had ended before the first picture is not told; a queue that is paused, wedged or out of reach in it, is. On a
    server in multiuser mode, one who is no administrator hears of their own jobs.

    Args:
        state: the picture from which on things are news.
        error_of: the classified error of a failed item, or None while it is not known: `ErrorLog.of`.
        stalled_s: seconds without a sign of a job in progress after which it counts as stalled; None: never. Only
            while events are heard, since nothing else tells a job's progress.
        fresh: ids that are news even if they had ended before.
        clock: seconds, monotonic.
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
        self._heard: dict[int, float] = {}
        self._stalled: set[int] = set()
        self._lost = self._refused_token = self._paused = self._wedged = False
        self._out: list[Notice] = []
        for item in state.items.values():
            if not item.is_terminal and not state.is_theirs(item):
                self._open_job(item, state.progress.get(item.item_id))

    def changed(self, change: Change) -> list[Notice]:
        """The notices that a change of the picture gives rise to, in the order of what they are about."""
        self._state = state = change.state
        self._look_at_queue(state)
        self._seen |= change.item_ids
        if state.newest_id < self._newest:
            self._start_anew()
        self._newest = state.newest_id
        if self._known < 0 and state.connection.mode in ("live", "polling"):
            self._known = state.newest_id
        if not self._lost:
            for item_id in sorted(self._seen | self._fresh):
                self._look_at_job(state, item_id)
            self._seen = NOTHING
            self._fresh &= state.unread  # not read yet: still to be looked at
            self._tell_failures()
            self._tell_stalled()
            self._tell_batches()
        out, self._out = self._out, []
        return out

    def tick(self) -> list[Notice]:
        """The notices that time alone gives rise to; to be called every `TICK_S` seconds or so."""
        return self.changed(Change(self._state, NOTHING))

    def heard(self, event: Event) -> None:
        """Take an event: of a batch that was not taken whole there is no trace in the picture."""
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
        elif self._lost and state.connection.mode in ("live", "polling"):
            self._out.append(ConnectionBack(at=_now()))
            now = self._clock()
            self._heard = dict.fromkeys(self._heard, now)
            self._failed = {item_id: (item, now) for item_id, (item, _) in self._failed.items()}
            self._closing = dict.fromkeys(self._closing, now)
        else:
            lost = self._lost
        self._lost, self._refused_token = lost, refused
        paused = state.processor is not None and not state.processor.is_started
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
            # Told with the counters that are read after it: what was taken is among them.
            if pending >= taken or self._clock() - since >= 2 * TICK_S:
                self._refused = None
                self._out.append(QueueFull(at=_now(), pending=max(pending, taken)))

    def _start_anew(self) -> None:
        """The ids went back: it is another server's queue, and what is in it is no news."""
        for item_id, (item, _) in self._open.items():
            self._out.append(JobDeleted(at=_now(), item_id=item_id, item=item))
        for known in (self._open, self._batches, self._failed, self._closing, self._announced, self._heard):
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
            self._open_job(item, state.progress.get(item_id), tell=True)
        elif was_open or item_id in self._fresh or (0 <= self._known < item_id and item_id not in self._ended):
            if item.status == FAILED:
                if item_id not in self._failed:
                    self._open_job(item, None)
                    self._failed[item_id] = (item, self._clock())
                return
            self._out.append(JobFinished(at=_now(), item=item))
            self._open_job(item, None)
            self._close_job(item_id)

    def _open_job(self, item: QueueItem, progress: Progress | None, *, tell: bool = False) -> None:
        item_id = item.item_id
        if self._open.get(item_id) == (item, progress):
            return
        self._open[item_id] = (item, progress)
        self._batches.setdefault(item.batch_id, set()).add(item_id)
        if item.status == IN_PROGRESS:
            self._heard[item_id] = self._clock()
            self._stalled.discard(item_id)
        else:
            self._heard.pop(item_id, None)
        if tell:
            self._out.append(JobChanged(at=_now(), item=item, progress=progress))

    def _close_job(self, item_id: int) -> None:
        item, _ = self._open.pop(item_id, (None, None))
        self._heard.pop(item_id, None)
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

    def _tell_failures(self) -> None:
        for item_id, (item, since) in list(self._failed.items()):
            item = self._state.items.get(item_id, item)
            error = self._error_of(item)
            if error is None:
                if self._clock() - since < _HOLD_S and item_id in self._state.items:
                    continue
                error = _guessed(item)
            del self._failed[item_id]
            will_retry = item_id in self._state.retrying
            self._out.append(JobFailed(at=_now(), item=item, error=error, will_retry=will_retry))
            self._close_job(item_id)

    def _tell_stalled(self) -> None:
        if self._stalled_s is None or self._state.connection.mode != "live":
            return
        now = self._clock()
        for item_id, since in self._heard.items():
            if now - since >= self._stalled_s and item_id not in self._stalled:
                self._stalled.add(item_id)
                self._out.append(JobStalled(at=_now(), item=self._open[item_id][0], quiet_s=now - since))

    # -- batches ---------------------------------------------------------------------------------------------------

    def _tell_batches(self) -> None:
        done = [batch_id for batch_id, since in list(self._closing.items()) if self._is_done(batch_id, since)]
        if not done:
            return
        statuses: dict[str, list[str]] = {batch_id: [] for batch_id in done}
        for item in self._state.items.values():
            if item.batch_id in statuses:
                statuses[item.batch_id].append(item.status)
        for batch_id in done:
            del self._closing[batch_id]
            self._announced.pop(batch_id, None)
            if statuses[batch_id]:  # else it was deleted
                self._out.append(BatchDone(at=_now(), batch_id=batch_id, counts=Counts.of(statuses[batch_id])))

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
        return not announced or announced <= sum(1 for item in state.items.values() if item.batch_id == batch_id)


def follow(
    loop: LoopThread,
    store: QueueStore,
    tell: Callable[[Notice], None],
    *,
    error_of: Callable[[QueueItem], JobError | None],
    stalled_s: float | None = None,
    fresh: Iterable[int] = (),
    interval: float = 0.0,
) -> Callable[[], None]:
    """Call `tell(notice)` on the loop's thread for each notice from now on; from any thread.

    Args:
        loop: the store's.
        store: the picture.
        tell: must return quickly; what it raises is logged.
        error_of: as for `Notices`, and so are `stalled_s` and `fresh`.
        stalled_s: see there.
        fresh: see there.
        interval: seconds within which changes after the first come together.

    Returns:
        A function that ends it, from any thread; calling it again does nothing.

    Raises:
        InvalidRequest: the console was closed.
    """
    loop.check()
    ends: list[Callable[[], None]] = []
    ended = False

    def put(found: list[Notice]) -> None:
        for notice in found:
            if not ended:
                tell(notice)

    def start() -> None:
        if ended:
            return
        notices = Notices(store.state, error_of=error_of, stalled_s=stalled_s, fresh=fresh)

        def tick() -> None:
            if not ended:
                loop.schedule(TICK_S, tick)
                put(notices.tick())

        ends.append(store.subscribe(lambda change: put(notices.changed(change)), interval=interval))
        ends.append(store.subscribe_events(notices.heard))
        tick()

    def end() -> None:
        nonlocal ended
        ended = True
        loop.post(lambda: [stop() for stop in ends])

    loop.post(start)
    return end


def _now() -> datetime:
    return datetime.now(UTC)


def _guessed(item: QueueItem) -> JobError:
    """What can be said of a failure whose error could not be read."""
    found = classify.diagnose_failure(item.error_type, item.error_message, item.error_traceback)
    return JobError(
        at=item.completed_at or _now(),
        error_type=found.error_type,
        message=item.error_message or item.error_type or "The server gives no reason.",
        suggestion=found.suggestion,
        retryable=found.retryable,
        item_id=item.item_id,
        batch_id=item.batch_id,
        server_error_type=item.error_type,
    )
