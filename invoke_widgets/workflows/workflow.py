"""`Workflow`: a workflow or graph whose fields are set by name, submitted once or as a sweep."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from invoke_widgets.errors import InvalidRequest, checks
from invoke_widgets.errors.text import cut
from invoke_widgets.workflows.editor import (
    BATCH_FIELDS,
    CALL,
    edges_of,
    graph_of,
    invocations,
    is_workflow,
    own_data,
    questions,
)
from invoke_widgets.workflows.fields import WorkflowField, fields
from invoke_widgets.workflows.generators import Answers, changed, complete
from invoke_widgets.workflows.graph import Data, near, normal_graph, plain
from invoke_widgets.workflows.schemas import NodeSchemas

if TYPE_CHECKING:
    import pandas as pd

    from invoke_widgets.console import Console
    from invoke_widgets.jobs import Batch, Sweep
    from invoke_widgets.records import BoardRecord, ModelRecord
    from invoke_widgets.widgets import WorkflowForm

SEED = "seed"
_LARGEST_SEED = 2**31 - 1
_MODEL_KEYS = ("key", "hash", "name", "base", "type")
_LONGEST_VALUE = 80
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
# What the server wants of a workflow that is sent along with a batch (WorkflowWithoutID, InvokeAI 6.14.2).
_WORKFLOW_PARTS: Mapping[str, Any] = {
    "name": "",
    "author": "",
    "description": "",
    "version": "",
    "contact": "",
    "tags": "",
    "notes": "",
    "exposedFields": [],
    "meta": {"version": "3.0.0", "category": "user"},
    "nodes": [],
    "edges": [],
}
_FRAME = (
    "name",
    "kind",
    "value",
    "choices",
    "minimum",
    "maximum",
    "step",
    "required",
    "description",
    "heading",
    "in_form",
    "fed_by",
    "path",
    "problem",
)

Row = Mapping[str, Any]
"""The values of one job by the names of the fields."""


class Upload(dict[str, Any]):
    """An image field's value that is uploaded when the workflow is submitted; its `image_name` is empty until then."""

    def __init__(self, source: Any) -> None:
        super().__init__(image_name="")
        self.source = source
        self.shown = str(source) if isinstance(source, os.PathLike) else "uploaded"

    def __deepcopy__(self, memo: object) -> Self:
        return self  # every copy is sent under the name that the server gives the one upload


@dataclass(frozen=True, slots=True)
class Setting:
    """A field's value: as the server takes it, and as it was given."""

    value: Any
    shown: Any


@dataclass(frozen=True, slots=True)
class PlanPart:
    """The jobs of a plan that one batch can hold.

    Attributes:
        graph: the graph, with the values that all of them share.
        data: the values that differ, in the server's form.
        workflow: the edited workflow, which the server puts into the pictures; None for a plain graph.
        names: node id and field -> the name that was used, of each value that differs.
        shared: the other values of the sweep by name, the same for all of these jobs.
        runs: how often each job runs.
        jobs: how many there are in all.
    """

    graph: Mapping[str, Any]
    data: Data
    workflow: Mapping[str, Any] | None
    names: Mapping[tuple[str, str], str]
    shared: Mapping[str, Any]
    runs: int
    jobs: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be submitted: one batch for each combination of the values that a batch cannot vary."""

    parts: Sequence[PlanPart]
    uploads: Sequence[Upload] = field(default_factory=tuple)

    @property
    def jobs(self) -> int:
        """How many jobs there are in all."""
        return sum(part.jobs for part in self.parts)


class Workflow:
    """A workflow of InvokeAI's editor, or a graph, with its fields by name. `console.workflow` makes it.

    It is edited like a dictionary: `workflow["Steps"] = 20`. Values are checked when they are set, against the server's
    schemas, models and boards as they were when it was loaded. The source stays unchanged.

    Attributes:
        name: the workflow's own name; "" for a graph.
    """

    def __init__(
        self,
        source: Mapping[str, Any],
        schemas: NodeSchemas,
        *,
        console: Console | None = None,
        models: Iterable[ModelRecord] = (),
        boards: Iterable[BoardRecord] = (),
        called: Mapping[str, Mapping[str, Any]] | None = None,
        ask: Callable[[Mapping[str, Any]], Answers] | None = None,
    ) -> None:
        self._source = copy.deepcopy(dict(source))
        self._schemas = schemas
        self._console = console
        self._models = tuple(models)
        self._boards = tuple(boards)
        self._ask = ask
        self._fields = {field.name: field for field in fields(self._source, schemas, called)}
        self._paths = {field.path: field for field in self._fields.values()}
        self._set: dict[str, Setting] = {}
        self.name = str(self._source.get("name") or "")

    # -- fields ------------------------------------------------------------------------------------------------------

    @property
    def fields(self) -> pd.DataFrame:
        """A table of its fields, the form's first: name, kind, value, allowed values, bounds, problem."""
        import pandas as pd

        rows = [{name: getattr(field, name) for name in _FRAME} for field in self._fields.values()]
        frame = pd.DataFrame(rows, columns=list(_FRAME))
        frame["value"] = pd.Series([self[name] for name in self._fields], dtype=object)
        return frame

    def field(self, name: str) -> WorkflowField:
        """Return what is known of a field.

        Args:
            name: its name, or its path "node.field"; capitals may be left out where that is not ambiguous.

        Raises:
            InvalidRequest: there is no such field; the message names the nearest.
        """
        if not isinstance(name, str):
            raise InvalidRequest(f"A field's name should be a text, got {name!r}.", field="name")
        found = self._fields.get(name) or self._paths.get(name)
        if found is None:
            alike = [field for field in self._fields.values() if field.name.casefold() == name.strip().casefold()]
            found = alike[0] if len(alike) == 1 else None
        if found is None:
            names = [field.name for field in self._fields.values() if field.in_form] or list(self._fields)
            similar = near(name, names) or near(name, self._fields)
            raise InvalidRequest(
                f"{name}: {self._called()} has no field of this name.{similar}",
                suggestion="Its `fields` lists them all.",
                field=name,
            )
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: object) -> bool:
        return name in self._fields or name in self._paths

    def __getitem__(self, name: str) -> Any:
        """Return a field's value, as it was set; a model or board as its name."""
        found = self.field(name)
        setting = self._set.get(found.name)
        return setting.shown if setting is not None else self._shown(found, found.value)

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a field. A field that an edge feeds loses the edge.

        Args:
            name: the field's name.
            value: a model by its name, key or row of `console.models()`; a board by its name, "auto" or "none"; an
                image as a path, PIL image, bytes or array, which is uploaded at submit, or by its name on the server; a
                color as "#ff8800", "orange" or (r, g, b, a); a generator of a batch node's values by those of its
                settings that change, as in {"count": 3}, or by the values it should make.

        Raises:
            InvalidRequest: there is no such field, or the value does not fit; the message says what would.
        """
        found = self.field(name)
        self._set[found.name] = self._setting(found, value)

    def choices(self, name: str) -> list[Any]:
        """Return the values that a choice, or a field for a model or board of this server, takes; [] for others."""
        known = self.field(name)
        if known.kind == "model":
            return [model.name for model in self._offered(known)]
        if known.kind == "board":
            return ["auto", "none", *(board.board_name for board in self._boards)]
        return list(known.choices)

    def with_(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Workflow:
        """Return a changed copy: `workflow.with_(Steps=20)`, or `workflow.with_({"CFG Scale": 3})`."""
        changed = copy.copy(self)
        changed._set = dict(self._set)
        given = {**(values or {}), **more}
        self._once(given)
        for name, value in given.items():
            changed[name] = value
        return changed

    @property
    def changes(self) -> dict[str, Any]:
        """What was set, by name."""
        return {name: setting.shown for name, setting in self._set.items()}

    @property
    def uploads(self) -> dict[str, Any]:
        """The pictures that were set and are uploaded at each submit, by name."""
        values = {name: setting.value for name, setting in self._set.items()}
        return {
            name: value
            for name, value in values.items()
            if any(isinstance(one, Upload) for one in (value if isinstance(value, list) else [value]))
        }

    @property
    def problems(self) -> list[str]:
        """Why it cannot run on this server as it is: what is open and required, missing models, unknown nodes."""
        found = [f"{field.name}: {field.problem}." for field in self._fields.values() if field.problem]
        for name, known in self._fields.items():
            if known.problem:
                continue
            value = self._set[name].value if name in self._set else known.value
            may_be_empty = known.kind == "text" and not known.field.endswith("path")  # a prompt, but not a file's name
            if known.required and (value is None or (value == "" and not may_be_empty)):
                found.append(f"{name}: is required, and has no value.{self._offers(known)}")
            elif known.kind == "model" and name not in self._set and value is not None and self._model(value) is None:
                label = value.get("name") if isinstance(value, Mapping) else value
                found.append(f"{name}: this server has no model {label!r}.{self._offers(known)}")
        graph = self.to_graph()
        wired = {(edge["destination"]["node_id"], edge["destination"]["field"]) for edge in graph["edges"]}
        for node_id, node in graph["nodes"].items():
            for input_, schema in self._schemas.inputs(node["type"]).items():
                is_open = (node_id, input_) not in wired and node.get(input_) is None
                if schema.get("orig_required") and schema.get("input") == "connection" and is_open:
                    title = self._schemas.title(node["type"]) or node["type"]
                    found.append(f"{title}: the input {schema.get('title', input_)!r} needs an edge.")
        return list(dict.fromkeys(found))

    def __repr__(self) -> str:
        called = self._called()
        lines = [f"{called[:1].upper()}{called[1:]}:"]
        listed = [known.name for known in self._fields.values() if known.in_form] or list(self._fields)
        lines += [f"  {name}: {cut(repr(self[name]), _LONGEST_VALUE)}" for name in listed]
        lines += [f"  ! {problem}" for problem in self.problems]
        return "\n".join(lines)

    def _ipython_display_(self, **options: Any) -> None:
        """In a notebook: its form."""
        if self._console is None:
            print(repr(self))
        else:
            self.form()._ipython_display_(**options)

    def _called(self) -> str:
        return f"workflow {self.name!r}" if self.name else "the workflow" if is_workflow(self._source) else "the graph"

    # -- values ------------------------------------------------------------------------------------------------------

    def _setting(self, known: WorkflowField, value: Any) -> Setting:
        place = known.name
        if known.problem:
            raise InvalidRequest(f"{place}: {known.problem}.", field=place)
        if isinstance(value, str) and known.kind != "text":
            value = value.strip()
        if known.kind == "model":
            record = self._chosen(known, value)
            return Setting(record.identifier, record.name)
        if known.kind == "board":
            return self._board(known, value)
        if known.kind == "image":
            return _image(place, value)
        if known.kind == "generator":
            if isinstance(value, Mapping) and value.get("board_id") not in (None, "none"):
                value = {**value, "board_id": self._board(known, value["board_id"]).value["board_id"]}
            before = self._set[place].value if place in self._set else known.value or {}
            value = changed(place, known.node_type, before, value)
            return Setting(value, value)
        if known.node_type == CALL and known.input == "workflow_id":
            raise InvalidRequest(
                f"{place}: is chosen in InvokeAI's editor, since other fields depend on it.", field=place
            )
        if known.node_type == "image_batch" and isinstance(value, list | tuple):
            each = [_image(place, one) for one in value]
            return Setting([one.value for one in each], [one.shown for one in each])
        shown: Any = None
        if known.kind == "color":
            value = _color(place, value)
            shown = _color_name(value)
        elif known.kind != "list" and known.kind != "other" and isinstance(value, list | tuple | range):
            raise InvalidRequest(
                f"{place}: takes one value, got {len(value)}.",
                suggestion=f"For one job per value: sweep({{{place!r}: [...]}}).",
                field=place,
            )
        value = plain(place, value)
        if known.kind == "integer" and value in ("random", "same"):
            raise InvalidRequest(
                f"{place}: should be an integer, got {value!r}.",
                suggestion=f"For a seed: submit(seed={value!r}), which is recorded for each job.",
                field=place,
            )
        if known.field == SEED and isinstance(value, int) and value < 0:
            raise InvalidRequest(
                f"{place}: a negative seed is not random here: most nodes take {value} as a fixed seed.",
                suggestion='Submit with seed="random", which is recorded for each job.',
                field=place,
            )
        if known.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if known.kind == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)  # a column of a frame with missing values has floats
        if known.node_type in BATCH_FIELDS:
            if not isinstance(value, list) or not value:
                raise InvalidRequest(f"{place}: should be a list of values, got {value!r:.80}.", field=place)
        else:
            self._schemas.check_value(place, known.node_type, known.input, value)
        return Setting(value, value if shown is None else shown)

    def _shown(self, known: WorkflowField, value: Any) -> Any:
        if known.kind == "generator" and isinstance(value, Mapping):
            return complete(value)
        if known.kind == "model" and isinstance(value, Mapping):
            return value.get("name", value.get("key"))
        if known.kind == "board" and isinstance(value, Mapping):
            board_id = value.get("board_id")
            return next((board.board_name for board in self._boards if board.board_id == board_id), board_id)
        if known.kind == "image" and isinstance(value, Mapping):
            return value.get("image_name")
        if known.kind == "color" and isinstance(value, Mapping):
            return _color_name(value)
        return value

    def _offered(self, known: WorkflowField) -> list[ModelRecord]:
        """The server's models that a field takes."""
        return [
            model
            for model in self._models
            if (not known.types or model.type in known.types) and (not known.bases or model.base in known.bases)
        ]

    def _offers(self, known: WorkflowField) -> str:
        if known.kind != "model":
            return ""
        names = [model.name for model in self._offered(known)]
        bases = " or ".join(known.bases)
        if not names:
            return f" This server has no model of the base {bases} for it." if bases else ""
        return f" One of: {', '.join(map(repr, names[:8]))}{' ...' if len(names) > 8 else ''}."

    def _model(self, value: Any) -> ModelRecord | None:
        """The server's model that a workflow names, by key, by content, or by name, base and type."""
        if not isinstance(value, Mapping):
            value = {"key": value, "name": value}
        for keys in (("key",), ("hash",), ("name", "base", "type"), ("name",)):
            for model in self._models:
                if all(value.get(key) and getattr(model, key) == value[key] for key in keys):
                    return model
        return None

    def _chosen(self, known: WorkflowField, value: Any) -> ModelRecord:
        place, wanted = known.name, value
        if not isinstance(value, str | Mapping):
            if not hasattr(value, "name") and not hasattr(value, "get"):
                raise InvalidRequest(f"{place}: should be the name of a model, got {value!r:.80}.", field=place)
            get = value.get if hasattr(value, "get") else lambda key: getattr(value, key, None)
            wanted = {key: get(key) for key in _MODEL_KEYS}
        offered = self._offered(known)
        found = self._model(wanted)
        if found is not None and found not in offered and isinstance(wanted, str):
            found = next((model for model in offered if model.name == wanted), found)
        if found is None and isinstance(wanted, str):
            alike = [model for model in offered if model.name.casefold() == wanted.casefold()]
            found = alike[0] if len(alike) == 1 else None
        label = wanted if isinstance(wanted, str) else wanted.get("name")
        if found is None:
            similar = near(str(label), [model.name for model in offered])
            raise InvalidRequest(
                f"{place}: this server has no model {label!r}.{similar or self._offers(known)}",
                suggestion="Install it, or choose one of console.models().",
                field=place,
            )
        if found not in offered:
            raise InvalidRequest(
                f"{place}: {found.name!r} is a {found.type} model of the base {found.base}, and the field takes "
                f"{' or '.join(known.bases or known.types)}.{self._offers(known)}",
                field=place,
            )
        return found

    def _board(self, known: WorkflowField, value: Any) -> Setting:
        place = known.name
        if value is None or value in ("auto", "none"):
            return Setting(value or "none", value or "none")
        board_id = value.get("board_id") if isinstance(value, Mapping) else getattr(value, "board_id", value)
        for board in self._boards:
            if board_id in (board.board_id, board.board_name):
                return Setting({"board_id": board.board_id}, board.board_name)
        raise InvalidRequest(
            f"{place}: this server has no board {board_id!r}."
            + near(str(board_id), [b.board_name for b in self._boards]),
            suggestion="Create it first, and load the workflow again.",
            field=place,
        )

    # -- what is sent --------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the edited workflow or graph, as JSON values."""
        edited = copy.deepcopy(self._source)
        values = {name: setting.value for name, setting in self._set.items()}
        for name, known in self._fields.items():
            if known.kind == "model" and name not in self._set and known.value is not None:
                model = self._model(known.value)  # the same model has another key on each server
                if model is not None and not (isinstance(known.value, Mapping) and known.value.get("key") == model.key):
                    values[name] = model.identifier
        places = {(self._fields[name].node_id, self._fields[name].field): value for name, value in values.items()}
        return _edited(edited, places)

    def to_graph(self) -> dict[str, Any]:
        """Return the graph that would be sent."""
        return _graph(self.to_dict())

    def plan(self, values: Any = None, *, runs: int = 1, seed: Any = None) -> Plan:
        """Work out what `submit` and `sweep` would send, and check it, without enqueuing anything.

        The server is asked where a generator makes prompts of a template, or takes the images of a board.

        Args:
            values: as for `sweep`; None for what is set.
            runs: how many jobs for each combination.
            seed: as for `submit`.

        Raises:
            InvalidRequest: something is missing or does not fit; the message names the field.
        """
        count = checks.whole("runs", runs)
        rows = [{}] if values is None else self._rows(values)
        settings = [{self.field(name).name: value for name, value in row.items()} for row in rows]
        names = list(dict.fromkeys(name for row in settings for name in row))
        for row in settings:
            for name in names:
                row.setdefault(name, self._set.get(name, self[name]))
        known: dict[tuple[str, int], Setting] = {}  # a value of many rows is checked, and uploaded, once

        def setting(name: str, value: Any) -> Setting:
            if isinstance(value, Setting):
                return value
            key = (name, id(value))
            if key not in known:
                known[key] = self._setting(self._fields[name], value)
            return known[key]

        converted = [{name: setting(name, value) for name, value in row.items()} for row in settings]
        converted, count, seeded = self._seeded(converted, seed, count)
        parts = [self._part(rows_of, count, seeded) for rows_of in _grouped(converted, self._fields).values()]
        return Plan(parts, tuple({id(u): u for row in converted for u in self._uploads(row)}.values()))

    def _uploads(self, row: Mapping[str, Setting]) -> Iterator[Upload]:
        for setting in (*self._set.values(), *row.values()):
            values = setting.value if isinstance(setting.value, list) else [setting.value]
            yield from (value for value in values if isinstance(value, Upload))

    def _seeds(self) -> list[WorkflowField]:
        return [known for known in self._fields.values() if known.field == SEED and known.kind == "integer"]

    def _edges(self) -> list[dict[str, Any]]:
        source = self._source
        return edges_of(source, invocations(source)) if is_workflow(source) else normal_graph(source)["edges"]

    def _seed_sources(self) -> dict[str, WorkflowField]:
        """By the name of each seed, what is set for it: an integer that feeds it, and nothing but seeds, or itself.

        A form has such an integer rather than the seeds, so it shows the seed that ran when a picture is loaded.
        """
        seeds = {(known.node_id, known.field): known for known in self._seeds()}
        integers = {
            known.node_id: known
            for known in self._fields.values()
            if (known.node_type, known.field, known.fed_by) == ("integer", "value", "")
        }
        fed: dict[str, list[tuple[str, str]]] = {}
        for edge in self._edges():
            to = edge["destination"]
            fed.setdefault(edge["source"]["node_id"], []).append((to["node_id"], to["field"]))
        return {known.name: known for known in seeds.values()} | {
            seeds[place].name: integers[node_id]
            for node_id, places in fed.items()
            if node_id in integers and all(place in seeds and seeds[place].name not in self._set for place in places)
            for place in places
        }

    def _seeded(
        self, rows: list[dict[str, Setting]], seed: Any, runs: int
    ) -> tuple[list[dict[str, Setting]], int, str]:
        """Give each row its seed. Also returned: the runs of each, and the name of the field that was set first."""
        if seed is None:
            return rows, runs, ""
        given = {name for row in rows for name in row}
        nodes = {self._fields[name].node_id for name in given}
        seeds = self._seeds()
        # A seed that an edge feeds from a given value has that value, which setting the seed would take away.
        fed = {
            (edge["destination"]["node_id"], edge["destination"]["field"])
            for edge in self._edges()
            if edge["source"]["node_id"] in nodes
        }
        free = [known for known in seeds if known.name not in given and (known.node_id, known.field) not in fed]
        if not free:
            other = " other than what the values give" if seeds else ""
            raise InvalidRequest(f"seed: {self._called()} has no seed to set{other}.", field=SEED)
        sources = self._seed_sources()
        first = sources[free[0].name].name

        def with_seed(row: dict[str, Setting], number: Any) -> dict[str, Setting]:
            checked = {known.name: self._setting(known, number) for known in free}
            return row | {sources[name].name: setting for name, setting in checked.items()}

        if isinstance(seed, str):
            if seed == "random":
                found = [with_seed(row, secrets.randbelow(_LARGEST_SEED)) for row in rows for _ in range(runs)]
                return found, 1, first
            if seed == "same":
                number = secrets.randbelow(_LARGEST_SEED)
                return [with_seed(row, number) for row in rows], runs, first
            raise InvalidRequest(f"seed: should be 'random', 'same', a number or numbers, got {seed!r}.", field=SEED)
        numbers = _values(SEED, seed) if hasattr(seed, "__iter__") else [seed]
        return [with_seed(row, number) for row in rows for number in numbers], runs, first

    def _part(self, rows: list[dict[str, Setting]], runs: int, seeded: str) -> PlanPart:
        """Make the batch of rows that share all values which the server does not vary."""
        changed = copy.copy(self)
        changed._set = rows[0] | {name: setting for name, setting in self._set.items() if name not in rows[0]}
        changed.check()
        edited = changed.to_dict()
        own: Data = []
        workflow = None
        if is_workflow(edited):
            own = own_data(edited, self._answers(edited))
            # The pictures of varied jobs carry the first job's values: the server takes one workflow per batch.
            workflow = {**_WORKFLOW_PARTS, **{name: value for name, value in edited.items() if name != "id"}}
        varied = [self._fields[name] for name in rows[0] if len(rows) > 1 and self._fields[name].is_varied_by_server]
        group = [
            {"node_path": known.node_id, "field_name": known.field, "items": [row[known.name].value for row in rows]}
            for known in varied
        ]
        data = [group, *own] if group else own
        first_seed = seeded or next((known.name for known in self._seeds()), None)
        called = {name: SEED if name == first_seed else name for name in self._fields}
        by_place = {(known.node_id, known.field): called[known.name] for known in self._fields.values()}
        places = [(entry["node_path"], entry["field_name"]) for entries in data for entry in entries]
        names = {place: by_place.get(place, f"{place[0]}.{place[1]}") for place in places}
        differ = {known.name for known in varied}
        shared = {called[name]: setting.shown for name, setting in changed._set.items() if name not in differ}
        jobs = runs * len(rows)
        for entries in own:
            jobs *= len(entries[0]["items"])
        return PlanPart(_graph(edited), data, workflow, names, shared, runs, jobs)

    def _answers(self, workflow: Mapping[str, Any]) -> Answers:
        """What the server says to the generators of a workflow that only it can evaluate."""
        return self._ask(workflow) if self._ask is not None and questions(workflow) else {}

    def check(self) -> None:
        """Raise what `problems` lists.

        Raises:
            InvalidRequest: it cannot run as it is; the message has all reasons.
        """
        if found := self.problems:
            raise InvalidRequest(" ".join(found), field=found[0].partition(":")[0])

    def _rows(self, values: Any) -> list[dict[str, Any]]:
        """One mapping for each job, of a mapping of lists, mappings, or a frame."""
        if hasattr(values, "columns") and callable(to_dict := getattr(values, "to_dict", None)):
            values = to_dict("records")
        if isinstance(values, Mapping):
            lists = [self._listed(self.field(name), given) for name, given in values.items()]
            if not lists:
                raise InvalidRequest("values: no field is varied.", field="values")
            names = self._once(values)
            return [dict(zip(names, combination, strict=True)) for combination in itertools.product(*lists)]
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise InvalidRequest(
                f"values: should be {{name: [values]}}, a list of such rows, or a frame, got {type(values).__name__}.",
                field="values",
            )
        rows = list(values)
        if not rows:
            raise InvalidRequest("values: has no rows, so nothing would be enqueued.", field="values")
        if not all(isinstance(row, Mapping) and row for row in rows):
            raise InvalidRequest("values: each row should be a mapping of names to values.", field="values")
        for keys in {tuple(row): None for row in rows}:
            self._once(keys)
        return rows

    def _once(self, given: Iterable[str]) -> list[str]:
        """The fields' own names, since a field may be called in several ways; each only once."""
        names = [self.field(name).name for name in given]
        for name in names:
            if names.count(name) > 1:
                raise InvalidRequest(f"{name}: is set twice.", field=name)
        return names

    def _listed(self, known: WorkflowField, given: Any) -> list[Any]:
        """The values of one field: a list, or the lines of a text file, or the pictures in a folder."""
        if known.kind == "image" and isinstance(given, str | os.PathLike) and path_of(given).is_dir():
            # macOS keeps a picture's attributes in a file with "._" before its name.
            found = sorted(
                path
                for path in path_of(given).iterdir()
                if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file() and not path.name.startswith(".")
            )
            if not found:
                raise InvalidRequest(f"{known.name}: the folder {str(given)!r} has no pictures.", field=known.name)
            return list(found)
        if known.kind == "text" and isinstance(given, os.PathLike):
            try:
                lines = [line.strip() for line in path_of(given).read_text("utf-8-sig").splitlines()]
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or error
                raise InvalidRequest(
                    f"{known.name}: the file {str(given)!r} cannot be read: {reason}.", field=known.name
                ) from None
            if not any(lines):
                raise InvalidRequest(f"{known.name}: the file {str(given)!r} has no lines.", field=known.name)
            return [line for line in lines if line]
        return _values(known.name, given)

    # -- running -------------------------------------------------------------------------------------------------------

    def submit(
        self,
        *,
        runs: int = 1,
        seed: Any = None,
        **options: Any,
    ) -> Batch:
        """Enqueue it with the values that are set, and return the batch.

        Args:
            runs: number of runs.
            seed: "random" gives each job a seed of its own, which is recorded; "same" gives all the same; a number, or
                several for one job each. None leaves the seed as the workflow has it.
            **options: `prepend`, `destination`, `retry`, `patience`, as for `Console.submit`.

        Raises:
            InvalidRequest: something is missing or does not fit; nothing was sent.
            JobException: as for `Console.submit`.
        """
        plan = self.plan(runs=runs, seed=seed)
        return self._connected().enqueue(plan, **options).batches[0]

    def sweep(
        self,
        values: Any,
        *,
        runs: int = 1,
        seed: Any = None,
        **options: Any,
    ) -> Sweep:
        """Enqueue a job for each combination of values, or for each row.

        Args:
            values: `{"Steps": [10, 20], "CFG Scale": [3, 5]}` for every combination; a list of mappings, or a
                DataFrame, for one job per row. Values may be models, boards, colors or switches too. For a text, a path
                to a file of lines; for an image, a folder.
            runs, seed, **options: as for `submit`.

        Returns:
            One handle on all jobs, although values that the server does not vary within a batch take a batch for each.

        Raises:
            InvalidRequest: something is missing or does not fit; nothing was sent.
            JobException: as for `Console.submit`; of several batches, the earlier ones may be in the queue.
        """
        plan = self.plan(values, runs=runs, seed=seed)
        return self._connected().enqueue(plan, **options)

    def form(self) -> WorkflowForm:
        """Make its form, as its author laid it out, for a notebook. Its values begin with what is set."""
        return self._connected().workflow_form(self)

    def _connected(self) -> Console:
        if self._console is None:
            raise InvalidRequest("This workflow belongs to no console.", suggestion="console.workflow(...) makes one.")
        return self._console


def _grouped(rows: list[dict[str, Setting]], known: Mapping[str, WorkflowField]) -> dict[str, list[dict[str, Setting]]]:
    """Rows by the values that the server does not vary within a batch, in the order of the first of each."""
    groups: dict[str, list[dict[str, Setting]]] = {}
    for row in rows:
        alone = {name: setting.value for name, setting in row.items() if not known[name].is_varied_by_server}
        groups.setdefault(json.dumps(alone, sort_keys=True, default=id), []).append(row)
    return groups


def _graph(edited: Mapping[str, Any]) -> dict[str, Any]:
    """The graph of a workflow, or a graph as the server takes it."""
    if is_workflow(edited):
        return graph_of(edited)
    graph = normal_graph(edited)
    for node_id, node in graph["nodes"].items():
        if node.get("board") in ("auto", "none"):
            del node["board"]
        # Not as copies, which would not get the server's name.
        node |= {name: value for name, value in edited["nodes"][node_id].items() if isinstance(value, Upload)}
    return graph


def _edited(source: dict[str, Any], places: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """Put values into a workflow or graph, in place, and take out the edges that feed their fields."""
    edges = source.get("edges")
    if is_workflow(source):
        nodes = {node["id"]: node["data"] for node in source["nodes"] if isinstance(node.get("data"), dict)}
        for (node_id, name), value in places.items():
            inputs = nodes[node_id].setdefault("inputs", {})
            inputs.setdefault(name, {"name": name, "label": "", "description": ""})["value"] = value
        if isinstance(edges, list):
            source["edges"] = [e for e in edges if (e.get("target"), e.get("targetHandle")) not in places]
        return source
    for (node_id, name), value in places.items():
        source["nodes"][node_id] = {**source["nodes"][node_id], name: value}
    if isinstance(edges, list):
        source["edges"] = [e for e in edges if (e["destination"]["node_id"], e["destination"]["field"]) not in places]
    return source


def _values(name: str, given: Any) -> list[Any]:
    """A list of values; a single value is a list of one."""
    if isinstance(given, str | bytes | Mapping | os.PathLike) or not hasattr(given, "__iter__"):
        return [given]
    if getattr(given, "ndim", 1) != 1:
        return [given]  # a picture as an array
    found = list(given)
    if not found:
        raise InvalidRequest(f"{name}: has no values, so nothing would be enqueued.", field=name)
    return found


def path_of(value: str | os.PathLike[str]) -> Path:
    """A path, with the home of a user in place of `~`."""
    with contextlib.suppress(RuntimeError):  # there is no such user
        return Path(value).expanduser()
    return Path(value)


def is_file(value: Any) -> bool:
    """Whether a value is the path of a file, as a text."""
    try:
        return isinstance(value, str) and path_of(value).is_file()
    except (OSError, ValueError):
        return False


def _image(place: str, value: Any) -> Setting:
    if isinstance(value, Upload):
        return Setting(value, value.shown)
    name = value.get("image_name") if isinstance(value, Mapping) else getattr(value, "image_name", None)
    if isinstance(name, str) and name:
        return Setting({"image_name": name}, name)  # the server's name, also where a file is called the same
    if isinstance(value, os.PathLike) or (isinstance(value, str) and (is_file(value) or Path(value).name != value)):
        if not is_file(str(value)):  # the names of the server's pictures have no folder
            raise InvalidRequest(f"{place}: there is no file {str(value)!r}.", field=place)
        return _image(place, Upload(path_of(value)))
    if isinstance(value, str) and value:
        return Setting({"image_name": value}, value)
    if isinstance(value, bytes) or hasattr(value, "__array_interface__") or hasattr(value, "save"):
        return _image(place, Upload(value))
    raise InvalidRequest(
        f"{place}: should be a picture: a path, a PIL image, bytes, or its name on the server, got {value!r:.80}.",
        field=place,
    )


def _color_name(value: Mapping[str, Any]) -> str:
    """ "#ff8800", or with its opacity "#ff880080"."""
    parts = [int(value.get(part) or 0) for part in "rgba"]
    return "#" + "".join(f"{part:02x}" for part in (parts if parts[3] != 255 else parts[:3]))


def _color(place: str, value: Any) -> dict[str, int]:
    parts: Sequence[Any] | None = None
    if isinstance(value, str):
        from PIL import ImageColor

        with contextlib.suppress(ValueError):
            parts = ImageColor.getcolor(value, "RGBA")  # type: ignore[assignment]
    elif isinstance(value, Mapping):
        parts = [value.get(name, 255 if name == "a" else None) for name in "rgba"]
    elif isinstance(value, list | tuple):
        parts = value
    if parts is None or len(parts) not in (3, 4) or not all(type(p) is int and 0 <= p <= 255 for p in parts):
        raise InvalidRequest(
            f"{place}: should be a color such as '#ff8800', 'orange' or (255, 136, 0), got {value!r:.80}.", field=place
        )
    return dict(zip("rgba", (*parts, 255)[:4], strict=True))
