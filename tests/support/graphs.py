"""Graphs for the tests. None needs a model; names and docstrings say how each ends."""

from __future__ import annotations

from typing import Any

Graph = dict[str, Any]


def graph(nodes: dict[str, dict[str, Any]], *edges: str) -> Graph:
    """Return a graph from nodes by id and edges such as `"add.value -> mul.a"`."""
    return {
        "nodes": {node_id: {"id": node_id, **node} for node_id, node in nodes.items()},
        "edges": [_edge(edge) for edge in edges],
    }


def _edge(text: str) -> dict[str, Any]:
    source, destination = ({"node_id": n, "field": f} for n, f in (end.strip().split(".") for end in text.split("->")))
    return {"source": source, "destination": destination}


def add_and_multiply(a: int = 1, b: int = 2, factor: int = 10) -> Graph:
    """Completes at once with (a + b) * factor."""
    nodes = {"add": {"type": "add", "a": a, "b": b}, "mul": {"type": "mul", "b": factor}}
    return graph(nodes, "add.value -> mul.a")


def sleep(seconds: float = 60, **fields: Any) -> Graph:
    """Runs for `seconds`, with progress in `steps`; stops when canceled unless `cancelable` is false."""
    return graph({"sleep": {"type": "probe_sleep", "seconds": seconds, "use_cache": False, **fields}})


def fail(message: str = "probe failure", **fields: Any) -> Graph:
    """Fails with a RuntimeError; with `times=2, name="x"` only the first two times that x runs."""
    return graph({"fail": {"type": "probe_fail", "message": message, "use_cache": False, **fields}})


def divide_by_zero() -> Graph:
    """Its first node completes, its second fails, its third never starts."""
    nodes = {"ok": {"type": "add", "a": 1, "b": 2}, "div": {"type": "div", "b": 0}, "after": {"type": "add", "b": 1}}
    return graph(nodes, "ok.value -> div.a", "div.value -> after.a")


def divide(a: int, b: int) -> Graph:
    """Completes with the integer quotient, or fails when b is 0."""
    return graph({"div": {"type": "div", "a": a, "b": b}})


def missing_image() -> Graph:
    """Fails because the image does not exist."""
    return graph({"resize": {"type": "img_resize", "image": {"image_name": "no-such-image.png"}}})


def missing_input() -> Graph:
    """Fails at run time: the server does not check required inputs before."""
    return graph({"resize": {"type": "img_resize"}})


def many_images(count: int) -> Graph:
    """Completes with so many images, 8, 9, ... pixels wide."""
    nodes = {
        "range": {"type": "range", "start": 8, "stop": 8 + count, "step": 1},
        "each": {"type": "iterate"},
        "blank": {"type": "blank_image", "width": 8, "height": 8, "use_cache": False},
    }
    return graph(nodes, "range.collection -> each.collection", "each.item -> blank.width")


def iterate(count: int = 4, factor: int = 3) -> Graph:
    """Completes with the collection 0, factor, 2 * factor, ...; each from an execution node of its own."""
    nodes: dict[str, dict[str, Any]] = {
        "range": {"type": "range", "start": 0, "stop": count, "step": 1},
        "each": {"type": "iterate"},
        "mul": {"type": "mul", "b": factor},
        "all": {"type": "collect"},
    }
    return graph(nodes, "range.collection -> each.collection", "each.item -> mul.a", "mul.value -> all.item")


def blank_image(width: int = 32, height: int = 16, color: tuple[int, int, int] = (255, 0, 0)) -> Graph:
    """Completes with one image of one color."""
    r, g, b = color
    node = {"type": "blank_image", "width": width, "height": height, "color": {"r": r, "g": g, "b": b, "a": 255}}
    return graph({"blank": {**node, "use_cache": False}})
