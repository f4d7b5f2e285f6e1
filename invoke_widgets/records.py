"""What a server says, as frozen records.

Each `from_json` takes a decoded JSON object and tolerates what it does not know: extra fields are dropped, an unknown
status is kept as it is, a missing optional field is None. Only an object without its identity raises `ValueError`.
Field names are the server's own. Times are UTC-aware `datetime`s (the server sends naive UTC strings).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from invoke_widgets.errors import JobErrorType

PENDING = "pending"
IN_PROGRESS = "in_progress"
WAITING = "waiting"
COMPLETED = "completed"
FAILED = "failed"
CANCELED = "canceled"
STATUSES = (PENDING, IN_PROGRESS, WAITING, COMPLETED, FAILED, CANCELED)
TERMINAL = frozenset({COMPLETED, FAILED, CANCELED})


def parse_time(value: object) -> datetime | None:
    """A server's timestamp as an aware UTC datetime; None for anything that is not one."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: out of the years 1 to 9999 once in UTC
        return None


def _int(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key} should be an integer, got {value!r}")  # noqa: TRY004 - bad data, not a bad call
    return value


def _str(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} should be a string, got {value!r}")  # noqa: TRY004
    return value


def _opt_str(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _opt_int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _count(data: Mapping[str, Any], key: str) -> int:
    return _opt_int(data.get(key)) or 0


def _object(data: object) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ValueError(f"expected a JSON object, got {type(data).__name__}")  # noqa: TRY004
    return data


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
    error; an event knows neither `field_values` nor `device`. `session` is the server's own JSON.
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
        data = _object(data)
        session = data.get("session")
        return cls(
            item_id=_int(data, "item_id"),
            status=_str(data, "status"),
            batch_id=_str(data, "batch_id"),
            queue_id=_opt_str(data.get("queue_id")) or queue_id,
            status_sequence=_opt_int(data.get("status_sequence")),
            priority=_opt_int(data.get("priority")),
            session_id=_opt_str(data.get("session_id")),
            origin=_opt_str(data.get("origin")),
            destination=_opt_str(data.get("destination")),
            created_at=parse_time(data.get("created_at")),
            updated_at=parse_time(data.get("updated_at")),
            started_at=parse_time(data.get("started_at")),
            completed_at=parse_time(data.get("completed_at")),
            error_type=_opt_str(data.get("error_type")),
            error_message=_opt_str(data.get("error_message")),
            error_traceback=_opt_str(data.get("error_traceback")),
            field_values=FieldValue.many(data["field_values"]) if "field_values" in data else None,
            device=_opt_str(data.get("device")),
            user_id=_opt_str(data.get("user_id")),
            user_display_name=_opt_str(data.get("user_display_name")),
            retried_from_item_id=_opt_int(data.get("retried_from_item_id")),
            parent_item_id=_opt_int(data.get("parent_item_id")),
            session=session if isinstance(session, Mapping) else None,
        )

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

    A retry's new item names the root of its line, so that of each line only the newest failed item counts.
    """
    newest: dict[int, int] = {}
    for item in items.values():
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
        return self.pending + self.in_progress + self.waiting

    def counters(self) -> dict[str, int]:
        """Status -> number, and `total`."""
        return {name: getattr(self, name) for name in (*STATUSES, "total")}


def _counts(data: Mapping[str, Any]) -> dict[str, int]:
    return {key: _count(data, key) for key in (*STATUSES, "total")}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus(Counts):
    """The queue's counters, and one of the items in progress (with several GPUs there may be more)."""

    queue_id: str = "default"
    item_id: int | None = None
    batch_id: str | None = None
    session_id: str | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = _object(data)
        return cls(
            queue_id=_str(data, "queue_id"),
            item_id=_opt_int(data.get("item_id")),
            batch_id=_opt_str(data.get("batch_id")),
            session_id=_opt_str(data.get("session_id")),
            **_counts(data),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus(Counts):
    """A batch's counters. An unknown batch has zeros (the server answers 200 for it)."""

    queue_id: str = "default"
    batch_id: str = ""
    origin: str | None = None
    destination: str | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = _object(data)
        return cls(
            queue_id=_str(data, "queue_id"),
            batch_id=_str(data, "batch_id"),
            origin=_opt_str(data.get("origin")),
            destination=_opt_str(data.get("destination")),
            **_counts(data),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationCounts(Counts):
    """Counters of all items with one destination."""

    queue_id: str = "default"
    destination: str = ""

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = _object(data)
        return cls(queue_id=_str(data, "queue_id"), destination=_str(data, "destination"), **_counts(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorStatus:
    """Whether the worker takes items (`is_started`; False is paused) and is busy with one (`is_processing`)."""

    is_started: bool
    is_processing: bool

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = _object(data)
        return cls(is_started=bool(data.get("is_started")), is_processing=bool(data.get("is_processing")))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAndProcessorStatus:
    queue: QueueStatus
    processor: ProcessorStatus

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = _object(data)
        return cls(
            queue=QueueStatus.from_json(data.get("queue")),
            processor=ProcessorStatus.from_json(data.get("processor")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemIds:
    item_ids: tuple[int, ...]
    total_count: int

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = _object(data)
        ids = data.get("item_ids")
        if not isinstance(ids, list) or not all(isinstance(i, int) for i in ids):
            raise ValueError("item_ids should be a list of integers")
        return cls(item_ids=tuple(ids), total_count=_count(data, "total_count"))


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
        data = _object(data)
        ids = data.get("item_ids")
        return cls(
            queue_id=_str(data, "queue_id"),
            batch_id=_str(_object(data.get("batch")), "batch_id"),
            enqueued=_int(data, "enqueued"),
            requested=_int(data, "requested"),
            priority=_count(data, "priority"),
            item_ids=tuple(sorted(ids)) if isinstance(ids, list) else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthStatus:
    """Whether the server is in multiuser mode, in which each request needs a token. Servers before 6.12 have none."""

    multiuser_enabled: bool
    setup_required: bool = False

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = _object(data)
        return cls(
            multiuser_enabled=bool(data.get("multiuser_enabled")), setup_required=bool(data.get("setup_required"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image on the server. `image_url` and `thumbnail_url` are relative to the server's address."""

    image_name: str
    image_url: str = ""
    thumbnail_url: str = ""
    width: int = 0
    height: int = 0
    image_category: str | None = None
    image_origin: str | None = None
    is_intermediate: bool = False
    starred: bool = False
    session_id: str | None = None
    node_id: str | None = None
    board_id: str | None = None
    created_at: datetime | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = _object(data)
        return cls(
            image_name=_str(data, "image_name"),
            image_url=_opt_str(data.get("image_url")) or "",
            thumbnail_url=_opt_str(data.get("thumbnail_url")) or "",
            width=_count(data, "width"),
            height=_count(data, "height"),
            image_category=_opt_str(data.get("image_category")),
            image_origin=_opt_str(data.get("image_origin")),
            is_intermediate=bool(data.get("is_intermediate")),
            starred=bool(data.get("starred")),
            session_id=_opt_str(data.get("session_id")),
            node_id=_opt_str(data.get("node_id")),
            board_id=_opt_str(data.get("board_id")),
            created_at=parse_time(data.get("created_at")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    board_id: str
    board_name: str
    image_count: int = 0
    archived: bool = False
    cover_image_name: str | None = None
    created_at: datetime | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = _object(data)
        return cls(
            board_id=_str(data, "board_id"),
            board_name=_str(data, "board_name"),
            image_count=_count(data, "image_count"),
            archived=bool(data.get("archived")),
            cover_image_name=_opt_str(data.get("cover_image_name")),
            created_at=parse_time(data.get("created_at")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """One thing that went wrong, classified.

    `fingerprint` is equal for errors that differ only in ids and numbers; `ErrorLog.groups()` counts by it.
    `field_path` is the dotted path of a validation error. `attempt` counts from 1.
    """

    at: datetime
    error_type: JobErrorType
    message: str
    suggestion: str = ""
    retryable: bool = False
    item_id: int | None = None
    batch_id: str | None = None
    node_id: str | None = None
    node_type: str | None = None
    field_path: str | None = None
    server_error_type: str | None = None
    traceback: str | None = field(default=None, repr=False)
    status: int | None = None
    attempt: int = 1
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What a cancel did, and when, in seconds since it was asked for.

    Attributes:
        scope: "item", "batch", "pending" or "clear".
        outcome: "canceled"; "already_finished" (there was nothing left to cancel); "not_found"; "refused" (the server
            said no: not yours, not allowed); "unknown" (no answer came, and looking did not tell).
        canceled: how many items were canceled.
        item_ids: the items that it was about, ascending, as far as they are known.
        requested_at: when, UTC.
        acknowledged_s: until the server's answer came.
        effective_s: until the items' status had changed, as an event or the answer told.
        stopped_s: until the worker had really gone on to something else; None while it has not, or if that cannot be
            known. A pending item has nothing to stop: its `stopped_s` is its `effective_s`.
        message: the outcome in words.
        cancellation_id: identity, since `stopped_s` becomes known later than the rest.
    """

    scope: str
    outcome: str
    canceled: int
    item_ids: tuple[int, ...]
    requested_at: datetime
    acknowledged_s: float | None = None
    effective_s: float | None = None
    stopped_s: float | None = None
    batch_id: str | None = None
    message: str = ""
    cancellation_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """What a retry did: `new_item_ids` maps each retried item to the new one that the server made of it.

    An item that the server skipped (finished well, missing, or the queue was full) is in `skipped`.
    """

    new_item_ids: Mapping[int, int]
    skipped: tuple[int, ...] = ()

    @property
    def item_ids(self) -> tuple[int, ...]:
        """The new items, ascending."""
        return tuple(sorted(self.new_item_ids.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an item in progress is: `percentage` from 0 to 1, or None while that is unknown.

    `node_id` is the graph's own. `image` is a data URL of a preview, if the server sent one.
    """

    item_id: int
    message: str = ""
    percentage: float | None = None
    node_id: str | None = None
    node_type: str | None = None
    image: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wedge:
    """A queue that cannot go on: the worker fails again and again to load these items, and nothing behind them runs.

    `batch_ids` are the batches that they belong to: canceling those is the way out. Up to 6.13 they are known only if
    an event told them: an item that cannot be loaded does not. Both are empty where the worker seems to have ended.
    `message` says which, or is the server's own.
    """

    batch_ids: tuple[str, ...]
    item_ids: tuple[int, ...]
    message: str = ""

    @property
    def culprit(self) -> str:
        """Who is to blame, in words: the batches, or the items where the server does not tell their batch."""
        if self.batch_ids:
            return f"batch {', '.join(self.batch_ids)}"
        return f"item {', '.join(map(str, self.item_ids))}" if self.item_ids else "the worker"

    @property
    def remedy(self) -> str:
        """The way out, in words."""
        if self.batch_ids:
            return "console.unwedge() cancels it; nothing else in the queue runs before."
        if self.item_ids:
            return (
                "This server does not tell its batch: console.cancel_pending() cancels all that waits, "
                "this too; nothing in the queue runs before."
            )
        return "Restart the server."


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How the picture is being kept.

    Attributes:
        mode: "connecting" (no picture yet), "live" (events), "polling" (no socket can be had), "reconnecting" (the
            server went away; `next_try_at` says when it is tried next), "closed".
        error: why, where that is known.
        next_try_at: `time.monotonic()` of the next try.
        heard_at: `time.monotonic()` of the last sign of life.
        version: the server's version.
    """

    mode: str = "connecting"
    error: str = ""
    next_try_at: float | None = None
    heard_at: float | None = None
    version: str = ""
