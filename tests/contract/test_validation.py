"""Which requests the server refuses, how, and which it accepts."""

from typing import Any

import httpx

from tests.support.graphs import add_and_multiply, graph
from tests.support.servers import Server
from tests.support.wire import Wire

_ADD = {"type": "add"}
_TEXT = {"type": "string", "value": "x"}


def _data(*fields: tuple[str, str, list[Any]]) -> dict[str, Any]:
    names = ("node_path", "field_name", "items")
    return {"graph": add_and_multiply(), "data": [[dict(zip(names, field, strict=True)) for field in fields]]}


_GRAPH = ["body", "batch", "graph"]
_NODES = [*_GRAPH, "nodes"]
_REFUSED: dict[str, tuple[dict[str, Any], list[Any], str, str]] = {
    "nodes are a text": ({"graph": {"nodes": "hello"}}, _NODES, "dict_type", "valid dictionary"),
    "nodes are a list": ({"graph": {"nodes": []}}, _NODES, "dict_type", "valid dictionary"),
    "a node is a text": (
        {"graph": {"nodes": {"a": "hello"}}},
        [*_NODES, "a"],
        "model_attributes_type",
        "valid dictionary",
    ),
    "unknown node type": (
        {"graph": graph({"a": {"type": "no_such_type"}})},
        [*_NODES, "a"],
        "union_tag_invalid",
        "'no_such_type'",
    ),
    "no node type": ({"graph": graph({"a": {}})}, [*_NODES, "a"], "union_tag_not_found", "discriminator 'type'"),
    "no node id": ({"graph": {"nodes": {"a": _ADD}}}, _GRAPH, "value_error", "Node ids must match, got a and "),
    "another node id": (
        {"graph": {"nodes": {"x": {"id": "a", **_ADD}}}},
        _GRAPH,
        "value_error",
        "Node ids must match, got x and a",
    ),
    "a word for a number": (
        {"graph": graph({"n": {**_ADD, "a": "seven"}})},
        [*_NODES, "n", "add", "a"],
        "int_parsing",
        "valid integer",
    ),
    "a fraction for an integer": (
        {"graph": graph({"n": {**_ADD, "a": 1.5}})},
        [*_NODES, "n", "add", "a"],
        "int_from_float",
        "fractional part",
    ),
    "a cycle": (
        {"graph": graph({"a": _ADD, "b": _ADD}, "a.value -> b.a", "b.value -> a.a")},
        _GRAPH,
        "value_error",
        "Graph contains cycles",
    ),
    "an edge from no node": (
        {"graph": graph({"a": _ADD}, "zz.value -> a.a")},
        _GRAPH,
        "value_error",
        "Edge source node zz does not exist in the graph",
    ),
    "an edge to no node": (
        {"graph": graph({"a": _ADD}, "a.value -> zz.a")},
        _GRAPH,
        "value_error",
        "Edge destination node zz does not exist in the graph",
    ),
    "an edge from no field": (
        {"graph": graph({"a": _ADD, "b": _ADD}, "a.nope -> b.a")},
        _GRAPH,
        "value_error",
        "Edge source field nope does not exist in node a",
    ),
    "an edge to no field": (
        {"graph": graph({"a": _ADD, "b": _ADD}, "a.value -> b.nope")},
        _GRAPH,
        "value_error",
        "Edge destination field nope does not exist in node b",
    ),
    "an edge between types": (
        {"graph": graph({"a": _TEXT, "b": _ADD}, "a.value -> b.a")},
        _GRAPH,
        "value_error",
        "Edge source and target types do not match (a.value -> b.a)",
    ),
    "no runs": (
        {"graph": add_and_multiply(), "runs": 0},
        ["body", "batch", "runs"],
        "greater_than_equal",
        "greater than or equal to 1",
    ),
    "a word for runs": (
        {"graph": add_and_multiply(), "runs": "x"},
        ["body", "batch", "runs"],
        "int_parsing",
        "valid integer",
    ),
    "zipped lengths differ": (
        _data(("add", "a", [1, 2]), ("add", "b", [1])),
        ["body", "batch", "data"],
        "value_error",
        "Zipped batch items must all have the same length",
    ),
    "mixed item types": (
        _data(("add", "a", [1, "x"])),
        ["body", "batch", "data"],
        "value_error",
        "All items in a batch must have the same type",
    ),
    "data for no node": (
        _data(("zzz", "a", [1])),
        ["body", "batch"],
        "value_error",
        "Node zzz not found in graph",
    ),
    "data for no field": (
        _data(("add", "zzz", [1])),
        ["body", "batch"],
        "value_error",
        "Field zzz not found in node add",
    ),
    "no graph": ({"runs": 1}, ["body", "batch", "graph"], "missing", "Field required"),
}


def test_invalid_batch_is_422_with_its_location(wire: Wire) -> None:
    """The detail lists location, kind and text of each error; nothing is enqueued."""
    expected, found = {}, {}
    for case, (batch, place, kind, text) in _REFUSED.items():
        response = wire.send("POST", "enqueue_batch", {"batch": batch})
        errors = response.json()["detail"]
        expected[case] = 422, [(place, kind, text)]
        said = [(e["loc"], e["type"], text if text in e["msg"] else e["msg"]) for e in errors]
        found[case] = response.status_code, said
    assert (expected, []) == (found, wire.item_ids())


def test_an_unknown_node_type_lists_the_known_ones(wire: Wire) -> None:
    """The text has every node type there is."""
    response = wire.send("POST", "enqueue_batch", {"batch": {"graph": graph({"a": {"type": "no_such_type"}})}})
    assert "'img_resize'" in response.json()["detail"][0]["msg"]


def test_invalid_body_is_422(wire: Wire) -> None:
    """A body that holds no batch is refused in the same form."""
    missing = 422, "missing", ["body", "batch"]
    expected = {
        b"{not json": (422, "json_invalid", ["body", 1]),
        b"{}": missing,
        b"": missing,
        b'{"graph": {"nodes": {}}}': missing,
    }
    found = {}
    for content in expected:
        response = wire.send("POST", "enqueue_batch", content=content, headers={"content-type": "application/json"})
        error = response.json()["detail"][0]
        found[content] = response.status_code, error["type"], error["loc"]
    assert expected == found


def test_nan_is_a_plain_text_500(wire: Wire) -> None:
    """JSON's NaN passes the parser and breaks the answer: 500 as plain text, after which the connection is gone."""
    content = b'{"batch": {"graph": {"nodes": {"a": {"id": "a", "type": "add", "a": NaN}}}}}'
    url = f"{wire.server.url}/api/v1/queue/default/enqueue_batch"
    response = httpx.post(url, content=content, headers={"content-type": "application/json"}, timeout=30, verify=False)
    assert (500, "Internal Server Error", True) == (
        response.status_code,
        response.text,
        response.headers["content-type"].startswith("text/plain"),
    )


def test_two_edges_into_one_input_are_accepted(wire: Wire, server: Server) -> None:
    """The job completes; before 6.14 the batch is accepted too, and the job fails."""
    two = graph({"a": _ADD, "b": _ADD, "c": _ADD}, "a.value -> c.a", "b.value -> c.a")
    item = wire.run(two)
    expected = ("completed", None) if server.has("two_edges_one_input") else ("failed", "InvalidEdgeError")
    assert expected == (item["status"], item.get("error_type"))


_PUT_ONLY = (
    "cancel_all_except_current",
    "cancel_by_batch_ids",
    "cancel_by_destination",
    "clear",
    "delete_all_except_current",
    "i/1/cancel",
    "processor/pause",
    "processor/resume",
    "prune",
    "retry_items_by_id",
)


def test_changes_are_made_with_put(wire: Wire) -> None:
    """POST is refused with 405, and its Allow header names the wrong verbs."""
    responses = {path: wire.send("POST", path, {}) for path in _PUT_ONLY}
    refused = 405, {"detail": "Method Not Allowed"}
    assert dict.fromkeys(_PUT_ONLY, refused) == {path: (r.status_code, r.json()) for path, r in responses.items()}


def test_an_unknown_get_is_the_web_page(wire: Wire, server: Server) -> None:
    """GET of what is no endpoint, or no longer one, answers 200 with the web interface: only the content type differs.

    Before 6.12, it is not found.
    """
    is_page = server.has("web_page_for_unknown")
    paths = ["clear", "status/", "nope", "/nope", *(["list", "/app/config"] if is_page else [])]
    responses = {path: wire.send("GET", path) for path in paths}
    found = {p: (r.status_code, r.headers["content-type"].startswith("text/html")) for p, r in responses.items()}
    assert dict.fromkeys(paths, (200 if is_page else 404, is_page)) == found


def test_an_unknown_path_is_405_otherwise(wire: Wire) -> None:
    """Other verbs on a path that is no endpoint are refused."""
    assert [405] * 3 == [wire.send(method, "nope").status_code for method in ("POST", "PUT", "DELETE")]


def test_other_origins_are_refused(wire: Wire) -> None:
    """The preflight of a browser is refused, so a widget in a page cannot call the server itself."""
    headers = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "PUT"}
    response = wire.http.options("/queue/default/clear", headers=headers)
    assert (400, "Disallowed CORS origin") == (response.status_code, response.text)


def test_the_root_is_the_web_page(wire: Wire) -> None:
    """The address that a user would type shows the web interface."""
    response = httpx.get(f"{wire.server.url}/", timeout=30, verify=False)
    assert (200, True) == (response.status_code, "<html" in response.text)
