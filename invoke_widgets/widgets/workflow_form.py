"""`WorkflowForm`: a workflow's own form, in which any field may have several values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.text import many
from invoke_widgets.records import EnqueueResult
from invoke_widgets.sync import Change
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.drafts import MAX_RUNS, checked_runs, read_values
from invoke_widgets.widgets.part import Part, Said, script, style
from invoke_widgets.widgets.pictures import send_pictures, send_shelf
from invoke_widgets.widgets.text import clean
from invoke_widgets.workflows import WorkflowField, form_of, is_workflow

if TYPE_CHECKING:
    from invoke_widgets.console import Console
    from invoke_widgets.workflows import Plan, Workflow

_CHECK_AFTER_S = 0.2
_NUMBERS = ("integer", "number")
_ELEMENTS = {"heading": "heading", "text": "text", "divider": "divider", "container": "column"}
EMPTY: dict[str, Any] = {"values": {}, "runs": 1, "prepend": False, "seed": ""}


class WorkflowForm(Part):
    """The form of a workflow as its author laid it out, or of a graph node by node. It submits with any values.

    Args:
        console: where to submit.
        workflow: a workflow of this console.
        on_said: called with `said` after each action.

    Attributes:
        title: the workflow's name.
        elements: the form: `kind` ("field", "heading", "text", "divider", "row" or "column"), with `name`, `text` or
            `items`.
        more: the names of the fields that are not in it.
        controls: by the field's name, what it takes: `kind`, `value`, `choices`, `minimum`, whether it is a `seed`, and
            so on.
        form: what is typed: `values` by the field's name (a text; for several values a list; for a generator its
            settings by name, or a list of values), `runs`, `prepend`, and `seed` ("", "random" or "same"). May be set.
        problems: by the field's name, what is wrong; under "" what is wrong with the workflow.
        plan: what would be enqueued, in words.
        jobs: how many jobs; 0 if it cannot be sent as it is.
        counts: by the field's name, how many values it has, where that is not one.
        has_seed: whether the workflow has a seed to set.
    """

    _esm = script("pictures.js", "form.js", "workflow_form.js")
    _css = style("submitter.css", "workflow_form.css")

    title = traitlets.Unicode().tag(sync=True)
    description = traitlets.Unicode().tag(sync=True)
    elements: traitlets.List[Any] = traitlets.List().tag(sync=True)
    more: traitlets.List[str] = traitlets.List().tag(sync=True)
    controls: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    form: traitlets.Dict[str, Any] = traitlets.Dict(dict(EMPTY)).tag(sync=True)
    problems: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    plan = traitlets.Unicode().tag(sync=True)
    jobs = traitlets.Int().tag(sync=True)
    counts: traitlets.Dict[str, int] = traitlets.Dict().tag(sync=True)
    has_seed = traitlets.Bool().tag(sync=True)
    most_runs = traitlets.Int(MAX_RUNS).tag(sync=True)

    def __init__(
        self, console: Console, workflow: Workflow, *, on_said: Callable[[Said], object] | None = None
    ) -> None:
        self._workflow = workflow
        self._files: dict[tuple[str, str], bytes] = {}  # by field and name
        super().__init__(console, on_said=on_said)
        self.observe(self.guard(self._changed), names="form")
        self.title = clean(workflow.name or "Graph")
        source = workflow.to_dict()
        self.description = clean(str(source.get("description") or ""))
        known = [workflow.field(name) for name in workflow]
        self.controls = {clean(one.name): self._control(one) for one in known if one.kind != "video"}
        places = {(one.node_id, one.field): clean(one.name) for one in known if clean(one.name) in self.controls}
        if is_workflow(source):
            self.elements = _elements(form_of(source), places)
        in_form = set(_names(self.elements))
        self.more = [name for name, one in self.controls.items() if name not in in_form and "fed_by" not in one]
        if not in_form:
            self.elements, self.more = [{"kind": "field", "name": name} for name in self.controls], []
        self.has_seed = any(one.field == "seed" for one in known)
        self._check()
        self.follow()

    @property
    def workflow(self) -> Workflow:
        """The workflow, as it was given."""
        return self._workflow

    def _control(self, known: WorkflowField) -> dict[str, Any]:
        value = self._workflow[known.name]
        if known.kind in ("list", "other"):
            value = [] if value is None else value
        found: dict[str, Any] = {
            "kind": known.kind,
            "value": value if isinstance(value, bool | list) else clean(_typed(value)),
            "description": clean(known.description),
            "required": known.required,
        }
        if known.kind == "generator":
            found["value"] = {key: clean(_typed(one)) for key, one in value.items() if key not in ("type", "values")}
        if known.kind == "integer" and "seed" in (known.field, known.name.lower()):
            found["seed"] = True
        if known.fed_by:
            found["fed_by"] = clean(known.fed_by)
        if known.problem:
            found["problem"] = clean(known.problem)
        if known.kind == "choice":
            found["choices"] = [clean(str(choice)) for choice in known.choices]
        if known.kind in ("model", "board"):
            found["choices"] = [clean(choice) for choice in self._workflow.choices(known.name)]
        for name in ("minimum", "maximum", "step"):
            if (bound := getattr(known, name)) is not None:
                found[name] = bound
        return found

    # -- checking ----------------------------------------------------------------------------------------------------

    def _changed(self, _: object = None) -> None:
        self.later_once(self._check, _CHECK_AFTER_S)

    def _check(self) -> None:
        try:
            plan, sweep = self._planned(self.form)
        except InvalidRequest as error:
            self.problems = self._all_problems(error)
            self.jobs = 0
            self.plan = "Fix this to enqueue."
            return
        self.problems = {}
        self.counts = {clean(name): len(values) for name, values in sweep.items()}
        parts = [f"{len(values):,} {name}" for name, values in sweep.items()]
        about = self.console.internals.about(plan.jobs)
        self.plan = clean(many(plan.jobs, "job") + (f": {' × '.join(parts)}" if parts else "") + about)
        self.jobs = plan.jobs

    def _all_problems(self, first: InvalidRequest) -> dict[str, str]:
        """All that is wrong, by field, with each value tried by itself: a plan names the first error alone."""
        errors: list[InvalidRequest] = []
        workflow = self._workflow
        for name, typed in dict(self.form.get("values") or {}).items():
            try:
                for value in self._read(str(name), typed):
                    workflow = workflow.with_({name: value})
            except InvalidRequest as error:
                errors.append(error)
        try:
            checked_runs(self.form.get("runs", 1))
        except InvalidRequest as error:
            errors.append(error)
        texts = [(error.field or "", str(error)) for error in errors]
        texts += [(problem.partition(":")[0], problem) for problem in workflow.problems]
        found: dict[str, str] = {}
        for place, text in (*texts, (first.field or "", str(first))):
            name = clean(place)
            found.setdefault(name if name in self.controls or name == "runs" else "", clean(text))
        return found

    def _planned(self, form: Mapping[str, Any]) -> tuple[Plan, dict[str, list[Any]]]:
        single: dict[str, Any] = {}
        several: dict[str, list[Any]] = {}
        for name, typed in dict(form.get("values") or {}).items():
            values = self._read(str(name), typed)
            if len(values) == 1:
                single[name] = values[0]
            else:
                several[name] = values
        workflow = self._workflow.with_(single)
        plan = workflow.plan(
            several or None, runs=checked_runs(form.get("runs", 1)), seed=str(form.get("seed") or "") or None
        )
        return plan, several

    def _read(self, name: str, typed: Any) -> list[Any]:
        """The values that were typed into a field."""
        known = self._workflow.field(name)
        if known.kind == "image":
            chosen = typed if isinstance(typed, list) else [typed]
            return [one if isinstance(one, dict) else self._files.get((name, str(one)), one) for one in chosen]
        if known.kind == "generator" and isinstance(typed, Mapping):
            settings = self._workflow[name]
            return [{key: one if isinstance(settings.get(key), str) else _number(one) for key, one in typed.items()}]
        if known.kind in ("list", "generator"):
            lines = [
                line for line in (typed if isinstance(typed, list) else str(typed).splitlines()) if str(line).strip()
            ]
            value = self._workflow[name]
            is_number = isinstance(value, list) and value and not isinstance(value[0], str)
            is_number = is_number or known.node_type in ("integer_generator", "float_generator")
            return [read_values(", ".join(map(str, lines)), name) if is_number else lines]
        if known.kind == "other":
            return [_json(name, typed)]
        if known.kind in _NUMBERS and isinstance(typed, str):
            return [*read_values(typed, name, "20 or 1, 2, 3 or 1..10")] if typed.strip() else [None]
        if known.kind in ("text", "color") and isinstance(typed, list):
            return [one for one in typed if str(one).strip()]
        return typed if isinstance(typed, list) else [typed]

    # -- submitting --------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        """Nothing of the queue is shown."""

    def handlers(self) -> dict[str, Callable[..., object]]:
        return {
            "submit": self.submit,
            "shelf": lambda board, page: self.run(send_shelf(self, board, page)),
            "thumbnail": lambda names, page: self.run(send_pictures(self, names, page, full=False)),
        }

    def submit(self, form: Mapping[str, Any] | None = None) -> None:
        """Start enqueuing what the form says, and return at once.

        Args:
            form: what it said at the click; by default what it says now.
        """
        form = {**EMPTY, **(self.form if form is None else form)}
        with self.lock:
            try:
                plan, _ = self._planned(form)
            except InvalidRequest:
                self.form = dict(form)
                self._check()
                return
        work = self.console.internals.enqueue(plan, prepend=bool(form["prepend"]))
        self.run(work, self._submitted, key="submit", always=self.mark)

    def _submitted(self, done: list[EnqueueResult]) -> None:
        self.forgive()
        taken, requested = sum(one.enqueued for one in done), sum(one.requested for one in done)
        if len(done) == 1:
            self.say(words.enqueued(taken, requested, done[0].batch_id), batch=done[0].batch_id)
        else:
            self.say(f"Enqueued {taken:,} of {requested:,} in {len(done):,} batches.")

    def _receive(self, widget: Any, message: Any, buffers: Any) -> None:
        if isinstance(message, dict) and message.get("t") == "file" and message.get("field") in self.controls:
            # In parts, since a Jupyter server closes a connection that carries more than 10 MiB at once.
            key = (message["field"], str(message.get("name")))
            before = self._files.get(key, b"") if message.get("at") else b""
            self._files[key] = before + bytes(buffers[0])
            if message.get("last"):
                self._changed()
        else:
            super()._receive(widget, message, buffers)

    def as_text(self) -> str:
        return repr(self._workflow)

    def as_html(self) -> str:
        return words.paragraph(repr(self._workflow))


def _elements(form: list[dict[str, Any]], places: Mapping[tuple[str, str], str]) -> list[dict[str, Any]]:
    """A workflow's form as the page draws it; fields that this server does not let be set are left out."""
    found: list[dict[str, Any]] = []
    for element in form:
        data = element["data"]
        place = data.get("fieldIdentifier")
        if isinstance(place, Mapping):
            name = places.get((str(place.get("nodeId")), str(place.get("fieldName"))))
            settings = data.get("settings")
            settings = settings if isinstance(settings, Mapping) else {}
            if name is not None:
                found.append(
                    {
                        "kind": "field",
                        "name": name,
                        "component": clean(str(settings.get("component") or "")),
                        "options": [
                            [clean(str(option.get("value"))), clean(str(option.get("label")))]
                            for option in settings.get("options") or ()
                            if isinstance(option, Mapping)
                        ],
                    }
                )
            continue
        kind = "row" if data.get("layout") == "row" else _ELEMENTS.get(element["type"], "")
        items = _elements(element["children"], places)
        if kind in ("row", "column") and items:
            found.append({"kind": kind, "items": items})
        elif kind in ("heading", "text", "divider"):
            found.append({"kind": kind, "text": clean(str(data.get("content") or ""))})
    return found


def _names(elements: list[dict[str, Any]]) -> list[str]:
    return [
        name
        for element in elements
        for name in ([element["name"]] if element["kind"] == "field" else _names(element.get("items", [])))
    ]


def _typed(value: Any) -> str:
    """A value as it is typed."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _number(typed: Any) -> Any:
    """What was typed in place of a number: None for nothing; a text that is none, for the check to refuse."""
    try:
        return json.loads(typed) if isinstance(typed, str) and typed.strip() else None
    except (ValueError, RecursionError):
        return typed


def _json(name: str, typed: Any) -> Any:
    if not isinstance(typed, str):
        return typed
    try:
        return json.loads(typed)
    except (ValueError, RecursionError):
        raise InvalidRequest(f"{name}: should be JSON.", field=name) from None
