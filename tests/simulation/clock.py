"""A loop whose time is virtual: it waits for nothing, and goes to the next timer at once."""

from __future__ import annotations

import asyncio
import gc
import importlib
import random
import selectors
import sys
import time
import types
import uuid
from collections.abc import Callable
from typing import Any

_TOO_MANY = 400_000
"""Rounds of the loop after which a history is taken to go round in circles."""


class Stuck(Exception):
    """Nothing is left to wait for, or the loop goes round without end."""


class _Selector(selectors.SelectSelector):
    """Instead of waiting, moves the loop's clock on."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop with virtual time, whose connections are made by `connect`.

    Attributes:
        connect: called as `connect(port, protocol, sock)`; returns a transport, and the protocol.
        reach: called as `reach(port)`; returns a coroutine that raises OSError if nothing listens.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self._rounds = 0
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self.connect: Any = None
        self.reach: Any = None
        self._ports: dict[int, int] = {}
        self._calls: list[tuple[int, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def advance(self, timeout: float | None) -> None:
        self._rounds += 1
        while self._calls and self._calls[0][0] <= self._rounds:
            self._calls.pop(0)[1]()
        if timeout is None or self._rounds > _TOO_MANY:
            raise Stuck("nothing is left to wait for" if timeout is None else "it goes round without end")
        self.now += timeout

    def call_in(self, rounds: int, function: Callable[[], object]) -> None:
        """Call a function after this many rounds of the loop."""
        self._calls.append((self._rounds + rounds, function))
        self._calls.sort(key=lambda call: call[0])

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        """Connect as asyncio does, in memory."""
        sock = options.get("sock")
        if sock is not None:
            port = self._ports.pop(sock.fileno())
        else:
            await self.reach(port)
        return self.connect(port, factory(), sock)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await self.reach(address[1])
        self._ports[sock.fileno()] = address[1]


class _Now:
    loop: VirtualLoop | None = None
    numbers = random.Random()


def install() -> None:
    """Make this process' clocks and random ids those of the simulation. Before the package is imported."""
    real = time.monotonic

    def now() -> float:
        return real() if _Now.loop is None else _Now.loop.now

    # Where it is not installed, httpcore looks for it on the disk at each request, which takes a third of the time.
    importlib.import_module("anyio")
    sniffio = types.ModuleType("sniffio")
    sniffio.current_async_library = lambda: "asyncio"  # type: ignore[attr-defined]
    sys.modules.setdefault("sniffio", sniffio)
    gc.set_threshold(50_000)
    time.monotonic = now
    time.perf_counter = now
    uuid.uuid4 = lambda: uuid.UUID(int=_Now.numbers.getrandbits(128), version=4)


def use(loop: VirtualLoop | None, seed: int = 0) -> None:
    """Take the time from this loop, and all random numbers from this seed."""
    _Now.loop = loop
    _Now.numbers = random.Random(f"ids {seed}")
    random.seed(seed)
