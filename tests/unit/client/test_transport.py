"""Each way a request can fail raises one of our exceptions, with a clear message."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from invoke_widgets import InvokeClient, connect
from invoke_widgets.client.transport import Transport, map_exception, normalise_url, retry_after_s
from invoke_widgets.errors import (
    AccessDenied,
    InvalidRequest,
    JobException,
    JobTimeout,
    NetworkError,
    NotFound,
    ReplyLost,
    ResourceError,
    ServerFailure,
    ServerUnreachable,
    UnexpectedReply,
    UnsupportedByServer,
)
from tests.support.scripted import answer, ask, scripted


def _httpx_errors() -> list[type[Exception]]:
    found = [
        value
        for _, value in inspect.getmembers(httpx, inspect.isclass)
        if issubclass(value, Exception) and value not in (httpx.HTTPStatusError, httpx.CookieConflict)
    ]
    return [kind for kind in found if issubclass(kind, httpx.HTTPError | httpx.InvalidURL)]


@pytest.mark.parametrize("kind", _httpx_errors(), ids=lambda kind: kind.__name__)
def test_every_httpx_exception_is_mapped(kind: type[Exception]) -> None:
    """Each exception class of httpx maps to one of ours; only its base classes give `UnknownError`."""
    ours = map_exception(kind("boom"), "GET /x", "http://h")
    bases = {httpx.HTTPError, httpx.RequestError, httpx.TransportError, httpx.TimeoutException, httpx.NetworkError,
             httpx.ProtocolError, httpx.TooManyRedirects}  # fmt: skip
    is_known = type(ours).__name__ != "UnknownError"
    assert (kind not in bases) == is_known


def test_refused_connection_is_explained() -> None:
    """A refused connection names the address, the cause and the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ServerUnreachable) as caught:
        ask(url)
    assert url in caught.value.message
    assert "nothing listens there" in caught.value.message
    assert "running" in caught.value.suggestion


def test_unknown_host_is_explained() -> None:
    """The error says that the host cannot be found."""
    with pytest.raises(ServerUnreachable, match=r"no such host|cannot be looked up"):
        ask("http://no-such-host.invalid")


def test_https_to_a_plain_server_suggests_http() -> None:
    """TLS to a server without it suggests an http:// address."""
    with scripted(lambda n, request: b"not tls") as (url, _), pytest.raises(ServerUnreachable) as caught:
        ask(url.replace("http:", "https:"))
    assert "http://" in caught.value.suggestion


def test_silent_server_raises_a_timeout() -> None:
    """A server that accepts the connection and never answers raises `JobTimeout`."""

    def hang(number: int, request: bytes) -> bytes | None:
        threading.Event().wait(1.0)
        return None

    with scripted(hang) as (url, _), pytest.raises(JobTimeout, match="did not answer"):
        ask(url, timeout=0.3)


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (answer(200, "<!DOCTYPE html><html></html>", "text/html"), UnexpectedReply, "web page"),
        (answer(502, "<html>Bad Gateway</html>", "text/html"), ServerFailure, "proxy"),
        (answer(404, "<html>nope</html>", "text/html"), UnexpectedReply, "web page"),
        (answer(200, '{"half": '), UnexpectedReply, "half of it"),
        (answer(200, ""), UnexpectedReply, "not JSON"),
        (answer(200, "hello", "text/plain"), UnexpectedReply, "instead of JSON"),
        (answer(302, "", location="http://login.example"), UnexpectedReply, "redirect"),
        (answer(500, "Internal Server Error", "text/plain"), ServerFailure, "500"),
        (answer(401, '{"detail": "Invalid or expired token"}'), AccessDenied, "token"),
        (answer(403, '{"detail": "Admin privileges required"}'), AccessDenied, "Admin privileges"),
        (answer(404, '{"detail": "Queue item with id 9 not found"}'), NotFound, "id 9"),
        (answer(405, '{"detail": "Method Not Allowed"}'), InvalidRequest, "does not take"),
        (
            answer(500, '{"detail": "Unexpected error: [Errno 28] No space left on device"}'),
            ResourceError,
            "28",
        ),
        (answer(500, '{"detail": "Unexpected error while fetching: 404: Item 3 not in q"}'), NotFound, "Item 3"),
        (answer(418, '{"detail": "teapot"}'), InvalidRequest, "418"),
        (answer(204, "", "application/json"), UnexpectedReply, "not JSON"),
    ],
)
def test_unexpected_reply_raises_its_own_exception(reply: bytes, kind: type[JobException], words: str) -> None:
    """Each kind of reply that is not a success raises its own exception with a clear message."""
    with scripted(lambda n, request: reply) as (url, _), pytest.raises(kind) as caught:
        ask(url)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        answer(302, "", location="http://me:hunter2@login.example/?token=hunter2"),
        answer(200, '{"half": "http://me:hunter2@host/'),
        answer(500, '{"detail": "cannot fetch http://me:hunter2@host/"}'),
    ],
)
def test_secrets_in_a_reply_are_not_shown(reply: bytes) -> None:
    """A shared notebook shows its tracebacks, so no exception quotes a secret of the reply."""
    with scripted(lambda n, request: reply) as (url, _), pytest.raises(JobException) as caught:
        ask(url)
    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.details}"


def test_secrets_in_an_address_are_not_shown() -> None:
    """Neither an address that httpx quotes nor one that is refused shows its password."""
    error = map_exception(httpx.ProxyError("http://me:hunter2@proxy refused"), "GET /x", "http://h")
    with pytest.raises(InvalidRequest) as caught:
        normalise_url("ftp://me:hunter2@host")
    assert "hunter2" not in f"{error} {error.details} {caught.value}"


def test_validation_error_names_the_field() -> None:
    """A 422 names the field, without the large input that the server echoes."""
    detail = [
        {
            "type": "int_parsing",
            "loc": ["body", "batch", "graph", "nodes", "a", "add", "a"],
            "msg": "Input should be a valid integer, unable to parse string as an integer",
            "input": "seven",
        },
        {"type": "value_error", "loc": ["body", "batch", "graph"], "msg": "bad edge", "input": {"x": "y" * 5000}},
    ]
    reply = answer(422, json.dumps({"detail": detail}))
    with scripted(lambda n, request: reply) as (url, _), pytest.raises(InvalidRequest) as caught:
        ask(url)
    assert "nodes.a.add.a: should be an integer" in caught.value.message
    assert "'seven'" in caught.value.message
    assert len(caught.value.message) < 400


def test_reads_are_repeated_and_writes_are_not() -> None:
    """After a broken connection a repeatable request is sent again; any other raises `ReplyLost`."""

    def second_time(number: int, request: bytes) -> bytes | None:
        return None if number == 1 else answer(200, "{}")

    with scripted(second_time) as (url, seen):
        assert {} == ask(url, repeatable=True)
        assert 2 == len(seen)
    with scripted(second_time) as (url, seen):
        with pytest.raises(ReplyLost):
            ask(url, method="POST")
        assert 1 == len(seen)


@pytest.mark.parametrize("is_date", [False, True], ids=["seconds", "date"])
def test_long_retry_after_is_reported_not_waited_for(is_date: bool) -> None:
    """A Retry-After beyond the timeout is not waited for: the error says when to try again."""
    asked = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True) if is_date else "3600"
    busy = answer(503, '{"detail": "busy"}', retry_after=asked)
    with scripted(lambda number, request: busy) as (url, seen), pytest.raises(ServerFailure) as caught:
        ask(url, repeatable=True)
    assert 1 == len(seen)
    assert 3000 < caught.value.details["retry_after"] <= 3600


def test_query_of_a_path_is_sent() -> None:
    """A caller may have put it there, with or without further parameters."""

    async def work(url: str) -> None:
        transport = Transport(url)
        await transport.json("GET", "/api/v1/x?a=1")
        await transport.json("GET", "/api/v1/x?a=1", params={"b": None})
        await transport.aclose()

    with scripted(lambda number, request: answer(200, "{}")) as (url, seen):
        asyncio.run(work(url))
    assert [b"GET /api/v1/x?a=1 HTTP/1.1"] * 2 == [request.splitlines()[0] for request in seen]


def test_only_repeatable_requests_are_repeated_and_at_most_twice() -> None:
    """On gateway errors a repeatable request is sent three times in all, any other once."""
    bad = answer(502, "<html>Bad Gateway</html>", "text/html")
    for repeatable, times in ((True, 3), (False, 1)):
        with scripted(lambda number, request: bad) as (url, seen), pytest.raises(ServerFailure):
            ask(url, repeatable=repeatable)
        assert times == len(seen)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("99999999999", 3600, 3600),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
        ("Wed, 21 Oct 2099 07:28:00 -0000", 3600, 3600),
    ],
)
def test_retry_after_as_seconds_and_as_date(header: str, low: float, high: float) -> None:
    """The header is seconds or a date; a past date means now, and a wait is at most an hour."""
    seconds = retry_after_s(header)
    assert seconds is not None
    assert low <= seconds <= high


@pytest.mark.parametrize("header", ["", "soon", "-5", "1.5e3", "²", "Wed, 99 Oct 2099"])
def test_invalid_retry_after_is_ignored(header: str) -> None:
    """A header that is neither seconds nor a date counts as missing."""
    assert None is retry_after_s(header)


def test_retry_after_date_is_honored() -> None:
    """A request that gets a 503 with a past date is sent again at once."""
    date = format_datetime(datetime.now(UTC), usegmt=True)

    def script(number: int, request: bytes) -> bytes:
        return answer(503, '{"detail": "busy"}', retry_after=date) if number == 1 else answer(200, '{"ok": 1}')

    with scripted(script) as (url, seen):
        assert {"ok": 1} == ask(url, repeatable=True)
    assert 2 == len(seen)


def test_retry_after_is_honored() -> None:
    """A request that gets a 503 with Retry-After is sent again after that time."""

    def busy(number: int, request: bytes) -> bytes:
        return answer(503, '{"detail": "busy"}', retry_after="0") if number == 1 else answer(200, '{"ok": 1}')

    with scripted(busy) as (url, seen):
        assert {"ok": 1} == ask(url, repeatable=True)
        assert 2 == len(seen)


def test_token_is_sent_refreshed_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    """The token is sent as a header, replaced by a refreshed one, and in no repr, message or log."""
    caplog.set_level(logging.DEBUG)

    def refresh(number: int, request: bytes) -> bytes:
        return answer(200, '{"version": "6.14.2"}', x_refreshed_token="second-secret")

    async def work(url: str) -> str:
        async with InvokeClient(url, token="first-secret") as client:
            await client.app_version()
            await client.app_version()
            shown = repr(client) + repr(client.transport)
            await client.aclose()
            try:
                await InvokeClient("http://127.0.0.1:1", token="third-secret").app_version()
            except NetworkError as error:
                shown += repr(error) + str(error) + repr(error.details)
            return shown

    with scripted(refresh) as (url, seen):
        shown = asyncio.run(work(url))
    assert b"Bearer first-secret" in seen[0]
    assert b"Bearer second-secret" in seen[1]
    assert "secret" not in shown + caplog.text


def test_token_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """INVOKEAI_TOKEN is used where no token is passed."""
    monkeypatch.setenv("INVOKEAI_TOKEN", "from-environment")

    async def work(url: str) -> None:
        async with InvokeClient(url) as client:
            await client.app_version()

    with scripted(lambda n, request: answer(200, '{"version": "6.14.2"}')) as (url, seen):
        asyncio.run(work(url))
    assert b"Bearer from-environment" in seen[0]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("127.0.0.1:9090", "http://127.0.0.1:9090"),
        (" http://h:1/ ", "http://h:1"),
        ("https://h/prefix/", "https://h/prefix"),
        ("http://user:secret@h:1", "http://h:1"),
        ("localhost:9090/?x=1#y", "http://localhost:9090"),
    ],
)
def test_urls_are_normalized(url: str, expected: str) -> None:
    """Addresses are accepted as users write them; credentials in them are dropped."""
    assert expected == normalise_url(url)


@pytest.mark.parametrize(
    "url", ["", "   ", "ftp://h", "http://", "http://h:port", "http://h:99999", "http://h:0", "http://xn--.h", 5]
)
def test_bad_urls_are_refused(url: str) -> None:
    """An invalid address is refused, and the error names the field."""
    with pytest.raises(InvalidRequest, match=r"^url"):
        normalise_url(url)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": "5"},
        {"timeout": True},
        {"token": "a\nb"},
        {"verify": "no"},
        {"verify": None},
        {"verify": 0},
        {"verify": __file__},
        {"verify": "a\0b"},
    ],
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    """The error names the bad option."""
    with pytest.raises(InvalidRequest, match=rf"^{next(iter(options))}"):
        Transport("http://h", **options)  # type: ignore[arg-type]


def test_verify_accepts_an_ssl_context() -> None:
    """An SSLContext is accepted as `verify`."""
    transport = Transport("https://h", verify=ssl.create_default_context())
    assert "https://h" == transport.url
    asyncio.run(transport.aclose())


@pytest.mark.parametrize(
    "reply",
    [
        answer(404, "{}", retry_after="²"),
        answer(404, "{}", retry_after="9" * 5000),
        answer(200, b"[" * 100_000),
        answer(200, '"' + "\\ud83d" + '"' + "[" * 100_000),
    ],
    ids=["a digit that is no number", "a number without end", "a list without end", "half a character, and a list"],
)
def test_malformed_replies_raise_job_exceptions(reply: bytes) -> None:
    """Found by fuzzing: text that looks like a number or like JSON may be neither."""
    with scripted(lambda n, request: reply) as (url, _), pytest.raises(JobException):
        ask(url)


def test_truncated_upload_reply_raises_unexpected_reply() -> None:
    """Found by fuzzing: the reply to an upload is checked like any other."""

    async def work(url: str) -> None:
        async with InvokeClient(url) as client:
            await client.upload_image(b"x")

    with scripted(lambda n, request: answer(200, '{"image_name": ')) as (url, _), pytest.raises(UnexpectedReply):
        asyncio.run(work(url))


@pytest.mark.parametrize("name", ["get_image_full", "get_image_thumbnail"])
def test_login_page_is_not_taken_for_an_image(name: str) -> None:
    """A proxy may answer 200 with a page of its own."""

    async def work(url: str) -> None:
        async with InvokeClient(url) as client:
            await getattr(client, name)("x.png")

    page = answer(200, "<!DOCTYPE html><html>Log in</html>", "text/html; charset=utf-8")
    with scripted(lambda n, request: page) as (url, _), pytest.raises(UnexpectedReply, match=r"web page.*Log in"):
        asyncio.run(work(url))


def test_server_that_is_too_old_is_refused() -> None:
    """Connecting to InvokeAI 5 raises an error with its version and the required one."""

    def script(number: int, request: bytes) -> bytes:
        is_version = b"/app/version" in request
        return answer(200, '{"version": "5.15.0"}') if is_version else answer(404, '{"detail": "Not Found"}')

    with scripted(script) as (url, _), pytest.raises(UnsupportedByServer, match=r"5\.15\.0; 6\.0 or newer"):
        connect(url)


def test_refreshed_token_does_not_replace_one_that_was_set_meanwhile() -> None:
    """It continues the token of the request, which may be another user's by now."""

    async def work() -> str | None:
        transport = Transport(url, token="old")
        try:
            asked = asyncio.ensure_future(transport.json("GET", "/api/v1/app/version"))
            await asyncio.to_thread(arrived.wait)
            transport.set_token("new")
            replaced.set()
            await asked
            return transport.token
        finally:
            await transport.aclose()

    def script(number: int, request: bytes) -> bytes:
        arrived.set()
        replaced.wait(30)
        return answer(200, '{"version": "6.14.2"}', x_refreshed_token="old-refreshed")

    arrived, replaced = threading.Event(), threading.Event()
    with scripted(script) as (url, _):
        assert "new" == asyncio.run(work())


def test_refreshed_token_that_is_no_header_value_is_ignored() -> None:
    """Found by fuzzing: a refreshed token that cannot be sent as a header does not replace the old one."""

    async def work(url: str) -> str | None:
        async with InvokeClient(url, token="first") as client:
            await client.app_version()
            await client.app_version()
            return client.transport.token

    reply = answer(200, '{"version": "6.14.2"}', x_refreshed_token="tökén").decode().encode("latin-1")
    with scripted(lambda n, request: reply) as (url, _):
        assert "first" == asyncio.run(work(url))


@pytest.mark.parametrize("token", ["tökén", "to\nken", "\udc00"])
def test_login_token_that_is_no_header_value_is_refused(token: str) -> None:
    """Found by fuzzing: the login raises an error, and later requests are sent without the token."""

    async def work(url: str) -> str | None:
        async with InvokeClient(url) as client:
            with pytest.raises(UnexpectedReply, match="without a token"):
                await client.login("a", "b")
            return client.transport.token

    with scripted(lambda n, request: answer(200, json.dumps({"token": token, "version": "6.14.2"}))) as (url, _):
        assert asyncio.run(work(url)) is None


@pytest.mark.parametrize("token", ["s3cret ", " s3cret", "s3\ncret", "s\u00e9cret"])
def test_token_that_no_header_can_hold_is_refused_unquoted(token: str) -> None:
    """Such as one that was pasted with a blank: httpx would quote it in its message."""
    with pytest.raises(InvalidRequest) as caught:
        Transport("http://h", token=token)
    assert ("token", False) == (caught.value.field, "cret" in str(caught.value))


def test_refreshed_token_is_hidden_in_the_log_of_a_successor_of_httpcore(caplog: pytest.LogCaptureFixture) -> None:
    """A kernel may have put httpx2 in httpx's place."""
    Transport("http://h")
    with caplog.at_level(logging.DEBUG, "httpcore2.http11"):
        logging.getLogger("httpcore2.http11").debug("headers=[(b'X-Refreshed-Token', b's3cret-token-abc')]")
    assert "s3cret" not in caplog.text
