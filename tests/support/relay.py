"""A TCP endpoint before a server: with TLS, on IPv6, or over a slow link."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.support.loops import free_sockets

_PIECE = 4096


class _Link:
    """One direction of a link, which all connections share: each byte takes its time, and arrives `delay_s` later."""

    def __init__(self, delay_s: float, bytes_per_s: float | None) -> None:
        self.delay_s = delay_s
        self._bytes_per_s = bytes_per_s
        self._free_at = 0.0

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy until one side closes."""
        with contextlib.suppress(OSError):
            async for data in self._delayed(reader):
                writer.write(data)
                await writer.drain()

    async def _delayed(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def receive() -> None:
            data = b"-"
            while data:
                try:
                    data = await reader.read(_PIECE)
                except OSError:
                    data = b""
                took = len(data) / self._bytes_per_s if self._bytes_per_s else 0.0
                self._free_at = max(loop.time(), self._free_at) + took
                under_way.put_nowait((self._free_at + self.delay_s, data))
                await asyncio.sleep(self._free_at - loop.time())

        receiving = asyncio.ensure_future(receive())
        try:
            while (arrival := await under_way.get())[1]:
                await asyncio.sleep(arrival[0] - loop.time())
                yield arrival[1]
        finally:
            receiving.cancel()


@contextmanager
def relayed(
    target: str = "http://127.0.0.1:9",
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    delay_s: float = 0.0,
    bytes_per_s: float | None = None,
) -> Iterator[str]:
    """Run an endpoint that forwards connections to `target`; yield its address.

    Args:
        tls: a server's context; the address is https.
        host: the address to listen on.
        delay_s: how long each byte is under way, in each direction; opening a connection takes as long there and back.
        bytes_per_s: how many bytes pass in a second, in each direction; None for no limit.
    """
    loop = asyncio.new_event_loop()
    to = urlsplit(target)
    there, back = _Link(delay_s, bytes_per_s), _Link(delay_s, bytes_per_s)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_writer = None
        try:
            await asyncio.sleep(2 * delay_s)
            far_reader, far_writer = await asyncio.open_connection(to.hostname, to.port)
            ways = {
                asyncio.ensure_future(there.copy(reader, far_writer)),
                asyncio.ensure_future(back.copy(far_reader, writer)),
            }
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
        return await asyncio.start_server(serve, host, 0, ssl=tls)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await free_sockets(loop)

    thread = threading.Thread(target=loop.run_forever, name="relay", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        name = f"[{host}]" if ":" in host else host
        yield f"{'https' if tls else 'http'}://{name}:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
