"""Closing a console, by a call or since nothing refers to it any more."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import invoke_widgets as iw
from tests.support.graphs import sleep
from tests.support.wire import Wire


def test_a_closed_console_raises(wire: Wire) -> None:
    """Every request says that the console was closed, and closing it again does nothing."""
    console = iw.connect(wire.server.url)
    before = threading.active_count()
    console.close()
    console.close()
    time.sleep(0)
    assert threading.active_count() < before
    for ask in (
        lambda: console.cancel(1),
        lambda: console.reconnect(),
        lambda: console.on_change(print),
        lambda: console.on_notice(print),
        lambda: console.alert(on="resource_error", to=print),
        lambda: asyncio.run(console.client.app_version()),
    ):
        with pytest.raises(iw.InvalidRequest, match="This console was closed"):
            ask()
    assert "closed" == console.status.connection.mode


async def _collected(source: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in source]


_WAITS: dict[str, Callable[[iw.Console, iw.Job], object]] = {
    "wait": lambda console, job: job.wait(),
    "await": lambda console, job: asyncio.run(job.wait_async()),
    "iter_events": lambda console, job: list(job.iter_events()),
    "aiter_events": lambda console, job: asyncio.run(_collected(job.aiter_events())),
    "watch": lambda console, job: list(console.watch([job])),
    "watch, async": lambda console, job: asyncio.run(_collected(aiter(console.watch([job])))),
    "as_completed": lambda console, job: list(iw.as_completed([job])),
    "as_completed, async": lambda console, job: asyncio.run(_collected(aiter(iw.as_completed([job])))),
    "a batch": lambda console, job: list(console.batch(job.item.batch_id).iter_events()) if job.item else None,
    "a request": lambda console, job: console.internals.call(asyncio.sleep(3600)),
}


def test_close_ends_every_wait(wire: Wire) -> None:
    """Whatever waits for the console raises, and so does a wait that begins afterwards."""
    console = iw.connect(wire.server.url)
    job = console.submit(sleep(60)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    outcomes: dict[str, str] = {}

    def wait(name: str) -> None:
        try:
            outcomes[name] = f"returned {_WAITS[name](console, job)}"
        except BaseException as error:  # noqa: BLE001 - the test compares whatever is raised
            outcomes[name] = f"{type(error).__name__}: {error}"

    threads = [threading.Thread(target=wait, args=(name,), daemon=True) for name in _WAITS]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    console.close()
    for thread in threads:
        thread.join(30)
    expected = "InvalidRequest: This console was closed."
    assert dict.fromkeys(_WAITS, expected) == {name: text[: len(expected)] for name, text in outcomes.items()}
    outcomes.clear()
    for name in _WAITS.keys() - {"a batch"}:
        wait(name)
    assert {expected} == {text[: len(expected)] for text in outcomes.values()}


_UNUSED = """
import gc, sys, threading, time, weakref
import invoke_widgets as iw
url = sys.argv[1]
graph = {"nodes": {"add": {"type": "add", "a": 1, "b": 2}}, "edges": []}

def ends(console, seconds):
    until = time.monotonic() + seconds
    while console() is not None and time.monotonic() < until:
        gc.collect()
        time.sleep(0.02)
    return console() is None

def threads():
    return sum("invoke-widgets" in thread.name for thread in threading.enumerate())

def kept_by(make):
    console = iw.connect(url)
    reference = weakref.ref(console)
    held = make(console)
    del console
    gc.collect()
    was_kept = reference() is not None
    if isinstance(held, tuple):
        held[-1]()
    del held
    return was_kept, ends(reference, 30)

for _ in range(3):
    console = iw.connect(url)
    console.submit(graph).wait(60)
del console
print(kept_by(lambda console: None))
print(kept_by(lambda console: console.submit(graph)))
print(kept_by(lambda console: console.client))
print(kept_by(lambda console: (console.on_change(print),)))
print(kept_by(lambda console: (console.on_notice(print),)))
print(kept_by(lambda console: (console.alert(on="resource_error", to=print).cancel,)))
print(kept_by(lambda console: (console.queue_table().close,)))
demo = iw.demo()
server = demo.demo
del demo
gc.collect()
until = time.monotonic() + 30
while (server.is_running or threads()) and time.monotonic() < until:
    time.sleep(0.05)
assert not server.is_running
print(threads())
"""


@pytest.mark.slow
def test_an_unused_console_is_closed(wire: Wire) -> None:
    """A handle, its client, a listener, an alert or an open view keeps it; without any of them it is closed."""
    command = [sys.executable, "-W", "error", "-c", _UNUSED, wire.server.url]
    done = subprocess.run(command, capture_output=True, text=True)
    expected = ["(False, True)", *["(True, True)"] * 6, "0"]
    assert (expected, "") == (done.stdout.splitlines(), done.stderr)


_FORKED = """
import os, sys, time, warnings
import invoke_widgets as iw
url, path = sys.argv[1:]
graph = {"nodes": {"add": {"type": "add", "a": 1, "b": 2}}, "edges": []}
with iw.connect(url, history=path) as console:
    console.submit(graph).wait(60)
    begin = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn of a fork beside threads
        child = os.fork()
    if child == 0:
        sys.exit()
    # Waiting for threads that it does not have would take 5 s.
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), time.monotonic() - begin < 5)
    print(console.submit(graph).wait(60)[0].status)
"""


def test_the_child_of_a_fork_exits_at_once(wire: Wire, tmp_path: Path) -> None:
    """It has none of the console's threads to wait for; the parent's console goes on."""
    command = [sys.executable, "-W", "error", "-c", _FORKED, wire.server.url, str(tmp_path / "history.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (["0 True", "completed"], "") == (done.stdout.splitlines(), done.stderr)
