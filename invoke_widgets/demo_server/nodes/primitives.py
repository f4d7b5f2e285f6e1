"""Values, and collections of values."""

from __future__ import annotations

from typing import Literal

from .base import BaseInvocation, ColorField, ImageField, NodeContext, input_field, invocation, type_field
from .outputs import (
    BooleanCollectionOutput,
    BooleanOutput,
    ColorOutput,
    FloatCollectionOutput,
    FloatOutput,
    ImageCollectionOutput,
    ImageOutput,
    IntegerCollectionOutput,
    IntegerOutput,
    StringCollectionOutput,
    StringOutput,
)


@invocation(title="Boolean Primitive", tags=["primitives", "boolean"], category="primitives", version="1.0.1")
class BooleanInvocation(BaseInvocation):
    """A boolean value"""

    value: bool = input_field(False, description="The boolean value")
    type: Literal["boolean"] = type_field("boolean")

    def invoke(self, context: NodeContext) -> BooleanOutput:
        return BooleanOutput(value=self.value)


@invocation(title="Integer Primitive", tags=["primitives", "integer"], category="primitives", version="1.0.1")
class IntegerInvocation(BaseInvocation):
    """An integer value"""

    value: int = input_field(0, description="The integer value")
    type: Literal["integer"] = type_field("integer")

    def invoke(self, context: NodeContext) -> IntegerOutput:
        return IntegerOutput(value=self.value)


@invocation(title="Float Primitive", tags=["primitives", "float"], category="primitives", version="1.0.1")
class FloatInvocation(BaseInvocation):
    """A float value"""

    value: float = input_field(0.0, description="The float value")
    type: Literal["float"] = type_field("float")

    def invoke(self, context: NodeContext) -> FloatOutput:
        return FloatOutput(value=self.value)


@invocation(title="String Primitive", tags=["primitives", "string"], category="primitives", version="1.0.1")
class StringInvocation(BaseInvocation):
    """A string value"""

    value: str = input_field("", description="The string value", ui_component="textarea")
    type: Literal["string"] = type_field("string")

    def invoke(self, context: NodeContext) -> StringOutput:
        return StringOutput(value=self.value)


@invocation(title="Color Primitive", tags=["primitives", "color"], category="primitives", version="1.0.1")
class ColorInvocation(BaseInvocation):
    """A color value"""

    color: ColorField = input_field(ColorField(r=0, g=0, b=0, a=255), description="The color value")
    type: Literal["color"] = type_field("color")

    def invoke(self, context: NodeContext) -> ColorOutput:
        return ColorOutput(color=self.color)


@invocation(title="Image Primitive", tags=["primitives", "image"], category="primitives", version="1.0.2")
class ImageInvocation(BaseInvocation):
    """A stored image"""

    image: ImageField | None = input_field(description="The image to load")
    type: Literal["image"] = type_field("image")

    def invoke(self, context: NodeContext) -> ImageOutput:
        assert self.image is not None
        return ImageOutput.of(context.get_record(self.image.image_name))


@invocation(
    title="Boolean Collection Primitive",
    tags=["primitives", "boolean", "collection"],
    category="primitives",
    version="1.0.2",
)
class BooleanCollectionInvocation(BaseInvocation):
    """A collection of booleans"""

    collection: list[bool] = input_field([], description="The collection of boolean values")
    type: Literal["boolean_collection"] = type_field("boolean_collection")

    def invoke(self, context: NodeContext) -> BooleanCollectionOutput:
        return BooleanCollectionOutput(collection=self.collection)


@invocation(
    title="Integer Collection Primitive",
    tags=["primitives", "integer", "collection"],
    category="primitives",
    version="1.0.2",
)
class IntegerCollectionInvocation(BaseInvocation):
    """A collection of integers"""

    collection: list[int] = input_field([], description="The collection of integer values")
    type: Literal["integer_collection"] = type_field("integer_collection")

    def invoke(self, context: NodeContext) -> IntegerCollectionOutput:
        return IntegerCollectionOutput(collection=self.collection)


@invocation(
    title="Float Collection Primitive",
    tags=["primitives", "float", "collection"],
    category="primitives",
    version="1.0.2",
)
class FloatCollectionInvocation(BaseInvocation):
    """A collection of floats"""

    collection: list[float] = input_field([], description="The collection of float values")
    type: Literal["float_collection"] = type_field("float_collection")

    def invoke(self, context: NodeContext) -> FloatCollectionOutput:
        return FloatCollectionOutput(collection=self.collection)


@invocation(
    title="String Collection Primitive",
    tags=["primitives", "string", "collection"],
    category="primitives",
    version="1.0.2",
)
class StringCollectionInvocation(BaseInvocation):
    """A collection of strings"""

    collection: list[str] = input_field([], description="The collection of string values")
    type: Literal["string_collection"] = type_field("string_collection")

    def invoke(self, context: NodeContext) -> StringCollectionOutput:
        return StringCollectionOutput(collection=self.collection)


@invocation(
    title="Image Collection Primitive",
    tags=["primitives", "image", "collection"],
    category="primitives",
    version="1.0.2",
)
class ImageCollectionInvocation(BaseInvocation):
    """A collection of images"""

    collection: list[ImageField] | None = input_field(
        None, input="connection", description="An image collection to append to", ui_order=0
    )
    images: list[ImageField] | None = input_field(
        None, input="direct", description="The images to append to the collection", ui_order=1
    )
    type: Literal["image_collection"] = type_field("image_collection")

    def invoke(self, context: NodeContext) -> ImageCollectionOutput:
        return ImageCollectionOutput(collection=[*(self.collection or []), *(self.images or [])])
