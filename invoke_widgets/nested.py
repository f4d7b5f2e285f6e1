"""`run(coro)`: run a coroutine to its end, also where a loop is running already."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import warnings
from collections.abc import Coroutine
from typing import Any, TypeVar

from invoke_widgets.interrupts import heard

T = TypeVar("T")


def run(coro: Coroutine[Any, Any, T]) -> T:
    """Run `coro` and return its result: in a script, in a cell, and inside a running loop.

    Where no loop runs, this is `asyncio.run`. Where one does (a notebook's cell), nest-asyncio2 is applied to it, in
    this call and only then; `asyncio.run` stays Python's own. While it runs, clicks wait on most kernels: in a cell,
    `await coro` is better.

    Raises:
        TypeError: `coro` is not a coroutine.
        KeyboardInterrupt: the cell was interrupted; the coroutine has been canceled.
        BaseException: what the coroutine raises.
    """
    if not inspect.iscoroutine(coro):
        raise TypeError(f"run() takes a coroutine, such as run(client.app_version()), got {type(coro).__name__}")
    if _has_old_patch():
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
    import nest_asyncio2

    own_run = asyncio.run
    nest_asyncio2.apply(loop)
    # Its replacement leaves event loops unclosed on Python 3.11, and is not needed here.
    asyncio.run = own_run
    task = loop.create_task(coro)
    with heard():
        try:
            nested: T = loop.run_until_complete(task)
            return nested
        except KeyboardInterrupt:
            # As asyncio.run does: it would go on behind the cell else, and not do what it does when canceled.
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
            raise


def _has_old_patch() -> bool:
    return hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2")
