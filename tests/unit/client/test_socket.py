"""When the socket is opened: in the background, and with a growing pause after each failure."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from invoke_widgets.client.socket import EventStream
from invoke_widgets.client.transport import Transport
from invoke_widgets.errors import ServerUnreachable


class _Stream(EventStream):
    """A socket that connects, is refused, or never gets an answer, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.calls: list[str] = []
        self.is_connected = False
        self.tries = 0
        self.answer: bool | None = True
        super().__init__(
            Transport("http://127.0.0.1:1"),
            "default",
            on_event=print,
            on_open=lambda: self.calls.append("open"),
            on_failed=lambda error: self.calls.append(error.message),
            clock=lambda: self.now,
        )

    @property
    def is_open(self) -> bool:
        return self.is_connected

    async def connect(self, timeout: float = 5.0) -> None:
        self.tries += 1
        if self.answer is None:
            await asyncio.Event().wait()
        if not self.answer:
            raise ServerUnreachable("no")
        self.is_connected = True

    async def _disconnect(self) -> None:
        self.is_connected = False

    async def seconds(self, number: int) -> int:
        """Let `number` seconds pass, with four checks a second, and return the number of attempts made."""
        before = self.tries
        for _ in range(4 * number):
            self.try_if_due()
            await self.tried()
            self.now += 0.25
        return self.tries - before

    def breaks(self) -> None:
        self.is_connected = False
        self._broke()


def run(work: Callable[[_Stream], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work(_Stream()))


def test_open_socket_is_not_opened_again() -> None:
    """The attempt is reported, and no other follows."""

    async def work(stream: _Stream) -> None:
        assert await stream.open_anew(5)
        assert ["open"] == stream.calls
        assert 0 == await stream.seconds(100)

    run(work)


def test_pauses_between_refused_attempts_grow_to_thirty_seconds() -> None:
    """The pauses double from 0.25 s, with jitter."""

    async def work(stream: _Stream) -> None:
        stream.answer = False
        assert not await stream.open_anew(5)
        assert ["no"] == stream.calls
        assert await stream.seconds(10) in (4, 5, 6)
        await stream.seconds(100)
        assert await stream.seconds(60) in (1, 2, 3)

    run(work)


def test_unanswered_attempt_continues_in_the_background() -> None:
    """An attempt outlives the timeout of its caller, until the keeper is closed."""

    async def work(stream: _Stream) -> None:
        stream.answer = None
        assert not await stream.open_anew(0.01)
        stream.try_if_due()
        assert 1 == stream.tries
        await stream.close()
        stream.answer = True
        assert await stream.open_anew(5)

    run(work)


def test_socket_that_breaks_at_once_counts_as_refused() -> None:
    """A socket that breaks right after each connect is reopened with the pauses of a refused one."""

    async def work(stream: _Stream) -> None:
        for _ in range(20):
            await stream.open_anew(5)
            if stream.is_connected:
                stream.breaks()
            stream.now += 0.25
        assert stream.tries in (4, 5, 6)

    run(work)


def test_socket_that_breaks_later_is_reopened_at_once() -> None:
    """A socket that breaks after a while is reopened without a pause, despite earlier failures."""

    async def work(stream: _Stream) -> None:
        stream.answer = False
        await stream.seconds(100)
        stream.answer = True
        await stream.seconds(40)
        stream.breaks()
        assert await stream.open_anew(5)

    run(work)


def test_hurry_makes_the_next_attempt_due() -> None:
    """The next attempt is due at once, despite earlier failures."""

    async def work(stream: _Stream) -> None:
        stream.answer = False
        await stream.seconds(100)
        stream.answer = True
        stream.hurry()
        assert await stream.open_anew(5)

    run(work)


@asynccontextmanager
async def _silent_server(ping_ms: int) -> AsyncIterator[str]:
    """A server that accepts a socket and its subscription, and says nothing more, not even to its end."""

    async def silent(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoclose=False, autoping=False)
        await socket.prepare(request)
        opening = {"sid": "s", "upgrades": [], "pingInterval": ping_ms, "pingTimeout": ping_ms, "maxPayload": 1000000}
        await socket.send_str(f"0{json.dumps(opening)}")
        await socket.receive_str()
        await socket.send_str('40{"sid":"t"}')
        number = (await socket.receive_str())[2:].partition("[")[0]
        await socket.send_str(f"43{number}[]")
        await asyncio.Event().wait()
        return socket

    app = web.Application()
    app.router.add_get("/ws/socket.io/", silent)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_socket_whose_server_went_silent_is_closed() -> None:
    """It is reported as lost, and its connection is not left to the garbage collector, which would log it."""
    reported: list[object] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))
        async with _silent_server(ping_ms=300) as url:
            lost = asyncio.Event()
            stream = EventStream(Transport(url), "default", on_event=print, on_lost=lost.set)
            await stream.connect()
            await lost.wait()
            gc.collect()
            await stream.close()
            gc.collect()

    asyncio.run(work())
    assert [] == reported


@pytest.mark.parametrize("is_canceled", [False, True])
def test_nothing_is_left_of_a_socket_whose_server_does_not_answer_its_end(is_canceled: bool) -> None:
    """The library lists its clients, and would keep this one for good, with all that hears from it."""
    reported: list[object] = []

    async def work() -> weakref.ref[EventStream]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))
        async with _silent_server(ping_ms=300_000) as url:
            stream = EventStream(Transport(url), "default", on_event=print)
            await stream.connect()
            closing = asyncio.create_task(stream.close())
            await asyncio.wait([closing], timeout=0.1 if is_canceled else None)
            closing.cancel()
            await asyncio.wait([closing])
            return weakref.ref(stream)

    left = asyncio.run(work())
    gc.collect()
    assert left() is None
    assert [] == reported
