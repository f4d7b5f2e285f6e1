"""Every workflow that a server comes with: its form in words, and what cannot run there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import InvalidRequest

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


def _laid_out(workflow: dict[str, Any]) -> list[tuple[str, str]]:
    """The node and the field of each element of a form, as it is read; without a form, of each exposed field."""
    if not (form := workflow.get("form")):
        return [(place["nodeId"], place["fieldName"]) for place in workflow["exposedFields"]]

    def walk(element: dict[str, Any]) -> Iterator[tuple[str, str]]:
        data = element.get("data", {})
        if place := data.get("fieldIdentifier"):
            yield place["nodeId"], place["fieldName"]
        for child in data.get("children", ()):
            yield from walk(form["elements"][child])

    return list(walk(form["elements"][form["rootElementId"]]))


def test_every_form_is_told_in_words_and_in_its_order(console: iw.Console) -> None:
    """Each field has a name of its own without an id; a node type that the server lacks is its field's problem."""
    listed = asyncio.run(console.client.list_workflows(categories=["default"]))
    missing = set()
    for record in listed:
        workflow = console.workflow(record.workflow_id)
        fields = workflow.fields
        names = list(fields["name"])
        shown = [workflow.field(name) for name in names if workflow.field(name).in_form]
        laid_out = list(dict.fromkeys(_laid_out(workflow.to_dict())))
        assert laid_out == [(one.node_id, one.field) for one in shown], record.name
        assert len(names) == len(set(names)), record.name
        assert [] == [name for name in names if _UUID.search(name)], record.name
        missing |= {record.name for problem in fields["problem"] if "no node type" in str(problem)}
    if console.demo is not None:
        assert (14, set()) == (len(listed), missing)
    else:
        controls = {"Upscaler - SD1.5, ESRGAN", "Face Detailer - SD1.5", "Text to Image -  SD1.5, Control"}
        assert (26, controls) == (len(listed), missing)


@pytest.mark.timeout(400)
def test_what_cannot_run_is_named_before_it_fails(console: iw.Console) -> None:
    """What has no problem runs to its end; the others, sent past the check, fail at a field that it had named."""
    ran, refused = set(), set()
    for record in asyncio.run(console.client.list_workflows(categories=["default"])):
        workflow = console.workflow(record.workflow_id)
        problems = workflow.problems
        known = [workflow.field(name) for name in workflow]
        named = {
            (one.node_id, one.field) for one in known for problem in problems if problem.startswith(f"{one.name}: ")
        }
        if problems:
            with pytest.raises(InvalidRequest) as caught:
                workflow.submit()
            assert " ".join(problems) == caught.value.message, record.name
        if any("no node type" in problem for problem in problems):
            with pytest.raises(InvalidRequest, match="no node type"):
                console.submit(workflow.to_dict())
            refused.add(record.name)
            continue
        batch, refusal = None, ""
        try:
            batch = console.submit(workflow.to_dict())
        except InvalidRequest as refused_by_server:  # which wants the models of some nodes in the graph
            refusal = str(refused_by_server)
        if batch is None:
            assert any(f"nodes.{node}." in refusal and f".{field}: " in refusal for node, field in named)
            continue
        for item in batch.wait(100):
            message = str(item.error_message)
            if not problems:
                assert "completed" == item.status, (record.name, message)
                ran.add(record.name)
                continue
            error = console.errors.of_item(item.item_id)
            assert error is not None, record.name
            fields = [field for node_id, field in named if node_id == error.node_id]
            assert any(message.endswith(f"for field {field}") for field in fields) or (
                fields and message.startswith("Unknown model")
            ), (record.name, problems, message)
    assert ((10, 0) if console.demo is not None else (0, 3)) == (len(ran), len(refused))
