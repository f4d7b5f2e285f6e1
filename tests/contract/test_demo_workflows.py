"""The workflows that come with the embedded server give the same pictures on the real one."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import invoke_widgets.demo_server
from invoke_widgets.workflows import graph_of
from tests.support.servers import Server
from tests.support.wire import Listener, Wire

_FOLDER = Path(invoke_widgets.demo_server.__file__).parent / "workflows"
_WORKFLOWS = {path.stem: path for path in sorted(_FOLDER.glob("*.json"))}
_SIDE = 6
# Of each picture 6 x 6 pixels, evenly spaced, as hexadecimal digits, a row in an item.
_PIXELS: dict[str, list[str]] = json.loads((Path(__file__).parents[1] / "data" / "demo_workflows.json").read_text())


def pixels(picture: Image.Image) -> list[str]:
    """Return evenly spaced pixels of a picture, as the expected ones are kept."""
    places = [
        [
            ((2 * column + 1) * picture.width // (2 * _SIDE), (2 * row + 1) * picture.height // (2 * _SIDE))
            for column in range(_SIDE)
        ]
        for row in range(_SIDE)
    ]
    plain = picture.convert("RGB")
    return ["".join(bytes(plain.getpixel(place)).hex() for place in row) for row in places]  # type: ignore[arg-type]


def _load(name: str) -> dict[str, Any]:
    workflow: dict[str, Any] = json.loads(_WORKFLOWS[name].read_text("utf-8"))
    return workflow


def _without_batch(workflow: dict[str, Any]) -> dict[str, Any]:
    """Leave out the nodes that only an editor evaluates: the fields that they feed keep their own values."""
    left_out = {node["id"] for node in workflow["nodes"] if node["data"]["type"].endswith(("_batch", "_generator"))}
    return {
        **workflow,
        "nodes": [node for node in workflow["nodes"] if node["id"] not in left_out],
        "edges": [edge for edge in workflow["edges"] if not left_out & {edge["source"], edge["target"]}],
    }


def _upload(wire: Wire) -> str:
    buffer = BytesIO()
    Image.effect_mandelbrot((64, 48), (-2, -1.2, 1, 1.2), 60).convert("RGB").save(buffer, "PNG")
    params = {"image_category": "user", "is_intermediate": True}
    files = {"file": ("set.png", buffer.getvalue(), "image/png")}
    return str(wire.send("POST", "/images/upload", params=params, files=files).json()["image_name"])


def picture_of(wire: Wire, workflow: dict[str, Any]) -> Image.Image:
    """Run a workflow, with an uploaded image in its image fields and a model in its model fields."""
    workflow = _without_batch(workflow)
    for node in workflow["nodes"]:
        inputs = node["data"]["inputs"]
        if node["data"]["type"] == "image":
            inputs["image"]["value"] = {"image_name": _upload(wire)}
        if "model" in inputs:
            models = wire.get("/../v2/models/", model_type="main")["models"]
            inputs["model"]["value"] = {key: models[0][key] for key in ("key", "hash", "name", "base", "type")}
    item = wire.run(graph_of(workflow))
    assert "completed" == item["status"], item["error_message"]
    (final,) = (node["id"] for node in workflow["nodes"] if not node["data"]["isIntermediate"])
    (prepared,) = item["session"]["source_prepared_mapping"][final]
    name = item["session"]["results"][prepared]["image"]["image_name"]
    return Image.open(BytesIO(wire.send("GET", f"/images/i/{name}/full").content))


@pytest.mark.parametrize("name", [name for name in _WORKFLOWS if not name.startswith("demo_")])
def test_a_workflow_gives_its_picture(wire: Wire, name: str) -> None:
    """At most 2 of 255 apart, where Pillow's blur changed from one version to the next."""
    found = pixels(picture_of(wire, _load(name)))
    apart = [
        abs(a - b)
        for expected, row in zip(_PIXELS[name], found, strict=True)
        for a, b in zip(bytes.fromhex(expected), bytes.fromhex(row), strict=True)
    ]
    assert max(apart) <= 2, found


@pytest.mark.parametrize("name", [name for name in _WORKFLOWS if name.startswith("demo_")])
def test_the_embedded_servers_own_text_to_image(wire: Wire, server: Server, name: str) -> None:
    """It reports a preview with each step, on the embedded server alone; the real one does not know the node."""
    if server.kind == "embedded":
        with Listener(server) as listener:
            picture = picture_of(wire, _load(name))
            assert (512, 512) == picture.size
            assert {"positive_prompt", "seed", "steps", "model"} <= json.loads(picture.info["invokeai_metadata"]).keys()
            listener.drain(wire)
        steps = [event.data for event in listener.events if event.data.get("message") == "Denoising"]
        assert [step / 20 for step in range(21)] == [step["percentage"] for step in steps]
        assert 20 == sum(step["image"] is not None for step in steps)
    else:
        graph = {"nodes": {"n": {"id": "n", "type": "demo_text_to_image"}}, "edges": []}
        assert 422 == wire.send("POST", "enqueue_batch", {"batch": {"graph": graph, "runs": 1}}).status_code


@pytest.mark.parametrize("name", _WORKFLOWS)
def test_a_form_names_fields_that_are_there(name: str) -> None:
    """Each element is within another, each field of the form is a node's, and each is exposed and has a label."""
    workflow = _load(name)
    inputs = {node["id"]: node["data"]["inputs"] for node in workflow["nodes"]}
    elements = workflow["form"]["elements"]
    root = workflow["form"]["rootElementId"]
    fields = [e["data"]["fieldIdentifier"] for e in elements.values() if e["type"] == "node-field"]
    children = [child for e in elements.values() if e["type"] == "container" for child in e["data"]["children"]]
    assert sorted(set(elements) - {root}) == sorted(children)
    assert fields == workflow["exposedFields"]
    assert [] == [field for field in fields if field["fieldName"] not in inputs[field["nodeId"]]]
