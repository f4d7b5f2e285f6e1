"""Making the next attempts at jobs: what is ready goes together, is looked for before and after, and is made once."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from invoke_widgets.client import InvokeClient, breaker
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
from invoke_widgets.jobs.acting import Reader
from invoke_widgets.jobs.claims import claims
from invoke_widgets.jobs.retry import RetryPolicy
from invoke_widgets.records import CANCELED, FAILED, PENDING, QueueItem
from invoke_widgets.sync import QueueStore, ids_after, light_items, whole_items

logger = logging.getLogger(__name__)

# How often, and with which pauses, a retry whose reply was lost is looked for before it is taken as not having arrived.
_LOOKS_S = (0.0, 0.2, 0.5, 1.0, 1.5)
_LATER_S = 1.0
_GATHER_S = 0.05
_AT_ONCE = 100

# Between the times that a retry is sent which the server refuses; after the last one it is given up. Each time fewer go
# together, so that one that it cannot take keeps none of the others from being taken.
_REFUSED_S = (1.0, 2.0, 4.0, 8.0)
_FEWER = 4

_PASSING = (ServerUnreachable, ReplyLost, JobTimeout, ServerFailure, UnexpectedReply)


@dataclass(eq=False)
class Kept:
    """A batch with a policy. `ids`: of its first attempts, ascending; None while the submit is under way."""

    batch_id: str
    policy: RetryPolicy
    deadline: float | None
    ids: tuple[int, ...] | None = None
    unplaced: dict[int, QueueItem] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    stopped: bool = False


@dataclass(eq=False)
class Line:
    """The attempts at one job, ascending. `due`: another one will come. `over`: none will come by itself.

    `paused`: not yet. `heard`: how often to look for a retry that an event told of. `refused`: how often the server
    did not take the next one. `withdrawn`: attempts that were one too many.
    """

    kept: Kept
    attempts: list[int]
    due: bool = False
    paused: bool = False
    heard: int = 0
    refused: int = 0
    withdrawn: set[int] = field(default_factory=set)
    over: bool = False
    stopped: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class Resending:
    """Enqueues the next attempts of lines that are ready. On the loop's thread.

    Args: as for `Acting`.
    """

    def __init__(self, client: InvokeClient, store: QueueStore, reader: Reader, errors: ErrorLog) -> None:
        self._client = client
        self._store = store
        self._reader = reader
        self._errors = errors
        self._lines: dict[int, Line] = {}
        self._ready: dict[int, Line] = {}
        self._worker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def link(self, old_id: int, new: QueueItem) -> None:
        """Take a new item that a retry, whosever, made of an old one."""
        raise NotImplementedError

    def _put_off(self, line: Line, pause: float) -> None:
        raise NotImplementedError

    def _end(self, line: Line) -> None:
        raise NotImplementedError

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # A context of its own: what the picture's keeper may do while the server is away is not for these.
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _is_due(self, line: Line, item_id: int) -> None:
        """The pause after this attempt is over."""
        if line.attempts[-1] == item_id:
            line.paused = False
            self._is_ready(line, item_id)

    def _is_ready(self, line: Line, item_id: int) -> None:
        """What is ready at about the same time goes together: each request may have to wait."""
        if line.due and line.attempts[-1] == item_id:
            self._ready[item_id] = line
            if self._worker is None or self._worker.done():
                self._worker = self._start(self._work())

    async def _work(self) -> None:
        pause = _GATHER_S
        while self._ready:
            await asyncio.sleep(pause)
            pause = _LATER_S
            refused: dict[int, JobException] = {}
            with claims.held(self._store.state, list(self._ready)) as mine:
                try:
                    await self._rerun(mine, refused)
                except ServerUnreachable:
                    pass  # it is waited for
                except _PASSING as error:
                    refused = dict.fromkeys(mine, error) | refused
                except JobException as error:
                    self._errors.record_exception(error)
                    self._give_up(list(self._ready))
                except Exception:  # a fault of ours: nobody is to wait for what does not come
                    logger.exception("running jobs again failed")
                    self._give_up(list(self._ready))
            if self._store.state.connection.mode != "reconnecting":
                for item_id, why in refused.items():
                    self._refused(item_id, why)

    def _refused(self, item_id: int, error: JobException) -> None:
        """The server is there and did not take a retry: try it later, but not for ever."""
        line = self._ready.get(item_id)
        if line is None:
            return
        if not line.refused:
            self._errors.record_exception(error)
        if line.refused == len(_REFUSED_S):
            claims.take_back(self._store.state, [item_id])
            self._give_up([item_id])
        else:
            pause = _REFUSED_S[line.refused] * random.uniform(0.8, 1.2)
            line.refused += 1
            self._put_off(line, breaker.asked_for(error, pause))

    async def _rerun(self, item_ids: list[int], refused: dict[int, JobException]) -> None:
        """Link the next attempts of these that are there already, and enqueue the others. What is not taken stays.

        Args:
            item_ids: what is ready.
            refused: takes what the server refused, and why.

        Raises:
            JobException: the server could not be reached, or is ill.
        """
        await self._link_newer(item_ids)
        # Not as the picture has them: the address may lead to another server's queue since it was read.
        ready = [item_id for item_id in item_ids if item_id in self._ready]
        items = {item.item_id: item for item in await light_items(self._client, ready)} if ready else {}
        now = time.monotonic()
        send: dict[int, list[int]] = {}
        for item_id in ready:
            line = self._ready.get(item_id)
            if line is None:
                continue
            item = items.get(item_id)
            is_there = item is not None and item.status == FAILED and item.batch_id == line.kept.batch_id
            late = line.kept.deadline is not None and now > line.kept.deadline
            if not is_there or not line.due or late:
                self._give_up([item_id])
            elif line.heard:
                line.heard -= 1
            elif line.paused:
                self._ready.pop(item_id)  # it was only to be looked for, and comes again when it is due
            else:
                send.setdefault(line.refused, []).append(item_id)
        for times, alike in send.items():
            size = max(_AT_ONCE // _FEWER**times, 1)
            for start in range(0, len(alike), size):
                await self._send(alike[start : start + size], refused)

    async def _send(self, wanted: list[int], refused: dict[int, JobException]) -> None:
        await self._link_newer(wanted)  # somebody may have retried them since
        lines = {i: line for i in wanted if (line := self._ready.get(i)) is not None and line.due and not line.heard}
        if not lines:
            return
        item_ids, tried = list(lines), {item_id: len(line.attempts) for item_id, line in lines.items()}
        claims.note(self._store.state, item_ids)
        error: JobException | None = None
        looks: tuple[float, ...] = _LOOKS_S
        try:
            taken = await self._client.retry_items_by_id(item_ids)
        except NotFound:  # up to 6.13 one that is missing keeps all of them from being taken
            if len(item_ids) == 1:
                self._give_up(item_ids)
            else:
                for item_id in item_ids:
                    await self._send([item_id], refused)
            return
        except (ReplyLost, JobTimeout, ServerFailure, UnexpectedReply) as lost:
            taken, error = tuple(item_ids), lost  # perhaps
            if isinstance(lost, ServerFailure) and not breaker.is_away(lost):
                looks = _LOOKS_S[:1]  # the server itself says that it is done with it
        else:
            claims.take_back(self._store.state, set(item_ids) - set(taken))
        # Later requests may overtake it (6.14 works in threads), but it is small, and inserts all in one transaction:
        # what is not there after several looks within three seconds is very probably not on its way.
        for pause in looks if taken else ():
            await asyncio.sleep(pause)
            await self._link_newer(taken)
            if self._ready.keys().isdisjoint(taken):
                break
        for item_id, line in lines.items():
            self._withdraw_surplus(line, tried[item_id])
        if error is not None:
            refused.update((item_id, error) for item_id in item_ids if item_id in self._ready)

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

    def _withdraw_surplus(self, line: Line, tried: int) -> None:
        """Where somebody else retried at the same moment, and that makes one too many, take one back that waits."""
        new = line.attempts[tried:]
        items = self._store.state.items
        waiting = [item_id for item_id in new if item_id in items and items[item_id].status == PENDING]
        if len(new) > 1 and len(line.attempts) > line.kept.policy.attempts and waiting:
            surplus = waiting[-1]
            line.withdrawn.add(surplus)
            line.attempts = [item_id for item_id in line.attempts if item_id != surplus]
            self._start(self._withdraw(line, surplus))

    async def _withdraw(self, line: Line, item_id: int) -> None:
        await self._cancel(item_id)
        item = self._store.state.items.get(item_id)
        if item is not None and item.status != CANCELED:
            line.withdrawn.discard(item_id)  # it ran already: so it counts
            self.link(line.attempts[0], item)

    async def _cancel(self, item_id: int) -> None:
        try:
            self._reader.take(await self._client.cancel_queue_item(item_id))
        except JobException as error:
            self._errors.record_exception(error)
