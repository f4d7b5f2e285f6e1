"""What failed, was canceled or is gone is found, and submitted again with the same values."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import InvalidRequest
from tests.support import editor, graphs
from tests.support.wire import Wire

pytestmark = pytest.mark.every_version

_SUM = {"nodes": {"sum": {"type": "add", "a": 1, "b": 2}}, "edges": []}


def _failing_once() -> dict[str, Any]:
    """A workflow whose job fails the first time that its name runs, and then completes."""
    fail = editor.node("f", "probe_fail", "Trouble", message="x", times=1, name="x")
    return editor.workflow([fail, editor.node("n", "add", "Sum", a=1, b=0)])


def test_failed_jobs_complete_with_the_same_values(console: iw.Console) -> None:
    """One row for each, by the names of its values, whatever the completed ones were; nothing is missing then."""
    once = [str(uuid.uuid4()) for _ in range(3)]
    workflow = console.workflow(_failing_once())
    workflow.submit().wait(30)  # "x" has failed once, and completes from now on
    sweep = workflow.sweep([{"Trouble.name": name, "Sum.a": a} for a, name in enumerate(["x", *once])], seed=None)
    sweep.wait(30)
    missing = sweep.missing()
    assert ("Missing(3 failed)", 3) == (repr(missing), len(list(missing)))
    assert list(zip(once, (1, 2, 3), strict=True)) == _values(missing, "Trouble.name", "Sum.a")
    again = missing.submit()
    frame = again.frame(30)
    assert ["completed"] * 3 == list(frame["status"])
    assert list(zip(once, (1, 2, 3), (1, 2, 3), strict=True)) == list(
        zip(frame["Trouble.name"], frame["Sum.a"], frame["n.value"], strict=True)
    )
    assert ("Missing(none)", 3) == (repr(again.missing()), len(sweep.missing()))
    with pytest.raises(InvalidRequest, match="No job is missing"):
        again.missing().submit()


def _values(missing: Any, *names: str) -> list[tuple[Any, ...]]:
    frame = missing.frame()
    return list(zip(*(frame[name] for name in names), strict=True))


def test_canceled_and_deleted_jobs_are_missing(polling_console: iw.Console, wire: Wire) -> None:
    """Also those that somebody else deleted before they ran; what is open still is not missing."""
    console = polling_console  # a socket would tell that the deleted job was canceled first
    with wire.paused():
        batch = console.submit(_SUM, data={"sum.a": [10, 20, 30, 40]}, destination="here")
        console.cancel(batch.item_ids[1])
        wire.delete(f"i/{batch.item_ids[2]}")
        console.refresh()
        first, second = _values(batch.missing(), "sum.a", "status")
    assert (20, "canceled") == first
    assert second in [(30, "gone"), (30, "canceled")]  # the server cancels before it deletes, and may be read between
    batch.wait(30)
    missing = batch.missing()
    assert 2 == len(missing)
    again = missing.submit()
    assert [22, 32] == [result["sum"]["value"] for result in again.result(30)]
    assert {"here"} == {item.destination for item in again.wait(30)}
    assert "other" == missing.submit(destination="other").wait(30)[0].destination


def test_a_retried_job_counts_by_its_last_attempt(console: iw.Console) -> None:
    """One that a retry completed is not missing; one that failed again is, once."""
    batch = console.submit(graphs.fail(times=2, name=str(uuid.uuid4())))
    batch.wait(30)
    assert 1 == len(batch.missing())
    retry = console.retry(batch.item_ids)
    retry.wait(30)
    assert (1, 1) == (len(batch.missing()), len(retry.missing()))
    console.retry(retry.item_ids).wait(30)
    assert [0] == [len(batch.missing())]


def test_a_later_console_submits_what_is_missing(wire: Wire, tmp_path: Path) -> None:
    """The graph is read from an item that is left, names and values from the history; or it says what is unknown."""
    path = tmp_path / "history.sqlite"
    drawn = editor.workflow([editor.node("n", "add", "Sum", a=1, b=0)])
    with wire.paused(), iw.connect(wire.server.url, history=path) as console:
        batch = console.workflow(drawn).sweep({"Sum.a": [1, 2, 3]}).batches[0]
        console.cancel(batch.item_ids)
    with iw.connect(wire.server.url, history=path) as console:
        wire.delete(f"i/{batch.item_ids[0]}")
        console.refresh()
        missing = console.batch(batch.batch_id).missing()
        assert [1, 2, 3] == [value for (value,) in _values(missing, "Sum.a")]
        again = missing.submit()
        assert [1, 2, 3] == list(again.frame(30)["n.value"])
        assert again.batches[0].item_ids == again.item_ids
        console.clear()
    with iw.connect(wire.server.url, history=path) as console:
        with pytest.raises(InvalidRequest, match="has deleted all items of batch"):
            console.batch(batch.batch_id).missing().submit()
        assert 0 == console.status.total


def test_pictures_of_what_was_missing_carry_the_workflow(console: iw.Console, wire: Wire) -> None:
    """As those of the first submit would have; and it is one handle for several batches."""
    drawn = editor.workflow([editor.node("p", "blank_image", "Blank", width=64, height=64)])
    drawn["nodes"][0]["data"]["isIntermediate"] = False
    with wire.paused():
        sweep = console.workflow(drawn).sweep({"Blank.color": ["#ff0000", "#00ff00"], "Blank.width": [32, 64]})
        console.cancel(sweep.item_ids[1:])
    again = sweep.missing().submit()
    assert (2, [64, 32, 64]) == (len(again.batches), [image.width for image in again.images])
    assert "A sum" == (again.images[0].workflow() or {}).get("name")
    assert ["#ff0000", "#00ff00", "#00ff00"] == list(again.frame(30)["Blank.color"])
