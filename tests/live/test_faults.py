"""Faults of the byte stream and of requests, in seeded histories: what was promised holds on every server."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.faults import BAD, KINDS, lose_replies, play, table
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
    figures = lose_replies(server, 40)
    assert {} == {name: figures[name] for name in BAD if figures[name]}
    assert figures["replies lost"] >= 40


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_interrupts_cost_nothing(server: Server, wire: Wire) -> None:
    """`python -m tests.faults --interrupts 10000` interrupts more calls.

    In a process of its own: an interrupt within `asyncio.run` leaves a loop unclosed, of which other tests would hear.
    """
    command = [sys.executable, "-m", "tests.faults", "--interrupts", "150", "--server", server.url]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert re.search(r"\b1[5-9]\d interrupts", done.stdout), done.stdout
