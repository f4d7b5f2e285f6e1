"""The logs: one record for each thing that happened, bounded, and without secrets."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from invoke_widgets.errors import InvalidRequest, JobErrorType, NotFound, ResourceError
from invoke_widgets.events import NodeFailed, NodeProgress
from invoke_widgets.history.logs import CancellationLog, ErrorLog, EventLog, JobLog, job_error
from invoke_widgets.records import Cancellation, FieldValue, Progress, QueueItem

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"


def failed(item_id: int = 1, message: str = "division by zero", **fields: object) -> QueueItem:
    item = QueueItem(
        item_id=item_id,
        status="failed",
        batch_id="b",
        completed_at=T0 + timedelta(seconds=item_id),
        server_error_type="ZeroDivisionError",
        error_message=message,
        error_traceback="Traceback ...",
    )
    return replace(item, **fields)  # type: ignore[arg-type]


def node_failed() -> NodeFailed:
    return NodeFailed(
        queue_id="default",
        item_id=1,
        batch_id="b",
        node_id="div",
        node_type="div",
        server_error_type="ZeroDivisionError",
        error_message="division by zero",
        error_traceback="Traceback ...",
    )


def test_an_error_is_one_record_whatever_reports_it() -> None:
    """The item's event, the node's event, a poll and a read after a reconnect report one failure."""
    log = ErrorLog()
    for item in (failed(), failed(), failed(session={"errors": {"n": "x"}, "prepared_source_mapping": {"n": "div"}})):
        log.record_failure(item)
        log.record_node(node_failed())
    assert [("div", "div", JobErrorType.EXECUTION_FAILED)] == [(e.node_id, e.node_type, e.error_type) for e in log]


def test_equal_errors_are_one_group() -> None:
    """Every item keeps its record; the group counts them."""
    log = ErrorLog()
    for item_id in (3, 1, 2):
        log.record_failure(failed(item_id, f"Tried to allocate {item_id}.5 GiB"))
    log.record_failure(failed(4, "something else"))
    found = [(g.count, g.item_ids, g.first_at, g.last_at) for g in log.groups()]
    times = {i: T0 + timedelta(seconds=i) for i in range(5)}
    assert [(1, (4,), times[4], times[4]), (3, (1, 2, 3), times[1], times[3])] == found


def test_an_exception_is_recorded_once() -> None:
    """It may be caught in several places; another one with the same message is another record."""
    log = ErrorLog()
    error = NotFound("Not found: x.", details={"http_status": 404})
    for each in (error, error, NotFound("Not found: x.", details={"http_status": 404})):
        log.record_exception(each)
    assert [404, 404] == [e.http_status for e in log]


def test_a_refused_field_is_named() -> None:
    """Whether the server refused it, or a check here."""
    log = ErrorLog()
    log.record_exception(InvalidRequest("x", details={"errors": (("", "y"), ("nodes.a.b", "z"))}))
    log.record_exception(InvalidRequest("x", field="runs"))
    log.record_exception(NotFound("x"))
    assert ["nodes.a.b", "runs", None] == [error.field_path for error in log]


def test_attempts_are_numbered_along_a_chain() -> None:
    """The server names the first item of the chain in each retry."""
    log = ErrorLog()
    for item in (failed(1), failed(5, retried_from_item_id=1), failed(9, retried_from_item_id=1)):
        log.record_failure(item)
    assert [1, 2, 3] == [e.attempt for e in log]


def test_attempts_are_renumbered_when_an_earlier_one_becomes_known() -> None:
    """Canceled and completed attempts count too, in any order; chains differ by batch and first item."""
    log = ErrorLog()
    for item in (failed(9, retried_from_item_id=1), failed(1), failed(3, retried_from_item_id=1, batch_id="other")):
        log.record_failure(item)
    log.link(failed(5, status="canceled", retried_from_item_id=1))
    log.link(failed(11))
    assert {9: 3, 1: 1, 3: 2} == {e.item_id: e.attempt for e in log}


def test_the_oldest_records_are_dropped_at_the_limit() -> None:
    """A log never grows beyond it."""
    log = ErrorLog(limit=3)
    for item_id in range(10):
        log.record_failure(failed(item_id))
    assert [7, 8, 9] == [e.item_id for e in log]


def test_records_are_sorted_by_their_own_time() -> None:
    """A queue is read newest first: the oldest is still the first to be listed and dropped; ties are sorted by item."""
    log = ErrorLog(limit=4)
    for item_id in (9, 8, 7, 3, 5):
        log.record_failure(failed(item_id, completed_at=T0 + timedelta(seconds=item_id // 2)))
    newest = log.of_item(9)
    log.record_exception(NotFound("now"))
    assert ([7, 8, 9, None], True, 9) == (
        [e.item_id for e in log],
        log.frame()["at"].is_monotonic_increasing,
        newest and newest.item_id,
    )


def test_a_record_whose_time_changes_moves() -> None:
    """Records of one time are sorted by item, then by arrival."""
    log = JobLog()
    for item_id in (3, 1, 2):
        log.record(failed(item_id, created_at=T0))
    log.record(failed(1, created_at=T0 + timedelta(seconds=1)))
    assert [2, 3, 1] == [job.item_id for job in log]
    log.clear()
    log.record(failed(4, created_at=T0))
    assert [4] == [job.item_id for job in log]


def test_settle_marks_unfinished_jobs_as_gone() -> None:
    """With the time at which that was noticed, and no duration; finished jobs are left alone."""
    log = JobLog()
    log.record(failed(1, created_at=T0, started_at=T0))
    log.record(failed(2, created_at=T0, status="in_progress", started_at=T0, completed_at=None))
    log.record(failed(3, created_at=T0, status="pending", completed_at=None))
    before = datetime.now(UTC)
    log.settle(lambda job: False, [1, 2])
    frame = log.frame().set_index("item_id")
    assert ["failed", "gone", "pending"] == frame["status"].tolist()
    assert (True, [True, False]) == (frame["updated_at"][2] >= before, frame["ran_s"].notna()[[1, 2]].tolist())
    log.settle(lambda job: False)
    log.record(failed(4, created_at=T0, status="pending", completed_at=None))
    log.settle(lambda job: True)
    assert ["failed", "gone", "gone", "pending"] == [job.status for job in log]


def test_an_error_that_becomes_known_later_completes_the_record() -> None:
    """A failure that was recorded without its error keeps the rest."""
    log = ErrorLog()
    log.record_failure(failed(server_error_type=None, error_message=None, error_traceback=None))
    log.note_retry(1, "b", T0)
    said = [e.message for e in log]
    log.record_failure(failed())
    assert (["The server gives no reason."], [("division by zero", T0)]) == (
        said,
        [(e.message, e.retry_at) for e in log],
    )


@pytest.mark.parametrize("limit", [0, -1, True, "many"])
def test_an_invalid_limit_raises(limit: object) -> None:
    """At once, not when the log is full."""
    with pytest.raises(InvalidRequest, match="limit"):
        ErrorLog(limit=limit)  # type: ignore[arg-type]


def test_a_record_is_replaced_by_its_later_state() -> None:
    """There is one record per job; a cancellation's `stopped_s` becomes known seconds after the rest."""
    jobs, cancellations = JobLog(), CancellationLog()
    for status in ("pending", "in_progress", "failed"):
        jobs.record(failed(status=status))
    asked = Cancellation(
        scope="item", outcome="canceled", canceled=1, item_ids=(1,), requested_at=T0, cancellation_id="c"
    )
    for stopped_s in (None, 2.5):
        cancellations.record(replace(asked, stopped_s=stopped_s))
    assert (["failed"], [2.5]) == ([job.status for job in jobs], [c.stopped_s for c in cancellations])


def test_a_summary_takes_nothing_from_a_record() -> None:
    """A console that opens a history lists the queue first, without errors and retries; a later state is its own."""
    jobs = JobLog()
    for item in (
        failed(updated_at=T0, retried_from_item_id=7, device="cpu"),
        QueueItem(item_id=1, status="failed", batch_id="b"),
        failed(2, started_at=T0, status="in_progress"),
        QueueItem(item_id=2, status="pending", batch_id="b"),
    ):
        jobs.record(item)
    first, second = sorted(jobs, key=lambda job: job.item_id)
    assert ("ZeroDivisionError", "division by zero", T0, 7, "cpu", None) == (
        first.server_error_type,
        first.error_message,
        first.updated_at,
        first.retried_from_item_id,
        first.device,
        second.started_at,
    )


def test_events_are_kept_without_previews() -> None:
    """Ten thousand previews would be hundreds of megabytes."""
    log = EventLog(limit=2)
    for step in range(3):
        progress = Progress(item_id=1, message=f"step {step}", image="data:image/png;base64,AAAA")
        log.record(
            NodeProgress(queue_id="default", item_id=1, batch_id="b", node_id="n", node_type="t", progress=progress)
        )
    found = [h.event.progress for h in log if isinstance(h.event, NodeProgress)]
    assert [("step 1", None), ("step 2", None)] == [(p.message, p.image) for p in found]


def test_listeners_are_called_after_each_change_until_they_unsubscribe() -> None:
    """A record that changes nothing is no change; a listener that raises does not stop the others."""
    lengths: list[int] = []
    log = ErrorLog()

    def raising() -> None:
        raise ZeroDivisionError

    log.on_change(raising)
    unsubscribe = log.on_change(lambda: lengths.append(len(log)))
    log.record_failure(failed(1))
    log.record_failure(failed(1))
    log.record_failure(failed(2))
    log.clear()
    unsubscribe()
    unsubscribe()
    log.record_failure(failed(3))
    assert [1, 2, 0] == lengths


def test_job_error_diagnoses_a_failed_item() -> None:
    """Without the tokens in use, and with the node where the session names it."""
    session = {"errors": {"n": "x"}, "prepared_source_mapping": {"n": "div"}}
    found = job_error(failed(message="open sesame", session=session), attempt=2, secrets=["open sesame", None])
    assert (JobErrorType.EXECUTION_FAILED, "[token]", "div", 1, 2, T0 + timedelta(seconds=1)) == (
        found.error_type,
        found.message,
        found.node_id,
        found.item_id,
        found.attempt,
        found.at,
    )


def test_job_error_of_an_unread_failure_says_that_there_is_no_reason() -> None:
    """Its error could not be read, or the server gave none."""
    found = job_error(failed(server_error_type=None, error_message=None, error_traceback=None))
    assert ("The server gives no reason.", None) == (found.message, found.server_error_type)


def test_threads_log_and_read_at_once() -> None:
    """The loop's thread writes while a cell makes a frame."""
    log = ErrorLog(limit=100)
    writer = threading.Thread(target=lambda: [log.record_failure(failed(i)) for i in range(5000)])
    writer.start()
    lengths = []
    while writer.is_alive():
        lengths.append(sum(1 for _ in log))
    assert max(lengths, default=0) <= 100


def test_equal_out_of_memory_errors_are_one_group() -> None:
    """They are long, and differ only in numbers of different lengths."""
    log = ErrorLog()
    for item_id, (size, free, used) in enumerate(
        [("20.00", "10.12", "7.61"), ("512.00", "9", "7.2"), ("2", "1.1", "10")]
    ):
        said = (
            f"CUDA out of memory. Tried to allocate {size} MiB. GPU 0 has a total capacity of 7.79 GiB of which {free} "
            f"MiB is free. Including non-PyTorch memory, this process has {used} GiB memory in use. Of the allocated "
            f"memory {used} GiB is allocated by PyTorch, and 123.45 MiB is reserved by PyTorch but unallocated."
        )
        log.record_failure(failed(item_id, said))
    assert [3] == [group.count for group in log.groups()]


def test_secrets_in_an_argument_are_not_recorded() -> None:
    """The message of a failed request may quote an argument, which no server sent."""
    log = ErrorLog()
    log.record_exception(NotFound("url: 'http://me:c2lnbmF0dXJl@h' is not there.", details={"http_status": 404}))
    assert ["url: 'http://[token]@h' is not there."] == [e.message for e in log]


def test_a_token_in_use_is_not_recorded() -> None:
    """Whatever its form."""
    log = ErrorLog(secrets=lambda: ("open sesame", None))
    log.record_failure(failed(message="you said open sesame", error_traceback="open sesame"))
    assert [("you said [token]", "[token]")] == [(e.message, e.traceback) for e in log]


def test_csv_has_no_formulas(tmp_path: Path) -> None:
    """Text that a spreadsheet would run gets an apostrophe; numbers and other texts are left alone."""
    log = JobLog()
    for item_id, text in enumerate(['=HYPERLINK("http://x")', "+1", "-1", "@sum", "\t=1", "a=1", ""], start=1):
        values = (FieldValue("n", "p", text), FieldValue("n", "number", -item_id))
        log.record(QueueItem(item_id=item_id, status="failed", batch_id="b", destination=text, field_values=values))
    log.to_csv(tmp_path / "j.csv")
    with (tmp_path / "j.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = ['\'=HYPERLINK("http://x")', "'+1", "'-1", "'@sum", "'\t=1", "a=1", ""]
    assert expected == [row["destination"] for row in rows] == [row["n.p"] for row in rows]
    assert [str(-n) for n in range(1, 8)] == [row["n.number"] for row in rows]


def test_a_carriage_return_stays_in_its_cell(tmp_path: Path) -> None:
    """What follows it would otherwise begin a line, and could be a formula."""
    log = JobLog()
    for item_id, name in enumerate(("b\r=1+1", "\r=2", "b\r\n=3", "b\n=4")):
        log.record(
            QueueItem(item_id=item_id, status="pending", batch_id=name, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        )
    log.to_csv(tmp_path / "j.csv")
    with (tmp_path / "j.csv").open(encoding="utf-8", newline="") as file:
        found = [row["batch_id"] for row in csv.DictReader(file)]
    assert ["b\r=1+1", "'\r=2", "b\r\n=3", "b\n=4"] == found
    assert ["b\r=1+1", "'\r=2", "b\r\n=3", "b\n=4"] == list(pd.read_csv(tmp_path / "j.csv")["batch_id"])


@pytest.mark.parametrize("write", [ErrorLog.to_csv, ErrorLog.to_jsonl, ErrorLog.to_parquet])
def test_a_log_is_written_at_home_or_refused_in_words(
    write: Callable[[ErrorLog, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` is the user's home, and a folder that is not there raises what every other failure does."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write(ErrorLog(), "~/log")
    assert ["log"] == [path.name for path in tmp_path.iterdir()]
    with pytest.raises(ResourceError, match=r"none/log could not be written: .+\."):
        write(ErrorLog(), "~/none/log")


def test_csv_and_jsonl_have_a_line_per_record(tmp_path: Path) -> None:
    """CSV after its header."""
    log = ErrorLog()
    log.record_failure(failed(1, "naïve, «quoted»\nand long"))
    log.record_failure(failed(2))
    log.to_csv(tmp_path / "e.csv")
    log.to_jsonl(tmp_path / "e.jsonl")
    lines = (tmp_path / "e.jsonl").read_text(encoding="utf-8").splitlines()
    assert (2, True, True) == (
        len(lines),
        "naïve, «quoted»\nand long" in (tmp_path / "e.csv").read_text(encoding="utf-8"),
        '"at": "2026-01-01T00:00:01+00:00"' in lines[0],
    )
