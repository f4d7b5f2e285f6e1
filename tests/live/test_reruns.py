"""Jobs with a `RetryPolicy`: each attempt is made exactly once, and every view of it is truthful."""

from __future__ import annotations

import asyncio
import gc
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import JobTimeout
from invoke_widgets.events import ItemStatusChanged
from invoke_widgets.jobs import reruns
from invoke_widgets.jobs.newer import NewerItems
from invoke_widgets.notices import BatchDone, JobFailed, JobFinished, Notice
from invoke_widgets.records import FAILED, Cancellation
from invoke_widgets.widgets import queue_table
from invoke_widgets.widgets.error_log import facts
from tests.support.chaos import ChaosProxy
from tests.support.graphs import Graph, add_and_multiply, fail, sleep
from tests.support.servers import EmbeddedServer
from tests.support.wire import Wire, until

LOST = "Connection reset by peer"
MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB"


def flaky(times: int, **fields: Any) -> Graph:
    """A node that fails this many times, then completes."""
    return fail(LOST, times=times, name=uuid.uuid4().hex, **fields)


def soon(**options: Any) -> iw.RetryPolicy:
    return iw.RetryPolicy(backoff_s=0.05, **options)


def chain_of(wire: Wire, root: int) -> list[tuple[int, str]]:
    """Return the attempts at a job, as the server has them."""
    items = sorted(wire.get("list_all"), key=lambda item: int(item["item_id"]))
    return [(i["item_id"], i["status"]) for i in items if root in (i["item_id"], i.get("retried_from_item_id"))]


def test_job_is_retried_until_it_completes(console: iw.Console, wire: Wire) -> None:
    """After two lost connections, waiting in any form gives the third attempt, and all are linked."""
    batch = console.submit(flaky(2), retry=soon(attempts=3))
    (job,) = batch.jobs
    assert 2 == job.result(60)["fail"]["value"]

    async def cell() -> Any:
        return await job

    item = asyncio.run(cell())
    assert ("completed", job.attempts[-1]) == (item.status, item.item_id)
    assert [(i, s) for i, s in zip(job.attempts, ["failed", "failed", "completed"], strict=True)] == chain_of(
        wire, job.item_id
    )
    assert ("completed", job.attempts) == (job.status, batch.item_ids)
    assert [job] == batch.jobs == list(iw.as_completed(batch, timeout=60))
    assert 1 == len(batch)
    assert (1, 0, 1) == (batch.status.completed, batch.status.failed, batch.status.total)
    assert [item.item_id] == [one.item_id for one in batch.wait(60)]
    assert [1, 2] == [error.attempt for error in console.errors if error.item_id is not None]
    assert str(job.attempts)[1:-1] in repr(job)


def test_last_failure_is_raised_when_the_attempts_are_used_up(console: iw.Console, wire: Wire) -> None:
    """It says which attempt it was, and no further one is made."""
    batch = console.submit(fail(LOST), retry=soon(attempts=2))
    with pytest.raises(iw.NetworkError, match="attempt 2") as caught:
        batch.jobs[0].wait(60)
    first, second = batch.jobs[0].attempts
    assert (second, (first, second)) == (caught.value.item_id, caught.value.details["attempts"])
    assert [(first, "failed"), (second, "failed")] == chain_of(wire, first)
    with pytest.raises(iw.NetworkError):
        batch.result(60)
    assert [1, 2] == [error.attempt for error in console.errors if error.item_id is not None]
    assert "failed" == batch.jobs[0].status


@pytest.mark.slow
def test_each_job_of_a_batch_has_its_own_attempts(console: iw.Console, wire: Wire) -> None:
    """The results come in the order of the jobs."""
    names = [uuid.uuid4().hex for _ in range(4)]
    batch = console.submit(fail(LOST), data={"fail.times": [1, 2, 1, 3], "fail.name": names}, retry=soon(attempts=4))
    assert [1, 2, 1, 3] == [result["fail"]["value"] for result in batch.result(60)]
    assert [2, 3, 2, 4] == [len(job.attempts) for job in batch.jobs]
    assert 4 + 7 == len(batch.item_ids) == len(wire.item_ids())


def test_iter_events_includes_all_attempts(console: iw.Console) -> None:
    """The events of a job are those of all its attempts, and end with the last."""
    job = console.submit(flaky(1, seconds=0.2), retry=soon()).jobs[0]
    seen = [(e.item.item_id, e.item.status) for e in job.iter_events(60) if isinstance(e, ItemStatusChanged)]
    first, second = job.attempts
    assert [(first, "failed"), (second, "completed")] == [pair for pair in seen if pair[1] in ("failed", "completed")]


@pytest.mark.slow
def test_notices_say_whether_a_failure_will_be_retried(console: iw.Console) -> None:
    """Each failure has the number of its attempt, and the batch is done once, after the last."""
    received: list[Notice] = []
    end = console.on_notice(received.append)
    batch = console.submit(flaky(2), runs=1, retry=soon())
    until(lambda: any(isinstance(notice, BatchDone) for notice in received), "the batch to be done")
    end()
    failures = [notice for notice in received if isinstance(notice, JobFailed)]
    assert [(1, True), (2, True)] == [(notice.error.attempt, notice.will_retry) for notice in failures]
    assert ["failed", "failed", "completed"] == [n.item.status for n in received if isinstance(n, JobFinished)]
    assert [batch.batch_id] == [notice.batch_id for notice in received if isinstance(notice, BatchDone)]


def test_retry_without_a_socket(polling_console: iw.Console, wire: Wire) -> None:
    """A console that polls retries jobs, too."""
    job = polling_console.submit(flaky(1), retry=soon()).jobs[0]
    assert "completed" == job.wait(60).status
    assert 2 == len(chain_of(wire, job.item_id))


def test_views_show_when_the_next_attempt_is_due(console: iw.Console) -> None:
    """The snapshot, the table, its static form and the record say when; a cancel removes it."""
    job = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=60)).jobs[0]
    until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
    due = console.internals.store.state.retrying[job.item_id]
    item = console.internals.store.state.items[job.item_id]
    assert 20 < (due - datetime.now(UTC)).total_seconds() < 60
    assert round(due.timestamp(), 3) == queue_table.row(item, console.internals.store.state)[11]
    assert f"retry at {due:%Y-%m-%d %H:%M:%S} UTC" in str(console)
    (error,) = console.errors
    assert (due, 1) == (error.retry_at, error.attempt)
    assert due == console.errors.frame()["retry_at"][0]
    table = console.queue_table()
    assert "by its policy, at" in dict(facts(console.errors.groups()[0]))["Retry"]
    assert "retry at" in table.as_text()
    job.cancel()
    assert (None,) == tuple(error.retry_at for error in console.errors)
    until(lambda: "Retry" not in dict(facts(console.errors.groups()[0])), "the log to expect none")
    until(lambda: "retry at" not in table.as_text(), "the table, too")
    table.close()


def test_record_of_a_closed_console_has_no_pending_retry(wire: Wire, tmp_path: Path) -> None:
    """Retries that were due at the close are removed from the records; the time of one that was made is kept."""
    path = tmp_path / "history.sqlite"
    with iw.connect(wire.server.url, history=path) as console:
        again = console.submit(flaky(1), retry=soon()).jobs[0]
        again.wait(60)
        left = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=60)).jobs[0]
        until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
    with iw.connect(wire.server.url, history=path) as console:
        pending = {error.item_id: error.retry_at is not None for error in console.errors}
    assert {again.item_id: True, left.item_id: False} == pending


@pytest.mark.parametrize("by", ["job", "batch", "pending", "clear"])
def test_cancel_calls_off_the_next_attempt(console: iw.Console, wire: Wire, by: str) -> None:
    """A cancel between two attempts says so, and waiting raises the failure."""
    batch = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=60))
    (job,) = batch.jobs
    until(lambda: set(console.internals.store.state.retrying) == {job.item_id}, "the next attempt to be due")
    assert "pending" == job.status
    assert 1 == batch.status.unfinished
    assert "will not be retried" in cancel_by(by, console, batch)().message
    assert not console.internals.store.state.retrying
    if by != "clear":
        with pytest.raises(iw.NetworkError):
            job.wait(60)
        assert [(job.item_id, "failed")] == chain_of(wire, job.item_id)
        assert "failed" == job.status


def cancel_by(by: str, console: iw.Console, batch: iw.Batch) -> Callable[[], Cancellation]:
    (job,) = batch.jobs
    return {"job": job.cancel, "batch": batch.cancel, "pending": console.cancel_pending, "clear": console.clear}[by]


@pytest.mark.slow
@pytest.mark.parametrize("by", ["job", "batch", "pending", "clear"])
def test_a_cancel_that_cannot_be_sent_calls_off_no_retry(wire: Wire, by: str) -> None:
    """It raises and leaves the next attempt due; once the server is back, the same cancel calls it off."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        batch = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=60))
        until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
        due = dict(console.internals.store.state.retrying)
        cancel = cancel_by(by, console, batch)
        with proxy.offline(), pytest.raises(iw.CancellationFailed):
            cancel()
        assert (due, "pending") == (dict(console.internals.store.state.retrying), batch.jobs[0].status)
        until(lambda: console.status.connection.mode == "live", "the console to come back")
        assert "will not be retried" in cancel().message
        assert not console.internals.store.state.retrying


def test_a_cancel_whose_reply_is_lost_calls_off_no_retry(wire: Wire) -> None:
    """Its outcome is unknown, and the next attempt stays due until a cancel is answered."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        proxy.lose_reply(path="cancel_by_batch_ids")
        batch = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=60))
        until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
        assert "unknown" == batch.cancel().outcome
        assert console.internals.store.state.retrying
        proxy.calm()
        assert "will not be retried" in batch.cancel().message
        assert not console.internals.store.state.retrying


@pytest.mark.parametrize(("answer", "attempts"), [(0, 1), (iw.AccessDenied("Not yours."), 2)])
def test_no_attempt_is_sent_while_a_cancel_is_under_way(
    console: iw.Console, wire: Wire, monkeypatch: pytest.MonkeyPatch, answer: Any, attempts: int
) -> None:
    """An attempt that falls due meanwhile waits for the answer: it is called off, or made if the cancel is refused."""

    async def cancel_by_batch_ids(client: iw.InvokeClient, batch_ids: list[str]) -> int:
        await asyncio.sleep(1.5)
        assert 1 == wire.queue_status()["total"]
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    monkeypatch.setattr(iw.InvokeClient, "cancel_by_batch_ids", cancel_by_batch_ids)
    batch = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=1, attempts=2))
    (job,) = batch.jobs
    until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
    batch.cancel()
    with pytest.raises(iw.NetworkError):
        job.wait(60)
    assert attempts == len(job.attempts) == len(chain_of(wire, job.item_id))


def test_canceled_job_is_not_retried(console: iw.Console, wire: Wire) -> None:
    """A job that any client canceled has not failed, and has ended."""
    job = console.submit(sleep(60), retry=soon(on=Exception)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    wire.put(f"i/{job.item_id}/cancel")
    with pytest.raises(iw.JobCanceled):
        job.wait(60)
    assert (job.item_id,) == job.attempts


@pytest.mark.slow
def test_manual_retry_counts_as_the_next_attempt(console: iw.Console, wire: Wire) -> None:
    """A retry before the next attempt is due takes its place."""
    job = console.submit(flaky(2), retry=iw.RetryPolicy(backoff_s=0.5, attempts=3)).jobs[0]
    until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
    (new,) = console.retry_failed().item_ids
    assert "completed" == job.wait(60).status
    assert new == job.attempts[1]
    assert [i for i, _ in chain_of(wire, job.item_id)] == list(job.attempts)
    assert 3 == len(job.attempts)


@pytest.mark.slow
def test_two_consoles_retry_a_job_once(console: iw.Console, wire: Wire) -> None:
    """Another console in the same process that retries failed items does not double the next attempt."""
    with iw.connect(wire.server.url) as other:
        batch = console.submit(fail(LOST), runs=6, retry=iw.RetryPolicy(backoff_s=3, attempts=2))
        until(lambda: wire.queue_status()["failed"] == 6, "all to have failed")
        ending = threading.Event()

        def press() -> None:
            while not ending.wait(0.01):
                other.retry_failed()

        thread = threading.Thread(target=press)
        with wire.paused():  # what is run again waits, and does not fail a second time
            until(lambda: len(console.internals.store.state.retrying) == 6, "the next attempts to be due")
            until(lambda: other.status.failed == 6, "the other console to see it")
            thread.start()
            until(lambda: not console.internals.store.state.retrying, "the attempts to be made")
            ending.set()
            thread.join()
            roots = Counter(wire.item(item_id).get("retried_from_item_id") for item_id in batch.item_ids)
        assert {None: 6, **dict.fromkeys([job.item_id for job in batch.jobs], 1)} == dict(roots)
        assert 6 == len(batch)


def test_no_attempt_is_made_after_max_total_s(console: iw.Console, wire: Wire) -> None:
    """A pause that would end after it is not begun: the failure is raised at once."""
    job = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=60, max_total_s=5)).jobs[0]
    with pytest.raises(iw.NetworkError):
        job.wait(60)
    assert (job.item_id,) == job.attempts


def test_closed_console_retries_nothing(wire: Wire) -> None:
    """Attempts that were due when it was closed are not made."""
    with iw.connect(wire.server.url) as console:
        job = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=0.5)).jobs[0]
        until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
    with iw.connect(wire.server.url) as other:
        other.submit(sleep(1)).wait(60)
    assert [(job.item_id, "failed")] == chain_of(wire, job.item_id)


@pytest.mark.slow
def test_retry_waits_for_a_full_queue(wire: Wire) -> None:
    """The next attempt is made once the server takes items again; before 6.14 it always takes a retry."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        job = console.submit(flaky(1), retry=iw.RetryPolicy(backoff_s=6)).jobs[0]
        until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
        with wire.paused():
            fillers = [uuid.uuid4().hex for _ in range(2)]
            wire.enqueue(add_and_multiply(), runs=wire.server.max_queue_size, batch_id=fillers[0])
            # The worker may have taken one more.
            until(lambda: not wire.enqueue(add_and_multiply(), batch_id=fillers[1])["enqueued"], "the queue to be full")
            until(lambda: any("retry_items" in seen.path for seen in proxy.seen), "the attempt to be refused")
            expected = 1 if wire.server.has("retry_needs_room") else 2
            until(lambda: expected == len(chain_of(wire, job.item_id)), "what a full queue makes of it")
            wire.put("cancel_by_batch_ids", {"batch_ids": fillers})
        assert "completed" == job.wait(60).status
        assert 2 == len(chain_of(wire, job.item_id))


@pytest.mark.parametrize("fault", ["lose_reply", "lose_request", "bad_gateway", "half_json", "empty", "cut"])
@pytest.mark.slow
def test_lost_reply_to_a_retry_makes_one_attempt(wire: Wire, fault: str) -> None:
    """A retry whose reply is lost or faulty is made once, whether it was carried out or not."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        getattr(proxy, fault)(path="retry_items_by_id", times=1)
        job = console.submit(flaky(1), retry=soon()).jobs[0]
        assert "completed" == job.wait(60).status
        assert proxy.actions()[fault]
        assert [i for i, _ in chain_of(wire, job.item_id)] == list(job.attempts)
        assert 2 == len(job.attempts)


def test_no_items_are_noted_any_more_for_an_attempt_that_was_called_off(wire: Wire) -> None:
    """After a lost request newer items are noted, to find the attempt among them: only until there will be none."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        proxy.lose_request(path="retry_items_by_id")
        job = console.submit(flaky(1), retry=soon()).jobs[0]
        until(lambda: proxy.actions()["lose_request"], "the lost request")
        job.cancel()

        def is_over() -> bool:
            gc.collect()
            return not any(isinstance(each, NewerItems) for each in gc.get_objects())

        until(is_over, "the end of the notes")


@pytest.mark.parametrize("live", [True, False])
def test_retry_whose_job_was_deleted_before_it_was_looked_for_is_not_sent_again(wire: Wire, live: bool) -> None:
    """If the reply is lost, and an item that may be the new attempt is gone, the job is not run twice."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url, use_socket=live) as console:
        job = console.submit(flaky(1), retry=iw.RetryPolicy(backoff_s=2)).jobs[0]
        until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
        proxy.lose_reply(path="retry_items_by_id", times=1)
        unread = proxy.server_error(path="/items_by_ids$")
        (new,) = until(lambda: [i for i in wire.item_ids() if i > job.item_id], "the retry")
        wire.wait_for(new)
        wire.send("DELETE", f"i/{new}")
        wire.run()
        unread.stop()
        with pytest.raises(iw.NetworkError):
            job.wait(60)
        assert 1 == sum("retry_items" in seen.path for seen in proxy.seen)
        uncertain = [] if live else ["submission_failed"]  # an event says that it was retried
        assert uncertain == [e.error_type for e in console.errors if "not certain" in e.message]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries that the server refuses are sent again after short pauses."""
    monkeypatch.setattr(reruns, "_REFUSED_S", 0.02)


def retry_through(monkeypatch: pytest.MonkeyPatch, first: Callable[[list[int]], object]) -> None:
    """Call `first` right before each request for a retry is sent."""
    send = iw.InvokeClient.retry_items_by_id

    async def retry_items_by_id(client: iw.InvokeClient, item_ids: list[int]) -> tuple[int, ...]:
        first(item_ids)
        return await send(client, item_ids)

    monkeypatch.setattr(iw.InvokeClient, "retry_items_by_id", retry_items_by_id)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["server_error", "bad_gateway"])
def test_retry_that_is_always_refused_is_given_up(wire: Wire, at_once: None, fault: str) -> None:
    """It is sent a few times and logged once; then waiting raises the job's own failure, and a manual retry works."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        getattr(proxy, fault)(path="retry_items_by_id", reaches_server=False)
        job = console.submit(flaky(1), retry=soon()).jobs[0]
        with pytest.raises(iw.NetworkError):
            job.wait(60)
        assert 5 == sum("retry_items" in seen.path for seen in proxy.seen)
        assert ("failed", {}) == (job.status, dict(console.internals.store.state.retrying))
        assert [job.item_id, None] == [error.item_id for error in console.errors]
        proxy.calm()
        assert ["completed"] == [item.status for item in console.retry_failed().wait(60)]


def test_refused_retry_honors_retry_after(console: iw.Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says when to come back is not asked earlier, and the snapshot shows when."""

    def refuse(item_ids: list[int]) -> None:
        raise iw.ServerFailure("Not now.", details={"http_status": 500, "retry_after": 40.0})

    retry_through(monkeypatch, refuse)
    job = console.submit(fail(LOST), retry=soon()).jobs[0]
    until(lambda: any(error.item_id is None for error in console.errors), "the refusal to be logged")
    due = until(lambda: console.internals.store.state.retrying.get(job.item_id), "the next time")
    assert 30 < (due - datetime.now(UTC)).total_seconds() <= 40


@pytest.mark.slow
def test_refused_retry_does_not_hold_up_others(
    console: iw.Console, monkeypatch: pytest.MonkeyPatch, at_once: None
) -> None:
    """If the server cannot take one of many, the others are retried and it alone is given up."""

    def refuse(item_ids: list[int]) -> None:
        if bad in item_ids:
            raise iw.ServerFailure("Unexpected error while retrying.", details={"http_status": 500})

    names = [uuid.uuid4().hex for _ in range(9)]
    policy = iw.RetryPolicy(attempts=2, backoff_s=2, max_backoff_s=2)
    batch = console.submit(fail(LOST, times=1), data={"fail.name": names}, retry=policy)
    bad = batch.item_ids[4]
    retry_through(monkeypatch, refuse)
    statuses = ["completed"] * 9
    statuses[4] = "failed"
    batch.wait(60)
    assert statuses == [job.status for job in batch.jobs]


@pytest.mark.slow
@pytest.mark.parametrize("live", [True, False])
def test_retry_by_another_client_just_before_ours_is_not_doubled(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, live: bool
) -> None:
    """Another client retries while we look whether one did: no attempt is made beside theirs."""
    read = reruns.light_items

    async def slowly(*args: Any) -> Any:
        items = await read(*args)
        if [FAILED] == [item.status for item in items] and len(wire.item_ids()) == 1:
            wire.put("retry_items_by_id", [items[0].item_id])
        return items

    with iw.connect(wire.server.url, use_socket=live) as console:
        monkeypatch.setattr(reruns, "light_items", slowly)
        job = console.submit(fail(LOST), retry=soon(attempts=2)).jobs[0]
        with pytest.raises(iw.NetworkError):
            job.wait(60)
        assert list(job.attempts) == [item_id for item_id, _ in chain_of(wire, job.item_id)]
        assert 2 == len(job.attempts)


def test_surplus_attempt_is_canceled_when_another_client_retries_too(
    console: iw.Console, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another client retries at the same moment, one of the two is canceled while it is pending."""
    retry_through(monkeypatch, lambda item_ids: wire.put("retry_items_by_id", item_ids))
    job = console.submit(flaky(1), retry=iw.RetryPolicy(attempts=2, backoff_s=1)).jobs[0]
    until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
    with wire.paused():
        until(lambda: len(job.attempts) == 2, "the next attempt to be made")
        until(lambda: "canceled" in [status for _, status in chain_of(wire, job.item_id)], "the other to be canceled")
    assert "completed" == job.wait(60).status
    assert ["failed", "completed", "canceled"] == [status for _, status in chain_of(wire, job.item_id)]
    assert [item_id for item_id, _ in chain_of(wire, job.item_id)][:2] == list(job.attempts)


def test_retry_by_the_web_ui_is_followed_at_once(console: iw.Console, wire: Wire) -> None:
    """A handle follows a retry by another client long before ours is due, if an event reported it."""
    job = console.submit(flaky(1), retry=iw.RetryPolicy(backoff_s=600, max_backoff_s=600)).jobs[0]
    until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
    wire.put("retry_items_by_id", [job.item_id])
    if not wire.server.has("queue_items_retried"):
        with pytest.raises(JobTimeout):
            job.wait(3, on_timeout="cancel")
        return
    assert "completed" == job.wait(30).status
    assert 2 == len(job.attempts)


def test_clearing_the_log_does_not_prevent_a_retry(console: iw.Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure whose record is gone before it is decided on is retried all the same."""
    record = console.errors.record_failure

    def record_and_clear(item: Any) -> None:
        record(item)
        console.errors.clear()

    monkeypatch.setattr(console.errors, "record_failure", record_and_clear)
    job = console.submit(flaky(1), retry=soon()).jobs[0]
    assert "completed" == job.wait(20).status
    assert 2 == len(job.attempts)


@pytest.mark.slow
def test_only_the_latest_batches_keep_their_attempts(console: iw.Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older batches that have ended show one attempt; one that has not is kept."""
    monkeypatch.setattr(reruns, "_ATTEMPTS_KEPT", 6)
    going_on = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=600, max_backoff_s=600))
    done = []
    for _ in range(3):
        done.append(console.submit(flaky(1), retry=soon()))
        done[-1].wait(60)
    console.submit(add_and_multiply(), retry=soon())
    assert [1, 2, 2] == [len(batch.jobs[0].attempts) for batch in done]
    assert {job.item_id for job in going_on.jobs} == set(console.internals.store.state.retrying)


@pytest.mark.slow
def test_attempt_due_during_an_outage_is_made_afterwards(wire: Wire) -> None:
    """If the server is out of reach when an attempt is due, it is made when the server is back."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        job = console.submit(flaky(2), retry=iw.RetryPolicy(backoff_s=0.5)).jobs[0]
        until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
        with proxy.offline():
            until(lambda: console.status.connection.mode == "reconnecting", "the loss to be seen")
            threading.Event().wait(0.6)  # the pause is over
        assert "completed" == job.wait(60).status
        assert [i for i, _ in chain_of(wire, job.item_id)] == list(job.attempts)
        assert 3 == len(job.attempts)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_many_jobs_through_many_faults_have_three_attempts_each(wire: Wire) -> None:
    """60 jobs fail twice each, most of the retries' replies are lost, and the socket drops time and again."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        proxy.lose_reply(fraction=2 / 3, seed=3, path="retry_items_by_id")
        names = [uuid.uuid4().hex for _ in range(60)]
        policy = iw.RetryPolicy(attempts=4, backoff_s=2, max_backoff_s=2)
        batch = console.submit(fail(LOST, times=2), data={"fail.name": names}, retry=policy)
        for finished in iter(lambda: batch.status.completed, 60):
            proxy.drop_sockets()
            until(lambda: batch.status.completed >= min(finished + 8, 60), "more to complete")  # noqa: B023
        assert proxy.actions()["lose_reply"] > 2
        assert [2] * 60 == [result["fail"]["value"] for result in batch.result(60)]
        items = wire.get("list_all")
        lines = Counter(item.get("retried_from_item_id") or item["item_id"] for item in items)
        assert dict.fromkeys([job.item_id for job in batch.jobs], 3) == dict(lines)
        attempts = Counter(error.attempt for error in console.errors if error.item_id is not None)
        assert {1: 60, 2: 60} == dict(attempts)


@pytest.mark.slow
def test_retries_survive_a_restart_of_the_server() -> None:
    """Jobs that wait for their next attempt while the server restarts are retried once it is up."""
    server = EmbeddedServer()
    server.start()
    try:
        with iw.connect(server.url) as console, Wire(server) as wire:
            batch = console.submit(fail(LOST), runs=3, retry=iw.RetryPolicy(backoff_s=1, attempts=2))
            until(lambda: len(console.internals.store.state.retrying) == 3, "the next attempts to be due")
            server.restart()
            assert ["failed"] * 3 == [item.status for item in batch.wait(60)]
            assert [2, 2, 2] == [len(job.attempts) for job in batch.jobs]
            assert 6 == wire.queue_status()["total"]
    finally:
        server.stop()


@pytest.mark.slow
def test_job_with_the_same_id_on_another_server_is_no_attempt() -> None:
    """If the address leads to another queue, its job of the same id does not belong to the old chain."""
    server = EmbeddedServer()
    server.start()
    try:
        with iw.connect(server.url) as console:
            old = console.submit(fail(LOST), retry=iw.RetryPolicy(backoff_s=3)).jobs[0]
            until(lambda: console.internals.store.state.retrying, "the next attempt to be due")
            server.stop()
            until(lambda: console.status.connection.mode == "reconnecting", "the loss to be seen")
            server.root = None
            server.start()
            with Wire(server) as wire:
                assert old.item_id == wire.run(fail(LOST))["item_id"]
                until(lambda: console.status.connection.mode == "live", "the console to come back")
                console.refresh()
                with pytest.raises(iw.NetworkError):
                    console.job(old.item_id).wait(60)
                until(lambda: not console.internals.store.state.retrying, "the old one to be given up")
                assert 1 == wire.queue_status()["total"]
    finally:
        server.stop()
