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
from invoke_widgets.alerts.sinks import Callback, Courier, Sink, Toasts
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
Due = tuple[Match, Held]
"""The match to report, and what was held back before it."""
logger = logging.getLogger(__name__)

TICK_S = 0.5
LIMIT_S = 60.0
"""The default for the shortest time between two messages of an alert, in seconds."""
_DRAIN_S = 5.0
"""How long `close()` waits for messages that are being sent, in seconds."""
_QUIET = "the alert ended while it was quiet"


class Limit:
    """Lets one message through every so often, and none while quiet; counts the rest and reports it later.

    Of what is held back, the latest match of each kind is kept, since some kinds come only once: a queue gets stuck
    once. Times are monotonic, in seconds.

    Args:
        every_s: the shortest time between two messages; 0 for none.
    """

    def __init__(self, every_s: float) -> None:
        self.quiet_until = -math.inf
        self._every_s = every_s
        self._last = -math.inf
        self._held: dict[object, tuple[Match, int]] = {}

    @property
    def held_back(self) -> int:
        """The number of matches held back."""
        return sum(count for _, count in self._held.values())

    def take(self, match: Match, now: float, *, quiet_until: float = -math.inf) -> Due | None:
        """Take a match and return what to report now, if anything.

        Args:
            match: what came true.
            now: the time.
            quiet_until: until when all alerts are quiet.
        """
        kind = (type(match.notice), match.within_s)
        _, count = self._held.get(kind, (match, 0))
        # The newest at the end. A new dict, since other threads count what is in it.
        self._held = {**{k: held for k, held in self._held.items() if k != kind}, kind: (match, count + 1)}
        return self.due(now, quiet_until=quiet_until)

    def due(self, now: float, *, quiet_until: float = -math.inf) -> Due | None:
        """Return what was held back if its time has come."""
        if not self._held or now < max(self._last + self._every_s, self.quiet_until, quiet_until):
            return None
        return self.rest(now)

    def rest(self, now: float) -> Due | None:
        """Return what is held back, whether or not its time has come."""
        if not self._held:
            return None
        (match, count), *others = reversed(self._held.values())
        self._held, self._last = {}, now
        return match, ((match, count - 1), *others) if count > 1 else tuple(others)


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
        self.stalled_s = STALLED_S if on.stalled_s is None else on.stalled_s
        self._every_s = every_s
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
        return time.monotonic() < self.limit.quiet_until

    @property
    def is_canceled(self) -> bool:
        """Whether it has ended."""
        return self._is_canceled

    def quiet(self, minutes: float) -> None:
        """Send nothing for `minutes`; what happens meanwhile is counted and reported afterwards. 0 ends the quiet.

        Raises:
            InvalidRequest: `minutes` is not a number of 0 or more.
        """
        self.limit.quiet_until = time.monotonic() + 60 * positive("minutes", minutes, or_zero=True)

    def test(self) -> list[Delivery]:
        """Send a test message now, whatever the limit, and return its outcome: one `Delivery` for each sink."""
        return self._alerts.send_test(self)

    def cancel(self) -> None:
        """End the alert. What it holds back is sent now or, if it is quiet, recorded as dropped. May be repeated."""
        if not self._is_canceled:
            self._is_canceled = True
            self._alerts.remove(self)

    def on_notice(self, notice: Notice, now: float, *, quiet_until: float) -> Due | None:
        """Take a notice; return what to report now, if anything."""
        match = self._matcher.on_notice(notice, now)
        if match is None or self._is_canceled:
            return None
        return self.limit.take(match, now, quiet_until=quiet_until)

    def on_tick(self, tick: Tick, *, quiet_until: float) -> Due | None:
        """Take note of the time; return what to report now, if anything."""
        match = self._matcher.on_tick(tick)
        if match is None or self._is_canceled:
            return self.limit.due(tick.now, quiet_until=quiet_until)
        return self.limit.take(match, tick.now, quiet_until=quiet_until)

    def __repr__(self) -> str:
        to = ", ".join(map(repr, self.to))
        name = "" if self.name == str(self.on) else f", name={self.name!r}"
        state = " canceled" if self._is_canceled else f" quiet, {self.held_back} held back" if self.is_quiet else ""
        return f"Alert({self.on!r}, to={to}{name}, at_most_every_s={self._every_s:g}){state}"


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
        self._couriers: dict[Sink, Courier] = {}
        self._following: dict[float, Callable[[], None]] = {}
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
        sinks = _sinks(to, self.toasts)
        alert = Alert(wanted, sinks, name=(name or str(wanted)).strip(), every_s=every_s, alerts=self)
        with self._lock:
            # An odd sink is refused here, before anything is kept.
            self._couriers |= {sink: self._courier(sink) for sink in alert.to}
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
                self._store.subscribe_events(self._received),
            ]
            self._tick()
        stalled_s = alert.stalled_s
        if stalled_s not in self._following:
            self._following[stalled_s] = follow(
                self._loop,
                self._store,
                lambda notice: self._notify(stalled_s, notice),
                error_of=self._error_of,
                stalled_s=stalled_s,
            )

    def _notify(self, stalled_s: float, notice: Notice) -> None:
        now = time.monotonic()
        for alert in self._alerts:
            if alert.stalled_s == stalled_s:
                with _guarded(alert):
                    self._report(alert, alert.on_notice(notice, now, quiet_until=self._quiet_until))

    def _tick(self) -> None:
        self._timer = self._loop.schedule(TICK_S, self._tick)
        tick = Tick(now=time.monotonic(), received_at=self._received_at, is_busy=_is_busy(self._store.state))
        for alert in self._alerts:
            with _guarded(alert):
                self._report(alert, alert.on_tick(tick, quiet_until=self._quiet_until))

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

    def _report(self, alert: Alert, due: Due | None) -> None:
        if due is not None:
            self._send(alert, self._message(alert, *due))

    def _message(self, alert: Alert, match: Match, held_back: Held) -> Message:
        return message_of(
            match,
            alert=alert.name,
            held_back=held_back,
            server=self._server,
            queue_id=self._queue_id,
            clean=lambda text: without_secrets(text, self._secrets()),
        )

    def _send(self, alert: Alert, message: Message) -> list[asyncio.Future[Delivery]]:
        with self._lock:
            couriers = {sink: self._courier(sink) for sink in alert.to}
            self._couriers |= couriers
        return [couriers[sink].send(message) for sink in alert.to]

    def _courier(self, sink: Sink) -> Courier:
        """Return the sink's courier, or a new one; called with the lock held."""
        return self._couriers.get(sink) or Courier(
            sink, self.log, self._secrets, self.toasts.undelivered, on_idle=lambda: self._release([sink])
        )

    def _release(self, sinks: Sequence[Sink]) -> None:
        """Forget the couriers of these sinks that have nothing to deliver and that no alert uses."""
        with self._lock:
            used = {sink for alert in self._alerts for sink in alert.to}
            for sink in sinks:
                courier = self._couriers.get(sink)
                if courier is not None and courier.is_idle and sink not in used:
                    del self._couriers[sink]

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
        self._release(alert.to)
        left = {other.stalled_s for other in self._alerts}
        for stalled_s in [s for s in self._following if s not in left]:
            self._following.pop(stalled_s)()
        if not left:
            self._stop()

    def _flush(self, alert: Alert) -> None:
        """Send what an alert holds back; while it is quiet, record it as dropped."""
        now = time.monotonic()
        with _guarded(alert):
            due = alert.limit.rest(now)
            if due is None or now >= max(alert.limit.quiet_until, self._quiet_until):
                self._report(alert, due)
                return
            message = self._message(alert, *due)
            for sink in alert.to:
                dropped = replace(delivery_of(message, repr(sink)), outcome="dropped", reason=_QUIET)
                self.log.record(self.log.key(), dropped)

    def close(self) -> None:
        """Send what is held back, wait up to 5 s for what is being sent, and end. From any thread but the console's."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._loop.is_running or not (self._unsubscribe or self._couriers):
            return

        async def finish() -> None:
            self._stop()
            for alert in self._alerts:
                self._flush(alert)
            couriers = list(self._couriers.values())
            waiting = [asyncio.ensure_future(courier.drained()) for courier in couriers]
            if waiting:
                await asyncio.wait(waiting, timeout=_DRAIN_S)
            for task in waiting:
                task.cancel()
            for courier in couriers:
                courier.stop()
            await asyncio.sleep(0)

        with contextlib.suppress(InvalidRequest):  # the thread has been ended meanwhile
            self._loop.call(finish())


def _sinks(to: Any, toasts: Toasts) -> list[Sink]:
    wanted = list(to) if isinstance(to, list | tuple | set | frozenset) else [to]
    if not wanted:
        raise InvalidRequest("to: should be at least one sink.", field="to")
    sinks: list[Sink] = []
    for one in wanted:
        if isinstance(one, Sink):
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


@contextlib.contextmanager
def _guarded(alert: Alert) -> Iterator[None]:
    """Keep the failure of one alert from the others."""
    try:
        yield
    except Exception:
        logger.exception("alert %r failed", alert.name)


def _is_busy(state: QueueState) -> bool:
    """Whether an item runs, or waits for a worker that takes items."""
    is_paused = state.processor is not None and not state.processor.is_started
    return state.status is not None and bool(state.status.in_progress or (state.status.pending and not is_paused))
