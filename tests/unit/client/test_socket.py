"""When the socket is opened: in the background, and with a growing pause after each failure."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

from invoke_widgets.client.socket import EventStream, SocketKeeper
from invoke_widgets.client.transport import Transport
from invoke_widgets.errors import ServerUnreachable


class _Stream:
    """A socket that connects, is refused, or never gets an answer."""

    def __init__(self) -> None:
        self.is_connected = False
        self.tries = 0
        self.answer: bool | None = True

    async def connect(self) -> None:
        self.tries += 1
        if self.answer is None:
            await asyncio.Event().wait()
        if not self.answer:
            raise ServerUnreachable("no")
        self.is_connected = True

    async def close(self) -> None:
        self.is_connected = False


class _Trial:
    """A keeper with its socket and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.stream = _Stream()
        self.now = 1000.0
        self.calls: list[str] = []
        self.keeper = SocketKeeper(
            self.stream,  # type: ignore[arg-type]
            on_open=lambda: self.calls.append("open"),
            on_failed=lambda error: self.calls.append(error.message),
            clock=lambda: self.now,
        )

    async def seconds(self, number: int) -> int:
        """Let `number` seconds pass, with four checks a second, and return the number of attempts made."""
        before = self.stream.tries
        for _ in range(4 * number):
            self.keeper.try_if_due()
            await self.keeper.tried()
            self.now += 0.25
        return self.stream.tries - before

    def breaks(self) -> None:
        self.stream.is_connected = False
        self.keeper.broke()


def run(work: Callable[[_Trial], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work(_Trial()))


def test_open_socket_is_not_opened_again() -> None:
    """The attempt is reported, and no other follows."""

    async def work(trial: _Trial) -> None:
        assert await trial.keeper.open_anew(5)
        assert ["open"] == trial.calls
        assert 0 == await trial.seconds(100)

    run(work)


def test_pauses_between_refused_attempts_grow_to_thirty_seconds() -> None:
    """The pauses double from 0.25 s, with jitter."""

    async def work(trial: _Trial) -> None:
        trial.stream.answer = False
        assert not await trial.keeper.open_anew(5)
        assert ["no"] == trial.calls
        assert await trial.seconds(10) in (4, 5, 6)
        await trial.seconds(100)
        assert await trial.seconds(60) in (1, 2, 3)

    run(work)


def test_unanswered_attempt_continues_in_the_background() -> None:
    """An attempt outlives the timeout of its caller, until the keeper is closed."""

    async def work(trial: _Trial) -> None:
        trial.stream.answer = None
        assert not await trial.keeper.open_anew(0.01)
        trial.keeper.try_if_due()
        assert 1 == trial.stream.tries
        await trial.keeper.close()
        trial.stream.answer = True
        assert await trial.keeper.open_anew(5)

    run(work)


def test_socket_that_breaks_at_once_counts_as_refused() -> None:
    """A socket that breaks right after each connect is reopened with the pauses of a refused one."""

    async def work(trial: _Trial) -> None:
        for _ in range(20):
            await trial.keeper.open_anew(5)
            if trial.stream.is_connected:
                trial.breaks()
            trial.now += 0.25
        assert trial.stream.tries in (4, 5, 6)

    run(work)


def test_socket_that_breaks_later_is_reopened_at_once() -> None:
    """A socket that breaks after a while is reopened without a pause, despite earlier failures."""

    async def work(trial: _Trial) -> None:
        trial.stream.answer = False
        await trial.seconds(100)
        trial.stream.answer = True
        await trial.seconds(40)
        trial.breaks()
        assert await trial.keeper.open_anew(5)

    run(work)


def test_hurry_makes_the_next_attempt_due() -> None:
    """The next attempt is due at once, despite earlier failures."""

    async def work(trial: _Trial) -> None:
        trial.stream.answer = False
        await trial.seconds(100)
        trial.stream.answer = True
        trial.keeper.hurry()
        assert await trial.keeper.open_anew(5)

    run(work)


async def _silent(request: web.Request) -> web.WebSocketResponse:
    """Accept a socket and its subscription, and say nothing more."""
    socket = web.WebSocketResponse(autoclose=False, autoping=False)
    await socket.prepare(request)
    opening = {"sid": "s", "upgrades": [], "pingInterval": 300, "pingTimeout": 300, "maxPayload": 1000000}
    await socket.send_str(f"0{json.dumps(opening)}")
    await socket.receive_str()
    await socket.send_str('40{"sid":"t"}')
    number = (await socket.receive_str())[2:].partition("[")[0]
    await socket.send_str(f"43{number}[]")
    await asyncio.Event().wait()
    return socket


def test_socket_whose_server_went_silent_is_closed() -> None:
    """It is reported as lost, and its connection is not left to the garbage collector, which would log it."""
    reported: list[object] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))
        app = web.Application()
        app.router.add_get("/ws/socket.io/", _silent)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        lost = asyncio.Event()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        stream = EventStream(Transport(url), "default", on_event=print, on_lost=lost.set)
        await stream.connect()
        await lost.wait()
        gc.collect()
        await stream.close()
        gc.collect()
        await runner.cleanup()

    asyncio.run(work())
    assert [] == reported
