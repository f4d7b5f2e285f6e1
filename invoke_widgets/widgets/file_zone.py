"""The part of the submitter's form that takes files, chosen or dropped, in the page."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets


class FileZone(anywidget.AnyWidget):
    """Sends `{"t": "file", "name": ...}` with the bytes, or `{"t": "refused", "why": ..., "name": ..., "size": ...}`.

    Args:
        limit: in bytes; what is larger is refused in the page, for "size".
    """

    _esm = (Path(__file__).parent / "file_zone.js").read_text(encoding="utf-8")

    limit = traitlets.Int().tag(sync=True)
