"""Faults of the network or the server: the snapshot follows the queue, and nothing is missed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter

import pytest

import invoke_widgets as iw
from invoke_widgets.client import transport
from invoke_widgets.client.socket import EventStream
from invoke_widgets.errors import ServerUnreachable
from invoke_widgets.events import Event, ItemStatusChanged
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, divide, fail, graph, sleep
from tests.support.servers import EmbeddedServer, RealServer
from tests.support.wire import Wire, until


@pytest.mark.every_version
@pytest.mark.slow
def test_changes_during_an_outage_are_seen_after_the_reconnect(
    through: iw.Console, wire: Wire, proxy: ChaosProxy
) -> None:
    """Changes made while the socket was broken are in the snapshot afterwards, each once."""
    seen = through.submit(add_and_multiply())
    seen.wait(60)
    with proxy.offline():
        until(lambda: through.status.connection.mode == "reconnecting", "the loss to be seen")
        connection = through.status.connection
        assert connection.error
        assert connection.next_try_at is not None
        missed = wire.enqueue(divide(1, 0), runs=3)
        for item_id in missed["item_ids"]:
            wire.wait_for(item_id)
    until(lambda: through.status.connection.mode == "live", "the console to come back")
    through.refresh()
    assert sorted([*seen.item_ids, *missed["item_ids"]]) == sorted(item.item_id for item in through.queue)
    assert sorted(missed["item_ids"]) == sorted(error.item_id for error in through.errors if error.item_id)


@pytest.mark.slow
def test_failure_pruned_before_it_was_read_is_recorded() -> None:
    """The failure is known from a summary, which only newer servers have; its reason is lost."""
    server = EmbeddedServer()
    server.start()
    try:
        with (
            ChaosProxy(server.url) as proxy,
            iw.connect(proxy.url, use_socket=False) as console,
            Wire(server) as wire,
        ):
            unread = proxy.bad_gateway(path="/items_by_ids")
            item_id = wire.run(divide(1, 0))["item_id"]
            until(lambda: unread.hits, "the error to be asked for")
            wire.put("prune")
            unread.stop()
            until(lambda: len(console.errors), "the record")
            assert [(item_id, "The server gives no reason.")] == [(e.item_id, e.message) for e in console.errors]
    finally:
        server.stop()


@pytest.mark.every_version
@pytest.mark.slow
def test_console_polls_without_a_socket(wire: Wire, proxy: ChaosProxy) -> None:
    """Without a socket the console polls and sees changes by others; it uses the socket once it can."""
    rule = proxy.cut(path="socket.io")
    with iw.connect(proxy.url) as console:
        assert "polling" == console.status.connection.mode
        done = wire.run()
        until(lambda: [i.status for i in console.queue] == ["completed"], "polling to see the job")
        wire.delete(f"i/{done['item_id']}")
        until(lambda: console.queue == [], "polling to see the deletion")
        rule.stop()
        console.refresh()
        until(lambda: console.status.connection.mode == "live", "the socket to be used")


@pytest.mark.every_version
@pytest.mark.slow
def test_silent_changes_are_noticed(console: iw.Console, wire: Wire) -> None:
    """Changes without an event are noticed, also a second time: a pause, a prune, a deleted item."""
    for _ in range(2):
        wire.run()
        done = wire.run()
        until(lambda: len(console.queue) == 2, "both items")
        wire.delete(f"i/{done['item_id']}")
        until(lambda: len(console.queue) == 1, "the deletion to be seen")
        wire.put("processor/pause")
        until(lambda: console.status.is_paused, "the pause to be seen")
        wire.put("prune")
        until(lambda: console.queue == [], "the prune to be seen")
        wire.put("processor/resume")


@pytest.mark.parametrize("kind", ["embedded", pytest.param("real", marks=[pytest.mark.real, pytest.mark.slow])])
@pytest.mark.slow
@pytest.mark.timeout(400)  # the real server starts twice
def test_console_recovers_from_a_server_restart(kind: str) -> None:
    """After a restart the running job is canceled, the pending one runs, and the console is live again."""
    server = EmbeddedServer() if kind == "embedded" else RealServer("6.14.2")
    server.start()
    try:
        with iw.connect(server.url) as console, Wire(server) as wire:
            running = console.submit(sleep(60)).jobs[0]
            waiting = console.submit(add_and_multiply()).jobs[0]
            wire.wait_for(running.item_id, "in_progress")
            server.restart()
            until(lambda: console.status.connection.mode == "live", "the console to come back")
            assert "completed" == waiting.wait(60).status
            with pytest.raises(iw.JobCanceled):
                running.wait(60)
    finally:
        server.stop()


@pytest.mark.slow
def test_a_server_that_was_given_a_larger_queue_is_sent_more() -> None:
    """As the message about too many jobs suggests; the console need not be made anew."""
    small, large = EmbeddedServer(max_queue_size=1_000), EmbeddedServer(max_queue_size=2_000)
    small.start()
    try:
        with iw.connect(small.url) as console:
            with pytest.raises(iw.InvalidRequest, match="can hold: 1,000"):
                console.submit(add_and_multiply(), runs=1_001)
            small.stop()
            until(lambda: console.status.connection.mode == "reconnecting", "the loss to be seen")
            large.port = small.port
            large.start()
            until(lambda: console.status.connection.mode == "live", "the console to come back")
            assert 1_001 == console.submit(add_and_multiply(), runs=1_001).enqueued
    finally:
        small.stop()
        large.stop()


@pytest.mark.slow
def test_queue_of_another_server_at_the_same_address_is_read_anew() -> None:
    """If the address has another queue after a restart, its items are not taken for the old ones."""
    server = EmbeddedServer()
    server.start()
    try:
        with iw.connect(server.url) as console:
            console.submit(add_and_multiply(), runs=3).wait(60)
            server.stop()
            until(lambda: console.status.connection.mode == "reconnecting", "the loss to be seen")
            server.root = None
            server.start()
            with Wire(server) as wire:
                job = wire.run(divide(1, 0))
            until(lambda: console.status.connection.mode == "live", "the console to come back")
            console.refresh()
            assert [(job["item_id"], "failed")] == [(item.item_id, item.status) for item in console.queue]
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("fault", "words"), [("web_page", "web page"), ("half_json", "half of it"), ("empty", "not JSON")]
)
def test_connecting_to_another_kind_of_server_raises(wire: Wire, proxy: ChaosProxy, fault: str, words: str) -> None:
    """The error says what answered instead of InvokeAI, and no thread is left behind."""
    getattr(proxy, fault)(path="/api/")
    before = threading.active_count()
    with pytest.raises(iw.JobException) as caught:
        iw.connect(proxy.url)
    assert words in str(caught.value)
    assert before == threading.active_count()


def test_connecting_where_nothing_listens_names_the_address() -> None:
    """The error names the address and suggests `iw.demo()`."""
    with pytest.raises(ServerUnreachable) as caught:
        iw.connect("http://127.0.0.1:9")
    assert "127.0.0.1:9" in str(caught.value)
    assert "iw.demo()" in str(caught.value)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_300_failures_are_recorded_once_each() -> None:
    """300 jobs fail while the socket drops 12 times and the server restarts twice: each is recorded once."""
    server = EmbeddedServer()
    server.start()
    try:
        with ChaosProxy(server.url) as proxy, iw.connect(proxy.url) as console, Wire(server) as wire:
            batch = console.submit(fail(seconds=0.01), runs=300)

            def failed() -> int:
                return int(wire.queue_status()["failed"])

            for drop in range(12):
                until(lambda: failed() >= 22 * drop, "more failures")  # noqa: B023 - called at once
                if drop:
                    console.reconnect()  # it would wait longer and longer for a socket that breaks again and again
                proxy.drop_sockets()
                if drop in (4, 8):
                    wire.put("processor/pause")
                    until(lambda: not wire.get("status")["processor"]["is_processing"], "the worker to be free")
                    server.restart()
            until(lambda: failed() == 300, "all to have failed")
            until(lambda: console.status.connection.mode == "live", "the console to be live")
            console.refresh()
            until(lambda: len(console.errors) >= 300, "all records")
            recorded = Counter(error.item_id for error in console.errors if error.item_id is not None)
            assert dict.fromkeys(batch.item_ids, 1) == dict(recorded)
            assert 12 <= proxy.actions()[None]
    finally:
        server.stop()


@pytest.mark.slow
def test_unanswered_read_does_not_delay_the_reconnect(wire: Wire) -> None:
    """A read that is never answered does not delay the reconnect, whatever its timeout."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url, timeout=600) as console:
        hanging = proxy.delay(600, path="/item_ids", times=1)
        wire.enqueue()
        until(lambda: hanging.hits, "the read")
        proxy.drop_sockets()
        until(lambda: sum("/ws/" in request.path for request in proxy.seen) == 2, "another socket")
        until(lambda: console.status.connection.mode == "live", "the console to be live")
        until(lambda: [item.status for item in console.queue] == ["completed"], "the snapshot")
        assert 1 == hanging.hits


@pytest.mark.slow
def test_long_queue_is_read_without_a_socket_from_a_slow_server(wire: Wire, proxy: ChaosProxy) -> None:
    """Each item is read once before any is read again, and the next read of all waits for some time after the last."""
    wire.put("processor/pause")
    wire.enqueue(runs=1000)
    proxy.say(b'{"version": "6.8.1"}', path="/app/version")  # which reads 100 whole items at a time
    proxy.delay(0.4, path="/items_by_ids")

    def reads() -> list[int]:
        """Return the numbers of reads of items between checks of the counters."""
        names = ["-" if seen.path.endswith("/status") else "r" for seen in proxy.seen if seen.path.endswith(kinds)]
        return [len(run) for run in "".join(names).split("-")]

    kinds = ("/status", "/items_by_ids")
    with iw.connect(proxy.url, use_socket=False) as console:
        store = console.internals.store
        until(lambda: len(store.state.items) == 1000, "all items to be read")
        first = sum(reads())
        assert 10 <= first < 20  # 10 would do; large items are read fewer at once, and the next read may have begun
        assert 1000 == len(console.queue)
        until(lambda: sum(reads()) > first, "the next read of all")
        until(lambda: sum(reads()) > 2 * first, "the one after it")
        pauses = "".join("r" if count else "-" for count in reads())
        assert 1 <= pauses.count("-" * 8)


@pytest.mark.every_version
@pytest.mark.slow
def test_jobs_that_run_are_not_read_again(wire: Wire, proxy: ChaosProxy) -> None:
    """Up to 6.13 items have no device, so that nothing is left to read when one starts or ends."""
    wire.put("processor/pause")
    wire.enqueue(runs=3)
    if wire.server.has("device"):
        proxy.say(b'{"version": "6.8.1"}', path="/app/version")
    with iw.connect(proxy.url) as console:
        until(lambda: console.status.connection.mode == "live", "the socket")
        console.refresh()
        before = len(proxy.seen)

        def seen(*names: str) -> list[str]:
            return [seen.path for seen in proxy.seen[before:] if seen.path.endswith(names)]

        wire.put("processor/resume")
        until(lambda: {item.status for item in console.queue} == {"completed"}, "the jobs")
        checks = len(seen("/status"))
        until(lambda: len(seen("/status")) >= checks + 2, "two more checks of the counters")
        assert [] == seen("/items_by_ids", "/list", "/list_all")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [2**20, 2**26])
def test_large_items_are_read_fewer_at_once(
    wire: Wire, proxy: ChaosProxy, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """After a large answer the next request asks for fewer; one that was too large is asked for in parts."""
    monkeypatch.setattr(transport, "_LONGEST_REPLY", limit)
    wire.put("processor/pause")
    for _ in range(20):
        wire.enqueue(graph({"text": {"type": "string", "value": "x" * 600_000}}))
    proxy.say(b'{"version": "6.8.1"}', path="/app/version")  # which has no summaries
    with iw.connect(proxy.url) as console:
        assert 20 == len(console.queue)
        assert (20 if limit == 2**20 else 3) <= sum(seen.path.endswith("/items_by_ids") for seen in proxy.seen)


def test_an_event_of_several_megabytes_does_not_break_the_socket(wire: Wire) -> None:
    """An event carries a node's whole output, and the socket's library takes no more than 4 MB unasked."""
    events: list[Event] = []
    lost: list[str] = []

    def is_completed(item_id: int) -> bool:
        ends = [event.item for event in events if isinstance(event, ItemStatusChanged)]
        return any((item_id, "completed") == (item.item_id, item.status) for item in ends)

    async def work() -> None:
        connections = transport.Transport(wire.server.url, timeout=10.0)
        stream = EventStream(connections, "default", on_event=events.append, on_lost=lambda: lost.append("lost"))
        await stream.connect()
        text = {"type": "string", "value": "x" * 5_000_000, "use_cache": False}
        (item_id,) = (await asyncio.to_thread(wire.enqueue, graph({"text": text})))["item_ids"]
        await asyncio.to_thread(until, lambda: lost or is_completed(item_id), "the event of its end")
        await stream.close()
        await connections.aclose()

    asyncio.run(work())
    assert [] == lost


@pytest.mark.every_version
def test_long_queue_is_shown_before_all_of_it_is_read(wire: Wire, proxy: ChaosProxy) -> None:
    """No request has all items in one answer, and in the end the snapshot equals the server's list."""
    wire.put("processor/pause")
    wire.enqueue(runs=900)
    with iw.connect(proxy.url) as console:
        assert 900 == len(console.queue)
        if not wire.server.has("item_ids"):
            assert 1 < sum(seen.path.endswith("/list") for seen in proxy.seen)
        assert not [seen.path for seen in proxy.seen if seen.path.endswith("/list_all")]
        first = console.queue[-1].item_id
        wire.send("DELETE", f"i/{first}")
        (prepended,) = wire.enqueue(prepend=True)["item_ids"]
        wire.put(f"i/{first + 1}/cancel")
        console.refresh()
        shown = {item.item_id: item.status for item in console.queue}
        assert {item["item_id"]: item["status"] for item in wire.get("list_all")} == shown
        assert ("pending", "canceled") == (shown[prepended], shown[first + 1])


def test_heartbeat_without_an_answer_turns_the_console_to_reconnecting(wire: Wire) -> None:
    """Counters of which a byte comes now and then do not keep it "live" for longer than its timeout."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url, timeout=3) as console:
        until(lambda: console.status.connection.mode == "live", "the socket")
        dripping = proxy.slices(1, 1.0, path="/status")
        until(lambda: console.status.connection.mode == "reconnecting", "the loss to be seen")
        assert "/status" in console.status.connection.error
        dripping.stop()
        until(lambda: console.status.connection.mode == "live", "the console to come back")


def test_a_dripping_read_of_items_does_not_hold_back_the_counters(
    through: iw.Console, wire: Wire, proxy: ChaosProxy
) -> None:
    """While a byte of the ids comes now and then, a pause that no event reports is seen, and the console stays live."""
    until(lambda: through.status.connection.mode == "live", "the socket")
    dripping = proxy.slices(1, 1.0, path="ids")
    wire.enqueue(add_and_multiply())
    until(lambda: dripping.hits, "a read")
    wire.put("processor/pause")
    until(lambda: through.status.is_paused, "the pause")
    assert "live" == through.status.connection.mode
    dripping.stop()


def test_reconnect_of_a_live_console_checks_at_once(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """It does not wait for the answer that is under way, and raises if the server is away by now."""
    until(lambda: through.status.connection.mode == "live", "the socket")
    dripping = proxy.slices(1, 1.0, path="/status", times=1)
    until(lambda: dripping.hits, "a heartbeat")
    wire.put("processor/pause")
    assert "live" == through.reconnect().mode
    assert through.status.is_paused
    refusing = proxy.bad_gateway(path="/api/")
    with pytest.raises(ServerUnreachable, match="still away"):
        through.reconnect()
    refusing.stop()
    assert "live" == through.reconnect().mode


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "options"), [("hang_up", ()), ("drop", (0.3,))], ids=["at once", "soon"])
def test_console_polls_while_sockets_break(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, fault: str, options: tuple[float, ...]
) -> None:
    """While websockets are closed at once, or soon, the console polls and misses nothing; it is live once they hold."""
    rule = getattr(proxy, fault)(*options, path="socket.io")
    proxy.drop_sockets()
    until(lambda: through.status.connection.mode == "polling", "the console to poll")
    wire.run()
    until(lambda: ["completed"] == [item.status for item in through.queue], "the job")
    rule.stop()
    through.reconnect()
    until(lambda: through.status.connection.mode == "live", "the console to be live")


@pytest.mark.slow
def test_console_polls_while_the_socket_is_unanswered(wire: Wire, proxy: ChaosProxy) -> None:
    """While a proxy swallows websockets the console polls, and it can be closed."""
    hanging = proxy.delay(600, path="socket.io")
    with iw.connect(proxy.url) as console:
        assert ("polling", "") == (console.status.connection.mode, console.status.connection.error)
        wire.run()
        until(lambda: ["completed"] == [item.status for item in console.queue], "the job")
        assert hanging.hits


@pytest.mark.slow
def test_unexpected_error_is_logged_and_the_console_recovers(
    console: iw.Console, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It shows as a lost connection, its traceback is logged, and the console recovers."""
    read, modes = iw.InvokeClient.get_queue_status, []
    console.internals.store.subscribe(lambda change: modes.append(change.state.connection.mode))
    answers = iter([TypeError("unexpected")])

    async def once(client: iw.InvokeClient) -> object:
        for error in answers:
            raise error
        return await read(client)

    monkeypatch.setattr(iw.InvokeClient, "get_queue_status", once)
    until(lambda: "reconnecting" in modes and modes[-1] == "live", "the console to come back")
    assert "TypeError: unexpected" in caplog.text
    assert "completed" == console.submit(add_and_multiply()).jobs[0].wait(60).status


def test_progress_does_not_hide_a_silent_change(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """On a slow connection constant progress neither hides a deletion nor delays a refresh."""
    wire.run()
    done = wire.run()
    (running,) = wire.start(sleep(60, steps=1200))
    until(lambda: len(through.queue) == 3, "all items")
    proxy.delay(0.3, path="/status$")
    wire.delete(f"i/{done['item_id']}")
    until(lambda: len(through.queue) == 2, "the deletion to be seen")
    through.refresh()
    wire.put(f"i/{running}/cancel")


def test_refresh_ends_on_a_busy_server(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A refresh does not wait for a quiet queue, even if the queue changes during each request."""
    proxy.delay(0.3, path="/status$")
    batch = wire.enqueue(sleep(0.05), runs=900)["batch"]["batch_id"]
    assert 900 == len(through.batch(batch).item_ids)
    through.refresh()
    assert 0 < wire.queue_status()["pending"]


@pytest.mark.every_version
def test_equal_events_in_quick_succession_are_all_kept(console: iw.Console, wire: Wire) -> None:
    """Equal events are not dropped as duplicates if the server sends no duplicates."""
    number = 1 if wire.server.has("events_twice") else 3
    for _ in range(3):
        wire.put("clear")
    until(lambda: number <= sum("QueueCleared" in repr(event) for event in console.events), "all three")


@pytest.mark.slow
def test_counters_are_not_replaced_by_older_ones(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Counters read while connecting do not replace newer ones from an event."""
    seen: list[int] = []
    through.internals.store.subscribe(
        lambda change: seen.append(change.state.status.completed if change.state.status else 0)
    )
    slow = proxy.delay(1.0, path="/queue/default/status$", times=1)
    proxy.drop_sockets()
    until(lambda: slow.hits, "the counters to be requested")
    wire.run()
    until(lambda: through.status.completed == 1 and through.status.connection.mode == "live", "the snapshot")
    assert sorted(seen) == seen


@pytest.mark.slow
def test_pause_is_not_undone_by_older_counters(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A read begun before a pause and answered after it never shows the worker as running."""
    seen: list[bool] = []
    through.internals.store.subscribe(
        lambda change: seen.append(bool(change.state.processor and change.state.processor.is_started))
    )
    slow = proxy.delay(1.0, path="/queue/default/status$", times=1)
    until(lambda: slow.hits, "the counters to be requested")
    through.pause()
    seen.clear()
    later = proxy.delay(0.0, path="/queue/default/status$", times=1)
    until(lambda: later.hits, "the counters to be requested again")
    through.refresh()
    assert (False, True) == (True in seen, through.status.is_paused)


def test_closed_console_shows_the_queue_without_unread_items(
    through: iw.Console, wire: Wire, proxy: ChaosProxy
) -> None:
    """If reading ended with items unread, the snapshot is returned as it is."""
    hanging = proxy.delay(600, path="item_summaries_by_ids|items_by_ids")
    with wire.paused():
        wire.enqueue(runs=2)
        until(lambda: hanging.hits, "the read")
        through.close()
        assert "closed" == through.status.connection.mode
        assert [] == through.queue


# -- behavior of older versions, as far as a newer server can be made to look like one ----------------------------


def _as_version(proxy: ChaosProxy, version: str) -> None:
    proxy.say(json.dumps({"version": version}).encode(), path="/app/version$")


def _poison(wire: Wire, *, prepend: bool = False) -> str:
    """Enqueue a batch with an item that no version can load, and return its id."""
    data = [[{"node_path": "add", "field_name": "a", "items": ["x"]}]]
    batch_id: str = wire.enqueue(data=data, prepend=prepend)["batch"]["batch_id"]
    return batch_id


@pytest.mark.slow
def test_unloadable_item_does_not_hide_a_silent_change(wire: Wire, proxy: ChaosProxy) -> None:
    """Up to 6.13 such an item is never read; other changes are still seen, and a refresh ends."""
    _as_version(proxy, "6.13.8")
    wire.run()
    _poison(wire)
    with iw.connect(proxy.url) as console:
        assert 1 == len(console.queue)
        wire.put("prune")
        until(lambda: console.queue == [], "the prune to be seen")
        console.refresh()
        assert 1 == len(console.internals.store.state.unread)


@pytest.mark.slow
def test_item_deleted_before_it_is_read_is_forgotten(wire: Wire, proxy: ChaosProxy) -> None:
    """Up to 6.13 an item that was listed but deleted before it was read is not waited for."""
    _as_version(proxy, "6.13.8")
    done = wire.run()
    proxy.say(b"[]", path="/items_by_ids$")
    with iw.connect(proxy.url) as console:
        assert {done["item_id"]} == console.internals.store.state.unread
        wire.delete(f"i/{done['item_id']}")
        until(lambda: not console.internals.store.state.unread, "the item to be forgotten")
        assert [] == console.queue


@pytest.mark.every_version
@pytest.mark.needs("lists_pages")
@pytest.mark.slow
def test_console_reconnects_to_a_queue_that_cannot_be_listed(wire: Wire, proxy: ChaosProxy) -> None:
    """Before 6.7 a page with an unloadable item cannot be read; the console still becomes live again."""
    wire.run()
    with iw.connect(proxy.url) as console:
        assert 1 == len(console.queue)
        _poison(wire)
        until(lambda: 1 == console.status.pending, "the item to be counted")
        modes: list[str] = []
        console.internals.store.subscribe(lambda change: modes.append(change.state.connection.mode))
        proxy.drop_sockets()
        until(lambda: "reconnecting" in modes and modes[-1] == "live", "the console to come back")


@pytest.mark.every_version
@pytest.mark.needs("lists_pages")
@pytest.mark.slow
@pytest.mark.parametrize("prepend", [False, True])
def test_an_unloadable_item_does_not_hide_others(wire: Wire, prepend: bool) -> None:
    """Before 6.7 no page with an unloadable item can be read: those before and after it are read all the same."""
    done = wire.enqueue(runs=7)["item_ids"]
    wire.wait_until_idle()
    _poison(wire, prepend=prepend)
    waiting = wire.enqueue(runs=3)["item_ids"]
    with iw.connect(wire.server.url) as console:
        until(lambda: sorted(done + waiting) == sorted(item.item_id for item in console.queue), "the other items")
        assert 4 == console.status.pending


@pytest.mark.every_version
@pytest.mark.slow
def test_an_unloadable_item_right_behind_a_running_one_is_found(console: iw.Console, wire: Wire) -> None:
    """Up to 6.13 the worker then says for good that it is processing."""
    wire.start(sleep(1))
    batch_id = _poison(wire)
    until(lambda: console.status.wedge is not None and (batch_id,) == console.status.wedge.batch_ids, "the stuck queue")


@pytest.mark.every_version
@pytest.mark.slow
def test_second_stuck_queue_names_its_own_batch(console: iw.Console, wire: Wire) -> None:
    """If the batch that blocks the queue is canceled and another one blocks it, that one is named."""
    first = _poison(wire)
    until(lambda: console.status.wedge is not None and (first,) == console.status.wedge.batch_ids, "the first")
    second = _poison(wire)
    wire.put("cancel_by_batch_ids", {"batch_ids": [first]})
    until(lambda: console.status.wedge is not None and (second,) == console.status.wedge.batch_ids, "the second")


def test_a_check_asked_for_at_any_moment_is_answered(console: iw.Console) -> None:
    """One is asked for, and another after so many rounds of the loop, which cuts short what the first has begun."""
    reconnect = console.internals.actions.reconnect

    async def ask_twice(rounds: int) -> None:
        first = asyncio.create_task(reconnect())
        for _ in range(rounds):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await asyncio.gather(first, reconnect())

    for rounds in range(20):
        console.internals.call(ask_twice(rounds))
