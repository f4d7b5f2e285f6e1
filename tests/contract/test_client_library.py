"""The client's methods for workflows, models and prompt templates, against the server."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from invoke_widgets.errors import InvalidRequest, NotFound
from invoke_widgets.records import ModelRecord, WorkflowRecord
from tests.support.blocking import BlockingClient
from tests.support.servers import Server
from tests.support.wire import Wire, until


def _workflow(**other: Any) -> dict[str, Any]:
    """A workflow of one node, as the editor exports it."""
    inputs = {field: {"name": field, "label": "", "value": value} for field, value in {"a": 1, "b": 2}.items()}
    data = {"id": "n", "type": "add", "version": "1.0.1", "label": "", "inputs": inputs, "isOpen": True}
    return {
        **dict.fromkeys(("author", "contact", "notes"), ""),
        "name": "tests: add",
        "description": "Adds two numbers",
        "version": "1.0.0",
        "tags": "tests, sums",
        "exposedFields": [{"nodeId": "n", "fieldName": "a"}],
        "meta": {"version": "3.0.0", "category": "user"},
        "nodes": [{"id": "n", "type": "invocation", "data": data, "position": {"x": 0, "y": 0}}],
        "edges": [],
        "form": {"rootElementId": "root", "elements": {"root": {"id": "root", "type": "container"}}},
        **other,
    }


@pytest.fixture
def workflow(client: BlockingClient) -> Iterator[WorkflowRecord]:
    """A workflow in the library, which is deleted afterwards."""
    created = client.create_workflow(_workflow())
    yield created
    client.delete_workflow(created.workflow_id)


@pytest.fixture
def model(client: BlockingClient, server: Server, wire: Wire, tmp_path: Path) -> ModelRecord:
    """A model that is installed: on the real server the smallest that it takes, an embedding of one token."""
    if not client.list_models() and server.kind == "real":
        numbers = struct.pack("<768f", *[0.0] * 768)
        header = json.dumps({"emb_params": {"dtype": "F32", "shape": [1, 768], "data_offsets": [0, len(numbers)]}})
        file = tmp_path / "tiny.safetensors"
        file.write_bytes(struct.pack("<Q", len(header)) + header.encode() + numbers)
        job = wire.answer("POST", "/../v2/models/install", {"name": "Tiny"}, params={"source": str(file)})
        until(lambda: wire.get(f"/../v2/models/install/{job['id']}")["status"] in ("completed", "error"), "a model")
    return client.list_models()[0]


def test_a_workflow_that_came_with_a_server_is_added_as_the_users(client: BlockingClient) -> None:
    """The server would answer 500."""
    created = client.create_workflow(_workflow(meta={"version": "3.0.0", "category": "default"}))
    try:
        assert "user" == client.get_workflow(created.workflow_id).category
    finally:
        client.delete_workflow(created.workflow_id)


def test_a_new_workflow_is_listed_and_read(client: BlockingClient, workflow: WorkflowRecord) -> None:
    """The list has its summary, and the record the workflow as it was sent, with an id."""
    (listed,) = [one for one in client.list_workflows() if one.workflow_id == workflow.workflow_id]
    read = client.get_workflow(workflow.workflow_id)
    assert ("tests: add", "Adds two numbers", "user", "tests, sums", None) == (
        listed.name,
        listed.description,
        listed.category,
        listed.tags,
        listed.workflow,
    )
    assert listed.created_at is not None
    assert read.workflow == workflow.workflow
    assert {**_workflow(), "id": workflow.workflow_id} == {
        key: (read.workflow or {})[key] for key in (*_workflow(), "id")
    }
    assert (listed.description, listed.category, listed.tags) == (read.description, read.category, read.tags)


def test_workflows_are_found(client: BlockingClient, workflow: WorkflowRecord) -> None:
    """By words of the name, the description and the tags in either case, and by category."""

    def is_found(**options: Any) -> bool:
        return workflow.workflow_id in {one.workflow_id for one in client.list_workflows(**options)}

    assert [True] * 3 == [is_found(query=words) for words in ("tests: a", " TWO NUMBERS ", "sums")]
    assert not is_found(query="no such words")
    assert [True, False] == [is_found(categories=[category]) for category in ("user", "default")]
    assert is_found(categories=["default", "user"], query="sums")


def test_workflows_come_in_pages(client: BlockingClient, workflow: WorkflowRecord) -> None:
    """The pages together are the whole list, which is ordered by name."""
    listed = client.list_workflows()
    assert sorted(one.name for one in listed) == [one.name for one in listed]
    pages = [client.list_workflows(page=page, per_page=1) for page in range(len(listed) + 1)]
    assert [[one] for one in listed] + [[]] == pages


def test_the_server_has_workflows_of_its_own(client: BlockingClient) -> None:
    """They are in the category "default", and can be read but not be deleted."""
    defaults = client.list_workflows(categories=["default"])
    assert {"default"} == {one.category for one in defaults}
    first = client.get_workflow(defaults[0].workflow_id)
    assert first.workflow is not None
    assert (defaults[0].name, first.workflow_id) == (first.workflow["name"], first.workflow["id"])


def test_a_deleted_workflow_is_not_found(client: BlockingClient, server: Server) -> None:
    """It can neither be read nor, where the server looks, be deleted again."""
    workflow_id = client.create_workflow(_workflow()).workflow_id
    client.delete_workflow(workflow_id)
    with pytest.raises(NotFound):
        client.get_workflow(workflow_id)
    with pytest.raises(NotFound):
        client.delete_workflow(workflow_id)


def test_a_broken_workflow_is_refused(client: BlockingClient) -> None:
    """The error names what is missing."""
    broken = _workflow()
    del broken["nodes"]
    with pytest.raises(InvalidRequest, match="nodes"):
        client.create_workflow(broken)


def test_models_are_listed_by_type_and_base(client: BlockingClient, model: ModelRecord) -> None:
    """All of them, those of a type, and those of a base."""
    every = client.list_models()
    assert [one for one in every if one.type == model.type] == client.list_models(model_type=model.type)
    assert [one for one in every if one.base == model.base] == client.list_models(base=model.base)
    assert [] == client.list_models(model_type=model.type, base="sd-3" if model.base != "sd-3" else "sd-1")


def test_an_unknown_type_of_model_is_refused(client: BlockingClient) -> None:
    """The error names the argument."""
    with pytest.raises(InvalidRequest, match="model_type"):
        client.list_models(model_type="no-such-type")


def test_a_node_takes_a_models_identifier(wire: Wire, model: ModelRecord) -> None:
    """What the record gives is what a model field takes."""
    node = {"id": "m", "type": "model_identifier", "model": model.identifier}
    item = wire.run({"id": "g", "nodes": {"m": node}, "edges": []})
    (result,) = item["session"]["results"].values()
    assert ("completed", model.key, model.name) == (item["status"], result["model"]["key"], result["model"]["name"])


def test_a_node_refuses_a_model_that_is_not_there(wire: Wire, model: ModelRecord) -> None:
    """The item fails with the key."""
    node = {"id": "m", "type": "model_identifier", "model": {**model.identifier, "key": "gone"}}
    item = wire.run({"id": "g", "nodes": {"m": node}, "edges": []})
    assert ("failed", "Exception", "Unknown model gone") == (item["status"], item["error_type"], item["error_message"])


def test_a_template_is_expanded(client: BlockingClient) -> None:
    """Each combination once, in the order of the template."""
    expected = {
        "a cat": ["a cat"],
        "a {red|blue} {cat|dog}": ["a red cat", "a red dog", "a blue cat", "a blue dog"],
        "{2$$ and $$a|b|c}": ["a and b", "a and c", "b and a", "b and c", "c and a", "c and b"],
        "{0.2::rare|often}": ["rare", "often"],
        "": [""],
    }
    assert expected == {template: client.parse_dynamicprompts(template) for template in expected}


def test_random_prompts_of_a_seed(client: BlockingClient) -> None:
    """The same seed gives the same prompts on every server, as many as asked for."""
    prompts = client.parse_dynamicprompts("{a|b|c|d} {e|f|g}", max_prompts=4, combinatorial=False, seed=7)
    assert ["d f", "d f", "d e", "b e"] == prompts


def test_a_template_that_cannot_be_understood(client: BlockingClient) -> None:
    """The error quotes it."""
    with pytest.raises(InvalidRequest, match=r"'a \{red' cannot be understood"):
        client.parse_dynamicprompts("a {red")
