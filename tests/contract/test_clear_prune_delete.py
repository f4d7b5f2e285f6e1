"""Removing items from the queue: clear, prune, delete."""

from tests.support.blocking import BlockingClient
from tests.support.servers import Server
from tests.support.wire import Wire


def test_clear_cancels_and_removes_everything(client: BlockingClient, wire: Wire) -> None:
    """Also what runs or is finished goes; the answer counts what was there, even if that is nothing."""
    wire.run()
    running, _ = wire.running_and_pending(2)
    assert (4, 0) == (client.clear(), client.clear())
    assert ({}, 404) == (wire.counts(), wire.send("GET", f"i/{running}").status_code)


def test_clear_leaves_other_queues(wire: Wire, server: Server) -> None:
    """Only the queue of the path is cleared."""
    with wire.paused(), Wire(server, queue_id="another") as another:
        another.enqueue(runs=2)
        wire.enqueue()
        assert ({"deleted": 1}, {"deleted": 2}) == (wire.put("clear"), another.put("clear"))


def test_prune_removes_what_is_finished(client: BlockingClient, wire: Wire) -> None:
    """Completed, failed and canceled items go; running and pending ones stay."""
    wire.run()
    running, pending = wire.running_and_pending(2)
    wire.put(f"i/{pending[1]}/cancel")
    assert 2 == client.prune()
    assert [running, pending[0]] == sorted(wire.item_ids())


def test_delete_a_pending_item(wire: Wire) -> None:
    """The item is gone; the answer is null."""
    _, (pending,) = wire.running_and_pending(1)
    assert wire.delete(f"i/{pending}") is None
    assert 404 == wire.send("GET", f"i/{pending}").status_code


def test_delete_the_running_item(wire: Wire) -> None:
    """It is canceled on the way, so that the worker goes on to the next."""
    running, (next_one,) = wire.running_and_pending(1)
    wire.delete(f"i/{running}")
    wire.wait_for(next_one, "in_progress")
    assert 404 == wire.send("GET", f"i/{running}").status_code


def test_delete_an_unknown_item(wire: Wire, server: Server) -> None:
    """An unknown item is not found; before 6.12 that goes unsaid."""
    assert (404 if server.has("delete_checks_id") else 200) == wire.send("DELETE", "i/999999999").status_code


def test_delete_all_except_current(client: BlockingClient, wire: Wire) -> None:
    """Pending items are deleted; running and finished ones stay."""
    finished = wire.run()["item_id"]
    running, _ = wire.running_and_pending(3)
    assert 3 == client.delete_all_except_current()
    assert [finished, running] == sorted(wire.item_ids())
