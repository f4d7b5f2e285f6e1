"""Targets of alerts in the tests: a real HTTP server and a real SMTP server on this machine."""

from __future__ import annotations

import email
import email.policy
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Request(NamedTuple):
    """A received request."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """A response. The receiver waits for the event `hang` before it, and for `after` once the headers are sent."""

    status: int = 204
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    hang: threading.Event | None = None
    after: threading.Event | None = None


class HttpReceiver:
    """Records each POST; answers the first ones with `answers`, further ones with 204."""

    def __init__(self, url: str, answers: list[Answer]) -> None:
        self.url = url
        self.answers = answers
        self.requests: list[Request] = []


@contextmanager
def http_receiver(*answers: Answer) -> Iterator[HttpReceiver]:
    """Run a receiver of webhooks on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.answers.pop(0) if receiver.answers else Answer()
            receiver.requests.append(Request(time.monotonic(), self.path, headers, body))
            if answer.hang is not None:
                answer.hang.wait(30)
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in answer.headers:
                    self.send_header("Content-Length", "0")
                self.end_headers()
                if answer.after is not None:
                    answer.after.wait(30)
            except OSError:  # the client closed the connection
                pass

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = HttpReceiver(f"http://127.0.0.1:{server.server_port}", list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class MailReceiver:
    """Keeps each mail; answers `refusals` first, one after the other, where a mail would be taken; "" takes it.

    `addresses`: how one begins -> what is said to it; one that is refused for now (4xx) is taken the next time.
    """

    def __init__(self, refusals: list[str], addresses: dict[str, str]) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.logins: list[tuple[str, str]] = []
        self.encrypted: list[bool] = []
        self._refusals = refusals
        self._addresses = addresses

    async def handle_RCPT(  # noqa: N802 - its name there
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        begins = next((begins for begins in self._addresses if address.startswith(begins)), None)
        if begins is not None:
            answer = self._addresses[begins]
            if answer.startswith("4"):
                del self._addresses[begins]
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - its name there
        if self._refusals and (refusal := self._refusals.pop(0)):
            return refusal
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        self.mails.append(mail)
        return "250 taken"

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        name, password = data.login.decode(), data.password.decode()
        self.logins.append((name, password))
        return AuthResult(success=password == "correct horse", handled=False)


@contextmanager
def mail_receiver(
    *refusals: str, tls: ssl.SSLContext | None = None, addresses: dict[str, str] | None = None
) -> Iterator[MailReceiver]:
    """An SMTP server on a port of its own; with `tls` it insists on STARTTLS, and a login may be had after it."""
    receiver = MailReceiver(list(refusals), addresses or {})
    options: dict[str, Any] = {"authenticator": receiver.login, "hostname": "localhost"}
    options |= {"tls_context": tls, "require_starttls": True} if tls else {"auth_require_tls": False}

    class Server(Controller):
        def factory(self) -> SMTP:
            return SMTP(self.handler, **options)

        def _trigger_server(self) -> None:
            # The port is chosen by the system, and known by now.
            assert self.server is not None
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    controller = Server(receiver, hostname="127.0.0.1", port=0)
    controller.start()
    receiver.port = controller.port
    try:
        yield receiver
    finally:
        controller.stop()
