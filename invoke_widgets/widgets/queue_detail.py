"""One item in full, as what the table's script shows when a row is opened. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from invoke_widgets.errors import classify
from invoke_widgets.outputs import failed_node, outputs
from invoke_widgets.records import QueueItem
from invoke_widgets.widgets.tables import clean

_LONGEST_VALUE = 2_000
_LONGEST_GRAPH = 2_000_000
_MOST_OUTPUTS = 100


def _cut(text: str, longest: int = _LONGEST_VALUE) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=str)


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _error(item: QueueItem) -> dict[str, Any] | None:
    if not item.error_type and not item.error_message:
        return None
    diagnosis = classify.diagnose_failure(item.error_type, item.error_message)
    node_id, node_type = failed_node(item)
    return {
        "type": diagnosis.error_type.value,
        "server_type": item.error_type,
        "message": item.error_message or "",
        "suggestion": diagnosis.suggestion,
        "node": f"{node_id} ({node_type})" if node_id and node_type else node_id,
        "traceback": item.error_traceback or "",
    }


def detail(item: QueueItem) -> Any:
    """What there is to say of an item that was read in full: facts, fields, outputs, its error, its graph."""
    session: Mapping[str, Any] = item.session or {}
    graph = session.get("graph")
    facts = {
        "batch_id": item.batch_id,
        "session_id": item.session_id,
        "origin": item.origin,
        "destination": item.destination,
        "device": item.device,
        "priority": item.priority or None,
        "user": item.user_display_name or item.user_id,
        "retried from": item.retried_from_item_id,
    }
    shown = []
    for node_id, result in list(outputs(item).items())[:_MOST_OUTPUTS]:
        for one in result if isinstance(result, list) else [result]:
            kind = one.get("type") if isinstance(one, Mapping) else None
            rest = {k: v for k, v in one.items() if k != "type"} if isinstance(one, Mapping) else one
            shown.append([str(node_id), str(kind or ""), _cut(_json(rest))])
    told = {
        "item_id": item.item_id,
        "status": item.status,
        "facts": [[name, str(value)] for name, value in facts.items() if value is not None],
        "times": [[n, _time(t)] for n, t in _times(item) if t is not None],
        "fields": [
            [f"{v.node_path}.{v.field_name}", _cut(v.value if isinstance(v.value, str) else _json(v.value))]
            for v in item.field_values or ()
        ],
        "outputs": shown[:_MOST_OUTPUTS],
        "error": _error(item),
        "graph": _cut(_json(graph, indent=2), _LONGEST_GRAPH) if graph else "",
        "nodes": len(graph.get("nodes") or ()) if isinstance(graph, Mapping) else 0,
    }
    return cleaned(told)


def cleaned(value: Any) -> Any:
    """The same lists, mappings and texts, with each text as a page can take it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(inner) for inner in value]
    return {key: cleaned(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _times(item: QueueItem) -> tuple[tuple[str, datetime | None], ...]:
    return ("created", item.created_at), ("started", item.started_at), ("completed", item.completed_at)
