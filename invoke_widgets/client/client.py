"""`InvokeClient`: one coroutine per endpoint, named as the server's operation ids, with records as answers.

Usable without any widget, store or thread::

    async with InvokeClient("http://127.0.0.1:9090") as client:
        status = await client.get_queue_status()

InvokeAI 6.0 to 6.14 are known. What a server has is told by its version, never by a status code: since 6.12 an unknown
address answers GET with 200 and a web page.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from invoke_widgets.client.client_base import SINCE, each, parse_version
from invoke_widgets.client.client_gallery import Gallery
from invoke_widgets.client.transport import path_segment
from invoke_widgets.errors import InvalidRequest, UnexpectedReply
from invoke_widgets.records import (
    BatchStatus,
    DestinationCounts,
    EnqueueResult,
    ItemIds,
    ProcessorStatus,
    QueueAndProcessorStatus,
    QueueItem,
)

__all__ = ["MAX_IDS_PER_REQUEST", "SINCE", "InvokeClient", "parse_version"]

MAX_IDS_PER_REQUEST = 1000
"""The server's own limit for `item_summaries_by_ids` and `items_by_ids` (6.14 on)."""

_WHICH_IDS = "A job has its as job.item_id, a batch as batch.item_ids, and console.queue lists all items."


class InvokeClient(Gallery):
    """An InvokeAI server.

    Args:
        url: its address, "http://127.0.0.1:9090".
        token: a Bearer token for a multiuser server; by default the environment's INVOKEAI_TOKEN, if it is set.
        queue_id: the queue; InvokeAI's own is "default".
        timeout: seconds to wait for a part of an answer; below 3 is unsafe, since the server can pause for that long.
        verify: whether certificates are checked, or an `ssl.SSLContext` to check them with.

    Every method raises a `JobException` on failure (see `invoke_widgets.errors`).
    """

    # -- submitting ----------------------------------------------------------------------------------------------

    async def enqueue_batch(self, batch: Mapping[str, Any], *, prepend: bool = False) -> EnqueueResult:
        """Put a batch into the queue. Never repeated by itself: see `Console.submit` for one that is safe to lose.

        Args:
            batch: `{"graph": ..., "runs": 1, "data": ..., "batch_id": ..., "destination": ..., "origin": ...}`.
            prepend: before everything that waits.
        """
        body = {"batch": dict(batch), "prepend": prepend}
        return await self._record("POST", f"{self._queue}/enqueue_batch", EnqueueResult.from_json, body=body)

    # -- looking -------------------------------------------------------------------------------------------------

    async def get_queue_status(self) -> QueueAndProcessorStatus:
        """Counters of the queue, and whether the worker runs and is busy."""
        return await self._record("GET", f"{self._queue}/status", QueueAndProcessorStatus.from_json)

    async def get_batch_status(self, batch_id: str) -> BatchStatus:
        """Counters of one batch; zeros for an unknown one."""
        return await self._record("GET", f"{self._queue}/b/{path_segment(batch_id)}/status", BatchStatus.from_json)

    async def counts_by_destination(self, destination: str) -> DestinationCounts:
        """Counters of all items with this destination; zeros for an unknown one."""
        return await self._record(
            "GET",
            f"{self._queue}/counts_by_destination",
            DestinationCounts.from_json,
            params={"destination": destination},
        )

    async def get_queue_item_ids(self, *, order_dir: str = "DESC") -> ItemIds:
        """All ids in the queue, by creation; ids of one batch share theirs and come in any order (6.7 on)."""
        if order_dir not in ("ASC", "DESC"):
            raise InvalidRequest(f"order_dir: should be 'ASC' or 'DESC', got {order_dir!r}.")
        await self._need("item_ids")
        return await self._record("GET", f"{self._queue}/item_ids", ItemIds.from_json, params={"order_dir": order_dir})

    async def get_queue_items_by_item_ids(self, item_ids: Iterable[int]) -> list[QueueItem]:
        """Whole items, at most 1000 ids. Missing ones, and ones that the server cannot load, are left out (6.7 on)."""
        await self._need("items_by_ids")
        return await self._by_ids("items_by_ids", item_ids)

    async def get_queue_item_summaries_by_ids(self, item_ids: Iterable[int]) -> list[QueueItem]:
        """Items without session and error, at most 1000 ids; missing ones are left out (6.14 on)."""
        await self._need("item_summaries_by_ids")
        return await self._by_ids("item_summaries_by_ids", item_ids)

    async def list_all_queue_items(self, *, destination: str | None = None) -> list[QueueItem]:
        """Everything, sessions included (6 MB for 1000 SDXL jobs): prefer ids and summaries."""
        return await self._records("GET", f"{self._queue}/list_all", params={"destination": destination})

    async def get_queue_item(self, item_id: int) -> QueueItem:
        """One item, with its session.

        Raises:
            NotFound: there is no such item in this queue.
        """
        return await self._record("GET", self._item(item_id), self._queue_item)

    async def get_current_queue_item(self) -> QueueItem | None:
        """An item in progress, or None."""
        return await self._record("GET", f"{self._queue}/current", self._queue_item_or_none)

    async def get_next_queue_item(self) -> QueueItem | None:
        """The item that runs next, or None."""
        return await self._record("GET", f"{self._queue}/next", self._queue_item_or_none)

    # -- canceling -----------------------------------------------------------------------------------------------

    async def cancel_queue_item(self, item_id: int) -> QueueItem:
        """Cancel one item, and return it as it is then: a finished one is answered unchanged.

        Raises:
            NotFound: there is no such item in this queue.
        """
        return await self._record("PUT", f"{self._item(item_id)}/cancel", self._queue_item, repeatable=True)

    async def cancel_by_batch_ids(self, batch_ids: Iterable[str]) -> int:
        """Cancel all of these batches, what runs included. Returns how many (up to 6.13 without the running one)."""
        if isinstance(batch_ids, str):
            raise InvalidRequest("batch_ids: should be a list of batch ids, got one string.")
        return await self._number(
            "PUT", f"{self._queue}/cancel_by_batch_ids", "canceled", body={"batch_ids": list(batch_ids)}
        )

    async def cancel_by_destination(self, destination: str) -> int:
        """Cancel all items with this destination. Returns how many."""
        return await self._number(
            "PUT", f"{self._queue}/cancel_by_destination", "canceled", params={"destination": destination}
        )

    async def cancel_all_except_current(self) -> int:
        """Cancel all that waits; the current item goes on. Returns how many."""
        return await self._number("PUT", f"{self._queue}/cancel_all_except_current", "canceled")

    async def clear(self) -> int:
        """Cancel and delete everything, the current item too. Returns how many were deleted."""
        return await self._number("PUT", f"{self._queue}/clear", "deleted", repeatable=False)

    async def prune(self) -> int:
        """Delete what is completed, failed or canceled. Returns how many."""
        return await self._number("PUT", f"{self._queue}/prune", "deleted", repeatable=False)

    async def delete_queue_item(self, item_id: int) -> None:
        """Delete one item, canceling it first if it has not finished.

        Raises:
            NotFound: there is no such item in this queue.
        """
        await self._transport.json("DELETE", self._item(item_id))

    async def delete_all_except_current(self) -> int:
        """Delete all that waits; the current item goes on. Returns how many."""
        return await self._number("PUT", f"{self._queue}/delete_all_except_current", "deleted", repeatable=False)

    async def delete_by_destination(self, destination: str) -> int:
        """Delete all items with this destination. Returns how many.

        Raises:
            InvalidRequest: the destination holds a slash, which the server cannot be asked for.
        """
        if not destination or "/" in destination:
            raise InvalidRequest(
                f"destination: {destination!r} cannot be deleted by name, since it is empty or holds a slash.",
                suggestion="Cancel it by destination, then prune.",
            )
        return await self._number("DELETE", f"{self._queue}/d/{path_segment(destination)}", "deleted", repeatable=False)

    # -- again, and the worker -----------------------------------------------------------------------------------

    async def retry_items_by_id(self, item_ids: Iterable[int]) -> tuple[int, ...]:
        """Enqueue failed or canceled items anew. Returns the ids of the OLD items that were taken."""
        ids = checked_ids(item_ids)
        data = await self._transport.json("PUT", f"{self._queue}/retry_items_by_id", body=ids)
        taken = data.get("retried_item_ids") if isinstance(data, Mapping) else None
        if not isinstance(taken, list) or not all(isinstance(i, int) for i in taken):
            raise UnexpectedReply("The retry was answered without retried_item_ids.")
        return tuple(sorted(taken))

    async def pause(self) -> ProcessorStatus:
        """Take no further item; the current one goes on."""
        return await self._record("PUT", f"{self._queue}/processor/pause", ProcessorStatus.from_json, repeatable=True)

    async def resume(self) -> ProcessorStatus:
        """Take items again."""
        return await self._record("PUT", f"{self._queue}/processor/resume", ProcessorStatus.from_json, repeatable=True)

    # -- inside --------------------------------------------------------------------------------------------------

    def _item(self, item_id: int) -> str:
        if isinstance(item_id, bool) or not isinstance(item_id, int):
            raise InvalidRequest(f"item_id: should be an integer, got {item_id!r}.")
        return f"{self._queue}/i/{item_id}"

    def _queue_item(self, data: object) -> QueueItem:
        return QueueItem.from_json(data, queue_id=self.queue_id)

    def _queue_item_or_none(self, data: object) -> QueueItem | None:
        return None if data is None else self._queue_item(data)

    async def _records(
        self, method: str, path: str, *, body: Any = None, params: Mapping[str, Any] | None = None
    ) -> list[QueueItem]:
        data = await self._transport.json(method, path, body=body, params=params, repeatable=True)
        return each(data, self._queue_item, f"{method} {path}")

    async def _by_ids(self, endpoint: str, item_ids: Iterable[int]) -> list[QueueItem]:
        ids = checked_ids(item_ids)
        if len(ids) > MAX_IDS_PER_REQUEST:
            raise InvalidRequest(
                f"item_ids: the server takes at most {MAX_IDS_PER_REQUEST} ids in one request, got {len(ids)}."
            )
        return await self._records("POST", f"{self._queue}/{endpoint}", body={"item_ids": ids}) if ids else []


def checked_ids(item_ids: object) -> list[int]:
    """Ids as Python's own integers, in their order, each once.

    Raises:
        InvalidRequest: they are not integers, or not something that holds some.
    """
    if isinstance(item_ids, str | bytes | Mapping) or not isinstance(item_ids, Iterable):
        raise InvalidRequest(f"item_ids: should be a list of integers, got {item_ids!r}.", suggestion=_WHICH_IDS)
    return list(dict.fromkeys(map(_checked_id, item_ids)))


def _checked_id(item_id: Any) -> int:
    try:
        if not isinstance(item_id, bool):
            return operator.index(item_id)
    except TypeError:
        pass
    raise InvalidRequest(f"item_ids: should be integers, got {item_id!r}.", suggestion=_WHICH_IDS)
