"""`Alerts`: all alerts of a console. An `Alert` has a condition, a limit on its messages, and sinks to send them to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import UnionType
from typing import TYPE_CHECKING, Any

from invoke_widgets._loop import LoopThread, closed_error
from invoke_widgets.alerts.conditions import STALLED_S, Condition, Match, Tick, condition
from invoke_widgets.alerts.log import AlertLog, Delivery, delivery_of
from invoke_widgets.alerts.messages import Held, Message, message_of, sample
from invoke_widgets.alerts.sinks import Courier, Sink, Toasts, sinks_of
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive
from invoke_widgets.errors.redact import without_secrets
from invoke_widgets.events import Event
from invoke_widgets.history import HistoryFile
from invoke_widgets.jobs import follow
from invoke_widgets.notices import Notice
from invoke_widgets.records import JobError, QueueItem
from invoke_widgets.sync import Change, QueueState, QueueStore

if TYPE_CHECKING:
    import pandas as pd

On = Condition | type[Notice] | UnionType | str
"""The type of `on=`."""
To = Sink | Callable[[Message], object] | str
"""The type of `to=`, which also takes several."""
logger = logging.getLogger(__name__)

TICK_S = 0.5
LIMIT_S = 60.0
"""The default for the shortest time between two messages of an alert, in seconds."""
_DRAIN_S = 5.0
"""How long `close()` waits for messages that are being sent, in seconds."""
_QUIET = "the alert ended while it was quiet"


class Limit:
    """Lets one message through every so often, and keeps the matches in between for the next one.

    Of what is held back, the latest match of each kind is kept, with their number: some kinds come only once, as a
    queue gets stuck once. Times are monotonic, in seconds.

    Args:
        every_s: the shortest time between two messages; 0 for none.
    """

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._last = -math.inf
        self._held: dict[object, tuple[Match, int]] = {}

    @property
    def held_back(self) -> int:
        """The number of matches held back."""
        return sum(count for _, count in self._held.values())

    def take(self, match: Match) -> None:
        """Keep a match."""
        kind = (type(match.notice), match.within_s)
        _, count = self._held.get(kind, (match, 0))
        # The newest at the end. A new dict, since other threads count what is in it.
        self._held = {**{k: held for k, held in self._held.items() if k != kind}, kind: (match, count + 1)}

    def due(self, now: float, *, quiet_until: float = -math.inf) -> Held:
        """Return what is to be reported now, the newest first, and begin anew; empty while it is held back."""
        return self.rest(now) if now >= max(self._last + self.every_s, quiet_until) else ()

    def rest(self, now: float) -> Held:
        """Return everything, the newest first, and begin anew."""
        held = tuple(reversed(self._held.values()))
        if held:
            self._held, self._last = {}, now
        return held


class Alert:
    """An alert, made by `console.alert(...)`.

    Attributes:
        name: identifies the alert in its messages.
        on: the condition.
        to: the sinks.
        limit: the limit on its messages.
    """

    def __init__(
        self,
        on: Condition,
        to: Sequence[Sink],
        *,
        name: str,
        every_s: float,
        alerts: Alerts,
    ) -> None:
        self.name = name
        self.on = on
        self.to = tuple(to)
        self.limit = Limit(every_s)
        self.quiet_until = -math.inf
        self._alerts = alerts
        self._matcher = on.matcher()
        self._is_canceled = False

    @property
    def held_back(self) -> int:
        """How many times the condition came true since the last message; the next message reports it."""
        return self.limit.held_back

    @property
    def is_quiet(self) -> bool:
        """Whether its messages are held back for now."""
        return time.monotonic() < self.quiet_until

    @property
    def is_canceled(self) -> bool:
        """Whether it has ended."""
        return self._is_canceled

    def quiet(self, minutes: float) -> None:
        """Send nothing for `minutes`; what happens meanwhile is counted and reported afterwards. 0 ends the quiet.

        Raises:
            InvalidRequest: `minutes` is not a number of 0 or more.
        """
        self.quiet_until = time.monotonic() + 60 * positive("minutes", minutes, or_zero=True)

    def test(self) -> list[Delivery]:
        """Send a test message now, whatever the limit, and return its outcome: one `Delivery` for each sink."""
        return self._alerts.send_test(self)

    def cancel(self) -> None:
        """End the alert. What it holds back is sent now or, if it is quiet, recorded as dropped. May be repeated."""
        if not self._is_canceled:
            self._is_canceled = True
            self._alerts.remove(self)

    def take(self, signal: Notice | Tick, now: float, *, quiet_until: float) -> Held:
        """Take a notice, or note of the time; return what to report now."""
        if self._is_canceled:
            return ()
        if (match := self._matcher(signal, now)) is not None:
            self.limit.take(match)
        return self.limit.due(now, quiet_until=max(self.quiet_until, quiet_until))

    def __repr__(self) -> str:
        to = ", ".join(map(repr, self.to))
        name = "" if self.name == str(self.on) else f", name={self.name!r}"
        state = " canceled" if self._is_canceled else f" quiet, {self.held_back} held back" if self.is_quiet else ""
        return f"Alert({self.on!r}, to={to}{name}, at_most_every_s={self.limit.every_s:g}){state}"


class Alerts:
    """The alerts of a console, and the log of their messages: `len()`, iteration, `frame()`, `quiet()`.

    Attributes:
        log: an `AlertLog`: each delivery, with its outcome.
        toasts: the messages that the dashboards show.
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
        self.toasts = Toasts()
        self._loop, self._store = loop, store
        self._server, self._queue_id = server, queue_id
        self._error_of, self._secrets = error_of, secrets
        self._lock = threading.Lock()
        self._alerts: list[Alert] = []
        self._courier = Courier(self.log, secrets, self.toasts.undelivered)
        self._following: dict[Alert, Callable[[], None]] = {}
        self._unsubscribe: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._received_at = time.monotonic()
        self._quiet_until = -math.inf
        self._is_closed = False

    # -- for the user --------------------------------------------------------------------------------------------------

    def add(self, on: Any, to: Any = "toast", *, name: str | None = None, at_most_every_s: float = LIMIT_S) -> Alert:
        """See `Console.alert`."""
        wanted = condition(on)
        every_s = positive("at_most_every_s", at_most_every_s, or_zero=True)
        if name is not None and (not isinstance(name, str) or not name.strip() or not name.isprintable()):
            raise InvalidRequest("name: should be a line of text.", field="name")
        if self._is_closed:
            raise closed_error()
        sinks = sinks_of(to, self.toasts)
        alert = Alert(wanted, sinks, name=(name or str(wanted)).strip(), every_s=every_s, alerts=self)
        with self._lock:
            self._alerts = [*self._alerts, alert]
        self._loop.post(lambda: self._start(alert))
        return alert

    def quiet(self, minutes: float) -> None:
        """Send nothing for `minutes`; what happens meanwhile is counted and reported afterwards. 0 ends the quiet.

        Raises:
            InvalidRequest: `minutes` is not a number of 0 or more.
        """
        self._quiet_until = time.monotonic() + 60 * positive("minutes", minutes, or_zero=True)

    @property
    def is_quiet(self) -> bool:
        """Whether the messages of all alerts are held back for now."""
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

    # -- following the notices, on the loop ----------------------------------------------------------------------------

    def _start(self, alert: Alert) -> None:
        if self._is_closed or alert.is_canceled:
            return
        if not self._unsubscribe:
            self._unsubscribe = [
                self._store.subscribe(self._received),
                self._store.events.add(self._received),
            ]
            self._tick()
        self._following[alert] = follow(
            self._loop,
            self._store,
            lambda notice: self._take(alert, notice),
            error_of=self._error_of,
            stalled_s=STALLED_S if alert.on.stalled_s is None else alert.on.stalled_s,
        )

    def _take(self, alert: Alert, signal: Notice | Tick) -> None:
        with _guarded(alert):
            if due := alert.take(signal, time.monotonic(), quiet_until=self._quiet_until):
                self._send(alert, self._message(alert, due))

    def _tick(self) -> None:
        self._timer = self._loop.schedule(TICK_S, self._tick)
        tick = Tick(received_at=self._received_at, is_busy=_is_busy(self._store.state))
        for alert in self._alerts:
            self._take(alert, tick)

    def _received(self, change: Change | Event) -> None:
        if not isinstance(change, Change) or change.item_ids:
            self._received_at = time.monotonic()

    def _stop(self) -> None:
        for unsubscribe in (*self._following.values(), *self._unsubscribe):
            unsubscribe()
        self._following.clear()
        self._unsubscribe = []
        if self._timer is not None:
            self._timer.cancel()

    # -- sending, on the loop ------------------------------------------------------------------------------------------

    def _message(self, alert: Alert, held: Held) -> Message:
        return message_of(
            held,
            alert=alert.name,
            server=self._server,
            queue_id=self._queue_id,
            clean=lambda text: without_secrets(text, self._secrets()),
        )

    def _send(self, alert: Alert, message: Message) -> list[asyncio.Task[Delivery]]:
        return [self._courier.send(sink, message) for sink in alert.to]

    def send_test(self, alert: Alert) -> list[Delivery]:
        """Send a test message and wait for its outcome; from any thread but the console's."""
        message = sample(alert=alert.name, server=self._server, queue_id=self._queue_id)

        async def work() -> list[Delivery]:
            return list(await asyncio.gather(*self._send(alert, message)))

        return self._loop.call(work())

    # -- the end -------------------------------------------------------------------------------------------------------

    def remove(self, alert: Alert) -> None:
        """Forget an alert and report what it holds back; from any thread."""
        with self._lock:
            self._alerts = [other for other in self._alerts if other is not alert]
        self._loop.post(lambda: self._end(alert))

    def _end(self, alert: Alert) -> None:
        self._flush(alert)
        if alert in self._following:
            self._following.pop(alert)()
        if not self._alerts:
            self._stop()

    def _flush(self, alert: Alert) -> None:
        """Send what an alert holds back; while it is quiet, record it as dropped."""
        now = time.monotonic()
        with _guarded(alert):
            if not (held := alert.limit.rest(now)):
                return
            message = self._message(alert, held)
            if now >= max(alert.quiet_until, self._quiet_until):
                self._send(alert, message)
                return
            for sink in alert.to:
                dropped = replace(delivery_of(message, repr(sink)), outcome="dropped", reason=_QUIET)
                self.log.record(self.log.key(), dropped)

    def close(self) -> None:
        """Send what is held back, wait up to 5 s for what is being sent, and end. From any thread but the console's."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._loop.is_running or not (self._unsubscribe or self._courier.is_busy):
            return

        async def finish() -> None:
            self._stop()
            for alert in self._alerts:
                self._flush(alert)
            await self._courier.close(_DRAIN_S)

        with contextlib.suppress(InvalidRequest):  # the thread has been ended meanwhile
            self._loop.call(finish())


@contextlib.contextmanager
def _guarded(alert: Alert) -> Iterator[None]:
    """Keep the failure of one alert from the others."""
    try:
        yield
    except Exception:
        logger.exception("alert %r failed", alert.name)


def _is_busy(state: QueueState) -> bool:
    """Whether an item runs, or waits for a worker that takes items."""
    return state.status is not None and bool(state.status.in_progress or (state.status.pending and not state.is_paused))
