"""Argument checks, which raise `InvalidRequest` with the argument's name as its `field`.

NumPy's scalars are taken, so that a value may come from a frame. Where a number is due, booleans and numeric strings
are refused, and where a flag is due, whatever else is true or false: they are a mistake.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

from invoke_widgets.errors import InvalidRequest

_LARGEST = 2**63 - 1
"""The largest integer that a server's database, or a history file, can hold."""


def whole(name: str, value: object, *, at_least: int = 1) -> int:
    """`value` as an `int` of at least `at_least`, and no larger than any database can hold."""
    number = int(value) if isinstance(value, numbers.Integral) and not isinstance(value, bool) else None
    if number is None or not at_least <= number <= _LARGEST:
        raise InvalidRequest(f"{name}: should be an integer of {at_least} or more, got {value!r:.80}.", field=name)
    return number


def positive(name: str, value: object, *, or_zero: bool = False) -> float:
    """`value` as a finite `float` above 0, or of at least 0 with `or_zero`."""
    return _number(name, value, "a number", or_zero=or_zero, or_infinite=False)


def seconds(name: str, value: object, *, or_zero: bool = True, or_infinite: bool = False) -> float:
    """`value` as a `float` of seconds. `or_infinite`: `math.inf` is allowed, for a wait without a limit."""
    return _number(name, value, "a number of seconds,", or_zero=or_zero, or_infinite=or_infinite)


def limit(name: str, value: object) -> float | None:
    """`value` as a `float` of seconds to wait; None, as for None or `math.inf`, waits for ever."""
    limit_s = math.inf if value is None else seconds(name, value, or_infinite=True)
    return None if limit_s == math.inf else limit_s


def flag(name: str, value: Any) -> bool:
    """`value` as a `bool`."""
    plain = value.item() if hasattr(value, "dtype") and getattr(value, "ndim", 0) == 0 else value
    if not isinstance(plain, bool):
        raise InvalidRequest(f"{name}: should be True or False, got {value!r:.80}.", field=name)
    return plain


def text(name: str, value: object, what: str) -> str:
    """`value` if it is a string that can be sent, and not empty. `what` it should be, in words: "a batch's id"."""
    if isinstance(value, str) and value:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidRequest(
                f"{name}: holds half of a character at position {error.start}, which cannot be sent.", field=name
            ) from None
        return value
    raise InvalidRequest(f"{name}: should be {what}, got {value!r:.80}.", field=name)


def choice(name: str, value: object, *choices: str) -> None:
    """Refuse what is none of the choices."""
    if value not in choices:
        known = f"{', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}"
        raise InvalidRequest(f"{name}: should be {known}, got {value!r:.80}.", field=name)


def function(name: str, value: object) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise InvalidRequest(f"{name}: should be a function, got {value!r:.80}.", field=name)


def _number(name: str, value: object, kind: str, *, or_zero: bool, or_infinite: bool) -> float:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.nan
        if (number > 0 or (or_zero and number == 0)) and (or_infinite or not math.isinf(number)):
            return number
    least = "0 or above" if or_zero else "above 0"
    raise InvalidRequest(f"{name}: should be {kind} {least}, got {value!r:.80}.", field=name)
