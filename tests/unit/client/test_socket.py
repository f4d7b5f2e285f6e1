"""When the socket is tried: beside everything else, and not again and again without a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from invoke_widgets.client.socket import SocketKeeper
from invoke_widgets.errors import ServerUnreachable


class _Stream:
    """A socket that is had, refused, or never answered."""

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
    """A keeper, its socket, and a clock that goes when it is told to."""

    def __init__(self) -> None:
        self.stream = _Stream()
        self.now = 1000.0
        self.told: list[str] = []
        self.keeper = SocketKeeper(
            self.stream,  # type: ignore[arg-type]
            on_open=lambda: self.told.append("open"),
            on_failed=lambda error: self.told.append(error.message),
            clock=lambda: self.now,
        )

    async def seconds(self, number: int) -> int:
        """How many tries there are in so many seconds, in each of which it is looked for four times."""
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


def test_an_open_socket_is_not_tried_again() -> None:
    """The try is reported, and no other follows."""

    async def work(trial: _Trial) -> None:
        assert await trial.keeper.open_anew(5)
        assert ["open"] == trial.told
        assert 0 == await trial.seconds(100)

    run(work)


def test_pauses_between_refused_tries_grow_to_half_a_minute() -> None:
    """The pauses double from a quarter of a second, with some jitter."""

    async def work(trial: _Trial) -> None:
        trial.stream.answer = False
        assert not await trial.keeper.open_anew(5)
        assert ["no"] == trial.told
        assert await trial.seconds(10) in (4, 5, 6)
        await trial.seconds(100)
        assert await trial.seconds(60) in (1, 2, 3)

    run(work)


def test_an_unanswered_try_goes_on_in_the_background() -> None:
    """After the time that is given for it, the try goes on by itself; closing ends it."""

    async def work(trial: _Trial) -> None:
        trial.stream.answer = None
        assert not await trial.keeper.open_anew(0.01)
        trial.keeper.try_if_due()
        assert 1 == trial.stream.tries
        await trial.keeper.close()
        trial.stream.answer = True
        assert await trial.keeper.open_anew(5)

    run(work)


def test_a_socket_that_breaks_at_once_counts_as_refused() -> None:
    """One that breaks right after each connect is tried with the pauses of one that is refused."""

    async def work(trial: _Trial) -> None:
        for _ in range(20):
            await trial.keeper.open_anew(5)
            if trial.stream.is_connected:
                trial.breaks()
            trial.now += 0.25
        assert trial.stream.tries in (4, 5, 6)

    run(work)


def test_a_socket_that_lived_is_tried_again_at_once() -> None:
    """One that breaks after a while is tried at once, whatever was before."""

    async def work(trial: _Trial) -> None:
        trial.stream.answer = False
        await trial.seconds(100)
        trial.stream.answer = True
        await trial.seconds(40)
        trial.breaks()
        assert await trial.keeper.open_anew(5)

    run(work)


def test_hurry_makes_the_next_try_due() -> None:
    """The next try is due at once, whatever failed before."""

    async def work(trial: _Trial) -> None:
        trial.stream.answer = False
        await trial.seconds(100)
        trial.stream.answer = True
        trial.keeper.hurry()
        assert await trial.keeper.open_anew(5)

    run(work)
