"""A node that stands in for a model: it paints a landscape, step by step, that depends on all that it is given."""

from __future__ import annotations

import colorsys
import math
import re
import zlib
from typing import Any, Literal

import numpy
from PIL import Image

from .base import ImageNode, ImageOutput, MetadataField, NodeContext, input_field, invocation
from .collections import SEED_MAX
from .models import ModelIdentifierField, known
from .probe import wait

SECONDS_PER_STEP = 0.06

_HUES = {
    "red": 0.0,
    "sunset": 0.03,
    "orange": 0.07,
    "gold": 0.12,
    "desert": 0.1,
    "yellow": 0.15,
    "green": 0.35,
    "forest": 0.38,
    "sea": 0.52,
    "ice": 0.55,
    "blue": 0.6,
    "purple": 0.76,
    "pink": 0.9,
    "rose": 0.93,
}
_NIGHT = {"night", "moon", "stars", "midnight", "dark"}

Pixels = numpy.ndarray[Any, Any]


def _color(hue: float, saturation: float, value: float) -> Pixels:
    return numpy.array(colorsys.hsv_to_rgb(hue % 1, min(saturation, 1), value))


def _ridge(random: numpy.random.Generator, width: int, octaves: int) -> Pixels:
    """Return a mountain ridge's height at each column, about -1 to 1."""
    across = numpy.linspace(0, 1, width)
    height = numpy.zeros(width)
    for octave in range(octaves):
        points = random.uniform(-1, 1, 3 + 2 ** (octave + 1))
        height += numpy.interp(across, numpy.linspace(0, 1, len(points)), points) / 2**octave
    return height


def _landscape(prompt: str, seed: int, size: tuple[int, int], saturation: float, *, detail: int, night: bool) -> Pixels:
    """Paint a sky with a sun or a moon over ridges; the words of the prompt choose the colors."""
    width, height = size
    words = re.findall(r"[a-z]+", prompt.lower())
    random = numpy.random.default_rng([seed, zlib.crc32(prompt.encode())])
    hues = [_HUES[word] for word in words if word in _HUES]
    hue = hues[0] if hues else zlib.crc32(" ".join(words).encode()) % 997 / 997
    other = hues[1] if len(hues) > 1 else hue + 0.09
    night = night or not _NIGHT.isdisjoint(words)
    top = _color(hue + 0.04, 0.75 * saturation, 0.22 if night else 0.62)
    haze = _color(other, 0.45 * saturation, 0.42 if night else 0.98)
    near = _color(hue + 0.02, 0.8 * saturation, 0.06 if night else 0.2)
    down, across = numpy.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    picture = top + (haze - top) * numpy.clip(down / 0.65, 0, 1)[..., None]
    if night:
        stars = random.random((height, width)) > 0.9985
        picture[stars] = 1
    x, y, radius = random.uniform(0.2, 0.8), random.uniform(0.15, 0.4), random.uniform(0.05, 0.1)
    distance = numpy.hypot((across - x) * width / height, down - y)[..., None]
    light = _color(other + 0.03, 0.15 if night else 0.3 * saturation, 1)
    picture += (light - picture) * 0.5 * numpy.exp(-distance * 4)
    picture = numpy.where(distance < radius, light, picture)
    ridges = int(random.integers(3, 6)) + detail
    for number in range(ridges):
        share = (number + 1) / ridges
        line = 0.42 + 0.45 * share + _ridge(random, width, 3 + detail) * 0.11 * (1.1 - 0.5 * share)
        below = (down > line)[..., None]
        depth = numpy.clip((down - line) * 1.5, 0, 1)[..., None]
        shade = haze + (near - haze) * share**0.8
        picture = numpy.where(below, shade + (haze - shade) * depth * 0.35, picture)
    return numpy.clip(picture, 0, 1)


@invocation("Demo: text to image")
class DemoTextToImageInvocation(ImageNode):
    """Paints a landscape from noise, as a model would, without one"""

    model: ModelIdentifierField | None = input_field(
        description="Which painter paints", ui_model_base=["sd-1", "sdxl"], ui_model_type=["main"]
    )
    prompt: str = input_field("", description="Words for the picture; colors and the night are understood")
    seed: int = input_field(0, ge=0, le=SEED_MAX, description="Seed for random number generation")
    steps: int = input_field(20, ge=1, description="Number of steps to run; fewer leave more noise")
    cfg_scale: float = input_field(
        7.5, ge=1, title="CFG Scale", description="How strongly the colors follow the prompt"
    )
    width: int = input_field(512, ge=64, le=2048, description="The width of the image")
    height: int = input_field(512, ge=64, le=2048, description="The height of the image")
    type: Literal["demo_text_to_image"] = "demo_text_to_image"

    def invoke(self, context: NodeContext) -> ImageOutput:
        model = known(self.model)
        size = (self.width, self.height)
        picture = _landscape(
            self.prompt,
            self.seed,
            size,
            min(self.cfg_scale / 7.5, 2),
            detail=2 if model.base == "sdxl" else 0,
            night="Night" in model.name,
        )
        noise: Pixels = numpy.random.default_rng(self.seed).random((self.height, self.width, 3))
        for step in range(self.steps):
            share = step / self.steps
            preview = _image(picture[::8, ::8] * share + noise[::8, ::8] * (1 - share))
            context.signal_progress("Denoising", share, preview, size)
            wait(context, SECONDS_PER_STEP, cancelable=True)
        context.signal_progress("Denoising", 1.0)
        left = 0.5 * math.exp(-self.steps / 6)
        # By the names that InvokeAI's own `core_metadata` gives them.
        metadata = MetadataField(
            {
                "generation_mode": "txt2img",
                "positive_prompt": self.prompt,
                "seed": self.seed,
                "steps": self.steps,
                "cfg_scale": self.cfg_scale,
                "width": self.width,
                "height": self.height,
                "model": self.model.model_dump(mode="json") if self.model else None,
            }
        )
        return context.save_image(_image(picture * (1 - left) + noise * left), metadata=metadata)


def _image(picture: Pixels) -> Image.Image:
    return Image.fromarray((picture * 255).astype(numpy.uint8))
