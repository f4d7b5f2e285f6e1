"""The exception tree.

A request's failure is an exception. A job's failure is data (`records.JobError`), and becomes an exception only where
the job is waited for. The tree::

    JobException
    ├── SubmissionFailed        the batch was not, or not certainly, taken
    ├── InvalidRequest          something in the request is wrong: a field, an id, a verb, a closed console
    │   ├── NotFound            the server has no such item, image or board
    │   └── UnsupportedByServer this version of the server has no such endpoint
    ├── ExecutionFailed         the job ran and failed
    ├── JobCanceled             the job was canceled before it completed
    ├── JobTimeout              a wait or a request took longer than it was allowed to
    ├── NetworkError            the server could not be reached, or what answered was not InvokeAI
    │   ├── ServerUnreachable   the request was never sent: nothing listens, no such host, TLS, proxy
    │   ├── ReplyLost           the request was sent and no answer came back: it may have been carried out
    │   ├── UnexpectedReply     something answered, but not as InvokeAI does: HTML, half a JSON, an empty body
    │   ├── ServerFailure       the server answered 5xx
    │   └── AccessDenied        401 or 403: a token is missing, has expired or is not allowed to do this
    ├── ResourceError           memory, disk or queue is full
    ├── CancellationFailed      a cancel could not be carried out
    └── UnknownError            everything else, with the raw text
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from types import TracebackType
from typing import Any, ClassVar

__all__ = [
    "AccessDenied",
    "CancellationFailed",
    "ExecutionFailed",
    "InvalidRequest",
    "JobCanceled",
    "JobErrorType",
    "JobException",
    "JobTimeout",
    "NetworkError",
    "NotFound",
    "ReplyLost",
    "ResourceError",
    "ServerFailure",
    "ServerUnreachable",
    "SubmissionFailed",
    "UnexpectedReply",
    "UnknownError",
    "UnsupportedByServer",
]


_PACKAGE = __name__.partition(".")[0]


class JobErrorType(StrEnum):
    """The eight classes of error, each with a cause that the user can act on."""

    SUBMISSION_FAILED = "submission_failed"
    VALIDATION_ERROR = "validation_error"
    EXECUTION_FAILED = "execution_failed"
    TIMEOUT_ERROR = "timeout_error"
    NETWORK_ERROR = "network_error"
    RESOURCE_ERROR = "resource_error"
    CANCELLATION_FAILED = "cancellation_failed"
    UNKNOWN_ERROR = "unknown_error"


class JobException(Exception):
    """The root of all exceptions of this package: what happened, what to do, and which job it concerns.

    Args:
        message: what happened, in one line.
        suggestion: what the user can do about it; empty if nothing is known.
        details: facts for a program: `request` ("PUT /api/..."), `http_status`, `body` (an excerpt), `errors`
            (validation errors as `(path, message)` pairs).
        item_id: the queue item concerned, if any.
        batch_id: the batch concerned, if any.
        retryable: whether doing the same again may succeed.
        item: the `QueueItem` as last seen, if a job is concerned.
        field: the argument or field that does not fit ("runs", "data.sum.a"), if it is about one.
    """

    error_type: ClassVar[JobErrorType] = JobErrorType.UNKNOWN_ERROR

    def __init__(
        self,
        message: str,
        *,
        suggestion: str = "",
        details: Mapping[str, Any] | None = None,
        item_id: int | None = None,
        batch_id: str | None = None,
        retryable: bool = False,
        item: Any = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion
        self.details: dict[str, Any] = dict(details or {})
        self.item_id = item_id
        self.batch_id = batch_id
        self.retryable = retryable
        self.item = item
        self.field = field

    @property
    def http_status(self) -> int | None:
        """The HTTP status of the answer, if there was one."""
        status = self.details.get("http_status")
        return status if isinstance(status, int) else None

    def __str__(self) -> str:
        if not self.suggestion:
            return self.message
        # A server's text may end without a full stop.
        return f"{self.message}{'.' if self.message[-1:].isalnum() else ''} {self.suggestion}"

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the user's own lines and the error; with `%xmode Verbose`, all frames and causes."""
        shown = sys.modules["IPython"].get_ipython().InteractiveTB
        frames, at = [], self.__traceback__
        while at is not None and at.tb_frame.f_globals.get("__name__", "").partition(".")[0] != _PACKAGE:
            frames.append(at)
            at = at.tb_next
        if at is None or not frames or shown.mode == "Verbose":
            return list(shown.structured_traceback(type(self), self, self.__traceback__))
        for frame in reversed(frames):
            at = TracebackType(at if frame is not frames[-1] else None, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
        cause, suppressed = self.__cause__, self.__suppress_context__
        self.__cause__ = None
        try:
            lines = list(shown.structured_traceback(type(self), self, at))
        finally:
            self.__cause__, self.__suppress_context__ = cause, suppressed
        return [*lines, f"(%xmode Verbose shows the lines of {_PACKAGE}, too.)"]


class SubmissionFailed(JobException):
    """A batch or a retry was not taken, not certainly, or not seen whole. Look for `batch_id` before repeating it."""

    error_type = JobErrorType.SUBMISSION_FAILED


class InvalidRequest(JobException):
    """An argument does not fit, here or on the server: the message names it and says what would. Nothing was done."""

    error_type = JobErrorType.VALIDATION_ERROR


class NotFound(InvalidRequest):
    """The server has no such item, batch, image or board: it was deleted, or the id is wrong."""


class UnsupportedByServer(InvalidRequest):
    """This version of the server cannot do that; the message says which can. Upgrade it, or do without."""


class ExecutionFailed(JobException):
    """The job ran and failed; `item` has the server's error. Correct the graph or its values, then submit or retry."""

    error_type = JobErrorType.EXECUTION_FAILED


class JobCanceled(JobException):
    """The job was canceled, or deleted before it finished. `console.retry(item_id)` runs a canceled job again."""

    error_type = JobErrorType.EXECUTION_FAILED


class JobTimeout(JobException):
    """A wait or a request took longer than it was allowed to. The job goes on: wait again, or cancel it."""

    error_type = JobErrorType.TIMEOUT_ERROR


class NetworkError(JobException):
    """The server could not be reached, see the subclasses; or a job failed because a host was unreachable."""

    error_type = JobErrorType.NETWORK_ERROR


class ServerUnreachable(NetworkError):
    """The request was never sent: nothing listens there, or the address, TLS or a proxy is wrong. Nothing was done."""


class ReplyLost(NetworkError):
    """The request was sent and no answer came: it may have been carried out. Look before doing it again."""


class UnexpectedReply(NetworkError):
    """The reply is not InvokeAI's. Check the address, and whether a proxy or a login page is in between."""


class ServerFailure(NetworkError):
    """The server answered 5xx. `retryable` says whether trying again may help."""


class AccessDenied(NetworkError):
    """The token is missing, expired or not allowed to do this: `console.reconnect(token=...)` sets one."""


class ResourceError(JobException):
    """Memory, disk or queue is full. Ask for less at once, or make room; then try again."""

    error_type = JobErrorType.RESOURCE_ERROR


class CancellationFailed(JobException):
    """A cancel failed, or its outcome is unknown. Look at the item's status, and cancel again if necessary."""

    error_type = JobErrorType.CANCELLATION_FAILED


class UnknownError(JobException):
    """Any other error; the raw text is in the message and `details`."""

    error_type = JobErrorType.UNKNOWN_ERROR


EXCEPTION_FOR: dict[JobErrorType, type[JobException]] = {
    kind.error_type: kind
    for kind in (
        SubmissionFailed,
        InvalidRequest,
        ExecutionFailed,
        JobTimeout,
        NetworkError,
        ResourceError,
        CancellationFailed,
        UnknownError,
    )
}
"""The exception for each class, where no subclass is known to fit."""
