"""A server behind TLS, with a certificate from a private authority."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import trustme

from tests.support.loops import free_sockets


class Authority:
    """A certificate authority; the context `knowing` trusts it."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.knowing = ssl.create_default_context()
        self._ca.configure_trust(self.knowing)

    def certificate(self, name: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
        """Return a server's context for a host name or address."""
        past = {"not_after": datetime.now(UTC) - timedelta(days=1)} if expired else {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(name, **past).configure_cert(context)
        return context


@contextmanager
def behind_tls(context: ssl.SSLContext, target: str = "http://127.0.0.1:9") -> Iterator[str]:
    """Run a TLS endpoint that forwards connections to `target`; yield its https address."""
    loop = asyncio.new_event_loop()
    to = urlsplit(target)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_writer = None
        try:
            far_reader, far_writer = await asyncio.open_connection(to.hostname, to.port)
            ways = {asyncio.ensure_future(copy(reader, far_writer)), asyncio.ensure_future(copy(far_reader, writer))}
            _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in left:
                way.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, far_writer):
                if end is not None:
                    end.transport.abort()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await free_sockets(loop)

    thread = threading.Thread(target=loop.run_forever, name="tls front", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
