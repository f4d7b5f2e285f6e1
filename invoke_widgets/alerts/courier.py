"""`Courier`: takes messages to one sink, in a task of its own: a bounded queue, attempts with pauses, a record of each.

Whatever a sink does, hang, raise or take for ever, stays here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

import tenacity

from invoke_widgets.alerts.log import AlertLog, Delivery, Outcome, delivery_of
from invoke_widgets.alerts.messages import Message, one_line
from invoke_widgets.alerts.sinks import Sink, Undelivered
from invoke_widgets.errors.checks import positive, whole
from invoke_widgets.errors.redact import without_secrets

logger = logging.getLogger(__name__)

WAITING = 100
"""How many messages wait for a sink at most; further ones are dropped, and recorded so."""
_BACKOFF = tenacity.wait_exponential(multiplier=0.5, max=30.0) + tenacity.wait_random(0, 0.25)


class Courier:
    """Takes messages to one sink, one after the other. On the console's loop, but for its making.

    Args:
        sink: where to. What it says of itself is asked for once, here: later nothing it does may disturb anything.
        log: keeps what became of each.
        secrets: what else must be in no text.
        on_undelivered: called with each delivery that failed, on the loop.
    """

    def __init__(
        self,
        sink: Sink,
        log: AlertLog,
        secrets: Callable[[], tuple[str | None, ...]],
        on_undelivered: Callable[[Delivery], None] = lambda delivery: None,
    ) -> None:
        self._on_undelivered = on_undelivered
        self._sink = sink
        self._name = repr(sink)
        self._known = tuple(sink.secrets)
        self._attempts = whole("attempts", sink.attempts)
        self._timeout_s = positive("timeout_s", sink.timeout_s)
        self._log = log
        self._secrets = secrets
        self._queue: asyncio.Queue[tuple[Message, str, asyncio.Future[Delivery]]] = asyncio.Queue(WAITING)
        self._task: asyncio.Task[None] | None = None

    def send(self, message: Message) -> asyncio.Future[Delivery]:
        """Have a message delivered; the future tells what became of it, and never raises."""
        key = self._log.key()
        told: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        delivery = delivery_of(message, self._name)
        try:
            self._queue.put_nowait((message, key, told))
        except asyncio.QueueFull:
            delivery = replace(delivery, outcome="dropped", reason=f"{WAITING} others wait for it already")
            told.set_result(delivery)
            logger.warning("alert %r: %s: dropped, since %d others wait", message.alert, delivery.sink, WAITING)
            self._on_undelivered(delivery)
        self._log.record(key, delivery)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        return told

    async def drained(self) -> None:
        """Wait until all that waits has been tried."""
        await self._queue.join()

    def stop(self) -> None:
        """Give up what waits."""
        if self._task is not None:
            self._task.cancel()
        while not self._queue.empty():
            message, key, told = self._queue.get_nowait()
            self._end(message, key, told, time.monotonic(), 0, "failed", "the console was closed")

    async def _run(self) -> None:
        # Ends when nothing waits, so that nothing is left over when the console is.
        while not self._queue.empty():
            message, key, told = self._queue.get_nowait()
            try:
                await self._take(message, key, told)
            finally:
                self._queue.task_done()

    async def _take(self, message: Message, key: str, told: asyncio.Future[Delivery]) -> None:
        began = time.monotonic()
        attempts = 0

        async def attempt() -> None:
            nonlocal attempts
            attempts += 1
            await self._sink.deliver(message)

        def not_yet(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            delivery = delivery_of(message, self._name)
            self._log.record(key, replace(delivery, attempts=attempts, reason=self._clean(str(error))))

        again = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, Undelivered) and error.retryable),
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=_wait,
            before_sleep=not_yet,
            reraise=True,
        )
        outcome: Outcome = "delivered"
        reason = ""
        try:
            async with asyncio.timeout(self._timeout_s):
                await again(attempt)
        except Undelivered as error:
            outcome, reason = "timed_out" if error.timed_out else "failed", error.reason
        except TimeoutError:
            outcome, reason = "timed_out", f"not done within {self._timeout_s:g} s"
        except asyncio.CancelledError:
            self._end(message, key, told, began, attempts, "failed", "the console was closed")
            raise
        except Exception as error:  # noqa: BLE001 - a sink's failure must not disturb anything
            outcome, reason = "failed", f"{type(error).__name__}: {error}"
        self._end(message, key, told, began, attempts, outcome, reason)

    def _end(
        self,
        message: Message,
        key: str,
        told: asyncio.Future[Delivery],
        began: float,
        attempts: int,
        outcome: Outcome,
        reason: str,
    ) -> None:
        reason = self._clean(reason)
        delivery = replace(
            delivery_of(message, self._name),
            outcome=outcome,
            attempts=attempts,
            took_s=time.monotonic() - began,
            reason=reason,
        )
        self._log.record(key, delivery)
        if outcome != "delivered":
            logger.warning("alert %r: %s: not delivered: %s", message.alert, self._name, reason)
            self._on_undelivered(delivery)
        if not told.done():
            told.set_result(delivery)

    def _clean(self, text: str) -> str:
        return one_line(without_secrets(text, (*self._known, *self._secrets())), 300)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, Undelivered) else None
    return _BACKOFF(state) if asked is None else asked
