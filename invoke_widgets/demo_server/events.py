"""Events: what is sent, in which order, and to whom.

Every thread emits into one queue; a task on the event loop takes from it and sends, so clients see events in the order
in which they were emitted. A request that caused events waits for them (`flush`) before it is answered.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """An event on its way.

    Attributes:
        owners: the users whom it concerns; they and administrators get it in full.
        redacted: what everybody else who subscribed to the queue gets instead, if anything.
        public: whether it goes to everybody who subscribed to the queue, in full.
        by_owner: what each owner gets instead, if not all of it concerns each of them.
    """

    name: str
    data: dict[str, Any]
    owners: tuple[str, ...] = ()
    redacted: dict[str, Any] | None = None
    public: bool = False
    by_owner: dict[str, dict[str, Any]] = field(default_factory=dict)


Send = Callable[[Event], Awaitable[None]]


class EventBus:
    """Carries events from any thread to the event loop, in order. Events before `start` are dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Event | asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, send: Send) -> None:
        """Begin to send; to be called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run(send))

    async def stop(self) -> None:
        """End sending."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def emit(self, event: Event) -> None:
        """Add an event, stamped with the time; may be called from any thread."""
        event.data["timestamp"] = int(time.time())
        if event.redacted is not None:
            event.redacted["timestamp"] = event.data["timestamp"]
        self._add(event)

    async def flush(self) -> None:
        """Return when all that was emitted so far has been sent."""
        if self._loop is None:
            return
        done: asyncio.Future[None] = self._loop.create_future()
        self._add(done)
        await done

    def _add(self, entry: Event | asyncio.Future[None]) -> None:
        if self._loop is None or self._wake is None or self._loop.is_closed():
            return
        with self._lock:
            self._waiting.append(entry)
        self._loop.call_soon_threadsafe(self._wake.set)

    async def _run(self, send: Send) -> None:
        assert self._wake is not None
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                entry = self._waiting.popleft()
                if isinstance(entry, Event):
                    await send(entry)
                elif not entry.done():
                    entry.set_result(None)
