"""Workflows exported from InvokeAI's editor as graphs with named fields, and checks of graphs and data. Pure functions.

The rules are the editor's and those of the server's builder for saved workflows (InvokeAI 6.14.2): nodes other than
invocations are left out, connectors are followed to their source, an input with an edge loses its own value, and
the boards "auto" and "none" are left out. Batch nodes become values to vary, as in the editor.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from invoke_widgets.errors import InvalidRequest

Data = list[list[dict[str, Any]]]

_BATCH_FIELDS = {
    "image_batch": "images",
    "string_batch": "strings",
    "integer_batch": "integers",
    "float_batch": "floats",
}
_DEEPEST = 100
"""Levels of lists and mappings in a value; real graphs have a few."""
_GENERATORS = ("image_generator", "string_generator", "integer_generator", "float_generator")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowField:
    """An input of a node that no edge sets.

    Attributes:
        name: its key in `data`: "node.field", where the node is named by its label, type or id, the first of them that
            no other node shares.
        label: its label in the workflow's form; empty if it has none.
        value: the exported value; None if the workflow leaves it open.
        in_form: whether the workflow's author put it into the form or exposed it.
        node_id: the node's id.
        field: the input's name.
    """

    name: str
    label: str
    value: Any
    in_form: bool
    node_id: str
    field: str


def is_workflow(pasted: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether `pasted` is a workflow rather than a graph: its nodes are a list."""
    return isinstance(pasted, Mapping) and isinstance(pasted.get("nodes"), list)


def fields(workflow: Mapping[str, Any]) -> list[WorkflowField]:
    """The fields of a workflow that can be set, the form's first. `pandas.DataFrame(fields(workflow))` is their table.

    Args:
        workflow: the JSON that the editor exports.

    Raises:
        InvalidRequest: it is not an exported workflow.
    """
    nodes = _invocations(workflow)
    names = _names(nodes)
    wired = {(edge["destination"]["node_id"], edge["destination"]["field"]) for edge in _edges(workflow, nodes)}
    exposed = list(_exposed(workflow))
    found = [
        WorkflowField(
            name=f"{names[node_id]}.{field}",
            label=str(given.get("label") or ""),
            value=given.get("value"),
            in_form=(node_id, field) in exposed,
            node_id=node_id,
            field=field,
        )
        for node_id, data in nodes.items()
        if data["type"] not in _BATCH_FIELDS and not _is_generator(data)
        for field, given in _inputs(data)
        if (node_id, field) not in wired
    ]
    order = {place: index for index, place in enumerate(exposed)}
    return sorted(found, key=lambda field: order.get((field.node_id, field.field), len(order)))


def graph_of(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The graph that the editor would enqueue for a workflow.

    Raises:
        InvalidRequest: it is not an exported workflow.
    """
    nodes = _invocations(workflow)
    graph_nodes = {
        node_id: _node(node_id, data)
        for node_id, data in nodes.items()
        if data["type"] not in _BATCH_FIELDS and not _is_generator(data)
    }
    edges = []
    for edge in _edges(workflow, nodes):
        target = graph_nodes.get(edge["destination"]["node_id"])
        if target is None:
            continue
        target.pop(edge["destination"]["field"], None)
        if edge["source"]["node_id"] in graph_nodes:
            edges.append(edge)
    return {"nodes": graph_nodes, "edges": edges}


def own_data(workflow: Mapping[str, Any]) -> Data:
    """The values of the workflow's own batch nodes in the server's form; nodes of one group are zipped.

    Raises:
        InvalidRequest: a batch node has no values, or takes them from a generator.
    """
    nodes = _invocations(workflow)
    edges = _edges(workflow, nodes)
    names = _names(nodes)
    groups: dict[str, list[dict[str, Any]]] = {}
    for node_id, data in nodes.items():
        field = _BATCH_FIELDS.get(data["type"])
        if field is None:
            continue
        place = f"nodes.{names[node_id]}.{field}"
        inputs = dict(_inputs(data))
        targets = [edge["destination"] for edge in edges if edge["source"]["node_id"] == node_id]
        if any(edge["destination"] == {"node_id": node_id, "field": field} for edge in edges):
            raise InvalidRequest(
                f"{place}: its values come from a generator, which only InvokeAI's editor runs.",
                suggestion="Write the values into the batch node, or leave both out and pass them as data=...",
                field=place,
            )
        items = inputs.get(field, {}).get("value")
        if not isinstance(items, list) or not items:
            raise InvalidRequest(
                f"{place}: the batch node has no values.",
                suggestion="Give it some in the editor, or leave it out and pass them as data=...",
                field=place,
            )
        group = str(inputs.get("batch_group_id", {}).get("value") or "None")
        entries = groups.setdefault(node_id if group == "None" else group, [])
        entries += [{"node_path": to["node_id"], "field_name": to["field"], "items": items} for to in targets]
    return [entries for entries in groups.values() if entries]


def with_ids(workflow: Mapping[str, Any], data: Data) -> Data:
    """`data` with the nodes' ids in place of labels and types.

    Raises:
        InvalidRequest: a name fits no node, or several.
    """
    nodes = _invocations(workflow)
    return [
        [{**entry, "node_path": _id_of(nodes, entry["node_path"], entry["field_name"])} for entry in group]
        for group in data
    ]


def _id_of(nodes: Mapping[str, Mapping[str, Any]], name: str, field: str) -> str:
    if name in nodes:
        return name
    for of in ("label", "type"):
        found = [node_id for node_id, data in nodes.items() if data.get(of) == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidRequest(
                f"data.{name}.{field}: {len(found)} nodes of the workflow have the {of} {name!r}: {', '.join(found)}.",
                suggestion="Use the id, or give the node a label of its own in the editor.",
                field=f"data.{name}.{field}",
            )
    known = [str(data.get(of)) for data in nodes.values() for of in ("label", "type") if data.get(of)]
    raise InvalidRequest(
        f"data.{name}.{field}: the workflow has no node {name!r}." + near(name, known), field=f"data.{name}.{field}"
    )


def _names(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The name of each node by its id: its label or type if no other node has it, else the id."""
    taken = [str(data.get(of)) for data in nodes.values() for of in ("label", "type")]
    return {
        node_id: next(
            (str(data[of]) for of in ("label", "type") if data.get(of) and taken.count(str(data[of])) == 1), node_id
        )
        for node_id, data in nodes.items()
    }


def _invocations(workflow: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The data of each invocation by its node id."""
    nodes = workflow.get("nodes")
    if not isinstance(nodes, list):
        raise _invalid("graph.nodes", "should be a list, as InvokeAI's editor exports it")
    found: dict[str, Mapping[str, Any]] = {}
    for index, node in enumerate(nodes):
        if not isinstance(node, Mapping) or not isinstance(node.get("id"), str):
            raise _invalid(f"nodes[{index}].id", "should be a string, as InvokeAI's editor exports it")
        if node.get("type") != "invocation":
            continue
        data = node.get("data")
        if not isinstance(data, Mapping) or not isinstance(data.get("type"), str):
            raise _invalid(f"nodes[{index}].data.type", "should be the name of a node type, such as 'add'")
        found[node["id"]] = data
    return found


def _is_generator(data: Mapping[str, Any]) -> bool:
    return data["type"] in _GENERATORS


def _inputs(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    inputs = data.get("inputs")
    for field, given in inputs.items() if isinstance(inputs, Mapping) else ():
        if isinstance(given, Mapping):
            yield str(field), given


def _node(node_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    node = {
        "id": node_id,
        "type": data["type"],
        "use_cache": data.get("useCache", True),
        "is_intermediate": data.get("isIntermediate", False),
    }
    for field, given in _inputs(data):
        if "value" in given and not (field == "board" and given["value"] in ("auto", "none")):
            node[field] = given["value"]
    return node


def _edges(workflow: Mapping[str, Any], nodes: Mapping[str, Any]) -> list[dict[str, dict[str, str]]]:
    """The edges between invocations, each once, with connectors replaced by their source."""
    edges = workflow.get("edges", [])
    if not isinstance(edges, list):
        raise _invalid("graph.edges", "should be a list, as InvokeAI's editor exports it")
    drawn = [
        edge
        for edge in edges
        if isinstance(edge, Mapping)
        and edge.get("type") != "collapsed"
        and all(isinstance(edge.get(k), str) for k in ("source", "target", "sourceHandle", "targetHandle"))
    ]
    into = {(edge["target"], edge["targetHandle"]): edge for edge in reversed(drawn)}
    found: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}
    for edge in drawn:
        passed: set[str] = set()
        source: Mapping[str, Any] | None = edge
        while source is not None and source["source"] not in nodes and source["source"] not in passed:
            passed.add(source["source"])
            source = into.get((source["source"], "in"))
        if source is None or source["source"] not in nodes or edge["target"] not in nodes:
            continue
        ends = (source["source"], source["sourceHandle"], edge["target"], edge["targetHandle"])
        found[ends] = {
            "source": {"node_id": ends[0], "field": ends[1]},
            "destination": {"node_id": ends[2], "field": ends[3]},
        }
    return list(found.values())


def _exposed(workflow: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Node id and field of each input in the workflow's form, or exposed before there were forms."""
    form = workflow.get("form")
    elements = form.get("elements") if isinstance(form, Mapping) else None
    seen: set[object] = set()
    waiting = [form.get("rootElementId")] if isinstance(form, Mapping) and isinstance(elements, Mapping) else []
    found = False
    while waiting:
        element_id = waiting.pop(0)
        element = elements.get(element_id) if isinstance(elements, Mapping) and isinstance(element_id, str) else None
        data = element.get("data") if isinstance(element, Mapping) else None
        if element_id in seen or not isinstance(data, Mapping):
            continue
        seen.add(element_id)
        children = data.get("children")
        waiting = [*(children if isinstance(children, list) else ()), *waiting]
        place = data.get("fieldIdentifier")
        if isinstance(place, Mapping):
            found = True
            yield str(place.get("nodeId")), str(place.get("fieldName"))
    exposed = workflow.get("exposedFields")
    for place in exposed if not found and isinstance(exposed, list) else ():
        if isinstance(place, Mapping):
            yield str(place.get("nodeId")), str(place.get("fieldName"))


def _invalid(place: str, fault: str) -> InvalidRequest:
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
        raise InvalidRequest(
            f"graph: should be a mapping with 'nodes' and 'edges', got {type(graph).__name__}.",
            field="graph",
            suggestion="Example: {'nodes': {'sum': {'type': 'add', 'a': 1, 'b': 2}}, 'edges': []}.",
        )
    nodes = graph.get("nodes")
    if not isinstance(nodes, Mapping):
        raise InvalidRequest(
            "graph.nodes: should be a mapping of node ids to nodes.",
            suggestion="Pass its 'graph' entry." if "graph" in graph else "",
            field="graph.nodes",
        )
    if not nodes:
        raise _invalid("graph.nodes", "has no nodes, so that nothing would run")
    checked = {}
    for node_id, node in nodes.items():
        if not isinstance(node_id, str) or not node_id:
            raise _invalid("graph.nodes", f"the id {node_id!r} should be a non-empty string")
        if not isinstance(node, Mapping) or not isinstance(node.get("type"), str):
            raise _invalid(f"nodes.{node_id}.type", "should be the name of a node type, such as 'add'")
        if node.get("id", node_id) != node_id:
            raise _invalid(f"nodes.{node_id}.id", f"should be {node_id!r}, its key, got {node['id']!r}")
        _plain("graph.nodes", node_id)
        checked[node_id] = {name: _plain(f"nodes.{node_id}.{name}", value) for name, value in node.items()}
        checked[node_id]["id"] = node_id
    edges = graph.get("edges", [])
    if not isinstance(edges, list):
        raise _invalid("graph.edges", "should be a list")
    for index, edge in enumerate(edges):
        _check_edge(edge, index, checked)
    others = {name: _plain(f"graph.{name}", value) for name, value in graph.items() if name not in ("nodes", "edges")}
    return {**others, "nodes": checked, "edges": _plain("graph.edges", edges)}


def _check_edge(edge: object, index: int, nodes: Mapping[str, Any]) -> None:
    for side in ("source", "destination"):
        end = edge.get(side) if isinstance(edge, Mapping) else None
        if not isinstance(end, Mapping) or not isinstance(end.get("field"), str):
            raise _invalid(f"edges[{index}].{side}", "should be {'node_id': ..., 'field': ...}")
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
    return [_group(group, index) for index, group in enumerate(groups)]


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


def _plain(place: str, value: Any, depth: int = 0) -> Any:
    """A value as JSON holds it, with NumPy's scalars and arrays as Python's own.

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
            raise _invalid(
                place, f"holds half of a character at position {error.start}, which cannot be sent"
            ) from None
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise _invalid(place, f"should be a finite number, got {value}")
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEEPEST:
        raise _invalid(place, f"is nested more than {_DEEPEST} deep")
    if isinstance(value, Mapping):
        return {_plain(place, str(key)): _plain(place, inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(place, inner, depth + 1) for inner in value]
    raise _invalid(place, f"cannot be sent: {type(value).__name__} has no form in JSON")


def _batch_value(place: str, value: Any) -> Any:
    """One of a field's values. The server's batches take texts, numbers, images and videos (seen on 6.14.2)."""
    value = _plain(place, value)
    if isinstance(value, dict) and not (value and all(isinstance(inner, str) for inner in value.values())):
        raise InvalidRequest(
            f"{place}: should be a text, a number or an image, got {value!r:.80}.",
            suggestion="Such a value cannot be varied within a batch: submit one batch for each of them.",
            field=place,
        )
    return value
