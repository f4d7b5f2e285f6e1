"""Items by destination: count, cancel, delete."""

import pytest

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.records import DestinationCounts
from tests.support.blocking import BlockingClient
from tests.support.servers import Server
from tests.support.wire import Wire

_ODD = "a place / with äöü & more"


def test_counts_by_destination(client: BlockingClient, wire: Wire) -> None:
    """The counters of one destination, which may hold any text."""
    _, pending = wire.running_and_pending(2, destination=_ODD)
    wire.enqueue(destination="elsewhere")
    wire.put(f"i/{pending[0]}/cancel")
    expected = DestinationCounts(queue_id="default", destination=_ODD, pending=1, in_progress=1, canceled=1, total=3)
    assert expected == client.counts_by_destination(_ODD)


def test_counts_of_an_unknown_destination(client: BlockingClient) -> None:
    """It has zeros, and is no error."""
    assert 0 == client.counts_by_destination("nowhere").total


def test_the_destination_is_a_query(wire: Wire) -> None:
    """It is required, and not read from the body."""
    responses = [
        wire.send("GET", "counts_by_destination"),
        wire.send("PUT", "cancel_by_destination", {"destination": "x"}),
    ]
    assert [(422, ["query", "destination"])] * 2 == [
        (response.status_code, response.json()["detail"][0]["loc"]) for response in responses
    ]


def test_cancel_by_destination(client: BlockingClient, wire: Wire, server: Server) -> None:
    """All of a destination is canceled, the running item too, and nothing else."""
    running, pending = wire.running_and_pending(2, destination=_ODD)
    other = wire.enqueue(destination="elsewhere")["item_ids"][0]
    assert (3 if server.has("bulk_counts_running") else 2) == client.cancel_by_destination(_ODD)
    assert 0 == client.cancel_by_destination("nowhere")
    assert ["canceled"] * 3 == wire.statuses([running, *pending])
    assert "completed" == wire.wait_for(other)["status"]


def test_delete_by_destination(client: BlockingClient, wire: Wire) -> None:
    """The items are gone; the answer counts them."""
    with wire.paused():
        wire.enqueue(runs=2, destination="a & b")
        kept = wire.enqueue(destination="here")["item_ids"]
        assert (2, 0) == (client.delete_by_destination("a & b"), client.delete_by_destination("nowhere"))
        assert kept == wire.item_ids()


def test_delete_cannot_address_a_slash(client: BlockingClient, wire: Wire) -> None:
    """A destination with a slash is another path, however it is written: the client refuses it."""
    assert 405 == wire.send("DELETE", "d/a%2Fb").status_code
    with pytest.raises(InvalidRequest, match="slash"):
        client.delete_by_destination("a/b")
