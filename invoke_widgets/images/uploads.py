"""Uploads: a file, bytes, a Pillow image or an array becomes a picture on the server, once per content."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from pathlib import Path
from typing import Any

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import InvalidRequest, NotFound
from invoke_widgets.records import ImageRecord

_WHAT = "It takes a path, bytes, a Pillow image, or an array of bytes of shape (h, w), (h, w, 3) or (h, w, 4)."


class Uploads:
    """What was uploaded through one console. Used on its loop.

    Args:
        client: uploads.
    """

    def __init__(self, client: InvokeClient) -> None:
        self._client = client
        self._names: dict[tuple[str, str | None, bool], str] = {}
        self._lock = asyncio.Lock()  # so that two at once are not uploaded twice

    async def upload(self, content: bytes, *, board_id: str | None, is_intermediate: bool) -> ImageRecord:
        """Upload a picture, unless it was before and is still there, and return its record.

        Raises:
            InvalidRequest: the server cannot read it as a picture.
            JobException: a request failed.
        """
        key = (hashlib.sha256(content).hexdigest(), board_id, is_intermediate)
        async with self._lock:
            if key in self._names:
                try:
                    record = await self._client.get_image_dto(self._names[key])
                    if (record.board_id, record.is_intermediate) == key[1:]:
                        return record
                except NotFound:
                    del self._names[key]
            record = await self._client.upload_image(content, board_id=board_id, is_intermediate=is_intermediate)
            self._names[key] = record.image_name
            return record


def content_of(source: Any) -> bytes:
    """Return the bytes of a picture's file.

    Args:
        source: a path, bytes, a Pillow image, or an array.

    Raises:
        InvalidRequest: it is something else, or cannot be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        if not path.is_file():
            raise InvalidRequest(f"image: there is no file {str(path)!r}.", suggestion=_WHAT, field="image")
        return path.read_bytes()
    import PIL.Image

    try:
        if not isinstance(source, PIL.Image.Image):
            if not hasattr(source, "__array_interface__"):
                raise TypeError(f"got {type(source).__name__}")
            source = PIL.Image.fromarray(source)
        buffer = io.BytesIO()
        source.save(buffer, "PNG")
    except (TypeError, ValueError, OSError, SystemError) as error:
        raise InvalidRequest(f"image: cannot be made a PNG: {error}.", suggestion=_WHAT, field="image") from error
    return buffer.getvalue()
