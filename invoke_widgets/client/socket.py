"""The only file that imports socketio: the connection on which the server reports events.

What it relies on, observed on InvokeAI 6.13.8 and 6.14.2:

- Only the websocket transport is used: with some versions of the server's own libraries long polling answers 500.
- Subscriptions end with the connection, and nothing is replayed.
- 6.13.8 sends every event twice, the copies interleaved with other events. Events carry their time in whole seconds,
  so from 6.14 on two equal events need not be copies; but an item never enters the same state twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import socketio
from engineio.base_client import connected_clients

from invoke_widgets._loop import Backoff
from invoke_widgets.client.transport import Transport, clean, proxy_for
from invoke_widgets.errors import ServerUnreachable
from invoke_widgets.errors.redact import incoming
from invoke_widgets.events import PARSERS, Event, parse_event

# The library's own loggers print a line for each failed connection, which we report ourselves.
_quiet = logging.getLogger("invoke_widgets.socketio")
_quiet.setLevel(logging.CRITICAL)

_MOST_BYTES = 64 * 2**20
_LIVED_S = 5.0
"""A socket that breaks sooner counts as a failed attempt: some proxies let it open, and nothing more."""


class EventStream:
    """A subscription to one queue's events, which is kept open with growing pauses between attempts. Used on the loop.

    It replaces python-socketio's reconnection, which cannot be made to try at once, does not say when it tries next,
    and takes a socket that breaks at once for a success. Attempts have a task of their own, so that nothing waits.

    Args:
        on_event: called with each event of a known kind.
        on_open: called when an attempt has succeeded.
        on_failed: called when an attempt has failed.
        on_lost: called once when an open connection breaks.
    """

    def __init__(
        self,
        transport: Transport,
        queue_id: str,
        *,
        on_event: Callable[[Event], None],
        on_open: Callable[[], None] = lambda: None,
        on_failed: Callable[[ServerUnreachable], None] = lambda error: None,
        on_lost: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._url = transport.url
        self._queue_id = queue_id
        self._on_event = on_event
        self._on_open = on_open
        self._on_failed = on_failed
        self._on_lost = on_lost
        self._clock = clock
        self._socket: socketio.AsyncClient | None = None
        self._http: aiohttp.ClientSession | None = None
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self.sends_copies = False
        """Whether the server's version sends each event twice. Without it, equal events may be genuine."""
        self._recent: deque[tuple[str, Any]] = deque(maxlen=32)
        self._attempt: asyncio.Task[None] | None = None
        self._backoff = Backoff(0.25, 30.0)
        self._opened_at = 0.0
        self._due_at = 0.0

    # -- attempts ----------------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the socket is open and subscribed."""
        return self._socket is not None and self._socket.connected

    async def open_anew(self, wait_s: float) -> bool:
        """Close the socket, try to open it if that is due, and return whether it is open after `wait_s` seconds.

        An attempt that takes longer goes on in the background.
        """
        await self.close()
        self.try_if_due()
        await self.tried(wait_s)
        return self.is_open

    def try_if_due(self) -> None:
        """Begin an attempt, unless the socket is open, one is under way, or it is too soon after a failed one."""
        if self._attempt is None and not self.is_open and self._clock() >= self._due_at:
            self._attempt = asyncio.get_running_loop().create_task(self._try())
            self._attempt.add_done_callback(self._forget)

    async def tried(self, wait_s: float | None = None) -> None:
        """Wait until the attempt under way, if any, has ended; at most `wait_s` seconds."""
        if self._attempt is not None:
            await asyncio.wait({self._attempt}, timeout=wait_s)

    def hurry(self) -> None:
        """Make the next attempt due at once, whatever failed before."""
        self._backoff.reset()
        self._due_at = 0.0

    async def close(self) -> None:
        """Cancel an attempt that is under way, and disconnect; `on_lost` is not called."""
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait({self._attempt})
        await self._disconnect()

    async def _try(self) -> None:
        try:
            await self.connect()
        except ServerUnreachable as error:
            self._due_at = self._clock() + self._backoff.next()
            self._on_failed(error)
        else:
            self._opened_at = self._clock()
            self._on_open()

    def _forget(self, task: asyncio.Task[None]) -> None:
        if self._attempt is task:
            self._attempt = None

    def _broke(self) -> None:
        if self._clock() - self._opened_at >= _LIVED_S:
            self.hurry()
        else:
            self._due_at = self._clock() + self._backoff.next()
        self._on_lost()

    # -- the connection ----------------------------------------------------------------------------------------------

    async def connect(self, timeout: float = 5.0) -> None:
        """Connect and subscribe. Events may arrive before this returns.

        Raises:
            ServerUnreachable: the socket could not be opened within `timeout` seconds.
        """
        await self._disconnect()
        verify, token = self._transport.verify, self._transport.token
        options: dict[str, Any] = {"ssl_verify": verify is not False}
        # The proxy as for requests. An event may carry a job's whole output.
        options["websocket_extra_options"] = {"proxy": proxy_for(self._url), "max_msg_size": _MOST_BYTES}
        trusted: dict[str, Any] = {"ssl": verify} if isinstance(verify, ssl.SSLContext) else {}
        tracing = aiohttp.TraceConfig()
        tracing.on_request_redirect.append(_refuse_redirect)
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(**trusted), trace_configs=[tracing])
        options["http_session"] = self._http
        socket = socketio.AsyncClient(
            reconnection=False, logger=_quiet, engineio_logger=_quiet, handle_sigint=False, **options
        )
        for name in PARSERS:
            socket.on(name, self._handler(name))

        async def lost(*_: object) -> None:
            if self._socket is socket:
                self._socket = None
                self._broke()

        socket.on("disconnect", lost)
        parts = urlsplit(self._url)
        try:
            async with asyncio.timeout(timeout):
                await socket.connect(
                    f"{parts.scheme}://{parts.netloc}",
                    transports=["websocket"],
                    socketio_path=f"{parts.path}/ws/socket.io".lstrip("/"),
                    auth={"token": token} if token else None,
                    headers=self._transport.authorization,
                    wait_timeout=timeout,
                )
                # Wait for the acknowledgement, so that no event is missed between this and the first read.
                await socket.call("subscribe_queue", {"queue_id": self._queue_id}, timeout=timeout)
            if not socket.connected:
                raise ConnectionError("it broke at once")
        except Exception as error:  # noqa: BLE001 - the library raises anything, a TypeError if the socket closes early
            await self._shut(socket)
            raise ServerUnreachable(
                f"The socket to {self._url} could not be opened: {incoming(str(error)) or type(error).__name__}.",
                suggestion="A proxy before the server must let websockets pass; until then, the queue is polled.",
                retryable=True,
            ) from None
        except BaseException:
            await self._shut(socket)
            raise
        self._socket = socket
        self._websocket = socket.eio.ws

    def _handler(self, name: str) -> Callable[[Any], Any]:
        # The handler never awaits: the library starts one task per message, and so they are handled in order.
        async def handle(*args: Any) -> None:
            data = clean(args[0]) if args else None
            if self._is_copy(name, data):
                return
            event = parse_event(name, data)
            if event is not None and event.queue_id == self._queue_id:
                self._on_event(event)

        return handle

    def _is_copy(self, name: str, data: Any) -> bool:
        """Whether the same event arrived a moment ago; the copy of a progress event may lack its image."""
        if not self.sends_copies and name != "queue_item_status_changed":
            return False
        content = {key: value for key, value in data.items() if key != "image"} if isinstance(data, dict) else data
        if (name, content) in self._recent:
            return True
        self._recent.append((name, content))
        return False

    async def _disconnect(self) -> None:
        socket, self._socket = self._socket, None
        await self._shut(socket)

    async def _shut(self, socket: socketio.AsyncClient | None) -> None:
        http, self._http = self._http, None
        websocket, self._websocket = self._websocket, None
        try:
            with contextlib.suppress(Exception):  # the library raises anything
                async with asyncio.timeout(2.0):
                    if socket is not None:
                        await socket.disconnect()
        finally:
            # It stays in this list where the server does not answer its end, or where this is canceled.
            if socket is not None and socket.eio in connected_clients:
                connected_clients.remove(socket.eio)
            if http is not None:
                await http.close()
            if websocket is not None:
                await websocket.close()  # the library drops it open when the server goes silent


async def _refuse_redirect(_: object, __: object, params: aiohttp.TraceRequestRedirectParams) -> None:
    """End a connection that the server sends elsewhere: the other host would be given the token."""
    target = params.response.headers.get("location", "")
    raise ConnectionError(f"it is redirected to {target[:200]!r}, which is not followed")
