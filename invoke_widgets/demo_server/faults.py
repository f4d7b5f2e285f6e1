"""Drills: faults on demand, to see what a client makes of them.

A drill is begun with `POST /demo/drill` and a body `{"name": ..., "seconds": number or null, ...}`, and ends after
those seconds; `DELETE /demo/drill` ends all, or with `?id=` the one whose `id` the answer to its begin told;
`GET /demo/drill` lists them. All three want the header `X-Demo-Control` with the control token; without it the path is
like any that doesn't exist. Of several drills of one name the one begun last is carried out.

| name            | parameters              | what happens                                                             |
| --------------- | ----------------------- | ------------------------------------------------------------------------ |
| `slow`          | `delay` (seconds)       | each answer comes later                                                  |
| `offline`       |                         | every connection is closed at once, new ones at their first request      |
| `drop_sockets`  |                         | every Socket.IO client is disconnected, new ones are refused             |
| `error_500`     |                         | 500 with a JSON detail                                                   |
| `error_422`     |                         | 422 as for an invalid request                                            |
| `html`          |                         | 200 with an HTML page                                                    |
| `bad_gateway`   |                         | 502 with an HTML page, as from a proxy                                   |
| `half_json`     |                         | the request is carried out; half of the answer's JSON comes              |
| `lost_replies`  | `fraction`, `seed`      | that part of the requests is carried out and closed without an answer |
| `out_of_memory` |                         | each item fails in the middle of its run with `OutOfMemoryError`         |
| `full_queue`    |                         | nothing can be enqueued: `enqueued` is 0                                 |

All but the last two and `drop_sockets` concern requests under `/api` and for `/openapi.json`; `offline` concerns all.
"""

from __future__ import annotations

import asyncio
import hmac
import random
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROL_PATH = "/demo/drill"
CONTROL_HEADER = "x-demo-control"

DRILLS: dict[str, dict[str, float]] = {
    "slow": {"delay": 1.0},
    "offline": {},
    "drop_sockets": {},
    "error_500": {},
    "error_422": {},
    "html": {},
    "bad_gateway": {},
    "half_json": {},
    "lost_replies": {"fraction": 1.0, "seed": 0},
    "out_of_memory": {},
    "full_queue": {},
}

_PAGE = "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"


class Drills:
    """Which drills are on. May be asked from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[int, tuple[str, float | None, dict[str, Any]]] = {}
        self._begun = 0
        self.random = random.Random(0)

    def begin(self, name: str, seconds: float | None, parameters: dict[str, float]) -> int:
        """Begin a drill, and return its id.

        Raises:
            ValueError: there is no such drill, or it has no such parameter.
        """
        if name not in DRILLS:
            raise ValueError(f"unknown drill {name!r}; there are {', '.join(DRILLS)}")
        if unknown := set(parameters) - set(DRILLS[name]):
            raise ValueError(f"{name} has no parameter {', '.join(sorted(unknown))}")
        chosen = {**DRILLS[name], **parameters}
        with self._lock:
            self._begun += 1
            begun = self._begun
            self._active[begun] = (name, None if seconds is None else time.monotonic() + seconds, chosen)
        if name == "lost_replies":
            self.random.seed(int(chosen["seed"]))
        return begun

    def end(self, drill_id: int) -> None:
        """End one drill, unless it has ended."""
        with self._lock:
            self._active.pop(drill_id, None)

    def end_all(self) -> None:
        """End every drill."""
        with self._lock:
            self._active.clear()

    def get(self, name: str) -> dict[str, Any] | None:
        """A drill's parameters while it is on."""
        with self._lock:
            now = time.monotonic()
            self._active = {i: drill for i, drill in self._active.items() if drill[1] is None or drill[1] > now}
            return next((known for other, _, known in reversed(self._active.values()) if other == name), None)

    def on(self, name: str) -> bool:
        """Whether a drill is on."""
        return self.get(name) is not None

    def active(self) -> list[dict[str, Any]]:
        """Every drill that is on, with its parameters."""
        return [{"name": name, **parameters} for name in DRILLS if (parameters := self.get(name)) is not None]


class Connections:
    """The open connections, each known by its peer's address, to close them without an answer."""

    def __init__(self) -> None:
        self._transports: dict[Any, asyncio.Transport] = {}

    def add(self, transport: asyncio.Transport) -> None:
        """Note a new connection, and forget the closed ones."""
        self._transports = {k: t for k, t in self._transports.items() if not t.is_closing()}
        self._transports[_peer(transport.get_extra_info("peername"))] = transport

    async def abort(self, scope: Scope) -> None:
        """Close the connection that a request came by, and let the server notice before it misses the answer."""
        transport = self._transports.pop(_peer(scope.get("client")), None)
        if transport is not None:
            transport.abort()
            await asyncio.sleep(0.01)

    def abort_others(self, scope: Scope) -> None:
        """Close all connections but the one that a request came by."""
        own = _peer(scope.get("client"))
        for peer in [peer for peer in self._transports if peer != own]:
            self._transports.pop(peer).abort()


def _peer(address: Any) -> Any:
    return tuple(address[:2]) if address else None


class FaultMiddleware:
    """The outermost layer of the application: carries out the drills that concern requests, and takes the orders.

    Args:
        drop_sockets: disconnects every Socket.IO client.
    """

    def __init__(
        self,
        app: ASGIApp,
        drills: Drills,
        connections: Connections,
        control: str,
        drop_sockets: Callable[[], Awaitable[None]],
    ) -> None:
        self._app = app
        self._drills = drills
        self._connections = connections
        self._control = control
        self._drop_sockets = drop_sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == CONTROL_PATH and self._may_control(scope):
            response = await self._obey(scope, receive)
            await response(scope, receive, send)
        elif scope["type"] in ("http", "websocket") and self._drills.on("offline"):
            await self._connections.abort(scope)
        elif scope["type"] == "http" and (scope["path"].startswith("/api/") or scope["path"] == "/openapi.json"):
            await self._handle(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _may_control(self, scope: Scope) -> bool:
        token = dict(scope["headers"]).get(CONTROL_HEADER.encode(), b"")
        return hmac.compare_digest(token, self._control.encode())

    async def _obey(self, scope: Scope, receive: Receive) -> Response:
        begun: dict[str, int] = {}
        if scope["method"] == "DELETE":
            drill_id = Request(scope).query_params.get("id")
            if drill_id is None:
                self._drills.end_all()
            elif drill_id.isascii() and drill_id.isdigit():
                self._drills.end(int(drill_id))
        elif scope["method"] == "POST":
            try:
                order = await Request(scope, receive).json()
                name, seconds = order.pop("name"), order.pop("seconds", None)
                begun["id"] = self._drills.begin(name, seconds, order)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                return JSONResponse({"detail": f"not a drill: {error}"}, status_code=400)
            if name in ("offline", "drop_sockets"):
                await self._drop_sockets()
            if name == "offline":
                self._connections.abort_others(scope)
        return JSONResponse({"drills": self._drills.active(), **begun})

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (slow := self._drills.get("slow")) is not None:
            send = _delayed(send, float(slow["delay"]))
        if (response := self._instead()) is not None:
            await response(scope, receive, send)
            return
        lost = self._drills.get("lost_replies")
        if lost is not None and self._drills.random.random() < float(lost["fraction"]):
            await self._app(scope, receive, _discard)
            await self._connections.abort(scope)
            return
        if self._drills.on("half_json"):
            # Uncompressed: half of a gzip stream would be another fault.
            plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
            scope, send = {**scope, "headers": plain}, _halved(send)
        await self._app(scope, receive, send)

    def _instead(self) -> Response | None:
        """The answer that a drill gives in the place of the application."""
        on = self._drills.on
        if on("error_500"):
            return JSONResponse({"detail": "Unexpected error while serving the request: drill"}, status_code=500)
        if on("error_422"):
            problem = {"type": "value_error", "loc": ["body"], "msg": "Value error, drill", "input": None}
            return JSONResponse({"detail": [problem]}, status_code=422)
        if on("html"):
            return HTMLResponse(_PAGE.format("Invoke - Community Edition"))
        if on("bad_gateway"):
            return HTMLResponse(_PAGE.format("502 Bad Gateway"), status_code=502)
        return None


async def _discard(message: Message) -> None:
    pass


def _delayed(send: Send, delay: float) -> Send:
    async def later(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(delay)
        await send(message)

    return later


def _halved(send: Send) -> Send:
    """Gathers an answer and sends the first half of its body, if it is JSON."""
    start: list[Message] = []
    body = bytearray()

    async def half(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.append(message)
            return
        body.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        headers = [(k, v) for k, v in start[0]["headers"] if k.lower() != b"content-length"]
        is_json = (b"content-type", b"application/json") in headers
        part = bytes(body[: len(body) // 2]) if is_json else bytes(body)
        headers.append((b"content-length", str(len(part)).encode()))
        await send({**start[0], "headers": headers})
        await send({"type": "http.response.body", "body": part})

    return half
