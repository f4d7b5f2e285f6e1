"""What a console shows of a queue, and what the server lists, in the same form."""

from __future__ import annotations

import invoke_widgets as iw
from invoke_widgets.records import QueueItem
from tests.support.wire import Wire


def listed(wire: Wire) -> dict[int, tuple[object, ...]]:
    """Return what the server lists, by item id."""
    return {item["item_id"]: _fields(QueueItem.from_json(item)) for item in wire.get("list_all")}


def shown(console: iw.Console) -> dict[int, tuple[object, ...]]:
    """Return what the console shows, by item id."""
    return {item.item_id: _fields(item) for item in console.queue}


def _fields(item: QueueItem) -> tuple[object, ...]:
    return (
        item.status,
        item.batch_id,
        item.destination,
        item.created_at,
        item.started_at,
        item.completed_at,
        item.server_error_type,
        item.field_values or (),
    )
