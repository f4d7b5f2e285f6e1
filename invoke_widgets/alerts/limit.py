"""`Limit`: at most one message every so often, and none while it is quiet; the rest is counted and told later."""

from __future__ import annotations

import math

from invoke_widgets.conditions import Firing


class Limit:
    """Decides when something that came true is told. Times in seconds, monotonic.

    Args:
        every_s: the shortest time between two messages; 0 for none.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._last = -math.inf
        self._quiet_until = -math.inf
        self._held: Firing | None = None
        self.held_back = 0

    def take(self, firing: Firing, now: float, *, quiet_until: float = -math.inf) -> tuple[Firing, int] | None:
        """What to tell now, and how many others it stands for; None if it is held back.

        Args:
            firing: what came true.
            now: the time.
            quiet_until: a quiet of all alerts together.
        """
        self.held_back += 1
        self._held = firing
        return self.due(now, quiet_until=quiet_until)

    def due(self, now: float, *, quiet_until: float = -math.inf) -> tuple[Firing, int] | None:
        """What was held back, when its time has come."""
        if self._held is None or now < max(self._last + self._every_s, self._quiet_until, quiet_until):
            return None
        return self.rest(now)

    def rest(self, now: float) -> tuple[Firing, int] | None:
        """What is held back, whether or not its time has come."""
        firing, count = self._held, self.held_back
        if firing is None:
            return None
        self._held, self.held_back, self._last = None, 0, now
        return firing, count - 1

    def quiet(self, until: float) -> None:
        """Tell nothing before then."""
        self._quiet_until = until

    def is_quiet(self, now: float) -> bool:
        return now < self._quiet_until
