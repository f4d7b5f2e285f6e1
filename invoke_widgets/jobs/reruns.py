"""Running failed jobs again as their batch's `RetryPolicy` says: each exactly once, whatever becomes of replies.

A retry makes a new item, which names the first of its line as `retried_from_item_id`: the items of one line are
attempts at one job. Only failures of batches that were submitted here with a policy are run again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import JobException
from invoke_widgets.events import Event, ItemsRetried
from invoke_widgets.history import ErrorLog
from invoke_widgets.jobs.acting import Reader
from invoke_widgets.jobs.resending import Kept, Line, Resending
from invoke_widgets.jobs.retry import RetryPolicy
from invoke_widgets.records import FAILED, JobError, QueueItem
from invoke_widgets.sync import QueueState, QueueStore, Step

_UNDECIDED_S = 30.0

_HEARD_LOOKS = 5
"""So often a retry that an event told of is looked for before it is taken as deleted again."""

_ATTEMPTS_KEPT = 20_000
"""Beyond so many the oldest batches are forgotten that have ended, but never the latest one: that is twice a queue that
is full by default, and some 1 kB each."""


class Reruns(Resending):
    """The policies of one console, and the lines of attempts that they led to. On the loop's thread, but for reads.

    Args: as for `Acting`.
    """

    def __init__(self, client: InvokeClient, store: QueueStore, reader: Reader, errors: ErrorLog) -> None:
        super().__init__(client, store, reader, errors)
        self._kept: dict[str, Kept] = {}
        errors.hold_while(self._is_undecided)
        self._unsubscribe = store.subscribe_events(self._event)

    # -- what handles ask; from any thread, but for `next_of` ------------------------------------------------------

    def attempts(self, item_id: int) -> tuple[int, ...]:
        """The ids of all attempts at the job of this item, ascending; only itself, if it has no policy."""
        line = self._line_of(item_id)
        return (item_id,) if line is None else tuple(line.attempts)

    def _line_of(self, item_id: int) -> Line | None:
        line, item = self._lines.get(item_id), self._store.state.items.get(item_id)
        # Of another batch: the address leads to another server's queue by now, whose ids mean other jobs.
        return None if line is None or (item is not None and item.batch_id != line.kept.batch_id) else line

    def will_go_on(self, item: QueueItem) -> bool:
        """Whether this failed item is not the end of its job: another attempt will come, or may."""
        line = self._line_of(item.item_id)
        return item.status == FAILED and line is not None and (not line.over or line.attempts[-1] != item.item_id)

    async def next_of(self, item: QueueItem) -> int | None:
        """The next attempt after this failed item, once it is there; None once it is known that none will come."""
        line = self._line_of(item.item_id)
        if line is None:
            return None
        until = time.monotonic() + _UNDECIDED_S
        while True:
            later = [i for i in line.attempts if i > item.item_id]
            if later or line.over:
                return later[0] if later else None
            try:
                async with asyncio.timeout(None if line.due else max(until - time.monotonic(), 0.01)):
                    await line.changed.wait()
            except TimeoutError:
                if not line.due:
                    self._end(line)  # its error cannot be read

    # -- a batch with a policy -------------------------------------------------------------------------------------

    def begin(self, batch_id: str, policy: RetryPolicy) -> None:
        """A batch is about to be submitted: its first job may fail before the submit is answered."""
        limit = policy.max_total_s
        self._kept[batch_id] = Kept(batch_id, policy, None if limit is None else time.monotonic() + limit)

    def took(self, batch_id: str, item_ids: Iterable[int]) -> None:
        """The batch is in the queue as these items."""
        kept = self._kept[batch_id]
        kept.ids = tuple(sorted(item_ids))
        for item_id in kept.ids:
            if item_id not in self._lines:
                self._lines[item_id] = Line(kept, [item_id])
                kept.lines.append(self._lines[item_id])
        self._forget_oldest()
        unplaced = list(kept.unplaced.values())
        kept.unplaced.clear()
        for item in unplaced:
            self.failed(item)

    def forget(self, batch_id: str) -> None:
        """The batch did not come to be."""
        self._kept.pop(batch_id, None)

    def failed(self, item: QueueItem) -> None:
        """Take a failed item whose error is in the log; more than once for one item does no harm."""
        kept = self._kept.get(item.batch_id)
        if kept is None:
            return
        line = self._lines.get(item.item_id)
        if line is not None:
            self._decide(line, item, self._error_of(item))
        elif item.item_id not in kept.unplaced:
            kept.unplaced[item.item_id] = item
            if kept.ids is not None:
                self._start(self._place(kept, item))

    def link(self, old_id: int, new: QueueItem) -> None:
        """Take a new item that a retry, whosever, made of an old one."""
        self._errors.link(new)
        line = self._lines.get(old_id)
        if line is None or new.item_id in line.attempts or new.item_id in line.withdrawn:
            return
        self._unset(line)
        line.attempts = sorted([*line.attempts, new.item_id])
        self._lines[new.item_id] = line
        line.due, line.heard, line.refused = False, 0, 0
        for item_id in line.attempts:
            self._ready.pop(item_id, None)
        if line.stopped:
            self._start(self._cancel(new.item_id))
        unplaced = line.kept.unplaced.pop(new.item_id, None)
        now = unplaced or self._store.state.items.get(new.item_id)
        if now is not None and now.status == FAILED:
            is_told = unplaced is not None or now.error_type is not None or now.error_message is not None
            self._decide(line, now, self._error_of(now) if is_told else self._errors.record_of(now))
        line.tell()
        self._store.tell(line.attempts)

    def stop(self, of: Callable[[QueueItem | None, int, bool], bool] | None = None) -> int:
        """Run nothing again any more. `of(item, item_id, due)` says of which lines, by their last attempt.

        Returns:
            How many further attempts this called off.
        """
        called_off = 0
        items = self._store.state.items
        for line in {id(line): line for line in self._lines.values()}.values():
            last = line.attempts[-1]
            if line.over or (of is not None and not of(items.get(last), last, line.due)):
                continue
            called_off += line.due
            line.stopped = True
            self._end(line)
        return called_off

    def stop_batch(self, batch_id: str) -> int:
        """`stop` for all of a batch."""
        kept = self._kept.get(batch_id)
        if kept is None:
            return 0
        kept.stopped = True
        mine = {line.attempts[-1] for line in self._lines.values() if line.kept is kept}
        return self.stop(lambda item, item_id, due: item_id in mine)

    def close(self) -> None:
        """End what is under way."""
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        for item_id in self._store.state.retrying:
            if (line := self._lines.get(item_id)) is not None:
                self._errors.note_retry(item_id, line.kept.batch_id, None)
        self._store.set(retrying={})

    # -- inside ----------------------------------------------------------------------------------------------------

    def _is_undecided(self, item: QueueItem) -> bool:
        kept = self._kept.get(item.batch_id)
        if kept is None:
            return False
        line = self._lines.get(item.item_id)
        if line is None:
            return kept.ids is None or item.item_id in kept.unplaced
        return line.attempts[-1] == item.item_id and not line.due and not line.over

    async def _place(self, kept: Kept, item: QueueItem) -> None:
        """Find the line of an item that is not of the submit itself: a retry made it, whose answer is not here yet."""
        try:
            whole = await self._client.get_queue_item(item.item_id)
        except JobException:
            whole = item
        root = whole.retried_from_item_id
        if root is not None and root in self._lines:
            self.link(root, whole.without_session())
        kept.unplaced.pop(item.item_id, None)

    def _error_of(self, item: QueueItem) -> JobError:
        """The error of an item that was told with it: the log may have been cleared since."""
        return self._errors.record_of(item) or self._errors.made_of(item)

    def _decide(self, line: Line, item: QueueItem, error: JobError | None) -> None:
        if line.over or line.due or line.attempts[-1] != item.item_id:
            return
        if error is None:
            return  # this is called again when it is known
        kept, tried = line.kept, len(line.attempts)
        pause = kept.policy.pause_s(tried)
        if line.stopped or kept.stopped or tried >= kept.policy.attempts or not kept.policy.wants(error):
            self._end(line)
        else:
            self._put_off(line, pause)

    def _put_off(self, line: Line, pause: float) -> None:
        """Have the next attempt made after a pause, or never if that is too late."""
        item_id, kept = line.attempts[-1], line.kept
        self._ready.pop(item_id, None)
        if kept.deadline is not None and time.monotonic() + pause > kept.deadline:
            self._end(line)
            return
        line.due = line.paused = True
        due = datetime.now(UTC) + timedelta(seconds=pause)
        self._errors.note_retry(item_id, kept.batch_id, due)
        self._set_due(item_id, due)
        line.tell()
        asyncio.get_running_loop().call_later(pause, self._is_due, line, item_id)

    def _event(self, event: Event) -> None:
        """Somebody retried an attempt: that is the next one, which is looked for and not made once more."""
        for item_id in event.item_ids if isinstance(event, ItemsRetried) else ():
            line = self._lines.get(item_id)
            if line is not None and line.due:
                line.heard = _HEARD_LOOKS
                self._is_ready(line, line.attempts[-1])

    def _forget_oldest(self) -> None:
        """Keep what is known of batches that have ended within bounds; their handles show one attempt from then on."""
        if len(self._lines) <= _ATTEMPTS_KEPT:
            return
        for kept in list(self._kept.values())[:-1]:
            if kept.ids is not None and not kept.unplaced and all(map(self._has_ended, kept.lines)):
                del self._kept[kept.batch_id]
                for line in kept.lines:
                    for item_id in (*line.attempts, *line.withdrawn):
                        self._lines.pop(item_id, None)
                if len(self._lines) <= _ATTEMPTS_KEPT:
                    return

    def _has_ended(self, line: Line) -> bool:
        last, state = line.attempts[-1], self._store.state
        item = state.items.get(last)
        ended = last not in state.unread if item is None else item.is_terminal and item.status != FAILED
        return line.over or (ended and not line.due)

    def _end(self, line: Line) -> None:
        self._unset(line)
        if line.due:
            self._errors.note_retry(line.attempts[-1], line.kept.batch_id, None)
        line.due, line.over = False, True
        line.tell()
        self._store.tell(line.attempts[-1:])

    def _unset(self, line: Line) -> None:
        for item_id in self._store.state.retrying.keys() & set(line.attempts):
            self._set_due(item_id, None)

    def _set_due(self, item_id: int, due: datetime | None) -> None:
        """Say in the picture when a failed item is run again; None: not, or not any more."""

        def step(state: QueueState) -> Step:
            others = {i: at for i, at in state.retrying.items() if i != item_id}
            retrying = others if due is None else {**others, item_id: due}
            return replace(state, retrying=retrying), frozenset({item_id})

        self._store.apply(step)
