"""The outputs of a finished session, by the graph's own node ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from invoke_widgets.records import QueueItem

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""How the editor names the nodes of workflows: such a name means nothing to a reader."""


def _mapping(data: Any, key: str) -> Mapping[str, Any]:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def iteration_paths(session: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The indices of the iterations that each execution node belongs to; () outside iterations.

    6.14 sends them (`prepared_iteration_paths`). Before, they are derived from the execution graph: a node belongs to
    the iterations of its inputs, up to a `collect`.
    """
    sent = session.get("prepared_iteration_paths")
    if isinstance(sent, Mapping) and sent:
        return {str(key): tuple(int(i) for i in path) for key, path in sent.items()}
    graph = _mapping(session, "execution_graph")
    nodes = _mapping(graph, "nodes")
    before: dict[str, list[str]] = {key: [] for key in nodes}
    for edge in graph.get("edges") or ():
        source, target = edge["source"]["node_id"], edge["destination"]["node_id"]
        if target in before and source not in before[target]:
            before[target].append(source)
    paths: dict[str, tuple[int, ...]] = {}

    def path(key: str) -> tuple[int, ...]:
        if key not in paths:
            paths[key] = ()  # ends a cycle, which no server accepts
            node = nodes[key]
            if node.get("type") != "collect":
                inherited = max((path(source) for source in before[key] if source in nodes), key=len, default=())
                paths[key] = (*inherited, int(node.get("index") or 0)) if node.get("type") == "iterate" else inherited
        return paths[key]

    for key in nodes:
        path(key)
    return paths


def outputs(item: QueueItem) -> dict[str, Any]:
    """The output of each node of the graph.

    Args:
        item: an item with its session; a failed or canceled one has the outputs up to that point.

    Returns:
        The outputs by node id, as the server's JSON (`{"type": "integer_output", "value": 3}`). A node inside an
        iteration has a list of them, in the iterations' order. Nodes that did not run are absent.
    """
    session = item.session or {}
    results = _mapping(session, "results")
    source_of = _mapping(session, "prepared_source_mapping")
    paths = iteration_paths(session)
    found: dict[str, list[tuple[tuple[int, ...], Any]]] = {}
    for key, result in results.items():
        found.setdefault(str(source_of.get(key, key)), []).append((paths.get(key, ()), result))
    answer: dict[str, Any] = {}
    for node_id, runs in found.items():
        runs.sort(key=lambda run: run[0])
        iterated = len(runs) > 1 or bool(runs[0][0])
        answer[node_id] = [result for _, result in runs] if iterated else runs[0][1]
    return answer


def without_graph(item: QueueItem) -> QueueItem:
    """An item whose session has only what the functions here need: some kB, where a graph may have megabytes."""
    if item.session is None:
        return item
    kept = {name: item.session[name] for name in ("results", "prepared_source_mapping") if name in item.session}
    derived = {
        "prepared_iteration_paths": iteration_paths(item.session),
        _GIVEN: _given(item.session),
        _INTERMEDIATE: _intermediate(item.session),
        _NAMES: node_names(item),
    }
    return replace(item, session=kept | derived)


def node_names(item: QueueItem) -> Mapping[str, str]:
    """What the nodes of the graph are called, by node id.

    By its id; a node of the editor's, whose id is a UUID, by its label or type, with a number where several have it.
    """
    session = item.session or {}
    if _NAMES in session:
        return _mapping(session, _NAMES)
    drawn = (item.workflow or {}).get("nodes")
    labels = {
        str(node.get("id")): _mapping(node, "data").get("label")
        for node in (drawn if isinstance(drawn, list) else ())
        if isinstance(node, Mapping)
    }
    nodes = _mapping(_mapping(session, "graph"), "nodes")
    names = {
        node_id: str(labels.get(node_id) or _mapping(nodes, node_id).get("type"))
        if UUID.fullmatch(node_id)
        else node_id
        for node_id in nodes
    }
    several = {name for name, times in Counter(names.values()).items() if times > 1}
    numbers: Counter[str] = Counter()
    for node_id, name in names.items():
        if name in several:
            numbers[name] += 1
            names[node_id] = f"{name} ({numbers[name]})"
    return names


def failed_node(item: QueueItem) -> tuple[str | None, str | None]:
    """The graph's own id and the type of the failed node, each None if the session does not have it."""
    session = item.session or {}
    errors = _mapping(session, "errors")
    key = next(iter(errors), None)
    if key is None:
        return None, None
    node_id = str(_mapping(session, "prepared_source_mapping").get(key, key))
    node = _mapping(_mapping(session, "execution_graph"), "nodes").get(key)
    if node is None:
        node = _mapping(_mapping(session, "graph"), "nodes").get(node_id)
    return node_id, str(node.get("type")) if isinstance(node, Mapping) else None


def image_names(item: QueueItem) -> list[str]:
    """The names of an item's output images, in the order of `outputs`."""
    return list(dict.fromkeys(_image_names(outputs(item))))


def made_images(item: QueueItem) -> dict[str, str]:
    """The names of the images that an item made, each with the graph's node that put it out first.

    A node may put out an image that it was given, such as an upload: what the graph names is not among them.
    """
    given = _given(item.session or {})
    made: dict[str, str] = {}
    for node_id, output in outputs(item).items():
        for name in _image_names(output):
            if name not in given:
                made.setdefault(name, node_id)
    return made


def final_images(item: QueueItem) -> list[str]:
    """The names of the images that an item made, without the steps towards them: those of intermediate nodes."""
    steps = frozenset(_intermediate(item.session or {}))
    return [name for name, node_id in made_images(item).items() if node_id not in steps]


def shown_images(item: QueueItem) -> list[str]:
    """The names of an item's final images; of all that it made where it has no others."""
    return final_images(item) or list(made_images(item))


def all_image_names(item: QueueItem) -> set[str]:
    """The names of all images that an item was given or put out."""
    return {*image_names(item), *_given(item.session or {})}


# In a session without its graph: the names of the images that the graph names, the ids of its intermediate nodes, and
# what its nodes are called.
_GIVEN, _INTERMEDIATE, _NAMES = "given_images", "intermediate_nodes", "node_names"


def _given(session: Mapping[str, Any]) -> list[str]:
    return list(session[_GIVEN]) if _GIVEN in session else list(_image_names(session.get("graph")))


def _intermediate(session: Mapping[str, Any]) -> list[str]:
    nodes = _mapping(_mapping(session, "graph"), "nodes")
    return list(session.get(_INTERMEDIATE) or (key for key in nodes if _mapping(nodes, key).get("is_intermediate")))


def _image_names(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        name = value.get("image_name")
        if isinstance(name, str):
            yield name
        for inner in value.values():
            yield from _image_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _image_names(inner)
