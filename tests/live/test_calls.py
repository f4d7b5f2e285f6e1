"""Jobs that call a saved workflow: servers from 6.14 on run each call as an item of its own in the same batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import InvalidRequest
from tests.support import editor
from tests.support.graphs import Graph, graph
from tests.support.real_server.install import VERSIONS
from tests.support.servers import RealServer
from tests.support.wire import Wire

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def newest() -> Iterator[RealServer]:
    """InvokeAI's newest version: the embedded server has no node that calls."""
    server = RealServer(VERSIONS[0])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def wire(newest: RealServer) -> Iterator[Wire]:
    with Wire(newest) as wire:
        wire.clean()
        yield wire


@pytest.fixture
def console(newest: RealServer, wire: Wire) -> Iterator[iw.Console]:
    with iw.connect(newest.url) as console:
        yield console


def call_of(wire: Wire, *nodes: dict[str, Any], times: int = 1) -> Graph:
    """A graph that calls a workflow of these nodes, or one that calls one that calls it, and so on."""
    for _ in range(times):
        saved = editor.workflow([*nodes, editor.node("back", "workflow_return", values=[])], id="")
        workflow_id = wire.post("/workflows/", {"workflow": {k: v for k, v in saved.items() if k != "id"}})[
            "workflow_id"
        ]
        nodes = (editor.node("call", "call_saved_workflow", workflow_id=workflow_id),)
    return graph({"call": {"type": "call_saved_workflow", "workflow_id": workflow_id}})


def test_a_batch_ignores_called_workflows(console: iw.Console, wire: Wire) -> None:
    """They are not its jobs: neither counted nor waited for, nor reported as deleted."""
    called = call_of(wire, editor.node("sleep", "probe_sleep", seconds=0.5, steps=1))
    batch = console.submit(called, runs=2)
    counts: list[Any] = []
    end = batch.on_change(counts.append)
    assert 2 == len(batch.result(60))
    console.refresh()
    again = console.batch(batch.batch_id)
    for handle in (batch, again):
        assert (2, 2, 2) == (len(handle), handle.enqueued, handle.status.completed)
    assert 4 == wire.queue_status()["completed"]
    assert 2 == max(status.total for status in counts)
    end()


def test_retry_failed_retries_a_caller_once(console: iw.Console, wire: Wire) -> None:
    """A call fails together with the job that made it, and both are one to retry, however often."""
    batch = console.submit(call_of(wire, editor.node("div", "div", a=1, b=0), times=2))
    batch.wait(60)
    root = batch.item_ids[0]
    last, line = root, [root]
    for _ in range(3):
        retry = console.retry_failed()
        assert ([last], ()) == (list(retry.new_item_ids), retry.skipped)
        (last,) = retry.item_ids
        line.append(last)
        retry.wait(60)
    console.refresh()
    assert line == sorted(item.item_id for item in console.queue if item.parent_item_id is None)
    assert 3 * len(line) == len(console.queue)


def test_retry_of_a_called_item_retries_its_caller(console: iw.Console, wire: Wire) -> None:
    """Asked for the called items, or for all, it retries the outermost caller, and says so."""
    batch = console.submit(call_of(wire, editor.node("div", "div", a=1, b=0), times=2))
    batch.wait(60)
    root = batch.item_ids[0]
    called = [item_id for item_id in wire.item_ids() if item_id != root]
    assert 2 == len(called)
    for asked in (called[0], called, [root, *called]):
        retry = console.retry(asked)
        assert ([root], ()) == (list(retry.new_item_ids), retry.skipped)
        retry.wait(60)
    console.refresh()
    assert 4 == sum(item.parent_item_id is None for item in console.queue)


def test_a_called_workflow_gets_the_values_that_are_set(console: iw.Console, wire: Wire) -> None:
    """Its fields are set in the caller, by their names there, also to what another node puts out, and swept."""
    saved = editor.sums()
    saved["nodes"] += [
        editor.node("named", "workflow_return_value", key="sum", value=...),
        editor.node("back", "workflow_return"),
    ]
    saved["edges"] += [editor.edge("n2.value -> named.value"), editor.edge("named.value -> back.values")]
    saved["exposedFields"] = [{"nodeId": "n1", "fieldName": "a"}, {"nodeId": "n2", "fieldName": "b"}]
    del saved["id"]
    workflow_id = wire.post("/workflows/", {"workflow": saved})["workflow_id"]
    try:
        call = editor.node("call", "call_saved_workflow", "Call", workflow_id=workflow_id)
        fed = {**editor.edge("n.value -> call.x"), "targetHandle": "saved_workflow_input::n1::a"}
        drawn = editor.workflow([editor.node("n", "add", "Sum", a=20, b=30), call], fed)
        assert [{"sum": 50 + 2 + 10}] == [result["call"]["values"] for result in console.submit(drawn).result(60)]
        workflow = console.workflow(drawn)
        assert (10, "Sum.value") == (workflow["Call.B"], workflow.field("Call.A").fed_by)
        frame = workflow.sweep({"Call.B": [100, 200], "Sum.a": [1, 2]}).frame(60)
        expected = [(100, 1, 133), (100, 2, 134), (200, 1, 233), (200, 2, 234)]
        assert expected == list(zip(frame["Call.B"], frame["Sum.a"], frame["call.sum"], strict=True))
        workflow["Call.A"] = 0
        assert [{"sum": 0 + 2 + 10}] == [result["call"]["values"] for result in workflow.submit().result(60)]
    finally:
        wire.delete(f"/workflows/i/{workflow_id}")
    with pytest.raises(InvalidRequest, match="this server's library has no workflow"):
        console.workflow(drawn).submit()
