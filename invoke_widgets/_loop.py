"""The I/O thread, and how other threads wait for it, receive from it and interrupt it.

In order: `Backoff`; interrupts (the ■ of the notebook); `LoopThread`, the daemon thread that owns every connection;
`Channel`, a queue from that thread to a cell; `CallbackThread`, on which the user's own functions are called;
`Listeners`, functions to be called at a change.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import logging
import math
import queue
import random
import signal
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

from invoke_widgets.errors import InvalidRequest, JobTimeout, checks

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

TICK_S = 0.05
"""How often a wait looks up, so that an interrupt reaches it: a bare wait on a loop is not interrupted."""

_CLOSING_S = 4.0
"""How long canceled work may take to end before it is left behind."""

_ROUNDS = 4
"""The rounds of a loop in which closed connections give back their sockets."""


class Backoff:
    """Growing pauses with jitter, so that clients that fail together do not come back together."""

    def __init__(self, first_s: float, max_s: float) -> None:
        self._first_s = self._next_s = min(first_s, max_s)
        self._max_s = max_s

    def next(self) -> float:
        """The next pause in seconds, with a jitter of up to 20 % either way."""
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, self._max_s)
        return pause_s * random.uniform(0.8, 1.2)

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._next_s = self._first_s


# --- interrupts ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let an interrupt raise `KeyboardInterrupt` at once within, also in a cell that has an `await`.

    ipykernel interrupts such a cell by asking its loop to cancel it. Code that waits there without `await` stops that
    very loop, and could not be interrupted at all.
    """
    handler = signal.getsignal(signal.SIGINT)
    # By the module, since ipykernel has no public way to tell. Other handlers stay, such as that of asyncio.run, which
    # cancels the main task and so reaches what awaits.
    is_kernels = (getattr(handler, "__module__", None) or "").startswith("ipykernel.")
    if not is_kernels or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def receive(source: queue.SimpleQueue[T], timeout: float | None) -> T:
    """Take the next value of a queue; an interrupt ends the wait.

    Raises:
        queue.Empty: no value came within `timeout` seconds; None waits for ever.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    with interruptible():
        while True:
            left = TICK_S if deadline is None else deadline - time.monotonic()
            try:
                return source.get(timeout=min(max(left, 0.0), TICK_S))
            except queue.Empty:
                if left <= TICK_S and deadline is not None:
                    raise


def wait(future: concurrent.futures.Future[T], timeout: float | None = None) -> T:
    """Wait for the result of `future`; an interrupt cancels it.

    Raises:
        TimeoutError: it took longer than `timeout` seconds; the future goes on.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    try:
        with interruptible():
            while not future.done() and time.monotonic() < deadline:
                concurrent.futures.wait([future], TICK_S)
            return future.result(0)
    except KeyboardInterrupt:
        future.cancel()
        raise


async def limited(work: Awaitable[T], limit_s: float | None, error: JobTimeout) -> T:
    """Await `work` and return its result, or raise `error` if that takes longer than `limit_s` seconds."""
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise error from None


# --- the I/O thread -----------------------------------------------------------------------------------------------


def closed_error() -> InvalidRequest:
    """The exception of every call on a closed console, and of every call in flight when it is closed."""
    return InvalidRequest(
        "This console was closed.",
        suggestion="Connect again; what was asked of the server at that moment may have been carried out.",
    )


class _Loop(asyncio.SelectorEventLoop):
    """The I/O thread's loop, which knows its connections.

    nest-asyncio2, which `iw.run` and notebooks apply, replaces methods of the class of the caller's loop, which is that
    of most loops in the process. This class keeps its own, so that the patch never reaches our running loop.
    """

    run_forever = asyncio.SelectorEventLoop.run_forever
    run_until_complete = asyncio.SelectorEventLoop.run_until_complete
    _run_once = asyncio.SelectorEventLoop._run_once  # type: ignore[attr-defined]
    _check_running = asyncio.SelectorEventLoop._check_running  # type: ignore[attr-defined]

    def __init__(self) -> None:
        super().__init__()
        self.connections: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        """Connect as asyncio does, and remember the connection."""
        transport, protocol = await super().create_connection(*args, **options)
        self.connections.add(transport)
        return transport, protocol

    async def cut_connections(self) -> None:
        """Let closed connections give back their sockets, and cut those that are still open.

        A connection gives back its socket in the loop's next rounds; one with TLS first waits for the other side.
        """
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        for transport in list(self.connections):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)


class LoopThread:
    """A daemon thread that runs an asyncio loop until `stop()`."""

    def __init__(self, name: str = "invoke-widgets") -> None:
        self._loop = _Loop()
        # Reentrant: a console that is garbage collected stops its thread, and that may happen anywhere.
        self._lock = threading.RLock()
        self._stopping = False
        self._at_end: Callable[[], object] | None = None
        self._in_flight: set[concurrent.futures.Future[Any]] = set()
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
            for future in list(self._in_flight):
                _settle(future, closed_error())
            if self._at_end is not None:
                self._at_end()

    @property
    def is_current(self) -> bool:
        """Whether the caller is on this thread."""
        return threading.current_thread() is self._thread

    @property
    def is_running(self) -> bool:
        """Whether the thread takes work."""
        return not self._stopping and self._thread.is_alive()

    def check(self) -> None:
        """Raise `InvalidRequest` if the console was closed."""
        if not self.is_running:
            raise closed_error()

    def start(
        self, work: Coroutine[Any, Any, T], done: Callable[[T | BaseException], None] | None = None
    ) -> concurrent.futures.Future[T]:
        """Run `work` on the loop and return at once, from any thread. Canceling the future cancels the work.

        Args:
            work: a coroutine.
            done: called on the loop's thread with the result or the exception, unless the future was canceled.

        Raises:
            InvalidRequest: the console was closed. If it is closed later, the future gets the same exception.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        if done is not None:
            future.add_done_callback(
                lambda _: None if future.cancelled() else done(future.exception() or future.result())
            )
        with self._lock:
            if self.is_running:
                self._in_flight.add(future)
                self._loop.call_soon_threadsafe(self._begin, work, future)
                return future
        work.close()
        raise closed_error()

    def _begin(self, work: Coroutine[Any, Any, T], future: concurrent.futures.Future[T]) -> None:
        if future.cancelled():
            work.close()
            self._in_flight.discard(future)
            future.set_running_or_notify_cancel()
            return
        task = self._loop.create_task(work)

        def future_done(future: concurrent.futures.Future[T]) -> None:
            if future.cancelled():
                self.post(task.cancel)

        def task_done(task: asyncio.Task[T]) -> None:
            self._in_flight.discard(future)
            if not task.cancelled():
                error = task.exception()
                _settle(future, error) if error is not None else _settle(future, None, task.result())
            elif self._stopping:
                _settle(future, closed_error())
            else:
                future.cancel()
                future.set_running_or_notify_cancel()

        future.add_done_callback(future_done)
        task.add_done_callback(task_done)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for its result, from any other thread. An interrupt cancels it.

        Raises as `start` does.
        """
        if self.is_current:
            work.close()
            raise RuntimeError("waiting here would stop the thread that does the work: use the coroutine instead")
        return wait(self.start(work))

    def post(self, function: Callable[[], object]) -> None:
        """Call `function` on the loop soon, from any thread. Once stopped, do nothing."""
        with self._lock:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(function)

    def schedule(self, seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `function` on the loop after `seconds`. Only on the loop's own thread."""
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
            last: runs on the loop before the rest is canceled; it may await `cancel_rest` itself.
            at_end: called on the thread once its loop is closed.
            join: wait a few seconds for the thread to end. On the thread itself this has no effect.
        """
        with self._lock:
            is_first, self._stopping = not self._stopping, True
            if is_first:
                self._at_end = at_end
                self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._finish(last)))
        if not is_first and last is not None:
            last.close()
        if join and not self.is_current:
            self._thread.join(_CLOSING_S + 1.0)

    async def _finish(self, last: Coroutine[Any, Any, object] | None) -> None:
        if last is not None:
            await _logging_errors(last)
        await self.cancel_rest()
        await _logging_errors(self._loop.shutdown_asyncgens())
        await self._loop.cut_connections()
        self._loop.stop()

    async def cancel_rest(self) -> None:
        """Cancel every task but the caller's and wait for them; a task that refuses to end is left behind."""
        until = time.monotonic() + _CLOSING_S
        # In rounds: canceled work may start more before it ends.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.sleep(0)  # one of anyio's that is canceled before its first step leaves a coroutine unawaited
            for task in tasks:
                task.cancel()
            if (left := until - time.monotonic()) <= 0:
                break
            await asyncio.wait(tasks, timeout=left)


async def _logging_errors(work: Coroutine[Any, Any, object]) -> None:
    """Await `work`, and let neither its failure nor its slowness keep the thread from ending."""
    try:
        async with asyncio.timeout(_CLOSING_S):
            await work
    except (Exception, asyncio.CancelledError):
        logger.debug("closing failed", exc_info=True)


def _settle(future: concurrent.futures.Future[T], error: BaseException | None, result: T | None = None) -> None:
    """Give a future its outcome, unless its caller has canceled it."""
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)  # type: ignore[arg-type]


# --- from the I/O thread to others --------------------------------------------------------------------------------


class _Closed:
    """The last value of a channel: the console was closed."""


class Channel(Generic[T]):
    """A queue to one receiver that ends with the console; values put before the end are received first.

    A context manager: outside it nothing is received any more.

    Raises:
        InvalidRequest: the console was closed.
    """

    def __init__(self, loop: LoopThread) -> None:
        self._values: queue.SimpleQueue[T | _Closed] = queue.SimpleQueue()
        self._wake: Callable[[], None] = lambda: None
        # The thread ends whatever runs on it, and with this the channel.
        self._open = loop.start(_forever())
        self._open.add_done_callback(lambda _: self.put(_Closed()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.cancel()

    def put(self, value: T | _Closed) -> None:
        """Add a value, from any thread."""
        self._values.put(value)
        self._wake()

    def get(self, timeout: float | None = None) -> T:
        """Wait for the next value; an interrupt ends the wait.

        Raises:
            queue.Empty: no value came within `timeout` seconds.
            InvalidRequest: the console was closed.
        """
        return self._checked(receive(self._values, timeout))

    async def aget(self, timeout: float | None = None) -> T:
        """Wait for the next value as `get` does, without blocking the caller's loop."""
        loop = asyncio.get_running_loop()
        news = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the receiver's loop is closed
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
                async with asyncio.timeout(left):  # at the end of each, a cell's interrupt gets through
                    await news.wait()

    def _checked(self, value: T | _Closed) -> T:
        if isinstance(value, _Closed):
            self._values.put(value)
            raise closed_error()
        return value


async def _forever() -> None:
    await asyncio.Event().wait()


class CallbackThread:
    """A daemon thread, started when first needed, that calls the functions that users pass in."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def put(self, function: Callable[[], object]) -> None:
        """Have `function` called in its turn. Once stopped, do nothing."""
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
            except Exception:  # a user's function must not end the thread
                logger.exception("a callback failed")

    def stop(self) -> None:
        """End the thread after the calls that are already in its queue."""
        with self._lock:
            self._stopped = True
            if self._thread is not None:
                self._queue.put(None)


class Listeners(Generic[P]):
    """Functions to be called at each change. To be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._functions: dict[object, Callable[P, object]] = {}

    def add(self, function: Callable[P, object]) -> Callable[[], None]:
        """Call a function, which must return quickly, until the returned one is called; what it raises is logged."""
        checks.function("function", function)
        token = object()
        with self._lock:
            self._functions = {**self._functions, token: function}

        def end() -> None:
            with self._lock:
                self._functions = {key: other for key, other in self._functions.items() if key is not token}

        return end

    def notify(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call each function, on this thread."""
        for function in self._functions.values():
            try:
                function(*args, **kwargs)
            except Exception:  # one must stop neither the others nor this thread
                logger.exception("a listener failed: %r", function)
