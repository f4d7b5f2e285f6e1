"""Records <-> plain JSON, for the history file; and texts without the secrets that must not get there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from invoke_widgets.errors import JobErrorType
from invoke_widgets.records import Cancellation, FieldValue, JobError, QueueItem, parse_time

R = TypeVar("R", JobError, Cancellation, QueueItem)

_TIMES = frozenset(
    {"at", "requested_at", "created_at", "updated_at", "started_at", "completed_at"},
)
_NAMES: dict[type, tuple[str, ...]] = {
    kind: tuple(f.name for f in fields(kind) if f.name != "session") for kind in (JobError, Cancellation, QueueItem)
}


def to_json(record: JobError | Cancellation | QueueItem) -> dict[str, Any]:
    """A record as JSON values; what is None is left out, and so is an item's session."""
    data: dict[str, Any] = {}
    for name in _NAMES[type(record)]:
        value = getattr(record, name)
        if value is None:
            continue
        if isinstance(value, datetime):
            value = value.isoformat()
        elif name == "field_values":
            value = [{"node_path": v.node_path, "field_name": v.field_name, "value": v.value} for v in value]
        data[name] = value
    return data


def from_json(kind: type[R], data: Mapping[str, Any]) -> R | None:
    """The record again; what this version does not know is dropped. None if it cannot be made sense of."""
    values = {name: data[name] for name in _NAMES[kind] if name in data}
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


_MAY_HOLD_SECRETS = (
    "bearer",
    "token",
    "password",
    "secret",
    "api_key",
    "apikey",
    "api-key",
    "eyj",
    "://",
    "authorization",
)
_SECRETS = (
    # A JSON Web Token, as InvokeAI's own are.
    (re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"), "[token]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [token]"),
    (re.compile(r"(?i)((?:access_|refresh_|auth_|hf_)?(?:token|password|passwd|secret|api[_-]?key|authorization)['\"]?\s*[=:]\s*['\"]?)"
                r"(?!bearer|basic|\[token\])[^\s'\",;&)}\]]{3,}"), r"\1[token]"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@:]+:[^\s/@]+@"), r"\1[token]@"),
    (re.compile(r"\b(?:hf|sk|ghp|pat)[_-][A-Za-z0-9_-]{16,}"), "[token]"),
)  # fmt: skip


def without_secrets(text: str, known: Iterable[str | None] = ()) -> str:
    """`text` with tokens, passwords and keys replaced by "[token]".

    Args:
        text: what a server said, or a traceback.
        known: secrets that are known as such; shorter ones than 4 characters are left alone.
    """
    for secret in known:
        if secret and len(secret) >= 4 and secret in text:
            text = text.replace(secret, "[token]")
    lowered = text.lower()
    if any(word in lowered for word in _MAY_HOLD_SECRETS) or "hf_" in text or "sk-" in text:
        for pattern, replacement in _SECRETS:
            text = pattern.sub(replacement, text)
    return text
