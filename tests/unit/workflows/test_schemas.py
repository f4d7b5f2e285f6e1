"""Checks of graphs and values before anything is sent."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy
import pytest

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.workflows import NodeSchemas, normal_data, normal_graph

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


@pytest.mark.parametrize(
    ("node", "field", "meant"), [({"type": "ad"}, "type", "add"), ({"type": "img", "widht": 5}, "widht", "width")]
)
def test_unknown_types_and_fields_have_suggestions(node: dict[str, Any], field: str, meant: str) -> None:
    """A misspelt type or field is named, in words and for a form, with the one that was probably meant."""
    with pytest.raises(InvalidRequest, match=f"Did you mean '{meant}'") as caught:
        SCHEMAS.check_graph(normal_graph({"nodes": {"s": node}}))
    assert (f"nodes.s.{field}", True) == (caught.value.field, caught.value.message.startswith(f"nodes.s.{field}: "))


def test_any_field_fits_a_node_of_an_open_type() -> None:
    """Some nodes take whatever they are given."""
    SCHEMAS.check_graph(normal_graph({"nodes": {"s": {"type": "open", "anything": 5}}}))


def test_values_that_an_edge_would_overwrite_are_refused() -> None:
    """The server would accept them and make the same job of each."""
    edge = {"source": {"node_id": "one", "field": "value"}, "destination": {"node_id": "sum", "field": "a"}}
    graph = normal_graph({"nodes": {"one": {"type": "add"}, "sum": {"type": "add"}}, "edges": [edge]})
    SCHEMAS.check_data(graph, normal_data({"sum.b": [1], "one.a": [2]}))
    with pytest.raises(InvalidRequest, match=r"data\.sum\.a: is set by an edge from 'one'"):
        SCHEMAS.check_data(graph, normal_data({"sum.a": [1, 2]}))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"sum.a": [numpy.array([1, 2])]}, "data.sum.a[0]: should be an integer, got [1, 2]"),
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
    """A value that its field cannot hold is refused, with what it should be, and with the field for a form."""
    with pytest.raises(InvalidRequest) as caught:
        SCHEMAS.check_data(GRAPH, normal_data(data))
    first = data if isinstance(data, dict) else data[0]
    assert (True, f"data.{next(iter(first))}") == (words in str(caught.value), caught.value.field)


def test_values_that_fit_are_accepted() -> None:
    """The server accepts whole floats, booleans for booleans, and records by reference."""
    fitting = {"sum.a": [1, 2.0], "im.image": [{"image_name": "x"}] * 2, "im.flip": [True, False], "im.scale": [1, 0.5]}
    SCHEMAS.check_data(GRAPH, normal_data(fitting))


@pytest.mark.parametrize("wrapped", [False, True])
def test_reference_to_another_document_is_not_fetched(wrapped: bool, tmp_path: Path) -> None:
    """Whoever controls the server would choose what this machine opens; the value is not checked then."""
    secret = tmp_path / "secret.json"
    secret.write_text('{"type": "string"}')
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        for address in (f"http://127.0.0.1:{port}/secret", f"ftp://127.0.0.1:{port}/x", secret.as_uri(), "other.json"):
            field: dict[str, Any] = {"$ref": address, "field_kind": "input"}
            field = {"anyOf": [field, {"type": "null"}], "field_kind": "input"} if wrapped else field
            schemas = NodeSchemas({"components": {"schemas": {"Odd": _node("odd", {"value": field})}}})
            graph = normal_graph({"nodes": {"a": {"type": "odd"}}, "edges": []})
            schemas.check_data(graph, normal_data({"a.value": [5]}))
        with pytest.raises(TimeoutError):
            listener.accept()
