"""The demo server answers its own host and origin: a page that a browser has open must not reach it."""

from __future__ import annotations

import httpx
import pytest

from tests.support.servers import EmbeddedServer
from tests.support.wire import Listener

_FOREIGN = ("http://evil.example", "https://{host}", "http://127.0.0.1:1", "null")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "", "[", "a b"])
def test_another_host_is_refused(embedded_server: EmbeddedServer, host: str) -> None:
    """A name that an attacker has lead to this machine is not this server's."""
    headers = {"Host": host.format(port=embedded_server.port)}
    response = httpx.get(f"{embedded_server.url}/api/v1/app/version", headers=headers, verify=False)
    assert (400, "This is not the demo server's address.") == (response.status_code, response.text)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "localhost", "[::1]:{port}", "192.168.1.5"])
def test_an_address_and_localhost_are_its_own(embedded_server: EmbeddedServer, host: str) -> None:
    """An address cannot be pointed elsewhere, whatever port a proxy before it has."""
    headers = {"Host": host.format(port=embedded_server.port)}
    response = httpx.get(f"{embedded_server.url}/api/v1/app/version", headers=headers, verify=False)
    assert 200 == response.status_code


@pytest.mark.parametrize("origin", _FOREIGN)
def test_another_origin_is_refused(embedded_server: EmbeddedServer, origin: str) -> None:
    """Also where a browser asks for no permission first, as for a POST without a body."""
    headers = {"Origin": origin.format(host=f"127.0.0.1:{embedded_server.port}")}
    url = f"{embedded_server.url}/api/v1/boards/"
    response = httpx.post(url, params={"board_name": "x"}, headers=headers, verify=False)
    assert (403, "Pages of other origins may not use the demo server.") == (response.status_code, response.text)
    headers |= {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    url = f"{embedded_server.url}/ws/socket.io/?EIO=4&transport=websocket"
    assert 403 == httpx.get(url, headers=headers, verify=False).status_code


def test_its_own_origin_is_accepted(embedded_server: EmbeddedServer) -> None:
    """A page of its own may use it, and the socket as well."""
    headers = {"Origin": embedded_server.url}
    assert 200 == httpx.get(f"{embedded_server.url}/api/v1/boards/?all=true", headers=headers, verify=False).status_code
    with Listener(embedded_server, headers=headers) as listener:
        assert not listener.disconnected.is_set()
