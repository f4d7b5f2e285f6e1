"""Running failed jobs again as their batch's `RetryPolicy` says: each exactly once, whatever becomes of replies.

A retry makes a new item, which names the first of its line as `retried_from_item_id`: the items of one line are
attempts at one job. Only failures of batches that were submitted here with a policy are run again.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from invoke_widgets.acting import Reader
from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import (
    JobException,
    JobTimeout,
    NotFound,
    ReplyLost,
    ServerFailure,
    ServerUnreachable,
    UnexpectedReply,
)
from invoke_widgets.history import ErrorLog
from invoke_widgets.merge import NOTHING, QueueState
from invoke_widgets.reading import ids_after, light_items, whole_items
from invoke_widgets.records import FAILED, QueueItem
from invoke_widgets.retrying import RetryPolicy
from invoke_widgets.store import QueueStore

# How often, and with which pauses, a retry whose reply was lost is looked for before it is taken as not having arrived.
_LOOKS_S = (0.0, 0.2, 0.5, 1.0, 1.5)
_LATER_S = 1.0
_UNDECIDED_S = 30.0

_PASSING = (ServerUnreachable, ReplyLost, JobTimeout, ServerFailure, UnexpectedReply)


class _NotTaken(Exception):
    """The server did not take the retry, as when its queue is full."""


@dataclass
class _Kept:
    """A batch with a policy. `ids`: of its first attempts, ascending; None while the submit is under way."""

    batch_id: str
    policy: RetryPolicy
    deadline: float | None
    ids: tuple[int, ...] | None = None
    unplaced: dict[int, QueueItem] = field(default_factory=dict)
    stopped: bool = False


@dataclass
class _Line:
    """The attempts at one job, ascending. `due`: another one will come. `over`: none will come by itself."""

    kept: _Kept
    attempts: list[int]
    due: bool = False
    over: bool = False
    stopped: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class Reruns:
    """The policies of one console, and the lines of attempts that they led to. On the loop's thread, but for reads.

    Args: as for `Acting`.
    """

    def __init__(self, client: InvokeClient, store: QueueStore, reader: Reader, errors: ErrorLog) -> None:
        self._client = client
        self._store = store
        self._reader = reader
        self._errors = errors
        self._kept: dict[str, _Kept] = {}
        self._lines: dict[int, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        errors.hold_while(self._is_undecided)

    # -- what handles ask; from any thread, but for `next_of` ------------------------------------------------------

    def attempts(self, item_id: int) -> tuple[int, ...]:
        """The ids of all attempts at the job of this item, ascending; only itself, if it has no policy."""
        line = self._lines.get(item_id)
        return (item_id,) if line is None else tuple(line.attempts)

    def will_go_on(self, item: QueueItem) -> bool:
        """Whether this failed item is not the end of its job: another attempt will come, or may."""
        line = self._lines.get(item.item_id)
        return item.status == FAILED and line is not None and (not line.over or line.attempts[-1] != item.item_id)

    async def next_of(self, item: QueueItem) -> int | None:
        """The next attempt after this failed item, once it is there; None once it is known that none will come."""
        line = self._lines.get(item.item_id)
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
        self._kept[batch_id] = _Kept(batch_id, policy, None if limit is None else time.monotonic() + limit)

    def took(self, batch_id: str, item_ids: Iterable[int]) -> None:
        """The batch is in the queue as these items."""
        kept = self._kept[batch_id]
        kept.ids = tuple(sorted(item_ids))
        for item_id in kept.ids:
            self._lines.setdefault(item_id, _Line(kept, [item_id]))
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
            self._decide(line, item)
        elif item.item_id not in kept.unplaced:
            kept.unplaced[item.item_id] = item
            if kept.ids is not None:
                self._start(self._place(kept, item))

    def link(self, old_id: int, new: QueueItem) -> None:
        """Take a new item that a retry, whosever, made of an old one."""
        self._errors.link(new)
        line = self._lines.get(old_id)
        if line is None or new.item_id in line.attempts:
            return
        self._unset(line)
        line.attempts = sorted([*line.attempts, new.item_id])
        self._lines[new.item_id] = line
        line.due = False
        if line.stopped:
            self._start(self._cancel(new.item_id))
        unplaced = line.kept.unplaced.pop(new.item_id, None)
        now = unplaced or self._store.state.items.get(new.item_id)
        if now is not None and now.status == FAILED:
            self._decide(line, now)
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
        for task in self._tasks:
            task.cancel()
        self._store.set(retrying=NOTHING)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _is_undecided(self, item: QueueItem) -> bool:
        kept = self._kept.get(item.batch_id)
        if kept is None:
            return False
        line = self._lines.get(item.item_id)
        if line is None:
            return kept.ids is None or item.item_id in kept.unplaced
        return line.attempts[-1] == item.item_id and not line.due and not line.over

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        # A context of its own: what the picture's keeper may do while the server is away is not for these.
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _place(self, kept: _Kept, item: QueueItem) -> None:
        """Find the line of an item that is not of the submit itself: a retry made it, whose answer is not here yet."""
        try:
            whole = await self._client.get_queue_item(item.item_id)
        except JobException:
            whole = item
        root = whole.retried_from_item_id
        if root is not None and root in self._lines:
            self.link(root, whole.without_session())
        kept.unplaced.pop(item.item_id, None)

    def _decide(self, line: _Line, item: QueueItem) -> None:
        if line.over or line.due or line.attempts[-1] != item.item_id:
            return
        error = self._errors.record_of(item)
        if error is None:
            return  # this is called again when it is known
        kept, tried = line.kept, len(line.attempts)
        pause = kept.policy.pause_s(tried)
        late = kept.deadline is not None and time.monotonic() + pause > kept.deadline
        if line.stopped or kept.stopped or late or tried >= kept.policy.attempts or not kept.policy.wants(error):
            self._end(line)
            return
        line.due = True
        self._store.set(retrying=self._store.state.retrying | {item.item_id})
        line.tell()
        self._store.tell((item.item_id,))
        self._start(self._again(line, item.item_id, pause))

    def _end(self, line: _Line) -> None:
        self._unset(line)
        line.due, line.over = False, True
        line.tell()
        self._store.tell(line.attempts[-1:])

    def _unset(self, line: _Line) -> None:
        left = self._store.state.retrying - set(line.attempts)
        if left != self._store.state.retrying:
            self._store.set(retrying=left)

    async def _again(self, line: _Line, item_id: int, pause: float) -> None:
        may_be_sent = False
        while True:
            await asyncio.sleep(pause)
            if line.attempts[-1] != item_id:
                return
            late = line.kept.deadline is not None and time.monotonic() > line.kept.deadline
            new = None
            if may_be_sent or (line.due and not late):
                try:
                    async with self._lock:
                        new = await self._rerun(line, item_id, send=line.due and not late)
                except (_NotTaken, ServerUnreachable):
                    pause = _LATER_S
                    continue
                except _PASSING:
                    may_be_sent, pause = True, _LATER_S
                    continue
                except JobException as error:
                    self._errors.record_exception(error)
            if new is not None:
                self._reader.expect((new.item_id,))
                self._reader.take(new)
                self.link(item_id, new)
            elif line.due:
                self._end(line)
            return

    async def _rerun(self, line: _Line, item_id: int, *, send: bool) -> QueueItem | None:
        """The next attempt: one that is there already, or a new one if `send`; None if there cannot be one.

        Raises:
            _NotTaken: the server did not take it, or another console is about it.
            JobException: the server could not be reached, or is ill.
        """
        with claims.held(self._store.state, [item_id]) as mine:
            if not mine:
                raise _NotTaken
            newer = await self._newer(line, item_id)
            if newer is not None or not send:
                return newer
            try:
                item = await self._client.get_queue_item(item_id)
                # Another batch: the address leads to another server's queue by now.
                if item.status != FAILED or item.batch_id != line.kept.batch_id or not line.due:
                    return None
                claims.note(self._store.state, [item_id])
                taken = await self._client.retry_items_by_id([item_id])
            except NotFound:
                return None
            except (ReplyLost, JobTimeout, ServerFailure, UnexpectedReply) as error:
                return await self._look_for(line, item_id, error)
            if item_id not in taken:
                raise _NotTaken
            return await self._look_for(line, item_id, _NotTaken())

    async def _look_for(self, line: _Line, item_id: int, otherwise: Exception) -> QueueItem:
        """The attempt that was just asked for.

        The server works on requests one after another, so that what is not there after several later requests were
        answered is not on its way.
        """
        for pause in _LOOKS_S:
            await asyncio.sleep(pause)
            if (newer := await self._newer(line, item_id)) is not None:
                return newer
        raise otherwise

    async def _newer(self, line: _Line, item_id: int) -> QueueItem | None:
        """The attempt that came after this one, as the server has it."""
        after = max(item_id, *(line.kept.ids or ()))
        ids = [i for i in await ids_after(self._client, after) if i not in self._lines]
        same = [item.item_id for item in await light_items(self._client, ids) if item.batch_id == line.kept.batch_id]
        root = line.attempts[0]
        found = [item for item in await whole_items(self._client, same) if item.retried_from_item_id == root]
        return min(found, key=lambda item: item.item_id).without_session() if found else None

    async def _cancel(self, item_id: int) -> None:
        try:
            self._reader.take(await self._client.cancel_queue_item(item_id))
        except JobException as error:
            self._errors.record_exception(error)


class Claims:
    """Which items are being retried, or have been, from anywhere in this process. A batch's id tells servers apart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[tuple[str, int]] = set()
        self._retried: set[tuple[str, int]] = set()

    @contextmanager
    def held(self, state: QueueState, item_ids: Iterable[int]) -> Iterator[list[int]]:
        """Those of the items that nobody else is retrying at this moment; they are the caller's meanwhile."""
        keys = {item_id: _key(state, item_id) for item_id in item_ids}
        with self._lock:
            mine = {item_id: key for item_id, key in keys.items() if key not in self._held}
            self._held.update(mine.values())
        try:
            yield list(mine)
        finally:
            with self._lock:
                self._held.difference_update(mine.values())

    def note(self, state: QueueState, item_ids: Iterable[int]) -> None:
        """These have been retried."""
        self._retried.update(_key(state, item_id) for item_id in item_ids)

    def noted(self, state: QueueState, item_id: int) -> bool:
        return _key(state, item_id) in self._retried


def _key(state: QueueState, item_id: int) -> tuple[str, int]:
    item = state.items.get(item_id)
    return ("" if item is None else item.batch_id, item_id)


claims = Claims()
