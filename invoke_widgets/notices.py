"""Notices: frozen records of what is worth reporting: a job ended or stalls, the queue is stuck, ..."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from invoke_widgets.records import Brief, Counts, JobError, Progress, QueueItem, Wedge


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Notice(Brief):
    """The base of all notices. `at`: when it was noticed, UTC."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobChanged(Notice):
    """An unfinished job has a new status or new `progress` (None while none is known)."""

    item: QueueItem
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobFinished(Notice):
    """A job completed (then this is a `JobCompleted`), failed (a `JobFailed`), or was canceled."""

    item: QueueItem


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobCompleted(JobFinished):
    """A job completed."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobFailed(JobFinished):
    """A job failed; `error` says why. `will_retry`: its `RetryPolicy` will run it again."""

    error: JobError
    will_retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobDeleted(Notice):
    """A job was deleted before it finished. `item` is its last known state, if it was ever seen."""

    item_id: int
    item: QueueItem | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobStalled(Notice):
    """Nothing was received about a running job for `quiet_s` seconds. Reported once, and again after it moved on."""

    item: QueueItem
    quiet_s: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BatchDone(Notice):
    """All items of a batch have finished and none will be retried. Reported again if items are added and finish."""

    batch_id: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueWedged(Notice):
    """The queue is stuck; `wedge` says why."""

    wedge: Wedge


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueUnwedged(Notice):
    """The queue is no longer stuck."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueuePaused(Notice):
    """The worker takes no further items."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueResumed(Notice):
    """The worker takes items again."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueueFull(Notice):
    """The queue accepted only part of a submission. `pending`: how many items were waiting. Known from events alone."""

    pending: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConnectionLost(Notice):
    """The server cannot be reached; `error` says why.

    What happens to jobs meanwhile is reported after `ConnectionBack`. `is_refused`: the server is there but rejects the
    token; `remedy` says what to do. That is reported even if the server was unreachable before.
    """

    error: str
    remedy: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConnectionBack(Notice):
    """The server can be reached again."""
