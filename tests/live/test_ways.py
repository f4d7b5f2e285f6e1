"""Ways to a server: nginx with a path, a login, TLS, without websockets; IPv6; a slow link."""

from __future__ import annotations

from pathlib import Path

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import NotFound, ResourceError, ServerFailure
from tests.support.graphs import add_and_multiply, blank_image, graph, sleep
from tests.support.nginx import behind_nginx
from tests.support.relay import relayed
from tests.support.tls import Authority
from tests.support.wire import Wire, until

_LOGIN = ("someone", "pa55w@rd/ü")
_WRITTEN = "someone:pa55w%40rd%2F%C3%BC"


def _works(console: iw.Console, mode: str) -> None:
    """Submit, wait, read the image, and cancel a running job."""
    until(lambda: console.status.connection.mode == mode, f"the mode {mode}")
    job = console.submit(blank_image()).jobs[0]
    assert "completed" == job.wait(60).status
    (name,) = job.image_names()
    for read in (console.client.get_image_full, console.client.get_image_thumbnail):
        assert len(iw.run(read(name))) > 50
    running = console.submit(sleep(60)).jobs[0]
    until(lambda: running.status == "in_progress", "the job to run")
    assert "canceled" == running.cancel().outcome
    assert mode == console.status.connection.mode


@pytest.mark.slow
@pytest.mark.parametrize("upgrade", [True, False], ids=["websockets", "no websockets"])
def test_nginx_with_a_path(wire: Wire, tmp_path: Path, upgrade: bool) -> None:
    """The address may end with a slash or not; where websockets do not pass, the console polls and says why."""
    with behind_nginx(wire.server.url, tmp_path, path="/invoke/", upgrade=upgrade) as url:
        for address in (url, url.rstrip("/")):
            with iw.connect(address) as console:
                _works(console, "live" if upgrade else "polling")
                connection = console.status.connection
                assert (upgrade, upgrade) == (not connection.error, "websockets" not in connection.remedy)


@pytest.mark.slow
def test_a_forgotten_path_is_thought_of(wire: Wire, tmp_path: Path) -> None:
    """nginx answers with a page of its own."""
    with (
        behind_nginx(wire.server.url, tmp_path, path="/invoke/") as url,
        pytest.raises(iw.UnexpectedReply, match="may have a path"),
    ):
        iw.connect(url.removesuffix("/invoke/"))


@pytest.mark.slow
def test_nginx_with_a_login(wire: Wire, tmp_path: Path) -> None:
    """User and password in the address are used for requests and for the socket, and are shown nowhere."""
    with behind_nginx(wire.server.url, tmp_path, login=_LOGIN) as url:
        with iw.connect(url.replace("//", f"//{_WRITTEN}@")) as console:
            _works(console, "live")
            assert "pa55" not in f"{console!r} {console.status} {console}"
        for wrong in (url, url.replace("//", "//someone:else@")):
            with pytest.raises(iw.AccessDenied, match="put them into the address"):
                iw.connect(wrong)
        with pytest.raises(iw.InvalidRequest, match="one header"):
            iw.connect(url.replace("//", f"//{_WRITTEN}@"), token="a")


@pytest.mark.slow
def test_nginx_with_tls_a_path_and_a_login(wire: Wire, tmp_path: Path) -> None:
    """As a shared server has it: `verify` takes the authority's file, as a text or a path."""
    ca, certificate, key = Authority().write(tmp_path)
    with behind_nginx(wire.server.url, tmp_path, path="/invoke/", login=_LOGIN, certificate=(certificate, key)) as url:
        for verify in (str(ca), ca):
            with iw.connect(url.replace("//", f"//{_WRITTEN}@"), verify=verify) as console:
                _works(console, "live")


@pytest.mark.slow
def test_nginx_without_its_server(tmp_path: Path) -> None:
    """The proxy's page is told from the server's."""
    with (
        behind_nginx("http://127.0.0.1:9", tmp_path) as url,
        pytest.raises(ServerFailure, match="A proxy answered 502"),
    ):
        iw.connect(url)


@pytest.mark.slow
def test_a_request_that_nginx_finds_too_large(wire: Wire, tmp_path: Path) -> None:
    """By default it takes 1 MB; the batch is not in the queue."""
    large = graph({"text": {"type": "string", "value": "x" * 1_500_000}})
    with behind_nginx(wire.server.url, tmp_path) as url, iw.connect(url) as console:
        with pytest.raises(ResourceError, match="a proxy before it"):
            console.submit(large)
        assert 0 == wire.queue_status()["total"]


@pytest.mark.parametrize("bare", [True, False], ids=["without a scheme", "with one"])
def test_ipv6(wire: Wire, bare: bool) -> None:
    """An address in brackets is one, with a scheme or without."""
    with (
        relayed(wire.server.url, host="::1") as url,
        iw.connect(url.removeprefix("http://") if bare else url) as console,
    ):
        _works(console, "live")


@pytest.mark.slow
@pytest.mark.parametrize("use_socket", [True, False], ids=["socket", "polling"])
def test_a_slow_link(wire: Wire, use_socket: bool) -> None:
    """With 200 ms there and back and 50 kB/s everything works, and the snapshot becomes the server's list."""
    with wire.paused():
        ids = wire.enqueue(add_and_multiply(), runs=900)["item_ids"]
        with (
            relayed(wire.server.url, delay_s=0.1, bytes_per_s=50_000) as url,
            iw.connect(url, use_socket=use_socket) as console,
        ):
            until(lambda: len(console.queue) == len(ids), "all items")
            record = console.cancel(ids[0])
            assert ("canceled", "canceled") == (record.outcome, wire.item(ids[0])["status"])
            wire.put("cancel_all_except_current")
            until(lambda: console.status.canceled == len(ids), "the counters")
            until(lambda: {item.status for item in console.queue} == {"canceled"}, "the items")
            with pytest.raises(NotFound):
                console.delete(999_999_999)
