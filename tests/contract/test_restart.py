"""What a restart of the server leaves: finished items stay, pending ones go on, the running one is canceled."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.servers import Server, StartedServer
from tests.support.wire import Listener, Wire


@dataclass
class _Restarted:
    """What was seen before and after a restart."""

    finished_before: dict[str, Any]
    finished_after: dict[str, Any]
    running: dict[str, Any]
    pending: list[dict[str, Any]]
    socket_noticed: bool
    heard_after: list[str]


@pytest.fixture(scope="module")
def own_server(server: Server) -> StartedServer:
    """The server, which these tests may end: for one that was given they are left out."""
    assert isinstance(server, StartedServer)
    return server


@pytest.fixture(scope="module", params=["stopped", "killed"])
def restarted(own_server: StartedServer, request: pytest.FixtureRequest) -> Iterator[_Restarted]:
    """A server that went down with one item finished, one running and two pending, and came up again."""
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
            listener.hear_out(wire)
            wire.run()
            listener.hear_out(wire)
            heard = listener.names()
        yield _Restarted(finished, wire.item(finished["item_id"]), wire.item(running), done, noticed, heard)
        wire.clean()


def test_pending_items_go_on_by_themselves(restarted: _Restarted) -> None:
    """Those that waited run, with their ids."""
    assert ["completed"] * 2 == [item["status"] for item in restarted.pending]


def test_the_running_item_is_canceled(restarted: _Restarted) -> None:
    """It is not run again."""
    assert "canceled" == restarted.running["status"]


def test_finished_items_are_still_there(restarted: _Restarted) -> None:
    """What was done before can be read after, with its results."""
    before, after = restarted.finished_before, restarted.finished_after
    names = ("item_id", "batch_id", "status", "created_at", "started_at", "completed_at")
    assert [before[name] for name in names] == [after[name] for name in names]
    assert before["session"]["results"] == after["session"]["results"]


def test_a_socket_notices(restarted: _Restarted) -> None:
    """The connection ends with the server."""
    assert restarted.socket_noticed


def test_a_new_socket_hears(restarted: _Restarted) -> None:
    """Who connects and subscribes again hears what happens from then on."""
    assert ["batch_enqueued", "queue_item_status_changed in_progress"] == restarted.heard_after[:2]
