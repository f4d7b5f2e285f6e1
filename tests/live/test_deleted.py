"""Jobs that the server has deleted: a console that saw their end still says what became of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import invoke_widgets as iw
from tests.support.chaos import ChaosProxy
from tests.support.graphs import divide, iterate, sleep
from tests.support.wire import Wire, until

pytestmark = pytest.mark.every_version


def _three(console: iw.Console) -> iw.Batch:
    """A batch whose second job fails."""
    return console.submit(divide(6, 1), data={"div.b": [1, 0, 2]})


def _ended(console: iw.Console, batch: iw.Batch) -> None:
    """Wait until the console has seen the end of all jobs, without a handle that reads them."""
    until(lambda: console.jobs.frame()["status"].isin(["completed", "failed"]).sum() == len(batch), "the ends")
    console.refresh()


def test_a_pruned_batch_keeps_its_rows(console: iw.Console) -> None:
    """One row a job, with values, outputs and errors, whatever became of the items."""
    batch = _three(console)
    before = batch.frame(60)
    assert 3 == console.prune()
    console.refresh()
    after = batch.frame(60)
    pd.testing.assert_frame_equal(before.drop(columns="device"), after.drop(columns="device"))
    assert ["completed", "failed", "completed"] == [item.status for item in batch.wait(60)]
    assert [{"value": 6}, {"value": 3}] == [
        {"value": result["div"]["value"]} for result in batch.result(60, on_failure="skip")
    ]
    assert (2, 1, 3) == (batch.status.completed, batch.status.failed, batch.status.total)


def test_results_that_were_read_outlive_the_items(console: iw.Console) -> None:
    """Also those of iterations, and through a job of the batch."""
    batch = console.submit(iterate(3))
    before = batch.result(60)
    console.prune()
    console.refresh()
    assert before == batch.result(60) == [batch.jobs[0].result(60)]


def test_a_pruned_job_says_what_it_was(console: iw.Console) -> None:
    """Its outputs were deleted with it; that they are missing is said, and never looks like an empty result."""
    batch = _three(console)
    _ended(console, batch)
    console.prune()
    console.refresh()
    done, failed, _ = batch.jobs
    assert ["completed", "failed", "completed"] == [job.status for job in batch]
    assert "completed" == done.wait(60).status
    with pytest.raises(iw.ExecutionFailed, match="ZeroDivisionError: division by zero") as caught:
        failed.wait(60)
    assert "ZeroDivisionError" in caught.value.details["traceback"]
    with pytest.raises(
        iw.NotFound, match=f"Item {done.item_id} completed, but was deleted before its outputs were read"
    ):
        done.result(60)
    with pytest.raises(iw.NotFound, match="completed, but was deleted before its outputs"):
        done.image_names(60)
    assert ["NotFound", "ExecutionFailed", "NotFound"] == [
        type(error).__name__ for error in batch.result(60, on_failure="return")
    ]
    frame = batch.frame(60)
    assert ["completed", "failed", "completed"] == frame["status"].tolist()
    assert [1, 0, 2] == frame["div.b"].tolist()
    assert "div.value" not in frame


def test_handles_on_pruned_jobs_can_be_made(console: iw.Console) -> None:
    """By id, from what the console knows."""
    batch = _three(console)
    _ended(console, batch)
    console.prune()
    console.refresh()
    assert "completed" == console.job(batch.item_ids[0]).wait(60).status
    again = console.batch(batch.batch_id)
    assert batch.item_ids == again.item_ids
    assert batch.frame()["status"].tolist() == again.frame()["status"].tolist()
    with pytest.raises(iw.NotFound):
        console.batch("no-such-batch")
    with pytest.raises(iw.NotFound):
        console.job(999_999_999)


def test_a_history_knows_what_became_of_pruned_jobs(wire: Wire, tmp_path: Path) -> None:
    """Of those of an earlier kernel too."""
    with iw.connect(wire.server.url, history=tmp_path / "history.sqlite") as console:
        batch = _three(console)
        _ended(console, batch)
        console.prune()
    with iw.connect(wire.server.url, history=tmp_path / "history.sqlite") as later:
        assert ["completed", "failed", "completed"] == later.batch(batch.batch_id).frame()["status"].tolist()


def test_jobs_that_the_console_cleared_are_canceled(console: iw.Console, wire: Wire) -> None:
    """Those that had not ended; the others are what they were, and nothing is gone."""
    done = _three(console)
    done.wait(60)
    batch = console.submit(sleep(60), runs=3)
    wire.wait_for(batch.item_ids[0], "in_progress")
    console.refresh()
    assert 3 == console.clear().canceled
    console.refresh()
    assert [*["completed", "failed", "completed"], *["canceled"] * 3] == console.jobs.frame()["status"].tolist()
    assert ["canceled"] * 3 == batch.frame(60)["status"].tolist() == [item.status for item in batch.wait(60)]
    with pytest.raises(iw.JobCanceled, match="was canceled"):
        batch.jobs[0].wait(60)


def test_a_job_that_the_console_deleted_is_canceled(console: iw.Console, wire: Wire) -> None:
    """If it had not ended."""
    with wire.paused():
        (job,) = console.submit(divide(6, 1)).jobs
        console.refresh()
        console.delete(job.item_id)
        console.refresh()
    assert ("canceled", ["canceled"]) == (job.status, console.jobs.frame()["status"].tolist())


def test_a_job_that_somebody_else_deleted_is_gone(console: iw.Console, wire: Wire) -> None:
    """Unless its end was seen. It keeps its row all the same, with its values."""
    with wire.paused():
        batch = console.submit(divide(6, 1), data={"div.b": [1, 2]})
        until(lambda: batch.status.pending == 2, "the snapshot to have them")
        wire.delete(f"i/{batch.item_ids[0]}")
        console.refresh()
    frame = batch.frame(60)
    assert [1, 2] == frame["div.b"].tolist()
    assert (True, "completed") == (frame["status"][0] in ("gone", "canceled"), frame["status"][1])


def test_a_retry_whose_new_item_is_cleared_at_once_says_so(through: iw.Console, proxy: ChaosProxy, wire: Wire) -> None:
    """Another client clears the queue before the reply: the job was retried, so it is neither new nor skipped."""
    job = through.submit(divide(1, 0)).jobs[0]
    with pytest.raises(iw.ExecutionFailed):
        job.wait(60)
    through.pause()
    proxy.delay(3.0, path="retry_items_by_id", times=1)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(through.retry, job.item_id)
        until(lambda: len(wire.get("list_all")) == 2, "the new item")
        wire.put("clear")
        retry = asked.result(60)
    assert ({}, (), (job.item_id,)) == (retry.new_item_ids, retry.skipped, retry.gone)
    assert f"Retry({{}}, gone {job.item_id})" == repr(retry)
