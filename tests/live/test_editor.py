"""What is sent for a workflow is what InvokeAI's own web interface sends for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import InvalidRequest
from tests.support.chaos import ChaosProxy
from tests.support.editor_capture import NAMES, captured, pages, read, replaced, stocked
from tests.support.real_server.install import VERSIONS
from tests.support.servers import RealServer
from tests.support.wire import Wire, until

_OURS = {"batch_id"}  # chosen before it is sent, so that a lost reply can be settled
_THEIRS = {"destination"}  # the web interface's own gallery
# What the editor adds to the nodes of a workflow while it is loaded.
_ADDED = ("dynamicInputTemplates",)


@pytest.mark.parametrize("name", NAMES)
def test_the_body_equals_the_editors(wire: Wire, name: str) -> None:
    """Field by field: graph, values in their order, runs, and the workflow that the pictures will carry."""
    case = read(name)
    with (
        wire.paused(),
        stocked(wire, case) as ids,
        ChaosProxy(wire.server.url) as proxy,
        iw.connect(proxy.url) as console,
    ):
        until(lambda: console.status.connection.mode == "live", "the socket")
        workflow = console.workflow(replaced(case["workflow"], ids))
        if "called" in case and console.demo is not None:
            with pytest.raises(InvalidRequest, match="no node type 'call_saved_workflow'"):
                workflow.submit()
            return
        workflow.submit()
        (body,) = [json.loads(seen.body) for seen in proxy.seen if seen.path.endswith("/enqueue_batch")]
    ours, theirs = replaced(body, {new: old for old, new in ids.items()}), case["sent"]
    assert theirs["prepend"] is ours.get("prepend", False)
    ours, theirs = {"data": [], **ours["batch"]}, theirs["batch"]
    assert (_OURS, _THEIRS) == (ours.keys() - theirs.keys(), theirs.keys() - ours.keys())
    assert ("invoke_widgets", "workflows") == (ours["origin"], theirs["origin"])
    for part in ("data", "graph", "runs"):
        assert theirs[part] == ours[part]
    # A workflow of before there were forms is sent as it is: the editor gives it one.
    upgraded = ("form", "meta") if ours["workflow"]["meta"]["version"] == "3.0.0" else ()
    assert _plain(theirs["workflow"], upgraded) == _plain(ours["workflow"], upgraded)


def _plain(workflow: dict[str, Any], left_out: tuple[str, ...]) -> dict[str, Any]:
    """A workflow without what the editor adds."""
    nodes = [
        {**node, "data": {key: value for key, value in node["data"].items() if key not in _ADDED}}
        for node in workflow["nodes"]
    ]
    return {**{key: value for key, value in workflow.items() if key not in left_out}, "nodes": nodes}


@pytest.mark.real
@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_editor_still_sends_what_was_captured() -> None:
    """Two of them, in the real server's web interface."""
    server = RealServer(VERSIONS[0])
    server.start()
    try:
        with pages() as page:
            for name in ("random_with_seeds", "prompts_of_a_template"):
                assert read(name)["sent"] == captured(server, name, page())
    finally:
        server.stop()
