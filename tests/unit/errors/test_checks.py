"""Checks of arguments: what is taken, and what is refused by name."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive, seconds, whole


@pytest.mark.parametrize("value", [1, 2.5, numpy.float32(1.5), numpy.int64(3)])
def test_numbers_are_taken(value: Any) -> None:
    """Python's and numpy's numbers become floats."""
    assert float(value) == positive("x", value) == seconds("x", value)
    assert isinstance(positive("x", value), float)


def test_integers_are_taken() -> None:
    """numpy's integers become Python's."""
    assert [3, 3, 0] == [whole("x", 3), whole("x", numpy.int64(3)), whole("x", 0, at_least=0)]


@pytest.mark.parametrize("value", [True, numpy.bool_(True), float("nan"), float("inf"), "1", None, -1, [1]])
def test_other_values_are_refused_by_name(value: Any) -> None:
    """The message begins with the argument's name, and `field` is the name."""
    for check in (positive, seconds, whole):
        with pytest.raises(InvalidRequest, match=r"^count: ") as caught:
            check("count", value)
        assert "count" == caught.value.field
