"""The one daemon thread with its own asyncio loop, on which everything of ours runs that waits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from invoke_widgets.interrupts import heard

T = TypeVar("T")

_LAST_ROUNDS = 4


class LoopThread:
    """A daemon thread that runs an asyncio loop until `stop()`."""

    def __init__(self, name: str = "invoke-widgets") -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        # An empty context: ipykernel 7 routes what a thread writes by the context of the cell that started it.
        contextvars.Context().run(self._thread.start)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    @property
    def is_current(self) -> bool:
        """Whether the caller is on this thread."""
        return threading.current_thread() is self._thread

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive() and not self._loop.is_closed()

    def start(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run `work` on the loop, and return at once. From any thread."""
        if not self.is_running:
            work.close()
            raise RuntimeError("this console is closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for it, from any other thread. An interrupt cancels it."""
        if self.is_current:
            work.close()
            raise RuntimeError("waiting here would stop the thread that does the work: use the coroutine instead")
        return wait(self.start(work))

    def post(self, function: Callable[[], None]) -> None:
        """Call `function` on the loop, soon. From any thread; does nothing once stopped."""
        if self.is_running:
            self._loop.call_soon_threadsafe(function)

    def schedule(self, seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `function` on the loop after `seconds`. On the loop's own thread."""
        return self._loop.call_later(seconds, function)

    def stop(self) -> None:
        """Cancel what still runs and end the thread. May be called twice."""
        if not self.is_running:
            return

        async def finish() -> None:
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._loop.shutdown_asyncgens()
            await free_sockets(self._loop)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(finish(), self._loop)
        if not self.is_current:
            self._thread.join(5.0)


async def free_sockets(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop that is about to end give back the sockets of closed connections, and cut those that are still open.

    A connection gives its socket back in the loop's next rounds; one with TLS waits for the other side's goodbye.
    """
    for _ in range(_LAST_ROUNDS):
        await asyncio.sleep(0)
    for transport in list(getattr(loop, "_transports", {}).values()):  # those of asyncio's own loop
        transport.abort()
    for _ in range(_LAST_ROUNDS):
        await asyncio.sleep(0)


def wait(future: concurrent.futures.Future[T], timeout: float | None = None) -> T:
    """The result of `future`; an interrupt while waiting cancels it.

    Raises:
        TimeoutError: it took longer than `timeout` seconds; the future goes on.
    """
    try:
        with heard():
            return future.result(timeout)
    except KeyboardInterrupt:
        future.cancel()
        raise
