"""Classification of errors: one of the eight classes, a suggestion, and whether a retry makes sense.

Pure functions, for HTTP replies, cancels and a full queue. `failures` has the tables for failed jobs, and
`transport.map_exception` maps httpx's exceptions. Source: recorded replies of InvokeAI 6.13.8 and 6.14.2.
`notebooks/known_failures.md` lists every known failure with its classification.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from invoke_widgets.errors import (
    AccessDenied,
    InvalidRequest,
    JobErrorType,
    JobException,
    JobTimeout,
    NotFound,
    ResourceError,
    ServerFailure,
    UnexpectedReply,
    UnknownError,
    failures,
)
from invoke_widgets.errors.failures import Diagnosis, diagnose_failure
from invoke_widgets.errors.redact import incoming

__all__ = [
    "Diagnosis",
    "diagnose_cancellation",
    "diagnose_failure",
    "exception_for_reply",
    "field_path",
    "fingerprint",
    "full_queue",
    "unknown",
    "validation_errors",
]

_MAX_EXCERPT = 500


def field_path(loc: object) -> str:
    """A validation error's location as a dotted path, without the leading "body"."""
    parts = [str(part) for part in loc] if isinstance(loc, list | tuple) else []
    if parts[:1] == ["body"]:
        parts = parts[1:]
    if parts[:2] == ["batch", "graph"] and len(parts) > 2:
        parts = parts[2:]
    return ".".join(parts)


def _one_line(text: str, limit: int = 200) -> str:
    text = " ".join(text[: 10 * limit].split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def validation_errors(detail: object) -> tuple[tuple[str, str], ...]:
    """A 422's `detail` as `(path, message)` pairs, without secrets and without the objects that the server echoes.

    An example is `("nodes.a.add.a", "should be an integer, got 'seven'")`.
    """
    if isinstance(detail, str):
        return (("", _one_line(incoming(detail))),)
    found = []
    for error in detail if isinstance(detail, list) else ():
        if not isinstance(error, Mapping):
            continue
        message = str(error.get("msg", "is not valid"))
        if error.get("type") == "union_tag_invalid":
            # The message lists every node type of the server, which is kilobytes.
            ctx = error.get("ctx")
            tag = ctx.get("tag") if isinstance(ctx, Mapping) else None
            message = f"unknown node type {tag!r}" if tag else "unknown node type"
        else:
            message = _plain(message)
        value = error.get("input")
        if isinstance(value, str | int | float | bool) and error.get("type") != "union_tag_invalid":
            message += f", got {value!r}"
        found.append((field_path(error.get("loc")), _one_line(incoming(message))))
    return tuple(found)


_PLAIN = (
    (re.compile(r"^(Input|Value error,|Assertion failed,)\s+"), ""),
    (re.compile(r", unable to (parse|interpret) .*"), ""),
    (re.compile(r"should be a valid ([aeiou])"), r"should be an \1"),
    (re.compile(r"should be a valid "), "should be a "),
    (re.compile(r"^Field required$"), "is required"),
    (re.compile(r"^Unable to extract tag using discriminator 'type'$"), "has no type"),
)


def _plain(message: str) -> str:
    """pydantic's message in plainer words."""
    for pattern, replacement in _PLAIN:
        message = pattern.sub(replacement, message)
    return message


def _decoded(body: bytes, content_type: str) -> tuple[Any, str]:
    """The body as JSON (None if it is not) and as text."""
    text = incoming(body[:65536].decode("utf-8", "replace"))
    if "json" not in content_type:
        return None, text
    try:
        return json.loads(body), text
    except (ValueError, RecursionError):
        return None, text


def _is_page(content_type: str, text: str) -> bool:
    return "html" in content_type or text.lstrip()[:15].lower().startswith(("<!doctype html", "<html"))


_POISON = re.compile(
    r"validation errors? for GraphExecutionState(?:\s+(?:graph\.)?(\S+)\s+(.*?)(?:\s+\[type=|$))?", re.DOTALL
)


def exception_for_reply(status: int, content_type: str, body: bytes, request: str) -> JobException:
    """The exception for an HTTP reply that is not a success, or not JSON.

    Args:
        status: the HTTP status.
        content_type: the `content-type` header.
        body: the body, after content decoding.
        request: the request, such as "GET /api/v1/...", for the message.
    """
    data, text = _decoded(body, content_type)
    detail = data.get("detail") if isinstance(data, Mapping) else None
    if isinstance(detail, str):
        detail = incoming(detail)
    details: dict[str, Any] = {"request": request, "status": status, "body": text[:_MAX_EXCERPT]}
    page = _is_page(content_type, text)
    said = "a web page" if page else _one_line(detail if isinstance(detail, str) else text) or "nothing"

    if page and status not in (407, 413, 429):
        return _for_page(status, request, details)
    if status == 422:
        errors = validation_errors(detail)
        details["errors"] = errors
        lines = "; ".join(f"{path}: {message}" if path else message for path, message in errors) or said
        return InvalidRequest(
            f"The server did not accept the request: {_one_line(lines, 600).rstrip('.')}.",
            suggestion=_suggestion_for(errors),
            details=details,
        )
    if status == 401 and "/auth/login" in request:
        return AccessDenied(f"The login was refused: {said}.", suggestion="Check both and try again.", details=details)
    if status == 400 and "CORS" in said:
        return InvalidRequest(
            "The server does not talk to web pages of other origins.",
            suggestion="Send the request from Python, or set allow_origins in the server's configuration.",
            details=details,
        )
    if status in _CLIENT_ERRORS:
        kind, message, suggestion, retryable = _CLIENT_ERRORS[status]
        return kind(
            message.format(said=said.rstrip("."), request=request),
            suggestion=suggestion,
            details=details,
            retryable=retryable,
        )
    if 400 <= status < 500:
        return InvalidRequest(
            f"The server did not accept the request ({status}): {said.rstrip('.')}.",
            suggestion="Change the request as the message says.",
            details=details,
        )
    if status >= 500:
        return _for_failure(status, said.rstrip("."), details)
    return UnexpectedReply(
        f"{request} was answered with {status} and {content_type or 'no content type'} instead of JSON.",
        suggestion="Is this the address of an InvokeAI server?",
        details=details,
    )


_LOOK_UP = "It was deleted, or its id is wrong, or it is in another queue."

# status -> exception, message, suggestion, whether a retry makes sense
_CLIENT_ERRORS: dict[int, tuple[type[JobException], str, str, bool]] = {
    401: (
        AccessDenied,
        "The server wants a token: {said}.",
        "Pass token=... or set INVOKEAI_TOKEN; an expired one has to be replaced by a new login.",
        False,
    ),
    403: (
        AccessDenied,
        "The server does not allow this: {said}.",
        "Ask an administrator, or act on your own items only.",
        False,
    ),
    404: (NotFound, "Not found: {said}.", _LOOK_UP, False),
    405: (
        InvalidRequest,
        "The server does not take {request}.",
        "Compare the server's version with what this call needs.",
        False,
    ),
    407: (AccessDenied, "A proxy wants a login: {said}.", "Check HTTP_PROXY and NO_PROXY.", False),
    408: (JobTimeout, "The server waited too long for the request: {said}.", "Send it again.", True),
    413: (ResourceError, "The request is larger than the server, or a proxy before it, takes.", "Send less.", False),
    415: (InvalidRequest, "The server cannot read the file: {said}.", "Upload a PNG, JPEG or WebP image.", False),
    429: (ServerFailure, "The server asks to slow down.", "Wait a moment, then retry.", True),
}

# For a 422: a part of the message, and what to do.
_REMEDIES = (
    ("unknown node type", "Check the spelling, or install the node pack on the server."),
    ("Node ids must match", "Give each node the id that it has as a key."),
    ("cycle", "Remove the edge that leads back."),
    ("does not exist", "Correct the edge: its node or field is not in the graph."),
    ("types do not match", "Connect fields of the same type, or put a conversion between them."),
    ("same length", "Give the zipped fields equally many values."),
    ("same type", "Give a field values of one type."),
    ("not found in", "Name a node and a field that are in the graph."),
    ("at most 1000", "Ask for fewer at once."),
    ("JSON", "The request is not JSON: this is a bug of the client, please report it."),
    ("required", "Give the field a value."),
    ("has no type", "Give the node the type of one that the server has."),
)


def _suggestion_for(errors: tuple[tuple[str, str], ...]) -> str:
    message = errors[0][1] if errors else ""
    known = next((remedy for words, remedy in _REMEDIES if words in message), None)
    return known or "Correct the field named, and submit again."


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
        return NotFound(f"Not found: {said.rpartition(': 404: ')[2]}.", suggestion=_LOOK_UP, details=details)
    if "No queue item with id" in said:
        # What a retry of a missing item answers up to 6.13.
        return NotFound(f"Not found: {said.rpartition(': ')[2]}.", suggestion=_LOOK_UP, details=details)
    if "too large to convert to SQLite INTEGER" in said:
        return NotFound("Not found: the id is larger than any id can be.", suggestion=_LOOK_UP, details=details)
    poison = _POISON.search(said)
    if poison is not None:
        details["poison"] = True
        field, message = poison.groups()
        why = f"{field}: {_plain(message)}" if field else said
        return ServerFailure(
            f"The server cannot load an item of its queue: {why}.",
            suggestion="Cancel the batch that it belongs to, then prune; or clear the queue.",
            details=details,
        )
    diagnosis = diagnose_failure(None, said)
    if diagnosis.error_type is JobErrorType.RESOURCE_ERROR or status == 507:
        return ResourceError(
            f"The server failed ({status}): {said}.",
            suggestion=(failures.DISK_FULL if status == 507 else diagnosis).suggestion,
            details=details,
            retryable=diagnosis.retryable,
        )
    return ServerFailure(
        f"The server failed ({status}): {said}.",
        suggestion="Look at the server's log.",
        details=details,
        retryable=status in (502, 503, 504),
    )


_NUMBERS = re.compile(r"0[xX][0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27,}|[0-9]+(?:\.[0-9]+)?")
_MARKED = 450
"""How many characters of a message a fingerprint looks at; with the numbers replaced, more than it keeps."""


def fingerprint(error_type: JobErrorType, server_error_type: str | None, node_type: str | None, message: str) -> str:
    """A short text that is equal for errors that differ only in ids, addresses and numbers."""
    # Cut last: numbers of different lengths would move the cut.
    mark = _one_line(_NUMBERS.sub("#", message[:_MARKED]))
    return f"{error_type}|{server_error_type or ''}|{node_type or ''}|{mark}"


def full_queue(enqueued: int, requested: int) -> ResourceError | None:
    """The error for a batch that a full queue took only in part; None if it took all.

    The server answers 200 all the same, with `enqueued < requested` (6.14.2).
    """
    if enqueued >= requested:
        return None
    return ResourceError(
        f"The queue is full: it took {enqueued} of {requested}.",
        suggestion=failures.QUEUE_FULL.suggestion,
        details={"enqueued": enqueued, "requested": requested},
        retryable=True,
    )


_CANCELLATIONS = {
    "refused": Diagnosis(JobErrorType.CANCELLATION_FAILED, "Ask the item's owner or an administrator."),
    "not_found": Diagnosis(JobErrorType.CANCELLATION_FAILED, "It was deleted, or its id is wrong."),
    "unknown": Diagnosis(
        JobErrorType.CANCELLATION_FAILED, "Look whether it is canceled, and cancel again if not.", True
    ),
}


def diagnose_cancellation(outcome: str) -> Diagnosis | None:
    """The diagnosis of a cancel's outcome; None for "canceled" and "already_finished", which are not failures."""
    return _CANCELLATIONS.get(outcome)


def unknown(error: BaseException, request: str) -> UnknownError:
    """The exception for any other error, with its raw text."""
    return UnknownError(
        f"{request}: {type(error).__name__}: {incoming(str(error))}",
        suggestion=failures.UNKNOWN.suggestion,
        details={"request": request, "exception": incoming(repr(error))},
    )
