"""A console without a server: a store that tests feed, and the thread that draws. For tables of any length."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from invoke_widgets._loop import LoopThread
from invoke_widgets.errors import NotFound
from invoke_widgets.events import ItemStatusChanged
from invoke_widgets.history.logs import CancellationLog, ErrorLog
from invoke_widgets.records import COMPLETED, IN_PROGRESS, PENDING, FieldValue, ProcessorStatus, Progress, QueueItem
from invoke_widgets.sync import state as merge
from invoke_widgets.sync.store import QueueStore
from invoke_widgets.widgets.part import views_of

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def item(item_id: int, status: str = PENDING, **fields: Any) -> QueueItem:
    """An item of a batch of a hundred, with the times that its status implies."""
    created = START + timedelta(seconds=item_id)
    known: dict[str, Any] = {
        "batch_id": f"{item_id // 100:08x}-1111-4222-8333-444455556666",
        "created_at": created,
        "field_values": (FieldValue("noise", "seed", item_id),),
    }
    if status != PENDING:
        known["started_at"] = created + timedelta(seconds=1)
    if status not in (PENDING, IN_PROGRESS):
        known["completed_at"] = created + timedelta(seconds=1 + item_id % 7)
    return QueueItem(item_id=item_id, status=status, **{**known, **fields})


class NothingInFull:
    """A client that reads no item in full."""

    async def get_queue_item(self, item_id: int) -> QueueItem:
        raise NotFound(f"Item {item_id} is not there.")


class FedConsole:
    """The parts of a console that views need, with a snapshot that tests set."""

    url = "http://127.0.0.1:9090"
    queue_id = "default"
    client: Any = NothingInFull()
    actions: Any = None
    history: Any = None

    def __init__(self, items: Iterable[QueueItem] = ()) -> None:
        self._loop = LoopThread("fed console")
        self.start = self._loop.start
        self._closing: list[Callable[[], None]] = []
        self.store = QueueStore(self._loop.schedule)
        self.errors = ErrorLog()
        self.cancellations = CancellationLog()
        self.feed(items)

    @property
    def internals(self) -> FedConsole:
        """The same names."""
        return self

    def feed(self, items: Iterable[QueueItem]) -> None:
        """Add items as if they had been read."""
        read = list(items)

        def step(state: merge.QueueState) -> merge.Step:
            return merge.with_items(state, read)

        self.on_loop(lambda: self.store.apply(step))

    def receive(self, changed: QueueItem) -> None:
        """Apply an event with this item."""
        event = ItemStatusChanged(queue_id="default", item=changed, queue_status=None)
        self.on_loop(lambda: self.store.apply(lambda state: merge.with_event(state, event)))

    def forget(self, item_ids: Iterable[int]) -> None:
        """Remove items as if they had been deleted on the server."""
        gone = set(item_ids)
        left = [i for i in self.store.state.items if i not in gone]
        self.on_loop(lambda: self.store.apply(lambda state: merge.with_ids(state, left)))

    def progress(self, item_id: int, percentage: float | None, message: str = "", image: str | None = None) -> None:
        """Set the progress of an item."""
        now = Progress(item_id=item_id, percentage=percentage, message=message, node_id="sleep", image=image)

        def step(state: merge.QueueState) -> merge.Step:
            return replace(state, progress={**state.progress, item_id: now}), frozenset({item_id})

        self.on_loop(lambda: self.store.apply(step))

    def set_paused(self, paused: bool) -> None:
        """Pause or resume the processor."""
        self.on_loop(lambda: self.store.set(processor=ProcessorStatus(is_started=not paused, is_processing=False)))

    def churn(self, item_ids: list[int], changes: int, seed: int = 1) -> None:
        """Advance the statuses of random items; finished ones become pending again."""
        chance = random.Random(seed)
        for _ in range(changes):
            old = self.store.state.items[chance.choice(item_ids)]
            now = {PENDING: IN_PROGRESS, IN_PROGRESS: COMPLETED}.get(old.status, PENDING)
            self.feed_over(item(old.item_id, now))

    def feed_over(self, new: QueueItem) -> None:
        """Replace an item regardless of its previous status, which no server would do."""

        def step(state: merge.QueueState) -> merge.Step:
            return state.with_items({new.item_id: new}), frozenset({new.item_id})

        self.on_loop(lambda: self.store.apply(step))

    def settle(self) -> None:
        """Wait until the threads have finished their work so far."""
        self.on_loop(lambda: None)
        done = threading.Event()
        views_of(self).thread.put(done.set)  # type: ignore[arg-type]
        assert done.wait(10)

    def on_close(self, function: Callable[[], None]) -> None:
        self._closing.append(function)

    def close(self) -> None:
        for function in self._closing:
            function()
        self._loop.stop()

    def __enter__(self) -> FedConsole:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_loop(self, function: Callable[[], object]) -> None:
        """Run a function on the console's thread, and wait for it."""

        async def work() -> None:
            function()

        self._loop.call(work())
