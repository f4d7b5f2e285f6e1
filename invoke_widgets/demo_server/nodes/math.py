"""Integer and float maths."""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from .base import BaseInvocation, NodeContext, input_field, invocation, type_field, use_cache_field
from .outputs import FloatOutput, IntegerOutput

INT32_MAX = 2**31 - 1


@invocation(title="Add Integers", tags=["math", "add"], category="math", version="1.0.1")
class AddInvocation(BaseInvocation):
    """Adds two numbers"""

    a: int = input_field(0, description="The first number")
    b: int = input_field(0, description="The second number")
    type: Literal["add"] = type_field("add")

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=self.a + self.b)


@invocation(title="Subtract Integers", tags=["math", "subtract"], category="math", version="1.0.1")
class SubtractInvocation(BaseInvocation):
    """Subtracts two numbers"""

    a: int = input_field(0, description="The first number")
    b: int = input_field(0, description="The second number")
    type: Literal["sub"] = type_field("sub")

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=self.a - self.b)


@invocation(title="Multiply Integers", tags=["math", "multiply"], category="math", version="1.0.1")
class MultiplyInvocation(BaseInvocation):
    """Multiplies two numbers"""

    a: int = input_field(0, description="The first number")
    b: int = input_field(0, description="The second number")
    type: Literal["mul"] = type_field("mul")

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=self.a * self.b)


@invocation(title="Divide Integers", tags=["math", "divide"], category="math", version="1.0.1")
class DivideInvocation(BaseInvocation):
    """Divides two numbers"""

    a: int = input_field(0, description="The first number")
    b: int = input_field(0, description="The second number")
    type: Literal["div"] = type_field("div")

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=int(self.a / self.b))


@invocation(title="Random Integer", tags=["math", "random"], category="math", version="1.0.1")
class RandomIntInvocation(BaseInvocation):
    """Outputs a single random integer"""

    use_cache: bool = use_cache_field(False)
    low: int = input_field(0, description="The inclusive low value")
    high: int = input_field(INT32_MAX, description="The exclusive high value")
    type: Literal["rand_int"] = type_field("rand_int")

    def invoke(self, context: NodeContext) -> IntegerOutput:
        if self.low >= self.high:
            raise ValueError("low >= high")
        return IntegerOutput(value=random.randrange(self.low, self.high))


@invocation(title="Random Float", tags=["math", "float", "random"], category="math", version="1.0.1")
class RandomFloatInvocation(BaseInvocation):
    """Outputs a single random float"""

    use_cache: bool = use_cache_field(False)
    low: float = input_field(0.0, description="The inclusive low value")
    high: float = input_field(1.0, description="The exclusive high value")
    decimals: int = input_field(2, description="The number of decimal places to round to")
    type: Literal["rand_float"] = type_field("rand_float")

    def invoke(self, context: NodeContext) -> FloatOutput:
        return FloatOutput(value=round(random.uniform(self.low, self.high), self.decimals))


@invocation(
    title="Float To Integer",
    tags=["math", "round", "integer", "float", "convert"],
    category="math",
    version="1.0.1",
)
class FloatToIntegerInvocation(BaseInvocation):
    """Rounds a float to a multiple of an integer"""

    value: float = input_field(0, description="The value to round")
    multiple: int = input_field(1, ge=1, title="Multiple of", description="The multiple to round to")
    method: Literal["Nearest", "Floor", "Ceiling", "Truncate"] = input_field(
        "Nearest", description="The method to use for rounding"
    )
    type: Literal["float_to_int"] = type_field("float_to_int")

    def invoke(self, context: NodeContext) -> IntegerOutput:
        roundings: dict[str, Callable[[float], int]] = {
            "Nearest": round,
            "Floor": math.floor,
            "Ceiling": math.ceil,
            "Truncate": int,
        }
        return IntegerOutput(value=roundings[self.method](self.value / self.multiple) * self.multiple)


@invocation(title="Round Float", tags=["math", "round"], category="math", version="1.0.1")
class RoundInvocation(BaseInvocation):
    """Rounds a float to a number of decimal places"""

    value: float = input_field(0, description="The float value")
    decimals: int = input_field(0, description="The number of decimal places")
    type: Literal["round_float"] = type_field("round_float")

    def invoke(self, context: NodeContext) -> FloatOutput:
        return FloatOutput(value=round(self.value, self.decimals))


_OPERATIONS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "ADD": ("Add A+B", operator.add),
    "SUB": ("Subtract A-B", operator.sub),
    "MUL": ("Multiply A*B", operator.mul),
    "DIV": ("Divide A/B", operator.truediv),
    "EXP": ("Exponentiate A^B", operator.pow),
    "MOD": ("Modulus A%B", operator.mod),
    "ABS": ("Absolute Value of A", lambda a, b: abs(a)),
    "SQRT": ("Square Root of A", lambda a, b: math.sqrt(a) if a >= 0 else math.nan),
    "MIN": ("Minimum(A,B)", min),
    "MAX": ("Maximum(A,B)", max),
}
"""The operations by name: a label, and the function."""


@invocation(
    title="Integer Math",
    tags=[
        *("math", "integer", "add", "subtract", "multiply", "divide"),
        *("modulus", "power", "absolute value", "min", "max"),
    ],
    category="math",
    version="1.0.1",
)
class IntegerMathInvocation(BaseInvocation):
    """Performs integer math"""

    operation: Literal["ADD", "SUB", "MUL", "DIV", "EXP", "MOD", "ABS", "MIN", "MAX"] = input_field(
        "ADD",
        description="The operation to perform",
        ui_choice_labels={key: label for key, (label, _) in _OPERATIONS.items() if key != "SQRT"},
    )
    a: int = input_field(1, description="The first number")
    b: int = input_field(1, description="The second number")
    type: Literal["integer_math"] = type_field("integer_math")

    @field_validator("b")
    @classmethod
    def no_unrepresentable_results(cls, value: int, info: ValidationInfo) -> int:
        """Refuse a second number for which the operation has no integer result."""
        operation = info.data["operation"]
        if operation in ("DIV", "MOD") and value == 0:
            raise ValueError("Cannot divide by zero")
        if operation == "EXP" and value < 0:
            raise ValueError("Result of exponentiation is not an integer")
        return value

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=int(_OPERATIONS[self.operation][1](self.a, self.b)))


@invocation(
    title="Float Math",
    tags=["math", "float", "add", "subtract", "multiply", "divide", "power", "root", "absolute value", "min", "max"],
    category="math",
    version="1.0.1",
)
class FloatMathInvocation(BaseInvocation):
    """Performs floating point math"""

    operation: Literal["ADD", "SUB", "MUL", "DIV", "EXP", "ABS", "SQRT", "MIN", "MAX"] = input_field(
        "ADD",
        description="The operation to perform",
        ui_choice_labels={key: label for key, (label, _) in _OPERATIONS.items() if key != "MOD"},
    )
    a: float = input_field(1, description="The first number")
    b: float = input_field(1, description="The second number")
    type: Literal["float_math"] = type_field("float_math")

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
        return FloatOutput(value=_OPERATIONS[self.operation][1](self.a, self.b))
