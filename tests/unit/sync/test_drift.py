"""Whether the picture counts what the server counts, judged while both go on."""

from __future__ import annotations

import asyncio

import pytest

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.records import Counts
from invoke_widgets.sync.drift import Agreement, Verdict

EMPTY = Counts()
ONE = Counts(completed=1, total=1)
TWO = Counts(completed=2, total=2)
THREE = Counts(completed=3, total=3)


def look(agreement: Agreement, ours: Counts, theirs: Counts, *moves: Counts) -> Verdict:
    """A look during which the picture comes to count `moves`."""
    agreement.begin(ours)
    for counts in moves:
        agreement.moved(counts)
    return agreement.judge(theirs)


def looks(agreement: Agreement, ours: Counts, theirs: Counts, number: int) -> list[Verdict]:
    return [look(agreement, ours, theirs) for _ in range(number)]


def test_the_same_counts_agree() -> None:
    """Where both count the same, nothing has to be read."""
    assert Verdict.AGREED == look(Agreement(), ONE, ONE)


def test_a_difference_is_read_for_when_seen_twice() -> None:
    """One look may come before its event; what a second one finds, too, is to be read for."""
    assert [Verdict.UNSURE, Verdict.DIFFERENT] == looks(Agreement(), ONE, TWO, 2)


@pytest.mark.parametrize("theirs", [ONE, TWO, THREE])
def test_any_moment_of_the_question_will_do(theirs: Counts) -> None:
    """Where events come while the counters are on their way, these may be of any moment since they were asked for."""
    assert Verdict.AGREED == look(Agreement(), ONE, theirs, TWO, THREE)


def test_an_event_may_come_after_the_answer() -> None:
    """Where the picture comes to count what the server said before, they agree, whatever it counts by then."""
    agreement = Agreement()
    assert Verdict.UNSURE == look(agreement, ONE, TWO)
    agreement.moved(TWO)
    assert Verdict.AGREED == look(agreement, TWO, THREE)


def test_what_a_read_leaves_is_let_be() -> None:
    """A difference that a full read does not mend is not read for again, also while both count on."""
    agreement = Agreement()
    looks(agreement, ONE, TWO, 2)
    assert [Verdict.AGREED] * 2 == looks(agreement, ONE, TWO, 2)
    assert Verdict.AGREED == look(agreement, TWO, THREE)
    assert [Verdict.UNSURE, Verdict.DIFFERENT] == looks(agreement, ONE, THREE, 2)


def test_the_same_difference_is_read_for_again_once_there_was_none() -> None:
    """A second silent change with the counts of the first one is seen, too."""
    agreement = Agreement()
    for _ in range(3):
        assert [Verdict.UNSURE, Verdict.DIFFERENT] == looks(agreement, TWO, EMPTY, 2)
        assert Verdict.AGREED == look(agreement, EMPTY, EMPTY)


def test_the_same_difference_is_read_for_again_though_nobody_looked_between() -> None:
    """Where the picture counted otherwise since the read, the same difference is another one."""
    agreement = Agreement()
    for _ in range(3):
        assert [Verdict.UNSURE, Verdict.DIFFERENT] == looks(agreement, TWO, ONE, 2)
        assert agreement.is_open
        agreement.moved(ONE)
        agreement.moved(TWO)
    agreement.moved(THREE)
    assert [Verdict.UNSURE, Verdict.DIFFERENT] == looks(agreement, THREE, TWO, 2)


def test_after_a_new_start_the_same_is_read_for_again() -> None:
    """What was let be of one picture is not of the next."""
    agreement = Agreement()
    looks(agreement, ONE, TWO, 3)
    agreement.start_anew()
    assert [Verdict.UNSURE, Verdict.DIFFERENT] == looks(agreement, ONE, TWO, 2)


def test_what_was_seen_before_a_read_says_nothing_after_it() -> None:
    """A look in vain, since something was left to be read, ends the question that was open."""
    agreement = Agreement()
    look(agreement, ONE, TWO)
    agreement.skip()
    assert not agreement.is_open
    assert Verdict.UNSURE == look(agreement, ONE, TWO)


async def _waits(agreement: Agreement) -> asyncio.Task[None]:
    task = asyncio.create_task(agreement.wait())
    await asyncio.sleep(0)
    return task


async def _is_let_go(task: asyncio.Task[None]) -> bool:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task.done()


def test_who_waits_is_let_go_when_they_agree() -> None:
    """A look that finds agreement ends the wait; one that had begun before it does not."""

    async def work() -> None:
        agreement = Agreement()
        agreement.begin(ONE)
        task = await _waits(agreement)
        agreement.judge(ONE)
        assert not await _is_let_go(task)
        look(agreement, ONE, ONE)
        assert await _is_let_go(task)
        assert not agreement.is_awaited

    asyncio.run(work())


def test_who_waits_in_a_busy_queue_is_let_go() -> None:
    """Where it never gets quiet, a few changes of the queue after the last read are enough; quiet looks are none."""

    async def work() -> None:
        agreement = Agreement()
        task = await _waits(agreement)
        for _ in range(5):
            agreement.begin(ONE)
            agreement.judge(ONE, is_quiet=False)
        assert not await _is_let_go(task)
        look(agreement, ONE, EMPTY, TWO, THREE)
        assert await _is_let_go(task)

    asyncio.run(work())


def test_who_waits_for_what_cannot_be_mended_is_let_go() -> None:
    """Where reading leaves a difference, the wait ends all the same."""

    async def work() -> None:
        agreement = Agreement()
        task = await _waits(agreement)
        looks(agreement, ONE, THREE, 3)
        assert await _is_let_go(task)

    asyncio.run(work())


def test_nobody_waits_who_was_canceled() -> None:
    """A wait that is canceled leaves nothing behind that would have the server asked again and again."""

    async def work() -> None:
        agreement = Agreement()
        task = await _waits(agreement)
        assert agreement.is_awaited
        task.cancel()
        await asyncio.wait({task})
        assert not agreement.is_awaited

    asyncio.run(work())


def test_who_waits_hears_that_there_will_be_no_more() -> None:
    """When the console is closed, a wait ends with an exception."""

    async def work() -> None:
        agreement = Agreement()
        task = await _waits(agreement)
        agreement.give_up()
        with pytest.raises(InvalidRequest, match="closed"):
            await task

    asyncio.run(work())
