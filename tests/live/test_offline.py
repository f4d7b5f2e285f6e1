"""A server that is away or ill: what is asked of it fails at once and says when it is tried next, until it is back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import invoke_widgets as iw
from invoke_widgets.jobs import follow
from invoke_widgets.notices import ConnectionBack, ConnectionLost, Notice
from invoke_widgets.widgets.header import ServerLine
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply
from tests.support.servers import EmbeddedServer
from tests.support.wire import Wire, until


@pytest.fixture
def proxy(wire: Wire) -> Iterator[ChaosProxy]:
    with ChaosProxy(wire.server.url) as proxy:
        yield proxy


@pytest.fixture
def through(proxy: ChaosProxy) -> Iterator[iw.Console]:
    with iw.connect(proxy.url) as console:
        yield console


def _long_pause(console: iw.Console) -> float:
    """Wait until the server is away and the next try is seconds off; how many."""

    def left() -> float:
        next_try_at = console.status.connection.next_try_at
        seconds = 0.0 if next_try_at is None else next_try_at - time.monotonic()
        return seconds if console.status.connection.mode == "reconnecting" and seconds > 1.5 else 0.0

    return until(left, "a longer pause")


@pytest.mark.slow
def test_a_server_that_is_away(through: iw.Console, proxy: ChaosProxy) -> None:
    """While nothing listens, the picture says so and when next, and whatever is asked fails with the same."""
    with proxy.offline():
        _long_pause(through)
        assert not through.status.connection.is_ill
        for ask in (lambda: through.submit(add_and_multiply()), lambda: through.item(1), through.pause):
            with pytest.raises(iw.ServerUnreachable, match="is offline, and is tried again in") as caught:
                ask()
            assert through.status.connection.error in str(caught.value)
    through.reconnect()
    assert "completed" == through.submit(add_and_multiply()).jobs[0].wait(60).status


@pytest.mark.slow
def test_an_ill_server(through: iw.Console, proxy: ChaosProxy) -> None:
    """While a gateway answers for it, the server is told to be ill, and a click is not even sent."""
    rule = proxy.bad_gateway(path="/api/")
    _long_pause(through)
    assert through.status.connection.is_ill
    with pytest.raises(iw.CancellationFailed, match="does not work, and is tried again in"):
        through.cancel(1)
    assert not [seen for seen in proxy.seen if seen.path.endswith("/cancel")]
    line = ServerLine(through)
    assert "server is ill, next try in" in line.as_text()
    line.close()
    rule.stop()
    through.reconnect()
    assert "not_found" == through.cancel(999_999).outcome


@pytest.mark.slow
def test_trying_at_once(through: iw.Console, proxy: ChaosProxy) -> None:
    """Who does not want to wait tries now: the error says that it is still away, or the picture is live again."""
    with proxy.offline():
        _long_pause(through)
        with pytest.raises(iw.ServerUnreachable, match="still away"):
            through.reconnect()
        _long_pause(through)
    assert "live" == through.reconnect().mode
    assert "live" == through.reconnect().mode
    assert "completed" == through.submit(add_and_multiply()).jobs[0].wait(60).status


@pytest.mark.slow
def test_the_button_that_tries_at_once(through: iw.Console, proxy: ChaosProxy) -> None:
    """The server line has the button exactly while there is something to try; a vain try shows why."""
    line = ServerLine(through)
    button = line._try_now
    assert "none" == button.layout.display
    with proxy.offline():
        _long_pause(through)
        until(lambda: button.layout.display is None, "the button")
        button.click()
        until(lambda: "still away" in line._strip.value, "the failure to be shown")
        _long_pause(through)
        until(lambda: not button.busy, "the button to be free")
    button.click()
    until(lambda: through.status.connection.mode == "live", "the console to come back")
    until(lambda: button.layout.display == "none", "the button to go")
    line.close()


def test_it_comes_back_by_itself(through: iw.Console, proxy: ChaosProxy) -> None:
    """Nobody needs to press anything: clicks meanwhile do not keep the console from coming back, and it is told."""
    heard: list[Notice] = []
    end = follow(through._loop, through.store, heard.append, error_of=through.errors.of)
    with proxy.offline():
        until(lambda: through.status.connection.mode == "reconnecting", "the loss to be seen")
        for _ in range(10):
            with pytest.raises(iw.JobException):
                through.pause()
    until(lambda: through.status.connection.mode == "live", "the console to come back")
    until(lambda: any(isinstance(notice, ConnectionBack) for notice in heard), "the notice")
    end()
    assert isinstance(heard[0], ConnectionLost)
    assert heard[0].error


@pytest.mark.slow
def test_a_server_that_restarts() -> None:
    """Over a stop and a start: at once an error while it is down, and work as before when it is up."""
    server = EmbeddedServer()
    server.start()
    try:
        with iw.connect(server.url) as console:
            console.submit(add_and_multiply()).wait(60)
            server.kill()
            _long_pause(console)
            with pytest.raises(iw.ServerUnreachable, match="is offline"):
                console.submit(add_and_multiply())
            server.start()
            until(lambda: console.status.connection.mode == "live", "the console to come back")
            assert "completed" == console.submit(add_and_multiply()).jobs[0].wait(60).status
    finally:
        server.stop()
