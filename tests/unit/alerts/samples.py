"""Notices that make conditions true, and that messages report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from invoke_widgets.errors import JobErrorType
from invoke_widgets.notices import JobCompleted, JobFailed, JobStalled
from invoke_widgets.records import JobError, QueueItem

AT = datetime(2026, 11, 23, 15, 4, 5, tzinfo=UTC)
ITEM = QueueItem(item_id=7, status="failed", batch_id="9c01-4711", destination="gallery")


def failed(error_type: str = "resource_error", **fields: Any) -> JobFailed:
    error = JobError(at=AT, error_type=JobErrorType(error_type), message="CUDA out of memory", suggestion="Make room.")
    return JobFailed(at=AT, item=ITEM, error=error, **fields)


FINISHED = JobCompleted(at=AT, item=QueueItem(item_id=8, status="completed", batch_id="b"))
STALLED = JobStalled(at=AT, item=ITEM, quiet_s=130.0)
