"""The routes under `/api/v1/queue`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from .batch import BatchRequest
from .graph import Graph
from .queue import QueueItemNotFoundError, SessionQueueItem
from .services import Admin, Parts, Services, User, get_services
from .session import GraphExecutionState
from .users import CurrentUser

# What each route that loads items is doing, in the words of InvokeAI's errors.
_DOING = {
    "enqueue_batch": "enqueuing batch",
    "list_all_queue_items": "listing all queue items",
    "retry_items_by_id": "retrying queue items",
    "get_current_queue_item": "getting current queue item",
    "get_next_queue_item": "getting next queue item",
    "get_queue_item": "fetching queue item",
    "delete_queue_item": "deleting queue item",
    "cancel_queue_item": "canceling queue item",
}


class _QueueRoute(APIRoute):
    """A route that answers 500 in InvokeAI's words if it raises, and a change only once its events were sent."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except (HTTPException, RequestValidationError):
                raise
            except Exception as error:
                doing = _DOING.get(self.name, self.name)
                raise HTTPException(500, f"Unexpected error while {doing}: {error}") from error
            finally:
                if request.method != "GET":
                    await get_services(request).bus.flush()

        return handler


router = APIRouter(prefix="/api/v1/queue/{queue_id}", tags=["queue"], route_class=_QueueRoute)

ItemIds = Annotated[list[int], Body(embed=True, max_length=1000)]


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


def _check_own(services: Services, queue_id: str, item_id: int, user: CurrentUser, verb: str) -> None:
    item = _item_in(services, queue_id, item_id)
    if item.user_id != user.user_id and not user.is_admin:
        named = f"queue item {item_id}" if verb == "retry" else "this queue item"
        raise HTTPException(403, f"You do not have permission to {verb} {named}")


# Of other users' items a user sees no more than the server's load.
_HIDDEN = {"priority": 0, "user_id": "redacted", "batch_id": "redacted", "session_id": "redacted"}
_KEPT = {"item_id", "queue_id", "status", "status_sequence", "device"} | {
    *("created_at", "updated_at", "started_at", "completed_at")
}


def _shown(item: SessionQueueItem, user: CurrentUser) -> SessionQueueItem:
    if user.is_admin or item.user_id == user.user_id:
        return item
    hidden = {name: _HIDDEN.get(name) for name in SessionQueueItem.model_fields if name not in _KEPT}
    return item.model_copy(update={**hidden, "session": GraphExecutionState(id="redacted", graph=Graph())})


def _shown_summary(summary: dict[str, Any], user: CurrentUser) -> dict[str, Any]:
    if user.is_admin or summary["user_id"] == user.user_id:
        return summary
    return {name: value if name in _KEPT else _HIDDEN.get(name) for name, value in summary.items()}


# -- reads ---------------------------------------------------------------------------------------------------------


@router.get("/list_all")
def list_all_queue_items(
    services: Parts, user: User, queue_id: str, destination: str | None = None
) -> list[SessionQueueItem]:
    """Get all queue items."""
    return [_shown(item, user) for item in services.queue.list_all(queue_id, destination)]


@router.get("/item_ids")
def get_queue_item_ids(
    services: Parts, user: User, queue_id: str, order_dir: Literal["ASC", "DESC"] = "DESC"
) -> dict[str, Any]:
    """Get all queue item ids."""
    item_ids = services.queue.item_ids(queue_id, order_dir)
    return {"item_ids": item_ids, "total_count": len(item_ids)}


@router.post("/items_by_ids")
def get_queue_items_by_item_ids(
    services: Parts, user: User, queue_id: str, item_ids: ItemIds
) -> list[SessionQueueItem]:
    """Get queue items in the order of the ids, leaving out missing and unreadable ones."""
    items = []
    for item_id in item_ids:
        try:
            items.append(_shown(_item_in(services, queue_id, item_id), user))
        except Exception:  # noqa: BLE001 - InvokeAI skips unreadable items
            continue
    return items


@router.post("/item_summaries_by_ids")
def get_queue_item_summaries_by_ids(
    services: Parts, user: User, queue_id: str, item_ids: ItemIds, response: Response
) -> Response:
    """Get summaries in the order of the ids."""
    shown = [_shown_summary(summary, user) for summary in services.queue.summaries(queue_id, item_ids)]
    return JSONResponse(shown, headers=dict(response.headers))


@router.get("/current")
def get_current_queue_item(services: Parts, user: User, queue_id: str) -> SessionQueueItem | None:
    """Get the running item."""
    item = services.queue.get_current(queue_id)
    return item and _shown(item, user)


@router.get("/next")
def get_next_queue_item(services: Parts, user: User, queue_id: str) -> SessionQueueItem | None:
    """Get the item that would run next."""
    item = services.queue.get_next(queue_id)
    return item and _shown(item, user)


@router.get("/status")
def get_queue_status(services: Parts, user: User, queue_id: str) -> dict[str, Any]:
    """Get the counts of the queue and the state of the worker."""
    queue = services.queue.queue_status(queue_id, user.user_id, see_all=user.is_admin)
    return {"queue": queue, "processor": services.worker.status()}


@router.get("/b/{batch_id}/status")
def get_batch_status(services: Parts, user: User, queue_id: str, batch_id: str) -> dict[str, Any]:
    """Get the counts of a batch."""
    return services.queue.batch_status(queue_id, batch_id, user.scope)


@router.get("/counts_by_destination")
def counts_by_destination(services: Parts, user: User, queue_id: str, destination: str) -> dict[str, Any]:
    """Get the counts of a destination."""
    return services.queue.counts_by_destination(queue_id, destination, user.scope)


@router.get("/i/{item_id}", response_model_exclude_none=True)
def get_queue_item(services: Parts, user: User, queue_id: str, item_id: int) -> SessionQueueItem:
    """Get an item."""
    try:
        item = services.queue.get_item(item_id)
    except QueueItemNotFoundError:
        raise _not_found(item_id, queue_id) from None
    if item.queue_id != queue_id:  # which InvokeAI answers with 500
        raise ValueError(str(_not_found(item_id, queue_id)))
    return _shown(item, user)


# -- changes -------------------------------------------------------------------------------------------------------


@router.post("/enqueue_batch")
def enqueue_batch(
    services: Parts, user: User, queue_id: str, batch: BatchRequest, prepend: Annotated[bool, Body()] = False
) -> dict[str, Any]:
    """Enqueue a batch's items."""
    return services.queue.enqueue_batch(queue_id, batch, prepend, user.user_id)


@router.put("/processor/resume")
def resume(services: Parts, user: Admin) -> dict[str, bool]:
    """Resume the worker."""
    return services.worker.resume()


@router.put("/processor/pause")
def pause(services: Parts, user: Admin) -> dict[str, bool]:
    """Pause the worker, after the running item."""
    return services.worker.pause()


@router.put("/cancel_all_except_current")
def cancel_all_except_current(services: Parts, user: User, queue_id: str) -> dict[str, int]:
    """Cancel the pending items."""
    return {"canceled": services.queue.cancel_all_except_current(queue_id, user.scope)}


@router.put("/delete_all_except_current")
def delete_all_except_current(services: Parts, user: User, queue_id: str) -> dict[str, int]:
    """Delete the pending items."""
    return {"deleted": services.queue.delete_all_except_current(queue_id, user.scope)}


@router.put("/cancel_by_batch_ids")
def cancel_by_batch_ids(
    services: Parts, user: User, queue_id: str, batch_ids: Annotated[list[str], Body(embed=True)]
) -> dict[str, int]:
    """Cancel the items of batches."""
    return {"canceled": services.queue.cancel_by_batch_ids(queue_id, batch_ids, user.scope)}


@router.put("/cancel_by_destination")
def cancel_by_destination(services: Parts, user: User, queue_id: str, destination: str) -> dict[str, int]:
    """Cancel the items of a destination."""
    return {"canceled": services.queue.cancel_by_destination(queue_id, destination, user.scope)}


@router.put("/retry_items_by_id")
def retry_items_by_id(
    services: Parts, user: User, queue_id: str, item_ids: Annotated[list[int], Body()]
) -> dict[str, Any]:
    """Enqueue failed and canceled items again; the response has the old ids."""
    for item_id in item_ids:
        if services.queue.status_of(item_id) is not None:
            _check_own(services, queue_id, item_id, user, "retry")
    return {"queue_id": queue_id, "retried_item_ids": services.queue.retry(queue_id, item_ids)}


@router.put("/clear")
def clear(services: Parts, user: User, queue_id: str) -> dict[str, int]:
    """Cancel the running item and delete all items."""
    return {"deleted": services.queue.clear(queue_id, user.scope)}


@router.put("/prune")
def prune(services: Parts, user: User, queue_id: str) -> dict[str, int]:
    """Delete the finished items."""
    return {"deleted": services.queue.prune(queue_id, user.scope)}


@router.delete("/i/{item_id}")
def delete_queue_item(services: Parts, user: User, queue_id: str, item_id: int) -> None:
    """Cancel and delete an item."""
    _check_own(services, queue_id, item_id, user, "delete")
    services.queue.delete_item(item_id)


@router.put("/i/{item_id}/cancel")
def cancel_queue_item(services: Parts, user: User, queue_id: str, item_id: int) -> SessionQueueItem:
    """Cancel an item."""
    _check_own(services, queue_id, item_id, user, "cancel")
    return services.queue.cancel_item(item_id)


@router.delete("/d/{destination}")
def delete_by_destination(services: Parts, user: User, queue_id: str, destination: str) -> dict[str, int]:
    """Cancel the running item and delete all items of a destination."""
    return {"deleted": services.queue.delete_by_destination(queue_id, destination, user.scope)}
