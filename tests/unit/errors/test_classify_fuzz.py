"""Whatever a server sends, nothing but our own exceptions comes out."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import json
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoke_widgets import InvokeClient
from invoke_widgets._loop import LoopThread
from invoke_widgets.errors import JobErrorType, JobException
from invoke_widgets.errors.classify import exception_for_reply, fingerprint, validation_errors
from invoke_widgets.errors.redact import LONGEST
from invoke_widgets.events import PARSERS, parse_event
from invoke_widgets.history import frames
from invoke_widgets.history.file import from_json, to_json
from invoke_widgets.history.logs import ErrorLog, EventLog, JobLog
from invoke_widgets.records import STATUSES, QueueItem
from invoke_widgets.sync import state as merge
from invoke_widgets.sync.state import QueueState
from tests.support.scripted import answer, scripted

Check = Callable[..., None]

CASES = int(os.environ.get("INVOKE_WIDGETS_CASES", "300"))
"""How many cases each property is checked on."""
_any_number = pytest.mark.parametrize("cases", [CASES])


def _lists(strategy: st.SearchStrategy[Any], length: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=length, max_size=length)


def _try(cases: int, check: Check, *strategies: st.SearchStrategy[Any]) -> None:
    """Check a property on this many cases."""
    options = settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    options(given(*strategies)(check))()


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
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
_OBJECT = st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=12)
_ITEM = st.fixed_dictionaries(
    {"item_id": st.integers(-5, 5), "status": st.sampled_from([*STATUSES, "new"]), "batch_id": st.text(max_size=3)}
)
# Up to tens of kilobytes of what the patterns look for, over and over: a pattern that goes back and forth does not end.
_TRIGGERS = ["token", "password", "api_key", "secret", "authorization", "bearer ", "basic ", "eyJ", "://", "sk-", "hf_",
             "ghp_", "pat_", "AIza", "xox", "cookie: ", "digest ", "-----BEGIN PRIVATE KEY-----", "%3D", "(", "[",
             "?key=", "&", "api_key='", "0x", "a1b2c3d4-", "12.5", "out of memory", "cuda",
             "x-", "a.", "=", ":", '"', "'", "\\", "@", "/", " ", "\t", "\n", "é", "İ"]  # fmt: skip
_LONG = st.builds(
    lambda parts, times: ("".join(parts) * times)[:40_000],
    st.lists(st.sampled_from(_TRIGGERS) | st.text(max_size=3), min_size=1, max_size=4),
    st.sampled_from([1, 1, 100, 10_000]),
)
_SECRETS = [" eyJhbGciOi.hunter2hunter2.hunter2 ", " https://me:hunter2hunter2@host ", " ghp_hunter2hunter2hunter2 ",
            " ?key=hunter2hunter2 ", "\npassword: hunter2 hunter2\n"]  # fmt: skip


# Whatever answer a method of the client looks for, this has its fields, and some of them are odd.
_ID = st.integers(-5, 5)
_ODD = st.one_of(_ID, st.text(max_size=3), st.lists(_ID, max_size=3), _PLAIN)
_COUNTED = st.fixed_dictionaries({"queue_id": _ODD, "batch_id": _ODD, "destination": _ODD}, optional={"total": _ODD})
_FIELDS = ["item_id", "status", "batch_id", "queue_id", "destination", "item_ids", "total", "total_count", "enqueued",
           "requested", "priority", "retried_item_ids", "canceled", "deleted", "version", "token", "is_started",
           "image_name", "board_id", "board_name", "paths", "models", "key", "workflow_id", "name", "workflow",
           "prompts", "error", "session", "created_at", "detail"]  # fmt: skip
_ANSWER = st.builds(
    dict.__or__,
    st.dictionaries(st.sampled_from(_FIELDS), _ODD, max_size=8),
    st.fixed_dictionaries(
        {},
        optional={
            "batch": _COUNTED | _ODD,
            "queue": _COUNTED | _ODD,
            "processor": _COUNTED | _ODD,
            "items": st.lists(_ITEM, max_size=2) | _ODD,
            "field_values": st.lists(_OBJECT, max_size=2) | _ODD,
        },
    ),
)
_BODY = st.one_of(_ANSWER, _ANSWER, st.lists(_ANSWER, max_size=2), _JSON).map(lambda data: json.dumps(data).encode())
_HEADER = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=5).map(str.strip)

CALLS: tuple[Callable[[InvokeClient], Coroutine[Any, Any, object]], ...] = (
    lambda c: c.app_version(),
    lambda c: c.get_setup_status(),
    lambda c: c.get_current_user_info(),
    lambda c: c.login("a", "b"),
    lambda c: c.openapi(),
    lambda c: c.max_queue_size(),
    lambda c: c.enqueue_batch({}),
    lambda c: c.get_queue_status(),
    lambda c: c.get_batch_status("b"),
    lambda c: c.counts_by_destination("d"),
    lambda c: c.get_queue_item_ids(),
    lambda c: c.get_queue_items_by_item_ids([1]),
    lambda c: c.get_queue_item_summaries_by_ids([1]),
    lambda c: c.list_queue_items(),
    lambda c: c.list_all_queue_items(),
    lambda c: c.get_queue_item(1),
    lambda c: c.get_current_queue_item(),
    lambda c: c.get_next_queue_item(),
    lambda c: c.cancel_queue_item(1),
    lambda c: c.cancel_by_batch_ids(["b"]),
    lambda c: c.cancel_by_destination("d"),
    lambda c: c.cancel_all_except_current(),
    lambda c: c.clear(),
    lambda c: c.prune(),
    lambda c: c.delete_queue_item(1),
    lambda c: c.delete_all_except_current(),
    lambda c: c.delete_by_destination("d"),
    lambda c: c.retry_items_by_id([1]),
    lambda c: c.pause(),
    lambda c: c.resume(),
    lambda c: c.list_image_dtos(),
    lambda c: c.get_image_dto("i"),
    lambda c: c.get_image_full("i"),
    lambda c: c.upload_image(b"x"),
    lambda c: c.delete_image("i"),
    lambda c: c.list_boards(),
    lambda c: c.create_board("b"),
    lambda c: c.get_board("b"),
    lambda c: c.delete_board("b"),
    lambda c: c.list_all_board_image_names("b"),
    lambda c: c.get_images_by_names(["i"]),
    lambda c: c.get_image_metadata("i"),
    lambda c: c.get_image_workflow("i"),
    lambda c: c.delete_images_from_list(["i"]),
    lambda c: c.star_images_in_list(["i"]),
    lambda c: c.unstar_images_in_list(["i"]),
    lambda c: c.add_images_to_board("b", ["i"]),
    lambda c: c.remove_images_from_board(["i"]),
    lambda c: c.update_board("b", board_name="n"),
    lambda c: c.list_workflows(),
    lambda c: c.get_workflow("w"),
    lambda c: c.create_workflow({}),
    lambda c: c.delete_workflow("w"),
    lambda c: c.list_models(),
    lambda c: c.parse_dynamicprompts("p"),
)
# Those that are asked for again after a while are left to tests of their own.
_STATUS = st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 409, 418, 422, 500, 507])


class _Answering:
    """A server on a local socket that answers every request with the same bytes, or tells its version."""

    def __init__(self) -> None:
        self.answer = b""
        self.version = ""
        self.asked = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, _, length = head.partition(b"content-length: ")
                await reader.readexactly(int(length.split(b"\r\n")[0] or 0))
                self.asked += 1
                is_told = self.version and b"/app/version" in head
                writer.write(answer(200, json.dumps({"version": self.version})) if is_told else self.answer)
                await writer.drain()
        writer.close()


@_any_number
def test_any_reply_raises_only_our_exceptions(cases: int) -> None:
    """Whatever a server answers over a socket, each method of the client returns or raises one of the tree, at once."""

    async def ask(client: InvokeClient) -> None:
        client.forget()
        for call in CALLS:
            with contextlib.suppress(JobException):
                async with asyncio.timeout(10):
                    await call(client)

    with asyncio.Runner() as runner:
        server: _Answering = runner.run(_Answering().__aenter__())
        client = InvokeClient(server.url, token="t")

        def check(version: str, status: int, content_type: str, body: bytes, retry: str, token: str) -> None:
            head = (
                f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\nretry-after: {retry}\r\n"
                f"x-refreshed-token: {token}\r\nlocation: /{token}\r\n"
            ).encode("latin-1")
            content = b"" if status == 204 else body
            server.answer = head + f"content-length: {len(content)}\r\n\r\n".encode() + content
            server.version = version
            runner.run(ask(client))

        try:
            _try(
                cases // len(CALLS) + 1,  # each answer is given to every call
                check,
                st.sampled_from(["6.14.2", "6.14.2", "6.6.0", ""]),
                _STATUS,
                st.sampled_from(["application/json", "application/json", "text/html", "text/plain", ""]),
                st.one_of(_BODY, _BODY, st.binary(max_size=20), st.just(b"[" * 50_000)),
                _HEADER | st.sampled_from(["²", "9" * 5000, "-1", "0"]),
                _HEADER,
            )
        finally:
            runner.run(client.aclose())
            runner.run(server.__aexit__())
    assert cases <= server.asked


def test_the_fuzzing_knows_every_request() -> None:
    """A new method of the client is fuzzed, too."""
    code = {name for call in CALLS for name in call.__code__.co_names}
    requests = {
        name for name, method in inspect.getmembers(InvokeClient, inspect.iscoroutinefunction) if name[0] != "_"
    }
    assert {"aclose", "has", "logout", "version", "need_oldest", "get_image_thumbnail"} == requests - code


def test_every_request_can_be_made_from_any_loop() -> None:
    """Over the connections of a console, which live on its own thread, each method of the client does the same."""
    loop = LoopThread()
    with scripted(lambda number, request: answer(200, '{"version": "6.14.2"}')) as (url, seen):
        connections = InvokeClient(url)
        client = connections.from_any_loop(loop, None)
        for call in CALLS:
            with contextlib.suppress(JobException):
                asyncio.run(call(client))
        loop.stop(connections.aclose())
    assert len(CALLS) - 2 <= len(seen)  # `list_queue_items` is of older versions, and the schema is read once


@_any_number
def test_any_refusal_becomes_one_of_our_exceptions(cases: int) -> None:
    """Any JSON as an answer becomes an exception of the tree, with one line of bounded length."""

    def check(status: int, content_type: str, body: Any) -> None:
        error = exception_for_reply(status, content_type, json.dumps(body).encode(), "GET /x")
        assert (True, True) == (
            isinstance(error, JobException),
            len(error.message) < 1000 and "\n" not in error.message,
        )
        assert all(isinstance(text, str) for pair in validation_errors(body) for text in pair)

    _try(
        cases, check, st.integers(100, 599), st.sampled_from(["application/json", "text/html", "text/plain", ""]), _JSON
    )


@_any_number
def test_any_event_is_parsed_or_dropped(cases: int) -> None:
    """Any payload becomes an event, or nothing; what becomes an event can be merged, logged and framed."""
    log = EventLog()

    def check(data: dict[str, Any]) -> None:
        for name in names:
            event = parse_event(name, data)
            if event is not None:
                merge.with_event(QueueState(), event)
                log.record(event)

    names = [*PARSERS, "unheard_of"]  # each payload is tried as every event
    _try(cases // len(names) + 1, check, _OBJECT | st.builds(dict.__or__, _OBJECT, _ITEM))
    assert len(log) == len(log.frame())


@_any_number
def test_any_item_is_parsed_logged_and_framed(cases: int) -> None:
    """Any item with an identity can be logged, framed, written and read back; one without raises ValueError."""
    errors, jobs, number = ErrorLog(), JobLog(), itertools.count(1)

    def check(odd: list[dict[str, Any]], identities: list[dict[str, Any]]) -> None:
        for data, identity in itertools.product(odd, identities):
            with contextlib.suppress(ValueError):
                QueueItem.from_json(data)
            item = replace(QueueItem.from_json(data | identity), item_id=next(number))
            errors.record_failure(item)
            jobs.record(item)
            again = from_json(QueueItem, json.loads(json.dumps(to_json(item.without_session()))))
            assert again is not None

    # Each of 3 payloads is tried with each of 4 identities.
    _try(cases // 12 + 1, check, _lists(_OBJECT, 3), _lists(_ITEM, 4))
    assert cases <= next(number)
    assert [len(errors), len(jobs)] == [len(errors.frame()), len(frames.jobs(jobs))]


@_any_number
def test_merging_in_any_order_keeps_the_snapshot_whole(cases: int) -> None:
    """Keys are ids, and terminal items stay terminal, in any order of events, lists and reads."""

    def check(lists: list[list[dict[str, Any]]], listed: list[int]) -> None:
        for received, read in itertools.permutations(lists, 2):
            state = QueueState()
            ended: dict[int, str] = {}
            for data in received:
                state, _ = merge.with_news(state, QueueItem.from_json(data))
                ended |= {i: item.status for i, item in state.items.items() if item.is_terminal and i not in ended}
            state, _ = merge.with_ids(state, listed)
            state, _ = merge.with_items(state, [QueueItem.from_json(data) for data in read])
            kept = {i: state.items[i].status for i in ended if i in state.items}
            found = [item.item_id for item in state.items.values()]
            assert (list(state.items), {i: ended[i] for i in kept}) == (found, kept)

    items = st.lists(_ITEM, max_size=8)
    # Of 4 lists each is received before each of the others is read.
    _try(cases // 12 + 1, check, _lists(items, 4), st.lists(st.integers(-5, 5), max_size=8))


@_any_number
def test_a_long_text_is_cleaned_bounded_and_classified(cases: int) -> None:
    """A text of any length is done soon, and without the secret in it."""

    def check(before: str, after: str) -> None:
        for secret in _SECRETS:
            text = before + secret + after
            item = QueueItem.from_json({"item_id": 1, "status": "failed", "batch_id": "b", "error_message": text})
            log = ErrorLog()
            log.record_failure(item)
            (record,) = log
            assert (False, True) == ("hunter2" in str(record), len(record.message) < 2 * LONGEST)
        reply = exception_for_reply(500, "text/plain", text.encode(), "GET /x")
        assert "hunter2" not in f"{reply} {reply.details}"

    _try(cases // len(_SECRETS) + 1, check, _LONG, _LONG)


@_any_number
def test_a_fingerprint_is_one_line(cases: int) -> None:
    """Whatever the message."""

    def check(messages: list[str], names: list[str | None]) -> None:
        for message, kind, node_type in itertools.product(messages, names, names):
            mark = fingerprint(JobErrorType.UNKNOWN_ERROR, kind, node_type, message)
            assert "\n" not in mark.replace(kind or "", "").replace(node_type or "", "")

    _try(cases // 12 + 1, check, _lists(st.text(), 3), _lists(st.text() | st.none(), 2))
