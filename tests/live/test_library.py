"""Every workflow that a server comes with: its form in words, and what cannot run there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import invoke_widgets as iw

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
    """Each field has a name of its own without an id; a node type that the server lacks is its field's problem.

    A generator's field is not among them: the values of the batch node that it feeds are set in its place.
    """
    listed = asyncio.run(console.client.list_workflows(categories=["default"]))
    missing = set()
    for record in listed:
        workflow = console.workflow(record.workflow_id)
        fields = workflow.fields
        names = list(fields["name"])
        shown = [workflow.field(name) for name in names if workflow.field(name).in_form]
        laid_out = [place for place in dict.fromkeys(_laid_out(workflow.to_dict())) if place[1] != "generator"]
        assert laid_out == [(one.node_id, one.field) for one in shown], record.name
        assert len(names) == len(set(names)), record.name
        assert [] == [name for name in names if _UUID.search(name)], record.name
        missing |= {record.name for problem in fields["problem"] if "no node type" in str(problem)}
    if console.demo is not None:
        assert (14, set()) == (len(listed), missing)
    else:
        controls = {"Upscaler - SD1.5, ESRGAN", "Face Detailer - SD1.5", "Text to Image -  SD1.5, Control"}
        assert (26, controls) == (len(listed), missing)
