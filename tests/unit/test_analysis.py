"""Questions to the frames have the right answers, and answers of one shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pandas as pd
import pytest

from invoke_widgets import analysis
from invoke_widgets.errors import InvalidRequest, JobErrorType
from invoke_widgets.history import frames
from invoke_widgets.records import STATUSES, Cancellation, FieldValue, JobError, QueueItem

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _job(
    item_id: int, status: str, minute: int, *, root: int | None = None, batch: str = "b", seed: int = 0
) -> QueueItem:
    at = T0 + timedelta(minutes=minute)
    return QueueItem(
        item_id=item_id,
        status=status,
        batch_id=batch,
        created_at=at,
        started_at=at + timedelta(seconds=5),
        completed_at=at + timedelta(seconds=35),
        retried_from_item_id=root,
        field_values=(FieldValue("denoise", "seed", seed),),
    )


JOBS = frames.jobs(
    [
        _job(1, "completed", 0, seed=1),
        _job(2, "failed", 1, seed=2),
        _job(3, "failed", 61, seed=2, batch="c"),
        _job(4, "canceled", 62, batch="c"),
        _job(5, "completed", 63, root=2, batch="b", seed=1),
        _job(6, "failed", 64, root=3, batch="c", seed=2),
        replace(_job(7, "pending", 65, root=3, batch="c", seed=2), started_at=None, completed_at=None),
    ]
)


def test_error_rate_by_the_hour() -> None:
    """Canceled jobs count neither way."""
    assert [(2, 1, 0.5), (3, 2, pytest.approx(2 / 3))] == [
        *analysis.error_rate(JOBS).itertuples(index=False, name=None)
    ]


def test_a_frame_from_csv_answers_the_same() -> None:
    """Its times are texts there."""
    from_csv = pd.read_csv(StringIO(JOBS.to_csv()))
    pd.testing.assert_frame_equal(analysis.error_rate(JOBS), analysis.error_rate(from_csv))
    pd.testing.assert_frame_equal(analysis.throughput(JOBS), analysis.throughput(from_csv))
    pd.testing.assert_series_equal(JOBS["started_at"], analysis.with_times(from_csv)["started_at"], check_dtype=False)


def test_a_text_that_is_not_a_time_is_refused_by_name() -> None:
    """As a spreadsheet may have changed it."""
    jobs = JOBS.assign(completed_at="31.1.2026")
    with pytest.raises(InvalidRequest, match="completed_at: should be times such as"):
        analysis.error_rate(jobs)


def test_error_rate_of_an_hour_without_finished_jobs_is_missing() -> None:
    """It is there, with zeros: a gap in a curve is no fault."""
    found = analysis.error_rate(frames.jobs([_job(1, "failed", 0), _job(2, "completed", 120)]))
    expected = [(1, 1, 1.0), (0, 0, None), (1, 0, 0.0)]
    assert expected == _rows(found)


def test_error_rate_leaves_out_jobs_without_completed_at() -> None:
    """It failed at an unknown time."""
    assert [(1, 0, 0.0)] == _rows(
        analysis.error_rate(frames.jobs([_job(1, "completed", 0), replace(_job(2, "failed", 0), completed_at=None)]))
    )


def test_throughput_by_the_hour() -> None:
    """Each of two and four ran half a minute in its hour, also those that failed and the one that was canceled."""
    expected = [(1, 30.0, 60 / 3600), (1, 30.0, 120 / 3600)]
    assert expected == _rows(analysis.throughput(JOBS, every="1h"))


def _run(begin: int, end: int, status: str = "completed") -> QueueItem:
    """A job that ran from one second to another."""
    return replace(
        _job(begin, status, 0), started_at=T0 + timedelta(seconds=begin), completed_at=T0 + timedelta(seconds=end)
    )


def test_a_device_that_works_all_the_time_is_busy_in_each_minute() -> None:
    """A run of ten minutes and one of half a minute: 1.0 until the last minute, and half of that."""
    found = analysis.throughput(frames.jobs([_run(0, 600), _run(600, 630)]), every="1min")
    assert [(0, None, 1.0)] * 10 + [(2, 315.0, 0.5)] == _rows(found)


@pytest.mark.parametrize("status", ["completed", "failed", "canceled", "a status of tomorrow"])
def test_a_device_is_busy_however_its_job_ends(status: str) -> None:
    """From 12:00:45 to 12:02:15: a quarter, all, a quarter."""
    found = analysis.throughput(frames.jobs([_run(45, 135, status)]), every="1min")
    assert [0.25, 1.0, 0.25] == found["busy"].tolist()


def test_two_devices_at_work_are_busy_twice() -> None:
    """And none while both rest."""
    found = analysis.throughput(frames.jobs([_run(0, 60), _run(0, 60), _run(120, 150)]), every=timedelta(minutes=1))
    assert [(T0, 2.0), (T0 + timedelta(minutes=1), 0.0), (T0 + timedelta(minutes=2), 0.5)] == [*found["busy"].items()]


def test_a_run_that_has_not_ended_is_not_busy_yet() -> None:
    """Nothing is made up."""
    running = replace(_run(0, 600, "in_progress"), completed_at=None)
    assert [1.0] == analysis.throughput(frames.jobs([running, _run(0, 59), _run(59, 60)]))["busy"].tolist()[:1]


def test_busy_ignores_runs_that_end_before_they_start() -> None:
    """A run that ended before it began took no time."""
    assert [0.0, 0.5] == analysis.throughput(frames.jobs([_run(65, 5), _run(90, 119)]))["busy"].round(1).tolist()[-2:]


def test_failures_by_batch() -> None:
    """The batch that fails most often is first."""
    found = analysis.failures_by_batch(JOBS)
    assert [("c", 2, 2, 1.0), ("b", 3, 1, pytest.approx(1 / 3))] == [*found.itertuples(name=None)]


def test_failures_by_value() -> None:
    """The failing seed is listed; one whose jobs were all canceled is not."""
    assert [(2, 3, 3, 1.0), (1, 2, 0, 0.0)] == [*analysis.failures_by_value(JOBS, "denoise.seed").itertuples(name=None)]


def test_failures_by_value_keeps_the_values_types() -> None:
    """Beside jobs without the field, and beside each other: 1 and "1" are what was submitted, a list is its text."""
    jobs = [_job(1, "failed", 0, seed=1), _job(2, "failed", 0), _job(3, "failed", 0), _job(4, "failed", 0)]
    given = [FieldValue("d", "x", 1), FieldValue("d", "x", "1"), FieldValue("d", "x", [1])]
    jobs[1:] = [replace(job, field_values=(value,)) for job, value in zip(jobs[1:], given, strict=True)]
    found = analysis.failures_by_value(frames.jobs(jobs), "d.x").index.tolist()
    assert [(int, 1), (str, "1"), (str, "[1]")] == [(type(value), value) for value in found]


def test_failures_by_value_refuses_an_unknown_field() -> None:
    """The message names those that are."""
    with pytest.raises(InvalidRequest, match=r"denoise\.seed"):
        analysis.failures_by_value(JOBS, "denoise.steps")


def test_failures_by_value_names_fields_that_a_workflow_has() -> None:
    """Their names need no dot."""
    jobs = frames.jobs([replace(_job(1, "failed", 0), field_values=(FieldValue("n", "seed", 1, "Seed"),))])
    with pytest.raises(InvalidRequest, match="no column 'seed'; fields that batches set: 'Seed'"):
        analysis.failures_by_value(jobs, "seed")


@pytest.mark.parametrize(
    "ask",
    [
        analysis.error_rate,
        analysis.throughput,
        analysis.errors_by_node,
        analysis.failures_by_batch,
        lambda frame: analysis.failures_by_value(frame, "x"),
        analysis.cancellation_percentiles,
        analysis.retry_success,
    ],
)
@pytest.mark.parametrize("frame", [frames.of_records([], frames.MODELS), [], None])
def test_another_frame_is_refused_by_name(ask: Callable[..., pd.DataFrame], frame: Any) -> None:
    """The message says whose frame it should be, and what it lacks."""
    with pytest.raises(InvalidRequest, match=r"should be a frame such as console\.\w+\.frame\(\), got \w+ without '"):
        ask(frame)


def test_retry_success() -> None:
    """One retried job succeeded; of the other a second retry waits, so that nothing is certain yet."""
    found = analysis.retry_success(JOBS)
    assert {("b", 2): (1, True, "completed"), ("c", 3): (2, None, "pending")} == dict(
        zip(found.index, _rows(found), strict=True)
    )


def test_retry_success_keeps_chains_of_a_reinstalled_server_apart() -> None:
    """It counts from 1 again: the old item 1 was retried with success, the new one without."""
    old = [_job(1, "failed", 0, batch="old"), _job(2, "completed", 1, batch="old", root=1)]
    new = [_job(1, "failed", 2, batch="new"), _job(2, "failed", 3, batch="new", root=1)]
    found = analysis.retry_success(frames.jobs([*old, *new]))
    assert {("new", 1): (1, False, "failed"), ("old", 1): (1, True, "completed")} == dict(
        zip(found.index, _rows(found), strict=True)
    )


def test_a_retry_that_helps_late_has_helped() -> None:
    """The second of a line was completed, whatever became of the third."""
    line = [_job(1, "failed", 0)] + [
        _job(i, status, i, root=1) for i, status in ((2, "failed"), (3, "completed"), (4, "canceled"))
    ]
    assert [(3, True, "canceled")] == _rows(analysis.retry_success(frames.jobs(line)))


def test_errors_by_node() -> None:
    """The node that fails most often is first, with its latest message."""
    found = analysis.errors_by_node(frames.errors(_errors(3)))
    assert [
        (("t", "y"), 2, pytest.approx(2 / 3), T0 + timedelta(minutes=2), "execution_failed", "m2"),
        (("t", "x"), 1, pytest.approx(1 / 3), T0, "execution_failed", "m0"),
    ] == [*found.itertuples(name=None)]


def _errors(count: int) -> list[JobError]:
    """One at node x, all others at node y, and as many at none, a minute apart."""
    return [
        JobError(at=T0 + timedelta(minutes=i), error_type=JobErrorType.EXECUTION_FAILED, message=f"m{i}",
                 node_id=("y" if i else "x") if node_type else None, node_type=node_type)
        for i in range(count)
        for node_type in ("t", None)
    ]  # fmt: skip


def test_cancellation_percentiles() -> None:
    """By scope and part; a part that is not known has a count of 0."""
    found = analysis.cancellation_percentiles(frames.cancellations(_cancellations(11)), [0.5, 0.9])
    assert [(11, 0.5, 0.9), (0, None, None), (0, None, None)] == _rows(found)


def test_a_percentile_between_two_is_between_them() -> None:
    """Of 0 and 0.1 s the median is 0.05 s; the columns say which percentile they are."""
    found = analysis.cancellation_percentiles(frames.cancellations(_cancellations(2)), (0, 0.5, 0.999))
    expected = {"count": 2, "p0": 0.0, "p50": 0.05, "p99.9": pytest.approx(0.0999)}
    assert expected == found.loc["item", "acknowledged_s"].to_dict()


def test_one_percentile_is_a_number() -> None:
    """As with pandas' own `quantile`."""
    frame = frames.cancellations(_cancellations(3))
    assert [0.1] == analysis.cancellation_percentiles(frame, 0.5)["p50"].dropna().tolist()


@pytest.mark.parametrize("percentiles", [50, (0.5, 90), -0.1, "0.5", ["0.5"], None, float("nan"), {0.5: "p"}.items()])
def test_cancellation_percentiles_refuses_bad_percentiles(percentiles: Any) -> None:
    """The message says what they look like."""
    with pytest.raises(InvalidRequest, match=r"^percentiles: .* 0\.5, the median"):
        analysis.cancellation_percentiles(frames.cancellations([]), percentiles)


def _cancellations(count: int) -> list[Cancellation]:
    return [
        Cancellation(
            scope="item", outcome="canceled", canceled=1, item_ids=(i,), requested_at=T0, acknowledged_s=i / 10
        )
        for i in range(count)
    ]


def _many(count: int) -> pd.DataFrame:
    """Jobs of all statuses, each but the first a retry of the first, with values of a field."""
    return frames.jobs(
        [_job(i, STATUSES[(i + 3) % 6], i, root=0 if i else None, batch=f"b{i % 2}", seed=i % 3) for i in range(count)]
    )


def _of_field(count: int) -> pd.DataFrame:
    # The column is there in an empty frame, too, where rows were filtered away.
    return analysis.failures_by_value(_many(max(count, 1)).iloc[:count], "denoise.seed")


_RATES = {"finished": "Int64", "failed": "Int64", "rate": "Float64"}
_TIME = {"time": "datetime64[us, UTC]"}


@pytest.mark.parametrize("count", [0, 1, 30])
@pytest.mark.parametrize(
    ("ask", "index", "columns"),
    [
        (lambda n: analysis.error_rate(_many(n)), _TIME, _RATES),
        (
            lambda n: analysis.throughput(_many(n)),
            _TIME,
            {"completed": "Int64", "mean_ran_s": "Float64", "busy": "Float64"},
        ),
        (lambda n: analysis.failures_by_batch(_many(n)), {"batch_id": "string"}, _RATES),
        (_of_field, {"denoise.seed": "object"}, _RATES),
        (
            lambda n: analysis.retry_success(_many(n)),
            {"batch_id": "string", "item_id": "Int64"},
            {"retries": "Int64", "succeeded": "boolean", "last_status": "string"},
        ),
        (
            lambda n: analysis.errors_by_node(frames.errors(_errors(n))),
            {"node_type": "string", "node_id": "string"},
            {
                "errors": "Int64",
                "share": "Float64",
                "latest": "datetime64[us, UTC]",
                "error_type": "string",
                "message": "string",
            },
        ),
        (
            lambda n: analysis.cancellation_percentiles(frames.cancellations(_cancellations(n))),
            {"scope": "string", "part": "string"},
            {"count": "Int64", "p50": "Float64", "p90": "Float64", "p99": "Float64"},
        ),
    ],
    ids=["error_rate", "throughput", "by_batch", "by_value", "retry_success", "by_node", "percentiles"],
)
def test_frames_have_one_schema_empty_or_full(
    ask: Callable[[int], pd.DataFrame], index: dict[str, str], columns: dict[str, str], count: int
) -> None:
    """A notebook's next line works on the first day, too."""
    found = ask(count)
    names = (
        found.index.to_frame().dtypes
        if isinstance(found.index, pd.MultiIndex)
        else {found.index.name: found.index.dtype}
    )
    assert (index, columns) == ({n: str(t) for n, t in names.items()}, {n: str(t) for n, t in found.dtypes.items()})


@pytest.mark.parametrize("every", ["nonsense", "", "0min", "-1h", 5, None])
@pytest.mark.parametrize("jobs", [JOBS, JOBS.iloc[:0]], ids=["full", "empty"])
@pytest.mark.parametrize("ask", [analysis.error_rate, analysis.throughput])
def test_a_bad_interval_is_refused(ask: Callable[..., pd.DataFrame], jobs: pd.DataFrame, every: Any) -> None:
    """The message says what one looks like."""
    with pytest.raises(InvalidRequest, match=r"^every: .*15min"):
        ask(jobs, every=every)


def _rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """What a frame says, None where it says nothing."""
    return [*frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None)]
