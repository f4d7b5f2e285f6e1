"""Canceling and retrying what fits a description."""

from __future__ import annotations

from pathlib import Path

import pytest

import invoke_widgets as iw
from invoke_widgets.widgets.queue_table import QueueTable
from tests.support.chaos import ChaosProxy
from tests.support.graphs import divide, divide_by_zero, fail, sleep
from tests.support.wire import Wire, until

pytestmark = pytest.mark.every_version


def test_cancel_where(console: iw.Console, wire: Wire) -> None:
    """By destination, batch, status and varied value; what has ended is left alone, and the outcomes are the count."""
    done = console.submit(divide(6, 1), destination="here")
    done.wait(60)
    with wire.paused():
        here = console.submit(divide(6, 1), data={"div.b": [1, 2, 3]}, destination="here")
        there = console.submit(divide(6, 1), runs=2, destination="there")
        console.refresh()
        first, second, third = here.item_ids
        assert [second] == [record.item_ids[0] for record in console.cancel(where={"div.b": 2, "destination": "here"})]
        assert {first, third} == {record.item_ids[0] for record in console.cancel(where={"destination": "here"})}
        assert [] == console.cancel(where={"destination": "here"})
        assert 2 == len(console.cancel(where={"batch_id": [there.batch_id, "none"], "status": "unfinished"}))
        console.refresh()
    assert ["completed", *["canceled"] * 5] == [item.status for item in reversed(console.queue)]


def test_cancel_where_leaves_nothing_to_start(console: iw.Console, wire: Wire) -> None:
    """The running job is canceled last, so that the next one does not begin."""
    batch = console.submit(sleep(60), runs=5)
    wire.wait_for(batch.item_ids[0], "in_progress")
    console.refresh()
    assert 5 == len(console.cancel(where={"batch_id": batch.batch_id}))
    assert 1 == len([item for item in console.queue if item.started_at is not None])


def test_retry_where(console: iw.Console) -> None:
    """By error class, the server's class, and group; each job's last attempt, once."""
    zero, memory = console.submit(divide(1, 0)), console.submit(fail("CUDA out of memory. Tried to allocate 2.00 GiB"))
    for batch in (zero, memory):
        batch.wait(60)
    until(lambda: len(console.errors) == 2, "both errors")
    (first,), (second,) = zero.item_ids, memory.item_ids
    assert [second] == list(console.retry(where={"error_type": "resource_error"}).new_item_ids)
    again = console.retry(where={"server_error_type": "ZeroDivisionError", "batch_id": zero.batch_id})
    assert [first] == list(again.new_item_ids)
    again.wait(60)
    until(lambda: len(console.errors) >= 3, "its error")
    (group,) = (group for group in console.errors.groups() if group.error_type == "execution_failed")
    console.refresh()
    assert again.item_ids == tuple(console.retry(where={"fingerprint": group.fingerprint}).new_item_ids)
    assert 0 == len(console.retry(where={"destination": "nowhere"}))


def test_where_knows_values_that_events_leave_out(through: iw.Console, proxy: ChaosProxy) -> None:
    """Jobs of which only events are known yet are read first, or none would fit."""
    proxy.delay(1.0, path="item_summaries_by_ids")
    failed = through.submit(divide(6, 0), data={"div.a": [1, 2, 3]})
    failed.wait(60)
    assert list(failed.item_ids[1:]) == list(through.retry(where={"div.a": [2, 3]}).new_item_ids)
    runs = through.submit(sleep(60), data={"sleep.seconds": [50]})
    until(lambda: runs.status.in_progress, "its event")
    assert ["canceled"] == [record.outcome for record in through.cancel(where={"sleep.seconds": 50})]


@pytest.mark.needs("item_ids")
def test_where_takes_all_or_nothing(
    through: iw.Console, proxy: ChaosProxy, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where not all items could be read in time, those that were are not canceled without the others."""
    monkeypatch.setattr("invoke_widgets.jobs.actions._FILL_S", 1.0)
    with wire.paused():
        known = through.submit(divide(6, 1), destination="here")
        through.refresh()
        rule = proxy.delay(10.0, path="_by_ids")
        wire.enqueue(divide(6, 1), destination="here")
        until(lambda: through.internals.store.state.unread, "it to be listed")
        with pytest.raises(iw.JobTimeout, match="Not all items were read within 1 s"):
            through.cancel(where={"destination": "here"})
        assert "pending" == known.jobs[0].status
        rule.stop()
        through.reconnect()
        assert 2 == len(through.cancel(where={"destination": "here"}))


def test_where_takes_the_names_of_a_workflow(console: iw.Console, wire: Wire, tmp_path: Path) -> None:
    """A value that was set by name is found by it; a name that no job has is refused, with the nearest one.

    A later session has the names from the history.
    """
    history = tmp_path / "history.sqlite"
    with wire.paused():
        with iw.connect(console.url, history=history) as earlier:
            earlier.workflow(iw.examples.workflow("islands")).sweep({"Seed": [1, 2]})
            assert "Seed" in earlier.jobs.frame()
        with iw.connect(console.url, history=history) as later:
            assert 1 == len(later.cancel(where={"Seed": 2}))
        console.cancel_pending()
    workflow = console.workflow(iw.examples.workflow("islands"))
    with wire.paused():
        sweep = workflow.sweep({"Seed": [1, 2, 3]})
        (record,) = console.cancel(where={"Seed": 2})
        assert (sweep.item_ids[1],) == record.item_ids
        with pytest.raises(iw.InvalidRequest, match=r"there is no 'Sed'.*'Seed'") as caught:
            console.cancel(where={"Sed": 1})
        console.cancel_pending()
    assert ("where.Sed", 1) == (caught.value.field, len(console.retry(where={"Seed": [2], "status": "canceled"})))


def test_a_console_that_has_just_connected_retries_all_that_failed(wire: Wire) -> None:
    """It reads first why they failed, which its first look at the queue does not say."""
    ids = sorted(wire.enqueue(divide_by_zero(), runs=60)["item_ids"])
    for item_id in ids:
        wire.wait_for(item_id)
    with iw.connect(wire.server.url) as console:
        assert ids == sorted(console.retry(where={"error_type": "execution_failed"}).new_item_ids)


def test_a_console_that_has_just_connected_knows_retries(wire: Wire) -> None:
    """A job whose last attempt, made by somebody else, did not fail is not retried, and is missing once."""
    first = wire.run(divide_by_zero())["item_id"]
    with wire.paused():
        wire.put("retry_items_by_id", [first])
        second = until(lambda: [i for i in wire.item_ids() if i > first], "the new item")[0]
        wire.put(f"i/{second}/cancel")
    with iw.connect(wire.server.url) as console:
        assert 0 == len(console.retry_failed())
    with iw.connect(wire.server.url) as console:
        (last,) = console.batch(console.queue[0].batch_id).missing()
        assert second == last.item_id


def test_retry_where_canceled(console: iw.Console, wire: Wire) -> None:
    """Only if it is asked for."""
    with wire.paused():
        batch = console.submit(divide(1, 1), runs=2)
        canceled = batch.item_ids
        batch.cancel()
        console.refresh()
        assert 0 == len(console.retry(where={"batch_id": batch.batch_id}))
        again = console.retry(where={"batch_id": batch.batch_id, "status": ["canceled", "failed"]})
        assert set(canceled) == set(again.new_item_ids)
    assert ["completed"] * 2 == [item.status for item in again.wait(60)]


def test_the_filters_of_a_table_are_a_where(console: iw.Console, wire: Wire) -> None:
    """What it shows is what is acted on; a text that is searched for is none."""
    with wire.paused():
        batch = console.submit(divide(1, 1), runs=2)
        console.refresh()
        table = QueueTable(console)
        table.filters = {"status": "unfinished", "batch": batch.batch_id, "items": f"{batch.item_ids[0]}"}
        expected = {"status": "unfinished", "batch_id": batch.batch_id, "item_id": [batch.item_ids[0]]}
        assert expected == table.where
        assert [batch.item_ids[:1]] == [record.item_ids for record in console.cancel(where=table.where)]
        table.filters = {"text": "div"}
        with pytest.raises(iw.InvalidRequest, match="text"):
            _ = table.where
        table.close()
