"""JSON as a server sends it, made safe to pass on: half a surrogate pair can be neither shown, stored nor sent."""

from __future__ import annotations

import json
from typing import Any


def loads(content: bytes) -> Any:
    r"""As `json.loads`, with each lone surrogate (`"\ud83d"`) replaced by U+FFFD.

    Raises:
        ValueError: it is not JSON, or nested without end.
    """
    try:
        data = json.loads(content)
        return clean(data) if b"\\ud" in content.lower() else data
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def clean(data: Any) -> Any:
    """Decoded JSON with each lone surrogate replaced; the same object where there is none."""
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return data
