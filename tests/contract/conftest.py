"""Fixtures of the contract tests."""

from collections.abc import Iterator

import pytest

from tests.contract.people import ADMIN, USER, People, login
from tests.support.blocking import BlockingClient
from tests.support.servers import Server
from tests.support.wire import Wire


@pytest.fixture
def client(server: Server, wire: Wire) -> Iterator[BlockingClient]:
    """The package's client to the server whose queue `wire` has emptied."""
    with BlockingClient(server.url) as client:
        yield client


@pytest.fixture
def people(multiuser_server: Server) -> Iterator[People]:
    """The users of a multiuser server with an empty queue; created on first use."""
    with Wire(multiuser_server) as nobody:
        if nobody.get("/auth/status")["setup_required"]:
            assert 401 == nobody.send("GET", "status").status_code
            nobody.post("/auth/setup", {**ADMIN, "display_name": "Admin"})
            with Wire(multiuser_server, token=login(nobody, ADMIN)) as admin:
                admin.post("/auth/users", {**USER, "display_name": "User", "is_admin": False})
        with (
            Wire(multiuser_server, token=login(nobody, ADMIN)) as admin,
            Wire(multiuser_server, token=login(nobody, USER)) as user,
        ):
            admin.clean()
            yield People(nobody, admin, user)
            admin.clean()
