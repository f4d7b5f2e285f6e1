"""`Engine`: what runs for a console. It refers to no console, so that one that is no longer used is collected."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke_widgets._loop import CallbackThread, LoopThread, limited
from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import JobException, JobTimeout
from invoke_widgets.events import Event, NodeFailed
from invoke_widgets.history import CancellationLog, ErrorLog, EventLog, HistoryFile, JobLog
from invoke_widgets.jobs import Actions
from invoke_widgets.records import FieldValue, QueueItem, ValueNames
from invoke_widgets.sync import Change, QueueStore, Sync

if TYPE_CHECKING:
    from invoke_widgets.demo_server.process import EmbeddedServer

logger = logging.getLogger(__name__)

_FIRST_ANSWER_S = 10.0
_FIRST_SNAPSHOT_S = 60.0
_CATCH_UP_S = 5.0


class Engine:
    """The I/O thread and what it keeps going: the connections, the snapshot, the logs, the actions.

    Args:
        client: connects to the server; closed with the engine.
        history: the file that keeps the logs; closed with the engine, unless it is a `HistoryFile` already.
        use_socket: whether to listen to events, rather than poll.

    Attributes:
        kept: where the logs are kept, as their arguments.
        demo: the embedded server, if there is one; stopped with the engine.
    """

    def __init__(
        self, client: InvokeClient, history: str | Path | HistoryFile | None = None, *, use_socket: bool = True
    ) -> None:
        self.client = client
        self.history = history if history is None or isinstance(history, HistoryFile) else HistoryFile(history)
        self._owns_history = self.history is not history
        self.loop = LoopThread()
        self.store = QueueStore(self.loop.schedule)
        self.callbacks = CallbackThread()
        self.demo: EmbeddedServer | None = None
        self._task: asyncio.Task[None] | None = None
        self._was_listed = False
        transport, first_token = client.transport, client.transport.token
        self.kept: dict[str, Any] = {
            "file": self.history,
            "source": f"{client.url} {client.queue_id}",
            "secrets": lambda: (first_token, transport.token),
        }
        try:
            self.errors = ErrorLog(**self.kept)
            self.cancellations = CancellationLog(**self.kept)
            self.jobs = JobLog(**self.kept)
            named: dict[str, list[FieldValue]] = {}
            for item in self.jobs:
                self.errors.link(item)
                if any(value.name for value in item.field_values or ()):
                    named.setdefault(item.batch_id, []).extend(item.field_values or ())
            client.value_names |= {batch_id: ValueNames.among(values) for batch_id, values in named.items()}
            self.events = EventLog()
            self.sync = Sync(client, self.store, on_failed=self._failed, use_socket=use_socket)
            self.actions = Actions(client, self.store, self.sync, self.errors, self.cancellations, self.jobs)
            self.loop.call(self._start())
            self.errors.catch_up = self.jobs.catch_up = self.catch_up
        except BaseException:
            self.close()
            raise

    async def _start(self) -> None:
        silent = JobTimeout(
            f"{self.client.url} accepted the connection but did not answer within {_FIRST_ANSWER_S:g} s.",
            suggestion="Is the port right? Is the server still starting?",
        )
        await limited(self.client.app_version(), _FIRST_ANSWER_S, silent)
        self.store.subscribe(self._changed)
        self.store.events.add(self._received)
        slow = JobTimeout(f"{self.client.url} did not list its queue within {_FIRST_SNAPSHOT_S:g} s.")
        await limited(self.sync.first_snapshot(), _FIRST_SNAPSHOT_S, slow)
        self._task = asyncio.get_running_loop().create_task(self.sync.run())
        self._task.add_done_callback(_log_failure)

    # -- keeping the logs ----------------------------------------------------------------------------------------------

    def _changed(self, change: Change) -> None:
        state = change.state
        for item_id in change.item_ids:
            item = state.items.get(item_id)
            if item is not None and not state.is_theirs(item):
                self.jobs.record(item)
                self.errors.link(item)
        if state.is_listed:
            # The first list shows which jobs of the history are gone.
            self.jobs.settle(state.has, change.item_ids if self._was_listed else None)
        self._was_listed = state.is_listed

    def _received(self, event: Event) -> None:
        self.events.record(event)
        if isinstance(event, NodeFailed):
            self.errors.record_node(event)

    def _failed(self, item: QueueItem) -> None:
        self.errors.record_failure(item)
        self.actions.reruns.failed(item)

    def catch_up(self) -> None:
        """Wait until the logs have what the server has, unless it is away: events lack values, and lists errors."""

        async def work() -> None:
            await limited(self.sync.settled(), _CATCH_UP_S, JobTimeout("Not yet."))

        if self.store.state.connection.is_up and self.loop.is_running and not self.loop.is_current:
            with contextlib.suppress(JobException):
                self.loop.call(work())

    # -- the end -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Release everything, and wait for it. May be called twice."""
        self.loop.stop(self._close_on_loop())
        self._close_rest()

    def close_soon(self) -> None:
        """Have everything released on its own thread: the garbage collector, which calls this, must not wait."""
        self.loop.stop(self._close_on_loop(), at_end=self._close_rest, join=False)

    async def _close_on_loop(self) -> None:
        if self._task is not None:
            self.actions.reruns.close()
            # First, and the connections last, so that they are still there for whatever ends with a request.
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.loop.cancel_rest()
        await self.client.aclose()

    def _close_rest(self) -> None:
        self.callbacks.stop()
        if self.history is not None:
            if self._owns_history:
                self.history.close()
            else:
                self.history.flush()
        if self.demo is not None:
            self.demo.stop()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("watching the queue failed", exc_info=task.exception())
