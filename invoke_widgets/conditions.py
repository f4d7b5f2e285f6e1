"""What an alert waits for, composed with `&` and `|`: `JobFailed & "resource_error" | BatchDone`.

Every kind of notice is a condition by itself (`notice_records`), and so is a class of error, by its member or its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, ClassVar, get_args

from invoke_widgets.errors import InvalidRequest, JobErrorType


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A condition came true: with a notice, with the last of `count` within `within_s`, or after `silent_s`."""

    notice: Any = None
    count: int = 1
    within_s: float | None = None
    silent_s: float | None = None


Others = tuple[tuple[Firing, int], ...]
"""What else came true: the latest of each kind, the newest first, and how many there were of it beside what is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a condition may want to know when time has passed; times in seconds, monotonic.

    Attributes:
        now: the time.
        heard_at: when the server last told of any item.
        busy: whether something runs, or should.
    """

    now: float
    heard_at: float
    busy: bool


class Watch:
    """One alert's state of a condition."""

    def see(self, notice: Any, now: float) -> Firing | None:
        """Whether a notice makes it come true."""
        return None

    def look(self, look: Look) -> Firing | None:
        """Whether time does."""
        return None


class Condition:
    """Combine with `&` and `|`; `watch()` makes the state of one alert."""

    stalled_s: float | None = None
    """After how many seconds without a sign a job counts as stalled; None: no wish."""

    def watch(self) -> Watch:
        raise NotImplementedError

    def __and__(self, other: Any) -> Condition:
        return Both(self, condition(other))

    def __rand__(self, other: Any) -> Condition:
        return Both(condition(other), self)

    def __or__(self, other: Any) -> Condition:
        return Either(self, condition(other))

    def __ror__(self, other: Any) -> Condition:
        return Either(condition(other), self)


class Filter(Condition, Watch):
    """A condition about one notice, without a state."""

    def matches(self, notice: Any) -> bool:
        raise NotImplementedError

    def may_match(self, kind: type) -> bool:
        """Whether there can be a notice of exactly this kind that matches."""
        raise NotImplementedError

    def watch(self) -> Watch:
        return self

    def see(self, notice: Any, now: float) -> Firing | None:
        return Firing(notice=notice) if self.matches(notice) else None


class Kind(Filter):
    """A notice is of a kind, or of one below it."""

    def __init__(self, kind: type, *, stalled_s: float | None = None) -> None:
        self._kind = kind
        self.stalled_s = stalled_s

    def matches(self, notice: Any) -> bool:
        return isinstance(notice, self._kind)

    def may_match(self, kind: type) -> bool:
        return issubclass(kind, self._kind)

    def __repr__(self) -> str:
        return self._kind.__name__


class ErrorIs(Filter):
    """A notice has a classified error, of this class."""

    def __init__(self, error_type: JobErrorType) -> None:
        self._error_type = error_type

    def matches(self, notice: Any) -> bool:
        return getattr(getattr(notice, "error", None), "error_type", None) is self._error_type

    def may_match(self, kind: type) -> bool:
        error = getattr(kind, "__dataclass_fields__", {}).get("error")
        return error is not None and getattr(error.type, "__name__", error.type) == "JobError"

    def __repr__(self) -> str:
        return str(self._error_type)


class Both(Filter):
    """Both of two filters match.

    Raises:
        InvalidRequest: one of them is not about a single notice, or no notice can match both.
    """

    def __init__(self, one: Condition, other: Condition) -> None:
        for part in (one, other):
            if not isinstance(part, Filter):
                raise InvalidRequest(
                    f"on: {part!r} cannot be combined with &, since it is not about a single notice.",
                    suggestion="Combine it with |, or write the & within it: rate(JobFailed & 'resource_error', ...).",
                )
        self._parts: Sequence[Filter] = [part for part in (one, other) if isinstance(part, Filter)]
        if not any(self.may_match(kind) for kind in NoticeKind.kinds):
            raise InvalidRequest(f"on: there is no notice that is both {one!r} and {other!r}.")
        self.stalled_s = _stalled_s(self._parts)

    def matches(self, notice: Any) -> bool:
        return all(part.matches(notice) for part in self._parts)

    def may_match(self, kind: type) -> bool:
        return all(part.may_match(kind) for part in self._parts)

    def __repr__(self) -> str:
        return " & ".join(f"({part!r})" if isinstance(part, EitherFilter) else repr(part) for part in self._parts)


class EitherFilter(Filter):
    """One of two filters matches."""

    def __init__(self, parts: Sequence[Filter]) -> None:
        self._parts = parts
        self.stalled_s = _stalled_s(parts)

    def matches(self, notice: Any) -> bool:
        return any(part.matches(notice) for part in self._parts)

    def may_match(self, kind: type) -> bool:
        return any(part.may_match(kind) for part in self._parts)

    def __repr__(self) -> str:
        return " | ".join(map(repr, self._parts))


class Kinds(EitherFilter):
    """`A | B` of kinds of notices: a filter, and for `isinstance`, annotations and further `|` the union that it is."""

    def __init__(self, union: UnionType) -> None:
        super().__init__([Kind(kind) for kind in get_args(union)])
        self.union = union

    def __or__(self, other: Any) -> Any:
        return _union(self.union | _plain(other)) if _is_type(other) else super().__or__(other)

    def __ror__(self, other: Any) -> Any:
        return _union(_plain(other) | self.union) if _is_type(other) else super().__ror__(other)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self.union)

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self.union)


def _is_type(value: object) -> bool:
    return value is None or isinstance(value, type | UnionType | Kinds)


def _plain(value: Any) -> Any:
    return value.union if isinstance(value, Kinds) else value


def _union(union: Any) -> Any:
    """A union as ever, or one of kinds of notices alone, which can be combined with more than types."""
    parts = get_args(union)  # none of what is no union: A | A is A
    return Kinds(union) if parts and all(isinstance(part, NoticeKind) for part in parts) else union


class EitherWatch(Condition):
    """One of two conditions comes true, of which one has a state."""

    def __init__(self, parts: Sequence[Condition]) -> None:
        self._parts = parts
        self.stalled_s = _stalled_s(parts)

    def watch(self) -> Watch:
        return _Watches([part.watch() for part in self._parts])

    def __repr__(self) -> str:
        return " | ".join(map(repr, self._parts))


class _Watches(Watch):
    def __init__(self, parts: Sequence[Watch]) -> None:
        self._parts = parts

    def see(self, notice: Any, now: float) -> Firing | None:
        # Each of them: they count.
        return next(filter(None, [part.see(notice, now) for part in self._parts]), None)

    def look(self, look: Look) -> Firing | None:
        return next(filter(None, [part.look(look) for part in self._parts]), None)


def Either(*parts: Condition) -> Condition:  # noqa: N802 - as a class would be called
    """One of several conditions comes true."""
    filters = [part for part in parts if isinstance(part, Filter)]
    return EitherFilter(filters) if len(filters) == len(parts) else EitherWatch(parts)


class NoticeKind(type):
    """The class of the classes of notices: `&` and `|` make conditions, which are unions where all are classes."""

    kinds: ClassVar[list[type]] = []

    def __init__(cls, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        NoticeKind.kinds.append(cls)

    def __and__(cls, other: Any) -> Condition:
        return Both(Kind(cls), condition(other))

    def __rand__(cls, other: Any) -> Condition:
        return Both(condition(other), Kind(cls))

    def __or__(cls, other: Any) -> Any:
        if _is_type(other):
            return _union(super().__or__(_plain(other)))
        return Either(Kind(cls), condition(other))

    def __ror__(cls, other: Any) -> Any:
        if _is_type(other):
            return _union(super().__ror__(_plain(other)))
        return Either(condition(other), Kind(cls))


def condition(value: object) -> Condition:
    """What `on=` takes, as a condition.

    Raises:
        InvalidRequest: it is none.
    """
    if isinstance(value, Condition):
        return value
    if isinstance(value, NoticeKind):
        return Kind(value)
    if isinstance(value, UnionType):
        return Either(*(condition(part) for part in get_args(value)))
    if isinstance(value, str):
        try:
            return ErrorIs(JobErrorType(value.lower()))
        except ValueError:
            names = ", ".join(JobErrorType)
            raise InvalidRequest(f"on: {value!r} is no class of error; there are {names}.") from None
    raise InvalidRequest(
        f"on: {value!r} is no condition.",
        suggestion="Such as JobFailed, JobFailed & 'resource_error', BatchDone, rate(JobFailed, more_than=5, "
        "within_s=60), nothing_heard(minutes=10), from invoke_widgets.alerts.",
    )


def _stalled_s(parts: Sequence[Condition]) -> float | None:
    wishes = {part.stalled_s for part in parts if part.stalled_s is not None}
    if len(wishes) > 1:
        raise InvalidRequest("on: two different times after which a job counts as stalled; make two alerts.")
    return next(iter(wishes), None)
