"""Proxies from the environment: never used for this machine, and named in errors."""

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
    """Remove all proxies from the environment."""
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
def test_proxy_is_chosen_by_scheme_and_no_proxy(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: str | None
) -> None:
    """Hosts use the proxy of their scheme, except this machine and hosts in NO_PROXY."""
    monkeypatch.setenv("HTTP_PROXY", "http://p:3128")
    monkeypatch.setenv("HTTPS_PROXY", "q:1")
    monkeypatch.setenv("NO_PROXY", "inner.example")
    assert expected == proxy_for(url)


def test_proxy_is_shown_without_credentials() -> None:
    """Neither the user name nor the password is shown."""
    assert "http://p:3128" == shown_proxy("http://user:p@ss@p:3128/")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_proxy_is_not_used_for_this_machine(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The proxy is ignored for this machine, even one that httpx cannot use."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{_free_port()}" if name == "HTTP_PROXY" else "socks9://x")
    with scripted(lambda number, request: answer(200, "{}")) as (url, _):
        assert {} == ask(url)


def test_unreachable_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error and its suggestion are about the proxy, not the server."""
    proxy = f"127.0.0.1:{_free_port()}"
    monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@{proxy}")
    with pytest.raises(ServerUnreachable) as caught:
        ask(FAR)
    assert f"The proxy http://{proxy} before {FAR} cannot be reached: nothing listens there." == caught.value.message
    assert "NO_PROXY" in caught.value.suggestion


def test_failure_through_a_proxy_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that may be the proxy's own names it, without its password."""
    with scripted(lambda number, request: answer(503, "no upstream", "text/plain")) as (url, seen):
        monkeypatch.setenv("HTTP_PROXY", url.replace("http://", "http://user:secret@"))
        with pytest.raises(ServerFailure) as caught:
            ask(FAR)
    assert seen[0].startswith(f"GET {FAR}/api/v1/x ".encode())
    assert caught.value.message.endswith(f"The request went through the proxy {url}.")
    assert "secret" not in repr(caught.value) + str(caught.value) + repr(caught.value.details)


def test_unsupported_proxy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error mentions NO_PROXY and shows no password."""
    monkeypatch.setenv("HTTP_PROXY", "gopher://user:secret@p:1")
    with pytest.raises(InvalidRequest, match="NO_PROXY") as caught:
        Transport(FAR)
    assert "secret" not in str(caught.value)


def _connect(url: str) -> JobException:
    async def work() -> JobException:
        stream = EventStream(Transport(url), "default", on_event=print, on_lost=lambda: None)
        with pytest.raises(ServerUnreachable) as caught:
            await stream.connect()
        return caught.value

    return asyncio.run(work())


def test_socket_uses_the_same_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket goes through the proxy to other hosts, directly to this machine."""
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
