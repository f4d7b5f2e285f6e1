"""What is worth telling somebody, as frozen records: a job ended or stands still, the queue is wedged, ..."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from invoke_widgets.conditions import NoticeKind
from invoke_widgets.records import Counts, JobError, Progress, QueueItem, Wedge


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(metaclass=NoticeKind):
    """`at`: when it was noticed, UTC."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged(Notice):
    """A job that has not finished has another status, or other `progress` (None while none is known)."""

    item: QueueItem
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished(Notice):
    """A job is completed or canceled; failed, if it is a `JobFailed`."""

    item: QueueItem


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed(JobFinished):
    """A job failed; `error` has its class. `will_retry`: its `RetryPolicy` runs it again."""

    error: JobError
    will_retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeleted(Notice):
    """A job was deleted before it had finished. `item` is what was last seen of it, if it was seen."""

    item_id: int
    item: QueueItem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStalled(Notice):
    """Nothing was heard of a job in progress for `quiet_s` seconds. Told once, and again if it goes on and stops."""

    item: QueueItem
    quiet_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDone(Notice):
    """All of a batch has finished, and nothing of it is to be tried again. Told anew if more is added to it."""

    batch_id: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueWedged(Notice):
    """The queue cannot go on; `wedge` says why."""

    wedge: Wedge


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueUnwedged(Notice):
    """The queue goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused(Notice):
    """The worker takes no further item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueResumed(Notice):
    """The worker takes items again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFull(Notice):
    """The queue took less than somebody submitted. `pending` is how many waited then. Known only from events."""

    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost(Notice):
    """The server went away; `error` says how. What happens to jobs meanwhile is told after `ConnectionBack`.

    `is_refused`: it is there, and refuses the token; `remedy` says what to do. Told also where it was away before.
    """

    error: str
    remedy: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBack(Notice):
    """The server is back."""
