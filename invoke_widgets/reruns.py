"""Running failed jobs again as their batch's `RetryPolicy` says: each exactly once, whatever becomes of replies.

A retry makes a new item, which names the first of its line as `retried_from_item_id`: the items of one line are
attempts at one job. Only failures of batches that were submitted here with a policy are run again.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from invoke_widgets.acting import Reader
from invoke_widgets.claims import claims
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
from invoke_widgets.merge import QueueState, Step
from invoke_widgets.reading import ids_after, light_items, whole_items
from invoke_widgets.records import FAILED, QueueItem
from invoke_widgets.retrying import RetryPolicy
from invoke_widgets.store import QueueStore

# How often, and with which pauses, a retry whose reply was lost is looked for before it is taken as not having arrived.
_LOOKS_S = (0.0, 0.2, 0.5, 1.0, 1.5)
_LATER_S = 1.0
_GATHER_S = 0.05
_AT_ONCE = 100
_UNDECIDED_S = 30.0

_PASSING = (ServerUnreachable, ReplyLost, JobTimeout, ServerFailure, UnexpectedReply)


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
        self._ready: dict[int, _Line] = {}
        self._worker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        errors.hold_while(self._is_undecided)

    # -- what handles ask; from any thread, but for `next_of` ------------------------------------------------------

    def attempts(self, item_id: int) -> tuple[int, ...]:
        """The ids of all attempts at the job of this item, ascending; only itself, if it has no policy."""
        line = self._line_of(item_id)
        return (item_id,) if line is None else tuple(line.attempts)

    def _line_of(self, item_id: int) -> _Line | None:
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
        for item_id in line.attempts:
            self._ready.pop(item_id, None)
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

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # A context of its own: what the picture's keeper may do while the server is away is not for these.
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
        due = datetime.now(UTC) + timedelta(seconds=pause)
        self._errors.note_retry(item.item_id, item.batch_id, due)
        self._set_due(item.item_id, due)
        line.tell()
        asyncio.get_running_loop().call_later(pause, self._is_ready, line, item.item_id)

    def _end(self, line: _Line) -> None:
        self._unset(line)
        if line.due:
            self._errors.note_retry(line.attempts[-1], line.kept.batch_id, None)
        line.due, line.over = False, True
        line.tell()
        self._store.tell(line.attempts[-1:])

    def _unset(self, line: _Line) -> None:
        for item_id in self._store.state.retrying.keys() & set(line.attempts):
            self._set_due(item_id, None)

    def _set_due(self, item_id: int, due: datetime | None) -> None:
        """Say in the picture when a failed item is run again; None: not, or not any more."""

        def step(state: QueueState) -> Step:
            others = {i: at for i, at in state.retrying.items() if i != item_id}
            retrying = others if due is None else {**others, item_id: due}
            return replace(state, retrying=retrying), frozenset({item_id})

        self._store.apply(step)

    def _is_ready(self, line: _Line, item_id: int) -> None:
        """The pause is over. What is ready at about the same time goes together: each request may have to wait."""
        if line.due and line.attempts[-1] == item_id:
            self._ready[item_id] = line
            if self._worker is None or self._worker.done():
                self._worker = self._start(self._work())

    async def _work(self) -> None:
        pause = _GATHER_S
        while self._ready:
            await asyncio.sleep(pause)
            pause = _LATER_S
            try:
                with claims.held(self._store.state, list(self._ready)) as mine:
                    await self._rerun(mine)
            except _PASSING:
                continue
            except JobException as error:
                self._errors.record_exception(error)
                self._give_up(list(self._ready))

    async def _rerun(self, item_ids: list[int]) -> None:
        """Link the next attempts of these that are there already, and enqueue the others. What is not taken stays.

        Raises:
            JobException: the server could not be reached, or is ill.
        """
        await self._link_newer(item_ids)
        # Not as the picture has them: the address may lead to another server's queue since it was read.
        ready = [item_id for item_id in item_ids if item_id in self._ready]
        items = {item.item_id: item for item in await light_items(self._client, ready)} if ready else {}
        now = time.monotonic()
        send = []
        for item_id in ready:
            line = self._ready.get(item_id)
            if line is None:
                continue
            item = items.get(item_id)
            is_there = item is not None and item.status == FAILED and item.batch_id == line.kept.batch_id
            late = line.kept.deadline is not None and now > line.kept.deadline
            if is_there and line.due and not late:
                send.append(item_id)
            else:
                self._give_up([item_id])
        for start in range(0, len(send), _AT_ONCE):
            await self._send(send[start : start + _AT_ONCE])

    async def _send(self, item_ids: list[int]) -> None:
        claims.note(self._store.state, item_ids)
        try:
            taken = await self._client.retry_items_by_id(item_ids)
        except NotFound:  # up to 6.13 one that is missing keeps all of them from being taken
            if len(item_ids) == 1:
                self._give_up(item_ids)
            else:
                for item_id in item_ids:
                    await self._send([item_id])
            return
        except (ReplyLost, JobTimeout, ServerFailure, UnexpectedReply):
            taken = tuple(item_ids)  # perhaps
        # The server works on requests one after another, so that what is not there after several later requests were
        # answered is not on its way.
        for pause in _LOOKS_S if taken else ():
            await asyncio.sleep(pause)
            await self._link_newer(taken)
            if self._ready.keys().isdisjoint(taken):
                return

    async def _link_newer(self, item_ids: Iterable[int]) -> None:
        """Find the attempts that came after these, as the server has them."""
        lines = {line.attempts[0]: line for i in item_ids if (line := self._ready.get(i)) is not None}
        if not lines:
            return
        batches = {line.kept.batch_id for line in lines.values()}
        known = self._store.state.items
        ids = [i for i in await ids_after(self._client, min(lines)) if i not in self._lines]
        same = [i for i in ids if i in known and known[i].batch_id in batches]
        unread = await light_items(self._client, [i for i in ids if i not in known])
        same += [item.item_id for item in unread if item.batch_id in batches]
        found = [item for item in await whole_items(self._client, same) if item.retried_from_item_id in lines]
        if found:
            self._reader.expect([item.item_id for item in found])
        for new in sorted(found, key=lambda item: item.item_id):
            self._reader.take(new.without_session())
            self.link(new.retried_from_item_id or 0, new.without_session())

    def _give_up(self, item_ids: Iterable[int]) -> None:
        for item_id in item_ids:
            line = self._ready.pop(item_id, None)
            if line is not None and line.due:
                self._end(line)

    async def _cancel(self, item_id: int) -> None:
        try:
            self._reader.take(await self._client.cancel_queue_item(item_id))
        except JobException as error:
            self._errors.record_exception(error)
