"""Whatever a server sends, nothing but our own exceptions comes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoke_widgets import frames, merge
from invoke_widgets.classify import exception_for_reply, fingerprint, validation_errors
from invoke_widgets.errors import JobErrorType, JobException
from invoke_widgets.event_records import PARSERS, parse_event
from invoke_widgets.history import ErrorLog, EventLog, JobLog
from invoke_widgets.history_codec import from_json, to_json
from invoke_widgets.merge import QueueState
from invoke_widgets.records import STATUSES, QueueItem

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
# Seven tests: more than 10,000 cases in all.
_MANY = settings(max_examples=1_500, deadline=None, suppress_health_check=list(HealthCheck))

_KEYS = ["detail", "type", "loc", "msg", "input", "ctx", "tag", "item_id", "status", "batch_id", "queue_id", "image",
         "session", "field_values", "node_path", "field_name", "value", "invocation", "result", "percentage", "message",
         "queue_status", "status_sequence", "created_at", "completed_at", "error_type", "error_message",
         "invocation_source_id", "canceled_item_ids", "retried_item_ids", "enqueued", "requested",
         "retried_from_item_id"]  # fmt: skip
_PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from([*STATUSES, "2026-01-01 00:00:00.000", "union_tag_invalid", "9999-12-31T23:59:59-23:59"])
)  # fmt: skip
_JSON: st.SearchStrategy[Any] = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS) | st.text(), inner, max_size=6),
)  # fmt: skip
_OBJECT = st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=12)
_ITEM = st.fixed_dictionaries(
    {"item_id": st.integers(-5, 5), "status": st.sampled_from([*STATUSES, "new"]), "batch_id": st.text(max_size=3)}
)


@_MANY
@given(st.integers(100, 599), st.sampled_from(["application/json", "text/html", "text/plain", ""]), _JSON)
def test_replies(status: int, content_type: str, body: Any) -> None:
    """Any JSON as an answer becomes an exception of the tree, with one line of bounded length."""
    error = exception_for_reply(status, content_type, json.dumps(body).encode(), "GET /x")
    assert (True, True) == (isinstance(error, JobException), len(error.message) < 1000 and "\n" not in error.message)


@_MANY
@given(_JSON)
def test_details(detail: Any) -> None:
    """Any `detail` becomes pairs of texts."""
    assert all(isinstance(text, str) for pair in validation_errors(detail) for text in pair)


@_MANY
@given(st.sampled_from([*PARSERS, "unheard_of"]), _OBJECT)
def test_events(name: str, data: dict[str, Any]) -> None:
    """Any payload becomes an event, or nothing; what becomes an event can be merged, logged and framed."""
    event = parse_event(name, data)
    if event is not None:
        merge.with_event(QueueState(), event)
        log = EventLog()
        log.record(event)
        assert 1 == len(log.frame())


@_MANY
@given(_OBJECT, _ITEM)
def test_items(odd: dict[str, Any], identity: dict[str, Any]) -> None:
    """Any item with an identity can be logged, framed, written and read back."""
    item = QueueItem.from_json(odd | identity)
    errors, jobs = ErrorLog(), JobLog()
    errors.record_failure(item)
    jobs.record(item)
    columns = [len(errors.frame()), len(frames.jobs(jobs))]
    again = from_json(QueueItem, json.loads(json.dumps(to_json(item.without_session()))))
    assert ([1, 1], True) == (columns, again is not None)


@_MANY
@given(_OBJECT)
def test_items_without_identity(odd: dict[str, Any]) -> None:
    """Anything else raises ValueError, and nothing but that."""
    try:
        QueueItem.from_json(odd)
    except ValueError:
        odd = {}
    assert not odd or {"item_id", "status", "batch_id"} <= odd.keys()


@_MANY
@given(st.lists(_ITEM, max_size=8), st.lists(st.integers(-5, 5), max_size=8), st.lists(_ITEM, max_size=8))
def test_merging(heard: list[dict[str, Any]], listed: list[int], read: list[dict[str, Any]]) -> None:
    """Any order of news, lists and reads keeps the picture whole: keys are ids, and what is terminal stays so."""
    state = QueueState()
    ended: dict[int, str] = {}
    for data in heard:
        state, _ = merge.with_news(state, QueueItem.from_json(data))
        ended |= {i: item.status for i, item in state.items.items() if item.is_terminal and i not in ended}
    state, _ = merge.with_ids(state, listed)
    state, _ = merge.with_items(state, [QueueItem.from_json(data) for data in read])
    kept = {i: state.items[i].status for i in ended if i in state.items}
    assert (list(state.items), {i: ended[i] for i in kept}) == ([item.item_id for item in state.items.values()], kept)


@_MANY
@given(st.text(), st.text() | st.none(), st.text() | st.none())
def test_fingerprints(message: str, kind: str | None, node_type: str | None) -> None:
    """A fingerprint is one line."""
    assert "\n" not in fingerprint(JobErrorType.UNKNOWN_ERROR, kind, node_type, message).replace(
        kind or "", ""
    ).replace(node_type or "", "")
