"""Workflows exported from InvokeAI's editor: their nodes, edges, form, graph, and batch values. Pure functions.

The rules are the editor's and those of the server's builder for saved workflows (InvokeAI 6.14.2): nodes other than
invocations are left out, connectors are followed to their source, an input with an edge loses its own value, and
the boards "auto" and "none" are left out. Batch nodes become values to vary, and generators are evaluated, as in the
editor.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.workflows.graph import Data, invalid, near

BATCH_FIELDS = {
    "image_batch": "images",
    "string_batch": "strings",
    "integer_batch": "integers",
    "float_batch": "floats",
}
"""Types of the editor's batch nodes, and the input that holds the values."""
GENERATORS = ("image_generator", "string_generator", "integer_generator", "float_generator")


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
        if data["type"] not in BATCH_FIELDS and not _is_generator(data)
    }
    edges = []
    for edge in edges_of(workflow, nodes):
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
        InvalidRequest: a batch node has no values, or its generator cannot be evaluated.
    """
    nodes = invocations(workflow)
    edges = edges_of(workflow, nodes)
    names = node_names(nodes)
    groups: dict[str, list[dict[str, Any]]] = {}
    for node_id, data in nodes.items():
        field = BATCH_FIELDS.get(data["type"])
        if field is None:
            continue
        place = f"nodes.{names[node_id]}.{field}"
        inputs = dict(inputs_of(data))
        targets = [edge["destination"] for edge in edges if edge["source"]["node_id"] == node_id]
        feeding = [e["source"] for e in edges if e["destination"] == {"node_id": node_id, "field": field}]
        if feeding:
            items: Any = generated_values(nodes[feeding[0]["node_id"]], place)
        else:
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


def _is_generator(data: Mapping[str, Any]) -> bool:
    return data["type"] in GENERATORS


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
    for field, given in inputs_of(data):
        if "value" in given and not (field == "board" and given["value"] in ("auto", "none")):
            node[field] = given["value"]
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


# -- generators: the formulas and defaults of the editor (features/nodes/types/field.ts, InvokeAI 6.14) ----------------


def generated_values(data: Mapping[str, Any], place: str) -> list[Any]:
    """The values of a generator.

    Args:
        data: the data of the generator's node.
        place: the field that the values are for, for an error.

    Raises:
        InvalidRequest: only InvokeAI's editor can evaluate it.
    """
    generator = _generator(data)
    kind = str(generator.get("type", ""))
    family, _, formula = kind.partition("_generator_")
    number = {"integer": int, "float": float}.get(family)
    if isinstance(generator.get("values"), list):
        return list(generator["values"])
    if formula == "parse_string":
        return _parsed(str(generator.get("input", "")), str(generator.get("splitOn", ",")), family)
    count = int(generator.get("count", 10))
    if number is None or not 0 < count <= 1_000_000:
        raise _no_values(place, kind)
    if formula == "arithmetic_sequence":
        start, step = number(generator.get("start", 0)), number(generator.get("step", 1 if number is int else 0.1))
        return [start] if step == 0 else [start + i * step for i in range(count)]
    if formula == "linear_distribution":
        start, end = number(generator.get("start", 0)), number(generator.get("end", 10 if number is int else 1))
        if count == 1:
            return [start]
        parts = [(end - start) * (i / (count - 1)) for i in range(count)]
        return [start + (math.floor(part + 0.5) if number is int else part) for part in parts]
    if formula == "random_distribution_uniform":
        low, high = number(generator.get("min", 0)), number(generator.get("max", 10 if number is int else 1))
        randoms = _random(generator.get("seed"), count)
        return [math.floor(r * (high - low + 1)) + low if number is int else r * (high - low) + low for r in randoms]
    raise _no_values(place, kind)


def _generator(data: Mapping[str, Any]) -> Mapping[str, Any]:
    given = dict(inputs_of(data)).get("generator", {}).get("value")
    return given if isinstance(given, Mapping) else {}


def _no_values(place: str, kind: str) -> InvalidRequest:
    return InvalidRequest(
        f"{place}: its values come from a generator of the kind {kind!r}, which only InvokeAI's editor runs.",
        suggestion="Write the values into the batch node, or set them by the field's name.",
        field=place,
    )


def _random(seed: Any, count: int) -> list[float]:
    """Numbers in [0, 1), the same as the editor's Mersenne Twister makes of a seed."""
    import numpy as np

    state = np.random.RandomState(None if seed is None else int(seed) % 2**32)
    return [float(number) / 2**32 for number in state.randint(0, 2**32, count, dtype=np.uint32)]


def _parsed(text: str, separator: str, family: str) -> list[Any]:
    with contextlib.suppress(ValueError):
        separator = json.loads(f'"{separator}"')  # as the editor does, so that \\n is a line's end
    parts = [part for part in (text.split(separator) if separator else [text]) if part]
    if family == "string":
        return list(parts)
    numbers = [_leading_number(part.strip(), family) for part in parts]
    return [number for number in numbers if number is not None]


def _leading_number(text: str, family: str) -> float | int | None:
    """The number that a text begins with, as JavaScript reads it; None if there is none."""
    pattern = r"[+-]?\d+" if family == "integer" else r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
    found = re.match(pattern, text)
    return None if found is None else int(found[0]) if family == "integer" else float(found[0])
