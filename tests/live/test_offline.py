"""An offline or failing server: requests fail at once and say when the next attempt is, until it is back."""

from __future__ import annotations

import time

import pytest

import invoke_widgets as iw
from invoke_widgets.notices import ConnectionBack, ConnectionLost, Notice
from invoke_widgets.widgets.header import Header
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, sleep
from tests.support.parts import ask
from tests.support.servers import EmbeddedServer
from tests.support.wire import until


def _long_pause(console: iw.Console) -> float:
    """Wait until the server is offline and the next attempt is seconds away; return how many."""

    def left() -> float:
        next_try_at = console.status.connection.next_try_at
        seconds = 0.0 if next_try_at is None else next_try_at - time.monotonic()
        return seconds if console.status.connection.mode == "reconnecting" and seconds > 1.5 else 0.0

    return until(left, "a longer pause")


@pytest.mark.slow
def test_offline_server_fails_requests_at_once(through: iw.Console, proxy: ChaosProxy) -> None:
    """The connection and each request report the same error, with the time of the next attempt."""
    with proxy.offline():
        _long_pause(through)
        assert not through.status.connection.is_ill
        for ask in (lambda: through.submit(add_and_multiply()), lambda: through.item(1), through.pause):
            with pytest.raises(iw.ServerUnreachable, match="is offline, and is tried again in") as caught:
                ask()
            assert through.status.connection.error in str(caught.value)
    through.reconnect()
    assert "completed" == through.submit(add_and_multiply()).jobs[0].wait(60).status


def test_a_wait_says_that_the_server_is_away(through: iw.Console, proxy: ChaosProxy) -> None:
    """Of a job, a batch, its events, as jobs complete, and so on: the time is not up for want of speed."""
    batch = through.submit(sleep(60))
    with proxy.offline():
        until(lambda: through.status.connection.mode == "reconnecting", "the server to be away")
        for wait in (
            lambda: batch.wait(0.1),
            lambda: batch.jobs[0].wait(0.1),
            lambda: list(iw.as_completed(batch, timeout=0.1)),
            lambda: list(through.watch(batch, timeout=0.1, on_timeout="raise")),
            lambda: list(batch.iter_events(0.1)),
            lambda: through.refresh(0.1),
        ):
            with pytest.raises(iw.JobTimeout, match=r"\. The server is away: .*\w\.$"):
                wait()


def test_cancel_where_says_that_the_server_is_away(through: iw.Console, proxy: ChaosProxy) -> None:
    """As canceling an item does; where nothing fits, nothing had to be sent."""
    batch = through.submit(sleep(60))
    through.refresh()
    with proxy.offline():
        until(lambda: through.status.connection.mode == "reconnecting", "the server to be away")
        with pytest.raises(iw.CancellationFailed, match="was not canceled: "):
            through.cancel(where={"batch_id": batch.batch_id})
        assert [] == through.cancel(where={"destination": "nowhere"})


def test_a_wait_whose_cancel_cannot_be_sent_is_a_wait_all_the_same(through: iw.Console, proxy: ChaosProxy) -> None:
    """It raises that the time is up, as it would with an answer, and says that nothing was canceled."""
    batch = through.submit(sleep(60))
    with proxy.offline():
        until(lambda: through.status.connection.mode == "reconnecting", "the server to be away")
        for wait in (
            lambda: batch.wait(0.1, "cancel"),
            lambda: batch.jobs[0].wait(0.1, "cancel"),
            lambda: list(through.watch(batch, timeout=0.1, on_timeout="cancel")),
        ):
            with pytest.raises(iw.JobTimeout, match=r"within 0\.1 s\..* (Nothing was|was not) canceled: "):
                wait()


@pytest.mark.slow
def test_failing_server_is_ill_and_gets_no_requests(through: iw.Console, proxy: ChaosProxy) -> None:
    """While a gateway answers instead, the server is reported as ill, and a cancel is not sent."""
    rule = proxy.bad_gateway(path="/api/")
    _long_pause(through)
    assert through.status.connection.is_ill
    with pytest.raises(iw.CancellationFailed, match="does not work, and is tried again in"):
        through.cancel(1)
    assert not [seen for seen in proxy.seen if seen.path.endswith("/cancel")]
    line = Header(through)
    assert "server is ill, next try in" in line.as_text()
    line.close()
    rule.stop()
    through.reconnect()
    assert "not_found" == through.cancel(999_999).outcome


@pytest.mark.slow
def test_reconnect_tries_at_once(through: iw.Console, proxy: ChaosProxy) -> None:
    """`reconnect` raises if the server is still offline, and makes the console live if it is back."""
    with proxy.offline():
        _long_pause(through)
        with pytest.raises(iw.ServerUnreachable, match="still away"):
            through.reconnect()
        _long_pause(through)
    assert "live" == through.reconnect().mode
    assert "live" == through.reconnect().mode
    assert "completed" == through.submit(add_and_multiply()).jobs[0].wait(60).status


@pytest.mark.slow
def test_try_now_button_shows_while_offline_and_reconnects(through: iw.Console, proxy: ChaosProxy) -> None:
    """The header shows the button only while the server is offline; a failed attempt shows its reason."""
    line = Header(through)
    assert "try_now" not in line.banner.get("actions", ())
    with proxy.offline():
        _long_pause(through)
        until(lambda: "try_now" in line.banner["actions"], "the button")
        ask(line, "try_now")
        until(lambda: any("still away" in failure["what"] for failure in line.failures), "the failure to be shown")
        _long_pause(through)
        until(lambda: not line.busy, "the button to be free")
    ask(line, "try_now")
    until(lambda: through.status.connection.mode == "live", "the console to be live")
    until(lambda: (line.banner, line.failures) == ({}, []), "banner and failure to go")
    line.close()


def test_console_reconnects_by_itself_and_gives_notices(through: iw.Console, proxy: ChaosProxy) -> None:
    """Requests during the outage do not delay the reconnect, and notices report both changes."""
    notices: list[Notice] = []
    unsubscribe = through.on_notice(notices.append)
    with proxy.offline():
        until(lambda: through.status.connection.mode == "reconnecting", "the loss to be seen")
        for _ in range(10):
            with pytest.raises(iw.JobException):
                through.pause()
    until(lambda: through.status.connection.mode == "live", "the console to come back")
    until(lambda: any(isinstance(notice, ConnectionBack) for notice in notices), "the notice")
    unsubscribe()
    assert isinstance(notices[0], ConnectionLost)
    assert notices[0].error


@pytest.mark.slow
def test_requests_fail_while_a_server_restarts_and_work_after() -> None:
    """While the server is down a submit fails at once; once it is up a submit works as before."""
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
