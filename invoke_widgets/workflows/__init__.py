"""Workflows of InvokeAI's editor and plain graphs: their fields by name, values, sweeps; checks of graphs and data."""

from invoke_widgets.workflows.editor import (
    as_it_ran,
    called_ids,
    form_fields,
    form_of,
    graph_of,
    is_workflow,
    own_data,
    questions,
    with_called,
    with_ids,
)
from invoke_widgets.workflows.fields import WorkflowField, fields
from invoke_widgets.workflows.generators import Answers
from invoke_widgets.workflows.graph import Data, near, normal_data, normal_graph, plain
from invoke_widgets.workflows.loading import PICTURE, read_source
from invoke_widgets.workflows.schemas import NodeSchemas
from invoke_widgets.workflows.workflow import Plan, PlanPart, Upload, Workflow

__all__ = [
    "PICTURE",
    "Answers",
    "Data",
    "NodeSchemas",
    "Plan",
    "PlanPart",
    "Upload",
    "Workflow",
    "WorkflowField",
    "as_it_ran",
    "called_ids",
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
    "questions",
    "read_source",
    "with_called",
    "with_ids",
]
