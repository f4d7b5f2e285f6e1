"""Conditions with a window of time: `rate`, `nothing_heard`, `queue_stalled`."""

from __future__ import annotations

from collections import deque
from typing import Any

from invoke_widgets.conditions import Condition, Either, Filter, Firing, Kind, Look, Watch, condition
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive, whole
from invoke_widgets.notices import JobStalled, QueueWedged

STALLED_S = 120.0
"""A job of which nothing was heard for so long counts as stalled by default: models take a while to load."""


def rate(on: Any, *, more_than: int, within_s: float) -> Condition:
    """More than so many within so long, such as `rate(JobFailed & "resource_error", more_than=5, within_s=60)`.

    Each notice counts once: after it came true, counting begins anew.

    Args:
        on: what is counted: a condition about single notices.
        more_than: it comes true with the next one, 0 or more.
        within_s: seconds.

    Raises:
        InvalidRequest: an argument does not fit.
    """
    counted = condition(on)
    if not isinstance(counted, Filter):
        raise InvalidRequest(f"on: {counted!r} cannot be counted, since it is not about single notices.")
    return _Rate(counted, whole("more_than", more_than, at_least=0), positive("within_s", within_s))


class _Rate(Condition):
    def __init__(self, counted: Filter, more_than: int, within_s: float) -> None:
        self._counted, self._more_than, self._within_s = counted, more_than, within_s
        self.stalled_s = counted.stalled_s

    def watch(self) -> Watch:
        return _RateWatch(self._counted, self._more_than, self._within_s)

    def __repr__(self) -> str:
        return f"rate({self._counted!r}, more_than={self._more_than}, within_s={self._within_s:g})"


class _RateWatch(Watch):
    def __init__(self, counted: Filter, more_than: int, within_s: float) -> None:
        self._counted, self._within_s = counted, within_s
        self._seen: deque[float] = deque(maxlen=more_than + 1)

    def see(self, notice: Any, now: float) -> Firing | None:
        if not self._counted.matches(notice):
            return None
        self._seen.append(now)
        if len(self._seen) < (self._seen.maxlen or 0) or now - self._seen[0] > self._within_s:
            return None
        count = len(self._seen)
        self._seen.clear()
        return Firing(notice=notice, count=count, within_s=self._within_s)


def nothing_heard(*, minutes: float) -> Condition:
    """The server told nothing of any item for so long, while one runs or should: also when the server is away.

    It comes true once, and again after something was heard.

    Raises:
        InvalidRequest: `minutes` is not a number above 0.
    """
    return _Silence(positive("minutes", minutes))


class _Silence(Condition):
    def __init__(self, minutes: float) -> None:
        self._minutes = minutes

    def watch(self) -> Watch:
        return _SilenceWatch(self._minutes * 60)

    def __repr__(self) -> str:
        return f"nothing_heard(minutes={self._minutes:g})"


class _SilenceWatch(Watch):
    def __init__(self, silent_s: float) -> None:
        self._silent_s = silent_s
        self._since: float | None = None
        self._told_at: float | None = None

    def look(self, look: Look) -> Firing | None:
        if not look.busy:
            self._since = self._told_at = None
            return None
        # What was not heard before there was something to hear does not count.
        self._since = look.now if self._since is None else self._since
        if self._told_at is not None and look.heard_at > self._told_at:
            self._told_at = None
        silent_s = look.now - max(self._since, look.heard_at)
        if self._told_at is not None or silent_s < self._silent_s:
            return None
        self._told_at = look.now
        return Firing(silent_s=silent_s)


def queue_stalled(*, minutes: float = STALLED_S / 60) -> Condition:
    """Nothing was heard of a running job for so long, or the queue is wedged.

    Raises:
        InvalidRequest: `minutes` is not a number above 0.
    """
    return Either(Kind(JobStalled, stalled_s=60 * positive("minutes", minutes)), Kind(QueueWedged))
