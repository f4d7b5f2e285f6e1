"""The only file that imports socketio: the connection on which the server tells what happens.

Facts behind it (InvokeAI 6.13.8 and 6.14.2): the websocket transport alone is asked for, since long polling answers 500
behind some versions of the server's own libraries; subscriptions are lost with each connection; nothing is replayed;
6.13.8 sends every event twice, the copies interleaved with their neighbours. An event tells its time in whole seconds:
from 6.14 on two that are alike need not be copies. But an item has none of its states twice.
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

from invoke_widgets._loop import Backoff
from invoke_widgets.client.transport import clean, proxy_for
from invoke_widgets.errors import ServerUnreachable
from invoke_widgets.errors.redact import incoming
from invoke_widgets.events import PARSERS, Event, parse_event

# Its own loggers print a line for each failed connection, which is told in our own words.
_quiet = logging.getLogger("invoke_widgets.socketio")
_quiet.setLevel(logging.CRITICAL)

_LIVED_S = 5.0
"""A socket that broke sooner counts as one that could not be had: some proxies let it begin, and no more."""


class EventStream:
    """One subscription to one queue's events.

    Args:
        url: the server's address.
        queue_id: the queue.
        on_event: called with each event that is understood, on the loop.
        on_lost: called once when a connection that was made breaks.
        token: a callable that returns the Bearer token in use, or None.
        verify: as for `InvokeClient`.
    """

    def __init__(
        self,
        url: str,
        queue_id: str,
        *,
        on_event: Callable[[Event], None],
        on_lost: Callable[[], None],
        token: Callable[[], str | None],
        verify: Any = True,
    ) -> None:
        self._url = url
        self._queue_id = queue_id
        self._on_event = on_event
        self._on_lost = on_lost
        self._token = token
        self._verify = verify
        self._socket: socketio.AsyncClient | None = None
        self.sends_copies = False
        """Whether the server is of a version that sends copies; what happens twice in a second looks like one."""
        self._recent: deque[tuple[str, Any]] = deque(maxlen=32)

    async def connect(self, timeout: float = 5.0) -> None:
        """Connect and subscribe. Events may come before this returns.

        Raises:
            ServerUnreachable: no socket could be had within `timeout` seconds.
        """
        await self.close()
        options: dict[str, Any] = {"ssl_verify": self._verify is not False}
        options["websocket_extra_options"] = {"proxy": proxy_for(self._url)}  # the same as for requests
        if isinstance(self._verify, ssl.SSLContext):
            options["http_session"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._verify))
        socket = socketio.AsyncClient(
            reconnection=False, logger=_quiet, engineio_logger=_quiet, handle_sigint=False, **options
        )
        for name in PARSERS:
            socket.on(name, self._handler(name))

        async def lost(*_: object) -> None:
            if self._socket is socket:
                self._socket = None
                self._on_lost()

        socket.on("disconnect", lost)
        parts = urlsplit(self._url)
        token = self._token()
        try:
            async with asyncio.timeout(timeout):
                await socket.connect(
                    f"{parts.scheme}://{parts.netloc}",
                    transports=["websocket"],
                    socketio_path=f"{parts.path}/ws/socket.io".lstrip("/"),
                    auth={"token": token} if token else None,
                    headers={"Authorization": f"Bearer {token}"} if token else {},
                    wait_timeout=timeout,
                )
                # Acknowledged, so that nothing can happen unheard between this and the first read.
                await socket.call("subscribe_queue", {"queue_id": self._queue_id}, timeout=timeout)
            if not socket.connected:
                raise ConnectionError("it broke at once")
        except Exception as error:  # noqa: BLE001 - a connection that ends early is a TypeError there, or anything else
            await _shut(socket)
            raise ServerUnreachable(
                f"No socket could be had from {self._url}: {incoming(str(error)) or type(error).__name__}.",
                retryable=True,
            ) from None
        except BaseException:
            await _shut(socket)
            raise
        self._socket = socket

    @property
    def is_connected(self) -> bool:
        return self._socket is not None and self._socket.connected

    def _handler(self, name: str) -> Callable[[Any], Any]:
        # Coroutines without an await: the library starts one task a message, in order, and so they stay in order.
        async def handle(*args: Any) -> None:
            data = clean(args[0]) if args else None
            if self._is_copy(name, data):
                return
            event = parse_event(name, data)
            if event is not None and event.queue_id == self._queue_id:
                self._on_event(event)

        return handle

    def _is_copy(self, name: str, data: Any) -> bool:
        """Whether this came a moment ago; a copy of a progress event may lack its image."""
        if not self.sends_copies and name != "queue_item_status_changed":
            return False
        told = {key: value for key, value in data.items() if key != "image"} if isinstance(data, dict) else data
        if (name, told) in self._recent:
            return True
        self._recent.append((name, told))
        return False

    async def close(self) -> None:
        """Disconnect; `on_lost` is not called."""
        socket, self._socket = self._socket, None
        if socket is not None:
            await _shut(socket)


class SocketKeeper:
    """Opens the socket in a task of its own, so that nothing waits for it, again and again with growing pauses.

    Not python-socketio's own reconnection: that cannot be told to try now, does not say when it tries next, and takes a
    socket that breaks at once for a success. Used on the loop.

    Args:
        stream: the socket.
        on_open: called when a try succeeded.
        on_failed: called when a try failed.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        stream: EventStream,
        *,
        on_open: Callable[[], None],
        on_failed: Callable[[ServerUnreachable], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._on_open = on_open
        self._on_failed = on_failed
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._backoff = Backoff(0.25, 30.0)
        self._opened_at = 0.0
        self._due_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._stream.is_connected

    async def open_anew(self, wait_s: float) -> bool:
        """Close it, try it where that is due, and wait up to `wait_s` seconds; the try then goes on by itself.

        Returns:
            Whether it is open.
        """
        await self.close()
        self.try_if_due()
        await self.tried(wait_s)
        return self.is_open

    def try_if_due(self) -> None:
        """Begin a try, unless it is open, being tried, or was tried in vain a short while ago."""
        if self._task is None and not self.is_open and self._clock() >= self._due_at:
            self._task = asyncio.get_running_loop().create_task(self._try())
            self._task.add_done_callback(self._forget)

    async def tried(self, wait_s: float | None = None) -> None:
        """Wait until the try that is under way, if any, has ended; at most `wait_s` seconds."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=wait_s)

    def hurry(self) -> None:
        """Have the next try due at once, whatever failed before."""
        self._backoff.reset()
        self._due_at = 0.0

    def broke(self) -> None:
        """Note that the open socket broke."""
        if self._clock() - self._opened_at >= _LIVED_S:
            self.hurry()
        else:
            self._failed()

    async def close(self) -> None:
        """Close the socket, and end a try that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._stream.close()

    async def _try(self) -> None:
        try:
            await self._stream.connect()
        except ServerUnreachable as error:
            self._failed()
            self._on_failed(error)
        else:
            self._opened_at = self._clock()
            self._on_open()

    def _forget(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None

    def _failed(self) -> None:
        self._due_at = self._clock() + self._backoff.next()


async def _shut(socket: socketio.AsyncClient) -> None:
    with contextlib.suppress(Exception):  # as above
        async with asyncio.timeout(2.0):
            await socket.disconnect()
    http = getattr(socket.eio, "http", None)
    if http is not None and not http.closed:
        await http.close()
