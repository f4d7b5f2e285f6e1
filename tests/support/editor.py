"""Workflows as InvokeAI's editor exports them, including what a graph lacks: connectors, notes, form fields."""

from __future__ import annotations

from typing import Any

Workflow = dict[str, Any]


def node(node_id: str, node_type: str, label: str = "", **inputs: Any) -> dict[str, Any]:
    """Return a node. An input of `...` has no value, as the editor exports inputs that were never set."""
    return {
        "id": node_id,
        "type": "invocation",
        "data": {
            "id": node_id,
            "type": node_type,
            "version": "1.0.1",
            "nodePack": "invokeai",
            "label": label,
            "notes": "",
            "inputs": {
                name: {"name": name, "label": "", "description": ""} | ({} if value is ... else {"value": value})
                for name, value in inputs.items()
            },
            "isOpen": True,
            "isIntermediate": True,
            "useCache": False,
        },
        "position": {"x": 0, "y": 0},
    }


def connector(node_id: str) -> dict[str, Any]:
    """Return a connector, a point that edges pass through."""
    return {"id": node_id, "type": "connector", "data": {"id": node_id}, "position": {"x": 0, "y": 0}}


def note(node_id: str) -> dict[str, Any]:
    return {"id": node_id, "type": "notes", "data": {"id": node_id, "notes": "read me"}, "position": {"x": 0, "y": 0}}


def edge(text: str, kind: str = "default") -> dict[str, Any]:
    """Return an edge from a text such as `"add.value -> mul.a"`."""
    (source, out), (target, into) = (end.strip().split(".") for end in text.split("->"))
    drawn = {"id": text, "type": kind, "source": source, "target": target}
    return drawn if kind == "collapsed" else {**drawn, "sourceHandle": out, "targetHandle": into}


def workflow(nodes: list[dict[str, Any]], *edges: dict[str, Any] | str, **entries: Any) -> Workflow:
    return {
        "id": "5a4f",
        "name": "A sum",
        "author": "",
        "description": "",
        "version": "",
        "contact": "",
        "tags": "",
        "notes": "",
        "exposedFields": [],
        "meta": {"version": "3.0.0", "category": "user"},
        "nodes": nodes,
        "edges": [edge(e) if isinstance(e, str) else e for e in edges],
        **entries,
    }


def sums() -> Workflow:
    """Return a workflow of two sums, joined through two connectors, with a note and a collapsed edge."""
    return workflow(
        [
            node("n1", "add", "First Sum", a=1, b=2),
            connector("c1"),
            note("remark"),
            connector("c2"),
            node("n2", "add", a=..., b=10),
        ],
        "n1.value -> c1.in",
        "c1.out -> c2.in",
        "c2.out -> n2.a",
        edge("n1. -> n2.", "collapsed"),
        exposedFields=[{"nodeId": "n2", "fieldName": "b"}],
    )
