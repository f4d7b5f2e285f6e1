"""The proxy does to requests and sockets what the live tests rely on, and nothing else."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.chaos import ChaosProxy
from tests.support.graphs import blank_image
from tests.support.servers import Server
from tests.support.wire import Listener, Wire, until


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


def test_late_request_arrives_later(proxy: ChaosProxy, through: Wire, wire: Wire) -> None:
    """The client gets no reply, and the server receives the request afterwards."""
    proxy.late_request(0.2, path="enqueue_batch")
    with pytest.raises(httpx.TransportError):
        through.enqueue()
    until(lambda: _enqueued(wire), "the request to arrive")


def test_double_request_arrives_twice(proxy: ChaosProxy, through: Wire, wire: Wire) -> None:
    """The client gets the second reply only."""
    proxy.double(path="enqueue_batch")
    item_ids = through.enqueue()["item_ids"]
    assert (1, 2) == (len(item_ids), _enqueued(wire))


def test_fraction_is_repeatable_by_seed(proxy: ChaosProxy, through: Wire) -> None:
    """The same seed hits the same requests, another seed others."""
    patterns = []
    for seed in (1, 1, 2):
        rule = proxy.bad_gateway(fraction=1 / 3, seed=seed)
        patterns.append([through.send("GET", "status").status_code for _ in range(30)])
        assert patterns[-1].count(502) == rule.hits
        rule.stop()
    assert (True, False) == (patterns[0] == patterns[1], patterns[0] == patterns[2])


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


def test_cut_reply_ends_early(proxy: ChaosProxy, through: Wire) -> None:
    """The body is shorter than its content-length."""
    proxy.cut()
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        through.send("GET", "status")


def test_delayed_reply_times_out(proxy: ChaosProxy, through: Wire) -> None:
    """The delayed reply does not disturb the next one."""
    proxy.delay(30, times=1)
    with pytest.raises(httpx.ReadTimeout):
        through.send("GET", "status", timeout=0.3)
    assert 200 == through.send("GET", "status").status_code


def test_drop_sockets_leaves_requests_alone(server: Server, proxy: ChaosProxy, through: Wire) -> None:
    """All sockets are cut at once."""
    with Listener(_Proxied(server, proxy)) as first, Listener(_Proxied(server, proxy)) as second:
        assert 2 == proxy.drop_sockets()
        assert (True, True) == (first.disconnected.wait(30), second.disconnected.wait(30))
    assert 200 == through.send("GET", "status").status_code


def test_offline_refuses_connections(proxy: ChaosProxy, through: Wire) -> None:
    """Afterwards connections are accepted again, on the same port."""
    with proxy.offline(), pytest.raises(httpx.ConnectError):
        through.send("GET", "status")
    assert 200 == through.send("GET", "status").status_code


def _timed(through: Wire) -> tuple[int, float]:
    begin = time.monotonic()
    return through.send("GET", "status").status_code, time.monotonic() - begin


@pytest.mark.parametrize(
    ("kind", "options", "least_s"),
    [
        ("latency", {"seconds": 0.3}, 0.3),
        ("bandwidth", {"bytes_per_s": 1000}, 0.25),
        ("slices", {"size": 10, "seconds": 0.01}, 0.25),
        ("slow_close", {"seconds": 0.3}, 0.3),
    ],
)
def test_slow_bytes_arrive_all_the_same(
    proxy: ChaosProxy, through: Wire, kind: str, options: Any, least_s: float
) -> None:
    """The reply is whole, only later."""
    expected = through.get("status")
    rule = getattr(proxy, kind)(**options, times=2)
    assert expected == through.get("status")
    status, took_s = _timed(through)
    assert (200, 2, True) == (status, rule.hits, took_s >= least_s)


@pytest.mark.parametrize("kind", ["limit", "reset"])
@pytest.mark.parametrize("size", [0, 10, 200])
def test_connection_ends_after_some_bytes(proxy: ChaosProxy, through: Wire, kind: str, size: int) -> None:
    """Whether it is closed or reset, in the head or in the body, the reply is lost, and the next one is not."""
    getattr(proxy, kind)(size, times=1)
    with pytest.raises(httpx.TransportError):
        through.send("GET", "status")
    assert 200 == through.send("GET", "status").status_code


@pytest.mark.parametrize("kind", ["limit", "reset"])
def test_websocket_ends_after_some_bytes(server: Server, proxy: ChaosProxy, wire: Wire, kind: str) -> None:
    """The socket works until so many bytes have passed."""
    getattr(proxy, kind)(3000, path="socket.io")
    with Listener(_Proxied(server, proxy)) as listener:
        wire.run(blank_image())
        wire.run(blank_image())
        assert listener.disconnected.wait(30)
        assert listener.events


@pytest.mark.parametrize(
    ("kind", "options"),
    [("latency", {"seconds": 0.1}), ("bandwidth", {"bytes_per_s": 20_000}), ("slices", {"size": 7})],
)
def test_slow_websocket_loses_nothing(
    server: Server, proxy: ChaosProxy, wire: Wire, kind: str, options: dict[str, Any]
) -> None:
    """All events arrive, in order."""
    getattr(proxy, kind)(**options, path="socket.io")
    with Listener(_Proxied(server, proxy)) as slow, Listener(server) as direct:
        item_id = wire.run(blank_image())["item_id"]
        slow.wait_for_status(item_id, "completed")
        direct.wait_for_status(item_id, "completed")
        expected = [event.brief for event in direct.of_item(item_id)]
        assert expected == [event.brief for event in slow.of_item(item_id)]
