"""How records show themselves in a notebook."""

from __future__ import annotations

from datetime import UTC, datetime

from invoke_widgets.errors import JobErrorType
from invoke_widgets.events import NodeFailed
from invoke_widgets.history import ErrorGroup
from invoke_widgets.records import Counts, FieldValue, JobError, QueueItem

T0 = datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC)


def test_a_record_shows_what_is_known_of_it() -> None:
    """Not what is missing or has its default, nor what fills pages."""
    item = QueueItem(
        item_id=7,
        status="failed",
        batch_id="b",
        session_id="s",
        created_at=T0,
        error_traceback="Traceback",
        field_values=(FieldValue("n", "a", 1), FieldValue("", "Seed", 2, "Seed")),
        session={"graph": {}},
    )
    shown = "item_id=7, status='failed', batch_id='b', created_at=2026-01-02 03:04:05.678+00:00"
    assert f"QueueItem({shown}, field_values=(n.a=1, Seed=2))" == repr(item)
    assert "Counts(failed=1, total=1)" == repr(Counts(failed=1, total=1))


def test_an_event_does_not_show_its_traceback() -> None:
    """It has pages of its own."""
    event = NodeFailed(
        queue_id="default",
        item_id=1,
        batch_id="b",
        node_id="n",
        node_type="div",
        server_error_type="ZeroDivisionError",
        error_message="division by zero",
        error_traceback="Traceback",
    )
    assert "Traceback" not in repr(event)


def test_a_group_of_errors_says_how_many_what_and_what_helps() -> None:
    """In one line, however many jobs it concerns and however long the message is."""
    errors = tuple(
        JobError(at=T0, error_type=JobErrorType.TIMEOUT_ERROR, message="too\nslow " * 99, suggestion="Wait.", item_id=i)
        for i in range(1, 11)
    )
    begin, end = "ErrorGroup(10 x timeout_error, 'too slow too", "…', items 1, 2, 3, 4, 5, 6, 7, 8, …, 'Wait.')"
    shown = repr(ErrorGroup("f", errors))
    assert (True, True, 1) == (shown.startswith(begin), shown.endswith(end), len(shown.splitlines()))
