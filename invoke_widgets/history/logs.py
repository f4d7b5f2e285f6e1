"""`ErrorLog`, `CancellationLog`, `JobLog` and `EventLog`: what the server forgets, kept.

Bounded, from any thread, in memory; with a `HistoryFile` the first three are also kept in a file, whose thread does all
that takes time. Each thing has one record, however often and on whatever way it becomes known.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from invoke_widgets.errors import JobErrorType, JobException, classify
from invoke_widgets.errors.redact import without_secrets
from invoke_widgets.events import Event, NodeCompleted, NodeFailed, NodeProgress
from invoke_widgets.history import frames
from invoke_widgets.history.history_base import LIMIT, KeptLog, Log
from invoke_widgets.outputs import failed_node
from invoke_widgets.records import GONE, IN_PROGRESS, PENDING, WAITING, Cancellation, JobError, QueueItem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LIMIT", "CancellationLog", "ErrorGroup", "ErrorLog", "EventLog", "Heard", "JobLog", "KeptLog", "Log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Errors with one fingerprint: equal but for ids and numbers. `message` is the last one's, `item_ids` ascend."""

    fingerprint: str
    error_type: JobErrorType
    message: str
    suggestion: str
    retryable: bool
    count: int
    first_at: datetime
    last_at: datetime
    item_ids: tuple[int, ...]
    node_type: str | None = None


class ErrorLog(KeptLog[JobError]):
    """Everything that went wrong: failed jobs, each once however it became known, and failed requests."""

    _kind = "errors"
    _type = JobError

    def __init__(self, limit: int = LIMIT, on_change: Callable[[], None] = lambda: None, **options: Any) -> None:
        self._lines: dict[tuple[str, int], set[int]] = {}
        self._is_undecided: Callable[[QueueItem], bool] = lambda item: False
        super().__init__(limit, on_change, **options)

    def frame(self) -> pd.DataFrame:
        return frames.errors(self)

    def groups(self) -> list[ErrorGroup]:
        """The records by fingerprint, the group with the latest error first."""
        found: dict[str, list[JobError]] = {}
        for record in self:
            found.setdefault(record.fingerprint, []).append(record)
        groups = []
        for fingerprint, records in found.items():
            records.sort(key=lambda record: record.at)
            last = records[-1]
            groups.append(
                ErrorGroup(
                    fingerprint=fingerprint,
                    error_type=last.error_type,
                    message=last.message,
                    suggestion=last.suggestion,
                    retryable=last.retryable,
                    count=len(records),
                    first_at=records[0].at,
                    last_at=last.at,
                    item_ids=tuple(sorted({r.item_id for r in records if r.item_id is not None})),
                    node_type=last.node_type,
                )
            )
        return sorted(groups, key=lambda group: group.last_at, reverse=True)

    def record_failure(self, item: QueueItem) -> None:
        """Take a failed item; more often with more known is welcome."""
        key = _item_key(item.item_id, item.batch_id)
        known = self._records.get(key)
        # One that was recorded without a reason, as it could not be read, may become known with it.
        if known is not None and (known.server_error_type is not None or item.error_type is None):
            self._complete(key, known, *failed_node(item))
            self.link(item)
            return
        self.link(item)
        made = self.made_of(item)
        self._put(key, made if known is None else replace(made, retry_at=known.retry_at))

    def made_of(self, item: QueueItem) -> JobError:
        """What the record of a failed item is at first."""
        node_id, node_type = failed_node(item)
        diagnosis = classify.diagnose_failure(item.error_type, item.error_message, item.error_traceback)
        message = self._clean(item.error_message or item.error_type or "The server gives no reason.")
        return JobError(
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
            traceback=None if item.error_traceback is None else self._clean(item.error_traceback),
            attempt=self._attempt(item),
            fingerprint=classify.fingerprint(diagnosis.error_type, item.error_type, node_type, message),
        )

    def record_node(self, event: NodeFailed) -> None:
        """Take the event that says which node of an item failed; it comes after the item's own."""
        key = _item_key(event.item_id, event.batch_id)
        known = self._records.get(key)
        if known is not None:
            self._complete(key, known, event.node_id, event.node_type)

    def _complete(self, key: str, known: JobError, node_id: str | None, node_type: str | None) -> None:
        if known.node_id is None and node_id is not None:
            mark = classify.fingerprint(known.error_type, known.server_error_type, node_type, known.message)
            self._put(key, replace(known, node_id=node_id, node_type=node_type, fingerprint=mark))

    def _attempt(self, item: QueueItem) -> int:
        """How many times this work has been tried: the server names of a retried item the first of its line."""
        root = item.retried_from_item_id
        if root is None:
            return 1
        with self._lock:
            return 1 + sum(1 for other in self._lines.get((item.batch_id, root), ()) if other <= item.item_id)

    def record_exception(self, error: JobException) -> None:
        """Take a failed request; the same exception once."""
        # On the exception itself, since another one may get the same id() after this one is gone.
        key: str = error.__dict__.setdefault("_record_key", f"request:{uuid.uuid4().hex}")
        if key in self._records:
            return
        path = next((str(path) for path, _ in error.details.get("errors", ()) if path), None)
        # It may quote what the caller passed, which came in by no edge where it would have been cleaned.
        message = without_secrets(error.message, self._secrets())
        self._put(
            key,
            JobError(
                at=datetime.now(UTC),
                error_type=error.error_type,
                message=message,
                suggestion=without_secrets(error.suggestion, self._secrets()),
                retryable=error.retryable,
                item_id=error.item_id,
                batch_id=error.batch_id,
                field_path=path,
                status=error.status,
                fingerprint=classify.fingerprint(error.error_type, None, None, message),
            ),
        )

    def link(self, item: QueueItem) -> None:
        """Take an item that a retry made, whatever became of it, and count the attempts of its line's errors anew.

        An item that is no retry is passed over.
        """
        root = item.retried_from_item_id
        if root is None:
            return
        with self._lock:
            line = self._lines.setdefault((item.batch_id, root), set())
            if item.item_id in line:
                return
            line.add(item.item_id)
            if len(self._lines) > self._limit:
                del self._lines[next(iter(self._lines))]
            ordered = sorted(line)
        for attempt, item_id in enumerate(ordered, start=2):
            key = _item_key(item_id, item.batch_id)
            known = self._records.get(key)
            if known is not None and known.attempt != attempt:
                self._put(key, replace(known, attempt=attempt))

    def note_retry(self, item_id: int, batch_id: str, at: datetime | None) -> None:
        """Note in the record of a failed item when its job is run again; None: it is not after all."""
        key = _item_key(item_id, batch_id)
        known = self._records.get(key)
        if known is not None and known.retry_at != at:
            self._put(key, replace(known, retry_at=at), taken_back=() if at else ("retry_at",))

    def record_of(self, item: QueueItem) -> JobError | None:
        """The record of a failed item; None if it is not known yet."""
        return self._records.get(_item_key(item.item_id, item.batch_id))

    def of(self, item: QueueItem) -> JobError | None:
        """The record of a failed item, once it is known and it is decided whether its job is tried again."""
        return None if self._is_undecided(item) else self.record_of(item)

    def hold_while(self, is_undecided: Callable[[QueueItem], bool]) -> None:
        """Have `of` tell nothing of an item while this says so."""
        self._is_undecided = is_undecided

    def of_item(self, item_id: int) -> JobError | None:
        """The newest record about an item."""
        with self._lock:
            newest = (self._records[place[-1]] for place in reversed(self._order))
            return next((e for e in newest if e.item_id == item_id), None)

    def _at(self, record: JobError) -> float:
        return record.at.timestamp()

    def _rank(self, record: JobError) -> int:
        return 0 if record.node_id is None else 1


class CancellationLog(KeptLog[Cancellation]):
    """Every cancel that was asked for. `stopped_s` becomes known later: the record is replaced then."""

    _kind = "cancellations"
    _type = Cancellation

    def frame(self) -> pd.DataFrame:
        return frames.cancellations(self)

    def record(self, cancellation: Cancellation) -> None:
        """Take a cancellation, or replace the one with the same `cancellation_id`."""
        message = self._clean(cancellation.message)
        if message != cancellation.message:
            cancellation = replace(cancellation, message=message)
        self._put(cancellation.cancellation_id or uuid.uuid4().hex, cancellation)

    def latest(self, cancellation: Cancellation) -> Cancellation:
        """The record as it is known by now."""
        return self._records.get(cancellation.cancellation_id) or cancellation

    def _at(self, record: Cancellation) -> float:
        return record.requested_at.timestamp()

    def _rank(self, record: Cancellation) -> int:
        return 0 if record.stopped_s is None else 1


_RANKS: Mapping[str, int] = {PENDING: 0, WAITING: 1, IN_PROGRESS: 1, GONE: 2}
_ENDED = 3


class JobLog(KeptLog[QueueItem]):
    """Every job that was seen, as it was last seen, without its session; jobs that the server has forgotten stay.

    One that the server forgot before it was heard how it ended (it was cleared or deleted, or pruned while nobody
    watched) has the status "gone", and as `updated_at` when that was noticed. Other people's jobs, of which the server
    tells little, are not in it.
    """

    _kind = "jobs"
    _type = QueueItem

    def __init__(self, limit: int = LIMIT, on_change: Callable[[], None] = lambda: None, **options: Any) -> None:
        self._open: dict[int, set[str]] = {}
        super().__init__(limit, on_change, **options)

    def frame(self) -> pd.DataFrame:
        return frames.jobs(self)

    def record(self, item: QueueItem) -> None:
        """Take an item, or replace what is known of it."""
        item = item.without_session()
        if item.error_message or item.error_traceback:
            # The traceback is in the error log.
            item = replace(item, error_message=self._clean(item.error_message or ""), error_traceback=None)
        key = _item_key(item.item_id, item.batch_id)
        if self._records.get(key) != item:
            self._put(key, item)

    def settle(self, is_there: Callable[[QueueItem], bool], item_ids: Iterable[int] | None = None) -> None:
        """Note which jobs are gone, of those that have not ended and have these ids, or of all.

        Args:
            is_there: whether the server still has the job.
            item_ids: None for all.
        """
        with self._lock:
            ids = list(self._open) if item_ids is None else item_ids
            unfinished = {key: self._records[key] for item_id in ids for key in self._open.get(item_id, ())}
        for key, record in unfinished.items():
            if not is_there(record):
                self._put(key, replace(record, status=GONE, updated_at=datetime.now(UTC)))

    def _keep(self, key: str, record: QueueItem) -> None:
        super()._keep(key, record)
        self._set_open(key, record.item_id, key in self._records and not record.is_terminal and record.status != GONE)

    def _drop(self, key: str) -> None:
        self._set_open(key, self._records[key].item_id, False)
        super()._drop(key)

    def _set_open(self, key: str, item_id: int, is_open: bool) -> None:
        keys = self._open.pop(item_id, set()) - {key}
        if is_open:
            keys.add(key)
        if keys:
            self._open[item_id] = keys

    def _at(self, record: QueueItem) -> float:
        time = record.created_at or record.updated_at or datetime.now(UTC)
        return time.timestamp()

    def _rank(self, record: QueueItem) -> int:
        return _RANKS.get(record.status, _ENDED)


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, and when it was heard (UTC)."""

    at: datetime
    event: Event


class EventLog(Log[Heard]):
    """The latest events, in memory only."""

    def __init__(self, limit: int = LIMIT, on_change: Callable[[], None] = lambda: None) -> None:
        super().__init__(limit, on_change)
        self._number = 0

    def frame(self) -> pd.DataFrame:
        return frames.events(self)

    def record(self, event: Event) -> None:
        """Take an event, without the preview or the result that it may carry: those are large."""
        if isinstance(event, NodeProgress):
            event = replace(event, progress=replace(event.progress, image=None))
        elif isinstance(event, NodeCompleted):
            event = replace(event, result={})
        self._number += 1
        self._put(str(self._number), Heard(datetime.now(UTC), event))


def _item_key(item_id: int, batch_id: str) -> str:
    return f"item:{item_id}:{batch_id}"
