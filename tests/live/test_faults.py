"""Faults of the byte stream and of requests, in seeded histories: what was promised holds on every server."""

from __future__ import annotations

import gc

import pytest

from tests.faults import BAD, KINDS, interrupt, lose_replies, play, table
from tests.support.servers import Server
from tests.support.wire import Wire


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_promises_hold_in_seeded_histories_of_faults(server: Server, wire: Wire) -> None:
    """One history with each kind of fault: nothing is doubled, lost, untrue or different."""
    tallies = play(server, range(len(KINDS)))
    print(f"\n{table(tallies)}")
    assert {} == {kind: tally.notes for kind, tally in tallies.items() if tally.faults}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_lost_replies_double_and_lose_nothing(server: Server, wire: Wire) -> None:
    """`python -m tests.faults --lost-replies 1000` loses more."""
    figures = lose_replies(server, 60)
    assert {} == {name: figures[name] for name in BAD if figures[name]}
    assert figures["replies lost"] >= 60


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of a loop in whose constructor asyncio.run was interrupted
def test_interrupts_cost_nothing(server: Server, wire: Wire) -> None:
    """`python -m tests.faults --interrupts 10000` interrupts more calls."""
    figures = interrupt(server, 300)
    gc.collect()
    assert {} == {name: figures[name] for name in BAD if figures[name]}
    assert 300 <= figures["interrupts"]
