"""`NoticeTracker`: which notices successive snapshots give."""

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
    JobCompleted,
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


class Snapshots:
    """Successive snapshots of one queue, and the notices they give. The clock is set by hand."""

    def __init__(self, *items: QueueItem, state: QueueState = LIVE, known: bool = True, **options: Any) -> None:
        self.now = 100.0
        self.known = known
        self.state = state
        self._put(items)
        self.tracker = NoticeTracker(
            self.state, error_of=lambda i: record(i) if self.known else None, clock=lambda: self.now, **options
        )

    def _put(self, items: Iterable[QueueItem]) -> frozenset[int]:
        changed: frozenset[int] = frozenset()
        for each in items:
            self.state, ids = merge.with_news(self.state, each)
            changed |= ids
        return changed

    def see(self, *items: QueueItem, gone: tuple[int, ...] = (), **changes: Any) -> list[Notice]:
        """Return the notices after these items changed, these ids vanished, and these fields were replaced."""
        changed = self._put(items)
        left = {key: value for key, value in self.state.items.items() if key not in gone}
        self.state = replace(self.state, items=left, **changes)
        return self.tracker.changed(Change(self.state, changed | frozenset(gone)))

    def wait(self, seconds: float) -> list[Notice]:
        self.now += seconds
        return self.tracker.tick()


def kinds(notices: list[Notice]) -> list[type[Notice]]:
    return [type(notice) for notice in notices]


def test_a_job_from_its_start_to_its_end() -> None:
    """A new job gives notices of its changes, then of its end, then of its batch's end."""
    snapshots = Snapshots()
    assert [JobChanged] == kinds(snapshots.see(item(1)))
    assert [JobChanged] == kinds(snapshots.see(item(1, "in_progress")))
    share = Progress(item_id=1, percentage=0.5)
    (changed,) = snapshots.tracker.changed(Change(replace(snapshots.state, progress={1: share}), frozenset({1})))
    assert isinstance(changed, JobChanged)
    assert share == changed.progress
    finished, done = snapshots.see(item(1, "completed"))
    assert isinstance(finished, JobCompleted)
    assert (1, "completed") == (finished.item.item_id, finished.item.status)
    assert isinstance(done, BatchDone)
    assert ("b", 1, 1) == (done.batch_id, done.counts.completed, done.counts.total)
    assert [] == snapshots.see()


def test_what_had_ended_before_is_no_news() -> None:
    """Jobs that had ended give none, even if they are read later; unless they are named as fresh, or had not ended."""
    old, named, running = item(1, "failed"), item(2, "completed", "c"), item(3, "in_progress", "d")
    snapshots = Snapshots(old, named, running, fresh=(2,))
    assert [JobCompleted, BatchDone] == kinds(snapshots.see())
    snapshots.state, _ = merge.with_items(replace(snapshots.state, unread=frozenset({0})), [item(0, "failed")])
    assert [] == snapshots.tracker.changed(Change(snapshots.state, frozenset({0})))
    assert [JobFinished, BatchDone] == kinds(snapshots.see(item(3, "canceled", "d")))


def test_a_job_first_seen_finished_gives_one_notice() -> None:
    """A job that came and ended between two snapshots gives a notice, and no other when more of it is read."""
    snapshots = Snapshots()
    assert [JobCompleted, BatchDone] == kinds(snapshots.see(item(1, "completed")))
    assert [] == snapshots.see(replace(item(1, "completed"), device="cpu"))


def test_a_failure_waits_for_its_error() -> None:
    """The notice of a failure has its record, comes once that is known, and before that of its batch's end."""
    snapshots = Snapshots(item(1), known=False)
    assert [] == snapshots.see(item(1, "failed"))
    snapshots.known = True
    failed, done = snapshots.see()
    assert isinstance(failed, JobFailed)
    assert (JobErrorType.RESOURCE_ERROR, False) == (failed.error.error_type, failed.will_retry)
    assert isinstance(done, BatchDone)
    assert [] == snapshots.see()


def test_a_failure_whose_error_cannot_be_read_gives_a_notice() -> None:
    """After some seconds, or when the item is deleted, the notice has what is known of the failure."""
    snapshots = Snapshots(item(1), item(2, batch_id="c"), known=False)
    assert [] == snapshots.see(replace(item(1, "failed"), server_error_type="OutOfMemoryError"))
    failed, *_ = snapshots.wait(6)
    assert isinstance(failed, JobFailed)
    assert (JobErrorType.RESOURCE_ERROR, 1) == (failed.error.error_type, failed.error.item_id)
    assert [] == snapshots.see(item(2, "failed", "c"))
    assert [JobFailed] == kinds(snapshots.see(gone=(2,)))


def test_a_batch_is_not_done_while_it_is_tried_again() -> None:
    """A failed job that will be run again says so, and its batch is done when the last attempt is."""
    snapshots = Snapshots(item(1))
    (failed,) = snapshots.see(item(1, "failed"), retrying={1: datetime.now(UTC)})
    assert isinstance(failed, JobFailed)
    assert failed.will_retry
    assert [JobChanged] == kinds(snapshots.see(item(2), retrying={}))
    assert [JobCompleted, BatchDone] == kinds(snapshots.see(item(2, "completed")))


def test_a_batch_is_done_where_the_retry_is_given_up() -> None:
    """Where the further attempt never comes, the batch is done then."""
    snapshots = Snapshots(item(1))
    snapshots.see(item(1, "failed"), retrying={1: datetime.now(UTC)})
    assert [] == snapshots.wait(60)
    assert [BatchDone] == kinds(snapshots.see(retrying={}))


def test_a_batch_whose_rest_is_not_read_yet_is_not_done() -> None:
    """A first job that ends at once does not end the batch that was announced with more, or that is being read."""
    snapshots = Snapshots()
    snapshots.tracker.receive(BatchEnqueued(queue_id="default", batch_id="b", enqueued=2, requested=2))
    assert [JobCompleted] == kinds(snapshots.see(item(1, "completed")))
    assert [JobCompleted, BatchDone] == kinds(snapshots.see(item(2, "completed")))
    assert [JobCompleted] == kinds(snapshots.see(item(3, "completed", "c"), unread=frozenset({4})))
    assert [BatchDone] == kinds(snapshots.see(unread=frozenset()))


def test_an_announced_batch_that_is_pruned_is_done_all_the_same() -> None:
    """Jobs that were deleted meanwhile are not waited for for ever."""
    snapshots = Snapshots()
    snapshots.tracker.receive(BatchEnqueued(queue_id="default", batch_id="b", enqueued=2, requested=2))
    assert [JobCompleted] == kinds(snapshots.see(item(1, "completed")))
    assert [BatchDone] == kinds(snapshots.wait(6))


def test_a_deleted_job() -> None:
    """A job deleted before its end gives a notice, one deleted after it does not; nor does a batch left empty."""
    snapshots = Snapshots(item(1), item(2, "completed", "c"))
    (deleted,) = snapshots.see(gone=(1, 2))
    assert isinstance(deleted, JobDeleted)
    assert (1, item(1)) == (deleted.item_id, deleted.item)


def test_another_servers_queue() -> None:
    """Where the ids go back, what ran is gone, and what the other queue holds is no news; what comes then is."""
    snapshots = Snapshots(item(7, "in_progress"))
    snapshots.state = replace(LIVE, connection=Connection(mode="reconnecting"))
    assert [ConnectionLost, JobDeleted] == kinds(snapshots.tracker.changed(Change(snapshots.state, frozenset({7}))))
    assert [] == snapshots.see(item(1, "completed"))
    assert [ConnectionBack] == kinds(snapshots.see(connection=Connection(mode="live")))
    assert [JobCompleted, BatchDone] == kinds(snapshots.see(item(2, "completed", "c")))


def test_a_stalled_job() -> None:
    """A silent job gives one notice, and another only after it went on; pending jobs do not stall."""
    snapshots = Snapshots(item(1, "in_progress"), item(2), stalled_s=10)
    assert [] == snapshots.wait(9)
    (stalled,) = snapshots.wait(2)
    assert isinstance(stalled, JobStalled)
    assert (1, 11.0) == (stalled.item.item_id, stalled.quiet_s)
    assert [] == snapshots.wait(60)
    share = Progress(item_id=1, percentage=0.5)
    snapshots.state = replace(snapshots.state, progress={1: share})
    assert [JobChanged] == kinds(snapshots.tracker.changed(Change(snapshots.state, frozenset({1}))))
    assert [JobStalled] == kinds(snapshots.wait(11))
    assert [] == Snapshots(item(1, "in_progress")).wait(1000)


def test_no_stall_is_reported_while_no_events_can_arrive() -> None:
    """While the server is away, or only polled, silence says nothing; it is counted from the return on."""
    snapshots = Snapshots(item(1, "in_progress"), stalled_s=10)
    assert [ConnectionLost] == kinds(snapshots.see(connection=Connection(mode="reconnecting", error="gone")))
    assert [] == snapshots.wait(60)
    assert [ConnectionBack] == kinds(snapshots.see(connection=Connection(mode="live")))
    assert [] == snapshots.wait(9)
    assert [JobStalled] == kinds(snapshots.wait(2))
    assert [] == Snapshots(item(1, "in_progress"), stalled_s=1, state=QueueState()).wait(60)


def test_the_queues_conditions_come_and_go() -> None:
    """Lost, paused and stuck give a notice each when they begin and when they end, from the first snapshot on."""
    wedge = Wedge(batch_ids=("b",), item_ids=(1,), message="bad")
    paused = ProcessorStatus(is_started=False, is_processing=False)
    snapshots = Snapshots(
        state=replace(LIVE, processor=paused, connection=Connection(mode="reconnecting", error="why"))
    )
    lost, was_paused = snapshots.see()
    assert (ConnectionLost, "why") == (type(lost), getattr(lost, "error", None))
    assert QueuePaused is type(was_paused)
    assert [] == snapshots.wait(5)
    assert [ConnectionBack] == kinds(snapshots.see(connection=Connection(mode="polling")))
    assert [QueueResumed] == kinds(snapshots.see(processor=replace(paused, is_started=True)))
    (wedged,) = snapshots.see(wedge=wedge)
    assert isinstance(wedged, QueueWedged)
    assert wedge == wedged.wedge
    assert [QueueUnwedged] == kinds(snapshots.see(wedge=None))
    assert [] == snapshots.see(connection=Connection(mode="closed"))


def test_a_full_queue() -> None:
    """A batch that was taken in part gives a notice with the number pending; one that was taken whole gives none."""
    snapshots = Snapshots(state=replace(LIVE, status=QueueStatus(queue_id="default", pending=1, total=1)))
    part = BatchEnqueued(queue_id="default", batch_id="b", enqueued=3, requested=5)
    snapshots.tracker.receive(part)
    assert [] == snapshots.see()
    (full,) = snapshots.see(status=QueueStatus(queue_id="default", pending=1000, total=1000))
    assert isinstance(full, QueueFull)
    assert 1000 == full.pending
    snapshots.tracker.receive(replace(part, enqueued=5))
    assert [] == snapshots.wait(5)
    snapshots.tracker.receive(replace(part, enqueued=0))
    assert [QueueFull] == kinds(snapshots.see())
    snapshots.see(status=QueueStatus(queue_id="default"))
    snapshots.tracker.receive(part)
    assert [] == snapshots.wait(1)
    assert [QueueFull] == kinds(snapshots.wait(1))
