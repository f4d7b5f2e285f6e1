"""Retrying finished items: new items of the same batch, linked to the first of their attempts."""

from tests.support.blocking import BlockingClient
from tests.support.graphs import add_and_multiply, divide
from tests.support.servers import Server
from tests.support.wire import Wire, until


def _new_item(wire: Wire, *known: int) -> int:
    """The id of the item that is not known yet."""
    return until(lambda: set(wire.item_ids()) - set(known), "the retry").pop()


def test_retry_a_failed_item(client: BlockingClient, wire: Wire) -> None:
    """The answer has the old id; the new item is of the same batch, has the same values and names the old one."""
    data = [[{"node_path": "div", "field_name": "a", "items": [5]}]]
    old = wire.run(divide(1, 0), data=data)
    assert (old["item_id"],) == client.retry_items_by_id([old["item_id"]])
    new = wire.wait_for(_new_item(wire, old["item_id"]))
    same = ("batch_id", "field_values", "status", "error_type")
    assert [old[name] for name in same] == [new[name] for name in same]
    assert old["item_id"] == new["retried_from_item_id"]


def test_retry_of_a_retry_names_the_first(wire: Wire) -> None:
    """The link is to the first item, not to the one that was retried."""
    first = wire.run(divide(1, 0))["item_id"]
    wire.put("retry_items_by_id", [first])
    second = _new_item(wire, first)
    wire.wait_for(second)
    wire.put("retry_items_by_id", [second])
    third = _new_item(wire, first, second)
    assert first == wire.wait_for(third)["retried_from_item_id"]


def test_retry_a_canceled_item(wire: Wire) -> None:
    """A canceled item can be retried."""
    with wire.paused():
        item_id = wire.enqueue(add_and_multiply())["item_ids"][0]
        wire.put(f"i/{item_id}/cancel")
        wire.put("retry_items_by_id", [item_id])
        new = _new_item(wire, item_id)
    assert "completed" == wire.wait_for(new)["status"]


def test_only_failed_and_canceled_items_are_retried(client: BlockingClient, wire: Wire) -> None:
    """Completed, running and pending ones are left out of the answer, with 200."""
    completed = wire.run()["item_id"]
    running, pending = wire.running_and_pending(1)
    assert () == client.retry_items_by_id([completed, running, *pending])
    assert [completed, running, *pending] == sorted(wire.item_ids())


def test_retry_of_an_unknown_item(wire: Wire, server: Server) -> None:
    """It is left out; versions before 6.14 fail, and retry none of the others either."""
    failed = wire.run(divide(1, 0))["item_id"]
    response = wire.send("PUT", "retry_items_by_id", [failed, 999_999_999])
    if server.has("retry_skips_missing"):
        assert (200, [failed]) == (response.status_code, response.json()["retried_item_ids"])
        return
    assert (500, "Unexpected error while retrying queue items: No queue item with id 999999999") == (
        response.status_code,
        response.json()["detail"],
    )
    assert [failed] == wire.item_ids()


def test_retry_takes_a_bare_list(wire: Wire) -> None:
    """The ids are the body itself, unlike elsewhere."""
    response = wire.send("PUT", "retry_items_by_id", {"item_ids": [1]})
    assert (422, ["body"]) == (response.status_code, response.json()["detail"][0]["loc"])
