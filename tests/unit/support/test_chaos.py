"""The misbehaving proxy misbehaves as it says, and otherwise is not noticed."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.chaos import ChaosProxy
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


def test_it_is_transparent_without_rules(wire: Wire, through: Wire) -> None:
    """A job goes through it as without it."""
    item = through.run()
    assert ("completed", wire.item(item["item_id"])) == (item["status"], through.item(item["item_id"]))


def test_statuses_and_headers_come_through(through: Wire) -> None:
    """Errors are handed on with what they hold."""
    response = through.send("GET", "i/999999999")
    assert (404, "application/json", True) == (
        response.status_code,
        response.headers["content-type"],
        "not found" in response.json()["detail"],
    )


def test_files_come_through(through: Wire, wire: Wire) -> None:
    """Bytes in both directions are as they were."""
    name = through.run({"nodes": {"b": {"id": "b", "type": "blank_image", "use_cache": False}}})
    (result,) = name["session"]["results"].values()
    path = f"/images/i/{result['image']['image_name']}"
    assert wire.send("GET", f"{path}/full").content == through.send("GET", f"{path}/full").content
    wire.delete(path)


def test_a_lost_reply_was_carried_out(proxy: ChaosProxy, through: Wire, wire: Wire) -> None:
    """The client hears nothing, the server has done it."""
    rule = proxy.lose_reply(path="enqueue_batch")
    with pytest.raises(httpx.TransportError):
        through.enqueue()
    assert (1, 1) == (rule.hits, wire.get("item_ids")["total_count"])


def test_a_lost_request_was_not(proxy: ChaosProxy, through: Wire, wire: Wire) -> None:
    """The client hears nothing, and the server neither."""
    proxy.lose_request(path="enqueue_batch")
    with pytest.raises(httpx.TransportError):
        through.enqueue()
    assert 0 == wire.get("item_ids")["total_count"]


def test_a_late_request_arrives_in_the_end(proxy: ChaosProxy, through: Wire, wire: Wire) -> None:
    """The client hears nothing, and the server does it later."""
    proxy.late_request(0.2, path="enqueue_batch")
    with pytest.raises(httpx.TransportError):
        through.enqueue()
    until(lambda: wire.get("item_ids")["total_count"], "the request to arrive")


def test_a_doubled_request_arrives_twice(proxy: ChaosProxy, through: Wire, wire: Wire) -> None:
    """The client hears of the second alone."""
    proxy.double(path="enqueue_batch")
    item_ids = through.enqueue()["item_ids"]
    assert (1, 2) == (len(item_ids), wire.get("item_ids")["total_count"])


def _pattern(through: Wire, requests: int) -> list[bool]:
    """Which of so many requests were answered."""
    answered = []
    for _ in range(requests):
        try:
            answered.append(through.send("GET", "status").is_success)
        except httpx.TransportError:
            answered.append(False)
    return answered


def test_a_fraction_follows_its_seed(proxy: ChaosProxy, through: Wire) -> None:
    """The same seed hits the same requests, another one others."""
    patterns = []
    for seed in (1, 1, 2):
        rule = proxy.lose_reply(fraction=1 / 3, seed=seed)
        patterns.append(_pattern(through, 30))
        assert (30, patterns[-1].count(False)) == (rule.seen, rule.hits)
        rule.stop()
    assert (True, False) == (patterns[0] == patterns[1], patterns[0] == patterns[2])


def test_a_rule_acts_on_its_path_and_method_for_its_times(proxy: ChaosProxy, through: Wire) -> None:
    """Other requests are left alone, and so are these after that."""
    proxy.bad_gateway(path="status$", method="GET", times=2)
    assert [200, 502, 502, 200] == [
        through.send("GET", path).status_code for path in ("item_ids", "status", "status", "status")
    ]


def test_calm_stops_all_rules(proxy: ChaosProxy, through: Wire) -> None:
    """After the storm, everything is as before."""
    proxy.lose_reply()
    proxy.web_page()
    proxy.calm()
    assert 200 == through.send("GET", "status").status_code


@pytest.mark.parametrize(
    ("action", "status", "content_type"),
    [
        ("bad_gateway", 502, "text/html"),
        ("web_page", 200, "text/html; charset=utf-8"),
        ("empty", 200, "application/json"),
        ("half_json", 200, "application/json"),
    ],
)
def test_replies_that_are_not_the_servers(
    proxy: ChaosProxy, through: Wire, action: str, status: int, content_type: str
) -> None:
    """Each is a whole HTTP reply that holds no JSON."""
    getattr(proxy, action)()
    response = through.send("GET", "status")
    assert (status, content_type) == (response.status_code, response.headers["content-type"])
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        response.json()


def test_a_server_error(proxy: ChaosProxy, through: Wire) -> None:
    """A 500 as the server itself would send it, with JSON that says so."""
    proxy.server_error()
    response = through.send("GET", "status")
    assert (500, ["detail"]) == (response.status_code, list(response.json()))


def test_a_cut_reply(proxy: ChaosProxy, through: Wire) -> None:
    """The body ends before its length."""
    proxy.cut()
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        through.send("GET", "status")


def test_a_replaced_reply_need_not_reach_the_server(proxy: ChaosProxy, through: Wire, wire: Wire) -> None:
    """By default the server has done it; it can be spared."""
    proxy.bad_gateway(path="enqueue_batch", times=1)
    proxy.bad_gateway(path="enqueue_batch", reaches_server=False)
    body: dict[str, Any] = {"batch": {"graph": {"nodes": {}}}}
    statuses = [through.send("POST", "enqueue_batch", body).status_code for _ in range(2)]
    assert ([502, 502], 1) == (statuses, wire.get("item_ids")["total_count"])


def test_a_delayed_reply_makes_an_impatient_client_give_up(proxy: ChaosProxy, through: Wire) -> None:
    """The reply comes, but later than the client waits."""
    proxy.delay(30, times=1)
    with pytest.raises(httpx.ReadTimeout):
        through.send("GET", "status", timeout=0.3)
    assert 200 == through.send("GET", "status").status_code


def test_events_come_through(server: Server, proxy: ChaosProxy, through: Wire) -> None:
    """A socket works through the proxy."""
    with Listener(_Proxied(server, proxy)) as listener:
        item_id = through.enqueue()["item_ids"][0]
        assert item_id == listener.wait_for_status(item_id, "completed").data["item_id"]


def test_dropped_sockets(server: Server, proxy: ChaosProxy, through: Wire) -> None:
    """They are cut at once; requests go on."""
    with Listener(_Proxied(server, proxy)) as first, Listener(_Proxied(server, proxy)) as second:
        assert 2 == proxy.drop_sockets()
        assert (True, True) == (first.disconnected.wait(30), second.disconnected.wait(30))
    assert 200 == through.send("GET", "status").status_code


def test_offline(proxy: ChaosProxy, through: Wire) -> None:
    """Connections are refused, and taken again afterwards on the same port."""
    url = proxy.url
    with proxy.offline(), pytest.raises(httpx.ConnectError):
        through.send("GET", "status")
    assert (url, 200) == (proxy.url, through.send("GET", "status").status_code)


def test_what_came_by_is_counted(proxy: ChaosProxy, through: Wire) -> None:
    """Each request is listed with what was done to it."""
    proxy.empty(times=1)
    for _ in range(3):
        through.send("GET", "status")
    assert {"empty": 1, None: 2} == proxy.actions()
