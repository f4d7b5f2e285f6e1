"""A poison item, whose value does not fit its field: accepted, never runnable, and blocking the queue."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.servers import Server
from tests.support.wire import Wire

_POISON = [[{"node_path": "add", "field_name": "a", "items": ["x"]}]]


@pytest.fixture
def poison(wire: Wire) -> Iterator[tuple[str, int]]:
    """The batch and item id of a poison item, which waits on a paused server."""
    with wire.paused():
        batch_id = str(uuid4())
        yield batch_id, wire.enqueue(data=_POISON, batch_id=batch_id)["item_ids"][0]
        wire.put("clear")


def test_poison_item_is_accepted(wire: Wire, poison: tuple[str, int]) -> None:
    """The value is not compared with its field's type."""
    assert {"pending": 1} == wire.counts()


_READS = (
    # Up to 6.11 a cancel succeeds all the same, so it comes last.
    ("GET", "i/{}", "fetching queue item"),
    ("GET", "list_all", "listing all queue items"),
    ("GET", "next", "getting next queue item"),
    ("PUT", "retry_items_by_id", "retrying queue items"),
    ("DELETE", "i/{}", "deleting queue item"),
    ("PUT", "i/{}/cancel", "canceling queue item"),
)


def test_reading_a_poison_item_is_500(wire: Wire, poison: tuple[str, int]) -> None:
    """Every request that loads the item fails with the cause in its text."""
    _, item_id = poison
    for method, path, doing in _READS:
        response = wire.send(method, path.format(item_id), [item_id] if "retry" in path else None)
        assert 500 == response.status_code
        assert response.json()["detail"].startswith(f"Unexpected error while {doing}: 1 validation error")
        assert "nodes.add.add.a" in response.json()["detail"]


def test_canceling_a_poison_item_by_its_id(wire: Wire, server: Server, poison: tuple[str, int]) -> None:
    """It fails, and changes nothing; before 6.12 the item is canceled all the same."""
    _, item_id = poison
    assert 500 == wire.send("PUT", f"i/{item_id}/cancel").status_code
    assert {"pending" if server.has("cancel_loads_first") else "canceled": 1} == wire.counts()


@pytest.mark.needs("item_ids")
def test_requests_without_sessions_work_beside_a_poison_item(
    wire: Wire, server: Server, poison: tuple[str, int]
) -> None:
    """Ids, counters and summaries include the item; lists of whole items omit it."""
    batch_id, item_id = poison
    good = wire.enqueue()["item_ids"][0]
    ids = {"item_ids": [item_id, good]}
    assert {item_id, good} == set(wire.item_ids())
    assert 1 == wire.get(f"b/{batch_id}/status")["pending"]
    assert [good] == [item["item_id"] for item in wire.post("items_by_ids", ids)]
    if server.has("item_summaries"):
        assert {item_id, good} == {item["item_id"] for item in wire.post("item_summaries_by_ids", ids)}


def test_poison_item_blocks_the_worker_until_its_batch_is_canceled(wire: Wire) -> None:
    """Nothing behind it runs; canceling by batch is the way out, and pruning mends the list."""
    batch_id = str(uuid4())
    with wire.paused():
        wire.enqueue(data=_POISON, batch_id=batch_id)
        good = wire.enqueue()["item_ids"][0]
    # A round of the worker with the poison item in front: a later pause comes after it.
    with wire.paused():
        assert {"pending": 2} == wire.counts()
    assert {"canceled": 1} == wire.put("cancel_by_batch_ids", {"batch_ids": [batch_id]})
    assert "completed" == wire.wait_for(good)["status"]
    assert 500 == wire.send("GET", "list_all").status_code
    assert {"deleted": 2} == wire.put("prune")
    assert [] == wire.get("list_all")


def test_clear_removes_a_poison_item(wire: Wire, poison: tuple[str, int]) -> None:
    """Clearing the queue does not read the items."""
    assert ({"deleted": 1}, []) == (wire.put("clear"), wire.get("list_all"))
