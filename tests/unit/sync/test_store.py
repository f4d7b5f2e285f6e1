"""Who hears what of the picture, and when."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from invoke_widgets.records import ProcessorStatus, QueueItem
from invoke_widgets.sync.state import NOTHING, QueueState, Step, with_news
from invoke_widgets.sync.store import Change, QueueStore


class Later:
    """A clock that is wound by hand."""

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


def test_first_change_at_once_the_rest_together() -> None:
    """A leading edge, then one call for all that came within the interval, then quiet."""
    later, heard = Later(), list[Change]()
    store = QueueStore(later)
    store.subscribe(heard.append, interval=0.1)
    for item_id in (1, 2, 3):
        put(store, item_id)
    assert [{1}] == [set(change.item_ids) for change in heard]
    later.strike()
    assert [{1}, {2, 3}] == [set(change.item_ids) for change in heard]
    assert {1, 2, 3} == set(heard[-1].state.items)
    later.strike()
    assert 2 == len(heard)
    put(store, 4)
    assert {4} == heard[-1].item_ids


def test_a_burst_at_once_then_one_an_interval() -> None:
    """As many calls as are allowed at once, then one with all that came each interval, and as many again when quiet."""
    later, heard = Later(), list[Change]()
    store = QueueStore(later)
    store.subscribe(heard.append, interval=0.1, burst=3)
    for item_id in range(1, 6):
        put(store, item_id)
    assert [{1}, {2}, {3}] == [set(change.item_ids) for change in heard]
    later.strike()
    assert {4, 5} == heard[-1].item_ids
    put(store, 6)
    put(store, 7)
    assert 4 == len(heard)
    later.strike()
    assert {6, 7} == heard[-1].item_ids
    for _ in range(3):
        later.strike()
    assert [] == later.waiting
    for item_id in (8, 9, 10):
        put(store, item_id)
    assert 8 == len(heard)


def test_without_an_interval_every_change_comes() -> None:
    """Handles hear of each change by itself."""
    heard: list[Change] = []
    store = QueueStore(Later())
    store.subscribe(heard.append)
    put(store, 1)
    put(store, 1, "in_progress")
    assert ["pending", "in_progress"] == [change.state.items[1].status for change in heard]


def test_nobody_is_told_of_nothing() -> None:
    """A step that changes nothing, or sets what is there already, is silent."""
    heard: list[Change] = []
    store = QueueStore(Later())
    store.set(processor=ProcessorStatus(is_started=True, is_processing=False))
    store.subscribe(heard.append)
    store.set(processor=ProcessorStatus(is_started=True, is_processing=False))
    store.apply(lambda state: (state, NOTHING))
    assert [] == heard
    store.set(processor=ProcessorStatus(is_started=False, is_processing=False))
    assert 1 == len(heard)


def test_unsubscribed_hears_nothing_more() -> None:
    """Also what was waiting for its interval is not told any more."""
    later, heard = Later(), list[Change]()
    store = QueueStore(later)
    unsubscribe = store.subscribe(heard.append, interval=0.1)
    put(store, 1)
    put(store, 2)
    unsubscribe()
    unsubscribe()
    later.strike()
    put(store, 3)
    assert 1 == len(heard)


def test_a_failing_listener_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """What a listener raises is logged, and the next one hears."""
    heard: list[Change] = []
    store = QueueStore(Later())

    def fail(change: Change) -> None:
        raise RuntimeError("mine")

    store.subscribe(fail)
    store.subscribe(heard.append)
    with caplog.at_level(logging.ERROR):
        put(store, 1)
    assert 1 == len(heard)
    assert "mine" in caplog.text


def test_the_picture_is_replaced_never_changed() -> None:
    """A picture that someone holds stays as it was."""
    store = QueueStore(Later())
    put(store, 1)
    held = store.state
    put(store, 1, "completed")
    put(store, 2)
    assert ["pending"] == [item.status for item in held.items.values()]


def test_a_listener_may_subscribe_and_unsubscribe_while_told() -> None:
    """Listeners that come and go during a notice do no harm."""
    store = QueueStore(Later())
    heard: list[int] = []
    ends: list[Callable[[], None]] = []

    def once(change: Change) -> None:
        heard.append(len(change.item_ids))
        ends.pop()()
        store.subscribe(lambda later: heard.append(100))

    ends.append(store.subscribe(once))
    put(store, 1)
    put(store, 2)
    assert [1, 100] == heard


def test_steps_see_the_latest_picture() -> None:
    """Each step gets what the last one made."""
    store = QueueStore(Later())

    def newest(state: QueueState) -> Step:
        return replace(state, newest_id=state.newest_id + 1), NOTHING

    for _ in range(3):
        store.apply(newest)
    assert 3 == store.state.newest_id


def test_a_sign_of_life_is_no_change() -> None:
    """When the server was last heard stands beside the state, so that no subscriber is called for it."""
    changes: list[Change] = []
    store = QueueStore(Later())
    store.subscribe(changes.append)
    store.heard_at = 1.0
    assert [] == changes
