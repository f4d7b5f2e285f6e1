"""Graphs and batches of values as the server takes them, checked and made plain. Pure functions."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

from invoke_widgets.errors import InvalidRequest

Data = list[list[dict[str, Any]]]
"""A batch's values in the server's form: a product over the outer list, zipped within each inner one."""

_DEEPEST = 100
"""Levels of lists and mappings in a value; real graphs have a few."""


def invalid(place: str, fault: str) -> InvalidRequest:
    """An error about a place in what was passed."""
    return InvalidRequest(f"{place}: {fault}.", field=place)


def near(word: str, words: Iterable[str]) -> str:
    """ " Did you mean 'x'?" for the end of a message about an unknown name; "" if no known name is similar."""
    found = difflib.get_close_matches(word, list(words), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


def normal_graph(graph: object) -> dict[str, Any]:
    """`graph` checked, with `nodes` and `edges`, and with each node's id in the node.

    Raises:
        InvalidRequest: it is not a graph; `field` is the place.
    """
    if not isinstance(graph, Mapping):
        suggestion = "Example: {'nodes': {'sum': {'type': 'add', 'a': 1, 'b': 2}}, 'edges': []}."
        if isinstance(graph, str | os.PathLike):
            suggestion = "console.workflow(...) loads a file, or a workflow of the server's library by its name."
        elif hasattr(graph, "sweep"):  # a `Workflow`
            suggestion = "Its own submit() enqueues it, and its sweep({...}) varies its fields by name."
        raise InvalidRequest(
            f"graph: should be a mapping with 'nodes' and 'edges', got {type(graph).__name__}.",
            suggestion=suggestion,
            field="graph",
        )
    nodes = graph.get("nodes")
    if not isinstance(nodes, Mapping):
        raise InvalidRequest(
            "graph.nodes: should be a mapping of node ids to nodes.",
            suggestion="Pass its 'graph' entry." if "graph" in graph else "",
            field="graph.nodes",
        )
    if not nodes:
        raise invalid("graph.nodes", "has no nodes, so nothing would run")
    checked = {}
    for node_id, node in nodes.items():
        if not isinstance(node_id, str) or not node_id:
            raise invalid("graph.nodes", f"the id {node_id!r} should be a non-empty string")
        if not isinstance(node, Mapping) or not isinstance(node.get("type"), str):
            raise invalid(f"nodes.{node_id}.type", "should be the name of a node type, such as 'add'")
        if node.get("id", node_id) != node_id:
            raise invalid(f"nodes.{node_id}.id", f"should be {node_id!r}, its key, got {node['id']!r}")
        plain("graph.nodes", node_id)
        checked[node_id] = {name: plain(f"nodes.{node_id}.{name}", value) for name, value in node.items()}
        checked[node_id]["id"] = node_id
    edges = graph.get("edges", [])
    if not isinstance(edges, list):
        raise invalid("graph.edges", "should be a list")
    for index, edge in enumerate(edges):
        _check_edge(edge, index, checked)
    others = {name: plain(f"graph.{name}", value) for name, value in graph.items() if name not in ("nodes", "edges")}
    return {**others, "nodes": checked, "edges": plain("graph.edges", edges)}


def _check_edge(edge: object, index: int, nodes: Mapping[str, Any]) -> None:
    for side in ("source", "destination"):
        end = edge.get(side) if isinstance(edge, Mapping) else None
        if not isinstance(end, Mapping) or not isinstance(end.get("field"), str):
            raise invalid(f"edges[{index}].{side}", "should be {'node_id': ..., 'field': ...}")
        if end.get("node_id") not in nodes:
            place = f"edges[{index}].{side}.node_id"
            similar = near(str(end.get("node_id")), nodes)
            raise InvalidRequest(f"{place}: there is no node {end.get('node_id')!r}.{similar}", field=place)


def normal_data(data: object) -> Data:
    """A batch's values in the server's form: a product over the outer list, zipped within each inner one.

    Args:
        data: None; a mapping `{"node.field": [values]}`, whose lists are zipped; a list of such mappings, whose product
            is taken, the last varying fastest; or the server's own list of lists.

    Raises:
        InvalidRequest: it is of another form, or zipped lists differ in length; `field` is the place.
    """
    if data is None:
        return []
    groups = [data] if isinstance(data, Mapping) else data
    if not isinstance(groups, list | tuple):
        raise InvalidRequest(
            f"data: should be {{'node.field': [values]}} or a list of such mappings, got {type(data).__name__}.",
            field="data",
        )
    # An empty one varies nothing; the server would make no item of it.
    return [entries for index, group in enumerate(groups) if (entries := _group(group, index))]


def _group(group: object, index: int) -> list[dict[str, Any]]:
    if isinstance(group, Mapping):
        entries = [_entry(key, values) for key, values in group.items()]
    elif isinstance(group, list | tuple):
        entries = []
        for datum in group:
            if not isinstance(datum, Mapping) or not {"node_path", "field_name", "items"} <= datum.keys():
                raise InvalidRequest(
                    f"data[{index}]: each entry needs 'node_path', 'field_name' and 'items'.", field=f"data[{index}]"
                )
            entries.append(_entry(f"{datum['node_path']}.{datum['field_name']}", datum["items"]))
    else:
        raise InvalidRequest(f"data[{index}]: should be a mapping {{'node.field': [values]}}.", field=f"data[{index}]")
    lengths = {f"{e['node_path']}.{e['field_name']}": len(e["items"]) for e in entries}
    if len(set(lengths.values())) > 1:
        numbers = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise InvalidRequest(
            f"data[{index}]: zipped lists should be equally long; {numbers}.",
            suggestion="For every combination, pass a list of mappings: [{'a.x': [...]}, {'b.y': [...]}].",
            field=f"data[{index}]",
        )
    return entries


def _entry(key: object, values: object) -> dict[str, Any]:
    node, dot, name = str(key).rpartition(".")
    if not dot or not node or not name:
        raise InvalidRequest(f"data: the key {key!r} should be 'node.field'.", field="data")
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
        raise InvalidRequest(f"data.{key}: should be a list of values, got {values!r}.", field=f"data.{key}")
    if (dimensions := getattr(values, "ndim", 1)) != 1:
        raise InvalidRequest(
            f"data.{key}: should be a list of values, got an array of {dimensions} dimensions.",
            suggestion="array.ravel() gives all its values, array.tolist() its rows as values.",
            field=f"data.{key}",
        )
    items = [_batch_value(f"data.{key}[{index}]", value) for index, value in enumerate(values)]
    if not items:
        raise InvalidRequest(f"data.{key}: has no values, so nothing would be enqueued.", field=f"data.{key}")
    return {"node_path": node, "field_name": name, "items": items}


def plain(place: str, value: Any, depth: int = 0) -> Any:
    """A value as JSON holds it, with NumPy's scalars and arrays as Python's own, and a picture by its name.

    Raises:
        InvalidRequest: JSON cannot hold it, or servers cannot take it (6.14.2 answers half of a character with 500, and
            its queue is stuck from then on); `place` is the field.
    """
    if getattr(value, "ndim", 0):
        value = value.tolist()
    elif callable(item := getattr(value, "item", None)) and not isinstance(value, Mapping):
        value = item()
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise invalid(place, f"holds half of a character at position {error.start}, which cannot be sent") from None
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid(place, f"should be a finite number, got {value}")
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEEPEST:
        raise invalid(place, f"is nested more than {_DEEPEST} deep")
    if isinstance(value, Mapping):
        return {plain(place, str(key)): plain(place, inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(place, inner, depth + 1) for inner in value]
    if isinstance(name := getattr(value, "image_name", None), str):  # an `Image`
        return {"image_name": name}
    raise invalid(place, f"cannot be sent: {type(value).__name__} has no form in JSON")


def _batch_value(place: str, value: Any) -> Any:
    """One of a field's values. The server's batches take texts, numbers, images and videos (seen on 6.14.2)."""
    value = plain(place, value)
    if isinstance(value, dict) and not (value and all(isinstance(inner, str) for inner in value.values())):
        raise InvalidRequest(
            f"{place}: should be a text, a number or an image, got {value!r:.80}.",
            suggestion="Such a value cannot be varied within a batch: submit one batch for each of them.",
            field=place,
        )
    return value
