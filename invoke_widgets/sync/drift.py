"""Compares the snapshot's counts with the server's counters, and decides what to do if they differ.

The counters show changes that no event reports. They describe one moment while the request was under way, and the
queue goes on meanwhile:

- They agree if the snapshot had the same counts at any moment since the request was sent. An event may also arrive
  after the answer, so a difference counts only once a second check confirms it.
- All unfinished items are then read once. A difference that remains (items that the server counts but does not list,
  say) is accepted until it changes.
- In a busy queue this may never end. A check begins only when nothing is left to read, so the snapshot is then at
  least as new as any call of `wait` that came before it. Such a call still waits for agreement, but no longer than the
  queue takes to change a few times.

Apart from `wait`, nothing here touches the loop.
"""

from __future__ import annotations

import asyncio
from enum import Enum

from invoke_widgets._loop import closed_error
from invoke_widgets.records import Counts

Difference = tuple[int, ...]

_CHECKS_TO_CONFIRM = 2
_CREDIT_NEEDED = 3


class Verdict(Enum):
    """The outcome of a check of the counters."""

    AGREED = "agreed"
    UNSURE = "unsure"
    """They differ; check again soon."""
    DIFFERENT = "different"
    """They differ; read all unfinished items."""


class Agreement:
    """Checks the snapshot's counts against the server's. A check is `begin`, any number of `moved`, and `judge`."""

    def __init__(self) -> None:
        self._ours = Counts()
        self._our_counts: set[Counts] = set()
        self._their_counts: list[Counts] = []
        self._read_for: Difference | None = None
        self._accepted: Difference | None = None
        self._moves = 0
        # Each waiter has a credit; one that reaches `_CREDIT_NEEDED` stops waiting.
        self._waiters: dict[asyncio.Future[None], int] = {}
        self._waiters_at_begin: list[asyncio.Future[None]] = []

    def start_anew(self) -> None:
        """Forget all earlier checks: the snapshot was rebuilt."""
        self.skip()
        self._read_for = self._accepted = None

    # -- checks ----------------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether `moved` should be called."""
        return bool(self._our_counts) or self._read_for is not None

    def begin(self, ours: Counts) -> None:
        """Begin a check: nothing is left to read, and the counters are about to be requested.

        Args:
            ours: the snapshot's counts.
        """
        self._waiters_at_begin = list(self._waiters)
        if not self._their_counts:
            self._our_counts.clear()
        self.moved(ours)
        self._moves = 0

    def skip(self) -> None:
        """Drop the check under way: something is left to read, so the snapshot's counts prove nothing."""
        self._our_counts.clear()
        self._their_counts.clear()
        self._waiters_at_begin.clear()

    def moved(self, ours: Counts) -> None:
        """Note the snapshot's new counts."""
        if ours != self._ours:
            self._moves += 1
            self._read_for = None  # the read helped, or the queue went on
        self._ours = ours
        self._our_counts.add(ours)

    def judge(self, theirs: Counts, *, is_quiet: bool = True) -> Verdict:
        """End the check with the server's answer.

        Args:
            theirs: the server's counters.
            is_quiet: whether nothing that needs reading has arrived since `begin`.
        """
        self._their_counts.append(theirs)
        verdict = self._verdict(_difference(self._ours, theirs))
        if verdict is not Verdict.UNSURE:
            self._our_counts.clear()
            self._their_counts.clear()
        agreed = verdict is Verdict.AGREED
        self._credit_waiters(_CREDIT_NEEDED if agreed and is_quiet else self._moves + (not agreed))
        return verdict

    def _verdict(self, now: Difference) -> Verdict:
        found = {_difference(ours, theirs) for ours in self._our_counts for theirs in self._their_counts}
        if not all(map(any, found)):
            self._read_for = self._accepted = None
            return Verdict.AGREED
        if self._accepted in found:
            return Verdict.AGREED
        if now == self._read_for:
            self._accepted = now
            return Verdict.AGREED
        if len(self._their_counts) < _CHECKS_TO_CONFIRM:
            return Verdict.UNSURE
        self._read_for = now
        return Verdict.DIFFERENT

    # -- waiting ---------------------------------------------------------------------------------------------------

    @property
    def is_awaited(self) -> bool:
        """Whether a call of `wait` is pending."""
        return bool(self._waiters)

    async def wait(self) -> None:
        """Wait until a check that begins from now on finds agreement, or for a few changes or failed checks.

        Raises:
            InvalidRequest: the console was closed while waiting.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[future] = 0
        try:
            await future
        finally:
            del self._waiters[future]

    def give_up(self) -> None:
        """Fail all pending calls of `wait`: there will be no more checks."""
        for future in self._waiters:
            if not future.done():
                future.set_exception(closed_error())

    def _credit_waiters(self, credit: int) -> None:
        for future in self._waiters_at_begin:
            if future in self._waiters and not future.done():
                self._waiters[future] += credit
                if self._waiters[future] >= _CREDIT_NEEDED:
                    future.set_result(None)
        self._waiters_at_begin.clear()


def _difference(ours: Counts, theirs: Counts) -> Difference:
    mine = ours.counters()
    return tuple(number - mine[name] for name, number in theirs.counters().items())
