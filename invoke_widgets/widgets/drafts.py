"""Drafts of what is to be submitted: read from pasted JSON and from rows of values. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from invoke_widgets import workflows
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.text import cut, many
from invoke_widgets.jobs import Submission
from invoke_widgets.workflows import NodeSchemas, WorkflowField, normal_data

Row = tuple[str, str, int]
"""A row of values: "node.field", a JSON list, and its group: rows of a group are zipped, groups are combined."""

MAX_RUNS = 10_000
"""The number of items that a server's queue takes."""
_TAKEN = {"graph", "runs", "data", "prepend", "destination"}
_LONGEST_VALUE = 60
_LONGEST_LABEL = 60


def read_json(text: str) -> Any:
    """Parse pasted JSON.

    Raises:
        InvalidRequest: it is not JSON; the message says where.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}, column {error.colno}: {error.msg}"
    except ValueError as error:  # a number with thousands of digits
        problem = str(error)
    except RecursionError:
        problem = "is nested too deeply"
    raise InvalidRequest(f"graph: {problem}.", field="graph")


def read_draft(pasted: Any) -> tuple[Submission, tuple[str, ...]]:
    """Read a draft from a graph, from a batch (`{"graph": ..., "data": ..., "runs": ...}`), or from the body of an
    enqueue request (`{"batch": ..., "prepend": ...}`). Return with it the names of what the form does not send.

    Raises:
        InvalidRequest: a part of it has a type, or a size, that the form cannot hold.
    """
    if not is_batch(pasted):
        return Submission(graph=pasted), ()
    outer = pasted if isinstance(pasted.get("batch"), Mapping) else {"batch": pasted}
    batch = outer["batch"]
    named = {**batch, **outer}
    given = {name: value for name, value in named.items() if value is not None and name != "batch"}
    runs, destination, prepend = given.get("runs", 1), given.get("destination"), given.get("prepend", False)
    if not isinstance(destination, str | None):
        raise InvalidRequest(f"destination: should be a text, got {_shown(destination)}.", field="destination")
    if not isinstance(prepend, bool):
        raise InvalidRequest(f"graph: prepend should be true or false, got {_shown(prepend)}.", field="graph")
    draft = Submission(
        graph=batch["graph"] if isinstance(batch.get("graph"), Mapping) else batch,
        runs=checked_runs(runs),
        data=batch.get("data"),
        prepend=prepend,
        destination=destination,
    )
    return draft, tuple(sorted(given.keys() - _TAKEN))


def checked_runs(runs: Any) -> int:
    """`runs`, if the form can hold it.

    Raises:
        InvalidRequest: it cannot.
    """
    if isinstance(runs, int) and not isinstance(runs, bool) and 1 <= runs <= MAX_RUNS:
        return runs
    raise InvalidRequest(f"runs: should be an integer from 1 to {MAX_RUNS:,}, got {_shown(runs)}.", field="runs")


def is_batch(pasted: Any) -> bool:
    """Whether something pasted is more than a graph."""
    return isinstance(pasted, Mapping) and any(isinstance(pasted.get(key), Mapping) for key in ("batch", "graph"))


def rows_of(data: Any) -> list[Row]:
    """A batch's values as rows. Wrong lengths and types are left for the form to show.

    Raises:
        InvalidRequest: they have no form that a server takes.
    """
    groups = [data] if isinstance(data, Mapping) else [] if data is None else data
    if not isinstance(groups, list | tuple):
        raise InvalidRequest(f"data: should be a list of groups of values, got {_shown(data)}.", field="data")
    rows: list[Row] = []
    for number, group in enumerate(groups, start=1):
        if isinstance(group, Mapping):
            rows += [(str(field), _json(values), number) for field, values in group.items()]
        elif isinstance(group, list | tuple):
            entries = [normal_data([[entry]])[0][0] for entry in group]  # one by one: their lengths may differ
            rows += [(f"{e['node_path']}.{e['field_name']}", _json(e["items"]), number) for e in entries]
        else:
            place = f"data[{number - 1}]"
            raise InvalidRequest(f"{place}: should be a group of values, got {_shown(group)}.", field=place)
    return rows


def _json(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, default=str)


def _shown(value: Any) -> str:
    return cut(_json(value), _LONGEST_VALUE)


def data_of(rows: Sequence[Row]) -> tuple[list[dict[str, Any]] | None, list[InvalidRequest]]:
    """Rows as `console.submit` takes them, None if there are none, and an error for each row that cannot be read.

    Empty rows are left out. An error's `field` is "data." and that of the row.
    """
    groups: dict[int, dict[str, Any]] = {}
    errors: list[InvalidRequest] = []
    for field, text, number in rows:
        field = field.strip()
        if not field and not text.strip():
            continue
        place = f"data.{field}"
        group = groups.setdefault(number, {})
        try:
            if not field:
                raise InvalidRequest("These values need a field, written as node.field.", field=place)
            if field in group:
                raise InvalidRequest(f"{place}: is set twice.", field=place)
            group[field] = read_values(text, place)
        except InvalidRequest as error:
            errors.append(error)
    return [groups[number] for number in sorted(groups) if groups[number]] or None, errors


_RANGE = re.compile(r"\s*(-?\d+)\s*\.\.\s*(-?\d+)(?:\s+step\s+(\d+))?\s*")


def read_values(text: str, place: str, like: str = '1, 2, 3 or 1..10 or "oil", "ink"') -> Any:
    """Read values as a user writes them: `1, 2, 3`, `1..10`, `10..50 step 10`, `"oil", "ink"`, or a JSON list.

    Args:
        text: what was written.
        place: the name of the field, for an error.
        like: examples, for an error.

    Raises:
        InvalidRequest: it is none of these, or a range of more values than a queue takes.
    """
    if match := _RANGE.fullmatch(text):
        first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
        if step < 1 or abs(last - first) // step >= MAX_RUNS:
            raise InvalidRequest(f"{place}: a range has 1 to {MAX_RUNS:,} values.", field=place)
        return list(range(first, last + 1, step) if first <= last else range(first, last - 1, -step))
    try:
        return json.loads(text if text.lstrip().startswith(("[", "{")) else f"[{text}]")
    except (ValueError, RecursionError):
        raise InvalidRequest(f"{place}: should be values such as {like}.", field=place) from None


def variable_fields(graph: Any, schemas: NodeSchemas) -> list[tuple[str, str]]:
    """The fields of a graph or workflow that may have several values: "node.field", and its kind, limits and value."""
    try:
        known = workflows.fields(graph, schemas)
    except InvalidRequest:
        return []  # which a check names
    return [(field.path, _about(field)) for field in known if field.is_varied_by_server and not field.fed_by]


def _about(field: WorkflowField) -> str:
    low, high = ("…" if limit is None else f"{limit:g}" for limit in (field.minimum, field.maximum))
    limits = "" if low == high == "…" else f"{low} to {high}"
    now = "" if field.value in (None, "") else f"now {_shown(field.value)}"
    return ", ".join(filter(None, (field.kind, limits, now)))


def place_of(error: InvalidRequest) -> str:
    """The input that an error is about: "graph", "runs", "destination", "data", or "data.<node.field>"."""
    field = re.sub(r"\[\d+\]$", "", error.field or "")  # one of a field's values
    if field.startswith("data."):
        return field
    top = re.split(r"[.\[]", field, maxsplit=1)[0]
    return top if top in ("runs", "destination", "data") else "graph"


def label_of(draft: Submission, total: int) -> str:
    """A line for the list of recent drafts: a workflow's name or the node types, and how many jobs."""
    nodes = draft.graph.get("nodes") if isinstance(draft.graph, Mapping) else None
    types = [str(node.get("type")) for node in nodes.values()] if isinstance(nodes, Mapping) else []
    name = draft.graph.get("name") if workflows.is_workflow(draft.graph) else None
    label = name if isinstance(name, str) else ", ".join(dict.fromkeys(types))
    return f"{cut(label, _LONGEST_LABEL) or 'graph'}, {many(total, 'job')}"
