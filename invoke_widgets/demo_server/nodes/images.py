"""Nodes that make an image of others."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from .base import ColorField, ImageField, ImageNode, ImageOutput, NodeContext, input_field, invocation
from .collections import SEED_MAX

ResampleMode = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]

# fmt: off
Channel = Literal[
    "Red (RGBA)", "Green (RGBA)", "Blue (RGBA)", "Alpha (RGBA)",
    "Cyan (CMYK)", "Magenta (CMYK)", "Yellow (CMYK)", "Black (CMYK)",
    "Hue (HSV)", "Saturation (HSV)", "Value (HSV)",
    "Luminosity (LAB)", "A (LAB)", "B (LAB)",
    "Y (YCbCr)", "Cb (YCbCr)", "Cr (YCbCr)",
]
# fmt: on


def _image(mode: str, pixels: np.ndarray) -> Image.Image:
    """Return an image of any mode, which `Image.fromarray` no longer takes."""
    height, width = pixels.shape[:2]
    return Image.frombytes(mode, (width, height), pixels.astype(np.uint8).tobytes())


def _resampling(name: str) -> Image.Resampling:
    return Image.Resampling[name.upper()]


@invocation("Blank Image")
class BlankImageInvocation(ImageNode):
    """Creates a blank image"""

    width: int = input_field(512, description="The width of the image")
    height: int = input_field(512, description="The height of the image")
    mode: Literal["RGB", "RGBA"] = input_field("RGB", description="The mode of the image")
    color: ColorField = input_field(ColorField(r=0, g=0, b=0, a=255), description="The color of the image")
    type: Literal["blank_image"] = "blank_image"

    def invoke(self, context: NodeContext) -> ImageOutput:
        color = tuple(self.color.model_dump().values())[: len(self.mode)]
        return context.save_image(Image.new(self.mode, (self.width, self.height), color))


@invocation("Save Image")
class SaveImageInvocation(ImageNode):
    """Saves a copy of an image"""

    use_cache: bool = False
    image: ImageField | None = input_field(description="The image to process")
    type: Literal["save_image"] = "save_image"

    def invoke(self, context: NodeContext) -> ImageOutput:
        return context.save_image(context.get_image(self.image))


@invocation("Resize Image")
class ImageResizeInvocation(ImageNode):
    """Resizes an image to specific dimensions"""

    image: ImageField | None = input_field(description="The image to resize")
    width: int = input_field(512, gt=0, description="The width to resize to (px)")
    height: int = input_field(512, gt=0, description="The height to resize to (px)")
    resample_mode: ResampleMode = input_field("bicubic", description="The resampling mode")
    type: Literal["img_resize"] = "img_resize"

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = context.get_image(self.image)
        resized = image.resize((self.width, self.height), resample=_resampling(self.resample_mode))
        return context.save_image(resized)


@invocation("Scale Image")
class ImageScaleInvocation(ImageNode):
    """Scales an image by a factor"""

    image: ImageField | None = input_field(description="The image to scale")
    scale_factor: float = input_field(2.0, gt=0, description="The factor by which to scale the image")
    resample_mode: ResampleMode = input_field("bicubic", description="The resampling mode")
    type: Literal["img_scale"] = "img_scale"

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = context.get_image(self.image)
        size = (int(image.width * self.scale_factor), int(image.height * self.scale_factor))
        return context.save_image(image.resize(size, resample=_resampling(self.resample_mode)))


@invocation("Blur Image")
class ImageBlurInvocation(ImageNode):
    """Blurs an image"""

    image: ImageField | None = input_field(description="The image to blur")
    radius: float = input_field(8.0, ge=0, description="The blur radius")
    blur_type: Literal["gaussian", "box"] = input_field("gaussian", description="The type of blur")
    type: Literal["img_blur"] = "img_blur"

    def invoke(self, context: NodeContext) -> ImageOutput:
        # "RGBa" has its colors multiplied by alpha, so that transparent pixels don't bleed into their neighbors.
        image = context.get_image(self.image, "RGBA").convert("RGBa")
        kernel = ImageFilter.GaussianBlur if self.blur_type == "gaussian" else ImageFilter.BoxBlur
        return context.save_image(image.filter(kernel(self.radius)).convert("RGBA"))


@invocation("Paste Image")
class ImagePasteInvocation(ImageNode):
    """Pastes an image into another"""

    base_image: ImageField | None = input_field(description="The base image")
    image: ImageField | None = input_field(description="The image to paste")
    mask: ImageField | None = input_field(None, description="The mask to use when pasting")
    x: int = input_field(0, description="The left x coordinate at which to paste the image")
    y: int = input_field(0, description="The top y coordinate at which to paste the image")
    crop: bool = input_field(False, description="Crop to base image dimensions")
    type: Literal["img_paste"] = "img_paste"

    def invoke(self, context: NodeContext) -> ImageOutput:
        base = context.get_image(self.base_image, "RGBA")
        image = context.get_image(self.image, "RGBA")
        mask = ImageOps.invert(context.get_image(self.mask, "L")) if self.mask is not None else None
        left, top = min(0, self.x), min(0, self.y)
        size = (max(base.width, image.width + self.x) - left, max(base.height, image.height + self.y) - top)
        below = Image.new("RGBA", size, (0, 0, 0, 0))
        below.paste(base, (-left, -top))
        above = Image.new("RGBA", size)
        above.paste(image, (max(0, self.x), max(0, self.y)), mask=mask)
        pasted = Image.alpha_composite(below, above)
        if self.crop:
            pasted = pasted.crop((-left, -top, base.width - left, base.height - top))
        return context.save_image(pasted)


@invocation("Multiply Images")
class ImageMultiplyInvocation(ImageNode):
    """Multiplies two images"""

    image1: ImageField | None = input_field(description="The first image to multiply")
    image2: ImageField | None = input_field(description="The second image to multiply")
    type: Literal["img_mul"] = "img_mul"

    def invoke(self, context: NodeContext) -> ImageOutput:
        product = ImageChops.multiply(context.get_image(self.image1), context.get_image(self.image2))
        return context.save_image(product)


@invocation("Lerp Image")
class ImageLerpInvocation(ImageNode):
    """Maps the pixel values linearly to a range"""

    image: ImageField | None = input_field(description="The image to lerp")
    min: int = input_field(0, ge=0, le=255, description="The minimum output value")
    max: int = input_field(255, ge=0, le=255, description="The maximum output value")
    type: Literal["img_lerp"] = "img_lerp"

    def invoke(self, context: NodeContext) -> ImageOutput:
        low, high = self.min, self.max
        mapped = context.get_image(self.image).point(lambda value: int(value / 255 * (high - low) + low))
        return context.save_image(mapped)


@invocation("Add Image Noise")
class ImageNoiseInvocation(ImageNode):
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
    type: Literal["img_noise"] = "img_noise"

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = context.get_image(self.image, "RGBA")
        random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(self.seed)))
        shape: tuple[int, ...] = (image.height // self.size, image.width // self.size)
        shape = (*shape, 3) if self.noise_color else shape
        if self.noise_type == "gaussian":
            # Through integers, so that what is outside 0 to 255 wraps around on every processor.
            points = (random.normal(0, 1, shape) * 255).astype(np.int64)
        else:
            points = random.choice([0, 255], shape, p=[1 - self.amount, self.amount])
        if not self.noise_color:
            points = np.stack([points] * 3, axis=-1)
        noise = _image("RGB", points).resize(image.size, Image.Resampling.NEAREST)
        result = Image.blend(image.convert("RGB"), noise, self.amount).convert("RGBA")
        if self.mask is not None:
            mask = context.get_image(self.mask, "L")
            if mask.size != image.size:
                mask = mask.resize(image.size, Image.Resampling.LANCZOS)
            noisy, result = result, image.copy()
            result.paste(noisy, (0, 0), mask=ImageOps.invert(mask))
        result.putalpha(image.getchannel("A"))
        return context.save_image(result)


@invocation("Adjust Image Hue")
class ImageHueAdjustmentInvocation(ImageNode):
    """Turns the hue of an image"""

    image: ImageField | None = input_field(description="The image to adjust")
    hue: int = input_field(0, description="The degrees by which to rotate the hue, 0-360")
    type: Literal["img_hue_adjust"] = "img_hue_adjust"

    def invoke(self, context: NodeContext) -> ImageOutput:
        pixels = np.array(context.get_image(self.image).convert("HSV")).astype(int)
        pixels[:, :, 0] = (pixels[:, :, 0] + int(256 * ((self.hue % 360) / 360))) % 256
        return context.save_image(_image("HSV", pixels).convert("RGBA"))


@invocation("Multiply Image Channel")
class ImageChannelMultiplyInvocation(ImageNode):
    """Scales one channel of an image"""

    image: ImageField | None = input_field(description="The image to adjust")
    channel: Channel | None = input_field(description="Which channel to adjust")
    scale: float = input_field(1.0, ge=0.0, description="The amount to scale the channel by.")
    invert_channel: bool = input_field(False, description="Invert the channel after scaling")
    type: Literal["img_channel_multiply"] = "img_channel_multiply"

    def invoke(self, context: NodeContext) -> ImageOutput:
        assert self.channel is not None
        image = context.get_image(self.image, "RGBA")
        mode = self.channel.partition("(")[2].removesuffix(")")
        number = [name for name in get_args(Channel) if name.endswith(f"({mode})")].index(self.channel)
        pixels = np.array(image.convert(mode)).astype(float)
        scaled = np.clip(pixels[:, :, number] * self.scale, 0, 255)
        pixels[:, :, number] = 255 - scaled if self.invert_channel else scaled
        result = _image(mode, pixels).convert("RGBA")
        if self.channel != "Alpha (RGBA)":
            result.putalpha(image.getchannel("A"))
        return context.save_image(result)


@invocation("Inverse Lerp Image")
class ImageInverseLerpInvocation(ImageNode):
    """Maps the pixel values of a range linearly to all values"""

    image: ImageField | None = input_field(description="The image to lerp")
    min: int = input_field(0, ge=0, le=255, description="The minimum input value")
    max: int = input_field(255, ge=0, le=255, description="The maximum input value")
    type: Literal["img_ilerp"] = "img_ilerp"

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = context.get_image(self.image)
        pixels = np.asarray(image, dtype=np.float32)
        pixels = np.minimum(np.maximum(pixels - self.min, 0) / float(self.max - self.min), 1) * 255
        return context.save_image(_image(image.mode, pixels))


@invocation("Combine Masks")
class MaskCombineInvocation(ImageNode):
    """Multiplies two masks"""

    mask1: ImageField | None = input_field(description="The first mask to combine")
    mask2: ImageField | None = input_field(description="The second image to combine")
    type: Literal["mask_combine"] = "mask_combine"

    def invoke(self, context: NodeContext) -> ImageOutput:
        combined = ImageChops.multiply(context.get_image(self.mask1, "L"), context.get_image(self.mask2, "L"))
        return context.save_image(combined, category="mask")


@invocation("Enhance Image")
class InvokeImageEnhanceInvocation(ImageNode):
    """Changes an image's colors, contrast, brightness and sharpness"""

    image: ImageField | None = input_field(description="The image for which to apply processing")
    invert: bool = input_field(False, description="Whether to invert the image colors")
    color: float = input_field(1.0, ge=0, description="Color enhancement factor")
    contrast: float = input_field(1.0, ge=0, description="Contrast enhancement factor")
    brightness: float = input_field(1.0, ge=0, description="Brightness enhancement factor")
    sharpness: float = input_field(1.0, ge=0, description="Sharpness enhancement factor")
    type: Literal["invokeai_img_enhance"] = "invokeai_img_enhance"

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = context.get_image(self.image)
        if self.invert:
            image = ImageOps.invert(image if image.mode in ("L", "RGB") else image.convert("RGB"))
        for enhancer, factor in (
            (ImageEnhance.Color, self.color),
            (ImageEnhance.Contrast, self.contrast),
            (ImageEnhance.Brightness, self.brightness),
            (ImageEnhance.Sharpness, self.sharpness),
        ):
            image = enhancer(image).enhance(factor) if factor != 1.0 else image
        return context.save_image(image)
