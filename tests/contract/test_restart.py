"""What a restart of the server leaves: pending items go on, the running one is canceled."""

import pytest

from tests.servers import Server, StartedServer
from tests.wire import Listener, Wire


@pytest.fixture
def own_server(server: Server) -> StartedServer:
    """The server, which these tests may end: for one that was given they are left out."""
    assert isinstance(server, StartedServer)
    return server


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
def test_pending_items_survive_and_go_on(wire: Wire, own_server: StartedServer, crash: bool) -> None:
    """The item that ran is canceled; those that waited run by themselves, with their ids."""
    running, _ = wire.running_and_pending(0)
    pending = wire.enqueue(runs=2)["item_ids"]
    finished_before = wire.counts()
    own_server.restart(crash=crash)
    assert {"in_progress": 1, "pending": 2} == finished_before
    assert ["completed"] * 2 == [wire.wait_for(item_id)["status"] for item_id in pending]
    assert "canceled" == wire.item(running)["status"]


def test_a_socket_notices_and_has_to_subscribe_again(wire: Wire, own_server: StartedServer) -> None:
    """The connection ends with the server; the rooms of the old one are gone."""
    with Listener(own_server) as listener:
        own_server.restart()
        assert listener.disconnected.wait(30)
    with Listener(own_server) as listener:
        wire.put("clear")
        assert "default" == listener.wait_for("queue_cleared").data["queue_id"]


def test_finished_items_are_still_there(wire: Wire, own_server: StartedServer) -> None:
    """What was done before can be read after."""
    before = wire.run()
    own_server.restart()
    after = wire.item(before["item_id"])
    assert (before["status"], before["session"]["results"]) == (after["status"], after["session"]["results"])
