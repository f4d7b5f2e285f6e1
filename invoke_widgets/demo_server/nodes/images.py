"""Image nodes that need nothing but Pillow."""

from __future__ import annotations

from typing import Literal

from PIL import Image, ImageChops, ImageFilter, ImageOps

from .base import (
    BaseInvocation,
    ColorField,
    ImageField,
    NodeContext,
    WithBoard,
    WithMetadata,
    input_field,
    invocation,
    type_field,
    use_cache_field,
)
from .outputs import ImageOutput

ResampleMode = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]


def load(context: NodeContext, image: ImageField | None, mode: str | None = None) -> Image.Image:
    assert image is not None
    return context.get_image(image.image_name, mode)


def _resampling(name: str) -> Image.Resampling:
    return Image.Resampling[name.upper()]


@invocation(title="Blank Image", tags=["image"], category="image", version="1.2.2")
class BlankImageInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Creates a blank image"""

    width: int = input_field(512, description="The width of the image")
    height: int = input_field(512, description="The height of the image")
    mode: Literal["RGB", "RGBA"] = input_field("RGB", description="The mode of the image")
    color: ColorField = input_field(ColorField(r=0, g=0, b=0, a=255), description="The color of the image")
    type: Literal["blank_image"] = type_field("blank_image")

    def invoke(self, context: NodeContext) -> ImageOutput:
        color = self.color.tuple() if self.mode == "RGBA" else self.color.tuple()[:3]
        return ImageOutput.of(context.save_image(Image.new(self.mode, (self.width, self.height), color)))


@invocation(title="Resize Image", tags=["image", "resize"], category="image", version="1.2.2")
class ImageResizeInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Resizes an image to specific dimensions"""

    image: ImageField | None = input_field(description="The image to resize")
    width: int = input_field(512, gt=0, description="The width to resize to (px)")
    height: int = input_field(512, gt=0, description="The height to resize to (px)")
    resample_mode: ResampleMode = input_field("bicubic", description="The resampling mode")
    type: Literal["img_resize"] = type_field("img_resize")

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = load(context, self.image)
        resized = image.resize((self.width, self.height), resample=_resampling(self.resample_mode))
        return ImageOutput.of(context.save_image(resized))


@invocation(title="Scale Image", tags=["image", "scale"], category="image", version="1.2.2")
class ImageScaleInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Scales an image by a factor"""

    image: ImageField | None = input_field(description="The image to scale")
    scale_factor: float = input_field(2.0, gt=0, description="The factor by which to scale the image")
    resample_mode: ResampleMode = input_field("bicubic", description="The resampling mode")
    type: Literal["img_scale"] = type_field("img_scale")

    def invoke(self, context: NodeContext) -> ImageOutput:
        image = load(context, self.image)
        size = (int(image.width * self.scale_factor), int(image.height * self.scale_factor))
        return ImageOutput.of(context.save_image(image.resize(size, resample=_resampling(self.resample_mode))))


@invocation(title="Blur Image", tags=["image", "blur"], category="image", version="1.2.2")
class ImageBlurInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Blurs an image"""

    image: ImageField | None = input_field(description="The image to blur")
    radius: float = input_field(8.0, ge=0, description="The blur radius")
    blur_type: Literal["gaussian", "box"] = input_field("gaussian", description="The type of blur")
    type: Literal["img_blur"] = type_field("img_blur")

    def invoke(self, context: NodeContext) -> ImageOutput:
        # "RGBa" has its colors multiplied by alpha, so that transparent pixels don't bleed into their neighbors.
        image = load(context, self.image, "RGBA").convert("RGBa")
        kernel = ImageFilter.GaussianBlur if self.blur_type == "gaussian" else ImageFilter.BoxBlur
        return ImageOutput.of(context.save_image(image.filter(kernel(self.radius)).convert("RGBA")))


@invocation(title="Crop Image", tags=["image", "crop"], category="image", version="1.2.2")
class ImageCropInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Crops an image to a box, which may lie partly outside"""

    image: ImageField | None = input_field(description="The image to crop")
    x: int = input_field(0, description="The left x coordinate of the crop rectangle")
    y: int = input_field(0, description="The top y coordinate of the crop rectangle")
    width: int = input_field(512, gt=0, description="The width of the crop rectangle")
    height: int = input_field(512, gt=0, description="The height of the crop rectangle")
    type: Literal["img_crop"] = type_field("img_crop")

    def invoke(self, context: NodeContext) -> ImageOutput:
        cropped = Image.new("RGBA", (self.width, self.height), (0, 0, 0, 0))
        cropped.paste(load(context, self.image), (-self.x, -self.y))
        return ImageOutput.of(context.save_image(cropped))


@invocation(title="Paste Image", tags=["image", "paste"], category="image", version="1.2.2")
class ImagePasteInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Pastes an image into another"""

    base_image: ImageField | None = input_field(description="The base image")
    image: ImageField | None = input_field(description="The image to paste")
    mask: ImageField | None = input_field(None, description="The mask to use when pasting")
    x: int = input_field(0, description="The left x coordinate at which to paste the image")
    y: int = input_field(0, description="The top y coordinate at which to paste the image")
    crop: bool = input_field(False, description="Crop to base image dimensions")
    type: Literal["img_paste"] = type_field("img_paste")

    def invoke(self, context: NodeContext) -> ImageOutput:
        base = load(context, self.base_image, "RGBA")
        image = load(context, self.image, "RGBA")
        mask = ImageOps.invert(load(context, self.mask, "L")) if self.mask is not None else None
        left, top = min(0, self.x), min(0, self.y)
        size = (max(base.width, image.width + self.x) - left, max(base.height, image.height + self.y) - top)
        below = Image.new("RGBA", size, (0, 0, 0, 0))
        below.paste(base, (-left, -top))
        above = Image.new("RGBA", size)
        above.paste(image, (max(0, self.x), max(0, self.y)), mask=mask)
        pasted = Image.alpha_composite(below, above)
        if self.crop:
            pasted = pasted.crop((-left, -top, base.width - left, base.height - top))
        return ImageOutput.of(context.save_image(pasted))


@invocation(title="Multiply Images", tags=["image", "multiply"], category="image", version="1.2.2")
class ImageMultiplyInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Multiplies two images"""

    image1: ImageField | None = input_field(description="The first image to multiply")
    image2: ImageField | None = input_field(description="The second image to multiply")
    type: Literal["img_mul"] = type_field("img_mul")

    def invoke(self, context: NodeContext) -> ImageOutput:
        product = ImageChops.multiply(load(context, self.image1), load(context, self.image2))
        return ImageOutput.of(context.save_image(product))


@invocation(title="Extract Image Channel", tags=["image", "channel"], category="image", version="1.2.2")
class ImageChannelInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Gets a channel of an image"""

    image: ImageField | None = input_field(description="The image to get the channel from")
    channel: Literal["A", "R", "G", "B"] = input_field("A", description="The channel to get")
    type: Literal["img_chan"] = type_field("img_chan")

    def invoke(self, context: NodeContext) -> ImageOutput:
        return ImageOutput.of(context.save_image(load(context, self.image).getchannel(self.channel)))


@invocation(title="Convert Image Mode", tags=["image", "convert"], category="image", version="1.2.2")
class ImageConvertInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Converts an image to another mode"""

    image: ImageField | None = input_field(description="The image to convert")
    mode: Literal["L", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F"] = input_field(
        "L", description="The mode to convert to"
    )
    type: Literal["img_conv"] = type_field("img_conv")

    def invoke(self, context: NodeContext) -> ImageOutput:
        return ImageOutput.of(context.save_image(load(context, self.image).convert(self.mode)))


@invocation(title="Lerp Image", tags=["image", "lerp"], category="image", version="1.2.2")
class ImageLerpInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Maps the pixel values linearly to a range"""

    image: ImageField | None = input_field(description="The image to lerp")
    min: int = input_field(0, ge=0, le=255, description="The minimum output value")
    max: int = input_field(255, ge=0, le=255, description="The maximum output value")
    type: Literal["img_lerp"] = type_field("img_lerp")

    def invoke(self, context: NodeContext) -> ImageOutput:
        low, high = self.min, self.max
        mapped = load(context, self.image).point(lambda value: int(value / 255 * (high - low) + low))
        return ImageOutput.of(context.save_image(mapped))


@invocation(title="Show Image", tags=["image"], category="image", version="1.0.1")
class ShowImageInvocation(BaseInvocation):
    """Passes an image on; there is no screen to show it on"""

    image: ImageField | None = input_field(description="The image to show")
    type: Literal["show_image"] = type_field("show_image")

    def invoke(self, context: NodeContext) -> ImageOutput:
        assert self.image is not None
        return ImageOutput.of(context.get_record(self.image.image_name))


@invocation(title="Save Image", tags=["primitives", "image"], category="image", version="1.2.2")
class SaveImageInvocation(BaseInvocation, WithMetadata, WithBoard):
    """Saves a copy of an image"""

    use_cache: bool = use_cache_field(False)
    image: ImageField | None = input_field(description="The image to process")
    type: Literal["save_image"] = type_field("save_image")

    def invoke(self, context: NodeContext) -> ImageOutput:
        return ImageOutput.of(context.save_image(load(context, self.image)))
