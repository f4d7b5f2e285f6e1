"""A console on a server whose queue is empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import invoke_widgets as iw
from tests.contract.conftest import people
from tests.support.chaos import ChaosProxy
from tests.support.wire import Wire, until

__all__ = ["people"]


@pytest.fixture
def console(wire: Wire) -> Iterator[iw.Console]:
    """A console, live: on a busy machine it may poll for a moment first."""
    with iw.connect(wire.server.url) as console:
        until(lambda: console.status.connection.mode == "live", "the socket")
        yield console


@pytest.fixture
def polling_console(wire: Wire) -> Iterator[iw.Console]:
    """A console that has no socket."""
    with iw.connect(wire.server.url, use_socket=False) as console:
        yield console


@pytest.fixture
def proxy(wire: Wire) -> Iterator[ChaosProxy]:
    """A proxy before the server, which does no harm until it is told to."""
    with ChaosProxy(wire.server.url) as proxy:
        yield proxy


@pytest.fixture
def through(proxy: ChaosProxy) -> Iterator[iw.Console]:
    """A console behind the proxy."""
    with iw.connect(proxy.url) as console:
        yield console
