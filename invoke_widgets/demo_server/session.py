"""The state of an item's execution: the submitted graph, its expansion, and the results."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .graph import Graph
from .nodes import AnyInvocationOutput, new_id


class GraphExecutionState(BaseModel):
    """A graph, its expansion and its results. The workflow-call fields of InvokeAI stay empty here."""

    id: str = Field(description="The id of the execution state", default_factory=new_id)
    graph: Graph = Field(description="The graph being executed")
    execution_graph: Graph = Field(description="The expanded graph", default_factory=Graph)
    executed: set[str] = Field(description="The ids of nodes that have been executed", default_factory=set)
    executed_history: list[str] = Field(description="The same in order of execution", default_factory=list)
    results: dict[str, AnyInvocationOutput] = Field(description="Outputs by execution id", default_factory=dict)
    errors: dict[str, str] = Field(description="Errors by execution id", default_factory=dict)
    workflow_call_stack: list[Any] = Field(description="Inherited workflow calls", default_factory=list)
    workflow_call_history: list[Any] = Field(description="Finished workflow calls", default_factory=list)
    workflow_call_parent: Any | None = Field(default=None, description="The calling execution, if any")
    waiting_workflow_call: Any | None = Field(default=None, description="The workflow call waited for, if any")
    waiting_workflow_call_execution: Any | None = Field(default=None, description="Its execution, if any")
    waiting_workflow_call_child_session: Any | None = Field(default=None, description="Its session, if any")
    max_workflow_call_depth: int = Field(default=4, ge=1, description="The deepest permitted nesting of calls")
    prepared_source_mapping: dict[str, str] = Field(
        description="The graph's node of each execution node", default_factory=dict
    )
    source_prepared_mapping: dict[str, set[str]] = Field(
        description="The execution nodes of each node of the graph", default_factory=dict
    )
    prepared_iteration_paths: dict[str, tuple[int, ...]] = Field(
        description="The iteration indices of each execution node, outermost first", default_factory=dict
    )
    ready_order: list[str] = Field(default_factory=list)
    indegree: dict[str, int] = Field(default_factory=dict, description="Unmet inputs of each execution node")

    model_config = ConfigDict(
        json_schema_extra={
            "required": [
                "id",
                "graph",
                "execution_graph",
                "executed",
                "executed_history",
                "results",
                "errors",
                "workflow_call_stack",
                "workflow_call_history",
                "prepared_source_mapping",
                "source_prepared_mapping",
            ]
        }
    )

    @field_validator("graph")
    @classmethod
    def graph_is_valid(cls, graph: Graph) -> Graph:
        """Refuse an invalid graph."""
        graph.validate_self()
        return graph

    def is_complete(self) -> bool:
        """Return whether all nodes were executed, or one failed."""
        return bool(self.errors) or all(node_id in self.executed for node_id in self.graph.nodes)
