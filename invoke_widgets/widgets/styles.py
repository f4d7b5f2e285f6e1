"""The style sheets, as texts."""

from __future__ import annotations

from pathlib import Path


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


THEME = _read("theme.css")
"""What all views share; it applies within `class="iw"`."""

STYLE = THEME + _read("parts.css")
"""That of the dashboard and its parts."""
