"""Closing a test helper's own event loop."""

from __future__ import annotations

import asyncio


async def free_sockets(loop: asyncio.AbstractEventLoop) -> None:
    """Let closed connections of `loop` release their sockets, and abort open ones.

    asyncio has no public list of a loop's connections; without it each helper would have to keep its own.
    """
    for _ in range(4):
        await asyncio.sleep(0)
    for transport in list(getattr(loop, "_transports", {}).values()):
        transport.abort()
    for _ in range(4):
        await asyncio.sleep(0)
