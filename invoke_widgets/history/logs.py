"""`ErrorLog`, `CancellationLog`, `JobLog` and `EventLog`: bounded, thread-safe records of what the server forgets.

Logs are in memory; with a `HistoryFile`, all but the events are also written to disk, on the file's own thread. Records
are de-duplicated by key, whichever source reports them first.
"""

from __future__ import annotations

import threading
import uuid
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from invoke_widgets._loop import Listeners
from invoke_widgets.errors import JobErrorType, JobException, ResourceError, classify, failures
from invoke_widgets.errors.checks import whole
from invoke_widgets.errors.redact import without_known, without_secrets
from invoke_widgets.errors.text import many, one_line
from invoke_widgets.events import Event, NodeCompleted, NodeFailed, NodeProgress
from invoke_widgets.history import frames
from invoke_widgets.history.file import HistoryFile, Row, from_json, merged, to_json
from invoke_widgets.outputs import failed_node
from invoke_widgets.records import (
    CANCELED,
    GONE,
    IN_PROGRESS,
    PENDING,
    WAITING,
    Brief,
    Cancellation,
    JobError,
    QueueItem,
)

if TYPE_CHECKING:
    import pandas as pd

K = TypeVar("K")
R = TypeVar("R")

_Place = tuple[float, int, int, str]

LIMIT = 10_000
"""Number of records that a log keeps in memory by default."""
_LISTED = 8
_LONGEST = 120


@contextmanager
def _writing(path: str | Path) -> Iterator[Path]:
    file = Path(path).expanduser()
    try:
        yield file
    except OSError as error:
        raise ResourceError(f"{file} could not be written: {error.strerror or error}.") from error


class Log(Generic[R]):
    """Records by key, ordered by their own time, oldest first; they can be kept in a history file.

    The order does not depend on when a record arrives: a queue is read newest first. Records of the same time are
    ordered by item id, then by arrival. A subclass sets `_kind`, its name in the file, and `_type`, the dataclass of
    its records, and defines `_rank`.

    Args:
        limit: number of records to keep in memory; the oldest are dropped first.
        file: the history file; the records that it holds for `source` are loaded at once.
        source: address and queue, so that one file can serve several of them.
        secrets: returns the tokens in use, which are removed from texts.

    Raises:
        InvalidRequest: `limit` is not an integer of 1 or more.
    """

    _kind: ClassVar[str]
    _type: ClassVar[type[Any]]

    def __init__(
        self,
        limit: int = LIMIT,
        *,
        file: HistoryFile | None = None,
        source: str = "",
        secrets: Callable[[], Iterable[str | None]] = tuple,
    ) -> None:
        self._limit = whole("limit", limit)
        self._lock = threading.Lock()
        self._records: dict[str, R] = {}
        self._places: dict[str, _Place] = {}
        self._order: list[_Place] = []
        self._arrivals = 0
        self._listeners: Listeners[[]] = Listeners()
        self._file = file
        self._source = source
        self._secrets = secrets
        self.catch_up: Callable[[], object] = lambda: None  # waits for what is known to be unread, before a frame
        if file is not None:
            self._merge(file.load(self._kind, source, limit, self._on_shared, self._on_cleared))

    def on_change(self, function: Callable[[], object]) -> Callable[[], None]:
        """Call `function()` after each change, on the thread that made it, until the returned function is called.

        What it raises is logged.
        """
        return self._listeners.add(function)

    def _put(self, key: str, record: R, *, reset: Iterable[str] = ()) -> None:
        """Keep a record. `reset` names fields that are None now; any other None means "not known here"."""
        with self._lock:
            self._keep(key, record)
        if self._file is not None:
            data = partial(to_json, record, reset)
            self._file.put(Row(self._kind, self._source, key, self._at(record), self._rank(record), data))
        self._listeners.notify()

    def _keep(self, key: str, record: R) -> None:
        at, number = self._at(record), getattr(record, "item_id", None) or 0
        place = self._places.get(key)
        if place is None or place[:2] != (at, number):
            if place is not None:
                self._drop(key)
            self._arrivals += 1
            self._places[key] = at, number, self._arrivals, key
            insort(self._order, self._places[key])
        self._records[key] = record
        while len(self._order) > self._limit:
            self._drop(self._order[0][-1])

    def _drop(self, key: str) -> None:
        del self._records[key]
        del self._order[bisect_left(self._order, self._places.pop(key))]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[R]:
        with self._lock:
            records = [self._records[place[-1]] for place in self._order]
        return iter(records)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({many(len(self), 'record')})"

    def clear(self) -> None:
        """Delete all records, also from the history file and from other notebooks that share it."""
        if self._file is not None:
            self._file.forget(self._kind, self._source)
        with self._lock:
            for key in list(self._records):
                self._drop(key)
        self._listeners.notify()

    def frame(self) -> pd.DataFrame:
        """All records, oldest first. The columns and their types do not depend on the number of records.

        Waits a moment, at most 5 s, for what the console has not read yet: values of jobs, and why they failed.
        """
        self.catch_up()
        return self._frame()

    def _frame(self) -> pd.DataFrame:
        raise NotImplementedError

    def to_csv(self, path: str | Path) -> None:
        """Write `frame()` as CSV in UTF-8; times in ISO 8601 with their offset.

        Raises:
            ResourceError: the file cannot be written, such as to a folder that is not there.
        """
        with _writing(path) as file:
            frames.write_csv(self.frame(), file)

    def to_jsonl(self, path: str | Path) -> None:
        """Write `frame()` as one JSON object per line in UTF-8; missing values are null. Raises as `to_csv` does."""
        with _writing(path) as file:
            frames.write_jsonl(self.frame(), file)

    def to_parquet(self, path: str | Path) -> None:
        """Write `frame()` as Parquet, which preserves its types.

        Raises:
            InvalidRequest: pyarrow is not installed.
            ResourceError: the file cannot be written.
        """
        with _writing(path) as file:
            frames.write_parquet(self.frame(), file)

    def _on_shared(self, found: list[tuple[str, dict[str, Any]]]) -> None:
        """Take the records that another log wrote to the file."""
        if self._merge(found):
            self._listeners.notify()

    def _on_cleared(self, left: set[str]) -> None:
        """Drop what another log has cleared. `left`: the keys that are still in the file."""
        with self._lock:
            for key in self._records.keys() - left:
                self._drop(key)
        self._listeners.notify()

    def _merge(self, found: list[tuple[str, dict[str, Any]]]) -> bool:
        """Merge records from the file with those in memory; return whether anything changed."""
        changed = False
        for key, data in found:
            record = from_json(self._type, data)
            if record is None:
                continue
            with self._lock:
                known = self._records.get(key)
                if known is not None:
                    later = self._rank(record) >= self._rank(known)
                    record = from_json(self._type, merged(to_json(known), data, later=later))
                if record is not None and record != known:
                    self._keep(key, record)
                    changed = True
        return changed

    def _at(self, record: Any) -> float:
        """The time of a record, in seconds since 1970."""
        at: datetime = record.at
        return at.timestamp()

    def _rank(self, record: R) -> int:
        """How much a record knows. Where two records of one key differ, the higher rank wins."""
        raise NotImplementedError


def job_error(item: QueueItem, *, attempt: int = 1, secrets: Iterable[str | None] = ()) -> JobError:
    """Diagnose a failed job.

    Args:
        item: the failed item. Without its error, as when it could not be read, the result says so.
        attempt: which attempt at the job this was, starting at 1.
        secrets: tokens in use, which are removed from the texts; other secrets were removed when the item was read.
    """
    node_id, node_type = failed_node(item)
    diagnosis = failures.diagnose_failure(item.server_error_type, item.error_message, item.error_traceback)
    message = without_known(item.error_message or item.server_error_type or "The server gives no reason.", secrets)
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
        server_error_type=item.server_error_type,
        traceback=None if item.error_traceback is None else without_known(item.error_traceback, secrets),
        attempt=attempt,
        fingerprint=classify.fingerprint(diagnosis.error_type, item.server_error_type, node_type, message),
    )


@dataclass(frozen=True, slots=True, repr=False)
class ErrorGroup:
    """Errors with one fingerprint: equal but for ids and numbers.

    Attributes:
        fingerprint: the fingerprint that they share.
        errors: the errors, oldest first; at least one.
    """

    fingerprint: str
    errors: tuple[JobError, ...]

    def __repr__(self) -> str:
        ids = self.item_ids
        items = f"items {', '.join(map(str, ids[:_LISTED]))}{', …' if len(ids) > _LISTED else ''}" if ids else ""
        node = f"in {self.node_type}" if self.node_type else ""
        message = one_line(self.message, _LONGEST)
        parts = [
            f"{self.count} x {self.error_type}",
            node,
            repr(message),
            items,
            self.suggestion and repr(self.suggestion),
        ]
        return f"ErrorGroup({', '.join(part for part in parts if part)})"

    @property
    def last(self) -> JobError:
        """The latest error, which speaks for the group."""
        return self.errors[-1]

    @property
    def count(self) -> int:
        """The number of errors."""
        return len(self.errors)

    @property
    def first_at(self) -> datetime:
        """The time of the first error, in UTC."""
        return self.errors[0].at

    @property
    def last_at(self) -> datetime:
        """The time of the latest error, in UTC."""
        return self.last.at

    @property
    def error_type(self) -> JobErrorType:
        """The class of the errors."""
        return self.last.error_type

    @property
    def message(self) -> str:
        """The latest error's message."""
        return self.last.message

    @property
    def suggestion(self) -> str:
        """What to do about it."""
        return self.last.suggestion

    @property
    def retryable(self) -> bool:
        """Whether a retry may help."""
        return self.last.retryable

    @property
    def node_type(self) -> str | None:
        """The type of the node that failed, if known."""
        return self.last.node_type

    @property
    def item_ids(self) -> tuple[int, ...]:
        """The items that failed, in ascending order."""
        return tuple(sorted({error.item_id for error in self.errors if error.item_id is not None}))


def group_errors(errors: Iterable[JobError]) -> list[ErrorGroup]:
    """Group errors by fingerprint; the group with the latest error comes first."""
    groups: dict[str, list[JobError]] = {}
    for error in errors:
        groups.setdefault(error.fingerprint, []).append(error)
    found = [ErrorGroup(mark, tuple(sorted(group, key=lambda error: error.at))) for mark, group in groups.items()]
    return sorted(found, key=lambda group: group.last_at, reverse=True)


class ErrorLog(Log[JobError]):
    """Failed jobs, one record each, and failed requests."""

    _kind = "errors"
    _type = JobError

    def __init__(self, limit: int = LIMIT, **options: Any) -> None:
        self._chains: dict[tuple[str, int], set[int]] = {}
        self.is_undecided: Callable[[QueueItem], bool] = lambda item: False  # whether it may be run again
        super().__init__(limit, **options)

    def _frame(self) -> pd.DataFrame:
        return frames.errors(self)

    def groups(self) -> list[ErrorGroup]:
        """The records grouped by fingerprint; the group with the latest error comes first. Waits as `frame` does."""
        self.catch_up()
        return group_errors(self)

    def record_failure(self, item: QueueItem) -> None:
        """Record a failed item. It may be passed again, for instance when more is known about it."""
        key = _item_key(item.item_id, item.batch_id)
        known = self._records.get(key)
        # A failure that could not be read is recorded without its error, which may become known later.
        if known is not None and (known.server_error_type is not None or item.server_error_type is None):
            self._add_node(key, known, *failed_node(item))
            self.link(item)
            return
        self.link(item)
        made = self._diagnosed(item)
        self._put(key, made if known is None else replace(made, retry_at=known.retry_at))

    def _diagnosed(self, item: QueueItem) -> JobError:
        return job_error(item, attempt=self._attempt(item), secrets=self._secrets())

    def record_node(self, event: NodeFailed) -> None:
        """Add the node that failed to the record of an item; its event follows the item's own."""
        key = _item_key(event.item_id, event.batch_id)
        known = self._records.get(key)
        if known is not None:
            self._add_node(key, known, event.node_id, event.node_type)

    def _add_node(self, key: str, known: JobError, node_id: str | None, node_type: str | None) -> None:
        if known.node_id is None and node_id is not None:
            mark = classify.fingerprint(known.error_type, known.server_error_type, node_type, known.message)
            self._put(key, replace(known, node_id=node_id, node_type=node_type, fingerprint=mark))

    def _attempt(self, item: QueueItem) -> int:
        # The server names the first item of the chain in each retry.
        root = item.retried_from_item_id
        if root is None:
            return 1
        with self._lock:
            return 1 + sum(1 for other in self._chains.get((item.batch_id, root), ()) if other <= item.item_id)

    def record_exception(self, error: JobException) -> None:
        """Record a failed request; the same exception only once."""
        # The key is kept on the exception: id() may be given to another exception once this one is gone.
        key: str = error.__dict__.setdefault("_record_key", f"request:{uuid.uuid4().hex}")
        if key in self._records:
            return
        path = next((str(path) for path, _ in error.details.get("errors", ()) if path), error.field)
        # The message may quote an argument, which no server sent and nobody has cleaned yet.
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
                http_status=error.http_status,
                fingerprint=classify.fingerprint(error.error_type, None, None, message),
            ),
        )

    def link(self, item: QueueItem) -> None:
        """Take an item into its attempt chain, whatever its status, and renumber the attempts of the chain's errors.

        An item that is no retry is ignored.
        """
        root = item.retried_from_item_id
        if root is None:
            return
        with self._lock:
            chain = self._chains.setdefault((item.batch_id, root), set())
            if item.item_id in chain:
                return
            chain.add(item.item_id)
            if len(self._chains) > self._limit:
                del self._chains[next(iter(self._chains))]
            ordered = sorted(chain)
        for attempt, item_id in enumerate(ordered, start=2):
            key = _item_key(item_id, item.batch_id)
            known = self._records.get(key)
            if known is not None and known.attempt != attempt:
                self._put(key, replace(known, attempt=attempt))

    def note_retry(self, item_id: int, batch_id: str, at: datetime | None) -> None:
        """Set when the job of a failed item will be run again; None if it will not be."""
        key = _item_key(item_id, batch_id)
        known = self._records.get(key)
        if known is not None and known.retry_at != at:
            self._put(key, replace(known, retry_at=at), reset=() if at else ("retry_at",))

    def record_of(self, item: QueueItem) -> JobError | None:
        """The record of a failed item; None if there is none yet."""
        return self._records.get(_item_key(item.item_id, item.batch_id))

    def error_of(self, item: QueueItem) -> JobError:
        """The record of a failed item, or what it would be: it may be unknown yet, or cleared."""
        return self.record_of(item) or self._diagnosed(item)

    def of(self, item: QueueItem) -> JobError | None:
        """The record of a failed item, once it is known whether its job will be run again; None until then."""
        return None if self.is_undecided(item) else self.record_of(item)

    def of_item(self, item_id: int) -> JobError | None:
        """The newest record of an item."""
        with self._lock:
            newest = (self._records[place[-1]] for place in reversed(self._order))
            return next((e for e in newest if e.item_id == item_id), None)

    def _rank(self, record: JobError) -> int:
        return 0 if record.node_id is None else 1


class CancellationLog(Log[Cancellation]):
    """Every cancel that was requested. A record is replaced when its `stopped_s` becomes known."""

    _kind = "cancellations"
    _type = Cancellation

    def _frame(self) -> pd.DataFrame:
        return frames.cancellations(self)

    def record(self, cancellation: Cancellation) -> None:
        """Add a cancellation, or replace the one with the same `cancellation_id`."""
        message = without_known(cancellation.message, self._secrets())
        if message != cancellation.message:
            cancellation = replace(cancellation, message=message)
        self._put(cancellation.cancellation_id or uuid.uuid4().hex, cancellation)

    def latest(self, cancellation: Cancellation) -> Cancellation:
        """The current record of a cancellation; for that of a sweep or retry, itself with the latest `stopped_s`."""
        known = self._records.get(cancellation.cancellation_id, cancellation)
        is_part = known.item_ids != cancellation.item_ids
        return replace(cancellation, stopped_s=known.stopped_s) if is_part else known

    def _at(self, record: Cancellation) -> float:
        return record.requested_at.timestamp()

    def _rank(self, record: Cancellation) -> int:
        return 0 if record.stopped_s is None else 1


_LEFT_OUT = ("origin", "destination", "created_at", "updated_at", "started_at", "completed_at", "server_error_type",
             "error_message", "field_values", "device", "retried_from_item_id", "parent_item_id")  # fmt: skip
"""What a summary or an event may leave out."""
_RANKS: Mapping[str, int] = {PENDING: 0, WAITING: 1, IN_PROGRESS: 1, GONE: 2}
_ENDED = 3


class JobLog(Log[QueueItem]):
    """Every job that was seen, in its last known state and without its session, also after the server deleted it.

    A job whose end was never seen (it was cleared, deleted, or pruned while nobody was connected) has the status
    "gone"; its `updated_at` is when that was noticed. Jobs of other users, which the server hides, are not in it.
    """

    _kind = "jobs"
    _type = QueueItem

    def __init__(self, limit: int = LIMIT, **options: Any) -> None:
        self._of_item: dict[int, set[str]] = {}
        self._of_batch: dict[str, set[str]] = {}
        super().__init__(limit, **options)

    def _frame(self) -> pd.DataFrame:
        return frames.jobs(self)

    def of_item(self, item_id: int) -> QueueItem | None:
        """The newest record of an item: on another server, or a new one, its id may have meant another job."""
        with self._lock:
            keys = self._of_item.get(item_id)
            return self._records[max(keys, key=self._places.__getitem__)] if keys else None

    def of_batch(self, batch_id: str) -> list[QueueItem]:
        """The records of a batch."""
        with self._lock:
            return [self._records[key] for key in self._of_batch.get(batch_id, ())]

    def named(self, item: QueueItem) -> QueueItem:
        """The item with the names of its values, if an earlier session submitted it: the server has no names."""
        record = self._records.get(_item_key(item.item_id, item.batch_id))
        is_named = record is not None and any(value.name for value in record.field_values or ())
        return replace(item, field_values=record.field_values) if record is not None and is_named else item

    def record(self, item: QueueItem) -> None:
        """Add an item, or replace its record."""
        item = item.without_session()
        if item.error_message or item.error_traceback:
            # The traceback is in the error log.
            message = without_known(item.error_message or "", self._secrets())
            item = replace(item, error_message=message, error_traceback=None)
        key = _item_key(item.item_id, item.batch_id)
        known = self._records.get(key)
        if known is not None and any(value.name for value in known.field_values or ()):
            # The server does not know the names: an earlier session of this history submitted the job.
            item = replace(item, field_values=known.field_values)
        if known is not None and known.status == item.status:
            # A summary lacks what an earlier session of this history has read.
            lacking = [name for name in _LEFT_OUT if getattr(item, name) is None]
            item = replace(item, **{name: getattr(known, name) for name in lacking})
        if known != item:
            self._put(key, item)

    def settle(self, is_there: Callable[[QueueItem], bool], item_ids: Iterable[int] | None = None) -> None:
        """Mark unfinished jobs that the server no longer has as gone.

        Args:
            is_there: whether the server still has a job.
            item_ids: the items to look at; None for all.
        """
        with self._lock:
            ids = list(self._of_item) if item_ids is None else item_ids
            records = {key: self._records[key] for item_id in ids for key in self._of_item.get(item_id, ())}
        for key, record in records.items():
            if not record.is_terminal and record.status != GONE and not is_there(record):
                self._put(key, replace(record, status=GONE, updated_at=datetime.now(UTC)))

    def record_deleted(self, items: Iterable[QueueItem]) -> None:
        """Record that the user has deleted items: the server canceled those that had not ended."""
        for item in items:
            record = self._records.get(_item_key(item.item_id, item.batch_id), item)
            if not record.is_terminal:
                now = datetime.now(UTC)
                self.record(replace(record, status=CANCELED, completed_at=now, updated_at=now))

    def _keep(self, key: str, record: QueueItem) -> None:
        super()._keep(key, record)
        if key in self._records:
            self._of_item.setdefault(record.item_id, set()).add(key)
            self._of_batch.setdefault(record.batch_id, set()).add(key)

    def _drop(self, key: str) -> None:
        record = self._records[key]
        _discard(self._of_item, record.item_id, key)
        _discard(self._of_batch, record.batch_id, key)
        super()._drop(key)

    def _at(self, record: QueueItem) -> float:
        time = record.created_at or record.updated_at or datetime.now(UTC)
        return time.timestamp()

    def _rank(self, record: QueueItem) -> int:
        return _RANKS.get(record.status, _ENDED)


def _discard(keys_of: dict[K, set[str]], which: K, key: str) -> None:
    keys = keys_of.get(which, set())
    keys.discard(key)
    if not keys:
        keys_of.pop(which, None)


@dataclass(frozen=True, slots=True, repr=False)
class LoggedEvent(Brief):
    """An event and when it was received, in UTC."""

    at: datetime
    event: Event


class EventLog(Log[LoggedEvent]):
    """The latest events, in memory only."""

    def _frame(self) -> pd.DataFrame:
        return frames.events(self)

    def record(self, event: Event) -> None:
        """Add an event, without its preview image or result, which are large."""
        if isinstance(event, NodeProgress):
            event = replace(event, progress=replace(event.progress, image=None))
        elif isinstance(event, NodeCompleted):
            event = replace(event, result={})
        self._put(uuid.uuid4().hex, LoggedEvent(datetime.now(UTC), event))

    def _at(self, record: LoggedEvent) -> float:
        return 0.0  # in the order of arrival: the clock may be set back


def _item_key(item_id: int, batch_id: str) -> str:
    return f"item:{item_id}:{batch_id}"
