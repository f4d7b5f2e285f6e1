"""`Feed`: from the console's thread to one who takes things one by one, in a plain cell or in one that awaits."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from invoke_widgets._loop import LoopThread, closed
from invoke_widgets.interrupts import TICK_S, taken

T = TypeVar("T")


class _End:
    """In the place of a value: the console was closed."""


class Feed(Generic[T]):
    """A queue that ends with the console: what was put is taken first. A context manager, for the time of taking.

    Args:
        loop: the console's.

    Raises:
        InvalidRequest: the console was closed.
    """

    def __init__(self, loop: LoopThread) -> None:
        self._values: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        self._wake: Callable[[], None] = lambda: None
        # It ends when the thread ends whatever runs on it.
        self._open = loop.start(_for_ever())
        self._open.add_done_callback(lambda _: self._put(_End()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.cancel()

    def put(self, value: T) -> None:
        """Add a value, from any thread."""
        self._put(value)

    def _put(self, value: T | _End) -> None:
        self._values.put(value)
        self._wake()

    def take(self, timeout: float | None = None) -> T:
        """The next value; an interrupt while waiting is heard.

        Raises:
            queue.Empty: none came within `timeout` seconds.
            InvalidRequest: the console was closed.
        """
        return self._checked(taken(self._values, timeout))

    async def atake(self, timeout: float | None = None) -> T:
        """`take`, for a cell or function that awaits."""
        loop = asyncio.get_running_loop()
        news = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(news.set)

        self._wake = wake
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            news.clear()
            with contextlib.suppress(queue.Empty):
                return self._checked(self._values.get_nowait())
            left = TICK_S if deadline is None else min(TICK_S, deadline - time.monotonic())
            if left <= 0:
                raise queue.Empty
            # Not wait_for: on Python 3.11 it swallows a cancellation that comes together with the value.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):  # the interrupt of a cell is heard at the end of each
                    await news.wait()

    def _checked(self, value: T | _End) -> T:
        if isinstance(value, _End):
            self._values.put(value)
            raise closed()
        return value


async def _for_ever() -> None:
    await asyncio.Event().wait()
