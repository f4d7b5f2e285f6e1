"""`JobSubmitter`: a graph or a batch, checked while it is written, and said before it is enqueued."""

from __future__ import annotations

import asyncio
import html
import json
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ipywidgets

from invoke_widgets.errors import InvalidRequest, JobException
from invoke_widgets.sync import Change
from invoke_widgets.widgets import words
from invoke_widgets.widgets.acting import ActingView, enable, put, shown
from invoke_widgets.widgets.base import models_within
from invoke_widgets.widgets.drafts import (
    MAX_RUNS,
    Draft,
    data_of,
    is_batch,
    label_of,
    place_of,
    read_draft,
    read_json,
    rows_of,
    settable_fields,
)
from invoke_widgets.widgets.files import FileInput
from invoke_widgets.widgets.plain_press import Pressed
from invoke_widgets.widgets.values_row import ValuesRow

if TYPE_CHECKING:
    from invoke_widgets.console import Console

EXAMPLE: dict[str, Any] = {"nodes": {"sum": {"type": "add", "a": 1, "b": 2}}, "edges": []}
_CHECK_AFTER_S = 0.25
_REMEMBERED = 10

_recent: weakref.WeakKeyDictionary[Console, deque[Draft]] = weakref.WeakKeyDictionary()


def recent(console: Console) -> deque[Draft]:
    """The last drafts that were enqueued through a console's submitters, newest first."""
    return _recent.setdefault(console, deque(maxlen=_REMEMBERED))


class JobSubmitter(ActingView):
    """Submits a graph, a batch, or a workflow of InvokeAI's editor.

    Args:
        console: where to.
        graph: to begin with; a batch (`{"graph": ..., "data": ..., "runs": ...}`) does as well.
        runs, data, prepend, destination: to begin with, as for `console.submit`.
        on_said: called with the outcome in words.
        fallback: use core widgets only, for front ends that cannot load anywidget's script.

    Attributes:
        recent: the choice among what was enqueued last.
    """

    def __init__(
        self,
        console: Console,
        *,
        graph: Any = None,
        runs: int = 1,
        data: Any = None,
        prepend: bool = False,
        destination: str | None = None,
        on_said: Callable[[str], object] | None = None,
        fallback: bool | None = None,
    ) -> None:
        super().__init__(console, on_said=on_said, fallback=fallback)
        self._rows: list[ValuesRow] = []
        self._filling = False
        self._unreadable = False
        self._generation = 0
        self._sendable = False  # what the form says can be read, and is not known to be wrong
        self._shown_recent: tuple[Draft, ...] = ()
        self._check = self.guard(self._changed_by_hand)
        self._graph = ipywidgets.Textarea(
            description="graph", placeholder=json.dumps(EXAMPLE), rows=8, layout={"width": "auto", "height": "auto"}
        )
        self._graph.add_class("iw-graph")
        self._file = FileInput(self, self._on_file, fallback=bool(fallback))
        self._example = self.button("example", lambda _: self._on_example(), tooltip="A graph that adds two numbers")
        self.recent = ipywidgets.Dropdown(options=[("…", -1)], value=-1, description="recent")
        self._runs = ipywidgets.BoundedIntText(value=1, min=1, max=MAX_RUNS, description="runs")
        self._runs.add_class("iw-short")
        self._prepend = ipywidgets.Checkbox(value=False, description="before everything that waits", indent=False)
        self._destination = ipywidgets.Text(description="destination", placeholder="a label, or empty")
        self._add = self.button(
            "+ vary a field", lambda _: self.vary(), tooltip="Values for a field: one item for each"
        )
        self._ignored = ipywidgets.HTML()
        self._ignored_of = ""  # the graph with which something was pasted that is not sent
        self._errors = {name: ipywidgets.HTML() for name in ("graph", "runs", "destination", "data")}
        self._rows_box = ipywidgets.VBox()
        self._plan = ipywidgets.HTML()
        self._submit = self.button("enqueue", self._on_submit, button_style="primary", disabled=True)
        sources = ipywidgets.HBox([self._file.button, self._example, self.recent])
        options = ipywidgets.HBox([self._runs, self._destination, self._prepend, self._add])
        final = ipywidgets.HBox([self._submit, self._plan])
        for box in (sources, options, final):
            box.add_class("iw-row")
        self._fields = (self._graph, self._runs, self._prepend, self._destination)
        for widget in self._fields:
            widget.observe(self._check, names="value")
        self._lay_rows()
        self.recent.observe(self.guard(self._on_recent), names="value")
        self.add_class("iw-submitter")
        self.show(
            sources,
            self._file.error,
            self._graph,
            self._ignored,
            self._errors["graph"],
            options,
            self._errors["runs"],
            self._errors["destination"],
            self._rows_box,
            self._errors["data"],
            final,
            self.status_line,
        )
        if graph is not None:
            draft = read_draft(graph)
            if data is not None or not is_batch(graph):
                draft = replace(draft, data=data)
            self.fill(
                replace(
                    draft,
                    runs=runs if runs != 1 else draft.runs,
                    prepend=prepend or draft.prepend,
                    destination=destination if destination is not None else draft.destination,
                )
            )
        else:
            self._changed_by_hand()
        self.follow()

    # -- filling in --------------------------------------------------------------------------------------------------

    def fill(self, draft: Draft) -> None:
        """Put a draft into the form, and check it."""
        if not 1 <= draft.runs <= MAX_RUNS:
            raise InvalidRequest(f"runs: should be an integer from 1 to {MAX_RUNS:,}, got {draft.runs}.")
        rows = rows_of(draft.data)
        with self.lock:
            self._filling = True
            try:
                self._graph.value = json.dumps(draft.graph, indent=2, ensure_ascii=False)
                self._runs.value = draft.runs
                self._prepend.value = draft.prepend
                self._destination.value = draft.destination or ""
                for row in list(self._rows):
                    self._close_row(row)
                for field, values, group in rows:
                    row = self._new_row()
                    row.field.value, row.values.value, row.group.value = field, values, group
                self._lay_rows()
                put(self._ignored, "value", _ignored_html(draft.ignored))
                self._ignored_of = self._graph.value
            finally:
                self._filling = False
        self._changed_by_hand()

    def _on_example(self) -> None:
        self.fill(Draft(graph=EXAMPLE))

    def _on_recent(self, change: Any) -> None:
        with self.lock:
            if change["new"] >= 0 and not self._filling:
                self.fill(self._shown_recent[change["new"]])

    def _on_file(self, text: str) -> None:
        self._graph.value = text

    def vary(self) -> None:
        """Add a row for the values of a field."""
        with self.lock:
            self._new_row()
            self._lay_rows()
            self._suggest()
        self._changed_by_hand()

    def _new_row(self) -> ValuesRow:
        row = ValuesRow(self._check, self.guard(self._remove_row))
        row.group.value = 1 + max((r.group.value for r in self._rows), default=0)
        self._rows.append(row)
        return row

    def _remove_row(self, row: ValuesRow) -> None:
        with self.lock:
            self._close_row(row)
            self._lay_rows()
            self._add.focus()
        self._changed_by_hand()

    def _close_row(self, row: ValuesRow) -> None:
        if row in self._rows:
            self._rows.remove(row)
            self._lay_rows()
            for model in models_within(row.box):
                model.close()

    def _lay_rows(self) -> None:
        self._rows_box.children = tuple(row.box for row in self._rows)
        in_rows = [field for row in self._rows for field in (row.field, row.values, row.group)]
        self._submit.reads = [*self._fields, *in_rows]

    def _suggest(self) -> None:
        try:
            fields = tuple(settable_fields(read_json(self._graph.value)))
        except InvalidRequest:
            return
        for row in self._rows:
            put(row.field, "options", fields)

    # -- checking ----------------------------------------------------------------------------------------------------

    def _changed_by_hand(self, _: object = None) -> None:
        """Something was typed: read it now, and have the server's schemas check it when typing pauses."""
        with self.lock:
            if self._filling:  # by this thread: another one has waited
                return
            self._generation += 1
            generation = self._generation
            self._file.forgive()
            if self._graph.value != self._ignored_of:
                put(self._ignored, "value", "")
            try:
                draft = self._read()
            except InvalidRequest as error:
                self._unreadable = True
                self._draw_error(error)
                self._draw_submit(sendable=False)
                return
            self._draw_submit(sendable=draft is not None)
            if self._unreadable:
                # That is mended; what the server's schemas have to say may take a while.
                self._unreadable = False
                self._draw_error(None)
                put(self._plan, "value", _plan_html("Checking …"))
            if draft is None:
                self._draw_error(None)
                put(
                    self._plan,
                    "value",
                    _plan_html("Paste a graph, a batch or a workflow as JSON, open a file, or drop it here."),
                )
                return
            self._suggest()
        self.run(self._checked(draft, generation), self._draw_checked)

    def _read(self) -> Draft | None:
        text = self._graph.value
        if not text.strip():
            return None
        pasted = read_json(text)
        if is_batch(pasted):
            # Its parts go to where they can be seen and changed; that calls this method again.
            self.fill(read_draft(pasted))
            return self._read()
        rows = [row.read() for row in self._rows]
        return Draft(
            graph=pasted,
            runs=self._runs.value,
            data=data_of(rows),
            prepend=self._prepend.value,
            destination=self._destination.value.strip() or None,
        )

    async def _checked(self, draft: Draft, generation: int) -> tuple[Draft, int, int | JobException]:
        await asyncio.sleep(_CHECK_AFTER_S)
        if generation != self._generation:
            return draft, generation, 0
        try:
            total = await self.console.actions.check(
                draft.graph, runs=draft.runs, data=draft.data, destination=draft.destination
            )
        except JobException as error:
            return draft, generation, error
        return draft, generation, total

    def _draw_checked(self, checked: tuple[Draft, int, int | JobException]) -> None:
        draft, generation, answer = checked
        with self.lock:
            if generation != self._generation:
                return
            self._draw_submit(sendable=not isinstance(answer, JobException))
            if isinstance(answer, InvalidRequest):
                self._draw_error(answer)
            elif isinstance(answer, JobException):
                self._draw_error(None)
                put(self._plan, "value", _plan_html(f"It could not be checked: {answer}"))
            else:
                self._draw_error(None)
                where = "before everything that waits" if draft.prepend else "at the end of the queue"
                put(self._plan, "value", _plan_html(f"{words.plan(answer, draft.runs)}, {where}"))

    def _draw_error(self, error: InvalidRequest | None) -> None:
        """An error at the field that it is about; None for none."""
        place = place_of(error.message) if error is not None else ""
        text = _error_html(error) if error is not None else ""
        said = [row for row in self._rows if row.field.value.strip() or row.values.value.strip()]
        rows = [row for row in said if place == f"data.{row.field.value.strip()}"]
        for row in self._rows:
            put(row.error, "value", text if row in rows[:1] else "")
        if place.startswith("data"):
            place = "" if rows else "data"
        for name, line in self._errors.items():
            put(line, "value", text if name == place else "")
        if error is not None:
            put(self._plan, "value", _plan_html("Nothing can be enqueued until this is mended."))

    # -- submitting --------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        drafts = tuple(recent(self.console))
        if drafts != self._shown_recent:
            self._shown_recent = drafts
            self._filling = True
            try:
                self.recent.options = (("…", -1), *((d.label, i) for i, d in enumerate(drafts)))
                self.recent.value = -1
            finally:
                self._filling = False
        shown(self.recent, bool(drafts))
        self._draw_submit(sendable=self._sendable)

    def _draw_submit(self, *, sendable: bool) -> None:
        self._sendable = sendable
        enable(self._submit, sendable and self.console.store.state.connection.mode != "closed")

    def _on_submit(self, _: Pressed) -> None:
        """Enqueue what the form said at the click, which may be changed already, or not be checked yet."""
        with self.lock:
            try:
                draft = self._read()
            except InvalidRequest:  # as is told at its field
                return
        if draft is not None:
            self.act(self._submit, self._submitted(draft), str)

    async def _submitted(self, draft: Draft) -> str:
        try:
            submission = await self.console.actions.submit(
                draft.graph, runs=draft.runs, data=draft.data, prepend=draft.prepend, destination=draft.destination
            )
        except InvalidRequest as error:
            with self.lock:
                self._draw_error(error)
            return f"Nothing was enqueued: {error.message}"
        drafts = recent(self.console)
        kept = replace(draft, label=label_of(draft, submission.requested))
        if kept in drafts:
            drafts.remove(kept)
        drafts.appendleft(kept)
        return words.enqueued(submission.enqueued, submission.requested, submission.batch_id)

    def as_text(self) -> str:
        return self.said or "Submit: needs a kernel."

    def as_html(self) -> str:
        return f"<p>{html.escape(self.as_text())}</p>"


def _ignored_html(names: Sequence[str]) -> str:
    if not names:
        return ""
    told = f"Left out, since the form does not send it: {', '.join(names)}."
    return f'<div class="iw-plan" role="status">{html.escape(told)}</div>'


def _plan_html(text: str) -> str:
    return f'<div class="iw-plan" role="status">{html.escape(text)}</div>'


def _error_html(error: InvalidRequest) -> str:
    remedy = f' <span class="iw-remedy">{html.escape(error.suggestion)}</span>' if error.suggestion else ""
    message = html.escape(error.message.removeprefix("data.: "))  # at the row, whose field has no name yet
    return f'<div class="iw-field-error" role="alert">{message}{remedy}</div>'
