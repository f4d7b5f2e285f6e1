"""A proxy that misbehaves on demand, to put before any server.

    with ChaosProxy(server.url) as proxy:
        rule = proxy.lose_reply(fraction=1 / 3, seed=7, path="enqueue_batch")
        ...                       # for a client of proxy.url, the reply to every third enqueue is lost
        rule.stop()

Besides requests, rules can act on the bytes of an answer, or of a websocket: `latency`, `bandwidth`, `slices`,
`slow_close`, `limit` and `reset`, which are the kinds of toxiproxy.

The first rule that acts on a request decides. Which requests a rule acts on depends on its seed and on the order of the
requests alone. The proxy runs on a thread of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import random
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

import httpx

from tests.support.loops import free_sockets

Action = Literal[
    "lose_reply",
    "lose_request",
    "late_request",
    "double",
    "delay",
    "server_error",
    "bad_gateway",
    "web_page",
    "empty",
    "half_json",
    "cut",
    "say",
    "drop",
    "hang_up",
    "latency",
    "bandwidth",
    "slices",
    "slow_close",
    "limit",
    "reset",
]

_HOP_BY_HOP = {"connection", "content-length", "content-encoding", "transfer-encoding", "keep-alive", "host"}
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_GOODBYE = b"\x88\x02\x03\xf3"
_PAGE = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>"


@dataclass
class Rule:
    """A fault for some of the requests, until it is stopped or has acted `times` times."""

    action: Action
    path: re.Pattern[str]
    method: str | None
    fraction: float
    times: int | None
    seconds: float
    reaches_server: bool
    body: bytes
    size: int
    _random: random.Random
    hits: int = 0
    _active: bool = True

    def stop(self) -> None:
        """Act on no further request."""
        self._active = False

    def acts_on(self, method: str, path: str) -> bool:
        """Return whether the rule acts on this request, and count it if so."""
        if not self._active or not self.path.search(path) or self.method not in (None, method):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        hit = self._random.random() < self.fraction
        self.hits += hit
        return hit


class Seen(NamedTuple):
    """A request, and the action of the rule that acted on it (None without one)."""

    method: str
    path: str
    action: Action | None
    body: bytes


class _Request(NamedTuple):
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    head: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass
class _State:
    """State used on the proxy's own thread only."""

    server: asyncio.Server | None = None
    upstream: httpx.AsyncClient | None = None
    http: set[asyncio.StreamWriter] = field(default_factory=set)
    sockets: set[asyncio.StreamWriter] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class ChaosProxy:
    """Forwards requests and websockets to a server, and applies rules to them."""

    def __init__(self, target: str) -> None:
        self.target = target.rstrip("/")
        self.seen: list[Seen] = []
        self._rules: list[Rule] = []
        self._state = _State()
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos-proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._open())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call(self._shut_down())
        self._call(free_sockets(self._loop))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    # -- rules ---------------------------------------------------------------------------------------------------

    def lose_reply(self, **options: Any) -> Rule:
        """The request is carried out; the connection is closed without a reply."""
        return self._add("lose_reply", **options)

    def lose_request(self, **options: Any) -> Rule:
        """The request does not reach the server; the connection is closed."""
        return self._add("lose_request", **options, reaches_server=False)

    def late_request(self, seconds: float, **options: Any) -> Rule:
        """The connection is closed at once; the request reaches the server after `seconds`."""
        return self._add("late_request", **options, seconds=seconds, reaches_server=False)

    def double(self, **options: Any) -> Rule:
        """The request reaches the server twice; the second reply is delivered."""
        return self._add("double", **options)

    def delay(self, seconds: float, **options: Any) -> Rule:
        """The reply is delayed by `seconds`."""
        return self._add("delay", **options, seconds=seconds)

    def server_error(self, **options: Any) -> Rule:
        """The reply is a 500 with JSON, as from InvokeAI's own handlers."""
        return self._add("server_error", **options)

    def bad_gateway(self, **options: Any) -> Rule:
        """The reply is a 502 with a web page, as from a reverse proxy."""
        return self._add("bad_gateway", **options)

    def web_page(self, **options: Any) -> Rule:
        """The reply is a 200 with a web page, as from a login portal."""
        return self._add("web_page", **options)

    def empty(self, **options: Any) -> Rule:
        """The reply is a 200 of type JSON without a body."""
        return self._add("empty", **options)

    def half_json(self, **options: Any) -> Rule:
        """The reply is complete HTTP with half of the JSON."""
        return self._add("half_json", **options)

    def cut(self, **options: Any) -> Rule:
        """The connection ends in the middle of the reply's body."""
        return self._add("cut", **options)

    def say(self, body: bytes, **options: Any) -> Rule:
        """The reply is a 200 with this JSON."""
        return self._add("say", **options, body=body)

    def drop(self, seconds: float, **options: Any) -> Rule:
        """A websocket works, and is cut after `seconds`."""
        return self._add("drop", **options, seconds=seconds)

    def hang_up(self, **options: Any) -> Rule:
        """A websocket is accepted and closed at once."""
        return self._add("hang_up", **options)

    def latency(self, seconds: float, **options: Any) -> Rule:
        """The bytes arrive `seconds` later, with a jitter of as much again."""
        return self._add("latency", **options, seconds=seconds)

    def bandwidth(self, bytes_per_s: int, **options: Any) -> Rule:
        """So many bytes arrive in a second."""
        return self._add("bandwidth", **options, size=bytes_per_s)

    def slices(self, size: int, seconds: float = 0.0, **options: Any) -> Rule:
        """The bytes arrive in pieces of `size`, `seconds` apart."""
        return self._add("slices", **options, size=size, seconds=seconds)

    def slow_close(self, seconds: float, **options: Any) -> Rule:
        """The end of the connection, which is the end of the reply, comes `seconds` late."""
        return self._add("slow_close", **options, seconds=seconds)

    def limit(self, size: int, **options: Any) -> Rule:
        """The connection is closed after `size` bytes."""
        return self._add("limit", **options, size=size)

    def reset(self, size: int = 0, **options: Any) -> Rule:
        """The connection is reset (RST) after `size` bytes."""
        return self._add("reset", **options, size=size)

    def calm(self) -> None:
        """Stop all rules."""
        for rule in self._rules:
            rule.stop()
        self._rules = []

    def _add(
        self,
        action: Action,
        *,
        fraction: float = 1.0,
        seed: int = 0,
        path: str = "",
        method: str | None = None,
        times: int | None = None,
        seconds: float = 0.0,
        reaches_server: bool = True,
        body: bytes = b"",
        size: int = 0,
    ) -> Rule:
        """Add a rule for a `fraction` of the requests whose path (and method) match.

        It acts at most `times` times. With `reaches_server=False` the server does not receive the request.
        """
        pattern, numbers = re.compile(path), random.Random(seed)
        rule = Rule(action, pattern, method, fraction, times, seconds, reaches_server, body, size, numbers)
        self._rules = [*self._rules, rule]
        return rule

    # -- connections ---------------------------------------------------------------------------------------------

    def drop_sockets(self) -> int:
        """Cut all websockets, and return their number."""
        return self._call(self._cut(self._state.sockets)) // 2

    def go_offline(self) -> None:
        """Cut all connections, and refuse new ones."""
        self._call(self._close())

    def go_online(self) -> None:
        """Accept connections again, on the same port."""
        self._call(self._open())

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Be offline within a `with` block."""
        self.go_offline()
        try:
            yield
        finally:
            self.go_online()

    def offline_for(self, seconds: float) -> None:
        """Go offline now, and online again after `seconds`."""
        self.go_offline()
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, lambda: self._spawn(self._open()))

    def actions(self) -> Counter[Action | None]:
        """Return the number of requests by action."""
        return Counter(seen.action for seen in self.seen)

    # -- on the proxy's own thread -------------------------------------------------------------------------------

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def _spawn(self, coroutine: Any) -> None:
        task = self._loop.create_task(coroutine)
        self._state.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._state.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a late request may find no server, and nobody waits for it

    async def _open(self) -> None:
        if self._state.upstream is None:
            # Without keep-alive, so that no request meets a connection that the server has closed.
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
            self._state.upstream = httpx.AsyncClient(timeout=None, trust_env=False, verify=False, limits=limits)
        if self._state.server is None:
            self._state.server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._state.server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        server, self._state.server = self._state.server, None
        if server is not None:
            # Let accepted connections start first: Python 3.11 leaks their sockets if the server closes meanwhile.
            for listening in server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            for _ in range(3):
                await asyncio.sleep(0)
            server.close()
        await self._cut(self._state.http)
        await self._cut(self._state.sockets)

    async def _shut_down(self) -> None:
        await self._close()
        waiting = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        if self._state.upstream is not None:
            await self._state.upstream.aclose()

    async def _cut(self, writers: set[asyncio.StreamWriter]) -> int:
        cut = list(writers)
        writers.clear()
        for writer in cut:
            writer.transport.abort()
        return len(cut)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state.server is None:  # accepted just before it went offline
            writer.transport.abort()
            return
        self._state.http.add(writer)
        try:
            while (request := await _read_request(reader)) is not None:
                if request.header("upgrade").lower() == "websocket":
                    path = urlsplit(request.target).path
                    rule = next((rule for rule in self._rules if rule.acts_on(request.method, path)), None)
                    self.seen.append(Seen(request.method, path, rule.action if rule else None, request.body))
                    await self._socket(rule, request, reader, writer)
                    return
                if not await self._answer(request, writer):
                    return
        except (OSError, asyncio.IncompleteReadError, httpx.HTTPError):
            pass  # one side closed, so the other closes too
        except asyncio.CancelledError:
            pass  # the proxy is being shut down; asyncio's streams would log a canceled handler as an error
        finally:
            self._state.http.discard(writer)
            writer.close()

    async def _answer(self, request: _Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection may be reused."""
        path = urlsplit(request.target).path
        rule = next((rule for rule in self._rules if rule.acts_on(request.method, path)), None)
        self.seen.append(Seen(request.method, path, rule.action if rule else None, request.body))
        reply = None
        if rule is not None and rule.action == "late_request":
            self._spawn(self._forward(request, rule.seconds))
        for _ in range(2 if rule is not None and rule.action == "double" else 1):
            if rule is None or rule.reaches_server:
                reply = await self._forward(request)
        reusable = request.header("connection").lower() != "close"
        if rule is None or rule.action in ("delay", "double"):
            await asyncio.sleep(rule.seconds if rule else 0)
            assert reply is not None
            await _write(writer, reply.status_code, _end_to_end(reply.headers.multi_items()), reply.content)
            return reusable
        if rule.action in _OF_BYTES:
            assert reply is not None
            to_the_end = rule.action == "slow_close"
            headers = _end_to_end(reply.headers.multi_items())
            reply_bytes = _reply_bytes(reply.status_code, headers, reply.content, to_the_end=to_the_end)
            delivery = _Delivery(writer, rule)
            await delivery.write(reply_bytes)
            if to_the_end:
                await asyncio.sleep(rule.seconds)
            return reusable and delivery.is_open and not to_the_end
        if rule.action == "say":
            await _write(writer, 200, [("content-type", "application/json")], rule.body)
            return reusable
        if make := _REPLACEMENTS.get(rule.action):
            status, content_type, body, claimed = make(reply.content if reply is not None else b"{}")
            await _write(writer, status, [("content-type", content_type)], body, claimed)
            return reusable and claimed is None
        return False

    async def _forward(self, request: _Request, seconds: float = 0.0) -> httpx.Response:
        await asyncio.sleep(seconds)
        assert self._state.upstream is not None
        return await self._state.upstream.request(
            request.method,
            self.target + request.target,
            headers=[*_end_to_end(request.headers), ("accept-encoding", "identity")],
            content=request.body,
        )

    async def _socket(
        self, rule: Rule | None, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Handle one websocket; rules that do not apply to websockets refuse it."""
        if rule is not None and rule.action == "hang_up":
            accepted = base64.b64encode(hashlib.sha1(request.header("sec-websocket-key").encode() + _GUID).digest())
            writer.write(b"HTTP/1.1 101 Yes\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ")
            writer.write(accepted + b"\r\n\r\n" + _GOODBYE)
            await writer.drain()
        elif rule is not None and rule.action == "drop":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pipe(request, reader, writer), rule.seconds)
        elif rule is None or rule.action == "delay" or rule.action in _OF_BYTES:
            await asyncio.sleep(rule.seconds if rule and rule.action == "delay" else 0)
            await self._pipe(request, reader, writer, rule)
            if rule is not None and rule.action == "slow_close":
                await asyncio.sleep(rule.seconds)

    async def _pipe(
        self,
        request: _Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        rule: Rule | None = None,
    ) -> None:
        """Forward a websocket's bytes in both directions."""
        target = urlsplit(self.target)
        far_reader, far_writer = await asyncio.open_connection(target.hostname, target.port)
        self._state.http.discard(writer)
        self._state.sockets |= {writer, far_writer}
        far_writer.write(request.head)
        try:
            await asyncio.wait(
                {
                    asyncio.ensure_future(_copy(reader, _Delivery(far_writer, None))),
                    asyncio.ensure_future(_copy(far_reader, _Delivery(writer, rule))),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._state.sockets -= {writer, far_writer}
            far_writer.close()


def _page(title: bytes) -> bytes:
    return _PAGE % (title, title)


# Functions of the server's body that return status, content type, body, and a false content-length (or None).
_REPLACEMENTS: dict[Action, Callable[[bytes], tuple[int, str, bytes, int | None]]] = {
    "server_error": lambda _: (500, "application/json", b'{"detail": "Unexpected error while doing it: None"}', None),
    "bad_gateway": lambda _: (502, "text/html", _page(b"502 Bad Gateway"), None),
    "web_page": lambda _: (200, "text/html; charset=utf-8", _page(b"Please log in"), None),
    "empty": lambda _: (200, "application/json", b"", None),
    "half_json": lambda body: (200, "application/json", body[: max(1, len(body) // 2)], None),
    "cut": lambda body: (200, "application/json", body[: len(body) // 2], len(body)),
}


def _end_to_end(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in {*_HOP_BY_HOP, "accept-encoding"}]


async def _read_request(reader: asyncio.StreamReader) -> _Request | None:
    """Return the next request of a connection, or None at its end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    request = _Request(method, target, headers, b"", head)
    if length := int(request.header("content-length") or 0):
        request = request._replace(body=await reader.readexactly(length))
    return request


async def _write(
    writer: asyncio.StreamWriter,
    status: int,
    headers: list[tuple[str, str]],
    body: bytes,
    claimed: int | None = None,
) -> None:
    writer.write(_reply_bytes(status, headers, body, claimed))
    await writer.drain()


def _reply_bytes(
    status: int,
    headers: list[tuple[str, str]],
    body: bytes,
    claimed: int | None = None,
    *,
    to_the_end: bool = False,
) -> bytes:
    """Return the bytes of a reply; with `to_the_end`, one whose end is that of the connection."""
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers)]
    length = len(body) if claimed is None else claimed
    lines.append("connection: close" if to_the_end else f"content-length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


_OF_BYTES = ("latency", "bandwidth", "slices", "slow_close", "limit", "reset")


class _Delivery:
    """Writes bytes to one connection as a rule says.

    Attributes:
        is_open: whether more can be written.
    """

    def __init__(self, writer: asyncio.StreamWriter, rule: Rule | None) -> None:
        self._writer = writer
        self._rule = rule
        self._left = rule.size if rule is not None and rule.action in ("limit", "reset") else None
        self.is_open = True

    async def write(self, data: bytes) -> None:
        rule = self._rule
        size, pause = len(data), 0.0
        if rule is not None and rule.action == "latency":
            await asyncio.sleep(rule.seconds * random.uniform(1.0, 2.0))
        elif rule is not None and rule.action == "bandwidth":
            size = max(rule.size // 20, 1)
            pause = size / rule.size
        elif rule is not None and rule.action == "slices":
            size, pause = rule.size, rule.seconds
        if self._left is not None:
            data, self._left = data[: self._left], self._left - len(data)
        for start in range(0, len(data), max(size, 1)):
            self._writer.write(data[start : start + size])
            await self._writer.drain()
            await asyncio.sleep(pause)
        if self._left is not None and self._left < 0:
            self._end()

    def _end(self) -> None:
        self.is_open = False
        assert self._rule is not None
        if self._rule.action == "reset":
            # Without lingering, closing a socket resets the connection.
            lingering = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
            self._writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, delivery: _Delivery) -> None:
    with contextlib.suppress(OSError):
        while delivery.is_open and (data := await reader.read(65536)):
            await delivery.write(data)
