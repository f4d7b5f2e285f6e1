"""Comparing the counts of the snapshot with those of the server while both change."""

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


def compare(agreement: Agreement, ours: Counts, theirs: Counts, *moves: Counts) -> Verdict:
    """Compare once, with the snapshot's counts changing to each of `moves` meanwhile."""
    agreement.begin(ours)
    for counts in moves:
        agreement.moved(counts)
    return agreement.judge(theirs)


def compare_times(agreement: Agreement, ours: Counts, theirs: Counts, number: int) -> list[Verdict]:
    return [compare(agreement, ours, theirs) for _ in range(number)]


def test_equal_counts_agree() -> None:
    """Equal counts need no read."""
    assert Verdict.AGREED == compare(Agreement(), ONE, ONE)


def test_difference_found_twice_needs_a_read() -> None:
    """A first difference may be an event still on its way; a second one needs a read."""
    assert [Verdict.UNSURE, Verdict.DIFFERENT] == compare_times(Agreement(), ONE, TWO, 2)


@pytest.mark.parametrize("theirs", [ONE, TWO, THREE])
def test_counts_of_any_moment_of_the_request_agree(theirs: Counts) -> None:
    """When events arrive during the request, the server's counts may be of any moment since it was sent."""
    assert Verdict.AGREED == compare(Agreement(), ONE, theirs, TWO, THREE)


def test_event_after_the_reply_settles_the_difference() -> None:
    """If the snapshot later has the counts of the earlier reply, they agree, whatever the server counts by then."""
    agreement = Agreement()
    assert Verdict.UNSURE == compare(agreement, ONE, TWO)
    agreement.moved(TWO)
    assert Verdict.AGREED == compare(agreement, TWO, THREE)


def test_difference_that_a_read_does_not_fix_is_accepted() -> None:
    """A difference that remains after a full read causes no further read, even while both counts grow."""
    agreement = Agreement()
    compare_times(agreement, ONE, TWO, 2)
    assert [Verdict.AGREED] * 2 == compare_times(agreement, ONE, TWO, 2)
    assert Verdict.AGREED == compare(agreement, TWO, THREE)
    assert [Verdict.UNSURE, Verdict.DIFFERENT] == compare_times(agreement, ONE, THREE, 2)


def test_difference_after_agreement_needs_a_read_again() -> None:
    """A second silent change with the same counts as the first is noticed, too."""
    agreement = Agreement()
    for _ in range(3):
        assert [Verdict.UNSURE, Verdict.DIFFERENT] == compare_times(agreement, TWO, EMPTY, 2)
        assert Verdict.AGREED == compare(agreement, EMPTY, EMPTY)


def test_difference_after_other_counts_needs_a_read_again() -> None:
    """If the snapshot had other counts since the read, the same difference is a new one."""
    agreement = Agreement()
    for _ in range(3):
        assert [Verdict.UNSURE, Verdict.DIFFERENT] == compare_times(agreement, TWO, ONE, 2)
        assert agreement.is_open
        agreement.moved(ONE)
        agreement.moved(TWO)
    agreement.moved(THREE)
    assert [Verdict.UNSURE, Verdict.DIFFERENT] == compare_times(agreement, THREE, TWO, 2)


def test_accepted_difference_is_forgotten_on_a_new_start() -> None:
    """A difference accepted for one snapshot is not accepted for the next."""
    agreement = Agreement()
    compare_times(agreement, ONE, TWO, 3)
    agreement.start_anew()
    assert [Verdict.UNSURE, Verdict.DIFFERENT] == compare_times(agreement, ONE, TWO, 2)


def test_difference_before_a_read_does_not_count_after_it() -> None:
    """A comparison skipped because reads were outstanding discards the open difference."""
    agreement = Agreement()
    compare(agreement, ONE, TWO)
    agreement.skip()
    assert not agreement.is_open
    assert Verdict.UNSURE == compare(agreement, ONE, TWO)


async def _waiter(agreement: Agreement) -> asyncio.Task[None]:
    task = asyncio.create_task(agreement.wait())
    await asyncio.sleep(0)
    return task


async def _is_released(task: asyncio.Task[None]) -> bool:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task.done()


def test_wait_ends_on_agreement() -> None:
    """Agreement ends the wait, unless that comparison began before the wait did."""

    async def work() -> None:
        agreement = Agreement()
        agreement.begin(ONE)
        task = await _waiter(agreement)
        agreement.judge(ONE)
        assert not await _is_released(task)
        compare(agreement, ONE, ONE)
        assert await _is_released(task)
        assert not agreement.is_awaited

    asyncio.run(work())


def test_wait_ends_in_a_busy_queue() -> None:
    """If the queue never gets quiet, a few of its changes after the last read end the wait."""

    async def work() -> None:
        agreement = Agreement()
        task = await _waiter(agreement)
        for _ in range(5):
            agreement.begin(ONE)
            agreement.judge(ONE, is_quiet=False)
        assert not await _is_released(task)
        compare(agreement, ONE, EMPTY, TWO, THREE)
        assert await _is_released(task)

    asyncio.run(work())


def test_wait_ends_with_a_lasting_difference() -> None:
    """The wait ends even if a read does not fix the difference."""

    async def work() -> None:
        agreement = Agreement()
        task = await _waiter(agreement)
        compare_times(agreement, ONE, THREE, 3)
        assert await _is_released(task)

    asyncio.run(work())


def test_canceled_wait_leaves_nothing_awaited() -> None:
    """After a canceled wait the server is not asked any more."""

    async def work() -> None:
        agreement = Agreement()
        task = await _waiter(agreement)
        assert agreement.is_awaited
        task.cancel()
        await asyncio.wait({task})
        assert not agreement.is_awaited

    asyncio.run(work())


def test_wait_raises_when_the_console_is_closed() -> None:
    """Closing the console ends a wait with an exception."""

    async def work() -> None:
        agreement = Agreement()
        task = await _waiter(agreement)
        agreement.give_up()
        with pytest.raises(InvalidRequest, match="closed"):
            await task

    asyncio.run(work())
