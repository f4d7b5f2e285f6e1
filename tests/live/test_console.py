"""The console itself: its listeners, its queue, and the client that may be awaited in any loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.sync import Change
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply
from tests.support.wire import Wire, until

pytestmark = pytest.mark.every_version


def test_changes_are_merged_while_a_listener_is_busy(console: iw.Console, wire: Wire) -> None:
    """A slow listener gets one further change with everything that happened meanwhile, not a queue of snapshots."""
    changes: list[Change] = []
    go_on = threading.Event()

    def slow(change: Change) -> None:
        changes.append(change)
        go_on.wait(30)

    end = console.on_change(slow, interval=0.0)
    first = console.submit(add_and_multiply())
    until(lambda: changes, "the first change")
    batch = console.submit(add_and_multiply(), runs=10)
    batch.wait(60)
    assert 1 == len(changes)
    seen = len(changes)
    go_on.set()
    until(lambda: len(changes) > seen, "the merged change")
    end()
    assert {*first.item_ids, *batch.item_ids} >= changes[1].item_ids >= {*batch.item_ids}
    assert all(changes[1].state.items[item_id].is_terminal for item_id in batch.item_ids)


def test_a_change_that_waits_is_dropped_when_the_listener_unsubscribes(console: iw.Console) -> None:
    """After that nothing is delivered any more."""
    changes: list[Change] = []
    go_on = threading.Event()

    def slow(change: Change) -> None:
        changes.append(change)
        go_on.wait(30)

    end = console.on_change(slow, interval=0.0)
    console.submit(add_and_multiply()).wait(60)
    end()
    go_on.set()
    delivered = threading.Event()
    console.on_change(lambda _: delivered.set(), interval=0.0)
    console.submit(add_and_multiply()).wait(60)
    assert (True, 1) == (delivered.wait(30), len(changes))


_READS = "item_summaries_by_ids|items_by_ids"


@pytest.mark.needs("item_ids")
def test_queue_waits_until_listed_items_are_read(wire: Wire, proxy: ChaosProxy) -> None:
    """Their list is there first, and each is read then."""
    with wire.paused(), iw.connect(proxy.url) as console:
        slow = proxy.delay(1.0, path=_READS)
        ids = wire.enqueue(runs=3)["item_ids"]
        until(lambda: slow.hits, "the read")
        assert sorted(ids, reverse=True) == [item.item_id for item in console.queue]


@pytest.mark.needs("item_ids")
def test_queue_returns_what_is_known_when_items_are_not_read_in_time(
    wire: Wire, proxy: ChaosProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait without limit."""
    monkeypatch.setattr("invoke_widgets.console.console._FILL_S", 0.3)
    with wire.paused(), iw.connect(proxy.url) as console:
        hanging = proxy.delay(600, path=_READS)
        wire.enqueue(runs=2)
        until(lambda: hanging.hits, "the read")
        begin = time.monotonic()
        assert [] == console.queue
        assert time.monotonic() - begin < 10


def test_client_may_be_awaited_in_any_loop(console: iw.Console) -> None:
    """Its requests run on the console's connections, and closing it leaves them open."""

    async def ask() -> tuple[str, Any]:
        async with console.client as client:
            return await client.app_version(), await client.transport.json("GET", "/api/v1/app/version")

    version, reply = asyncio.run(ask())
    assert (version, version) == (reply["version"], asyncio.run(console.client.app_version()))


def test_drills_are_offered_by_the_demo_server_alone(console: iw.Console, wire: Wire) -> None:
    """A console knows a demo server by its version's reply."""
    assert (console.demo is not None) == (wire.server.kind == "embedded")
