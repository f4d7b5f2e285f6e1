"""A history file keeps what was logged over restarts, between notebooks, and through crashes."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import random
import signal
import sqlite3
import stat
import statistics
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.history.file import HistoryFile, Row
from invoke_widgets.history.logs import CancellationLog, ErrorLog, JobLog
from invoke_widgets.records import Cancellation, FieldValue, QueueItem
from tests.support.wire import until
from tests.unit.history.test_logs import TOKEN, failed

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@pytest.fixture
def file(path: Path) -> Iterator[HistoryFile]:
    file = HistoryFile(path)
    yield file
    file.close()


@pytest.fixture
def other(path: Path, file: HistoryFile) -> Iterator[HistoryFile]:
    """The same file, as another notebook has it."""
    other = HistoryFile(path)
    yield other
    other.close()


def _errors(file: HistoryFile, source: str = "here") -> ErrorLog:
    return ErrorLog(file=file, source=source)


def _fail(log: ErrorLog, *item_ids: int, message: str = "division by zero") -> None:
    """Log a failure of each item, at the second of its id."""
    for item_id in item_ids:
        log.record_failure(failed(item_id, message, completed_at=NOW + timedelta(seconds=item_id)))


def _again(path: Path, source: str = "here") -> list[int | None]:
    """The items of the errors that a new kernel finds."""
    with contextlib.closing(HistoryFile(path)) as file:
        return [e.item_id for e in _errors(file, source)]


def _jobs_again(path: Path) -> list[QueueItem]:
    """The jobs that a new kernel finds."""
    with contextlib.closing(HistoryFile(path)) as file:
        return list(JobLog(file=file, source="here"))


def test_logs_are_equal_after_a_restart(path: Path, file: HistoryFile) -> None:
    """A new kernel has the records of the old one."""
    job = QueueItem(
        item_id=7,
        status="completed",
        batch_id="b",
        created_at=NOW,
        field_values=(FieldValue("p", "prompt", "naïve"), FieldValue("d", "seed", 2**40), FieldValue("d", "x", [1.5])),
        device="cuda:0",
    )
    cancel = Cancellation(
        scope="batch", outcome="canceled", canceled=2, item_ids=(1, 2), requested_at=NOW, effective_s=0.1,
        cancellation_id="c",
    )  # fmt: skip
    errors, cancellations, jobs = (kind(file=file, source="s") for kind in (ErrorLog, CancellationLog, JobLog))
    errors.record_failure(failed(completed_at=NOW))
    cancellations.record(cancel)
    jobs.record(job)
    file.close()
    with contextlib.closing(HistoryFile(path)) as again:
        found = [list(kind(file=again, source="s")) for kind in (ErrorLog, CancellationLog, JobLog)]
    assert [list(errors), [cancel], [job]] == found


def test_records_of_different_sources_are_kept_apart(path: Path, file: HistoryFile) -> None:
    """One file may serve several servers and queues."""
    _fail(_errors(file, "one"), 1)
    _fail(_errors(file, "other"), 2)
    file.flush()
    assert ([1], [2]) == (_again(path, "one"), _again(path, "other"))


def test_records_reach_another_notebook(file: HistoryFile, other: HistoryFile) -> None:
    """Within a second or so, without a request."""
    here, there = _errors(file), _errors(other)
    _fail(here, 1)
    _fail(there, 2)
    until(lambda: len(here) == len(there) == 2, "each other's records")
    other.close()
    assert [{1, 2}, {1, 2}] == [{e.item_id for e in log} for log in (here, there)]


def test_a_failure_seen_by_two_notebooks_is_one_record(path: Path, file: HistoryFile, other: HistoryFile) -> None:
    """Both watch the same server."""
    for log in (_errors(file), _errors(other)):
        _fail(log, 1)
    file.flush()
    other.close()
    assert [1] == _again(path)


def test_a_record_of_lower_rank_does_not_overwrite_a_higher_one(
    path: Path, file: HistoryFile, other: HistoryFile
) -> None:
    """A notebook that lags behind does not undo the end of a job."""
    jobs = JobLog(file=file, source="here")
    jobs.record(QueueItem(item_id=1, status="completed", batch_id="b", created_at=NOW))
    file.flush()
    late = JobLog(file=other, source="here")
    late.record(QueueItem(item_id=1, status="in_progress", batch_id="b", created_at=NOW))
    other.close()
    assert ["completed"] == [job.status for job in _jobs_again(path)]


def test_fields_known_to_one_notebook_are_merged(file: HistoryFile, other: HistoryFile) -> None:
    """Only one knows when the job is run again, and the other does not erase it; a reset does."""
    here, there = _errors(file), _errors(other)
    again_at = NOW + timedelta(minutes=1)
    _fail(there, 2)
    _fail(here, 1)
    here.note_retry(1, "b", again_at)
    file.flush()
    _fail(there, 1)
    until(lambda: [again_at] == [e.retry_at for e in there if e.item_id == 1], "what the other one knows")
    _fail(there, 3)
    until(lambda: len(here) == 3, "what was written after it")
    assert [again_at, None, None] == [e.retry_at for e in here]
    here.note_retry(1, "b", None)
    until(lambda: [None] == [e.retry_at for e in there if e.item_id == 1], "what was taken back")


def test_a_record_of_lower_rank_fills_in_missing_fields(path: Path, file: HistoryFile, other: HistoryFile) -> None:
    """A job that another notebook saw end is not gone, and keeps what only the other record knows."""
    seen = QueueItem(item_id=1, status="in_progress", batch_id="b", created_at=NOW, device="cuda:0")
    jobs = JobLog(file=file, source="here")
    jobs.record(replace(seen, status="completed", device=None, completed_at=NOW))
    file.flush()
    late = JobLog(file=other, source="here")
    late.record(seen)  # as it was last seen there
    late.settle(lambda job: False)
    other.close()
    assert [("completed", "cuda:0", NOW)] == [(job.status, job.device, job.completed_at) for job in _jobs_again(path)]


def test_shared_records_are_sorted_by_their_own_time(file: HistoryFile, other: HistoryFile) -> None:
    """The oldest are dropped if there are too many."""
    here, there = _errors(file), ErrorLog(3, file=other, source="here")
    _fail(there, 5)
    _fail(here, 7, 4, 6, 1)
    until(lambda: [5, 6, 7] == [e.item_id for e in there], "the newest three")


def test_clear_deletes_the_records_of_the_file(path: Path, file: HistoryFile, other: HistoryFile) -> None:
    """Records that are logged afterwards reach other notebooks."""
    log, there = _errors(file), _errors(other)
    _fail(log, 1)
    log.clear()
    _fail(log, 2)
    until(lambda: 2 in [e.item_id for e in there], "the record after the clearing")
    other.close()
    assert [2] == _again(path)


@pytest.mark.slow
def test_clear_reaches_other_notebooks(path: Path, file: HistoryFile, other: HistoryFile) -> None:
    """They keep what they log at that moment, and logs of other kinds."""
    here, there = _errors(file), _errors(other)
    jobs = JobLog(file=other, source="here")
    jobs.record(QueueItem(item_id=1, status="completed", batch_id="b", created_at=NOW))
    _fail(here, *range(1, 4))
    until(lambda: len(there) == 3, "the records")
    here.clear()
    file.flush()
    _fail(there, 4)
    until(lambda: [e.item_id for e in there] == [4] == [e.item_id for e in here], "the clearing, and the new one")
    other.close()
    assert ([4], 1) == (_again(path), len(jobs))


@pytest.mark.slow
def test_a_record_logged_during_a_clearing_is_kept(path: Path, file: HistoryFile, other: HistoryFile) -> None:
    """A record that is not yet in the file when a clearing is noticed has not been cleared."""
    here = _errors(file)

    def log_once() -> None:  # on the file's own thread, which notifies the cancellation log first
        if not len(late) and not any(e.item_id == 2 for e in there):
            _fail(there, 2)

    late = CancellationLog(file=other, source="here")
    late.on_change(log_once)
    there = _errors(other)
    cancellations = CancellationLog(file=file, source="here")
    cancellations.record(
        Cancellation(scope="item", outcome="canceled", canceled=1, item_ids=(1,), requested_at=NOW, cancellation_id="c")
    )
    _fail(here, 1)
    until(lambda: len(there) == len(late) == 1, "the records")
    here.clear()
    cancellations.clear()
    until(lambda: [e.item_id for e in there] == [2] == [e.item_id for e in here], "the new one")
    other.close()
    assert ([2], [2]) == ([e.item_id for e in there], _again(path))


def test_records_above_the_maximum_age_are_deleted(path: Path) -> None:
    """When the file is opened, and every few minutes."""
    file = HistoryFile(path)
    log = _errors(file)
    for item_id, days in ((1, 100), (2, 1)):
        log.record_failure(failed(item_id, completed_at=NOW - timedelta(days=days)))
    file.close()
    assert [2] == _again(path)


def test_records_above_the_maximum_number_are_deleted(path: Path) -> None:
    """The oldest, of each kind and source."""
    file = HistoryFile(path)
    log = _errors(file)
    _fail(log, *range(20))
    file.close()
    HistoryFile(path, max_records=5).close()
    assert [15, 16, 17, 18, 19] == _again(path)


def test_a_log_loads_the_newest_records(path: Path, file: HistoryFile) -> None:
    """It has a limit of its own, however long the file is."""
    log = _errors(file)
    _fail(log, *range(20))
    file.flush()
    assert [18, 19] == [e.item_id for e in ErrorLog(2, file=file, source="here")]


def test_a_log_loads_the_highest_ids_of_one_moment(path: Path, file: HistoryFile) -> None:
    """A batch is created at one time: its jobs with the highest ids are the newest."""
    jobs = JobLog(file=file, source="here")
    for item_id in (9, 10, 2, 11, 1):
        jobs.record(QueueItem(item_id=item_id, status="pending", batch_id="b", created_at=NOW))
    file.flush()
    assert [10, 11] == [job.item_id for job in JobLog(2, file=file, source="here")]


def test_no_token_reaches_the_file(path: Path, file: HistoryFile) -> None:
    """Neither in a message nor in a traceback nor in a job's error."""
    bad = QueueItem.from_json(
        {"item_id": 1, "status": "failed", "batch_id": "b", "completed_at": NOW.isoformat(), "error_type": "E",
         "error_message": f"Bearer {TOKEN}", "error_traceback": f"x {TOKEN}\nopen sesame"}
    )  # fmt: skip
    ErrorLog(file=file, source="s", secrets=lambda: ["open sesame"]).record_failure(bad)
    JobLog(file=file, source="s", secrets=lambda: ["open sesame"]).record(bad)
    file.close()
    content = b"".join(part.read_bytes() for part in path.parent.iterdir())
    assert (False, False, True) == (TOKEN.encode() in content, b"open sesame" in content, b"[token]" in content)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Another program locks the file."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        yield


def test_logging_does_not_wait_for_a_locked_file(path: Path, file: HistoryFile) -> None:
    """The records are written later."""
    log = _errors(file)
    with _locked(path):
        _fail(log, 1)
        in_time = file.flush(timeout=0.3)
    assert (False, True, [1]) == (in_time, file.flush(), _again(path))


@pytest.mark.slow
def test_problem_is_set_while_the_file_is_locked(path: Path, file: HistoryFile) -> None:
    """And no longer."""
    log = _errors(file)
    with _locked(path):
        _fail(log, 1)
        until(lambda: file.problem, "the problem")
        said = file.problem
    assert ("another program has locked it", True, "", [1]) == (said, file.flush(), file.problem, _again(path))


def test_records_are_written_once_a_full_disk_has_room(path: Path, file: HistoryFile) -> None:
    """Nothing is lost."""
    connection = file._connection  # noqa: SLF001 - only SQLite's own connection can be told that a disk is full
    assert connection is not None
    connection.execute("PRAGMA max_page_count = 1")
    log = _errors(file)
    _fail(log, *range(50), message="x" * 1000)
    until(lambda: file.problem, "the problem")
    said = file.problem
    connection.execute("PRAGMA max_page_count = 100000")
    assert ("the disk is full", True, list(range(50))) == (said, file.flush(), _again(path))


@pytest.mark.slow
def test_close_warns_of_the_records_that_are_lost(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With their number and the reason."""
    file = HistoryFile(path)
    log = _errors(file)
    with _locked(path):
        _fail(log, 1, 2)
        file.close()
    assert f"history: 2 records could not be written to {path}: another program has locked it" == caplog.messages[-1]
    assert not file.flush()


@pytest.mark.slow
def test_a_removed_file_is_created_again(path: Path, file: HistoryFile, caplog: pytest.LogCaptureFixture) -> None:
    """Later records are in the new file, not in one that has no name any more."""
    log = _errors(file)
    _fail(log, 1)
    file.flush()
    for part in path.parent.iterdir():
        part.unlink()
    _fail(log, 2)
    until(lambda: "removed" in file.problem, "the problem")
    until(lambda: path.exists() and not file.problem, "the new file")
    assert (True, [2], 1) == (file.flush(), _again(path), len(caplog.messages))


@pytest.mark.slow
def test_a_file_that_replaced_another_stays_intact(path: Path, file: HistoryFile) -> None:
    """Closing the old one takes nothing from the new one, though both have the same name."""
    _fail(_errors(file), 1)
    file.flush()
    for part in path.parent.iterdir():
        part.unlink()
    new = HistoryFile(path)
    _fail(_errors(new), 2)
    until(lambda: file.problem, "the old one to notice")
    until(lambda: not file.problem, "the old one to take the new file")
    _fail(_errors(new), 3)
    new.flush()
    found = _again(path)
    new.close()
    assert [2, 3] == found


def test_a_record_that_is_no_json_is_skipped(path: Path, file: HistoryFile, caplog: pytest.LogCaptureFixture) -> None:
    """The others are written."""
    endless: list[object] = []
    endless.append(endless)
    jobs = JobLog(file=file, source="s")
    jobs.record(
        QueueItem(item_id=1, status="pending", batch_id="\ud800", field_values=(FieldValue("a", "b", endless),))
    )
    with caplog.at_level(logging.CRITICAL):
        _fail(_errors(file), 2)
        file.flush()
    assert [2] == _again(path)


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda path: path.write_text("this is not a database, though it is long enough to be one" * 50), "another"),
        (lambda path: path.mkdir(), "in a folder that exists"),
    ],
)
def test_a_file_that_is_no_database_is_refused(path: Path, make: Callable[[Path], object], remedy: str) -> None:
    """The error says what to do, and nothing is overwritten."""
    make(path)
    with pytest.raises(InvalidRequest, match="history") as caught:
        HistoryFile(path)
    assert remedy in caught.value.suggestion


def _change(path: Path, statement: str, *values: object) -> None:
    """Change a file as nobody should."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("CAST(x'fffe' AS TEXT)", id="neither UTF-8 nor JSON"),
        pytest.param("""replace(data, '"at": "', '"at": "x')""", id="no time"),
        pytest.param("""replace(data, '"at": ', '"at": null, "was": ')""", id="null time"),
        pytest.param("'" + "[" * 100_000 + "'", id="nested too deep"),
        pytest.param("""replace(data, '"message": ', '"message": 5, "was": ')""", id="number for a text"),
        pytest.param("5", id="number"),
    ],
)
def test_a_damaged_record_costs_no_other(path: Path, file: HistoryFile, data: str) -> None:
    """It is left out, whether it is loaded, noticed later or written again."""
    log = _errors(file)
    for item_id in (1, 2, 3):
        log.record_failure(failed(item_id, completed_at=NOW))
    file.flush()
    damage = (
        f"UPDATE records SET data = {data} WHERE key = (SELECT key FROM records WHERE data LIKE '%\"item_id\": 2,%')"
    )
    _change(path, damage)
    assert [1, 3] == _again(path)
    log.record_failure(failed(4, completed_at=NOW))
    file.flush()
    other = HistoryFile(path)
    again = _errors(other)
    again.record_failure(failed(2, completed_at=NOW))
    other.close()
    assert ([1, 2, 3, 4], "") == (_again(path), other.problem)


def test_a_bad_byte_in_a_text_costs_one_character(path: Path, file: HistoryFile) -> None:
    """The record stays, with a replacement character."""
    _errors(file).record_failure(failed(1, "naive", completed_at=NOW))
    file.flush()
    _change(path, "UPDATE records SET data = CAST(replace(data, 'naive', 'na' || x'ef' || 've') AS TEXT)")
    other = HistoryFile(path)
    messages = [error.message for error in _errors(other)]
    other.close()
    assert ["na\N{REPLACEMENT CHARACTER}ve"] == messages


def test_flipped_bits_make_no_foreign_exception(path: Path, file: HistoryFile) -> None:
    """A file is opened with nearly all of its records, or refused in words."""
    log = _errors(file)
    for item_id in range(200):
        log.record_failure(failed(item_id, "naïve text " * 20, completed_at=NOW))
    file.close()
    whole = path.read_bytes()
    kept: list[int] = []
    for seed in range(60):
        seeded = random.Random(seed)
        flipped = bytearray(whole)
        for _ in range(8):
            flipped[seeded.randrange(100, len(whole))] ^= 1 << seeded.randrange(8)
        copy = path.with_name(f"{seed}.sqlite")
        copy.write_bytes(flipped)
        with contextlib.suppress(InvalidRequest), contextlib.closing(HistoryFile(copy)) as other:
            kept.append(len(_errors(other)))
    assert 50 <= len(kept)
    assert 190 <= statistics.median(kept)


def test_the_file_is_the_users_alone(path: Path) -> None:
    """So are the files that SQLite keeps beside it: they have prompts, tracebacks and addresses."""
    umask = os.umask(0o022)
    try:
        file = HistoryFile(path)
        _errors(file).record_failure(failed(1, completed_at=NOW))
        file.flush()
        modes = {found.name: stat.filemode(found.stat().st_mode) for found in path.parent.iterdir()}
        file.close()
    finally:
        os.umask(umask)
    assert dict.fromkeys((path.name, f"{path.name}-wal", f"{path.name}-shm"), "-rw-------") == modes


def test_records_of_the_future_do_not_outlive_todays(path: Path) -> None:
    """A clock that was a year ahead has made them: they count as old as the moment at which that is noticed."""
    file = HistoryFile(path)
    log = _errors(file)
    for item_id in range(5):
        log.record_failure(failed(item_id, completed_at=NOW + timedelta(days=365)))
    file.close()
    file = HistoryFile(path, max_records=5)
    log = _errors(file)
    for item_id in (10, 11, 12):
        log.record_failure(failed(item_id, completed_at=datetime.now(UTC)))
    file.close()
    HistoryFile(path, max_records=5).close()
    assert {10, 11, 12} < set(_again(path))


def test_space_comes_back(path: Path) -> None:
    """When records are deleted, the file shrinks."""
    file = HistoryFile(path)
    log = _errors(file)
    for item_id in range(2_000):
        log.record_failure(failed(item_id, "x" * 500, completed_at=NOW - timedelta(seconds=item_id)))
    file.close()
    full = path.stat().st_size
    HistoryFile(path, max_records=5).close()
    assert path.stat().st_size < full / 10


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_closes_at_once(path: Path, file: HistoryFile) -> None:
    """The child has no thread that could write, and the parent's goes on."""
    log = _errors(file)
    log.record_failure(failed(1, completed_at=NOW))
    file.flush()
    begin = time.monotonic()
    child = os.fork()
    if child == 0:  # nothing here may raise: pytest would go on in the child
        file.flush()
        file.close()
        os._exit(0 if time.monotonic() - begin < 2 else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    log.record_failure(failed(2, completed_at=NOW))
    file.close()
    assert [1, 2] == _again(path)


def _damaged(path: Path) -> Path:
    """A history in whose middle there is something else."""
    file = HistoryFile(path)
    log = _errors(file, "http://127.0.0.1:1 default")
    _fail(log, *range(500), message="x" * 300)
    file.close()
    with path.open("r+b") as damaged:
        damaged.seek(path.stat().st_size // 2 // 4096 * 4096)
        damaged.write(b"\xfe" * 3 * 4096)
    return path


@pytest.mark.parametrize("make", [_damaged, lambda path: ":memory:"], ids=["damaged", "memory"])
def test_connect_refuses_an_unusable_history(path: Path, make: Callable[[Path], object]) -> None:
    """With an exception of ours and a remedy, and without leaving a thread behind."""
    threads = set(threading.enumerate())
    with pytest.raises(InvalidRequest, match="history") as caught:
        iw.connect("http://127.0.0.1:1", history=make(path))  # type: ignore[arg-type]
    assert caught.value.suggestion
    assert set() == set(threading.enumerate()) - threads
    assert not Path(":memory:").exists()


@pytest.mark.parametrize(
    "statements",
    [
        "CREATE TABLE images (x)",
        "CREATE TABLE records (id INTEGER PRIMARY KEY, at TEXT)",
        "PRAGMA user_version = 7",
        "PRAGMA application_id = 7",
    ],
)
def test_another_programs_database_is_refused(path: Path, statements: str) -> None:
    """Not a byte of it is changed."""
    connection = sqlite3.connect(path)
    connection.executescript(statements)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InvalidRequest, match="another program") as caught:
        HistoryFile(path)
    assert caught.value.suggestion
    assert ([path], before) == (list(path.parent.iterdir()), path.read_bytes())


def test_a_file_of_a_later_version_is_refused(path: Path) -> None:
    """It is left alone."""
    HistoryFile(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InvalidRequest, match="later version"):
        HistoryFile(path)


def test_close_twice_and_log_afterwards(path: Path) -> None:
    """Neither hangs nor raises."""
    file = HistoryFile(path)
    log = _errors(file)
    file.close()
    file.close()
    _fail(log, 1)
    assert (1, []) == (len(log), _again(path))


def test_close_ends_the_thread(path: Path) -> None:
    """A closed file costs nothing."""
    HistoryFile(path).close()
    assert [] == [thread.name for thread in threading.enumerate() if thread.name == "invoke-widgets history"]


def _kill_in_the_middle(path: Path, after: float) -> tuple[int, int, float, float]:
    """What was said to be logged, what is there, when the last that is there was logged, and when it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.history_writer", str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = [process.stdout.readline()]
    time.sleep(after)
    os.kill(process.pid, signal.SIGKILL)
    killed = time.time()
    said += process.stdout.read().splitlines()
    process.stdout.close()
    process.wait()
    times = {int(number): float(at) for number, at in (line.split() for line in said if len(line.split()) == 2)}
    connection = sqlite3.connect(path)
    assert ("ok",) == connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    there = max((number or 0 for number in _again(path)), default=0)
    lost = [at for number, at in times.items() if number > there]
    return max(times), there, min(lost, default=killed), killed


def _check_kills(path: Path, times: int) -> None:
    last = 0
    for turn in range(times):
        said, there, first_lost_at, killed = _kill_in_the_middle(path, after=0.05 + 0.01 * (turn % 17))
        assert first_lost_at > killed - 1.0, f"lost more than the last second: {said - there} records"
        assert there >= last, "lost what an earlier process had written"
        last = there


def test_a_killed_process_loses_at_most_a_second(path: Path) -> None:
    """The file stays intact."""
    _check_kills(path, 1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_process_killed_15_times_loses_at_most_a_second(path: Path) -> None:
    """On the same file, again and again."""
    _check_kills(path, 15)


def test_several_processes_write_at_once(path: Path, file: HistoryFile) -> None:
    """No record is lost."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.history_writer", str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    log = _errors(file)
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    _fail(log, *range(-200, 0))
    for process in processes:
        process.kill()
        process.communicate()
    file.flush()
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT count(*) FROM records WHERE key LIKE 'item:-%'").fetchone()
    connection.close()
    assert (200,) == found


def test_a_completed_cancellation_replaces_its_row(path: Path, file: HistoryFile) -> None:
    """`stopped_s` becomes known later."""
    log = CancellationLog(file=file, source="s")
    first = Cancellation(
        scope="item", outcome="canceled", canceled=1, item_ids=(1,), requested_at=NOW, cancellation_id="c"
    )
    log.record(first)
    file.flush()
    log.record(replace(first, stopped_s=1.5))
    file.close()
    with contextlib.closing(HistoryFile(path)) as again:
        assert [1.5] == [c.stopped_s for c in CancellationLog(file=again, source="s")]


def test_two_logs_of_one_file_and_source_share_their_records(file: HistoryFile) -> None:
    """As two consoles of one queue do in one kernel."""
    one, other = _errors(file), _errors(file)
    _fail(one, 1)
    _fail(other, 2)
    _fail(one, 3)
    until(lambda: len(one) == len(other) == 3, "each other's records")
    one.clear()
    until(lambda: len(other) == 0, "the clearing")


def test_the_file_does_not_keep_unused_logs_alive(file: HistoryFile) -> None:
    """As after closing a console; other logs still receive what is written."""
    log, left = _errors(file), _errors(file)
    unused = weakref.ref(left)
    del left
    gc.collect()
    assert unused() is None
    other = _errors(file)
    _fail(log, 1)
    until(lambda: len(other) == 1, "the record")


def test_the_writer_survives_an_unexpected_exception(path: Path, file: HistoryFile) -> None:
    """It sets `problem` and goes on once the cause is gone; no record is lost."""
    log = _errors(file)
    file.path = None  # type: ignore[assignment]
    _fail(log, 1)
    until(lambda: file.problem, "the problem")
    problem = file.problem
    file.path = path
    assert (True, True, "", [1]) == ("AttributeError" in problem, file.flush(), file.problem, _again(path))


def test_a_record_whose_data_raises_is_skipped(path: Path, file: HistoryFile) -> None:
    """Nothing waits behind it."""

    def broken() -> object:
        raise ZeroDivisionError

    file.put(Row("errors", "here", "k", 1.0, 0, broken))
    _fail(_errors(file), 1)
    assert (True, "", [1]) == (file.flush(), file.problem, _again(path))
