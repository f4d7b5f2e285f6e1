"""The routes about the server itself."""

import pytest

from tests.support.servers import Server
from tests.support.wire import Wire


def test_version(wire: Wire, server: Server) -> None:
    """The version is a JSON object of one text (before 6.9 also of highlights), and needs no token."""
    expected: dict[str, str | None] = {"version": server.version}
    expected |= {} if server.has("bare_version") else {"highlights": None}
    assert expected == wire.get("/app/version")


def test_runtime_config(wire: Wire, server: Server) -> None:
    """The configuration has the maximum number of pending items."""
    assert server.max_queue_size == wire.get("/app/runtime_config")["config"]["max_queue_size"]


@pytest.mark.needs("multiuser")
def test_auth_status_of_single_user_mode(wire: Wire) -> None:
    """A single-user server needs neither setup nor login."""
    status = wire.get("/auth/status")
    assert (False, False) == (status["multiuser_enabled"], status["setup_required"])


def test_answers_are_compressed(wire: Wire) -> None:
    """JSON is gzipped when the client accepts it."""
    assert "gzip" == wire.send("GET", "status").headers.get("content-encoding")
