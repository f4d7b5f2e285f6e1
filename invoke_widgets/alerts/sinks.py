"""Where a message can go. A `Sink` delivers one message or raises `Undelivered`; its caller retries and records."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

from invoke_widgets.alerts.messages import Message
from invoke_widgets.errors import InvalidRequest


class Undelivered(Exception):
    """A message did not get through. Its text holds no address and no secret.

    Args:
        reason: why, in one line.
        retryable: whether it may get through later.
        retry_after_s: how long the receiver asks to wait, in seconds.
        timed_out: whether time ran out.
    """

    def __init__(
        self, reason: str, *, retryable: bool = False, retry_after_s: float | None = None, timed_out: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.timed_out = timed_out


class Hidden:
    """A secret that no repr shows."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "[secret]"

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled")


class Sink:
    """Somewhere a message can go.

    Attributes:
        attempts: how often a message is tried, if what stopped it may pass.
        timeout_s: seconds for all attempts together.
    """

    attempts = 1
    timeout_s = 30.0

    async def deliver(self, message: Message) -> None:
        """Hand a message over, on the console's loop.

        Raises:
            Undelivered: it did not get through.
        """
        raise NotImplementedError

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be in no text about this sink."""
        return ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Callback(Sink):
    """A function of the person's own, called with the `Message` on a thread of its own.

    While it has not returned, it is not called again: what comes meanwhile is recorded as failed.

    Raises:
        InvalidRequest: not a function that takes one argument, or a coroutine function.
    """

    def __init__(self, function: Callable[[Message], object], *, timeout_s: float = 30.0) -> None:
        if not callable(function):
            raise InvalidRequest(f"to: should be a function or a sink, got {type(function).__name__}.")
        if inspect.iscoroutinefunction(function):
            raise InvalidRequest(
                "to: should be a plain function, got a coroutine function.",
                suggestion="It is called on a thread of its own, where it may wait: use `def`.",
            )
        with contextlib.suppress(ValueError):  # some built-in functions have no signature
            try:
                inspect.signature(function).bind(None)
            except TypeError as error:
                raise InvalidRequest(f"to: the function is called with one argument, the message: {error}.") from None
        self._function = function
        self.timeout_s = timeout_s
        self._thread = OwnThread()

    async def deliver(self, message: Message) -> None:
        await self._thread.run(lambda: self._function(message), self.timeout_s)

    def __repr__(self) -> str:
        return f"Callback({getattr(self._function, '__name__', type(self._function).__name__)})"


class OwnThread:
    """Runs one function at a time on a daemon thread, so that one that hangs holds up nothing but itself."""

    def __init__(self) -> None:
        self._busy = threading.Event()

    async def run(self, function: Callable[[], Any], timeout_s: float) -> Any:
        """The function's result.

        Raises:
            Undelivered: it raised, took longer than `timeout_s`, or an earlier one still hangs.
        """
        if self._busy.is_set():
            raise Undelivered("the one before has not come back yet")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def tell(set_outcome: Callable[[Any], None], outcome: Any) -> None:
            def on_loop() -> None:
                if not future.done():
                    set_outcome(outcome)

            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(on_loop)

        def work() -> None:
            try:
                result = function()
            except Undelivered as error:
                self._busy.clear()
                tell(future.set_exception, error)
            except BaseException as error:  # noqa: BLE001 - someone else's function must not end anything
                self._busy.clear()
                tell(future.set_exception, Undelivered(_told(error)))
            else:
                self._busy.clear()
                tell(future.set_result, result)

        self._busy.set()
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="invoke-widgets alert", daemon=True).start()
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise Undelivered(f"not done within {timeout_s:g} s", timed_out=True) from None


def _told(error: BaseException) -> str:
    """An exception in one line, with the place where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


# -- what other libraries log while they send --------------------------------------------------------------------------

_hushed: contextvars.ContextVar[bool] = contextvars.ContextVar("invoke_widgets_hushed", default=False)


class _Hush(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _hushed.get()


_hush = _Hush()


@contextlib.contextmanager
def hushed(*names: str) -> Iterator[None]:
    """Within it, and only there, nothing is logged by these loggers, and those below them that there are.

    HTTP libraries log the addresses that they send to, and an address may be a secret, as a chat service's is. A filter
    works for its own logger alone: one that is made only later, when a module is first imported, has to be named.
    """
    for name in names:
        logging.getLogger(name).addFilter(_hush)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(tuple(f"{above}." for above in names)):
            logging.getLogger(name).addFilter(_hush)
    token = _hushed.set(True)
    try:
        yield
    finally:
        _hushed.reset(token)
