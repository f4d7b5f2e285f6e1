"""What is to be submitted, before it is: read from pasted JSON and from rows of values. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invoke_widgets import workflows
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.workflows import normal_data

Row = tuple[str, str, int]
"""A row of values: "node.field", a JSON list, and its group: rows of a group are zipped, groups are combined."""

MAX_RUNS = 10_000
"""As many items as a server's queue takes."""
_TAKEN = {"graph", "runs", "data", "prepend", "destination"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What `console.submit` takes.

    Attributes:
        label: tells drafts apart for a person.
        ignored: what was pasted with it, and the form does not send.
    """

    graph: Any
    runs: int = 1
    data: Any = None
    prepend: bool = False
    destination: str | None = None
    label: str = ""
    ignored: tuple[str, ...] = ()


def read_json(text: str) -> Any:
    """JSON that a person pasted.

    Raises:
        InvalidRequest: it is none; the message says where.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidRequest(f"graph: line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except ValueError as error:  # a number with thousands of digits
        raise InvalidRequest(f"graph: {error}.") from None
    except RecursionError:
        raise InvalidRequest("graph: is nested too deeply.") from None


def read_draft(pasted: Any) -> Draft:
    """A draft from a graph, from a batch (`{"graph": ..., "data": ..., "runs": ...}`), or from the body of an
    enqueue request (`{"batch": ..., "prepend": ...}`).

    Raises:
        InvalidRequest: something of it is of a type, or a size, that the form cannot hold.
    """
    if not is_batch(pasted):
        return Draft(graph=pasted)
    outer = pasted if isinstance(pasted.get("batch"), Mapping) else {"batch": pasted}
    batch = outer["batch"]
    named = {**batch, **outer}
    given = {name: value for name, value in named.items() if value is not None and name != "batch"}
    runs, destination, prepend = given.get("runs", 1), given.get("destination"), given.get("prepend", False)
    if not isinstance(runs, int) or isinstance(runs, bool) or not 1 <= runs <= MAX_RUNS:
        raise InvalidRequest(f"runs: should be an integer from 1 to {MAX_RUNS:,}, got {_cut(runs)}.")
    if not isinstance(destination, str | None):
        raise InvalidRequest(f"destination: should be a text, got {_cut(destination)}.")
    if not isinstance(prepend, bool):
        raise InvalidRequest(f"graph: prepend should be true or false, got {_cut(prepend)}.")
    return Draft(
        graph=batch["graph"] if isinstance(batch.get("graph"), Mapping) else batch,
        runs=runs,
        data=batch.get("data"),
        prepend=prepend,
        destination=destination,
        ignored=tuple(sorted(given.keys() - _TAKEN)),
    )


def _cut(value: Any) -> str:
    told = _text(value)
    return told if len(told) <= 60 else f"{told[:59]}…"


def is_batch(pasted: Any) -> bool:
    """Whether something pasted is more than a graph."""
    return isinstance(pasted, Mapping) and any(isinstance(pasted.get(key), Mapping) for key in ("batch", "graph"))


def rows_of(data: Any) -> list[Row]:
    """A batch's values as rows. What is wrong with their number or their types is left to be told in the form.

    Raises:
        InvalidRequest: they are of no form that a server takes.
    """
    groups = [data] if isinstance(data, Mapping) else [] if data is None else data
    if not isinstance(groups, list | tuple):
        raise InvalidRequest(f"data: should be a list of groups of values, got {_cut(data)}.")
    rows: list[Row] = []
    for number, group in enumerate(groups, start=1):
        if not isinstance(group, Mapping | list | tuple):
            raise InvalidRequest(f"data[{number - 1}]: should be a group of values, got {_cut(group)}.")
        if isinstance(group, Mapping):
            rows += [(str(field), _text(values), number) for field, values in group.items()]
        else:
            entries = [normal_data([[entry]])[0][0] for entry in group]  # one by one: their lengths may differ
            rows += [(f"{e['node_path']}.{e['field_name']}", _text(e["items"]), number) for e in entries]
    return rows


def _text(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, default=str)


def data_of(rows: Sequence[Row]) -> list[dict[str, Any]] | None:
    """Rows as `console.submit` takes them; None if there are none. Empty rows are left out.

    Raises:
        InvalidRequest: a row is not a JSON list; the message begins with "data." and its field.
    """
    groups: dict[int, dict[str, Any]] = {}
    for field, text, number in rows:
        field = field.strip()
        if not field and not text.strip():
            continue
        if not field:
            raise InvalidRequest("data.: These values need a field, written as node.field.")
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidRequest(
                f'data.{field}: should be a JSON list such as [1, 2] or ["a", "b"]: {error.msg}, column {error.colno}.'
            ) from None
        group = groups.setdefault(number, {})
        if field in group:
            raise InvalidRequest(f"data.{field}: is set twice.")
        group[field] = values
    return [groups[number] for number in sorted(groups)] or None


def settable_fields(graph: Any) -> list[str]:
    """ "node.field" for what a graph's nodes set, or a workflow lets be set, as suggestions.

    Raises:
        InvalidRequest: a workflow is of another form than the editor's.
    """
    if workflows.is_workflow(graph):
        return [field.name for field in workflows.fields(graph)]
    nodes = graph.get("nodes") if isinstance(graph, Mapping) else None
    if not isinstance(nodes, Mapping):
        return []
    return [
        f"{node_id}.{name}"
        for node_id, node in nodes.items()
        if isinstance(node, Mapping)
        for name in node
        if name not in ("id", "type", "is_intermediate", "use_cache")
    ]


_PLACE = re.compile(r"(?P<top>runs|destination|data|graph|nodes|edges)\b(?P<rest>[^:]*):")


def place_of(message: str) -> str:
    """Which input an error's message is about: "graph", "runs", "destination", "data", or "data.<node.field>"."""
    match = _PLACE.match(message)
    if match is None:
        return "graph"
    top = match["top"]
    if top in ("nodes", "edges"):
        return "graph"
    if top == "data" and match["rest"].startswith("."):
        return "data" + re.sub(r"\[\d+\]$", "", match["rest"])
    return top


def label_of(draft: Draft, total: int) -> str:
    """A line for the list of remembered drafts: a workflow's name or the node types, and how many items."""
    nodes = draft.graph.get("nodes") if isinstance(draft.graph, Mapping) else None
    types = [str(node.get("type")) for node in nodes.values()] if isinstance(nodes, Mapping) else []
    name = draft.graph.get("name") if workflows.is_workflow(draft.graph) else None
    told = name if isinstance(name, str) else ", ".join(dict.fromkeys(types))
    told = told if len(told) <= 60 else told[:59] + "…"
    return f"{told or 'graph'}, {total:,} items" if total != 1 else f"{told or 'graph'}, 1 item"
