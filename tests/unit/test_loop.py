"""The I/O thread, channels from it, and backoff."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import socket
import subprocess
import sys
import threading
import warnings

import anyio
import pytest
from anyio.abc import TaskGroup

from invoke_widgets import _loop as loops
from invoke_widgets._loop import Backoff, Channel, LoopThread
from invoke_widgets.errors import InvalidRequest

CLOSED = "This console was closed"


def test_stop_cuts_open_connections() -> None:
    """A connection that someone still holds is cut all the same."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = LoopThread()
        held = thread.call(asyncio.open_connection(*server.getsockname()))
        peer, _ = server.accept()
        with peer:
            peer.settimeout(30)
            thread.stop()
            assert b"" == peer.recv(1)
        assert held[1].is_closing()


def test_a_call_during_stop_raises_that_the_console_was_closed() -> None:
    """It ends like a call after the stop, and never hangs."""
    errors: list[BaseException] = []

    def work(thread: LoopThread) -> None:
        try:
            while True:
                thread.call(asyncio.sleep(0))
        except BaseException as error:  # noqa: BLE001 - whatever it is
            errors.append(error)

    for _ in range(50):
        thread = LoopThread()
        caller = threading.Thread(target=work, args=(thread,), daemon=True)
        caller.start()
        thread.call(asyncio.sleep(0.001))
        thread.stop()
        caller.join(30)
    assert ["InvalidRequest: " + CLOSED] * 50 == [f"{type(e).__name__}: {str(e)[: len(CLOSED)]}" for e in errors]


def test_stop_cancels_tasks_that_canceled_tasks_start() -> None:
    """A task that a canceled task starts is canceled in its turn."""
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


def test_stop_while_a_connection_is_begun_warns_of_nothing() -> None:
    """httpx connects in a task of anyio, whose coroutine would warn if it were canceled before its first step."""
    thread, groups = LoopThread(), queue.Queue[TaskGroup]()

    async def connect() -> None:
        async with anyio.create_task_group() as group:
            groups.put(group)
            await anyio.sleep_forever()

    async def last() -> None:
        groups.get(timeout=10).start_soon(anyio.sleep_forever)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        thread.start(connect())
        thread.call(asyncio.sleep(0))
        thread.stop(last())
        gc.collect()
    assert [] == [str(warning.message) for warning in caught]


def test_stop_leaves_behind_work_that_refuses_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller gets the error of a closed console."""
    monkeypatch.setattr(loops, "_CLOSING_S", 0.1)
    thread, may_end = LoopThread(), threading.Event()

    async def stubborn() -> None:
        while not may_end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    async def quiet() -> None:  # asyncio would log it, too
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)

    future = thread.start(stubborn())
    thread.call(asyncio.sleep(0))
    thread.call(quiet())
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
def test_a_channel_ends_with_the_thread(form: str) -> None:
    """Values that were put are received first; after them every get raises."""
    thread = LoopThread()

    async def taking(channel: Channel[int]) -> int:
        return await channel.aget(30)

    with Channel[int](thread) as channel:
        take = (lambda: channel.get(30)) if form == "plain" else (lambda: asyncio.run(taking(channel)))
        threading.Timer(0.1, channel.put, (1,)).start()
        assert 1 == take()
        channel.put(2)
        threading.Timer(0.1, thread.stop).start()
        assert 2 == take()
        for _ in range(2):
            with pytest.raises(InvalidRequest, match=CLOSED):
                take()
    with pytest.raises(InvalidRequest, match=CLOSED):
        Channel[int](thread)


def test_channel_get_raises_empty_when_nothing_comes_in_time() -> None:
    """In both forms."""
    thread = LoopThread()
    with Channel[int](thread) as channel:
        with pytest.raises(queue.Empty):
            channel.get(0.01)
        with pytest.raises(queue.Empty):
            asyncio.run(channel.aget(0.01))
    thread.stop()


def test_backoff_grows_to_its_maximum_with_jitter_and_starts_again_after_reset() -> None:
    """Each pause is within 20 % of its nominal length."""
    backoff = Backoff(0.5, 3.0)
    for nominal_s in (0.5, 1.0, 2.0, 3.0, 3.0):
        assert 0.8 * nominal_s <= backoff.next() <= 1.2 * nominal_s
    backoff.reset()
    assert backoff.next() <= 0.6
    assert Backoff(5.0, 1.0).next() <= 1.2


def test_a_patch_of_the_callers_loop_does_not_reach_the_io_thread() -> None:
    """nest-asyncio2 replaces methods of a loop's class; ours keeps its own."""
    code = """
import asyncio, nest_asyncio2
from invoke_widgets._loop import LoopThread
thread = LoopThread()

async def methods():
    loop = type(asyncio.get_running_loop())
    return [getattr(loop, name) for name in ("run_forever", "run_until_complete", "_run_once", "_check_running")]

before = thread.call(methods())
loop = asyncio.new_event_loop()
nest_asyncio2.apply(loop)
loop.close()
print(before == thread.call(methods()), "nest_asyncio2" in {method.__module__ for method in before})
thread.stop()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert ("True False\n", 0) == (done.stdout, done.returncode), done.stderr
