"""Outputs by the graph's own node ids."""

from __future__ import annotations

from typing import Any

from invoke_widgets.outputs import (
    failed_node,
    final_images,
    image_names,
    iteration_paths,
    node_names,
    outputs,
    shown_images,
    without_graph,
)
from invoke_widgets.records import QueueItem


def item(session: dict[str, Any]) -> QueueItem:
    return QueueItem(item_id=1, status="completed", batch_id="b", session=session)


def edge(source: str, target: str) -> dict[str, Any]:
    return {"source": {"node_id": source, "field": "x"}, "destination": {"node_id": target, "field": "y"}}


# A range of two by two nested iterations: r -> i (2) -> j (2 each) -> m (4) -> c.
NODES = {
    "r1": {"type": "range"},
    **{f"i{n}": {"type": "iterate", "index": n} for n in range(2)},
    **{f"j{a}{b}": {"type": "iterate", "index": b} for a in range(2) for b in range(2)},
    **{f"m{a}{b}": {"type": "mul"} for a in range(2) for b in range(2)},
    "c1": {"type": "collect"},
    "after": {"type": "add"},
}
EDGES = [
    *(edge("r1", f"i{n}") for n in range(2)),
    *(edge(f"i{a}", f"j{a}{b}") for a in range(2) for b in range(2)),
    *(edge(f"j{a}{b}", f"m{a}{b}") for a in range(2) for b in range(2)),
    *(edge(f"m{a}{b}", "c1") for a in range(2) for b in range(2)),
    edge("c1", "after"),
]
SESSION: dict[str, Any] = {
    "execution_graph": {"nodes": NODES, "edges": EDGES},
    "prepared_source_mapping": {key: key.rstrip("01") for key in NODES},
    # In no particular order, as the server has them.
    "results": {
        "m11": {"value": 11},
        "m00": {"value": 0},
        "c1": {"collection": [0, 1, 10, 11]},
        "m10": {"value": 10},
        "m01": {"value": 1},
        "r1": {"collection": [0, 1]},
        "after": {"value": 7},
    },
}


def test_iterations_come_in_order() -> None:
    """A node inside nested iterations has a list in their order, one outside a single output."""
    found = outputs(item(SESSION))
    assert [0, 1, 10, 11] == [result["value"] for result in found["m"]]
    assert {"collection": [0, 1]} == found["r"]
    assert {"value": 7} == found["after"]


def test_the_servers_iteration_paths_are_used_if_sent() -> None:
    """6.14 says to which iteration each execution node belongs."""
    paths = {"m00": [1, 1], "m01": [1, 0], "m10": [0, 1], "m11": [0, 0]}
    session = {**SESSION, "prepared_iteration_paths": {key: paths.get(key, []) for key in NODES}}
    assert [11, 10, 1, 0] == [result["value"] for result in outputs(item(session))["m"]]


def test_one_iteration_is_still_a_list() -> None:
    """What comes of a collection of one does not change its form."""
    session = {
        "execution_graph": {"nodes": {"i": {"type": "iterate", "index": 0}, "m": {}}, "edges": [edge("i", "m")]},
        "prepared_source_mapping": {"i": "it", "m": "mul"},
        "results": {"m": {"value": 3}},
    }
    assert {"mul": [{"value": 3}]} == outputs(item(session))


def test_a_cycle_in_a_session_ends() -> None:
    """A session that no server would send does not hang."""
    graph = {"nodes": {"a": {}, "b": {}}, "edges": [edge("a", "b"), edge("b", "a")]}
    assert {"a": (), "b": ()} == iteration_paths({"execution_graph": graph})


def test_outputs_without_a_session_are_empty() -> None:
    """A summary has no outputs, and says so without failing."""
    assert {} == outputs(QueueItem(item_id=1, status="completed", batch_id="b"))


def test_failed_node_gives_id_and_type() -> None:
    """The graph's own id and the type."""
    session = {
        "errors": {"x-1": "boom"},
        "prepared_source_mapping": {"x-1": "div"},
        "execution_graph": {"nodes": {"x-1": {"type": "div"}}, "edges": []},
    }
    assert ("div", "div") == failed_node(item(session))
    assert (None, None) == failed_node(item({}))


def test_image_names_of_all_outputs() -> None:
    """Images are found wherever an output holds them, each once."""
    results = {"a": {"image": {"image_name": "1.png"}}, "b": {"collection": [{"image_name": "2.png"}] * 2}}
    assert ["1.png", "2.png"] == image_names(item({"results": results}))


PICTURES: dict[str, Any] = {
    "graph": {"nodes": {"draft": {"is_intermediate": True}, "last": {"image": {"image_name": "given.png"}}}},
    "results": {
        "draft": {"image": {"image_name": "step.png"}},
        "last": {"images": [{"image_name": "made.png"}, {"image_name": "given.png"}]},
    },
}


def test_final_images_are_neither_steps_nor_given() -> None:
    """Also once the graph, which says so, was dropped."""
    whole = item(PICTURES)
    assert [["made.png"]] * 2 == [final_images(whole), final_images(without_graph(whole))]


def test_steps_are_shown_where_there_is_nothing_else() -> None:
    """A job that failed before its last node has only these."""
    begun = {**PICTURES, "results": {"draft": PICTURES["results"]["draft"]}}
    assert ([], ["step.png"]) == (final_images(item(begun)), shown_images(item(begun)))


def test_nodes_of_the_editor_are_called_by_words() -> None:
    """By their label or type, with a number where several have it; other nodes by their own ids."""
    ids = [f"{i}d15d2d6-1ad5-5c39-9b9c-3b5ac5c7f9ba" for i in range(4)]
    nodes = {key: {"type": "add"} for key in ids} | {"sum": {"type": "add"}}
    workflow = {"nodes": [{"id": ids[0], "data": {"label": "Total"}}, {"id": ids[1], "data": {"label": ""}}, "odd"]}
    whole = QueueItem(
        item_id=1, status="completed", batch_id="b", session={"graph": {"nodes": nodes}}, workflow=workflow
    )
    expected = ["Total", "add (1)", "add (2)", "add (3)", "sum"]
    assert [expected] * 2 == [list(node_names(one).values()) for one in (whole, without_graph(whole))]


def test_nodes_are_called_by_their_ids_where_the_workflow_is_odd() -> None:
    """A server may send anything as a workflow."""
    odd = QueueItem(
        item_id=1, status="completed", batch_id="b", session={"graph": {"nodes": {"a": {}}}}, workflow={"nodes": 5}
    )
    assert {"a": "a"} == node_names(odd)
