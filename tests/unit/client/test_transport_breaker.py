"""When the breaker opens, what its errors say, and how it closes, against a small real server."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from invoke_widgets.client import transport
from invoke_widgets.client.transport import Breaker, Transport
from invoke_widgets.errors import JobException, ReplyLost, ServerFailure, ServerUnreachable
from tests.support.scripted import RESET, Script, answer, scripted

BAD = answer(502, "<html>Bad Gateway</html>", "text/html")
GOOD = answer(200, '{"ok": 1}')


@pytest.fixture(autouse=True)
def three_failures_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """To open the breaker."""
    monkeypatch.setattr(transport, "THRESHOLD", 3)


class Client:
    """A transport whose breaker has a clock that is moved by hand."""

    def __init__(self, url: str) -> None:
        self.now = 1000.0
        self.transport = Transport(url, timeout=5)
        self.transport.breaker = Breaker(url, clock=lambda: self.now)

    async def ask(self) -> object:
        return await self.transport.json("GET", "/api/v1/x")

    async def fails(self) -> JobException:
        with pytest.raises(JobException) as caught:
            await self.ask()
        return caught.value

    async def trip(self) -> list[JobException]:
        return [await self.fails() for _ in range(3)]


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def bad_then_good(bad: int) -> Script:
    return lambda number, request: BAD if number <= bad else GOOD


def test_breaker_opens_after_gateway_errors() -> None:
    """Once the threshold is reached nothing is sent: the error says so, and when the next attempt is."""

    async def work(url: str) -> JobException:
        client = Client(url)
        assert [ServerFailure] * 3 == [type(error) for error in await client.trip()]
        return await client.fails()

    with scripted(lambda number, request: BAD) as (url, seen):
        error = asyncio.run(work(url))
    assert 3 == len(seen)
    assert isinstance(error, ServerUnreachable)
    assert "does not work, and is tried again in 1 s" in error.message
    assert error.retryable
    assert 0.8 <= error.details["next_try_s"] <= 1.2


def test_breaker_reports_an_offline_server() -> None:
    """Where nothing listens the error says so and names the address."""

    async def work(url: str) -> JobException:
        client = Client(url)
        await client.trip()
        return await client.fails()

    url = closed_port()
    error = asyncio.run(work(url))
    assert f"{url} is offline, and is tried again in 1 s" in error.message
    assert "nothing listens there" in error.message
    assert "running" in error.suggestion


def test_only_one_probe_is_sent_after_the_pause() -> None:
    """After the pause one request is sent as a probe and the others fail; once it succeeds all are sent."""
    arrived, let_go = threading.Event(), threading.Event()

    def script(number: int, request: bytes) -> bytes:
        if number == 4:
            arrived.set()
            let_go.wait(10)
        return BAD if number <= 3 else GOOD

    async def work(url: str) -> tuple[list[object], list[object]]:
        client = Client(url)
        await client.trip()
        client.now += 2
        probe = asyncio.create_task(client.ask())
        await asyncio.to_thread(arrived.wait, 10)
        refused = await asyncio.gather(*(client.ask() for _ in range(9)), return_exceptions=True)
        let_go.set()
        return [await probe, *refused], [await client.ask() for _ in range(3)]

    with scripted(script) as (url, seen):
        (probe, *refused), later = asyncio.run(work(url))
    assert {"ok": 1} == probe
    assert [ServerUnreachable] * 9 == [type(error) for error in refused]
    assert {True} == {"right now" in str(error) for error in refused}
    assert [{"ok": 1}] * 3 == later
    assert 3 + 1 + 3 == len(seen)


def test_failed_probe_opens_the_breaker_for_longer() -> None:
    """Each failed probe doubles the pause, up to 8 s; a success resets it."""

    async def work(url: str) -> list[float]:
        client = Client(url)
        await client.trip()
        pauses = []
        for _ in range(5):
            error = await client.fails()
            pauses.append(error.details["next_try_s"])
            client.now += error.details["next_try_s"] + 0.1
            await client.fails()
        client.now += 20
        await client.ask()
        await client.trip()
        return [*pauses, (await client.fails()).details["next_try_s"]]

    with scripted(lambda number, request: GOOD if number == 9 else BAD) as (url, _):
        pauses = asyncio.run(work(url))
    for whole, pause in zip([1, 2, 4, 8, 8, 1], pauses, strict=True):
        assert 0.8 * whole <= pause <= 1.2 * whole


@pytest.mark.parametrize("reply", [answer(500, '{"detail": "x"}'), answer(404, '{"detail": "x"}'), answer(422, "{}")])
def test_error_replies_close_the_breaker(reply: bytes) -> None:
    """A server that refuses a request is up: such replies neither open the breaker nor keep it open."""

    async def work(url: str) -> list[JobException]:
        client = Client(url)
        await client.trip()
        client.now += 2
        return [await client.fails() for _ in range(6)]

    with scripted(lambda number, request: BAD if number <= 3 else reply) as (url, seen):
        errors = asyncio.run(work(url))
    assert 9 == len(seen)
    assert not [error for error in errors if "breaker" in error.details]


def test_breaker_counts_only_consecutive_failures() -> None:
    """A success in between resets the count."""

    async def work(url: str) -> None:
        client = Client(url)
        for _ in range(6):
            await client.fails()
            await client.fails()
            await client.ask()

    with scripted(lambda number, request: GOOD if number % 3 == 0 else BAD) as (url, seen):
        asyncio.run(work(url))
    assert 18 == len(seen)


@pytest.mark.parametrize("how", ["canceled", "lost"])
def test_next_probe_is_sent_after_an_inconclusive_one(how: str) -> None:
    """After a probe that was canceled, or whose reply was lost, another one is sent when it is due."""

    arrived, let_go = threading.Event(), threading.Event()

    def script(number: int, request: bytes) -> bytes | None:
        if number <= 3:
            return BAD
        if number > 4:
            return GOOD
        arrived.set()
        if how == "canceled":
            let_go.wait(10)
        return None

    async def work(url: str) -> object:
        client = Client(url)
        await client.trip()
        client.now += 2
        probe = asyncio.create_task(client.ask())
        await asyncio.to_thread(arrived.wait, 10)
        if how == "canceled":
            probe.cancel()
        await asyncio.wait([probe])
        let_go.set()
        if how == "lost":
            client.now += 20
        return await client.ask()

    with scripted(script) as (url, _):
        assert {"ok": 1} == asyncio.run(work(url))


def test_probing_requests_pass_an_open_breaker_and_close_it() -> None:
    """A caller that paces itself is never refused, and its success closes the breaker."""

    async def work(url: str) -> object:
        client = Client(url)
        await client.trip()
        prober = client.transport.probing()
        with pytest.raises(ServerFailure):
            await prober.json("GET", "/api/v1/x")
        assert ServerUnreachable is type(await client.fails())
        await prober.json("GET", "/api/v1/x")
        return await client.ask()

    with scripted(bad_then_good(4)) as (url, _):
        assert {"ok": 1} == asyncio.run(work(url))


def test_probing_is_not_inherited_by_tasks() -> None:
    """Probing is a property of one view of the transport: other requests and tasks are still refused."""

    async def work(url: str) -> JobException:
        client = Client(url)
        await client.trip()
        await asyncio.gather(client.transport.probing().json("GET", "/api/v1/x"), return_exceptions=True)
        return await asyncio.create_task(client.fails())

    with scripted(lambda number, request: BAD) as (url, seen):
        assert "breaker" in asyncio.run(work(url)).details
    assert 4 == len(seen)


def test_repeats_stop_when_the_breaker_opens() -> None:
    """A repeatable request is not repeated against an open breaker."""

    async def work(url: str) -> None:
        client = Client(url)
        for _ in range(2):
            with pytest.raises(JobException):
                await client.transport.json("GET", "/api/v1/x", repeatable=True)

    with scripted(lambda number, request: BAD) as (url, seen):
        asyncio.run(work(url))
    assert 3 == len(seen)


def test_lost_reply_is_reported_though_the_repetition_was_not_sent() -> None:
    """A change that may have been carried out is not said to have been unsendable, because its repetition was."""

    async def work(url: str) -> None:
        client = Client(url)

        def script(number: int, request: bytes) -> bytes:
            client.transport.breaker.open(ServerUnreachable("it is away"), 60.0)
            return RESET

        scripts.append(script)
        with pytest.raises(ReplyLost):
            await client.transport.json("PUT", "/api/v1/x", repeatable=True)
        with pytest.raises(ServerUnreachable):
            await client.transport.json("PUT", "/api/v1/x", repeatable=True)

    scripts: list[Script] = []
    with scripted(lambda number, request: scripts[0](number, request)) as (url, seen):
        asyncio.run(work(url))
    assert 1 == len(seen)
