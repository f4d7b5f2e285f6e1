"""A workflow of the editor is submitted as a graph is, and becomes what InvokeAI itself makes of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets import workflows
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.widgets.submitter import JobSubmitter, recent
from tests.support import editor
from tests.support.parts import said
from tests.support.real_server.install import VERSIONS, installed
from tests.support.wire import until

_BUILDER = Path(__file__).parents[1] / "support" / "real_server" / "builder.py"


def test_workflow_runs_with_fields_varied_by_label(console: iw.Console) -> None:
    """It completes with the outputs of its own nodes."""
    batch = console.submit(editor.sums(), data={"First Sum.a": [1, 5], "n2.b": [10, 20]})
    assert [13, 27] == [result["n2"]["value"] for result in batch.result()]


def test_batch_nodes_are_combined_with_data(console: iw.Console) -> None:
    """What the workflow varies by itself and what is passed beside it give all combinations."""
    drawn = editor.sums()
    drawn["nodes"].append(editor.node("batch", "integer_batch", integers=[1, 2, 3], batch_group_id="None"))
    drawn["edges"].append(editor.edge("batch.value -> n1.a"))
    batch = console.submit(drawn, data={"n2.b": [10, 20]})
    sums = [result["n2"]["value"] for result in batch.result()]
    assert (6, [13, 23, 14, 24, 15, 25]) == (batch.enqueued, sums)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"add.a": [1]}, "data.add.a: 2 nodes of the workflow have the type 'add': n1, n2."),
        ({"n2.a": [1]}, "data.n2.a: is set by an edge from 'n1'"),
        ({"n2.b": ["x"]}, "data.n2.b[0]: should be an integer, got 'x'"),
    ],
)
def test_values_for_a_workflow_are_checked(console: iw.Console, data: dict[str, Any], words: str) -> None:
    """Bad ones are refused before anything is sent, as with a graph."""
    with pytest.raises(InvalidRequest) as caught:
        console.submit(editor.sums(), data=data)
    assert (True, 0) == (words in str(caught.value), console.status.total)


def test_unknown_node_type_of_a_workflow_is_named(console: iw.Console) -> None:
    """A workflow may come from a server with other node packs."""
    drawn = editor.workflow([editor.node("n1", "canny_from_a_pack")])
    with pytest.raises(InvalidRequest, match=r"nodes\.n1\.type: this server has no node type 'canny_from_a_pack'"):
        console.submit(drawn)


def test_form_suggests_the_fields_of_a_workflow(console: iw.Console) -> None:
    """It is checked as it is, its fields are suggested by name, and it is remembered by its own."""
    form = JobSubmitter(console, graph=editor.sums(), data={"n2.b": [1, 2]})
    until(lambda: form.plan.startswith("2 jobs"), "the check")
    assert ["n2.b", "First Sum.a", "First Sum.b"] == form.fields
    form.submit()
    assert said(form).startswith("Enqueued 2 of 2")
    until(lambda: recent(console), "it to be remembered")
    assert "A sum, 2 jobs" == recent(console)[0].label
    form.close()


@pytest.mark.real
@pytest.mark.timeout(400)
def test_graphs_equal_those_that_invokeai_builds() -> None:
    """Each workflow that comes with InvokeAI becomes the graph that its own builder makes of it."""
    command = [installed(VERSIONS[0]), "-P", _BUILDER]
    environment = {**os.environ, "INVOKEAI_PATCHMATCH": "false", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    pairs = json.loads(done.stdout)
    ours = [workflows.graph_of(pair["workflow"]) for pair in pairs]
    assert 20 < len(pairs)
    assert [_sorted(pair["graph"]) for pair in pairs] == [_sorted(graph) for graph in ours]


def _sorted(graph: dict[str, Any]) -> dict[str, Any]:
    return {**graph, "edges": sorted(graph["edges"], key=json.dumps)}
