"""Starting the embedded server, and its drills as a person begins them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from invoke_widgets.demo_server.process import EmbeddedServer
from invoke_widgets.errors import InvalidRequest, ServerUnreachable


@pytest.fixture
def demo() -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start() as demo:
        yield demo


def _drills(demo: EmbeddedServer) -> list[dict[str, object]]:
    request = urllib.request.Request(f"{demo.url}/demo/drill", headers={"X-Demo-Control": demo._control})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        drills: list[dict[str, object]] = json.load(answer)["drills"]
        return drills


@pytest.mark.slow
def test_nested_drills_end_each_by_itself(demo: EmbeddedServer) -> None:
    """The end of the inner one leaves the outer one as it was, whether they are of one name or not."""
    outer = {"name": "slow", "delay": 0.01}
    with demo.drill("slow", delay=0.01):
        with demo.drill("full_queue"):
            assert [outer, {"name": "full_queue"}] == _drills(demo)
        assert [outer] == _drills(demo)
        with demo.drill("slow", delay=0.02):
            assert [{"name": "slow", "delay": 0.02}] == _drills(demo)
        assert [outer] == _drills(demo)
    assert [] == _drills(demo)


def test_a_drill_of_a_server_that_has_ended(demo: EmbeddedServer) -> None:
    """It says that the server has ended; one that was on when it did ends quietly."""
    with demo.drill("slow", delay=0.01):
        demo._process.kill()
        demo._process.wait()
    with pytest.raises(ServerUnreachable, match="It has ended") as caught, demo.drill("slow"):
        pass
    assert demo.url in caught.value.message


def test_an_unknown_drill(demo: EmbeddedServer) -> None:
    """It is refused with the names that there are."""
    with pytest.raises(InvalidRequest, match="full_queue"), demo.drill("nope"):
        pass


@pytest.mark.slow
def test_a_port_that_is_taken(demo: EmbeddedServer) -> None:
    """The message has the port and the remedy."""
    port = int(demo.url.rpartition(":")[2])
    with pytest.raises(ServerUnreachable) as caught:
        EmbeddedServer.start(port=port)
    assert f"Port {port} cannot be had" in caught.value.suggestion
