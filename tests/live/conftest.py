"""A console on a server whose queue is empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import invoke_widgets as iw
from tests.contract.conftest import people
from tests.support.wire import Wire

__all__ = ["people"]


@pytest.fixture
def console(wire: Wire) -> Iterator[iw.Console]:
    """A console, live."""
    with iw.connect(wire.server.url) as console:
        yield console


@pytest.fixture
def polling_console(wire: Wire) -> Iterator[iw.Console]:
    """A console that has no socket."""
    with iw.connect(wire.server.url, use_socket=False) as console:
        yield console
