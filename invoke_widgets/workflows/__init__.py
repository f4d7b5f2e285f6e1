"""Workflows of InvokeAI's editor and plain graphs: their fields by name, values, sweeps; checks of graphs and data."""

from invoke_widgets.workflows.editor import (
    form_fields,
    form_of,
    graph_of,
    is_workflow,
    own_data,
    with_ids,
)
from invoke_widgets.workflows.fields import WorkflowField, fields
from invoke_widgets.workflows.graph import Data, near, normal_data, normal_graph, plain
from invoke_widgets.workflows.schemas import NodeSchemas
from invoke_widgets.workflows.workflow import PICTURE, Plan, PlanPart, Upload, Workflow, read_source

__all__ = [
    "PICTURE",
    "Data",
    "NodeSchemas",
    "Plan",
    "PlanPart",
    "Upload",
    "Workflow",
    "WorkflowField",
    "fields",
    "form_fields",
    "form_of",
    "graph_of",
    "is_workflow",
    "near",
    "normal_data",
    "normal_graph",
    "own_data",
    "plain",
    "read_source",
    "with_ids",
]
