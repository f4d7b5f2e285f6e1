"""Drills: faults on demand, to see how a client handles them.

`POST /demo/drill` with a body `{"name": ..., "seconds": number or null, ...}` starts a drill, which ends after those
seconds; the response has its `id`. `DELETE /demo/drill?id=...` ends that drill, without an id it ends all; `GET
/demo/drill` lists them. All three need the header `X-Demo-Control` with the control token; without it the path behaves
like any unknown one. Of several drills with one name the latest applies.

| name            | parameters              | what happens                                                             |
| --------------- | ----------------------- | ------------------------------------------------------------------------ |
| `slow`          | `delay` (seconds)       | each response is delayed                                                 |
| `offline`       |                         | every connection is closed at once, new ones at their first request      |
| `drop_sockets`  |                         | every Socket.IO client is disconnected, new ones are refused             |
| `error_500`     |                         | 500 with a JSON detail                                                   |
| `error_422`     |                         | 422 as for an invalid request                                            |
| `html`          |                         | 200 with an HTML page                                                    |
| `bad_gateway`   |                         | 502 with an HTML page, as from a proxy                                   |
| `half_json`     |                         | the request is carried out; half of the response's JSON is sent          |
| `lost_replies`  | `fraction`, `seed`      | that share of requests is carried out and closed without a response      |
| `out_of_memory` |                         | each item fails with `OutOfMemoryError` once half of its nodes have run  |
| `full_queue`    |                         | nothing can be enqueued: `enqueued` is 0                                 |

The last two and `drop_sockets` leave requests alone, `offline` affects all, the others those for `/api` and
`/openapi.json`.
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
    """The active drills. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[int, tuple[str, float | None, dict[str, Any]]] = {}
        self._count = 0
        self.random = random.Random(0)

    def begin(self, name: str, seconds: float | None, parameters: dict[str, float]) -> int:
        """Start a drill and return its id.

        Raises:
            ValueError: unknown drill or parameter.
        """
        if name not in DRILLS:
            raise ValueError(f"unknown drill {name!r}; there are {', '.join(DRILLS)}")
        if unknown := set(parameters) - set(DRILLS[name]):
            raise ValueError(f"{name} has no parameter {', '.join(sorted(unknown))}")
        chosen = {**DRILLS[name], **parameters}
        with self._lock:
            self._count += 1
            begun = self._count
            self._active[begun] = (name, None if seconds is None else time.monotonic() + seconds, chosen)
        if name == "lost_replies":
            self.random.seed(int(chosen["seed"]))
        return begun

    def end(self, drill_id: int) -> None:
        """End a drill, if it is active."""
        with self._lock:
            self._active.pop(drill_id, None)

    def end_all(self) -> None:
        """End every drill."""
        with self._lock:
            self._active.clear()

    def get(self, name: str) -> dict[str, Any] | None:
        """Return a drill's parameters, or None if it is not active."""
        with self._lock:
            now = time.monotonic()
            self._active = {i: drill for i, drill in self._active.items() if drill[1] is None or drill[1] > now}
            return next((known for other, _, known in reversed(self._active.values()) if other == name), None)

    def on(self, name: str) -> bool:
        """Return whether a drill is active."""
        return self.get(name) is not None

    def active(self) -> list[dict[str, Any]]:
        """Return the active drills with their parameters."""
        return [{"name": name, **parameters} for name in DRILLS if (parameters := self.get(name)) is not None]


class FaultMiddleware:
    """The outermost ASGI layer: apply drills to requests, and serve the control path.

    Args:
        connections: uvicorn's, each with its `client` and `transport`.
        drop_sockets: coroutine function that disconnects every Socket.IO client.
    """

    def __init__(
        self,
        app: ASGIApp,
        drills: Drills,
        connections: set[Any],
        control: str,
        drop_sockets: Callable[[], Awaitable[None]],
    ) -> None:
        self._app = app
        self._drills = drills
        self._connections = connections
        self._control = control
        self._drop_sockets = drop_sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == CONTROL_PATH and self._is_authorized(scope):
            response = await self._control_drills(scope, receive)
            await response(scope, receive, send)
        elif scope["type"] in ("http", "websocket") and self._drills.on("offline"):
            await self._abort(scope)
        elif scope["type"] == "http" and (scope["path"].startswith("/api/") or scope["path"] == "/openapi.json"):
            await self._handle(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_authorized(self, scope: Scope) -> bool:
        token = dict(scope["headers"]).get(CONTROL_HEADER.encode(), b"")
        return hmac.compare_digest(token, self._control.encode())

    async def _control_drills(self, scope: Scope, receive: Receive) -> Response:
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
                for connection in [one for one in self._connections if one.client != scope["client"]]:
                    connection.transport.abort()
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
            await self._abort(scope)
            return
        if self._drills.on("half_json"):
            # Ask for no compression: half of a gzip stream would be a different fault.
            plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
            scope, send = {**scope, "headers": plain}, _halved(send)
        await self._app(scope, receive, send)

    async def _abort(self, scope: Scope) -> None:
        """Close a request's connection, and let uvicorn notice before it complains about the missing response."""
        for connection in [one for one in self._connections if one.client == scope["client"]]:
            connection.transport.abort()
        await asyncio.sleep(0.01)

    def _instead(self) -> Response | None:
        """Return the response that replaces the application's, if a drill asks for one."""
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
    """Wrap `send` so that only the first half of a JSON body is sent."""
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
