"""A batch: a graph, the number of runs, and the values to substitute; and its expansion into sessions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictStr, field_validator, model_validator
from pydantic_core import to_jsonable_python

from .graph import Graph, ValidGraph
from .nodes import ImageField, VideoField, new_id
from .session import GraphExecutionState

Scalar: TypeAlias = StrictStr | float | int | ImageField | VideoField
BatchDataType: TypeAlias = Scalar | list[Scalar]


class ExposedField(BaseModel):
    """A node's field that a workflow exposes"""

    nodeId: str  # noqa: N815
    fieldName: str  # noqa: N815


class WorkflowMeta(BaseModel):
    """A workflow's schema version and category"""

    version: str
    category: str


class WorkflowWithoutID(BaseModel):
    """A workflow of the node editor, as a batch carries it"""

    model_config = ConfigDict(extra="ignore")

    name: str
    author: str
    description: str
    version: str
    contact: str
    tags: str
    notes: str
    exposedFields: list[ExposedField]  # noqa: N815
    meta: WorkflowMeta
    nodes: list[dict[str, JsonValue]]
    edges: list[dict[str, JsonValue]]
    form: dict[str, JsonValue] | None = None


class NodeFieldValue(BaseModel):
    """A value substituted into a node's field for one item"""

    node_path: str
    field_name: str
    value: BatchDataType


class BatchDatum(BaseModel):
    """The values to substitute into a node's field, one per item"""

    node_path: str
    field_name: str
    items: list[BatchDataType] = []


class BatchRequest(BaseModel):
    """A batch of items"""

    batch_id: str = Field(default_factory=new_id)
    origin: str | None = None
    destination: str | None = None
    data: list[list[BatchDatum]] | None = None
    graph: ValidGraph
    workflow: WorkflowWithoutID | None = None
    runs: int = Field(default=1, ge=1)

    @field_validator("data")
    @classmethod
    def validate_data(cls, data: list[list[BatchDatum]] | None) -> list[list[BatchDatum]] | None:
        """Refuse zipped values of different lengths or types, and duplicate fields."""
        groups = data or []
        for group in groups:
            if any(len(datum.items) != len(group[0].items) for datum in group):
                raise ValueError("Zipped batch items must all have the same length")
        for datum in itertools.chain.from_iterable(groups):
            numbers = all(isinstance(item, int | float) for item in datum.items)
            if not numbers and any(type(item) is not type(datum.items[0]) for item in datum.items):
                raise ValueError("All items in a batch must have the same type")
        fields = [(datum.node_path, datum.field_name) for datum in itertools.chain.from_iterable(groups)]
        if len(set(fields)) < len(fields):
            raise ValueError("Each batch data must have unique node_id and field_name")
        return data

    @model_validator(mode="after")
    def validate_fields_exist(self) -> BatchRequest:
        """Refuse data for an unknown node or field. As in InvokeAI, the type of values is not checked."""
        for datum in itertools.chain.from_iterable(self.data or []):
            if datum.node_path not in self.graph.nodes:
                raise ValueError(f"Node {datum.node_path} not found in graph")
            if datum.field_name not in type(self.graph.nodes[datum.node_path]).model_fields:
                raise ValueError(f"Field {datum.field_name} not found in node {datum.node_path}")
        return self

    def requested(self) -> int:
        """Return the number of items of the whole batch."""
        count = self.runs
        for group in self.data or []:
            count *= len(group[0].items) if group else 0
        return count

    def sessions(self, limit: int) -> Iterator[tuple[str, str, str]]:
        """Yield id, session and field values of at most `limit` items, in the order of execution.

        Runs are the outermost loop; the last list of `data` varies fastest; within a list, values are zipped.
        """
        lists: list[list[list[dict[str, Any]]]] = [
            [
                [
                    {"node_path": datum.node_path, "field_name": datum.field_name, "value": to_jsonable_python(item)}
                    for datum, item in zip(group, items, strict=True)
                ]
                for items in zip(*(datum.items for datum in group), strict=True)
            ]
            for group in self.data or []
        ]
        # One document, changed in place: every item sets the same fields, and dumping it is the expensive part.
        graph = self.graph.model_dump(mode="json", warnings=False, exclude_none=True)
        session = GraphExecutionState(graph=Graph()).model_dump(mode="json", warnings=False, exclude_none=True)
        session["graph"] = graph
        combinations = itertools.chain.from_iterable(itertools.product(*lists) for _ in range(self.runs))
        for combination in itertools.islice(combinations, max(limit, 0)):
            values = list(itertools.chain.from_iterable(combination))
            for value in values:
                graph["nodes"][value["node_path"]][value["field_name"]] = value["value"]
            session["id"] = new_id()
            yield session["id"], json.dumps(session), json.dumps(values)
