"""What of a queue has still to be read, and reading it: ids first, then items in bounded chunks, newest first.

A read may be older than an event that came while it was under way, so whatever is heard meanwhile is noted (`touch`)
and wins.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import replace

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import ServerFailure
from invoke_widgets.events import BatchEnqueued
from invoke_widgets.records import QueueItem
from invoke_widgets.sync import state as merge
from invoke_widgets.sync.failure_reader import FailureReader
from invoke_widgets.sync.reading import light_items, taken
from invoke_widgets.sync.store import QueueStore

_FIRST_PAGE = 100
_COALESCE_S = 0.3
_PRIORITIES_KEPT = 1000


class Backlog:
    """What has to be read for the picture to be what the server has. Used on the loop.

    Args:
        client: the server.
        store: the picture; what is read is put into it.
        on_failed: called with each failed item whose error is known; more than once for one item.
        on_wanted: called when there is something to read.
    """

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        *,
        on_failed: Callable[[QueueItem], None],
        on_wanted: Callable[[], None],
    ) -> None:
        self._client = client
        self._store = store
        self._on_wanted = on_wanted
        self._ids_dirty = False
        self._next_ids_at = 0.0
        self._stale: set[int] = set()
        self._later: set[int] = set()
        self._later_at = 0.0
        self._unreadable: set[int] = set()
        self._priorities: OrderedDict[str, int] = OrderedDict()
        self._reads: list[set[int]] = []
        self._failures = FailureReader(
            client, store, reading=self._reading, on_failed=on_failed, on_wanted=self._on_wanted
        )

    # -- what is to be read ------------------------------------------------------------------------------------------

    def want(self, item_ids: Iterable[int] = (), *, ids: bool = True, unfinished: bool = False) -> None:
        """The list of ids, these items, or all unfinished items are to be read."""
        self._ids_dirty = self._ids_dirty or ids
        self._stale.update(item_ids)
        if unfinished:
            self._stale.update(item_id for item_id, item in self._store.state.items.items() if not item.is_terminal)
        self._on_wanted()

    def want_rest(self, item_id: int) -> None:
        """What an event of this item did not tell is to be read: field values, device."""
        item = self._store.state.items.get(item_id)
        if item is None:
            return
        if item.field_values is None or (item.device is None and item.started_at is not None):
            if not self._later:
                self._later_at = time.monotonic() + _COALESCE_S
            self._later.add(item_id)
            self._on_wanted()

    def hurry(self) -> None:
        """Read at once what else would wait for more of its kind."""
        self._next_ids_at = self._later_at = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known that would have to be read."""
        return self.is_read and not self._later

    @property
    def is_reading_items(self) -> bool:
        """Whether items that the server listed have still to be read, and can be."""
        return bool(self._store.state.unread - self._unreadable)

    @property
    def is_read(self) -> bool:
        """Whether nothing is known that would have to be read, but for what events left out (field values, device)."""
        return not (self._ids_dirty or self._is_due)

    @property
    def unreadable(self) -> Set[int]:
        """Items that the server lists and cannot load."""
        return self._store.state.unread & self._unreadable

    def due_in(self) -> float | None:
        """Seconds until there is something to read, which may be none; None where nothing is known."""
        if self._is_due:
            return 0.0
        due = ([self._next_ids_at] if self._ids_dirty else []) + ([self._later_at] if self._later else [])
        return max(min(due) - time.monotonic(), 0.0) if due else None

    @property
    def _is_due(self) -> bool:
        return bool(self._stale or self._failures.is_waiting or self.is_reading_items)

    # -- what is heard -----------------------------------------------------------------------------------------------

    def touch(self, item_ids: Iterable[int]) -> None:
        """Something newer was heard of these than a read that is under way may tell."""
        for touched in self._reads:
            touched.update(item_ids)

    def take(self, item: QueueItem) -> None:
        """Take an item from an action's answer."""
        self.touch((item.item_id,))
        self.apply(lambda state: merge.with_news(state, item))

    def expect(self, item_ids: Collection[int]) -> None:
        """Take ids from an enqueue's answer: they exist, and are to be read."""
        self.touch(item_ids)
        known = self._store.state
        listed = {*known.items, *known.unread, *item_ids}
        self.apply(lambda state: merge.with_ids(state, listed))
        self.want(ids=False)

    def saw_batch(self, event: BatchEnqueued) -> None:
        """Remember what only the event of a batch tells: that it was put first."""
        if event.priority:
            self._priorities[event.batch_id] = event.priority
            while len(self._priorities) > _PRIORITIES_KEPT:
                self._priorities.popitem(last=False)

    def apply(self, step: Callable[[merge.QueueState], merge.Step]) -> merge.Ids:
        """Change the picture, and have read why items failed."""
        before = self._store.state.items
        changed = self._store.apply(step)
        items = self._store.state.items
        for item_id in changed:
            item = items.get(item_id)
            if item is not None and item.is_terminal:
                self._failures.ended(item, before.get(item_id))
        return changed

    # -- reading -----------------------------------------------------------------------------------------------------

    async def read_first(self) -> None:
        """Read the ids and the newest items, and have read whatever has not finished.

        Raises:
            JobException: the server could not be asked.
        """
        self._next_ids_at = 0.0
        self.want(unfinished=True)
        await self._read_ids()
        await self._read_chunk(_FIRST_PAGE)

    async def read(self) -> None:
        """Read what is due: at most one list of ids, one chunk of items, one chunk of failed items' errors.

        Raises:
            JobException: the server could not be asked; what was to be read still is, but for the list of ids.
        """
        now = time.monotonic()
        if self._ids_dirty and now >= self._next_ids_at:
            await self._read_ids()
        if self._later and now >= self._later_at:
            self._stale |= self._later
            self._later.clear()
        await self._read_chunk()
        if self._failures.is_waiting:
            await self._failures.read()

    async def holds_other_jobs(self) -> bool:
        """Whether known ids now mean other jobs: the address leads to another server's queue."""
        known = self._store.state.items
        sample = sorted(known, reverse=True)[:_FIRST_PAGE]
        if not sample:
            return False
        with self._reading():
            found = await light_items(self._client, sample)
        return any(item.batch_id != known[item.item_id].batch_id for item in found)

    def start_anew(self) -> None:
        """Forget the items: they are another queue's, or somebody else looks at them."""
        connection = self._store.state.connection
        gone = frozenset(self._store.state.items)
        self.apply(lambda state: (merge.QueueState(connection=connection), gone))
        self._failures.start_anew()
        for waiting in (self._stale, self._later, self._unreadable):
            waiting.clear()

    def give_up(self) -> None:
        """Nothing can be read any more: tell of failures as they were heard of."""
        self._failures.give_up()

    @contextmanager
    def _reading(self) -> Iterator[set[int]]:
        """Collects the ids of which something newer came while a read was under way."""
        touched: set[int] = set()
        self._reads.append(touched)
        try:
            yield touched
        finally:
            self._reads.remove(touched)

    async def _read_ids(self) -> None:
        self._ids_dirty = False
        self._unreadable.clear()
        started = time.monotonic()
        if not await self._client.has("item_ids"):
            await self._read_everything()
        else:
            with self._reading() as touched:
                listed = (await self._client.get_queue_item_ids()).item_ids
                self.apply(lambda state: merge.with_ids(state, listed, fresher=touched))
        self._store.set(is_listed=True)
        self._next_ids_at = time.monotonic() + 2 * (time.monotonic() - started)

    async def _read_everything(self) -> None:
        """Versions before 6.7 have no list of ids. There, one item that cannot be loaded hides all the others."""
        with taken(self._stale, list(self._stale)), self._reading() as touched:
            try:
                items = [item.without_session() for item in await self._client.list_all_queue_items()]
            except ServerFailure as error:
                if not error.details.get("poison"):
                    raise
                self._unreadable.update(self._store.state.unread)
                return
            listed = [item.item_id for item in items]
            self.apply(lambda state: merge.with_ids(state, listed, fresher=touched))
            self.apply(lambda state: merge.with_items(state, items, fresher=touched))

    async def _read_chunk(self, size: int = 1000) -> None:
        state = self._store.state
        self._stale &= state.items.keys() | state.unread
        unread = state.unread - self._unreadable - self._stale
        if not self._stale and not unread:
            return
        if not await self._client.has("items_by_ids"):
            await self._read_everything()
            return
        summaries = await self._client.has("item_summaries_by_ids")
        # A busy queue always has some that changed: the others are read along with them.
        waiting = [*sorted(self._stale, reverse=True), *sorted(unread, reverse=True)]
        chunk = waiting[: size if summaries else min(size, 100)]
        with taken(self._stale, chunk), self._reading() as touched:
            items = [self._with_priority(item) for item in await light_items(self._client, chunk)]
            # Whole items that the server cannot load are left out, so what is missing need not be gone.
            asked = chunk if summaries else None
            self.apply(lambda state: merge.with_items(state, items, asked=asked, fresher=touched))
        if not summaries:
            self._unreadable.update(set(chunk) - {item.item_id for item in items})

    def _with_priority(self, item: QueueItem) -> QueueItem:
        """Summaries do not tell it; the event of a batch that was put first does."""
        priority = self._priorities.get(item.batch_id)
        return item if priority is None or item.priority is not None else replace(item, priority=priority)
