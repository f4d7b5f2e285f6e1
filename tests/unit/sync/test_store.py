"""Which changes of the snapshot subscribers receive, and when."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from invoke_widgets.records import ProcessorStatus, QueueItem
from invoke_widgets.sync.state import NOTHING, QueueState, Step, with_news
from invoke_widgets.sync.store import Change, QueueStore


class Later:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, seconds: float, function: Callable[[], None]) -> None:
        self.waiting.append(function)

    def strike(self) -> None:
        waiting, self.waiting = self.waiting, []
        for function in waiting:
            function()


def put(store: QueueStore, item_id: int, status: str = "pending") -> None:
    store.apply(lambda state: with_news(state, QueueItem(item_id=item_id, status=status, batch_id="b")))


def test_first_change_is_reported_at_once_and_the_rest_together() -> None:
    """The first change is reported at once, those within the interval in one call, then nothing."""
    later, received = Later(), list[Change]()
    store = QueueStore(later)
    store.subscribe(received.append, interval=0.1)
    for item_id in (1, 2, 3):
        put(store, item_id)
    assert [{1}] == [set(change.item_ids) for change in received]
    later.strike()
    assert [{1}, {2, 3}] == [set(change.item_ids) for change in received]
    assert {1, 2, 3} == set(received[-1].state.items)
    later.strike()
    assert 2 == len(received)
    put(store, 4)
    assert {4} == received[-1].item_ids


def test_without_an_interval_every_change_is_reported() -> None:
    """Handles receive each change by itself."""
    received: list[Change] = []
    store = QueueStore(Later())
    store.subscribe(received.append)
    put(store, 1)
    put(store, 1, "in_progress")
    assert ["pending", "in_progress"] == [change.state.items[1].status for change in received]


def test_step_without_a_change_notifies_nobody() -> None:
    """A step that changes nothing, or sets an equal value, calls no subscriber."""
    received: list[Change] = []
    store = QueueStore(Later())
    store.set(processor=ProcessorStatus(is_started=True, is_processing=False))
    store.subscribe(received.append)
    store.set(processor=ProcessorStatus(is_started=True, is_processing=False))
    store.apply(lambda state: (state, NOTHING))
    assert [] == received
    store.set(processor=ProcessorStatus(is_started=False, is_processing=False))
    assert 1 == len(received)


def test_unsubscribed_function_is_not_called_any_more() -> None:
    """Changes that wait for their interval are not reported after unsubscribing."""
    later, received = Later(), list[Change]()
    store = QueueStore(later)
    unsubscribe = store.subscribe(received.append, interval=0.1)
    put(store, 1)
    put(store, 2)
    unsubscribe()
    unsubscribe()
    later.strike()
    put(store, 3)
    assert 1 == len(received)


def test_failing_listener_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """An exception of a listener is logged, and the next listener is called."""
    received: list[Change] = []
    store = QueueStore(Later())

    def fail(change: Change) -> None:
        raise RuntimeError("mine")

    store.subscribe(fail)
    store.subscribe(received.append)
    with caplog.at_level(logging.ERROR):
        put(store, 1)
    assert 1 == len(received)
    assert "mine" in caplog.text


def test_snapshot_is_replaced_never_changed() -> None:
    """A snapshot taken earlier stays as it was."""
    store = QueueStore(Later())
    put(store, 1)
    earlier = store.state
    put(store, 1, "completed")
    put(store, 2)
    assert ["pending"] == [item.status for item in earlier.items.values()]


def test_listener_may_subscribe_and_unsubscribe_during_a_call() -> None:
    """Listeners may come and go while changes are being reported."""
    store = QueueStore(Later())
    received: list[int] = []
    ends: list[Callable[[], None]] = []

    def once(change: Change) -> None:
        received.append(len(change.item_ids))
        ends.pop()()
        store.subscribe(lambda later: received.append(100))

    ends.append(store.subscribe(once))
    put(store, 1)
    put(store, 2)
    assert [1, 100] == received


def test_steps_see_the_latest_snapshot() -> None:
    """Each step gets the result of the previous one."""
    store = QueueStore(Later())

    def newest(state: QueueState) -> Step:
        return replace(state, newest_id=state.newest_id + 1), NOTHING

    for _ in range(3):
        store.apply(newest)
    assert 3 == store.state.newest_id


def test_setting_heard_at_notifies_nobody() -> None:
    """The time of the server's last sign of life is no part of the state, so subscribers are not called for it."""
    changes: list[Change] = []
    store = QueueStore(Later())
    store.subscribe(changes.append)
    store.received_at = 1.0
    assert [] == changes
