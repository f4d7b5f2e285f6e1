"""The simulation plays and replays; what it finds is the package's business."""

from __future__ import annotations

import re
import subprocess
import sys


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the simulation in a process of its own, whose clocks it replaces."""
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_a_seed_replays_exactly() -> None:
    """Two processes play the same history, to the last event."""
    outputs = [simulate("--seed", "1").stdout for _ in range(2)]
    assert outputs[0] == outputs[1]
    assert re.search(r"seed 1: no violation, digest \w+", outputs[0])
