"""Which notices successive pictures give rise to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from invoke_widgets.errors import JobErrorType
from invoke_widgets.events import BatchEnqueued
from invoke_widgets.jobs.watch import NoticeTracker
from invoke_widgets.notices import (
    BatchDone,
    ConnectionBack,
    ConnectionLost,
    JobChanged,
    JobDeleted,
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
from invoke_widgets.records import Connection, JobError, ProcessorStatus, Progress, QueueItem, QueueStatus, Wedge
from invoke_widgets.sync import state as merge
from invoke_widgets.sync.state import QueueState
from invoke_widgets.sync.store import Change

LIVE = QueueState(connection=Connection(mode="live"))


def item(item_id: int, status: str = "pending", batch_id: str = "b") -> QueueItem:
    return QueueItem(item_id=item_id, status=status, batch_id=batch_id)


def record(failed: QueueItem) -> JobError:
    return JobError(at=datetime.now(UTC), error_type=JobErrorType.RESOURCE_ERROR, message="m", item_id=failed.item_id)


class Pictures:
    """Successive pictures of one queue, and what is made of them. Its clock is wound by hand."""

    def __init__(self, *items: QueueItem, state: QueueState = LIVE, known: bool = True, **options: Any) -> None:
        self.now = 100.0
        self.known = known
        self.state = state
        self._put(items)
        self.notices = NoticeTracker(
            self.state, error_of=lambda i: record(i) if self.known else None, clock=lambda: self.now, **options
        )

    def _put(self, items: Iterable[QueueItem]) -> frozenset[int]:
        changed: frozenset[int] = frozenset()
        for each in items:
            self.state, ids = merge.with_news(self.state, each)
            changed |= ids
        return changed

    def see(self, *items: QueueItem, gone: tuple[int, ...] = (), **changes: Any) -> list[Notice]:
        """The notices after these items changed, these ids vanished, and these fields of the picture were replaced."""
        changed = self._put(items)
        left = {key: value for key, value in self.state.items.items() if key not in gone}
        self.state = replace(self.state, items=left, **changes)
        return self.notices.changed(Change(self.state, changed | frozenset(gone)))

    def wait(self, seconds: float) -> list[Notice]:
        self.now += seconds
        return self.notices.tick()


def kinds(notices: list[Notice]) -> list[type[Notice]]:
    return [type(notice) for notice in notices]


def test_a_job_from_its_start_to_its_end() -> None:
    """A new job's changes are told, then its end, then its batch's."""
    pictures = Pictures()
    assert [JobChanged] == kinds(pictures.see(item(1)))
    assert [JobChanged] == kinds(pictures.see(item(1, "in_progress")))
    share = Progress(item_id=1, percentage=0.5)
    (changed,) = pictures.notices.changed(Change(replace(pictures.state, progress={1: share}), frozenset({1})))
    assert isinstance(changed, JobChanged)
    assert share == changed.progress
    finished, done = pictures.see(item(1, "completed"))
    assert isinstance(finished, JobFinished)
    assert (1, "completed") == (finished.item.item_id, finished.item.status)
    assert isinstance(done, BatchDone)
    assert ("b", 1, 1) == (done.batch_id, done.counts.completed, done.counts.total)
    assert [] == pictures.see()


def test_what_had_ended_before_is_no_news() -> None:
    """Old jobs are not told, also where they are read later; one that is named is, and one that had not ended is."""
    old, named, running = item(1, "failed"), item(2, "completed", "c"), item(3, "in_progress", "d")
    pictures = Pictures(old, named, running, fresh=(2,))
    assert [JobFinished, BatchDone] == kinds(pictures.see())
    pictures.state, _ = merge.with_items(replace(pictures.state, unread=frozenset({0})), [item(0, "failed")])
    assert [] == pictures.notices.changed(Change(pictures.state, frozenset({0})))
    assert [JobFinished, BatchDone] == kinds(pictures.see(item(3, "canceled", "d")))


def test_a_job_that_is_first_seen_finished_is_told_once() -> None:
    """A job that came and ended between two pictures is told, and not again when more of it is read."""
    pictures = Pictures()
    assert [JobFinished, BatchDone] == kinds(pictures.see(item(1, "completed")))
    assert [] == pictures.see(replace(item(1, "completed"), device="cpu"))


def test_a_failure_waits_for_its_error() -> None:
    """A failure is told with its record, once that is known, and before its batch's end."""
    pictures = Pictures(item(1), known=False)
    assert [] == pictures.see(item(1, "failed"))
    pictures.known = True
    failed, done = pictures.see()
    assert isinstance(failed, JobFailed)
    assert (JobErrorType.RESOURCE_ERROR, False) == (failed.error.error_type, failed.will_retry)
    assert isinstance(done, BatchDone)
    assert [] == pictures.see()


def test_a_failure_whose_error_cannot_be_read_is_told_all_the_same() -> None:
    """After some seconds, or when the item is deleted, a failure is told with what is known of it."""
    pictures = Pictures(item(1), item(2, batch_id="c"), known=False)
    assert [] == pictures.see(replace(item(1, "failed"), error_type="OutOfMemoryError"))
    failed, *_ = pictures.wait(6)
    assert isinstance(failed, JobFailed)
    assert (JobErrorType.RESOURCE_ERROR, 1) == (failed.error.error_type, failed.error.item_id)
    assert [] == pictures.see(item(2, "failed", "c"))
    assert [JobFailed] == kinds(pictures.see(gone=(2,)))


def test_a_batch_is_not_done_while_it_is_tried_again() -> None:
    """A failed job that will be run again says so, and its batch is done when the last attempt is."""
    pictures = Pictures(item(1))
    (failed,) = pictures.see(item(1, "failed"), retrying={1: datetime.now(UTC)})
    assert isinstance(failed, JobFailed)
    assert failed.will_retry
    assert [JobChanged] == kinds(pictures.see(item(2), retrying={}))
    assert [JobFinished, BatchDone] == kinds(pictures.see(item(2, "completed")))


def test_a_batch_is_done_where_the_retry_is_given_up() -> None:
    """Where the further attempt never comes, the batch is done then."""
    pictures = Pictures(item(1))
    pictures.see(item(1, "failed"), retrying={1: datetime.now(UTC)})
    assert [] == pictures.wait(60)
    assert [BatchDone] == kinds(pictures.see(retrying={}))


def test_a_batch_whose_rest_is_not_read_yet_is_not_done() -> None:
    """A first job that ends at once does not end the batch that was announced with more, or that is being read."""
    pictures = Pictures()
    pictures.notices.receive(BatchEnqueued(queue_id="default", batch_id="b", enqueued=2, requested=2))
    assert [JobFinished] == kinds(pictures.see(item(1, "completed")))
    assert [JobFinished, BatchDone] == kinds(pictures.see(item(2, "completed")))
    assert [JobFinished] == kinds(pictures.see(item(3, "completed", "c"), unread=frozenset({4})))
    assert [BatchDone] == kinds(pictures.see(unread=frozenset()))


def test_an_announced_batch_that_is_pruned_is_done_all_the_same() -> None:
    """Jobs that were deleted meanwhile are not waited for for ever."""
    pictures = Pictures()
    pictures.notices.receive(BatchEnqueued(queue_id="default", batch_id="b", enqueued=2, requested=2))
    assert [JobFinished] == kinds(pictures.see(item(1, "completed")))
    assert [BatchDone] == kinds(pictures.wait(6))


def test_a_deleted_job() -> None:
    """A job that is deleted before its end is told as such, one deleted after it is not; an empty batch is no batch."""
    pictures = Pictures(item(1), item(2, "completed", "c"))
    (deleted,) = pictures.see(gone=(1, 2))
    assert isinstance(deleted, JobDeleted)
    assert (1, item(1)) == (deleted.item_id, deleted.item)


def test_another_servers_queue() -> None:
    """Where the ids go back, what ran is gone, and what the other queue holds is no news; what comes then is."""
    pictures = Pictures(item(7, "in_progress"))
    pictures.state = replace(LIVE, connection=Connection(mode="reconnecting"))
    assert [ConnectionLost, JobDeleted] == kinds(pictures.notices.changed(Change(pictures.state, frozenset({7}))))
    assert [] == pictures.see(item(1, "completed"))
    assert [ConnectionBack] == kinds(pictures.see(connection=Connection(mode="live")))
    assert [JobFinished, BatchDone] == kinds(pictures.see(item(2, "completed", "c")))


def test_a_stalled_job() -> None:
    """A job of which nothing is heard is told once, and again only after it went on; pending ones do not stall."""
    pictures = Pictures(item(1, "in_progress"), item(2), stalled_s=10)
    assert [] == pictures.wait(9)
    (stalled,) = pictures.wait(2)
    assert isinstance(stalled, JobStalled)
    assert (1, 11.0) == (stalled.item.item_id, stalled.quiet_s)
    assert [] == pictures.wait(60)
    share = Progress(item_id=1, percentage=0.5)
    pictures.state = replace(pictures.state, progress={1: share})
    assert [JobChanged] == kinds(pictures.notices.changed(Change(pictures.state, frozenset({1}))))
    assert [JobStalled] == kinds(pictures.wait(11))
    assert [] == Pictures(item(1, "in_progress")).wait(1000)


def test_no_stall_while_nothing_can_be_heard() -> None:
    """While the server is away, or only polled, silence says nothing; it is counted from the return on."""
    pictures = Pictures(item(1, "in_progress"), stalled_s=10)
    assert [ConnectionLost] == kinds(pictures.see(connection=Connection(mode="reconnecting", error="gone")))
    assert [] == pictures.wait(60)
    assert [ConnectionBack] == kinds(pictures.see(connection=Connection(mode="live")))
    assert [] == pictures.wait(9)
    assert [JobStalled] == kinds(pictures.wait(2))
    assert [] == Pictures(item(1, "in_progress"), stalled_s=1, state=QueueState()).wait(60)


def test_the_queues_conditions_come_and_go() -> None:
    """Lost, paused and wedged are told when they begin and when they end, once each, from the first picture on."""
    wedge = Wedge(batch_ids=("b",), item_ids=(1,), message="bad")
    paused = ProcessorStatus(is_started=False, is_processing=False)
    pictures = Pictures(state=replace(LIVE, processor=paused, connection=Connection(mode="reconnecting", error="why")))
    lost, was_paused = pictures.see()
    assert (ConnectionLost, "why") == (type(lost), getattr(lost, "error", None))
    assert QueuePaused is type(was_paused)
    assert [] == pictures.wait(5)
    assert [ConnectionBack] == kinds(pictures.see(connection=Connection(mode="polling")))
    assert [QueueResumed] == kinds(pictures.see(processor=replace(paused, is_started=True)))
    (wedged,) = pictures.see(wedge=wedge)
    assert isinstance(wedged, QueueWedged)
    assert wedge == wedged.wedge
    assert [QueueUnwedged] == kinds(pictures.see(wedge=None))
    assert [] == pictures.see(connection=Connection(mode="closed"))


def test_a_full_queue() -> None:
    """A batch of which less was taken than asked for says how many wait; one that was taken whole says nothing."""
    pictures = Pictures(state=replace(LIVE, status=QueueStatus(pending=1, total=1)))
    part = BatchEnqueued(queue_id="default", batch_id="b", enqueued=3, requested=5)
    pictures.notices.receive(part)
    assert [] == pictures.see()
    (full,) = pictures.see(status=QueueStatus(pending=1000, total=1000))
    assert isinstance(full, QueueFull)
    assert 1000 == full.pending
    pictures.notices.receive(replace(part, enqueued=5))
    assert [] == pictures.wait(5)
    pictures.notices.receive(replace(part, enqueued=0))
    assert [QueueFull] == kinds(pictures.see())
    pictures.see(status=QueueStatus())
    pictures.notices.receive(part)
    assert [] == pictures.wait(1)
    assert [QueueFull] == kinds(pictures.wait(1))
