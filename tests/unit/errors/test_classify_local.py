"""What a local socket answers, or does not, is classified as the table of known failures says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from invoke_widgets.errors import JobErrorType, JobException
from tests.support.known_failures import LOCAL, MADE_UP, TRANSPORT
from tests.support.relay import relayed
from tests.support.scripted import RESET, answer, ask, scripted
from tests.support.tls import Authority

Provoke = Callable[[pytest.MonkeyPatch], AbstractContextManager[str]]
_AUTHORITY = Authority()


def _says(reply: bytes | None) -> Provoke:
    @contextmanager
    def provoke(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        with scripted(lambda n, request: reply) as (url, _):
            yield url

    return provoke


@contextmanager
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    yield url


@contextmanager
def _plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with scripted(lambda n, request: b"not tls") as (url, _):
        yield url.replace("http:", "https:")


@contextmanager
def _silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    over = threading.Event()

    def hang(number: int, request: bytes) -> None:
        over.wait(5)

    with scripted(hang) as (url, _):
        yield url
        over.set()


@contextmanager
def _proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with scripted(lambda n, request: answer(403, "")) as (url, _):
        monkeypatch.setenv("HTTPS_PROXY", url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        yield "https://invokeai.test"


@contextmanager
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield "http://no-such-host.invalid"  # RFC 2606: no name service knows it


@contextmanager
def _crowded(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with a full backlog, so that further connections are not answered."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _certified(name: str = "127.0.0.1", *, expired: bool = False) -> Provoke:
    @contextmanager
    def provoke(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        with relayed(tls=_AUTHORITY.certificate(name, expired=expired)) as url:
            yield url

    return provoke


PROVOKE: dict[str, Provoke] = {
    "no such host": _nowhere,
    "a host that does not answer": _crowded,
    "a self-signed certificate": _certified(),
    "a certificate of another host": _certified("other.test"),
    "a certificate that has expired": _certified(expired=True),
    "nothing listens": _closed,
    "http where https is asked for": _plain,
    "a server that does not answer": _silent,
    "a connection that breaks": _says(RESET),
    "a connection that the server closed": _says(None),
    "an answer that cannot be unpacked": _says(answer(200, b"not packed", content_encoding="gzip")),
    "a proxy that refuses": _proxy,
}


@pytest.mark.parametrize("case", MADE_UP, ids=lambda case: case[0])
def test_reply_of_a_proxy_or_failing_server_is_classified_over_a_socket(
    case: tuple[str, int, str, str, JobErrorType, bool],
) -> None:
    """Replies of proxies and failing servers are classified the same when sent over a socket."""
    _, status, content_type, body, error_type, retryable = case
    reply = answer(status, body, content_type)
    with scripted(lambda n, request: reply) as (url, _), pytest.raises(JobException) as caught:
        ask(url)
    error = caught.value
    assert (error_type, retryable, True) == (error.error_type, error.retryable, bool(error.suggestion))


@pytest.mark.parametrize("case", [case for case in TRANSPORT if case[4] == LOCAL], ids=lambda case: case[0])
def test_failed_connection_is_classified_over_a_socket(
    case: tuple[str, Exception, JobErrorType, bool, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each real failure httpx raises the exception in the table, and it is classified as there."""
    what, raised, error_type, retryable, _ = case
    with PROVOKE[what](monkeypatch) as url, pytest.raises(JobException) as caught:
        ask(
            url,
            timeout=0.5 if "does not answer" in what else 5.0,
            verify=what == "a self-signed certificate" or _AUTHORITY.knowing,
        )
    error = caught.value
    assert error.suggestion
    assert (type(raised).__name__, error_type, retryable) == (
        str(error.details.get("exception")).partition(":")[0],
        error.error_type,
        error.retryable,
    )
