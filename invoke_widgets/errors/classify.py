"""Classification of errors: one of the eight classes, a suggestion, and whether a retry makes sense.

Pure functions, for HTTP replies, cancels and a full queue. `failures` has the tables for failed jobs, and
`transport.map_exception` maps httpx's exceptions. Source: recorded replies of InvokeAI 6.13.8 and 6.14.2.
`notebooks/known_failures.md` lists every known failure with its classification.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
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
from invoke_widgets.errors.failures import Diagnosis
from invoke_widgets.errors.redact import incoming
from invoke_widgets.errors.text import one_line

_MAX_EXCERPT = 500
_LINE = 200


def field_path(loc: object) -> str:
    """A validation error's location as a dotted path, without the leading "body"."""
    parts = [str(part) for part in loc] if isinstance(loc, list | tuple) else []
    if parts[:1] == ["body"]:
        parts = parts[1:]
    if parts[:2] == ["batch", "graph"] and len(parts) > 2:
        parts = parts[2:]
    return ".".join(parts)


def validation_errors(detail: object) -> tuple[tuple[str, str], ...]:
    """A 422's `detail` as `(path, message)` pairs, without secrets and without the objects that the server echoes.

    An example is `("nodes.a.add.a", "should be an integer, got 'seven'")`.
    """
    if isinstance(detail, str):
        return (("", one_line(incoming(detail), _LINE)),)
    found = []
    for error in detail if isinstance(detail, list) else ():
        if not isinstance(error, Mapping):
            continue
        value = error.get("input")
        if error.get("type") == "union_tag_invalid":
            # The message lists every node type of the server, which is kilobytes.
            ctx = error.get("ctx")
            tag = ctx.get("tag") if isinstance(ctx, Mapping) else None
            message = f"unknown node type {tag!r}" if tag else "unknown node type"
        else:
            message = _plain(str(error.get("msg", "is not valid")))
            message += f", got {value!r}" if isinstance(value, str | int | float | bool) else ""
        found.append((field_path(error.get("loc")), one_line(incoming(message), _LINE)))
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


_Found = tuple[type[JobException], str, str, bool]
"""An exception's class, its message and suggestion, and whether a retry makes sense."""
_POISON = re.compile(
    r"validation errors? for GraphExecutionState(?:\s+(?:graph\.)?(\S+)\s+(.*?)(?:\s+\[type=|$))?", re.DOTALL
)


def exception_for_reply(status: int, content_type: str, body: bytes, request: str) -> JobException:
    """The exception for an HTTP reply that is not a success, or not JSON; `body` is without its content encoding."""
    text = incoming(body[:65536].decode("utf-8", "replace"))
    try:
        data = json.loads(body) if "json" in content_type else None
    except (ValueError, RecursionError):
        data = None
    detail = data.get("detail") if isinstance(data, Mapping) else None
    details: dict[str, Any] = {"request": request, "http_status": status, "body": text[:_MAX_EXCERPT]}
    found: _Found
    is_page = "html" in content_type or text.lstrip()[:15].lower().startswith(("<!doctype html", "<html"))
    said = "a web page" if is_page else one_line(incoming(detail) if isinstance(detail, str) else text, _LINE)
    said = said.rstrip(".") or "nothing"
    if is_page and status not in (407, 413, 429):
        found = _for_page(status, request)
    elif status == 422:
        errors = details["errors"] = validation_errors(detail)
        lines = "; ".join(f"{path}: {message}" if path else message for path, message in errors) or said
        words = f"The server did not accept the request: {one_line(lines, 600).rstrip('.')}."
        first = errors[0][1] if errors else ""
        remedy = next((remedy for part, remedy in _REMEDIES if part in first), "Correct the field that it names.")
        found = InvalidRequest, words, remedy, False
    elif status == 401 and "/auth/login" in request:
        found = AccessDenied, f"The login was refused: {said}.", "Check both and try again.", False
    elif status == 403 and "/auth/login" in request and "single-user" in said:
        found = AccessDenied, f"The login was refused: {said}.", "Go on without a login.", False
    elif status == 401 and not _NO_TOKEN.search(said):
        remedy = "Log in again, and pass the new token=... or set INVOKEAI_TOKEN."
        found = AccessDenied, f"The server refuses the token: {said}.", remedy, False
    elif status == 400 and "CORS" in said:
        remedy = "Send the request from Python, or set allow_origins in the server's configuration."
        found = InvalidRequest, "The server does not talk to web pages of other origins.", remedy, False
    elif status == 404 and request.endswith("/app/version"):  # every version has it
        found = UnexpectedReply, f"{request} was answered with 404: {said}.", _ADDRESS, False
    elif status == 404 and (picture := _PICTURE.search(request)):  # the server says no more than "Not Found"
        found = NotFound, f"The server has no picture {picture[1]}.", "It was deleted, or its name is wrong.", False
    elif status == 404:
        found = NotFound, _not_found(said), _LOOK_UP, False
    elif status in _CLIENT_ERRORS:
        kind, words, remedy, retryable = _CLIENT_ERRORS[status]
        found = kind, words.format(said=said, request=request), remedy, retryable
    elif 400 <= status < 500:
        words = f"The server did not accept the request ({status}): {said}."
        found = InvalidRequest, words, "Change the request as the message says.", False
    elif status >= 500:
        found = _for_failure(status, said, details)
    else:
        words = f"{request} was answered with {status} and {content_type or 'no content type'} instead of JSON."
        found = UnexpectedReply, words, "Is this the address of an InvokeAI server?", False
    kind, words, remedy, retryable = found
    return kind(words, suggestion=remedy, details=details, retryable=retryable)


_ADDRESS = (
    "Is this the whole address of an InvokeAI server? Behind a proxy it may have a path (http://host/invoke), "
    "or a login page before it."
)
_PICTURE = re.compile(r"/images/i/([^/\s]+)")
_LOOK_UP = "It was deleted, its id is wrong, or it is in another queue."


def _not_found(said: str) -> str:
    return f"{said}." if "not found" in said.lower() else f"Not found: {said}."


_CLIENT_ERRORS: dict[int, _Found] = {
    401: (AccessDenied, "The server wants a token: {said}.",
          "Pass token=... or set INVOKEAI_TOKEN.", False),
    403: (AccessDenied, "The server does not allow this: {said}.",
          "Ask an administrator, or act on your own items only.", False),
    405: (InvalidRequest, "The server does not take {request}.",
          "Compare the server's version with what this call needs.", False),
    407: (AccessDenied, "A proxy wants a login: {said}.", "Check HTTP_PROXY and NO_PROXY.", False),
    408: (JobTimeout, "The server waited too long for the request: {said}.", "Send it again.", True),
    413: (ResourceError, "The request is larger than the server, or a proxy before it, takes.", "Send less.", False),
    415: (InvalidRequest, "The server cannot read the file: {said}.", "Upload a PNG, JPEG or WebP image.", False),
    429: (ServerFailure, "The server asks to slow down.", "Wait a moment, then retry.", True),
}  # fmt: skip

_NO_TOKEN = re.compile(r"required|missing", re.IGNORECASE)
"""In InvokeAI's words of a 401, if the request had no token; others are about the token that it had."""

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


def _for_page(status: int, request: str) -> _Found:
    if status in (502, 503, 504):
        remedy = "Wait until the server is up, or look at the proxy's settings."
        return ServerFailure, f"A proxy answered {status}: the server behind it does not.", remedy, True
    if status == 401:
        remedy = "If it asks for a user and a password, put them into the address: https://user:password@host/."
        return AccessDenied, "A proxy before the server wants a login, or refuses this one (401).", remedy, False
    if status >= 400:
        words = f"{request} was answered with {status} and a web page instead of JSON."
        return UnexpectedReply, words, _ADDRESS, False
    remedy = (
        "InvokeAI answers so for an address that its version does not have; "
        "another program or a proxy's login page would, too."
    )
    return UnexpectedReply, f"{request} was answered with a web page instead of JSON.", remedy, False


def _for_failure(status: int, said: str, details: dict[str, Any]) -> _Found:
    # Asked for through another queue's id, an item answers 500 whose text says 404 (6.14.2); a retry of a missing item
    # answers the second text up to 6.13.
    for text, end in ((": 404: ", ": 404: "), ("No queue item with id", ": ")):
        if text in said:
            return NotFound, _not_found(said.rpartition(end)[2]), _LOOK_UP, False
    if "too large to convert to SQLite INTEGER" in said:
        return NotFound, "Not found: the id is larger than any id can be.", _LOOK_UP, False
    if poison := _POISON.search(said):
        details["poison"] = True
        field, message = poison.groups()
        why = f"{field}: {_plain(message)}" if field else said
        remedy = "Cancel the batch that it belongs to, then prune; or clear the queue."
        return ServerFailure, f"The server cannot load an item of its queue: {why}.", remedy, False
    words = f"The server failed ({status}): {said}."
    diagnosis = failures.DISK_FULL if status == 507 else failures.diagnose_failure(None, said)
    if diagnosis.error_type is JobErrorType.RESOURCE_ERROR:
        return ResourceError, words, diagnosis.suggestion, diagnosis.retryable
    return ServerFailure, words, "Look at the server's log.", status in (502, 503, 504)


_NUMBERS = re.compile(r"0[xX][0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27,}|[0-9]+(?:\.[0-9]+)?")
_MARKED = 450
"""How many characters of a message a fingerprint looks at; with the numbers replaced, more than it keeps."""


def fingerprint(error_type: JobErrorType, server_error_type: str | None, node_type: str | None, message: str) -> str:
    """A short text that is equal for errors that differ only in ids, addresses and numbers."""
    # Cut last: numbers of different lengths would move the cut.
    mark = one_line(_NUMBERS.sub("#", message[:_MARKED]), _LINE)
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


_canceled = partial(Diagnosis, JobErrorType.CANCELLATION_FAILED)

CANCELLATIONS: dict[str, Diagnosis] = {
    "refused": _canceled("Ask the item's owner or an administrator."),
    "not_found": _canceled("It was deleted, or its id is wrong."),
    "unknown": _canceled("Check whether it is canceled, and cancel again if not.", True),
}
"""The outcomes of a cancel that are failures."""


def unknown(error: BaseException, request: str) -> UnknownError:
    """The exception for any other error, with its raw text."""
    return UnknownError(
        f"{request}: {type(error).__name__}: {incoming(str(error))}",
        suggestion=failures.UNKNOWN.suggestion,
        details={"request": request, "exception": incoming(repr(error))},
    )
