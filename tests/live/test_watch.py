"""Watching many jobs at once: the notices in both forms, and what ends the watch."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.jobs.watch import NoticeTracker
from invoke_widgets.notices import (
    BatchDone,
    ConnectionBack,
    ConnectionLost,
    JobChanged,
    JobCompleted,
    JobDeleted,
    JobFailed,
    JobFinished,
    JobStalled,
    Notice,
    QueueFull,
    QueuePaused,
    QueueResumed,
    QueueWedged,
)
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, divide, fail, sleep
from tests.support.wire import Wire, until

pytestmark = pytest.mark.every_version

Collect = Callable[[Any], list[Notice]]


def _plain(watch: Any) -> list[Notice]:
    return list(watch)


def _awaited(watch: Any) -> list[Notice]:
    async def cell() -> list[Notice]:
        return [notice async for notice in watch]

    return asyncio.run(cell())


both_forms = pytest.mark.parametrize("collect", [_plain, _awaited], ids=["for", "async for"])


class Following:
    """A watch that is followed on a thread of its own, so that the test can act meanwhile."""

    def __init__(self, watch: Any) -> None:
        self.notices: list[Notice] = []
        self._thread = threading.Thread(target=self._follow, args=(watch,), daemon=True)
        self._thread.start()

    def _follow(self, watch: Any) -> None:
        for notice in watch:
            self.notices.append(notice)

    def of(self, kind: type[Notice]) -> list[Any]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def until(self, kind: type[Notice]) -> Any:
        try:
            return until(lambda: self.of(kind), f"a {kind.__name__}")[0]
        except AssertionError as error:
            error.add_note(f"received {self.notices}")
            raise

    def end(self) -> list[Notice]:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.notices


@both_forms
def test_each_end_gives_one_notice(console: iw.Console, wire: Wire, collect: Collect) -> None:
    """For two batches and single jobs each end comes once, failures with their class, and other jobs not at all."""
    with wire.paused():
        batch = console.submit(divide(6, 1), data={"div.b": [1, 0, 2, 0, 3, 0, 1, 1, 1, 1]})
        single = console.submit(add_and_multiply(), runs=9).jobs
        memory = console.submit(fail("CUDA out of memory"))
        theirs = wire.enqueue(divide(1, 0), runs=3)
    notices = collect(console.watch([batch, memory, *single, single[0]], timeout=60))
    ended = Counter(notice.item.item_id for notice in notices if isinstance(notice, JobFinished))
    assert dict.fromkeys([*batch.item_ids, *memory.item_ids, *(job.item_id for job in single)], 1) == dict(ended)
    failed = Counter(str(notice.error.error_type) for notice in notices if isinstance(notice, JobFailed))
    assert {"execution_failed": 3, "resource_error": 1} == dict(failed)
    done = {notice.batch_id: notice.counts for notice in notices if isinstance(notice, BatchDone)}
    assert {batch.batch_id, memory.batch_id} == set(done)
    assert (7, 3) == (done[batch.batch_id].completed, done[batch.batch_id].failed)
    about = {notice.item.item_id for notice in notices if isinstance(notice, JobChanged | JobFinished)}
    assert about.isdisjoint(theirs["item_ids"])


@both_forms
def test_jobs_that_have_ended_already_give_their_notices(console: iw.Console, collect: Collect) -> None:
    """Jobs that had ended before are reported as well, and watching nothing ends at once."""
    batch = console.submit(divide(6, 1), data={"div.b": [1, 0]})
    batch.wait(60)
    for _ in range(2):
        notices = collect(console.watch(batch))
        assert ["completed", "failed"] == [n.item.status for n in notices if isinstance(n, JobFinished)]
        assert [BatchDone] == [type(n) for n in notices if isinstance(n, BatchDone)]
    assert [] == collect(console.watch([]))


@pytest.mark.slow
def test_progress_and_a_stall(console: iw.Console, wire: Wire) -> None:
    """Progress is reported as it comes, a silent job as stalled, and the watch goes on."""
    (job,) = console.submit(sleep(60, steps=100)).jobs
    (silent,) = console.submit(sleep(60, steps=1)).jobs
    following = Following(console.watch([job, silent], stalled_s=1.5))
    until(lambda: any(n.progress is not None for n in following.of(JobChanged)), "progress")
    assert not following.of(JobStalled)
    job.cancel()
    assert silent.item_id == following.until(JobStalled).item.item_id
    assert 1.5 <= following.of(JobStalled)[0].quiet_s
    silent.cancel()
    following.end()
    assert {"canceled"} == {notice.item.status for notice in following.of(JobFinished)}
    assert 1 == len(following.of(JobStalled))


@pytest.mark.slow
def test_conditions_of_the_queue_give_notices(console: iw.Console, wire: Wire) -> None:
    """A watch of a job also reports a pause that began earlier, its end, a full queue and a stuck queue."""
    wire.put("processor/pause")
    until(lambda: console.status.is_paused, "the pause to be seen")
    batch = console.submit(sleep(1))
    following = Following(console.watch(batch))
    following.until(QueuePaused)
    filler = wire.enqueue(add_and_multiply(), runs=wire.server.max_queue_size)
    assert filler["enqueued"] < filler["requested"]
    assert 0 < following.until(QueueFull).pending
    wire.put("cancel_by_batch_ids", {"batch_ids": [filler["batch"]["batch_id"]]})
    poison = [[{"node_path": "div", "field_name": "a", "items": ["x"]}]]
    wire.enqueue(divide(1, 1), data=poison, prepend=True)
    wire.put("processor/resume")
    following.until(QueueResumed)
    assert following.until(QueueWedged).wedge.batch_ids
    console.unwedge()
    assert isinstance(following.end()[-1], BatchDone)
    assert ["completed"] == [notice.item.status for notice in following.of(JobFinished)]


def test_a_lost_connection_gives_notices(wire: Wire, proxy: ChaosProxy) -> None:
    """The loss and the return are reported, and after them a job that ended meanwhile."""
    with iw.connect(proxy.url) as console:
        (job,) = console.submit(sleep(60)).jobs
        following = Following(console.watch(job))
        with proxy.offline():
            assert following.until(ConnectionLost).error
            wire.put(f"i/{job.item_id}/cancel")
        following.end()
    kinds = [type(notice) for notice in following.notices if not isinstance(notice, JobChanged)]
    assert [ConnectionLost, ConnectionBack, JobFinished] == kinds


def test_watching_without_a_socket(polling_console: iw.Console) -> None:
    """A console that polls reports the ends, too."""
    batch = polling_console.submit(divide(6, 1), data={"div.b": [1, 0, 2]})
    notices = _plain(polling_console.watch(batch, timeout=60))
    assert 3 == len([notice for notice in notices if isinstance(notice, JobFinished)])
    assert isinstance(notices[-1], BatchDone)


@pytest.mark.slow
@both_forms
def test_on_timeout_raises_cancels_or_detaches(console: iw.Console, wire: Wire, collect: Collect) -> None:
    """After the timeout the jobs are left alone, detached from, or canceled, as asked."""
    batch = console.submit(sleep(60), runs=2)
    (single,) = console.submit(sleep(60)).jobs
    (done,) = console.submit(add_and_multiply(), prepend=True).jobs
    ids = [*batch.item_ids, single.item_id]
    wire.wait_for(ids[0], "in_progress")
    jobs = [batch, single]
    notices = collect(console.watch(jobs, timeout=0.5, on_timeout="detach"))
    assert not [notice for notice in notices if isinstance(notice, JobFinished)]
    with pytest.raises(iw.JobTimeout, match="3 of 3 jobs") as caught:
        collect(console.watch(jobs, timeout=0.5))
    assert tuple(ids) == caught.value.details["item_ids"]
    assert "canceled" not in wire.statuses(ids)
    with pytest.raises(iw.JobTimeout, match=r"within 0\.5 s\. Canceled 3 of 3\.$"):
        collect(console.watch(jobs, timeout=0.5, on_timeout="cancel"))
    assert ["canceled"] * 3 == wire.statuses(ids)
    assert "completed" == done.wait(60).status


@pytest.mark.slow
def test_a_retried_failure_does_not_end_the_watch(console: iw.Console) -> None:
    """The watch goes on to the last attempt, and the batch is done once."""
    policy = iw.RetryPolicy(backoff_s=0.05)
    graph = fail("Connection reset by peer", times=2, name=uuid.uuid4().hex)
    batch = console.submit(graph, retry=policy)
    notices = _plain(console.watch(batch, timeout=60))
    ends = [(n.item.status, isinstance(n, JobFailed) and n.will_retry) for n in notices if isinstance(n, JobFinished)]
    assert [("failed", True), ("failed", True), ("completed", False)] == ends
    assert 1 == len([notice for notice in notices if isinstance(notice, BatchDone)])


def test_a_deleted_job_has_ended(console: iw.Console, wire: Wire) -> None:
    """It is reported as deleted, or as canceled before that, and is not waited for."""
    with wire.paused():
        batch = console.submit(add_and_multiply(), runs=3)
        until(lambda: batch.status.pending == 3, "the snapshot to have them")
        following = Following(console.watch(batch.jobs))
        wire.delete(f"i/{batch.item_ids[0]}")
        until(lambda: following.of(JobDeleted) or following.of(JobFinished), "the end of the first")
        console.clear()
        following.end()
    ended = {n.item_id for n in following.of(JobDeleted)} | {n.item.item_id for n in following.of(JobFinished)}
    assert set(batch.item_ids) == ended


def test_a_deleted_batch_is_not_waited_for(console: iw.Console, wire: Wire) -> None:
    """Nothing reports its end."""
    with wire.paused():
        batch = console.submit(add_and_multiply(), runs=3)
        console.refresh()
        following = Following(console.watch(batch))
        console.clear()
        console.refresh()
        begin = time.monotonic()
        following.end()
    assert time.monotonic() - begin < 5


@pytest.mark.slow
@both_forms
def test_the_end_of_a_batch_waits_for_a_slow_reader(console: iw.Console, collect: Collect) -> None:
    """However long it takes for the last job."""

    class Slow:
        def __iter__(self) -> Iterator[Notice]:
            for notice in console.watch(batch):
                yield notice
                if isinstance(notice, JobFinished):
                    time.sleep(8)

        async def __aiter__(self) -> AsyncIterator[Notice]:
            async for notice in console.watch(batch):
                yield notice
                if isinstance(notice, JobFinished):
                    await asyncio.sleep(8)

    batch = console.submit(add_and_multiply())
    assert isinstance(collect(Slow())[-1], BatchDone)


@both_forms
def test_what_ended_in_time_is_not_late_for_a_slow_reader(console: iw.Console, collect: Collect) -> None:
    """Nor what had ended before: the time is that of the jobs."""
    batch = console.submit(add_and_multiply(), runs=3)
    batch.wait(60)
    console.refresh()
    notices = collect(console.watch(batch, timeout=0))
    assert [JobCompleted] * 3 + [BatchDone] == [type(notice) for notice in notices]


def test_leaving_the_loop_ends_the_subscription(console: iw.Console) -> None:
    """A loop that is left early leaves nothing behind that follows the queue; the job goes on."""

    def following() -> int:
        gc.collect()
        return sum(type(each) is NoticeTracker for each in gc.get_objects())

    (job,) = console.submit(sleep(1, steps=10)).jobs
    before = following()
    for _ in console.watch(job):
        assert following() > before
        break
    until(lambda: following() == before, "the following to end")
    assert "completed" == job.wait(60).status


def test_jobs_of_another_console_are_refused(console: iw.Console, wire: Wire) -> None:
    """A job can be watched by its own console only."""
    with iw.connect(wire.server.url) as other:
        job = other.submit(add_and_multiply()).jobs[0]
        with pytest.raises(iw.InvalidRequest, match="another console"):
            console.watch(job)


def test_on_notice_calls_the_listener_on_its_thread(console: iw.Console, wire: Wire) -> None:
    """It receives notices of all jobs until it is ended, on the callbacks' thread; what it raises does no harm."""
    received: list[tuple[Notice, str]] = []

    def listen(notice: Notice) -> None:
        received.append((notice, threading.current_thread().name))
        raise RuntimeError("mine")

    end = console.on_notice(listen)
    item = wire.run(divide(1, 0))
    until(lambda: any(isinstance(notice, BatchDone) for notice, _ in received), "the batch")
    end()
    assert [item["item_id"]] == [n.item.item_id for n, _ in received if isinstance(n, JobFailed)]
    assert {"invoke-widgets callbacks"} == {name for _, name in received}
    with pytest.raises(iw.InvalidRequest, match="stalled_s"):
        console.on_notice(listen, stalled_s=-1)
