"""The responses of the queue's routes, named as in InvokeAI."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .batch import Batch, NodeFieldValue, WorkflowWithoutID
from .session import GraphExecutionState

Status = Literal["pending", "in_progress", "waiting", "completed", "failed", "canceled"]
TERMINAL: tuple[Status, ...] = ("completed", "failed", "canceled")


class QueueItemNotFoundError(ValueError):
    """No queue item has that id."""


class SessionQueueItem(BaseModel):
    """A queue item with its session"""

    item_id: int = Field(description="The identifier of the queue item")
    status: Status = Field(default="pending", description="The status of this queue item")
    status_sequence: int | None = Field(default=None, description="How often the status has changed")
    priority: int = Field(default=0, description="The priority of this queue item")
    batch_id: str = Field(description="The ID of the batch of this queue item")
    origin: str | None = Field(default=None, description="The origin of this queue item")
    destination: str | None = Field(default=None, description="The destination of this queue item")
    session_id: str = Field(description="The ID of the session of this queue item")
    error_type: str | None = Field(default=None, description="The error type if this queue item errored")
    error_message: str | None = Field(default=None, description="The error message if this queue item errored")
    error_traceback: str | None = Field(default=None, description="The error traceback if this queue item errored")
    created_at: str = Field(description="When this queue item was created")
    updated_at: str = Field(description="When this queue item was updated")
    started_at: str | None = Field(description="When this queue item was started")
    completed_at: str | None = Field(description="When this queue item was completed")
    queue_id: str = Field(description="The id of the queue with which this item is associated")
    user_id: str = Field(default="system", description="The id of the user who created this queue item")
    user_display_name: str | None = Field(default=None, description="That user's display name")
    user_email: str | None = Field(default=None, description="That user's email")
    field_values: list[NodeFieldValue] | None = Field(default=None, description="The values put into the graph")
    retried_from_item_id: int | None = Field(default=None, description="The item that this one retries")
    device: str | None = Field(default=None, description="The device that ran this queue item")
    workflow_call_id: str | None = Field(default=None, description="The workflow call that this item is part of")
    parent_item_id: int | None = Field(default=None, description="The calling item")
    parent_session_id: str | None = Field(default=None, description="The calling item's session")
    root_item_id: int | None = Field(default=None, description="The first item of the call chain")
    workflow_call_depth: int | None = Field(default=None, description="The depth of the call")
    session: GraphExecutionState = Field(description="The session to be executed")
    workflow: WorkflowWithoutID | None = Field(default=None, description="The workflow of this queue item")

    model_config = ConfigDict(
        json_schema_extra={
            "required": [
                "item_id",
                "status",
                "batch_id",
                "queue_id",
                "session_id",
                "session",
                "priority",
                "session_id",
                "created_at",
                "updated_at",
            ]
        }
    )


class SessionQueueItemSummary(BaseModel):
    """A queue item without its session"""

    item_id: int
    created_at: str
    status: Status
    device: str | None = None
    started_at: str | None
    completed_at: str | None
    origin: str | None
    destination: str | None
    batch_id: str
    user_id: str
    user_display_name: str | None
    user_email: str | None
    field_values: list[NodeFieldValue] | None
    parent_item_id: int | None


class Counts(BaseModel):
    """The number of items by status"""

    pending: int
    in_progress: int
    waiting: int
    completed: int
    failed: int
    canceled: int
    total: int


class SessionQueueStatus(Counts):
    """The counts of a queue, and its current item"""

    queue_id: str
    item_id: int | None
    batch_id: str | None
    session_id: str | None
    user_pending: int | None = None
    user_in_progress: int | None = None


class SessionProcessorStatus(BaseModel):
    """The state of the worker"""

    is_started: bool = Field(description="Whether the session processor is started")
    is_processing: bool = Field(description="Whether a session is being processed")


class SessionQueueAndProcessorStatus(BaseModel):
    """The overall status of session queue and processor"""

    queue: SessionQueueStatus
    processor: SessionProcessorStatus


class SessionQueueCountsByDestination(Counts):
    """The counts of a destination"""

    queue_id: str
    destination: str


class BatchStatus(Counts):
    """The counts of a batch"""

    queue_id: str
    batch_id: str
    origin: str | None
    destination: str | None


class ItemIdsResult(BaseModel):
    """The ids of a queue's items"""

    item_ids: list[int]
    total_count: int


class EnqueueBatchResult(BaseModel):
    """The result of enqueuing a batch"""

    queue_id: str
    enqueued: int
    requested: int
    batch: Batch
    priority: int
    item_ids: list[int]


class RetryItemsResult(BaseModel):
    """The ids of the items that were retried"""

    queue_id: str
    retried_item_ids: list[int]


class ClearResult(BaseModel):
    """Result of clearing the session queue"""

    deleted: int


class PruneResult(ClearResult):
    """Result of pruning the session queue"""


class CancelByBatchIDsResult(BaseModel):
    """Result of canceling by list of batch ids"""

    canceled: int


class CancelByDestinationResult(CancelByBatchIDsResult):
    """Result of canceling by a destination"""


class CancelAllExceptCurrentResult(CancelByBatchIDsResult):
    """Result of canceling all except current"""


class DeleteByDestinationResult(BaseModel):
    """Result of deleting by a destination"""

    deleted: int


class DeleteAllExceptCurrentResult(DeleteByDestinationResult):
    """Result of deleting all except current"""
