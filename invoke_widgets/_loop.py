"""How an interrupt (the ■ of the notebook) reaches what waits in a cell."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import logging
import queue
import random
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from invoke_widgets.errors import InvalidRequest

T = TypeVar("T")

TICK_S = 0.05
"""How often what waits looks up, so that an interrupt is heard: a bare wait on a loop is not interrupted."""


@contextmanager
def heard() -> Iterator[None]:
    """Within, an interrupt raises `KeyboardInterrupt` at once, also where the cell awaits something else.

    For a cell with an `await` ipykernel handles interrupts itself: it asks its loop to cancel the cell. What waits
    without `await` in such a cell stops that very loop, and would not be interrupted at all.
    """
    handler = signal.getsignal(signal.SIGINT)
    is_kernels = (getattr(handler, "__module__", None) or "").startswith("ipykernel.")
    if not is_kernels or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def taken(source: queue.SimpleQueue[T], timeout: float | None) -> T:
    """The next one of a queue; an interrupt while waiting is heard.

    Args:
        timeout: seconds; None waits for ever.

    Raises:
        queue.Empty: none came in time.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    with heard():
        while True:
            left = TICK_S if deadline is None else deadline - time.monotonic()
            try:
                return source.get(timeout=min(max(left, 0.0), TICK_S))
            except queue.Empty:
                if left <= TICK_S and deadline is not None:
                    raise


class Backoff:
    """Pauses that grow from `first_s` to `max_s`, each varied by 20 %.

    Args:
        first_s: seconds.
        max_s: seconds.
        factor: by how much each pause is longer than the last.
    """

    def __init__(self, first_s: float, max_s: float, factor: float = 2.0) -> None:
        self._first_s = self._next_s = first_s
        self._max_s = max_s
        self._factor = factor

    def next(self) -> float:
        """Return the next pause in seconds."""
        pause = self._next_s
        self._next_s = min(pause * self._factor, self._max_s)
        return pause * random.uniform(0.8, 1.2)

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._next_s = self._first_s


_LAST_ROUNDS = 4
_LAST_S = 4.0
"""So long what was canceled may take to end; what does not is left behind."""

logger = logging.getLogger(__name__)


def closed() -> InvalidRequest:
    """What everything raises that a closed console is asked for, or that was under way when it was closed."""
    return InvalidRequest(
        "This console was closed.",
        suggestion="Connect again; what was asked of the server at that moment may have been carried out.",
    )


class LoopThread:
    """A daemon thread that runs an asyncio loop until `stop()`."""

    def __init__(self, name: str = "invoke-widgets") -> None:
        self._loop = asyncio.new_event_loop()
        # Reentrant: a console that is collected stops its thread, and that may happen anywhere.
        self._lock = threading.RLock()
        self._stopping = False
        self._at_end: Callable[[], object] | None = None
        self._waited_for: set[concurrent.futures.Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        # An empty context: ipykernel 7 routes what a thread writes by the context of the cell that started it.
        contextvars.Context().run(self._thread.start)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            with self._lock:
                self._stopping = True
                self._loop.close()
            for future in list(self._waited_for):
                _settle(future, closed())
            if self._at_end is not None:
                self._at_end()

    @property
    def is_current(self) -> bool:
        """Whether the caller is on this thread."""
        return threading.current_thread() is self._thread

    @property
    def is_running(self) -> bool:
        """Whether it takes work."""
        return not self._stopping and self._thread.is_alive()

    def check(self) -> None:
        """
        Raises:
            InvalidRequest: the console was closed.
        """
        if not self.is_running:
            raise closed()

    def start(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run `work` on the loop, and return at once. From any thread. Canceling the future cancels the work.

        Raises:
            InvalidRequest: the console was closed; the future ends with the same, if it is closed later.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._lock:
            if self.is_running:
                self._waited_for.add(future)
                self._loop.call_soon_threadsafe(self._begin, work, future)
                return future
        work.close()
        raise closed()

    def _begin(self, work: Coroutine[Any, Any, T], future: concurrent.futures.Future[T]) -> None:
        if future.cancelled():
            work.close()
            self._waited_for.discard(future)
            future.set_running_or_notify_cancel()
            return
        task = self._loop.create_task(work)

        def forsaken(future: concurrent.futures.Future[T]) -> None:
            if future.cancelled():
                self.post(task.cancel)

        def ended(task: asyncio.Task[T]) -> None:
            self._waited_for.discard(future)
            if not task.cancelled():
                error = task.exception()
                _settle(future, error) if error is not None else _settle(future, None, task.result())
            elif self._stopping:
                _settle(future, closed())
            else:
                future.cancel()
                future.set_running_or_notify_cancel()

        future.add_done_callback(forsaken)
        task.add_done_callback(ended)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for it, from any other thread. An interrupt cancels it.

        Raises:
            InvalidRequest: the console was closed, before or meanwhile.
        """
        if self.is_current:
            work.close()
            raise RuntimeError("waiting here would stop the thread that does the work: use the coroutine instead")
        return wait(self.start(work))

    def post(self, function: Callable[[], object]) -> None:
        """Call `function` on the loop, soon. From any thread; does nothing once stopped."""
        with self._lock:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(function)

    def schedule(self, seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `function` on the loop after `seconds`. On the loop's own thread."""
        return self._loop.call_later(seconds, function)

    def stop(
        self,
        last: Coroutine[Any, Any, object] | None = None,
        *,
        at_end: Callable[[], object] | None = None,
        join: bool = True,
    ) -> None:
        """Take no more work, cancel what still runs, and end the thread. May be called twice.

        Args:
            last: runs on the loop before that; it may await `cancel_rest` itself.
            at_end: called on the thread when its loop is closed.
            join: wait for the end, for some seconds at most; on the thread itself that is never waited for.
        """
        with self._lock:
            is_first, self._stopping = not self._stopping, True
            if is_first:
                self._at_end = at_end
                self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._finish(last)))
        if not is_first and last is not None:
            last.close()
        if join and not self.is_current:
            self._thread.join(_LAST_S + 1.0)

    async def _finish(self, last: Coroutine[Any, Any, object] | None) -> None:
        if last is not None:
            await _quietly(last)
        await self.cancel_rest()
        await _quietly(self._loop.shutdown_asyncgens())
        await free_sockets(self._loop)
        self._loop.stop()

    async def cancel_rest(self) -> None:
        """Cancel everything on the loop but the caller, and wait for its end; what refuses to end is left behind."""
        until = time.monotonic() + _LAST_S
        # In rounds: what is canceled may start something more before it ends.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            if (left := until - time.monotonic()) <= 0:
                break
            await asyncio.wait(tasks, timeout=left)


async def _quietly(work: Coroutine[Any, Any, object]) -> None:
    """Whatever goes wrong with it, and however long it takes, the thread ends all the same."""
    try:
        async with asyncio.timeout(_LAST_S):
            await work
    except (Exception, asyncio.CancelledError):  # as it says
        logger.debug("ending failed", exc_info=True)


def _settle(future: concurrent.futures.Future[T], error: BaseException | None, result: T | None = None) -> None:
    """End a future, unless who waited for it has canceled it."""
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)  # type: ignore[arg-type]


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


class Callbacks:
    """One daemon thread, started when first needed, for the functions that people pass in."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def put(self, function: Callable[[], object]) -> None:
        """Have a function called; not any more once stopped."""
        with self._lock:
            if self._stopped:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="invoke-widgets callbacks", daemon=True)
                self._thread.start()
            self._queue.put(function)

    def _run(self) -> None:
        while (function := self._queue.get()) is not None:
            try:
                function()
            except Exception:  # someone else's function must not end the thread
                logger.exception("a callback failed")

    def stop(self) -> None:
        """End the thread, when it has called what is there already."""
        with self._lock:
            self._stopped = True
            if self._thread is not None:
                self._queue.put(None)
