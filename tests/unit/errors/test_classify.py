"""Every known failure gets its class, a suggestion, and whether a retry makes sense."""

from __future__ import annotations

import json

import pytest

from invoke_widgets.client.transport import map_exception
from invoke_widgets.errors import JobErrorType, NotFound, ResourceError, classify, failures
from invoke_widgets.events import parse_event
from invoke_widgets.records import parse_time
from tests.support import known_failures
from tests.support.known_failures import CLASSES, FAILURES, TRANSPORT, Failure, Reply

URL = "http://127.0.0.1:9090"


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.what)
def test_a_failed_job_is_classified_by_the_servers_exception(failure: Failure) -> None:
    """By its class and its text, with a suggestion."""
    found = failures.diagnose_failure(failure.server_error_type, failure.message)
    assert (failure.error_type, failure.retryable, True) == (found.error_type, found.retryable, bool(found.suggestion))


@pytest.mark.parametrize(("error_type", "retryable", "suggestion", "names"), CLASSES)
def test_a_failed_job_is_classified_by_its_class_alone(
    error_type: JobErrorType, retryable: bool, suggestion: str, names: str
) -> None:
    """Where the text says nothing; each class in the package's tables is in the list."""
    for name in names.split():
        found = failures.diagnose_failure(name, "any text")
        assert (error_type, retryable) == (found.error_type, found.retryable), name
        assert found.suggestion.startswith(suggestion), name
    listed = {name for *_, names in CLASSES for name in names.split()}
    assert listed == failures.BY_CLASS.keys() | failures.BY_BROAD_CLASS.keys()


@pytest.mark.parametrize("reply", known_failures.replies(), ids=lambda reply: reply.what)
def test_a_recorded_reply_becomes_its_exception(reply: Reply) -> None:
    """With the expected class, message and suggestion."""
    error = classify.exception_for_reply(reply.status, reply.content_type, reply.body.encode(), reply.request)
    found = {
        "exception": type(error).__name__,
        "error_type": error.error_type,
        "retryable": error.retryable,
        "message": error.message,
        "suggestion": error.suggestion,
    }
    assert reply.expected == found


@pytest.mark.parametrize("case", TRANSPORT, ids=lambda case: case[0])
def test_an_exception_of_httpx_is_classified(case: tuple[str, Exception, JobErrorType, bool, str]) -> None:
    """An exception of httpx has the expected class and a suggestion."""
    _, raised, error_type, retryable, _ = case
    error = map_exception(raised, "GET /x", URL)
    assert (error_type, retryable, True) == (error.error_type, error.retryable, bool(error.suggestion))


def test_a_full_queue_is_a_resource_error() -> None:
    """The server says 200 and takes fewer than asked; a batch that it took whole has nothing to report."""
    assert classify.full_queue(5, 5) is None
    error = classify.full_queue(3, 5)
    assert isinstance(error, ResourceError)
    assert ("The queue is full: it took 3 of 5.", True) == (error.message, error.retryable)
    assert error.suggestion.startswith("The queue is full: wait until items have run")


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("canceled", None),
        ("already_finished", None),
        ("not_found", ("It was deleted, or its id is wrong.", False)),
        ("refused", ("Ask the item's owner or an administrator.", False)),
        ("unknown", ("Check whether it is canceled, and cancel again if not.", True)),
    ],
)
def test_a_cancel_is_diagnosed_by_its_outcome(outcome: str, expected: tuple[str, bool] | None) -> None:
    """A cancel that did not cancel is a failure; one that came too late is not."""
    found = classify.CANCELLATIONS.get(outcome)
    assert expected == (found and (found.suggestion, found.retryable))
    assert found is None or JobErrorType.CANCELLATION_FAILED is found.error_type


def test_the_traceback_is_used_without_class_and_message() -> None:
    """An item may have lost its class and its message."""
    found = failures.diagnose_failure(None, None, "Traceback ...\n  File x\ntorch.OutOfMemoryError: CUDA\n")
    assert JobErrorType.RESOURCE_ERROR == found.error_type


def test_a_class_with_its_module_is_the_same_class() -> None:
    """The server sends bare names; other versions may not."""
    one, other = (failures.diagnose_failure(f"{m}OutOfMemoryError", "x") for m in ("", "torch.cuda."))
    assert one == other


def test_a_validation_error_is_one_line_without_the_echoed_graph() -> None:
    """The server echoes the whole graph and lists every node type: tens of kilobytes."""
    types = ", ".join(f"'type_{i}'" for i in range(2000))
    detail = [
        {
            "type": "union_tag_invalid",
            "loc": ["body", "batch", "graph", "nodes", "a"],
            "msg": f"Input tag 'nope' found using 'type' does not match any of the expected tags: {types}",
            "input": {"id": "a", "type": "nope", "blob": "x" * 20_000},
            "ctx": {"discriminator": "'type'", "tag": "nope", "expected_tags": types},
        }
    ]
    error = classify.exception_for_reply(422, "application/json", json.dumps({"detail": detail}).encode(), "POST /x")
    assert "The server did not accept the request: nodes.a: unknown node type 'nope'." == error.message


def test_validation_errors_gives_path_and_message() -> None:
    """As a pair, for a form that marks the field."""
    detail = [
        {
            "type": "int_parsing",
            "loc": ["body", "batch", "graph", "nodes", "a", "add", "a"],
            "msg": "Input should be a valid integer, unable to parse string as an integer",
            "input": "seven",
        }
    ]
    assert (("nodes.a.add.a", "should be an integer, got 'seven'"),) == classify.validation_errors(detail)


def test_the_text_of_an_unknown_error_is_kept() -> None:
    """It is passed on as it is."""
    error = map_exception(RuntimeError("never seen before"), "GET /x", URL)
    assert (JobErrorType.UNKNOWN_ERROR, True) == (error.error_type, "never seen before" in error.message)


@pytest.mark.parametrize("kind", ["SafetensorError", "ImportError", "ValidationError", "OSError"])
def test_memory_and_disk_win_over_the_class(kind: str) -> None:
    """Libraries wrap the system's errors in their own."""
    texts = ("x: No space left on device (os error 28)", "x: Cannot allocate memory (os error 12)")
    found = [failures.diagnose_failure(kind, text) for text in texts]
    assert [failures.DISK_FULL, failures.HOST_MEMORY] == found


def test_the_end_of_a_long_message_is_searched() -> None:
    """requests puts a signed address of any length before the cause."""
    text = f"Max retries exceeded with url: /{'x' * 5000} (Caused by SSLError('certificate verify failed: expired'))"
    assert not failures.diagnose_failure("ConnectionError", text).retryable


def test_images_of_different_sizes_are_a_validation_error() -> None:
    """torch has nearly the same text for tensors on two devices."""
    found = failures.diagnose_failure("ValueError", "Image and mask should be the same size")
    assert JobErrorType.VALIDATION_ERROR == found.error_type


_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (401, "application/json", json.dumps({"detail": f"Invalid or expired token: {_JWT}"})),
        (500, "application/json", json.dumps({"detail": "cannot fetch https://user:c2lnbmF0dXJl@proxy.local/x"})),
        (500, "text/plain", "x" * 180 + f" token {_JWT}"),
        (422, "application/json", json.dumps({"detail": [{"loc": ["body", "a"], "msg": "bad", "input": _JWT}]})),
        (422, "application/json", json.dumps({"detail": f"odd {_JWT}"})),
        (200, "text/html", f"<html>{_JWT}</html>"),
    ],
)
def test_no_secret_of_a_reply_is_shown(status: int, content_type: str, body: str) -> None:
    """Neither in the message, which a notebook shows as a traceback, nor in the details."""
    error = classify.exception_for_reply(status, content_type, body.encode(), "GET /x")
    shown = f"{error!r} {error} {error.details}"
    assert (False, False) == ("c2lnbmF0dXJl" in shown, "eyJ" in shown)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Authentication required", "wants a token"),
        ("Missing authentication credentials", "wants a token"),
        ("Invalid or expired token", "refuses the token"),
        ("Invalid or expired authentication token", "refuses the token"),
        ("User not found or inactive", "refuses the token"),
        ("User account is inactive or does not exist", "refuses the token"),
    ],
)
def test_a_refused_token_is_not_a_missing_one(said: str, words: str) -> None:
    """The words of InvokeAI tell them apart, and each has its own remedy."""
    error = classify.exception_for_reply(401, "application/json", json.dumps({"detail": said}).encode(), "GET /x")
    assert f"The server {words}: {said}." == error.message
    assert ("Log in again" in error.suggestion) == (words == "refuses the token")


def test_a_404_with_a_page_thinks_of_a_path() -> None:
    """Behind a proxy the server may have one, which is easily left out of the address."""
    error = classify.exception_for_reply(404, "text/html", b"<html></html>", "GET /api/v1/app/version")
    assert "http://host/invoke" in error.suggestion


def test_errors_that_differ_in_numbers_have_one_fingerprint() -> None:
    """Sizes, ids and addresses do not make a new error."""
    one, other = (
        classify.fingerprint(JobErrorType.RESOURCE_ERROR, "OutOfMemoryError", "denoise_latents", text)
        for text in ("Tried to allocate 2.00 GiB at 0x7f00", "Tried to allocate 512.5 GiB at 0xab12")
    )
    assert one == other


def test_missing_item_through_another_queue_is_not_found() -> None:
    """6.14.2 answers 500 with a 404 in its text."""
    body = b'{"detail":"Unexpected error while fetching queue item: 404: Queue item with id 1 not found"}'
    assert isinstance(classify.exception_for_reply(500, "application/json", body, "GET /x"), NotFound)


@pytest.mark.parametrize(
    ("message", "suggestion", "text"),
    [
        ("division by zero", "Change the divisor.", "division by zero. Change the divisor."),
        ("Is it there?", "Look.", "Is it there? Look."),
        ("division by zero", "", "division by zero"),
    ],
)
def test_text_has_message_and_suggestion_as_sentences(message: str, suggestion: str, text: str) -> None:
    """The server's exceptions end without a full stop."""
    assert text == str(NotFound(message, suggestion=suggestion))


def test_not_found_is_said_once() -> None:
    """Most of the server's answers say it themselves."""
    shown = [
        classify.exception_for_reply(404, "application/json", json.dumps({"detail": said}).encode(), "GET /x").message
        for said in ("Image not found", "No queue item with id 9")
    ]
    assert ["Image not found.", "Not found: No queue item with id 9."] == shown


def test_table_of_known_failures_is_up_to_date() -> None:
    """After a change, run `python -m tests.support.known_failures` to write it."""
    assert known_failures.table() == known_failures.TABLE.read_text()


def test_every_class_but_submission_has_a_known_failure() -> None:
    """Submission fails by what the client does not know, so that its place is in the actions."""
    assert set(JobErrorType) - {JobErrorType.SUBMISSION_FAILED} == {row.error_type for _, row in known_failures.rows()}


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-13-01", ""])
def test_an_impossible_time_is_none(text: str) -> None:
    """Found by fuzzing: a time may leave the calendar on its way to UTC."""
    assert parse_time(text) is None


@pytest.mark.parametrize("item_id", [float("inf"), float("nan"), "x", None, []])
def test_an_event_about_an_impossible_item_is_none(item_id: object) -> None:
    """Found by fuzzing: JSON as Python reads it has infinities."""
    assert parse_event("invocation_started", {"item_id": item_id, "batch_id": "b"}) is None
