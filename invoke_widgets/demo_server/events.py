"""Events, their recipients and their order.

Every thread emits into one queue, which a task on the event loop sends from, so that clients see events in the order of
emission. A request that caused events is answered after they were sent (`flush`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class QueueEvent:
    """A Socket.IO event.

    Attributes:
        owners: users it is about; they and administrators receive `data`.
        redacted: data for other subscribers of the queue; None sends them nothing.
        public: whether all subscribers of the queue receive `data`.
        by_owner: data per owner, where each may see a part only.
    """

    name: str
    data: dict[str, Any]
    owners: tuple[str, ...] = ()
    redacted: dict[str, Any] | None = None
    public: bool = False
    by_owner: dict[str, dict[str, Any]] = field(default_factory=dict)


Send = Callable[[QueueEvent], Awaitable[None]]


class EventBus:
    """Carry events from any thread to the event loop, in order. Events before `start` are dropped."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: asyncio.Queue[QueueEvent | asyncio.Future[None]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self, send: Send) -> None:
        """Start sending. Call this on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(send))

    async def stop(self) -> None:
        """Stop sending."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def emit(self, event: QueueEvent) -> None:
        """Stamp an event with the time and queue it. Thread-safe."""
        now = int(time.time())
        for data in (event.data, event.redacted or {}, *event.by_owner.values()):
            data["timestamp"] = now
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._waiting.put_nowait, event)

    async def flush(self) -> None:
        """Wait until everything emitted so far has been sent."""
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(sent)
        await sent

    async def _run(self, send: Send) -> None:
        while True:
            entry = await self._waiting.get()
            if isinstance(entry, QueueEvent):
                await send(entry)
            elif not entry.done():
                entry.set_result(None)
