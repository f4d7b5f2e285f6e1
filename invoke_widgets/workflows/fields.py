"""The fields of a workflow or graph that can be set, by names in words, with what a server's schema says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from invoke_widgets.workflows.editor import (
    ARGUMENT,
    BATCH_FIELDS,
    CALL,
    arguments_of,
    edges_of,
    form_fields,
    form_of,
    inputs_of,
    invocations,
    is_workflow,
    node_names,
)
from invoke_widgets.workflows.generators import FAMILIES, complete
from invoke_widgets.workflows.graph import normal_graph
from invoke_widgets.workflows.schemas import NodeSchemas

NOT_SET = frozenset({"id", "type", "is_intermediate", "use_cache", "metadata"})
_KINDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "switch", "array": "list"}
_REFERENCES = {
    "ModelIdentifierField": "model",
    "BoardField": "board",
    "ColorField": "color",
    "ImageField": "image",
    "VideoField": "video",
}
# The kinds of fields whose values a server varies within a batch (seen on 6.14.2).
_VARIED = frozenset({"text", "integer", "number", "choice", "image"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowField:
    """A field of a workflow or graph that can be set.

    Attributes:
        name: what it is called: its label in the form, or the title of the node's input, made unique by the node's
            name or the heading above it; outside the form, or in a graph, "node.field", with a number where nodes
            share a name: "add (2).a".
        path: "node.field", where the node is named by its label, type or id, the first that no other node shares.
        kind: "text", "integer", "number", "switch", "choice", "model", "board", "color", "image", "video", "list",
            "generator" (of a batch node's values) or "other"; "" if no server's schema was given.
        value: its value in the workflow; the server's default if it has none; None if it is open.
        choices: the allowed values of a "choice".
        minimum, maximum, step: the bounds of a number, each None if there is none.
        required: whether the workflow cannot run without a value.
        description: what the workflow's author or the server says about it.
        in_form: whether the workflow's author put it into the form or exposed it.
        heading: the heading above it in the form.
        fed_by: the path of the output that an edge feeds it from, "node.field"; setting it takes the edge out.
        problem: why this server cannot run it; "" if it can.
        bases, types: the bases and types of the models that it takes; () for any.
        node_id, field: where its value is in the graph.
        node_type, input: the type of node, and its input, whose schema the value fits: the node's own, or of a field of
            a saved workflow that the node calls, that workflow's.
    """

    name: str
    path: str
    kind: str = ""
    value: Any = None
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    required: bool = False
    description: str = ""
    in_form: bool = False
    heading: str = ""
    fed_by: str = ""
    problem: str = ""
    bases: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    node_id: str
    field: str
    node_type: str = ""
    input: str = ""

    @property
    def is_varied_by_server(self) -> bool:
        """Whether a server varies its values within a batch; otherwise each takes a batch of its own."""
        return self.kind in _VARIED and not self.field.startswith(ARGUMENT)


def fields(
    source: Mapping[str, Any],
    schemas: NodeSchemas | None = None,
    called: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[WorkflowField]:
    """List the fields that can be set, the form's first and in its order.

    Args:
        source: a graph, or the JSON of a workflow that InvokeAI's editor exports.
        schemas: the node types of a server, which add what it knows of each field. Without them, the fields are those
            that have a value and no edge.
        called: the workflows of the server's library that it calls, by id; those that are missing are a problem.

    Raises:
        InvalidRequest: it is neither.
    """
    known = NodeSchemas({}) if schemas is None else schemas
    return _of_workflow(source, known, called) if is_workflow(source) else _of_graph(source, known)


def _of_graph(graph: Mapping[str, Any], schemas: NodeSchemas) -> list[WorkflowField]:
    checked = normal_graph(graph)
    fed = {
        (edge["destination"]["node_id"], edge["destination"]["field"]): ".".join(edge["source"].values())
        for edge in checked["edges"]
    }
    found = []
    for node_id, node in checked["nodes"].items():
        for field in dict.fromkeys((*node, *schemas.inputs(node["type"]))):
            described = _described(schemas, node["type"], field, node.get(field), fed.get((node_id, field), ""))
            if described is not None:
                path = f"{node_id}.{field}"
                of = {"node_type": node["type"], "input": field}
                found.append(replace(described, name=path, path=path, node_id=node_id, field=field, **of))
    return found


def _of_workflow(
    workflow: Mapping[str, Any], schemas: NodeSchemas, called_workflows: Mapping[str, Mapping[str, Any]] | None
) -> list[WorkflowField]:
    nodes = invocations(workflow)
    names = node_names(nodes)
    called = _called(nodes, names)
    fed = {
        (edge["destination"]["node_id"], edge["destination"]["field"]): (
            f"{called[edge['source']['node_id']]}.{edge['source']['field']}"
        )
        for edge in edges_of(workflow, nodes)
    }
    exposed = {(node_id, field): heading for node_id, field, heading in form_fields(form_of(workflow))}
    found: dict[tuple[str, str], WorkflowField] = {}
    titles: dict[tuple[str, str], str] = {}
    for node_id, data in nodes.items():
        given = dict(inputs_of(data))
        arguments = _arguments(data, schemas, called_workflows or {})
        for field in dict.fromkeys((*given, *schemas.inputs(data["type"]))):
            place, input_ = (node_id, field), given.get(field, {})
            there = arguments.get(field)
            if there is None:
                described = _described(schemas, data["type"], field, input_.get("value"), fed.get(place, ""))
            else:
                described = replace(
                    there,
                    value=input_.get("value", there.value),
                    fed_by=fed.get(place, ""),
                    required=there.required and place not in fed,
                )
            if described is None or (data["type"] == CALL and field == "workflow_inputs"):
                continue
            if called_workflows is not None and data["type"] == CALL and field == "workflow_id":
                described = replace(described, problem=_uncallable(described.value, called_workflows))
            path = f"{names[node_id]}.{field}"
            title = there.name if there is not None else _title(schemas, data["type"], field)
            titles[place] = (_text(input_.get("label")) if there is None else "") or title
            found[place] = replace(
                described,
                name=f"{called[node_id]}.{field if there is None else title}",
                path=path,
                description=_text(input_.get("description")) or described.description,
                in_form=place in exposed,
                heading=exposed.get(place, ""),
                node_id=node_id,
                field=field,
                node_type=data["type"] if there is None else there.node_type,
                input=field if there is None else there.input,
            )
    in_form = [place for place in exposed if place in found]
    for place, name in _named(in_form, titles, exposed, nodes, schemas).items():
        found[place] = replace(found[place], name=name)
    return [found[place] for place in (*in_form, *(place for place in found if place not in exposed))]


def _arguments(
    data: Mapping[str, Any], schemas: NodeSchemas, called: Mapping[str, Mapping[str, Any]]
) -> dict[str, WorkflowField]:
    """The inputs of a node that stand for fields of the workflow it calls, as these are there."""
    arguments = arguments_of(data, called)
    if not arguments:
        return {}
    workflow = called[str(dict(inputs_of(data))["workflow_id"]["value"])]
    there = {(one.node_id, one.field): one for one in _of_workflow(workflow, schemas, None)}
    return {name: there[node, field] for name, (node, field, _) in arguments.items() if (node, field) in there}


def _called(nodes: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, str]:
    """What each node is called: its name, or where only an id tells it, its label or type with a number."""
    taken: Counter[str] = Counter()
    called: dict[str, str] = {}
    for node_id, data in nodes.items():
        word = _text(data.get("label")) or str(data["type"])
        taken[word] += 1
        called[node_id] = f"{word} ({taken[word]})" if names[node_id] == node_id else names[node_id]
    return called


def _named(
    places: list[tuple[str, str]],
    titles: Mapping[tuple[str, str], str],
    headings: Mapping[tuple[str, str], str],
    nodes: Mapping[str, Mapping[str, Any]],
    schemas: NodeSchemas,
) -> dict[tuple[str, str], str]:
    """Name a form's fields in words: by title, on a clash with the node's name or the heading, at last by number."""

    def node(place: tuple[str, str]) -> str:
        data = nodes[place[0]]
        return _text(data.get("label")) or schemas.title(data["type"]) or data["type"]

    names = {place: titles[place] for place in places}
    for prefix in (node, lambda place: headings[place]):
        counts = Counter(names.values())
        names |= {
            place: f"{before}: {titles[place]}"
            for place, name in names.items()
            if counts[name] > 1 and (before := prefix(place))
        }
    taken: Counter[str] = Counter()
    for place, name in names.items():
        taken[name] += 1
        if taken[name] > 1:
            names[place] = f"{name} ({taken[name]})"
    return names


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _title(schemas: NodeSchemas, node_type: str, field: str) -> str:
    title = _text(schemas.inputs(node_type).get(field, {}).get("title"))
    words = field.replace("_", " ").strip()
    return title or words[:1].upper() + words[1:]


def _described(schemas: NodeSchemas, node_type: str, field: str, value: Any, fed_by: str) -> WorkflowField | None:
    """What is known of a field, without its names; None if it cannot be set."""
    if field in NOT_SET:
        return None
    described = WorkflowField(name="", path="", value=value, fed_by=fed_by, node_id="", field="")
    if node_type in BATCH_FIELDS:  # the editor's own: they become the batch's values
        return replace(described, kind="list") if field == BATCH_FIELDS[node_type] else None
    if node_type in FAMILIES:
        settings = complete(value) if isinstance(value, Mapping) else None
        return replace(described, kind="generator", value=settings) if field == "generator" else None
    if field.startswith(ARGUMENT):  # of a called workflow that nothing is known of
        return None
    if not schemas:
        return None if fed_by else described
    if not schemas.has(node_type):
        return replace(described, problem=f"this server has no node type {node_type!r}")
    schema = schemas.inputs(node_type).get(field)
    if schema is None:
        return (
            replace(described, problem=f"{node_type!r} has no such field on this server") if value is not None else None
        )
    if schema.get("input") == "connection" or schema.get("ui_hidden"):
        return None
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    kind = next(filter(None, map(_kind, options)), "other")
    bounds = next(
        (option for option in (schema, *options) if "minimum" in option or "exclusiveMinimum" in option), schema
    )
    is_whole = kind == "integer"
    least, most = bounds.get("minimum"), bounds.get("maximum", schema.get("maximum"))
    if least is None and "exclusiveMinimum" in bounds and is_whole:
        least = bounds["exclusiveMinimum"] + 1
    return replace(
        described,
        kind=kind,
        value=schema.get("default") if value is None else value,
        choices=tuple(next((option["enum"] for option in (schema, *options) if "enum" in option), ())),
        minimum=least,
        maximum=most,
        step=schema.get("multipleOf", 1 if is_whole else None),
        required=bool(schema.get("orig_required")) and not fed_by,
        description=_text(schema.get("description")),
        bases=tuple(schema.get("ui_model_base") or ()),
        types=tuple(schema.get("ui_model_type") or ()),
    )


def _uncallable(workflow_id: Any, called: Mapping[str, Any]) -> str:
    """Why a node cannot call a saved workflow; "" if it can."""
    if not workflow_id:
        return "no saved workflow is chosen"
    return "" if workflow_id in called else f"this server's library has no workflow {workflow_id!r}"


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "choice"
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    return _REFERENCES.get(reference, "") if reference else _KINDS.get(str(schema.get("type")), "")
