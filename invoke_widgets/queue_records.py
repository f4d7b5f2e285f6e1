"""What a server says of its queue: items, counters, the worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from invoke_widgets.errors.redact import incoming
from invoke_widgets.json_values import (
    count,
    integer,
    integers,
    mapping,
    optional_integer,
    optional_text,
    parse_time,
    text,
)

PENDING = "pending"
IN_PROGRESS = "in_progress"
WAITING = "waiting"
COMPLETED = "completed"
FAILED = "failed"
CANCELED = "canceled"
STATUSES = (PENDING, IN_PROGRESS, WAITING, COMPLETED, FAILED, CANCELED)
GONE = "gone"
"""No status of the server's: it no longer has the job, and how that ended was not heard. In the log of jobs only."""
TERMINAL = frozenset({COMPLETED, FAILED, CANCELED})


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One value that a batch set for this item: the field `field_name` of the node `node_path`."""

    node_path: str
    field_name: str
    value: Any

    @classmethod
    def many(cls, data: object) -> tuple[Self, ...]:
        if not isinstance(data, list):
            return ()
        return tuple(
            cls(str(v.get("node_path", "")), str(v.get("field_name", "")), v.get("value"))
            for v in data
            if isinstance(v, Mapping)
        )

    def __str__(self) -> str:
        return f"{self.node_path}.{self.field_name}={self.value!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """One job in the queue.

    What is None depends on where the record comes from: a summary (6.14 on) knows neither `session`, `priority` nor the
    error; an event knows neither `field_values`, `device` nor `parent_item_id`. `session` is the server's own JSON.
    `parent_item_id` is that of the item whose node called a saved workflow (6.14 on), which this one runs.
    """

    item_id: int
    status: str
    batch_id: str
    queue_id: str = "default"
    status_sequence: int | None = None
    priority: int | None = None
    session_id: str | None = None
    origin: str | None = None
    destination: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = field(default=None, repr=False)
    field_values: tuple[FieldValue, ...] | None = None
    device: str | None = None
    user_id: str | None = None
    user_display_name: str | None = None
    retried_from_item_id: int | None = None
    parent_item_id: int | None = None
    session: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_json(cls, data: object, *, queue_id: str = "default") -> Self:
        """From an item, a summary, or the payload of a `queue_item_status_changed` event.

        Raises:
            ValueError: no usable `item_id`, `status` or `batch_id`.
        """
        data = mapping(data)
        session = data.get("session")
        return cls(
            item_id=integer(data, "item_id"),
            status=text(data, "status"),
            batch_id=text(data, "batch_id"),
            queue_id=optional_text(data.get("queue_id")) or queue_id,
            status_sequence=optional_integer(data.get("status_sequence")),
            priority=optional_integer(data.get("priority")),
            session_id=optional_text(data.get("session_id")),
            origin=optional_text(data.get("origin")),
            destination=optional_text(data.get("destination")),
            created_at=parse_time(data.get("created_at")),
            updated_at=parse_time(data.get("updated_at")),
            started_at=parse_time(data.get("started_at")),
            completed_at=parse_time(data.get("completed_at")),
            error_type=optional_text(data.get("error_type")),
            error_message=_incoming(data.get("error_message")),
            error_traceback=_incoming(data.get("error_traceback")),
            # A whole item, which has its session, leaves out what is null.
            field_values=FieldValue.many(data.get("field_values"))
            if "field_values" in data or "session" in data
            else None,
            device=optional_text(data.get("device")),
            user_id=optional_text(data.get("user_id")),
            user_display_name=optional_text(data.get("user_display_name")),
            retried_from_item_id=optional_integer(data.get("retried_from_item_id")),
            parent_item_id=optional_integer(data.get("parent_item_id")),
            session=session if isinstance(session, Mapping) else None,
        )

    @property
    def was_read(self) -> bool:
        """Whether more is known of it than events tell: what was varied, and whether another item called it."""
        return self.field_values is not None

    @property
    def is_terminal(self) -> bool:
        """Whether the item is completed, failed or canceled: it will not change again."""
        return self.status in TERMINAL

    @property
    def waited_s(self) -> float | None:
        """Seconds from creation to start; None while it has not started."""
        return _seconds(self.created_at, self.started_at)

    @property
    def ran_s(self) -> float | None:
        """Seconds from start to end; None while it has not ended or if it never started."""
        return _seconds(self.started_at, self.completed_at)

    def without_session(self) -> Self:
        """The same record without the graph and its results, which can be large."""
        return self if self.session is None else replace(self, session=None)


def retryable(items: Mapping[int, QueueItem]) -> list[int]:
    """The ids of failed items that nobody has retried yet, ascending.

    A retry's new item names the root of its line, so that of each line only the newest failed item counts. One that
    another item called fails together with it, and is run again by a retry of that one alone.
    """
    newest: dict[int, int] = {}
    for item in items.values():
        if item.parent_item_id is not None:
            continue
        root = item.retried_from_item_id or item.item_id
        newest[root] = max(newest.get(root, 0), item.item_id)
    return sorted(item_id for item_id in newest.values() if items[item_id].status == FAILED)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many items have which status. `waiting` exists since 6.14, and is 0 before."""

    pending: int = 0
    in_progress: int = 0
    waiting: int = 0
    completed: int = 0
    failed: int = 0
    canceled: int = 0
    total: int = 0

    @classmethod
    def of(cls, statuses: Iterable[str]) -> Counts:
        """Counts of a collection of statuses; an unknown status counts in `total` alone."""
        tally = dict.fromkeys(STATUSES, 0)
        total = 0
        for status in statuses:
            total += 1
            if status in tally:
                tally[status] += 1
        return Counts(total=total, **tally)

    @property
    def unfinished(self) -> int:
        """How many will still change: pending, in progress or waiting."""
        return self.pending + self.in_progress + self.waiting

    def counters(self) -> dict[str, int]:
        """Status -> number, and `total`."""
        return {name: getattr(self, name) for name in (*STATUSES, "total")}


def _counts(data: Mapping[str, Any]) -> dict[str, int]:
    return {key: count(data, key) for key in (*STATUSES, "total")}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus(Counts):
    """The queue's counters, and one of the items in progress (with several GPUs there may be more).

    The counters are of everybody's items; `user_pending` and `user_in_progress` are of those of the user who asks, in
    an event of those of its item's owner, and None where the server does not tell them.
    """

    queue_id: str = "default"
    item_id: int | None = None
    batch_id: str | None = None
    session_id: str | None = None
    user_pending: int | None = None
    user_in_progress: int | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(
            queue_id=text(data, "queue_id"),
            item_id=optional_integer(data.get("item_id")),
            batch_id=optional_text(data.get("batch_id")),
            session_id=optional_text(data.get("session_id")),
            user_pending=optional_integer(data.get("user_pending")),
            user_in_progress=optional_integer(data.get("user_in_progress")),
            **_counts(data),
        )

    @property
    def user_unfinished(self) -> int | None:
        """As `unfinished`, of the user's own items; None where that is not told. Counts no `waiting` ones."""
        if self.user_pending is None or self.user_in_progress is None:
            return None
        return self.user_pending + self.user_in_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus(Counts):
    """A batch's counters. An unknown batch has zeros (the server answers 200 for it)."""

    queue_id: str = "default"
    batch_id: str = ""
    origin: str | None = None
    destination: str | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(
            queue_id=text(data, "queue_id"),
            batch_id=text(data, "batch_id"),
            origin=optional_text(data.get("origin")),
            destination=optional_text(data.get("destination")),
            **_counts(data),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationCounts(Counts):
    """Counters of all items with one destination."""

    queue_id: str = "default"
    destination: str = ""

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(queue_id=text(data, "queue_id"), destination=text(data, "destination"), **_counts(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorStatus:
    """Whether the worker takes items (`is_started`; False is paused) and is busy with one (`is_processing`)."""

    is_started: bool
    is_processing: bool

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(is_started=bool(data.get("is_started")), is_processing=bool(data.get("is_processing")))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAndProcessorStatus:
    """The queue's counters, and what its worker does."""

    queue: QueueStatus
    processor: ProcessorStatus

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(
            queue=QueueStatus.from_json(data.get("queue")),
            processor=ProcessorStatus.from_json(data.get("processor")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemIds:
    """All ids in the queue, in the order that was asked for, and how many they are."""

    item_ids: tuple[int, ...]
    total_count: int

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(item_ids=integers(data, "item_ids"), total_count=count(data, "total_count"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueResult:
    """The answer to an enqueue. A full queue takes fewer than asked (`enqueued < requested`), which is no error.

    `item_ids` are ascending, and are those of the whole batch: enqueueing a `batch_id` again adds to it. Empty on a
    server older than 6.0.
    """

    queue_id: str
    batch_id: str
    enqueued: int
    requested: int
    priority: int
    item_ids: tuple[int, ...]

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(
            queue_id=text(data, "queue_id"),
            batch_id=text(mapping(data.get("batch")), "batch_id"),
            enqueued=integer(data, "enqueued"),
            requested=integer(data, "requested"),
            priority=count(data, "priority"),
            item_ids=tuple(sorted(integers(data, "item_ids"))) if data.get("item_ids") is not None else (),
        )


def _incoming(value: object) -> str | None:
    """An error's text: it may quote an address with a password, and is shown, logged and saved in notebooks."""
    said = optional_text(value)
    return None if said is None else incoming(said)
