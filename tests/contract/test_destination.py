"""Items by destination: count, cancel, delete."""

from tests.support.servers import Server
from tests.support.wire import Wire

_ODD = "a place / with äöü & more"


def test_counts_by_destination(wire: Wire, server: Server) -> None:
    """The counters of one destination, which may hold any text."""
    _, pending = wire.running_and_pending(2, destination=_ODD)
    wire.enqueue(destination="elsewhere")
    wire.put(f"i/{pending[0]}/cancel")
    expected = {"pending": 1, "in_progress": 1, "completed": 0, "failed": 0, "canceled": 1, "total": 3}
    expected |= {"waiting": 0} if server.has("waiting") else {}
    counts = wire.get("counts_by_destination", destination=_ODD)
    assert {"queue_id": "default", "destination": _ODD, **expected} == counts


def test_counts_of_an_unknown_destination(wire: Wire) -> None:
    """It has zeros, and is no error."""
    assert 0 == wire.get("counts_by_destination", destination="nowhere")["total"]


def test_the_destination_is_a_query(wire: Wire) -> None:
    """It is required, and not read from the body."""
    responses = [
        wire.send("GET", "counts_by_destination"),
        wire.send("PUT", "cancel_by_destination", {"destination": "x"}),
    ]
    assert [(422, ["query", "destination"])] * 2 == [
        (response.status_code, response.json()["detail"][0]["loc"]) for response in responses
    ]


def test_cancel_by_destination(wire: Wire, server: Server) -> None:
    """All of a destination is canceled, the running item too, and nothing else."""
    running, pending = wire.running_and_pending(2, destination=_ODD)
    other = wire.enqueue(destination="elsewhere")["item_ids"][0]
    answer = wire.put("cancel_by_destination", destination=_ODD)
    assert {"canceled": 3 if server.has("bulk_counts_running") else 2} == answer
    assert ["canceled"] * 3 == wire.statuses([running, *pending])
    assert "completed" == wire.wait_for(other)["status"]


def test_cancel_of_an_unknown_destination(wire: Wire) -> None:
    """There is nothing to cancel, with 200."""
    assert {"canceled": 0} == wire.put("cancel_by_destination", destination="nowhere")


def test_delete_by_destination(wire: Wire) -> None:
    """The items are gone; the answer counts them."""
    with wire.paused():
        wire.enqueue(runs=2, destination="there")
        kept = wire.enqueue(destination="here")["item_ids"]
        assert ({"deleted": 2}, {"deleted": 0}) == (wire.delete("d/there"), wire.delete("d/nowhere"))
        assert kept == wire.item_ids()


def test_delete_cannot_address_a_slash(wire: Wire) -> None:
    """A destination with a slash is another path, however it is written."""
    assert 405 == wire.send("DELETE", "d/a%2Fb").status_code
