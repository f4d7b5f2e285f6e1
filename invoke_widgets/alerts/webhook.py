"""`Webhook`: messages as signed JSON over HTTP.

It uses httpx directly, not the client's transport: it talks to another server, with other rules for errors and retries.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets as random_secrets
import time
from collections.abc import Mapping
from typing import Any

import httpx

from invoke_widgets.alerts.messages import Message
from invoke_widgets.alerts.sinks import Hidden, Sink, Undelivered, keep_quiet, sending
from invoke_widgets.client import checked_verify, proxy_for, retry_after_s
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive, whole

_PREFIX = "whsec_"
_SHORTEST_KEY = 16
_OURS = ("content-type", "content-length", "host", "transfer-encoding", "webhook-id", "webhook-timestamp",
         "webhook-signature")  # fmt: skip
_RETRYABLE = (408, 425, 429)
_LONGEST_WAIT_S = 60.0
# A kernel may have put httpx's successor in its place.
for _version in ("", "2"):
    _parts = ("connection", "http11", "http2", "proxy", "socks")
    keep_quiet(f"httpx{_version}", *(f"httpcore{_version}.{part}" for part in _parts))


class Webhook(Sink):
    """POSTs `message.to_json()` to a URL, signed according to Standard Webhooks (standardwebhooks.com).

    The request has the headers `webhook-id`, `webhook-timestamp` and, with a secret, `webhook-signature`: "v1," and the
    base64 of the HMAC-SHA256 of `id.timestamp.body`. Retries keep the `webhook-id`. Failures that may be temporary (no
    connection, no answer, 408, 425, 429, 5xx) are retried, after the time that `Retry-After` asks for, at most a
    minute. Redirects are not followed, since they could lead the message elsewhere.

    Args:
        url: http or https; may contain a user and a password, which are sent as basic authentication.
        secret: "whsec_" and a key in base64, as made by `Webhook.new_secret()`, or the key as bytes.
        headers: further headers, such as `{"Authorization": "Bearer ..."}`.
        attempts: at most this many attempts.
        timeout_s: seconds for each attempt.
        verify: whether to check certificates; or an `ssl.SSLContext`, or a file of certificates, to check them with.

    No repr, log or error contains a secret or more of the URL than its host.

    Raises:
        InvalidRequest: an argument is invalid; the message names it.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        attempts: int = 5,
        timeout_s: float = 10.0,
        verify: Any = True,
    ) -> None:
        parsed = _address(url)
        self._each_s = positive("timeout_s", timeout_s)
        self.attempts = whole("attempts", attempts)
        self.timeout_s = self.attempts * (self._each_s + _LONGEST_WAIT_S)
        self._url = Hidden(url.strip())
        self._origin = f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"
        self._key = None if secret is None else Hidden(_key(secret))
        self._headers = {name: Hidden(value) for name, value in _checked(headers).items()}
        trust = checked_verify(verify)
        # Loading certificates takes 30 ms, so only where they are needed.
        self._tls = httpx.create_ssl_context(verify=trust) if parsed.scheme == "https" else False

    @staticmethod
    def new_secret() -> str:
        """Make a random secret, to be given to the receiver too."""
        return _PREFIX + base64.b64encode(random_secrets.token_bytes(32)).decode()

    @property
    def secrets(self) -> tuple[str, ...]:
        url = httpx.URL(self._url.value)
        found = (
            self._url.value,
            self._key.value if self._key is not None else "",
            url.password,
            url.raw_path.decode("ascii", "replace").strip("/"),
            *(value for _, value in url.params.multi_items()),
            *(hidden.value for hidden in self._headers.values()),
        )
        return tuple(text for text in found if text)

    def __repr__(self) -> str:
        return f"Webhook({self._origin!r}, {'signed' if self._key else 'not signed'})"

    async def deliver(self, message: Message) -> None:
        body = json.dumps(message.to_json(), ensure_ascii=True, separators=(",", ":"), default=str).encode()
        headers = {name: hidden.value for name, hidden in self._headers.items()}
        headers |= {"content-type": "application/json", "user-agent": "invoke-widgets"}
        headers |= self._signature(message.message_id, int(time.time()), body)
        with sending():
            try:
                async with (
                    httpx.AsyncClient(
                        verify=self._tls,
                        timeout=self._each_s,
                        follow_redirects=False,
                        proxy=proxy_for(self._url.value),
                        trust_env=False,
                    ) as http,
                    # The response's body is not read: it may be of any length, and nothing in it is needed.
                    http.stream("POST", self._url.value, content=body, headers=headers) as response,
                ):
                    pass
            except httpx.TimeoutException:
                raise Undelivered(f"no answer within {self._each_s:g} s", retryable=True, timed_out=True) from None
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                # Without its text, which may contain the URL.
                raise Undelivered(f"the request failed ({type(error).__name__})", retryable=True) from None
        if response.is_redirect:
            raise Undelivered(f"the receiver answered with a redirect ({response.status_code}), which is not followed")
        if not response.is_success:
            retryable = response.status_code in _RETRYABLE or response.is_server_error
            asked = retry_after_s(response.headers.get("retry-after", ""))
            raise Undelivered(
                f"the receiver answered {response.status_code} {response.reason_phrase}".strip(),
                retryable=retryable,
                retry_after_s=None if asked is None or not retryable else min(asked, _LONGEST_WAIT_S),
            )

    def _signature(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
        if self._key is not None:
            signed = f"{message_id}.{timestamp}.".encode() + body
            digest = hmac.new(base64.b64decode(self._key.value), signed, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers


def _address(url: object) -> httpx.URL:
    # The errors contain nothing of the URL: it may be a secret.
    if not isinstance(url, str):
        raise InvalidRequest(f"url: should be a string, got {type(url).__name__}.", field="url")
    try:
        parsed = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError):
        raise InvalidRequest("url: is not a URL.", field="url") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or "%" in parsed.host:
        raise InvalidRequest("url: should start with http:// or https:// and name a host.", field="url")
    return parsed


def _key(secret: object) -> str:
    """Return the key in base64."""
    if isinstance(secret, bytes):
        key = secret
    elif isinstance(secret, str) and secret.startswith(_PREFIX):
        text = secret.removeprefix(_PREFIX)
        try:
            key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise InvalidRequest("secret: the part after whsec_ is not base64.", field="secret") from None
    else:
        raise InvalidRequest(
            "secret: should be 'whsec_' and a key in base64, or the key as bytes.",
            suggestion="Webhook.new_secret() makes one.",
            field="secret",
        )
    if len(key) < _SHORTEST_KEY:
        raise InvalidRequest(
            f"secret: the key should have {_SHORTEST_KEY} bytes or more, got {len(key)}.", field="secret"
        )
    return base64.b64encode(key).decode()


def _checked(headers: Mapping[str, str] | None) -> dict[str, str]:
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise InvalidRequest(f"headers: should be a mapping, got {type(headers).__name__}.", field="headers")
    for name, value in headers.items():
        if not isinstance(name, str) or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise InvalidRequest("headers: a name should be letters, digits and hyphens.", field="headers")
        if name.lower() in _OURS:
            raise InvalidRequest(f"headers: {name} is set by the webhook.", field="headers")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise InvalidRequest(
                f"headers: the value of {name} should be a string of printable ASCII characters.", field="headers"
            )
    return dict(headers)
