"""Running counts of the queue's items, and the mapping that holds the items.

Both are immutable, and a changed copy is cheap: a step costs at most about the square root of the queue's length, so
work on the I/O thread hardly grows with the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from invoke_widgets.records import FAILED, QueueItem

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SHARD_BITS = 8
_STRING_SHARDS = 512


def _shard(key: Hashable) -> int:
    return key >> _SHARD_BITS if isinstance(key, int) else hash(key) % _STRING_SHARDS


class Shards(Mapping[K, V]):
    """An immutable mapping made of small dicts; a changed copy shares those that did not change.

    Args:
        items: the initial contents.
    """

    __slots__ = ("_length", "_shards")

    def __init__(self, items: Mapping[K, V] | None = None) -> None:
        self._shards: dict[int, dict[K, V]] = {}
        self._length = len(items or ())
        for key, value in (items or {}).items():
            self._shards.setdefault(_shard(key), {})[key] = value

    def changed(self, put: Mapping[K, V], gone: Iterable[K] = ()) -> Shards[K, V]:
        """Return a copy with the items of `put` added or replaced, and the keys in `gone` removed."""
        shards = dict(self._shards)
        length = self._length
        copied: set[int] = set()

        def own(key: K) -> dict[K, V]:
            number = _shard(key)
            if number not in copied:
                copied.add(number)
                shards[number] = dict(shards.get(number, ()))
            return shards[number]

        for key, value in put.items():
            shard = own(key)
            length += key not in shard
            shard[key] = value
        for key in gone:
            if key in shards.get(_shard(key), ()):
                del own(key)[key]
                length -= 1
        for number in copied:
            if not shards[number]:
                del shards[number]
        copy: Shards[K, V] = Shards()
        copy._shards, copy._length = shards, length
        return copy

    def __or__(self, put: Mapping[K, V]) -> Shards[K, V]:
        return self.changed(put)

    def __getitem__(self, key: K) -> V:
        return self._shards[_shard(key)][key]

    def __iter__(self) -> Iterator[K]:
        for shard in self._shards.values():
            yield from shard

    def __len__(self) -> int:
        return self._length

    def __contains__(self, key: object) -> bool:
        return isinstance(key, Hashable) and key in self._shards.get(_shard(key), ())

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
    """

    all: Mapping[str, int] = field(default_factory=dict)
    own: Mapping[str, int] = field(default_factory=dict)
    retryable: int = 0
    batches: Mapping[str, Mapping[str, int]] = field(default_factory=Shards)
    chains: Mapping[int, tuple[int, ...]] = field(default_factory=Shards, repr=False)
    """Id of a job's first item -> ids of all its attempts, ascending."""

    def changed(
        self, before: Mapping[int, QueueItem], after: Shards[int, QueueItem], ids: Iterable[int], is_theirs: IsTheirs
    ) -> Tallies:
        """Return the tallies after a change of items.

        Args:
            before: the items counted so far.
            after: the items to count now.
            ids: the ids of all items that differ.
            is_theirs: returns whether an item is another user's.
        """
        everyone, own = dict(self.all), dict(self.own)
        batches: dict[str, dict[str, int]] = {}
        chains: dict[int, tuple[int, ...]] = {}
        pairs = [(item_id, before.get(item_id), after.get(item_id)) for item_id in ids]
        for item_id, *two in pairs:
            for item, by in zip(two, (-1, 1), strict=True):
                if item is None:
                    continue
                _count(everyone, item.status, by)
                if not is_theirs(item):
                    _count(own, item.status, by)
                    if item.batch_id not in batches:
                        batches[item.batch_id] = dict(self.batches.get(item.batch_id, ()))
                    _count(batches[item.batch_id], item.status, by)
                if item.parent_item_id is None:
                    root = item.retried_from_item_id or item_id
                    others = [i for i in chains.get(root, self.chains.get(root, ())) if i != item_id]
                    chains[root] = tuple(sorted([*others, item_id] if by > 0 else others))

        def number(chain: tuple[int, ...], items: Mapping[int, QueueItem]) -> int:
            """Return 1 if the newest attempt of a chain failed and is the user's own, else 0."""
            newest = items[chain[-1]] if chain else None
            return int(newest is not None and newest.status == FAILED and not is_theirs(newest))

        retryable = self.retryable
        for root, chain in chains.items():
            retryable += number(chain, after) - number(self.chains.get(root, ()), before)
        return Tallies(
            all=everyone,
            own=own,
            retryable=retryable,
            batches=_replaced(self.batches, batches),
            chains=_replaced(self.chains, chains),
        )


IsTheirs = Callable[[QueueItem], bool]


def _count(tally: dict[str, int], status: str, by: int) -> None:
    tally[status] = tally.get(status, 0) + by
    if not tally[status]:
        del tally[status]


def _replaced(old: Mapping[K, V], new: Mapping[K, V]) -> Mapping[K, V]:
    """Return a copy of `old` with the values of `new`, without the keys whose value is empty."""
    assert isinstance(old, Shards)
    put = {key: value for key, value in new.items() if value and old.get(key) != value}
    gone = [key for key, value in new.items() if not value]
    return old.changed(put, gone) if put or gone else old
