"""Two nodes for tests and demonstrations: one takes a given time, with progress and previews; one fails."""

from __future__ import annotations

import time
from collections import Counter
from typing import Literal

from PIL import Image, ImageOps

from .base import BaseInvocation, CanceledException, IntegerOutput, NodeContext, input_field, invocation

# Interval at which a sleeping node checks whether it was canceled.
POLL_SECONDS = 0.05

_failures: Counter[str] = Counter()


def wait(context: NodeContext, seconds: float, cancelable: bool) -> None:
    """Sleep; if `cancelable`, no longer than until the item is canceled."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if cancelable and context.is_canceled():
            raise CanceledException
        time.sleep(min(left, POLL_SECONDS))


def _emerging(share: float) -> Image.Image:
    """A picture that emerges from noise, as a denoiser's previews do."""
    glow = Image.radial_gradient("L").resize((64, 64))
    picture = ImageOps.colorize(glow, (255, 214, 102), (26, 34, 84), mid=(232, 96, 72))
    noise = Image.merge("RGB", [Image.effect_noise((64, 64), 90) for _ in range(3)])
    return Image.blend(noise, picture, share)


@invocation("Probe: sleep")
class ProbeSleepInvocation(BaseInvocation):
    """Sleeps in steps, reporting progress as a denoiser does"""

    use_cache: bool = False
    seconds: float = input_field(10.0, ge=0, description="Total duration")
    steps: int = input_field(10, ge=1, description="Number of progress steps")
    preview: bool = input_field(False, description="Whether to send a preview image with each step")
    cancelable: bool = input_field(True, description="Whether to stop mid-node when canceled")
    value: int = input_field(0, description="Returned as is")
    type: Literal["probe_sleep"] = "probe_sleep"

    def invoke(self, context: NodeContext) -> IntegerOutput:
        for step in range(1, self.steps + 1):
            wait(context, self.seconds / self.steps, self.cancelable)
            image = _emerging((step - 1) / self.steps) if self.preview else None
            size = (512, 512) if self.preview else None
            context.signal_progress(f"Step {step}/{self.steps}", step / self.steps, image, size)
        return IntegerOutput(value=self.value)


@invocation("Probe: fail")
class ProbeFailInvocation(BaseInvocation):
    """Raises"""

    use_cache: bool = False
    seconds: float = input_field(0.0, ge=0, description="Delay before raising")
    message: str = input_field("probe failure", description="Error message")
    times: int = input_field(0, ge=0, description="How often it fails before it completes; 0 for always")
    name: str = input_field("", description="What it counts its failures by")
    type: Literal["probe_fail"] = "probe_fail"

    def invoke(self, context: NodeContext) -> IntegerOutput:
        wait(context, self.seconds, True)
        if 0 < self.times <= _failures[self.name]:
            return IntegerOutput(value=_failures[self.name])
        _failures[self.name] += 1
        raise RuntimeError(self.message)
