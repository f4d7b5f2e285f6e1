"""A server of scripted bytes on a local socket, and a request to it."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from invoke_widgets.client.transport import Transport

Script = Callable[[int, bytes], bytes | None]

RESET = b"reset"
"""A scripted answer that resets the connection, as a crashing server does."""


@contextmanager
def scripted(script: Script) -> Iterator[tuple[str, list[bytes]]]:
    """Run a server; `script(n, request)` returns the bytes for the n-th connection, or None to close it without."""
    seen: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                request = _read(connection)
                seen.append(request)
                answer = script(len(seen), request)
                if answer == RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif answer is not None:
                    connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        ending.set()
        thread.join()
        listener.close()


def _read(connection: socket.socket) -> bytes:
    """Return a request with its body, or the first bytes of anything else."""
    request = connection.recv(65536)
    head, found, _ = request.lower().partition(b"\r\n\r\n")
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    while found and length and len(request) < len(head) + 4 + int(length):
        request += connection.recv(65536)
    return request


def answer(status: int, body: str | bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """Return the bytes of an HTTP response that closes the connection."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}", f"content-length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "connection: close", "", ""])).encode() + content


def ask(url: str, *, method: str = "GET", repeatable: bool = False, timeout: float = 5.0, verify: Any = True) -> object:
    """Send one request through a transport of its own, and return its JSON."""

    async def work() -> object:
        transport = Transport(url, timeout=timeout, verify=verify)
        try:
            return await transport.json(method, "/api/v1/x", repeatable=repeatable)
        finally:
            await transport.aclose()

    return asyncio.run(work())
