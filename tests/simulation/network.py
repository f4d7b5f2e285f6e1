"""Connections in memory: bytes arrive in order after a delay, in pieces, or not at all."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from tests.simulation.clock import VirtualLoop

PORT = 9090


class Acceptor(Protocol):
    """What listens for connections."""

    is_up: bool

    def accepted(self, link: Link) -> Callable[[bytes], None]:
        """Take a new connection, and return what receives its bytes."""


class Link(asyncio.Transport):
    """One connection; the client's library sees it as an asyncio transport, the server as an object to `send` with.

    Attributes:
        limit: the number of bytes to the client after which the connection is reset; None for no limit.
        upload_limit: the same for bytes to the server.
        piece: the largest number of bytes that arrive at once; None for no limit.
        stall_s: seconds by which the bytes to the client are delayed in addition.
        on_closed: called once it is closed.
        rest: tells the server that a request on it has been answered.
    """

    def __init__(self, network: Network, protocol: asyncio.Protocol, sock: socket.socket | None) -> None:
        super().__init__()
        self._network = network
        self._loop = network.loop
        self._protocol: Any = protocol
        # A client looks with `poll` whether a connection at rest was closed.
        self._other: socket.socket | None = None
        if sock is None:
            sock, self._other = socket.socketpair()
        self._sock = sock
        self._is_paused = False
        self._waiting: deque[bytes | None] = deque()
        self._down_at = self._up_at = 0.0
        # Timers that are due at the same time come in any order, so they do not carry the bytes themselves.
        self._down: deque[bytes | None] = deque()
        self._up: deque[bytes] = deque()
        self._is_closing = False
        self._is_lost = False
        self.limit: int | None = None
        self.upload_limit: int | None = None
        self.piece: int | None = None
        self.stall_s = 0.0
        self.on_closed: Callable[[], None] = lambda: None
        self.rest: Callable[[], None] = lambda: None
        self._receive: Callable[[bytes], None] = lambda data: None

    def open(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive
        self._protocol.connection_made(self)

    # -- the server's side -------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return not (self._is_lost or self._is_closing)

    @property
    def is_forgotten(self) -> bool:
        """Whether the server has closed it and nobody reads from it: the loop then holds no reference to it either.

        httpcore forgets connections that have expired if the request that is to close several of them is canceled.
        """
        return self._is_paused and None in self._waiting

    def send(self, data: bytes) -> None:
        """Send to the client."""
        if not self.is_open:
            return
        if self.limit is not None:
            data, self.limit = data[: self.limit], self.limit - len(data)
        size = self.piece or max(len(data), 1)
        for start in range(0, len(data), size):
            self._down_at = max(self._loop.now + self._network.delay() + self.stall_s, self._down_at)
            self._down.append(data[start : start + size])
            self._loop.call_at(self._down_at, self._arrive)
        self.stall_s = 0.0
        if self.limit is not None and self.limit < 0:
            self._loop.call_at(self._down_at + 0.0001, self.reset)

    def end(self) -> None:
        """Close in order: the client receives what was sent, and then the end."""
        self._down_at = max(self._loop.now + self._network.delay(), self._down_at)
        self._down.append(None)
        self._loop.call_at(self._down_at, self._arrive)

    def reset(self) -> None:
        """Break the connection."""
        self._lose(ConnectionResetError("reset by the simulation"))

    # -- the client's side -------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        data = self._down.popleft()
        if self._is_lost or self._is_closing:
            return
        if self._is_paused:
            self._waiting.append(data)
            if data is None and self._other is not None:
                self._other.close()
        else:
            self._hand_over(data)

    def _hand_over(self, data: bytes | None) -> None:
        if data is not None:
            self._protocol.data_received(data)
        elif self._protocol.eof_received():
            if self._other is not None:
                self._other.close()  # half closed: the client sees it when it looks
        else:
            self._lose(None)

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False
        while self._waiting and not (self._is_paused or self._is_lost):
            self._hand_over(self._waiting.popleft())

    def is_reading(self) -> bool:
        return not self._is_paused

    def write(self, data: Any) -> None:
        if self._is_lost or self._is_closing:
            return
        data = bytes(data)
        if self.upload_limit is not None:
            data, self.upload_limit = data[: self.upload_limit], self.upload_limit - len(data)
            if self.upload_limit < 0:
                self._loop.call_later(self._network.delay(), self.reset)
        self._up_at = max(self._loop.now + self._network.delay(), self._up_at)
        # What was written arrives, even if the connection breaks meanwhile.
        self._up.append(data)
        self._loop.call_at(self._up_at, lambda: self._receive(self._up.popleft()))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        known = {"socket": self._sock, "peername": ("127.0.0.1", PORT), "sockname": ("127.0.0.1", 1)}
        return known.get(name, default)

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._is_closing or self._is_lost

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self.close()

    def _lose(self, error: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        self._network.links.pop(self, None)
        self._protocol.connection_lost(error)
        self.on_closed()
        self._sock.close()
        if self._other is not None:
            self._other.close()


class Network:
    """All connections of one history.

    Attributes:
        links: those that are open.
        slow: factor by which delays are longer.
    """

    def __init__(self, loop: VirtualLoop, numbers: random.Random, acceptor: Acceptor) -> None:
        self.loop = loop
        self.links: dict[Link, None] = {}
        self.slow = 1.0
        self._numbers = numbers
        self._acceptor = acceptor
        loop.reach = self._reach
        loop.connect = self._connect

    def delay(self) -> float:
        """Return the seconds that bytes take one way; mostly short, now and then long."""
        return self._numbers.choice((0.0005, 0.001, 0.002, 0.004, 0.02)) * self.slow * self._numbers.uniform(0.5, 1.5)

    def calm_down(self) -> None:
        """Be quick and reliable from now on."""
        self.slow = 1.0
        for link in self.links:
            link.limit = link.upload_limit = link.piece = None

    async def _reach(self, port: int) -> None:
        await asyncio.sleep(self.delay())
        if not self._acceptor.is_up:
            raise ConnectionRefusedError(111, "Connect call failed")

    def _connect(self, port: int, protocol: asyncio.Protocol, sock: socket.socket | None) -> Any:
        if not self._acceptor.is_up:
            raise ConnectionRefusedError(111, "Connect call failed")
        link = Link(self, protocol, sock)
        self.links[link] = None
        link.open(self._acceptor.accepted(link))
        return link, protocol
