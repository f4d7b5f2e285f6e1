"""Numbers, texts, and a stored image."""

from __future__ import annotations

from typing import Literal

from .base import (
    BaseInvocation,
    ImageField,
    ImageOutput,
    IntegerOutput,
    NodeContext,
    StringOutput,
    input_field,
    invocation,
)


@invocation("Integer Primitive")
class IntegerInvocation(BaseInvocation):
    """An integer value"""

    value: int = input_field(0, description="The integer value")
    type: Literal["integer"] = "integer"

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=self.value)


@invocation("Add Integers")
class AddInvocation(BaseInvocation):
    """Adds two numbers"""

    a: int = input_field(0, description="The first number")
    b: int = input_field(0, description="The second number")
    type: Literal["add"] = "add"

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=self.a + self.b)


@invocation("Multiply Integers")
class MultiplyInvocation(BaseInvocation):
    """Multiplies two numbers"""

    a: int = input_field(0, description="The first number")
    b: int = input_field(0, description="The second number")
    type: Literal["mul"] = "mul"

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=self.a * self.b)


@invocation("Divide Integers")
class DivideInvocation(BaseInvocation):
    """Divides two numbers"""

    a: int = input_field(0, description="The first number")
    b: int = input_field(0, description="The second number")
    type: Literal["div"] = "div"

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=int(self.a / self.b))


@invocation("String Primitive")
class StringInvocation(BaseInvocation):
    """A string value"""

    value: str = input_field("", description="The string value")
    type: Literal["string"] = "string"

    def invoke(self, context: NodeContext) -> StringOutput:
        return StringOutput(value=self.value)


@invocation("String Join")
class StringJoinInvocation(BaseInvocation):
    """Joins two strings"""

    string_left: str = input_field("", description="String Left")
    string_right: str = input_field("", description="String Right")
    type: Literal["string_join"] = "string_join"

    def invoke(self, context: NodeContext) -> StringOutput:
        return StringOutput(value=self.string_left + self.string_right)


@invocation("Image Primitive")
class ImageInvocation(BaseInvocation):
    """A stored image"""

    image: ImageField | None = input_field(description="The image to load")
    type: Literal["image"] = "image"

    def invoke(self, context: NodeContext) -> ImageOutput:
        return context.output_of(self.image)
