"""Ranges, and the two nodes that widen and narrow a graph: iterate and collect."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from .base import (
    BaseInvocation,
    BaseInvocationOutput,
    NodeContext,
    input_field,
    invocation,
    invocation_output,
    output_field,
    type_field,
    use_cache_field,
)
from .math import INT32_MAX
from .outputs import FloatCollectionOutput, IntegerCollectionOutput

SEED_MAX = 2**32 - 1


@invocation(title="Integer Range", tags=["collection", "integer", "range"], category="batch", version="1.0.0")
class RangeInvocation(BaseInvocation):
    """Creates a range of numbers from start to stop with step"""

    start: int = input_field(0, description="The start of the range")
    stop: int = input_field(10, description="The stop of the range")
    step: int = input_field(1, description="The step of the range")
    type: Literal["range"] = type_field("range")

    @field_validator("stop")
    @classmethod
    def stop_gt_start(cls, value: int, info: ValidationInfo) -> int:
        """Refuse an empty range."""
        if "start" in info.data and value <= info.data["start"]:
            raise ValueError("stop must be greater than start")
        return value

    def invoke(self, context: NodeContext) -> IntegerCollectionOutput:
        return IntegerCollectionOutput(collection=list(range(self.start, self.stop, self.step)))


@invocation(
    title="Integer Range of Size", tags=["collection", "integer", "size", "range"], category="batch", version="1.0.0"
)
class RangeOfSizeInvocation(BaseInvocation):
    """Creates a range of a number of values"""

    start: int = input_field(0, description="The start of the range")
    size: int = input_field(1, gt=0, description="The number of values")
    step: int = input_field(1, description="The step of the range")
    type: Literal["range_of_size"] = type_field("range_of_size")

    def invoke(self, context: NodeContext) -> IntegerCollectionOutput:
        stop = self.start + self.size * self.step
        return IntegerCollectionOutput(collection=list(range(self.start, stop, self.step)))


@invocation(title="Random Range", tags=["range", "integer", "random", "collection"], category="batch", version="1.0.1")
class RandomRangeInvocation(BaseInvocation):
    """Creates a collection of random numbers"""

    use_cache: bool = use_cache_field(False)
    low: int = input_field(0, description="The inclusive low value")
    high: int = input_field(INT32_MAX, description="The exclusive high value")
    size: int = input_field(1, description="The number of values to generate")
    seed: int = input_field(0, ge=0, le=SEED_MAX, description="The seed for the RNG (omit for random)")
    type: Literal["random_range"] = type_field("random_range")

    def invoke(self, context: NodeContext) -> IntegerCollectionOutput:
        # Only numpy's generator gives the same numbers for the same seed as the server's; it is slow to import.
        import numpy as np

        values = np.random.default_rng(self.seed).integers(low=self.low, high=self.high, size=self.size)
        return IntegerCollectionOutput(collection=values.tolist())


@invocation(title="Float Range", tags=["math", "range"], category="math", version="1.0.1")
class FloatLinearRangeInvocation(BaseInvocation):
    """Creates evenly spaced numbers, both ends included"""

    start: float = input_field(5, description="The first value of the range")
    stop: float = input_field(10, description="The last value of the range")
    steps: int = input_field(30, description="The number of values, both ends included")
    type: Literal["float_range"] = type_field("float_range")

    def invoke(self, context: NodeContext) -> FloatCollectionOutput:
        if self.steps < 0:
            raise ValueError(f"Number of samples, {self.steps}, must be non-negative.")
        gap = (self.stop - self.start) / (self.steps - 1) if self.steps > 1 else 0.0
        values = [self.start + i * gap for i in range(self.steps)]
        if self.steps > 1:
            values[-1] = self.stop
        return FloatCollectionOutput(collection=values)


@invocation_output
class IterateInvocationOutput(BaseInvocationOutput):
    """One item of a collection"""

    item: Any = output_field(
        title="Collection Item", description="The item being iterated over", ui_type="CollectionItemField"
    )
    index: int = output_field(description="The index of the item")
    total: int = output_field(description="The total number of items")
    type: Literal["iterate_output"] = type_field("iterate_output")


@invocation_output
class CollectInvocationOutput(BaseInvocationOutput):
    """A collection"""

    collection: list[Any] = output_field(description="The collection of input items", ui_type="CollectionField")
    type: Literal["collect_output"] = type_field("collect_output")


@invocation(version="1.1.0")
class IterateInvocation(BaseInvocation):
    """Iterates over a list of items"""

    use_cache: bool = use_cache_field(False)
    collection: list[Any] = input_field([], description="The list of items to iterate over", ui_type="CollectionField")
    index: int = input_field(0, description="The index, set on executed iterators", ui_hidden=True)
    type: Literal["iterate"] = type_field("iterate")

    def invoke(self, context: NodeContext) -> IterateInvocationOutput:
        return IterateInvocationOutput(item=self.collection[self.index], index=self.index, total=len(self.collection))

    def event_copy(self) -> BaseInvocation:
        return self.model_copy(update={"collection": []})


@invocation(version="1.1.0")
class CollectInvocation(BaseInvocation):
    """Collects values into a collection"""

    use_cache: bool = use_cache_field(False)
    item: Any | None = input_field(
        None,
        input="connection",
        title="Collection Item",
        description="The item to collect (all inputs must be of the same type)",
        ui_type="CollectionItemField",
    )
    collection: list[Any] = input_field(
        [], input="connection", description="A collection to append to", ui_type="CollectionField"
    )
    type: Literal["collect"] = type_field("collect")

    def invoke(self, context: NodeContext) -> CollectInvocationOutput:
        return CollectInvocationOutput(collection=list(self.collection))

    def event_copy(self) -> BaseInvocation:
        return self.model_copy(update={"collection": []})
