"""Notices of a running server, as a follower of the store hears them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import invoke_widgets as iw
from invoke_widgets.notices import (
    BatchDone,
    JobFailed,
    JobFinished,
    JobStalled,
    Notice,
    QueueFull,
    QueuePaused,
    QueueResumed,
    QueueUnwedged,
    QueueWedged,
)
from tests.support.graphs import divide, sleep
from tests.support.wire import Wire, until

Heard = list[Notice]


@pytest.fixture
def heard(console: iw.Console) -> Iterator[Heard]:
    """What a follower hears, with jobs that stall after a second."""
    notices: Heard = []
    end = _follow(console, notices.append)
    yield notices
    end()


def _follow(console: iw.Console, tell: Callable[[Notice], None]) -> Callable[[], None]:
    return console.on_notice(tell, stalled_s=1.0)


def of(heard: Heard, *kinds: type[Notice]) -> Heard:
    return [notice for notice in heard if isinstance(notice, kinds)]


def test_jobs_and_batches(console: iw.Console, heard: Heard, wire: Wire) -> None:
    """Each job's end is told once, a failure with its class, and the batch's once after them, whoever submitted."""
    mine = console.submit(divide(6, 1), data={"div.b": [1, 0, 2]})
    theirs = wire.enqueue(divide(1, 0), runs=2)["batch"]["batch_id"]
    until(lambda: len(of(heard, BatchDone)) == 2, "both batches to be done")
    ended = [notice for notice in heard if isinstance(notice, JobFinished)]
    assert 5 == len(ended) == len({notice.item.item_id for notice in ended})
    failures = [notice for notice in ended if isinstance(notice, JobFailed)]
    assert {("execution_failed", "ZeroDivisionError")} == {
        (str(notice.error.error_type), str(notice.error.server_error_type)) for notice in failures
    }
    counts = {notice.batch_id: notice.counts for notice in heard if isinstance(notice, BatchDone)}
    assert (2, 1, 3) == (counts[mine.batch_id].completed, counts[mine.batch_id].failed, counts[mine.batch_id].total)
    assert (2, 2) == (counts[theirs].failed, counts[theirs].total)


@pytest.mark.slow
def test_the_queues_conditions(console: iw.Console, heard: Heard, wire: Wire) -> None:
    """A pause by anyone, its end, and a batch that did not fit are told."""
    wire.put("processor/pause")
    until(lambda: of(heard, QueuePaused), "the pause")
    size = wire.server.max_queue_size
    answer = wire.enqueue(runs=size + 1)
    assert size == answer["enqueued"]
    until(lambda: of(heard, QueueFull), "the full queue")
    wire.put("clear")
    wire.put("processor/resume")
    until(lambda: of(heard, QueueResumed), "the end of the pause")


@pytest.mark.slow
def test_a_stalled_job(console: iw.Console, heard: Heard, wire: Wire) -> None:
    """A job in progress of which nothing is heard is told once."""
    item_id = wire.start(sleep(60, steps=1))[0]
    until(lambda: of(heard, JobStalled), "the stall")
    assert [item_id] == [notice.item.item_id for notice in heard if isinstance(notice, JobStalled)]


@pytest.mark.slow
def test_a_wedged_queue(console: iw.Console, heard: Heard, wire: Wire) -> None:
    """An item that the worker cannot load wedges the queue; canceling its batch ends that."""
    poison = [[{"node_path": "div", "field_name": "a", "items": ["x"]}]]
    batch_id = wire.enqueue(divide(1, 1), data=poison)["batch"]["batch_id"]
    until(lambda: of(heard, QueueWedged), "the wedge")
    assert [(batch_id,)] == [notice.wedge.batch_ids for notice in heard if isinstance(notice, QueueWedged)]
    console.unwedge()
    until(lambda: of(heard, QueueUnwedged), "the end of it")


def test_nothing_is_told_after_the_end(console: iw.Console, heard: Heard) -> None:
    """A follower that ended hears nothing more."""
    notices: Heard = []
    end = _follow(console, notices.append)
    console.submit(divide(1, 1)).wait(60)
    until(lambda: of(notices, BatchDone), "the batch")
    end()
    end()
    count = len(notices)
    console.submit(divide(1, 1)).wait(60)
    until(lambda: len(of(heard, BatchDone)) == 2, "another follower to hear it")
    assert count == len(notices)
