"""Checks of arguments. numpy's numbers are taken; booleans, strings and NaN are refused."""

from __future__ import annotations

import math
from numbers import Integral, Real

from invoke_widgets.errors import InvalidRequest


def positive(name: str, value: object, *, or_zero: bool = False) -> float:
    """Return a finite number above 0, or with `or_zero` of 0 or above.

    Raises:
        InvalidRequest: it is not one; `field` is `name`.
    """
    number = _number(value)
    if number is None or not (number >= 0 if or_zero else number > 0):
        least = "0 or above" if or_zero else "above 0"
        raise InvalidRequest(f"{name}: should be a number {least}, got {value!r}.", field=name)
    return number


def whole(name: str, value: object, *, at_least: int = 1) -> int:
    """Return an integer of `at_least` or more.

    Raises:
        InvalidRequest: it is not one; `field` is `name`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < at_least:
        raise InvalidRequest(f"{name}: should be an integer of {at_least} or more, got {value!r}.", field=name)
    return int(value)


def seconds(name: str, value: object) -> float:
    """Return a finite number of seconds, 0 or more.

    Raises:
        InvalidRequest: it is not one; `field` is `name`.
    """
    number = _number(value)
    if number is None or number < 0:
        raise InvalidRequest(f"{name}: should be a number of seconds, 0 or more, got {value!r}.", field=name)
    return number


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        return None
    return float(value)
