"""The snapshot of the queue, and pure steps: (snapshot, something received) -> (snapshot, ids that changed).

The rules, each based on observed behavior of the server:

- A terminal status is final: late `in_progress` events and stale reads do not undo it.
- Events of one item are ordered by `status_sequence`; versions before 6.13 send none, and their events are ordered by
  rank (pending < in_progress < terminal). 6.13.8 sends each event twice.
- A read may be older than an event that arrived while it was under way: `fresher` names the items for which that is
  so, and only fields that never change are taken from the read.
- Ids are never reused, so an id that the server no longer lists, and that is not newer than its list, is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from invoke_widgets.events import Event, ItemsCanceled, ItemStatusChanged, NodeProgress, NodeStarted
from invoke_widgets.records import (
    CANCELED,
    FAILED,
    IN_PROGRESS,
    PENDING,
    TERMINAL,
    Connection,
    Counts,
    ProcessorStatus,
    Progress,
    QueueItem,
    QueueStatus,
    Wedge,
)

Ids = frozenset[int]
NOTHING: Ids = frozenset()

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SHARD_BITS = 8
_STRING_SHARDS = 512


def _shard(key: Hashable) -> int:
    return key >> _SHARD_BITS if isinstance(key, int) else hash(key) % _STRING_SHARDS


class Shards(Mapping[K, V]):
    """An immutable mapping made of small dicts; a changed copy shares those that did not change.

    A copy costs at most about the square root of the mapping's length, so a step hardly costs more in a long queue.
    """

    __slots__ = ("_length", "_shards")

    def __init__(self, items: Mapping[K, V] | None = None) -> None:
        self._shards: dict[int, dict[K, V]] = {}
        self._length = len(items or ())
        for key, value in (items or {}).items():
            self._shards.setdefault(_shard(key), {})[key] = value

    def changed(self, put: Mapping[K, V], gone: Iterable[K] = ()) -> Shards[K, V]:
        """Return a copy with the items of `put` added or replaced, and the keys in `gone` removed."""
        puts: dict[int, dict[K, V]] = defaultdict(dict)
        removals: dict[int, list[K]] = defaultdict(list)
        for key, value in put.items():
            puts[_shard(key)][key] = value
        for key in gone:
            removals[_shard(key)].append(key)
        copy: Shards[K, V] = Shards()
        copy._shards, copy._length = dict(self._shards), self._length
        for number in puts.keys() | removals.keys():
            old = self._shards.get(number, {})
            shard = {**old, **puts.get(number, {})}
            for key in removals.get(number, ()):
                shard.pop(key, None)
            copy._length += len(shard) - len(old)
            copy._shards[number] = shard
            if not shard:
                del copy._shards[number]
        return copy

    def differing(self, other: Shards[K, V]) -> set[K]:
        """Return the keys that only one of the two has, or that have different objects."""
        return {
            key
            for number in self._shards.keys() | other._shards.keys()
            if (mine := self._shards.get(number, {})) is not (theirs := other._shards.get(number, {}))
            for key in mine.keys() | theirs.keys()
            if mine.get(key) is not theirs.get(key)
        }

    def __getitem__(self, key: K) -> V:
        return self._shards[_shard(key)][key]

    # As `Mapping` has them, each miss would raise and catch an exception, and most ids of a long queue are new once.
    def __contains__(self, key: object) -> bool:
        return key in self._shards.get(_shard(key), ())

    def get(self, key: K, default: Any = None) -> Any:
        shard = self._shards.get(_shard(key))
        return default if shard is None else shard.get(key, default)

    def __iter__(self) -> Iterator[K]:
        for shard in self._shards.values():
            yield from shard

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<{len(self)} items>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """Counts of a snapshot's items, updated by what changed.

    Attributes:
        all: status -> number of items.
        own: status -> number of the user's own items: all of them, unless other users share the server.
        retryable: number of the user's own failed items that have not been retried yet.
        batches: batch id -> status -> number of the user's own items.
        retries: id of a job's first item -> ids of its retries, ascending.
        ended: batch id -> when the first of its items ended.
        unfinished: the ids of all items that are not terminal; the values mean nothing.
    """

    all: Mapping[str, int] = field(default_factory=dict)
    own: Mapping[str, int] = field(default_factory=dict)
    retryable: int = 0
    batches: Shards[str, Mapping[str, int]] = field(default_factory=Shards)
    retries: Shards[int, tuple[int, ...]] = field(default_factory=Shards, repr=False)
    ended: Shards[str, datetime] = field(default_factory=Shards, repr=False)
    unfinished: Shards[int, None] = field(default_factory=Shards, repr=False)

    def unfinished_of(self, batch_id: str) -> int:
        """The number of the user's own items of a batch that are not terminal."""
        return sum(number for status, number in self.batches.get(batch_id, {}).items() if status not in TERMINAL)

    def changed(
        self,
        before: Mapping[int, QueueItem],
        after: Mapping[int, QueueItem],
        ids: Iterable[int],
        is_theirs: Callable[[QueueItem], bool],
    ) -> Tallies:
        """Return the tallies after the items with these ids changed."""
        deltas: dict[tuple[str, str, bool], int] = defaultdict(int)  # batch, status, whether it is theirs
        retries: dict[int, tuple[int, ...]] = {}
        ended: dict[str, datetime] = {}
        opened: dict[int, None] = {}
        closed: list[int] = []
        roots: set[int] = set()  # of jobs that may have become retryable, or are no longer
        for item_id in ids:
            old, new = before.get(item_id), after.get(item_id)
            for item, by in ((old, -1), (new, 1)):
                if item is None:
                    continue
                deltas[item.batch_id, item.status, is_theirs(item)] += by
                if item.parent_item_id is None:
                    root = item.retried_from_item_id or item_id
                    if root != item_id:
                        others = {*retries.get(root, self.retries.get(root, ()))} - {item_id}
                        retries[root] = tuple(sorted({*others, item_id} if by > 0 else others))
                    if root != item_id or item.status == FAILED:
                        roots.add(root)
            if new is None or new.is_terminal:
                closed.append(item_id)
            else:
                opened[item_id] = None
            if new is not None and (at := new.completed_at) is not None:
                ended[new.batch_id] = min(at, ended.get(new.batch_id, at), self.ended.get(new.batch_id, at))
        everyone, own = dict(self.all), dict(self.own)
        batches: dict[str, dict[str, int]] = {}
        for (batch_id, status, theirs), by in deltas.items():
            _count(everyone, status, by)
            if not theirs:
                _count(own, status, by)
                if batch_id not in batches:
                    batches[batch_id] = dict(self.batches.get(batch_id, {}))
                _count(batches[batch_id], status, by)

        def number(root: int, items: Mapping[int, QueueItem], attempts: tuple[int, ...]) -> int:
            """Return 1 if the newest attempt at a job failed and is the user's own, else 0."""
            first = items.get(root)
            if first is not None and first.parent_item_id is None and not first.retried_from_item_id:
                attempts = (*attempts, root)
            newest = items[max(attempts)] if attempts else None
            return int(newest is not None and newest.status == FAILED and not is_theirs(newest))

        retryable = self.retryable
        for root in roots:
            known = self.retries.get(root, ())
            retryable += number(root, after, retries.get(root, known)) - number(root, before, known)
        gone = [batch_id for batch_id, tally in batches.items() if not tally]
        return Tallies(
            all=everyone,
            own=own,
            retryable=retryable,
            batches=self.batches.changed(batches, gone),
            retries=self.retries.changed(retries, [root for root, attempts in retries.items() if not attempts]),
            ended=self.ended.changed(ended, gone),
            unfinished=self.unfinished.changed(opened, [i for i in closed if i in self.unfinished]),
        )


def _count(tally: dict[str, int], status: str, by: int) -> None:
    tally[status] = tally.get(status, 0) + by
    if not tally[status]:
        del tally[status]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """A snapshot of the queue. Never changed in place: each step returns a new one.

    Attributes:
        items: the known data of each item, by id.
        unread: ids that the server has listed, but whose items have not been read yet.
        newest_id: the highest id that the server has ever listed or reported.
        status: the server's own counters.
        processor: whether the worker runs and is busy.
        progress: progress of the items in progress, by id.
        connection: how the snapshot is kept up to date.
        wedge: set while the queue is stuck.
        retrying: failed items that a `RetryPolicy` will run again: id -> when that is due, in UTC.
        is_listed: whether the list of ids has been read.
        retries_unknown: whether it is still to be read which of the items are retries, after connecting.
        tallies: counts of `items`, updated by the steps; counted from scratch when a state is built from a plain dict.
    """

    items: Mapping[int, QueueItem] = field(default_factory=Shards)
    unread: Ids = NOTHING
    newest_id: int = 0
    status: QueueStatus | None = None
    processor: ProcessorStatus | None = None
    progress: Mapping[int, Progress] = field(default_factory=dict)
    connection: Connection = field(default_factory=Connection)
    wedge: Wedge | None = None
    retrying: Mapping[int, datetime] = field(default_factory=dict)
    is_listed: bool = False
    retries_unknown: bool = False
    tallies: Tallies = field(default_factory=Tallies, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.items, Shards):
            items = Shards(self.items)
            object.__setattr__(self, "items", items)
            object.__setattr__(self, "tallies", Tallies().changed({}, items, items, self.is_theirs))

    def totals(self) -> dict[str, Any]:
        """How many items each action is about: those that the user may act on.

        `pending` includes items that a policy will retry, since they are canceled with the others. `retryable` is 0
        until it is known which failed jobs have been retried: it would promise too much. `own` says whether
        only the user's items count, as for everybody but an administrator of a server with several users.
        """
        counts = self.status if self.status is not None and not self.is_shared else Counts.tallied(self.tallies.own)
        return {
            "total": counts.total,
            "unfinished": counts.unfinished,
            "finished": counts.total - counts.unfinished,
            "pending": counts.pending + len(self.retrying),
            "retryable": 0 if self.retries_unknown else self.tallies.retryable,
            "own": self.is_shared,
        }

    def with_items(self, put: Mapping[int, QueueItem], gone: Collection[int] = (), new: Ids = NOTHING) -> QueueState:
        """Return a state with the items of `put`, without the ids in `gone`, and with the ids in `new` unread."""
        assert isinstance(self.items, Shards)
        ids = {*put, *gone}
        items, tallies = self.items, self.tallies
        if put or any(i in items for i in gone):
            items = items.changed(put, gone)
            tallies = tallies.changed(self.items, items, ids, self.is_theirs)
        read = self.unread & ids
        over = {i for i in self.progress.keys() & ids if i not in put or put[i].status != IN_PROGRESS}
        return replace(
            self,
            items=items,
            tallies=tallies,
            unread=(self.unread - read) | new if read or new else self.unread,
            newest_id=max((self.newest_id, *put, *new)),
            progress={i: p for i, p in self.progress.items() if i not in over} if over else self.progress,
        )

    def with_connection(self, connection: Connection) -> QueueState:
        """Return a state with this connection. For another user, other items are their own: count them again."""
        same_user = connection.user == self.connection.user
        return replace(self, connection=connection, items=self.items if same_user else dict(self.items))

    def changed_since(self, earlier: QueueState) -> set[int]:
        """Return the ids of items that became known, changed or went since an earlier snapshot."""
        assert isinstance(self.items, Shards)
        assert isinstance(earlier.items, Shards)
        new = self.unread - earlier.unread if self.unread is not earlier.unread else NOTHING
        return self.items.differing(earlier.items) | new

    def has(self, item: QueueItem) -> bool:
        """Whether the server still has this job, as far as is known: its id may mean another job by now."""
        there = self.items.get(item.item_id)
        if there is None:
            return item.item_id in self.unread
        return there.batch_id == item.batch_id or self.is_theirs(there)

    def may_be_retry(self, item: QueueItem) -> bool:
        """Whether an item was created after one of its batch ended, and some failed or were canceled.

        Only a full read says what it retries.
        """
        ended = self.tallies.ended.get(item.batch_id)
        made_later = ended is not None and (item.created_at is None or item.created_at > ended)
        if item.retried_from_item_id is not None or not made_later:
            return False
        return not {FAILED, CANCELED}.isdisjoint(self.tallies.batches.get(item.batch_id, ()))

    @property
    def is_shared(self) -> bool:
        """Whether there may be items that this user, who is no administrator, can neither read nor change."""
        user = self.connection.user
        return user is not None and not user.is_admin

    @property
    def is_paused(self) -> bool:
        """Whether the worker takes no further item; False while that is not known."""
        return self.processor is not None and not self.processor.is_started

    def is_theirs(self, item: QueueItem) -> bool:
        """Whether an item is another user's, and so cannot be read or changed by this user, who is no administrator."""
        user = self.connection.user
        return user is not None and self.is_shared and item.user_id not in (None, user.user_id)


Step = tuple[QueueState, Ids]

_RANK = {PENDING: 0, IN_PROGRESS: 1}

_STATIC = ("created_at", "session_id", "origin", "destination", "priority", "field_values", "user_id",
           "user_display_name", "retried_from_item_id", "parent_item_id", "session", "device")  # fmt: skip


def _is_newer(old: QueueItem, new: QueueItem) -> bool:
    """Whether `new`, an event or an action's answer, is a later state than `old`."""
    if old.is_terminal:
        return False
    if old.status_sequence is not None and new.status_sequence is not None:
        return new.status_sequence > old.status_sequence or (new.is_terminal and not old.is_terminal)
    return _RANK.get(new.status, 2 if new.status in TERMINAL else 1) >= _RANK.get(old.status, 1)


def _filled(base: QueueItem, other: QueueItem, fields: Collection[str]) -> QueueItem:
    """Return `base` with each of `fields` that it lacks taken from `other`."""
    missing: dict[str, Any] = {
        name: value for name in fields if getattr(base, name) is None and (value := getattr(other, name)) is not None
    }
    return replace(base, **missing) if missing else base


_OUTCOME = ("server_error_type", "error_message", "error_traceback", "started_at", "completed_at", "updated_at",
           "status_sequence")  # fmt: skip


def _combined(old: QueueItem | None, new: QueueItem, *, keep_status: bool) -> QueueItem:
    """Merge two records of an item. `keep_status`: the status of `old` is the later one."""
    if old is None:
        return new
    same = old.status == new.status
    if keep_status or (old.is_terminal and not same):
        return _filled(old, new, (*_STATIC, *_OUTCOME) if same else _STATIC)
    return _filled(new, old, (*_STATIC, *_OUTCOME) if same else (*_STATIC, "started_at"))


def with_news(state: QueueState, item: QueueItem) -> Step:
    """Merge an item from an event or from an action's answer."""
    old = state.items.get(item.item_id)
    if old is None and item.item_id <= state.newest_id and item.item_id not in state.unread:
        return state, NOTHING  # it was deleted; ids are never reused
    if old is not None and not _is_newer(old, item):
        merged = _combined(old, item, keep_status=old.status != item.status)
        if merged == old and merged.session is old.session:
            return state, NOTHING
    else:
        merged = _combined(old, item, keep_status=False)
    return state.with_items({item.item_id: merged}), frozenset({item.item_id})


def with_event(state: QueueState, event: Event) -> Step:
    """Merge an event. Events that only ask for another read change nothing here."""
    if isinstance(event, ItemStatusChanged):
        state, changed = with_news(state, event.item)
        if changed and event.queue_status is not None:
            state = replace(state, status=event.queue_status)
        return state, changed
    if isinstance(event, ItemsCanceled):
        return _with_canceled(state, event.item_ids)
    if isinstance(event, NodeProgress):
        return _with_progress(state, event.progress)
    if isinstance(event, NodeStarted):
        old = state.progress.get(event.item_id)
        if old is not None and old.node_id == event.node_id:
            return state, NOTHING
        started = Progress(item_id=event.item_id, node_id=event.node_id, node_type=event.node_type)
        return _with_progress(state, started)
    return state, NOTHING


def _with_progress(state: QueueState, progress: Progress) -> Step:
    item = state.items.get(progress.item_id)
    if item is None or item.status != IN_PROGRESS or state.progress.get(progress.item_id) == progress:
        return state, NOTHING  # a canceled item's node may go on and report
    return replace(state, progress={**state.progress, progress.item_id: progress}), frozenset({progress.item_id})


def _with_canceled(state: QueueState, item_ids: Iterable[int]) -> Step:
    changed = {i for i in item_ids if (item := state.items.get(i)) is not None and not item.is_terminal}
    if not changed:
        return state, NOTHING
    return state.with_items({i: replace(state.items[i], status=CANCELED) for i in changed}), frozenset(changed)


def with_new_ids(state: QueueState, item_ids: Iterable[int]) -> Step:
    """Merge ids that an enqueue's answer or a retry's says exist."""
    new = frozenset(i for i in item_ids if i not in state.items and i not in state.unread)
    return (state.with_items({}, new=new) if new else state), new


def with_ids(state: QueueState, listed: Collection[int], *, fresher: Collection[int] = ()) -> Step:
    """Merge the server's list of all ids. `fresher`: ids that became known while it was being read."""
    there = set(listed)
    known = state.items.keys() | state.unread
    gone = known - there - set(fresher)
    new = frozenset(there - known)
    if not gone and not new:
        return state, NOTHING
    return state.with_items({}, gone, new), new | gone


def with_items(
    state: QueueState,
    read: Iterable[QueueItem],
    *,
    asked: Collection[int] | None = None,
    fresher: Collection[int] = (),
) -> Step:
    """Merge items that were read from the server.

    Args:
        state: the snapshot.
        read: the items, in full or as summaries.
        asked: the requested ids, if the server leaves out only items that do not exist: those left out are gone. None
            if an answer may leave out others, too.
        fresher: ids of items for which an event arrived while the read was under way.
    """
    put: dict[int, QueueItem] = {}
    found: set[int] = set()
    for item in read:
        item_id = item.item_id
        found.add(item_id)
        old = put.get(item_id) or state.items.get(item_id)
        if old is None and item_id <= state.newest_id and item_id not in state.unread:
            continue  # deleted while it was being read
        merged = _combined(old, item, keep_status=old is not None and item_id in fresher)
        if merged != old or (old is not None and merged.session is not old.session):
            put[item_id] = merged
    missing = set(asked or ()) - found - set(fresher)
    gone = {i for i in missing if i in state.items or i in state.unread}
    if not put and not gone:
        return state, NOTHING
    return state.with_items(put, gone), frozenset(put.keys() | gone)
