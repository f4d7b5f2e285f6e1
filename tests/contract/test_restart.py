"""What a restart of the server leaves: finished items stay, pending ones go on, the running one is canceled."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.servers import Server, StartedServer
from tests.support.wire import Listener, Wire


@dataclass
class _Restarted:
    """Observations before and after a restart."""

    finished_before: dict[str, Any]
    finished_after: dict[str, Any]
    running: dict[str, Any]
    pending: list[dict[str, Any]]
    socket_noticed: bool
    events_after: list[str]


@pytest.fixture(scope="module")
def own_server(server: Server) -> StartedServer:
    """A server that these tests may stop; they are deselected for a given one."""
    assert isinstance(server, StartedServer)
    return server


@pytest.fixture(scope="module", params=["stopped", "killed"])
def restarted(own_server: StartedServer, request: pytest.FixtureRequest) -> Iterator[_Restarted]:
    """A server restarted with one finished, one running and two pending items."""
    with Wire(own_server) as wire:
        wire.clean()
        finished = wire.run()
        running, _ = wire.running_and_pending(0)
        pending = sorted(wire.enqueue(runs=2)["item_ids"])
        with Listener(own_server) as listener:
            own_server.restart(crash=request.param == "killed")
            noticed = listener.disconnected.wait(30)
        done = [wire.wait_for(item_id) for item_id in pending]
        with Listener(own_server) as listener:
            listener.drain(wire)
            wire.run()
            listener.drain(wire)
            events = listener.names()
        yield _Restarted(finished, wire.item(finished["item_id"]), wire.item(running), done, noticed, events)
        wire.clean()


def test_pending_items_run_after_restart(restarted: _Restarted) -> None:
    """They keep their ids."""
    assert ["completed"] * 2 == [item["status"] for item in restarted.pending]


def test_running_item_is_canceled_by_restart(restarted: _Restarted) -> None:
    """It is not run again."""
    assert "canceled" == restarted.running["status"]


def test_finished_items_survive_restart(restarted: _Restarted) -> None:
    """Their records and results are unchanged."""
    before, after = restarted.finished_before, restarted.finished_after
    names = ("item_id", "batch_id", "status", "created_at", "started_at", "completed_at")
    assert [before[name] for name in names] == [after[name] for name in names]
    assert before["session"]["results"] == after["session"]["results"]


def test_socket_disconnects_at_restart(restarted: _Restarted) -> None:
    """The connection closes when the server stops."""
    assert restarted.socket_noticed


def test_new_socket_receives_events_after_restart(restarted: _Restarted) -> None:
    """A socket that connects and subscribes again receives later events."""
    assert ["batch_enqueued", "queue_item_status_changed in_progress"] == restarted.events_after[:2]
