"""What became of the items that a request made whose reply was lost, if others deleted them meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from invoke_widgets.client import InvokeClient
from invoke_widgets.records import QueueItem
from invoke_widgets.sync import Change, QueueStore, ids_after, light_items


class Newer(NamedTuple):
    """The items newer than a given one.

    Attributes:
        items: those that are known, by id, even if they were deleted since.
        listed: the ids of those that are in the queue.
        is_whole: whether that is all there ever were. The server lists only what is still in the queue; but its ids
            are never reused, so an item that was deleted unseen leaves a gap, unless it was the newest.
        is_anchored: whether the given item is in the queue still: no clear or prune took it, and newer ones with it.
    """

    items: Mapping[int, QueueItem]
    listed: Collection[int]
    is_whole: bool
    is_anchored: bool


class NewerItems:
    """Notes what the snapshot says of items newer than `newest`, from now on until it is closed."""

    def __init__(self, store: QueueStore, newest: int) -> None:
        self.newest = newest
        self._store = store
        self._seen: dict[int, QueueItem] = {}
        self.close = store.subscribe(self._changed)

    def _changed(self, change: Change) -> None:
        for item_id in change.item_ids:
            item = change.state.items.get(item_id)
            if item is not None and item_id > self.newest:
                self._seen[item_id] = item

    async def read(self, client: InvokeClient) -> Newer:
        """Return the newer items."""
        known, newest = dict(self._seen), self._store.state.newest_id
        there = await ids_after(client, self.newest - 1)
        listed = [item_id for item_id in there if item_id > self.newest]
        read = await light_items(client, [item_id for item_id in listed if item_id not in known])
        items = known | {item_id: self._seen[item_id] for item_id in listed if item_id in self._seen}
        items |= {item.item_id: item for item in read}
        is_whole = max((newest, *listed, *items)) - self.newest <= len(items)
        return Newer(items, frozenset(listed), is_whole, self.newest in there)
