"""A server of bytes on a local socket, and one request to it."""

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
"""In the place of an answer: the connection is reset, as by a server that crashes."""


@contextmanager
def scripted(script: Script) -> Iterator[tuple[str, list[bytes]]]:
    """A server of bytes: `script(n, request)` gives the n-th connection's answer; None closes without one."""
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
    """A request with its body, or whatever else came first."""
    request = connection.recv(65536)
    head, found, _ = request.lower().partition(b"\r\n\r\n")
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    while found and length and len(request) < len(head) + 4 + int(length):
        request += connection.recv(65536)
    return request


def answer(status: int, body: str | bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """An HTTP answer that closes the connection."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}", f"content-length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "connection: close", "", ""])).encode() + content


def ask(url: str, *, method: str = "GET", repeatable: bool = False, timeout: float = 5.0, verify: Any = True) -> object:
    """One request through a transport of its own."""

    async def work() -> object:
        transport = Transport(url, timeout=timeout, verify=verify)
        try:
            return await transport.json(method, "/api/v1/x", repeatable=repeatable)
        finally:
            await transport.aclose()

    return asyncio.run(work())
