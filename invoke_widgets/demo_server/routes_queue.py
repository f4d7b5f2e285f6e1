"""The routes under `/api/v1/queue`."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, HTTPException, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from .batch import Batch
from .graph import Graph
from .models import (
    BatchStatus,
    CancelAllExceptCurrentResult,
    CancelByBatchIDsResult,
    CancelByDestinationResult,
    ClearResult,
    DeleteAllExceptCurrentResult,
    DeleteByDestinationResult,
    EnqueueBatchResult,
    ItemIdsResult,
    PruneResult,
    QueueItemNotFoundError,
    RetryItemsResult,
    SessionProcessorStatus,
    SessionQueueAndProcessorStatus,
    SessionQueueCountsByDestination,
    SessionQueueItem,
    SessionQueueItemSummary,
)
from .services import Admin, Parts, Services, User
from .session import GraphExecutionState
from .users import CurrentUser

router = APIRouter(prefix="/api/v1/queue", tags=["queue"])

MAX_ITEM_IDS = 1000

T = TypeVar("T")

QueueId = Annotated[str, Path(description="The queue id to perform this operation on")]
ItemId = Annotated[int, Path(description="The queue item")]
ItemIds = Annotated[list[int], Body(embed=True, max_length=MAX_ITEM_IDS, description="The queue item ids")]
Destination = Annotated[str, Query(description="The destination")]


class SQLiteDirection(StrEnum):
    """The order of a list."""

    Ascending = "ASC"
    Descending = "DESC"


def _attempt(what: str, act: Callable[[], T]) -> T:
    """Return the result of `act`; answer 500 in InvokeAI's words if it raises.

    This includes the 404 of an item that is read through another queue's path, as in InvokeAI.
    """
    try:
        return act()
    except Exception as error:
        raise HTTPException(500, f"Unexpected error while {what}: {error}") from error


async def _change(services: Services, what: str, act: Callable[[], T]) -> T:
    """Return the result of `act`, which changes the queue, once its events were sent."""

    def guarded() -> T:
        try:
            return act()
        except HTTPException:
            raise
        except Exception as error:
            raise HTTPException(500, f"Unexpected error while {what}: {error}") from error

    try:
        return await run_in_threadpool(guarded)
    finally:
        await services.bus.flush()


def _not_found(item_id: int, queue_id: str) -> HTTPException:
    return HTTPException(404, f"Queue item with id {item_id} not found in queue {queue_id}")


def _item_in(services: Services, queue_id: str, item_id: int) -> SessionQueueItem:
    try:
        item = services.queue.get_item(item_id)
    except QueueItemNotFoundError:
        raise _not_found(item_id, queue_id) from None
    if item.queue_id != queue_id:
        raise _not_found(item_id, queue_id)
    return item


def _own_item(services: Services, queue_id: str, item_id: int, user: CurrentUser, verb: str) -> SessionQueueItem:
    item = _item_in(services, queue_id, item_id)
    if item.user_id != user.user_id and not user.is_admin:
        named = f"queue item {item_id}" if verb == "retry" else "this queue item"
        raise HTTPException(403, f"You do not have permission to {verb} {named}")
    return item


_HIDDEN = {"priority": 0, "user_id": "redacted", "batch_id": "redacted", "session_id": "redacted"}
_KEPT = {"item_id", "queue_id", "status", "status_sequence", "device"} | {
    "created_at",
    "updated_at",
    "started_at",
    "completed_at",
}


def _shown(item: SessionQueueItem, user: CurrentUser) -> SessionQueueItem:
    """Return an item as a user may see it: other users' items show no more than the server's load."""
    if user.is_admin or item.user_id == user.user_id:
        return item
    hidden = {name: _HIDDEN.get(name) for name in SessionQueueItem.model_fields if name not in _KEPT}
    return item.model_copy(update={**hidden, "session": GraphExecutionState(id="redacted", graph=Graph())})


def _shown_summary(summary: dict[str, Any], user: CurrentUser) -> dict[str, Any]:
    if user.is_admin or summary["user_id"] == user.user_id:
        return summary
    return {name: value if name in _KEPT else _HIDDEN.get(name) for name, value in summary.items()}


@router.post("/{queue_id}/enqueue_batch", operation_id="enqueue_batch", responses={201: {"model": EnqueueBatchResult}})
async def enqueue_batch(
    services: Parts,
    user: User,
    queue_id: QueueId,
    batch: Annotated[Batch, Body(description="Batch to process")],
    prepend: Annotated[bool, Body(description="Whether or not to prepend this batch in the queue")] = False,
) -> EnqueueBatchResult:
    """Enqueue a batch's items."""
    act = services.queue.enqueue_batch
    return await _change(services, "enqueuing batch", lambda: act(queue_id, batch, prepend, user.user_id))


@router.get("/{queue_id}/list_all", operation_id="list_all_queue_items")
def list_all_queue_items(
    services: Parts,
    user: User,
    queue_id: QueueId,
    destination: Annotated[str | None, Query(description="The destination of queue items to fetch")] = None,
) -> list[SessionQueueItem]:
    """Get all queue items."""
    items = _attempt("listing all queue items", lambda: services.queue.list_all(queue_id, destination))
    return [_shown(item, user) for item in items]


@router.get("/{queue_id}/item_ids", operation_id="get_queue_item_ids")
def get_queue_item_ids(
    services: Parts,
    user: User,
    queue_id: QueueId,
    order_dir: Annotated[SQLiteDirection, Query(description="The order of sort")] = SQLiteDirection.Descending,
) -> ItemIdsResult:
    """Get all queue item ids."""
    descending = order_dir is SQLiteDirection.Descending
    return _attempt("listing all queue item ids", lambda: services.queue.item_ids(queue_id, descending))


@router.post("/{queue_id}/items_by_ids", operation_id="get_queue_items_by_item_ids")
def get_queue_items_by_item_ids(
    services: Parts, user: User, queue_id: QueueId, item_ids: ItemIds
) -> list[SessionQueueItem]:
    """Get queue items in the order of the ids, leaving out missing and unreadable ones."""
    items = []
    for item_id in item_ids:
        try:
            items.append(_shown(_item_in(services, queue_id, item_id), user))
        except Exception:  # noqa: BLE001 - InvokeAI skips unreadable items
            continue
    return items


@router.post(
    "/{queue_id}/item_summaries_by_ids",
    operation_id="get_queue_item_summaries_by_ids",
    response_model=list[SessionQueueItemSummary],
)
def get_queue_item_summaries_by_ids(
    services: Parts, user: User, queue_id: QueueId, item_ids: ItemIds, response: Response
) -> Response:
    """Get summaries in the order of the ids."""
    try:
        summaries = services.queue.summaries(queue_id, item_ids)
    except Exception as error:
        raise HTTPException(500, "Failed to get queue item summaries") from error
    shown = [_shown_summary(summary, user) for summary in summaries]
    return JSONResponse(shown, headers=dict(response.headers))


@router.put("/{queue_id}/processor/resume", operation_id="resume")
def resume(services: Parts, user: Admin, queue_id: QueueId) -> SessionProcessorStatus:
    """Resume the worker."""
    return services.worker.resume()


@router.put("/{queue_id}/processor/pause", operation_id="pause")
def pause(services: Parts, user: Admin, queue_id: QueueId) -> SessionProcessorStatus:
    """Pause the worker, which finishes the running item."""
    return services.worker.pause()


@router.put("/{queue_id}/cancel_all_except_current", operation_id="cancel_all_except_current")
async def cancel_all_except_current(services: Parts, user: User, queue_id: QueueId) -> CancelAllExceptCurrentResult:
    """Cancel the pending items."""
    act = services.queue.cancel_all_except_current
    count = await _change(services, "canceling all except current", lambda: act(queue_id, user.scope))
    return CancelAllExceptCurrentResult(canceled=count)


@router.put("/{queue_id}/delete_all_except_current", operation_id="delete_all_except_current")
async def delete_all_except_current(services: Parts, user: User, queue_id: QueueId) -> DeleteAllExceptCurrentResult:
    """Delete the pending items."""
    act = services.queue.delete_all_except_current
    count = await _change(services, "deleting all except current", lambda: act(queue_id, user.scope))
    return DeleteAllExceptCurrentResult(deleted=count)


@router.put("/{queue_id}/cancel_by_batch_ids", operation_id="cancel_by_batch_ids")
async def cancel_by_batch_ids(
    services: Parts,
    user: User,
    queue_id: QueueId,
    batch_ids: Annotated[list[str], Body(embed=True, description="The batches to cancel")],
) -> CancelByBatchIDsResult:
    """Cancel the items of batches."""
    act = services.queue.cancel_by_batch_ids
    count = await _change(services, "canceling by batch id", lambda: act(queue_id, batch_ids, user.scope))
    return CancelByBatchIDsResult(canceled=count)


@router.put("/{queue_id}/cancel_by_destination", operation_id="cancel_by_destination")
async def cancel_by_destination(
    services: Parts, user: User, queue_id: QueueId, destination: Destination
) -> CancelByDestinationResult:
    """Cancel the items of a destination."""
    act = services.queue.cancel_by_destination
    count = await _change(services, "canceling by destination", lambda: act(queue_id, destination, user.scope))
    return CancelByDestinationResult(canceled=count)


@router.put("/{queue_id}/retry_items_by_id", operation_id="retry_items_by_id")
async def retry_items_by_id(
    services: Parts, user: User, queue_id: QueueId, item_ids: Annotated[list[int], Body(description="The items")]
) -> RetryItemsResult:
    """Enqueue failed and canceled items again; the response has the old ids."""

    def act() -> RetryItemsResult:
        for item_id in item_ids:
            if services.queue.status_of(item_id) is not None:
                _own_item(services, queue_id, item_id, user, "retry")
        return services.queue.retry(queue_id, item_ids)

    return await _change(services, "retrying queue items", act)


@router.put("/{queue_id}/clear", operation_id="clear")
async def clear(services: Parts, user: User, queue_id: QueueId) -> ClearResult:
    """Cancel the running item and delete all items."""
    count = await _change(services, "clearing queue", lambda: services.queue.clear(queue_id, user.scope))
    return ClearResult(deleted=count)


@router.put("/{queue_id}/prune", operation_id="prune")
async def prune(services: Parts, user: User, queue_id: QueueId) -> PruneResult:
    """Delete the finished items."""
    count = await _change(services, "pruning queue", lambda: services.queue.prune(queue_id, user.scope))
    return PruneResult(deleted=count)


@router.get("/{queue_id}/current", operation_id="get_current_queue_item")
def get_current_queue_item(services: Parts, user: User, queue_id: QueueId) -> SessionQueueItem | None:
    """Get the running item."""
    item = _attempt("getting current queue item", lambda: services.queue.get_current(queue_id))
    return item and _shown(item, user)


@router.get("/{queue_id}/next", operation_id="get_next_queue_item")
def get_next_queue_item(services: Parts, user: User, queue_id: QueueId) -> SessionQueueItem | None:
    """Get the item that would run next."""
    item = _attempt("getting next queue item", lambda: services.queue.get_next(queue_id))
    return item and _shown(item, user)


@router.get("/{queue_id}/status", operation_id="get_queue_status")
def get_queue_status(services: Parts, user: User, queue_id: QueueId) -> SessionQueueAndProcessorStatus:
    """Get the counts of the queue and the state of the worker."""
    status = services.queue.queue_status
    queue = _attempt("getting queue status", lambda: status(queue_id, user.user_id, see_all=user.is_admin))
    return SessionQueueAndProcessorStatus(queue=queue, processor=services.worker.status())


@router.get("/{queue_id}/b/{batch_id}/status", operation_id="get_batch_status")
def get_batch_status(
    services: Parts, user: User, queue_id: QueueId, batch_id: Annotated[str, Path(description="The batch")]
) -> BatchStatus:
    """Get the counts of a batch."""
    status = services.queue.batch_status
    return _attempt("getting batch status", lambda: status(queue_id, batch_id, user.scope))


@router.get("/{queue_id}/i/{item_id}", operation_id="get_queue_item", response_model_exclude_none=True)
def get_queue_item(services: Parts, user: User, queue_id: QueueId, item_id: ItemId) -> SessionQueueItem:
    """Get an item."""
    try:
        item = services.queue.get_item(item_id)
    except QueueItemNotFoundError:
        raise _not_found(item_id, queue_id) from None
    except Exception as error:
        raise HTTPException(500, f"Unexpected error while fetching queue item: {error}") from error
    return _attempt("fetching queue item", lambda: _shown(_item_in(services, queue_id, item.item_id), user))


@router.delete("/{queue_id}/i/{item_id}", operation_id="delete_queue_item")
async def delete_queue_item(services: Parts, user: User, queue_id: QueueId, item_id: ItemId) -> None:
    """Cancel and delete an item."""

    def act() -> None:
        _own_item(services, queue_id, item_id, user, "delete")
        services.queue.delete_item(item_id)

    await _change(services, "deleting queue item", act)


@router.put("/{queue_id}/i/{item_id}/cancel", operation_id="cancel_queue_item")
async def cancel_queue_item(services: Parts, user: User, queue_id: QueueId, item_id: ItemId) -> SessionQueueItem:
    """Cancel an item."""

    def act() -> SessionQueueItem:
        _own_item(services, queue_id, item_id, user, "cancel")
        return services.queue.cancel_item(item_id)

    return await _change(services, "canceling queue item", act)


@router.get("/{queue_id}/counts_by_destination", operation_id="counts_by_destination")
def counts_by_destination(
    services: Parts, user: User, queue_id: QueueId, destination: Destination
) -> SessionQueueCountsByDestination:
    """Get the counts of a destination."""
    count = services.queue.counts_by_destination
    return _attempt("fetching counts by destination", lambda: count(queue_id, destination, user.scope))


@router.delete("/{queue_id}/d/{destination}", operation_id="delete_by_destination")
async def delete_by_destination(
    services: Parts, user: User, queue_id: QueueId, destination: Annotated[str, Path(description="The destination")]
) -> DeleteByDestinationResult:
    """Cancel the running item and delete all items of a destination."""
    act = services.queue.delete_by_destination
    count = await _change(services, "deleting by destination", lambda: act(queue_id, destination, user.scope))
    return DeleteByDestinationResult(deleted=count)
