"""What happens when the network or the server does not do as it should: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import ServerUnreachable
from tests.support.chaos import ChaosProxy
from tests.support.graphs import Graph, add_and_multiply, divide, fail, graph, sleep
from tests.support.servers import EmbeddedServer, RealServer
from tests.support.wire import Wire, until


@pytest.fixture
def proxy(wire: Wire) -> Iterator[ChaosProxy]:
    with ChaosProxy(wire.server.url) as proxy:
        yield proxy


@pytest.fixture
def through(proxy: ChaosProxy) -> Iterator[iw.Console]:
    """A console behind the proxy."""
    with iw.connect(proxy.url) as console:
        yield console


def _submit_many(console: iw.Console, count: int, threads: int = 4) -> list[iw.Batch]:
    batches: list[iw.Batch] = []

    def work(mine: int) -> None:
        for number in range(mine):
            batches.append(console.submit(add_and_multiply(), destination=f"n{number % 7}"))

    workers = [threading.Thread(target=work, args=(count // threads,)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return batches


def _check_once_each(wire: Wire, batches: list[iw.Batch], count: int) -> None:
    assert count == len(batches)
    items = wire.get("list_all")
    by_batch = Counter(item["batch_id"] for item in items)
    assert {batch.batch_id: 1 for batch in batches} == dict(by_batch)
    assert sorted(item["item_id"] for item in items) == sorted(i for batch in batches for i in batch.item_ids)


@pytest.mark.slow
def test_lost_replies_double_and_lose_nothing(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Of 120 submits a third lose their reply and a few their request: each is in the queue once, with its ids."""
    through.pause()
    proxy.lose_reply(fraction=1 / 3, seed=5, path="enqueue_batch")
    proxy.lose_request(fraction=0.05, seed=6, path="enqueue_batch")
    batches = _submit_many(through, 120)
    assert proxy.actions()["lose_reply"] > 20
    assert proxy.actions()["lose_request"] > 0
    _check_once_each(wire, batches, 120)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_submits(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Of 1,000 submits a third lose their reply: 0 duplicates, 0 lost."""
    through.pause()
    proxy.lose_reply(fraction=1 / 3, seed=1, path="enqueue_batch")
    batches = _submit_many(through, 1000)
    lost = proxy.actions()["lose_reply"]
    print(f"\n{lost} of 1000 replies lost")
    assert lost > 250
    _check_once_each(wire, batches, 1000)


@pytest.mark.slow
def test_a_submit_that_may_have_arrived_says_so(through: iw.Console, proxy: ChaosProxy, wire: Wire) -> None:
    """Where the server is gone right after a submit, the error names the batch to look for; nothing is sent twice."""
    proxy.lose_reply(path="enqueue_batch")
    proxy.cut(path="/b/")
    with pytest.raises(iw.SubmissionFailed) as caught:
        through.submit(add_and_multiply())
    proxy.calm()
    assert caught.value.batch_id is not None
    assert 1 == len(through.batch(caught.value.batch_id).item_ids)
    assert 1 == wire.queue_status()["total"]


@pytest.mark.slow
def test_a_submit_that_cannot_be_looked_for_says_so(wire: Wire, proxy: ChaosProxy) -> None:
    """Where the looking is not answered in time either, the error still names the batch."""
    with iw.connect(proxy.url, timeout=1.0) as console:
        console.submit(add_and_multiply()).wait(60)
        proxy.lose_reply(path="enqueue_batch", times=1)
        hanging = proxy.delay(600, path="/b/")
        with pytest.raises(iw.SubmissionFailed, match="not certain") as caught:
            console.submit(add_and_multiply())
        hanging.stop()
        assert 1 == len(console.batch(str(caught.value.batch_id)).item_ids)


def _back_after(proxy: ChaosProxy, tried: str, seconds: float = 0.0) -> threading.Thread:
    """Stops all trouble once something was tried; nobody is told."""

    def wait() -> None:
        until(lambda: any(tried in seen.path for seen in proxy.seen), f"{tried} to be tried")
        threading.Event().wait(seconds)
        proxy.calm()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_submit_waits_for_the_servers_return(through: iw.Console, proxy: ChaosProxy, wire: Wire) -> None:
    """With patience a submit to a server that is away comes to be once, when it is back; with a policy, too."""
    proxy.offline_for(1.5)
    first = through.submit(add_and_multiply(), patience=60)
    proxy.offline_for(1.5)
    second = through.submit(add_and_multiply(), runs=2, patience=60, retry=iw.RetryPolicy())
    assert ["completed"] * 3 == [item.status for batch in (first, second) for item in batch.wait(60)]
    assert 3 == wire.queue_status()["total"]
    assert {*first.item_ids, *second.item_ids} == set(wire.get("item_ids")["item_ids"])


@pytest.mark.parametrize("trouble", ["lose_reply", "lose_request", "bad_gateway"])
@pytest.mark.slow
def test_a_patient_submit_is_not_doubled(through: iw.Console, proxy: ChaosProxy, wire: Wire, trouble: str) -> None:
    """Where its answer is lost and nothing can be looked for, it is looked for later, and is in the queue once."""
    through.pause()
    getattr(proxy, trouble)(path="enqueue_batch")
    proxy.cut(path="/b/")
    thread = _back_after(proxy, "/b/", 4.0)
    batch = through.submit(add_and_multiply(), runs=2, patience=90)
    thread.join()
    assert 2 == wire.queue_status()["total"]
    assert wire.get("item_ids", order_dir="ASC")["item_ids"] == list(batch.item_ids)


@pytest.mark.slow
def test_patience_has_an_end(through: iw.Console, proxy: ChaosProxy, wire: Wire) -> None:
    """When it is over, the error is as without: what was not sent, and what may have been; a bad one is refused."""
    with proxy.offline(), pytest.raises(ServerUnreachable):
        through.submit(add_and_multiply(), patience=0.5)
    until(lambda: through.status.connection.mode == "live", "the console to come back")
    proxy.lose_reply(path="enqueue_batch")
    proxy.cut(path="/b/")
    with pytest.raises(iw.SubmissionFailed, match="not certain") as caught:
        through.submit(add_and_multiply(), patience=0.5)
    proxy.calm()
    assert 1 == len(through.batch(str(caught.value.batch_id)).item_ids)
    assert 1 == wire.queue_status()["total"]
    for patience in (-1, True, "long", float("nan")):
        with pytest.raises(iw.InvalidRequest, match="patience: should be"):
            through.submit(add_and_multiply(), patience=patience)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("crash", [True, False])
def test_submits_through_a_restart(crash: bool) -> None:
    """Submits one after the other while the server is ended and started again: each batch is there once."""
    server = EmbeddedServer()
    server.start()
    try:
        with iw.connect(server.url) as console, Wire(server) as wire:
            restarting = threading.Thread(target=server.restart, kwargs={"crash": crash})
            batches = [console.submit(add_and_multiply(), patience=60)]
            restarting.start()
            while restarting.is_alive() or len(batches) < 30:
                batches.append(console.submit(add_and_multiply(), patience=60))
            restarting.join()
            _check_once_each(wire, batches, len(batches))
    finally:
        server.stop()


@pytest.mark.slow
def test_a_large_batch_is_looked_for_longer(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A batch whose items a server may need seconds to make is not sent again before they can be there."""
    through.pause()
    many = graph({f"n{number}": {"type": "add", "a": number} for number in range(400)})
    proxy.late_request(4.5, path="enqueue_batch", times=1)
    batch = through.submit(many, runs=900)
    assert (900, 900) == (len(batch), wire.queue_status()["total"])
    assert 1 == sum("enqueue_batch" in seen.path for seen in proxy.seen)


@pytest.mark.slow
def test_what_arrived_twice_is_taken_back(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A batch that was sent again for nothing has what was asked for; the rest is canceled, and is none of it."""
    through.pause()
    proxy.lose_request(path="enqueue_batch", times=1)
    proxy.double(path="enqueue_batch", times=1)
    batch = through.submit(add_and_multiply(), data={"add.a": [1, 2, 3]})
    until(lambda: wire.counts() == {"pending": 3, "canceled": 3}, "the rest to be canceled")
    through.refresh()
    own = batch.item_ids
    assert ((3, 3), 3, own) == ((len(own), len(batch)), batch.enqueued, through.batch(batch.batch_id).item_ids)
    through.resume()
    assert [30, 40, 50] == [result["mul"]["value"] for result in batch.result(60)]
    assert sorted(wire.get("item_ids")["item_ids"])[:3] == list(own)
    assert [] == list(through.errors)


@pytest.mark.slow
def test_taking_back_keeps_nobody_waiting(wire: Wire, proxy: ChaosProxy) -> None:
    """A submit does not wait until what arrived twice is canceled; where that cannot be, the log says so."""
    with iw.connect(proxy.url, timeout=2) as console:
        console.pause()
        proxy.lose_request(path="enqueue_batch", times=1)
        proxy.double(path="enqueue_batch", times=1)
        hanging = proxy.delay(600, path="/cancel$")
        batch = console.submit(add_and_multiply(), runs=2)
        assert (2, []) == (len(batch), list(console.errors))
        until(lambda: len(console.errors), "the log to tell of it")
        (error,) = console.errors
        assert ("cancellation_failed", batch.batch_id, 2) == (error.error_type, error.batch_id, hanging.hits)
        assert "enqueued twice, and 2 of its 2 surplus items were not canceled" in error.message


@pytest.mark.parametrize("trouble", ["bad_gateway", "half_json", "empty", "web_page", "cut"])
def test_a_cancel_through_trouble_tells_the_truth(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, trouble: str
) -> None:
    """A cancel whose reply is spoilt once is repeated or looked up: what it says is what the server has."""
    job = through.submit(sleep(60)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    getattr(proxy, trouble)(path="/cancel$", times=1)
    assert through.cancel(job.item_id).outcome in ("canceled", "already_finished")
    assert "canceled" == wire.item(job.item_id)["status"]


@pytest.mark.parametrize("trouble", ["bad_gateway", "half_json", "empty", "web_page", "cut", "lose_reply"])
def test_a_submit_through_trouble_arrives_once(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, trouble: str
) -> None:
    """A submit whose reply is spoilt once, whether it reached the server or not, is in the queue once."""
    through.pause()
    getattr(proxy, trouble)(path="enqueue_batch", times=1)
    batch = through.submit(add_and_multiply(), runs=2)
    assert 2 == wire.queue_status()["total"]
    assert wire.get("item_ids", order_dir="ASC")["item_ids"] == list(batch.item_ids)


@pytest.mark.parametrize("trouble", ["half_json", "empty", "lose_reply"])
def test_a_bulk_cancel_through_trouble_claims_nothing(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, trouble: str
) -> None:
    """A clear whose reply is spoilt is not repeated and not called a success; the picture follows all the same."""
    through.pause()
    through.submit(add_and_multiply(), runs=2)
    getattr(proxy, trouble)(path="/clear$", times=1)
    assert "unknown" == through.clear().outcome
    through.refresh()
    assert len(wire.get("item_ids")["item_ids"]) == len(through.queue)


def test_a_batch_is_canceled_though_its_counters_cannot_be_read(
    through: iw.Console, wire: Wire, proxy: ChaosProxy
) -> None:
    """What a batch's cancel counts besides is no part of it: where that fails, the cancel is done and told."""
    through.pause()
    batch = through.submit(add_and_multiply(), runs=2)
    proxy.half_json(path=rf"/b/{batch.batch_id}/status")
    canceled = batch.cancel()
    assert ("canceled", 2) == (canceled.outcome, canceled.canceled)
    assert {"canceled": 2} == wire.counts()
    assert "already_finished" == batch.cancel().outcome
    assert [] == list(through.errors)


@pytest.mark.slow
def test_others_may_clear_the_queue_meanwhile(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Items that vanish while the counters are being asked for are none that were canceled, and no error."""
    for _ in range(4):
        through.submit(sleep(60), runs=3)
        slow = proxy.delay(0.5, path="/status")
        with ThreadPoolExecutor() as pool:
            clearing = pool.submit(through.clear)
            until(lambda rule=slow: rule.hits, "the counters to be asked for")
            wire.put("clear")
            cleared = clearing.result(30)
        slow.stop()
        assert ("already_finished", 0, "Cleared the queue: 0 deleted, 0 of them unfinished.") == (
            cleared.outcome,
            cleared.canceled,
            cleared.message,
        )


def test_a_cancel_without_an_answer_is_unknown(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Where neither the answer nor a look can be had, the outcome is unknown, not a success, and the error is kept."""
    job = through.submit(sleep(60)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    proxy.cut(path=rf"/i/{job.item_id}")
    assert "unknown" == through.cancel(job.item_id).outcome
    assert [("cancellation_failed", job.item_id, True)] == [
        (error.error_type, error.item_id, error.retryable) for error in through.errors
    ]


@pytest.mark.parametrize(("job", "status"), [(add_and_multiply(), "completed"), (divide(1, 0), "failed")])
def test_a_cancel_that_came_too_late(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, job: Graph, status: str
) -> None:
    """Where the answer is spoilt and a look shows that the job had ended, that is the outcome, and no error."""
    (item_id,) = wire.enqueue(job)["item_ids"]
    wire.wait_for(item_id)
    proxy.half_json(path="/cancel$")
    done = through.cancel(item_id)
    assert ("already_finished", 0, f"Item {item_id} had already {status}.") == (
        done.outcome,
        done.canceled,
        done.message,
    )
    assert [] == [error for error in through.errors if error.error_type == "cancellation_failed"]


@pytest.mark.parametrize("what", ["cancel", "cancel_batch", "cancel_pending", "clear"])
def test_each_cancel_while_offline_says_why(through: iw.Console, proxy: ChaosProxy, what: str) -> None:
    """All four raise the same, and log it, also right after a reconnect, when the server's version is not known."""
    through.pause()
    batch = through.submit(add_and_multiply())
    given = {"cancel": [batch.item_ids[0]], "cancel_batch": [batch.batch_id]}.get(what, [])
    with proxy.offline():
        until(lambda: through.status.connection.mode == "reconnecting", "the loss to be seen")
        with pytest.raises(iw.CancellationFailed):
            getattr(through, what)(*given)
        assert ["cancellation_failed"] == [error.error_type for error in through.errors]


@pytest.mark.slow
def test_reconnects_after_a_broken_socket(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """What happened while the socket was broken is in the picture afterwards, nothing twice."""
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


def test_an_action_while_offline_says_why(through: iw.Console, proxy: ChaosProxy) -> None:
    """While the server is away an action raises, names the address, and is in the error log."""
    with proxy.offline(), pytest.raises(iw.CancellationFailed) as caught:
        through.cancel(1)
    assert proxy.url in str(caught.value)
    assert ["cancellation_failed"] == [error.error_type for error in through.errors]


def test_a_cancel_that_could_not_be_sent_is_recorded(through: iw.Console, proxy: ChaosProxy) -> None:
    """Each was asked for: that nothing came of it is in the log, too, also where not even the version is known."""
    with proxy.offline():
        until(lambda: through.status.connection.mode == "reconnecting", "the outage to be noticed")
        for cancel in (
            lambda: through.cancel(1),
            lambda: through.cancel_batch("b"),
            through.cancel_pending,
            through.clear,
        ):
            with pytest.raises(iw.CancellationFailed, match="canceled"):
                cancel()
    assert [("item", "unknown"), ("batch", "unknown"), ("pending", "unknown"), ("clear", "unknown")] == [
        (c.scope, c.outcome) for c in through.cancellations if c.message
    ]
    assert 4 == len(through.errors)


@pytest.mark.slow
def test_a_failure_that_was_pruned_before_it_was_read_is_recorded() -> None:
    """That a job failed is known from a summary, which only newer servers have; why, nobody can say any more."""
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


@pytest.mark.slow
def test_without_a_socket_the_picture_is_polled(wire: Wire, proxy: ChaosProxy) -> None:
    """Where no socket can be had the console polls, and sees what others do; the socket is used once it is there."""
    rule = proxy.cut(path="socket.io")
    with iw.connect(proxy.url) as console:
        assert "polling" == console.status.connection.mode
        done = wire.run()
        until(lambda: [i.status for i in console.queue] == ["completed"], "polling to see the job")
        wire.delete(f"i/{done['item_id']}")
        until(lambda: console.queue == [], "polling to see the deletion")
        rule.stop()
        console.refresh()
        until(lambda: console.status.connection.mode == "live", "the socket to be taken")


@pytest.mark.slow
def test_silent_changes_are_noticed(console: iw.Console, wire: Wire) -> None:
    """What the server sends no event for is noticed all the same, also a second time: pause, prune, a deleted item."""
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
def test_a_restarted_server(kind: str) -> None:
    """Over a restart: what ran is canceled, what waited goes on, the picture comes back by itself."""
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
def test_another_servers_queue_at_the_same_address() -> None:
    """If the address leads to another queue after a restart, its ids are not taken for the old jobs."""
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
    ("trouble", "words"), [("web_page", "web page"), ("half_json", "half of it"), ("empty", "not JSON")]
)
def test_connecting_to_something_else(wire: Wire, proxy: ChaosProxy, trouble: str, words: str) -> None:
    """Connecting to what is not InvokeAI raises an error that says what answered, and leaves no thread behind."""
    getattr(proxy, trouble)(path="/api/")
    before = threading.active_count()
    with pytest.raises(iw.JobException) as caught:
        iw.connect(proxy.url)
    assert words in str(caught.value)
    assert before == threading.active_count()


def test_connecting_to_nothing() -> None:
    """Connecting where nothing listens names the address and the remedy."""
    with pytest.raises(ServerUnreachable) as caught:
        iw.connect("http://127.0.0.1:9")
    assert "127.0.0.1:9" in str(caught.value)
    assert "iw.demo()" in str(caught.value)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_thousand_failures_are_recorded_once_each() -> None:
    """1,000 failing jobs, the socket dropped 20 times, the server restarted twice: 1,000 error records, each once."""
    server = EmbeddedServer()
    server.start()
    try:
        with ChaosProxy(server.url) as proxy, iw.connect(proxy.url) as console, Wire(server) as wire:
            batch = console.submit(fail(seconds=0.01), runs=1000)

            def failed() -> int:
                return int(wire.queue_status()["failed"])

            for drop in range(20):
                until(lambda: failed() >= 45 * drop, "more failures")  # noqa: B023 - called at once
                if drop:
                    console.reconnect()  # it would wait longer and longer for a socket that breaks again and again
                proxy.drop_sockets()
                if drop in (7, 14):
                    wire.put("processor/pause")
                    until(lambda: not wire.get("status")["processor"]["is_processing"], "the worker to be free")
                    server.restart()
            until(lambda: failed() == 1000, "all to have failed")
            until(lambda: console.status.connection.mode == "live", "the console to be live")
            console.refresh()
            until(lambda: len(console.errors) >= 1000, "all records")
            recorded = Counter(error.item_id for error in console.errors if error.item_id is not None)
            assert dict.fromkeys(batch.item_ids, 1) == dict(recorded)
            assert 20 <= proxy.actions()[None]
    finally:
        server.stop()


@pytest.mark.slow
def test_no_unanswered_read_hides_that_the_socket_broke(wire: Wire) -> None:
    """A read that is never answered does not hold up the reconnect, whatever time it would be given."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url, timeout=600) as console:
        hanging = proxy.delay(600, path="/item_ids", times=1)
        wire.enqueue()
        until(lambda: hanging.hits, "the read")
        proxy.drop_sockets()
        until(lambda: sum("/ws/" in request.path for request in proxy.seen) == 2, "another socket")
        until(lambda: console.status.connection.mode == "live", "the console to be live")
        until(lambda: [item.status for item in console.queue] == ["completed"], "the picture")
        assert 1 == hanging.hits


@pytest.mark.slow
def test_a_socket_that_is_accepted_and_closed(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Where websockets are accepted and closed at once the console polls, and listens when they are kept."""
    rule = proxy.hang_up(path="socket.io")
    proxy.drop_sockets()
    until(lambda: through.status.connection.mode == "polling", "the console to poll")
    wire.run()
    until(lambda: ["completed"] == [item.status for item in through.queue], "the job")
    rule.stop()
    assert "live" == through.reconnect().mode


@pytest.mark.slow
def test_a_socket_that_is_not_answered(wire: Wire, proxy: ChaosProxy) -> None:
    """Where a proxy swallows websockets the console polls beside trying, and can be closed meanwhile."""
    hanging = proxy.delay(600, path="socket.io")
    with iw.connect(proxy.url) as console:
        assert ("polling", "") == (console.status.connection.mode, console.status.connection.error)
        wire.run()
        until(lambda: ["completed"] == [item.status for item in console.queue], "the job")
        assert hanging.hits


@pytest.mark.slow
def test_a_socket_that_breaks_again_and_again(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Where each socket breaks right after it was had the console polls more and more, and misses nothing."""
    rule = proxy.drop(0.3, path="socket.io")
    proxy.drop_sockets()
    until(lambda: through.status.connection.mode == "polling", "the console to poll")
    wire.run()
    until(lambda: ["completed"] == [item.status for item in through.queue], "the job")
    rule.stop()
    through.reconnect()
    until(lambda: through.status.connection.mode == "live", "the console to be live")


@pytest.mark.slow
def test_an_error_that_nobody_thought_of(
    console: iw.Console, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told as a lost connection, with a traceback in the log, and the console comes back."""
    read, modes = console._client.get_queue_status, []
    console.store.subscribe(lambda change: modes.append(change.state.connection.mode))
    answers = iter([TypeError("unthought of")])

    async def once() -> object:
        for error in answers:
            raise error
        return await read()

    monkeypatch.setattr(console._client, "get_queue_status", once)
    until(lambda: "reconnecting" in modes and modes[-1] == "live", "the console to come back")
    assert "TypeError: unthought of" in caplog.text
    assert "completed" == console.submit(add_and_multiply()).jobs[0].wait(60).status


def test_progress_does_not_hide_a_silent_change(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """On a distant server a job that reports all the time keeps no deletion from being seen, and no refresh waiting."""
    wire.run()
    done = wire.run()
    (running,) = wire.start(sleep(60, steps=1200))
    until(lambda: len(through.queue) == 3, "all items")
    proxy.delay(0.3, path="/status$")
    wire.delete(f"i/{done['item_id']}")
    until(lambda: len(through.queue) == 2, "the deletion to be seen")
    through.refresh()
    wire.put(f"i/{running}/cancel")


def test_refreshing_on_a_busy_server(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A refresh does not wait until the queue is quiet, though the queue changes whenever the server is asked."""
    proxy.delay(0.3, path="/status$")
    batch = wire.enqueue(sleep(0.05), runs=900)["batch"]["batch_id"]
    assert 900 == len(through.batch(batch).item_ids)
    through.refresh()
    assert 0 < wire.queue_status()["pending"]


def test_what_happens_thrice_in_a_second_is_heard_thrice(console: iw.Console, wire: Wire) -> None:
    """Events that are alike are no copies, where the server sends none."""
    number = 3 if wire.server.has("events_once") else 1
    for _ in range(3):
        wire.put("clear")
    until(lambda: number <= sum("QueueCleared" in repr(heard) for heard in console.events), "all three")


@pytest.mark.slow
def test_a_status_is_not_followed_by_an_older_one(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Counters that were read while connecting do not replace those that an event told meanwhile."""
    seen: list[int] = []
    through.store.subscribe(lambda change: seen.append(change.state.status.completed if change.state.status else 0))
    slow = proxy.delay(1.0, path="/queue/default/status$", times=1)
    proxy.drop_sockets()
    until(lambda: slow.hits, "the counters to be asked for")
    wire.run()
    until(lambda: through.status.completed == 1 and through.status.connection.mode == "live", "the picture")
    assert sorted(seen) == seen


@pytest.mark.slow
def test_a_pause_is_not_undone_by_older_counters(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """What was read before a pause, and is answered after it, does not say for a moment that the worker runs."""
    seen: list[bool] = []
    through.store.subscribe(
        lambda change: seen.append(bool(change.state.processor and change.state.processor.is_started))
    )
    slow = proxy.delay(1.0, path="/queue/default/status$", times=1)
    until(lambda: slow.hits, "the counters to be asked for")
    through.pause()
    seen.clear()
    later = proxy.delay(0.0, path="/queue/default/status$", times=1)
    until(lambda: later.hits, "the counters to be asked for once more")
    through.refresh()
    assert {False} == set(seen)


def test_a_queue_that_will_not_be_read_any_more(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Where reading has ended with items unread, the picture is told as it is."""
    hanging = proxy.delay(600, path="item_summaries_by_ids|items_by_ids")
    with wire.paused():
        wire.enqueue(runs=2)
        until(lambda: hanging.hits, "the read")
        through._loop.call(_end(through))
        assert "closed" == through.status.connection.mode
        assert [] == through.queue


async def _end(console: iw.Console) -> None:
    task = console._resources.task
    assert task is not None
    task.cancel()
    await asyncio.wait({task})


# -- what older versions do, as far as a newer one can be made to look like one ----------------------------------------


def _as_version(proxy: ChaosProxy, version: str) -> None:
    proxy.say(json.dumps({"version": version}).encode(), path="/app/version$")


def _poison(wire: Wire) -> str:
    """A batch with an item that no version can load."""
    data = [[{"node_path": "add", "field_name": "a", "items": ["x"]}]]
    batch_id: str = wire.enqueue(data=data)["batch"]["batch_id"]
    return batch_id


@pytest.mark.slow
def test_an_item_that_cannot_be_loaded_hides_no_silent_change(wire: Wire, proxy: ChaosProxy) -> None:
    """Up to 6.13 such an item is never read; what others do is seen all the same, and a refresh ends."""
    _as_version(proxy, "6.13.8")
    wire.run()
    _poison(wire)
    with iw.connect(proxy.url) as console:
        assert 1 == len(console.queue)
        wire.put("prune")
        until(lambda: console.queue == [], "the prune to be seen")
        console.refresh()
        assert 1 == len(console.store.state.unread)


@pytest.mark.slow
def test_an_item_that_vanishes_before_it_is_read(wire: Wire, proxy: ChaosProxy) -> None:
    """Up to 6.13 an item that was listed, and is gone when it is to be read, is not waited for, for ever."""
    _as_version(proxy, "6.13.8")
    done = wire.run()
    proxy.say(b"[]", path="/items_by_ids$")
    with iw.connect(proxy.url) as console:
        assert {done["item_id"]} == console.store.state.unread
        wire.delete(f"i/{done['item_id']}")
        until(lambda: not console.store.state.unread, "the item to be forgotten")
        assert [] == console.queue


@pytest.mark.slow
def test_coming_back_to_a_queue_that_cannot_be_listed(wire: Wire, proxy: ChaosProxy) -> None:
    """Before 6.7 one item that cannot be loaded hides all the others; the console comes back all the same."""
    _as_version(proxy, "6.0.2")
    wire.run()
    with iw.connect(proxy.url) as console:
        assert 1 == len(console.queue)
        _poison(wire)
        until(lambda: 1 == console.status.pending, "the item to be counted")
        modes: list[str] = []
        console.store.subscribe(lambda change: modes.append(change.state.connection.mode))
        proxy.drop_sockets()
        until(lambda: "reconnecting" in modes and modes[-1] == "live", "the console to come back")


@pytest.mark.slow
def test_a_second_wedge(console: iw.Console, wire: Wire) -> None:
    """When the batch that wedged the queue is canceled and another one wedges it, that one is named."""
    first = _poison(wire)
    until(lambda: console.status.wedge is not None and (first,) == console.status.wedge.batch_ids, "the first")
    second = _poison(wire)
    wire.put("cancel_by_batch_ids", {"batch_ids": [first]})
    until(lambda: console.status.wedge is not None and (second,) == console.status.wedge.batch_ids, "the second")
