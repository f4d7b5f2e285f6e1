"""Tokens: ignored in single-user mode, required for nearly everything in multiuser mode."""

from typing import Any

import pytest
import socketio.exceptions

from tests.contract.people import ADMIN, People
from tests.support.graphs import sleep
from tests.support.servers import Server
from tests.support.wire import Listener, Wire


def test_single_user_mode_ignores_tokens(wire: Wire, server: Server) -> None:
    """Any token will do where none is needed."""
    with Wire(server, token="nonsense") as with_token:
        assert wire.get("status") == with_token.get("status")


@pytest.mark.needs("multiuser")
def test_single_user_mode_has_no_login(wire: Wire) -> None:
    """A login is refused, and nobody is logged in."""
    login = wire.send("POST", "/auth/login", ADMIN)
    assert (403, 401) == (login.status_code, wire.send("GET", "/auth/me").status_code)
    assert "Multiuser mode is disabled" in login.json()["detail"]


def test_version_needs_no_token(people: People, multiuser_server: Server) -> None:
    """The version can be read without a token."""
    assert {"version": multiuser_server.version} == people.nobody.get("/app/version")


def test_setup_happens_once(people: People) -> None:
    """Once there is an administrator, another cannot be set up without a token."""
    response = people.nobody.send("POST", "/auth/setup", {**ADMIN, "display_name": "Second"})
    assert (400, "Administrator account already configured") == (response.status_code, response.json()["detail"])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "status"), ("POST", "enqueue_batch"), ("PUT", "clear"), ("GET", "list_all")]
)
def test_the_queue_needs_a_token(people: People, multiuser_server: Server, method: str, path: str) -> None:
    """Without a token, and with a wrong one, the answer is 401."""
    with Wire(multiuser_server, token="nonsense") as wrong:
        responses = [wire.send(method, path, {"batch": {"graph": {}}}) for wire in (people.nobody, wrong)]
    assert [(401, "Authentication required"), (401, "Invalid or expired token")] == [
        (response.status_code, response.json()["detail"]) for response in responses
    ]


def test_items_of_other_users_are_redacted(people: People) -> None:
    """Other users see that an item exists, without its contents; before 6.13 they see whose it is."""
    (item_id,) = people.admin.start(sleep(60))
    item = people.user.item(item_id)
    assert ("in_progress", {}) == (item["status"], item["session"]["graph"]["nodes"])
    redacted = people.user.server.has("redacts_ids")
    assert [redacted, redacted] == [item[name] == "redacted" for name in ("batch_id", "user_id")]


@pytest.mark.parametrize(("method", "path", "verb"), [("PUT", "i/{}/cancel", "cancel"), ("DELETE", "i/{}", "delete")])
def test_items_of_other_users_cannot_be_canceled_or_deleted(people: People, method: str, path: str, verb: str) -> None:
    """Canceling and deleting them is 403."""
    (item_id,) = people.admin.start(sleep(60))
    response = people.user.send(method, path.format(item_id))
    assert (403, f"You do not have permission to {verb} this queue item") == (
        response.status_code,
        response.json()["detail"],
    )
    assert "in_progress" == people.admin.item(item_id)["status"]


def test_bulk_operations_act_on_own_items(people: People, multiuser_server: Server) -> None:
    """Others' items are neither canceled nor cleared; before 6.14 clearing is refused while another's item runs."""
    (running,) = people.admin.start(sleep(60))
    batch_id = people.admin.item(running)["batch_id"]
    people.user.enqueue(runs=2)
    assert {"canceled": 0} == people.user.put("cancel_by_batch_ids", {"batch_ids": [batch_id]})
    clear = people.user.send("PUT", "clear")
    if multiuser_server.has("clear_beside_others"):
        assert (200, {"deleted": 2}) == (clear.status_code, clear.json())
    else:
        assert (403, "You do not have permission to cancel the currently executing queue item") == (
            clear.status_code,
            clear.json()["detail"],
        )
    assert "in_progress" == people.admin.item(running)["status"]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_processor_needs_an_administrator(people: People, verb: str) -> None:
    """A user cannot pause or resume it."""
    response = people.user.send("PUT", f"processor/{verb}")
    assert (403, "Admin privileges required") == (response.status_code, response.json()["detail"])


@pytest.mark.needs("refreshes_token")
def test_a_change_refreshes_the_token(people: People) -> None:
    """Answers to changes carry a new token, which works."""
    response = people.user.send("PUT", "clear")
    with Wire(people.user.server, token=response.headers["x-refreshed-token"]) as refreshed:
        assert people.user.get("/auth/me") == refreshed.get("/auth/me")


@pytest.mark.needs("sockets_need_token")
def test_sockets_need_a_token(people: People, multiuser_server: Server) -> None:
    """Without one, or with a wrong one, the connection is refused."""
    attempts: list[dict[str, Any] | None] = [None, {"token": "nonsense"}]
    for auth in attempts:
        with pytest.raises(socketio.exceptions.ConnectionError), Listener(multiuser_server, auth=auth):
            pass


@pytest.mark.parametrize("way", ["auth", "headers"])
def test_socket_takes_token_from_auth_or_header(people: People, multiuser_server: Server, way: str) -> None:
    """The token may be in the handshake's data or in a header."""
    token = people.user.token
    given: dict[str, Any] = (
        {"auth": {"token": token}} if way == "auth" else {"headers": {"Authorization": f"Bearer {token}"}}
    )
    with Listener(multiuser_server, **given) as listener:
        item_id = people.user.enqueue()["item_ids"][0]
        assert "completed" == listener.wait_for_status(item_id, "completed").data["status"]
