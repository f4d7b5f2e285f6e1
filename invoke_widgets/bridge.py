"""`FromAnywhere`: the console's connections, for a client that is awaited in any loop."""

from __future__ import annotations

import asyncio
from typing import Any

from invoke_widgets._loop import LoopThread
from invoke_widgets.client import Transport


class FromAnywhere(Transport):
    """A transport whose requests run on the console's loop, whichever loop asks. It keeps the console alive."""

    def __init__(self, transport: Transport, loop: LoopThread, console: object) -> None:
        self._console = console
        self.url = transport.url
        self.breaker = transport.breaker
        self._inner = transport
        self._loop = loop

    @property
    def token(self) -> str | None:
        return self._inner.token

    def set_token(self, token: str | None) -> None:
        self._inner.set_token(token)

    async def aclose(self) -> None:
        """Nothing: the console closes its own connections."""

    async def json(self, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.wrap_future(self._loop.start(self._inner.json(*args, **kwargs)))

    async def content(self, *args: Any, **kwargs: Any) -> tuple[bytes, str]:
        return await asyncio.wrap_future(self._loop.start(self._inner.content(*args, **kwargs)))

    async def upload(self, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.wrap_future(self._loop.start(self._inner.upload(*args, **kwargs)))
