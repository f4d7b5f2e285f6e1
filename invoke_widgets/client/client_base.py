"""What all requests of a client share: the connection, what the server's version has, access, answers as records."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from invoke_widgets.client.transport import Transport, can_be_sent, path_segment
from invoke_widgets.errors import InvalidRequest, UnexpectedReply, UnsupportedByServer
from invoke_widgets.records import AuthStatus, User

T = TypeVar("T")

OLDEST = (6, 0)
"""The oldest version whose endpoints and events are known here."""

# The version that brought each endpoint, or way (read in the tags and found by running 6.0.2, 6.13.8 and 6.14.2).
SINCE: dict[str, tuple[int, int]] = {
    "item_ids": (6, 7),
    "items_by_ids": (6, 7),
    "item_summaries_by_ids": (6, 14),
    "auth": (6, 12),
    "events_once": (6, 14),  # before, some send two copies of each event
}


def parse_version(text: str) -> tuple[int, int, int]:
    """("6.14.0rc1") -> (6, 14, 0).

    Raises:
        ValueError: it does not begin as a version does.
    """
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a version")
    return int(match[1]), int(match[2]), int(match[3] or 0)


class ClientBase:
    """A server's address, its version and access to it; `url`, `token`, ... are those of `InvokeClient`."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        queue_id: str = "default",
        timeout: float = 30.0,
        verify: Any = True,
    ) -> None:
        if not isinstance(queue_id, str) or not queue_id:
            raise InvalidRequest(f"queue_id: should be a name such as 'default', got {queue_id!r}.")
        token = token or os.environ.get("INVOKEAI_TOKEN") or None
        self._start(Transport(url, token=token, timeout=timeout, verify=verify), queue_id)

    @classmethod
    def over(cls, transport: Transport, queue_id: str) -> Self:
        """A client over connections that are there already."""
        client = cls.__new__(cls)
        client._start(transport, queue_id)
        return client

    def _start(self, transport: Transport, queue_id: str) -> None:
        self.queue_id = queue_id
        self._transport = transport
        self._queue = f"/api/v1/queue/{path_segment(queue_id)}"
        self._version: tuple[int, int, int] | None = None
        self._openapi: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"InvokeClient({self.url!r}, queue_id={self.queue_id!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    @property
    def url(self) -> str:
        """The server's address, with its scheme and without a slash at the end."""
        return self._transport.url

    @property
    def transport(self) -> Transport:
        """The connections, for requests that have no method here: `await client.transport.json("GET", "/api/...")`."""
        return self._transport

    # -- the server ----------------------------------------------------------------------------------------------

    async def app_version(self) -> str:
        """The server's version, such as "6.14.2"."""
        data = await self._transport.json("GET", "/api/v1/app/version", repeatable=True)
        version = data.get("version") if isinstance(data, Mapping) else None
        if not isinstance(version, str):
            raise UnexpectedReply(
                f"{self.url} answered, but does not say its version.",
                suggestion="Is this the address of an InvokeAI server?",
            )
        try:
            self._version = parse_version(version)
        except ValueError as error:
            raise UnexpectedReply(f"{self.url} says it has version {version[:40]!r}, which is none.") from error
        return version

    async def version(self) -> tuple[int, int, int]:
        """The server's version as numbers, asked for once."""
        if self._version is None:
            await self.app_version()
        assert self._version is not None
        return self._version

    async def need_oldest(self) -> None:
        """
        Raises:
            UnsupportedByServer: the server is older than any version that is known here.
        """
        have = await self.version()
        if have[:2] < OLDEST:
            raise UnsupportedByServer(
                f"{self.url} is InvokeAI {'.'.join(map(str, have))}; {'.'.join(map(str, OLDEST))} or newer is needed.",
                suggestion="Upgrade the server.",
            )

    def forget(self) -> None:
        """Forget what was learnt of the server: after a reconnect it may be another version."""
        self._version = None
        self._openapi = None

    async def has(self, feature: str) -> bool:
        """Whether the server's version has one of the features in `SINCE`."""
        return (await self.version())[:2] >= SINCE[feature]

    async def get_setup_status(self) -> AuthStatus:
        """Whether the server is in multiuser mode. A server before 6.12 has no such mode, and is not asked."""
        if not await self.has("auth"):
            return AuthStatus(multiuser_enabled=False)
        return await self._record("GET", "/api/v1/auth/status", AuthStatus.from_json)

    async def get_current_user_info(self) -> User:
        """Whose token is used (6.12 on).

        Raises:
            AccessDenied: there is none, or it is refused; also in single-user mode.
        """
        await self._need("auth")
        return await self._record("GET", "/api/v1/auth/me", User.from_json)

    async def login(self, email: str, password: str, *, remember_me: bool = False) -> None:
        """Log in to a multiuser server; the token is kept for this client and shown nowhere.

        Raises:
            AccessDenied: wrong e-mail or password, or the server is in single-user mode.
        """
        await self._need("auth")
        data = await self._transport.json(
            "POST", "/api/v1/auth/login", body={"email": email, "password": password, "remember_me": remember_me}
        )
        token = data.get("token") if isinstance(data, Mapping) else None
        if not isinstance(token, str) or not token or not can_be_sent(token):
            raise UnexpectedReply("The login was answered without a token that can be sent.")
        self._transport.set_token(token)

    async def logout(self) -> None:
        """Forget the token. The server's own logout does not revoke it (6.14.2)."""
        self._transport.set_token(None)

    async def openapi(self) -> dict[str, Any]:
        """The server's OpenAPI schema (2 MB), asked for once."""
        if self._openapi is None:
            data = await self._transport.json("GET", "/openapi.json", repeatable=True)
            if not isinstance(data, dict) or not isinstance(data.get("paths"), dict):
                raise UnexpectedReply(f"{self.url}/openapi.json is not an OpenAPI schema.")
            self._openapi = data
        return self._openapi

    # -- requests ------------------------------------------------------------------------------------------------

    async def _need(self, feature: str) -> None:
        if not await self.has(feature):
            need, have = SINCE[feature], await self.version()
            raise UnsupportedByServer(
                f"{feature} needs InvokeAI {need[0]}.{need[1]} or newer; this server is {'.'.join(map(str, have))}.",
                suggestion="Upgrade the server, or use what older versions have.",
            )

    async def _record(
        self,
        method: str,
        path: str,
        parse: Callable[[object], T],
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        repeatable: bool | None = None,
    ) -> T:
        data = await self._transport.json(
            method, path, body=body, params=params, repeatable=method == "GET" if repeatable is None else repeatable
        )
        return parsed(parse, data, f"{method} {path}")

    async def _number(
        self,
        method: str,
        path: str,
        key: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        repeatable: bool = True,
    ) -> int:
        data = await self._transport.json(method, path, body=body, params=params, repeatable=repeatable)
        number = data.get(key) if isinstance(data, Mapping) else None
        if not isinstance(number, int):
            raise UnexpectedReply(f"{method} {path} was answered without {key!r}.")
        return number


def parsed(parse: Callable[[object], T], data: object, request: str) -> T:
    """A record of an answer.

    Raises:
        UnexpectedReply: it does not fit; the message says what about it.
    """
    try:
        return parse(data)
    except ValueError as error:
        raise UnexpectedReply(
            f"{request} was answered with JSON that does not fit: {error}.",
            suggestion="Is this the address of an InvokeAI server of version 6?",
        ) from error


def each(data: object, parse: Callable[[object], T], request: str) -> list[T]:
    """Records of an answer that is a list; as `parsed`."""
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise UnexpectedReply(f"{request}: expected a list, got {type(data).__name__}.")
    return [parsed(parse, item, request) for item in data]
