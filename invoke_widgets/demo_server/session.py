"""The state of an item's execution: the submitted graph, its expansion, and the results."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from .graph import Graph, ValidGraph
from .nodes import AnyInvocationOutput, new_id


class GraphExecutionState(BaseModel):
    """A graph, its expansion and its results. The workflow-call fields of InvokeAI stay empty here.

    Attributes:
        graph: the graph as submitted.
        execution_graph: the expanded graph.
        executed, executed_history: the nodes that have been executed, of either graph, and those of `graph` in order.
        results, errors: by id in the expanded graph.
        prepared_source_mapping, source_prepared_mapping: which node of `graph` stands behind which of the expanded one.
        prepared_iteration_paths: the iteration indices of each expanded node, outermost first.
        indegree: the unmet inputs of each expanded node.
    """

    id: str = Field(default_factory=new_id)
    graph: ValidGraph
    execution_graph: Graph = Field(default_factory=Graph)
    executed: set[str] = set()
    executed_history: list[str] = []
    results: dict[str, AnyInvocationOutput] = {}
    errors: dict[str, str] = {}
    workflow_call_stack: list[Any] = []
    workflow_call_history: list[Any] = []
    workflow_call_parent: None = None
    waiting_workflow_call: None = None
    waiting_workflow_call_execution: None = None
    waiting_workflow_call_child_session: None = None
    max_workflow_call_depth: int = 4
    prepared_source_mapping: dict[str, str] = {}
    source_prepared_mapping: dict[str, set[str]] = {}
    prepared_iteration_paths: dict[str, tuple[int, ...]] = {}
    ready_order: list[str] = []
    indegree: dict[str, int] = {}

    def is_complete(self) -> bool:
        """Return whether all nodes were executed, or one failed."""
        return bool(self.errors) or all(node_id in self.executed for node_id in self.graph.nodes)
