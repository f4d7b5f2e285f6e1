"""`run(coro)`: run a coroutine to its end, also where a loop is running already."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import warnings
from collections.abc import Coroutine
from typing import Any, TypeVar

from invoke_widgets._loop import interruptible

T = TypeVar("T")

_DUE = 1_000
"""More handles than a loop ever has due at once."""


def run(coro: Coroutine[Any, Any, T]) -> T:
    """Run `coro` and return its result: in a script, in a cell, and inside a running loop.

    Where no loop runs, this is `asyncio.run`. Inside a running loop, such as a notebook's, it first applies
    nest-asyncio2 to that loop. The patch stays for the life of the process and concerns every loop of the same class,
    and `asyncio.run`; it does not reach the console's own thread. While the coroutine runs, clicks wait on most
    kernels: in a cell, `await coro` is better.

    Raises:
        TypeError: `coro` is not a coroutine.
        KeyboardInterrupt: the cell was interrupted; the coroutine has been canceled.
        BaseException: what the coroutine raises.
    """
    if not inspect.iscoroutine(coro):
        raise TypeError(f"run() takes a coroutine, such as run(client.app_version()), got {type(coro).__name__}")
    if has_old_patch():
        warnings.warn(
            "nest_asyncio is active in this process. Its last version, 1.6.0, loses queued cells and clicks on "
            "ipykernel >= 7.1. Remove nest_asyncio.apply(); nothing here needs it.",
            RuntimeWarning,
            stacklevel=2,
        )
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        result: T = asyncio.run(coro)
        return result
    is_first = not getattr(loop, "_nest_patched", False)
    if is_first:
        import nest_asyncio2

        nest_asyncio2.apply(loop, run_close_loop=True)
    try:
        with interruptible():
            nested: T = _run_nested(loop, coro)
            return nested
    finally:
        if is_first:
            # asyncio's own round is still under way below us. It has counted the handles that were due and fails if
            # there are fewer, and we have just run some of them.
            for _ in range(_DUE):
                loop.call_soon(_nothing)


def _run_nested(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, T]) -> T:
    task = loop.create_task(coro)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt:
        # As asyncio.run does: otherwise the task would go on behind the cell, without its clean-up.
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        raise


def _nothing() -> None:
    pass


def has_old_patch() -> bool:
    """Whether nest_asyncio, the predecessor of nest-asyncio2, is active in this process."""
    return hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2")
