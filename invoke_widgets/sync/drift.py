"""Whether the picture counts what the server counts, what to do where it does not, and who waits until it does.

Pure but for who waits. The counters tell what no event tells. They are of one moment while they were being asked for,
and the queue goes on meanwhile:

- They agree if the picture counted the same at any moment since they were asked for. An event may also come after the
  answer, so a difference is believed when a second look finds one, too.
- Then everything unfinished is read, once. What that leaves (items that the server counts and does not list, say) is
  let be until the difference is another one.
- In a busy queue that may go on. A look begins when nothing is left to be read, so the picture is then as new as when
  somebody began to wait. They wait for agreement all the same, but not for longer than it takes the queue to change a
  few times.
"""

from __future__ import annotations

import asyncio
from enum import Enum

from invoke_widgets._loop import closed_error
from invoke_widgets.records import Counts

Difference = tuple[int, ...]

_BELIEVED_AFTER = 2
_ENOUGH = 3


class Verdict(Enum):
    """What a look at the counters found."""

    AGREED = "agreed"
    UNSURE = "unsure"
    """They differ; look again soon."""
    DIFFERENT = "different"
    """They differ; read everything unfinished."""


class Agreement:
    """Judges looks at the server's counters. A look is `begin`, any number of `moved`, and `judge`."""

    def __init__(self) -> None:
        self._ours = Counts()
        self._moments: set[Counts] = set()
        self._theirs: list[Counts] = []
        self._read_for: Difference | None = None
        self._left: Difference | None = None
        self._moves = 0
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._present: list[asyncio.Future[None]] = []

    def start_anew(self) -> None:
        """Forget what was found: the picture was made anew."""
        self.skip()
        self._read_for = self._left = None

    # -- looks -----------------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether `moved` is of interest."""
        return bool(self._moments) or self._read_for is not None

    def begin(self, ours: Counts) -> None:
        """The counters are about to be asked for; nothing is left to be read, and the picture counts this."""
        self._present = list(self._waiting)
        if not self._theirs:
            self._moments.clear()
        self.moved(ours)
        self._moves = 0

    def skip(self) -> None:
        """Something is left to be read: what the picture counts says nothing."""
        self._moments.clear()
        self._theirs.clear()
        self._present.clear()

    def moved(self, ours: Counts) -> None:
        """The picture counts this now."""
        if ours != self._ours:
            self._moves += 1
            self._read_for = None  # the read mended something, or the queue went on
        self._ours = ours
        self._moments.add(ours)

    def judge(self, theirs: Counts, *, is_quiet: bool = True) -> Verdict:
        """Take the server's answer.

        Args:
            theirs: its counters.
            is_quiet: whether nothing came meanwhile that has to be read.
        """
        self._theirs.append(theirs)
        verdict = self._verdict(_difference(self._ours, theirs))
        if verdict is not Verdict.UNSURE:
            self._moments.clear()
            self._theirs.clear()
        agreed = verdict is Verdict.AGREED
        self._let_go(_ENOUGH if agreed and is_quiet else self._moves + (not agreed))
        return verdict

    def _verdict(self, now: Difference) -> Verdict:
        found = {_difference(ours, theirs) for ours in self._moments for theirs in self._theirs}
        if not all(map(any, found)):
            self._read_for = self._left = None
            return Verdict.AGREED
        if self._left in found:
            return Verdict.AGREED
        if now == self._read_for:
            self._left = now
            return Verdict.AGREED
        if len(self._theirs) < _BELIEVED_AFTER:
            return Verdict.UNSURE
        self._read_for = now
        return Verdict.DIFFERENT

    # -- who waits -------------------------------------------------------------------------------------------------

    @property
    def is_awaited(self) -> bool:
        return bool(self._waiting)

    async def wait(self) -> None:
        """Wait for a look that begins from now on and finds agreement, or for a few changes or vain looks.

        Raises:
            InvalidRequest: there will be none, as the console was closed.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = 0
        try:
            await future
        finally:
            del self._waiting[future]

    def give_up(self) -> None:
        """There will be no more looks."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(closed_error())

    def _let_go(self, worth: int) -> None:
        for future in self._present:
            if future in self._waiting and not future.done():
                self._waiting[future] += worth
                if self._waiting[future] >= _ENOUGH:
                    future.set_result(None)
        self._present.clear()


def _difference(ours: Counts, theirs: Counts) -> Difference:
    mine = ours.counters()
    return tuple(number - mine[name] for name, number in theirs.counters().items())
