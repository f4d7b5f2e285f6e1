"""Graphs and workflows to try things with. None needs a model: they run on the demo server and on any InvokeAI.

>>> console.submit(iw.examples.square(), data={"blur.radius": [2, 8, 24]})

Each is InvokeAI's own JSON, and may be changed before it is submitted. Only the last image goes to the server's
gallery: those on the way to it are intermediate.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from invoke_widgets.errors import InvalidRequest

Graph = dict[str, Any]


def add_and_multiply(a: int = 1, b: int = 2, factor: int = 10) -> Graph:
    """A number at once, (a + b) * factor; nodes `add` and `mul`."""
    return _graph({"add": {"type": "add", "a": a, "b": b}, "mul": {"type": "mul", "b": factor}}, "add.value -> mul.a")


def divide(a: int = 12, b: int = 1) -> Graph:
    """A number at once; node `quotient`. With 0 for `b`, or for `quotient.b` in `data`, it fails."""
    return _graph({"quotient": {"type": "div", "a": a, "b": b}})


def square(size: int = 192, radius: float = 8) -> Graph:
    """A picture of a blurred square on a dark ground; nodes `ground`, `patch`, `paste` and `blur`."""
    return _graph(
        {
            "ground": _blank(size, (24, 32, 64)),
            "patch": _blank(size // 2, (255, 176, 32)),
            "paste": {"type": "img_paste", "x": size // 4, "y": size // 4, **_UNSEEN},
            "blur": {"type": "img_blur", "radius": radius},
        },
        "ground.image -> paste.base_image",
        "patch.image -> paste.image",
        "paste.image -> blur.image",
    )


def slow(steps: int = 40, size: int = 2048) -> Graph:
    """Some seconds of work in `steps` blurs, to watch or cancel; nodes `blank`, `range`, `each` and `blur`."""
    return _graph(
        {
            "blank": {**_blank(size, (24, 32, 64)), "use_cache": False},
            "range": {"type": "range", "start": 5, "stop": 5 + steps},
            "each": {"type": "iterate"},
            "blur": {"type": "img_blur", "use_cache": False, **_UNSEEN},
        },
        "range.collection -> each.collection",
        "each.item -> blur.radius",
        "blank.image -> blur.image",
    )


def missing_image() -> Graph:
    """Fails, as its image does not exist; node `resize`."""
    return _graph({"resize": {"type": "img_resize", "image": {"image_name": "deleted.png"}, **_UNSEEN}})


def workflow(name: str = "islands") -> dict[str, Any]:
    """A workflow of InvokeAI's editor with a form, which makes a picture without a model, for `console.workflow`.

    Args:
        name: "aurora", "clouds", "collage", "gradient", "islands", "lava", "mosaic", "starry_sky", "sunset", ...

    Raises:
        InvalidRequest: there is none of this name.
    """
    folder = files("invoke_widgets") / "demo_server" / "workflows"
    known = sorted(path.name.removesuffix(".json") for path in folder.iterdir() if path.name.endswith(".json"))
    if name not in known:
        raise InvalidRequest(f"name: should be one of {', '.join(known)}, got {name!r}.", field="name")
    read: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return read


_UNSEEN = {"is_intermediate": True}


def _blank(size: int, color: tuple[int, int, int]) -> dict[str, Any]:
    channels = dict(zip("rgb", color, strict=True)) | {"a": 255}
    return {"type": "blank_image", "width": size, "height": size, "color": channels, **_UNSEEN}


def _graph(nodes: dict[str, dict[str, Any]], *edges: str) -> Graph:
    """A graph of nodes by id, and edges such as "add.value -> mul.a"."""

    def end(text: str) -> dict[str, str]:
        node, field = text.split(".")
        return {"node_id": node, "field": field}

    pairs = [edge.split(" -> ") for edge in edges]
    return {"nodes": nodes, "edges": [{"source": end(out), "destination": end(into)} for out, into in pairs]}
