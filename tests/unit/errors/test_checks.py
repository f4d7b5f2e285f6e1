"""Argument checks: what is taken, what is refused, and which field the exception names."""

from __future__ import annotations

import math

import numpy as np
import pytest

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive, seconds, whole


def test_whole_takes_integers_and_gives_an_int() -> None:
    """Also NumPy's, which come out of a frame."""
    for value in (3, np.int64(3), np.uint8(3)):
        assert type(whole("runs", value)) is int
    assert 0 == whole("runs", 0, at_least=0)


@pytest.mark.parametrize("value", [0, -1, True, np.bool_(True), 1.0, np.float64(1), "1", None, math.nan])
def test_whole_refuses_other_values(value: object) -> None:
    """The exception names the argument in its text and as its field."""
    with pytest.raises(InvalidRequest, match=r"^runs: should be an integer of 1 or more, got ") as refused:
        whole("runs", value)
    assert "runs" == refused.value.field


def test_positive_and_seconds_take_numbers_and_give_a_float() -> None:
    """Also NumPy's; zero and infinity where they are allowed."""
    for value in (3, 3.0, np.int64(3), np.float32(3)):
        assert (3.0, float) == (positive("limit", value), type(seconds("timeout", value)))
    assert 0.0 == positive("limit", 0, or_zero=True) == seconds("timeout", 0)
    assert math.inf == seconds("timeout", math.inf, or_infinite=True)


@pytest.mark.parametrize("value", [0, -1, True, np.bool_(True), "1", None, math.nan, math.inf, -math.inf, 1j])
def test_positive_and_seconds_refuse_other_values(value: object) -> None:
    """The exception names the argument in its text and as its field."""
    with pytest.raises(InvalidRequest, match=r"^limit: should be a number above 0, got ") as refused:
        positive("limit", value)
    assert "limit" == refused.value.field
    with pytest.raises(InvalidRequest, match=r"^timeout: should be a number of seconds, above 0, got ") as refused:
        seconds("timeout", value, or_zero=False)
    assert "timeout" == refused.value.field
