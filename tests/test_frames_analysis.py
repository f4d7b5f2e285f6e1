"""Questions to the frames have the right answers, and answers of one shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from invoke_widgets import analysis, frames
from invoke_widgets.errors import InvalidRequest, JobErrorType
from invoke_widgets.records import Cancellation, FieldValue, JobError, QueueItem

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
        _job(5, "completed", 63, root=2, batch="c", seed=1),
        _job(6, "failed", 64, root=3, batch="c", seed=2),
        _job(7, "pending", 65, root=3, batch="c", seed=2),
    ]
)


def test_error_rate_by_the_hour() -> None:
    """Canceled jobs count neither way."""
    assert [(2, 1, 0.5), (3, 2, pytest.approx(2 / 3))] == [
        *analysis.error_rate(JOBS).itertuples(index=False, name=None)
    ]


def test_throughput_by_the_hour() -> None:
    """Each of the two completed ones ran half a minute in its hour."""
    expected = [(1, 30.0, 30 / 3600), (1, 30.0, 30 / 3600)]
    assert expected == [*analysis.throughput(JOBS, every="1h").itertuples(index=False, name=None)]


def test_failures_by_batch() -> None:
    """The batch that fails most often is first."""
    assert {"c": (3, 2), "b": (2, 1)} == {
        row.Index: (row.finished, row.failed) for row in analysis.failures_by_batch(JOBS).itertuples()
    }


def test_failures_by_value() -> None:
    """The seed that fails shows."""
    assert {2: 1.0, 1: 0.0} == analysis.failures_by_value(JOBS, "denoise.seed")["rate"].to_dict()


def test_values_stay_what_they_are() -> None:
    """Beside jobs without the field, and beside each other: 1 and "1" are what was submitted, a list is its text."""
    jobs = [_job(1, "failed", 0, seed=1), _job(2, "failed", 0), _job(3, "failed", 0), _job(4, "failed", 0)]
    given = [FieldValue("d", "x", 1), FieldValue("d", "x", "1"), FieldValue("d", "x", [1])]
    jobs[1:] = [replace(job, field_values=(value,)) for job, value in zip(jobs[1:], given, strict=True)]
    found = analysis.failures_by_value(frames.jobs(jobs), "d.x").index.tolist()
    assert [(int, 1), (str, "1"), (str, "[1]")] == [(type(value), value) for value in found]


def test_failures_by_a_field_that_is_not_there() -> None:
    """The message names those that are."""
    with pytest.raises(InvalidRequest, match=r"denoise\.seed"):
        analysis.failures_by_value(JOBS, "denoise.steps")


def test_retry_success() -> None:
    """One retried job succeeded; of the other a second retry waits, so that nothing is certain yet."""
    found = analysis.retry_success(JOBS)
    assert {2: (1, True, "completed"), 3: (2, None, "pending")} == {
        row.Index: (row.retries, None if row.succeeded is pd.NA else row.succeeded, row.last_status)
        for row in found.itertuples()
    }


def test_errors_by_node() -> None:
    """The node that fails most often is first, with its latest message."""
    records = [
        JobError(at=T0 + timedelta(minutes=i), error_type=JobErrorType.EXECUTION_FAILED, message=f"m{i}",
                 node_id=node, node_type="t")
        for i, node in enumerate(["x", "y", "y"])
    ]  # fmt: skip
    first = next(analysis.errors_by_node(frames.errors(records)).itertuples())
    assert (("t", "y"), 2, "m2") == (first.Index, first.errors, first.message)


def test_cancellation_percentiles() -> None:
    """By scope and part; a part that is not known has a count of 0."""
    records = [
        Cancellation(
            scope="item", outcome="canceled", canceled=1, item_ids=(i,), requested_at=T0, acknowledged_s=i / 10
        )
        for i in range(11)
    ]
    found = analysis.cancellation_percentiles(frames.cancellations(records), [0.5, 0.9])
    assert [(11, 0.5, 0.9), (0, None, None), (0, None, None)] == [
        tuple(None if value is pd.NA else value for value in row) for row in found.itertuples(index=False, name=None)
    ]


@pytest.mark.parametrize(
    "ask",
    [
        analysis.error_rate,
        analysis.throughput,
        analysis.failures_by_batch,
        analysis.retry_success,
        lambda jobs: analysis.failures_by_value(jobs, "denoise.seed"),
    ],
)
def test_no_jobs_answer_with_the_same_columns(ask: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """A notebook's next line works on the first day, too."""
    assert ask(JOBS).dtypes.to_dict() == ask(JOBS.iloc[:0]).dtypes.to_dict()


def test_no_errors_and_no_cancellations_answer_with_the_same_columns() -> None:
    """The same for the other two frames."""
    none = analysis.errors_by_node(frames.errors([])), analysis.cancellation_percentiles(frames.cancellations([]))
    assert [["errors", "share", "latest", "error_type", "message"], ["count", "p50", "p90", "p99"]] == [
        list(frame.columns) for frame in none
    ]


@pytest.mark.parametrize("every", ["nonsense", ""])
def test_an_interval_that_is_none(every: str) -> None:
    """The message says what one looks like."""
    with pytest.raises(InvalidRequest, match="15min"):
        analysis.error_rate(JOBS, every=every)
