"""Frozen records: the server's data, and what the package derives from it.

In order: fields of JSON objects; the queue's items and counters; answers to requests; the gallery; workflows and
models; and records of our own (errors, cancellations, retries, progress, a stuck queue, the connection).

Each `from_json` takes a decoded JSON object and raises `ValueError` if its identity is missing. Otherwise it is
lenient: extra fields are dropped, an unknown status is kept, a missing optional field is None. Field names are the
server's. Times are UTC-aware `datetime`s (the server sends naive UTC strings).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self

from invoke_widgets.errors import JobErrorType
from invoke_widgets.errors.failures import diagnose_failure
from invoke_widgets.errors.redact import incoming

# --- fields of JSON objects ---------------------------------------------------------------------------------------


def parse_time(value: object) -> datetime | None:
    """A server's timestamp as an aware UTC datetime, or None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: in UTC it leaves the years 1 to 9999
        return None


def integer(data: Mapping[str, Any], key: str) -> int:
    """A required integer field, or `ValueError`."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key} should be an integer, got {value!r}")  # noqa: TRY004 - bad data, not a bad call
    return value


def integers(data: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """A required field with a list of integers, or `ValueError`."""
    values = data.get(key)
    if not isinstance(values, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in values):
        raise ValueError(f"{key} should be a list of integers")
    return tuple(values)


def text(data: Mapping[str, Any], key: str) -> str:
    """A required string field, or `ValueError`."""
    value = data.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} should be a string, got {value!r}")  # noqa: TRY004
    return value


def optional_text(value: object) -> str | None:
    """A string, or None for anything else."""
    return value if isinstance(value, str) else None


def _error_text(value: object) -> str | None:
    """An error's text without secrets: it may quote an address with a password, and is saved in notebooks."""
    return incoming(value) if isinstance(value, str) else None


def optional_integer(value: object) -> int | None:
    """An integer, or None for anything else, `true` included."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def count(data: Mapping[str, Any], key: str) -> int:
    """A counter, 0 if it is missing or not an integer."""
    return optional_integer(data.get(key)) or 0


def mapping(data: object) -> Mapping[str, Any]:
    """`data` itself, or `ValueError` if it is not a JSON object."""
    if not isinstance(data, Mapping):
        raise ValueError(f"expected a JSON object, got {type(data).__name__}")  # noqa: TRY004
    return data


class Brief:
    """A record with a short `repr`, as a notebook shows lists of them: without what is unknown or has its default."""

    __slots__ = ()

    def __repr__(self) -> str:
        record: Any = self
        shown = [
            f"{one.name}={_brief(value)}"
            for one in fields(record)
            if one.repr and (value := getattr(self, one.name)) is not None and value != one.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def _brief(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds")
    if isinstance(value, float):
        return f"{value:.4g}"
    return repr(str(value)) if isinstance(value, str) else repr(value)


class FromJson(Brief):
    """A record whose fields are read from the server's JSON object, each by its name and type."""

    __slots__ = ()

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Parse the server's JSON. What is missing or has another type gets its default, and a flag is False.

        Raises:
            ValueError: a number or text without a default is missing, or has another type.
        """
        kind: Any = cls  # mypy does not know that classes can be hashed
        data = mapping(data)
        return cls(**{name: read(data, name) for name, read in _readers(kind).items()})


@cache
def _readers(kind: Any) -> dict[str, Callable[[Mapping[str, Any], str], Any]]:
    return {one.name: (_REQUIRED if one.default is MISSING else _OPTIONAL)[one.type] for one in fields(kind)}


_REQUIRED: Mapping[Any, Callable[[Mapping[str, Any], str], Any]] = {
    "int": integer,
    "str": text,
    "bool": lambda data, key: data.get(key) is True,
    "tuple[int, ...]": integers,
}
_OPTIONAL: Mapping[Any, Callable[[Mapping[str, Any], str], Any]] = {
    "int": count,
    "str": lambda data, key: optional_text(data.get(key)) or "",
    "bool": _REQUIRED["bool"],
    "int | None": lambda data, key: optional_integer(data.get(key)),
    "str | None": lambda data, key: optional_text(data.get(key)),
    "datetime | None": lambda data, key: parse_time(data.get(key)),
}


# --- the queue ----------------------------------------------------------------------------------------------------

PENDING = "pending"
IN_PROGRESS = "in_progress"
WAITING = "waiting"
COMPLETED = "completed"
FAILED = "failed"
CANCELED = "canceled"
STATUSES = (PENDING, IN_PROGRESS, WAITING, COMPLETED, FAILED, CANCELED)
GONE = "gone"
"""Not a status of the server: it no longer has the job, and its end was not observed. Only in the log of jobs."""
TERMINAL = frozenset({COMPLETED, FAILED, CANCELED})


@dataclass(frozen=True, slots=True, repr=False)
class FieldValue:
    """A value that was set for an item, in the field `field_name` of the node `node_path`.

    `name` is what the field was called when it was set by name, as in a workflow; then a value that all jobs of a batch
    share is here too, with an empty `node_path`. `file` is the file that a picture was uploaded from, or "".
    """

    node_path: str
    field_name: str
    value: Any
    name: str = ""
    file: str = ""

    @property
    def label(self) -> str:
        """Its name, or "node.field"."""
        return self.name or f"{self.node_path}.{self.field_name}"

    @property
    def given(self) -> Any:
        """The value as it was given: a picture's file rather than its name on the server."""
        return self.file or self.value

    @classmethod
    def many(cls, data: object) -> tuple[Self, ...]:
        if not isinstance(data, list):
            return ()
        return tuple(
            cls(
                str(v.get("node_path", "")),
                str(v.get("field_name", "")),
                v.get("value"),
                str(v.get("name", "")),
                str(v.get("file", "")),
            )
            for v in data
            if isinstance(v, Mapping)
        )

    def __repr__(self) -> str:
        return f"{self.label}={self.given!r}"


@dataclass(frozen=True, slots=True)
class ValueNames:
    """How the values of a batch's items are called.

    Attributes:
        names: node id and field -> name, of the values that differ between the items.
        shared: name -> value, of those that all items have in common.
        files: the name of a picture on the server -> the file that it was uploaded from.
    """

    names: Mapping[tuple[str, str], str]
    shared: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def among(cls, values: Iterable[FieldValue]) -> Self:
        """The names that the values of a batch's items have."""
        known = list(values)
        return cls(
            {(value.node_path, value.field_name): value.name for value in known if value.node_path and value.name},
            {value.name: value.value for value in known if not value.node_path},
            {
                value.value["image_name"]: value.file
                for value in known
                if value.file and isinstance(value.value, Mapping)
            },
        )

    def of(self, values: Iterable[FieldValue]) -> tuple[FieldValue, ...]:
        """Return an item's values with their names, those that all items share last, where a short line is cut."""
        shared = [FieldValue("", name, value, name) for name, value in self.shared.items()]
        return (*(self._named(value) for value in values), *shared)

    def _named(self, value: FieldValue) -> FieldValue:
        picture = value.value.get("image_name") if isinstance(value.value, Mapping) else None
        name = self.names.get((value.node_path, value.field_name), "")
        return replace(value, name=name, file=self.files.get(picture, "") if isinstance(picture, str) else "")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueItem(Brief):
    """One job in the queue.

    Which fields are None depends on the source: a summary (since 6.14) has no `session`, `priority` or error; an event
    has no `field_values`, `device` or `parent_item_id`. `server_error_type` is the server's name of the exception that
    ended it ("ZeroDivisionError"). `session` and `workflow`, which it was made of, are the server's JSON, for an item
    that was read in full. `parent_item_id` is the item whose node called a saved workflow (since 6.14) that this item
    runs.
    """

    item_id: int
    status: str
    batch_id: str
    queue_id: str = "default"
    status_sequence: int | None = field(default=None, repr=False)
    priority: int | None = field(default=None, repr=False)
    session_id: str | None = field(default=None, repr=False)
    origin: str | None = field(default=None, repr=False)
    destination: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = field(default=None, repr=False)
    started_at: datetime | None = None
    completed_at: datetime | None = None
    server_error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = field(default=None, repr=False)
    field_values: tuple[FieldValue, ...] | None = None
    device: str | None = None
    user_id: str | None = field(default=None, repr=False)
    user_display_name: str | None = field(default=None, repr=False)
    retried_from_item_id: int | None = None
    parent_item_id: int | None = None
    session: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    workflow: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_json(cls, data: object, *, queue_id: str = "default") -> Self:
        """Parse an item, a summary, or the payload of a `queue_item_status_changed` event.

        Raises:
            ValueError: `item_id`, `status` or `batch_id` is missing or of the wrong type.
        """
        data = mapping(data)
        get = data.get
        session, workflow = get("session"), get("workflow")
        return cls(
            item_id=integer(data, "item_id"),
            status=text(data, "status"),
            batch_id=text(data, "batch_id"),
            queue_id=optional_text(get("queue_id")) or queue_id,
            status_sequence=optional_integer(get("status_sequence")),
            priority=optional_integer(get("priority")),
            session_id=optional_text(get("session_id")),
            origin=optional_text(get("origin")),
            destination=optional_text(get("destination")),
            created_at=parse_time(get("created_at")),
            updated_at=parse_time(get("updated_at")),
            started_at=parse_time(get("started_at")),
            completed_at=parse_time(get("completed_at")),
            server_error_type=optional_text(get("error_type")),
            error_message=_error_text(get("error_message")),
            error_traceback=_error_text(get("error_traceback")),
            # A full item, which has its session, leaves out null fields.
            field_values=FieldValue.many(get("field_values")) if "field_values" in data or "session" in data else None,
            device=optional_text(get("device")),
            user_id=optional_text(get("user_id")),
            user_display_name=optional_text(get("user_display_name")),
            retried_from_item_id=optional_integer(get("retried_from_item_id")),
            parent_item_id=optional_integer(get("parent_item_id")),
            session=session if isinstance(session, dict) else None,
            workflow=workflow if isinstance(workflow, dict) else None,
        )

    @property
    def was_read(self) -> bool:
        """Whether it was read from the server: events have neither the batch's values nor the parent item."""
        return self.field_values is not None

    @property
    def is_terminal(self) -> bool:
        """Whether the item is completed, failed or canceled, and will not change again."""
        return self.status in TERMINAL

    @property
    def error_type(self) -> JobErrorType | None:
        """The class of the error that ended it; None if there is none, or it has not been read yet."""
        error = (self.server_error_type, self.error_message, self.error_traceback)
        return diagnose_failure(*error).error_type if any(error) else None

    @property
    def waited_s(self) -> float | None:
        """Seconds from creation to start; None before it has started."""
        return _seconds(self.created_at, self.started_at)

    @property
    def ran_s(self) -> float | None:
        """Seconds from start to end; None before it has ended, or if it never started."""
        return _seconds(self.started_at, self.completed_at)

    def without_session(self) -> Self:
        """A copy without the graph and its results, and the workflow, which can be large."""
        return self if self.session is None else replace(self, session=None, workflow=None)


def retryable(items: Mapping[int, QueueItem], statuses: Container[str] = (FAILED,)) -> list[int]:
    """The ids of items with one of these statuses that have not been retried yet, ascending.

    A retry's new item names the first item of its attempt chain, so only the newest item of a chain counts. An item
    that another item called is left out: it fails with its parent, and only a retry of the parent runs it again.
    """
    newest: dict[int, int] = {}
    for item in items.values():
        if item.parent_item_id is not None:
            continue
        root = item.retried_from_item_id or item.item_id
        newest[root] = max(newest.get(root, 0), item.item_id)
    return sorted(item_id for item_id in newest.values() if items[item_id].status in statuses)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Counts(Brief):
    """The number of items by status. `waiting` exists since 6.14, and is 0 before."""

    pending: int = 0
    in_progress: int = 0
    waiting: int = 0
    completed: int = 0
    failed: int = 0
    canceled: int = 0
    total: int = 0

    @classmethod
    def tallied(cls, tally: Mapping[str, int]) -> Counts:
        """Counts of a mapping from status to number; an unknown status counts in `total` alone."""
        return Counts(total=sum(tally.values()), **{status: tally.get(status, 0) for status in STATUSES})

    @property
    def unfinished(self) -> int:
        """The number of items that will still change: pending, in progress or waiting."""
        return self.pending + self.in_progress + self.waiting

    def counters(self) -> dict[str, int]:
        """The numbers by status, and `total`."""
        return {name: getattr(self, name) for name in (*STATUSES, "total")}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueStatus(Counts, FromJson):
    """The queue's counters, and one of the items in progress (with several GPUs there may be more).

    The counters include all users' items. `user_pending` and `user_in_progress` count those of the requesting user (in
    an event, of the item's owner), and are None where the server does not send them.
    """

    queue_id: str
    item_id: int | None = None
    batch_id: str | None = None
    session_id: str | None = None
    user_pending: int | None = None
    user_in_progress: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BatchStatus(Counts, FromJson):
    """A batch's counters. An unknown batch has zeros (the server answers 200 for it)."""

    queue_id: str
    batch_id: str
    origin: str | None = None
    destination: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DestinationCounts(Counts, FromJson):
    """The counters of all items with one destination."""

    queue_id: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProcessorStatus(FromJson):
    """Whether the worker takes items (`is_started`; False is paused) and is running one (`is_processing`)."""

    is_started: bool
    is_processing: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueAndProcessorStatus(Brief):
    """The queue's counters and its worker's status."""

    queue: QueueStatus
    processor: ProcessorStatus

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Parse the server's JSON."""
        data = mapping(data)
        return cls(
            queue=QueueStatus.from_json(data.get("queue")),
            processor=ProcessorStatus.from_json(data.get("processor")),
        )


# --- answers to requests ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ItemIds(FromJson):
    """All ids in the queue, in the requested order, and their number."""

    item_ids: tuple[int, ...]
    total_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EnqueueResult(Brief):
    """The answer to an enqueue. A full queue takes fewer items than requested, which is no error.

    `item_ids` are those of the whole batch, ascending: enqueueing a `batch_id` again adds to it. Empty before 6.0.
    """

    queue_id: str
    batch_id: str
    enqueued: int
    requested: int
    priority: int
    item_ids: tuple[int, ...]

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Parse the server's JSON."""
        data = mapping(data)
        return cls(
            queue_id=text(data, "queue_id"),
            batch_id=text(mapping(data.get("batch")), "batch_id"),
            enqueued=integer(data, "enqueued"),
            requested=integer(data, "requested"),
            priority=count(data, "priority"),
            item_ids=tuple(sorted(integers(data, "item_ids"))) if data.get("item_ids") is not None else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuthStatus(FromJson):
    """Whether the server is in multiuser mode (since 6.12), in which each request needs a token."""

    multiuser_enabled: bool
    setup_required: bool = False

    def remedy(self, url: str) -> str:
        """What to do before there can be a token: create the administrator. Empty once there is one."""
        setup = f"Open {url} in a browser and create the administrator first; then log in for a token."
        return setup if self.setup_required else ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class User(FromJson):
    """The owner of a token, on a server in multiuser mode. An administrator may change all users' items."""

    user_id: str
    is_admin: bool = False
    display_name: str | None = None


# --- the gallery --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ImageRecord(FromJson):
    """An image on the server, as its `ImageDTO` says.

    Attributes:
        image_origin: "internal" if a job made it, "external" if it was uploaded.
        session_id: of the item that made it; None for an upload.
        node_id: the execution node that made it, not a node of the graph.
    """

    image_name: str
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


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BoardRecord(FromJson):
    """A board of the gallery. `image_count` leaves out intermediates; the cover is its newest image, if any."""

    board_id: str
    board_name: str
    image_count: int = 0
    archived: bool = False
    cover_image_name: str | None = None
    created_at: datetime | None = None


# --- workflows and models -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WorkflowRecord(Brief):
    """A workflow in the server's library. `workflow` is its JSON, as the editor exports it; None in lists.

    `category` is "default" for what came with the server, else "user". `tags` are separated by commas.
    """

    workflow_id: str
    name: str
    description: str = ""
    category: str = ""
    tags: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    workflow: Mapping[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Parse the server's JSON."""
        data = mapping(data)
        workflow = data.get("workflow") if isinstance(data.get("workflow"), Mapping) else None
        meta = workflow.get("meta") if workflow else None
        said = {"category": meta.get("category") if isinstance(meta, Mapping) else None, **(workflow or {}), **data}
        return cls(
            workflow_id=text(data, "workflow_id"),
            name=text(data, "name"),
            description=optional_text(said.get("description")) or "",
            category=optional_text(said.get("category")) or "",
            tags=optional_text(said.get("tags")) or "",
            created_at=parse_time(data.get("created_at")),
            updated_at=parse_time(data.get("updated_at")),
            workflow=workflow,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ModelRecord(FromJson):
    """An installed model. `type` is "main", "lora", "vae" and so on, `base` its architecture, such as "sdxl"."""

    key: str
    hash: str
    name: str
    base: str
    type: str
    format: str = ""
    description: str = ""

    @property
    def identifier(self) -> dict[str, str]:
        """The value that a model field of a node takes."""
        return {"key": self.key, "hash": self.hash, "name": self.name, "base": self.base, "type": self.type}


# --- records of our own -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobError(Brief):
    """A classified error.

    `fingerprint` is equal for errors that differ only in ids and numbers; `ErrorLog.groups()` counts by it.
    `field_path` is the dotted path of a validation error. `attempt` counts from 1. `retry_at` is when a `RetryPolicy`
    runs the job again, or did; None if it does not. `server_error_type` is the server's name of
    the exception. `http_status` is that of the reply, if a request failed.
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
    http_status: int | None = None
    attempt: int = 1
    retry_at: datetime | None = None
    fingerprint: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Cancellation(Brief):
    """The outcome of a cancel, with its times in seconds since the request.

    Attributes:
        scope: "item", "batch", "pending" or "clear".
        outcome: "canceled"; "already_finished" (nothing was left to cancel); "not_found"; "refused" (the user may not
            do this); "unknown" (no answer came and a look did not settle it, or nothing could be sent).
        canceled: the number of canceled items.
        item_ids: the items concerned, ascending, as far as they are known.
        requested_at: the time of the request, UTC.
        acknowledged_s: until the server's answer came.
        effective_s: until an event or the answer showed the items' new status.
        stopped_s: until the worker had moved on; None while it has not, or if that cannot be known. A pending item has
            nothing to stop: its `stopped_s` is its `effective_s`.
        message: the outcome in words.
        cancellation_id: the record's identity, since `stopped_s` is known later than the rest.
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


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Retried(Brief):
    """The outcome of a retry: `new_item_ids` maps each retried item to the server's new one.

    `skipped` has the items that the server did not retry (completed, missing, or the queue was full), and `gone` those
    that it did retry, but whose new items somebody deleted before they were seen. For an item that another item called,
    each names the outermost caller, which is what the server retries.
    """

    new_item_ids: Mapping[int, int]
    skipped: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()

    @property
    def item_ids(self) -> tuple[int, ...]:
        """The new items, ascending."""
        return tuple(sorted(self.new_item_ids.values()))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Progress(Brief):
    """The progress of a running item: `percentage` from 0 to 1, or None while it is unknown.

    `node_id` is the graph's own. `image` is a data URL of a preview, if the server sent one.
    """

    item_id: int
    message: str = ""
    percentage: float | None = None
    node_id: str | None = None
    node_type: str | None = None
    image: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Wedge(Brief):
    """A stuck queue: the worker fails again and again to load these items, and nothing behind them runs.

    `batch_ids` are the items' batches; canceling those frees the queue. Up to 6.13 they are known only from an event,
    since the item cannot be loaded; up to 6.6 neither may be known. `message` is ours or the server's. `is_theirs`: the
    items are another user's, and the server does not name their batch. `is_dead`: the worker seems to have ended.
    """

    batch_ids: tuple[str, ...]
    item_ids: tuple[int, ...]
    message: str = ""
    is_theirs: bool = False
    is_dead: bool = False

    @property
    def culprit(self) -> str:
        """The cause in words: the batches, or the items where the batch is unknown."""
        if self.batch_ids:
            return f"batch {', '.join(self.batch_ids)}"
        if self.item_ids:
            return f"item {', '.join(map(str, self.item_ids))}"
        return "the worker" if self.is_dead else "an item"

    @property
    def remedy(self) -> str:
        """The way out, in words."""
        if self.batch_ids:
            return "console.unwedge() cancels it; nothing else in the queue runs before."
        if self.is_theirs:
            return "It is another user's: they, or an administrator, can cancel it."
        if self.is_dead:
            return "Restart the server."
        return (
            "This server does not name its batch: console.cancel_pending() cancels all pending items, "
            "this one too; nothing in the queue runs before."
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Connection(Brief):
    """How the snapshot is kept up to date.

    Attributes:
        mode: "connecting" (no snapshot yet), "live" (events), "polling" (no socket), "reconnecting" (the server went
            away; `next_try_at` is the next attempt), "closed".
        error: the reason, if known.
        remedy: what the user can do about it, if known.
        is_ill: whether something answers there that cannot do its work, as against nothing that can be reached.
        is_internal: whether a defect of this package keeps it from following the queue.
        is_refused: whether the server answers, but refuses the token, or wants one.
        next_try_at: `time.monotonic()` of the next try.
        version: the server's version.
        user: whose token is used, on a server in multiuser mode; else None.
    """

    mode: str = "connecting"
    error: str = ""
    remedy: str = ""
    is_ill: bool = False
    is_internal: bool = False
    is_refused: bool = False
    next_try_at: float | None = field(default=None, repr=False)
    version: str = ""
    user: User | None = None

    @property
    def is_up(self) -> bool:
        """Whether the snapshot follows the queue, by events or by polling."""
        return self.mode in ("live", "polling")
