"""How an exception reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from invoke_widgets.errors import JobException


@pytest.mark.parametrize(
    ("message", "suggestion", "shown"),
    [
        ("It failed.", "Try again.", "It failed. Try again."),
        ("division by zero", "Change the values.", "division by zero. Change the values."),
        ("What?", "Look.", "What? Look."),
        ("division by zero", "", "division by zero"),
    ],
)
def test_message_and_suggestion_are_two_sentences(message: str, suggestion: str, shown: str) -> None:
    """Also where a server's message has no full stop."""
    assert shown == str(JobException(message, suggestion=suggestion))


_SESSION = """
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance(colors="nocolor")
shell.run_cell("import invoke_widgets as iw\\ndef mine():\\n    iw.connect('http://[::1')")
shell.run_cell("mine()  # in the cell")
print("=" * 20)
shell.run_line_magic("xmode", "Verbose")
shell.run_cell("mine()")
"""


def test_ipython_shows_the_users_own_lines_alone(tmp_path: Path) -> None:
    """Neither frames of the package nor causes, but the error and how to see the rest; then all of it."""
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path)}
    run = [sys.executable, "-c", _SESSION]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True, timeout=60)
    short, long = done.stdout.split("=" * 20)
    assert "mine()  # in the cell" in short
    assert "iw.connect('http://[::1')" in short
    assert "InvalidRequest: url: " in short
    assert short.strip().endswith("(%xmode Verbose shows the lines of invoke_widgets, too.)")
    inner = {"console/console.py", "client/transport.py", "direct cause"}
    assert set() == {part for part in inner if part in short}
    assert inner == {part for part in inner if part in long}
