"""The graph of a batch, and its validation."""

from __future__ import annotations

import types
import typing
from collections import Counter
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .nodes import AnyInvocation, CollectInvocation, IterateInvocation, new_id

ITEM = "item"
COLLECTION = "collection"


class EdgeConnection(BaseModel):
    """One end of an edge"""

    model_config = ConfigDict(frozen=True)

    node_id: str
    field: str


class Edge(BaseModel):
    """A connection of an output field with an input field"""

    model_config = ConfigDict(frozen=True)

    source: EdgeConnection
    destination: EdgeConnection

    def __str__(self) -> str:
        source, destination = self.source, self.destination
        return f"{source.node_id}.{source.field} -> {destination.node_id}.{destination.field}"


class Graph(BaseModel):
    """Nodes and the edges between them"""

    id: str = Field(default_factory=new_id)
    nodes: dict[str, AnyInvocation] = {}
    edges: list[Edge] = []

    def edges_into(self, node_id: str, field: str | None = None) -> list[Edge]:
        """Return the edges into a node, or into one of its fields, in the graph's order."""
        return [
            edge
            for edge in self.edges
            if edge.destination.node_id == node_id and field in (None, edge.destination.field)
        ]

    def edges_from(self, node_id: str, field: str) -> list[Edge]:
        """Return the edges from a node's field, in the graph's order."""
        return [edge for edge in self.edges if edge.source.node_id == node_id and edge.source.field == field]

    def validated(self) -> Graph:
        """Return the graph, or raise ValueError for the first problem found."""
        self._check_ids()
        self._check_edge_ends()
        topological_order(self)
        for edge in self.edges:
            if not compatible(_output_type(self, edge.source), _input_type(self, edge.destination)):
                raise ValueError(f"Edge source and target types do not match ({edge})")
        for node in self.nodes.values():
            if isinstance(node, IterateInvocation) and (problem := _iterate_problem(self, node.id)):
                raise ValueError(f"Invalid iterator node ({node.id}): {problem}")
            if isinstance(node, CollectInvocation) and (problem := _collect_problem(self, node.id)):
                raise ValueError(f"Invalid collector node ({node.id}): {problem}")
        return self

    def _check_ids(self) -> None:
        ids = [node.id for node in self.nodes.values()]
        if duplicates := {node_id for node_id, count in Counter(ids).items() if count > 1}:
            raise ValueError(f"Node ids must be unique, found duplicates {duplicates}")
        for key, node in self.nodes.items():
            if key != node.id:
                raise ValueError(f"Node ids must match, got {key} and {node.id}")

    def _check_edge_ends(self) -> None:
        for edge in self.edges:
            source, destination = edge.source, edge.destination
            if source.node_id not in self.nodes:
                raise ValueError(f"Edge source node {source.node_id} does not exist in the graph")
            if destination.node_id not in self.nodes:
                raise ValueError(f"Edge destination node {destination.node_id} does not exist in the graph")
            if source.field not in self.nodes[source.node_id].output_class.model_fields:
                raise ValueError(f"Edge source field {source.field} does not exist in node {source.node_id}")
            if destination.field not in type(self.nodes[destination.node_id]).model_fields:
                raise ValueError(
                    f"Edge destination field {destination.field} does not exist in node {destination.node_id}"
                )


ValidGraph = Annotated[Graph, AfterValidator(Graph.validated)]


def topological_order(graph: Graph) -> list[str]:
    """Return the node ids in topological order, generation by generation as InvokeAI does.

    Raises:
        ValueError: it has a cycle.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(graph.nodes, ()))
    for edge in graph.edges:
        sorter.add(edge.destination.node_id, edge.source.node_id)
    try:
        sorter.prepare()
    except CycleError:
        raise ValueError("Graph contains cycles") from None
    order: list[str] = []
    while sorter.is_active():
        generation = sorter.get_ready()
        order.extend(generation)
        sorter.done(*generation)
    return order


def _output_type(graph: Graph, end: EdgeConnection) -> Any:
    return graph.nodes[end.node_id].output_class.model_fields[end.field].annotation


def _input_type(graph: Graph, end: EdgeConnection) -> Any:
    return type(graph.nodes[end.node_id]).model_fields[end.field].annotation


def _is_any(kind: Any) -> bool:
    return kind is Any or Any in typing.get_args(kind)


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) is list or any(typing.get_origin(arg) is list for arg in typing.get_args(kind))


def _is_subclass(kind: Any, other: Any) -> bool:
    return isinstance(kind, type) and isinstance(other, type) and issubclass(kind, other)


def _in_union(kind: Any, union: Any) -> bool:
    members = typing.get_args(union)
    return all(part in members for part in typing.get_args(kind) or (kind,))


def compatible(source: Any, target: Any) -> bool:
    """Whether an output of one type may be connected with an input of another."""
    if source == target or _is_any(source) or _is_any(target):
        return True
    if source in typing.get_args(target) or target in typing.get_args(source):
        return True
    # pydantic casts these.
    if (source is int and target is float) or (source in (int, float) and target is str):
        return True
    if isinstance(source, type) and isinstance(target, type) and not isinstance(target, types.GenericAlias):
        return _is_subclass(source, target)
    return _in_union(source, target)


def _iterate_problem(graph: Graph, node_id: str) -> str | None:
    inputs = graph.edges_into(node_id, COLLECTION)
    if not inputs:
        return "Iterator must have a collection input edge"
    if len(inputs) > 1:
        return "Iterator may only have one input edge"
    source = inputs[0].source
    kind = _output_type(graph, source)
    if typing.get_origin(kind) is not list:
        return "Iterator input must be a collection"
    targets = [_input_type(graph, edge.destination) for edge in graph.edges_from(node_id, ITEM)]
    if not all(compatible(typing.get_args(kind)[0], target) for target in targets):
        return "Iterator outputs must connect to an input with a matching type"
    if isinstance(graph.nodes[source.node_id], CollectInvocation):
        root = _collected_type(graph, source.node_id)
        if root is None:
            return "Iterator input collector must have at least one item or collection input edge"
        if not all(compatible(root, target) for target in targets):
            return "Iterator collection type must match all iterator output types"
    return None


def _without_none(kinds: Iterable[Any]) -> set[Any]:
    return {kind for kind in kinds if kind is not types.NoneType}


def _item_types(kind: Any) -> set[Any]:
    if _is_any(kind):
        return {Any}
    lists = [kind] if typing.get_origin(kind) is list else typing.get_args(kind)
    return {
        item
        for part in lists
        if typing.get_origin(part) is list
        for item in _without_none(typing.get_args(part) or (Any,))
    }


def _collected_types(graph: Graph, node_id: str) -> set[Any]:
    """Return every type that a collector may receive, including through chained collectors."""
    kinds: set[Any] = set()
    for edge in graph.edges_into(node_id, ITEM):
        kind = _output_type(graph, edge.source)
        kinds |= _without_none([kind] if typing.get_origin(kind) is None else typing.get_args(kind))
    for edge in graph.edges_into(node_id, COLLECTION):
        if isinstance(graph.nodes[edge.source.node_id], CollectInvocation):
            kinds |= _collected_types(graph, edge.source.node_id)
        else:
            kinds |= _item_types(_output_type(graph, edge.source))
    return kinds


def _root_types(kinds: set[Any]) -> list[Any]:
    """Return the types without a base class among the others."""
    return [kind for kind in kinds if not any(other != kind and _is_subclass(kind, other) for other in kinds)]


def _collected_type(graph: Graph, node_id: str) -> Any:
    kinds = _collected_types(graph, node_id)
    if not kinds:
        return None
    roots = _root_types(kinds - {Any})
    return roots[0] if len(roots) == 1 else Any


def _collect_problem(graph: Graph, node_id: str) -> str | None:
    collections = graph.edges_into(node_id, COLLECTION)
    if not collections and not graph.edges_into(node_id, ITEM):
        return "Collector must have at least one item or collection input edge"
    if not all(_is_list(kind) or _is_any(kind) for kind in (_output_type(graph, edge.source) for edge in collections)):
        return "Collector collection input must be a collection"
    roots = _root_types(_collected_types(graph, node_id) - {Any})
    if len(roots) > 1:
        return "Collector input collection items must be of a single type"
    root = roots[0] if roots else None

    outputs = graph.edges_from(node_id, COLLECTION)
    targets = [_input_type(graph, edge.destination) for edge in outputs]
    if not all(_is_list(target) or _is_any(target) for target in targets):
        return "Collector output must connect to a collection input"
    mismatch = "Collector outputs must connect to a collection input with a matching type"
    for target in targets:
        if _is_any(target):
            continue
        items = _item_types(target)
        if root is None and Any not in items:
            return mismatch
        if root is not None and not any(_in_union(root, item) or _is_subclass(root, item) for item in items):
            return mismatch
    for edge in outputs:
        if edge.destination.field == COLLECTION and isinstance(
            graph.nodes[edge.destination.node_id], CollectInvocation
        ):
            downstream = _collected_type(graph, edge.destination.node_id)
            if downstream is None or (root is None and downstream is Any):
                continue
            if root is None or not compatible(root, downstream):
                return mismatch
    return None
