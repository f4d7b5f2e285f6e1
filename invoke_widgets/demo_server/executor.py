"""Execute a session's graph node by node: expand iterators, gather collectors, pass results along edges.

A node of the graph (a *source* node) becomes one or more *execution* nodes: one for each combination of the iterations
around it. These coordinates are kept as `Coords`: pairs of an iterator's id and an index, the outermost one first.
An ordinary node is the natural join of its parents on their shared iterators. Hence two independent iterators produce
their product, and a value from outside a loop enters each iteration. A collector gathers the values that differ in the
innermost coordinate only, and so leaves one level of nesting.

The order is InvokeAI's: nodes are expanded in topological order; ready ones wait in one queue per class, sorted by
iteration; the queue of one class is drained before that of the next class, by name.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, TypeAlias

from pydantic import ValidationError

from .graph import COLLECTION, ITEM, Edge, EdgeConnection, topological_order
from .nodes import BaseInvocation, BaseInvocationOutput, CollectInvocation, IterateInvocation, new_id
from .session import GraphExecutionState

Coords: TypeAlias = tuple[tuple[str, int], ...]
Parents: TypeAlias = list[tuple[str, str]]
"""Pairs of a source node's id and the id of one of its execution nodes."""


class NodeInputError(ValueError):
    """An input refused the value of its edge.

    Attributes:
        node: the execution node with that input.
    """

    def __init__(self, node: BaseInvocation, error: ValidationError) -> None:
        path = ""
        for part in error.errors()[0]["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        super().__init__(f"Node {node.id} has invalid incoming input for {path}")
        self.node = node


def _path(coords: Coords) -> tuple[int, ...]:
    return tuple(index for _, index in coords)


class Executor:
    """Execute a fresh session in place: call `next()` and `complete()` in turn until `next()` returns None."""

    def __init__(self, state: GraphExecutionState) -> None:
        self.state = state
        graph = state.graph
        self._order = topological_order(graph)
        self._rank = {node_id: rank for rank, node_id in enumerate(self._order)}
        self._inputs: dict[str, list[Edge]] = {node_id: [] for node_id in graph.nodes}
        for edge in graph.edges:
            self._inputs[edge.destination.node_id].append(edge)
        self._parents = {
            node_id: list(dict.fromkeys(edge.source.node_id for edge in edges))
            for node_id, edges in self._inputs.items()
        }
        self._iterators_above: dict[str, set[str]] = {}
        self._scope: dict[str, tuple[str, ...]] = {}
        for node_id in self._order:
            self._place(node_id)
        self._coords: dict[str, Coords] = {}
        self._exec_inputs: dict[str, list[Edge]] = {}
        self._exec_children: dict[str, list[str]] = {}
        self._ready: dict[str, list[str]] = {}
        self._draining: str | None = None

    def _place(self, node_id: str) -> None:
        """Record the iterators upstream of a node, and those whose iterations it belongs to."""
        node = self.state.graph.nodes[node_id]
        above: set[str] = set()
        scope: set[str] = set()
        for parent in self._parents[node_id]:
            above |= self._iterators_above[parent]
            if isinstance(self.state.graph.nodes[parent], IterateInvocation):
                above.add(parent)
            scope |= set(self._scope[parent])
        self._iterators_above[node_id] = above
        if isinstance(node, CollectInvocation):
            scope = set()
        if isinstance(node, IterateInvocation):
            scope.add(node_id)
        self._scope[node_id] = tuple(sorted(scope, key=self._rank.__getitem__))

    def next(self) -> BaseInvocation | None:
        """Return the next node to run with its inputs set, or None at the end.

        Raises:
            NodeInputError: an input refused the value of its edge.
        """
        node = self._pop_ready()
        if node is None:
            expanded = self._expand()
            while expanded:
                expanded = self._expand()
                if node is None:
                    node = self._pop_ready()
        if node is not None:
            try:
                self._set_inputs(node)
            except ValidationError as error:
                raise NodeInputError(node, error) from error
        return node

    def complete(self, exec_id: str, output: BaseInvocationOutput) -> None:
        """Record a node's output, and queue the nodes that become ready."""
        state = self.state
        state.executed.add(exec_id)
        state.results[exec_id] = output
        node = state.execution_graph.nodes[exec_id]
        if isinstance(node, IterateInvocation | CollectInvocation):
            node.collection = []
        source_id = state.prepared_source_mapping[exec_id]
        if state.source_prepared_mapping[source_id] <= state.executed:
            state.executed.add(source_id)
            state.executed_history.append(source_id)
        for child in self._exec_children.get(exec_id, []):
            state.indegree[child] -= 1
            if state.indegree[child] == 0:
                self._enqueue(child)

    def _enqueue(self, exec_id: str) -> None:
        queue = self._ready.setdefault(type(self.state.execution_graph.nodes[exec_id]).__name__, [])
        path = self.state.prepared_iteration_paths[exec_id]
        position = len(queue)
        while position and self.state.prepared_iteration_paths[queue[position - 1]] > path:
            position -= 1
        queue.insert(position, exec_id)

    def _pop_ready(self) -> BaseInvocation | None:
        if self._draining is None or not self._ready.get(self._draining):
            self._draining = min((name for name, queue in self._ready.items() if queue), default=None)
            if self._draining is None:
                return None
        return self.state.execution_graph.nodes[self._ready[self._draining].pop(0)]

    def _expand(self) -> bool:
        """Create the execution nodes of the next source node that can be expanded; return False if there is none."""
        state = self.state
        for node_id in self._order:
            if node_id in state.source_prepared_mapping or not self._iterators_above[node_id] <= state.executed:
                continue
            node = state.graph.nodes[node_id]
            if isinstance(node, IterateInvocation) and not all(p in state.executed for p in self._parents[node_id]):
                continue
            if isinstance(node, CollectInvocation):
                rows: Iterable[tuple[Coords, Parents]] = self._groups(node_id)
            else:
                rows = self._join(node_id)
            state.source_prepared_mapping[node_id] = set()
            for coords, parents in rows:
                if isinstance(node, IterateInvocation):
                    for index in range(len(self._collection_for(node_id, parents))):
                        self._create(node, node_id, (*coords, (node_id, index)), parents)
                else:
                    self._create(node, node_id, coords, parents)
            if not state.source_prepared_mapping[node_id]:
                state.executed.add(node_id)
                state.executed_history.append(node_id)
            return True
        return False

    def _collection_for(self, node_id: str, parents: Parents) -> list[Any]:
        edge = next(edge for edge in self._inputs[node_id] if edge.destination.field == COLLECTION)
        result = self.state.results[dict(parents)[edge.source.node_id]]
        collection: list[Any] = getattr(result, edge.source.field)
        return collection

    def _join(self, node_id: str) -> list[tuple[Coords, Parents]]:
        """Return the natural join of a node's parents on their shared iterators."""
        rows: list[tuple[dict[str, int], Parents]] = [({}, [])]
        for parent in self._parents[node_id]:
            candidates = self.state.source_prepared_mapping[parent]
            bound = set(rows[0][0]) if rows else set()
            index: dict[frozenset[tuple[str, int]], list[str]] = {}
            for exec_id in candidates:
                shared = frozenset(pair for pair in self._coords[exec_id] if pair[0] in bound)
                index.setdefault(shared, []).append(exec_id)
            axes = {axis for exec_id in candidates for axis, _ in self._coords[exec_id]} & bound
            rows = [
                ({**coords, **dict(self._coords[exec_id])}, [*parents, (parent, exec_id)])
                for coords, parents in rows
                for exec_id in index.get(frozenset((axis, coords[axis]) for axis in axes), [])
            ]
        joined = [(self._sorted(coords), parents) for coords, parents in rows]
        return sorted(joined, key=lambda row: _path(row[0]))

    def _sorted(self, coords: dict[str, int]) -> Coords:
        return tuple(sorted(coords.items(), key=lambda pair: self._rank[pair[0]]))

    def _groups(self, node_id: str) -> list[tuple[Coords, Parents]]:
        """Return what a collector gathers: a group per iteration around it, including empty ones.

        As in InvokeAI, groups are distinguished by their indices alone, whichever iterators these belong to.
        """
        groups: dict[tuple[int, ...], Coords] = {}
        members: list[tuple[str, str, str]] = []
        for edge in self._inputs[node_id]:
            source, field = edge.source.node_id, edge.destination.field
            for coords in self._enclosing(source, field):
                groups.setdefault(_path(coords), coords)
            exec_ids = sorted(self.state.source_prepared_mapping[source], key=self._sort_key)
            depth = max((len(self._coords[exec_id]) for exec_id in exec_ids), default=0)
            for exec_id in exec_ids:
                coords = self._coords[exec_id]
                coords = coords[: max(depth - 1, 0)] if field == ITEM else coords
                groups.setdefault(_path(coords), coords)
                members.append((field, source, exec_id))
        if not groups:
            groups[()] = ()
        innermost = [p for p in groups if not any(p != other and other[: len(p)] == p for other in groups)]
        return [
            (groups[path], [(source, exec_id) for field, source, exec_id in members if self._in(path, field, exec_id)])
            for path in sorted(innermost)
        ]

    def _enclosing(self, source: str, field: str) -> set[Coords]:
        """Return the iterations around a collector, as seen from one of its inputs."""
        scope = self._scope[source]
        depth = max(len(scope) - 1, 0) if field == ITEM else len(scope)
        found: set[Coords] = set()
        for iterator in scope:
            if depth:
                turns = (self._coords[exec_id] for exec_id in self.state.source_prepared_mapping[iterator])
                found |= {coords[:depth] for coords in turns if len(coords) >= depth}
            for edge in self._inputs[iterator]:
                if edge.destination.field == COLLECTION:
                    exec_ids = self.state.source_prepared_mapping[edge.source.node_id]
                    found |= {self._coords[exec_id] for exec_id in exec_ids}
        return found or ({()} if depth == 0 else set())

    def _in(self, group: tuple[int, ...], field: str, exec_id: str) -> bool:
        """Return whether a collector's input belongs to a group."""
        path = _path(self._coords[exec_id])
        return group[: len(path)] == path or (field == ITEM and path[: len(group)] == group)

    def _sort_key(self, exec_id: str) -> tuple[tuple[int, ...], str]:
        return (self.state.prepared_iteration_paths[exec_id], exec_id)

    def _create(self, node: BaseInvocation, node_id: str, coords: Coords, parents: Parents) -> None:
        state = self.state
        copied = node.model_copy(deep=True)
        copied.id = exec_id = new_id()
        if isinstance(copied, IterateInvocation):
            copied.index = coords[-1][1]
        if isinstance(copied, IterateInvocation | CollectInvocation):
            copied.use_cache = False
        state.execution_graph.nodes[exec_id] = copied
        state.prepared_source_mapping[exec_id] = node_id
        state.source_prepared_mapping[node_id].add(exec_id)
        state.prepared_iteration_paths[exec_id] = _path(coords)
        self._coords[exec_id] = coords
        edges = [
            Edge(
                source=EdgeConnection(node_id=parent_exec, field=edge.source.field),
                destination=EdgeConnection(node_id=exec_id, field=edge.destination.field),
            )
            for edge in self._inputs[node_id]
            for parent, parent_exec in parents
            if parent == edge.source.node_id
        ]
        state.execution_graph.edges.extend(edges)
        self._exec_inputs[exec_id] = edges
        for edge in edges:
            self._exec_children.setdefault(edge.source.node_id, []).append(exec_id)
        state.indegree[exec_id] = sum(edge.source.node_id not in state.executed for edge in edges)
        if state.indegree[exec_id] == 0:
            self._enqueue(exec_id)

    def _result(self, edge: Edge) -> Any:
        return getattr(self.state.results[edge.source.node_id], edge.source.field)

    def _set_inputs(self, node: BaseInvocation) -> None:
        edges = self._exec_inputs[node.id]
        if isinstance(node, IterateInvocation):
            for edge in edges:
                if edge.destination.field == COLLECTION:
                    # Bypasses validation, which would copy the whole list for each of its items.
                    node.__dict__[COLLECTION] = self._result(edge)
        elif isinstance(node, CollectInvocation):
            edges = sorted(edges, key=lambda edge: self._sort_key(edge.source.node_id))
            collected: list[Any] = []
            for edge in edges:
                if edge.destination.field == COLLECTION:
                    value = copy.deepcopy(self._result(edge))
                    collected.extend(value if isinstance(value, list) else [value])
            collected.extend(copy.deepcopy(self._result(edge)) for edge in edges if edge.destination.field == ITEM)
            node.collection = collected
        else:
            for edge in edges:
                setattr(node, edge.destination.field, copy.deepcopy(self._result(edge)))
