"""Answers to common questions about the frames, one function each.

>>> from invoke_widgets import analysis
>>> analysis.error_rate(console.jobs.frame(), every="1h")

Plain functions rather than an accessor (`frame.jobs.error_rate()`): they take any frame with the columns, filtered or
read back from Parquet or CSV, they show in completion and `help()`, they type-check, and importing them changes nothing
in pandas. Each returns a frame whose columns and types are the same whether it is empty or full.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from numbers import Real
from typing import TYPE_CHECKING, Any

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.records import CANCELED, COMPLETED, FAILED, TERMINAL, QueueItem

if TYPE_CHECKING:
    import pandas as pd

_PARTS = ("acknowledged_s", "effective_s", "stopped_s")
_TIMES = ["at", "requested_at", "created_at", "started_at", "completed_at", "updated_at"]


def with_times(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of records with its times in UTC, also one that was read from CSV, in which they are texts.

    Args:
        frame: such as `pd.read_csv("jobs.csv")`.

    Raises:
        InvalidRequest: a text is not a time.
    """
    import pandas as pd

    texts = [name for name in frame.columns.intersection(_TIMES) if not hasattr(frame[name].dtype, "tz")]
    try:
        return frame.assign(**{name: pd.to_datetime(frame[name], utc=True, format="ISO8601") for name in texts})
    except ValueError as error:
        raise InvalidRequest(
            f"{', '.join(texts)}: should be times such as '2026-01-31 15:04:05+00:00': {error}."
        ) from None


def error_rate(jobs: pd.DataFrame, every: str | timedelta = "1h") -> pd.DataFrame:
    """The number of finished jobs and the share of failures over time.

    Args:
        jobs: `console.jobs.frame()`; jobs without `completed_at` are left out.
        every: the length of an interval, a pandas frequency ("15min", "1h", "1D") or a `timedelta`.

    Returns:
        Index `time` (the interval's beginning, UTC); columns `finished`, `failed` (Int64), `rate` (0..1, missing where
        no job finished). Canceled jobs are not counted.
    """
    jobs = _checked(jobs, "jobs", "status", "completed_at")
    ended = jobs[jobs["status"].isin([COMPLETED, FAILED]) & jobs["completed_at"].notna()]
    grouped = _over_time(ended.set_index("completed_at"), every)
    return _rates(grouped.size(), grouped["status"].apply(lambda status: int((status == FAILED).sum()))).rename_axis(
        index="time"
    )


def throughput(jobs: pd.DataFrame, every: str | timedelta = "1min") -> pd.DataFrame:
    """The number of completed jobs, their mean run time, and the use of the devices over time.

    Args:
        jobs: `console.jobs.frame()`.
        every: the length of an interval, a pandas frequency ("15min", "1h", "1D") or a `timedelta`.

    Returns:
        Index `time` (the interval's beginning, UTC); columns `completed` (Int64), `mean_ran_s` (of those, in seconds),
        `busy` (the mean number of running jobs; 1.0 is one device at work all the time). A run counts in every interval
        that it overlaps, however it ended; runs that have not ended do not count yet.
    """
    import numpy as np
    import pandas as pd

    jobs = _checked(jobs, "jobs", "status", "started_at", "completed_at", "ran_s")
    ended = jobs[jobs["completed_at"].notna()]
    done, runs = ended[ended["status"] == COMPLETED], ended[ended["started_at"].notna()]
    began: Any = runs["started_at"]
    over: Any = runs["completed_at"].where(runs["completed_at"] > began, began)  # clocks may have been set back
    moments = pd.DatetimeIndex(pd.concat([done["completed_at"], began, over]))
    begins = _over_time(pd.DataFrame(index=moments), every).size().index
    edges = begins.append(begins[-1:] + begins.freq)
    ran = done["ran_s"].groupby(begins[edges.searchsorted(done["completed_at"], side="right") - 1])
    busy = np.diff(_passed(began, edges) - _passed(over, edges)) / np.diff(_micros(edges))
    return pd.DataFrame(
        {
            "completed": ran.size().reindex(begins, fill_value=0).astype("Int64"),
            "mean_ran_s": ran.mean().reindex(begins).astype("Float64"),
            "busy": pd.Series(busy, index=begins, dtype="Float64"),
        }
    ).rename_axis(index="time")


def errors_by_node(errors: pd.DataFrame) -> pd.DataFrame:
    """The nodes that fail, with their errors.

    Args:
        errors: `console.errors.frame()`.

    Returns:
        Most errors first; index `node_type`, `node_id`; columns `errors` (Int64), `share` (0..1 of all errors at
        nodes), `latest` (UTC), `error_type` and `message` of the latest.
    """
    import pandas as pd

    errors = _checked(errors, "errors", "at", "node_type", "node_id", "error_type", "message")
    at_nodes = errors[errors["node_type"].notna()].sort_values("at", kind="stable")
    grouped = at_nodes.groupby(["node_type", "node_id"], dropna=False)
    counts = grouped.size().astype("Int64")
    found = pd.DataFrame(
        {
            "errors": counts,
            "share": (counts / max(int(counts.sum()), 1)).astype("Float64"),
            "latest": grouped["at"].last(),
            "error_type": grouped["error_type"].last(),
            "message": grouped["message"].last(),
        }
    )
    return found.sort_values("errors", ascending=False, kind="stable")


def failures_by_batch(jobs: pd.DataFrame) -> pd.DataFrame:
    """The failure rate of each batch: index `batch_id`; columns `finished`, `failed`, `rate`; highest rate first."""
    return _by(_checked(jobs, "jobs", "status", "batch_id"), "batch_id")


def failures_by_value(jobs: pd.DataFrame, field: str) -> pd.DataFrame:
    """The failure rate for each value that batches gave to a field.

    Args:
        jobs: `console.jobs.frame()`.
        field: a column of it such as "denoise.seed"; values that cannot be hashed are compared by their text.

    Returns:
        Index: the values; columns `finished`, `failed`, `rate`; highest rate first.

    Raises:
        InvalidRequest: there is no such column.
    """
    jobs = _checked(jobs, "jobs", "status")
    if field not in jobs.columns:
        known = ", ".join(repr(name) for name in jobs.columns if not hasattr(QueueItem, str(name))) or "none"
        raise InvalidRequest(f"field: there is no column {field!r}; fields that batches set: {known}.")
    import pandas as pd

    there = jobs[jobs[field].notna()]
    # As objects: pandas would turn integers into floats and mixed values into one type.
    values = pd.Series([v if v.__hash__ else str(v) for v in there[field]], index=there.index, dtype=object)
    found = _by(there.assign(**{field: values}), field)
    return found.set_axis(found.index.astype(object))


def cancellation_percentiles(
    cancellations: pd.DataFrame, percentiles: float | Iterable[float] = (0.5, 0.9, 0.99)
) -> pd.DataFrame:
    """The percentiles of the times that cancels took, by scope and part.

    Args:
        cancellations: `console.cancellations.frame()`.
        percentiles: one or several, each from 0 to 1; 0.5 is the median.

    Returns:
        Index `scope`, `part` ("acknowledged_s", "effective_s", "stopped_s"); columns `count`, and `p50`, `p90`, ... in
        seconds.
    """
    import pandas as pd

    given: Any = percentiles
    wanted = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(p, Real) and 0 <= p <= 1 for p in wanted):  # type: ignore[operator]
        raise InvalidRequest(
            f"percentiles: should be numbers from 0 to 1 such as 0.5, the median, or (0.5, 0.9), got {percentiles!r}."
        )
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    cancellations = _checked(cancellations, "cancellations", "scope", *_PARTS)
    for scope, group in cancellations.groupby("scope"):
        for part in _PARTS:
            values = group[part].dropna()
            rows[str(scope), part] = {"count": len(values)} | {f"p{p * 100:g}": values.quantile(p) for p in wanted}
    columns = {"count": "Int64"} | {f"p{p * 100:g}": "Float64" for p in wanted}
    # Level by level: from an empty list of tuples pandas could not infer the types.
    levels: list[Any] = [pd.array([row[level] for row in rows], dtype="string") for level in (0, 1)]
    index = pd.MultiIndex.from_arrays(levels, names=["scope", "part"])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(columns)).astype(columns)


def retry_success(jobs: pd.DataFrame) -> pd.DataFrame:
    """The success of retries, one row for each job that was retried.

    Returns:
        Index `batch_id`, and `item_id` of the first attempt; columns `retries` (Int64), `succeeded` (whether a retry
        completed; missing while none has and one is unfinished), `last_status`. The success rate is
        `retry_success(jobs)["succeeded"].mean()`.
    """
    import pandas as pd

    jobs = _checked(jobs, "jobs", "item_id", "status", "batch_id", "retried_from_item_id")
    again = jobs[jobs["retried_from_item_id"].notna()].sort_values("item_id")
    # By batch too: a reinstalled server counts its items from 1 again. A retry has the batch of its first attempt.
    grouped = again.groupby(["batch_id", "retried_from_item_id"])["status"]
    completed: Any = grouped.apply(lambda s: bool((s == COMPLETED).any())).astype("boolean")
    over = grouped.apply(lambda s: bool(s.isin(sorted(TERMINAL)).all())).astype("boolean")
    found = pd.DataFrame(
        {
            "retries": grouped.size().astype("Int64"),
            "succeeded": completed.where(completed | over, pd.NA),
            "last_status": grouped.last().astype("string"),
        }
    )
    return found.rename_axis(index=["batch_id", "item_id"])


def _checked(frame: Any, name: str, *columns: str) -> Any:
    """A frame with its times in UTC; raise `InvalidRequest` if it is none, or lacks one of the columns."""
    missing = [repr(column) for column in columns if column not in getattr(frame, "columns", ())]
    if missing:
        raise InvalidRequest(
            f"{name}: should be a frame such as console.{name}.frame(), got {type(frame).__name__} without "
            f"{', '.join(missing)}.",
            field=name,
        )
    return with_times(frame)


def _over_time(frame: pd.DataFrame, every: Any) -> Any:
    """A frame grouped by intervals of its index, each labeled by its beginning, which it includes."""
    import pandas as pd

    epoch: Any = pd.Timestamp("1970-01-01", tz="UTC")
    try:
        # Added to a time, since in pandas intervals such as "1D" have no fixed length.
        is_long = epoch + pd.tseries.frequencies.to_offset(every) > epoch
    except (ValueError, TypeError, OverflowError):
        is_long = False
    if not is_long:
        raise InvalidRequest(f"every: should be an interval longer than 0 such as '15min', got {every!r}.")
    return frame.resample(every, closed="left", label="left")


def _micros(times: Any) -> Any:
    import pandas as pd

    return pd.DatetimeIndex(times).as_unit("us").asi8


def _passed(moments: Any, edges: Any) -> Any:
    """The sum of the microseconds since each of `moments`, at each of `edges`."""
    import numpy as np

    since, until = np.sort(_micros(moments)), _micros(edges)
    begun = np.searchsorted(since, until)
    # The sums may overflow; as integers their differences are exact all the same.
    return begun * until - np.append(0, np.cumsum(since))[begun]


def _by(jobs: pd.DataFrame, column: str) -> pd.DataFrame:
    ended = jobs[jobs["status"].isin(sorted(TERMINAL - {CANCELED}))]
    grouped = ended.groupby(column, sort=False)
    failed = (ended["status"] == FAILED).groupby(ended[column], sort=False).sum()
    return _rates(grouped.size(), failed).sort_values(["rate", "finished"], ascending=False, kind="stable")


def _rates(finished: pd.Series[Any], failed: pd.Series[Any]) -> pd.DataFrame:
    import pandas as pd

    found = pd.DataFrame({"finished": finished, "failed": failed}).astype("Int64")
    finished_or_none: Any = found["finished"].mask(found["finished"] == 0)
    return found.assign(rate=(found["failed"] / finished_or_none).astype("Float64"))
