"""A real HTTP server on this machine that receives the messages of alerts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
