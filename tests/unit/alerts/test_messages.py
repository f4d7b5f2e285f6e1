"""The message for each kind of notice: its words, its limits, and what was held back."""

from __future__ import annotations

from typing import Any

import pytest

from invoke_widgets import notices
from invoke_widgets.alerts import (
    BatchDone,
    JobFailed,
    Message,
    Notice,
    QueueFull,
    QueuePaused,
    QueueWedged,
)
from invoke_widgets.alerts.conditions import Match
from invoke_widgets.alerts.messages import TEXT_LENGTH, TITLE_LENGTH, Held, kind_of, message_of
from invoke_widgets.errors import JobErrorType
from invoke_widgets.records import Counts, JobError, Wedge
from tests.unit.alerts.samples import AT, FINISHED, ITEM, STALLED, failed

WEDGED = QueueWedged(at=AT, wedge=Wedge(batch_ids=("b",), item_ids=(1,), message="says the server"))


def message(what: Match | Notice, *others: tuple[Match, int], count: int = 1) -> Message:
    held: Held = ((what if isinstance(what, Match) else Match(notice=what), count), *others)
    return message_of(held, alert="a", server="http://h", queue_id="default", clean=lambda text: text)


_WHY = "CUDA out of memory\nMake room."
_STUCK = "It is in progress. It may be loading a model or be stuck."
_SILENT = "Items wait or run, but the server reported on none. Is it busy with a long node, stuck or unreachable?"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (failed(), ("job.failed", "error", "Item 7 failed: resource_error", _WHY)),
        (
            failed(will_retry=True),
            ("job.failed", "warning", "Item 7 failed: resource_error", f"{_WHY}\nIt will be retried."),
        ),
        (FINISHED, ("job.completed", "info", "Item 8 is completed", "")),
        (
            STALLED,
            ("job.stalled", "warning", "Nothing received about item 7 for 2.17 minutes", _STUCK),
        ),
        (
            BatchDone(at=AT, batch_id="9c01-4711-0815", counts=Counts(completed=5, failed=1, total=6)),
            ("batch.done", "warning", "Batch 9c01-471 is done: 5 completed, 1 failed", ""),
        ),
        (
            WEDGED,
            ("queue.wedged", "error", "The queue is stuck: nothing behind the next item runs", "says the server"),
        ),
        (QueueFull(at=AT, pending=10_000), ("queue.full", "warning", "The queue is full: 10,000 items wait", "")),
        (QueuePaused(at=AT), ("queue.paused", "info", "The queue is paused", "")),
        (
            Match(notice=failed(), count=6, within_s=60),
            ("rate.exceeded", "error", "6 in 60 s: Item 7 failed: resource_error", _WHY),
        ),
        (
            Match(silent_s=600),
            ("queue.silent", "error", "Nothing received about the queue for 10 minutes", _SILENT),
        ),
    ],
)  # fmt: skip
def test_each_notice_has_its_message(what: Match | Notice, expected: tuple[str, ...]) -> None:
    """Kind, severity, title and text follow from the notice."""
    sent = message(what)
    assert expected == (sent.kind, sent.severity, sent.title, sent.text)


def test_matches_held_back_are_named() -> None:
    """A stuck queue that was held back is named in the next message, with its text and severity."""
    sent = message(FINISHED, (Match(notice=WEDGED), 1), (Match(notice=failed()), 4))
    assert "Item 8 is completed, and 5 more (1 queue.wedged, 4 job.failed)" == sent.headline
    assert (
        "Before it: The queue is stuck: nothing behind the next item runs. says the server.\n"
        "Before it: Item 7 failed: resource_error. CUDA out of memory. Make room."
    ) == sent.text
    assert ("error", 5, {"queue.wedged": 1, "job.failed": 4}) == (sent.severity, sent.held_back, sent.held_back_kinds)
    assert {"queue.wedged": 1, "job.failed": 4} == sent.to_json()["data"]["held_back_kinds"]


def test_matches_of_the_same_kind_are_only_counted() -> None:
    """Matches of the message's own kind are a number and add nothing to its text."""
    sent = message(FINISHED, count=4)
    assert ("Item 8 is completed, and 3 more", "") == (sent.headline, sent.text)


def test_matches_held_back_are_not_cut_off() -> None:
    """However long a job's error is, what was held back is named after it."""
    error = JobError(at=AT, error_type=JobErrorType.UNKNOWN_ERROR, message="x" * 10**6)
    sent = message(JobFailed(at=AT, item=ITEM, error=error), (Match(notice=WEDGED), 1))
    assert (True, True) == (len(sent.text) <= TEXT_LENGTH, sent.text.endswith("says the server."))


def test_every_kind_of_notice_has_a_title() -> None:
    """Each notice makes a message with a title; the message's kind has two parts."""
    kinds = [kind for kind in vars(notices).values() if isinstance(kind, type) and issubclass(kind, Notice)]
    given: dict[str, Any] = {
        "at": AT,
        "item": ITEM,
        "error": failed().error,
        "item_id": 7,
        "quiet_s": 1.0,
        "pending": 1,
    }
    given |= {"batch_id": "b", "counts": Counts(), "wedge": Wedge(batch_ids=(), item_ids=())}
    for kind in set(kinds) - {Notice}:
        notice = kind(**{name: given[name] for name in kind.__dataclass_fields__ if name in given})
        sent = message(notice)
        assert (2, True) == (len(kind_of(notice).split(".")), bool(sent.title)), sent


def test_server_texts_are_bounded_and_printable() -> None:
    """Megabytes, control characters and line breaks of a job's error become a short title and a short text."""
    error = JobError(at=AT, error_type=JobErrorType.UNKNOWN_ERROR, message="a\x00\r\n\u202eb" + "x" * 10**6)
    sent = message(JobFailed(at=AT, item=ITEM, error=error))
    assert (True, True) == (len(sent.title) <= TITLE_LENGTH, len(sent.text) <= TEXT_LENGTH)
    assert sent.text.startswith("a\n bxxx")
    assert len(str(sent.to_json())) < 20_000
