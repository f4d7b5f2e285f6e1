"""Assemble the server from its parts."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from . import routes_app, routes_auth, routes_boards, routes_images, routes_library, routes_queue
from .events import EventBus
from .faults import Drills, FaultMiddleware
from .images import BoardNotFoundError, ImageRecordNotFoundException, ImageStore
from .library import Library, WorkflowNotFoundError
from .nodes import NODES, OUTPUTS
from .queue import Queue
from .services import Services, Settings
from .sockets import Sockets
from .store import Store
from .users import Users
from .worker import Worker

_REF = "#/components/schemas/{model}"

_MISSING: dict[type[Exception], str] = {
    ImageRecordNotFoundException: "Not Found",
    BoardNotFoundError: "Board not found",
    WorkflowNotFoundError: "Workflow not found",
}
"""What is said with 404 of each kind of record that is not there."""


def _not_found(detail: str) -> Callable[[Request, Exception], Response]:
    return lambda request, error: JSONResponse({"detail": detail}, status_code=404)


class _Compressed:
    """Compress responses, except images, which are compressed already, and Socket.IO, which compresses its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._gzip = GZipMiddleware(app, minimum_size=0, compresslevel=3)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        as_is = scope["type"] != "http" or scope["method"] == "HEAD"
        as_is = as_is or path.startswith("/ws") or path.endswith(("/full", "/thumbnail"))
        await (self._plain if as_is else self._gzip)(scope, receive, send)


class _OwnAddress:
    """Refuse what the page of another site may send, which shares this machine with the server through a browser.

    A page may have its own name lead to 127.0.0.1, so names other than localhost are not the server's. A browser names
    the page's origin with each request that could change something, and with each socket. InvokeAI checks neither.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] in ("http", "websocket") else None
        answer: Response | None = None
        if headers is not None and not _is_own(host := headers.get("host", "")):
            answer = PlainTextResponse("This is not the demo server's address.", 400)
        elif headers is not None and scope.get("method") != "OPTIONS":  # which is refused as InvokeAI refuses it
            scheme = scope["scheme"].replace("ws", "http")
            if headers.get("origin", f"{scheme}://{host}") != f"{scheme}://{host}":
                answer = PlainTextResponse("Pages of other origins may not use the demo server.", 403)
        await (answer or self._app)(scope, receive, send)


def _is_own(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ip_address(name))
    except ValueError:
        return False


class DemoServer:
    """One server: an ASGI application (`app`) and the parts behind it.

    Args:
        root: folder for the database and the images; an existing one is reused.
        control: token that allows drills; random by default.

    Attributes:
        connections: the open connections, to be shared with the uvicorn server that runs `app`.
    """

    def __init__(self, root: Path, settings: Settings | None = None, control: str | None = None) -> None:
        self.settings = settings or Settings()
        self.control = control or secrets.token_urlsafe(24)
        self.connections: set[Any] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        root.mkdir(parents=True, exist_ok=True)
        store = Store(root / "demo.db")
        bus = EventBus()
        drills = Drills()
        images = ImageStore(store, root / "images")
        users = Users(store, multiuser=self.settings.multiuser)
        queue = Queue(store, bus, drills, max_size=self.settings.max_queue_size)
        worker = Worker(queue, images, bus, drills, before_item=self._pause, round_robin=self.settings.multiuser)
        self.services = Services(self.settings, self.control, store, bus, users, images, Library(store), queue, worker)
        self._sockets = Sockets(users, drills)
        self.app: ASGIApp = _OwnAddress(
            FaultMiddleware(self._api(), drills, self.connections, self.control, self._sockets.drop)
        )

    def _api(self) -> FastAPI:
        api = FastAPI(
            title="Invoke - Community Edition",
            description="An API for invoking AI image operations",
            lifespan=self._lifespan,
            generate_unique_id_function=lambda route: route.name,
        )
        api.state.services = self.services
        for missing, detail in _MISSING.items():
            api.add_exception_handler(missing, _not_found(detail))
        api.add_middleware(_Compressed)
        # No origin is allowed, as with InvokeAI's default settings, so that browsers refuse cross-origin requests.
        api.add_middleware(CORSMiddleware, allow_origins=[], allow_methods=["*"])
        for router in (
            routes_auth.router,
            routes_app.router,
            routes_queue.router,
            routes_images.router,
            routes_boards.router,
            routes_boards.images_router,
            routes_library.router,
        ):
            api.include_router(router)

        def openapi() -> dict[str, Any]:
            if api.openapi_schema is None:
                api.openapi_schema = _openapi(api)
            return api.openapi_schema

        api.openapi = openapi  # type: ignore[method-assign]
        api.mount("/ws", self._sockets.app)
        api.mount("/", routes_app.web_interface)
        return api

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        services = self.services
        self._loop = asyncio.get_running_loop()
        services.bus.start(self._sockets.send)
        services.queue.recover()
        services.worker.start()
        try:
            yield
        finally:
            await asyncio.to_thread(services.worker.stop)
            await services.bus.stop()
            services.store.close()

    def _pause(self) -> None:
        seconds = self.settings.gc_pause
        if seconds > 0 and self._loop is not None:
            # Blocks the event loop on purpose: InvokeAI answers nothing during its garbage collection.
            self._loop.call_soon_threadsafe(time.sleep, seconds)
            time.sleep(seconds)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return FastAPI's document plus the schemas of all nodes and outputs, as in InvokeAI.

    The schema of a node references that of its output as `output`.
    """
    document = get_openapi(
        title=app.title,
        description=app.description,
        version="1.0.0",
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    schemas: dict[str, Any] = document["components"]["schemas"]

    models = [(model, "serialization") for model in (*OUTPUTS.values(), *NODES.values())]
    _, definitions = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    schemas |= definitions["$defs"]
    outputs = {name: {"$ref": _REF.format(model=node.output_class.__name__)} for name, node in NODES.items()}
    for name, node in NODES.items():
        schemas[node.__name__]["output"] = outputs[name]
    schemas["InvocationOutputMap"] = {
        "type": "object",
        "properties": dict(sorted(outputs.items())),
        "required": sorted(outputs),
    }
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document
