"""`QueueStore`: the current snapshot, and the listeners to its changes.

Written by one thread (the loop's), read by any. A subscriber is notified of the first change at once; later
changes within its interval are reported together, so that a burst of events costs few calls.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from invoke_widgets._loop import Listeners
from invoke_widgets.events import Event
from invoke_widgets.sync.state import NOTHING, Ids, QueueState, Step

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """What changed since the last notification: the new snapshot, and the ids that are new, changed or gone.

    Counters, processor, connection and wedge may have changed even if `item_ids` is empty.
    """

    state: QueueState
    item_ids: Ids


Listener = Callable[[Change], object]
Deliver = Callable[[Callable[[], object]], object]
Schedule = Callable[[float, Callable[[], None]], Any]


class _Subscription:
    """A listener, and what it has not been notified of: it is busy, or was called less than `interval` ago."""

    def __init__(self, store: QueueStore, listener: Listener, interval: float, deliver: Deliver) -> None:
        self._store = store
        self._listener = listener
        self._interval = interval
        self._deliver = deliver
        self._lock = threading.Lock()
        self._pending: Ids | None = None
        self._is_interval = False
        self.active = True

    def notify(self, item_ids: Ids) -> None:
        with self._lock:
            pending = self._pending
            self._pending = item_ids if pending is None else pending | item_ids
        if pending is None and not self._is_interval:
            self._begin()

    def _begin(self) -> None:
        if self._interval:
            self._is_interval = True
            self._store.schedule(self._interval, self._interval_over)
        self._deliver(self._call)

    def _interval_over(self) -> None:
        self._is_interval = False
        if self._pending is not None:
            self._begin()

    def _call(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, None
        if pending is None or not self.active:
            return
        try:
            self._listener(Change(self._store.state, pending))
        except Exception:  # a listener's failure must not stop the others
            logger.exception("a listener of the queue failed")


class QueueStore:
    """The snapshot of one queue. `schedule(seconds, function)` runs a function later on the writing thread."""

    def __init__(self, schedule: Schedule) -> None:
        self._lock = threading.Lock()
        self._state = QueueState()
        self.received_at: float | None = None
        """`time.monotonic()` of the server's last sign of life. Not part of the state: it notifies no subscriber."""
        self.schedule = schedule
        self._subscriptions: list[_Subscription] = []
        self.events: Listeners[[Event]] = Listeners()
        """Notified of each of the server's events on the writing thread, after it was merged."""

    @property
    def state(self) -> QueueState:
        """The current snapshot."""
        return self._state

    def subscribe(
        self, listener: Listener, *, interval: float = 0.0, deliver: Deliver = lambda function: function()
    ) -> Callable[[], None]:
        """Call `listener(change)` on the writing thread after changes, until the returned function is called.

        Args:
            listener: must return quickly, unless there is a `deliver`; what it raises is logged.
            interval: seconds within which changes after the first are reported together.
            deliver: calls a function on another thread. While a slow listener runs there, later changes are merged.
        """
        subscription = _Subscription(self, listener, interval, deliver)
        with self._lock:
            self._subscriptions = [*self._subscriptions, subscription]

        def unsubscribe() -> None:
            subscription.active = False
            with self._lock:
                self._subscriptions = [s for s in self._subscriptions if s is not subscription]

        return unsubscribe

    def apply(self, step: Callable[[QueueState], Step]) -> Ids:
        """Replace the snapshot by the one `step` returns, notify the subscribers, and return the ids that changed."""
        with self._lock:
            before = self._state
            self._state, changed = step(before)
            same = self._state is before
            subscriptions = self._subscriptions
        if not same:
            for subscription in subscriptions:
                subscription.notify(changed)
        return changed

    def set(self, **changes: Any) -> None:
        """Replace fields of the snapshot other than its items, such as `status`; notify only if they differ."""

        def step(state: QueueState) -> Step:
            different = {key: value for key, value in changes.items() if getattr(state, key) != value}
            connection = different.pop("connection", None)
            if different:
                state = replace(state, **different)
            return (state if connection is None else state.with_connection(connection)), NOTHING

        self.apply(step)

    def set_connection(self, **changes: Any) -> None:
        """Replace fields of the snapshot's `connection`."""
        self.set(connection=replace(self._state.connection, **changes))

    def notify(self, item_ids: Iterable[int]) -> None:
        """Notify the subscribers of a change to items that is not in the snapshot itself, such as a further attempt."""
        for subscription in self._subscriptions:
            subscription.notify(frozenset(item_ids))
