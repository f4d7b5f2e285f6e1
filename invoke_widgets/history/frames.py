"""DataFrames of records, each with one schema, whether empty or full. pandas is imported when the first is made."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.outputs import final_images, node_names, outputs
from invoke_widgets.records import Cancellation, JobError, QueueItem

if TYPE_CHECKING:
    import pandas as pd

    from invoke_widgets.history.logs import LoggedEvent

TIME = "datetime64[us, UTC]"
TEXT = "string"
INT = "Int64"
FLOAT = "Float64"
FLAG = "boolean"
OBJECT = "object"

Schema = Mapping[str, str]
"""A frame's columns, in order: name -> dtype. The records' attributes have the same names."""

ERRORS: Schema = {
    "at": TIME,
    "error_type": TEXT,
    "message": TEXT,
    "item_id": INT,
    "batch_id": TEXT,
    "node_id": TEXT,
    "node_type": TEXT,
    "field_path": TEXT,
    "server_error_type": TEXT,
    "http_status": INT,
    "attempt": INT,
    "retry_at": TIME,
    "retryable": FLAG,
    "suggestion": TEXT,
    "fingerprint": TEXT,
    "traceback": TEXT,
}

MODELS: Schema = {"name": TEXT, "type": TEXT, "base": TEXT, "key": TEXT, "hash": TEXT}

CANCELLATIONS: Schema = {
    "requested_at": TIME,
    "scope": TEXT,
    "outcome": TEXT,
    "canceled": INT,
    "item_id": INT,
    "batch_id": TEXT,
    "acknowledged_s": FLOAT,
    "effective_s": FLOAT,
    "stopped_s": FLOAT,
    "message": TEXT,
    "item_ids": OBJECT,
}

JOBS: Schema = {
    "item_id": INT,
    "status": TEXT,
    "batch_id": TEXT,
    "destination": TEXT,
    "origin": TEXT,
    "device": TEXT,
    "created_at": TIME,
    "started_at": TIME,
    "completed_at": TIME,
    "updated_at": TIME,
    "waited_s": FLOAT,
    "ran_s": FLOAT,
    "error_type": TEXT,
    "server_error_type": TEXT,
    "error_message": TEXT,
    "retried_from_item_id": INT,
}

EVENTS: Schema = {
    "at": TIME,
    "event": TEXT,
    "item_id": INT,
    "batch_id": TEXT,
    "node_id": TEXT,
    "node_type": TEXT,
    "status": TEXT,
    "message": TEXT,
    "percentage": FLOAT,
    "queue_id": TEXT,
}

IMAGES = "images"
"""The column of a batch's frame that has its pictures; its outputs follow it."""
_ENDED = ("ran_s", "error_type", "error_message")


def _column(values: Sequence[Any], dtype: str) -> Any:
    """An array of a dtype, from values that may be None."""
    import numpy as np
    import pandas as pd

    if dtype == OBJECT:
        return np.fromiter(values, dtype=object, count=len(values))
    if dtype == INT and not _fit(values):  # no id is larger than 64 bits, but one that is should not make a frame fail
        values = [value if _fit([value]) else None for value in values]
    return pd.array(values, dtype=dtype)  # type: ignore[call-overload]


def _fit(values: Iterable[int | None]) -> bool:
    """Whether all fit into 64 bits."""
    known = [value for value in values if value is not None]
    return not known or (min(known) >= -(2**63) and max(known) < 2**63)


def _frame(columns: Mapping[str, Sequence[Any]], schema: Schema) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: _column(columns[name], dtype) for name, dtype in schema.items()})


def _columns(rows: Sequence[Any], names: Iterable[str]) -> dict[str, Sequence[Any]]:
    # Column by column: transposing rows with zip() takes five times as long, most of it in the garbage collector.
    return {name: list(map(attrgetter(name), rows)) for name in names}


def of_records(records: Iterable[Any], schema: Schema) -> pd.DataFrame:
    """One row per record, whose attributes are the columns of `schema`."""
    return _frame(_columns(list(records), schema), schema)


def errors(records: Iterable[JobError]) -> pd.DataFrame:
    """One row per error; `at` in UTC. The columns are those of `ERRORS`."""
    return of_records(records, ERRORS)


def cancellations(records: Iterable[Cancellation]) -> pd.DataFrame:
    """One row per cancellation; `acknowledged_s`, `effective_s` and `stopped_s` in seconds since it was requested.

    `item_id` is set if there was only one item; `item_ids` is a tuple of all items.
    """
    rows = list(records)
    columns = _columns(rows, [name for name in CANCELLATIONS if name != "item_id"])
    columns["item_id"] = [row.item_ids[0] if len(row.item_ids) == 1 else None for row in rows]
    return _frame(columns, CANCELLATIONS)


def jobs(records: Iterable[QueueItem]) -> pd.DataFrame:
    """One row per job; `waited_s` and `ran_s` in seconds.

    `updated_at` is when the server changed the job last; for one with the status "gone" (see `JobLog`), when that was
    noticed. After the fixed columns come the values that batches set, one column each, by name or as `node.field`. A
    column whose name is taken gets " (value)" appended.
    """
    import pandas as pd

    rows = list(records)
    fields: defaultdict[str, list[Any]] = defaultdict(lambda: [None] * len(rows))
    for index, row in enumerate(rows):
        for value in row.field_values or ():
            fields[value.label][index] = value.given
    varied = {f"{name} (value)" if name in JOBS else name: fields[name] for name in sorted(fields)}
    frame = _frame(_columns(rows, JOBS), JOBS)
    return pd.concat([frame, _of_values(varied)], axis=1) if varied else frame


def batch(records: Iterable[QueueItem]) -> pd.DataFrame:
    """One row per job of a batch, given with their sessions: how it ended, its values, pictures and outputs.

    Returns:
        The columns of `jobs`, those first that say how it ended and what was varied; then `images`, a list of the names
        of the pictures that the job made; and one column `node.output` for each value that a node put out, a list of
        them inside an iteration. A column whose name is taken gets " (output)" appended. An output that stands for
        something on the server, such as a picture, latents or a model, has no column.
    """
    import pandas as pd

    rows = list(records)
    frame = jobs(rows)
    produced: defaultdict[str, list[Any]] = defaultdict(lambda: [None] * len(rows))
    for index, row in enumerate(rows):
        for name, value in _outputs(row):
            produced[name][index] = value
    put_out = _of_values({name: produced[name] for name in sorted(produced)})
    put_out.insert(0, IMAGES, _column([final_images(row) for row in rows], OBJECT))
    put_out = put_out.rename(columns={name: f"{name} (output)" for name in put_out.columns if name in frame})
    varied = frame.columns.difference([*JOBS], sort=False)
    ended = frame[["item_id", "status", *varied, *_ENDED]]
    return pd.concat([ended, put_out, frame[frame.columns.difference(ended.columns, sort=False)]], axis=1)


def _of_values(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: _column(values, _dtype_of(values)) for name, values in columns.items()})


def _dtype_of(values: Sequence[Any]) -> str:
    """The dtype of values that were varied or put out: where they agree, one that can be computed with."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int} and not _fit(values):
        return OBJECT
    known = {frozenset({int}): INT, frozenset({int, float}): FLOAT, frozenset({float}): FLOAT}
    return (known | {frozenset({bool}): FLAG, frozenset({str}): TEXT}).get(frozenset(kinds), OBJECT)


def _outputs(row: QueueItem) -> Iterator[tuple[str, Any]]:
    """Yield the values that a job's nodes put out: `node.output`, value."""
    called = node_names(row)
    for node_id, output in outputs(row).items():
        runs = [_plain_values(run) for run in (output if isinstance(output, list) else [output])]
        for name in dict.fromkeys(name for run in runs for name in run):
            values = [run.get(name) for run in runs]
            yield f"{called.get(node_id, node_id)}.{name}", values if isinstance(output, list) else values[0]


def _plain_values(output: Any) -> dict[str, Any]:
    """The numbers, texts and flags of an output, and lists of them, unless they describe a picture or the like."""
    if not isinstance(output, Mapping):
        return {}
    returned = output.get("values")  # by the workflow that a node called
    if isinstance(returned, Mapping):
        return {str(name): value for name, value in returned.items() if not _is_structured(value)}
    values = {name: value for name, value in output.items() if name not in ("type", "output_meta")}
    return {} if any(map(_is_structured, values.values())) else values


def _is_structured(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(map(_is_structured, value)))


def events(records: Iterable[LoggedEvent]) -> pd.DataFrame:
    """One row per event; `percentage` from 0 to 1. An event about several items has no `item_id`."""
    columns: dict[str, list[Any]] = {name: [] for name in EVENTS}
    for row in records:
        event = row.event
        item = getattr(event, "item", None)
        progress = getattr(event, "progress", None)
        columns["at"].append(row.at)
        columns["event"].append(type(event).__name__)
        columns["item_id"].append(item.item_id if item is not None else getattr(event, "item_id", None))
        columns["batch_id"].append(item.batch_id if item is not None else getattr(event, "batch_id", None))
        columns["node_id"].append(getattr(event, "node_id", None))
        columns["node_type"].append(getattr(event, "node_type", None))
        columns["status"].append(item.status if item is not None else None)
        columns["message"].append(progress.message if progress is not None else getattr(event, "error_message", None))
        columns["percentage"].append(progress.percentage if progress is not None else None)
        columns["queue_id"].append(event.queue_id)
    return _frame(columns, EVENTS)


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that begins with one of these as a formula."""


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV, UTF-8; times in ISO 8601 with their offset, missing values empty.

    Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers are left alone. Lines end with
    CR LF (RFC 4180): Python quotes a cell that has a carriage return only if the line end has one too.
    """
    plain = frame.rename(columns=_no_formula)
    texts = [place for place, dtype in enumerate(plain.dtypes) if dtype in (TEXT, OBJECT)]
    for place in texts:  # by position: a field that a batch sets may have the name of another column
        plain.isetitem(place, plain.iloc[:, place].map(_no_formula, na_action="ignore").array)
    plain.to_csv(path, index=False, encoding="utf-8", date_format="%Y-%m-%dT%H:%M:%S.%f%z", lineterminator="\r\n")


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_jsonl(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame as one JSON object a line, UTF-8; times in ISO 8601, missing values null."""
    import pandas as pd

    names = list(frame.columns)
    plain = frame.astype(object).where(frame.notna(), None)
    with Path(path).open("w", encoding="utf-8") as file:
        for row in plain.itertuples(index=False, name=None):
            values = (value.isoformat() if isinstance(value, pd.Timestamp) else value for value in row)
            file.write(json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False, default=str) + "\n")


def write_parquet(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame as Parquet. The types do not depend on the number of rows.

    Columns of dtype object (lists, and the values that batches set) are written as JSON text.

    Raises:
        InvalidRequest: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise InvalidRequest(
            "Writing Parquet requires pyarrow, which is not installed.",
            suggestion='pip install "invoke-widgets[parquet]", or use to_csv or to_jsonl.',
        )
    plain = frame.copy()
    for name in frame.select_dtypes("object").columns:
        texts = [None if value is None else json.dumps(value, default=str) for value in frame[name]]
        plain[name] = _column(texts, TEXT)
    plain.to_parquet(path, engine="pyarrow", index=False)
