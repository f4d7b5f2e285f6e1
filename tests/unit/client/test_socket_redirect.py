"""The socket goes to no other host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from invoke_widgets.client.socket import EventStream
from invoke_widgets.client.transport import Transport
from invoke_widgets.errors import ServerUnreachable

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """A server that handles each connection by `handler`, after reading the request's head."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def test_socket_follows_no_redirect() -> None:
    """The other host would be given the token, and be believed."""
    elsewhere: list[bytes] = []

    async def catch(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        elsewhere.append(await reader.read(1))

    async def work() -> None:
        async with served(catch) as other:

            async def redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                target = other.replace("127.0.0.1", "localhost")
                writer.write(f"HTTP/1.1 307 Elsewhere\r\nLocation: {target}/ws\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()

            async with served(redirect) as url:
                transport = Transport(url, token="s3cret-token-abcdef")
                stream = EventStream(transport, "default", on_event=print, on_lost=lambda: None)
                with pytest.raises(ServerUnreachable, match="redirected to 'http://localhost"):
                    await stream.connect()

    asyncio.run(work())
    assert [] == elsewhere
