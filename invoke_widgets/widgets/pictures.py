"""Pictures for pages: which ones jobs made, which ones the server has, and their bytes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from invoke_widgets.errors import JobException
from invoke_widgets.images import real_names
from invoke_widgets.outputs import shown_images
from invoke_widgets.records import QueueItem
from invoke_widgets.widgets.part import Part
from invoke_widgets.widgets.text import cell, clean

_READ_AT_ONCE = 4
_MOST_PICTURES = 48
"""Of one job."""
_SHELF = 60
"""Pictures to choose from at a time."""


async def newest_thumbnails(client: Any, item_id: int, most: int) -> tuple[int, list[bytes]]:
    """How many pictures a job made, and the thumbnails of the newest of them.

    Raises:
        JobException: the item, or one of the pictures, cannot be fetched.
    """
    names = shown_images(await client.get_queue_item(item_id))
    return len(names), [await client.get_image_thumbnail(name) for name in names[-most:]]


async def read_pictures(client: Any, item_ids: list[int]) -> list[tuple[int, QueueItem | None, list[str]]]:
    """For each id the job and the names of the pictures that it made; None where it made none, or was deleted."""
    gate = asyncio.Semaphore(_READ_AT_ONCE)

    async def read(item_id: int) -> tuple[int, QueueItem | None, list[str]]:
        async with gate:
            with contextlib.suppress(JobException):  # it was deleted since
                item = await client.get_queue_item(item_id)
                if names := real_names(shown_images(item))[-_MOST_PICTURES:]:
                    return item_id, item.without_session(), names
        return item_id, None, []

    return await asyncio.gather(*map(read, item_ids))


async def send_pictures(view: Part, names: list[str], page: str, *, full: bool) -> None:
    """Send pictures to the page that asked, each as it comes; without its bytes where it cannot be fetched."""
    client = view.console.client

    async def send(name: str) -> None:
        message = {"t": "picture" if full else "thumbnail", "name": name}
        try:
            content = await (client.get_image_full(name) if full else client.get_image_thumbnail(name))
        except JobException as error:
            view.post({**message, "failed": clean(str(error))}, page=page)
        else:
            view.post(message, (content,), page=page)

    await asyncio.gather(*map(send, names))


async def send_shelf(view: Part, board: str, page: str) -> None:
    """Send the names of the newest pictures on a board ("": of all), and the boards, to the page that asked."""
    client = view.console.client
    records, _ = await client.list_image_dtos(board_id=board or None, is_intermediate=False, limit=_SHELF)
    boards = await client.list_boards()
    message = {
        "t": "shelf",
        "board": board,
        "names": real_names(record.image_name for record in records),
        "boards": [[clean(one.board_id), cell(one.board_name)] for one in boards],
    }
    view.post(message, page=page)
