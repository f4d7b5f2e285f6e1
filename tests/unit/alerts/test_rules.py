"""What alerts wait for, how often they tell it, and in which words."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import invoke_widgets as iw
from invoke_widgets import notices
from invoke_widgets.alerts import (
    BatchDone,
    ConnectionLost,
    JobDeleted,
    JobFailed,
    JobFinished,
    JobStalled,
    Message,
    Notice,
    QueueFull,
    QueuePaused,
    QueueWedged,
    nothing_heard,
    queue_stalled,
    rate,
)
from invoke_widgets.alerts.limit import Limit
from invoke_widgets.alerts.messages import TEXT_LENGTH, TITLE_LENGTH
from invoke_widgets.alerts.wording import kind_of, message_of
from invoke_widgets.conditions import Condition, Firing, Look, Others, condition
from invoke_widgets.errors import JobErrorType
from invoke_widgets.records import Counts, JobError, QueueItem, Wedge

AT = datetime(2026, 11, 23, 15, 4, 5, tzinfo=UTC)
ITEM = QueueItem(item_id=7, status="failed", batch_id="9c01-4711", destination="gallery")


def failed(error_type: str = "resource_error", **fields: Any) -> JobFailed:
    error = JobError(at=AT, error_type=JobErrorType(error_type), message="CUDA out of memory", suggestion="Make room.")
    return JobFailed(at=AT, item=ITEM, error=error, **fields)


FINISHED = JobFinished(at=AT, item=QueueItem(item_id=8, status="completed", batch_id="b"))
STALLED = JobStalled(at=AT, item=ITEM, quiet_s=130.0)
WEDGED = QueueWedged(at=AT, wedge=Wedge(batch_ids=("b",), item_ids=(1,), message="says the server"))
LOST = ConnectionLost(at=AT, error="resource_error")
ALL = {"memory": failed(), "other": failed("unknown_error"), "finished": FINISHED, "stalled": STALLED, "lost": LOST}


def matching(on: Any) -> set[str]:
    """Which of the notices make a condition come true."""
    watch = condition(on).watch()
    return {name for name, notice in ALL.items() if watch.see(notice, 0.0)}


@pytest.mark.parametrize(
    ("on", "expected", "words"),
    [
        (JobFailed, {"memory", "other"}, "JobFailed"),
        (JobFinished, {"memory", "other", "finished"}, "JobFinished"),
        (JobFailed & JobErrorType.RESOURCE_ERROR, {"memory"}, "JobFailed & resource_error"),
        (JobFailed & "resource_error", {"memory"}, "JobFailed & resource_error"),
        ("RESOURCE_ERROR" & JobFailed, {"memory"}, "resource_error & JobFailed"),
        ("resource_error", {"memory"}, "resource_error"),
        (JobFinished & "unknown_error", {"other"}, "JobFinished & unknown_error"),
        (JobFailed | JobStalled, {"memory", "other", "stalled"}, "JobFailed | JobStalled"),
        (JobFailed & "resource_error" | BatchDone, {"memory"}, "JobFailed & resource_error | BatchDone"),
        (ConnectionLost | JobFailed & "unknown_error", {"other", "lost"}, "ConnectionLost | JobFailed & unknown_error"),
        ((JobStalled | JobFailed) & condition("unknown_error"), {"other"}, "(JobStalled | JobFailed) & unknown_error"),
        ((JobStalled | JobFailed) & "unknown_error", {"other"}, "(JobStalled | JobFailed) & unknown_error"),
        ("unknown_error" & (JobStalled | JobFailed | BatchDone), {"other"},
         "unknown_error & (JobStalled | JobFailed | BatchDone)"),
        ((BatchDone | JobStalled) | (JobFailed | BatchDone), {"memory", "other", "stalled"},
         "BatchDone | JobStalled | JobFailed"),
        (JobFailed & (condition("unknown_error") | BatchDone), {"other"}, "JobFailed & (unknown_error | BatchDone)"),
        (ConnectionLost | JobErrorType.UNKNOWN_ERROR, {"other", "lost"}, "ConnectionLost | unknown_error"),
        ("unknown_error" | ConnectionLost, {"other", "lost"}, "unknown_error | ConnectionLost"),
        (Notice, set(ALL), "Notice"),
        (queue_stalled(minutes=3), {"stalled"}, "JobStalled | QueueWedged"),
    ],
)  # fmt: skip
def test_conditions_compose(on: Any, expected: set[str], words: str) -> None:
    """Kinds and classes of error combine with & and |, and say what they are."""
    assert (expected, words) == (matching(on), repr(condition(on)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: condition(5), "on: 5 is no condition"),
        (lambda: condition(int), "is no condition"),
        (lambda: condition("out_of_memory"), "on: 'out_of_memory' is no class of error; there are submission_failed"),
        (lambda: JobFailed & 5, "on: 5 is no condition"),
        (lambda: (JobFailed | JobStalled) & 5, "on: 5 is no condition"),
        (lambda: (JobFailed | JobStalled) & "memory", "on: 'memory' is no class of error; there are submission_failed"),
        (
            lambda: (BatchDone | ConnectionLost) & "network_error",
            "no notice that is both BatchDone | ConnectionLost and",
        ),
        (lambda: JobFailed & BatchDone, "no notice that is both JobFailed and BatchDone"),
        (lambda: ConnectionLost & "network_error", "no notice that is both ConnectionLost and network_error"),
        (lambda: JobFailed & nothing_heard(minutes=1), "cannot be combined with &"),
        (lambda: rate(JobFailed, more_than=1, within_s=1) & "resource_error", "cannot be combined with &"),
        (lambda: rate(nothing_heard(minutes=1), more_than=1, within_s=1), "cannot be counted"),
        (lambda: rate(JobFailed, more_than=-1, within_s=1), "more_than: should be an integer of 0 or more, got -1"),
        (lambda: rate(JobFailed, more_than=1.5, within_s=1), "more_than: should be an integer"),  # type: ignore[arg-type]
        (lambda: rate(JobFailed, more_than=1, within_s=float("nan")), "within_s: should be a number above 0"),
        (lambda: nothing_heard(minutes=0), "minutes: should be a number above 0, got 0"),
        (lambda: nothing_heard(minutes=True), "minutes: should be a number above 0, got True"),
        (lambda: queue_stalled(minutes=1) | queue_stalled(minutes=2), "make two alerts"),
    ],
)
def test_what_is_no_condition_is_told_at_once(make: Callable[[], Any], words: str) -> None:
    """A condition that cannot be, or can never come true, is refused in words."""
    with pytest.raises(iw.InvalidRequest) as refused:
        make()
    assert words in str(refused.value)


def test_kinds_of_notices_stay_classes() -> None:
    """That they can be combined changes nothing else about them."""
    assert isinstance(failed(), JobFinished | BatchDone)
    assert not isinstance(failed(), ConnectionLost | BatchDone)
    assert isinstance(None, ConnectionLost | BatchDone | None)
    assert issubclass(JobFailed, BatchDone | JobFinished)
    assert JobFailed is JobFailed | JobFailed
    assert issubclass(JobFailed, notices.Notice)
    assert failed() == failed()


def fires(on: Condition, times: list[float], notice: Notice | None = None) -> list[int]:
    """At which of these times a notice makes it come true."""
    watch = on.watch()
    return [place for place, now in enumerate(times) if watch.see(notice or failed(), now)]


def test_a_rate_counts_within_its_window() -> None:
    """The third within ten seconds fires; then counting begins anew; what is older does not count."""
    on = rate(JobFailed & "resource_error", more_than=2, within_s=10)
    assert [2, 5] == fires(on, [0, 1, 2, 3, 4, 5, 6])
    assert [] == fires(on, [0, 6, 12, 18, 24])
    assert [3] == fires(on, [0, 8, 11, 12, 23])
    assert [] == fires(on, [0, 1, 2, 3], failed("unknown_error"))
    assert [0, 1] == fires(rate(JobFailed, more_than=0, within_s=1), [0, 0])


def test_a_rate_is_counted_for_each_alert_alone() -> None:
    """Two alerts with one condition do not share a count, and within | nothing is missed."""
    on = rate(JobFailed, more_than=1, within_s=10)
    first, second = (on | ConnectionLost).watch(), on.watch()
    assert not first.see(failed(), 0)
    assert not second.see(failed(), 0)
    assert first.see(LOST, 1) == Firing(notice=LOST)
    assert first.see(failed(), 1) == Firing(notice=failed(), count=2, within_s=10)


def test_silence() -> None:
    """It comes true once while there is work and nothing is heard, and again after something was."""
    watch = nothing_heard(minutes=1).watch()

    def look(now: float, heard_at: float, busy: bool = True) -> bool:
        return watch.look(Look(now=now, heard_at=heard_at, busy=busy)) is not None

    assert not look(1000, 0, busy=False)
    assert not look(1010, 0)  # the work has only just begun
    assert not look(1069, 0)
    assert look(1070, 0)
    assert not look(1200, 0)
    assert not look(1210, 1205)
    assert look(1265, 1205)
    assert not look(1300, 1205, busy=False)
    assert not look(1301, 1205)
    assert watch.see(failed(), 1302) is None


# -- how often ---------------------------------------------------------------------------------------------------------


def firing(item_id: int) -> Firing:
    return Firing(notice=JobDeleted(at=AT, item_id=item_id))


def told(what: tuple[Firing, Others] | None) -> tuple[int, int] | None:
    """The item, and how many others."""
    return None if what is None else (what[0].notice.item_id, sum(count for _, count in what[1]))


def test_the_first_is_told_and_the_rest_together() -> None:
    """Within the limit only the first is told; when it is over, the last, with how many more there were."""
    limit = Limit(60.0)
    assert (1, 0) == told(limit.take(firing(1), 0))
    assert [None] * 3 == [told(limit.take(firing(n), n)) for n in (2, 3, 4)]
    assert (3, None) == (limit.held_back, told(limit.due(59)))
    assert ((4, 2), 0) == (told(limit.due(60)), limit.held_back)
    assert None is told(limit.due(1000))
    assert None is told(limit.take(firing(5), 119))
    assert (6, 1) == told(limit.take(firing(6), 121))


def test_quiet_holds_back_and_loses_nothing() -> None:
    """While it is quiet nothing is told; after it, all is, in one."""
    limit = Limit(0.0)
    limit.quiet(100)
    assert [None] * 2 == [told(limit.take(firing(n), n)) for n in (1, 2)]
    assert None is told(limit.due(99))
    assert (2, 1) == told(limit.due(100))
    assert None is told(limit.take(firing(3), 101, quiet_until=200))
    assert (4, 1) == told(limit.take(firing(4), 200, quiet_until=200))
    assert [(n, 0) for n in (5, 6)] == [told(limit.take(firing(n), 201)) for n in (5, 6)]


def test_what_is_held_back_keeps_the_latest_of_each_kind() -> None:
    """Of each kind the latest is kept with its count, the newest first; what is told counts for its own kind."""
    limit = Limit(60.0)
    wedge, rate_ = Firing(notice=WEDGED), Firing(notice=firing(9).notice, count=5, within_s=10.0)
    limit.take(firing(1), 0)
    for n, what in enumerate((firing(2), wedge, rate_, firing(3)), start=1):
        limit.take(what, n)
    assert (firing(3), ((firing(3), 1), (rate_, 1), (wedge, 1))) == limit.due(60)
    limit.take(wedge, 61)
    assert (wedge, ()) == limit.rest(62)


_STEPS = ["job", "wedge", "due", "quiet", "loud"]


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(_STEPS)), max_size=60))
def test_a_limit_loses_nothing(steps: list[tuple[float, str]]) -> None:
    """However things come, each is told or counted under its kind, and two messages are never closer than the limit."""
    limit, told_at, counted, taken = Limit(10.0), list[float](), Counter[str](), Counter[str]()
    last: dict[str, Firing] = {}

    def count(out: tuple[Firing, Others]) -> None:
        for what, n in ((out[0], 1), *out[1]):
            kind = "wedge" if what.notice is WEDGED else "job"
            counted[kind] += n
            assert last[kind] == what

    now = quiet_until = 0.0
    for number, (passed, what) in enumerate(steps):
        now += passed
        if what in ("quiet", "loud"):
            quiet_until = now + 25 if what == "quiet" else now
            limit.quiet(quiet_until)
            continue
        if what == "due":
            out = limit.due(now)
        else:
            taken[what] += 1
            last[what] = Firing(notice=WEDGED) if what == "wedge" else firing(number)
            out = limit.take(last[what], now)
        if out is not None:
            assert now >= quiet_until
            count(out)
            told_at.append(now)
    if (rest := limit.rest(now)) is not None:
        count(rest)
    assert taken == counted
    assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(told_at))


# -- in which words ----------------------------------------------------------------------------------------------------


def message(what: Firing | Notice, held_back: Others = ()) -> Message:
    what = what if isinstance(what, Firing) else Firing(notice=what)
    return message_of(
        what, alert="a", held_back=held_back, server="http://h", queue_id="default", clean=lambda text: text
    )


_WHY = "CUDA out of memory\nMake room."
_STUCK = "It is in progress. It may be loading a model, or be stuck."
_SILENT = "Items wait or run, but the server told nothing of any. Is it busy with a long node, stuck, or away?"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (failed(), ("job.failed", "error", "Item 7 failed: resource_error", _WHY)),
        (
            failed(will_retry=True),
            ("job.failed", "warning", "Item 7 failed: resource_error", f"{_WHY}\nIt will be tried again."),
        ),
        (FINISHED, ("job.finished", "info", "Item 8 is completed", "")),
        (
            STALLED,
            ("job.stalled", "warning", "Nothing was heard of item 7 for 2.17 minutes", _STUCK),
        ),
        (
            BatchDone(at=AT, batch_id="9c01-4711-0815", counts=Counts(completed=5, failed=1, total=6)),
            ("batch.done", "warning", "Batch 9c01-471 is done: 5 completed, 1 failed", ""),
        ),
        (
            WEDGED,
            ("queue.wedged", "error", "The queue is wedged: nothing behind the next item runs", "says the server"),
        ),
        (QueueFull(at=AT, pending=10_000), ("queue.full", "warning", "The queue is full: 10,000 items wait", "")),
        (QueuePaused(at=AT), ("queue.paused", "info", "The queue is paused", "")),
        (
            Firing(notice=failed(), count=6, within_s=60),
            ("rate.exceeded", "error", "6 in 60 s: Item 7 failed: resource_error", _WHY),
        ),
        (
            Firing(silent_s=600),
            ("queue.silent", "error", "Nothing was heard of the queue for 10 minutes", _SILENT),
        ),
    ],
)  # fmt: skip
def test_words(what: Firing | Notice, expected: tuple[str, ...]) -> None:
    """What happened is told in plain words."""
    said = message(what)
    assert expected == (said.kind, said.severity, said.title, said.text)


def test_what_was_held_back_is_named() -> None:
    """A wedge that is told once is named in the message that stands for it, with its text and its weight."""
    said = message(FINISHED, ((Firing(notice=WEDGED), 1), (Firing(notice=failed()), 4)))
    assert "Item 8 is completed, and 5 more (1 queue.wedged, 4 job.failed)" == said.headline
    assert (
        "Before it: The queue is wedged: nothing behind the next item runs. says the server\n"
        "Before it: Item 7 failed: resource_error. CUDA out of memory Make room."
    ) == said.text
    assert ("error", 5, {"queue.wedged": 1, "job.failed": 4}) == (said.severity, said.held_back, said.held_back_kinds)
    assert {"queue.wedged": 1, "job.failed": 4} == said.to_json()["data"]["held_back_kinds"]


def test_more_of_the_same_is_only_counted() -> None:
    """Others of the message's own kind are a number, and add nothing to its text."""
    one = Firing(notice=FINISHED)
    said = message(one, ((one, 3),))
    assert ("Item 8 is completed, and 3 more", "") == (said.headline, said.text)


def test_what_was_held_back_is_not_cut_off() -> None:
    """However long a job's error is, what was held back is still named after it."""
    error = JobError(at=AT, error_type=JobErrorType.UNKNOWN_ERROR, message="x" * 10**6)
    said = message(JobFailed(at=AT, item=ITEM, error=error), ((Firing(notice=WEDGED), 1),))
    assert (True, True) == (len(said.text) <= TEXT_LENGTH, said.text.endswith("says the server"))


def test_every_kind_has_words() -> None:
    """Each kind of notice that is there can be told; its kind has two parts."""
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
        said = message(notice)
        assert (2, True) == (len(kind_of(notice).split(".")), bool(said.title)), said


def test_what_a_server_says_is_bounded_and_plain() -> None:
    """Megabytes, controls and line breaks of a job's error become a short line and a short text."""
    error = JobError(at=AT, error_type=JobErrorType.UNKNOWN_ERROR, message="a\x00\r\n\u202eb" + "x" * 10**6)
    said = message(JobFailed(at=AT, item=ITEM, error=error))
    assert (True, True) == (len(said.title) <= TITLE_LENGTH, len(said.text) <= TEXT_LENGTH)
    assert said.text.startswith("a\n bxxx")
    assert len(str(said.to_json())) < 20_000
