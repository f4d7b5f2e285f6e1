"""Reads failed items in full where what was heard of them does not say why, or which attempt at their job they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime

from invoke_widgets.client import InvokeClient
from invoke_widgets.records import FAILED, QueueItem
from invoke_widgets.sync import state as merge
from invoke_widgets.sync.reading import taken, whole_items
from invoke_widgets.sync.store import QueueStore

_CHUNK = 50
_BATCHES_KEPT = 10_000


class FailureReader:
    """Tells of each failed item once its error is known, and its attempt where it may be a retry.

    Not of another user's, of which the server does not say what failed.

    Args:
        client: the server.
        store: the picture; what is read is put into it.
        reading: collects the ids of which something newer came while a read was under way.
        on_failed: called with each failed item; more than once for one item.
        on_wanted: called when there is something to read.
    """

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        *,
        reading: Callable[[], AbstractContextManager[set[int]]],
        on_failed: Callable[[QueueItem], None],
        on_wanted: Callable[[], None],
    ) -> None:
        self._client = client
        self._store = store
        self._reading = reading
        self._on_failed = on_failed
        self._on_wanted = on_wanted
        self._wanted: set[int] = set()
        self._told: dict[int, QueueItem] = {}
        self._ended: dict[str, datetime] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to read."""
        return bool(self._wanted)

    def ended(self, item: QueueItem, before: QueueItem | None) -> None:
        """Take an item of which it was heard that it has ended, and what was known of it before."""
        if item.status == FAILED and not self._store.state.is_theirs(item):
            self._failed(item, before)
        ended, known = item.completed_at, self._ended.get(item.batch_id)
        if ended is not None and (known is None or ended < known):
            self._ended[item.batch_id] = ended
            if len(self._ended) > _BATCHES_KEPT:
                del self._ended[next(iter(self._ended))]

    def _failed(self, item: QueueItem, before: QueueItem | None) -> None:
        if not _is_told(item):
            self._told[item.item_id] = item
            self._want(item.item_id)
        elif before is None or before.error_type is None or before.status != FAILED:
            if self._may_be_retry(item):
                self._told[item.item_id] = item
                self._want(item.item_id)
            else:
                self._on_failed(item)

    def _want(self, item_id: int) -> None:
        self._wanted.add(item_id)
        self._on_wanted()

    def _may_be_retry(self, item: QueueItem) -> bool:
        """Whether it was made after one of its batch had ended: events and summaries do not tell what it retries."""
        ended = self._ended.get(item.batch_id)
        made_later = ended is not None and (item.created_at is None or item.created_at > ended)
        return item.retried_from_item_id is None and made_later

    def give_up(self) -> None:
        """Tell of failures as they were heard of, if anything was: they cannot be read in full any more."""
        while self._told:
            item = self._told.popitem()[1]
            if _is_told(item):
                self._on_failed(item)

    def start_anew(self) -> None:
        """Forget all that waits, after telling of it: the queue is another one."""
        self.give_up()
        self._wanted.clear()
        self._ended.clear()

    async def read(self) -> None:
        """Read the newest that wait, at most 50, and tell of them.

        Raises:
            JobException: they could not be read, and still wait.
        """
        chunk = sorted(self._wanted, reverse=True)[:_CHUNK]
        with taken(self._wanted, chunk), self._reading() as touched:
            items = await whole_items(self._client, chunk)
            # Which attempt each of them is: those between may be others at the same job.
            items += await whole_items(self._client, self._between(items))
            light = [item.without_session() for item in items]
            self._store.apply(lambda state: merge.with_items(state, light, fresher=touched))
        read = {item.item_id: item for item in items}
        for item_id in chunk:
            told = self._told.pop(item_id, None)
            found = read.get(item_id, told)  # what is gone already has to do as it was heard of
            if found is not None and found.status == FAILED and not self._store.state.is_theirs(found):
                self._on_failed(found)

    def _between(self, failed: Iterable[QueueItem]) -> list[int]:
        """The items that may be attempts at the jobs that these retried, before them."""
        roots: dict[str, tuple[int, int]] = {}
        for item in failed:
            if (root := item.retried_from_item_id) is not None:
                low, high = roots.get(item.batch_id, (root, item.item_id))
                roots[item.batch_id] = min(low, root), max(high, item.item_id)
        read = {item.item_id for item in failed}
        return [
            item.item_id
            for item in (self._store.state.items.values() if roots else ())
            if item.batch_id in roots
            and roots[item.batch_id][0] < item.item_id < roots[item.batch_id][1]
            and item.item_id not in read
            and self._may_be_retry(item)
        ]


def _is_told(item: QueueItem) -> bool:
    """Whether it is known why it failed."""
    return item.error_type is not None or item.error_message is not None
