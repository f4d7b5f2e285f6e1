"""Which items are being retried, or have been, from this process, so that two of its consoles do not both do it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from invoke_widgets.sync import QueueState

_KEPT = 50_000
"""So many retried items are remembered, the latest: five queues that are full as the server has it by default. Only
items that are still shown as failed, and that no picture knows to be retried, are asked for."""


class Claims:
    """Which items are being retried, or have been, from anywhere in this process. A batch's id tells servers apart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[tuple[str, int]] = set()
        self._retried: dict[tuple[str, int], None] = {}  # in the order in which they were

    @contextmanager
    def held(self, state: QueueState, item_ids: Iterable[int]) -> Iterator[list[int]]:
        """Those of the items that nobody else is retrying at this moment; they are the caller's meanwhile."""
        keys = {item_id: _key(state, item_id) for item_id in item_ids}
        with self._lock:
            mine = {item_id: key for item_id, key in keys.items() if key not in self._held}
            self._held.update(mine.values())
        try:
            yield list(mine)
        finally:
            with self._lock:
                self._held.difference_update(mine.values())

    def note(self, state: QueueState, item_ids: Iterable[int]) -> None:
        """These have been retried, or will be at once."""
        with self._lock:
            for item_id in item_ids:
                self._retried[_key(state, item_id)] = None
            while len(self._retried) > _KEPT:
                del self._retried[next(iter(self._retried))]

    def take_back(self, state: QueueState, item_ids: Iterable[int]) -> None:
        """These have not been retried after all."""
        with self._lock:
            for item_id in item_ids:
                self._retried.pop(_key(state, item_id), None)

    def noted(self, state: QueueState, item_id: int) -> bool:
        return _key(state, item_id) in self._retried


def _key(state: QueueState, item_id: int) -> tuple[str, int]:
    item = state.items.get(item_id)
    return ("" if item is None else item.batch_id, item_id)


claims = Claims()
