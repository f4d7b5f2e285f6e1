"""Queue items as the short arrays that the table's script reads, and as the texts of the static table. Pure functions.

A row is `[item_id, status, created, started, completed, batch_id, destination, device, fields, error, priority,
retry, theirs]`, without what is None at its end; `retry` is when a failed item is run again by its policy; `theirs` is
1 for another user's, which cannot be acted on; a status is its index in `STATUSES`, a time is in seconds since 1970. A
change is `[item_id, column, value, column, value, ...]`: a job's end is 40 bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from invoke_widgets.records import STATUSES, FieldValue, Progress, QueueItem
from invoke_widgets.sync import QueueState
from invoke_widgets.widgets import words
from invoke_widgets.widgets.tables import clean

COLUMNS = ("item", "status", "progress", "created", "took", "batch", "destination", "device", "fields", "error")
DEFAULT_COLUMNS = ("item", "status", "progress", "created", "took", "batch", "fields", "error")

GLYPHS = {
    "pending": "○",
    "in_progress": "●",
    "waiting": "◌",
    "completed": "✓",
    "failed": "✕",
    "canceled": "⊘",
}

_INDEX = {status: index for index, status in enumerate(STATUSES)}
_SHARED = (5, 6, 7)  # batch, destination, device: the same in many rows
_LONGEST = 200


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else round(time.timestamp(), 3)


def _cut(text: str) -> str:
    text = clean(text[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def fields_text(values: Iterable[FieldValue] | None) -> str | None:
    """What a batch set for an item, in one line."""
    if not values:
        return None
    parts = []
    for value in values:
        shown = value.value if isinstance(value.value, str) else json.dumps(value.value, default=str)
        parts.append(f"{value.node_path}.{value.field_name} {_cut(' '.join(shown.split()))}")
    return _cut(", ".join(parts))


def error_text(item: QueueItem) -> str | None:
    """What went wrong, in one line."""
    if not item.error_type and not item.error_message:
        return None
    message = " ".join((item.error_message or "").split())
    return _cut(f"{item.error_type}: {message}" if item.error_type and message else item.error_type or message)


def row(item: QueueItem, state: QueueState) -> list[Any]:
    """An item as an array; `state` is the picture that it is part of."""
    values = [
        item.item_id,
        _INDEX[item.status] if item.status in _INDEX else _cut(item.status),
        _seconds(item.created_at),
        _seconds(item.started_at),
        _seconds(item.completed_at),
        _cut(item.batch_id),
        item.destination and _cut(item.destination),
        item.device and _cut(item.device),
        fields_text(item.field_values),
        error_text(item),
        item.priority or None,
        _seconds(state.retrying.get(item.item_id)),
        1 if state.is_theirs(item) else None,
    ]
    while values[-1] is None:
        values.pop()
    return values


def row_change(before: list[Any], after: list[Any]) -> list[Any]:
    """What differs between two states of a row; only its id if nothing that is shown does."""
    change: list[Any] = after[:1]
    for column in range(1, max(len(before), len(after))):
        value = after[column] if column < len(after) else None
        if value != (before[column] if column < len(before) else None):
            change += [column, value]
    return change


def progress_row(item_id: int, progress: Progress | None) -> list[Any]:
    """Progress as `[item_id, percentage, message, node]`; without any, only the id."""
    if progress is None:
        return [item_id]
    percentage = None if progress.percentage is None else round(progress.percentage, 4)
    return [item_id, percentage, _cut(progress.message), _cut(progress.node_id or progress.node_type or "")]


def packed(rows: list[list[Any]]) -> bytes:
    """Many rows as JSON, in which texts that repeat are written once and then named by their number."""
    texts: dict[str, int] = {}
    for values in rows:
        for column in _SHARED:
            if column < len(values) and values[column] is not None:
                values[column] = texts.setdefault(values[column], len(texts))
    return json.dumps([list(texts), rows], separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def difference(
    before: QueueState, after: QueueState, item_ids: Iterable[int]
) -> tuple[list[list[Any]], list[list[Any]], list[int], list[list[Any]]]:
    """What a page that shows `before` needs to show `after`: new rows, changes, ids that are gone, progress."""
    rows, changes, gone, progress = [], [], [], []
    for item_id in item_ids:
        old, new = before.items.get(item_id), after.items.get(item_id)
        if new is None:
            if old is not None:
                gone.append(item_id)
            continue
        due, was_due = after.retrying.get(item_id), before.retrying.get(item_id)
        if old is None:
            rows.append(row(new, after))
        elif (old is not new or due != was_due) and len(change := row_change(row(old, before), row(new, after))) > 1:
            changes.append(change)
        now = after.progress.get(item_id)
        if now != before.progress.get(item_id):
            progress.append(progress_row(item_id, now))
    return rows, changes, gone, progress


def texts(
    item: QueueItem,
    columns: Sequence[str],
    progress: Mapping[int, Progress],
    retrying: Mapping[int, datetime] | None = None,
) -> list[str]:
    """An item's cells as plain texts, for the static table."""
    due = (retrying or {}).get(item.item_id)
    shown = {
        "item": str(item.item_id),
        "status": f"{GLYPHS.get(item.status, '·')} {item.status}",
        "progress": f"retry at {_utc(due)}" if due is not None else _progress_text(progress.get(item.item_id)),
        "created": _utc(item.created_at) if item.created_at else "",
        "took": words.duration(item.ran_s),
        "batch": item.batch_id[:8],
        "destination": item.destination or "",
        "device": item.device or "",
        "fields": fields_text(item.field_values) or "",
        "error": error_text(item) or "",
    }
    return [shown[column] for column in columns]


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _progress_text(progress: Progress | None) -> str:
    if progress is None:
        return ""
    percentage = "" if progress.percentage is None else f"{progress.percentage:.0%} "
    return f"{percentage}{progress.message}".strip()
