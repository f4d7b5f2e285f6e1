"""Workflows exported from InvokeAI's editor: their nodes, edges, form, graph, and batch values. Pure functions.

The rules are the editor's and those of the server's builder for saved workflows (InvokeAI 6.14.2): nodes other than
invocations are left out, connectors are followed to their source, an input with an edge loses its own value, and
the boards "auto" and "none" are left out. As in the editor alone, what is null is left out, batch nodes become values
to vary, and generators are evaluated.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.workflows.generators import FAMILIES, Answers, question, values_of
from invoke_widgets.workflows.graph import Data, invalid, near

BATCH_FIELDS = {
    "image_batch": "images",
    "string_batch": "strings",
    "integer_batch": "integers",
    "float_batch": "floats",
}
"""Types of the editor's batch nodes, and the input that holds the values."""
_ALONE = "None"
"""The group of a batch node that is in none."""
CALL = "call_saved_workflow"
"""The type of a node that runs a workflow of the server's library."""
ARGUMENT = "saved_workflow_input::"
"""The prefix of such a node's inputs that set a field of the workflow: the node's id, "::" and the field follow."""


def is_workflow(pasted: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether `pasted` is a workflow rather than a graph: its nodes are a list."""
    return isinstance(pasted, Mapping) and isinstance(pasted.get("nodes"), list)


def graph_of(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The graph that the editor would enqueue for a workflow.

    Raises:
        InvalidRequest: it is not an exported workflow.
    """
    nodes = invocations(workflow)
    graph_nodes = {
        node_id: _node(node_id, data)
        for node_id, data in nodes.items()
        if data["type"] not in BATCH_FIELDS and data["type"] not in FAMILIES
    }
    edges = [
        edge
        for edge in edges_of(workflow, nodes)
        if edge["source"]["node_id"] in graph_nodes and edge["destination"]["node_id"] in graph_nodes
    ]
    for edge in edges:
        target, field = graph_nodes[edge["destination"]["node_id"]], edge["destination"]["field"]
        (target["workflow_inputs"] if _is_argument(target, field) else target).pop(field, None)
    return {"nodes": graph_nodes, "edges": edges}


def as_it_ran(workflow: Mapping[str, Any], graph: Mapping[str, Any]) -> dict[str, Any]:
    """A workflow with the values of a graph that was made of it.

    The server takes one workflow for a batch, and puts it into every picture, with the same values in each; what the
    batch varied, which are texts, numbers and images, is in the graph alone. A field that a batch node fed has the one
    value that ran, and is not fed any more.

    Raises:
        InvalidRequest: it is not an exported workflow.
    """
    ran = copy.deepcopy(dict(workflow))
    nodes = invocations(ran)
    ran_nodes = graph.get("nodes")
    by_node: set[tuple[str, str]] = set()
    by_batch: set[tuple[str, str]] = set()
    for edge in edges_of(ran, nodes):
        is_batch = nodes[edge["source"]["node_id"]]["type"] in BATCH_FIELDS
        (by_batch if is_batch else by_node).add((edge["destination"]["node_id"], edge["destination"]["field"]))
    free = set()
    for node_id, data in nodes.items():
        node = ran_nodes.get(node_id) if isinstance(ran_nodes, Mapping) else None
        for field, given in dict(inputs_of(data)).items():
            value = node.get(field) if isinstance(node, Mapping) else None
            if isinstance(value, Mapping) and "image_name" in value:
                value = {"image_name": value["image_name"]}
            elif not isinstance(value, str | int | float):
                continue
            if (node_id, field) not in by_node:
                free.add((node_id, field))
                if value != given.get("value"):
                    data["inputs"][field] = {**given, "value": value}
    if free & by_batch:
        ran["edges"] = [
            edge for edge in ran["edges"] if (edge.get("target"), edge.get("targetHandle")) not in free & by_batch
        ]
    return ran


def own_data(workflow: Mapping[str, Any], answers: Answers | None = None) -> Data:
    """The values of the workflow's own batch nodes in the server's form; nodes of one group are zipped.

    Args:
        answers: what a server said to `questions`.

    Raises:
        InvalidRequest: a batch node has no values, or its generator cannot be evaluated.
    """
    nodes = invocations(workflow)
    edges = edges_of(workflow, nodes)
    names = node_names(nodes)
    grouped: dict[str, list[list[dict[str, Any]]]] = {}
    for node_id, field in _batch_nodes(nodes):
        place = f"nodes.{names[node_id]}.{field}"
        generator = _generator_of(node_id, field, nodes, edges)
        inputs = dict(inputs_of(nodes[node_id]))
        items: Any = inputs.get(field, {}).get("value")
        if generator is not None:
            items = values_of(generator, place, answers or {})
        if not isinstance(items, list) or not items:
            raise InvalidRequest(
                f"{place}: the batch node has no values.",
                suggestion="Give it some in the editor, or leave it out and pass them as data=...",
                field=place,
            )
        targets = [edge["destination"] for edge in edges if edge["source"]["node_id"] == node_id]
        entries = [{"node_path": to["node_id"], "field_name": to["field"], "items": items} for to in targets]
        group = str(inputs.get("batch_group_id", {}).get("value") or _ALONE)
        grouped.setdefault(group, []).append(entries)
    # In the editor's order, since the last varies fastest: nodes without a group come where the first of them is.
    data = [
        entries
        for group, each in grouped.items()
        for entries in (each if group == _ALONE else [[entry for one in each for entry in one]])
    ]
    return [entries for entries in data if entries]


def questions(workflow: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The generators that only a server can evaluate, by what it is asked, for `own_data`."""
    nodes = invocations(workflow)
    edges = edges_of(workflow, nodes)
    feeding = (_generator_of(node_id, field, nodes, edges) for node_id, field in _batch_nodes(nodes))
    return {asked: generator for generator in feeding if generator is not None and (asked := question(generator))}


def _batch_nodes(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The id of each batch node, and the input that holds its values."""
    for node_id, data in nodes.items():
        if (field := BATCH_FIELDS.get(data["type"])) is not None:
            yield node_id, field


def _generator_of(
    node_id: str, field: str, nodes: Mapping[str, Mapping[str, Any]], edges: list[dict[str, dict[str, str]]]
) -> Mapping[str, Any] | None:
    """The settings of the generator that feeds a batch node; None if none does."""
    here = {"node_id": node_id, "field": field}
    feeding = next((edge["source"]["node_id"] for edge in edges if edge["destination"] == here), None)
    if feeding is None:
        return None
    given = dict(inputs_of(nodes[feeding])).get("generator", {}).get("value")
    return given if isinstance(given, Mapping) else {}


# -- calls of saved workflows ------------------------------------------------------------------------------------------


def called_ids(workflow: Mapping[str, Any]) -> set[str]:
    """The ids of the workflows in the server's library that a workflow calls."""
    called = (_called_id(data) for data in invocations(workflow).values() if data["type"] == CALL)
    return {workflow_id for workflow_id in called if workflow_id}


def _called_id(data: Mapping[str, Any]) -> str:
    return str(dict(inputs_of(data)).get("workflow_id", {}).get("value") or "")


def arguments_of(
    data: Mapping[str, Any], called: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str, Mapping[str, Any]]]:
    """The inputs of a node that stand for fields of the workflow it calls, in the order of that workflow's form.

    Args:
        data: the data of the node.
        called: the workflows of the library, by id.

    Returns:
        By name: the id of the node in the called workflow, its field, and that field's input there; empty if the node
        calls none of them.
    """
    workflow = called.get(_called_id(data)) if data["type"] == CALL else None
    if workflow is None:
        return {}
    nodes = invocations(workflow)
    return {
        f"{ARGUMENT}{node_id}::{field}": (node_id, field, given)
        for node_id, field, _ in form_fields(form_of(workflow))
        if node_id in nodes
        and (given := dict(inputs_of(nodes[node_id])).get(field)) is not None
        and not field.startswith(ARGUMENT)
    }


def with_called(workflow: Mapping[str, Any], called: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A workflow whose calls have the fields that the called workflows expose now, as when the editor loads it.

    Args:
        workflow: an exported workflow.
        called: the workflows of the library, by id. Calls of others are left as they are.
    """
    loaded = copy.deepcopy(dict(workflow))
    for node_id, data in invocations(loaded).items():
        if data["type"] != CALL or _called_id(data) not in called:
            continue
        arguments = arguments_of(data, called)
        given = dict(inputs_of(data))
        inputs = {name: value for name, value in given.items() if not name.startswith(ARGUMENT)}
        for name, (_, _, there) in arguments.items():
            before = {"label": "", "description": "", **given.get(name, {})}
            named = {key: there.get(key) or before[key] for key in ("label", "description")}
            value = {"value": there["value"]} if "value" in there else {}
            inputs[name] = {"name": name, **value, **before, **named}
        node = next(node for node in loaded["nodes"] if node["id"] == node_id)
        node["data"]["inputs"] = inputs
        if isinstance(loaded.get("edges"), list):
            loaded["edges"] = [
                edge
                for edge in loaded["edges"]
                if edge.get("target") != node_id
                or not str(edge.get("targetHandle")).startswith(ARGUMENT)
                or edge["targetHandle"] in arguments
            ]
    return loaded


def _is_argument(node: Mapping[str, Any], field: str) -> bool:
    return node["type"] == CALL and field.startswith(ARGUMENT)


def with_ids(workflow: Mapping[str, Any], data: Data) -> Data:
    """`data` with the nodes' ids in place of labels and types.

    Raises:
        InvalidRequest: a name fits no node, or several.
    """
    nodes = invocations(workflow)
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


def node_names(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The name of each node by its id: its label or type if no other node has it, else the id."""
    taken = [str(data.get(of)) for data in nodes.values() for of in ("label", "type")]
    return {
        node_id: next(
            (str(data[of]) for of in ("label", "type") if data.get(of) and taken.count(str(data[of])) == 1), node_id
        )
        for node_id, data in nodes.items()
    }


def invocations(workflow: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The data of each invocation by its node id."""
    nodes = workflow.get("nodes")
    if not isinstance(nodes, list):
        raise invalid("graph.nodes", "should be a list, as InvokeAI's editor exports it")
    found: dict[str, Mapping[str, Any]] = {}
    for index, node in enumerate(nodes):
        if not isinstance(node, Mapping) or not isinstance(node.get("id"), str):
            raise invalid(f"nodes[{index}].id", "should be a string, as InvokeAI's editor exports it")
        if node.get("type") != "invocation":
            continue
        data = node.get("data")
        if not isinstance(data, Mapping) or not isinstance(data.get("type"), str):
            raise invalid(f"nodes[{index}].data.type", "should be the name of a node type, such as 'add'")
        found[node["id"]] = data
    return found


def inputs_of(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
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
    if node["type"] == CALL:
        node["workflow_inputs"] = {}
    for field, given in inputs_of(data):
        value = given.get("value")
        if value is None or (field == "board" and value in ("auto", "none")):
            continue
        if _is_argument(node, field):
            node["workflow_inputs"][field] = value
        elif not (node["type"] == CALL and field == "workflow_inputs"):
            node[field] = value
    return node


def edges_of(workflow: Mapping[str, Any], nodes: Mapping[str, Any]) -> list[dict[str, dict[str, str]]]:
    """The edges between invocations, each once, with connectors replaced by their source."""
    edges = workflow.get("edges", [])
    if not isinstance(edges, list):
        raise invalid("graph.edges", "should be a list, as InvokeAI's editor exports it")
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


def form_of(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The workflow's form in its order, each element once.

    Returns:
        Elements as the editor exports them: `type` ("container", "node-field", "heading", "text", "divider") and
        `data`, with the elements inside a container as `children`. A workflow from before there were forms has a
        "node-field" for each exposed field.
    """
    form = workflow.get("form")
    elements = form.get("elements") if isinstance(form, Mapping) else None
    found: list[dict[str, Any]] = []
    if isinstance(form, Mapping) and isinstance(elements, Mapping):
        # Forms of today nest by `children`; each element is taken once, so that a circle ends.
        seen: set[str] = set()

        def read(element_id: object) -> dict[str, Any] | None:
            element = elements.get(element_id) if isinstance(element_id, str) else None
            element = element if isinstance(element, Mapping) else {}
            data = element.get("data")
            if (
                not isinstance(element_id, str)
                or element_id in seen
                or not isinstance(data, Mapping)
                or len(seen) > 10_000
            ):
                return None
            seen.add(element_id)
            inside = data.get("children")
            children = [read(child) for child in (inside if isinstance(inside, list) else ())]
            # Elements of older exports say their type only by what they hold.
            kind = str(element.get("type") or ("node-field" if "fieldIdentifier" in data else "container"))
            return {"type": kind, "data": data, "children": [child for child in children if child is not None]}

        root = read(form.get("rootElementId"))
        found = root["children"] if root is not None else []
    if not any(True for _ in form_fields(found)):
        exposed = workflow.get("exposedFields")
        found += [
            {"type": "node-field", "data": {"fieldIdentifier": place}, "children": []}
            for place in (exposed if isinstance(exposed, list) else ())
            if isinstance(place, Mapping)
        ]
    return found


def form_fields(elements: list[dict[str, Any]], heading: str = "") -> Iterator[tuple[str, str, str]]:
    """Node id, field, and the last heading before it, of each field in a form."""
    for element in elements:
        data = element["data"]
        place = data.get("fieldIdentifier")
        if element["type"] == "heading":
            heading = str(data.get("content") or "").strip()
        if element["type"] == "node-field" and isinstance(place, Mapping):
            yield str(place.get("nodeId")), str(place.get("fieldName")), heading
        yield from form_fields(element["children"], heading)
