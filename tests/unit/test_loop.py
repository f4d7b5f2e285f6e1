"""The thread on which everything runs that waits."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading

import pytest

from invoke_widgets import _loop as loops
from invoke_widgets._loop import Feed, LoopThread
from invoke_widgets.errors import InvalidRequest

CLOSED = "This console was closed"


def test_connections_end_with_the_loop() -> None:
    """What was left open is cut, whoever still holds it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = LoopThread()
        held = thread.call(asyncio.open_connection(*server.getsockname()))
        peer, _ = server.accept()
        with peer:
            peer.settimeout(30)
            thread.stop()
            assert b"" == peer.recv(1)
        assert held[1].is_closing()


def test_whoever_calls_while_it_stops_is_told() -> None:
    """A call that meets the stop ends as one that comes after it, and never waits for ever."""
    told: list[BaseException] = []

    def work(thread: LoopThread) -> None:
        try:
            while True:
                thread.call(asyncio.sleep(0))
        except BaseException as error:  # noqa: BLE001 - whatever it is
            told.append(error)

    for _ in range(50):
        thread = LoopThread()
        caller = threading.Thread(target=work, args=(thread,), daemon=True)
        caller.start()
        thread.call(asyncio.sleep(0.001))
        thread.stop()
        caller.join(30)
    assert ["InvalidRequest: " + CLOSED] * 50 == [f"{type(e).__name__}: {str(e)[: len(CLOSED)]}" for e in told]


def test_what_starts_more_when_it_is_canceled_ends_too() -> None:
    """What is begun by what is canceled is canceled in its turn."""
    thread, ended = LoopThread(), threading.Event()

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks: list[asyncio.Task[None]] = []

    async def starting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            tasks.append(asyncio.create_task(for_ever()))
            await asyncio.sleep(0)  # it has begun

    future = thread.start(starting())
    thread.call(asyncio.sleep(0))
    thread.stop()
    assert ended.is_set()
    with pytest.raises(InvalidRequest, match=CLOSED):
        future.result(0)


def test_nobody_waits_for_work_that_refuses_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left behind, and who waits for it is told."""
    monkeypatch.setattr(loops, "_LAST_S", 0.1)
    thread, may_end = LoopThread(), threading.Event()

    async def stubborn() -> None:
        while not may_end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    future = thread.start(stubborn())
    thread.call(asyncio.sleep(0))
    thread._loop.set_exception_handler(lambda loop, context: None)  # asyncio would tell of it, too
    thread.stop()
    with pytest.raises(InvalidRequest, match=CLOSED):
        future.result(30)
    may_end.set()


def test_canceling_the_future_cancels_the_work() -> None:
    """Also before it has begun."""
    thread, ended = LoopThread(), threading.Event()

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    thread.start(for_ever()).cancel()
    future = thread.start(for_ever())
    thread.call(asyncio.sleep(0))
    assert future.cancel()
    assert ended.wait(30)
    thread.stop()


@pytest.mark.parametrize("form", ["plain", "async"])
def test_a_feed_ends_with_the_thread(form: str) -> None:
    """What was put is taken first, then whoever takes, again and again, is told."""
    thread = LoopThread()

    async def taking(feed: Feed[int]) -> int:
        return await feed.atake(30)

    with Feed[int](thread) as feed:
        take = (lambda: feed.take(30)) if form == "plain" else (lambda: asyncio.run(taking(feed)))
        threading.Timer(0.1, feed.put, (1,)).start()
        assert 1 == take()
        feed.put(2)
        threading.Timer(0.1, thread.stop).start()
        assert 2 == take()
        for _ in range(2):
            with pytest.raises(InvalidRequest, match=CLOSED):
                take()
    with pytest.raises(InvalidRequest, match=CLOSED):
        Feed[int](thread)


def test_a_feed_with_a_time_limit() -> None:
    """Where nothing comes in time, both forms say so."""
    thread = LoopThread()
    with Feed[int](thread) as feed:
        with pytest.raises(queue.Empty):
            feed.take(0.01)
        with pytest.raises(queue.Empty):
            asyncio.run(feed.atake(0.01))
    thread.stop()
