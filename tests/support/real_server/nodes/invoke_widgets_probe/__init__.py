"""Nodes without models for the real server: how long they take and how they end is chosen by the graph.

`probe_sleep` takes `seconds` in equal `steps`, and reports each as a denoiser does, with a preview image if asked.
`probe_fail` raises a `RuntimeError` with the given message after `seconds`; with `times`, only so often for one `name`.

InvokeAI collects garbage before each item, which holds the interpreter for about half a second here. With
`PROBE_GC_FREEZE` set, what is loaded by now is put out of the collector's sight, and items start in milliseconds.
"""

import gc
import os
import time
from collections import Counter

from invokeai.app.invocations.baseinvocation import BaseInvocation, invocation
from invokeai.app.invocations.fields import InputField
from invokeai.app.invocations.primitives import IntegerOutput
from invokeai.app.services.session_processor.session_processor_common import CanceledException
from invokeai.app.services.shared.invocation_context import InvocationContext
from PIL import Image

_failures: Counter[str] = Counter()


def _sleep(context: InvocationContext, seconds: float, *, cancelable: bool) -> None:
    deadline = time.monotonic() + seconds
    while (remaining := deadline - time.monotonic()) > 0:
        if cancelable and context.util.is_canceled():
            raise CanceledException
        time.sleep(min(remaining, 0.05))


@invocation("probe_sleep", title="Probe: sleep", category="probe", version="1.0.0", use_cache=False)
class ProbeSleepInvocation(BaseInvocation):
    """Sleeps, and reports progress"""

    seconds: float = InputField(default=10.0, ge=0, description="Duration in all")
    steps: int = InputField(default=10, ge=1, description="Number of progress steps")
    preview: bool = InputField(default=False, description="Whether each step has a preview image")
    cancelable: bool = InputField(default=True, description="Whether it stops in mid-sleep when canceled")
    value: int = InputField(default=0, description="Returned as it is")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        for step in range(1, self.steps + 1):
            _sleep(context, self.seconds / self.steps, cancelable=self.cancelable)
            image = Image.new("RGB", (64, 64), (255 * (step - 1) // self.steps, 0, 128)) if self.preview else None
            size = (512, 512) if image else None
            context.util.signal_progress(f"Step {step}/{self.steps}", step / self.steps, image, size)
        return IntegerOutput(value=self.value)


@invocation("probe_fail", title="Probe: fail", category="probe", version="1.0.0", use_cache=False)
class ProbeFailInvocation(BaseInvocation):
    """Raises an error"""

    seconds: float = InputField(default=0.0, ge=0, description="Delay before the error")
    message: str = InputField(default="probe failure", description="The error's message")
    times: int = InputField(default=0, ge=0, description="How often it fails before it completes; 0 for always")
    name: str = InputField(default="", description="What it counts its failures by")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        _sleep(context, self.seconds, cancelable=True)
        if 0 < self.times <= _failures[self.name]:
            return IntegerOutput(value=_failures[self.name])
        _failures[self.name] += 1
        raise RuntimeError(self.message)


if os.environ.get("PROBE_GC_FREEZE"):
    gc.collect()
    gc.freeze()
