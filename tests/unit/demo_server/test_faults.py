"""The demo server's drills: each fault appears on demand, and ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import socketio.exceptions

from tests.support.graphs import add_and_multiply, sleep
from tests.support.servers import EmbeddedServer
from tests.support.wire import PATIENCE, Listener, Wire, until


class Drill:
    """Starts and ends drills on a server."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._url = f"{server.url}/demo/drill"
        self._headers = {"X-Demo-Control": server.control}

    def begin(self, name: str, **parameters: Any) -> None:
        answer = httpx.post(self._url, json={"name": name, **parameters}, headers=self._headers, verify=False)
        assert 200 == answer.status_code, answer.text

    def end(self) -> None:
        assert {"drills": []} == httpx.delete(self._url, headers=self._headers, verify=False).json()

    def names(self) -> list[str]:
        return [drill["name"] for drill in httpx.get(self._url, headers=self._headers, verify=False).json()["drills"]]


@pytest.fixture
def wire(embedded_server: EmbeddedServer) -> Iterator[Wire]:
    with Wire(embedded_server) as wire:
        wire.clean()
        yield wire


@pytest.fixture
def drill(embedded_server: EmbeddedServer, wire: Wire) -> Iterator[Drill]:
    drill = Drill(embedded_server)
    yield drill
    drill.end()


@pytest.mark.parametrize("token", [None, "wrong", ""])
def test_control_path_without_token_looks_unknown(embedded_server: EmbeddedServer, token: str | None) -> None:
    """Without the control token, the path answers as any unknown path does."""
    headers = {} if token is None else {"X-Demo-Control": token}
    for method, path in (("POST", "/demo/drill"), ("POST", "/demo/nothing"), ("DELETE", "/demo/drill")):
        answer = httpx.request(method, embedded_server.url + path, headers=headers, verify=False)
        assert (405, {"detail": "Method Not Allowed"}) == (answer.status_code, answer.json())
    page = httpx.get(f"{embedded_server.url}/demo/drill", headers=headers, verify=False)
    assert "text/html; charset=utf-8" == page.headers["content-type"]


@pytest.mark.parametrize("order", [{"name": "nope"}, {"name": "slow", "dealy": 1}, {}, [], {"name": "html", "x": 1}])
def test_invalid_drill_is_400(embedded_server: EmbeddedServer, order: Any) -> None:
    """An unknown name or parameter is refused."""
    headers = {"X-Demo-Control": embedded_server.control}
    answer = httpx.post(f"{embedded_server.url}/demo/drill", json=order, headers=headers, verify=False)
    assert 400 == answer.status_code
    assert "not a drill" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("error_500", 500, "application/json"),
        ("error_422", 422, "application/json"),
        ("html", 200, "text/html; charset=utf-8"),
        ("bad_gateway", 502, "text/html; charset=utf-8"),
    ],
)
def test_replaced_responses(wire: Wire, drill: Drill, name: str, status: int, kind: str) -> None:
    """The response is replaced while the drill is active."""
    drill.begin(name)
    answer = wire.send("GET", "status")
    assert (status, kind) == (answer.status_code, answer.headers["content-type"])
    drill.end()
    assert "queue" in wire.get("status")


def test_half_json_carries_the_request_out(wire: Wire, drill: Drill) -> None:
    """Half of the JSON arrives; the request was carried out."""
    with wire.paused():
        drill.begin("half_json")
        answer = wire.send("POST", "enqueue_batch", {"batch": {"graph": add_and_multiply()}})
        assert 200 == answer.status_code
        with pytest.raises(json.JSONDecodeError):
            answer.json()
        drill.end()
        assert 1 == wire.counts()["pending"]


def test_lost_replies_carries_the_request_out(wire: Wire, drill: Drill) -> None:
    """The connection closes without a response; the request was carried out."""
    with wire.paused():
        drill.begin("lost_replies")
        with pytest.raises(httpx.TransportError):
            wire.send("POST", "enqueue_batch", {"batch": {"graph": add_and_multiply(), "batch_id": "lost"}})
        drill.end()
        assert 1 == wire.get("b/lost/status")["pending"]


def test_lost_replies_are_repeatable_by_seed(wire: Wire, drill: Drill) -> None:
    """The same seed loses the same replies."""

    def lost() -> list[bool]:
        drill.begin("lost_replies", fraction=0.5, seed=7)
        found = []
        for _ in range(20):
            try:
                wire.send("GET", "status")
            except httpx.TransportError:
                found.append(True)
            else:
                found.append(False)
        return found

    first = lost()
    assert {True, False} == set(first)
    assert first == lost()


def test_offline_closes_every_connection(wire: Wire, drill: Drill) -> None:
    """Requests and sockets fail until the drill ends."""
    with Listener(wire.server) as ear:
        drill.begin("offline")
        with pytest.raises(httpx.TransportError):
            wire.send("GET", "status")
        with pytest.raises(httpx.TransportError):
            httpx.get(wire.server.url, verify=False)
        assert ear.disconnected.wait(PATIENCE)
    assert ["offline"] == drill.names()
    drill.end()
    assert "queue" in wire.get("status")


def test_drop_sockets_leaves_requests_alone(wire: Wire, drill: Drill) -> None:
    """Sockets are closed and refused; requests still work."""
    with Listener(wire.server) as ear:
        drill.begin("drop_sockets")
        assert ear.disconnected.wait(PATIENCE)
    assert "queue" in wire.get("status")
    with pytest.raises(socketio.exceptions.ConnectionError), Listener(wire.server):
        pass
    drill.end()
    with Listener(wire.server) as ear:
        assert not ear.disconnected.is_set()


def test_full_queue_enqueues_nothing(wire: Wire, drill: Drill) -> None:
    """A batch is answered with no items enqueued."""
    drill.begin("full_queue")
    answer = wire.enqueue(runs=3)
    assert (0, 3, []) == (answer["enqueued"], answer["requested"], answer["item_ids"])


def test_out_of_memory_fails_items(wire: Wire, drill: Drill) -> None:
    """Items fail halfway with the message of a GPU allocator, until the drill ends."""
    drill.begin("out_of_memory")
    for graph in (add_and_multiply(), sleep(0.2, steps=4)):
        item = wire.wait_for(wire.enqueue(graph)["item_ids"][0], "failed")
        assert "OutOfMemoryError" == item["error_type"]
        assert item["error_message"].startswith("CUDA out of memory. Tried to allocate")
    drill.end()
    wire.run()


def test_slow_delays_responses(wire: Wire, drill: Drill) -> None:
    """A response takes longer, and is otherwise the usual one."""
    drill.begin("slow", delay=0.2)
    with pytest.raises(httpx.ReadTimeout):
        wire.send("GET", "status", timeout=0.05)
    assert "queue" in wire.get("status")


def test_drill_ends_after_its_seconds(wire: Wire, drill: Drill) -> None:
    """A drill with `seconds` ends by itself."""
    drill.begin("error_500", seconds=0.1)
    until(lambda: wire.send("GET", "status").status_code == 200, "the end of the drill")
    assert [] == drill.names()
