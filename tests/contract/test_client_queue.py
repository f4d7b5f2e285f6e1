"""The client's methods for the queue, against a server: responses become records."""

from datetime import UTC, datetime

import pytest

from invoke_widgets.errors import InvalidRequest, NotFound, ServerFailure, UnsupportedByServer
from invoke_widgets.records import EnqueueResult, FieldValue, QueueItem
from tests.support.blocking import BlockingClient
from tests.support.graphs import add_and_multiply, divide_by_zero, graph
from tests.support.servers import Server
from tests.support.wire import Wire


def test_app_version(client: BlockingClient, server: Server) -> None:
    """The version as the server writes it, and as numbers."""
    assert (server.version, tuple(map(int, server.version.split(".")))) == (client.app_version(), client.version())


def test_has_follows_the_version(client: BlockingClient, server: Server) -> None:
    """The client knows by the version what the server can do."""
    for feature, ours in (("item_ids", "item_ids"), ("multiuser", "auth"), ("item_summaries", "item_summaries_by_ids")):
        assert server.has(feature) == client.has(ours)


def test_get_setup_status(client: BlockingClient) -> None:
    """A single-user server wants no login."""
    status = client.get_setup_status()
    assert (False, False) == (status.multiuser_enabled, status.setup_required)


def test_openapi(client: BlockingClient) -> None:
    """The schema is read once, and has the node types."""
    assert client.openapi() is client.openapi()
    assert "/api/v1/app/version" in client.openapi()["paths"]


def test_max_queue_size(client: BlockingClient, wire: Wire) -> None:
    """The queue's own limit, as its server is configured."""
    assert wire.server.max_queue_size == client.max_queue_size()


def test_enqueue_batch(client: BlockingClient, wire: Wire) -> None:
    """The answer has the batch's id and its items in ascending order."""
    with wire.paused():
        result = client.enqueue_batch({"graph": add_and_multiply(), "runs": 3, "batch_id": "mine"})
    first = result.item_ids[0]
    assert result == EnqueueResult(
        queue_id="default",
        batch_id="mine",
        enqueued=3,
        requested=3,
        priority=0,
        item_ids=(first, first + 1, first + 2),
    )


def test_enqueue_batch_prepended(client: BlockingClient, wire: Wire) -> None:
    """What is prepended is next."""
    with wire.paused():
        client.enqueue_batch({"graph": add_and_multiply()})
        result = client.enqueue_batch({"graph": add_and_multiply()}, prepend=True)
        assert (1, result.item_ids[0]) == (result.priority, client.get_next_queue_item().item_id)


def test_enqueue_batch_into_a_full_queue(client: BlockingClient, wire: Wire, server: Server) -> None:
    """Fewer are taken than were asked for, without an exception."""
    with wire.paused():
        client.enqueue_batch({"graph": add_and_multiply(), "runs": server.max_queue_size})
        result = client.enqueue_batch({"graph": add_and_multiply(), "runs": 2})
        wire.put("clear")
    assert (0, 2, ()) == (result.enqueued, result.requested, result.item_ids)


def test_a_refused_batch_names_the_field(client: BlockingClient) -> None:
    """The exception has the place and the text of each error."""
    with pytest.raises(InvalidRequest) as caught:
        client.enqueue_batch({"graph": graph({"n": {"type": "add", "a": "seven"}})})
    ((path, message),) = caught.value.details["errors"]
    assert (422, "nodes.n.add.a", "should be an integer, got 'seven'") == (caught.value.http_status, path, message)


def test_get_queue_item(client: BlockingClient, wire: Wire, server: Server) -> None:
    """A finished item with aware times, its values and its session."""
    before = datetime.now(UTC)
    data = [[{"node_path": "add", "field_name": "a", "items": [5]}]]
    item_id = wire.run(data=data, origin="here", destination="there")["item_id"]
    item = client.get_queue_item(item_id)
    assert (item_id, "completed", True, "here", "there", 2 if server.has("status_sequence") else None, "default") == (
        item.item_id,
        item.status,
        item.is_terminal,
        item.origin,
        item.destination,
        item.status_sequence,
        item.queue_id,
    )
    assert (FieldValue("add", "a", 5),) == item.field_values
    assert [UTC] * 4 == [t.tzinfo for t in (item.created_at, item.updated_at, item.started_at, item.completed_at)]
    assert abs((item.created_at - before).total_seconds()) < 3600
    assert ("cpu" if server.has("device") else None) == item.device
    assert {"add": 5} == {"add": item.session["graph"]["nodes"]["add"]["a"]}


def test_get_queue_item_that_failed(client: BlockingClient, wire: Wire) -> None:
    """The error's class, message and traceback."""
    item = client.get_queue_item(wire.run(divide_by_zero())["item_id"])
    assert ("failed", "ZeroDivisionError", "division by zero") == (
        item.status,
        item.server_error_type,
        item.error_message,
    )
    assert "ZeroDivisionError" in item.error_traceback


def test_an_unknown_item_is_not_found(client: BlockingClient) -> None:
    """Looking, canceling and deleting raise the same."""
    statuses = []
    for method in (client.get_queue_item, client.cancel_queue_item, client.delete_queue_item):
        with pytest.raises(NotFound, match="999999999") as caught:
            method(999_999_999)
        statuses.append(caught.value.http_status)
    assert [404] * 3 == statuses


def test_an_item_of_another_queue_is_not_found(wire: Wire, server: Server) -> None:
    """The server says 500, and 404 in its text: the client reads the text. Before 6.7 it answers with the item."""
    item_id = wire.run()["item_id"]
    with BlockingClient(server.url, queue_id="another") as another, pytest.raises(NotFound, match=str(item_id)):
        another.get_queue_item(item_id)


def test_unreadable_item_is_a_server_failure(client: BlockingClient, wire: Wire) -> None:
    """What the server cannot load raises with the place of the value that does not fit."""
    with wire.paused():
        item_id = wire.enqueue(data=[[{"node_path": "add", "field_name": "a", "items": ["x"]}]])["item_ids"][0]
        with pytest.raises(ServerFailure, match=r"nodes\.add\.add\.a: should be an integer") as caught:
            client.get_queue_item(item_id)
        wire.put("clear")
    assert 500 == caught.value.http_status


def test_current_and_next_item(client: BlockingClient, wire: Wire) -> None:
    """Records, or None."""
    assert (None, None) == (client.get_current_queue_item(), client.get_next_queue_item())
    running, pending = wire.running_and_pending(1)
    assert (running, pending[0]) == (client.get_current_queue_item().item_id, client.get_next_queue_item().item_id)


def test_get_queue_status(client: BlockingClient, wire: Wire) -> None:
    """The counters, the running item, and the processor."""
    running, _ = wire.running_and_pending(2)
    status = client.get_queue_status()
    assert (2, 1, 0, 3, running) == (
        status.queue.pending,
        status.queue.in_progress,
        status.queue.waiting,
        status.queue.total,
        status.queue.item_id,
    )
    assert (True, True) == (status.processor.is_started, status.processor.is_processing)


def test_get_batch_status(client: BlockingClient, wire: Wire) -> None:
    """A batch's counters; zeros for an unknown one."""
    batch_id = wire.run(destination="there")["batch_id"]
    status = client.get_batch_status(batch_id)
    assert (batch_id, 1, 1, "there") == (status.batch_id, status.completed, status.total, status.destination)
    assert 0 == client.get_batch_status("no such & batch").total


def test_list_all_queue_items(client: BlockingClient, wire: Wire) -> None:
    """All items, or those of a destination."""
    with wire.paused():
        here = wire.enqueue(destination="here")["item_ids"]
        there = wire.enqueue(destination="there")["item_ids"]
        every = client.list_all_queue_items()
        some = client.list_all_queue_items(destination="there")
    assert (set(here + there), set(there)) == ({i.item_id for i in every}, {i.item_id for i in some})
    assert {("pending", None)} == {(item.status, item.started_at) for item in every}


@pytest.mark.needs("item_ids")
def test_get_queue_item_ids(client: BlockingClient, wire: Wire) -> None:
    """The ids, and their number."""
    with wire.paused():
        ids = [wire.enqueue()["item_ids"][0] for _ in range(3)]
        ascending, descending = client.get_queue_item_ids(order_dir="ASC"), client.get_queue_item_ids()
    assert (tuple(ids), tuple(reversed(ids)), 3) == (ascending.item_ids, descending.item_ids, ascending.total_count)


@pytest.mark.needs("item_ids")
def test_get_queue_items_by_item_ids(client: BlockingClient, wire: Wire) -> None:
    """Whole items for the ids that there are."""
    item_id = wire.run()["item_id"]
    (item,) = client.get_queue_items_by_item_ids([item_id, 999_999_999])
    assert (item_id, "completed", True) == (item.item_id, item.status, item.session is not None)
    assert [] == client.get_queue_items_by_item_ids([])


def test_get_queue_item_summaries_by_ids(client: BlockingClient, wire: Wire, server: Server) -> None:
    """Items without a session; on a server without that endpoint the exception names the version it needs."""
    item_id = wire.run()["item_id"]
    if not server.has("item_summaries"):
        with pytest.raises(UnsupportedByServer, match=r"6\.14"):
            client.get_queue_item_summaries_by_ids([item_id])
        return
    (item,) = client.get_queue_item_summaries_by_ids([item_id, 999_999_999])
    assert (item_id, "completed", None) == (item.item_id, item.status, item.session)


@pytest.mark.needs("item_ids")
def test_too_many_ids_are_refused_before_sending(client: BlockingClient) -> None:
    """The server's limit is the client's."""
    with pytest.raises(InvalidRequest, match="1000"):
        client.get_queue_items_by_item_ids(range(1001))


def test_cancel_queue_item(client: BlockingClient, wire: Wire, server: Server) -> None:
    """The item as it is after the cancel."""
    running, pending = wire.running_and_pending(1)
    items: list[QueueItem] = [client.cancel_queue_item(item_id) for item_id in (*pending, running)]
    sequences = [1, 2] if server.has("status_sequence") else [None, None]
    assert [("canceled", sequence) for sequence in sequences] == [(item.status, item.status_sequence) for item in items]


def test_delete_queue_item(client: BlockingClient, wire: Wire) -> None:
    """The item is gone, and nothing is returned."""
    item_id = wire.run()["item_id"]
    assert client.delete_queue_item(item_id) is None
    assert [] == wire.item_ids()


def test_an_item_id_is_an_integer(client: BlockingClient) -> None:
    """Anything else is refused before it is sent."""
    for item_id in ("5", 5.0, True, None):
        with pytest.raises(InvalidRequest, match="item_id"):
            client.cancel_queue_item(item_id)
