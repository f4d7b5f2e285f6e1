"""Colours are distinguishable, on light and on dark, for everyone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from invoke_widgets.errors import JobErrorType
from invoke_widgets.history import _style as style
from invoke_widgets.records import STATUSES

# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
_SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_TABLES = {"statuses": (style.STATUS_COLORS, 0.13), "classes": (style.ERROR_COLORS, 0.10)}


def _linear(color: str) -> np.ndarray:
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Of two colours, from 1 to 21, as WCAG has it."""
    dark, light = sorted(float(_linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (light + 0.05) / (dark + 0.05)


def _seen(color: str, sight: str) -> np.ndarray:
    return np.asarray(_LAB @ np.cbrt(_LMS @ np.clip(_SIGHTS[sight] @ _linear(color), 0, 1)))


def test_every_status_and_class_has_a_color() -> None:
    """A new status or class cannot be forgotten."""
    assert (set(STATUSES), set(JobErrorType)) == (set(style.STATUS_COLORS), set(style.ERROR_COLORS))


@pytest.mark.parametrize("paper", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_colors_have_contrast_to_the_background(paper: dict[str, str]) -> None:
    """Marks have 3:1, text 4.5:1."""
    marks = [*style.STATUS_COLORS.values(), *style.ERROR_COLORS.values(), style.OTHER_COLOR]
    weak = [c for c in marks if contrast(c, paper["background"]) < 3]
    weak += [paper[ink] for ink in ("text", "dim") if contrast(paper[ink], paper["background"]) < 4.5]
    assert [] == weak


@pytest.mark.parametrize("sight", _SIGHTS)
@pytest.mark.parametrize("table", _TABLES)
def test_colors_are_distinguishable(table: str, sight: str) -> None:
    """No two colours of a table come close, in any kind of sight."""
    colors, least = _TABLES[table]
    close = [
        (a, b)
        for a, b in itertools.combinations(colors.values(), 2)
        if np.linalg.norm(_seen(a, sight) - _seen(b, sight)) < least
    ]
    assert [] == close
