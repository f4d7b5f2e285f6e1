"""Faults of the byte stream and of requests, in seeded histories: what was promised holds on every server."""

from __future__ import annotations

import pytest

from tests.faults import KINDS, play, table
from tests.support.servers import Server
from tests.support.wire import Wire


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_promises_hold_in_seeded_histories_of_faults(server: Server, wire: Wire) -> None:
    """One history with each kind of fault: nothing is doubled, lost, untrue or different."""
    tallies = play(server, range(len(KINDS)))
    print(f"\n{table(tallies)}")
    assert {} == {kind: tally.notes for kind, tally in tallies.items() if tally.faults}
