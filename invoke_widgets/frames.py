"""Records -> DataFrames. One schema each, whether empty or full; pandas is imported when the first frame is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from invoke_widgets.records import Cancellation, JobError, QueueItem

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R")

TIME = "datetime64[us, UTC]"
TEXT = "string"
INT = "Int64"
FLOAT = "Float64"
FLAG = "boolean"

Column = tuple[str, Callable[[R], Any]]


def _attribute(name: str) -> Callable[[Any], Any]:
    return lambda record: getattr(record, name)


def _columns(**types: str) -> dict[str, tuple[str, Callable[[Any], Any]]]:
    return {name: (dtype, _attribute(name)) for name, dtype in types.items()}


ERRORS = _columns(
    at=TIME,
    error_type=TEXT,
    message=TEXT,
    item_id=INT,
    batch_id=TEXT,
    node_id=TEXT,
    node_type=TEXT,
    field_path=TEXT,
    server_error_type=TEXT,
    status=INT,
    attempt=INT,
    retryable=FLAG,
    suggestion=TEXT,
    fingerprint=TEXT,
    traceback=TEXT,
)

CANCELLATIONS = _columns(
    requested_at=TIME,
    scope=TEXT,
    outcome=TEXT,
    canceled=INT,
    batch_id=TEXT,
    acknowledged_s=FLOAT,
    effective_s=FLOAT,
    stopped_s=FLOAT,
    message=TEXT,
) | {
    "item_id": (INT, lambda c: c.item_ids[0] if len(c.item_ids) == 1 else None),
    "item_ids": ("object", lambda c: c.item_ids),
}

JOBS = _columns(
    item_id=INT,
    status=TEXT,
    batch_id=TEXT,
    destination=TEXT,
    origin=TEXT,
    device=TEXT,
    created_at=TIME,
    started_at=TIME,
    completed_at=TIME,
    waited_s=FLOAT,
    ran_s=FLOAT,
    error_type=TEXT,
    error_message=TEXT,
    retried_from_item_id=INT,
)


def _frame(records: Iterable[R], columns: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> pd.DataFrame:
    import pandas as pd

    rows = list(records)
    return pd.DataFrame(
        {
            name: pd.Series([value(row) for row in rows], dtype=dtype)  # type: ignore[call-overload]
            for name, (dtype, value) in columns.items()
        }
    )


def errors(records: Iterable[JobError]) -> pd.DataFrame:
    """One row per error; times in UTC."""
    return _frame(records, ERRORS)


def cancellations(records: Iterable[Cancellation]) -> pd.DataFrame:
    """One row per cancel; `acknowledged_s`, `effective_s` and `stopped_s` in seconds since it was asked for."""
    return _frame(records, CANCELLATIONS)


def jobs(records: Iterable[QueueItem]) -> pd.DataFrame:
    """One row per job; `waited_s` and `ran_s` in seconds.

    The values that batches set come after the fixed columns, one column `node.field` each (dtype object).
    """
    import pandas as pd

    rows = list(records)
    frame = _frame(rows, JOBS)
    fields: dict[str, list[Any]] = {}
    for index, row in enumerate(rows):
        for value in row.field_values or ():
            column = fields.setdefault(f"{value.node_path}.{value.field_name}", [None] * len(rows))
            column[index] = value.value
    for name in sorted(fields):
        frame[name] = pd.Series(fields[name], dtype="object")
    return frame
