"""Where messages go. A `Sink` delivers one message or raises `Undelivered`; a `Courier` retries and records.

Whatever a sink does, hang, raise or never return, stays within its courier.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any, NamedTuple

from invoke_widgets._loop import Backoff, Listeners
from invoke_widgets.alerts.log import AlertLog, Delivery, Outcome, delivery_of
from invoke_widgets.alerts.messages import Message, one_line
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive, whole
from invoke_widgets.errors.redact import without_secrets

logger = logging.getLogger(__name__)

SHOWN_S = 12.0
"""How long a toast of severity "info" is shown, in seconds; others stay until they are dismissed."""
MAX_WAITING = 100
"""At most this many messages wait for a sink; further ones are dropped, and recorded as such."""
_MAX_TOASTS = 50
_CLOSED = "the console was closed"


class Undelivered(Exception):
    """A message was not delivered. The text holds no address and no secret.

    Args:
        reason: why, in one line.
        retryable: whether a later attempt may succeed.
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


class Sink:
    """A place to send messages to. Subclass it and write `deliver` to add one.

    Attributes:
        attempts: how often delivery is attempted while `Undelivered` says that it is retryable.
        timeout_s: seconds for all attempts together.
    """

    attempts = 1
    timeout_s = 30.0

    async def deliver(self, message: Message) -> None:
        """Deliver a message, on the console's loop.

        Raises:
            Undelivered: it was not delivered.
        """
        raise NotImplementedError

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text about this sink may contain."""
        return ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Hidden:
    """A secret that no repr shows."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "[secret]"

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled")


# -- functions ---------------------------------------------------------------------------------------------------------


class Callback(Sink):
    """Calls a function with the `Message`, on a thread of its own.

    Until the function has returned it is not called again; messages that come meanwhile are recorded as failed.

    Args:
        function: takes the message.
        timeout_s: how long to wait for it, in seconds.

    Raises:
        InvalidRequest: `function` does not take one argument, or is a coroutine function.
    """

    def __init__(self, function: Callable[[Message], object], *, timeout_s: float = 30.0) -> None:
        if not callable(function):
            raise InvalidRequest(f"to: should be a function or a sink, got {type(function).__name__}.", field="to")
        if inspect.iscoroutinefunction(function):
            raise InvalidRequest(
                "to: should be a plain function, got a coroutine function.",
                suggestion="It is called on a thread of its own, where it may block: use `def`.",
                field="to",
            )
        with contextlib.suppress(ValueError):  # some built-in functions have no signature
            try:
                inspect.signature(function).bind(None)
            except TypeError as error:
                raise InvalidRequest(
                    f"to: the function is called with one argument, the message: {error}.", field="to"
                ) from None
        self._function = function
        self.timeout_s = timeout_s
        self._thread = OwnThread()

    async def deliver(self, message: Message) -> None:
        await self._thread.run(lambda: self._function(message), self.timeout_s)

    def __repr__(self) -> str:
        return f"Callback({getattr(self._function, '__name__', type(self._function).__name__)})"


class OwnThread:
    """Runs one function at a time on a daemon thread, so that one that hangs blocks nothing else."""

    def __init__(self) -> None:
        self._busy = threading.Event()

    async def run(self, function: Callable[[], Any], timeout_s: float) -> Any:
        """Return the function's result.

        Raises:
            Undelivered: it raised, took longer than `timeout_s`, or an earlier one still hangs.
        """
        if self._busy.is_set():
            raise Undelivered("the previous call has not returned yet")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def report(set_outcome: Callable[[Any], None], outcome: Any) -> None:
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
                report(future.set_exception, error)
            except BaseException as error:  # noqa: BLE001 - a user's function must not end anything
                self._busy.clear()
                report(future.set_exception, Undelivered(_with_place(error)))
            else:
                self._busy.clear()
                report(future.set_result, result)

        self._busy.set()
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="invoke-widgets alert", daemon=True).start()
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise Undelivered(f"not done within {timeout_s:g} s", timed_out=True) from None


def _with_place(error: BaseException) -> str:
    """An exception in one line, with the place where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


# -- toasts ------------------------------------------------------------------------------------------------------------


class Toasts(Sink):
    """The messages that every dashboard of a console shows, newest first. Dismissed in one, they are gone in all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self._listeners: Listeners[[]] = Listeners()

    @property
    def showing(self) -> tuple[Message, ...]:
        """The messages that have not been dismissed, newest first."""
        return tuple(self._messages)

    def on_change(self, function: Callable[[], object]) -> Callable[[], None]:
        """Call `function()` after each change, on any thread, until the function that is returned is called."""
        return self._listeners.add(function)

    async def deliver(self, message: Message) -> None:
        with self._lock:
            self._messages = [message, *self._messages][:_MAX_TOASTS]
        if message.severity == "info":
            asyncio.get_running_loop().call_later(SHOWN_S, lambda: self.dismiss(message.message_id))
        self._listeners.notify()

    def undelivered(self, delivery: Delivery) -> None:
        """Show that another sink did not deliver: one toast for each sink, with a count of the failures."""
        message_id = f"undelivered:{delivery.sink}"
        with self._lock:
            before = sum(m.held_back + 1 for m in self._messages if m.message_id == message_id)
            others = [m for m in self._messages if m.message_id != message_id]
            message = Message(
                kind="alert.undelivered",
                severity="warning",
                title="An alert was not delivered",
                text=f"{delivery.sink}: {delivery.reason}",
                alert=delivery.alert,
                held_back=before,
                message_id=message_id,
            )
            self._messages = [message, *others][:_MAX_TOASTS]
        self._listeners.notify()

    def dismiss(self, message_id: str | None = None) -> None:
        """Dismiss one message, or all."""
        with self._lock:
            kept = [m for m in self._messages if message_id is not None and m.message_id != message_id]
            is_same, self._messages = len(kept) == len(self._messages), kept
        if not is_same:
            self._listeners.notify()


# -- delivery ----------------------------------------------------------------------------------------------------------


class _Parcel(NamedTuple):
    """A message on its way, the key of its record, and the future that gets its outcome."""

    message: Message
    key: str
    outcome: asyncio.Future[Delivery]


class Courier:
    """Takes messages to one sink, one after the other: a bounded queue, attempts with pauses, a record of each.

    Args:
        sink: the sink. What it says about itself is read once, here, so that an odd one is refused at once.
        log: records each delivery.
        secrets: returns what else no text may contain.
        on_undelivered: called with each delivery that failed, on the loop.
        on_idle: called on the loop whenever nothing is left to deliver.

    Use it on the console's loop; it may be made elsewhere.
    """

    def __init__(
        self,
        sink: Sink,
        log: AlertLog,
        secrets: Callable[[], tuple[str | None, ...]],
        on_undelivered: Callable[[Delivery], None] = lambda delivery: None,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._sink = sink
        self._name = repr(sink)
        self._known_secrets = tuple(sink.secrets)
        self._attempts = whole("attempts", sink.attempts)
        self._timeout_s = positive("timeout_s", sink.timeout_s)
        self._log = log
        self._secrets = secrets
        self._on_undelivered = on_undelivered
        self._on_idle = on_idle
        self._queue: asyncio.Queue[_Parcel] = asyncio.Queue(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        return self._task is None

    def send(self, message: Message) -> asyncio.Future[Delivery]:
        """Queue a message; the future gets the outcome and never an exception."""
        parcel = _Parcel(message, self._log.key(), asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(parcel)
        except asyncio.QueueFull:
            self._finish(parcel, "dropped", f"{MAX_WAITING} messages are waiting already")
        else:
            self._log.record(parcel.key, delivery_of(message, self._name))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        return parcel.outcome

    async def drained(self) -> None:
        """Wait until every queued message has been tried."""
        await self._queue.join()

    def stop(self) -> None:
        """Give up the messages that wait."""
        if self._task is not None:
            self._task.cancel()
        while not self._queue.empty():
            self._finish(self._queue.get_nowait(), "failed", _CLOSED, took_s=0.0)

    async def _run(self) -> None:
        # It ends when nothing waits, so that nothing is left over when the console is.
        try:
            while not self._queue.empty():
                parcel = self._queue.get_nowait()
                try:
                    await self._deliver(parcel)
                finally:
                    self._queue.task_done()
        finally:
            self._task = None
            self._on_idle()

    async def _deliver(self, parcel: _Parcel) -> None:
        began, attempts, backoff = time.monotonic(), 0, Backoff(0.5, 30.0)
        outcome: Outcome = "failed"
        reason = _CLOSED  # unless one of the lines below is reached
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    attempts += 1
                    try:
                        await self._sink.deliver(parcel.message)
                        outcome, reason = "delivered", ""
                        break
                    except Undelivered as error:
                        if not error.retryable or attempts >= self._attempts:
                            raise
                        pending = delivery_of(parcel.message, self._name)
                        so_far = replace(pending, attempts=attempts, reason=self._clean(error.reason))
                        self._log.record(parcel.key, so_far)
                        pause_s = backoff.next() if error.retry_after_s is None else error.retry_after_s
                    await asyncio.sleep(pause_s)
        except Undelivered as error:
            outcome, reason = "timed_out" if error.timed_out else "failed", error.reason
        except TimeoutError:
            outcome, reason = "timed_out", f"not done within {self._timeout_s:g} s"
        except Exception as error:  # noqa: BLE001 - a sink's failure must not disturb anything
            reason = f"{type(error).__name__}: {error}"
        finally:
            self._finish(parcel, outcome, reason, attempts=attempts, took_s=time.monotonic() - began)

    def _finish(
        self, parcel: _Parcel, outcome: Outcome, reason: str, *, attempts: int = 0, took_s: float | None = None
    ) -> None:
        reason = self._clean(reason)
        delivery = delivery_of(parcel.message, self._name)
        delivery = replace(delivery, outcome=outcome, attempts=attempts, took_s=took_s, reason=reason)
        self._log.record(parcel.key, delivery)
        if outcome != "delivered":
            logger.warning("alert %r: %s: %s: %s", parcel.message.alert, self._name, outcome, reason)
            self._on_undelivered(delivery)
        if not parcel.outcome.done():
            parcel.outcome.set_result(delivery)

    def _clean(self, text: str) -> str:
        return one_line(without_secrets(text, (*self._known_secrets, *self._secrets())), 300)


# -- what other libraries log while they send --------------------------------------------------------------------------

_sending: contextvars.ContextVar[bool] = contextvars.ContextVar("invoke_widgets_sending", default=False)


class _NotWhileSending(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _sending.get()


_filter = _NotWhileSending()


def keep_quiet(*loggers: str) -> None:
    """Have these loggers drop what is logged within `sending()`. To be called once for each, when a module is imported.

    HTTP libraries log the addresses that they send to, and an address may be a secret, as a chat service's is. A filter
    works for its own logger alone and not for those below it, so each has to be named.
    """
    for name in loggers:
        logging.getLogger(name).addFilter(_filter)


@contextlib.contextmanager
def sending() -> Iterator[None]:
    """Drop what the loggers of `keep_quiet` log within, in this task or thread and no other."""
    token = _sending.set(True)
    try:
        yield
    finally:
        _sending.reset(token)
