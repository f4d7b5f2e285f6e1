"""Compares the snapshot's counts with the server's counters, and decides what to do if they differ.

The counters show changes that no event reports. They describe one moment while the request was under way, and the
queue goes on meanwhile:

- They agree if the snapshot had the same counts at any moment from the request until the next check: an event may
  arrive after the answer. If two checks in a row find a difference, all unfinished items are read.
- If the snapshot then stays as it is, and so does the difference (the server may count items that it does not list),
  the difference is accepted until the counts agree again.

Apart from `wait`, nothing here touches the loop.
"""

from __future__ import annotations

import asyncio
from enum import Enum

from invoke_widgets._loop import closed_error
from invoke_widgets.records import Counts

_CREDIT_NEEDED = 3


class Verdict(Enum):
    """The outcome of a check of the counters."""

    AGREED = "agreed"
    UNSURE = "unsure"
    """They differ; check again soon."""
    DIFFERENT = "different"
    """They differ; read all unfinished items."""


class Agreement:
    """Checks the snapshot's counts against the server's. A check is `begin`, any number of `moved`, and `judge`.

    Attributes:
        is_open: whether `moved` should be called.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._now = Counts()
        self._moves = 0
        self._ours: set[Counts] = set()  # since the check began, or the one before it if that one differed
        self._differed: Counts | None = None  # the answer of that one
        self._was_read_for: tuple[int, ...] | None = None
        self._accepted: tuple[int, ...] | None = None
        # Each waiter has a credit from the first check that begins after its call.
        self._waiters: dict[asyncio.Future[None], int | None] = {}

    def start_anew(self) -> None:
        """Forget all earlier checks: the snapshot was rebuilt."""
        self._was_read_for = self._accepted = None
        self.skip()

    def skip(self) -> None:
        """Drop unsettled checks: something is left to read, so the snapshot's counts prove nothing."""
        self._differed = None
        self.is_open = self._was_read_for is not None

    def begin(self, ours: Counts) -> None:
        """Begin a check: nothing is left to read, the snapshot has these counts, and the counters are about to be read.

        The snapshot is then at least as new as any call of `wait` until now.
        """
        self._waiters = {future: credit or 0 for future, credit in self._waiters.items()}
        if self._differed is None:
            self._ours.clear()
        self.is_open = True
        self.moved(ours)
        self._moves = 0

    def moved(self, ours: Counts) -> None:
        """Note the snapshot's new counts."""
        if ours != self._now:
            self._moves += 1
            self._was_read_for = None  # the read helped, or the queue went on
        self._now = ours
        self._ours.add(ours)

    def judge(self, theirs: Counts, *, is_quiet: bool = True) -> Verdict:
        """End the check with the server's answer. `is_quiet`: nothing that needs reading has arrived since `begin`."""
        verdict = self._verdict(theirs)
        if verdict is Verdict.UNSURE:
            self._differed = theirs
        else:
            self.skip()
        agreed = verdict is Verdict.AGREED
        self._credit_waiters(_CREDIT_NEEDED if agreed and is_quiet else self._moves + (not agreed))
        return verdict

    def _verdict(self, theirs: Counts) -> Verdict:
        if theirs in self._ours or self._differed in self._ours:
            self._was_read_for = self._accepted = None
            return Verdict.AGREED
        now = _difference(self._now, theirs)
        if now == self._was_read_for:
            self._accepted, self._was_read_for = now, None
            return Verdict.AGREED
        if self._accepted in {_difference(ours, theirs) for ours in self._ours}:
            return Verdict.AGREED
        if self._differed is None:
            return Verdict.UNSURE
        self._was_read_for = now
        return Verdict.DIFFERENT

    # -- waiting ---------------------------------------------------------------------------------------------------

    @property
    def is_awaited(self) -> bool:
        """Whether a call of `wait` is pending."""
        return bool(self._waiters)

    async def wait(self) -> None:
        """Wait until a check that begins from now on finds agreement.

        In a busy queue that may never be, so a few changes or failed checks end the wait, too.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[future] = None
        try:
            await future
        finally:
            del self._waiters[future]

    def give_up(self) -> None:
        """Fail all pending calls of `wait`: there will be no more checks."""
        for future in self._waiters:
            if not future.done():
                future.set_exception(closed_error())

    def _credit_waiters(self, more: int) -> None:
        for future, credit in self._waiters.items():
            if credit is not None and not future.done():
                self._waiters[future] = credit + more
                if credit + more >= _CREDIT_NEEDED:
                    future.set_result(None)


def _difference(ours: Counts, theirs: Counts) -> tuple[int, ...]:
    mine = ours.counters()
    return tuple(number - mine[name] for name, number in theirs.counters().items())
