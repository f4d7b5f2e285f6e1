"""Colors are distinguishable, on light and on dark, for everyone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import invoke_widgets
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
_PAPERS = pytest.mark.parametrize("paper", [style.LIGHT, style.DARK], ids=["light", "dark"])


def _linear(color: str) -> np.ndarray:
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Of two colors, from 1 to 21, as WCAG has it."""
    dark, light = sorted(float(_linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (light + 0.05) / (dark + 0.05)


def _seen(color: str, sight: str) -> np.ndarray:
    return np.asarray(_LAB @ np.cbrt(_LMS @ np.clip(_SIGHTS[sight] @ _linear(color), 0, 1)))


def test_every_status_has_a_color() -> None:
    """A new status cannot be forgotten; one that waits for another job looks as what is not in the tables."""
    assert set(STATUSES) - {"waiting"} == style.LIGHT.keys() & style.DARK.keys() & set(STATUSES)


def test_colors_are_those_of_the_views() -> None:
    """One color for one meaning: the tokens of ui.css, by which pills and tiles are drawn."""
    css = (Path(invoke_widgets.__file__).parent / "widgets/static/ui.css").read_text()
    tokens = {"in_progress": "run", "pending": "wait", "completed": "ok", "failed": "bad", "canceled": "off"}
    for status, token in tokens.items():
        assert re.findall(rf"--iw-{token}: light-dark\((#\w+), (#\w+)\)", css) == [
            (style.LIGHT[status], style.DARK[status])
        ], status


@_PAPERS
def test_colors_have_contrast_to_the_background(paper: dict[str, str]) -> None:
    """4.5:1, as text has it."""
    inks = paper.keys() - {"background", "line"}
    assert [] == [name for name in inks if contrast(paper[name], paper["background"]) < 4.5]


@pytest.mark.parametrize("sight", _SIGHTS)
@_PAPERS
def test_colors_are_distinguishable(paper: dict[str, str], sight: str) -> None:
    """No two statuses come close, in any kind of sight; each row has its name besides."""
    colors = [paper[status] for status in STATUSES if status in paper]
    close = [
        (a, b) for a, b in itertools.combinations(colors, 2) if np.linalg.norm(_seen(a, sight) - _seen(b, sight)) < 0.05
    ]
    assert [] == close
