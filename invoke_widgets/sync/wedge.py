"""Detects a stuck queue: the worker repeatedly fails to load the next item, and nothing behind it runs."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import NotFound, ServerFailure
from invoke_widgets.records import Counts, QueueAndProcessorStatus, Wedge
from invoke_widgets.sync.store import QueueStore

_AFTER = 2
"""Number of checks that find the worker idle with items pending before the server is asked why."""
_DEAD_AFTER = 6
"""Number of such checks before a worker that could load the next item, but does not, is considered dead.

Up to 6.13, deleting an item just as the worker takes it kills the worker for good; the server does not report it.
"""
_DEAD_WORKER = Wedge(
    batch_ids=(),
    item_ids=(),
    message="The worker takes no items, although it is not paused and the next one can be loaded: it may have died.",
    is_dead=True,
)
_SUSPECTS = 200


class WedgeWatch:
    """Checks whether the queue is stuck, and sets the snapshot's `wedge`."""

    def __init__(self, client: InvokeClient, store: QueueStore, batches: Collection[str]) -> None:
        self._client = client
        self._store = store
        self._idle_checks = 0
        self._found_at: Counts | None = None
        self._batches = batches  # up to 6.13 the error for an item that cannot be loaded does not name its batch

    def saw_life(self) -> None:
        """Note that something happened in the queue: it is not stuck."""
        self._idle_checks = 0

    async def look(self, status: QueueAndProcessorStatus) -> None:
        """Check again, with counters that were just read."""
        # `is_processing` says nothing: up to 6.13 it stays true if the item after a finished one cannot be loaded.
        idle = status.processor.is_started and not status.queue.in_progress
        if not idle or not status.queue.pending:
            self._idle_checks = 0
            self._store.set(wedge=None)
            return
        self._idle_checks += 1
        before, counts = self._store.state.wedge, Counts(**status.queue.counters())
        # Whatever frees a stuck queue, or adds to it, changes the counters.
        if self._idle_checks < _AFTER or (before is not None and counts == self._found_at):
            return
        try:
            await self._client.get_next_queue_item()
        except ServerFailure as error:
            if not error.details.get("poison"):
                return
            found = await self._describe(error.message)
            # The snapshot may not know the item yet; before 6.7 it never will.
            may_come = not found.item_ids and await self._client.has("item_ids")
            if may_come and self._idle_checks < _DEAD_AFTER:
                return
            wedge: Wedge | None = found
        else:
            wedge = _DEAD_WORKER if self._idle_checks >= _DEAD_AFTER else None
            # A worker may still be at a node of a canceled item.
            if status.processor.is_processing or (before is not None and before != _DEAD_WORKER):
                self._idle_checks, wedge = 0, None
        self._found_at = counts
        self._store.set(wedge=wedge)

    async def _describe(self, message: str) -> Wedge:
        item_ids = await self._unloadable()
        known = self._store.state.items
        found = [known[i] for i in item_ids if i in known]
        if any(map(self._store.state.is_theirs, found)):
            return Wedge(batch_ids=(), item_ids=tuple(item_ids), message=message, is_theirs=True)
        batches = {item.batch_id for item in found} or await self._unread_batches()
        return Wedge(batch_ids=tuple(sorted(batches)), item_ids=tuple(item_ids), message=message)

    async def _unloadable(self) -> list[int]:
        """Return the pending items that the server cannot load, from the first chunk that has any."""
        state = self._store.state
        can_read_many = await self._client.has("items_by_ids")  # it leaves out what cannot be loaded
        # Without it, an item that is known was loaded in a list of all items, which such an item would have failed.
        waiting = sorted({*state.tallies.unfinished, *state.unread} if can_read_many else state.unread)
        for start in range(0, len(waiting), 100):
            suspects = waiting[start : start + 100]
            if can_read_many:
                loaded = {item.item_id for item in await self._client.get_queue_items_by_item_ids(suspects)}
                suspects = [i for i in suspects if i not in loaded]
            if bad := [i for i in suspects if await self._is_unloadable(i)]:
                return bad
        return []

    async def _is_unloadable(self, item_id: int) -> bool:
        try:
            await self._client.get_queue_item(item_id)
        except NotFound:
            return False
        except ServerFailure as error:
            return bool(error.details.get("poison"))
        return False

    async def _unread_batches(self) -> set[str]:
        """Return the batches with pending items that cannot be loaded, found by counting those that can."""
        state = self._store.state
        loaded = Counter(item.batch_id for item in state.items.values())
        for item_id in sorted(state.unread)[:_SUSPECTS]:
            with contextlib.suppress(NotFound, ServerFailure):
                loaded[(await self._client.get_queue_item(item_id)).batch_id] += 1
        found = set()
        for batch_id in list(self._batches)[-_SUSPECTS:]:
            status = await self._client.get_batch_status(batch_id)
            if status.pending and status.total > loaded[batch_id]:
                found.add(batch_id)
        return found
