"""The snapshot of the queue, and pure steps: (snapshot, something received) -> (snapshot, ids that changed).

The rules, each based on observed behaviour of the server:

- A terminal status is final: late `in_progress` events and stale reads do not undo it.
- Events of one item are ordered by `status_sequence`; versions before 6.13 send none, and their events are ordered by
  rank (pending < in_progress < terminal). 6.13.8 sends each event twice.
- A read may be older than an event that arrived while it was under way: `fresher` names the items for which that is
  so, and only fields that never change are taken from the read.
- Ids are never reused, so an id that the server no longer lists, and that is not newer than its list, is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from invoke_widgets.events import Event, ItemsCanceled, ItemStatusChanged, NodeProgress, NodeStarted
from invoke_widgets.records import (
    CANCELED,
    IN_PROGRESS,
    PENDING,
    TERMINAL,
    Connection,
    ProcessorStatus,
    Progress,
    QueueItem,
    QueueStatus,
    Wedge,
)
from invoke_widgets.sync.tallies import Shards, Tallies

Ids = frozenset[int]
NOTHING: Ids = frozenset()


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
    tallies: Tallies = field(default_factory=Tallies, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.items, Shards):
            items = Shards(self.items)
            object.__setattr__(self, "items", items)
            object.__setattr__(self, "tallies", Tallies().changed({}, items, items, self.is_theirs))

    def with_items(self, put: Mapping[int, QueueItem], gone: Iterable[int] = (), **changes: Any) -> QueueState:
        """Return a state with the items of `put`, without those in `gone`, and with other fields replaced."""
        assert isinstance(self.items, Shards)
        gone = set(gone)
        items = self.items.changed(put, gone)
        tallies = self.tallies.changed(self.items, items, put.keys() | gone, self.is_theirs)
        return replace(self, items=items, tallies=tallies, **changes)

    def with_connection(self, connection: Connection) -> QueueState:
        """Return a state with this connection. For another user, other items are their own: count them again."""
        same_user = connection.user == self.connection.user
        return replace(self, connection=connection, items=self.items if same_user else dict(self.items))

    def has(self, item: QueueItem) -> bool:
        """Whether the server still has this job, as far as is known: its id may mean another job by now."""
        there = self.items.get(item.item_id)
        if there is None:
            return item.item_id in self.unread
        return there.batch_id == item.batch_id or self.is_theirs(there)

    def is_theirs(self, item: QueueItem) -> bool:
        """Whether an item is another user's, and so cannot be read or changed by this user, who is no administrator."""
        user = self.connection.user
        return user is not None and not user.is_admin and item.user_id not in (None, user.user_id)


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


_OUTCOME = ("error_type", "error_message", "error_traceback", "started_at", "completed_at", "updated_at",
           "status_sequence")  # fmt: skip


def _combined(old: QueueItem | None, new: QueueItem, *, keep_status: bool) -> QueueItem:
    """Merge two records of an item. `keep_status`: the status of `old` is the later one."""
    if old is None:
        return new
    same = old.status == new.status
    if keep_status or (old.is_terminal and not same):
        return _filled(old, new, (*_STATIC, *_OUTCOME) if same else _STATIC)
    return _filled(new, old, (*_STATIC, *_OUTCOME) if same else (*_STATIC, "started_at"))


def _with_item(state: QueueState, item: QueueItem) -> QueueState:
    progress = state.progress
    if item.status != IN_PROGRESS and item.item_id in progress:
        progress = {key: value for key, value in progress.items() if key != item.item_id}
    return state.with_items(
        {item.item_id: item},
        unread=state.unread - {item.item_id} if item.item_id in state.unread else state.unread,
        newest_id=max(state.newest_id, item.item_id),
        progress=progress,
    )


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
    return _with_item(state, merged), frozenset({item.item_id})


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


def with_ids(state: QueueState, listed: Collection[int], *, fresher: Collection[int] = ()) -> Step:
    """Merge the server's list of all ids. `fresher`: ids that became known while it was being read."""
    there = set(listed)
    known = state.items.keys() | state.unread
    keep = set(fresher)
    gone = {i for i in known if i not in there and i not in keep}
    new = there - known
    newest = max(there, default=0)
    if not gone and not new:
        return (state if newest <= state.newest_id else replace(state, newest_id=newest)), NOTHING
    progress = {k: p for k, p in state.progress.items() if k not in gone} if gone else state.progress
    return (
        state.with_items(
            {},
            gone & state.items.keys(),
            unread=(state.unread - gone) | new,
            newest_id=max(state.newest_id, newest),
            progress=progress,
        ),
        frozenset(gone | new),
    )


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
    gone: set[int] = set()
    progress = dict(state.progress)
    unread = set(state.unread)
    changed: set[int] = set()
    newest = state.newest_id
    found: set[int] = set()
    for item in read:
        item_id = item.item_id
        found.add(item_id)
        newest = max(newest, item_id)
        old = put.get(item_id, state.items.get(item_id))
        if old is None and item_id <= state.newest_id and item_id not in unread:
            continue  # deleted while it was being read
        merged = _combined(old, item, keep_status=old is not None and item_id in fresher)
        unread.discard(item_id)
        if merged.status != IN_PROGRESS:
            progress.pop(item_id, None)
        if merged != old or (old is not None and merged.session is not old.session):
            put[item_id] = merged
            changed.add(item_id)
    if asked is not None:
        for item_id in set(asked) - found - set(fresher):
            unread.discard(item_id)
            progress.pop(item_id, None)
            if item_id in state.items:
                gone.add(item_id)
                changed.add(item_id)
    if not changed and len(unread) == len(state.unread):
        return state, NOTHING
    new_state = state.with_items(put, gone, unread=frozenset(unread), newest_id=newest, progress=progress)
    return new_state, frozenset(changed)
