"""Records <-> plain JSON, for the history file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from invoke_widgets.errors import JobErrorType
from invoke_widgets.records import FieldValue, JobError, parse_time

R = TypeVar("R")

_TIMES = frozenset(
    {"at", "retry_at", "requested_at", "created_at", "updated_at", "started_at", "completed_at"},
)


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.name != "session")


def to_json(record: Any, taken_back: Iterable[str] = ()) -> dict[str, Any]:
    """A record, which is a dataclass, as JSON values. What is None is left out, but for what was `taken_back`.

    An item's session is left out, too.
    """
    data: dict[str, Any] = {}
    for name in _names(type(record)):
        value = getattr(record, name)
        if value is None:
            continue
        if isinstance(value, datetime):
            value = value.isoformat()
        elif name == "field_values":
            value = [{"node_path": v.node_path, "field_name": v.field_name, "value": v.value} for v in value]
        data[name] = value
    return data | {name: None for name in taken_back if name not in data}


def merged(known: Mapping[str, Any], new: Mapping[str, Any], *, later: bool) -> dict[str, Any]:
    """What two records of one thing tell together. `later`: where they differ, the new one is right."""
    return {**known, **new} if later else {**new, **known}


def from_json(kind: type[R], data: Mapping[str, Any]) -> R | None:
    """The record again; what this version does not know is dropped. None if it cannot be made sense of."""
    values = {name: data[name] for name in _names(kind) if name in data}
    for name in _TIMES & values.keys():
        values[name] = parse_time(values[name])
    try:
        if "error_type" in values and kind is JobError:
            values["error_type"] = JobErrorType(values["error_type"])
        if "item_ids" in values:
            values["item_ids"] = tuple(int(i) for i in values["item_ids"])
        if "field_values" in values:
            values["field_values"] = FieldValue.many(values["field_values"])
        return kind(**values)
    except (TypeError, ValueError):
        return None
