"""The only file that imports httpx: sends requests, repeats those that may be, and maps each failure to `errors`.

(An alert's webhook, which goes to another server, imports it too.)

Figures behind the settings, measured on InvokeAI 6.14.2: the server closes a connection after 5 s idle, so ours are
kept for 3 s; it may pause for 1.2 s while it collects garbage, so a timeout below 3 s is unsafe.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import ipaddress
import json
import logging
import os
import re
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx

from invoke_widgets._loop import Backoff, LoopThread
from invoke_widgets.errors import (
    InvalidRequest,
    JobException,
    JobTimeout,
    NetworkError,
    ReplyLost,
    ServerFailure,
    ServerUnreachable,
    UnexpectedReply,
    checks,
    classify,
)
from invoke_widgets.errors.redact import Address, Body, Secret, address, incoming, secret

_KEEPALIVE_S = 3.0
_ATTEMPTS = 3
_TOTAL_S = 20.0
"""Seconds after the first attempt at a request, after which no further one begins."""
_LONGEST_WAIT_S = 3600.0
_CONNECTIONS = 20
_LONGEST_CALL_S = 60.0
_LONGEST_REPLY = 64 * 2**20
_LONGEST_LIST = 256 * 2**20
_OF_THE_WIRE = (b"content-encoding", b"content-length", b"transfer-encoding")

# Raised before the whole request was written: the server cannot have carried it out.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.WriteError, httpx.WriteTimeout)

Repeatable = bool | Literal["unsent"]

_PROXY_REMEDY = "Check HTTP_PROXY and NO_PROXY."

THRESHOLD = 5
_LONGEST_S = 60.0
_GATEWAY = (502, 503, 504)


class _HideToken(logging.Filter):
    """Removes refreshed tokens from httpcore's debug log, which includes the headers of each response."""

    _TOKEN = re.compile(r"(x-refreshed-token', b')[^']*", re.IGNORECASE)

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "x-refreshed-token" in message.lower():
            record.msg, record.args = self._TOKEN.sub(r"\1...", message), ()
        return True


_hide_token = _HideToken()


def normalise_url(url: str) -> str:
    """Return an http or https address with a scheme, and without trailing slash, query, fragment or credentials.

    Raises:
        InvalidRequest: it is none.
    """
    return str(_parsed(url).copy_with(query=None, fragment=None, userinfo=b"")).rstrip("/")


def _parsed(url: str) -> httpx.URL:
    if not isinstance(url, str) or not url.strip():
        raise InvalidRequest("url: should be an address such as 'http://127.0.0.1:9090'.", field="url")
    text = Address(url.strip())
    if "://" not in text:
        text = Address(f"http://{text}")
    try:
        parsed = httpx.URL(text)
        host = parsed.host  # is decoded only now
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidRequest(f"url: {incoming(repr(url))} is not an address: {error}.", field="url") from error
    if parsed.scheme not in ("http", "https") or not host:
        raise InvalidRequest(
            f"url: {incoming(repr(url))} should start with http:// or https:// and name a host.", field="url"
        )
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise InvalidRequest(f"url: {incoming(repr(url))} should have a port from 1 to 65535.", field="url")
    return parsed


def checked_verify(verify: object) -> bool | ssl.SSLContext:
    """Return how certificates are checked: whether at all, or with what.

    Raises:
        InvalidRequest: `verify` is nothing of the kind, or a file without certificates.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    if not isinstance(verify, str | os.PathLike) or not str(verify):
        try:
            return checks.flag("verify", verify)
        except InvalidRequest:
            raise InvalidRequest(
                f"verify: should be True, False, an ssl.SSLContext, or a file of certificates, got {verify!r}.",
                field="verify",
            ) from None
    path = Path(verify)
    try:
        is_folder = path.is_dir()
        return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else None)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise InvalidRequest(
            f"verify: {str(path)!r} is not a file of certificates in PEM format ({error}).", field="verify"
        ) from None


def path_segment(value: object) -> str:
    """Return `value` quoted as one segment of a path; "..", too, is a name here and not the folder above."""
    quoted = quote(str(value), safe="")
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def can_be_sent(token: str) -> bool:
    """Whether a header can hold the token: a blank at an end, as from a paste, it cannot, and httpx would quote it."""
    return token.isascii() and token.isprintable() and token == token.strip()


def checked_token(token: object) -> str | None:
    """Return a token or None, or raise `InvalidRequest` if it is neither, or no header can hold it."""
    if token is not None and (not isinstance(token, str) or not can_be_sent(token)):
        raise InvalidRequest(
            "token: should be a string of printable ASCII characters, without blanks around it.", field="token"
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: 127.0.0.0/8, ::1 or localhost."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> str | None:
    """Return the environment's proxy for a server (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY), or None.

    Always None for this machine: a proxy elsewhere cannot reach what listens here.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or is_loopback(host):
        return None
    # NO_PROXY may name a host with or without its port; an IPv6 host has brackets only in the former.
    if any(urllib.request.proxy_bypass(name) for name in (parts.netloc.rpartition("@")[2], host)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def shown_proxy(proxy: str) -> str:
    """Return a proxy's address without its user and password."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def loads(content: bytes) -> Any:
    r"""Decode JSON as `json.loads` does, with each lone surrogate (`"\ud83d"`) replaced by U+FFFD.

    Raises:
        ValueError: `content` is not JSON, or is nested too deeply.
    """
    try:
        data = json.loads(content)
        return clean(data) if b"\\ud" in content.lower() else data
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def clean(data: Any) -> Any:
    """Return decoded JSON with each lone surrogate replaced; the same object if there is none."""
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return data


def is_ill(error: JobException) -> bool:
    """Whether something answered, but does not work; as opposed to a server that cannot be reached."""
    return isinstance(error, ServerFailure | UnexpectedReply)


def is_away(error: JobException) -> bool:
    """Whether the server cannot be reached, or a gateway says so on its behalf."""
    # A pool timeout means that all our own connections are in use, and says nothing about the server.
    unreachable = isinstance(error, ServerUnreachable) and "PoolTimeout" not in str(error.details.get("exception"))
    return unreachable or error.http_status in _GATEWAY


def asked_for(error: JobException, pause_s: float) -> float:
    """Return the longer of `pause_s` and the server's `Retry-After`, in seconds; the latter is capped at a minute."""
    return max(pause_s, min(float(error.details.get("retry_after", 0.0)), _LONGEST_S))


class Breaker:
    """A circuit breaker: fails requests at once while the server is known to be away.

    While it is closed, all requests are sent. After five failures in a row it opens, and none is sent until a
    pause is over. One request is then sent as a probe: any answer from the server closes the breaker, a failure opens
    it for a longer pause.

    A failure is a server that cannot be reached, or a gateway's answer on its behalf (502, 503, 504).
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._failures = 0
        self._backoff = Backoff(1.0, 8.0)
        self._error: JobException | None = None
        self._until = 0.0
        self._probe_is_in_flight = False

    def open(self, error: JobException, pause_s: float) -> None:
        """Send no requests for `pause_s` seconds, because of `error`."""
        self._error = error
        self._until = self._clock() + pause_s
        self._probe_is_in_flight = False

    @contextmanager
    def request(self, *, probing: bool = False) -> Iterator[None]:
        """Wrap one request, which raises a `JobException` if it fails.

        Args:
            probing: whether to send it even while the breaker is open, for a caller that paces itself.

        Raises:
            ServerUnreachable: the breaker is open, and the request was not sent.
        """
        is_probe = not probing and self._admit()
        try:
            yield
        except JobException as error:
            self._failed(error, is_probe)
            raise
        except BaseException:
            if is_probe:
                self._probe_is_in_flight = False  # canceled: this says nothing about the server
            raise
        self._answered()

    def _admit(self) -> bool:
        if self._error is None:
            return False
        left = self._until - self._clock()
        if left <= 0 and not self._probe_is_in_flight:
            self._probe_is_in_flight = True
            return True
        when = f"in {left:.0f} s" if left >= 0.5 else "right now"
        what = "does not work" if is_ill(self._error) else "is offline"
        raise ServerUnreachable(
            f"{self._url} {what}, and is tried again {when}; until then nothing is sent. {self._error.message}",
            suggestion=self._error.suggestion,
            details={"breaker": "open", "next_try_s": max(left, 0.0)},
            retryable=True,
        )

    def _failed(self, error: JobException, is_probe: bool) -> None:
        if is_away(error) or (is_probe and isinstance(error, ReplyLost | JobTimeout)):
            self._failures += 1
            if is_probe or (self._failures >= THRESHOLD and self._error is None):
                self.open(error, asked_for(error, self._backoff.next()))
        elif error.http_status is not None:
            self._answered()
        elif is_probe:
            self._probe_is_in_flight = False

    def _answered(self) -> None:
        self._failures = 0
        self._backoff.reset()
        self._error = None
        self._probe_is_in_flight = False


def limit_of(request: str) -> int:
    """Return how many bytes, once decompressed, the reply to a request such as "GET /api/..." may have."""
    return _LONGEST_LIST if request.partition("?")[0].endswith("/list_all") else _LONGEST_REPLY


class _Pool:
    """httpx's connections, kept from the cancellations of those who wait for a reply.

    httpcore loses a connection's slot for good to a task that is canceled at the wrong moment. So each request has a
    task of its own, which goes on to its end when its caller is canceled. Where its time is over before it has a
    connection, or before its reply has ended, the connections are replaced: that is such a cancellation too.
    """

    def __init__(self, connect: Callable[[], httpx.AsyncClient]) -> None:
        self._connect = connect
        self.http = connect()
        self._tasks: dict[asyncio.Task[httpx.Response], httpx.AsyncClient] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, request: httpx.Request, name: str, *, until: float) -> httpx.Response:
        """Send a request and return its whole reply.

        Args:
            request: the request.
            name: the request, "GET /api/...".
            until: when to give up, on the loop's clock; httpx's time-outs are for each read.

        Raises:
            TimeoutError: the whole reply was not there by then.
            UnexpectedReply: the reply is larger than `limit_of` the request.
            httpx.HTTPError: it failed in another way.
        """
        http = self.http
        task = asyncio.get_running_loop().create_task(self._exchange(http, request, name, until))
        self._tasks[task] = http
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _exchange(
        self, http: httpx.AsyncClient, request: httpx.Request, name: str, until: float
    ) -> httpx.Response:
        try:
            async with asyncio.timeout_at(until):
                response = await http.send(request, stream=True)
                try:
                    content = bytearray()
                    limit = limit_of(name)
                    async for part in response.aiter_bytes():
                        content += part
                        if len(content) > limit:
                            raise UnexpectedReply(
                                f"{name} was answered with more than {limit // 2**20} MB, and was given up.",
                                suggestion="Is this the address of an InvokeAI server?",
                                details={"request": name, "limit": limit},
                            )
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.PoolTimeout):
            # Either may have lost a slot: the clock can jump just when a connection was found.
            if self.http is http:
                self.http = self._connect()  # the old ones are closed when the last request on them has ended
            raise
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_WIRE]
        return httpx.Response(response.status_code, headers=headers, content=bytes(content), request=request)

    def _ended(self, task: asyncio.Task[httpx.Response]) -> None:
        http = self._tasks.pop(task)
        if not task.cancelled():
            task.exception()  # nobody else asks for it if the caller was canceled
        if http is not self.http and http not in self._tasks.values():
            closing = asyncio.get_running_loop().create_task(http.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """End the requests that nobody waits for any more, and close the connections."""
        tasks = {*self._tasks}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._closing:
            await asyncio.wait(self._closing)
        await self.http.aclose()


class Transport:
    """The connections to one server.

    For the arguments see `InvokeClient`. A path before `/api` is kept; connecting may take at most 5 s; the token is
    replaced by what the server sends in `X-Refreshed-Token`.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 30.0, verify: Any = True) -> None:
        url, token = address(url), secret(token)
        timeout = checks.seconds("timeout", timeout, or_zero=False)
        self.url = normalise_url(url)
        self.timeout = timeout
        parsed = _parsed(url)
        login = base64.b64encode(Secret(f"{parsed.username}:{parsed.password}").encode()).decode()  # RFC 7617
        self._login = Secret(f"Basic {login}") if parsed.userinfo else None
        self._access: dict[str, str | None] = {"token": None, "demo": None}  # shared by all views
        self.set_token(checked_token(token))
        self.verify = checked_verify(verify)
        self._is_probing = False
        self._loop: LoopThread | None = None
        self._owner: object = None
        self._total_s = max(3 * timeout, _LONGEST_CALL_S)
        self.breaker = Breaker(self.url)
        for name in ("http11", "http2", "proxy"):
            # A kernel may have put httpx's successor in its place.
            logging.getLogger(f"httpcore.{name}").addFilter(_hide_token)
            logging.getLogger(f"httpcore2.{name}").addFilter(_hide_token)
        proxy = proxy_for(self.url)
        # Without https no certificates are needed, and loading them takes 30 ms.
        trust = self.verify if self.url.startswith("https:") else False

        def connect() -> httpx.AsyncClient:
            # With an explicit transport httpx does not look for proxies itself.
            limits = httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_KEEPALIVE_S)
            connections = httpx.AsyncHTTPTransport(limits=limits, verify=trust, proxy=proxy)
            timeouts = httpx.Timeout(timeout, connect=min(timeout, 5.0))
            return httpx.AsyncClient(base_url=self.url, timeout=timeouts, transport=connections)

        try:
            self._pool = _Pool(connect)
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            if proxy is None:
                raise
            raise InvalidRequest(
                f"The proxy that is set for {self.url} cannot be used ({type(error).__name__}).",
                suggestion="Correct HTTP_PROXY, as http://HOST:PORT, or name the server in NO_PROXY.",
            ) from None  # it may hold a password
        self._proxy = None if proxy is None else shown_proxy(proxy)

    def __repr__(self) -> str:
        return f"Transport({getattr(self, 'url', '')!r})"  # a traceback shows it while it is being made

    @property
    def token(self) -> str | None:
        """The token in use; only for passing it on to the socket."""
        return self._access["token"]

    @property
    def demo_control(self) -> str | None:
        """The token for drills, which a demo server sends with its version; None from any other server."""
        return self._access["demo"]

    def set_token(self, token: str | None) -> None:
        """Use this token from now on; None sends none.

        Raises:
            InvalidRequest: the address has a user and a password.
        """
        if token and self._login:
            raise InvalidRequest(
                "token: cannot be sent beside the user and password of the address: both go into one header.",
                suggestion="Leave one of them out (INVOKEAI_TOKEN is a token too).",
            )
        self._access["token"] = secret(token)

    @property
    def authorization(self) -> dict[str, str]:
        """The header for the token, or for the user and password of the address; empty without them."""
        value = f"Bearer {self.token}" if self.token else self._login
        return {"Authorization": Secret(value)} if value else {}

    def probing(self) -> Transport:
        """Return a view of these connections whose requests are sent even while the breaker is open."""
        transport = copy.copy(self)
        transport._is_probing = True
        return transport

    def from_any_loop(self, loop: LoopThread, owner: object) -> Transport:
        """Return a view of these connections, which are used on `loop`, for callers on any loop; it keeps `owner`."""
        transport = copy.copy(self)
        transport._loop, transport._owner = loop, owner
        return transport

    async def aclose(self) -> None:
        """Close the connections; a view for callers on any loop leaves that to its owner."""
        if self._loop is None:
            await self._pool.aclose()

    async def json(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        repeatable: Repeatable = False,
    ) -> Any:
        """Send a request and return the decoded JSON of a successful response.

        Args:
            method: "GET", "PUT", ...
            path: the path from the server's root, its segments quoted.
            body: what to send as JSON; None sends nothing.
            params: the query; entries that are None are left out.
            repeatable: whether doing it twice does no harm; if so, there are up to 3 attempts within 20 s, with growing
                pauses, or those that the server asks for. "unsent": only while it is certain that it was not sent.

        Raises:
            JobException: the request failed; see the tree in `errors`.
        """
        return (await self.sized_json(method, path, body=body, params=params, repeatable=repeatable))[0]

    async def sized_json(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        repeatable: Repeatable = False,
    ) -> tuple[Any, int]:
        """Do the same as `json`, and return with it how many bytes the response had, once decompressed.

        `files`, name, content and media type by the name of the field, are sent as a form in place of a body.
        """
        try:
            content = None if body is None else Body(json.dumps(body, allow_nan=False).encode())
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"{method} {path}: the request cannot be written as JSON: {error}.") from error
        headers = {} if content is None else {"Content-Type": "application/json"}
        response = await self._send(
            method, path, repeatable, content=content, files=files, params=params, headers=headers
        )
        return _decoded(response, f"{method} {path}", bool(repeatable)), len(response.content)

    async def content(self, path: str) -> bytes:
        """GET a file, such as an image; raises as `json` does, also for a web page."""
        response = await self._send("GET", path, True, want_json=False)
        if "html" in response.headers.get("content-type", ""):
            raise self._with_proxy(
                UnexpectedReply(
                    f"GET {path} was answered with a web page instead of a file.",
                    suggestion="Log in to the gateway in front of the server.",
                    details={
                        "request": f"GET {path}",
                        "http_status": response.status_code,
                        "body": response.text[:200],
                    },
                )
            )
        return response.content

    async def _send(
        self, method: str, path: str, repeatable: Repeatable, *, want_json: bool = True, **parts: Any
    ) -> httpx.Response:
        """Send a request of httpx's `parts` and return its reply; see `json` for `repeatable`."""
        work = self._repeated(method, path, repeatable, want_json, parts)
        return await (work if self._loop is None else asyncio.wrap_future(self._loop.start(work)))

    async def _repeated(
        self, method: str, path: str, repeatable: Repeatable, want_json: bool, parts: dict[str, Any]
    ) -> httpx.Response:
        clock = asyncio.get_running_loop().time
        begun, backoff, attempts = clock(), Backoff(0.15, 2.0), 0
        uncertain: JobException | None = None
        while True:
            try:
                return await self._once(method, path, want_json, begun + self._total_s, parts)
            except (ServerUnreachable, ReplyLost, ServerFailure) as error:
                attempts += 1
                pause = error.details.get("retry_after", backoff.next())
                may_repeat = bool(repeatable) and (repeatable != "unsent" or isinstance(error, ServerUnreachable))
                is_worth_it = error.retryable and "breaker" not in error.details
                is_in_time = attempts < _ATTEMPTS and clock() + pause < begun + _TOTAL_S
                if not (may_repeat and is_worth_it and is_in_time):
                    if uncertain is not None and isinstance(error, ServerUnreachable):
                        # What was sent before may have been carried out, so this must not say that nothing was sent.
                        raise uncertain from error
                    raise
                if method != "GET" and not isinstance(error, ServerUnreachable):
                    uncertain = error
            await asyncio.sleep(pause)

    async def _once(
        self, method: str, path: str, want_json: bool, until: float, parts: dict[str, Any]
    ) -> httpx.Response:
        name = f"{method} {path}"
        # None rather than empty, which would take a query off the path.
        params = {key: value for key, value in (parts.get("params") or {}).items() if value is not None} or None
        headers = self.authorization | parts.get("headers", {})
        request = self._pool.http.build_request(method, path, **parts | {"params": params, "headers": headers})
        with self.breaker.request(probing=self._is_probing):
            try:
                response = await self._pool.send(request, name, until=until)
            except TimeoutError:
                raise JobTimeout(
                    f"{self.url} did not answer {name} to its end within {self._total_s:.0f} s.",
                    suggestion="The server, or a proxy before it, is very slow: try again, or raise timeout=....",
                    details={"request": name, "sent": True},
                    retryable=True,
                ) from None
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                # Not chained: httpx's tracebacks are long, and its message is in the details.
                raise map_exception(error, name, self.url, self._proxy) from None
            refreshed = secret(response.headers.get("x-refreshed-token"))
            # Not where another token was set meanwhile: this one continues that of the request.
            is_current = request.headers.get("authorization") == self.authorization.get("Authorization")
            if refreshed and is_current and can_be_sent(refreshed):
                self._access["token"] = refreshed
            self._access["demo"] = response.headers.get("x-demo-control") or self.demo_control
            content_type = response.headers.get("content-type", "")
            if not response.is_success or (want_json and "json" not in content_type):
                raise self._with_proxy(_refused(response, content_type, name))
            return response

    def _with_proxy(self, error: JobException) -> JobException:
        """Add to the error for an unexpected reply that it came through a proxy, whose own it may be."""
        if self._proxy is not None and isinstance(error, NetworkError):
            error.message += f" The request went through the proxy {self._proxy}."
            error.args = (error.message,)
        return error


def _decoded(response: httpx.Response, name: str, repeatable: bool) -> Any:
    try:
        return loads(response.content)
    except ValueError as error:
        raise UnexpectedReply(
            f"{name} was answered with something that is not JSON, or only half of it.",
            suggestion="Is there a proxy in front of the server that truncates replies?",
            details={"request": name, "http_status": response.status_code, "body": incoming(response.text)[:200]},
            retryable=repeatable,
        ) from error


def retry_after_s(header: str) -> float | None:
    """Return the seconds to wait that a `Retry-After` header gives, as a number or a date; None if it is neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    left = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(left, 0.0), _LONGEST_WAIT_S)


def _refused(response: httpx.Response, content_type: str, name: str) -> JobException:
    if response.is_redirect:
        target = incoming(response.headers.get("location", ""))
        return UnexpectedReply(
            f"{name} was answered with a redirect to {target[:200]!r}.",
            suggestion="Use that address, or log in to the gateway in front of the server.",
            details={"request": name, "http_status": response.status_code},
        )
    error = classify.exception_for_reply(response.status_code, content_type, response.content, name)
    wait = retry_after_s(response.headers.get("retry-after", ""))
    if wait is not None:
        error.details["retry_after"] = wait
    return error


_SPELLING = "Check the spelling of the host."
_START = "Is the server running, and is the port right? iw.demo() starts one to try."
_TLS = "Use http:// instead of https://, or the other way round."
_TRUST = 'Pass verify="ca.pem", its authority\'s file, or set SSL_CERT_FILE; verify=False trusts it all the same.'
# Parts of the message of a connection that failed, the reason, and what to do.
_UNREACHABLE = (
    (("certificate",), "its certificate is not trusted", _TRUST),
    (("name or service not known", "nodename nor servname", "getaddrinfo"), "there is no such host", _SPELLING),
    (("name resolution",), "its name cannot be looked up", _SPELLING),
    (("ssl", "tls", "wrong version number"), "it does not speak TLS as asked", _TLS),
    (("all connection attempts failed", "refused"), "nothing listens there", _START),
)


def map_exception(error: Exception, name: str, url: str, proxy: str | None = None) -> JobException:
    """Return our exception for one of httpx's. A test covers each of its classes."""
    message = incoming(str(error))
    lowered = message.lower()
    details = {"request": name, "exception": f"{type(error).__name__}: {message}"}
    peer = url if proxy is None else f"the proxy {proxy} before {url}"
    if isinstance(error, _NOT_SENT) and not isinstance(error, httpx.TimeoutException):
        found = (row for row in _UNREACHABLE if any(word in lowered for word in row[0]))
        _, reason, remedy = next(found, ((), message or type(error).__name__, _START))
        reason += f" ({message})" if remedy is _TRUST else ""
        is_about_tls = remedy in (_TRUST, _TLS)
        return ServerUnreachable(
            f"{url if is_about_tls else _capital(peer)} cannot be reached: {reason}.",
            suggestion=remedy if proxy is None or is_about_tls else _PROXY_REMEDY,
            details=details,
            retryable=remedy is not _TRUST,
        )
    if isinstance(error, httpx.PoolTimeout):
        return ServerUnreachable(
            f"{name} was not sent: all {_CONNECTIONS} connections to {url} were in use for too long.",
            suggestion="They have been replaced: try again, with fewer calls at once.",
            details=details,
            retryable=True,
        )
    if isinstance(error, httpx.ConnectTimeout | httpx.WriteTimeout):
        return ServerUnreachable(
            f"{_capital(peer)} does not answer: connecting took too long.",
            suggestion="Check the host and the port, and whether a firewall drops the connection."
            if proxy is None
            else _PROXY_REMEDY,
            details=details,
            retryable=True,
        )
    if isinstance(error, httpx.ReadTimeout):
        return JobTimeout(
            f"{_capital(peer)} accepted the connection but did not answer {name} in time.",
            suggestion="The server may be busy, or not be InvokeAI: raise timeout=..., or check the port.",
            details=details | {"sent": True},
            retryable=True,
        )
    if isinstance(error, httpx.ReadError | httpx.RemoteProtocolError | httpx.CloseError | httpx.DecodingError):
        return ReplyLost(
            f"The connection to {peer} broke before {name} was answered.",
            suggestion="The server may have gone away or be restarting.",
            details=details | {"sent": True},
            retryable=True,
        )
    if isinstance(error, httpx.ProxyError):
        return ServerUnreachable(
            f"The proxy {proxy or ''} before {url} refused: {message}.".replace("  ", " "),
            suggestion=_PROXY_REMEDY,
            details=details,
        )
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.LocalProtocolError):
        return InvalidRequest(
            f"{name} cannot be sent to {url}: {message}.",
            suggestion="Give an address such as http://127.0.0.1:9090.",
            details=details,
        )
    return classify.unknown(error, name)


def _capital(text: str) -> str:
    return f"The {text.removeprefix('the ')}" if text.startswith("the ") else text
