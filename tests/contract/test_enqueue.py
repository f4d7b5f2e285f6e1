"""The response to enqueue_batch, and the order of the items of a batch."""

from uuid import uuid4

from tests.support.graphs import add_and_multiply, sleep
from tests.support.servers import Server
from tests.support.wire import Wire


def test_enqueue_returns_200_with_the_batch(wire: Wire) -> None:
    """A batch is accepted with 200, not the documented 201, and comes back with an id made by the server."""
    response = wire.send("POST", "enqueue_batch", {"batch": {"graph": add_and_multiply(), "runs": 1}})
    answer = response.json()
    assert (200, "default", 1, 1, 0, 1) == (
        response.status_code,
        answer["queue_id"],
        answer["enqueued"],
        answer["requested"],
        answer["priority"],
        len(answer["item_ids"]),
    )
    assert {"batch_id", "origin", "destination", "data", "graph", "workflow", "runs"} <= answer["batch"].keys()


def test_runs_default_to_one(wire: Wire) -> None:
    """The number of runs is one when it is not given."""
    answer = wire.post("enqueue_batch", {"batch": {"graph": add_and_multiply()}})
    assert (1, 1) == (answer["enqueued"], answer["batch"]["runs"])


def test_item_ids_are_descending(wire: Wire) -> None:
    """The newest item comes first in the answer."""
    with wire.paused():
        item_ids = wire.enqueue(runs=4)["item_ids"]
    assert sorted(item_ids, reverse=True) == item_ids


def test_item_ids_are_never_reused(wire: Wire) -> None:
    """An item gets a higher id than any before, also after the queue was cleared."""
    before = wire.enqueue()["item_ids"][0]
    wire.clean()
    assert before < wire.enqueue()["item_ids"][0]


def test_data_expands_runs_outermost_and_zips_within(wire: Wire) -> None:
    """Runs come outermost, then the product of the lists with the last one fastest; each list is zipped within."""
    data = [
        [
            {"node_path": "add", "field_name": "a", "items": [1, 2]},
            {"node_path": "add", "field_name": "b", "items": [10, 20]},
        ],
        [{"node_path": "mul", "field_name": "b", "items": [100, 1000]}],
    ]
    with wire.paused():
        item_ids = sorted(wire.enqueue(data=data, runs=2)["item_ids"])
        values = [[field["value"] for field in wire.item(item_id)["field_values"]] for item_id in item_ids]
    once = [[1, 10, 100], [1, 10, 1000], [2, 20, 100], [2, 20, 1000]]
    assert once * 2 == values


def test_items_run_in_ascending_order(wire: Wire) -> None:
    """Within a priority, the oldest item runs first."""
    item_ids = sorted(wire.enqueue(runs=3)["item_ids"])
    started = [wire.wait_for(item_id)["started_at"] for item_id in item_ids]
    assert sorted(started) == started


def test_batch_id_can_be_chosen(wire: Wire) -> None:
    """A batch may bring its own id, by which a lost answer can be looked up."""
    batch_id = str(uuid4())
    answer = wire.enqueue(batch_id=batch_id)
    assert (batch_id, 1) == (answer["batch"]["batch_id"], wire.get(f"b/{batch_id}/status")["total"])


def test_a_batch_id_used_again_adds_items(wire: Wire) -> None:
    """A second batch of the same id is not refused: its answer lists the items of both."""
    batch_id = str(uuid4())
    with wire.paused():
        first = wire.enqueue(batch_id=batch_id)["item_ids"]
        second = wire.enqueue(batch_id=batch_id)
    assert (1, 2, True) == (second["enqueued"], len(second["item_ids"]), set(first) < set(second["item_ids"]))


def test_batch_status_counts_by_status(wire: Wire, server: Server) -> None:
    """A batch's status has a counter for each status, and their sum."""
    running, pending = wire.running_and_pending(2, origin="tests", destination="there")
    wire.put(f"i/{pending[0]}/cancel")
    status = wire.get(f"b/{wire.item(running)['batch_id']}/status")
    expected = {"pending": 1, "in_progress": 1, "completed": 0, "failed": 0, "canceled": 1, "total": 3}
    if server.has("waiting"):
        expected["waiting"] = 0
    expected |= {"queue_id": "default", "origin": "tests", "destination": "there"}
    assert {**expected, "batch_id": status["batch_id"]} == status


def test_batches_without_items_are_accepted(wire: Wire) -> None:
    """Data without items enqueues nothing, with 200; an empty list of data is as none."""
    no_items = wire.enqueue(data=[[{"node_path": "add", "field_name": "a", "items": []}]])
    no_zip = wire.enqueue(data=[[]])
    no_data = wire.enqueue(data=[])
    assert [(0, 0, []), (0, 0, [])] == [(a["enqueued"], a["requested"], a["item_ids"]) for a in (no_items, no_zip)]
    assert (1, 1) == (no_data["enqueued"], no_data["requested"])


def test_an_empty_graph_completes(wire: Wire) -> None:
    """A graph without nodes is a job that is done."""
    assert "completed" == wire.run({"nodes": {}, "edges": []})["status"]


def test_queues_share_one_worker(wire: Wire, server: Server) -> None:
    """Any queue id is accepted; the items of another queue wait for the same worker."""
    with Wire(server, queue_id="another") as another:
        running, _ = wire.running_and_pending(0)
        other = another.enqueue(sleep(0))["item_ids"][0]
        assert ({"in_progress": 1}, {"pending": 1}) == (wire.counts(), another.counts())
        wire.put(f"i/{running}/cancel")
        another.wait_for(other, "completed")
        another.put("clear")


def test_an_edge_overwrites_values_of_its_field(wire: Wire) -> None:
    """Values to vary a field that an edge sets are taken, and lost when the job runs."""
    data = [[{"node_path": "mul", "field_name": "a", "items": [7, 8]}]]
    item_ids = wire.enqueue(data=data)["item_ids"]
    results = [wire.wait_for(item_id)["session"]["results"] for item_id in item_ids]
    assert [{3, 30}, {3, 30}] == [{output["value"] for output in result.values()} for result in results]
