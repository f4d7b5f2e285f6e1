"""The client and tokens, against a multiuser server."""

from collections.abc import Iterator

import pytest

from invoke_widgets.errors import AccessDenied
from tests.contract.people import ADMIN, USER, People
from tests.support.blocking import BlockingClient
from tests.support.servers import Server


@pytest.fixture
def stranger(multiuser_server: Server) -> Iterator[BlockingClient]:
    """A client without a token."""
    with BlockingClient(multiuser_server.url) as client:
        yield client


def test_setup_status_of_multiuser_server(people: People, stranger: BlockingClient) -> None:
    """The mode can be read without a token."""
    assert (True, False) == (stranger.get_setup_status().multiuser_enabled, stranger.get_setup_status().setup_required)


def test_login_and_logout(people: People, stranger: BlockingClient) -> None:
    """After a login the queue is open; after a logout it is not."""
    stranger.login(USER["email"], USER["password"])
    assert 0 == stranger.get_queue_status().queue.total
    stranger.logout()
    with pytest.raises(AccessDenied):
        stranger.get_queue_status()


def test_get_current_user_info(people: People, stranger: BlockingClient) -> None:
    """The user of a token and whether they are an administrator; refused without a token."""
    with pytest.raises(AccessDenied):
        stranger.get_current_user_info()
    for account, is_admin in ((ADMIN, True), (USER, False)):
        stranger.login(account["email"], account["password"])
        user = stranger.get_current_user_info()
        assert (is_admin, account["email"].split("@")[0]) == (user.is_admin, (user.display_name or "").lower())
        assert user.user_id


def test_a_wrong_password_is_denied(people: People, stranger: BlockingClient) -> None:
    """The exception holds the server's text, and no password."""
    with pytest.raises(AccessDenied, match="Incorrect email or password") as caught:
        stranger.login(ADMIN["email"], "a wrong one")
    assert "a wrong one" not in str(caught.value) + repr(caught.value.details)


def test_repr_hides_the_token(people: People, multiuser_server: Server) -> None:
    """The client's representation does not hold its token."""
    with BlockingClient(multiuser_server.url, token=people.user.token) as client:
        assert people.user.token not in repr(client.client) + repr(client.client.transport)
