"""How an interrupt (the ■ of the notebook) reaches what waits in a cell."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

TICK_S = 0.05
"""How often what waits looks up, so that an interrupt is heard: a bare wait on a loop is not interrupted."""


@contextmanager
def heard() -> Iterator[None]:
    """Within, an interrupt raises `KeyboardInterrupt` at once, also where the cell awaits something else.

    For a cell with an `await` ipykernel handles interrupts itself: it asks its loop to cancel the cell. What waits
    without `await` in such a cell stops that very loop, and would not be interrupted at all.
    """
    handler = signal.getsignal(signal.SIGINT)
    is_kernels = (getattr(handler, "__module__", None) or "").startswith("ipykernel.")
    if not is_kernels or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def taken(source: queue.SimpleQueue[T], timeout: float | None) -> T:
    """The next one of a queue; an interrupt while waiting is heard.

    Args:
        timeout: seconds; None waits for ever.

    Raises:
        queue.Empty: none came in time.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    with heard():
        while True:
            left = TICK_S if deadline is None else deadline - time.monotonic()
            try:
                return source.get(timeout=min(max(left, 0.0), TICK_S))
            except queue.Empty:
                if left <= TICK_S and deadline is not None:
                    raise
