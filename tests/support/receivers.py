"""Real HTTP and mail servers on this machine that receive the messages of alerts."""

from __future__ import annotations

import base64
import email
import email.policy
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, NamedTuple


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
    receiver = HttpReceiver(f"http://127.0.0.1:{server.server_port}", list(answers))
    with _serving(server):
        yield receiver


class Mail(NamedTuple):
    """A received mail: who logged in with which password, its envelope, and the message."""

    login: tuple[str, ...]
    sender: str
    to: list[str]
    message: EmailMessage


class MailReceiver:
    """Records each mail that it accepts; answers the first ones with `answers`, further ones with 250."""

    def __init__(self, port: int, answers: list[int]) -> None:
        self.port = port
        self.answers = answers
        self.mails: list[Mail] = []


@contextmanager
def mail_receiver(*answers: int) -> Iterator[MailReceiver]:
    """Run a mail server on a free port: SMTP with PLAIN authentication, without encryption."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            login: tuple[str, ...] = ()
            sender, to = "", list[str]()
            self._say("220 mail.test")
            while line := self.rfile.readline().decode().strip():
                verb, _, rest = line.partition(" ")
                if verb.upper() == "EHLO":
                    self._say("250-mail.test\r\n250 AUTH PLAIN")
                elif verb.upper() == "AUTH":
                    login = tuple(base64.b64decode(rest.partition(" ")[2]).decode().split("\0")[1:])
                    self._say("235 ok")
                elif verb.upper() == "MAIL":
                    sender, to = line[line.index("<") + 1 : line.index(">")], []
                    self._say("250 ok")
                elif verb.upper() == "RCPT":
                    to.append(line[line.index("<") + 1 : line.index(">")])
                    self._say("250 ok")
                elif verb.upper() == "DATA":
                    self._say("354 go on")
                    content = b"".join(line.removeprefix(b".") for line in iter(self.rfile.readline, b".\r\n"))
                    status = receiver.answers.pop(0) if receiver.answers else 250
                    if status == 250:
                        message = email.message_from_bytes(content, policy=email.policy.default)
                        receiver.mails.append(Mail(login, sender, to, message))
                    self._say(f"{status} done")
                elif verb.upper() == "QUIT":
                    self._say("221 bye")
                else:
                    self._say("250 ok")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    receiver = MailReceiver(server.server_address[1], list(answers))
    with _serving(server):
        yield receiver


@contextmanager
def _serving(server: ThreadingTCPServer) -> Iterator[None]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
