"""Importing the package starts nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import invoke_widgets

_PROGRAM = """
import asyncio, json, socket, sys, threading
def refuse(*args, **kwargs):
    raise AssertionError("network at import")
socket.socket.connect = refuse
policy, new_loop = type(asyncio.get_event_loop_policy()), asyncio.new_event_loop
import invoke_widgets as iw
from invoke_widgets import connect, demo, run, JobErrorType, JobException
assert iw.InvokeClient and iw.Console and iw.Job and iw.Batch
heavy = [name for name in ("pandas", "matplotlib", "ipywidgets", "nest_asyncio2", "nest_asyncio", "IPython")
         if name in sys.modules]
print(json.dumps({
    "threads": threading.active_count(),
    "heavy": heavy,
    "patched": hasattr(asyncio, "_nest_patched") or type(asyncio.get_event_loop_policy()) is not policy
               or asyncio.new_event_loop is not new_loop,
}))
"""


def test_import_starts_nothing() -> None:
    """Import takes no network, no thread, no patched loop, no pandas, no matplotlib, no widgets."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert {"threads": 1, "heavy": [], "patched": False} == json.loads(done.stdout)


def test_no_notebook_waits_for_jsonschema() -> None:
    """Where JupyterLab has installed all its formats, importing it takes two seconds: the dashboard does without."""
    program = "import sys, invoke_widgets.widgets.dashboard; print('jsonschema' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "False" == done.stdout.strip()


def test_public_names_exist() -> None:
    """Every name that the package says it has is there."""
    missing = [name for name in invoke_widgets.__all__ if not hasattr(invoke_widgets, name)]
    assert [] == missing
