"""Ranges, and the two nodes that widen and narrow a graph: iterate and collect."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import ValidationInfo, field_validator

from .base import (
    BaseInvocation,
    BaseInvocationOutput,
    IntegerCollectionOutput,
    NodeContext,
    input_field,
    invocation,
    invocation_output,
)
from .values import INT32_MAX

SEED_MAX = 2**32 - 1


@invocation("Integer Range")
class RangeInvocation(BaseInvocation):
    """Creates a range of numbers from start to stop with step"""

    start: int = input_field(0, description="The start of the range")
    stop: int = input_field(10, description="The stop of the range")
    step: int = input_field(1, description="The step of the range")
    type: Literal["range"] = "range"

    @field_validator("stop")
    @classmethod
    def stop_gt_start(cls, value: int, info: ValidationInfo) -> int:
        """Refuse an empty range."""
        if "start" in info.data and value <= info.data["start"]:
            raise ValueError("stop must be greater than start")
        return value

    def invoke(self, context: NodeContext) -> IntegerCollectionOutput:
        return IntegerCollectionOutput(collection=list(range(self.start, self.stop, self.step)))


@invocation("Random Range")
class RandomRangeInvocation(BaseInvocation):
    """Creates a collection of random numbers"""

    use_cache: bool = False
    low: int = input_field(0, description="The inclusive low value")
    high: int = input_field(INT32_MAX, description="The exclusive high value")
    size: int = input_field(1, description="The number of values to generate")
    seed: int = input_field(0, ge=0, le=SEED_MAX, description="The seed for the RNG (omit for random)")
    type: Literal["random_range"] = "random_range"

    def invoke(self, context: NodeContext) -> IntegerCollectionOutput:
        values = np.random.default_rng(self.seed).integers(low=self.low, high=self.high, size=self.size)
        return IntegerCollectionOutput(collection=values.tolist())


@invocation_output
class IterateInvocationOutput(BaseInvocationOutput):
    """One item of a collection"""

    item: Any
    index: int
    total: int
    type: Literal["iterate_output"] = "iterate_output"


@invocation_output
class CollectInvocationOutput(BaseInvocationOutput):
    """A collection"""

    collection: list[Any]
    type: Literal["collect_output"] = "collect_output"


@invocation()
class IterateInvocation(BaseInvocation):
    """Iterates over a list of items"""

    use_cache: bool = False
    collection: list[Any] = input_field([], description="The list of items to iterate over")
    index: int = input_field(0, description="The index, set on executed iterators", ui_hidden=True)
    type: Literal["iterate"] = "iterate"

    def invoke(self, context: NodeContext) -> IterateInvocationOutput:
        return IterateInvocationOutput(item=self.collection[self.index], index=self.index, total=len(self.collection))


@invocation()
class CollectInvocation(BaseInvocation):
    """Collects values into a collection"""

    use_cache: bool = False
    item: Any | None = input_field(None, input="connection", description="The item to collect")
    collection: list[Any] = input_field([], input="connection", description="A collection to append to")
    type: Literal["collect"] = "collect"

    def invoke(self, context: NodeContext) -> CollectInvocationOutput:
        return CollectInvocationOutput(collection=list(self.collection))
