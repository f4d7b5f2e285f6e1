"""A frame has one schema, whether it has no row, one or many."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from invoke_widgets.errors import JobErrorType
from invoke_widgets.events import BatchEnqueued, ItemStatusChanged, NodeFailed, NodeProgress, QueueCleared
from invoke_widgets.history import frames
from invoke_widgets.history.logs import LoggedEvent, job_error
from invoke_widgets.records import Cancellation, FieldValue, JobError, Progress, QueueItem

T0 = datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)
Make = Callable[[Iterable[Any]], pd.DataFrame]


def _error(i: int) -> JobError:
    known = i % 2 == 0
    return JobError(
        at=T0 + timedelta(seconds=i),
        error_type=JobErrorType.EXECUTION_FAILED,
        message=f"m{i}",
        item_id=i if known else None,
        node_id="n" if known else None,
        http_status=None if known else 422,
    )


def _cancellation(i: int) -> Cancellation:
    return Cancellation(
        scope="item",
        outcome="canceled",
        canceled=1,
        item_ids=(i,) if i % 3 else (i, i + 1),
        requested_at=T0,
        acknowledged_s=0.005 if i % 2 else None,
    )


def _job(i: int) -> QueueItem:
    ended = i % 2 == 0
    return QueueItem(
        item_id=i,
        status="completed" if ended else "pending",
        batch_id="b",
        created_at=T0,
        started_at=T0 + timedelta(seconds=1) if ended else None,
        completed_at=T0 + timedelta(seconds=3.5) if ended else None,
    )


def _logged_event(i: int) -> LoggedEvent:
    event = (
        BatchEnqueued(queue_id="default", batch_id="b", enqueued=1, requested=1)
        if i % 2
        else QueueCleared(queue_id="q")
    )
    return LoggedEvent(T0, event)


KINDS: list[tuple[Make, Callable[[int], Any], frames.Schema]] = [
    (frames.errors, _error, frames.ERRORS),
    (frames.cancellations, _cancellation, frames.CANCELLATIONS),
    (frames.jobs, _job, frames.JOBS),
    (frames.events, _logged_event, frames.EVENTS),
]


@pytest.mark.parametrize("count", [0, 1, 10_000])
@pytest.mark.parametrize(("make", "record", "schema"), KINDS, ids=["errors", "cancellations", "jobs", "events"])
def test_schema_does_not_depend_on_the_rows(
    make: Make, record: Callable[[int], Any], schema: frames.Schema, count: int
) -> None:
    """The columns, their order and their types."""
    frame = make([record(i) for i in range(count)])
    assert (count, list(schema.items())) == (
        len(frame), [(name, str(dtype)) for name, dtype in frame.dtypes.items()]
    )  # fmt: skip


@pytest.mark.parametrize(("make", "record", "schema"), KINDS, ids=["errors", "cancellations", "jobs", "events"])
def test_values_are_those_of_the_records(make: Make, record: Callable[[int], Any], schema: frames.Schema) -> None:
    """Each is what pandas makes of the attribute; None is a missing value."""
    records = [record(i) for i in range(5)]
    frame = make(records)
    wrong = []
    for name in set(schema) - {
        "item_id",
        "event",
        "batch_id",
        "node_id",
        "node_type",
        "status",
        "message",
        "percentage",
    }:
        for row, each in enumerate(records):
            value = getattr(each if hasattr(each, name) else each.event, name)
            found = frame[name].iloc[row]
            if (pd.isna(found) is not True and found != value) if value is not None else pd.isna(found) is not True:
                wrong.append((name, row, value, found))
    assert [] == wrong


def test_a_value_with_the_name_of_another_column_has_a_column_of_its_own() -> None:
    """A workflow's fields are called whatever their author likes."""
    values = tuple(FieldValue("n", name, name, name) for name in ("status", "Seed"))
    item = QueueItem(item_id=1, status="completed", batch_id="b", field_values=values)
    for frame in (frames.jobs([item]), frames.batch([item])):
        assert ["completed", "status", "Seed"] == [frame[name][0] for name in ("status", "status (value)", "Seed")]


def test_a_column_means_the_same_in_every_frame() -> None:
    """`status` is a job's, `http_status` a reply's, `error_type` one of the eight and `server_error_type` a class."""
    schemas = {
        "errors": frames.ERRORS,
        "jobs": frames.JOBS,
        "cancellations": frames.CANCELLATIONS,
        "events": frames.EVENTS,
    }
    assert ["jobs", "events"] == [name for name, schema in schemas.items() if "status" in schema]
    assert ["errors"] == [name for name, schema in schemas.items() if "http_status" in schema]
    job = QueueItem(item_id=1, status="failed", batch_id="b", server_error_type="OutOfMemoryError", error_message="m")
    made = [frames.jobs([job]), frames.errors([job_error(job)])]
    shared = set(frames.JOBS) & set(frames.ERRORS)
    assert {"item_id", "batch_id", "error_type", "server_error_type"} == shared
    first, second = [frame[sorted(shared)].to_dict("records") for frame in made]
    assert first == second
    assert "resource_error" == first[0]["error_type"]


def test_durations_are_in_seconds() -> None:
    """From creation to start and from start to end; missing if unknown."""
    frame = frames.jobs([_job(0), _job(1)])
    assert [[1.0, 2.5], [None, None]] == [
        [None if value is pd.NA else value for value in row] for row in frame[["waited_s", "ran_s"]].to_numpy(object)
    ]


def test_times_of_any_zone_become_utc_to_the_microsecond() -> None:
    """Years before 1970 or far ahead do no harm."""
    far = timezone(timedelta(hours=-7))
    times = [datetime(1969, 12, 31, 17, 0, 0, 1, tzinfo=far), datetime(9999, 1, 1, tzinfo=UTC), T0]
    records = [JobError(at=at, error_type=JobErrorType.UNKNOWN_ERROR, message="") for at in times]
    assert [at.astimezone(UTC) for at in times] == [at.to_pydatetime() for at in frames.errors(records)["at"]]


def test_batch_fields_become_columns() -> None:
    """Sorted, after the fixed ones; values keep their types."""
    values = [
        (FieldValue("z", "seed", 1),),
        (FieldValue("a", "x", [1, 2]), FieldValue("z", "seed", "s")),
        None,
    ]
    items = [QueueItem(item_id=i, status="pending", batch_id="b", field_values=v) for i, v in enumerate(values)]
    frame = frames.jobs(items)
    assert ([*frames.JOBS, "a.x", "z.seed"], [None, [1, 2], None], [1, "s", None]) == (
        list(frame.columns), frame["a.x"].tolist(), frame["z.seed"].tolist()
    )  # fmt: skip


def test_frame_of_a_batch_begins_with_what_was_varied_and_what_came_of_it() -> None:
    """Pictures in one column, other outputs in one each; latents, models and what describes them in none."""
    session = {
        "graph": {"nodes": {"x": {"type": "add"}, "picture": {"type": "blank_image"}}},
        "results": {
            "x": {"type": "integer_output", "output_meta": None, "value": 3},
            "picture": {"type": "image_output", "image": {"image_name": "p.png"}, "width": 8, "height": 8},
            "latents": {"latents": {"latents_name": "l"}, "width": 8, "seed": 1},
            "call": {"values": {"sum": 5, "picture": {"image_name": "c.png"}}},
            "odd": 7,
        },
    }
    values = (FieldValue("x", "value", 2), FieldValue("images", "", 1, name="images"))
    done = QueueItem(item_id=1, status="completed", batch_id="b", field_values=values, session=session)
    frame = frames.batch([done, QueueItem(item_id=2, status="gone", batch_id="b")])
    first = ["item_id", "status", "images", "x.value", "ran_s", "error_type", "error_message"]
    first += ["images (output)", "call.sum", "x.value (output)"]
    assert [*first, *(name for name in frames.JOBS if name not in first)] == list(frame.columns)
    assert [["p.png", "c.png"], 5, 3] == [
        frame[name][0] for name in ("images (output)", "call.sum", "x.value (output)")
    ]
    assert [True, True] == frame.loc[1, ["call.sum", "x.value (output)"]].isna().tolist()


def test_events_have_item_node_and_progress() -> None:
    """Each from where the event has it."""
    item = QueueItem(item_id=5, status="failed", batch_id="b")
    node: dict[str, Any] = {"queue_id": "default", "item_id": 5, "batch_id": "b", "node_id": "n", "node_type": "t"}
    events = [
        ItemStatusChanged(queue_id="default", item=item),
        NodeProgress(**node, progress=Progress(item_id=5, message="half", percentage=0.5)),
        NodeFailed(**node, server_error_type="E", error_message="why", error_traceback=""),
    ]
    frame = frames.events(LoggedEvent(T0, event) for event in events)
    columns = ["event", "item_id", "node_id", "status", "message", "percentage"]
    assert [
        ["ItemStatusChanged", 5, None, "failed", None, None],
        ["NodeProgress", 5, "n", None, "half", 0.5],
        ["NodeFailed", 5, "n", None, "why", None],
    ] == [[None if value is pd.NA else value for value in row] for row in frame[columns].to_numpy(object)]


def test_a_number_too_large_for_its_column_is_missing() -> None:
    """The frame does not fail over it."""
    errors = [replace(_error(0), item_id=item_id) for item_id in (2**70, -(2**70), 2**63 - 1)]
    assert [pd.NA, pd.NA, 2**63 - 1] == frames.errors(errors)["item_id"].tolist()


def test_only_a_cancellation_of_one_item_has_an_item_id() -> None:
    """One of several items has the tuple alone."""
    frame = frames.cancellations([_cancellation(1), _cancellation(3)])
    assert ([1, pd.NA], [(1,), (3, 4)]) == (frame["item_id"].tolist(), frame["item_ids"].tolist())


def test_jsonl_has_nulls_and_lists(tmp_path: Path) -> None:
    """Missing values are null; lists stay lists."""
    frames.write_jsonl(frames.cancellations([_cancellation(3)]), tmp_path / "c.jsonl")
    found = json.loads((tmp_path / "c.jsonl").read_text(encoding="utf-8"))
    assert ([3, 4], None, None, "item") == (found["item_ids"], found["item_id"], found["stopped_s"], found["scope"])


@pytest.mark.parametrize("count", [0, 1, 10_000])
@pytest.mark.parametrize(("make", "record", "schema"), KINDS, ids=["errors", "cancellations", "jobs", "events"])
def test_parquet_preserves_values_and_types(
    tmp_path: Path, make: Make, record: Callable[[int], Any], schema: frames.Schema, count: int
) -> None:
    """However many rows there are; lists come back as JSON text."""
    frame = make([record(i) for i in range(count)])
    frames.write_parquet(frame, tmp_path / "frame.parquet")
    found = pd.read_parquet(tmp_path / "frame.parquet")
    texts = {name for name, dtype in schema.items() if dtype == frames.OBJECT}
    assert {name: frames.TEXT if name in texts else dtype for name, dtype in schema.items()} == {
        name: str(dtype) for name, dtype in found.dtypes.items()
    }
    for name in texts:
        found[name] = pd.Series([tuple(json.loads(text)) for text in found[name]], dtype=object)
    pd.testing.assert_frame_equal(frame, found)


def test_parquet_writes_batch_fields_as_json(tmp_path: Path) -> None:
    """A field may have values of several types, which no other column of Parquet can hold."""
    values: list[Any] = [7, "seven", [1, 2], None, 0.5, {"key": "model"}]
    items = [
        QueueItem(item_id=i, status="pending", batch_id="b", field_values=(FieldValue("a", "x", value),))
        for i, value in enumerate(values)
    ]
    frames.write_parquet(frames.jobs(items), tmp_path / "jobs.parquet")
    texts = pd.read_parquet(tmp_path / "jobs.parquet")["a.x"]
    assert values == [None if text is pd.NA else json.loads(text) for text in texts]


def test_parquet_without_pyarrow_raises_with_a_remedy(tmp_path: Path) -> None:
    """pyarrow is no dependency; without it nothing is written."""
    path = tmp_path / "errors.parquet"
    program = (
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Finder(PathFinder):\n"  # None in sys.modules would be the package itself for pandas 2.2.0
        "    @classmethod\n"
        "    def find_spec(cls, name, *rest): return None if name == 'pyarrow' else super().find_spec(name, *rest)\n"
        "sys.meta_path[sys.meta_path.index(PathFinder)] = Finder\n"
        "from invoke_widgets.history import ErrorLog\n"
        "from invoke_widgets.errors import InvalidRequest\n"
        "try: ErrorLog().to_parquet(sys.argv[1])\n"
        "except InvalidRequest as error: print(error.message, error.suggestion)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
    expected = 'Writing Parquet requires pyarrow, which is not installed. pip install "invoke-widgets[parquet]"'
    assert (expected, "", False) == (done.stdout.partition(", or")[0], done.stderr, path.exists())


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], "Int64"),
        ([1, None], "Int64"),
        ([1, 2.5], "Float64"),
        (["a", "b"], "string"),
        ([True, False], "boolean"),
        ([1, "a"], "object"),
        ([[1], [2]], "object"),
        ([2**70], "object"),
    ],
)
def test_varied_values_have_a_dtype_to_compute_with_where_they_agree(values: list[Any], dtype: str) -> None:
    """Otherwise they stay what they are."""
    rows = [
        QueueItem(item_id=i, status="completed", batch_id="b", field_values=(FieldValue("a", "x", value),))
        for i, value in enumerate(values)
        if value is not None
    ]
    rows += [QueueItem(item_id=99, status="completed", batch_id="b")] if None in values else []
    assert dtype == str(frames.jobs(rows)["a.x"].dtype)
