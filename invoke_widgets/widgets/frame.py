"""What the outermost view brings for all that is within it: the style sheet, and who gets its keys."""

from __future__ import annotations

from pathlib import Path

import anywidget

from invoke_widgets.widgets.styles import STYLE


class Frame(anywidget.AnyWidget):
    """Nothing to see."""

    _esm = (Path(__file__).parent / "frame.js").read_text(encoding="utf-8")
    _css = STYLE
