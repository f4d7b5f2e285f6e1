"""Image nodes that reckon with NumPy."""

from __future__ import annotations

from typing import Literal

import numpy
from PIL import Image, ImageChops, ImageEnhance, ImageOps

from .base import (
    BaseInvocation,
    ImageField,
    NodeContext,
    WithBoard,
    WithMetadata,
    input_field,
    invocation,
    type_field,
)
from .images import load
from .outputs import ImageOutput

SEED_MAX = 2**32 - 1

_CHANNELS = {
    **{f"{name} (RGBA)": ("RGBA", number) for number, name in enumerate(("Red", "Green", "Blue", "Alpha"))},
    **{f"{name} (CMYK)": ("CMYK", number) for number, name in enumerate(("Cyan", "Magenta", "Yellow", "Black"))},
    **{f"{name} (HSV)": ("HSV", number) for number, name in enumerate(("Hue", "Saturation", "Value"))},
    **{f"{name} (LAB)": ("LAB", number) for number, name in enumerate(("Luminosity", "A", "B"))},
    **{f"{name} (YCbCr)": ("YCbCr", number) for number, name in enumerate(("Y", "Cb", "Cr"))},
}

# fmt: off
Channel = Literal[
    "Red (RGBA)", "Green (RGBA)", "Blue (RGBA)", "Alpha (RGBA)",
    "Cyan (CMYK)", "Magenta (CMYK)", "Yellow (CMYK)", "Black (CMYK)",
    "Hue (HSV)", "Saturation (HSV)", "Value (HSV)",
    "Luminosity (LAB)", "A (LAB)", "B (LAB)",
    "Y (YCbCr)", "Cb (YCbCr)", "Cr (YCbCr)",
]
# fmt: on


def _image(mode: str, pixels: numpy.ndarray) -> Image.Image:
    """Return an image of any mode, which `Image.fromarray` no longer takes."""
    height, width = pixels.shape[:2]
    return Image.frombytes(mode, (width, height), pixels.astype(numpy.uint8).tobytes())


@invocation(title="Add Image Noise", tags=["image", "noise"], category="image", version="1.1.0")
class ImageNoiseInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Adds noise to an image"""

    image: ImageField | None = input_field(description="The image to add noise to")
    mask: ImageField | None = input_field(
        None, description="Optional mask determining where to apply noise (black=noise, white=no noise)"
    )
    seed: int = input_field(0, ge=0, le=SEED_MAX, description="Seed for random number generation")
    noise_type: Literal["gaussian", "salt_and_pepper"] = input_field("gaussian", description="The type of noise to add")
    amount: float = input_field(0.1, ge=0, le=1, description="The amount of noise to add")
    noise_color: bool = input_field(True, description="Whether to add colored noise")
    size: int = input_field(1, ge=1, description="The size of the noise points")
    type: Literal["img_noise"] = type_field("img_noise")

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = load(context, self.image, "RGBA")
        random = numpy.random.RandomState(numpy.random.MT19937(numpy.random.SeedSequence(self.seed)))
        shape: tuple[int, ...] = (image.height // self.size, image.width // self.size)
        shape = (*shape, 3) if self.noise_color else shape
        if self.noise_type == "gaussian":
            # Through integers, so that what is outside 0 to 255 wraps around on every processor.
            points = (random.normal(0, 1, shape) * 255).astype(numpy.int64)
        else:
            points = random.choice([0, 255], shape, p=[1 - self.amount, self.amount])
        if not self.noise_color:
            points = numpy.stack([points] * 3, axis=-1)
        noise = _image("RGB", points).resize(image.size, Image.Resampling.NEAREST)
        result = Image.blend(image.convert("RGB"), noise, self.amount).convert("RGBA")
        if self.mask is not None:
            mask = load(context, self.mask, "L")
            if mask.size != image.size:
                mask = mask.resize(image.size, Image.Resampling.LANCZOS)
            noisy, result = result, image.copy()
            result.paste(noisy, (0, 0), mask=ImageOps.invert(mask))
        result.putalpha(image.getchannel("A"))
        return ImageOutput.of(context.save_image(result))


@invocation(title="Adjust Image Hue", tags=["image", "hue"], category="image", version="1.2.2")
class ImageHueAdjustmentInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Turns the hue of an image"""

    image: ImageField | None = input_field(description="The image to adjust")
    hue: int = input_field(0, description="The degrees by which to rotate the hue, 0-360")
    type: Literal["img_hue_adjust"] = type_field("img_hue_adjust")

    def invoke(self, context: NodeContext) -> ImageOutput:
        pixels = numpy.array(load(context, self.image).convert("HSV")).astype(int)
        pixels[:, :, 0] = (pixels[:, :, 0] + int(256 * ((self.hue % 360) / 360))) % 256
        return ImageOutput.of(context.save_image(_image("HSV", pixels).convert("RGBA")))


@invocation(
    title="Multiply Image Channel",
    tags=[
        *("image", "invert", "scale", "multiply", "red", "green", "blue", "alpha", "cyan", "magenta", "yellow"),
        *("black", "hue", "saturation", "luminosity", "value"),
    ],
    category="image",
    version="1.2.3",
)
class ImageChannelMultiplyInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Scales one channel of an image"""

    image: ImageField | None = input_field(description="The image to adjust")
    channel: Channel | None = input_field(description="Which channel to adjust")
    scale: float = input_field(1.0, ge=0.0, description="The amount to scale the channel by.")
    invert_channel: bool = input_field(False, description="Invert the channel after scaling")
    type: Literal["img_channel_multiply"] = type_field("img_channel_multiply")

    def invoke(self, context: NodeContext) -> ImageOutput:
        assert self.channel is not None
        image = load(context, self.image, "RGBA")
        mode, number = _CHANNELS[self.channel]
        pixels = numpy.array(image.convert(mode)).astype(float)
        scaled = numpy.clip(pixels[:, :, number] * self.scale, 0, 255)
        pixels[:, :, number] = 255 - scaled if self.invert_channel else scaled
        result = _image(mode, pixels).convert("RGBA")
        if self.channel != "Alpha (RGBA)":
            result.putalpha(image.getchannel("A"))
        return ImageOutput.of(context.save_image(result))


@invocation(title="Inverse Lerp Image", tags=["image", "ilerp"], category="image", version="1.2.2")
class ImageInverseLerpInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Maps the pixel values of a range linearly to all values"""

    image: ImageField | None = input_field(description="The image to lerp")
    min: int = input_field(0, ge=0, le=255, description="The minimum input value")
    max: int = input_field(255, ge=0, le=255, description="The maximum input value")
    type: Literal["img_ilerp"] = type_field("img_ilerp")

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = load(context, self.image)
        pixels = numpy.asarray(image, dtype=numpy.float32)
        pixels = numpy.minimum(numpy.maximum(pixels - self.min, 0) / float(self.max - self.min), 1) * 255
        return ImageOutput.of(context.save_image(_image(image.mode, pixels)))


@invocation(title="Combine Masks", tags=["image", "mask", "multiply"], category="mask", version="1.2.2")
class MaskCombineInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Multiplies two masks"""

    mask1: ImageField | None = input_field(description="The first mask to combine")
    mask2: ImageField | None = input_field(description="The second image to combine")
    type: Literal["mask_combine"] = type_field("mask_combine")

    def invoke(self, context: NodeContext) -> ImageOutput:
        combined = ImageChops.multiply(load(context, self.mask1).convert("L"), load(context, self.mask2).convert("L"))
        return ImageOutput.of(context.save_image(combined, category="mask"))


@invocation(title="Enhance Image", tags=["enhance", "image"], category="image", version="1.2.1")
class InvokeImageEnhanceInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Changes an image's colors, contrast, brightness and sharpness"""

    image: ImageField | None = input_field(description="The image for which to apply processing")
    invert: bool = input_field(False, description="Whether to invert the image colors")
    color: float = input_field(1.0, ge=0, description="Color enhancement factor")
    contrast: float = input_field(1.0, ge=0, description="Contrast enhancement factor")
    brightness: float = input_field(1.0, ge=0, description="Brightness enhancement factor")
    sharpness: float = input_field(1.0, ge=0, description="Sharpness enhancement factor")
    type: Literal["invokeai_img_enhance"] = type_field("invokeai_img_enhance")

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = load(context, self.image)
        if self.invert:
            image = ImageOps.invert(image if image.mode in ("L", "RGB") else image.convert("RGB"))
        for enhancer, factor in (
            (ImageEnhance.Color, self.color),
            (ImageEnhance.Contrast, self.contrast),
            (ImageEnhance.Brightness, self.brightness),
            (ImageEnhance.Sharpness, self.sharpness),
        ):
            image = enhancer(image).enhance(factor) if factor != 1.0 else image
        return ImageOutput.of(context.save_image(image))
