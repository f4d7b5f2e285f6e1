"""Importing the package starts nothing, and its public names exist."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import invoke_widgets
import invoke_widgets as iw
from invoke_widgets import errors, events, records
from invoke_widgets.jobs import batch

_PROGRAM = """
import asyncio, json, socket, sys, threading
def refuse(*args, **kwargs):
    raise AssertionError("network at import")
socket.socket.connect = refuse
policy, new_loop = type(asyncio.get_event_loop_policy()), asyncio.new_event_loop
import invoke_widgets as iw, invoke_widgets.history.frames, invoke_widgets.history.plots
from invoke_widgets import connect, demo, run, JobErrorType, JobException
assert iw.InvokeClient and iw.Console and iw.Job and iw.Batch
heavy = [name for name in ("pandas", "numpy", "matplotlib", "ipywidgets", "nest_asyncio2", "nest_asyncio", "IPython",
         "PIL") if name in sys.modules]
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


def test_the_dashboard_does_not_load_jsonschema() -> None:
    """Where JupyterLab has installed all its formats, importing it takes two seconds: the dashboard does without."""
    program = "import sys, invoke_widgets.widgets.dashboard; print('jsonschema' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "False" == done.stdout.strip()


def test_public_names_exist() -> None:
    """Every name in `__all__` exists."""
    missing = [name for name in invoke_widgets.__all__ if not hasattr(invoke_widgets, name)]
    assert [] == missing


def _undocumented(cls: type) -> list[str]:
    """What a class, and those of ours that it is made of, leave for `help` to say."""
    missing = [] if vars(cls).get("__doc__") else [cls.__name__]
    for part in cls.__mro__:
        if part.__module__.startswith("invoke_widgets"):
            members = {name: value for name, value in vars(part).items() if not name.startswith("_")}
            asked = (v for v in members.values() if inspect.isfunction(v) or isinstance(v, property))
            missing += [f"{part.__name__}.{getattr(v, '__name__', v)}" for v in asked if not v.__doc__]
    return missing


def test_public_classes_and_members_have_docstrings() -> None:
    """All that the user meets has a docstring: console, handles, client, and all records, events and exceptions."""
    met = [iw.Console, iw.Batch, iw.Job, batch.Retry, iw.InvokeClient, *(getattr(errors, n) for n in errors.__all__)]
    for module in (records, events):
        met += [v for v in vars(module).values() if isinstance(v, type) and v.__module__.startswith("invoke_widgets")]
    assert [] == [name for cls in met for name in _undocumented(cls)]
