"""Handles: waiting in all its forms, events, and what interrupts do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.events import ItemStatusChanged, NodeCompleted, NodeFailed, NodeProgress
from invoke_widgets.notices import JobFailed
from invoke_widgets.records import Counts
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, divide, fail, graph, sleep
from tests.support.wire import Wire, until


def test_await_and_wait_give_the_item(console: iw.Console) -> None:
    """`await job` and `job.wait()` give the finished item, with its session."""
    job = console.submit(add_and_multiply()).jobs[0]

    async def cell() -> Any:
        return await job

    for item in (asyncio.run(cell()), job.wait(60)):
        assert ("completed", job.item_id) == (item.status, item.item_id)
        assert item.session
    assert "completed" == job.status


def test_a_failed_job_raises_and_carries_the_item(console: iw.Console) -> None:
    """The exception's class is the error's, and it has the item, its batch and the suggestion."""
    job = console.submit(fail("CUDA out of memory. Tried to allocate 2.00 GiB")).jobs[0]
    with pytest.raises(iw.ResourceError) as caught:
        job.wait(60)
    error = caught.value
    assert ("resource_error", job.item_id, "failed") == (error.error_type, error.item_id, error.item.status)
    assert "GPU" in error.suggestion
    with pytest.raises(iw.ExecutionFailed):
        console.submit(divide(1, 0)).jobs[0].result(60)


def test_batch_result_does_not_wait_for_jobs_that_join_later(console: iw.Console, wire: Wire) -> None:
    """If another client retries a job meanwhile, the results are those of the jobs at the time of the call."""
    ends = {"sleep": {"type": "probe_sleep", "seconds": 1}, "div": {"type": "div", "a": 6, "b": 1}}
    batch = console.submit(graph(ends), data={"div.b": [0, 2]})

    def retry() -> None:
        wire.wait_for(batch.item_ids[0])
        wire.put("retry_items_by_id", [batch.item_ids[0]])

    other = threading.Thread(target=retry)
    other.start()
    failed, there = batch.result(60, on_failure="return")
    other.join()
    assert ("ExecutionFailed", 3) == (type(failed).__name__, there["div"]["value"])


def test_deleted_job_of_a_batch_is_an_error(console: iw.Console, wire: Wire) -> None:
    """A job whose outputs were deleted before they were read is not left out silently."""
    batch = console.submit(divide(6, 1), data={"div.b": [1, 2]})
    until(lambda: batch.status.completed == 2, "the snapshot to have both ends")
    wire.delete(f"i/{batch.item_ids[0]}")
    console.refresh()
    with pytest.raises(iw.NotFound, match="was deleted"):
        batch.result(60)
    gone, there = batch.result(60, on_failure="return")
    assert ("NotFound", 3) == (type(gone).__name__, there["div"]["value"])
    assert [3] == [result["div"]["value"] for result in batch.result(60, on_failure="skip")]


def test_retry_is_a_handle_on_the_new_items(console: iw.Console) -> None:
    """It can be waited for, iterated and watched like a batch; its repr says which item became which."""
    batch = console.submit(divide(1, 1), data={"div.b": [1, 0, 0]})
    batch.wait(60)
    _, *failed = batch.item_ids
    retry = console.retry_failed()
    assert ["failed", "failed"] == [item.status for item in retry.wait(60)]
    assert (tuple(failed), retry.item_ids) == (tuple(retry.new_item_ids), tuple(job.item_id for job in retry))
    assert (2, 2, 2) == (retry.status.failed, retry.status.total, len(retry))
    assert f"{failed[0]}: {retry.item_ids[0]} failed" in repr(retry)
    assert [2, 2] == [error.attempt for error in console.errors if error.item_id in retry.item_ids]
    with pytest.raises(iw.ExecutionFailed):
        retry.result(60)

    async def cell() -> Any:
        return await retry

    assert list(retry.item_ids) == [item.item_id for item in asyncio.run(cell())]
    assert 2 == sum(isinstance(notice, JobFailed) for notice in console.watch(retry, timeout=60))


def test_cancel_of_a_retry_cancels_its_new_items_only(console: iw.Console, wire: Wire) -> None:
    """Other items of their batch go on; a retry that made nothing refuses to be canceled."""
    nothing = console.retry_failed()
    assert ((), [], ()) == (nothing.item_ids, nothing.result(60), nothing.wait(60))
    with pytest.raises(iw.InvalidRequest):
        nothing.cancel()
    batch = console.submit(divide(1, 0), runs=2)
    batch.wait(60)
    with wire.paused():
        other = console.submit(divide(1, 1))
        retry = console.retry(batch.item_ids)
        done = retry.cancel()
        assert ("canceled", 2, retry.item_ids) == (done.outcome, done.canceled, done.item_ids)
        assert (2, 1) == (retry.status.canceled, other.status.pending)


def test_batch_wait_frame_and_result_with_a_failure(console: iw.Console) -> None:
    """Items and rows come for all jobs; results are raised, left out or returned in their place, as asked."""
    batch = console.submit(divide(6, 1), data={"div.b": [1, 0, 3]})
    assert ["completed", "failed", "completed"] == [item.status for item in batch.wait(60)]
    assert (2, 1, 3) == (batch.status.completed, batch.status.failed, batch.status.total)
    with pytest.raises(iw.ExecutionFailed):
        batch.result(60)
    assert [6, 2] == [result["div"]["value"] for result in batch.result(60, on_failure="skip")]
    first, second, third = batch.result(60, on_failure="return")
    assert (6, batch.item_ids[1], 2) == (first["div"]["value"], second.item_id, third["div"]["value"])
    assert isinstance(second, iw.ExecutionFailed)
    with pytest.raises(iw.InvalidRequest, match="on_failure: should be"):
        batch.result(60, on_failure="ignore")  # type: ignore[arg-type]
    frame = batch.frame(60)
    assert ["completed", "failed", "completed"] == frame["status"].tolist()
    assert [1, 0, 3] == frame["div.b"].tolist()
    assert ([6, 2], "Int64") == (frame["div.value"].dropna().tolist(), str(frame["div.value"].dtype))
    assert [True, False, True] == frame["error_type"].isna().tolist()
    assert ("execution_failed", "ZeroDivisionError") == tuple(frame.loc[1, ["error_type", "server_error_type"]])
    errors = console.errors.frame().set_index("item_id")[["error_type", "server_error_type"]]
    for jobs in (frame, console.jobs.frame()):
        failed = jobs[jobs["status"] == "failed"].set_index("item_id")[["error_type", "server_error_type"]]
        assert errors.to_dict() == failed.to_dict()


@pytest.mark.parametrize("form", ["wait", "await"])
def test_on_timeout_raises_cancels_or_detaches(console: iw.Console, wire: Wire, form: str) -> None:
    """After the timeout a job is left alone, detached from, or canceled, as asked."""

    def wait(job: iw.Job, **options: Any) -> Any:
        if form == "wait":
            return job.wait(0.3, **options)
        return asyncio.run(job.wait_async(0.3, **options))

    job = console.submit(sleep(60)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    until(lambda: job.status == "in_progress", "the snapshot to have it")
    with pytest.raises(iw.JobTimeout) as caught:
        wait(job)
    assert (job.item_id, "in_progress") == (caught.value.item_id, wire.item(job.item_id)["status"])
    assert "in_progress" == wait(job, on_timeout="detach").status
    assert "in_progress" == wire.item(job.item_id)["status"]
    with pytest.raises(iw.JobTimeout, match=rf"Item {job.item_id} did not finish within 0.3 s. Canceled item"):
        wait(job, on_timeout="cancel")
    assert "canceled" == wire.item(job.item_id)["status"]
    with pytest.raises(iw.JobCanceled):
        job.wait(60)


def test_a_wait_says_how_many_of_all_jobs_have_finished(console: iw.Console, wire: Wire) -> None:
    """Also of a batch that was submitted a moment ago, whose items have not been read yet."""
    with wire.paused(), pytest.raises(iw.JobTimeout, match=r"\(0 of 3 finished\) did not finish within 0 s"):
        console.submit(add_and_multiply(), runs=3).wait(0)


def test_a_wait_says_that_the_queue_is_paused(console: iw.Console) -> None:
    """And what lets it go on: the time was not up for want of speed."""
    console.pause()
    batch = console.submit(add_and_multiply())
    with pytest.raises(
        iw.JobTimeout, match=r"within 0\.1 s\. The queue is paused: console\.resume\(\) lets it go on\.$"
    ):
        batch.wait(0.1)
    console.resume()
    batch.wait(60)


def test_detach_returns_a_job_that_has_not_been_read(through: iw.Console, proxy: ChaosProxy, wire: Wire) -> None:
    """Right after a submit the snapshot lacks it, and again after a prune: neither means deleted unfinished."""
    proxy.delay(1.0, path="item_summaries_by_ids")
    with wire.paused():
        job = through.submit(add_and_multiply()).jobs[0]
        assert "pending" == job.wait(0, "detach").status
    job.wait(60)
    through.prune()
    through.refresh()
    assert "completed" == job.wait(0, "detach").status


def test_the_cancellation_of_several_learns_when_they_stopped(console: iw.Console) -> None:
    """It stays that of all of them."""
    first = console.submit(sleep(60), runs=2)
    console.cancel(first.item_ids)
    again = console.retry(first.item_ids)
    until(lambda: again.status.in_progress, "one to run")
    canceled = again.cancel()
    until(lambda: console.cancellations.latest(canceled).stopped_s is not None, "it to stop")
    assert again.item_ids == canceled.item_ids
    assert canceled == replace(console.cancellations.latest(canceled), stopped_s=canceled.stopped_s)


def test_no_time_to_read_what_has_finished(console: iw.Console) -> None:
    """It is not said that such a job, or batch, did not finish."""
    batch = console.submit(add_and_multiply())
    batch.wait(60)
    for handle in (batch, batch.jobs[0]):
        with pytest.raises(iw.JobTimeout, match=r"has finished, but was not read within 0 s\.$"):
            handle.wait(0)


@pytest.mark.parametrize("action", ["detach", "cancel"])
def test_interrupt_of_a_wait_detaches_or_cancels(console: iw.Console, wire: Wire, action: Any) -> None:
    """An interrupt ends the wait, and leaves the job running or cancels it, as asked."""
    job = console.submit(sleep(60)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        job.wait(on_interrupt=action)
    expected = "canceled" if action == "cancel" else "in_progress"
    assert expected == wire.item(job.item_id)["status"]


@pytest.mark.parametrize("action", ["detach", "cancel"])
def test_canceling_an_awaiting_task_detaches_or_cancels(console: iw.Console, wire: Wire, action: Any) -> None:
    """The same for a task that awaits: what a notebook's interrupt does to a cell."""
    job = console.submit(sleep(60)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")

    async def cell() -> None:
        task = asyncio.create_task(job.wait_async(on_interrupt=action))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cell())
    if action == "cancel":
        wire.wait_for(job.item_id, "canceled")
    assert ("canceled" if action == "cancel" else "in_progress") == wire.item(job.item_id)["status"]


def _for(handle: Any) -> list[Any]:
    return list(handle.iter_events(60))


def _async_for(handle: Any) -> list[Any]:
    async def cell() -> list[Any]:
        return [event async for event in handle.aiter_events()]

    return asyncio.run(cell())


both_forms = pytest.mark.parametrize("events_of", [_for, _async_for], ids=["for", "async for"])


@both_forms
def test_job_events_come_once_each_in_order(console: iw.Console, events_of: Callable[[Any], list[Any]]) -> None:
    """Events come typed, and end with the job."""
    events = events_of(console.submit(sleep(1, steps=4)).jobs[0])
    statuses = [event.item.status for event in events if isinstance(event, ItemStatusChanged)]
    shares = [event.progress.percentage for event in events if isinstance(event, NodeProgress)]
    assert ["in_progress", "completed"] == statuses[-2:]
    assert [0.25, 0.5, 0.75, 1.0] == shares
    assert 1 == len([event for event in events if isinstance(event, NodeCompleted)])
    assert isinstance(events[-1], ItemStatusChanged)


@both_forms
def test_the_events_of_a_failed_job_name_its_node(console: iw.Console, events_of: Callable[[Any], list[Any]]) -> None:
    """The event that does comes after the failure."""
    *_, failed, named = events_of(console.submit(fail(seconds=1)).jobs[0])
    assert ("failed", NodeFailed, "fail") == (failed.item.status, type(named), named.node_id)


def test_iter_events_without_a_socket_yields_status_changes(polling_console: iw.Console) -> None:
    """A console that polls has no node events, but reports changes of status."""
    job = polling_console.submit(sleep(1)).jobs[0]
    statuses = [event.item.status for event in job.iter_events(60) if isinstance(event, ItemStatusChanged)]
    assert "completed" == statuses[-1]


@both_forms
def test_batch_events_are_those_of_its_jobs(console: iw.Console, events_of: Callable[[Any], list[Any]]) -> None:
    """They end when the last job has."""
    batch = console.submit(add_and_multiply(), runs=3)
    ended = [e.item.item_id for e in events_of(batch) if isinstance(e, ItemStatusChanged) and e.item.is_terminal]
    assert list(batch.item_ids) == sorted(ended)


def test_batch_on_change_follows_its_counts(console: iw.Console, wire: Wire) -> None:
    """Its counts follow retries, deleted jobs stay what they were, and they are counted off the I/O thread."""
    threads: set[str] = set()

    def count(status: Counts) -> None:
        threads.add(threading.current_thread().name)
        received.append(status)

    with wire.paused():
        batch = console.submit(divide(1, 1), data={"div.b": [1, 0]})
        first, second = batch.item_ids
        received: list[Counts] = []
        end = batch.on_change(count)
    until(lambda: received and (received[-1].completed, received[-1].failed) == (1, 1), "both to end")
    console.retry(second)
    until(lambda: (received[-1].failed, received[-1].total) == (2, 3), "what a retry made to be counted")
    wire.delete(f"i/{first}")
    wire.delete(f"i/{second}")
    console.refresh()
    until(lambda: second not in console.internals.store.state.items, "the deletion")
    assert (1, 2, 3) == (received[-1].completed, received[-1].failed, received[-1].total)
    assert {"invoke-widgets callbacks"} == threads
    assert batch.status == received[-1]
    end()


def test_job_on_change_calls_the_listener_on_its_thread(console: iw.Console) -> None:
    """It is called after each change, on the callbacks' thread, until it is ended; what it raises does no harm."""
    received: list[tuple[str, str]] = []
    job = console.submit(sleep(0.5)).jobs[0]

    def listen(item: Any) -> None:
        received.append((item.status, threading.current_thread().name))
        raise RuntimeError("mine")

    unsubscribe = job.on_change(listen)
    job.wait(60)
    until(lambda: received and received[-1][0] == "completed", "the last change")
    assert {"invoke-widgets callbacks"} == {thread for _, thread in received}
    unsubscribe()


def test_as_completed_yields_each_job_once_as_it_ends(console: iw.Console) -> None:
    """Both forms yield failed jobs, too, and raise after the timeout."""
    slow = console.submit(sleep(1.5)).jobs[0]
    bad = console.submit(divide(1, 0), prepend=True).jobs[0]
    assert {slow.item_id, bad.item_id} == {job.item_id for job in iw.as_completed([slow, bad, slow], timeout=60)}
    batch = console.submit(add_and_multiply(), runs=3)

    async def cell() -> list[str]:
        return [job.status async for job in iw.as_completed(batch, timeout=60)]

    assert ["completed"] * 3 == asyncio.run(cell())
    never = console.submit(sleep(60)).jobs[0]
    with pytest.raises(iw.JobTimeout):
        list(iw.as_completed([never], timeout=0.3))


def test_as_completed_takes_jobs_batches_and_retries(console: iw.Console) -> None:
    """They may be mixed, as for `watch`; anything else is refused."""
    batch = console.submit(divide(1, 1), data={"div.b": [1, 0]})
    batch.wait(60)
    retry = console.retry_failed()
    job = console.submit(add_and_multiply()).jobs[0]
    ended = sorted(one.item_id for one in iw.as_completed([batch, retry, job, batch.jobs[0]], timeout=60))
    assert sorted([*batch.item_ids, job.item_id]) == ended
    for bad in ([5], 5, "jobs", [batch.jobs]):
        with pytest.raises(iw.InvalidRequest, match=r"^jobs: should be"):
            iw.as_completed(bad)  # type: ignore[arg-type]


def test_handles_on_jobs_of_other_clients(console: iw.Console, wire: Wire) -> None:
    """`console.job(id)` and `console.batch(id)` reattach to anything in the queue, and raise for what is not there."""
    answer = wire.enqueue(runs=2)
    assert "completed" == console.job(answer["item_ids"][0]).wait(60).status
    batch = console.batch(answer["batch"]["batch_id"])
    assert sorted(answer["item_ids"]) == list(batch.item_ids)
    with pytest.raises(iw.NotFound):
        console.job(999_999_999)
    with pytest.raises(iw.NotFound):
        console.batch("no-such-batch")


def test_wait_for_a_deleted_job_raises(console: iw.Console, wire: Wire) -> None:
    """Waiting for a job that is cleared away ends with `JobCanceled`."""
    first, second = console.submit(sleep(60), runs=2).jobs
    wire.wait_for(first.item_id, "in_progress")
    threading.Timer(0.5, console.clear).start()
    with pytest.raises(iw.JobCanceled):
        second.wait(60)


def test_waiting_does_not_stop_the_snapshot(console: iw.Console) -> None:
    """While one thread waits, another sees the job start."""
    slow = console.submit(sleep(2)).jobs[0]
    seen: list[str] = []

    def look() -> None:
        until(lambda: slow.status == "in_progress", "the job to run")
        seen.append(slow.status)

    watcher = threading.Thread(target=look)
    watcher.start()
    slow.wait(60)
    watcher.join()
    assert ["in_progress"] == seen


_NESTED = """
import asyncio, sys, invoke_widgets as iw
async def ask():
    async with iw.InvokeClient(sys.argv[1]) as client:
        return await client.app_version()
async def cell():
    return iw.run(ask())
assert not hasattr(asyncio, "_nest_patched")
outside = iw.run(ask())
assert not hasattr(asyncio, "_nest_patched"), "patched without need"
print(outside, asyncio.run(cell()), asyncio.run(cell()))
"""


def test_run_in_a_running_loop(console: iw.Console, wire: Wire) -> None:
    """`iw.run` works outside and inside a running loop, and patches nothing before it is needed."""
    version = console.status.connection.version
    assert version == iw.run(console.client.app_version())
    command = [sys.executable, "-W", "error", "-c", _NESTED, wire.server.url]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (f"{version} {version} {version}\n", 0) == (done.stdout, done.returncode), done.stderr
    with pytest.raises(TypeError, match="coroutine"):
        iw.run(5)  # type: ignore[arg-type]


def test_client_works_in_any_loop(console: iw.Console) -> None:
    """The console's client can be awaited in several loops, one after the other and at once."""

    async def ask() -> int:
        status = await console.client.get_queue_status()
        return status.queue.total

    results = [asyncio.run(ask()) for _ in range(2)]
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(ask()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 6 == len(results)
