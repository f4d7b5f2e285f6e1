"""`Alerts`: all alerts of one console. It follows the notices, asks each alert, and hands messages to the couriers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import UnionType
from typing import TYPE_CHECKING, Any

from invoke_widgets._loop import LoopThread, closed_error
from invoke_widgets.alerts.alert import Alert
from invoke_widgets.alerts.courier import Courier
from invoke_widgets.alerts.log import AlertLog, Delivery, delivery_of
from invoke_widgets.alerts.messages import Message
from invoke_widgets.alerts.sinks import Callback, Sink
from invoke_widgets.alerts.toasts import Toasts
from invoke_widgets.alerts.wording import message_of, sample
from invoke_widgets.conditions import Condition, Firing, Look, NoticeKind, Others, condition
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive
from invoke_widgets.errors.redact import without_secrets
from invoke_widgets.history import HistoryFile
from invoke_widgets.jobs import follow
from invoke_widgets.records import JobError, QueueItem
from invoke_widgets.sync import Change, QueueState, QueueStore

if TYPE_CHECKING:
    import pandas as pd

On = Condition | NoticeKind | UnionType | str
"""What `on=` takes."""
To = Sink | Callable[[Message], object] | str
"""What `to=` takes, or several of them."""
logger = logging.getLogger(__name__)

TICK_S = 0.5
LIMIT_S = 60.0
"""The shortest time between two messages of an alert, where nothing else is said."""
_DRAIN_S = 5.0
"""So long `close()` waits for messages that are under way."""
_QUIET = "it was quiet until the alert ended"


class Alerts:
    """The alerts of a console, and the log of what they sent: `len()`, iteration, `frame()`, `quiet()`.

    Attributes:
        log: an `AlertLog`: every delivery, with its outcome.
        toasts: what the dashboards show.
    """

    def __init__(
        self,
        loop: LoopThread,
        store: QueueStore,
        *,
        server: str,
        queue_id: str,
        error_of: Callable[[QueueItem], JobError | None],
        secrets: Callable[[], tuple[str | None, ...]],
        file: HistoryFile | None = None,
        source: str = "",
    ) -> None:
        self.log = AlertLog(file=file, source=source, secrets=secrets)
        self.toasts = Toasts(lambda: loop.post(store.tell))
        self._loop, self._store = loop, store
        self._server, self._queue_id = server, queue_id
        self._error_of, self._secrets = error_of, secrets
        self._lock = threading.Lock()
        self._alerts: list[Alert] = []
        self._couriers: dict[Sink, Courier] = {}
        self._following: dict[float, Callable[[], None]] = {}
        self._ends: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = time.monotonic()
        self._quiet_until = -math.inf
        self._closed = False

    # -- for a person ------------------------------------------------------------------------------------------------

    def add(self, on: Any, to: Any = "toast", *, name: str | None = None, at_most_every_s: float = LIMIT_S) -> Alert:
        """See `Console.alert`."""
        wanted = condition(on)
        every_s = positive("at_most_every_s", at_most_every_s, or_zero=True)
        if name is not None and (not isinstance(name, str) or not name.strip() or not name.isprintable()):
            raise InvalidRequest("name: should be a line of text.")
        if self._closed:
            raise closed_error()
        sinks = self._sinks(to)
        for sink in sinks:
            self._courier(sink)  # what is wrong with a sink of one's own shows here
        alert = Alert(self, wanted, sinks, name=(name or repr(wanted)).strip(), every_s=every_s)
        with self._lock:
            self._alerts = [*self._alerts, alert]
        self._loop.post(lambda: self._start(alert))
        return alert

    def quiet(self, minutes: float) -> None:
        """Send nothing for so long; what comes true meanwhile is counted, and told after it. 0 ends it.

        Raises:
            InvalidRequest: `minutes` is not a number of 0 or more.
        """
        self._quiet_until = time.monotonic() + 60 * positive("minutes", minutes, or_zero=True)

    @property
    def is_quiet(self) -> bool:
        return time.monotonic() < self._quiet_until

    def frame(self) -> pd.DataFrame:
        """One row per message and sink, oldest first, with its outcome."""
        return self.log.frame()

    def cancel(self) -> None:
        """Cancel all alerts."""
        for alert in self:
            alert.cancel()

    def __len__(self) -> int:
        return len(self._alerts)

    def __iter__(self) -> Iterator[Alert]:
        return iter(self._alerts)

    def __repr__(self) -> str:
        head = f"Alerts({len(self)}{', quiet' if self.is_quiet else ''})"
        return "\n".join([head, *(f"  {alert!r}" for alert in self)])

    def _sinks(self, to: Any) -> list[Sink]:
        wanted = list(to) if isinstance(to, list | tuple | set | frozenset) else [to]
        if not wanted:
            raise InvalidRequest("to: should be one sink or more.")
        return [self._sink(one) for one in wanted]

    def _sink(self, to: Any) -> Sink:
        if isinstance(to, Sink):
            return to
        if to == "toast":
            return self.toasts
        if not callable(to) or isinstance(to, type):
            raise InvalidRequest(
                f"to: {type(to).__name__} is nowhere that a message can go.",
                suggestion="'toast', a function, Webhook(...), Email(...) or Apprise(...), or a list of them.",
            )
        return Callback(to)

    # -- for its alerts, on the loop -----------------------------------------------------------------------------------

    def tell(self, alert: Alert, firing: Firing, others: Others) -> list[asyncio.Future[Delivery]]:
        """Send what came true."""
        return self._send(alert, self._message(alert, firing, others))

    def _send(self, alert: Alert, message: Message) -> list[asyncio.Future[Delivery]]:
        return [self._courier(sink).send(message) for sink in alert.to]

    def _courier(self, sink: Sink) -> Courier:
        with self._lock:
            if sink not in self._couriers:
                self._couriers[sink] = Courier(sink, self.log, self._secrets, self.toasts.undelivered)
            return self._couriers[sink]

    def drop(self, alert: Alert, firing: Firing, others: Others) -> None:
        """Record what is not sent, since it was quiet to the end."""
        message = self._message(alert, firing, others)
        for sink in alert.to:
            self.log.record(self.log.key(), replace(delivery_of(message, repr(sink)), outcome="dropped", reason=_QUIET))

    def _message(self, alert: Alert, firing: Firing, others: Others) -> Message:
        return message_of(
            firing,
            alert=alert.name,
            held_back=others,
            server=self._server,
            queue_id=self._queue_id,
            clean=lambda text: without_secrets(text, self._secrets()),
        )

    def test(self, alert: Alert) -> list[Delivery]:
        """Send a sample, and wait for what becomes of it; from any thread but the console's."""
        message = sample(alert=alert.name, server=self._server, queue_id=self._queue_id)

        async def work() -> list[Delivery]:
            return list(await asyncio.gather(*self._send(alert, message)))

        return self._loop.call(work())

    def remove(self, alert: Alert) -> None:
        """Forget an alert, and tell what it holds back."""
        with self._lock:
            self._alerts = [other for other in self._alerts if other is not alert]
        self._loop.post(lambda: self._end(alert))

    @property
    def quiet_until(self) -> float:
        return self._quiet_until

    # -- following -----------------------------------------------------------------------------------------------------

    def _start(self, alert: Alert) -> None:
        if self._closed:
            return
        if not self._ends:
            self._ends = [
                self._store.subscribe(self._changed),
                self._store.subscribe_events(lambda _: self._heard()),
            ]
            self._tick()
        stalled_s = alert.stalled_s
        if stalled_s not in self._following:
            self._following[stalled_s] = follow(
                self._loop,
                self._store,
                lambda notice: self._see(stalled_s, notice),
                error_of=self._error_of,
                stalled_s=stalled_s,
            )

    def _end(self, alert: Alert) -> None:
        _guarded(alert, alert.flush)
        left = {other.stalled_s for other in self._alerts}
        for stalled_s in [s for s in self._following if s not in left]:
            self._following.pop(stalled_s)()
        if not left:
            self._stop()

    def _stop(self) -> None:
        for end in (*self._following.values(), *self._ends):
            end()
        self._following.clear()
        self._ends = []
        if self._timer is not None:
            self._timer.cancel()

    def _see(self, stalled_s: float, notice: Any) -> None:
        for alert in self._alerts:
            if alert.stalled_s == stalled_s:
                _guarded(alert, lambda alert=alert: alert.see(notice))  # type: ignore[misc]

    def _changed(self, change: Change) -> None:
        if change.item_ids:
            self._heard()

    def _heard(self) -> None:
        self._heard_at = time.monotonic()

    def _tick(self) -> None:
        self._timer = self._loop.schedule(TICK_S, self._tick)
        look = Look(now=time.monotonic(), heard_at=self._heard_at, busy=_busy(self._store.state))
        for alert in self._alerts:
            _guarded(alert, lambda alert=alert: alert.look(look))  # type: ignore[misc]

    # -- ending --------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Tell what is held back, wait up to 5 s for what is under way, and end. From any thread but the console's."""
        if self._closed:
            return
        self._closed = True
        if not self._loop.is_running or not (self._ends or self._couriers):
            return

        async def finish() -> None:
            self._stop()
            for alert in self._alerts:
                _guarded(alert, alert.flush)
            couriers = list(self._couriers.values())
            waiting = [asyncio.ensure_future(courier.drained()) for courier in couriers]
            if waiting:
                await asyncio.wait(waiting, timeout=_DRAIN_S)
            for task in waiting:
                task.cancel()
            for courier in couriers:
                courier.stop()
            await asyncio.sleep(0)

        with contextlib.suppress(InvalidRequest):  # somebody else has ended the thread meanwhile
            self._loop.call(finish())


def _guarded(alert: Alert, work: Callable[[], None]) -> None:
    """Keep what goes wrong with one alert from the others."""
    try:
        work()
    except Exception:  # as it says
        logger.exception("alert %r failed", alert.name)


def _busy(state: QueueState) -> bool:
    """Whether an item runs, or waits for a worker that takes items."""
    status = state.status
    if status is None:
        return False
    paused = state.processor is not None and not state.processor.is_started
    return bool(status.in_progress or (status.pending and not paused))
