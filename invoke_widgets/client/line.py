"""When the socket is tried: in a task of its own, so that nothing waits for it, with a pause that grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from invoke_widgets.client.socket import EventStream
from invoke_widgets.errors import ServerUnreachable

_PAUSES_S = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_LIVED_S = 5.0
"""A socket that broke sooner counts as one that could not be had: some proxies let it begin, and no more."""


class Line:
    """Opens the socket, again and again where it must be. Used on the loop.

    Args:
        stream: the socket.
        on_open: called when a try got it.
        on_failed: called when a try did not.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        stream: EventStream,
        *,
        on_open: Callable[[], None],
        on_failed: Callable[[ServerUnreachable], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._on_open = on_open
        self._on_failed = on_failed
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._opened_at = 0.0
        self._due_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._stream.is_connected

    async def open_anew(self, wait_s: float) -> bool:
        """Close it, try it where that is due, and wait so long for it; after that, the try goes on by itself.

        Returns:
            Whether it is open.
        """
        await self.close()
        self.try_if_due()
        await self.tried(wait_s)
        return self.is_open

    def try_if_due(self) -> None:
        """Begin a try, unless it is open, being tried, or was tried in vain a short while ago."""
        if self._task is None and not self.is_open and self._clock() >= self._due_at:
            self._task = asyncio.get_running_loop().create_task(self._try())
            self._task.add_done_callback(self._forget)

    async def tried(self, wait_s: float | None = None) -> None:
        """Wait until the try that is under way, if any, has ended; not longer than so many seconds."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=wait_s)

    def be_patient_no_more(self) -> None:
        """Whatever failed before, the next try is due."""
        self._failures = 0
        self._due_at = 0.0

    def broke(self) -> None:
        """The socket that was open broke."""
        if self._clock() - self._opened_at >= _LIVED_S:
            self.be_patient_no_more()
        else:
            self._failed()

    async def close(self) -> None:
        """Close the socket, and end a try that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._stream.close()

    async def _try(self) -> None:
        try:
            await self._stream.connect()
        except ServerUnreachable as error:
            self._failed()
            self._on_failed(error)
        else:
            self._opened_at = self._clock()
            self._on_open()

    def _forget(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None

    def _failed(self) -> None:
        self._failures += 1
        self._due_at = self._clock() + _PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)]
