"""How often an alert sends messages: its limit, quiet, and what was held back."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from invoke_widgets.alerts import JobDeleted, QueueWedged
from invoke_widgets.alerts.alerts import Limit
from invoke_widgets.alerts.conditions import Match
from invoke_widgets.alerts.messages import Held
from invoke_widgets.records import Wedge

AT = datetime(2026, 11, 23, 15, 4, 5, tzinfo=UTC)
WEDGED = QueueWedged(at=AT, wedge=Wedge(batch_ids=("b",), item_ids=(1,), message="says the server"))


def match(item_id: int) -> Match:
    return Match(notice=JobDeleted(at=AT, item_id=item_id))


def reported(what: tuple[Match, Held] | None) -> tuple[int, int] | None:
    """The item, and the number held back."""
    return None if what is None else (what[0].notice.item_id, sum(count for _, count in what[1]))


def test_limit_reports_the_first_match_and_then_the_rest_together() -> None:
    """Within the limit only the first is reported; after it the last, with the number of others."""
    limit = Limit(60.0)
    assert (1, 0) == reported(limit.take(match(1), 0))
    assert [None] * 3 == [reported(limit.take(match(n), n)) for n in (2, 3, 4)]
    assert (3, None) == (limit.held_back, reported(limit.due(59)))
    assert ((4, 2), 0) == (reported(limit.due(60)), limit.held_back)
    assert None is reported(limit.due(1000))
    assert None is reported(limit.take(match(5), 119))
    assert (6, 1) == reported(limit.take(match(6), 121))


def test_quiet_holds_matches_back_and_loses_none() -> None:
    """Nothing is reported while quiet; everything is afterwards, in one message."""
    limit = Limit(0.0)
    limit.quiet_until = 100
    assert [None] * 2 == [reported(limit.take(match(n), n)) for n in (1, 2)]
    assert None is reported(limit.due(99))
    assert (2, 1) == reported(limit.due(100))
    assert None is reported(limit.take(match(3), 101, quiet_until=200))
    assert (4, 1) == reported(limit.take(match(4), 200, quiet_until=200))
    assert [(n, 0) for n in (5, 6)] == [reported(limit.take(match(n), 201)) for n in (5, 6)]


def test_limit_keeps_the_latest_match_of_each_kind() -> None:
    """The latest of each kind is kept with its count, newest first; the reported one is not counted."""
    limit = Limit(60.0)
    wedge, rate_ = Match(notice=WEDGED), Match(notice=match(9).notice, count=5, within_s=10.0)
    limit.take(match(1), 0)
    for n, what in enumerate((match(2), wedge, rate_, match(3)), start=1):
        limit.take(what, n)
    assert (match(3), ((match(3), 1), (rate_, 1), (wedge, 1))) == limit.due(60)
    limit.take(wedge, 61)
    assert (wedge, ()) == limit.rest(62)


_STEPS = ["job", "wedge", "due", "quiet", "loud"]


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(_STEPS)), max_size=60))
def test_limit_loses_nothing(steps: list[tuple[float, str]]) -> None:
    """Each match is reported or counted under its kind, and two messages are never closer than the limit."""
    limit, reported_at, counted, taken = Limit(10.0), list[float](), Counter[str](), Counter[str]()
    last: dict[str, Match] = {}

    def count(out: tuple[Match, Held]) -> None:
        for what, n in ((out[0], 1), *out[1]):
            kind = "wedge" if what.notice is WEDGED else "job"
            counted[kind] += n
            assert last[kind] == what

    now = quiet_until = 0.0
    for number, (passed, what) in enumerate(steps):
        now += passed
        if what in ("quiet", "loud"):
            quiet_until = now + 25 if what == "quiet" else now
            limit.quiet_until = quiet_until
            continue
        if what == "due":
            out = limit.due(now)
        else:
            taken[what] += 1
            last[what] = Match(notice=WEDGED) if what == "wedge" else match(number)
            out = limit.take(last[what], now)
        if out is not None:
            assert now >= quiet_until
            count(out)
            reported_at.append(now)
    if (rest := limit.rest(now)) is not None:
        count(rest)
    assert taken == counted
    assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(reported_at))
