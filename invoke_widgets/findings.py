"""What is made of what a server says: errors, cancels, retries, progress, a wedge, the connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from invoke_widgets.errors import JobErrorType
from invoke_widgets.server_records import User


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """One thing that went wrong, classified.

    `fingerprint` is equal for errors that differ only in ids and numbers; `ErrorLog.groups()` counts by it.
    `field_path` is the dotted path of a validation error. `attempt` counts from 1. `retry_at` is when its `RetryPolicy`
    runs the job again, or did; None if none does.
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
    retry_at: datetime | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What a cancel did, and when, in seconds since it was asked for.

    Attributes:
        scope: "item", "batch", "pending" or "clear".
        outcome: "canceled"; "already_finished" (there was nothing left to cancel); "not_found"; "refused" (the server
            said no: not yours, not allowed); "unknown" (no answer came, and looking did not tell;
            or nothing could be sent).
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
class Retried:
    """What a retry did: `new_item_ids` maps each retried item to the new one that the server made of it.

    An item that the server skipped (finished well, missing, or the queue was full) is in `skipped`. Both are about the
    item that was retried: for one that another item called, that is the one which called first.
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
    `message` says which, or is the server's own. `is_theirs`: the items are another user's, whose batch is not told.
    """

    batch_ids: tuple[str, ...]
    item_ids: tuple[int, ...]
    message: str = ""
    is_theirs: bool = False

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
        if self.is_theirs:
            return "It is another user's: they, or an administrator, can cancel it."
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
        remedy: what a person can do about it, where that is known.
        is_ill: whether something answers there that cannot do its work, as against nothing that can be reached.
        is_refused: whether the server answers, but refuses the token, or wants one.
        next_try_at: `time.monotonic()` of the next try.
        heard_at: `time.monotonic()` of the last sign of life.
        version: the server's version.
        user: whose token is used, on a server in multiuser mode; else None.
    """

    mode: str = "connecting"
    error: str = ""
    remedy: str = ""
    is_ill: bool = False
    is_refused: bool = False
    next_try_at: float | None = None
    heard_at: float | None = None
    version: str = ""
    user: User | None = None
