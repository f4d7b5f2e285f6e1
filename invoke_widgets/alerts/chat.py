"""`Apprise`: messages to any of the services that the library Apprise knows. The only file that imports it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from invoke_widgets.alerts.messages import Message
from invoke_widgets.alerts.sinks import Hidden, OwnThread, Sink, Undelivered, hushed
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive, whole

_LOGGERS = (
    *("apprise", "requests", "requests_oauthlib", "oauthlib", "paho", "slixmpp"),
    *("urllib3", "urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.response"),
    *("urllib3.util.retry", "urllib3.http2.connection"),
)
_TYPES = {"info": "info", "warning": "warning", "error": "failure"}


class Apprise(Sink):
    """Sends messages through Apprise (extra `alerts`): Slack, Discord, Matrix, Telegram, ntfy and many others.

    Args:
        *urls: the services' addresses as Apprise has them, such as "discord://id/token". They are secrets, and shown
            nowhere but by their scheme.
        attempts: how often a service that failed is tried.
        timeout_s: seconds for each attempt.

    Raises:
        InvalidRequest: Apprise is not installed, or an address is not one that it knows.
    """

    def __init__(self, *urls: str, attempts: int = 3, timeout_s: float = 30.0) -> None:
        if find_spec("apprise") is None:
            raise InvalidRequest(
                "Apprise is not installed.", suggestion='pip install "invoke-widgets[alerts]", and restart the kernel.'
            )
        if not urls:
            raise InvalidRequest("urls: give one address or more, such as 'ntfy://topic'.")
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
        # When it is tried again, those that have it are left out.
        message_id, done = self._delivered
        if message_id != message.message_id:
            done = set()
            self._delivered = (message.message_id, done)
        for place, service in enumerate(self._services):
            if place not in done and _notify(service, message):
                done.add(place)
        missing = [scheme for place, scheme in enumerate(self._schemes) if place not in done]
        if missing:
            raise Undelivered(f"not taken by {', '.join(missing)}", retryable=True)


def _service(url: object, place: int) -> Any:
    import apprise

    if not isinstance(url, str):
        raise InvalidRequest(f"urls[{place}]: should be a string, got {type(url).__name__}.")
    # One at a time, in the thread that asks: what it logs there is not logged.
    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    with hushed(*_LOGGERS):
        try:
            known = "://" in url and service.add(url)
        except Exception:  # noqa: BLE001 - what it says may hold the address
            known = False
    if not known:
        raise InvalidRequest(
            f"urls[{place}]: is not an address that Apprise knows.",
            suggestion="Its list: https://appriseit.com/services/",
        )
    return service


def _notify(service: Any, message: Message) -> bool:
    with hushed(*_LOGGERS):
        try:
            return bool(
                service.notify(
                    title=message.headline, body=message.body, notify_type=_TYPES[message.severity], body_format="text"
                )
            )
        except Exception:  # noqa: BLE001 - what it says may hold the address
            return False
