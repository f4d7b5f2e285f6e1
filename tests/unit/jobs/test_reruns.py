"""Which items this process has retried: remembered within bounds, and forgotten where it was not so."""

from __future__ import annotations

import pytest

from invoke_widgets.jobs import reruns
from invoke_widgets.records import QueueItem
from invoke_widgets.sync import QueueState

STATE = QueueState(items={n: QueueItem(item_id=n, status="failed", batch_id="b") for n in range(1, 6)})


def retried(in_flight: reruns.InFlight) -> list[int]:
    return [item_id for item_id in STATE.items if in_flight.was_retried(STATE, item_id)]


def test_only_the_latest_retried_items_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest are forgotten."""
    monkeypatch.setattr(reruns, "_RETRIED_KEPT", 3)
    in_flight = reruns.InFlight()
    in_flight.add(STATE, [1, 2])
    in_flight.add(STATE, [3, 4, 5])
    assert [3, 4, 5] == retried(in_flight)


def test_item_the_server_did_not_retry_can_be_retried_again() -> None:
    """After a retry that the server did not accept, the item can be retried by the next caller."""
    in_flight = reruns.InFlight()
    in_flight.add(STATE, [1, 2])
    in_flight.discard(STATE, [2, 3])
    assert [1] == retried(in_flight)


def test_an_item_is_claimed_by_one_caller_at_a_time() -> None:
    """While one caller has claimed it no other gets it; afterwards the next caller does."""
    in_flight = reruns.InFlight()
    with in_flight.claimed(STATE, [1, 2]) as first, in_flight.claimed(STATE, [2, 3]) as second:
        assert ([1, 2], [3]) == (first, second)
    with in_flight.claimed(STATE, [2]) as again:
        assert [2] == again
