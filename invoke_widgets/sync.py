"""Keeps a store in step with a server: first picture, events, reads after whatever events do not tell, polling.

One task does all of it, so that reads never overtake each other:

- The first picture is bounded: ids, counters and the newest summaries. The rest is read behind it, newest first.
- Then events. What they do not say is read: a new batch's ids, a bulk action's effect, an item's field values.
- Every `HEARTBEAT_S` the counters are asked for. They tell what no event tells (pause, prune, a deleted item;
  up to 6.13 a canceled batch): where they differ from the picture, the picture is read again.
- Without a socket the same counters are polled faster, and ids and unfinished items are read as they change.
- When the server goes away it is tried again with a growing pause; on return everything unfinished is read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from invoke_widgets import breaker, merge
from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import AccessDenied, JobException, JobTimeout, ReplyLost, ServerFailure, ServerUnreachable
from invoke_widgets.event_records import (
    BatchEnqueued,
    Event,
    ItemsCanceled,
    ItemsRetried,
    ItemStatusChanged,
    QueueCleared,
)
from invoke_widgets.events import EventStream
from invoke_widgets.failure_reader import FailureReader
from invoke_widgets.reading import light_items, taken
from invoke_widgets.records import Counts, QueueAndProcessorStatus, QueueItem, User
from invoke_widgets.store import QueueStore
from invoke_widgets.wedge import WedgeWatch

HEARTBEAT_S = 2.0
_POLL_ACTIVE_S = 0.5
_FULL_POLL_S = 3.0
_SOCKET_RETRY_S = 10.0
_FIRST_PAGE = 100
_COALESCE_S = 0.3
_COUNTERS_S = 0.1
_PRIORITIES_KEPT = 1000
_BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_NEW_TOKEN = "Log in anew, and pass the new token: console.reconnect(token=...)."


class _Lost(Exception):
    """The socket broke."""


class Sync:
    """Keeps `store` in step with what `client` talks to.

    Args:
        client: used on the loop that `run` runs on.
        store: written by this object alone.
        verify: as for `InvokeClient`, for the socket.
        on_failed: called on the loop with each failed item whose error is known; more than once for one item.
        use_socket: False to poll from the start.
    """

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        *,
        verify: Any = True,
        on_failed: Callable[[QueueItem], None] = lambda item: None,
        use_socket: bool = True,
    ) -> None:
        self._client = client
        self._store = store
        self._use_socket = use_socket
        self._stream = EventStream(
            client.url,
            client.queue_id,
            on_event=self._event,
            on_lost=self._socket_lost,
            token=lambda: client.transport.token,
            verify=verify,
        )
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._lost = False
        self._limit: asyncio.Timeout | None = None
        self._ids_dirty = False
        self._next_ids_at = 0.0
        self._stale: set[int] = set()
        self._later: set[int] = set()
        self._later_at = 0.0
        self._unreadable: set[int] = set()
        self._priorities: OrderedDict[str, int] = OrderedDict()
        self._reads: list[set[int]] = []
        self._news = 0
        self._beat_at = 0.0
        self._beaten_at = 0.0
        self._full_poll_at = 0.0
        self._socket_at = 0.0
        self._accepted: tuple[Counts, Counts] | None = None
        self._unchecked = False
        self._failures = FailureReader(
            client, store, reading=self._reading, on_failed=on_failed, on_wanted=self._unsettle
        )
        self._wedges = WedgeWatch(client, store)
        self._away: JobException | None = None
        self._now = asyncio.Event()
        self._tried = asyncio.Event()
        client.transport.breaker.on_open = self._suspect

    # -- for others, on the loop ---------------------------------------------------------------------------------

    async def first_picture(self) -> None:
        """Connect and read the first picture.

        Raises:
            JobException: why not.
        """
        await self._connect()

    async def run(self) -> None:
        """Keep the store in step until canceled. `first_picture` comes first."""
        failures = 0
        try:
            while True:
                try:
                    with breaker.probing():
                        if self._store.state.connection.mode == "reconnecting":
                            await self._connect()
                            failures = 0
                            self._tell_tried()
                        await self._maintain()
                except _Lost:
                    self._reconnecting(ReplyLost("the connection broke"), 0.0)
                except JobException as error:
                    pause = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)] * random.uniform(0.8, 1.2)
                    pause = breaker.asked_for(error, pause)
                    failures += 1
                    # While this one is about it, nobody else needs to find out by a time limit of their own.
                    if breaker.is_away(error) or isinstance(error, JobTimeout | ReplyLost):
                        self._client.transport.breaker.open(error, pause)
                    self._reconnecting(error, pause)
                    self._tell_tried()
                    await self._rest(pause)
        finally:
            self._failures.give_up()
            await self._stream.close()
            self._store.set_connection(mode="closed", next_try_at=None)

    async def try_now(self, *, anew: bool = False) -> None:
        """Try to reach the server at once, instead of when it is due, and wait until that has been tried.

        Args:
            anew: connect again even where the server is not away: the token is another one now.

        Raises:
            AccessDenied: it is there, and refuses the token.
            ServerUnreachable: it is still away.
        """
        self._suspect()
        if anew and self._store.state.connection.mode in ("live", "polling"):
            self._reconnecting(ReplyLost("the token was replaced"), 0.0)
            self._socket_lost()
        if self._store.state.connection.mode != "reconnecting":
            return
        tried = self._tried
        self._now.set()
        await tried.wait()
        connection = self._store.state.connection
        if connection.mode == "reconnecting":
            if isinstance(self._away, AccessDenied):
                raise AccessDenied(
                    f"Tried just now, and refused: {connection.error}",
                    suggestion=connection.remedy,
                    details=self._away.details,
                )
            raise ServerUnreachable(
                f"Tried just now, and still away: {connection.error or self._client.url}", retryable=True
            )

    def _suspect(self) -> None:
        """Look soon whether the server is still there."""
        self._beat_at = 0.0
        self._wake.set()

    def _tell_tried(self) -> None:
        tried, self._tried = self._tried, asyncio.Event()
        tried.set()

    async def _rest(self, pause: float) -> None:
        self._now.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._now.wait()

    def read_again(self, item_ids: Iterable[int] = (), *, ids: bool = True, unfinished: bool = False) -> None:
        """Have the list of ids, these items, or all unfinished items read again, soon."""
        self._ids_dirty = self._ids_dirty or ids
        self._stale.update(item_ids)
        # The counters belong to what is read; but not more often than is worth it.
        self._beat_at = min(self._beat_at, max(time.monotonic(), self._beaten_at + _COUNTERS_S))
        if unfinished:
            self._stale.update(self._unfinished())
        self._unsettle()

    def take(self, item: QueueItem) -> None:
        """Take an item from an action's answer."""
        self._touch((item.item_id,))
        self._apply(lambda state: merge.with_news(state, item))

    def expect(self, item_ids: Collection[int]) -> None:
        """Take ids from an enqueue's answer: they exist, and are to be read."""
        self._touch(item_ids)
        known = self._store.state
        listed = {*known.items, *known.unread, *item_ids}
        self._apply(lambda state: merge.with_ids(state, listed))
        self.read_again(ids=False)

    async def settled(self) -> None:
        """Wait until all that is known to need reading was read, and the counters agree with it."""
        self._unchecked = True
        self._beat_at = 0.0
        self._unsettle()
        await self._settled.wait()

    async def filled(self) -> None:
        """Wait until every item that the server listed has been read, or cannot be."""

        def is_reading() -> bool:
            state = self._store.state
            return bool(state.unread - self._unreadable) and state.connection.mode != "reconnecting"

        while is_reading():  # noqa: ASYNC110 - it ends within milliseconds, and the picture tells each step
            await asyncio.sleep(0.01)

    # -- connecting ----------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        self._client.forget()
        version = await self._client.app_version()
        user = await self._check_access()
        if self._store.state.items and user != self._store.state.connection.user:
            self._reset()  # who asks now may see other parts of each item
        self._lost = False
        live = self._use_socket and await self._open_socket()
        await self._check_same_queue()
        self._ids_dirty = True
        self._next_ids_at = 0.0
        self._stale.update(self._unfinished())
        self._accepted = None
        status = await self._client.get_queue_status()
        await self._read_ids()
        await self._read_chunk(_FIRST_PAGE)
        self._take_status(status)
        self._store.set_connection(
            mode="live" if live else "polling",
            error="",
            remedy="",
            is_ill=False,
            is_refused=False,
            next_try_at=None,
            heard_at=time.monotonic(),
            version=version,
            user=user,
        )
        self._beat_at = time.monotonic() + HEARTBEAT_S

    async def _check_access(self) -> User | None:
        """Who asks, on a server in multiuser mode."""
        has_token = self._client.transport.token is not None
        if has_token:
            await self._client.get_queue_status()  # a socket would not say why it is refused
        if not (await self._client.get_setup_status()).multiuser_enabled:
            return None
        if not has_token:
            raise AccessDenied(
                f"{self._client.url} is in multiuser mode and wants a token.",
                suggestion="Pass token=..., or set INVOKEAI_TOKEN.",
            )
        return await self._client.get_current_user_info()

    async def _open_socket(self) -> bool:
        self._socket_at = time.monotonic() + _SOCKET_RETRY_S
        try:
            await self._stream.connect()
        except ServerUnreachable as error:
            self._store.set_connection(error=error.message)
            return False
        return True

    async def _check_same_queue(self) -> None:
        """After a reconnect the address may lead to another server's queue, whose ids mean other jobs."""
        known = self._store.state.items
        sample = sorted(known, reverse=True)[:_FIRST_PAGE]
        if not sample:
            return
        with self._reading():
            for item in await light_items(self._client, sample):
                if item.batch_id != known[item.item_id].batch_id:
                    self._reset()
                    return

    def _reset(self) -> None:
        connection = self._store.state.connection
        gone = frozenset(self._store.state.items)
        self._apply(lambda state: (merge.QueueState(connection=connection), gone))
        self._failures.start_anew()
        for pending in (self._stale, self._later, self._unreadable):
            pending.clear()

    def _reconnecting(self, error: JobException, pause: float) -> None:
        self._away = error
        is_refused = isinstance(error, AccessDenied)
        self._store.set_connection(
            mode="reconnecting",
            error=error.message,
            remedy=_NEW_TOKEN if is_refused and error.status in (None, 401) else error.suggestion,
            is_ill=breaker.is_ill(error),
            is_refused=is_refused,
            next_try_at=time.monotonic() + pause,
        )

    def _socket_lost(self) -> None:
        self._lost = True
        self._wake.set()
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    # -- events --------------------------------------------------------------------------------------------------

    def _event(self, event: Event) -> None:
        self._news += 1
        self._store.set_connection(heard_at=time.monotonic())
        if isinstance(event, ItemStatusChanged):
            self._touch((event.item.item_id,))
        changed = self._apply(lambda state: merge.with_event(state, event))
        if isinstance(event, ItemStatusChanged):
            if changed:
                self._follow_up(event.item.item_id)
            elif event.item.item_id not in self._store.state.items:
                self.read_again(ids=True)
        elif isinstance(event, BatchEnqueued | ItemsRetried | QueueCleared):
            if isinstance(event, BatchEnqueued):
                self._wedges.saw_batch(event.batch_id)
                self._remember_priority(event)
            self.read_again(unfinished=isinstance(event, QueueCleared))
        elif isinstance(event, ItemsCanceled):
            self.read_again(event.item_ids)
        self._store.tell_event(event)

    def _follow_up(self, item_id: int) -> None:
        """Have read what an event of this item did not tell: field values, device."""
        item = self._store.state.items.get(item_id)
        if item is None:
            return
        if item.field_values is None or (item.device is None and item.started_at is not None):
            if not self._later:
                self._later_at = time.monotonic() + _COALESCE_S
            self._later.add(item_id)
            self._unsettle()

    def _unsettle(self) -> None:
        """There is something to read."""
        self._settled.clear()
        self._wake.set()

    def _apply(self, step: Callable[[merge.QueueState], merge.Step]) -> merge.Ids:
        before = self._store.state.items
        changed = self._store.apply(step)
        items = self._store.state.items
        for item_id in changed:
            item = items.get(item_id)
            if item is not None and item.is_terminal:
                self._failures.ended(item, before.get(item_id))
        return changed

    def _touch(self, item_ids: Iterable[int]) -> None:
        for touched in self._reads:
            touched.update(item_ids)

    @contextmanager
    def _reading(self) -> Iterator[set[int]]:
        """Collects the ids of which something newer came while a read was under way."""
        touched: set[int] = set()
        self._reads.append(touched)
        try:
            yield touched
        finally:
            self._reads.remove(touched)

    # -- keeping in step -----------------------------------------------------------------------------------------

    async def _maintain(self) -> None:
        while True:
            if self._lost:
                raise _Lost
            self._wake.clear()
            await self._round()
            if not self._is_dirty():
                self._settled.set()
            if not self._wake.is_set() and not self._has_work_now():
                await self._pause()

    async def _round(self) -> None:
        """Read what is due. A lost socket cuts it short: an answer may be waited for in vain until it times out."""
        try:
            async with asyncio.timeout(None) as self._limit:
                await self._work()
                if time.monotonic() >= self._beat_at:
                    await self._heartbeat()
        except TimeoutError:
            raise _Lost from None
        finally:
            self._limit = None

    async def _pause(self) -> None:
        due = [self._beat_at]
        if self._ids_dirty:
            due.append(self._next_ids_at)
        if self._later:
            due.append(self._later_at)
        delay = max(min(due) - time.monotonic(), 0.001)
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _is_dirty(self) -> bool:
        return bool(
            self._ids_dirty
            or self._stale
            or self._later
            or self._failures.is_waiting
            or (self._store.state.unread - self._unreadable)
            or self._unchecked
        )

    def _has_work_now(self) -> bool:
        now = time.monotonic()
        return bool(
            (self._ids_dirty and now >= self._next_ids_at)
            or self._stale
            or (self._later and now >= self._later_at)
            or self._failures.is_waiting
            or (self._store.state.unread - self._unreadable)
        )

    async def _work(self) -> None:
        """One round: at most one list of ids, one chunk of items, one chunk of failed items' errors."""
        if self._ids_dirty and time.monotonic() >= self._next_ids_at:
            await self._read_ids()
        if self._later and time.monotonic() >= self._later_at:
            self._stale |= self._later
            self._later.clear()
        await self._read_chunk()
        if self._failures.is_waiting:
            await self._failures.read()

    async def _read_ids(self) -> None:
        self._ids_dirty = False
        self._unreadable.clear()
        started = time.monotonic()
        if not await self._client.has("item_ids"):
            await self._read_everything()
        else:
            with self._reading() as touched:
                listed = (await self._client.get_queue_item_ids()).item_ids
                self._apply(lambda state: merge.with_ids(state, listed, fresher=touched))
        self._next_ids_at = time.monotonic() + 2 * (time.monotonic() - started)

    async def _read_everything(self) -> None:
        """Versions before 6.7 have no list of ids. There, one item that cannot be loaded hides all the others."""
        with taken(self._stale, list(self._stale)), self._reading() as touched:
            try:
                items = [item.without_session() for item in await self._client.list_all_queue_items()]
            except ServerFailure as error:
                if not error.details.get("poison"):
                    raise
                self._unreadable.update(self._store.state.unread)
                return
            listed = [item.item_id for item in items]
            self._apply(lambda state: merge.with_ids(state, listed, fresher=touched))
            self._apply(lambda state: merge.with_items(state, items, fresher=touched))

    async def _read_chunk(self, size: int = 1000) -> None:
        state = self._store.state
        self._stale &= state.items.keys() | state.unread
        waiting = self._stale or (state.unread - self._unreadable)
        if not waiting:
            return
        if not await self._client.has("items_by_ids"):
            await self._read_everything()
            return
        summaries = await self._client.has("item_summaries_by_ids")
        chunk = sorted(waiting, reverse=True)[: size if summaries else min(size, 100)]
        with taken(self._stale, chunk), self._reading() as touched:
            items = [self._with_priority(item) for item in await light_items(self._client, chunk)]
            # Whole items that the server cannot load are left out, so what is missing need not be gone.
            asked = chunk if summaries else None
            self._apply(lambda state: merge.with_items(state, items, asked=asked, fresher=touched))
        if not summaries:
            self._unreadable.update(set(chunk) - {item.item_id for item in items})

    def _remember_priority(self, event: BatchEnqueued) -> None:
        if event.priority:
            self._priorities[event.batch_id] = event.priority
            while len(self._priorities) > _PRIORITIES_KEPT:
                self._priorities.popitem(last=False)

    def _with_priority(self, item: QueueItem) -> QueueItem:
        """Summaries do not tell it; the event of a batch that was put first does."""
        priority = self._priorities.get(item.batch_id)
        return item if priority is None or item.priority is not None else replace(item, priority=priority)

    # -- counters ------------------------------------------------------------------------------------------------

    async def _heartbeat(self) -> None:
        polling = not self._stream.is_connected
        if polling and self._use_socket and time.monotonic() >= self._socket_at and await self._open_socket():
            self._store.set_connection(mode="live", error="")
            self.read_again(unfinished=True)
            polling = False
        news, before = self._news, self._store.state
        started = time.monotonic()
        status = await self._client.get_queue_status()
        took = time.monotonic() - started
        self._store.set_connection(heard_at=time.monotonic())
        if news == self._news:
            changed = before.status != status.queue
            self._take_status(status)
            if polling:
                self._poll(status, changed)
            self._compare(status)
            await self._wedges.look(status)
        else:
            self._store.set(processor=status.processor)
            self._wedges.saw_life()
        period = 0.02 if self._unchecked else HEARTBEAT_S
        if polling and status.queue.unfinished and not self._unchecked:
            period = max(_POLL_ACTIVE_S, 4 * took)
        self._beaten_at = time.monotonic()
        self._beat_at = self._beaten_at + period

    def _take_status(self, status: QueueAndProcessorStatus) -> None:
        self._store.set(status=status.queue, processor=status.processor)

    def _poll(self, status: QueueAndProcessorStatus, changed: bool) -> None:
        now = time.monotonic()
        if changed or (status.queue.unfinished and now >= self._full_poll_at):
            self._full_poll_at = now + _FULL_POLL_S
            self.read_again(unfinished=True)

    def _compare(self, status: QueueAndProcessorStatus) -> None:
        """Read everything unfinished again where the server counts otherwise than the picture does."""
        if self._ids_dirty or self._stale or self._store.state.unread:
            return
        ours = Counts.of(item.status for item in self._store.state.items.values())
        theirs = Counts(**status.queue.counters())
        if ours == theirs or self._accepted == (ours, theirs):
            self._unchecked = False
        else:
            # A difference that a full read does not mend (another user's items, say) is not read for again and again.
            self._accepted = (ours, theirs)
            self.read_again(unfinished=True)

    def _unfinished(self) -> list[int]:
        return [item_id for item_id, item in self._store.state.items.items() if not item.is_terminal]
