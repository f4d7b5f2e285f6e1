"""How often an alert sends messages: its limit, quiet, and what was held back."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime

from hypothesis import example, given
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


def reported(held: Held) -> tuple[int, int] | None:
    """The item, and the number of further ones."""
    return (held[0][0].notice.item_id, sum(count for _, count in held) - 1) if held else None


def take(limit: Limit, item_id: int, now: float, *, quiet_until: float = 0) -> tuple[int, int] | None:
    limit.take(match(item_id))
    return reported(limit.due(now, quiet_until=quiet_until))


def test_limit_reports_the_first_match_and_then_the_rest_together() -> None:
    """Within the limit only the first is reported; after it the last, with the number of others."""
    limit = Limit(60.0)
    assert (1, 0) == take(limit, 1, 0)
    assert [None] * 3 == [take(limit, n, n) for n in (2, 3, 4)]
    assert (3, ()) == (limit.held_back, limit.due(59))
    assert ((4, 2), 0) == (reported(limit.due(60)), limit.held_back)
    assert () == limit.due(1000)
    assert None is take(limit, 5, 119)
    assert (6, 1) == take(limit, 6, 121)


def test_quiet_holds_matches_back_and_loses_none() -> None:
    """Nothing is reported while quiet; everything is afterwards, in one message."""
    limit = Limit(0.0)
    assert [None] * 2 == [take(limit, n, n, quiet_until=100) for n in (1, 2)]
    assert () == limit.due(99, quiet_until=100)
    assert (2, 1) == reported(limit.due(100, quiet_until=100))
    assert [(n, 0) for n in (3, 4)] == [take(limit, n, 201) for n in (3, 4)]


def test_limit_keeps_the_latest_match_of_each_kind() -> None:
    """The latest of each kind is kept with its count, newest first."""
    limit = Limit(60.0)
    wedge, rate_ = Match(notice=WEDGED), Match(notice=match(9).notice, count=5, within_s=10.0)
    take(limit, 1, 0)
    for what in (match(2), wedge, rate_, match(3)):
        limit.take(what)
    assert ((match(3), 2), (rate_, 1), (wedge, 1)) == limit.due(60)
    limit.take(wedge)
    assert ((wedge, 1),) == limit.rest(62)


_STEPS = ["job", "wedge", "due", "quiet", "loud"]


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(_STEPS)), max_size=60))
@example([(22.212899425303323, "job"), (10.0, "job")])  # whose difference is rounded to less than 10
def test_limit_loses_nothing(steps: list[tuple[float, str]]) -> None:
    """Each match is reported or counted under its kind, and two messages are never closer than the limit."""
    limit, reported_at, counted, taken = Limit(10.0), list[float](), Counter[str](), Counter[str]()
    last: dict[str, Match] = {}

    def count(held: Held) -> None:
        for what, n in held:
            kind = "wedge" if what.notice is WEDGED else "job"
            counted[kind] += n
            assert last[kind] == what

    now = quiet_until = 0.0
    for number, (passed, what) in enumerate(steps):
        now += passed
        if what in ("quiet", "loud"):
            quiet_until = now + 25 if what == "quiet" else now
            continue
        if what != "due":
            taken[what] += 1
            last[what] = Match(notice=WEDGED) if what == "wedge" else match(number)
            limit.take(last[what])
        if held := limit.due(now, quiet_until=quiet_until):
            assert now >= quiet_until
            count(held)
            reported_at.append(now)
    count(limit.rest(now))
    assert taken == counted
    assert all(later >= earlier + 10 for earlier, later in itertools.pairwise(reported_at))
