"""Reads that every version from 6.0 on can answer, each in the lightest way that it has."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from invoke_widgets.client import MAX_IDS_PER_REQUEST, InvokeClient
from invoke_widgets.errors import ServerFailure
from invoke_widgets.records import QueueItem

_WHOLE_PER_REQUEST = 100
"""Whole items are large (an SDXL graph pending: 5 kB), and the server answers nothing else while it writes them."""


async def light_items(client: InvokeClient, item_ids: Iterable[int]) -> list[QueueItem]:
    """Items without their sessions: summaries from 6.14 on, whole items before. What does not exist is left out."""
    if await client.has("item_summaries_by_ids"):
        return await _in_chunks(client.get_queue_item_summaries_by_ids, item_ids, MAX_IDS_PER_REQUEST)
    return [item.without_session() for item in await whole_items(client, item_ids)]


async def whole_items(client: InvokeClient, item_ids: Iterable[int]) -> list[QueueItem]:
    """Items with their sessions. What does not exist, or cannot be loaded by the server, is left out."""
    if await client.has("items_by_ids"):
        return await _in_chunks(client.get_queue_items_by_item_ids, item_ids, _WHOLE_PER_REQUEST)
    wanted = set(item_ids)
    try:
        return [item for item in await client.list_all_queue_items() if item.item_id in wanted]
    except ServerFailure as error:
        if not error.details.get("poison"):
            raise
        return []  # one that cannot be loaded hides all the others


async def ids_after(client: InvokeClient, item_id: int) -> list[int]:
    """The ids of all items that are newer than this one, ascending."""
    if await client.has("item_ids"):
        listed: Iterable[int] = (await client.get_queue_item_ids()).item_ids
    else:
        listed = [item.item_id for item in await client.list_all_queue_items()]
    return sorted(i for i in listed if i > item_id)


async def _in_chunks(
    read: Callable[[list[int]], Coroutine[Any, Any, list[QueueItem]]], item_ids: Iterable[int], size: int
) -> list[QueueItem]:
    ids = list(item_ids)
    return [item for start in range(0, len(ids), size) for item in await read(ids[start : start + size])]


@contextmanager
def taken(waiting: set[int], item_ids: list[int]) -> Iterator[None]:
    """Take ids from those that wait to be read, and put them back if the read fails."""
    waiting.difference_update(item_ids)
    try:
        yield
    except BaseException:
        waiting.update(item_ids)
        raise
