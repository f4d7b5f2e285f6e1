"""The users of a multiuser server."""

from typing import NamedTuple

from tests.support.wire import Wire

ADMIN = {"email": "admin@example.com", "password": "Adm1n-Passw0rd"}
USER = {"email": "user@example.com", "password": "Us3r-Passw0rd"}


class People(NamedTuple):
    """Requests without a token, by an administrator, and by a user."""

    nobody: Wire
    admin: Wire
    user: Wire


def login(wire: Wire, account: dict[str, str]) -> str:
    token: str = wire.post("/auth/login", {**account, "remember_me": False})["token"]
    return token
