"""Reading items: one, all, by ids, as summaries."""

import re
from typing import Any

import pytest

from tests.support.graphs import (
    Graph,
    add_and_multiply,
    divide_by_zero,
    fail,
    graph,
    iterate,
    missing_image,
    missing_input,
    sleep,
)
from tests.support.servers import Server
from tests.support.wire import Listener, Wire, until

_TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$"
_NULLS = {"error_type", "error_message", "error_traceback", "origin", "destination", "retried_from_item_id"}


def _outputs(item: dict[str, Any]) -> dict[str, list[Any]]:
    """The outputs by the graph's own node ids, as a reader has to map them."""
    session = item["session"]
    sources = session["source_prepared_mapping"]
    return {
        source: [session["results"][node]["value"] for node in prepared if "value" in session["results"].get(node, {})]
        for source, prepared in sources.items()
    }


def test_a_completed_item(wire: Wire, server: Server) -> None:
    """An item has its ids, its status, its times and (from 6.12 on) its user; nulls are left out."""
    item = wire.run()
    expected = {"status": "completed", "priority": 0, "queue_id": "default"}
    expected |= {"status_sequence": 2} if server.has("status_sequence") else {}
    expected |= {"user_id": "system"} if server.has("multiuser") else {}
    assert expected == {name: item[name] for name in expected}
    assert set() == _NULLS & item.keys()
    for feature, name in (("device", "device"), ("status_sequence", "status_sequence"), ("multiuser", "user_id")):
        assert server.has(feature) == (name in item)


def test_times_are_naive_utc_in_milliseconds(wire: Wire) -> None:
    """An item's times are texts without a zone, in order."""
    item = wire.run()
    times = [item[name] for name in ("created_at", "started_at", "completed_at")]
    assert [True] * 3 == [bool(re.match(_TIME, time)) for time in times]
    assert sorted(times) == times


def test_results_are_keyed_by_execution_node(wire: Wire) -> None:
    """Results have ids of their own, which the session maps to the graph's nodes."""
    item = wire.run(add_and_multiply(1, 2, 10))
    assert {"add": [3], "mul": [30]} == _outputs(item)
    assert set() == {"add", "mul"} & item["session"]["results"].keys()
    prepared = item["session"]["prepared_source_mapping"]
    assert {"add", "mul"} == set(prepared.values())


def test_iterate_makes_one_execution_node_per_item(wire: Wire, server: Server) -> None:
    """A node behind an iterator has as many results as there were elements, collected in any order before 6.12."""
    item = wire.run(iterate(4, 3))
    outputs = _outputs(item)
    assert [0, 3, 6, 9] == sorted(outputs["mul"])
    collected = item["session"]["source_prepared_mapping"]["all"][0]
    collection = item["session"]["results"][collected]["collection"]
    assert [0, 3, 6, 9] == (collection if server.has("collects_in_order") else sorted(collection))


def test_a_running_item_shows_no_results(wire: Wire, server: Server) -> None:
    """What is done so far is written when the item ends, not before."""
    nodes = {"add": {"type": "add", "a": 1, "b": 1}, "sleep": {"type": "probe_sleep", "seconds": 60, "steps": 1000}}
    with Listener(server) as listener:
        item_id = wire.enqueue(graph(nodes, "add.value -> sleep.value"))["item_ids"][0]
        listener.wait_for("invocation_started", item_id=item_id, invocation_source_id="sleep")
    item = wire.item(item_id)
    assert ({}, [], "in_progress") == (item["session"]["results"], item["session"]["executed"], item["status"])
    assert "completed_at" not in item


def test_a_canceled_item_keeps_its_partial_results(wire: Wire, server: Server) -> None:
    """What was done when the item was canceled can be read once the worker has let go of it."""
    nodes = {"add": {"type": "add", "a": 1, "b": 1}, "sleep": {"type": "probe_sleep", "seconds": 60, "steps": 1000}}
    with Listener(server) as listener:
        item_id = wire.enqueue(graph(nodes, "add.value -> sleep.value"))["item_ids"][0]
        listener.wait_for("invocation_started", item_id=item_id, invocation_source_id="sleep")
    wire.put(f"i/{item_id}/cancel")
    wire.wait_until_idle()
    item = wire.item(item_id)
    assert ("canceled", {}) == (item["status"], item["session"]["errors"])
    assert {"add": [2], "sleep": []} == _outputs(item)


def test_a_failed_item_has_its_error(wire: Wire) -> None:
    """A failed item has the exception's class, its message and its traceback, and keeps what was done."""
    item = wire.run(divide_by_zero())
    assert ("failed", "ZeroDivisionError", "division by zero") == (
        item["status"],
        item["error_type"],
        item["error_message"],
    )
    assert item["error_traceback"].startswith("Traceback (most recent call last):")
    assert item["error_traceback"].rstrip().endswith("ZeroDivisionError: division by zero")
    assert {"ok": [3], "div": [], "after": []} == {"after": [], **_outputs(item)}


def test_a_failed_items_session_names_the_node(wire: Wire) -> None:
    """The session's errors are keyed by the execution node that failed."""
    session = wire.run(divide_by_zero())["session"]
    failed = [session["prepared_source_mapping"][node] for node in session["errors"]]
    assert ["div"] == failed


@pytest.mark.parametrize(
    ("graph", "error_type", "message"),
    [
        (fail("out of luck"), "RuntimeError", "out of luck"),
        (missing_input(), "MissingInputException", "Node img_resize missing value or connection for field image"),
    ],
    ids=["raises", "missing input"],
)
def test_errors_keep_their_class_and_message(wire: Wire, graph: Graph, error_type: str, message: str) -> None:
    """The error's class is the exception's, whatever raised it."""
    item = wire.run(graph)
    assert ("failed", error_type, message) == (item["status"], item["error_type"], item["error_message"])


def test_a_missing_image_is_a_missing_record(wire: Wire, server: Server) -> None:
    """Before 6.13, it is a missing file."""
    item = wire.run(missing_image())
    what = "Record" if server.has("image_records") else "File"
    expected = ("failed", f"Image{what}NotFoundException", f"Image {what.lower()} not found")
    assert expected == (item["status"], item["error_type"], item["error_message"])


def test_an_item_of_another_queue_is_500_with_404_in_its_text(wire: Wire, server: Server) -> None:
    """Asked for through another queue, an item is an unexpected error whose text has the real status; before 6.7, it
    is the item.
    """
    item_id = wire.run()["item_id"]
    with Wire(server, queue_id="another") as another:
        response = another.send("GET", f"i/{item_id}")
    if not server.has("get_checks_queue"):
        assert (200, "default") == (response.status_code, response.json()["queue_id"])
        return
    assert 500 == response.status_code
    assert f"404: Queue item with id {item_id} not found in queue another" in response.json()["detail"]


def test_an_id_beyond_64_bits_is_500(wire: Wire) -> None:
    """An id that the database cannot hold is an unexpected error, as JSON."""
    response = wire.send("GET", "i/99999999999999999999")
    assert 500 == response.status_code
    assert "Python int too large to convert to SQLite INTEGER" in response.json()["detail"]


def test_list_all_has_every_item_with_its_nulls(wire: Wire) -> None:
    """The list has all items, whole, and keeps what is null."""
    with wire.paused():
        item_ids = sorted(wire.enqueue(runs=3)["item_ids"])
        items = wire.get("list_all")
    assert item_ids == sorted(item["item_id"] for item in items)
    assert [True] * 3 == [_NULLS | {"session", "completed_at"} <= item.keys() for item in items]


@pytest.mark.needs("item_ids")
def test_item_ids_order_is_upper_case(wire: Wire) -> None:
    """Any other word for the order is refused."""
    assert 422 == wire.send("GET", "item_ids", params={"order_dir": "asc"}).status_code


def test_summaries_are_items_without_their_graph(wire: Wire, server: Server) -> None:
    """Items in brief, in the order asked for; versions before 6.14 do not have them."""
    with wire.paused():
        item_ids = wire.enqueue(runs=2, origin="o", destination="d")["item_ids"]
        response = wire.send("POST", "item_summaries_by_ids", {"item_ids": [*item_ids, 999_999_999]})
    if not server.has("item_summaries"):
        assert 405 == response.status_code
        return
    summaries = response.json()
    assert set(item_ids) == {summary["item_id"] for summary in summaries}
    fields = "item_id created_at status device started_at completed_at origin destination batch_id user_id "
    fields += "user_display_name user_email field_values parent_item_id"
    assert set(fields.split()) == summaries[0].keys()


def test_summaries_take_at_most_1000_ids(wire: Wire, server: Server) -> None:
    """More ids than a thousand are refused, not cut; none are none."""
    refused = wire.send("POST", "item_summaries_by_ids", {"item_ids": list(range(1001))})
    empty = wire.send("POST", "item_summaries_by_ids", {"item_ids": []})
    bare = wire.send("POST", "item_summaries_by_ids", [1])
    expected = [422, 200, 422] if server.has("item_summaries") else [405, 405, 405]
    assert expected == [refused.status_code, empty.status_code, bare.status_code]
    if server.has("item_summaries"):
        assert ("too_long", []) == (refused.json()["detail"][0]["type"], empty.json())


def test_unknown_fields_of_a_node_are_dropped(wire: Wire) -> None:
    """A field the node does not have is neither refused nor kept."""
    item = wire.run(graph({"a": {"type": "add", "a": "7", "nope": 1}}))
    node = item["session"]["graph"]["nodes"]["a"]
    assert (7, False) == (node["a"], "nope" in node)


def test_the_worker_takes_one_item_at_a_time(wire: Wire) -> None:
    """While one runs, the others wait."""
    wire.enqueue(sleep(60), runs=3)
    until(lambda: wire.counts().get("in_progress"), "the first to run")
    assert {"in_progress": 1, "pending": 2} == wire.counts()
