"""`Callbacks`: a thread for other people's functions, so that none of them holds up the loop."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Callbacks:
    """One daemon thread, started when first needed, for the functions that people pass in."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def put(self, function: Callable[[], object]) -> None:
        """Have a function called; not any more once stopped."""
        with self._lock:
            if self._stopped:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="invoke-widgets callbacks", daemon=True)
                self._thread.start()
            self._queue.put(function)

    def _run(self) -> None:
        while (function := self._queue.get()) is not None:
            try:
                function()
            except Exception:  # someone else's function must not end the thread
                logger.exception("a callback failed")

    def stop(self) -> None:
        """End the thread, when it has called what is there already."""
        with self._lock:
            self._stopped = True
            if self._thread is not None:
                self._queue.put(None)
