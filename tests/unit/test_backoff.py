"""`Backoff`: pauses that grow, vary, and begin again."""

from __future__ import annotations

from invoke_widgets._loop import Backoff


def test_pauses_grow_to_the_maximum_and_start_over() -> None:
    """Each pause is within 20 % of the doubled last one, never beyond the maximum by more; `reset` begins again."""
    backoff = Backoff(1.0, 4.0)
    for _ in range(2):
        for exact in (1, 2, 4, 4):
            assert 0.8 * exact <= backoff.next() <= 1.2 * exact
        backoff.reset()
