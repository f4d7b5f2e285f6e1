"""Which notices, and which silences, make a condition true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.alerts import (
    BatchDone,
    ConnectionLost,
    JobCompleted,
    JobFailed,
    JobFinished,
    JobStalled,
    Notice,
    QueueWedged,
    any_of,
    nothing_received,
    queue_stalled,
    rate,
    when,
)
from invoke_widgets.alerts.conditions import Condition, Match, Tick, condition
from invoke_widgets.errors import JobErrorType
from tests.unit.alerts.samples import AT, FINISHED, STALLED, failed

LOST = ConnectionLost(at=AT, error="resource_error")
ALL = {"memory": failed(), "other": failed("unknown_error"), "finished": FINISHED, "stalled": STALLED, "lost": LOST}


def matching(on: Any) -> set[str]:
    """The names of the notices that match."""
    matcher = condition(on).matcher()
    return {name for name, notice in ALL.items() if matcher(notice, 0.0)}


def is_big(notice: Any) -> bool:
    return bool(notice.item.item_id == 8)


MEMORY = "when(JobFailed, error_type='resource_error')"
OTHER = "when(JobFailed, error_type='unknown_error')"


@pytest.mark.parametrize(
    ("on", "expected", "code", "words"),
    [
        (JobFailed, {"memory", "other"}, "JobFailed", "Job failed"),
        (JobFinished, {"memory", "other", "finished"}, "JobFinished", "Job finished"),
        (JobCompleted, {"finished"}, "JobCompleted", "Job completed"),
        (Notice, set(ALL), "Notice", "Any notice"),
        (when(JobFailed), {"memory", "other"}, "JobFailed", "Job failed"),
        (when(JobFailed, JobErrorType.RESOURCE_ERROR), {"memory"}, MEMORY, "Job failed (resource_error)"),
        (when(JobFailed, "RESOURCE_ERROR"), {"memory"}, MEMORY, "Job failed (resource_error)"),
        ("resource_error", {"memory"}, MEMORY, "Job failed (resource_error)"),
        (when(JobFailed, error_type="unknown_error", will_retry=False), {"other"},
         "when(JobFailed, error_type='unknown_error', will_retry=False)", "Job failed (unknown_error, will retry: no)"),
        (when(JobFailed, will_retry=True), set(), "when(JobFailed, will_retry=True)", "Job failed (will retry: yes)"),
        (when(JobFailed, error_type=["unknown_error", "network_error"]), {"other"},
         "when(JobFailed, error_type=['unknown_error', 'network_error'])",
         "Job failed (unknown_error or network_error)"),
        (when(JobFinished, "unknown_error"), {"other"}, "when(JobFinished, error_type='unknown_error')",
         "Job finished (unknown_error)"),
        (when(JobFinished, is_big), {"finished"}, "when(JobFinished, is_big)", "Job finished (is_big)"),
        (when(JobFinished, is_big, status="failed"), set(), "when(JobFinished, is_big, status='failed')",
         "Job finished (is_big, status: failed)"),
        (when(JobFinished, destination="gallery"), {"memory", "other"}, "when(JobFinished, destination='gallery')",
         "Job finished (destination: gallery)"),
        (when(JobStalled | JobFailed, "unknown_error"), {"other"},
         "when(JobStalled | JobFailed, error_type='unknown_error')", "Job stalled or job failed (unknown_error)"),
        (when(Notice, "unknown_error"), {"other"}, "when(Notice, error_type='unknown_error')",
         "Any notice (unknown_error)"),
        (JobFailed | JobStalled, {"memory", "other", "stalled"}, "JobFailed | JobStalled", "Job failed or job stalled"),
        (when(JobFailed, "resource_error") | BatchDone, {"memory"}, f"{MEMORY} | BatchDone",
         "Job failed (resource_error) or batch done"),
        (ConnectionLost | when(JobFailed, "unknown_error"), {"other", "lost"}, f"ConnectionLost | {OTHER}",
         "Connection lost or job failed (unknown_error)"),
        ((BatchDone | ConnectionLost) | when(JobStalled), {"lost", "stalled"},
         "BatchDone | ConnectionLost | JobStalled", "Batch done or connection lost or job stalled"),
        ("unknown_error" | when(ConnectionLost), {"other", "lost"}, f"{OTHER} | ConnectionLost",
         "Job failed (unknown_error) or connection lost"),
        (any_of(JobStalled, ConnectionLost | BatchDone, "unknown_error"), {"stalled", "lost", "other"},
         f"JobStalled | ConnectionLost | BatchDone | {OTHER}",
         "Job stalled or connection lost or batch done or job failed (unknown_error)"),
        (queue_stalled(minutes=3), {"stalled"}, "queue_stalled(minutes=3)", "Job stalled for 3 minutes or queue stuck"),
        (rate(JobFailed, more_than=0, within_s=60) | QueueWedged, {"memory", "other"},
         "rate(JobFailed, more_than=0, within_s=60) | QueueWedged", "More than 0 in 60 s: job failed or queue stuck"),
        (nothing_received(minutes=10), set(), "nothing_received(minutes=10)", "Nothing received for 10 minutes"),
    ],
)  # fmt: skip
def test_conditions_match_and_describe_themselves(on: Any, expected: set[str], code: str, words: str) -> None:
    """Kinds, error types, fields and functions combine; a condition has its code as its repr and its words as text."""
    made = condition(on)
    assert (expected, code, words) == (matching(on), repr(made), str(made))


async def later(notice: Notice) -> bool:
    return True


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: condition(5), "on: 5 is not a condition"),
        (lambda: condition(int), "is not a condition"),
        (lambda: JobFailed | when(JobStalled) | 5, "on: 5 is not a condition"),
        (lambda: condition(JobFailed | None), "is not a condition"),
        (lambda: condition("out_of_memory"), "on: 'out_of_memory' is not an error type; there are submission_failed"),
        (lambda: when(JobFailed, "memory"), "on: 'memory' is not an error type; there are submission_failed"),
        (lambda: when(JobFailed, error_type=5), "on: 5 is not an error type"),
        (lambda: when(JobFailed, "unknown_error", error_type="unknown_error"), "error_type: is given twice"),
        (lambda: when(int), "is not a class of notices"),
        (lambda: when(JobFailed, later), "neither an error type nor a plain function"),
        (lambda: when(JobFailed, 5), "neither an error type nor a plain function"),  # type: ignore[arg-type]
        (
            lambda: when(BatchDone | ConnectionLost, "network_error"),
            "BatchDone | ConnectionLost has no field 'error_typ",
        ),
        (lambda: when(JobFailed, retry=True), "JobFailed has no field 'retry'; it has "),
        (lambda: when(ConnectionLost, "network_error"), "ConnectionLost has no field 'error_type'"),
        (lambda: any_of(), "at least one condition"),
        (lambda: rate(nothing_received(minutes=1), more_than=1, within_s=1), "cannot be counted"),
        (lambda: rate(rate(JobFailed, more_than=1, within_s=1), more_than=1, within_s=1), "cannot be counted"),
        (lambda: rate(JobFailed, more_than=-1, within_s=1), "more_than: should be an integer of 0 or more, got -1"),
        (lambda: rate(JobFailed, more_than=1.5, within_s=1), "more_than: should be an integer"),  # type: ignore[arg-type]
        (lambda: rate(JobFailed, more_than=1, within_s=float("nan")), "within_s: should be a number above 0"),
        (lambda: nothing_received(minutes=0), "minutes: should be a number above 0, got 0"),
        (lambda: nothing_received(minutes=True), "minutes: should be a number above 0, got True"),
        (lambda: queue_stalled(minutes=1) | queue_stalled(minutes=2), "make two alerts"),
    ],
)
def test_invalid_conditions_are_refused(make: Callable[[], Any], words: str) -> None:
    """A condition that is invalid or can never be true raises when it is made."""
    with pytest.raises(iw.InvalidRequest) as refused:
        make()
    assert words in str(refused.value)


def test_notices_are_plain_classes() -> None:
    """`|` of notices makes a union as it does of any other classes."""
    assert isinstance(failed(), JobFinished | BatchDone)
    assert not isinstance(failed(), ConnectionLost | BatchDone)
    assert type(JobFailed) is type


def fires(on: Condition, times: list[float], notice: Notice | None = None) -> list[int]:
    """The indexes of the times at which the notice matches."""
    matcher = on.matcher()
    return [place for place, now in enumerate(times) if matcher(notice or failed(), now)]


def test_a_rate_counts_within_its_window() -> None:
    """The third within ten seconds matches, then counting starts anew; older ones do not count."""
    on = rate(when(JobFailed, "resource_error"), more_than=2, within_s=10)
    assert [2, 5] == fires(on, [0, 1, 2, 3, 4, 5, 6])
    assert [] == fires(on, [0, 6, 12, 18, 24])
    assert [3] == fires(on, [0, 8, 11, 12, 23])
    assert [] == fires(on, [0, 1, 2, 3], failed("unknown_error"))
    assert [0, 1] == fires(rate(JobFailed, more_than=0, within_s=1), [0, 0])


def test_a_rate_is_counted_for_each_alert_alone() -> None:
    """Two alerts with one condition do not share a count, and every part of `|` sees every notice."""
    on = rate(JobFailed, more_than=1, within_s=10)
    first, second = (on | ConnectionLost).matcher(), on.matcher()
    assert not first(failed(), 0)
    assert not second(failed(), 0)
    assert first(LOST, 1) == Match(notice=LOST)
    assert first(failed(), 1) == Match(notice=failed(), count=2, within_s=10)


def test_a_rate_comes_before_the_single_notice_that_completes_it() -> None:
    """In whichever order they are joined: otherwise it would never be reported."""
    many = rate(JobFailed, more_than=1, within_s=10)
    for on in (JobFailed | many, many | JobFailed):
        matcher = on.matcher()
        assert [1, 2] == [found.count for now in (0, 1) if (found := matcher(failed(), now))]


def test_nothing_received_matches_once_per_silence() -> None:
    """It matches once while there is work and nothing is received, and again after something was."""
    matcher = nothing_received(minutes=1).matcher()

    def tick(now: float, received_at: float, busy: bool = True) -> bool:
        return matcher(Tick(received_at=received_at, is_busy=busy), now) is not None

    assert not tick(1000, 0, busy=False)
    assert not tick(1010, 0)  # the work has only just begun
    assert not tick(1069, 0)
    assert tick(1070, 0)
    assert not tick(1200, 0)
    assert not tick(1210, 1205)
    assert tick(1265, 1205)
    assert not tick(1300, 1205, busy=False)
    assert not tick(1301, 1205)
    assert matcher(failed(), 1302) is None
