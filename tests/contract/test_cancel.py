"""Canceling one item, batches, and all pending items."""

import pytest

from tests.support.blocking import BlockingClient
from tests.support.graphs import add_and_multiply, graph, sleep
from tests.support.servers import Server
from tests.support.wire import Wire


def test_cancel_a_pending_item(wire: Wire, server: Server) -> None:
    """A pending item is canceled without having started."""
    _, pending = wire.running_and_pending(2)
    answer = wire.put(f"i/{pending[0]}/cancel")
    assert (pending[0], "canceled", 1 if server.has("status_sequence") else None, None) == (
        answer["item_id"],
        answer["status"],
        answer.get("status_sequence"),
        answer["started_at"],
    )
    assert ["canceled", "pending"] == wire.statuses(pending)


def test_cancel_the_running_item(wire: Wire, server: Server) -> None:
    """The running item is canceled at once, and the next one starts."""
    running, (next_one,) = wire.running_and_pending(1)
    answer = wire.put(f"i/{running}/cancel")
    sequence = 2 if server.has("status_sequence") else None
    assert ("canceled", sequence) == (answer["status"], answer.get("status_sequence"))
    assert answer["completed_at"] is not None
    wire.wait_for(next_one, "in_progress")


def test_cancel_is_idempotent(wire: Wire) -> None:
    """A canceled item stays as it is, with 200."""
    running, _ = wire.running_and_pending(0)
    first = wire.put(f"i/{running}/cancel")
    second = wire.put(f"i/{running}/cancel")
    assert ("canceled", first["completed_at"]) == (second["status"], second["completed_at"])


@pytest.mark.parametrize(("b", "status"), [(1, "completed"), (0, "failed")])
def test_a_finished_item_cannot_be_canceled(wire: Wire, b: int, status: str) -> None:
    """The answer is 200 with the unchanged item: only its status shows that nothing was canceled."""
    item_id = wire.run(graph({"div": {"type": "div", "a": 1, "b": b}}))["item_id"]
    response = wire.send("PUT", f"i/{item_id}/cancel")
    assert (200, status, status) == (response.status_code, response.json()["status"], wire.item(item_id)["status"])


def test_uncancelable_node_runs_to_its_end(wire: Wire) -> None:
    """The item is canceled in the queue while the worker still executes it, and the next one waits."""
    (item_id,) = wire.start(sleep(1.5, steps=1, cancelable=False))
    wire.put(f"i/{item_id}/cancel")
    next_one = wire.enqueue(add_and_multiply())["item_ids"][0]
    status = wire.get("status")
    assert ("canceled", True, {"canceled": 1, "pending": 1}) == (
        wire.item(item_id)["status"],
        status["processor"]["is_processing"],
        wire.counts(),
    )
    wire.wait_for(next_one, "completed")
    assert "canceled" == wire.item(item_id)["status"]


def test_an_unknown_item_is_404(wire: Wire) -> None:
    """Neither an unknown nor a negative id is an item."""
    responses = [wire.send("PUT", f"i/{item_id}/cancel") for item_id in (999_999_999, -1)]
    assert [404, 404] == [response.status_code for response in responses]
    assert {"detail": "Queue item with id 999999999 not found in queue default"} == responses[0].json()


def test_non_numeric_id_is_422(wire: Wire) -> None:
    """An id is an integer."""
    response = wire.send("PUT", "i/abc/cancel")
    assert (422, ["path", "item_id"]) == (response.status_code, response.json()["detail"][0]["loc"])


def test_cancel_through_another_queue(wire: Wire, server: Server) -> None:
    """An item of another queue is not found; versions before 6.14 cancel it all the same."""
    running, _ = wire.running_and_pending(0)
    with Wire(server, queue_id="another") as another:
        response = another.send("PUT", f"i/{running}/cancel")
    expected = (404, "in_progress") if server.has("cancel_checks_queue") else (200, "canceled")
    assert expected == (response.status_code, wire.item(running)["status"])


def test_cancel_by_batch_ids(client: BlockingClient, wire: Wire, server: Server) -> None:
    """All of a batch is canceled; before 6.14 the running item is canceled too, but not counted."""
    running, pending = wire.running_and_pending(2)
    others = wire.enqueue(runs=2)["item_ids"]
    batch_id = wire.item(running)["batch_id"]
    canceled = client.cancel_by_batch_ids([batch_id, "no-such-batch"])
    assert (3 if server.has("bulk_counts_running") else 2) == canceled
    assert ["canceled"] * 3 == wire.statuses([running, *pending])
    assert ["completed"] * 2 == [wire.wait_for(item_id)["status"] for item_id in others]


def test_cancel_by_batch_ids_of_nothing(client: BlockingClient, wire: Wire) -> None:
    """Finished, unknown and no batches are nothing to cancel, with 200."""
    batch_id = wire.run()["batch_id"]
    assert [0, 0, 0] == [client.cancel_by_batch_ids(ids) for ids in ([batch_id], ["no-such-batch"], [])]


@pytest.mark.parametrize("body", [["some-batch"], {}], ids=["bare list", "empty object"])
def test_cancel_by_batch_ids_needs_its_object(wire: Wire, body: object) -> None:
    """The ids come in an object."""
    response = wire.send("PUT", "cancel_by_batch_ids", body)
    assert (422, ["body", "batch_ids"]) == (response.status_code, response.json()["detail"][0]["loc"])


def test_cancel_all_except_current(client: BlockingClient, wire: Wire) -> None:
    """Pending items of every batch are canceled; the running one continues."""
    running, pending = wire.running_and_pending(2)
    pending += wire.enqueue(sleep(60))["item_ids"]
    assert 3 == client.cancel_all_except_current()
    assert ["in_progress", "canceled", "canceled", "canceled"] == wire.statuses([running, *pending])
    assert 0 == client.cancel_all_except_current()


def test_cancel_all_except_current_while_paused(wire: Wire) -> None:
    """When nothing runs there is no exception."""
    with wire.paused():
        wire.enqueue(runs=3)
        assert {"canceled": 3} == wire.put("cancel_all_except_current")
