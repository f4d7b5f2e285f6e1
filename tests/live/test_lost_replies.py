"""Requests whose replies are lost or faulty: each submit, cancel and retry has one effect, and says what is known."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import ServerFailure, ServerUnreachable, SubmissionFailed
from invoke_widgets.events import QueueCleared
from tests.support.chaos import ChaosProxy
from tests.support.graphs import Graph, add_and_multiply, divide, fail, graph, sleep
from tests.support.servers import EmbeddedServer
from tests.support.wire import Wire, until

_THREADS = 4


def _submit_many(console: iw.Console, count: int) -> list[iw.Batch]:
    batches: list[iw.Batch] = []

    def work(mine: int) -> None:
        for number in range(mine):
            batches.append(console.submit(add_and_multiply(), destination=f"n{number % 7}"))

    workers = [threading.Thread(target=work, args=(count // _THREADS,)) for _ in range(_THREADS)]
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


@pytest.mark.every_version
@pytest.mark.slow
def test_lost_replies_neither_duplicate_nor_lose_submits(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A third of 120 submits lose their reply and a few their request: each is in the queue once, with its ids."""
    through.pause()
    proxy.lose_reply(fraction=1 / 3, seed=5, path="enqueue_batch")
    proxy.lose_request(fraction=0.05, seed=6, path="enqueue_batch")
    batches = _submit_many(through, 120)
    assert proxy.actions()["lose_reply"] > 20
    assert proxy.actions()["lose_request"] > 0
    _check_once_each(wire, batches, 120)


@pytest.mark.slow
def test_submit_that_may_have_arrived_names_its_batch(through: iw.Console, proxy: ChaosProxy, wire: Wire) -> None:
    """If the server is lost right after a submit, the error names the batch, and nothing is sent twice."""
    proxy.lose_reply(path="enqueue_batch")
    proxy.cut(path="/b/")
    with pytest.raises(iw.SubmissionFailed) as caught:
        through.submit(add_and_multiply())
    proxy.calm()
    assert caught.value.batch_id is not None
    assert 1 == len(through.batch(caught.value.batch_id).item_ids)
    assert 1 == wire.queue_status()["total"]


@pytest.mark.slow
def test_submit_whose_lookup_times_out_names_its_batch(wire: Wire, proxy: ChaosProxy) -> None:
    """If the lookup is not answered in time either, the error still names the batch."""
    with iw.connect(proxy.url, timeout=1.0) as console:
        console.submit(add_and_multiply()).wait(60)
        proxy.lose_reply(path="enqueue_batch", times=1)
        hanging = proxy.delay(600, path="/b/")
        with pytest.raises(iw.SubmissionFailed, match="not certain") as caught:
            console.submit(add_and_multiply())
        hanging.stop()
        assert 1 == len(console.batch(str(caught.value.batch_id)).item_ids)


def test_a_submit_whose_job_was_pruned_before_the_lookup_is_not_sent_again(
    through: iw.Console, wire: Wire, proxy: ChaosProxy
) -> None:
    """If the reply is lost and the finished job is pruned before it is looked for, it runs once and is returned."""
    proxy.lose_reply(path="enqueue_batch", times=1)
    proxy.server_error(path="/b/.*/status", times=3)
    with iw.connect(wire.server.url) as other, ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(through.submit, add_and_multiply())
        until(lambda: other.status.completed == 1, "the job to complete")
        until(lambda: through.status.completed == 1, "the other console to see it")
        other.prune()
        batch = submitted.result(60)
        assert list(batch.item_ids) == [item.item_id for item in other.jobs]
        assert 1 == len(batch)


def test_a_submit_whose_reply_is_lost_names_its_deleted_items_too(
    through: iw.Console, wire: Wire, proxy: ChaosProxy
) -> None:
    """An item that was deleted before the batch was looked for is one of it all the same."""
    through.pause()
    proxy.lose_reply(path="enqueue_batch", times=1)
    unanswered = proxy.server_error(path="/b/.*/status")
    with ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(through.submit, add_and_multiply(), runs=3)
        until(lambda: len(through.internals.store.state.items) == 3, "the console to see them")
        ids = sorted(wire.item_ids())
        wire.send("DELETE", f"i/{ids[1]}")
        unanswered.stop()
        batch = submitted.result(60)
    assert (ids, 3) == (list(batch.item_ids), batch.enqueued)
    through.resume()


def test_a_submit_whose_job_was_never_seen_is_not_sent_again(wire: Wire, proxy: ChaosProxy) -> None:
    """If newer ids are missing from the queue, it is not certain whether they were the batch: nothing is sent again."""
    with iw.connect(proxy.url, use_socket=False) as console, iw.connect(wire.server.url) as other:
        other.pause()
        console.refresh()
        proxy.lose_reply(path="enqueue_batch", times=1)
        proxy.server_error(path="/b/.*/status", times=3)
        proxy.server_error(path="item_summaries_by_ids", times=3)
        with ThreadPoolExecutor(1) as pool:
            submitted = pool.submit(console.submit, add_and_multiply())
            until(lambda: other.status.pending == 1, "the batch to arrive")
            other.clear()
            other.submit(add_and_multiply())
            with pytest.raises(iw.SubmissionFailed, match="not certain"):
                submitted.result(60)
        assert 1 == wire.queue_status()["total"]
        other.clear()
        other.resume()


def test_a_submit_is_not_sent_again_into_a_queue_that_was_cleared_meanwhile(
    through: iw.Console, wire: Wire, proxy: ChaosProxy
) -> None:
    """Nothing is left that would show whether it came, if its event was lost."""
    proxy.lose_request(path="enqueue_batch", times=1)
    unanswered = proxy.server_error(path="/b/.*/status")
    with ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(through.submit, add_and_multiply())
        until(lambda: any("enqueue_batch" in seen.path for seen in proxy.seen), "the request")
        wire.put("clear")
        until(lambda: any(isinstance(heard.event, QueueCleared) for heard in through.events), "the event")
        unanswered.stop()
        with pytest.raises(iw.SubmissionFailed, match="not certain"):
            submitted.result(60)
    assert 1 == sum("enqueue_batch" in seen.path for seen in proxy.seen)
    assert {} == wire.counts()


@pytest.mark.parametrize("cleared", [False, True])
def test_a_submit_that_left_no_trace_is_called_off_when_its_ids_turn_out_to_be_missing(
    wire: Wire, proxy: ChaosProxy, cleared: bool
) -> None:
    """Deleted unseen, with nothing newer, it seems never to have come, until the ids of the next one show it.

    That takes a job before it that is still there: after a clear, or where the queue was empty, nothing is sent again.
    """
    before = wire.run()["item_id"]
    with iw.connect(proxy.url, use_socket=False) as console, iw.connect(wire.server.url) as other:
        other.pause()
        console.refresh()
        proxy.lose_reply(path="enqueue_batch", times=1)
        proxy.server_error(path="/b/.*/status", times=3)
        unread = proxy.server_error(path="/item_ids")  # so that the console does not see it meanwhile
        with ThreadPoolExecutor(1) as pool:
            submitted = pool.submit(console.submit, add_and_multiply(), runs=2)
            until(lambda: wire.queue_status()["pending"] == 2, "the batch to arrive")
            if cleared:
                wire.put("clear")
            else:
                for item_id in set(wire.item_ids()) - {before}:
                    wire.send("DELETE", f"i/{item_id}")
            unread.stop()
            with pytest.raises(iw.SubmissionFailed, match="not certain"):
                submitted.result(60)
        assert ({} if cleared else {"completed": 1, "canceled": 2}) == wire.counts()
        assert (1 if cleared else 2) == sum("enqueue_batch" in seen.path for seen in proxy.seen)
        other.clear()
        other.resume()


def test_a_submit_answered_with_500_that_was_taken_is_found(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A 500 does not mean that the batch was not taken: it is looked up, and returned if it is there."""
    through.pause()
    proxy.server_error(path="enqueue_batch", times=1)
    batch = through.submit(add_and_multiply())
    assert list(batch.item_ids) == wire.item_ids()
    through.resume()


def _back_after(proxy: ChaosProxy, tried: str, seconds: float = 0.0) -> threading.Thread:
    """Stop all faults `seconds` after the first request for the path `tried`."""

    def wait() -> None:
        until(lambda: any(tried in seen.path for seen in proxy.seen), f"{tried} to be tried")
        threading.Event().wait(seconds)
        proxy.calm()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.slow
def test_submit_with_patience_waits_for_the_server(through: iw.Console, proxy: ChaosProxy, wire: Wire) -> None:
    """A submit with patience is enqueued once when the server is back, with a retry policy too."""
    proxy.offline_for(1.5)
    first = through.submit(add_and_multiply(), patience=60)
    proxy.offline_for(1.5)
    second = through.submit(add_and_multiply(), runs=2, patience=60, retry=iw.RetryPolicy())
    assert ["completed"] * 3 == [item.status for batch in (first, second) for item in batch.wait(60)]
    assert 3 == wire.queue_status()["total"]
    assert {*first.item_ids, *second.item_ids} == set(wire.item_ids())


@pytest.mark.parametrize("fault", ["lose_reply", "lose_request", "bad_gateway"])
@pytest.mark.slow
def test_submit_with_patience_is_enqueued_once(through: iw.Console, proxy: ChaosProxy, wire: Wire, fault: str) -> None:
    """If the reply is lost and the lookup fails, it is repeated later, and the batch is in the queue once."""
    through.pause()
    getattr(proxy, fault)(path="enqueue_batch")
    proxy.cut(path="/b/")
    thread = _back_after(proxy, "/b/", 4.0)
    batch = through.submit(add_and_multiply(), runs=2, patience=90)
    thread.join()
    assert 2 == wire.queue_status()["total"]
    assert sorted(wire.item_ids()) == list(batch.item_ids)


@pytest.mark.slow
def test_patience_that_runs_out_raises(through: iw.Console, proxy: ChaosProxy, wire: Wire) -> None:
    """The error is the same as without patience, whether the submit was sent or not; bad values are refused."""
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
def test_submits_during_a_restart_are_enqueued_once_each(crash: bool) -> None:
    """Batches submitted while the server stops and starts are each in the queue once."""
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
def test_large_batch_is_looked_up_for_longer(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A batch that takes the server seconds to enqueue is not sent again before it can be there."""
    through.pause()
    many = graph({f"n{number}": {"type": "add", "a": number} for number in range(400)})
    proxy.late_request(4.5, path="enqueue_batch", times=1)
    batch = through.submit(many, runs=900)
    assert (900, 900) == (len(batch), wire.queue_status()["total"])
    assert 1 == sum("enqueue_batch" in seen.path for seen in proxy.seen)


@pytest.mark.slow
def test_surplus_items_of_a_batch_sent_twice_are_canceled(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A batch that was enqueued twice keeps the requested items; the surplus is canceled and not part of it."""
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
    assert sorted(wire.item_ids())[:3] == list(own)
    assert [] == list(through.errors)


@pytest.mark.slow
def test_submit_does_not_wait_for_surplus_items_to_be_canceled(wire: Wire, proxy: ChaosProxy) -> None:
    """Surplus items are canceled in the background; a failure of that is logged."""
    with iw.connect(proxy.url, timeout=2) as console:
        console.pause()
        proxy.lose_request(path="enqueue_batch", times=1)
        proxy.double(path="enqueue_batch", times=1)
        hanging = proxy.delay(600, path="/cancel$")
        batch = console.submit(add_and_multiply(), runs=2)
        assert (2, []) == (len(batch), list(console.errors))
        until(lambda: len(console.errors), "the log to record it")
        (error,) = console.errors
        assert ("cancellation_failed", batch.batch_id, 2) == (error.error_type, error.batch_id, hanging.hits)
        assert "enqueued twice, and 2 of its 2 surplus items were not canceled" in error.message


@pytest.mark.parametrize("fault", ["bad_gateway", "half_json", "empty", "web_page", "cut"])
def test_cancel_with_a_faulty_reply_reports_the_true_outcome(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, fault: str
) -> None:
    """A cancel whose reply is faulty once is repeated or looked up, so its outcome is the server's."""
    job = through.submit(sleep(60)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    getattr(proxy, fault)(path="/cancel$", times=1)
    assert through.cancel(job.item_id).outcome in ("canceled", "already_finished")
    assert "canceled" == wire.item(job.item_id)["status"]


@pytest.mark.parametrize("fault", ["bad_gateway", "half_json", "empty", "web_page", "cut", "lose_reply"])
def test_submit_with_a_faulty_reply_is_enqueued_once(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, fault: str
) -> None:
    """A submit whose reply is faulty once, whether it arrived or not, is in the queue once."""
    through.pause()
    getattr(proxy, fault)(path="enqueue_batch", times=1)
    batch = through.submit(add_and_multiply(), runs=2)
    assert 2 == wire.queue_status()["total"]
    assert sorted(wire.item_ids()) == list(batch.item_ids)


@pytest.mark.parametrize("fault", ["half_json", "empty", "lose_reply"])
def test_bulk_cancel_with_a_faulty_reply_is_unknown(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, fault: str
) -> None:
    """A clear whose reply is faulty is neither repeated nor called a success; the snapshot still follows."""
    through.pause()
    through.submit(add_and_multiply(), runs=2)
    getattr(proxy, fault)(path="/clear$", times=1)
    assert "unknown" == through.clear().outcome
    through.refresh()
    assert len(wire.item_ids()) == len(through.queue)


@pytest.mark.every_version
@pytest.mark.parametrize("what", ["pending", "batch"])
@pytest.mark.parametrize("fault", ["lose_reply", "bad_gateway"])
def test_repeated_bulk_cancel_counts_what_the_first_one_canceled(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, fault: str, what: str
) -> None:
    """A bulk cancel whose reply is lost is repeated; that the repetition finds nothing left is not the outcome."""
    through.pause()
    batch = through.submit(add_and_multiply(), runs=2)
    through.refresh()
    getattr(proxy, fault)(path="cancel_by_batch_ids|cancel_all_except", times=1)
    canceled = through.cancel_pending() if what == "pending" else batch.cancel()
    assert ("canceled", 2) == (canceled.outcome, canceled.canceled)
    assert {"canceled": 2} == wire.counts()
    again = through.cancel_pending() if what == "pending" else batch.cancel()
    assert ("already_finished", 0) == (again.outcome, again.canceled)


@pytest.mark.parametrize("fault", ["lose_reply", "lose_request"])
def test_repeated_bulk_cancel_counts_what_the_console_does_not_know(wire: Wire, proxy: ChaosProxy, fault: str) -> None:
    """Others' items came a moment ago: the cancel that arrives takes them too, and says so."""
    with iw.connect(proxy.url, use_socket=False) as console, wire.paused():
        console.submit(add_and_multiply(), runs=2)
        console.refresh()
        wire.enqueue(add_and_multiply(), runs=3)
        getattr(proxy, fault)(path="cancel_all_except", times=1)
        canceled = console.cancel_pending()
        assert {"canceled": 5} == wire.counts()
        assert ("canceled", 5) == (canceled.outcome, canceled.canceled)


def test_batch_cancel_succeeds_without_its_counters(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """A batch whose counters cannot be read is still canceled, and the cancel is reported."""
    through.pause()
    batch = through.submit(add_and_multiply(), runs=2)
    proxy.half_json(path=rf"/b/{batch.batch_id}/status")
    canceled = batch.cancel()
    assert ("canceled", 2) == (canceled.outcome, canceled.canceled)
    assert {"canceled": 2} == wire.counts()
    assert "already_finished" == batch.cancel().outcome
    assert [] == list(through.errors)


@pytest.mark.slow
def test_clear_does_not_count_items_cleared_by_others(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """Items that vanish while the counters are read count neither as canceled nor as an error."""
    for _ in range(4):
        through.submit(sleep(60), runs=3)
        slow = proxy.delay(0.5, path="/status")
        with ThreadPoolExecutor() as pool:
            clearing = pool.submit(through.clear)
            until(lambda rule=slow: rule.hits, "the counters to be requested")
            wire.put("clear")
            cleared = clearing.result(30)
        slow.stop()
        assert ("already_finished", 0, "Cleared the queue: 0 deleted.") == (
            cleared.outcome,
            cleared.canceled,
            cleared.message,
        )


def test_clear_without_counters_counts_what_the_console_does_not_know(wire: Wire, proxy: ChaosProxy) -> None:
    """Items that came a moment ago are taken as unfinished, those that are known to have finished are not."""
    with iw.connect(proxy.url, use_socket=False) as console:
        console.submit(add_and_multiply()).wait()
        with wire.paused():
            wire.enqueue(add_and_multiply(), runs=2)
            proxy.half_json(path="/status")
            cleared = console.clear()
            assert ("canceled", 2, "Cleared the queue: 3 deleted, 2 of them unfinished.") == (
                cleared.outcome,
                cleared.canceled,
                cleared.message,
            )


def test_cancel_without_a_reply_is_unknown(through: iw.Console, wire: Wire, proxy: ChaosProxy) -> None:
    """If both the reply and the lookup fail, the outcome is unknown, not a success, and the error is logged."""
    job = through.submit(sleep(60)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    proxy.cut(path=rf"/i/{job.item_id}")
    assert "unknown" == through.cancel(job.item_id).outcome
    assert [("cancellation_failed", job.item_id, True)] == [
        (error.error_type, error.item_id, error.retryable) for error in through.errors
    ]


@pytest.mark.parametrize(("job", "status"), [(add_and_multiply(), "completed"), (divide(1, 0), "failed")])
def test_late_cancel_with_a_faulty_reply_is_already_finished(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, job: Graph, status: str
) -> None:
    """If the reply is faulty and the lookup shows that the job had ended, that is the outcome, and no error."""
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


def test_each_kind_of_cancel_while_offline_raises_and_is_logged(through: iw.Console, proxy: ChaosProxy) -> None:
    """All raise the same error with the address, and are in both logs, even while the server's version is unknown."""
    through.pause()
    batch = through.submit(add_and_multiply())

    def attempt(cancel: Callable[[], object]) -> None:
        with pytest.raises(iw.CancellationFailed, match=f"canceled.*{re.escape(proxy.url)}"):
            cancel()

    with proxy.offline():
        attempt(lambda: through.cancel(batch.item_ids[0]))
        until(lambda: through.status.connection.mode == "reconnecting", "the loss to be seen")
        attempt(lambda: through.cancel(batch.item_ids[0]))
        attempt(lambda: through.cancel_batch(batch.batch_id))
        attempt(through.cancel_pending)
        attempt(through.clear)
    assert [(scope, "unknown") for scope in ("item", "item", "batch", "pending", "clear")] == [
        (c.scope, c.outcome) for c in through.cancellations if c.message
    ]
    assert ["cancellation_failed"] * 5 == [error.error_type for error in through.errors]


@pytest.mark.parametrize(("left", "says"), [(2, "only 2 of its 3 items were found"), (0, "not certain")])
def test_a_submit_whose_items_were_deleted_unseen_says_so(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, left: int, says: str
) -> None:
    """If the reply is lost, and items are deleted before anything is read of them, it raises, and is not sent again."""
    through.pause()
    proxy.lose_reply(path="enqueue_batch", times=1)
    unanswered = proxy.server_error(path="/b/.*/status")
    blind = proxy.server_error(path="socket.io|ids$|item_ids")
    proxy.drop_sockets()
    with ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(through.submit, add_and_multiply(), runs=3)
        until(lambda: len(wire.item_ids()) == 3, "the batch to come")
        for item_id in sorted(wire.item_ids())[: 3 - left]:
            wire.send("DELETE", f"i/{item_id}")
        blind.stop()
        unanswered.stop()
        with pytest.raises(iw.SubmissionFailed, match=says):
            submitted.result(60)
    assert left == len(wire.item_ids())


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_retry_answered_with_500_may_have_been_taken(
    through: iw.Console, wire: Wire, proxy: ChaosProxy, is_taken: bool
) -> None:
    """It says that this is not certain if there is a new item, and else that the server failed."""
    failed = wire.run(fail())["item_id"]
    through.refresh()
    proxy.server_error(path="retry_items_by_id", reaches_server=is_taken)
    with pytest.raises(iw.SubmissionFailed if is_taken else ServerFailure):
        through.retry(failed)
    assert 1 + is_taken == len(wire.item_ids())


def test_a_retry_whose_new_items_cannot_be_read_says_that_it_was_taken(
    through: iw.Console, proxy: ChaosProxy, wire: Wire
) -> None:
    """The reply to the retry came, those to the reads after it did not: it must not look as if it had failed."""
    job = through.submit(divide(1, 0)).jobs[0]
    with pytest.raises(iw.ExecutionFailed):
        job.wait(60)
    through.refresh()
    proxy.lose_reply(path="items_by_ids")
    with pytest.raises(SubmissionFailed, match="The retry was taken, but the connection broke before its new items"):
        through.retry(job.item_id)
    assert 2 == len(wire.get("list_all"))
