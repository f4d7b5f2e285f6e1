"""`JobSubmitter`: a form for a graph or a batch, which is checked while it is written."""

from __future__ import annotations

import asyncio
import codecs
import json
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets import workflows
from invoke_widgets.errors import InvalidRequest, JobException
from invoke_widgets.errors.text import cut, printable
from invoke_widgets.jobs import Submission
from invoke_widgets.sync import Change
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.drafts import (
    MAX_RUNS,
    checked_runs,
    data_of,
    is_batch,
    label_of,
    place_of,
    read_draft,
    read_json,
    rows_of,
    variable_fields,
)
from invoke_widgets.widgets.part import Part, Said, script, style
from invoke_widgets.widgets.text import clean
from invoke_widgets.widgets.workflow_form import WorkflowForm
from invoke_widgets.workflows import PICTURE, Workflow, read_source

if TYPE_CHECKING:
    from invoke_widgets.console import Console
    from invoke_widgets.records import WorkflowRecord

EXAMPLE: dict[str, Any] = {"nodes": {"sum": {"type": "add", "a": 1, "b": 2}}, "edges": []}
_CHECK_AFTER_S = 0.25
_REMEMBERED = 10
FILE_LIMIT = 4_000_000
"""Bytes. A Jupyter server closes a connection that carries more than 10 MiB at once, and a text grows on its way."""
_FILE_REMEDY = "Choose a graph or batch as JSON."
EMPTY: dict[str, Any] = {"graph": "", "runs": 1, "prepend": False, "destination": "", "rows": []}

_recent: weakref.WeakKeyDictionary[Console, deque[tuple[str, Submission]]] = weakref.WeakKeyDictionary()


def recent(console: Console) -> deque[tuple[str, Submission]]:
    """The last drafts enqueued through a console's submitters, newest first, each with a label for a list."""
    return _recent.setdefault(console, deque(maxlen=_REMEMBERED))


_Checked = tuple[Submission, int, list[tuple[str, str]], int | JobException | list[InvalidRequest]]
"""What was checked, and when; what may be varied; how many jobs, why it could not be checked, or what is wrong."""


class JobSubmitter(Part):
    """A form that submits a graph, a batch, or a workflow of InvokeAI's editor, which is shown by its own form.

    Args:
        console: where to submit.
        graph: the initial graph, or a batch (`{"graph": ..., "data": ..., "runs": ...}`).
        runs, data, prepend, destination: initial values, as for `console.submit`.
        on_said: called with `said` after each action.

    Attributes:
        form: what is written: `graph` (a text), `runs`, `prepend`, `destination`, and `rows` of values to vary, each a
            field, its values and its group. May be set.
        problems: by the name of an input ("graph", "runs", "destination", "data", or "row 1" and so on), what is wrong
            with it and what to do.
        plan: what would be enqueued, in words.
        fields: "node.field" of each field that may have several values, and its kind, limits and value, in words.
        sendable: whether the form can be read, and is not known to be wrong.
        library: id and name of each workflow in the server's library, once it was asked for.
        shown: refers to the form of a workflow, in place of this one; "" for none.
    """

    _esm = script("form.js", "submitter.js")
    _css = style("submitter.css")

    form: traitlets.Dict[str, Any] = traitlets.Dict(dict(EMPTY)).tag(sync=True)
    problems: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    plan = traitlets.Unicode().tag(sync=True)
    sendable = traitlets.Bool().tag(sync=True)
    fields: traitlets.List[Any] = traitlets.List().tag(sync=True)
    drafts: traitlets.List[str] = traitlets.List().tag(sync=True)
    file_limit = traitlets.Int(FILE_LIMIT).tag(sync=True)
    most_runs = traitlets.Int(MAX_RUNS).tag(sync=True)
    example = traitlets.Unicode(json.dumps(EXAMPLE)).tag(sync=True)
    library: traitlets.List[Any] = traitlets.List().tag(sync=True)
    shown = traitlets.Unicode().tag(sync=True)
    is_workflow = traitlets.Bool().tag(sync=True)

    def __init__(
        self,
        console: Console,
        *,
        graph: Any = None,
        runs: int = 1,
        data: Any = None,
        prepend: bool = False,
        destination: str | None = None,
        on_said: Callable[[Said], object] | None = None,
    ) -> None:
        self._generation = 0
        self._readable = False
        self._ignored: tuple[str, ...] = ()
        self._ignored_of = ""  # the graph that was pasted with something that is not sent
        self._form: WorkflowForm | None = None
        super().__init__(console, on_said=on_said)
        self.observe(self.guard(self._changed), names="form")
        if graph is not None:
            draft, ignored = read_draft(graph)
            if data is not None or not is_batch(graph):
                draft = replace(draft, data=data)
            self.fill(
                replace(
                    draft,
                    runs=runs if runs != 1 else draft.runs,
                    prepend=prepend or draft.prepend,
                    destination=destination if destination is not None else draft.destination,
                ),
                ignored,
            )
        else:
            self._changed()
        self.follow()

    # -- filling in --------------------------------------------------------------------------------------------------

    def fill(self, draft: Submission, ignored: tuple[str, ...] = ()) -> None:
        """Put a draft into the form, and check it. `ignored`: names of what was pasted with it and is not sent."""
        checked_runs(draft.runs)
        graph = clean(json.dumps(draft.graph, indent=2, ensure_ascii=False))
        self._ignored, self._ignored_of = ignored, graph
        self.form = {
            "graph": graph,
            "runs": draft.runs,
            "prepend": draft.prepend,
            "destination": draft.destination or "",
            "rows": [[clean(field), clean(values), group] for field, values, group in rows_of(draft.data)],
        }

    def _fill_recent(self, number: int) -> None:
        self.fill(recent(self.console)[number][1])

    def _take_file(self, name: str, content: bytes) -> None:
        try:
            if content.startswith(PICTURE):
                self.load(_in_picture(name, content))
                return
            text = read_file(name, content)
        except InvalidRequest as error:
            self.problems = {**self.problems, "file": _problem(error)}
            return
        self.form = {**self.form, "graph": text}
        if self.is_workflow:
            self.load(read_source(text))

    # -- workflows ---------------------------------------------------------------------------------------------------

    def load(self, source: dict[str, Any] | str | None = None) -> None:
        """Start showing a workflow's own form in place of this one, and return at once.

        Args:
            source: the workflow, or its name or id in the server's library; by default what is in the form.
        """
        if source is None:
            source = read_source(str(self.form["graph"]))
        self.run(self.console.internals.load_workflow(source), self._show, key="load")

    def _show(self, workflow: Workflow) -> None:
        self._hide()
        self._form = WorkflowForm(self.console, workflow, on_said=self.repeat)
        self.shown = f"IPY_MODEL_{self._form.model_id}"

    def _hide(self) -> None:
        """Show the JSON again, that of the workflow as it was loaded."""
        form, self._form = self._form, None
        self.shown = ""
        if form is not None:
            graph = clean(json.dumps(form.workflow.to_dict(), indent=2, ensure_ascii=False))
            form.close()
            self.form = {**self.form, "graph": graph, "rows": []}

    def _list_library(self) -> None:
        def draw(records: list[WorkflowRecord]) -> None:
            self.library = [[clean(one.workflow_id), clean(one.name)] for one in records]

        self.run(self.console.client.list_workflows(), draw, key="library")

    def within(self) -> tuple[Any, ...]:
        return () if self._form is None else (self._form,)

    def _refuse_file(self, why: str, name: str, size: int = 0) -> None:
        self.problems = {**self.problems, "file": _problem(refused(why, name, size))}

    # -- checking ----------------------------------------------------------------------------------------------------

    def _changed(self, _: object = None) -> None:
        """Read what was typed now, and check it against the server's schemas when typing pauses."""
        with self.lock:
            self._generation += 1
            generation = self._generation
            draft, errors = self._read(self.form)
            if errors:
                self._readable = False
                self._draw_problems(errors)
            self.is_workflow = draft is not None and workflows.is_workflow(draft.graph)
            if draft is None:
                if errors:
                    return
                self._draw_problems([])
                self.sendable = False
                self.plan = "Paste a graph, a batch or a workflow as JSON, open a file, or drop it here."
                return
            if generation != self._generation:  # a batch was pasted, and has been taken apart
                return
            if not self._readable and not errors:
                # That is fixed; the check against the server's schemas may take a while.
                self._readable = True
                self._draw_problems([])
                self.plan = "Checking …"
            self.sendable = self._is_open and not errors
        self.run(self._checked(draft, generation, errors), self._draw_checked)

    def _read(self, form: Mapping[str, Any]) -> tuple[Submission | None, list[InvalidRequest]]:
        """What can be read of a form, None if that is no graph, and all that cannot."""
        text = str(form["graph"])
        if not text.strip():
            return None, []
        try:
            pasted = read_json(text)
            if is_batch(pasted):
                # Put its parts where they can be seen and changed; that checks them too.
                self.fill(*read_draft(pasted))
                return self._read(self.form)
        except InvalidRequest as error:
            return None, [error]
        data, errors = data_of([(str(field), str(values), int(group)) for field, values, group in form["rows"]])
        try:
            runs = checked_runs(form["runs"])
        except InvalidRequest as error:
            runs, errors = 1, [*errors, error]
        draft = Submission(
            graph=pasted,
            runs=runs,
            data=data,
            prepend=bool(form["prepend"]),
            destination=str(form["destination"]).strip() or None,
        )
        return draft, errors

    async def _checked(self, draft: Submission, generation: int, errors: list[InvalidRequest]) -> _Checked:
        await asyncio.sleep(_CHECK_AFTER_S)
        fields: list[tuple[str, str]] = []
        answer: int | JobException | list[InvalidRequest] = 0
        if generation != self._generation:
            return draft, generation, fields, answer
        actions = self.console.internals.actions
        try:
            fields = variable_fields(draft.graph, await actions.node_schemas())
            total = await actions.check(draft)
            answer = errors or total
        except InvalidRequest as error:
            answer = [*errors, *await self._each(draft), error]
        except JobException as error:
            answer = errors or error
        return draft, generation, fields, answer

    async def _each(self, draft: Submission) -> list[InvalidRequest]:
        """The errors of the values of each field by itself: a check of all names the first."""
        errors = []
        for field, values in ((field, values) for group in draft.data or () for field, values in group.items()):
            try:
                await self.console.internals.actions.check(replace(draft, data=[{field: values}]))
            except InvalidRequest as error:
                errors.append(error)
        return errors

    def _draw_checked(self, checked: _Checked) -> None:
        draft, generation, fields, answer = checked
        with self.lock:
            if generation != self._generation:
                return
            self.fields = [[clean(path), clean(about)] for path, about in fields]
            if isinstance(answer, list):
                self._draw_problems(answer)
                return
            self._draw_problems([])
            if isinstance(answer, JobException):
                self.sendable = False
                self.plan = clean(f"Could not be checked: {answer}")
            else:
                self.sendable = self._is_open
                self.plan = words.plan(answer, draft.runs)

    def _draw_problems(self, errors: Sequence[InvalidRequest]) -> None:
        """Show each error at the input that it is about, the first of each."""
        problems = {}
        if self._ignored and self.form["graph"] == self._ignored_of:
            note = f"Left out, as the form does not send it: {', '.join(self._ignored)}."
            problems["ignored"] = {"message": clean(note), "remedy": ""}
        fields = [f"data.{str(field).strip()}" for field, _, _ in self.form["rows"]]
        for error in errors:
            place = place_of(error)
            if place.startswith("data"):
                place = f"row {fields.index(place)}" if place in fields else "data"
            problems.setdefault(place, _problem(error))
        if errors:
            self.sendable = False
            self.plan = "Fix this to enqueue."
        self.problems = problems

    # -- submitting --------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        self.drafts = [clean(label) for label, _ in recent(self.console)]
        self.sendable = self.sendable and self._is_open

    @property
    def _is_open(self) -> bool:
        return bool(self.console.internals.store.state.connection.mode != "closed")

    def handlers(self) -> dict[str, Callable[..., object]]:
        return {
            "submit": self.submit,
            "recent": self._fill_recent,
            "refused": self._refuse_file,
            "library": self._list_library,
            "load": self.load,
            "json": self._hide,
        }

    def submit(self, form: Mapping[str, Any] | None = None) -> None:
        """Start enqueuing what the form says, and return at once.

        Args:
            form: what it said at the click, whether or not it was changed since; by default what it says now.
        """
        with self.lock:
            draft, errors = self._read({**EMPTY, **(self.form if form is None else form)})
            if errors:
                self._draw_problems(errors)
                return
        if draft is not None:
            self.run(self._submitted(draft), key="submit")

    async def _submitted(self, draft: Submission) -> None:
        try:
            done = await self.console.internals.actions.submit(draft)
        except InvalidRequest as error:
            with self.lock:
                self._draw_problems([error])
            self.say(f"Nothing was enqueued: {error.message}")
            return
        drafts = recent(self.console)
        kept = (label_of(draft, done.requested), draft)
        if kept in drafts:
            drafts.remove(kept)
        drafts.appendleft(kept)
        self.forgive()
        self.say(words.enqueued(done.enqueued, done.requested, done.batch_id), batch=done.batch_id)
        self.mark()

    def _receive(self, widget: Any, message: Any, buffers: Any) -> None:
        if isinstance(message, dict) and message.get("t") == "file":
            self.guard(self._take_file)(str(message.get("name")), bytes(buffers[0]))
        else:
            super()._receive(widget, message, buffers)

    def as_text(self) -> str:
        return self.said.get("text") or "Submitting needs a kernel."

    def as_html(self) -> str:
        return words.paragraph(self.as_text())


def read_file(name: str, content: bytes) -> str:
    """Decode a file: UTF-8, or UTF-16 with a byte order mark, as some editors write it.

    Raises:
        InvalidRequest: it is too large, empty, or not text; the message begins with the file's name.
    """
    if len(content) > FILE_LIMIT:
        raise refused("size", name, len(content))
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{_named(name)} is not a text file in UTF-8.", suggestion=_FILE_REMEDY) from None
    if not text.strip():
        raise InvalidRequest(f"{_named(name)} is empty.", suggestion=_FILE_REMEDY)
    return text


def _in_picture(name: str, content: bytes) -> dict[str, Any] | str:
    """The workflow in a picture.

    Raises:
        InvalidRequest: it has none; the message begins with the file's name.
    """
    try:
        return read_source(content)
    except InvalidRequest:
        raise InvalidRequest(
            f"{_named(name)} is a picture without a workflow.", suggestion="Choose one that InvokeAI saved."
        ) from None


def refused(why: str, name: str, size: object = None) -> InvalidRequest:
    """The error for a file that the page did not send: it is too large ("size"), one of "many", or unreadable."""
    if why == "size":
        problem = f"has {size:,} bytes" if isinstance(size, int) else "is too large"
        remedy = "Read it in a cell, and pass it to console.submit."
        return InvalidRequest(f"{_named(name)} {problem}; the form takes {FILE_LIMIT:,}.", suggestion=remedy)
    if why == "many":
        return InvalidRequest("The form takes one file at a time.", suggestion=_FILE_REMEDY)
    return InvalidRequest(f"{_named(name)} could not be read.", suggestion="Choose a file, not a folder.")


def _named(name: str) -> str:
    """A file's name, shortened, and without invisible characters."""
    return f'"{cut(printable(name), 80)}"'


def _problem(error: InvalidRequest) -> dict[str, str]:
    return {"message": clean(error.message), "remedy": clean(error.suggestion)}
