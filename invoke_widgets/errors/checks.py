"""Checks of arguments that several rooms here share."""

from __future__ import annotations

import math

from invoke_widgets.errors import InvalidRequest


def positive(name: str, value: object, *, or_zero: bool = False) -> float:
    """A number above 0.

    Raises:
        InvalidRequest: it is not.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not (value >= 0 if or_zero else value > 0)
    ):
        least = "0 or above" if or_zero else "above 0"
        raise InvalidRequest(f"{name}: should be a number {least}, got {value!r}.")
    return float(value)


def whole(name: str, value: object, *, least: int = 1) -> int:
    """An integer of `least` or more.

    Raises:
        InvalidRequest: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidRequest(f"{name}: should be an integer of {least} or more, got {value!r}.")
    return value
