"""Nodes that only an editor evaluates: it sends their values as a batch's data, and leaves them out of the graph."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import create_model

from .base import (
    BaseInvocation,
    BaseInvocationOutput,
    ImageField,
    NodeContext,
    input_field,
    invocation,
    invocation_output,
    output_field,
    type_field,
)
from .outputs import FloatOutput, ImageOutput, IntegerOutput, StringOutput

BatchGroup = Literal["None", "Group 1", "Group 2", "Group 3", "Group 4", "Group 5"]


class NotExecutableNodeError(Exception):
    """Raised where such a node is in a graph."""

    def __init__(self) -> None:
        super().__init__("This class should never be executed or instantiated directly.")


class _NotExecutable(BaseInvocation):
    def __init__(self) -> None:
        raise NotExecutableNodeError

    def invoke(self, context: NodeContext) -> BaseInvocationOutput:
        raise NotExecutableNodeError


def _type(name: str) -> Any:
    return Literal[name], type_field(name)


def _node(name: str, node_type: str, doc: str, output: Any, tags: tuple[str, ...], **fields: Any) -> None:
    """Register a node class that is made of these fields."""
    fields["type"] = _type(node_type)
    made = create_model(name, __base__=_NotExecutable, __doc__=doc, __module__=__name__, **fields)
    title, listed = node_type.replace("_", " ").title(), ["primitives", *tags, "batch", "special"]
    register = invocation(title=title, tags=listed, category="batch", classification="special")
    register(made).output_class = output


def _generator(kind: str, element: type, *tags: str) -> None:
    """Register a generator of values, and what it gives out."""
    name = f"{kind.title()}Generator"
    settings = create_model(f"{name}Field", __doc__=f"How {kind}s are made", __module__=__name__)
    made_of = input_field(input="direct", title="Generator Type", description=f"The {kind} generator.")
    values: Any = (list[element], output_field(description=f"The generated {kind}s"))  # type: ignore[valid-type]
    made: Any = {f"{kind}s": values, "type": _type(f"{kind}_generator_output")}
    doc = f"The {kind}s of a generator"
    output = create_model(f"{name}Output", __base__=BaseInvocationOutput, __doc__=doc, __module__=__name__, **made)
    doc, fields = f"Makes {kind}s for a batch", {"generator": (settings, made_of)}
    _node(name, f"{kind}_generator", doc, invocation_output(output), tags, **fields)


def _batch(kind: str, element: type, output: type[BaseInvocationOutput], *tags: str) -> None:
    """Register a node with values to run a workflow with, one after the other."""
    group = input_field("None", input="direct", title="Batch Group", description="Batch nodes of one group are zipped")
    values = input_field(min_length=1, description=f"The {kind}s to batch over")
    some: Any = list[element] | None  # type: ignore[valid-type]
    doc, fields = (
        f"Runs the workflow once for each {kind}",
        {"batch_group_id": (BatchGroup, group), f"{kind}s": (some, values)},
    )
    _node(f"{kind.title()}BatchInvocation", f"{kind}_batch", doc, output, tags, **fields)


_batch("image", ImageField, ImageOutput, "image")
_batch("string", str, StringOutput, "string")
_batch("integer", int, IntegerOutput, "integer", "number")
_batch("float", float, FloatOutput, "float", "number")
_generator("image", ImageField, "board", "image")
_generator("string", str, "string", "number")
_generator("integer", int, "int", "number")
_generator("float", float, "float", "number")
