"""What a server says, and what is made of it, as frozen records.

Each `from_json` takes a decoded JSON object and tolerates what it does not know: extra fields are dropped, an unknown
status is kept as it is, a missing optional field is None. Only an object without its identity raises `ValueError`.
Field names are the server's own. Times are UTC-aware `datetime`s (the server sends naive UTC strings).
"""

from invoke_widgets.findings import (
    Cancellation,
    Connection,
    JobError,
    Progress,
    Retried,
    Wedge,
)
from invoke_widgets.json_values import (
    parse_time,
)
from invoke_widgets.queue_records import (
    CANCELED,
    COMPLETED,
    FAILED,
    GONE,
    IN_PROGRESS,
    PENDING,
    STATUSES,
    TERMINAL,
    WAITING,
    BatchStatus,
    Counts,
    DestinationCounts,
    EnqueueResult,
    FieldValue,
    ItemIds,
    ProcessorStatus,
    QueueAndProcessorStatus,
    QueueItem,
    QueueStatus,
    retryable,
)
from invoke_widgets.server_records import (
    AuthStatus,
    Board,
    Image,
    User,
)

__all__ = [
    "CANCELED",
    "COMPLETED",
    "FAILED",
    "GONE",
    "IN_PROGRESS",
    "PENDING",
    "STATUSES",
    "TERMINAL",
    "WAITING",
    "AuthStatus",
    "BatchStatus",
    "Board",
    "Cancellation",
    "Connection",
    "Counts",
    "DestinationCounts",
    "EnqueueResult",
    "FieldValue",
    "Image",
    "ItemIds",
    "JobError",
    "ProcessorStatus",
    "Progress",
    "QueueAndProcessorStatus",
    "QueueItem",
    "QueueStatus",
    "Retried",
    "User",
    "Wedge",
    "parse_time",
    "retryable",
]
