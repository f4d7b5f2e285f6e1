"""Run InvokeAI's server with the interpreter that has it: `python -P launcher.py --root ROOT`.

The process stops when its standard input closes, so that no server outlives the tests that started it.

torchvision from PyPI is built for CUDA. With a CPU torch its extension does not load, and its import fails on the two
operators that it registers fake kernels for. Declaring their schemas first lets the import succeed: InvokeAI uses only
the transforms, which are plain Python.
"""

import contextlib
import os
import signal
import sys
import threading


def _end_with_stdin() -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def import_torchvision() -> None:
    try:
        import torchvision
    except RuntimeError:
        import torch

        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        global _schemas  # the declarations live as long as this object
        _schemas = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            _schemas.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision  # noqa: F401


if __name__ == "__main__":
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    import_torchvision()
    from invokeai.app.run_app import run_app

    run_app()
