"""Keeps a store in step with a server: first snapshot, events, reads of what events leave out, polling.

One task does all of it, so that reads never overtake each other:

- The first snapshot is bounded: ids, counters and the newest summaries. The rest is read afterwards, newest first.
- Then events keep it up to date. What they leave out is read: a new batch's ids, a bulk action's effect, an item's
  field values.
- Every `HEARTBEAT_S` the counters are read. They show changes that no event reports (pause, prune, a deleted item; up
  to 6.13 a canceled batch): if they differ from the snapshot, unfinished items are read again (`drift.py`).
- Without a socket the counters are polled faster, and ids and unfinished items are read as they change. Meanwhile
  `EventStream` keeps trying to open the socket.
- When the server goes away, reconnecting is attempted with growing pauses; on success everything unfinished is read
  again. An unexpected error is handled the same way, but logged and shown as an internal error.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from invoke_widgets._loop import Backoff, closed_error, limited
from invoke_widgets.client import EventStream, InvokeClient, asked_for, is_away, is_ill
from invoke_widgets.errors import AccessDenied, JobException, JobTimeout, ReplyLost, ServerUnreachable, UnknownError
from invoke_widgets.events import BatchEnqueued, Event, ItemsCanceled, ItemsRetried, ItemStatusChanged, QueueCleared
from invoke_widgets.records import PENDING, Connection, Counts, QueueAndProcessorStatus, QueueItem, User
from invoke_widgets.sync.drift import Agreement, Verdict
from invoke_widgets.sync.reads import FailureReader, Reads, light_items
from invoke_widgets.sync.state import Ids, QueueState, Step, with_event, with_new_ids, with_news
from invoke_widgets.sync.store import QueueStore
from invoke_widgets.sync.wedge import WedgeWatch

logger = logging.getLogger(__name__)

HEARTBEAT_S = 2.0
_POLL_ACTIVE_S = 0.5
_FULL_POLL_S = 3.0
_AWAITED_S = 0.02
_UNSURE_S = 0.25
_SOCKET_WAIT_S = 2.0
_COUNTERS_S = 0.1
_LOOK_AGAIN_S = 0.05
_BATCHES_KEPT = 1000
_LIVED_S = 5.0
"""Seconds that a connection must have lasted for its failure to start again with the shortest pause."""
_REPORT_IT = "Please report it; the Python log has the traceback."
_NEW_TOKEN = "Log in again, and pass the new token: console.reconnect(token=...)."


class Sync:
    """Keeps a store in step with a server.

    Args:
        on_failed: called on the loop with each failed item whose error is known; more than once for one item.
        use_socket: whether to open a socket for events; False polls instead.
    """

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        *,
        on_failed: Callable[[QueueItem], None] = lambda item: None,
        use_socket: bool = True,
    ) -> None:
        self._failfast_client = client
        # This object paces itself, and its requests find out whether the server is back.
        self._client = client.probing()
        self._store = store
        self._use_socket = use_socket
        self._socket = EventStream(
            client.transport,
            client.queue_id,
            on_event=self._event,
            on_open=self._socket_opened,
            on_failed=self._socket_failed,
            on_lost=self._socket_broke,
        )
        self._wake = asyncio.Event()
        self._cut = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._connected_at = 0.0
        self._beat_at = 0.0
        self._beaten_at = 0.0
        self._full_poll_at = 0.0
        self._failures = FailureReader(client, store, on_failed=on_failed, on_wanted=self._wake.set)
        self._batches: dict[str, int] = {}
        """The last batches: their priorities, by id. Only their events have these, and up to 6.13 their ids at all."""
        self._reads = Reads(
            client, store, self._batches, apply=self._apply, failures=self._failures, on_wanted=self._wake.set
        )
        self._agreement = Agreement()
        self._wedges = WedgeWatch(client, store, self._batches)
        self._away: JobException | None = None
        self._no_socket: ServerUnreachable | None = None
        self._tried: asyncio.Event | None = None  # while somebody waits for the next attempt
        self._backoff = Backoff(0.25, 8.0)

    # -- for others, on the loop ---------------------------------------------------------------------------------

    async def first_snapshot(self) -> None:
        """Connect and read the first snapshot."""
        try:
            await self._connect()
        except BaseException:
            await self._socket.close()
            raise

    async def run(self) -> None:
        """Keep the store in step until canceled. Call `first_snapshot` first."""
        self._backoff.reset()
        try:
            while True:
                self._cut.clear()
                self._wake.clear()
                try:
                    has_reached = await self._turn()
                except Exception as error:
                    if self._cut.is_set():
                        self._beat_at = 0.0  # the heartbeat may be what was cut short
                        continue
                    if not isinstance(error, JobException):
                        logger.exception("internal error while reading the queue; it is tried again")
                    await self._try_later(error)
                else:
                    if has_reached and not self._cut.is_set():
                        self._notify_tried()
                    if not self._wake.is_set():
                        await self._pause()
        finally:
            self._failures.give_up()
            self._agreement.give_up()
            self._store.set_connection(mode="closed", next_try_at=None)
            self._notify_tried()
            await self._socket.close()

    async def _turn(self) -> bool:
        """Connect, or read what is due. Returns whether it is known that the server answers."""
        try:
            async with asyncio.timeout(None) as self._limit:
                if self._is_connected:
                    return await self._round()
                await self._connect()
                return True
        finally:
            self._limit = None

    @property
    def _is_connected(self) -> bool:
        return self._store.state.connection.is_up

    async def _try_later(self, caught: Exception) -> None:
        is_internal = not isinstance(caught, JobException)
        error = (
            caught
            if isinstance(caught, JobException)
            else UnknownError(f"Internal error: {type(caught).__name__}: {caught}", suggestion=_REPORT_IT)
        )
        pause = asked_for(error, self._backoff.next())
        # Let other requests fail at once, instead of each by its own timeout.
        if is_away(error) or isinstance(error, JobTimeout | ReplyLost):
            self._client.transport.breaker.open(error, pause)
        self._reconnecting(error, pause, is_internal=is_internal)
        self._notify_tried()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._cut.wait()

    async def try_now(self, *, anew: bool = False) -> None:
        """Check at once whether the server answers, or make the next attempt to reach it or to open the socket.

        What is under way is given up: it began before, perhaps with another token, and may never be answered.

        Args:
            anew: whether to connect again even if the server is not away, since the token was replaced.

        Raises:
            AccessDenied: the server is there, but refuses the token.
            ServerUnreachable: the server is still away.
            InvalidRequest: the console was closed meanwhile.
        """
        self._suspect()
        self._socket.hurry()
        if anew and self._is_connected:
            self._reconnecting(ReplyLost("the token was replaced"), 0.0)
        tried = self._tried = self._tried or asyncio.Event()
        self._cut_short()
        await tried.wait()
        if self._use_socket and self._store.state.connection.mode == "polling":
            await self._socket.tried()
        connection = self._store.state.connection
        if connection.mode == "closed":
            raise closed_error()
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
        """Check soon whether the server is still there."""
        self._beat_at = 0.0
        self._wake.set()

    def _notify_tried(self) -> None:
        tried, self._tried = self._tried, None
        if tried is not None:
            tried.set()

    def refresh(self, item_ids: Iterable[int] = (), *, ids: bool = True, unfinished: bool = False) -> None:
        """Arrange for the list of ids, these items, or all unfinished items to be read again soon."""
        # The counters are read along with them, but at most once per `_COUNTERS_S`.
        self._beat_at = min(self._beat_at, max(time.monotonic(), self._beaten_at + _COUNTERS_S))
        self._reads.want(item_ids, ids=ids, unfinished=unfinished)

    def apply(self, item: QueueItem) -> None:
        """Merge an item from an action's answer."""
        self._apply(lambda state: with_news(state, item))

    def expect(self, item_ids: Collection[int]) -> None:
        """Merge ids from an enqueue's answer: they exist, and are to be read."""
        self._apply(lambda state: with_new_ids(state, item_ids))
        self.refresh(ids=False)

    async def read_now(self, item_ids: Iterable[int]) -> None:
        """Read these items at once, before anything else that is to be read."""
        for item in await light_items(self._failfast_client, item_ids):
            self.apply(item)

    async def settled(self) -> None:
        """Wait until everything known to need reading has been read, and the server's counters agree.

        In a busy queue the wait ends after a few changes, see `Agreement.wait`.
        """
        self._reads.hurry()
        self._suspect()
        await self._agreement.wait()

    async def filled(self, timeout: float, *, failures: bool = False) -> bool:
        """Wait until every item that the server listed has been read, or cannot be; at most `timeout` seconds.

        With `failures`, also until it is known why the failed ones failed, and which of them are retries. Returns
        whether that is so, or the server is away.
        """
        until = time.monotonic() + timeout
        if failures:
            self._failures.look_again()
        # What cannot be read changes nothing in the snapshot, so there is nothing to be woken by.
        while self._is_connected and (self._reads.is_reading_items or (failures and self._failures.is_behind)):
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(_LOOK_AGAIN_S)
        return True

    # -- connecting ----------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        self._client.forget()
        version = await self._client.app_version()
        await self._client.need_oldest()
        self._socket.sends_copies = await self._client.has("events_twice") and not await self._client.has("events_once")
        user = await self._check_access()
        if self._store.state.items and user != self._store.state.connection.user:
            self._reads.start_anew()  # this user may see other parts of each item
        self._store.set_connection(user=user)  # before items are read: it decides which of them are other users'
        self._no_socket = None
        opened_first = self._use_socket and await self._socket.open_anew(_SOCKET_WAIT_S)
        if await self._reads.holds_other_jobs():
            self._reads.start_anew()
        self._agreement.start_anew()
        await self._read_status()
        await self._reads.read_first()
        if self._cut.is_set() and self._store.state.connection.mode == "reconnecting":
            return  # given up at its very end
        live = self._socket.is_open
        if live and not opened_first:  # events may have been missed
            self.refresh(unfinished=True)
        connection = Connection(mode="live" if live else "polling", version=version, user=user)
        if self._no_socket is not None and not live:
            connection = replace(connection, error=self._no_socket.message, remedy=self._no_socket.suggestion)
        self._store.set(connection=connection)
        self._store.received_at = self._connected_at = time.monotonic()
        self._beat_at = time.monotonic() + HEARTBEAT_S

    async def _check_access(self) -> User | None:
        """Check that the server admits the user, and return them; None on a single-user server."""
        has_token = self._client.transport.token is not None
        if has_token:
            await self._client.get_queue_status()  # the socket would not say why the token is refused
        setup = await self._client.get_setup_status()
        if not setup.multiuser_enabled:
            return None
        if not has_token:
            raise AccessDenied(
                f"{self._client.url} is in multiuser mode and wants a token.",
                suggestion=setup.remedy(self._client.url) or "Pass token=..., or set INVOKEAI_TOKEN.",
            )
        return await self._client.get_current_user_info()

    def _reconnecting(self, error: JobException, pause: float, *, is_internal: bool = False) -> None:
        self._away = error
        is_refused = isinstance(error, AccessDenied)
        needs_token = is_refused and error.http_status in (None, 401) and self._client.transport.token is not None
        self._store.set_connection(
            mode="reconnecting",
            error=error.message,
            remedy=_NEW_TOKEN if needs_token else error.suggestion,
            is_ill=is_ill(error),
            is_internal=is_internal,
            is_refused=is_refused,
            next_try_at=time.monotonic() + pause,
        )

    def _socket_opened(self) -> None:
        if self._store.state.connection.mode == "polling":
            self._store.set_connection(mode="live", error="", remedy="")
            self.refresh(unfinished=True)

    def _socket_failed(self, error: ServerUnreachable) -> None:
        self._no_socket = error
        if self._store.state.connection.mode == "polling":
            self._store.set_connection(error=error.message, remedy=error.suggestion)

    def _socket_broke(self) -> None:
        if self._is_connected:
            self._reconnecting(ReplyLost("the connection broke"), 0.0)
        self._cut_short()

    def _cut_short(self) -> None:
        """Give up what is under way, since a request in flight might only end by its timeout."""
        self._cut.set()
        self._wake.set()
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    # -- events --------------------------------------------------------------------------------------------------

    def _event(self, event: Event) -> None:
        self._store.received_at = time.monotonic()
        changed = self._apply(lambda state: with_event(state, event))
        if isinstance(event, ItemStatusChanged):
            if changed:
                self._reads.want_rest(event.item.item_id)
            elif event.item.item_id not in self._store.state.items:
                self.refresh(ids=True)
        elif isinstance(event, BatchEnqueued | ItemsRetried | QueueCleared):
            if isinstance(event, BatchEnqueued):
                self._batches[event.batch_id] = event.priority
                if len(self._batches) > _BATCHES_KEPT:
                    del self._batches[next(iter(self._batches))]
            self.refresh(unfinished=isinstance(event, QueueCleared))
        elif isinstance(event, ItemsCanceled):
            self.refresh(event.item_ids)
        self._store.events.notify(event)

    def _apply(self, step: Callable[[QueueState], Step]) -> Ids:
        """Apply a step to the snapshot, and arrange to read what it lacks. Returns the ids that changed."""
        before = self._store.state.items
        changed = self._store.apply(step)
        items = self._store.state.items
        if items is before:
            return changed
        for item_id in changed:
            item = items.get(item_id)
            if item is not None:
                self._failures.changed(item, before.get(item_id))
        if self._agreement.is_open:
            self._agreement.moved(self._ours())
        return changed

    # -- keeping in step -----------------------------------------------------------------------------------------

    async def _round(self) -> bool:
        """Read what is due. Returns whether the counters were among it."""
        reading = asyncio.create_task(self._reads.read())
        try:
            # While an answer comes slowly the counters are read all the same, but prove nothing about the snapshot.
            while not (await asyncio.wait({reading}, timeout=HEARTBEAT_S))[0]:
                await self._read_in_time()
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return time.monotonic() >= self._beat_at and await self._heartbeat()

    async def _pause(self) -> None:
        due = self._reads.due_in()
        if due == 0.0:
            return
        beat = max(self._beat_at - time.monotonic(), 0.001)
        delay = beat if due is None else min(beat, due)
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            pass

    # -- counters ------------------------------------------------------------------------------------------------

    async def _heartbeat(self) -> bool:
        """Check the counters, unless it would prove nothing yet. Returns whether they were read."""
        if self._use_socket:
            self._socket.try_if_due()
        if self._agreement.is_awaited and not self._reads.is_read and self._tried is None:
            self._reads.hurry()
            self._beat_at = time.monotonic() + _AWAITED_S
            return False
        self._beat_at = math.inf  # what happens meanwhile may set an earlier time
        before, polling, was_read = self._store.state, not self._socket.is_open, self._reads.is_read
        if was_read:
            self._agreement.begin(self._ours())
        else:
            self._agreement.skip()
        started = time.monotonic()
        status = await self._read_in_time()
        took = time.monotonic() - started
        if time.monotonic() - self._connected_at >= _LIVED_S:
            self._backoff.reset()
        verdict = None
        if was_read:
            theirs = Counts(**status.queue.counters())
            verdict = self._agreement.judge(theirs, is_quiet=self._reads.is_empty)
        if verdict is Verdict.DIFFERENT or (polling and self._should_poll(status, before.status != status.queue)):
            self._reads.want(unfinished=True)
        if self._store.state.items is not before.items:
            self._wedges.saw_life()
        elif verdict is Verdict.AGREED:
            await self._wedges.look(status)
        self._beaten_at = time.monotonic()
        self._beat_at = min(self._beat_at, self._beaten_at + self._period(status, verdict, polling, took))
        return True

    async def _read_in_time(self) -> QueueAndProcessorStatus:
        """Read the counters and the worker's state, within the time that is given to a part of an answer."""
        limit_s = self._client.transport.timeout
        slow = JobTimeout(
            f"{self._client.url} did not answer GET .../status within {limit_s:g} s.",
            suggestion="The server, or a proxy before it, is very slow: raise timeout=... if it stays so.",
            retryable=True,
        )
        status = await limited(self._read_status(), limit_s, slow)
        self._store.received_at = time.monotonic()
        return status

    def _period(self, status: QueueAndProcessorStatus, verdict: Verdict | None, polling: bool, took: float) -> float:
        if self._agreement.is_awaited:
            return _AWAITED_S
        period = max(_POLL_ACTIVE_S, 4 * took) if polling and status.queue.unfinished else HEARTBEAT_S
        return min(period, _UNSURE_S) if verdict in (Verdict.UNSURE, Verdict.DIFFERENT) else period

    async def _read_status(self) -> QueueAndProcessorStatus:
        """Read the counters and the worker's state; what an event or an action reported meanwhile takes precedence."""
        before = self._store.state
        status = await self._client.get_queue_status()
        now = self._store.state
        self._store.set(
            status=status.queue if now.status is before.status else now.status,
            processor=status.processor if now.processor is before.processor else now.processor,
        )
        return status

    def _should_poll(self, status: QueueAndProcessorStatus, changed: bool) -> bool:
        now = time.monotonic()
        if changed or (status.queue.unfinished and now >= self._full_poll_at):
            self._full_poll_at = now + _FULL_POLL_S
            return True
        return False

    def _ours(self) -> Counts:
        """Return the snapshot's counts. Items that cannot be loaded are pending: the worker cannot take them either."""
        state = self._store.state
        tally = state.tallies.all
        return Counts.tallied({**tally, PENDING: tally.get(PENDING, 0) + len(self._reads.unreadable)})
