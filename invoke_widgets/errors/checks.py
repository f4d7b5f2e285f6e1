"""Argument checks, which raise `InvalidRequest` with the argument's name as its `field`.

NumPy's integers and floats are taken, so that a value may come from a frame. Booleans and numeric strings are refused:
where a number is due, they are a mistake.
"""

from __future__ import annotations

import math
import numbers

from invoke_widgets.errors import InvalidRequest


def whole(name: str, value: object, *, at_least: int = 1) -> int:
    """`value` as an `int`.

    Raises:
        InvalidRequest: it is not an integer, or less than `at_least`.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < at_least:
        raise InvalidRequest(f"{name}: should be an integer of {at_least} or more, got {value!r}.", field=name)
    return int(value)


def positive(name: str, value: object, *, or_zero: bool = False) -> float:
    """`value` as a finite `float` above 0, or of at least 0 with `or_zero`.

    Raises:
        InvalidRequest: it is not one.
    """
    return _number(name, value, "a number", or_zero=or_zero, or_infinite=False)


def seconds(name: str, value: object, *, or_zero: bool = True, or_infinite: bool = False) -> float:
    """`value` as a `float` of seconds.

    Args:
        name: the argument's name.
        value: the argument.
        or_zero: whether 0 is allowed.
        or_infinite: whether `math.inf` is allowed, for a wait without a limit.

    Raises:
        InvalidRequest: it is not one.
    """
    return _number(name, value, "a number of seconds,", or_zero=or_zero, or_infinite=or_infinite)


def _number(name: str, value: object, kind: str, *, or_zero: bool, or_infinite: bool) -> float:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = float(value)
        if (number > 0 or (or_zero and number == 0)) and (or_infinite or not math.isinf(number)):
            return number
    least = "0 or above" if or_zero else "above 0"
    raise InvalidRequest(f"{name}: should be {kind} {least}, got {value!r}.", field=name)
