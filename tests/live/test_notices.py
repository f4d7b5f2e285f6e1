"""Notices about a running server's queue, as a listener receives them."""

from __future__ import annotations

from collections.abc import Iterator

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

Notices = list[Notice]


@pytest.fixture
def received(console: iw.Console) -> Iterator[Notices]:
    """The notices that a listener receives, with jobs that stall after a second."""
    notices: Notices = []
    end = console.on_notice(notices.append, stalled_s=1.0)
    yield notices
    end()


def of(received: Notices, *kinds: type[Notice]) -> Notices:
    return [notice for notice in received if isinstance(notice, kinds)]


def test_each_end_of_a_job_and_a_batch_gives_one_notice(console: iw.Console, received: Notices, wire: Wire) -> None:
    """A failure has its class, and the batch's notice comes after those of its jobs, by any client."""
    mine = console.submit(divide(6, 1), data={"div.b": [1, 0, 2]})
    theirs = wire.enqueue(divide(1, 0), runs=2)["batch"]["batch_id"]
    until(lambda: len(of(received, BatchDone)) == 2, "both batches to be done")
    ended = [notice for notice in received if isinstance(notice, JobFinished)]
    assert 5 == len(ended) == len({notice.item.item_id for notice in ended})
    failures = [notice for notice in ended if isinstance(notice, JobFailed)]
    assert {("execution_failed", "ZeroDivisionError")} == {
        (str(notice.error.error_type), str(notice.error.server_error_type)) for notice in failures
    }
    counts = {notice.batch_id: notice.counts for notice in received if isinstance(notice, BatchDone)}
    assert (2, 1, 3) == (counts[mine.batch_id].completed, counts[mine.batch_id].failed, counts[mine.batch_id].total)
    assert (2, 2) == (counts[theirs].failed, counts[theirs].total)


@pytest.mark.slow
def test_a_pause_and_a_full_queue_give_notices(console: iw.Console, received: Notices, wire: Wire) -> None:
    """A pause by another client, its end, and a batch that did not fit are reported."""
    wire.put("processor/pause")
    until(lambda: of(received, QueuePaused), "the pause")
    size = wire.server.max_queue_size
    answer = wire.enqueue(runs=size + 1)
    assert size == answer["enqueued"]
    until(lambda: of(received, QueueFull), "the full queue")
    wire.put("clear")
    wire.put("processor/resume")
    until(lambda: of(received, QueueResumed), "the end of the pause")


@pytest.mark.slow
def test_a_stalled_job_gives_one_notice(console: iw.Console, received: Notices, wire: Wire) -> None:
    """A job in progress without any sign of life is reported once."""
    item_id = wire.start(sleep(60, steps=1))[0]
    until(lambda: of(received, JobStalled), "the stall")
    assert [item_id] == [notice.item.item_id for notice in received if isinstance(notice, JobStalled)]


@pytest.mark.slow
def test_a_stuck_queue_and_its_end_give_notices(console: iw.Console, received: Notices, wire: Wire) -> None:
    """An item that the worker cannot load makes the queue stuck; canceling its batch ends that."""
    poison = [[{"node_path": "div", "field_name": "a", "items": ["x"]}]]
    batch_id = wire.enqueue(divide(1, 1), data=poison)["batch"]["batch_id"]
    until(lambda: of(received, QueueWedged), "the wedge")
    assert [(batch_id,)] == [notice.wedge.batch_ids for notice in received if isinstance(notice, QueueWedged)]
    console.unwedge()
    until(lambda: of(received, QueueUnwedged), "the end of it")


def test_no_notice_arrives_after_unsubscribing(console: iw.Console, received: Notices) -> None:
    """A listener that was ended receives nothing more; ending it twice does no harm."""
    notices: Notices = []
    end = console.on_notice(notices.append)
    console.submit(divide(1, 1)).wait(60)
    until(lambda: of(notices, BatchDone), "the batch")
    end()
    end()
    count = len(notices)
    console.submit(divide(1, 1)).wait(60)
    until(lambda: len(of(received, BatchDone)) == 2, "another listener to receive it")
    assert count == len(notices)
