"""The colors of the views: text can be read on whatever it stands, in light and dark."""

from __future__ import annotations

import re

import pytest

from invoke_widgets.widgets.part import STYLE
from tests.unit.history.test_style import contrast

_PAGES = {"light": ("#ffffff", "#1c1e21", 0), "dark": ("#212121", "#e7e9ec", 1)}  # JupyterLab's dark is the lighter one


def _mixed(ink: str, paper: str, share: float) -> str:
    parts = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (ink, paper)]
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in zip(*parts, strict=True))


@pytest.mark.parametrize("theme", _PAGES)
def test_text_has_a_contrast_of_at_least_four_and_a_half(theme: str) -> None:
    """On the page, on gray, under the pointer, in a selected row, on its own pill, and as old as it gets."""
    page, ink, at = _PAGES[theme]
    found = re.findall(r"--iw-([\w-]+): light-dark\((#\w+), (#\w+)\)", STYLE)
    tokens = {name: values[at].ljust(7, values[at][-1]) for name, *values in found}
    gray, pointed = _mixed(ink, page, 0.04), _mixed(tokens["accent"], page, 0.07)
    words = {"dim": tokens["dim"], "accent": tokens["accent"], "bad": tokens["bad"], "ink": ink}
    pairs = {
        f"{name} on {where}": (word, paper)
        for name, word in words.items()
        for where, paper in {"page": page, "gray": gray, "hover": pointed, "selected": tokens["accent-bg"]}.items()
    }
    kinds = ("run", "wait", "ok", "bad", "off")
    pairs |= {f"pill {kind}": (tokens[kind], tokens[f"{kind}-bg"]) for kind in kinds}
    pairs |= {f"banner {kind}": (ink, tokens[f"{kind}-bg"]) for kind in ("bad", "off")}
    pairs["button"] = (tokens["on-accent"], tokens["accent"])
    pairs["old"] = (_mixed(tokens["dim"], page, 0.9), page)
    low = {name: contrast(*colors) for name, colors in pairs.items()}
    assert {} == {name: round(ratio, 2) for name, ratio in low.items() if ratio < 4.5}
