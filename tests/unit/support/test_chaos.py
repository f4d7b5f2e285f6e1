"""The proxy does to requests and sockets what the live tests rely on, and nothing else."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.chaos import ChaosProxy
from tests.support.graphs import blank_image
from tests.support.servers import Server
from tests.support.wire import Listener, Wire

pytestmark = pytest.mark.looks


class _Proxied(Server):
    """A server seen through a proxy."""

    def __init__(self, server: Server, proxy: ChaosProxy) -> None:
        self.url = proxy.url
        self.version = server.version


@pytest.fixture
def proxy(server: Server) -> Iterator[ChaosProxy]:
    """A proxy without rules."""
    with ChaosProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def through(server: Server, proxy: ChaosProxy, wire: Wire) -> Iterator[Wire]:
    """Requests through the proxy to a server with an empty queue."""
    with Wire(_Proxied(server, proxy)) as through:
        yield through


def _enqueued(wire: Wire) -> int:
    total: int = wire.get("item_ids")["total_count"]
    return total


def test_transparent_without_rules(server: Server, proxy: ChaosProxy, through: Wire, wire: Wire) -> None:
    """Events, images and errors pass unchanged."""
    with Listener(_Proxied(server, proxy)) as listener:
        item = through.run(blank_image())
        listener.wait_for_status(item["item_id"], "completed")
    (result,) = item["session"]["results"].values()
    path = f"/images/i/{result['image']['image_name']}"
    assert wire.send("GET", f"{path}/full").content == through.send("GET", f"{path}/full").content
    assert (404, "application/json") == (
        through.send("GET", "i/999999999").status_code,
        through.send("GET", "i/999999999").headers["content-type"],
    )
    wire.delete(path)


@pytest.mark.parametrize(("action", "enqueued"), [("lose_reply", 1), ("lose_request", 0)])
def test_lost_messages(proxy: ChaosProxy, through: Wire, wire: Wire, action: str, enqueued: int) -> None:
    """The client gets no reply; the server has carried out the request, or never received it."""
    rule = getattr(proxy, action)(path="enqueue_batch")
    with pytest.raises(httpx.TransportError):
        through.enqueue()
    assert (1, enqueued) == (rule.hits, _enqueued(wire))


def test_double_request_arrives_twice(proxy: ChaosProxy, through: Wire, wire: Wire) -> None:
    """The client gets the second reply only."""
    proxy.double(path="enqueue_batch")
    item_ids = through.enqueue()["item_ids"]
    assert (1, 2) == (len(item_ids), _enqueued(wire))


def test_rule_matches_path_method_and_times(proxy: ChaosProxy, through: Wire) -> None:
    """A rule leaves other requests alone, and these too once it has acted often enough; all are counted."""
    proxy.bad_gateway(path="status$", method="GET", times=2)
    assert [200, 502, 502, 200] == [
        through.send("GET", path).status_code for path in ("item_ids", "status", "status", "status")
    ]
    assert {"bad_gateway": 2, None: 2} == proxy.actions()


@pytest.mark.parametrize(
    ("action", "status", "content_type", "is_json"),
    [
        ("server_error", 500, "application/json", True),
        ("bad_gateway", 502, "text/html", False),
        ("web_page", 200, "text/html; charset=utf-8", False),
        ("empty", 200, "application/json", False),
        ("half_json", 200, "application/json", False),
    ],
)
@pytest.mark.parametrize("reaches_server", [True, False])
def test_replaced_replies(
    proxy: ChaosProxy,
    through: Wire,
    wire: Wire,
    action: str,
    status: int,
    content_type: str,
    is_json: bool,
    reaches_server: bool,
) -> None:
    """A complete HTTP reply replaces that of the server, which need not receive the request."""
    getattr(proxy, action)(reaches_server=reaches_server)
    reply = through.send("POST", "enqueue_batch", {"batch": {"graph": {"nodes": {}}}})
    assert (status, content_type) == (reply.status_code, reply.headers["content-type"])
    if not is_json:
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            reply.json()
    assert int(reaches_server) == _enqueued(wire)


@pytest.mark.parametrize("kind", ["limit", "reset"])
@pytest.mark.parametrize("size", [0, 10, 200])
def test_connection_ends_after_some_bytes(proxy: ChaosProxy, through: Wire, kind: str, size: int) -> None:
    """Whether it is closed or reset, in the head or in the body, the reply is lost, and the next one is not."""
    getattr(proxy, kind)(size, times=1)
    with pytest.raises(httpx.TransportError):
        through.send("GET", "status")
    assert 200 == through.send("GET", "status").status_code
