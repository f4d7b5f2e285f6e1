"""InvokeAI 7, which nobody can install yet, has what the client sends and reads: so says its OpenAPI document."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import PIL.Image
import pytest

from invoke_widgets import InvokeClient
from invoke_widgets.client.transport import Transport
from invoke_widgets.errors import JobException
from invoke_widgets.events import PARSERS, parse_event
from tests.support.graphs import add_and_multiply, fail
from tests.support.openapi import EVENTS, READ, REQUESTS
from tests.support.servers import EmbeddedServer
from tests.support.wire import Wire

EXTRACT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data" / "openapi-7.json").read_text())

_FULLER = {
    "SessionQueueItemSummary": "SessionQueueItem",
    "WorkflowRecordListItemWithThumbnailDTO": "WorkflowRecordWithThumbnailDTO",
    "QueueItemStatusChangedEvent": "SessionQueueItem",
}
"""Answers that have a part of what another one has; both are read in the same way."""

_NOT_SENT = {"list_queue_items", "logout", "version", "has", "need_oldest", "aclose", "openapi"}
"""Those that send nothing of the queue's, or only to older versions."""


class Asked(dict[str, Any]):
    """A JSON object that notes which of its fields are read."""

    def __init__(self, data: Mapping[str, Any], kind: str, asked: set[tuple[str, str]]) -> None:
        fields = {name.rstrip("!"): kind for name, kind in EXTRACT["types"].get(kind, {}).items()}
        super().__init__({name: noting(value, fields.get(name, ""), asked) for name, value in data.items()})
        self._kind, self._asked = kind, asked

    def get(self, key: str, default: Any = None) -> Any:
        self._asked.add((self._kind, key))
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._asked.add((self._kind, key))
        return super().__getitem__(key)


def noting(data: Any, kind: str, asked: set[tuple[str, str]]) -> Any:
    """Return decoded JSON of a kind whose objects note what is read, if the extract knows their type."""
    if isinstance(data, list):
        return [noting(each, kind.removeprefix("list of "), asked) for each in data]
    return Asked(data, kind, asked) if isinstance(data, dict) and kind in EXTRACT["types"] else data


class Noting(Transport):
    """Connections that note what is sent over them, and what is read of the answers."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.sent: dict[str, list[tuple[set[str], Any]]] = {}
        self.asked: set[tuple[str, str]] = set()

    async def sized_json(self, method: str, path: str, **options: Any) -> tuple[Any, int]:
        form = dict.fromkeys(options.get("files") or (), "")
        request = self._note(method, path, options.get("params"), options.get("body") or form or None)
        data, size = await super().sized_json(method, path, **options)
        return noting(data, EXTRACT["requests"].get(request, {}).get("answer", ""), self.asked), size

    async def content(self, path: str) -> bytes:
        self._note("GET", path, None, None)
        return await super().content(path)

    def _note(self, method: str, path: str, params: Mapping[str, Any] | None, body: Any) -> str:
        given = {name for name, value in (params or {}).items() if value is not None}
        fitting = [request for request in REQUESTS if _fits(request, f"{method} {urlsplit(path).path}")]
        request = fitting[0] if fitting else f"{method} {path}"
        self.sent.setdefault(request, []).append((given, body))
        return request


def _fits(request: str, sent: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(request)), sent) is not None


def _picture() -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


async def _send_everything(client: InvokeClient, failed: int) -> set[str]:
    """Call each method of the client that sends something, and return their names."""
    called: set[str] = set()

    async def call(name: str, *args: Any, **options: Any) -> Any:
        called.add(name)
        with suppress(JobException):
            return await getattr(client, name)(*args, **options)

    batch = {
        "graph": add_and_multiply(),
        "runs": 2,
        "data": [[{"node_path": "add", "field_name": "a", "items": [1, 2]}]],
        "batch_id": "one",
        "origin": "me",
        "destination": "here",
    }
    await call("pause")
    await call("enqueue_batch", batch, prepend=True)
    ids = (await call("get_queue_item_ids")).item_ids
    for name in ("app_version", "get_setup_status", "get_current_user_info", "max_queue_size", "get_queue_status",
                 "list_all_queue_items", "get_current_queue_item", "get_next_queue_item", "list_boards"):  # fmt: skip
        await call(name)
    await call("login", "a@b.example", "secret")
    await call("get_batch_status", "one")
    await call("counts_by_destination", "here")
    await call("get_queue_items_by_item_ids", ids)
    await call("get_queue_item_summaries_by_ids", ids)
    await call("get_queue_item", failed)
    await call("retry_items_by_id", [failed])
    await call("cancel_queue_item", ids[0])
    await call("delete_queue_item", ids[0])
    await call("cancel_by_batch_ids", ["one"])
    for name in ("cancel_by_destination", "delete_by_destination"):
        await call(name, "here")
    for name in ("cancel_all_except_current", "delete_all_except_current", "prune", "clear", "resume"):
        await call(name)

    board = await call("create_board", "one")
    await call("update_board", board.board_id, board_name="other")
    await call("get_board", board.board_id)
    image = await call("upload_image", _picture(), board_id=board.board_id)
    await call("list_image_dtos", board_id=board.board_id, is_intermediate=False, starred_first=True)
    for name in ("get_image_dto", "get_image_metadata", "get_image_workflow", "get_image_full", "get_image_thumbnail"):
        await call(name, image.image_name)
    for name in ("get_images_by_names", "star_images_in_list", "unstar_images_in_list", "remove_images_from_board"):
        await call(name, [image.image_name])
    await call("add_images_to_board", board.board_id, [image.image_name])
    await call("list_all_board_image_names", board.board_id)
    await call("delete_images_from_list", [image.image_name])
    await call("delete_image", "gone.png")
    await call("delete_board", board.board_id, include_images=True)

    await call("list_workflows", categories=["default"], query="a", per_page=10)
    some = {"name": "x", "nodes": [], "edges": [], "author": "", "description": "", "version": "", "contact": "",
            "tags": "", "notes": "", "exposedFields": [], "meta": {"version": "3.0.0", "category": "user"}}  # fmt: skip
    workflow = await call("create_workflow", some)
    await call("get_workflow", workflow.workflow_id)
    await call("delete_workflow", workflow.workflow_id)
    await call("list_models", model_type="main", base="sdxl")
    await call("parse_dynamicprompts", "a {red|blue} cat", seed=1)
    return called


@pytest.fixture(scope="module")
def noted(embedded_server: EmbeddedServer) -> Noting:
    """What the client sends, and what it reads of the answers."""
    with Wire(embedded_server) as wire:
        failed = wire.run(fail())["item_id"]

    async def run() -> Noting:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("invoke_widgets.client.client.Transport", Noting)
            client = InvokeClient(embedded_server.url)
        async with client:
            called = await _send_everything(client, failed)
        methods = {name for name, one in inspect.getmembers(InvokeClient, inspect.iscoroutinefunction)}
        assert set() == {name for name in methods if not name.startswith("_")} - called - _NOT_SENT
        assert isinstance(client.transport, Noting)
        return client.transport

    return asyncio.run(run())


def test_each_request_is_known(noted: Noting) -> None:
    """The routes are those of the extract, and all of them are used."""
    assert set(EXTRACT["requests"]) == set(noted.sent) == set(REQUESTS)


def test_each_parameter_and_field_that_is_sent_is_known(noted: Noting) -> None:
    """Queries and bodies have what must be given, and nothing that the server does not know."""
    for request, times in noted.sent.items():
        known = EXTRACT["requests"][request]
        for given, body in times:
            _check_names(request, given, known["parameters"])
            if isinstance(body, dict) and known["body"] in EXTRACT["types"]:
                _check_names(request, set(body), EXTRACT["types"][known["body"]])
    ((_, enqueued),) = noted.sent["POST /api/v1/queue/{queue_id}/enqueue_batch"]
    _check_names("batch", set(enqueued["batch"]), EXTRACT["types"]["Batch"])


def _check_names(request: str, given: set[str], known: Any) -> None:
    assert (request, set()) == (request, given - {name.rstrip("!") for name in known})
    assert (request, set()) == (request, {name[:-1] for name in known if name.endswith("!")} - given)


def test_each_field_that_is_read_is_known(noted: Noting) -> None:
    """What the client reads of an answer is there, or is what a fuller answer of the same item has."""
    unknown = {(kind, name) for kind, name in noted.asked if name not in _known(kind)}
    assert {("NodeFieldValue", "name"), ("NodeFieldValue", "file")} == unknown  # which are our own
    assert set(READ) == {kind for kind, _ in noted.asked}


@pytest.mark.parametrize("event", PARSERS)
def test_each_field_of_an_event_is_known(event: str) -> None:
    """Each event is parsed, and what is read of it is there."""
    asked: set[tuple[str, str]] = set()
    assert parse_event(event, noting(_sample(EVENTS[event]), EVENTS[event], asked)) is not None
    assert set() == {(kind, name) for kind, name in asked if name not in _known(kind)}


def _known(kind: str) -> set[str]:
    return {name.rstrip("!") for each in (kind, _FULLER.get(kind, kind)) for name in EXTRACT["types"][each]}


def _sample(kind: str) -> Any:
    """Return a value of a kind."""
    if kind in EXTRACT["types"]:
        return {name.rstrip("!"): _sample(each) for name, each in EXTRACT["types"][kind].items()}
    if kind.startswith("list of "):
        return [_sample(kind.removeprefix("list of "))]
    return {"integer": 1, "number": 0.5, "boolean": True, "string": "x"}.get(kind, {})
