"""`Apprise`: messages to any service that the library Apprise supports, e-mail among them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from invoke_widgets.alerts.messages import Message
from invoke_widgets.alerts.sinks import Hidden, OwnThread, Sink, Undelivered, keep_quiet, sending
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive, whole

keep_quiet(
    *("apprise", "requests", "paho.mqtt.client", "slixmpp", "oauthlib", "requests_oauthlib"),
    *("requests_oauthlib.oauth1_auth", "requests_oauthlib.oauth1_session", "requests_oauthlib.oauth2_session"),
    *("oauthlib.oauth1.rfc5849", "oauthlib.oauth1.rfc5849.signature"),
    *("urllib3", "urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.response"),
    *("urllib3.util.retry", "urllib3.http2.connection"),
)
_TYPES = {"info": "info", "warning": "warning", "error": "failure"}


class Apprise(Sink):
    """Sends messages through Apprise (extra `alerts`): e-mail, Slack, Discord, Matrix, Telegram, ntfy and many others.

    >>> Apprise("mailtos://user:password@example.org?smtp=smtp.example.org&from=queue@example.org&to=you@example.org")
    >>> Apprise("ntfy://topic", "discord://webhook_id/webhook_token")

    `mailtos://` encrypts the connection, `mailto://` does not. A special character in the password is percent-encoded.

    Args:
        *urls: one Apprise URL for each service; the formats are at https://appriseit.com/services/. They are treated as
            secrets: only their scheme is ever shown.
        attempts: at most this many attempts for each service.
        timeout_s: seconds for each attempt.

    Raises:
        InvalidRequest: Apprise is not installed, or does not know a URL.
    """

    def __init__(self, *urls: str, attempts: int = 3, timeout_s: float = 30.0) -> None:
        if find_spec("apprise") is None:
            raise InvalidRequest(
                "Apprise is not installed.", suggestion='pip install "invoke-widgets[alerts]", and restart the kernel.'
            )
        if not urls:
            raise InvalidRequest("urls: give at least one URL, such as 'ntfy://topic'.", field="urls")
        self._each_s = positive("timeout_s", timeout_s)
        self.attempts = whole("attempts", attempts)
        self.timeout_s = self.attempts * (self._each_s + 10.0)
        self._services = [_service(url, place) for place, url in enumerate(urls)]
        self._schemes = [url.strip().split("://", 1)[0].lower() for url in urls]
        self._urls = tuple(Hidden(url) for url in urls)
        self._delivered: tuple[str, set[int]] = ("", set())
        self._thread = OwnThread()

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(text for url in self._urls for text in (url.value, url.value.split("://", 1)[1]) if text)

    def __repr__(self) -> str:
        return f"Apprise({', '.join(f'{scheme}://…' for scheme in self._schemes)})"

    async def deliver(self, message: Message) -> None:
        await self._thread.run(lambda: self._send(message), self._each_s)

    def _send(self, message: Message) -> None:
        # A retry leaves out the services that have the message.
        message_id, done = self._delivered
        if message_id != message.message_id:
            done = set()
            self._delivered = (message.message_id, done)
        for place, service in enumerate(self._services):
            if place not in done and _notify(service, message):
                done.add(place)
        missing = [scheme for place, scheme in enumerate(self._schemes) if place not in done]
        if missing:
            raise Undelivered(f"not accepted by {', '.join(missing)}", retryable=True)


def _service(url: object, place: int) -> Any:
    import apprise

    if not isinstance(url, str):
        raise InvalidRequest(f"urls[{place}]: should be a string, got {type(url).__name__}.", field="urls")
    # In the calling thread, where `sending()` applies to what it logs.
    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    with sending():
        try:
            known = "://" in url and service.add(url)
        except Exception:  # noqa: BLE001 - its text may contain the URL
            known = False
    if not known:
        raise InvalidRequest(
            f"urls[{place}]: is not a URL that Apprise knows.",
            suggestion="The supported services: https://appriseit.com/services/",
            field="urls",
        )
    return service


def _notify(service: Any, message: Message) -> bool:
    with sending():
        try:
            return bool(
                service.notify(
                    title=message.headline, body=message.body, notify_type=_TYPES[message.severity], body_format="text"
                )
            )
        except Exception:  # noqa: BLE001 - its text may contain the URL
            return False
