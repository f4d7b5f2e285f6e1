"""`Ending`: what has to end with a console, whether it is closed or nobody refers to it any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from invoke_widgets._loop import Callbacks, LoopThread
from invoke_widgets.client import InvokeClient
from invoke_widgets.history import HistoryFile
from invoke_widgets.jobs import Reruns

if TYPE_CHECKING:
    from invoke_widgets.demo_server.process import EmbeddedServer


class Ending:
    """The parts of a console that are ended, but not the console: it may be collected before them.

    Args:
        history: the file that the logs are kept in, if any.
        owns_history: whether that ends with the console; somebody else's is only brought up to date.

    Attributes:
        task: keeps the picture in step.
        reruns: runs failed jobs again.
        demo: the embedded server.
    """

    def __init__(
        self,
        loop: LoopThread,
        client: InvokeClient,
        callbacks: Callbacks,
        history: HistoryFile | None,
        *,
        owns_history: bool,
    ) -> None:
        self._loop = loop
        self._client = client
        self._callbacks = callbacks
        self._history = history
        self._owns_history = owns_history
        self.task: asyncio.Task[None] | None = None
        self.reruns: Reruns | None = None
        self.demo: EmbeddedServer | None = None

    def now(self) -> None:
        """End all of it, and wait for that. May be called twice."""
        self._loop.stop(self._on_loop())
        self._rest()

    def soon(self) -> None:
        """Have all of it end on its own thread: the garbage collector, which calls this, waits for nothing."""
        self._loop.stop(self._on_loop(), at_end=self._rest, join=False)

    async def _on_loop(self) -> None:
        if self.reruns is not None:
            self.reruns.close()
        if self.task is not None:
            # Before all else, and the connections after it, so that each is still there for what ends over it.
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self._loop.cancel_rest()
        await self._client.aclose()

    def _rest(self) -> None:
        self._callbacks.stop()
        if self._history is not None:
            if self._owns_history:
                self._history.close()
            else:
                self._history.flush()
        if self.demo is not None:
            self.demo.stop()
