"""`Alert`: one condition, where its messages go, and how often."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke_widgets.alerts.limit import Limit
from invoke_widgets.alerts.log import Delivery
from invoke_widgets.alerts.rules import STALLED_S
from invoke_widgets.alerts.sinks import Sink
from invoke_widgets.conditions import Condition, Firing, Look, Others
from invoke_widgets.errors.checks import positive

if TYPE_CHECKING:
    from invoke_widgets.alerts.book import Alerts


class Alert:
    """Made by `console.alert(...)`.

    Attributes:
        name: by which its messages can be told from others'.
        on: the condition.
        to: the sinks.
    """

    def __init__(self, book: Alerts, on: Condition, to: Sequence[Sink], *, name: str, every_s: float) -> None:
        self.name = name
        self.on = on
        self.to = tuple(to)
        self.stalled_s = STALLED_S if on.stalled_s is None else on.stalled_s
        self._book = book
        self._every_s = every_s
        self._limit = Limit(every_s)
        self._watch = on.watch()
        self._canceled = False

    @property
    def held_back(self) -> int:
        """How many times it came true since its last message; the next one tells."""
        return self._limit.held_back

    @property
    def is_quiet(self) -> bool:
        return self._limit.is_quiet(time.monotonic())

    @property
    def is_canceled(self) -> bool:
        return self._canceled

    def quiet(self, minutes: float) -> None:
        """Send nothing for so long; what comes true meanwhile is counted, and told after it. 0 ends it.

        Raises:
            InvalidRequest: `minutes` is not a number of 0 or more.
        """
        self._limit.quiet(time.monotonic() + 60 * positive("minutes", minutes, or_zero=True))

    def test(self) -> list[Delivery]:
        """Send a sample now, whatever the limit, and wait for what becomes of it: one `Delivery` for each sink."""
        return self._book.test(self)

    def cancel(self) -> None:
        """End it; what it holds back is sent now, or, if it is quiet, recorded as dropped. May be called twice."""
        if not self._canceled:
            self._canceled = True
            self._book.remove(self)

    def __repr__(self) -> str:
        to = ", ".join(map(repr, self.to))
        name = "" if self.name == repr(self.on) else f", name={self.name!r}"
        state = " canceled" if self._canceled else f" quiet, {self.held_back} held back" if self.is_quiet else ""
        return f"Alert({self.on!r}, to={to}{name}, at_most_every_s={self._every_s:g}){state}"

    # -- for the book, on the console's loop ---------------------------------------------------------------------------

    def see(self, notice: Any) -> None:
        """Take a notice."""
        now = time.monotonic()
        self._take(self._watch.see(notice, now), now)

    def look(self, look: Look) -> None:
        """Notice that time has passed."""
        self._take(self._watch.look(look), look.now)
        self._tell(self._limit.due(look.now, quiet_until=self._book.quiet_until))

    def flush(self) -> None:
        """Send what is held back; what is quiet is recorded as not sent."""
        now = time.monotonic()
        rest = self._limit.rest(now)
        if rest is not None and (self._limit.is_quiet(now) or now < self._book.quiet_until):
            self._book.drop(self, *rest)
        else:
            self._tell(rest)

    def _take(self, firing: Firing | None, now: float) -> None:
        if firing is not None and not self._canceled:
            self._tell(self._limit.take(firing, now, quiet_until=self._book.quiet_until))

    def _tell(self, what: tuple[Firing, Others] | None) -> None:
        if what is not None:
            self._book.tell(self, *what)
