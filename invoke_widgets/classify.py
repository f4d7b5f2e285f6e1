"""From an error as it comes to one of the eight classes, with a suggestion and whether a retry makes sense.

Pure functions over tables. Sources: recorded replies of InvokeAI 6.13.8 and 6.14.2, and their nodes' exceptions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from invoke_widgets.errors import (
    AccessDenied,
    InvalidRequest,
    JobErrorType,
    JobException,
    NotFound,
    ResourceError,
    ServerFailure,
    UnexpectedReply,
    UnknownError,
)

_MAX_EXCERPT = 500


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A class of error, what to do about it, and whether doing the same again may succeed."""

    error_type: JobErrorType
    suggestion: str
    retryable: bool = False


_T = JobErrorType

# First match wins. Each row: pattern over "ErrorType: message", diagnosis.
_FAILURES: tuple[tuple[re.Pattern[str], Diagnosis], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), diagnosis)
    for pattern, diagnosis in (
        (
            r"OutOfMemoryError|\b(CUDA|HIP|ROCm|MPS)\b.{0,40}out of memory|out of memory on device|"
            r"CUDNN_STATUS_(ALLOC_FAILED|NOT_SUPPORTED)|CUBLAS_STATUS_ALLOC_FAILED",
            Diagnosis(
                _T.RESOURCE_ERROR,
                "The GPU ran out of memory: use a smaller image, batch or model, or free the server's model cache.",
            ),
        ),
        (
            r"^MemoryError|DefaultCPUAllocator|cannot allocate memory|\[Errno 12\]|std::bad_alloc",
            Diagnosis(_T.RESOURCE_ERROR, "The server ran out of memory: use a smaller image or close other programs."),
        ),
        (
            r"no space left on device|\[Errno 28\]|disk (is )?full|disk quota exceeded|\[Errno 122\]",
            Diagnosis(_T.RESOURCE_ERROR, "The server's disk is full: free some space, then retry."),
        ),
        (
            r"too many open files|\[Errno 24\]",
            Diagnosis(_T.RESOURCE_ERROR, "The server has too many files open: restart it, then retry.", retryable=True),
        ),
        (
            r"MissingInputException|RequiredConnectionException",
            Diagnosis(_T.VALIDATION_ERROR, "Give the named field a value, or connect an edge to it."),
        ),
        (
            r"unknown model|UnknownModelException|ModelNotFound|model .{0,80}not (found|installed)",
            Diagnosis(_T.VALIDATION_ERROR, "The server has no such model: install it, or choose one that it has."),
        ),
        (
            r"ImageRecordNotFoundException|ImageFileNotFoundException|image (record|file) not found",
            Diagnosis(_T.VALIDATION_ERROR, "The server has no such image: it was deleted, or its name is wrong."),
        ),
        (
            r"BoardRecordNotFoundException|board record not found",
            Diagnosis(_T.VALIDATION_ERROR, "The server has no such board: it was deleted, or its id is wrong."),
        ),
        (
            r"NodeNotFoundError|NodeFieldNotFoundError|InvalidEdgeError|CyclicalGraphError|DuplicateNodeIdError|"
            r"NodeIdMismatchError|NodeInputError|^ValidationError|pydantic_core",
            Diagnosis(_T.VALIDATION_ERROR, "Correct the graph at the place named, and submit it again."),
        ),
        (
            r"^(requests\.|httpx\.|urllib3\.|aiohttp\.)?\w*(ConnectionError|ConnectError|ConnectTimeout|MaxRetryError)|"
            r"connection (refused|reset|aborted)|name resolution|temporary failure in name",
            Diagnosis(
                _T.NETWORK_ERROR, "The server could not reach something it needs: check its network.", retryable=True
            ),
        ),
        (
            r"^(\w+\.)*(TimeoutError|ReadTimeout|Timeout)\b|timed out",
            Diagnosis(_T.TIMEOUT_ERROR, "Something took too long: retry, or allow more time.", retryable=True),
        ),
        (
            r"^ZeroDivisionError",
            Diagnosis(_T.EXECUTION_FAILED, "A node divided by zero: change the values that lead to it."),
        ),
    )
)

_EXECUTION_FAILED = Diagnosis(
    _T.EXECUTION_FAILED, "Read the message and the traceback; a retry does the same with the same values."
)
_UNKNOWN = Diagnosis(_T.UNKNOWN_ERROR, "Nothing is known about this one: look at the server's log.")


def diagnose_failure(server_error_type: str | None, message: str | None) -> Diagnosis:
    """Classify a failed job by what the server says of it.

    Args:
        server_error_type: the name of the exception on the server, such as "ZeroDivisionError".
        message: its text.
    """
    if not server_error_type and not message:
        return _UNKNOWN
    text = f"{server_error_type or ''}: {message or ''}"
    for pattern, diagnosis in _FAILURES:
        if pattern.search(text):
            return diagnosis
    return _EXECUTION_FAILED


def field_path(loc: object) -> str:
    """A validation error's location as a dotted path, without the part that only says "in the body"."""
    parts = [str(part) for part in loc] if isinstance(loc, list | tuple) else []
    if parts[:1] == ["body"]:
        parts = parts[1:]
    if parts[:2] == ["batch", "graph"] and len(parts) > 2:
        parts = parts[2:]
    # Node unions repeat the node's type after its id: nodes, a, add, a -> nodes, a, a is not wanted; keep it as it is.
    return ".".join(parts)


def _one_line(text: str, limit: int = 200) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def validation_errors(detail: object) -> tuple[tuple[str, str], ...]:
    """A 422's `detail` as `(path, message)` pairs, without the input that the server echoes.

    `nodes.a.add.a: should be a valid integer, got 'seven'` is pair `("nodes.a.add.a", "should be a valid ...")`.
    """
    if isinstance(detail, str):
        return (("", _one_line(detail)),)
    found = []
    for error in detail if isinstance(detail, list) else ():
        if not isinstance(error, Mapping):
            continue
        message = str(error.get("msg", "is not valid"))
        if error.get("type") == "union_tag_invalid":
            # The server lists every node type it has, which is kilobytes.
            ctx = error.get("ctx")
            tag = ctx.get("tag") if isinstance(ctx, Mapping) else None
            message = f"unknown node type {tag!r}" if tag else "unknown node type"
        message = re.sub(r"^(Input|Value error,|Assertion failed,)\s+", "", message)
        value = error.get("input")
        if isinstance(value, str | int | float | bool) and error.get("type") != "union_tag_invalid":
            message += f", got {value!r}"
        found.append((field_path(error.get("loc")), _one_line(message)))
    return tuple(found)


def _decoded(body: bytes, content_type: str) -> tuple[Any, str]:
    """The body as JSON (None if it is not) and as text."""
    text = body[:65536].decode("utf-8", "replace")
    if "json" not in content_type:
        return None, text
    try:
        return json.loads(body), text
    except ValueError:
        return None, text


def _is_page(content_type: str, text: str) -> bool:
    return "html" in content_type or text.lstrip()[:15].lower().startswith(("<!doctype html", "<html"))


_POISON = re.compile(r"validation errors? for GraphExecutionState")


def exception_for_reply(status: int, content_type: str, body: bytes, request: str) -> JobException:
    """The exception for an answer that is not a success, or not JSON.

    Args:
        status: the HTTP status.
        content_type: the `content-type` header.
        body: the decoded body.
        request: "GET /api/v1/...", for the message.
    """
    data, text = _decoded(body, content_type)
    detail = data.get("detail") if isinstance(data, Mapping) else None
    details: dict[str, Any] = {"request": request, "status": status, "body": text[:_MAX_EXCERPT]}
    said = _one_line(detail if isinstance(detail, str) else text) or "nothing"

    if _is_page(content_type, text):
        return _for_page(status, request, details)
    if status == 422:
        errors = validation_errors(detail)
        details["errors"] = errors
        lines = "; ".join(f"{path}: {message}" if path else message for path, message in errors) or said
        return InvalidRequest(f"The server did not accept the request: {lines}.", details=details)
    if status == 401:
        return AccessDenied(
            f"The server wants a token: {said}.",
            suggestion="Pass token=... or set INVOKEAI_TOKEN; an expired one has to be replaced by a new login.",
            details=details,
        )
    if status == 403:
        return AccessDenied(
            f"The server does not allow this: {said}.",
            suggestion="Ask an administrator, or act on your own items only.",
            details=details,
        )
    if status == 404:
        return NotFound(f"Not found: {said}.", details=details)
    if status == 405:
        return InvalidRequest(
            f"The server does not take {request}.",
            suggestion="Compare the server's version with what this call needs.",
            details=details,
        )
    if status == 429:
        return ServerFailure("The server asks to slow down.", details=details, retryable=True)
    if 400 <= status < 500:
        return InvalidRequest(f"The server did not accept the request ({status}): {said}.", details=details)
    if status >= 500:
        return _for_failure(status, said, details)
    return UnexpectedReply(
        f"{request} was answered with {status} and {content_type or 'no content type'} instead of JSON.",
        suggestion="Is this the address of an InvokeAI server?",
        details=details,
    )


def _for_page(status: int, request: str, details: dict[str, Any]) -> JobException:
    if status in (502, 503, 504):
        return ServerFailure(
            f"A proxy answered {status}: the server behind it does not.",
            suggestion="Wait until the server is up, or look at the proxy's settings.",
            details=details,
            retryable=True,
        )
    if status >= 400:
        return UnexpectedReply(
            f"{request} was answered with {status} and a web page instead of JSON.",
            suggestion="Is this the address of an InvokeAI server, without a login page before it?",
            details=details,
        )
    return UnexpectedReply(
        f"{request} was answered with a web page instead of JSON.",
        suggestion=(
            "InvokeAI answers so for an address that its version does not have; "
            "another program or a proxy's login page would, too."
        ),
        details=details,
    )


def _for_failure(status: int, said: str, details: dict[str, Any]) -> JobException:
    if re.search(r": 404: ", said):
        # Asked for through another queue's id, an item answers 500 whose text says 404 (6.14.2).
        return NotFound(f"Not found: {said.rpartition(': 404: ')[2]}.", details=details)
    if "too large to convert to SQLite INTEGER" in said:
        return NotFound("Not found: the id is larger than any id can be.", details=details)
    if _POISON.search(details["body"]):
        details["poison"] = True
        return ServerFailure(
            f"The server cannot load an item of its queue: {said}.",
            suggestion="Cancel the batch that it belongs to, then prune; or clear the queue.",
            details=details,
        )
    diagnosis = diagnose_failure(None, said)
    if diagnosis.error_type is JobErrorType.RESOURCE_ERROR:
        return ResourceError(f"The server failed ({status}): {said}.", suggestion=diagnosis.suggestion, details=details)
    return ServerFailure(
        f"The server failed ({status}): {said}.",
        suggestion="Look at the server's log.",
        details=details,
        retryable=status in (502, 503, 504),
    )


_NUMBERS = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27,}|\d+(\.\d+)?", re.IGNORECASE)


def fingerprint(error_type: JobErrorType, server_error_type: str | None, node_type: str | None, message: str) -> str:
    """A short text that is equal for errors that differ only in ids, addresses and numbers."""
    return f"{error_type}|{server_error_type or ''}|{node_type or ''}|{_NUMBERS.sub('#', _one_line(message))}"


def unknown(error: BaseException, request: str) -> UnknownError:
    """The exception for an error that nothing else stands for, with its raw text kept."""
    return UnknownError(
        f"{request}: {type(error).__name__}: {error}",
        suggestion=_UNKNOWN.suggestion,
        details={"request": request, "exception": repr(error)},
    )
