"""`Breaker`: while a server is known to be away, requests fail at once and say when it is tried next.

A class of our own: `purgatory`, `aiobreaker` and `circuitbreaker` let any number of calls through when half open, have
one fixed pause, and cannot take over the pause of somebody who is about reconnecting already, as `Sync` is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from invoke_widgets.errors import JobException, JobTimeout, ReplyLost, ServerFailure, ServerUnreachable, UnexpectedReply

THRESHOLD = 5
_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
_LONGEST_S = 60.0
_GATEWAY = (502, 503, 504)

_probing: ContextVar[bool] = ContextVar("probing", default=False)


@contextmanager
def probing() -> Iterator[None]:
    """Requests from here are let through: the caller paces itself, and its requests are the probes."""
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)


def is_ill(error: JobException) -> bool:
    """Whether something answered that cannot do its work, as against nothing that can be reached."""
    return isinstance(error, ServerFailure | UnexpectedReply)


def is_away(error: JobException) -> bool:
    """Whether the server cannot be reached, or a gateway says so for it."""
    # When all our own connections are in use, that says nothing of the server.
    unreachable = isinstance(error, ServerUnreachable) and "PoolTimeout" not in str(error.details.get("exception"))
    return unreachable or error.status in _GATEWAY


def asked_for(error: JobException, pause_s: float) -> float:
    """A pause, or the longer one that the server asked for by `Retry-After`; not more than a minute of it."""
    return max(pause_s, min(float(error.details.get("retry_after", 0.0)), _LONGEST_S))


class Breaker:
    """Closed: all requests go. Open, after `threshold` failures in a row: none goes until the pause is over. Then one
    goes, as a probe: any answer of the server closes it, a failure opens it for a longer pause.

    Failures are: the server cannot be reached, or a gateway says so for it (502, 503, 504).

    Args:
        url: the server's address, for the message.
        clock: seconds, monotonic.
    """

    def __init__(self, url: str, *, threshold: int = THRESHOLD, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._threshold = threshold
        self._clock = clock
        self._failures = 0
        self._times_open = 0
        self._error: JobException | None = None
        self._until = 0.0
        self._probe_is_out = False
        self.on_open: Callable[[], None] = lambda: None
        """Called when failures opened it, for who watches the server all the time."""

    @property
    def is_open(self) -> bool:
        return self._error is not None

    def open(self, error: JobException, pause_s: float) -> None:
        """Let nothing through for so many seconds, and say that it is for this error."""
        self._error = error
        self._until = self._clock() + pause_s
        self._probe_is_out = False

    @contextmanager
    def request(self) -> Iterator[None]:
        """Around one request, which raises a `JobException` if it fails.

        Raises:
            ServerUnreachable: it was not sent.
        """
        is_probe = self._admit()
        try:
            yield
        except JobException as error:
            self._failed(error, is_probe)
            raise
        except BaseException:
            if is_probe:
                self._probe_is_out = False  # canceled: it tells nothing
            raise
        self._answered()

    def _admit(self) -> bool:
        if self._error is None or _probing.get():
            return False
        left = self._until - self._clock()
        if left <= 0 and not self._probe_is_out:
            self._probe_is_out = True
            return True
        when = f"in {left:.0f} s" if left >= 0.5 else "right now"
        what = "does not work" if is_ill(self._error) else "is offline"
        raise ServerUnreachable(
            f"{self._url} {what}, and is tried again {when}; until then nothing is sent. {self._error.message}",
            suggestion=self._error.suggestion,
            details={"breaker": "open", "next_try_s": max(left, 0.0)},
            retryable=True,
        )

    def _failed(self, error: JobException, is_probe: bool) -> None:
        if is_away(error):
            self._failures += 1
            if is_probe or (self._failures >= self._threshold and not self.is_open):
                self._reopen(error)
        elif error.status is not None:
            self._answered()
        elif is_probe and isinstance(error, ReplyLost | JobTimeout):
            self._reopen(error)
        elif is_probe:
            self._probe_is_out = False

    def _reopen(self, error: JobException) -> None:
        pause = _PAUSES_S[min(self._times_open, len(_PAUSES_S) - 1)] * random.uniform(0.8, 1.2)
        self._times_open += 1
        self.open(error, asked_for(error, pause))
        self.on_open()

    def _answered(self) -> None:
        self._failures = self._times_open = 0
        self._error = None
        self._probe_is_out = False
