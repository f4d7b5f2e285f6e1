"""Reads what the snapshot lacks: ids first, then items in bounded chunks, newest first.

Versions before 6.7 have no list of ids: there, all items are read page by page, in the order in which they run.

A read may be older than an event that arrived while it was under way, so what changed in the snapshot meanwhile
(`QueueState.changed_since`) takes precedence.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from invoke_widgets.client import MAX_IDS_PER_REQUEST, InvokeClient
from invoke_widgets.errors import NotFound, ServerFailure, UnexpectedReply
from invoke_widgets.records import FAILED, QueueItem
from invoke_widgets.sync.state import Ids, QueueState, Step, with_ids, with_items, with_new_ids
from invoke_widgets.sync.store import QueueStore

_FIRST_PAGE = 100
_PAGE = 500
_COALESCE_S = 0.3
_PAUSES = 2.0
"""How many times as long as reading something large took it is not read again."""
_FAILED_PER_READ = 50
_FURTHEST = 2**20
"""How many ids further it is looked for the end of what cannot be loaded."""
_ONE_BY_ONE = 10
"""Where no request reads several items: up to this many are read one by one, more by reading the whole queue."""


@dataclass
class _Paced:
    """Something large to read, which is not begun again before a pause that grows with the time that it took.

    Attributes:
        is_wanted: whether it is to be read, again if it is being read.
        due_at: when it may be begun.
    """

    is_wanted: bool = False
    due_at: float = 0.0
    _began_at: float | None = None

    @property
    def is_due(self) -> bool:
        return self.is_wanted and time.monotonic() >= self.due_at

    def begin(self) -> None:
        self.is_wanted = False
        self._began_at = time.monotonic()

    def end(self) -> None:
        if self._began_at is not None:
            now = time.monotonic()
            self.due_at = now + _PAUSES * (now - self._began_at)
            self._began_at = None


@dataclass
class _Pages:
    """A read of all items, page by page.

    Attributes:
        before: the snapshot when it began.
        found: the ids on the pages so far.
        last: the last item on them, after which the next page begins.
        most: how many items the next page has at most.
        has_gaps: whether items that cannot be loaded were passed over, and others with them perhaps.
    """

    before: QueueState
    found: set[int] = field(default_factory=set)
    last: QueueItem | None = None
    most: int = _PAGE
    has_gaps: bool = False


class Reads:
    """Keeps track of what is missing or stale in the snapshot, and reads it. Used on the loop."""

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        batches: Mapping[str, int],
        *,
        apply: Callable[[Callable[[QueueState], Step]], Ids],
        failures: FailureReader,
        on_wanted: Callable[[], None],
    ) -> None:
        self._client = client
        self._store = store
        self._batches = batches
        self._apply = apply
        self._failures = failures
        self._on_wanted = on_wanted
        self._ids = _Paced()
        self._unfinished = _Paced()
        self._stale: set[int] = set()
        self._again: set[int] = set()  # what is left of reading all unfinished items again
        self._later: set[int] = set()
        self._later_at = 0.0
        self._unreadable: set[int] = set()
        self._has_devices = True
        self._has_ids = True
        self._pages: _Pages | None = None  # while they are being read

    # -- marking what to read ----------------------------------------------------------------------------------------

    def want(self, item_ids: Iterable[int] = (), *, ids: bool = True, unfinished: bool = False) -> None:
        """Mark the list of ids, these items, or all unfinished items to be read."""
        if self._has_ids:
            self._ids.is_wanted |= ids
            self._unfinished.is_wanted |= unfinished
            self._stale.update(item_ids)
        else:
            self._ids.is_wanted = True
        self._on_wanted()

    def want_rest(self, item_id: int) -> None:
        """Mark an item to be read, a little later, if its event left out field values or device."""
        item = self._store.state.items.get(item_id)
        if item is None:
            return
        if item.field_values is None or (self._has_devices and item.device is None and item.started_at is not None):
            if not self._later:
                self._later_at = time.monotonic() + _COALESCE_S
            self._later.add(item_id)
            self._on_wanted()

    def hurry(self) -> None:
        """Make everything that is marked due at once, instead of collecting more first."""
        self._ids.due_at = self._unfinished.due_at = self._later_at = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to read."""
        return self.is_read and not self._later

    @property
    def is_reading_items(self) -> bool:
        """Whether some listed items are still to be read, and can be."""
        state = self._store.state
        return not (state.is_listed and state.unread <= self._unreadable)

    @property
    def is_read(self) -> bool:
        """Whether nothing is left to read except what events left out (field values, device)."""
        return not (self._ids.is_wanted or self._unfinished.is_wanted or self._is_due)

    @property
    def unreadable(self) -> Set[int]:
        """The ids of items that the server lists but cannot load."""
        return self._store.state.unread & self._unreadable

    def due_in(self) -> float | None:
        """Return the seconds until a read is due, 0 if one is already; None if nothing is left to read."""
        if self._is_due:
            return 0.0
        due = [paced.due_at for paced in (self._ids, self._unfinished) if paced.is_wanted]
        due += [self._later_at] if self._later else []
        return max(min(due) - time.monotonic(), 0.0) if due else None

    @property
    def _is_due(self) -> bool:
        has_items = self._has_ids and (self._stale or self._again or self.is_reading_items)
        return bool(has_items or self._pages or self._failures.is_waiting)

    # -- reading -----------------------------------------------------------------------------------------------------

    async def read_first(self) -> None:
        """Read the ids and the newest items, and mark all unfinished items to be read."""
        self._has_devices = await self._client.has("device")
        self._has_ids = await self._client.has("item_ids")
        self._pages = None
        self._failures.look_again()
        self._store.set(retries_unknown=True)
        if self._has_ids:
            await self._read_ids()
            self._read_unfinished()
            await self._read_chunk(_FIRST_PAGE)
        else:
            await self._read_page(_FIRST_PAGE)
        self._look_for_retries()

    async def read(self) -> None:
        """Read what is due: at most one list of ids, one chunk or page of items, and one chunk of failed items' errors.

        What a request that fails was to read stays marked.
        """
        if self._later and time.monotonic() >= self._later_at:
            later, self._later = self._later, set()
            self.want(later, ids=False)
        if self._has_ids:
            if self._ids.is_due:
                await self._read_ids()
            # What has never been read comes first, or each read of a long queue would begin before the last has ended.
            if self._unfinished.is_due and not (self._again or self.is_reading_items):
                self._read_unfinished()
            await self._read_chunk()
        elif self._pages or self._ids.is_due:
            await self._read_page(_PAGE)
        if self._failures.is_waiting:
            await self._failures.read()
        self._look_for_retries()

    def _look_for_retries(self) -> None:
        if not (self.is_reading_items or self._again or self._pages):
            self._failures.look()

    async def holds_other_jobs(self) -> bool:
        """Return whether known ids now mean other jobs, because another server answers at the address."""
        known = self._store.state.items
        if not known:
            return False
        number = _FIRST_PAGE if await self._client.has("items_by_ids") else _ONE_BY_ONE
        found = await light_items(self._client, heapq.nlargest(number, known))
        return any(item.batch_id != known[item.item_id].batch_id for item in found)

    def start_anew(self) -> None:
        """Forget all items: they belong to another queue, or another user logged in."""
        connection = self._store.state.connection
        gone = frozenset(self._store.state.items)
        self._apply(lambda state: (QueueState(connection=connection), gone))
        self._failures.start_anew()
        for waiting in (self._stale, self._again, self._later, self._unreadable):
            waiting.clear()

    async def _read_ids(self) -> None:
        self._ids.begin()
        self._unreadable.clear()
        before = self._store.state
        try:
            listed = (await self._client.get_queue_item_ids()).item_ids
        except BaseException:
            self._ids.is_wanted = True
            raise
        self._apply(lambda state: with_ids(state, listed, fresher=state.changed_since(before)))
        self._store.set(is_listed=True)
        self._ids.end()

    async def _read_page(self, size: int) -> None:
        """Read the next page of all items; after the last one, what was on none is gone."""
        if self._pages is None:
            self._ids.begin()
            self._unreadable.clear()
            self._pages = _Pages(self._store.state)
        pages, before = self._pages, self._store.state
        try:
            size = min(size, pages.most)
            read, has_more = await self._client.list_queue_items(limit=size, after=pages.last)
        except ServerFailure as error:
            if not error.details.get("poison"):
                raise
            # One item that cannot be loaded makes the request for its page fail, and for a page that ends before it.
            if size > 1:
                pages.most = max(size // 5, 1)
            elif not await self._pass_unloadable(pages):
                self._end_pages()
            return
        # Pages after the first have items of other queues as well (6.0.2).
        items = [item.without_session() for item in read if item.queue_id == self._client.queue_id]
        pages.found |= self._take_page(items, before)
        if has_more and read:
            pages.last = read[-1]
            return
        if not pages.has_gaps:
            fresher = self._store.state.changed_since(pages.before)
            self._apply(lambda state: with_ids(state, pages.found - fresher, fresher=fresher))
        self._end_pages()

    def _take_page(self, items: list[QueueItem], before: QueueState) -> Set[int]:
        """Merge items, which need not have been known; return their ids."""
        ids = {item.item_id for item in items}
        fresher = self._store.state.changed_since(before)
        self._apply(lambda state: with_new_ids(state, ids - fresher))
        self._apply(lambda state: with_items(state, items, fresher=fresher))
        return ids

    async def _pass_unloadable(self, pages: _Pages) -> bool:
        """Go on with the pages behind an item that cannot be loaded; return whether that is possible."""
        pages.has_gaps = True
        before, last = self._store.state, pages.last
        good = None if last is None else await self._first_readable(last)
        if last is not None and good is not None:
            # The server would not load the item before it either: it loads one more than it is asked for.
            between = range(last.item_id + 1, good)[:_ONE_BY_ONE]
            self._take_page(await whole_items(self._client, between, keep=QueueItem.without_session), before)
        elif last is None or last.priority:
            last = QueueItem(item_id=-1, status="", batch_id="", priority=0)  # behind all that was put at the front
            good = await self._first_readable(last)
        if last is None or good is None:
            return False
        pages.last, pages.most = replace(last, item_id=good), _PAGE
        return True

    async def _first_readable(self, start: QueueItem) -> int | None:
        """Return the first id behind `start` after which a page of its priority can be read; None if there is none.

        The server does not say which item it cannot load. Where there is only one, all pages after it can be read.
        """
        bad, step = start.item_id, 1
        while not await self._can_read_after(replace(start, item_id=bad + step)):
            bad, step = bad + step, 2 * step
            if step > _FURTHEST:
                return None
        good = bad + step
        while good - bad > 1:
            middle = (bad + good) // 2
            if await self._can_read_after(replace(start, item_id=middle)):
                good = middle
            else:
                bad = middle
        return good

    async def _can_read_after(self, item: QueueItem) -> bool:
        with _passing_unloadable():
            await self._client.list_queue_items(limit=1, after=item)
            return True
        return False

    def _end_pages(self) -> None:
        if self._pages is not None and self._pages.has_gaps:
            self._unreadable.update(self._store.state.unread)
        self._pages = None
        self._ids.end()
        self._store.set(is_listed=True)

    def _read_unfinished(self) -> None:
        self._unfinished.begin()
        self._again.update(self._store.state.tallies.unfinished)

    async def _read_chunk(self, size: int = 1000) -> None:
        before = self._store.state
        for waiting in (self._stale, self._again):
            waiting -= {i for i in waiting if not (i in before.items or i in before.unread)}
        unread = before.unread - self._unreadable - self._stale
        groups = (self._stale, unread, self._again - self._stale - unread)
        chunk = [item_id for group in groups for item_id in sorted(group, reverse=True)]
        if not chunk:
            self._unfinished.end()
            return
        summaries = await self._client.has("item_summaries_by_ids")
        chunk = chunk[: size if summaries else min(size, self._client.whole_per_request)]
        with _taken(self._stale, chunk), _taken(self._again, chunk):
            items = [self._with_priority(item) for item in await light_items(self._client, chunk)]
            # The server leaves out whole items that it cannot load, so what is missing need not be gone.
            asked = chunk if summaries else None
            self._apply(lambda state: with_items(state, items, asked=asked, fresher=state.changed_since(before)))
        if not summaries:
            self._unreadable.update(set(chunk) - {item.item_id for item in items})
        if not self._again:
            self._unfinished.end()

    def _with_priority(self, item: QueueItem) -> QueueItem:
        """Return the item with its batch's priority, which summaries lack and the batch's event had."""
        priority = self._batches.get(item.batch_id)
        return replace(item, priority=priority) if priority and item.priority is None else item


class FailureReader:
    """Reports each failed item once its error is known, and, if it may be a retry, which attempt it was.

    Items are read in full if events and summaries do not say why they failed, or whether they are retries; first those
    that may be retries, however they ended, since a job that was retried is not to be retried again. Other users' items
    are skipped: the server does not say why they failed. `on_failed` may be called more than once for one item.
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
        self._on_failed = on_failed
        self._on_wanted = on_wanted
        self._wanted: set[int] = set()
        self._known: dict[int, QueueItem] = {}
        self._unlinked: set[int] = set()  # of these, those that may be retries
        self._has_looked = False

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to read."""
        return bool(self._wanted)

    @property
    def is_behind(self) -> bool:
        """Whether a failure has not been reported yet, or a retry found; also while the last ones are being read."""
        return bool(self._known) or not self._has_looked

    def look_again(self) -> None:
        """Have `look` look among all items, once they have been read."""
        self._has_looked = False
        self._on_wanted()

    def look(self) -> None:
        """Find what may be a retry among all items, once: in a long queue it was read before what it retries."""
        if not self._has_looked:
            self._has_looked = True
            for item in self._store.state.items.values():
                if self._store.state.may_be_retry(item):
                    self.changed(item, None)
            self._settle()

    def _settle(self) -> None:
        if self._has_looked and not self._unlinked:
            self._store.set(retries_unknown=False)

    def changed(self, item: QueueItem, before: QueueItem | None) -> None:
        """Note a changed item; `before` is its previous record."""
        if self._store.state.is_theirs(item):
            return
        failed = item.status == FAILED
        is_news = (
            before is None
            or (item.is_terminal and before.status != item.status)
            or (failed and before.server_error_type is None)
        )
        if is_news and self._store.state.may_be_retry(item):
            self._unlinked.add(item.item_id)
        if item.item_id in self._unlinked or (failed and not _has_error(item)):
            self._known[item.item_id] = item
            self._wanted.add(item.item_id)
            self._on_wanted()
        elif failed and is_news:
            self._on_failed(item)

    def give_up(self) -> None:
        """Report the waiting failures whose error is known: they can no longer be read in full."""
        while self._known:
            item = self._known.popitem()[1]
            if item.status == FAILED and _has_error(item):
                self._on_failed(item)

    def start_anew(self) -> None:
        """Report the waiting failures whose error is known, and forget the rest: the queue is another one."""
        self.give_up()
        self._wanted.clear()
        self._unlinked.clear()

    async def read(self) -> None:
        """Read the newest waiting items, at most 50, and report failures; if the request fails they go on waiting."""
        newest = sorted(self._wanted, key=lambda item_id: (item_id in self._unlinked, item_id), reverse=True)
        chunk = newest[: min(_FAILED_PER_READ, self._client.whole_per_request)]
        before = self._store.state

        def is_news(item: QueueItem) -> bool:
            known = before.items.get(item.item_id)
            return item.status == FAILED and (known is None or known.status != FAILED)

        with _taken(self._wanted, chunk):
            items = await whole_items(self._client, chunk)
            # To number the attempts, read the items in between: they may be attempts at the same jobs.
            between = await whole_items(
                self._client, self._between(items), keep=lambda item: item if is_news(item) else item.without_session()
            )
            light = [item.without_session() for item in items + between]
            self._store.apply(lambda state: with_items(state, light, fresher=state.changed_since(before)))
        self._unlinked.difference_update(chunk)
        # The snapshot has their errors from now on, so nothing else would report those that failed without an event.
        read = {item.item_id: item for item in items + [item for item in between if is_news(item)]}
        for item_id in dict.fromkeys([*chunk, *read]):
            known = self._known.pop(item_id, None)
            found = read.get(item_id, known)  # if deleted already, use what is known
            if found is not None and found.status == FAILED and not self._store.state.is_theirs(found):
                self._on_failed(found)
        self._settle()

    def _between(self, failed: Iterable[QueueItem]) -> list[int]:
        """Return the ids of items that may be earlier attempts at the jobs that the failed items retried."""
        roots: dict[str, tuple[int, int]] = {}
        for item in failed:
            if item.status == FAILED and (root := item.retried_from_item_id) is not None:
                low, high = roots.get(item.batch_id, (root, item.item_id))
                roots[item.batch_id] = min(low, root), max(high, item.item_id)
        read = {item.item_id for item in failed}
        return [
            item.item_id
            for item in (self._store.state.items.values() if roots else ())
            if item.batch_id in roots
            and roots[item.batch_id][0] < item.item_id < roots[item.batch_id][1]
            and item.item_id not in read
            and self._store.state.may_be_retry(item)
        ]


def _has_error(item: QueueItem) -> bool:
    """Whether an item's record says why it failed."""
    return item.server_error_type is not None or item.error_message is not None


async def light_items(client: InvokeClient, item_ids: Iterable[int]) -> list[QueueItem]:
    """Read items without their sessions: summaries from 6.14 on, whole items before.

    Items that do not exist are left out; before 6.14 also those that the server cannot load.
    """
    if await client.has("item_summaries_by_ids"):
        ids, size = list(item_ids), MAX_IDS_PER_REQUEST
        chunks = [ids[start : start + size] for start in range(0, len(ids), size)]
        return [item for chunk in chunks for item in await client.get_queue_item_summaries_by_ids(chunk)]
    return await whole_items(client, item_ids, keep=QueueItem.without_session)


async def whole_items(
    client: InvokeClient, item_ids: Iterable[int], *, keep: Callable[[QueueItem], QueueItem] = lambda item: item
) -> list[QueueItem]:
    """Read items with their sessions, fewer at once the larger they are; `keep` returns what is to be kept of each.

    Items that do not exist, that the server cannot load, or that are too large to be read at all, are left out.
    """
    if await client.has("items_by_ids"):
        left, items = list(item_ids), list[QueueItem]()
        while left:
            chunk = left[: client.whole_per_request]
            try:
                items += [keep(item) for item in await client.get_queue_items_by_item_ids(chunk)]
            except UnexpectedReply as error:
                if "limit" not in error.details:
                    raise
                if len(chunk) > 1:
                    continue
            left = left[len(chunk) :]
        return items
    wanted = set(item_ids)
    if len(wanted) <= _ONE_BY_ONE:
        found = [await _loaded(client, item_id) for item_id in sorted(wanted)]
        return [keep(item) for item in found if item is not None]
    with _passing_unloadable():
        return [keep(item) for item in await client.list_all_queue_items() if item.item_id in wanted]
    return []  # one item that cannot be loaded makes the whole request fail


async def _loaded(client: InvokeClient, item_id: int) -> QueueItem | None:
    """Read one item; None if it does not exist, or the server cannot load it."""
    with suppress(NotFound), _passing_unloadable():
        return await client.get_queue_item(item_id)
    return None


@contextmanager
def _passing_unloadable() -> Iterator[None]:
    """Let pass that the server cannot load an item, and no other failure."""
    try:
        yield
    except ServerFailure as error:
        if not error.details.get("poison"):
            raise


async def ids_after(client: InvokeClient, item_id: int) -> list[int]:
    """Return the ids of all items newer than `item_id`, ascending."""
    if await client.has("item_ids"):
        listed: Iterable[int] = (await client.get_queue_item_ids()).item_ids
    else:
        listed = [item.item_id for item in await client.list_all_queue_items()]
    return sorted(i for i in listed if i > item_id)


@contextmanager
def _taken(waiting: set[int], item_ids: list[int]) -> Iterator[None]:
    """Remove ids from those waiting to be read, and put them back if the read fails."""
    taken = waiting.intersection(item_ids)
    waiting -= taken
    try:
        yield
    except BaseException:
        waiting |= taken
        raise
