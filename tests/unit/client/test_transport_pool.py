"""Interrupts cost no connections, every request ends, and no reply is read without a bound."""

from __future__ import annotations

import asyncio
import functools
import gzip
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from invoke_widgets import InvokeClient
from invoke_widgets.client import transport as module
from invoke_widgets.client.transport import Transport
from invoke_widgets.errors import JobTimeout, ServerUnreachable, UnexpectedReply

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def _on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **options: Any) -> None:
        asyncio.run(test(*args, **options))

    return run


@asynccontextmanager
async def _answering(answer: Answer) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await answer(await reader.readuntil(b"\r\n\r\n"), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _version(request: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(random.uniform(0, 0.015))
    body = b'{"version": "6.14.2"}'
    writer.write(_HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


@pytest.mark.parametrize("count", [400, pytest.param(1_500, marks=pytest.mark.slow)])
@_on_a_loop
async def test_interrupted_requests_cost_no_connection(count: int) -> None:
    """After many requests whose callers gave up, all connections can still be used at once, and no task is left."""
    together = asyncio.Barrier(20)

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        if b" /together " in request:
            await together.wait()
        await _version(request, writer)

    async with _answering(answer) as url:
        before = asyncio.all_tasks()
        async with InvokeClient(url, timeout=3.0) as client:
            for _ in range(count):
                with suppress(TimeoutError):
                    await asyncio.wait_for(client.app_version(), random.uniform(0.0005, 0.012))
            await asyncio.gather(*(client.transport.json("POST", "/together") for _ in range(20)))
        left = {task for task in asyncio.all_tasks() - before if "serve" not in repr(task)}
        assert not left


@_on_a_loop
async def test_a_pool_that_is_used_up_is_replaced() -> None:
    """When all connections are stuck the next request says so in its own words, and the one after it is sent."""
    stuck = 20

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal stuck
        stuck -= 1
        if stuck >= 0:
            await asyncio.sleep(1.5)  # longer than the wait for a connection, shorter than that for an answer
        await _version(request, writer)

    async with _answering(answer) as url, InvokeClient(url, timeout=1.0) as client:
        waiting = [asyncio.ensure_future(client.transport.json("POST", "/x")) for _ in range(20)]
        await asyncio.sleep(0)
        with pytest.raises(ServerUnreachable, match=r"all 20 connections .* were in use"):
            await client.transport.json("POST", "/x")
        assert await client.app_version() == "6.14.2"
        await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("rounds", range(16))
@_on_a_loop
async def test_a_jump_of_the_clock_costs_no_connection(rounds: int) -> None:
    """When all time-outs are over at once, so many rounds of the loop after a request began, no connection is lost."""
    together, jump, loop = asyncio.Barrier(20), 0.0, asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + jump  # type: ignore[method-assign]

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        if b" /together " in request:
            await together.wait()
        await _version(request, writer)

    async with _answering(answer) as url, InvokeClient(url) as client:
        given_up = asyncio.ensure_future(client.transport.json("POST", "/x"))
        for _ in range(rounds):
            await asyncio.sleep(0)
        jump = 100.0
        await asyncio.gather(given_up, return_exceptions=True)
        async with asyncio.timeout(20):
            await asyncio.gather(*(client.transport.json("POST", "/together") for _ in range(20)))


@_on_a_loop
async def test_a_dripping_reply_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply whose every byte comes in time, but whose end does not, is given up after the total time."""
    monkeypatch.setattr(module, "_LONGEST_CALL_S", 0.0)

    async def drip(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(_HEAD + b"content-length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with _answering(drip) as url:
        transport = Transport(url, timeout=0.2)
        with pytest.raises(JobTimeout, match="to its end within"):
            await transport.json("GET", "/api/v1/x")
        await transport.aclose()


@_on_a_loop
async def test_repeats_share_the_time_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies that are lost again and again, each after most of the time, do not add up."""
    monkeypatch.setattr(module, "_LONGEST_CALL_S", 0.0)

    async def lose(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(_HEAD + b"content-length: 1000\r\n\r\n")
        for _ in range(8):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)
        raise ConnectionError

    async with _answering(lose) as url:
        transport = Transport(url, timeout=0.4)
        with pytest.raises(JobTimeout, match="to its end within"):
            await transport.json("GET", "/api/v1/x", repeatable=True)
        await transport.aclose()


@pytest.mark.parametrize("zipped", [False, True])
@_on_a_loop
async def test_a_reply_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    """A reply beyond the limit is given up in words, also one that is small until it is decompressed."""
    monkeypatch.setattr(module, "_LONGEST_REPLY", 2**20)

    async def flood(request: bytes, writer: asyncio.StreamWriter) -> None:
        if zipped:
            body = gzip.compress(b" " * 4 * 2**20)
            writer.write(_HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            return
        writer.write(_HEAD + b"transfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    async with _answering(flood) as url:
        transport = Transport(url, timeout=5.0)
        with pytest.raises(UnexpectedReply, match="more than 1 MB"):
            await transport.json("GET", "/api/v1/x")
        await transport.aclose()
