"""What a `Console` owns and knows: the thread, the client, the picture and the logs; it begins and ends them all."""

from __future__ import annotations

import asyncio
import atexit
import logging
import weakref
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from invoke_widgets._loop import Callbacks, LoopThread
from invoke_widgets.alerts.book import Alerts
from invoke_widgets.bridge import FromAnywhere
from invoke_widgets.client import InvokeClient, checked_token
from invoke_widgets.ending import Ending
from invoke_widgets.errors import JobException, JobTimeout, NotFound
from invoke_widgets.events import Event, NodeFailed
from invoke_widgets.history import CancellationLog, ErrorLog, EventLog, HistoryFile, JobLog
from invoke_widgets.jobs import Actions, Batch, Context, Job, Jobs, OnTimeout, Unsubscribe, Watch, checked_stall, follow
from invoke_widgets.notices import Notice
from invoke_widgets.records import (
    Connection,
    Counts,
    JobError,
    ProcessorStatus,
    QueueItem,
    Wedge,
)
from invoke_widgets.sync import Change, QueueStore, Sync

if TYPE_CHECKING:
    from invoke_widgets.demo_server.process import EmbeddedServer
    from invoke_widgets.history import Plots

T = TypeVar("T")

logger = logging.getLogger(__name__)

_FIRST_ANSWER_S = 5.0
_FIRST_PICTURE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleStatus(Counts):
    """The queue's counters, the worker's state, and how fresh both are."""

    processor: ProcessorStatus | None
    connection: Connection
    wedge: Wedge | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the worker is told to take no further item."""
        return self.processor is not None and not self.processor.is_started


class ConsoleBase:
    """A console without verbs and views: the thread, the client, the picture and the logs, from begin to end."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        queue_id: str = "default",
        timeout: float = 30.0,
        verify: Any = True,
        use_socket: bool = True,
        history: str | Path | HistoryFile | None = None,
    ) -> None:
        self._client = InvokeClient(url, token=token, queue_id=queue_id, timeout=timeout, verify=verify)
        self._history = HistoryFile(history) if isinstance(history, str | Path) else history
        loop = self._loop = LoopThread()
        store = self._store = QueueStore(loop.schedule)
        self._callbacks = Callbacks()
        self._closing: list[Callable[[], None]] = []
        owned = self._history is not history
        self._ending = Ending(loop, self._client, self._callbacks, self._history, owns_history=owned)
        self.client = InvokeClient.over(FromAnywhere(self._client.transport, loop, self), queue_id)
        try:
            self._open_logs(token)
            self._sync = loop.call(self._start(verify, use_socket))
        except BaseException:
            self._ending.now()
            raise
        self._context = Context(loop, self._client, store, self._actions, self._deliver, self)
        _open_consoles.add(self)
        self._forsaken = weakref.finalize(self, self._ending.soon)
        self._forsaken.atexit = False

    def _open_logs(self, token: str | None) -> None:
        loop, store, transport = self._loop, self._store, self._client.transport
        kept: dict[str, Any] = {
            "file": self._history,
            "source": f"{self._client.url} {self.queue_id}",
            "secrets": lambda: (token, transport.token),
        }

        self.errors = ErrorLog(**kept)
        self.cancellations = CancellationLog(**kept)
        self.jobs = JobLog(**kept)
        for item in self.jobs:
            self.errors.link(item)
        self.events = EventLog()
        self.alerts = Alerts(
            loop,
            store,
            server=self._client.url,
            queue_id=self.queue_id,
            error_of=self._error_of,
            **kept,
        )

    async def _start(self, verify: Any, use_socket: bool) -> Sync:
        try:
            async with asyncio.timeout(_FIRST_ANSWER_S):
                await self._client.app_version()
        except TimeoutError:
            raise JobTimeout(
                f"{self.url} took the connection, but did not answer within {_FIRST_ANSWER_S:g} s.",
                suggestion="Is the port right, and is the server busy starting?",
            ) from None
        # None of what is on the loop from now on refers to the console: nothing else keeps one alive that nobody uses.
        _record(self._store, self.jobs, self.errors, self.events)
        errors = self.errors

        def failed(item: QueueItem) -> None:
            errors.record_failure(item)
            actions.reruns.failed(item)

        sync = Sync(self._client, self._store, verify=verify, on_failed=failed, use_socket=use_socket)
        actions = self._actions = Actions(self._client, self._store, sync, errors, self.cancellations)
        self._ending.reruns = actions.reruns
        try:
            async with asyncio.timeout(_FIRST_PICTURE_S):
                await sync.first_picture()
        except TimeoutError:
            raise JobTimeout(f"{self.url} did not tell its queue within {_FIRST_PICTURE_S:g} s.") from None
        self._ending.task = asyncio.get_running_loop().create_task(sync.run())
        self._ending.task.add_done_callback(_log_end)
        return sync

    # -- what is ---------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The server's address, with its scheme and without a slash at the end."""
        return self._client.url

    @property
    def queue_id(self) -> str:
        """The queue's name; InvokeAI's own is "default"."""
        return self._client.queue_id

    @property
    def history(self) -> HistoryFile | None:
        """Where the logs are kept beyond this console's life, and `problem`, why not for now; None for memory alone."""
        return self._history

    @property
    def demo(self) -> EmbeddedServer | None:
        """The embedded server, if `iw.demo()` started one: it ends with the console."""
        return self._ending.demo

    @demo.setter
    def demo(self, server: EmbeddedServer | None) -> None:
        self._ending.demo = server

    @property
    def store(self) -> QueueStore:
        """The picture, for views."""
        return self._store

    @property
    def status(self) -> ConsoleStatus:
        """Counters, processor, connection; without a request."""
        state = self._store.state
        counts = state.status or Counts()
        return ConsoleStatus(
            **counts.counters(),
            processor=state.processor,
            connection=state.connection,
            wedge=state.wedge,
        )

    @property
    def plots(self) -> Plots:
        """Figures of the logs: `error_timeline()`, `cancellation_latency()`, `queue_depth()`, `job_gantt()`, ..."""
        from invoke_widgets.history import Plots

        return Plots(self.errors, self.cancellations, self.jobs)

    @property
    def queue(self) -> list[QueueItem]:
        """All items, newest first. Right after connecting to a long queue, this waits until it has been read."""
        if self._store.state.unread and not self._loop.is_current and self._loop.is_running:
            self._loop.call(self._sync.filled())
        items = self._store.state.items
        return [items[item_id] for item_id in sorted(items, reverse=True)]

    def job(self, item_id: int) -> Job:
        """A handle on an item.

        Raises:
            NotFound: there is no such item in this queue.
        """
        if item_id not in self._store.state.items:
            self._call(self._client.get_queue_item(item_id))
        return Job(self._context, item_id)

    def batch(self, batch_id: str) -> Batch:
        """A handle on a batch, from this console or another.

        Raises:
            NotFound: there is no such batch in this queue.
        """
        total = self._call(self._client.get_batch_status(batch_id)).total
        if not total:
            raise NotFound(f"There is no batch {batch_id!r} in queue {self.queue_id!r}.", batch_id=batch_id)
        if len(self._known_of(batch_id)) < total:
            self.refresh()
        if unread := [item.item_id for item in self._known_of(batch_id) if not item.was_read]:
            self._call(self._sync.read_now(unread))
        return Batch(self._context, batch_id, Batch(self._context, batch_id, ()).item_ids)

    def _known_of(self, batch_id: str) -> list[QueueItem]:
        return [item for item in self._store.state.items.values() if item.batch_id == batch_id]

    def item(self, item_id: int) -> QueueItem:
        """An item in full, with its session, as the server has it now.

        Raises:
            NotFound: there is no such item in this queue.
        """
        return self._call(self._client.get_queue_item(item_id))

    def on_change(self, listener: Callable[[Change], object], *, interval: float = 0.1) -> Unsubscribe:
        """Call `listener(change)` after changes, on a thread of its own; what it raises is logged.

        Args:
            listener: takes a `Change`: the new picture, and the ids that changed.
            interval: seconds within which changes after the first come together.

        Returns:
            A function that ends it.
        """
        self._loop.check()
        return self._store.subscribe(lambda change: self._deliver(lambda: listener(change)), interval=interval)

    def on_notice(self, listener: Callable[[Notice], object], *, stalled_s: float | None = None) -> Unsubscribe:
        """Call `listener(notice)` for what happens in the queue from now on, on a thread of its own.

        Args:
            listener: takes a `Notice`: `JobFinished`, `JobFailed`, `BatchDone`, `QueueWedged`, `ConnectionLost`, ...
                (`invoke_widgets.notices`); what it raises is logged.
            stalled_s: seconds without a sign of a job in progress after which it is told as `JobStalled`.

        Returns:
            A function that ends it.

        Raises:
            InvalidRequest: `stalled_s` does not fit.
        """
        checked_stall(stalled_s)
        return follow(
            self._loop,
            self._store,
            lambda notice: self._deliver(lambda: listener(notice)),
            error_of=self.errors.of,
            stalled_s=stalled_s,
        )

    def watch(
        self,
        jobs: Job | Jobs | Iterable[Job | Jobs],
        *,
        timeout: float | None = None,
        on_timeout: OnTimeout = "raise",
        stalled_s: float | None = None,
    ) -> Watch:
        """What happens to these jobs until the last has ended, for `for` and `async for`.

        Notices about the jobs, `BatchDone` of those batches that were passed as such, and what concerns the queue as a
        whole: `QueuePaused`, `QueueWedged`, `QueueFull`, `ConnectionLost`, ... (`invoke_widgets.notices`). A queue that
        is paused, wedged or out of reach already is told first. A job that has ended already is told as ended.

        Args:
            jobs: a job, a batch, a `Retry`, or any number of them.
            timeout: seconds for all of them.
            on_timeout: "raise" a `JobTimeout` and let them run; "cancel" those that have not ended, then raise;
                "detach": end, and let them run.
            stalled_s: seconds without a sign of a job in progress after which it is told as `JobStalled`.

        Raises:
            InvalidRequest: an argument does not fit.
            JobTimeout: while iterating, see `on_timeout`; `details["item_ids"]` are those that had not ended.
        """
        return Watch(self._context, self.errors, jobs, timeout=timeout, on_timeout=on_timeout, stalled_s=stalled_s)

    def refresh(self, timeout: float = 30.0) -> None:
        """Read again whatever may have changed, and wait until the picture agrees with the server.

        Raises:
            JobTimeout: it did not within `timeout` seconds.
        """

        async def work() -> None:
            self._sync.read_again(unfinished=True)
            try:
                async with asyncio.timeout(timeout):
                    await self._sync.settled()
            except TimeoutError:
                raise JobTimeout(f"The picture did not settle within {timeout:g} s.") from None

        self._call(work())

    def reconnect(self, timeout: float = 30.0, *, token: str | None = None) -> Connection:
        """Where the server is away, try now to reach it, instead of when it is due (`status.connection.next_try_at`).

        Where it is there and is polled for want of a socket, that is tried now.

        Args:
            timeout: seconds.
            token: a new one, used from now on, where the old one was refused. It may be another person's: the picture
                is read anew.

        Raises:
            InvalidRequest: no header can hold the token.
            AccessDenied: the server is there, and refuses the token.
            ServerUnreachable: it is still away.
            JobTimeout: it did not answer within `timeout` seconds; trying goes on.
        """
        if checked_token(token) is not None:
            self._client.transport.set_token(token)

        async def work() -> None:
            try:
                async with asyncio.timeout(timeout):
                    await self._actions.reconnect(anew=token is not None)
            except TimeoutError:
                raise JobTimeout(f"{self.url} did not answer within {timeout:g} s.") from None

        self._call(work())
        return self._store.state.connection

    # -- for views ---------------------------------------------------------------------------------------------------

    @property
    def actions(self) -> Actions:
        """The same as coroutines that run on the console's loop, for views."""
        return self._actions

    def start(self, work: Coroutine[Any, Any, T], done: Callable[[T | BaseException], None] | None = None) -> None:
        """Run a coroutine on the console's loop and return at once.

        Args:
            work: such as `console.actions.cancel(5)`.
            done: called on the loop's thread with the result or the exception.
        """
        future = self._loop.start(work)

        def finished(_: object) -> None:
            if done is not None and not future.cancelled():
                done(future.exception() or future.result())

        future.add_done_callback(finished)

    # -- ending ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the thread, the connections, the views, and the demo server if there is one. May be called twice.

        Whoever waits for something of this console is told `InvalidRequest`: "This console was closed."; and so is
        whoever asks it for anything afterwards. A console that nobody refers to any more, by a variable, a view, a
        handle, an alert or a listener, ends by itself.
        """
        _open_consoles.discard(self)
        self._forsaken.detach()
        self.alerts.close()
        for end in self._closing:
            end()
        self._closing.clear()
        self._ending.now()

    def on_close(self, function: Callable[[], None]) -> None:
        """Have `function` called when the console is closed."""
        self._closing.append(function)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        status = self.status
        counts = f"{status.in_progress} running, {status.pending} pending, {status.failed} failed"
        return f"Console({self.url!r}, {status.connection.mode}: {counts})"

    # -- inside ------------------------------------------------------------------------------------------------------

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.call(work)

    # Methods, so that whoever listens, and an alert, keeps the console.

    def _deliver(self, function: Callable[[], object]) -> None:
        self._callbacks.put(function)

    def _error_of(self, item: QueueItem) -> JobError | None:
        return self.errors.of(item)


def _record(store: QueueStore, jobs: JobLog, errors: ErrorLog, events: EventLog) -> None:
    """Keep the logs in step with a picture."""
    was_listed = False

    def changed(change: Change) -> None:
        nonlocal was_listed
        state = change.state
        for item_id in change.item_ids:
            item = state.items.get(item_id)
            if item is not None and not state.is_theirs(item):
                jobs.record(item)
                errors.link(item)
        if state.is_listed:
            # With the first list it is seen which jobs of the history are gone.
            jobs.settle(state.has, change.item_ids if was_listed else None)
        was_listed = state.is_listed

    def heard(event: Event) -> None:
        events.record(event)
        if isinstance(event, NodeFailed):
            errors.record_node(event)

    store.subscribe(changed)
    store.subscribe_events(heard)


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("watching the queue ended", exc_info=task.exception())


_open_consoles: weakref.WeakSet[ConsoleBase] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for console in list(_open_consoles):
        try:
            console.close()
        except (JobException, RuntimeError):
            logger.debug("closing failed", exc_info=True)
