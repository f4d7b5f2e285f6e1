"""Notices about a running server's queue, as a listener receives them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import invoke_widgets as iw
from invoke_widgets.notices import (
    BatchDone,
    JobChanged,
    JobCompleted,
    JobFailed,
    JobFinished,
    JobStalled,
    Notice,
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
def test_a_stalled_job_gives_one_notice(console: iw.Console, received: Notices, wire: Wire) -> None:
    """A job in progress without any sign of life is reported once."""
    item_id = wire.start(sleep(60, steps=1))[0]
    until(lambda: of(received, JobStalled), "the stall")
    assert [item_id] == [notice.item.item_id for notice in received if isinstance(notice, JobStalled)]


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


def test_a_slow_listener_gets_the_last_of_a_jobs_changes(console: iw.Console) -> None:
    """Those before are not kept for it; what else happens is, in its order."""
    notices: Notices = []
    going_on = threading.Event()

    def listen(notice: Notice) -> None:
        notices.append(notice)
        going_on.wait(60)

    end = console.on_notice(listen)
    job = console.submit(sleep(1, steps=20)).jobs[0]
    job.wait(60)
    going_on.set()
    until(lambda: of(notices, BatchDone), "the end")
    end()
    last = of(notices, JobChanged)[-1]
    assert isinstance(last, JobChanged)
    assert last.progress is not None
    assert 0.9 < (last.progress.percentage or 0)
    assert [JobChanged, JobChanged, JobCompleted, BatchDone] == [type(notice) for notice in notices]
