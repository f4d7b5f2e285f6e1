"""Conditions: what an alert waits for.

A kind of notice is a condition, and so is the name of an error type. `when` narrows a kind down, `any_of` or `|` joins
conditions, and `rate`, `queue_stalled` and `nothing_received` look at a span of time.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args

from invoke_widgets.errors import InvalidRequest, JobErrorType
from invoke_widgets.errors.checks import positive, whole
from invoke_widgets.notices import JobFailed, JobStalled, Notice, QueueUnwedged, QueueWedged
from invoke_widgets.records import JobError, QueueItem

STALLED_S = 120.0
"""By default a running job counts as stalled after this many seconds of silence: models take a while to load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A condition came true: with a notice, with the last of `count` within `within_s`, or after `silent_s`."""

    notice: Any = None
    count: int = 1
    within_s: float | None = None
    silent_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What a condition may need to know while time passes.

    Attributes:
        received_at: when the server last reported on any item, monotonic, in seconds.
        is_busy: whether an item runs, or should.
    """

    received_at: float
    is_busy: bool


Matcher = Callable[[Notice | Tick, float], Match | None]
"""A condition within one alert: takes each notice, now and then a tick, and the time (monotonic, in seconds)."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Condition:
    """Something to wait for; join several with `|`. The functions of this module make them.

    Attributes:
        code: the condition as Python code, its `repr`.
        words: the condition in words, the default name of an alert.
        matcher: makes a fresh matcher for an alert.
        is_per_notice: whether it depends on a single notice alone, so that it can be counted.
        stalled_s: after how many seconds of silence a job counts as stalled; None for the default.
    """

    code: str
    words: str
    matcher: Callable[[], Matcher]
    is_per_notice: bool = False
    stalled_s: float | None = None

    def __or__(self, other: Any) -> Condition:
        return any_of(self, other)

    def __ror__(self, other: Any) -> Condition:
        return any_of(other, self)

    def __str__(self) -> str:
        return self.words[:1].upper() + self.words[1:]

    def __repr__(self) -> str:
        return self.code


def condition(value: object) -> Condition:
    """Make a condition of whatever `on=` accepts.

    Raises:
        InvalidRequest: it is not a condition.
    """
    if isinstance(value, Condition):
        return value
    if isinstance(value, str):
        return when(JobFailed, value)
    if _kinds(value):
        return when(value)
    raise InvalidRequest(
        f"on: {value!r} is not a condition.",
        suggestion="Use for example JobFailed, when(JobFailed, 'resource_error'), BatchDone, rate(JobFailed, "
        "more_than=5, within_s=60) or nothing_received(minutes=10), from invoke_widgets.alerts.",
        field="on",
    )


# -- single notices ----------------------------------------------------------------------------------------------------


def when(kind: Any, test: str | Callable[[Any], object] | None = None, /, **fields: Any) -> Condition:
    """Match notices of a kind that have certain values or pass a test.

    >>> when(JobFailed, "resource_error")
    >>> when(JobFailed, error_type="resource_error", will_retry=False)
    >>> when(JobCompleted, lambda notice: notice.item.ran_s > 60)

    Args:
        kind: a class of notices, or several joined with `|`.
        test: an error type, or a function that takes a notice and returns whether it matches. The function runs on the
            console's thread and must be quick.
        **fields: values to compare with: fields of the notice, of its `error` or of its `item`. A list, tuple or set
            matches any of its members.

    Raises:
        InvalidRequest: an argument is invalid, or no notice of that kind has such a field.
    """
    kinds = _kinds(kind)
    if not kinds:
        raise InvalidRequest(f"on: {kind!r} is not a class of notices.", field="on")
    code = " | ".join(one.__name__ for one in kinds)
    if isinstance(test, str):
        if "error_type" in fields:
            raise InvalidRequest("error_type: is given twice.", field="error_type")
        fields, test = {"error_type": test, **fields}, None
    if test is not None and (not callable(test) or isinstance(test, type) or inspect.iscoroutinefunction(test)):
        raise InvalidRequest(
            f"on: {test!r} is neither an error type nor a plain function that takes a notice.", field="on"
        )
    if "error_type" in fields:
        fields["error_type"] = _error_types(fields["error_type"])
    known = {name for one in kinds for below in _subclasses(one) for name in _fields(below)}
    for name in fields:
        if name not in known:
            raise InvalidRequest(f"on: {code} has no field {name!r}; it has {', '.join(sorted(known))}.", field="on")

    def match(signal: Notice | Tick, now: float) -> Match | None:
        is_match = (
            isinstance(signal, kinds)
            and all(_has(signal, name, value) for name, value in fields.items())
            and (test is None or bool(test(signal)))
        )
        return Match(notice=signal) if is_match else None

    tested = [] if test is None else [getattr(test, "__name__", type(test).__name__)]
    options = [*tested, *(f"{name}={_code(value)}" for name, value in fields.items())]
    details = [*tested, *(_field_words(name, value) for name, value in fields.items())]
    return Condition(
        f"when({', '.join([code, *options])})" if options else code,
        " or ".join(map(_words, kinds)) + (f" ({', '.join(details)})" if details else ""),
        lambda: match,
        is_per_notice=True,
    )


def _kinds(value: object) -> tuple[type[Notice], ...]:
    """The classes of notices that a class or a union names; empty if it is neither."""
    parts = get_args(value) if isinstance(value, UnionType) else (value,)
    return parts if all(isinstance(part, type) and issubclass(part, Notice) for part in parts) else ()


def _subclasses(kind: type) -> list[type]:
    children: list[type] = type.__subclasses__(kind)
    return [kind, *(below for child in children for below in _subclasses(child))]


def _fields(kind: Any) -> set[str]:
    """The fields of a class of notices, of its error and of its item."""
    own = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    records = [r for name, r in (("error", JobError), ("item", QueueItem)) if own.get(name, "").startswith(r.__name__)]
    return {*own, *(field.name for record in records for field in dataclasses.fields(record))}


def _has(notice: Any, name: str, wanted: Any) -> bool:
    for record in (notice, getattr(notice, "error", None), getattr(notice, "item", None)):
        if name in getattr(record, "__dataclass_fields__", ()):
            value = getattr(record, name)
            return value in wanted if isinstance(wanted, list | tuple | set | frozenset) else bool(value == wanted)
    return False


def _error_types(value: Any) -> Any:
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(_error_types(one) for one in value)
    try:
        return JobErrorType(value.lower())
    except (AttributeError, ValueError):
        names = ", ".join(JobErrorType)
        raise InvalidRequest(f"on: {value!r} is not an error type; there are {names}.", field="on") from None


_WORDS: dict[type, str] = {Notice: "any notice", QueueWedged: "queue stuck", QueueUnwedged: "queue no longer stuck"}


def _words(kind: type) -> str:
    return _WORDS.get(kind) or re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).lower()


def _field_words(name: str, value: Any) -> str:
    values = value if isinstance(value, list | tuple | set | frozenset) else (value,)
    listed = " or ".join({True: "yes", False: "no"}[v] if isinstance(v, bool) else str(v) for v in values)
    return listed if name == "error_type" else f"{name.replace('_', ' ')}: {listed}"


def _code(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_code, value))}]"
    return repr(str(value)) if isinstance(value, str) else repr(value)


# -- several conditions ------------------------------------------------------------------------------------------------


def any_of(*conditions: Any) -> Condition:
    """Match whenever one of several conditions does; `a | b` is the same.

    Raises:
        InvalidRequest: one is not a condition, or two set different times after which a job counts as stalled.
    """
    parts = [condition(part) for part in conditions]
    if not parts:
        raise InvalidRequest("on: any_of() needs at least one condition.", field="on")
    stalled = {part.stalled_s for part in parts if part.stalled_s is not None}
    if len(stalled) > 1:
        raise InvalidRequest("on: jobs count as stalled after two different times; make two alerts.", field="on")

    def matcher() -> Matcher:
        fresh = [part.matcher() for part in parts]

        def match(signal: Notice | Tick, now: float) -> Match | None:
            # Every part is asked, also after one has matched: some of them count, and a match of several says more.
            matches = filter(None, [part(signal, now) for part in fresh])
            return max(matches, key=lambda found: found.count, default=None)

        return match

    return Condition(
        " | ".join(part.code for part in parts),
        " or ".join(part.words for part in parts),
        matcher,
        is_per_notice=all(part.is_per_notice for part in parts),
        stalled_s=next(iter(stalled), None),
    )


# -- spans of time -----------------------------------------------------------------------------------------------------


def rate(on: Any, *, more_than: int, within_s: float) -> Condition:
    """Match when a condition comes true more than `more_than` times within `within_s` seconds.

    Counting starts anew after each match.

    >>> rate(when(JobFailed, "resource_error"), more_than=5, within_s=60)

    Args:
        on: what to count: a condition on single notices.
        more_than: matches with the next one; 0 or more.
        within_s: the window, in seconds.

    Raises:
        InvalidRequest: an argument is invalid.
    """
    counted = condition(on)
    if not counted.is_per_notice:
        raise InvalidRequest(f"on: {counted!r} cannot be counted, since it is not about single notices.", field="on")
    most, window_s = whole("more_than", more_than, at_least=0), positive("within_s", within_s)

    def matcher() -> Matcher:
        is_counted = counted.matcher()
        times: deque[float] = deque(maxlen=most + 1)

        def match(signal: Notice | Tick, now: float) -> Match | None:
            if is_counted(signal, now) is None:
                return None
            times.append(now)
            if len(times) <= most or now - times[0] > window_s:
                return None
            times.clear()
            return Match(notice=signal, count=most + 1, within_s=window_s)

        return match

    code = f"rate({counted.code}, more_than={most}, within_s={window_s:g})"
    words = f"more than {most:,} in {duration(window_s)}: {counted.words}"
    return Condition(code, words, matcher, stalled_s=counted.stalled_s)


def queue_stalled(*, minutes: float = STALLED_S / 60) -> Condition:
    """Match when nothing was received about a running job for `minutes`, or when the queue is stuck.

    Raises:
        InvalidRequest: `minutes` is not a number above 0.
    """
    stalled_s = 60 * positive("minutes", minutes)
    return dataclasses.replace(
        any_of(JobStalled, QueueWedged),
        code=f"queue_stalled(minutes={minutes:g})",
        words=f"job stalled for {duration(stalled_s)} or queue stuck",
        stalled_s=stalled_s,
    )


def nothing_received(*, minutes: float) -> Condition:
    """Match when the server reported nothing on any item for `minutes` while one runs or should.

    That includes a server that cannot be reached. It matches once, and again after something was received.

    Raises:
        InvalidRequest: `minutes` is not a number above 0.
    """
    longest_s = 60 * positive("minutes", minutes)

    def matcher() -> Matcher:
        busy_since: float | None = None
        matched_at: float | None = None

        def match(signal: Notice | Tick, now: float) -> Match | None:
            nonlocal busy_since, matched_at
            if not isinstance(signal, Tick):
                return None
            if not signal.is_busy:
                busy_since = matched_at = None
                return None
            if busy_since is None:
                busy_since = now
            if matched_at is not None and signal.received_at > matched_at:
                matched_at = None
            # Silence before there was anything to report does not count.
            silent_s = now - max(busy_since, signal.received_at)
            if matched_at is not None or silent_s < longest_s:
                return None
            matched_at = now
            return Match(silent_s=silent_s)

        return match

    return Condition(f"nothing_received(minutes={minutes:g})", f"nothing received for {duration(longest_s)}", matcher)


def duration(seconds: float) -> str:
    """Seconds in words, such as "60 s" or "5 minutes"."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} minutes" if seconds < 7200 else f"{seconds / 3600:.3g} hours"
