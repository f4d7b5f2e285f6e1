"""`LoopBoundTransport`: one loop's connections, for a client that is used in any loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from invoke_widgets._loop import LoopThread
from invoke_widgets.client.transport import Transport

T = TypeVar("T")


class LoopBoundTransport:
    """The part of a `Transport` that `InvokeClient` uses. Requests run on the loop that has the connections.

    Args:
        transport: has the connections, and is closed by its owner.
        loop: the thread on which `transport` is used.
        owner: kept alive.
    """

    def __init__(self, transport: Transport, loop: LoopThread, owner: object) -> None:
        self._transport = transport
        self._loop = loop
        self._owner = owner
        self.url = transport.url

    @property
    def token(self) -> str | None:
        return self._transport.token

    @property
    def demo_control(self) -> str | None:
        return self._transport.demo_control

    def set_token(self, token: str | None) -> None:
        self._transport.set_token(token)

    async def json(self, *args: Any, **kwargs: Any) -> Any:
        return await self._there(self._transport.json(*args, **kwargs))

    async def sized_json(self, *args: Any, **kwargs: Any) -> tuple[Any, int]:
        return await self._there(self._transport.sized_json(*args, **kwargs))

    async def content(self, *args: Any, **kwargs: Any) -> tuple[bytes, str]:
        return await self._there(self._transport.content(*args, **kwargs))

    async def upload(self, *args: Any, **kwargs: Any) -> Any:
        return await self._there(self._transport.upload(*args, **kwargs))

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(self._loop.start(work))

    async def aclose(self) -> None:
        """Do nothing: the owner closes its own connections."""
