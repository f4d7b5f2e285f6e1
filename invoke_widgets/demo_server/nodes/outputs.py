"""The outputs that nodes share."""

from __future__ import annotations

from typing import Literal

from .base import (
    BaseInvocationOutput,
    ColorField,
    ImageField,
    SavedImage,
    invocation_output,
    output_field,
    type_field,
)


@invocation_output
class BooleanOutput(BaseInvocationOutput):
    """A single boolean"""

    value: bool = output_field(description="The output boolean")
    type: Literal["boolean_output"] = type_field("boolean_output")


@invocation_output
class BooleanCollectionOutput(BaseInvocationOutput):
    """A collection of booleans"""

    collection: list[bool] = output_field(description="The output boolean collection")
    type: Literal["boolean_collection_output"] = type_field("boolean_collection_output")


@invocation_output
class IntegerOutput(BaseInvocationOutput):
    """A single integer"""

    value: int = output_field(description="The output integer")
    type: Literal["integer_output"] = type_field("integer_output")


@invocation_output
class IntegerCollectionOutput(BaseInvocationOutput):
    """A collection of integers"""

    collection: list[int] = output_field(description="The int collection")
    type: Literal["integer_collection_output"] = type_field("integer_collection_output")


@invocation_output
class FloatOutput(BaseInvocationOutput):
    """A single float"""

    value: float = output_field(description="The output float")
    type: Literal["float_output"] = type_field("float_output")


@invocation_output
class FloatCollectionOutput(BaseInvocationOutput):
    """A collection of floats"""

    collection: list[float] = output_field(description="The float collection")
    type: Literal["float_collection_output"] = type_field("float_collection_output")


@invocation_output
class StringOutput(BaseInvocationOutput):
    """A single string"""

    value: str = output_field(description="The output string")
    type: Literal["string_output"] = type_field("string_output")


@invocation_output
class StringCollectionOutput(BaseInvocationOutput):
    """A collection of strings"""

    collection: list[str] = output_field(description="The output strings")
    type: Literal["string_collection_output"] = type_field("string_collection_output")


@invocation_output
class String2Output(BaseInvocationOutput):
    """Two strings"""

    string_1: str = output_field(description="string 1")
    string_2: str = output_field(description="string 2")
    type: Literal["string_2_output"] = type_field("string_2_output")


@invocation_output
class StringPosNegOutput(BaseInvocationOutput):
    """A positive and a negative string"""

    positive_string: str = output_field(description="Positive string")
    negative_string: str = output_field(description="Negative string")
    type: Literal["string_pos_neg_output"] = type_field("string_pos_neg_output")


@invocation_output
class ColorOutput(BaseInvocationOutput):
    """A single color"""

    color: ColorField = output_field(description="The output color")
    type: Literal["color_output"] = type_field("color_output")


@invocation_output
class ImageOutput(BaseInvocationOutput):
    """A single image"""

    image: ImageField = output_field(description="The output image")
    width: int = output_field(description="The width of the image in pixels")
    height: int = output_field(description="The height of the image in pixels")
    type: Literal["image_output"] = type_field("image_output")

    @classmethod
    def of(cls, saved: SavedImage) -> ImageOutput:
        """The output that names a stored image."""
        return cls(image=ImageField(image_name=saved.image_name), width=saved.width, height=saved.height)


@invocation_output
class ImageCollectionOutput(BaseInvocationOutput):
    """A collection of images"""

    collection: list[ImageField] = output_field(description="The output images")
    type: Literal["image_collection_output"] = type_field("image_collection_output")
