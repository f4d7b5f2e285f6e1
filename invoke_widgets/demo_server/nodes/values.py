"""Numbers, texts, and what else is a single value."""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from .base import (
    BaseInvocation,
    BooleanOutput,
    ColorField,
    ColorOutput,
    FloatOutput,
    ImageField,
    ImageOutput,
    IntegerOutput,
    NodeContext,
    StringOutput,
    input_field,
    invocation,
)

INT32_MAX = 2**31 - 1


@invocation("Boolean Primitive")
class BooleanInvocation(BaseInvocation):
    """A boolean value"""

    value: bool = input_field(False, description="The boolean value")
    type: Literal["boolean"] = "boolean"

    def invoke(self, context: NodeContext) -> BooleanOutput:
        return BooleanOutput(value=self.value)


@invocation("Color Primitive")
class ColorInvocation(BaseInvocation):
    """A color value"""

    color: ColorField = input_field(ColorField(r=0, g=0, b=0, a=255), description="The color value")
    type: Literal["color"] = "color"

    def invoke(self, context: NodeContext) -> ColorOutput:
        return ColorOutput(color=self.color)


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


@invocation("Random Integer")
class RandomIntInvocation(BaseInvocation):
    """Outputs a single random integer"""

    use_cache: bool = False
    low: int = input_field(0, description="The inclusive low value")
    high: int = input_field(INT32_MAX, description="The exclusive high value")
    type: Literal["rand_int"] = "rand_int"

    def invoke(self, context: NodeContext) -> IntegerOutput:
        if self.low >= self.high:
            raise ValueError("low >= high")
        return IntegerOutput(value=random.randrange(self.low, self.high))


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
    "DIV": operator.truediv,
    "EXP": operator.pow,
    "ABS": lambda a, b: abs(a),
    "SQRT": lambda a, b: math.sqrt(a) if a >= 0 else math.nan,
    "MIN": min,
    "MAX": max,
}


@invocation("Float Math")
class FloatMathInvocation(BaseInvocation):
    """Performs floating point math"""

    operation: Literal["ADD", "SUB", "MUL", "DIV", "EXP", "ABS", "SQRT", "MIN", "MAX"] = input_field(
        "ADD", description="The operation to perform"
    )
    a: float = input_field(1, description="The first number")
    b: float = input_field(1, description="The second number")
    type: Literal["float_math"] = "float_math"

    @field_validator("b")
    @classmethod
    def no_unrepresentable_results(cls, value: float, info: ValidationInfo) -> float:
        """Refuse a second number for which the operation has no float result."""
        operation = info.data["operation"]
        if operation == "DIV" and value == 0:
            raise ValueError("Cannot divide by zero")
        if operation == "EXP" and info.data["a"] == 0 and value < 0:
            raise ValueError("Cannot raise zero to a negative power")
        if operation == "EXP" and isinstance(info.data["a"] ** value, complex):
            raise ValueError("Root operation resulted in a complex number")
        return value

    def invoke(self, context: NodeContext) -> FloatOutput:
        return FloatOutput(value=_OPERATIONS[self.operation](self.a, self.b))


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
