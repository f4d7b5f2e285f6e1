"""Checks of graphs and values before anything is sent."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.jobs.schemas import NodeSchemas
from invoke_widgets.workflows import normal_data, normal_graph

_INT = {"type": "integer", "default": 0, "field_kind": "input"}
_ATTRIBUTE = {"type": "string", "field_kind": "node_attribute"}


def _node(name: str, fields: dict[str, Any], **extra: Any) -> dict[str, Any]:
    properties = {"type": {"const": name, "type": "string"}, "id": _ATTRIBUTE, **fields}
    return {"class": "invocation", "properties": properties, **extra}


SCHEMAS = NodeSchemas(
    {
        "components": {
            "schemas": {
                "Add": _node("add", {"a": _INT, "b": _INT}),
                "Image": _node(
                    "img",
                    {
                        "image": {"anyOf": [{"$ref": "#/components/schemas/ImageField"}, {"type": "null"}]},
                        "width": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 8, "field_kind": "input"},
                        "mode": {"type": "string", "enum": ["nearest", "box"], "field_kind": "input"},
                        "flip": {"type": "boolean", "field_kind": "input"},
                        "scale": {"type": "number", "field_kind": "input"},
                    },
                ),
                "Open": _node("open", {}, additionalProperties=True),
                "ImageField": {
                    "type": "object",
                    "properties": {"image_name": {"type": "string"}},
                    "required": ["image_name"],
                },
                "NotANode": {"type": "object"},
            }
        }
    }
)
GRAPH = normal_graph({"nodes": {"sum": {"type": "add"}, "im": {"type": "img"}}})


def refused(data: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        SCHEMAS.check_data(GRAPH, normal_data(data))
    return str(caught.value)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (5, "graph: should be a mapping"),
        ({}, "graph.nodes"),
        ({"nodes": [{"id": "a"}]}, "graph.nodes: should be a mapping"),
        ({"graph": {"nodes": {}}}, "Pass its 'graph' entry"),
        ({"nodes": {"a": {}}}, "nodes.a.type"),
        ({"nodes": {"a": {"type": "add", "id": "b"}}}, "nodes.a.id"),
        ({"nodes": {"": {"type": "add"}}}, "graph.nodes"),
        ({"nodes": {}, "edges": {}}, "graph.edges"),
        ({"nodes": {}, "edges": [{}]}, "edges[0].source"),
        (
            {
                "nodes": {"sum": {"type": "add"}},
                "edges": [
                    {"source": {"node_id": "sun", "field": "v"}, "destination": {"node_id": "sum", "field": "a"}}
                ],
            },
            "edges[0].source.node_id: there is no node 'sun'. Did you mean 'sum'?",
        ),
    ],
)
def test_bad_graphs_are_refused_with_the_place(graph: object, words: str) -> None:
    """The message says where the graph is wrong."""
    with pytest.raises(InvalidRequest) as caught:
        normal_graph(graph)
    assert words in str(caught.value)


def test_a_graph_gets_its_ids_and_is_not_changed() -> None:
    """Ids come from the keys, in a copy."""
    given = {"nodes": {"sum": {"type": "add"}}}
    assert {"nodes": {"sum": {"type": "add", "id": "sum"}}, "edges": []} == normal_graph(given)
    assert {"nodes": {"sum": {"type": "add"}}} == given


def test_unknown_types_and_fields_have_suggestions() -> None:
    """A misspelt type or field is named, with the one that was probably meant."""
    with pytest.raises(InvalidRequest, match=r"nodes\.s\.type: .*'ad'.*Did you mean 'add'"):
        SCHEMAS.check_graph(normal_graph({"nodes": {"s": {"type": "ad"}}}))
    with pytest.raises(InvalidRequest, match=r"nodes\.s\.widht: .*Did you mean 'width'"):
        SCHEMAS.check_graph(normal_graph({"nodes": {"s": {"type": "img", "widht": 5}}}))
    SCHEMAS.check_graph(normal_graph({"nodes": {"s": {"type": "open", "anything": 5}}}))


def test_values_that_an_edge_would_overwrite_are_refused() -> None:
    """The server would accept them and make the same job of each."""
    edge = {"source": {"node_id": "one", "field": "value"}, "destination": {"node_id": "sum", "field": "a"}}
    graph = normal_graph({"nodes": {"one": {"type": "add"}, "sum": {"type": "add"}}, "edges": [edge]})
    SCHEMAS.check_data(graph, normal_data({"sum.b": [1], "one.a": [2]}))
    with pytest.raises(InvalidRequest, match=r"data\.sum\.a: is set by an edge from 'one'"):
        SCHEMAS.check_data(graph, normal_data({"sum.a": [1, 2]}))


def test_data_in_all_forms_becomes_the_servers_form() -> None:
    """A mapping is one zipped group, a list of them a product, and the server's own form stays as it is."""
    one = {"node_path": "sum", "field_name": "a", "items": [1, 2]}
    two = {"node_path": "sum", "field_name": "b", "items": [3, 4]}
    assert [[one, two]] == normal_data({"sum.a": [1, 2], "sum.b": (3, 4)})
    assert [[one], [two]] == normal_data([{"sum.a": [1, 2]}, {"sum.b": range(3, 5)}])
    assert [[one, two]] == normal_data([[one, two]])
    assert [] == normal_data(None)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("sum.a", "data: should be"),
        ({"a": [1]}, "'node.field'"),
        ({"sum.a": 5}, "data.sum.a: should be a list"),
        ({"sum.a": "12"}, "data.sum.a: should be a list"),
        ({"sum.a": []}, "data.sum.a: has no values"),
        ({"sum.a": numpy.zeros((2, 3))}, "data.sum.a: should be a list of values, got an array of 2 dimensions."),
        ({"sum.a": numpy.array(1)}, "data.sum.a: should be a list of values, got an array of 0 dimensions."),
        ({"sum.a": [numpy.array([1, 2])]}, "data.sum.a[0]: should be an integer, got [1, 2]"),
        ({"sum.a": [1], "sum.b": [1, 2]}, "sum.a has 1, sum.b has 2"),
        ([[{"node_path": "sum"}]], "data[0]: each entry needs"),
        ([5], "data[0]"),
        ({"sun.a": [1]}, "data.sun.a: the graph has no node 'sun'. Did you mean 'sum'?"),
        ({"sum.c": [1]}, "data.sum.c: 'add' has no field 'c'"),
        ({"sum.type": ["add"]}, "data.sum.type"),
        ({"sum.id": ["x"]}, "data.sum.id"),
        ([{"sum.a": [1]}, {"sum.a": [2]}], "data.sum.a: is set twice"),
        ({"sum.a": [1, "x"]}, "data.sum.a[1]: should be an integer, got 'x'"),
        ({"sum.a": [1.5]}, "data.sum.a[0]: should be an integer"),
        ({"sum.a": [True]}, "data.sum.a[0]: should be an integer"),
        ({"sum.a": [None]}, "data.sum.a[0]: cannot be None"),
        ({"im.width": [8, 0]}, "data.im.width[1]: should be above 0"),
        ({"im.width": [9]}, "a multiple of 8"),
        ({"im.mode": ["cubic"]}, "should be one of 'nearest', 'box'"),
        ({"im.image": ["x.png"]}, "data.im.image[0]: should be ImageField"),
        ({"im.image": [{"name": "x.png"}]}, "data.im.image[0]"),
        ({"im.flip": [1]}, "should be a boolean"),
    ],
)
def test_values_that_would_block_the_queue_are_refused(data: Any, words: str) -> None:
    """A value that its field cannot hold is refused, with the place and what it should be."""
    assert words in refused(data)


def test_values_that_fit_are_accepted() -> None:
    """The server accepts whole floats, booleans for booleans, and records by reference."""
    fitting = {"sum.a": [1, 2.0], "im.image": [{"image_name": "x"}] * 2, "im.flip": [True, False], "im.scale": [1, 0.5]}
    SCHEMAS.check_data(GRAPH, normal_data(fitting))


def test_numpy_values_become_plain() -> None:
    """Values of numpy and pandas can be sent."""
    import numpy as np

    assert [1, 2] == normal_data({"sum.a": np.array([1, 2])})[0][0]["items"]
    assert all(type(v) is int for v in normal_data({"sum.a": np.array([1, 2])})[0][0]["items"])


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"sun.a": [1]}, "data.sun.a"),
        ({"sum.c": [1]}, "data.sum.c"),
        ({"sum.a": [1, "x"]}, "data.sum.a"),
        ({"sum.a": [None]}, "data.sum.a"),
        ([{"sum.a": [1]}, {"sum.a": [2]}], "data.sum.a"),
    ],
)
def test_the_error_has_the_field_of_the_value(data: Any, field: str) -> None:
    """A form can put the error at the field without reading the message."""
    with pytest.raises(InvalidRequest) as caught:
        SCHEMAS.check_data(GRAPH, normal_data(data))
    assert field == caught.value.field


def test_the_error_has_the_field_of_the_graph() -> None:
    """An unknown node type or field is named by its path."""
    for node, field in (({"type": "ad"}, "nodes.s.type"), ({"type": "img", "widht": 5}, "nodes.s.widht")):
        with pytest.raises(InvalidRequest) as caught:
            SCHEMAS.check_graph(normal_graph({"nodes": {"s": node}}))
        assert field == caught.value.field
