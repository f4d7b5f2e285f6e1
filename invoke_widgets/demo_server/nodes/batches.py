"""Nodes that only an editor evaluates: it sends their values as a batch's data, and leaves them out of the graph."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

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


class _Batch(BaseInvocation):
    batch_group_id: BatchGroup = input_field(
        "None", input="direct", title="Batch Group", description="Batch nodes of one group are zipped"
    )

    def __init__(self) -> None:
        raise NotExecutableNodeError


@invocation(
    title="Image Batch",
    tags=["primitives", "image", "batch", "special"],
    category="batch",
    classification="special",
)
class ImageBatchInvocation(_Batch):
    """Runs the workflow once for each image"""

    images: list[ImageField] | None = input_field(min_length=1, description="The images to batch over")
    type: Literal["image_batch"] = type_field("image_batch")

    def invoke(self, context: NodeContext) -> ImageOutput:
        raise NotExecutableNodeError


@invocation(
    title="String Batch",
    tags=["primitives", "string", "batch", "special"],
    category="batch",
    classification="special",
)
class StringBatchInvocation(_Batch):
    """Runs the workflow once for each string"""

    strings: list[str] | None = input_field(min_length=1, description="The strings to batch over")
    type: Literal["string_batch"] = type_field("string_batch")

    def invoke(self, context: NodeContext) -> StringOutput:
        raise NotExecutableNodeError


@invocation(
    title="Integer Batch",
    tags=["primitives", "integer", "number", "batch", "special"],
    category="batch",
    classification="special",
)
class IntegerBatchInvocation(_Batch):
    """Runs the workflow once for each integer"""

    integers: list[int] | None = input_field(min_length=1, description="The integers to batch over")
    type: Literal["integer_batch"] = type_field("integer_batch")

    def invoke(self, context: NodeContext) -> IntegerOutput:
        raise NotExecutableNodeError


@invocation(
    title="Float Batch",
    tags=["primitives", "float", "number", "batch", "special"],
    category="batch",
    classification="special",
)
class FloatBatchInvocation(_Batch):
    """Runs the workflow once for each float"""

    floats: list[float] | None = input_field(min_length=1, description="The floats to batch over")
    type: Literal["float_batch"] = type_field("float_batch")

    def invoke(self, context: NodeContext) -> FloatOutput:
        raise NotExecutableNodeError


class StringGeneratorField(BaseModel):
    """How strings are made"""


class IntegerGeneratorField(BaseModel):
    """How integers are made"""


class FloatGeneratorField(BaseModel):
    """How floats are made"""


@invocation_output
class StringGeneratorOutput(BaseInvocationOutput):
    """The strings of a generator"""

    strings: list[str] = output_field(description="The generated strings")
    type: Literal["string_generator_output"] = type_field("string_generator_output")


@invocation_output
class IntegerGeneratorOutput(BaseInvocationOutput):
    """The integers of a generator"""

    integers: list[int] = output_field(description="The generated integers")
    type: Literal["integer_generator_output"] = type_field("integer_generator_output")


@invocation_output
class FloatGeneratorOutput(BaseInvocationOutput):
    """The floats of a generator"""

    floats: list[float] = output_field(description="The generated floats")
    type: Literal["float_generator_output"] = type_field("float_generator_output")


class _Generator(BaseInvocation):
    def __init__(self) -> None:
        raise NotExecutableNodeError


@invocation(
    title="String Generator",
    tags=["primitives", "string", "number", "batch", "special"],
    category="batch",
    classification="special",
)
class StringGenerator(_Generator):
    """Makes strings for a batch"""

    generator: StringGeneratorField = input_field(
        input="direct", title="Generator Type", description="The string generator."
    )
    type: Literal["string_generator"] = type_field("string_generator")

    def invoke(self, context: NodeContext) -> StringGeneratorOutput:
        raise NotExecutableNodeError


@invocation(
    title="Integer Generator",
    tags=["primitives", "int", "number", "batch", "special"],
    category="batch",
    classification="special",
)
class IntegerGenerator(_Generator):
    """Makes integers for a batch"""

    generator: IntegerGeneratorField = input_field(
        input="direct", title="Generator Type", description="The integer generator."
    )
    type: Literal["integer_generator"] = type_field("integer_generator")

    def invoke(self, context: NodeContext) -> IntegerGeneratorOutput:
        raise NotExecutableNodeError


@invocation(
    title="Float Generator",
    tags=["primitives", "float", "number", "batch", "special"],
    category="batch",
    classification="special",
)
class FloatGenerator(_Generator):
    """Makes floats for a batch"""

    generator: FloatGeneratorField = input_field(
        input="direct", title="Generator Type", description="The float generator."
    )
    type: Literal["float_generator"] = type_field("float_generator")

    def invoke(self, context: NodeContext) -> FloatGeneratorOutput:
        raise NotExecutableNodeError
