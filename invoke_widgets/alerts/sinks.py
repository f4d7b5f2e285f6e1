"""Where messages go. A `Sink` delivers one message or raises `Undelivered`; the `Courier` retries and records.

A sink that hangs, raises or never returns does not affect any other.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
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
from typing import Any
from weakref import WeakKeyDictionary

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
        self._call: concurrent.futures.Future[Any] | None = None

    async def run(self, function: Callable[[], Any], timeout_s: float) -> Any:
        """Return the function's result.

        Raises:
            Undelivered: it raised, took longer than `timeout_s`, or an earlier one still hangs.
        """
        if self._call is not None and not self._call.done():
            raise Undelivered("the previous call has not returned yet")
        call = self._call = concurrent.futures.Future[Any]()
        call.set_running_or_notify_cancel()  # from here on nobody can cancel it

        def work() -> None:
            try:
                call.set_result(function())
            except Undelivered as error:
                call.set_exception(error)
            except BaseException as error:  # noqa: BLE001 - a user's function must not end anything
                call.set_exception(Undelivered(_with_place(error)))

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="invoke-widgets alert", daemon=True).start()
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(call)
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


def sinks_of(to: Any, toasts: Toasts) -> list[Sink]:
    """Make sinks of whatever `to=` accepts.

    Raises:
        InvalidRequest: it is not a sink, or one with invalid attributes.
    """
    wanted = list(to) if isinstance(to, list | tuple | set | frozenset) else [to]
    if not wanted:
        raise InvalidRequest("to: should be at least one sink.", field="to")
    sinks: list[Sink] = []
    for one in wanted:
        if isinstance(one, Sink):
            whole("attempts", one.attempts)
            positive("timeout_s", one.timeout_s)
            tuple(one.secrets)  # an odd sink fails here, not when it is needed
            sinks.append(one)
        elif isinstance(one, str) and one == "toast":
            sinks.append(toasts)
        elif callable(one) and not isinstance(one, type):
            sinks.append(Callback(one))
        else:
            raise InvalidRequest(
                f"to: {type(one).__name__} is not a sink.",
                suggestion="Use 'toast', a function, Webhook(...) or Apprise(...), or a list of them.",
                field="to",
            )
    return sinks


class Courier:
    """Takes messages to sinks, to each one after the other, with several attempts and a record of each.

    Args:
        log: records each delivery.
        secrets: returns what else no text may contain.
        on_undelivered: called with each delivery that failed, on the loop.

    Use it on the console's loop; it may be made elsewhere.
    """

    def __init__(
        self,
        log: AlertLog,
        secrets: Callable[[], tuple[str | None, ...]],
        on_undelivered: Callable[[Delivery], None] = lambda delivery: None,
    ) -> None:
        self._log = log
        self._secrets = secrets
        self._on_undelivered = on_undelivered
        self._tasks: dict[asyncio.Task[Delivery], Sink] = {}
        self._turns: WeakKeyDictionary[Sink, asyncio.Lock] = WeakKeyDictionary()

    @property
    def is_busy(self) -> bool:
        """Whether a message has not been delivered yet."""
        return bool(self._tasks)

    def send(self, sink: Sink, message: Message) -> asyncio.Task[Delivery]:
        """Send a message; the task returns the outcome and raises nothing."""
        key, pending = self._log.key(), delivery_of(message, repr(sink))
        is_too_much = sum(other is sink for other in self._tasks.values()) >= MAX_WAITING
        if not is_too_much:
            self._log.record(key, pending)
        work = self._drop(sink, key, pending) if is_too_much else self._deliver(sink, message, key, pending)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = sink
        task.add_done_callback(self._tasks.pop)
        return task

    async def close(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for what is being sent, and give up the rest."""
        if tasks := list(self._tasks):
            await asyncio.wait(tasks, timeout=timeout_s)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _drop(self, sink: Sink, key: str, pending: Delivery) -> Delivery:
        return self._finish(sink, key, pending, "dropped", f"{MAX_WAITING} messages are waiting already")

    async def _deliver(self, sink: Sink, message: Message, key: str, pending: Delivery) -> Delivery:
        began, attempts, backoff = time.monotonic(), 0, Backoff(0.5, 30.0)
        outcome: Outcome = "failed"
        reason = ""
        try:
            async with self._turns.setdefault(sink, asyncio.Lock()), asyncio.timeout(sink.timeout_s):
                while outcome != "delivered":
                    attempts += 1
                    try:
                        await sink.deliver(message)
                        outcome = "delivered"
                    except Undelivered as error:
                        if not error.retryable or attempts >= sink.attempts:
                            raise
                        so_far = replace(pending, attempts=attempts, reason=self._clean(error.reason, sink))
                        self._log.record(key, so_far)
                        await asyncio.sleep(backoff.next() if error.retry_after_s is None else error.retry_after_s)
        except Undelivered as error:
            outcome, reason = "timed_out" if error.timed_out else "failed", error.reason
        except TimeoutError:
            outcome, reason = "timed_out", f"not done within {sink.timeout_s:g} s"
        except asyncio.CancelledError:
            reason = "the console was closed"
        except Exception as error:  # noqa: BLE001 - a sink's failure must not disturb anything
            reason = f"{type(error).__name__}: {error}"
        took_s = time.monotonic() - began
        return self._finish(sink, key, replace(pending, attempts=attempts, took_s=took_s), outcome, reason)

    def _finish(self, sink: Sink, key: str, delivery: Delivery, outcome: Outcome, reason: str) -> Delivery:
        reason = self._clean(reason, sink)
        delivery = replace(delivery, outcome=outcome, reason=reason)
        self._log.record(key, delivery)
        if outcome != "delivered":
            logger.warning("alert %r: %s: %s: %s", delivery.alert, delivery.sink, outcome, reason)
            self._on_undelivered(delivery)
        return delivery

    def _clean(self, text: str, sink: Sink) -> str:
        return one_line(without_secrets(text, (*sink.secrets, *self._secrets())), 300)


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
