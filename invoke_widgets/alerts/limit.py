"""`Limit`: at most one message every so often, and none while it is quiet; the rest is counted and told later.

What is told later is the latest of each kind, since of some kinds there is only ever one: a queue is wedged once.
"""

from __future__ import annotations

import math

from invoke_widgets.conditions import Firing, Others


class Limit:
    """Decides when something that came true is told. Times in seconds, monotonic.

    Args:
        every_s: the shortest time between two messages; 0 for none.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._last = -math.inf
        self._quiet_until = -math.inf
        self._held: dict[object, tuple[Firing, int]] = {}

    @property
    def held_back(self) -> int:
        """How many have not been told."""
        return sum(count for _, count in self._held.values())

    def take(self, firing: Firing, now: float, *, quiet_until: float = -math.inf) -> tuple[Firing, Others] | None:
        """What to tell now, and what else it stands for; None if it is held back.

        Args:
            firing: what came true.
            now: the time.
            quiet_until: a quiet of all alerts together.
        """
        kind = (type(firing.notice), firing.within_s)
        _, count = self._held.get(kind, (firing, 0))
        others = {k: held for k, held in self._held.items() if k != kind}
        self._held = {**others, kind: (firing, count + 1)}  # the newest at the end
        return self.due(now, quiet_until=quiet_until)

    def due(self, now: float, *, quiet_until: float = -math.inf) -> tuple[Firing, Others] | None:
        """What was held back, when its time has come."""
        if not self._held or now < max(self._last + self._every_s, self._quiet_until, quiet_until):
            return None
        return self.rest(now)

    def rest(self, now: float) -> tuple[Firing, Others] | None:
        """What is held back, whether or not its time has come."""
        if not self._held:
            return None
        (firing, count), *others = reversed(self._held.values())
        self._held, self._last = {}, now
        return firing, ((firing, count - 1), *others) if count > 1 else tuple(others)

    def quiet(self, until: float) -> None:
        """Tell nothing before then."""
        self._quiet_until = until

    def is_quiet(self, now: float) -> bool:
        return now < self._quiet_until
