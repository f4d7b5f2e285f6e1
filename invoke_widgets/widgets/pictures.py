"""Pictures for pages: which ones jobs made, which ones the server has, and their bytes."""

from __future__ import annotations

from typing import Any

from invoke_widgets.errors import JobException
from invoke_widgets.images import real_names
from invoke_widgets.jobs import a_few_at_once
from invoke_widgets.outputs import shown_images
from invoke_widgets.records import QueueItem
from invoke_widgets.widgets.part import Part
from invoke_widgets.widgets.text import cell, clean

_MOST_PICTURES = 48
"""Of one job, that a page is sent."""
_SHELF = 60
"""Pictures to choose from at a time."""


def newest(names: list[str], most: int = _MOST_PICTURES) -> dict[str, Any]:
    """What a page is sent of a job's pictures: the newest `names`, and how many were `made`."""
    return {"names": [clean(name) for name in names[-most:]], "made": len(names)}


async def read_pictures(client: Any, item_ids: list[int]) -> list[tuple[int, QueueItem | None, list[str]]]:
    """For each id the job and the names of the pictures that it made; None where it made none, or was deleted."""

    async def read(item_id: int) -> tuple[QueueItem | None, list[str]]:
        item = await client.get_queue_item(item_id)
        names = real_names(shown_images(item))
        return item.without_session() if names else None, names

    found = await a_few_at_once(read, item_ids)
    return [
        (item_id, None, []) if isinstance(one, JobException) else (item_id, *one)
        for item_id, one in zip(item_ids, found, strict=True)
    ]


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

    await a_few_at_once(send, names)


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
