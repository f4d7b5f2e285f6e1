"""Each action against a running server: its outcome, and what the server says afterwards."""

from __future__ import annotations

from typing import Any

import pytest

import invoke_widgets as iw
from tests.support.graphs import add_and_multiply, blank_image, divide, divide_by_zero, iterate, missing_image, sleep
from tests.support.wire import Wire, until

pytestmark = pytest.mark.every_version


def test_submit_runs_all_combinations(console: iw.Console, wire: Wire) -> None:
    """A batch of combinations runs, and each job's outputs come by the graph's own node ids."""
    batch = console.submit(add_and_multiply(), data=[{"add.a": [1, 2], "add.b": [10, 20]}, {"mul.b": [1, 100]}])
    assert (4, 4) == (batch.enqueued, batch.requested)
    assert sorted(batch.item_ids) == list(batch.item_ids)
    assert [11, 1100, 22, 2200] == [result["mul"]["value"] for result in batch.result(60)]
    assert ["completed"] * 4 == wire.statuses(list(batch.item_ids))


def test_runs_prepend_and_destination_reach_the_server(console: iw.Console, wire: Wire) -> None:
    """`runs`, `prepend` and `destination` reach the server."""
    running = console.submit(sleep(60))
    wire.wait_for(running.item_ids[0], "in_progress")
    behind = console.submit(add_and_multiply(), runs=2, destination="here")
    front = console.submit(add_and_multiply(), prepend=True)
    assert front.item_ids[0] == wire.get("next")["item_id"]
    until(lambda: (item := front.jobs[0].item) is not None and item.priority, "the snapshot to have its priority")
    assert 2 == wire.get("counts_by_destination", destination="here")["pending"]
    assert 2 == behind.status.pending or until(lambda: behind.status.pending == 2, "the snapshot to have both")


def test_iterations_in_order(console: iw.Console) -> None:
    """A node inside an iteration gives a list of outputs, in order."""
    result = console.submit(iterate(5, factor=3)).jobs[0].result(60)
    assert [0, 3, 6, 9, 12] == [output["value"] for output in result["mul"]]
    # The order within a collection is the server's: 6.0 collects in the order of arrival.
    assert [0, 3, 6, 9, 12] == sorted(result["all"]["collection"])


def test_output_image_can_be_read(console: iw.Console) -> None:
    """The image that a job made is there, as a PNG."""
    (name,) = console.submit(blank_image(32, 16)).jobs[0].image_names(60)
    assert b"\x89PNG" == iw.run(console.client.get_image_full(name))[:4]
    assert (32, 16) == (lambda image: (image.width, image.height))(iw.run(console.client.get_image_dto(name)))


@pytest.mark.parametrize(
    ("graph", "data", "words"),
    [
        ({"nodes": {"a": {"type": "addd"}}}, None, "nodes.a.type"),
        ({"nodes": {"a": {"type": "add", "aa": 1}}}, None, "nodes.a.aa"),
        ({"nodes": {"a": {"type": "add"}}}, {"a.a": ["x"]}, "data.a.a[0]"),
        ({"nodes": {"a": {"type": "img_resize"}}}, {"a.width": [0]}, "data.a.width[0]"),
        ({"nodes": {"a": {"type": "img_resize"}}}, {"a.image": ["x.png"]}, "data.a.image[0]"),
    ],
)
def test_bad_input_is_refused_before_sending(
    console: iw.Console, wire: Wire, graph: dict[str, object], data: object, words: str
) -> None:
    """Values that would be dropped or block the queue are refused, and nothing is enqueued."""
    with pytest.raises(iw.InvalidRequest) as caught:
        console.submit(graph, data=data)
    assert words in caught.value.message
    assert {} == wire.counts()
    assert ["validation_error"] == [error.error_type for error in console.errors]


def test_server_side_refusal_names_the_field(console: iw.Console) -> None:
    """The error for a value in the graph that the server refuses has its path."""
    with pytest.raises(iw.InvalidRequest, match=r"nodes\.add\.add\.a: .*'seven'"):
        console.submit({"nodes": {"add": {"type": "add", "a": "seven"}}})


def _stopped(console: iw.Console, cancellation: iw.Cancellation) -> Any:
    """The record of a cancel once the worker has stopped."""
    return until(
        lambda: (c := console.cancellations.latest(cancellation)).stopped_s is not None and c, "the worker to stop"
    )


def test_cancel_of_a_running_item_has_all_three_times(console: iw.Console, wire: Wire) -> None:
    """It is canceled, and all three times are known in the end; a second cancel changes nothing, and says so."""
    job = console.submit(sleep(60)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    cancellation = console.cancel(job.item_id)
    assert ("item", "canceled", 1) == (cancellation.scope, cancellation.outcome, cancellation.canceled)
    assert "canceled" == wire.item(job.item_id)["status"]
    assert "already_finished" == console.cancel(job.item_id).outcome
    latest = _stopped(console, cancellation)
    assert latest.acknowledged_s is not None
    assert latest.effective_s is not None
    assert latest.effective_s <= latest.acknowledged_s <= latest.stopped_s
    wire.wait_until_idle()


@pytest.mark.slow
def test_cancel_of_a_node_that_goes_on_is_stopped_later(console: iw.Console, wire: Wire) -> None:
    """Canceled at once in the queue; stopped only when the node has ended and the worker is free."""
    job = console.submit(sleep(3, steps=3, cancelable=False)).jobs[0]
    wire.wait_for(job.item_id, "in_progress")
    cancellation = console.cancel(job.item_id)
    assert "canceled" == wire.item(job.item_id)["status"]
    assert wire.get("status")["processor"]["is_processing"]
    assert console.cancellations.latest(cancellation).stopped_s is None
    wire.wait_until_idle()
    latest = _stopped(console, cancellation)
    assert latest.stopped_s > latest.acknowledged_s


def test_cancel_of_a_pending_item_is_stopped_at_once(console: iw.Console, wire: Wire) -> None:
    """A pending item has nothing to stop."""
    batch = console.submit(sleep(60), runs=2)
    wire.wait_for(batch.item_ids[0], "in_progress")
    cancellation = console.cancel(batch.item_ids[1])
    assert "canceled" == cancellation.outcome
    assert cancellation.effective_s == cancellation.stopped_s


def test_cancel_of_finished_and_missing_items_is_no_success(console: iw.Console) -> None:
    """A finished job gives already_finished, and a missing one not_found."""
    job = console.submit(add_and_multiply()).jobs[0]
    job.wait(60)
    done = console.cancel(job.item_id)
    assert ("already_finished", 0) == (done.outcome, done.canceled)
    assert "completed" in done.message
    assert "not_found" == console.cancel(999_999_999).outcome
    assert ["already_finished", "not_found"] == list(console.cancellations.frame()["outcome"])


def test_cancel_batch_includes_the_running_item(console: iw.Console, wire: Wire) -> None:
    """A batch is canceled with its running item, on every version, and others are left alone."""
    batch = console.submit(sleep(60), runs=3)
    other = console.submit(add_and_multiply())
    wire.wait_for(batch.item_ids[0], "in_progress")
    until(lambda: len([i for i in console.queue if i.batch_id == batch.batch_id]) == 3, "the snapshot to have them")
    cancellation = batch.cancel()
    assert ("batch", "canceled", 3) == (cancellation.scope, cancellation.outcome, cancellation.canceled)
    assert ["canceled"] * 3 == wire.statuses(list(batch.item_ids))
    assert "completed" == other.jobs[0].wait(60).status
    assert "already_finished" == batch.cancel().outcome
    assert "not_found" == console.cancel_batch("no-such-batch").outcome


def test_cancel_batch_right_after_its_submit_names_its_items(console: iw.Console) -> None:
    """Also those that were not in the snapshot yet."""
    batch = console.submit(sleep(60), runs=3)
    cancellation = batch.cancel()
    assert (batch.item_ids, 3) == (cancellation.item_ids, cancellation.canceled)


def test_large_numbers_have_thousands_separators(console: iw.Console, wire: Wire) -> None:
    """The counts of thousands of items can be read at a glance."""
    console.pause()
    batch_id = wire.enqueue(add_and_multiply(), runs=1000, data=None)["batch"]["batch_id"]
    assert f"Canceled 1,000 of batch {batch_id[:8]}." == console.cancel_batch(batch_id).message
    assert "Cleared the queue: 1,000 deleted." == console.clear().message


def test_cancel_pending_leaves_the_current_item(console: iw.Console, wire: Wire) -> None:
    """Everything pending is canceled, and the current item goes on."""
    batch = console.submit(sleep(60), runs=4)
    wire.wait_for(batch.item_ids[0], "in_progress")
    cancellation = console.cancel_pending()
    assert ("pending", "canceled", 3) == (cancellation.scope, cancellation.outcome, cancellation.canceled)
    assert {"in_progress": 1, "canceled": 3} == wire.counts()
    assert ("already_finished", 0) == (lambda c: (c.outcome, c.canceled))(console.cancel_pending())


def test_clear_deletes_everything_but_the_logs(console: iw.Console, wire: Wire) -> None:
    """Everything is canceled and deleted; the snapshot is empty, and the logs keep their records."""
    done = console.submit(divide(1, 0))
    done.wait(60)
    batch = console.submit(sleep(60), runs=3)
    wire.wait_for(batch.item_ids[0], "in_progress")
    console.refresh()
    cancellation = console.clear()
    assert ("clear", "canceled", 3) == (cancellation.scope, cancellation.outcome, cancellation.canceled)
    assert 0 == wire.queue_status()["total"]
    console.refresh()
    assert [] == console.queue
    assert 1 == len(console.errors)
    assert 4 == len(console.jobs.frame())
    assert "already_finished" == console.clear().outcome


def test_retry_links_new_items_to_old(console: iw.Console, wire: Wire) -> None:
    """A retry gives the new ids, also of a retry of a retry; a completed item is skipped."""
    failed = console.submit(divide(1, 0)).jobs[0]
    with pytest.raises(iw.ExecutionFailed):
        failed.wait(60)
    completed = console.submit(add_and_multiply()).jobs[0]
    completed.wait(60)
    retry = console.retry([failed.item_id, completed.item_id])
    assert [failed.item_id] == list(retry.new_item_ids)
    assert (completed.item_id,) == retry.skipped
    second = console.job(retry.item_ids[0])
    with pytest.raises(iw.ExecutionFailed):
        second.wait(60)
    third = console.retry(second.item_id)
    assert failed.item_id == wire.item(third.item_ids[0])["retried_from_item_id"]
    assert 2 == len({*retry.item_ids, *third.item_ids})


def test_retry_failed_retries_each_item_once(console: iw.Console) -> None:
    """All failed items are retried, and not again by a second call."""
    batch = console.submit(divide(1, 0), runs=3)
    batch.wait(60)
    retry = console.retry_failed()
    assert set(batch.item_ids[:3]) == set(retry.new_item_ids)
    for item_id in retry.item_ids:
        with pytest.raises(iw.ExecutionFailed):
            console.job(item_id).wait(60)
    again = console.retry_failed()
    assert set(retry.item_ids) == set(again.new_item_ids)


def test_a_retry_of_a_missing_item_skips_it_alone(console: iw.Console, wire: Wire) -> None:
    """An item retried beside an id that does not exist is linked to its new item; only the other is skipped."""
    with pytest.raises(iw.ExecutionFailed):
        (failed := console.submit(divide(1, 0)).jobs[0]).wait(60)
    missing = failed.item_id + 1_000_000
    if not wire.server.has("retry_skips_missing"):
        with pytest.raises(iw.JobException):
            console.retry([failed.item_id, missing])
        return
    retry = console.retry([failed.item_id, missing])
    assert ([failed.item_id], (missing,)) == (list(retry.new_item_ids), retry.skipped)
    assert failed.item_id == wire.item(retry.item_ids[0])["retried_from_item_id"]


def test_ids_of_a_frame_can_be_retried(console: iw.Console) -> None:
    """numpy's numbers are ids, and one given twice counts once."""
    batch = console.submit(divide(1, 0), runs=2)
    ids = batch.frame(60)["item_id"]
    assert batch.item_ids == tuple(console.retry([*ids, ids[0]]).new_item_ids)


def test_prune_pause_resume_and_delete(console: iw.Console, wire: Wire) -> None:
    """The server carries out each action, and a pause shows in the snapshot at once."""
    console.submit(add_and_multiply(), runs=2).wait(60)
    assert 2 == console.prune()
    assert not console.pause().is_started
    assert console.status.is_paused
    batch = console.submit(add_and_multiply(), runs=4)
    assert {"pending": 4} == wire.counts()
    first, second, third, last = batch.item_ids
    console.delete(first)
    assert {"pending": 3} == wire.counts()
    with pytest.raises(iw.NotFound):
        console.delete([first, second, third])
    assert {"pending": 1} == wire.counts()
    assert console.resume().is_started
    assert "completed" == console.job(last).wait(60).status
    console.refresh()
    assert [last] == [item.item_id for item in console.queue]


def test_failures_are_recorded_once_with_their_node(console: iw.Console) -> None:
    """A failed job is one record: class, message, node, traceback, suggestion."""
    for graph in (divide_by_zero(), missing_image()):
        with pytest.raises(iw.JobException):
            console.submit(graph).jobs[0].wait(60)
    until(lambda: all(error.node_id for error in console.errors), "the failed nodes to be known")
    by_type = {str(error.server_error_type): error for error in console.errors}
    zero = by_type["ZeroDivisionError"]
    assert ("execution_failed", "div", "div") == (zero.error_type, zero.node_id, zero.node_type)
    assert "Traceback" in (zero.traceback or "")
    image = next(error for name, error in by_type.items() if name.startswith("Image"))
    assert "validation_error" == image.error_type
    assert image.suggestion
    console.refresh()
    assert 2 == len(console.errors)


def test_full_queue_takes_fewer_items(console: iw.Console, wire: Wire) -> None:
    """A full queue takes what fits; the batch has both numbers. What could never fit is not sent."""
    console.pause()
    room = wire.server.max_queue_size
    with pytest.raises(iw.InvalidRequest, match=f"runs: {room + 5:,} items are more than .* can hold: {room:,}"):
        console.submit(add_and_multiply(), runs=room + 5)
    wire.enqueue(add_and_multiply(), runs=5)
    batch = console.submit(add_and_multiply(), runs=room)
    assert (room - 5, room) == (batch.enqueued, batch.requested)
    assert room - 5 == len(batch.item_ids)
    none = console.submit(add_and_multiply())
    assert (0, 1, ()) == (none.enqueued, none.requested, none.item_ids)
    assert ["validation_error", *["resource_error"] * 2] == [error.error_type for error in console.errors]
    console.refresh()
    assert room == len(console.queue)
    console.cancel(batch.item_ids[:1])
    sweep = console.workflow({"nodes": {"p": {"type": "blank_image"}}}).sweep({"p.color": ["red", "blue", "lime"]})
    assert (1, 3, "Sweep(1 job of 3 in 3 batches)") == (sweep.enqueued, sweep.requested, repr(sweep))


@pytest.mark.slow
def test_stuck_queue_names_its_batch_and_unwedge_cancels_it(console: iw.Console, wire: Wire) -> None:
    """A value of the wrong type, enqueued by another client, blocks the queue until its batch is canceled.

    Before 6.12, canceling the item is enough, although the server fails to answer.
    """
    value = {"node_path": "add", "field_name": "a", "items": ["x"]}
    poison = wire.enqueue(data=[[value]])
    behind = console.submit(add_and_multiply())
    wedge = until(lambda: console.status.wedge, "the wedge to be seen")
    assert (poison["batch"]["batch_id"],) == wedge.batch_ids
    assert tuple(poison["item_ids"] * wire.server.has("item_ids")) == wedge.item_ids
    record = console.cancel(poison["item_ids"][0])
    if wire.server.has("cancel_loads_first"):
        assert "refused" == record.outcome
        assert ["canceled"] == [c.outcome for c in console.unwedge()]
    else:
        assert ("canceled", 1) == (record.outcome, wire.counts().get("canceled"))
    assert "completed" == behind.jobs[0].wait(60).status
    until(lambda: console.status.wedge is None, "the wedge to be gone")


@pytest.mark.slow
def test_stuck_queue_from_before_can_be_freed(wire: Wire) -> None:
    """A console that connects later names the batch or, up to 6.13, says that canceling everything pending helps."""
    value = {"node_path": "add", "field_name": "a", "items": ["x"]}
    poison = wire.enqueue(data=[[value]])
    with iw.connect(wire.server.url) as console:
        wedge = until(lambda: console.status.wedge, "the wedge to be seen")
        assert tuple(poison["item_ids"] * wire.server.has("item_ids")) == wedge.item_ids
        if wire.server.has("item_summaries"):
            assert ["canceled"] == [c.outcome for c in console.unwedge()]
        else:
            with pytest.raises(iw.CancellationFailed) as caught:
                console.unwedge()
            assert "cancel_pending()" in caught.value.suggestion
            record = console.cancel_pending()
            assert ("canceled", 1) == (record.outcome, record.canceled)
        until(lambda: console.status.wedge is None, "the wedge to be gone")
    wire.put("prune")
    assert "completed" == wire.run()["status"]


def test_cancel_many_returns_an_outcome_for_each(console: iw.Console, wire: Wire) -> None:
    """Each item has its own outcome, in the order of the ids."""
    with wire.paused():
        batch = console.submit(add_and_multiply(), runs=6)
        records = console.cancel([*batch.item_ids, 999_999_999])
    assert ["canceled"] * 6 + ["not_found"] == [record.outcome for record in records]
    assert list(batch.item_ids) == [record.item_ids[0] for record in records[:6]]


def test_ids_out_of_frames_and_selections_are_taken(console: iw.Console, wire: Wire) -> None:
    """NumPy's integers, a Series and a list, by each call that takes an id; several are canceled together."""
    running, pending = wire.running_and_pending(3)
    until(lambda: len(console.queue) == 4, "the snapshot")
    ids = console.jobs.frame().sort_values("item_id")["item_id"]
    assert "canceled" == console.cancel(ids.iloc[-1]).outcome
    records = console.cancel(ids)
    assert (["canceled"] * 3, ["already_finished"]) == ([r.outcome for r in records[:3]], [records[3].outcome])
    assert [running, *pending] == [record.item_ids[0] for record in records]
    assert running == console.job(ids.iloc[0]).item_id == console.item(ids.iloc[0]).item_id
    assert 4 == len(console.retry(ids).new_item_ids)
    console.clear()
