"""Queue items as the short arrays that the table's script reads, and one item in full, as an opened row shows it.

A row is `[item_id, status, created, started, completed, batch_id, destination, device, fields, error, priority,
retry, theirs]`, without what is None at its end; `retry` is when a failed item is run again by its policy; `theirs` is
1 for another user's, which cannot be acted on; a status is its index in `STATUSES`, a time is in seconds since 1970. A
change is `[item_id, column, value, column, value, ...]`: a job's end is 40 bytes.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.text import cut
from invoke_widgets.history import job_error
from invoke_widgets.outputs import outputs
from invoke_widgets.records import COMPLETED, IN_PROGRESS, STATUSES, Progress, QueueItem
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets.text import cell, clean, error_text, fields
from invoke_widgets.workflows import fields as workflow_fields

_INDEX = {status: index for index, status in enumerate(STATUSES)}
_SHARED = (5, 6, 7)  # batch, destination, device: the same in many rows
_LONGEST_VALUE = 2_000
_LONGEST_GRAPH = 2_000_000
_MOST_OUTPUTS = 100
_RUNS_FOR_MEAN = 50
_ENOUGH_DONE = 0.05


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else round(time.timestamp(), 3)


def row(item: QueueItem, state: QueueState) -> list[Any]:
    """An item as an array; `state` is the snapshot that it is part of."""
    values = [
        item.item_id,
        _INDEX[item.status] if item.status in _INDEX else cell(item.status),
        _seconds(item.created_at),
        _seconds(item.started_at),
        _seconds(item.completed_at),
        cell(item.batch_id),
        item.destination and cell(item.destination),
        item.device and cell(item.device),
        fields(item.field_values),
        error_text(item),
        item.priority or None,
        _seconds(state.retrying.get(item.item_id)),
        1 if state.is_theirs(item) else None,
    ]
    while values[-1] is None:
        values.pop()
    return values


def row_change(before: list[Any], after: list[Any]) -> list[Any]:
    """The difference between two states of a row; only its id if nothing that is shown differs."""
    change: list[Any] = after[:1]
    for column in range(1, max(len(before), len(after))):
        value = after[column] if column < len(after) else None
        if value != (before[column] if column < len(before) else None):
            change += [column, value]
    return change


def left_s(state: QueueState, item: QueueItem, mean_s: float | None, now: datetime) -> float | None:
    """Estimate how many seconds an item in progress still needs; None without anything to go by.

    By its own progress if there is enough of it, otherwise by the mean run time of recent items.
    """
    if item.status != IN_PROGRESS or item.started_at is None:
        return None
    elapsed = max((now - item.started_at).total_seconds(), 0.0)
    progress = state.progress.get(item.item_id)
    done = progress.percentage if progress is not None else None
    if done is not None and done > _ENOUGH_DONE:
        return elapsed * (1 - min(done, 1.0)) / done
    return mean_s - elapsed if mean_s is not None and mean_s > elapsed else None


def paces(state: QueueState, now: datetime) -> dict[str, float]:
    """By batch_id, the seconds that its running job will take in all by its own progress: its siblings take as long."""
    found: dict[str, float] = {}
    for item_id, progress in state.progress.items():
        item, done = state.items.get(item_id), progress.percentage
        if item is None or item.status != IN_PROGRESS or item.started_at is None or (done or 0.0) <= _ENOUGH_DONE:
            continue
        elapsed = max((now - item.started_at).total_seconds(), 0.0)
        found[item.batch_id] = round(elapsed / min(done or 1.0, 1.0), 1)
    return found


def progress_row(item_id: int, progress: Progress | None, left: float | None = None) -> list[Any]:
    """Progress as `[item_id, percentage, message, node, seconds left]`, without what is not known at its end."""
    if progress is None:
        return [item_id] if left is None else [item_id, None, "", "", round(left, 1)]
    percentage = None if progress.percentage is None else round(progress.percentage, 4)
    row = [item_id, percentage, cell(progress.message), cell(progress.node_id or progress.node_type or "")]
    return row if left is None else [*row, round(left, 1)]


def packed(rows: list[list[Any]]) -> bytes:
    """Rows as JSON, in which texts that repeat are written once and then given by number."""
    texts: dict[str, int] = {}
    for values in rows:
        for column in _SHARED:
            if column < len(values) and values[column] is not None:
                values[column] = texts.setdefault(values[column], len(texts))
    return json.dumps([list(texts), rows], separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def difference(
    before: QueueState, after: QueueState, item_ids: Iterable[int], mean_s: float | None = None
) -> tuple[list[list[Any]], list[list[Any]], list[int], list[list[Any]]]:
    """What a page that shows `before` needs to show `after`: new rows, changes, ids that are gone, progress.

    Args:
        before: the snapshot that the page shows.
        after: the snapshot to show.
        item_ids: the items that may differ.
        mean_s: the mean run time of recent items in seconds, for estimates.
    """
    at = datetime.now(UTC)
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
        left = left_s(after, new, mean_s, at)
        has_started = left is not None and (old is None or old.status != new.status)
        if has_started or now != before.progress.get(item_id):
            progress.append(progress_row(item_id, now, left))
    return rows, changes, gone, progress


class RunTimes:
    """How long the newest completed items ran."""

    def __init__(self) -> None:
        self._newest: list[tuple[int, float]] = []  # a heap: the oldest of them first

    def update(self, before: QueueState, change: Change) -> None:
        """Take the items that have completed since `before`, in whatever order they became known."""
        for item_id in sorted(change.item_ids, reverse=True):
            if len(self._newest) == _RUNS_FOR_MEAN and item_id < self._newest[0][0]:
                break  # the others are older still
            item, old = change.state.items.get(item_id), before.items.get(item_id)
            if item is None or item.status != COMPLETED or (old is not None and old.status == COMPLETED):
                continue
            if item.ran_s is not None:
                heapq.heappush(self._newest, (item_id, item.ran_s))
                if len(self._newest) > _RUNS_FOR_MEAN:
                    heapq.heappop(self._newest)

    @property
    def mean_s(self) -> float | None:
        """Their mean in seconds; None without any."""
        return fmean(seconds for _, seconds in self._newest) if self._newest else None


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _names(workflow: Mapping[str, Any] | None) -> dict[tuple[str, str], str]:
    """What a workflow's form calls the fields of its nodes; empty without a workflow, or one of another kind."""
    try:
        return {(one.node_id, one.field): one.name for one in workflow_fields(workflow)} if workflow else {}
    except InvalidRequest:
        return {}


def _error(item: QueueItem) -> dict[str, Any] | None:
    if not item.server_error_type and not item.error_message:
        return None
    error = job_error(item)
    return {
        "type": error.error_type.value,
        "server_type": item.server_error_type,
        "message": item.error_message or "",
        "suggestion": error.suggestion,
        "node": f"{error.node_id} ({error.node_type})" if error.node_id and error.node_type else error.node_id,
        "traceback": item.error_traceback or "",
    }


def detail(item: QueueItem) -> Any:
    """Everything about an item that was read in full: facts, fields, outputs, its error, its graph."""
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
    times = {"created": item.created_at, "started": item.started_at, "completed": item.completed_at}
    shown = []
    for node_id, result in list(outputs(item).items())[:_MOST_OUTPUTS]:
        for one in result if isinstance(result, list) else [result]:
            kind = one.get("type") if isinstance(one, Mapping) else None
            rest = {k: v for k, v in one.items() if k != "type"} if isinstance(one, Mapping) else one
            shown.append([str(node_id), str(kind or ""), cut(_json(rest), _LONGEST_VALUE)])
    names = _names(item.workflow)
    found = {
        "item_id": item.item_id,
        "status": item.status,
        "facts": [[name, str(value)] for name, value in facts.items() if value is not None],
        "times": [[name, time.timestamp()] for name, time in times.items() if time is not None],
        "fields": [
            [cell(v.name or names.get((v.node_path, v.field_name), v.label)), cut(_text(v.value), _LONGEST_VALUE)]
            for v in item.field_values or ()
        ],
        "outputs": shown[:_MOST_OUTPUTS],
        "error": _error(item),
        "graph": cut(_json(graph, indent=2), _LONGEST_GRAPH) if graph else "",
        "nodes": len(graph.get("nodes") or ()) if isinstance(graph, Mapping) else 0,
    }
    return cleaned(found)


def cleaned(value: Any) -> Any:
    """Lists, mappings and texts without what no message to a page may hold."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(inner) for inner in value]
    return {key: cleaned(inner) for key, inner in value.items()} if isinstance(value, dict) else value
