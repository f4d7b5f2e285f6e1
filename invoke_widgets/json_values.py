"""Values out of decoded JSON that anybody may have sent: what fits is taken, what does not is None, 0 or an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def parse_time(value: object) -> datetime | None:
    """A server's timestamp as an aware UTC datetime; None for anything that is not one."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: out of the years 1 to 9999 once in UTC
        return None


def integer(data: Mapping[str, Any], key: str) -> int:
    """A field that has to be there.

    Raises:
        ValueError: it is missing, or something else.
    """
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key} should be an integer, got {value!r}")  # noqa: TRY004 - bad data, not a bad call
    return value


def integers(data: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """As `integer`, for a list of them."""
    values = data.get(key)
    if not isinstance(values, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in values):
        raise ValueError(f"{key} should be a list of integers")
    return tuple(values)


def text(data: Mapping[str, Any], key: str) -> str:
    """As `integer`."""
    value = data.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} should be a string, got {value!r}")  # noqa: TRY004
    return value


def optional_text(value: object) -> str | None:
    """A string, or None for anything else."""
    return value if isinstance(value, str) else None


def optional_integer(value: object) -> int | None:
    """An integer, or None for anything else, `true` included."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def count(data: Mapping[str, Any], key: str) -> int:
    """A number of things; 0 if it is missing or something else."""
    return optional_integer(data.get(key)) or 0


def mapping(data: object) -> Mapping[str, Any]:
    """The object itself.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"expected a JSON object, got {type(data).__name__}")  # noqa: TRY004
    return data
