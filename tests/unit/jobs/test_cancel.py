"""What a cancel of many says of items that others added or took meanwhile."""

from __future__ import annotations

import pytest

from invoke_widgets.jobs.cancel import unfinished_of
from invoke_widgets.records import QueueStatus


@pytest.mark.parametrize(
    ("pending", "completed", "deleted", "unfinished"),
    [(2, 3, 5, 2), (0, 0, 1, 1), (0, 3, 4, 1), (2, 3, 2, 2), (0, 3, 3, 0)],
    ids=["all", "one came", "one came to finished ones", "finished ones were pruned", "only finished ones"],
)
def test_a_clear_counts_what_had_not_finished(pending: int, completed: int, deleted: int, unfinished: int) -> None:
    """The counters are read before: what came since has not finished, and what others deleted had."""
    counts = {"pending": pending, "completed": completed, "total": pending + completed}
    assert unfinished == unfinished_of(QueueStatus.from_json({"queue_id": "default", **counts}), deleted)
