"""The environment's proxies: never for this machine, and named where one is in use."""

from __future__ import annotations

import asyncio
import socket

import pytest

from invoke_widgets.client.socket import EventStream
from invoke_widgets.client.transport import Transport, proxy_for, shown_proxy
from invoke_widgets.errors import InvalidRequest, JobException, ServerFailure, ServerUnreachable
from tests.support.scripted import answer, ask, scripted

FAR = "http://invokeai.example:9090"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without any."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9090", None),
        ("http://127.8.9.1", None),
        ("http://[::1]:9090", None),
        ("http://localhost:9090", None),
        ("http://LOCALHOST.:9090", None),
        (FAR, "http://p:3128"),
        ("https://invokeai.example", "http://q:1"),
        ("http://inner.example:9090", None),
        ("http://a.inner.example", None),
        ("http://128.0.0.1", "http://p:3128"),
    ],
)
def test_which_proxy(monkeypatch: pytest.MonkeyPatch, url: str, expected: str | None) -> None:
    """This machine has none; others have that of their scheme, unless NO_PROXY names them."""
    monkeypatch.setenv("HTTP_PROXY", "http://p:3128")
    monkeypatch.setenv("HTTPS_PROXY", "q:1")
    monkeypatch.setenv("NO_PROXY", "inner.example")
    assert expected == proxy_for(url)


def test_a_proxy_is_shown_without_its_password() -> None:
    """Neither the user nor the password is told."""
    assert "http://p:3128" == shown_proxy("http://user:p@ss@p:3128/")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_this_machine_is_asked_directly(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever the environment's proxy is, also one that httpx cannot use."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{_free_port()}" if name == "HTTP_PROXY" else "socks9://x")
    with scripted(lambda number, request: answer(200, "{}")) as (url, _):
        assert {} == ask(url)


def test_a_proxy_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said against the server, and the remedy is about the proxy."""
    proxy = f"127.0.0.1:{_free_port()}"
    monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@{proxy}")
    with pytest.raises(ServerUnreachable) as caught:
        ask(FAR)
    assert f"The proxy http://{proxy} before {FAR} cannot be reached: nothing listens there." == caught.value.message
    assert "NO_PROXY" in caught.value.suggestion


def test_what_comes_through_a_proxy_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that may be the proxy's own names it, and has no password of it."""
    with scripted(lambda number, request: answer(503, "no upstream", "text/plain")) as (url, seen):
        monkeypatch.setenv("HTTP_PROXY", url.replace("http://", "http://user:secret@"))
        with pytest.raises(ServerFailure) as caught:
            ask(FAR)
    assert seen[0].startswith(f"GET {FAR}/api/v1/x ".encode())
    assert caught.value.message.endswith(f"It was asked through the proxy {url}.")
    assert "secret" not in repr(caught.value) + str(caught.value) + repr(caught.value.details)


def test_a_proxy_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused in words, without what may be a password."""
    monkeypatch.setenv("HTTP_PROXY", "gopher://user:secret@p:1")
    with pytest.raises(InvalidRequest, match="NO_PROXY") as caught:
        Transport(FAR)
    assert "secret" not in str(caught.value)


def _connect(url: str) -> JobException:
    async def work() -> JobException:
        stream = EventStream(url, "default", on_event=print, on_lost=lambda: None, token=lambda: None)
        with pytest.raises(ServerUnreachable) as caught:
            await stream.connect()
        return caught.value

    return asyncio.run(work())


def test_the_socket_goes_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the proxy to others, directly to this machine."""
    with (
        scripted(lambda number, request: answer(403, "no")) as (proxy, through),
        scripted(lambda number, request: answer(403, "no")) as (near, direct),
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        _connect(FAR)
        _connect(near)
    assert ([True], [True]) == (
        [b"invokeai.example:9090/ws/" in r.splitlines()[0] for r in through],
        [b"/ws/" in r for r in direct],
    )
