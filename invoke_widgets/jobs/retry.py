"""`RetryPolicy`: which failed jobs are run again automatically, how often, and after which pauses."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from invoke_widgets.errors import EXCEPTION_FOR, InvalidRequest, JobErrorType, JobException, checks
from invoke_widgets.records import JobError

logger = logging.getLogger(__name__)

Cause = JobErrorType | str | type[BaseException]
On = None | Cause | Iterable[Cause] | Callable[[JobError], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a failed job is run again automatically: `console.submit(graph, retry=RetryPolicy(attempts=3))`.

    A job that was canceled or deleted has not failed, and is never run again.

    Args:
        on: which failures to retry. None: those whose classification says that a retry may help (`JobError.retryable`):
            a lost connection yes, out of memory no. Or one or several of: a `JobErrorType` or its value
            ("network_error"); a class of our exceptions (`iw.NetworkError`); any other exception class, which stands
            for the class name that the server reports (`ZeroDivisionError`; `Exception` for all). Or a function of the
            `JobError`, which must return quickly; if it raises, the job is not run again.
        attempts: the number of times to run a job, including the first; 1 or more.
        max_total_s: no attempt begins later than this many seconds after the submit; None: no limit.
        backoff_s: seconds before the second attempt, doubled before each further one. The second half of each pause
            is random, so that jobs that failed together do not come back together.
        max_backoff_s: the longest pause, in seconds.

    Raises:
        InvalidRequest: an argument does not fit; the message and `field` name it.
    """

    on: On = None
    attempts: int = 3
    max_total_s: float | None = None
    backoff_s: float = 1.0
    max_backoff_s: float = 60.0

    def __post_init__(self) -> None:
        checks.whole("retry.attempts", self.attempts)
        checks.seconds("retry.backoff_s", self.backoff_s)
        checks.seconds("retry.max_backoff_s", self.max_backoff_s)
        if self.max_total_s is not None:
            checks.seconds("retry.max_total_s", self.max_total_s)
        if self.on is None or (callable(self.on) and not isinstance(self.on, type)):
            return
        single = isinstance(self.on, str | type) or not isinstance(self.on, Iterable)
        # A tuple, since an iterator would be used up by the first match.
        causes = (self.on,) if single else tuple(self.on)  # type: ignore[arg-type]
        object.__setattr__(self, "on", tuple(_checked(cause) for cause in causes))

    def wants(self, error: JobError) -> bool:
        """Return whether to retry this failure, regardless of the number of attempts so far."""
        if error.server_error_type == "CanceledException":
            return False
        if self.on is None:
            return error.retryable
        if isinstance(self.on, tuple):
            return any(_matches(cause, error) for cause in self.on)
        try:
            return bool(self.on(error))  # type: ignore[operator]
        except Exception:  # the user's function
            logger.exception("the function given as retry.on failed")
            return False

    def pause_s(self, attempt: int) -> float:
        """Return the seconds between the end of this attempt, counted from 1, and the next one."""
        whole = min(self.max_backoff_s, self.backoff_s * 2.0 ** min(attempt - 1, 60))
        return whole * random.uniform(0.5, 1.0)


def checked_policy(retry: object) -> RetryPolicy | None:
    """Return a policy or None, or raise `InvalidRequest` if it is neither."""
    if retry is None or isinstance(retry, RetryPolicy):
        return retry
    raise InvalidRequest(f"retry: should be an iw.RetryPolicy, got {retry!r}.", field="retry")


def _checked(cause: object) -> Cause:
    if isinstance(cause, type) and issubclass(cause, JobException):
        if not any(issubclass(known, cause) for known in EXCEPTION_FOR.values()):
            reported = [known for known in EXCEPTION_FOR.values() if issubclass(cause, known)]
            raise InvalidRequest(
                f"retry.on: no failed job has the class {cause.__name__}.",
                suggestion=f"Use {' or '.join(one.__name__ for one in reported or EXCEPTION_FOR.values())}.",
                field="retry.on",
            )
        return cause
    if isinstance(cause, type) and issubclass(cause, BaseException):
        return cause
    if isinstance(cause, str):
        try:
            return JobErrorType(cause)
        except ValueError:
            names = ", ".join(JobErrorType)
            raise InvalidRequest(
                f"retry.on: there is no error type {cause!r}; there are {names}.", field="retry.on"
            ) from None
    known = (
        "error types ('network_error', iw.JobErrorType.NETWORK_ERROR), exception classes, or a function of the error"
    )
    raise InvalidRequest(f"retry.on: should be {known}, got {cause!r}.", field="retry.on")


def _matches(cause: Cause, error: JobError) -> bool:
    if isinstance(cause, JobErrorType):
        return cause is error.error_type
    assert isinstance(cause, type)
    if issubclass(cause, JobException):
        return issubclass(EXCEPTION_FOR[error.error_type], cause)
    return cause in (Exception, BaseException) or cause.__name__ == error.server_error_type
