"""Reads of the queue: what is still to be read, ids first, then items in bounded chunks, newest first.

A read may be older than an event that came while it was under way, so what is received meanwhile is noted (`touch`)
and wins.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Set
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from invoke_widgets.client import MAX_IDS_PER_REQUEST, InvokeClient
from invoke_widgets.errors import ServerFailure
from invoke_widgets.events import BatchEnqueued
from invoke_widgets.records import FAILED, QueueItem
from invoke_widgets.sync.state import Ids, QueueState, Step, with_ids, with_items, with_news
from invoke_widgets.sync.store import QueueStore

_FIRST_PAGE = 100
_COALESCE_S = 0.3
_PRIORITIES_KEPT = 1000
_FAILED_PER_READ = 50
_BATCHES_KEPT = 10_000
_WHOLE_PER_REQUEST = 100
"""Whole items are large (an SDXL graph pending: 5 kB), and the server answers nothing else while it writes them."""


class Reads:
    """What is to be read for the snapshot to match the server, and reading it. Used on the loop.

    Args:
        client: the server.
        store: the snapshot; what is read is merged into it.
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
        """Have the list of ids, these items, or all unfinished items read."""
        self._ids_dirty = self._ids_dirty or ids
        self._stale.update(item_ids)
        if unfinished:
            self._stale.update(item_id for item_id, item in self._store.state.items.items() if not item.is_terminal)
        self._on_wanted()

    def want_rest(self, item_id: int) -> None:
        """Have read what an event of this item left out: field values, device."""
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
        """Whether nothing is left to read."""
        return self.is_read and not self._later

    @property
    def is_reading_items(self) -> bool:
        """Whether listed items are still to be read, and can be."""
        return bool(self._store.state.unread - self._unreadable)

    @property
    def is_read(self) -> bool:
        """Whether nothing is left to read, but for what events left out (field values, device)."""
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

    # -- what is received ---------------------------------------------------------------------------------------------

    def touch(self, item_ids: Iterable[int]) -> None:
        """Note that newer data of these items came than a read that is under way may return."""
        for touched in self._reads:
            touched.update(item_ids)

    def take(self, item: QueueItem) -> None:
        """Merge an item from an action's answer."""
        self.touch((item.item_id,))
        self.apply(lambda state: with_news(state, item))

    def expect(self, item_ids: Collection[int]) -> None:
        """Take ids from an enqueue's answer: they exist, and are to be read."""
        self.touch(item_ids)
        known = self._store.state
        listed = {*known.items, *known.unread, *item_ids}
        self.apply(lambda state: with_ids(state, listed))
        self.want(ids=False)

    def saw_batch(self, event: BatchEnqueued) -> None:
        """Remember what only the event of a batch says: that it was put first."""
        if event.priority:
            self._priorities[event.batch_id] = event.priority
            while len(self._priorities) > _PRIORITIES_KEPT:
                self._priorities.popitem(last=False)

    def apply(self, step: Callable[[QueueState], Step]) -> Ids:
        """Change the snapshot, and have read why items failed."""
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
        self.apply(lambda state: (QueueState(connection=connection), gone))
        self._failures.start_anew()
        for waiting in (self._stale, self._later, self._unreadable):
            waiting.clear()

    def give_up(self) -> None:
        """Stop reading: report failures as far as they are known."""
        self._failures.give_up()

    @contextmanager
    def _reading(self) -> Iterator[set[int]]:
        """Collect the ids of items that changed while a read was under way."""
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
                self.apply(lambda state: with_ids(state, listed, fresher=touched))
        self._store.set(is_listed=True)
        self._next_ids_at = time.monotonic() + 2 * (time.monotonic() - started)

    async def _read_everything(self) -> None:
        """Versions before 6.7 have no list of ids. There, one item that cannot be loaded hides all the others."""
        with _taken(self._stale, list(self._stale)), self._reading() as touched:
            try:
                items = [item.without_session() for item in await self._client.list_all_queue_items()]
            except ServerFailure as error:
                if not error.details.get("poison"):
                    raise
                self._unreadable.update(self._store.state.unread)
                return
            listed = [item.item_id for item in items]
            self.apply(lambda state: with_ids(state, listed, fresher=touched))
            self.apply(lambda state: with_items(state, items, fresher=touched))

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
        with _taken(self._stale, chunk), self._reading() as touched:
            items = [self._with_priority(item) for item in await light_items(self._client, chunk)]
            # Whole items that the server cannot load are left out, so what is missing need not be gone.
            asked = chunk if summaries else None
            self.apply(lambda state: with_items(state, items, asked=asked, fresher=touched))
        if not summaries:
            self._unreadable.update(set(chunk) - {item.item_id for item in items})

    def _with_priority(self, item: QueueItem) -> QueueItem:
        """Add the priority, which summaries lack: the event of a batch that was put first has it."""
        priority = self._priorities.get(item.batch_id)
        return item if priority is None or item.priority is not None else replace(item, priority=priority)


class FailureReader:
    """Reports each failed item once its error is known, and its attempt where it may be a retry.

    Reads failed items in full where events and summaries do not say why they failed, or which attempt they were.

    Other users' items are left out: the server does not say why those failed.

    Args:
        client: the server.
        store: the snapshot; what is read is merged into it.
        reading: collects the ids of items that changed while a read was under way.
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
        self._known: dict[int, QueueItem] = {}
        self._ended: dict[str, datetime] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to read."""
        return bool(self._wanted)

    def ended(self, item: QueueItem, before: QueueItem | None) -> None:
        """Take an item that has ended, and what was known of it before."""
        if item.status == FAILED and not self._store.state.is_theirs(item):
            self._failed(item, before)
        ended, known = item.completed_at, self._ended.get(item.batch_id)
        if ended is not None and (known is None or ended < known):
            self._ended[item.batch_id] = ended
            if len(self._ended) > _BATCHES_KEPT:
                del self._ended[next(iter(self._ended))]

    def _failed(self, item: QueueItem, before: QueueItem | None) -> None:
        if not _has_error(item):
            self._known[item.item_id] = item
            self._want(item.item_id)
        elif before is None or before.error_type is None or before.status != FAILED:
            if self._may_be_retry(item):
                self._known[item.item_id] = item
                self._want(item.item_id)
            else:
                self._on_failed(item)

    def _want(self, item_id: int) -> None:
        self._wanted.add(item_id)
        self._on_wanted()

    def _may_be_retry(self, item: QueueItem) -> bool:
        """Whether it was made after one of its batch had ended: events and summaries do not say what it retries."""
        ended = self._ended.get(item.batch_id)
        made_later = ended is not None and (item.created_at is None or item.created_at > ended)
        return item.retried_from_item_id is None and made_later

    def give_up(self) -> None:
        """Report failures whose error is known: they cannot be read in full any more."""
        while self._known:
            item = self._known.popitem()[1]
            if _has_error(item):
                self._on_failed(item)

    def start_anew(self) -> None:
        """Report and forget all that waits: the queue is another one."""
        self.give_up()
        self._wanted.clear()
        self._ended.clear()

    async def read(self) -> None:
        """Read the newest that wait, at most 50, and report them.

        Raises:
            JobException: they could not be read, and still wait.
        """
        chunk = sorted(self._wanted, reverse=True)[:_FAILED_PER_READ]
        with _taken(self._wanted, chunk), self._reading() as touched:
            items = await whole_items(self._client, chunk)
            # Which attempt each of them is: those between may be others at the same job.
            items += await whole_items(self._client, self._between(items))
            light = [item.without_session() for item in items]
            self._store.apply(lambda state: with_items(state, light, fresher=touched))
        read = {item.item_id: item for item in items}
        for item_id in chunk:
            known = self._known.pop(item_id, None)
            found = read.get(item_id, known)  # already deleted: what is known must suffice
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


def _has_error(item: QueueItem) -> bool:
    """Whether it is known why it failed."""
    return item.error_type is not None or item.error_message is not None


async def light_items(client: InvokeClient, item_ids: Iterable[int]) -> list[QueueItem]:
    """Items without their sessions: summaries from 6.14 on, whole items before. What does not exist is left out."""
    if await client.has("item_summaries_by_ids"):
        return await _in_chunks(client.get_queue_item_summaries_by_ids, item_ids, MAX_IDS_PER_REQUEST)
    return [item.without_session() for item in await whole_items(client, item_ids)]


async def whole_items(client: InvokeClient, item_ids: Iterable[int]) -> list[QueueItem]:
    """Items with their sessions. What does not exist, or cannot be loaded by the server, is left out."""
    if await client.has("items_by_ids"):
        return await _in_chunks(client.get_queue_items_by_item_ids, item_ids, _WHOLE_PER_REQUEST)
    wanted = set(item_ids)
    try:
        return [item for item in await client.list_all_queue_items() if item.item_id in wanted]
    except ServerFailure as error:
        if not error.details.get("poison"):
            raise
        return []  # one that cannot be loaded hides all the others


async def ids_after(client: InvokeClient, item_id: int) -> list[int]:
    """The ids of all items that are newer than this one, ascending."""
    if await client.has("item_ids"):
        listed: Iterable[int] = (await client.get_queue_item_ids()).item_ids
    else:
        listed = [item.item_id for item in await client.list_all_queue_items()]
    return sorted(i for i in listed if i > item_id)


async def _in_chunks(
    read: Callable[[list[int]], Coroutine[Any, Any, list[QueueItem]]], item_ids: Iterable[int], size: int
) -> list[QueueItem]:
    ids = list(item_ids)
    return [item for start in range(0, len(ids), size) for item in await read(ids[start : start + size])]


@contextmanager
def _taken(waiting: set[int], item_ids: list[int]) -> Iterator[None]:
    """Take ids from those that wait to be read, and put them back if the read fails."""
    waiting.difference_update(item_ids)
    try:
        yield
    except BaseException:
        waiting.update(item_ids)
        raise
