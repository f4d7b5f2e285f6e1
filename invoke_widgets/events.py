"""The server's socket.io events as frozen records, with the server's names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from invoke_widgets.errors.redact import incoming
from invoke_widgets.records import Brief, Progress, QueueItem, QueueStatus


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Event(Brief):
    """An event of a queue. Its subclasses say what happened."""

    queue_id: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ItemStatusChanged(Event):
    """`queue_item_status_changed`: the item as far as the event has it, and the queue's counters at that moment."""

    item: QueueItem
    queue_status: QueueStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BatchEnqueued(Event):
    """`batch_enqueued`, which does not name the items."""

    batch_id: str
    enqueued: int
    requested: int
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ItemsCanceled(Event):
    """`queue_items_canceled` (since 6.14): these pending items were canceled or deleted; it does not say which."""

    item_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ItemsRetried(Event):
    """`queue_items_retried`: the ids of the old items; those of the new ones must be read."""

    item_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueCleared(Event):
    """`queue_cleared`."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NodeEvent(Event):
    """An event of a node; `node_id` is the graph's own, not the execution's."""

    item_id: int
    batch_id: str
    node_id: str
    node_type: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NodeStarted(NodeEvent):
    """`invocation_started`."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NodeProgress(NodeEvent):
    """`invocation_progress`."""

    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NodeCompleted(NodeEvent):
    """`invocation_complete`: `result` is the node's output, as the server's JSON."""

    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NodeFailed(NodeEvent):
    """`invocation_error`: comes after the item's own change to `failed`, and names the node."""

    server_error_type: str
    error_message: str
    error_traceback: str = field(repr=False)


def _ids(value: object) -> tuple[int, ...]:
    return tuple(i for i in value if isinstance(i, int)) if isinstance(value, list) else ()


def _node(data: Mapping[str, Any]) -> dict[str, Any]:
    invocation = data.get("invocation")
    return {
        "queue_id": _queue(data),
        "item_id": int(data["item_id"]),
        "batch_id": str(data.get("batch_id", "")),
        "node_id": str(data.get("invocation_source_id", "")),
        "node_type": str(invocation.get("type", "")) if isinstance(invocation, Mapping) else "",
    }


def _status_changed(data: Mapping[str, Any]) -> Event:
    queue_status = data.get("queue_status")
    item = QueueItem.from_json(data)
    return ItemStatusChanged(
        queue_id=item.queue_id,
        item=item,
        queue_status=QueueStatus.from_json(queue_status) if isinstance(queue_status, Mapping) else None,
    )


def _progress(data: Mapping[str, Any]) -> Event:
    node = _node(data)
    image = data.get("image")
    progress = Progress(
        item_id=node["item_id"],
        message=str(data.get("message") or ""),
        percentage=_share(data.get("percentage")),
        node_id=node["node_id"],
        node_type=node["node_type"],
        image=str(image["dataURL"]) if isinstance(image, Mapping) and image.get("dataURL") else None,
    )
    return NodeProgress(progress=progress, **node)


def _share(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return min(max(float(value), 0.0), 1.0)


def _queue(data: Mapping[str, Any]) -> str:
    return str(data.get("queue_id", "default"))


PARSERS: dict[str, Callable[[Mapping[str, Any]], Event]] = {
    "queue_item_status_changed": _status_changed,
    "batch_enqueued": lambda d: BatchEnqueued(
        queue_id=_queue(d),
        batch_id=str(d["batch_id"]),
        enqueued=int(d.get("enqueued", 0)),
        requested=int(d.get("requested", 0)),
        priority=int(d.get("priority") or 0),
    ),
    "queue_items_canceled": lambda d: ItemsCanceled(queue_id=_queue(d), item_ids=_ids(d.get("canceled_item_ids"))),
    "queue_items_retried": lambda d: ItemsRetried(queue_id=_queue(d), item_ids=_ids(d.get("retried_item_ids"))),
    "queue_cleared": lambda d: QueueCleared(queue_id=_queue(d)),
    "invocation_started": lambda d: NodeStarted(**_node(d)),
    "invocation_progress": _progress,
    "invocation_complete": lambda d: NodeCompleted(
        **_node(d), result=d["result"] if isinstance(d.get("result"), Mapping) else {}
    ),
    "invocation_error": lambda d: NodeFailed(
        **_node(d),
        server_error_type=str(d.get("error_type") or ""),
        error_message=incoming(str(d.get("error_message") or "")),
        error_traceback=incoming(str(d.get("error_traceback") or "")),
    ),
}
"""The parser of each event, by the event's name."""


def parse_event(name: str, data: object) -> Event | None:
    """The typed event for a payload; None if the event is unknown or its payload makes no sense."""
    parser = PARSERS.get(name)
    if parser is None or not isinstance(data, Mapping):
        return None
    try:
        return parser(data)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
