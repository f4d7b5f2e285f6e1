"""`ErrorLog`, `CancellationLog` and `JobLog`: what the server forgets, kept. Bounded, in memory, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from invoke_widgets import classify, frames
from invoke_widgets.errors import JobException
from invoke_widgets.event_records import NodeFailed
from invoke_widgets.records import Cancellation, JobError, QueueItem
from invoke_widgets.results import failed_node

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R")

LIMIT = 10_000
"""How many records a log keeps; the oldest go first."""


class Log(Generic[R]):
    """Records by key, oldest first."""

    def __init__(self, limit: int = LIMIT, on_change: Callable[[], None] = lambda: None) -> None:
        self._lock = threading.Lock()
        self._records: dict[Hashable, R] = {}
        self._limit = limit
        self._on_change = on_change

    def _put(self, key: Hashable, record: R) -> None:
        with self._lock:
            self._records[key] = record
            while len(self._records) > self._limit:
                del self._records[next(iter(self._records))]
        self._on_change()

    def _get(self, key: Hashable) -> R | None:
        return self._records.get(key)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[R]:
        with self._lock:
            records = list(self._records.values())
        return iter(records)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} records)"

    def clear(self) -> None:
        """Forget all records."""
        with self._lock:
            self._records.clear()
        self._on_change()

    def frame(self) -> pd.DataFrame:
        """All records, oldest first, with the same columns and types however many there are."""
        raise NotImplementedError

    def to_csv(self, path: str | Path) -> None:
        """Write `frame()` as CSV."""
        self.frame().to_csv(path, index=False)


class ErrorLog(Log[JobError]):
    """Everything that went wrong: failed jobs, each once however it became known, and failed requests."""

    def frame(self) -> pd.DataFrame:
        return frames.errors(self)

    def record_failure(self, item: QueueItem) -> None:
        """Take a failed item; more often with more known is welcome."""
        key = ("item", item.item_id, item.batch_id)
        known = self._get(key)
        node_id, node_type = failed_node(item)
        if known is not None:
            if known.node_id is None and node_id is not None:
                self._put(key, replace(known, node_id=node_id, node_type=node_type))
            return
        diagnosis = classify.diagnose_failure(item.error_type, item.error_message)
        message = item.error_message or item.error_type or "The server gives no reason."
        self._put(
            key,
            JobError(
                at=item.completed_at or datetime.now(UTC),
                error_type=diagnosis.error_type,
                message=message,
                suggestion=diagnosis.suggestion,
                retryable=diagnosis.retryable,
                item_id=item.item_id,
                batch_id=item.batch_id,
                node_id=node_id,
                node_type=node_type,
                server_error_type=item.error_type,
                traceback=item.error_traceback,
                fingerprint=classify.fingerprint(diagnosis.error_type, item.error_type, node_type, message),
            ),
        )

    def record_node(self, event: NodeFailed) -> None:
        """Take the event that says which node of an item failed; it comes after the item's own."""
        key = ("item", event.item_id, event.batch_id)
        known = self._get(key)
        if known is not None and known.node_id is None:
            kind, message = known.server_error_type, known.message
            self._put(
                key,
                replace(
                    known,
                    node_id=event.node_id,
                    node_type=event.node_type,
                    fingerprint=classify.fingerprint(known.error_type, kind, event.node_type, message),
                ),
            )

    def record_exception(self, error: JobException) -> None:
        """Take a failed request; the same exception once."""
        path = next((str(path) for path, _ in error.details.get("errors", ()) if path), None)
        self._put(
            ("request", id(error), error.message),
            JobError(
                at=datetime.now(UTC),
                error_type=error.error_type,
                message=error.message,
                suggestion=error.suggestion,
                retryable=error.retryable,
                item_id=error.item_id,
                batch_id=error.batch_id,
                field_path=path,
                status=error.status,
                fingerprint=classify.fingerprint(error.error_type, None, None, error.message),
            ),
        )

    def of_item(self, item_id: int) -> JobError | None:
        """The newest record about an item."""
        return next((e for e in reversed(list(self)) if e.item_id == item_id), None)


class CancellationLog(Log[Cancellation]):
    """Every cancel that was asked for. `stopped_s` becomes known later: the record is replaced then."""

    def frame(self) -> pd.DataFrame:
        return frames.cancellations(self)

    def record(self, cancellation: Cancellation) -> None:
        """Take a cancellation, or replace the one with the same `cancellation_id`."""
        self._put(cancellation.cancellation_id, cancellation)

    def latest(self, cancellation: Cancellation) -> Cancellation:
        """The record as it is known by now."""
        return self._get(cancellation.cancellation_id) or cancellation


class JobLog(Log[QueueItem]):
    """Every job that was seen, as it was last seen; jobs that the server has forgotten stay."""

    def frame(self) -> pd.DataFrame:
        return frames.jobs(self)

    def record(self, item: QueueItem) -> None:
        """Take an item, or replace what is known of it."""
        key = (item.item_id, item.batch_id)
        if self._get(key) != item:
            self._put(key, item)
