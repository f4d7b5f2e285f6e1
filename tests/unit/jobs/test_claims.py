"""Which items have been retried from this process: remembered within bounds, and taken back where it was not so."""

from __future__ import annotations

import pytest

from invoke_widgets.jobs import claims as module
from invoke_widgets.jobs.claims import Claims
from invoke_widgets.records import QueueItem
from invoke_widgets.sync.state import QueueState

STATE = QueueState(items={n: QueueItem(item_id=n, status="failed", batch_id="b") for n in range(1, 6)})


def test_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest are forgotten."""
    monkeypatch.setattr(module, "_KEPT", 3)
    claims = Claims()
    claims.note(STATE, [1, 2])
    claims.note(STATE, [3, 4, 5])
    assert [3, 4, 5] == [item_id for item_id in STATE.items if claims.noted(STATE, item_id)]


def test_what_was_not_retried_after_all_is_not_noted() -> None:
    """A retry that the server did not take may be made by whoever asks next."""
    claims = Claims()
    claims.note(STATE, [1, 2])
    claims.take_back(STATE, [2, 3])
    assert [1] == [item_id for item_id in STATE.items if claims.noted(STATE, item_id)]
