"""The launcher of the demo server, and drills as the user starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import invoke_widgets as iw
from invoke_widgets.demo_server.process import EmbeddedServer
from invoke_widgets.errors import InvalidRequest, ServerUnreachable
from tests.support.wire import PATIENCE, until


@pytest.fixture
def demo() -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start() as demo:
        yield demo


@pytest.mark.slow
def test_nested_drills_end_separately(demo: EmbeddedServer) -> None:
    """The end of an inner drill leaves the outer one active, even if both have the same name."""

    def is_answered() -> bool:
        try:
            return httpx.get(f"{demo.url}/api/v1/app/version", verify=False).is_success
        except httpx.TransportError:
            return False

    answered = []
    with demo.drill("lost_replies"):
        answered.append(is_answered())
        with demo.drill("lost_replies", fraction=0.0):
            answered.append(is_answered())
        answered.append(is_answered())
    answered.append(is_answered())
    assert [False, True, False, True] == answered


def test_a_console_that_connects_by_address_has_the_drills(demo: EmbeddedServer) -> None:
    """They reach the server, which runs on when the console is closed."""
    division = {"nodes": {"quotient": {"type": "div", "a": 12, "b": 4}}, "edges": []}
    with iw.connect(demo.url) as console:
        assert console.demo is not None
        with console.demo.drill("out_of_memory"):
            console.submit(division).wait(30)
        retried = console.retry_failed()
        retried.wait(30)
        statuses = [console.job(item_id).status for item_id in (1, *retried.item_ids)]
        known = console.demo
    assert (["failed", "completed"], True, None) == (statuses, demo.is_running, known.pid)
    demo.stop()
    assert not known.is_running
    assert [f"EmbeddedServer({demo.url!r}, stopped)", f"EmbeddedServer({demo.url!r})"] == [repr(demo), repr(known)]
    with pytest.raises(ServerUnreachable, match="did not accept the drill"), known.drill("slow"):
        pass


def test_drill_of_a_stopped_server(demo: EmbeddedServer) -> None:
    """The error says that the server has stopped; a drill that was active ends without an error."""
    with demo.drill("slow", delay=0.01):
        os.kill(demo.pid, signal.SIGKILL)
        until(lambda: not demo.is_running, "the end of the server")
    with pytest.raises(ServerUnreachable, match="It has stopped") as caught, demo.drill("slow"):
        pass
    assert demo.url in caught.value.message


def test_unknown_drill_is_refused(demo: EmbeddedServer) -> None:
    """The error lists the known drills."""
    with pytest.raises(InvalidRequest, match="full_queue"), demo.drill("nope"):
        pass


def test_interrupted_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process, and no thread that waits for it."""
    started: list[subprocess.Popen[str]] = []

    class Interrupted(subprocess.Popen[str]):
        def __init__(self, *command: Any, **options: Any) -> None:
            super().__init__(*command, **options)
            started.append(self)
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        EmbeddedServer.start()
    (process,) = started
    process.communicate(timeout=PATIENCE)
    assert -signal.SIGKILL == process.returncode
    until(lambda: not [t for t in threading.enumerate() if isinstance(t, threading.Timer)], "the end of the timer")


@pytest.mark.slow
def test_port_in_use(demo: EmbeddedServer) -> None:
    """The error names the port and suggests another."""
    port = int(demo.url.rpartition(":")[2])
    with pytest.raises(ServerUnreachable) as caught:
        EmbeddedServer.start(port=port)
    assert f"Port {port} is not available" in caught.value.suggestion
