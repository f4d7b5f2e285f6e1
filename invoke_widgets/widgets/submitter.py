"""`JobSubmitter`: a form for a graph or a batch, which is checked while it is written."""

from __future__ import annotations

import asyncio
import codecs
import html
import json
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
import traitlets

from invoke_widgets.errors import InvalidRequest, JobException
from invoke_widgets.errors.text import cut
from invoke_widgets.sync import Change
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.base import ActingView, View, enable, models_within, put, shown, static
from invoke_widgets.widgets.button import Pressed
from invoke_widgets.widgets.drafts import (
    MAX_RUNS,
    Draft,
    Row,
    checked_runs,
    data_of,
    is_batch,
    label_of,
    place_of,
    read_draft,
    read_json,
    rows_of,
    settable_fields,
)
from invoke_widgets.widgets.text import printable

if TYPE_CHECKING:
    from invoke_widgets.console import Console

EXAMPLE: dict[str, Any] = {"nodes": {"sum": {"type": "add", "a": 1, "b": 2}}, "edges": []}
_CHECK_AFTER_S = 0.25
_REMEMBERED = 10
FILE_LIMIT = 4_000_000
"""Bytes. A Jupyter server closes a connection that carries more than 10 MiB at once, and a text grows on its way."""
_FILE_REMEDY = "Choose a graph or batch as JSON."

_recent: weakref.WeakKeyDictionary[Console, deque[Draft]] = weakref.WeakKeyDictionary()


def recent(console: Console) -> deque[Draft]:
    """The last drafts enqueued through a console's submitters, newest first."""
    return _recent.setdefault(console, deque(maxlen=_REMEMBERED))


class FileZone(anywidget.AnyWidget):
    """A button that opens a file, and the form around it as a place to drop one.

    It sends `{"t": "file", "name": ...}` with the bytes, or `{"t": "refused", "why": ..., "name": ..., "size": ...}`.

    Args:
        limit: in bytes; a larger file is refused in the page, for "size".
    """

    _esm = static("file_zone.js")

    limit = traitlets.Int().tag(sync=True)


class FileInput:
    """The button that opens a file, and a line for what is wrong with it.

    Args:
        view: shows both. Files can be dropped in its outermost element, of class `iw-submitter`.
        taken: called with a file's text.

    Attributes:
        button, error: to be shown.
    """

    def __init__(self, view: View, taken: Callable[[str], object]) -> None:
        self._taken = taken
        self.error = ipywidgets.HTML()
        self.button = FileZone(limit=FILE_LIMIT)
        self.button.on_msg(view.guard(self._receive))

    def clear(self) -> None:
        """Empty the line."""
        put(self.error, "value", "")

    def _receive(self, _: object, message: Any, buffers: list[Any]) -> None:
        name = str(message.get("name"))
        try:
            if message.get("t") == "refused":
                raise refused(str(message.get("why")), name, message.get("size"))
            if message.get("t") != "file":
                return
            text = read_file(name, bytes(buffers[0]))
        except InvalidRequest as error:
            remedy = f' <span class="iw-remedy">{html.escape(error.suggestion)}</span>'
            self.error.value = f'<div class="iw-field-error" role="alert">{html.escape(error.message)}{remedy}</div>'
        else:
            self.clear()
            self._taken(text)


class ValuesRow:
    """A line of the form: a field to vary, its values and its group, with a place for their error."""

    def __init__(self, changed: Callable[[object], object], remove: Callable[[ValuesRow], object]) -> None:
        self.field = ipywidgets.Combobox(
            description="Field", placeholder="node.field", ensure_option=False, layout={"width": "auto"}
        )
        self.values = ipywidgets.Text(
            description="Values", placeholder='[1, 2, 3] or ["a", "b"]', layout={"flex": "1 1 220px"}
        )
        self.group = ipywidgets.BoundedIntText(
            value=1, min=1, max=99, description="Group", tooltip="Rows of one group are zipped; groups are combined"
        )
        self.group.add_class("iw-short")
        self.drop = ipywidgets.Button(description="Remove", tooltip="Remove these values", layout={"width": "auto"})
        self.error = ipywidgets.HTML()
        line = ipywidgets.HBox([self.field, self.values, self.group, self.drop])
        line.add_class("iw-row")
        self.box = ipywidgets.VBox([line, self.error])
        for widget in (self.field, self.values, self.group):
            widget.observe(changed, names="value")
        self.drop.on_click(lambda _: remove(self))

    def read(self) -> Row:
        """What is written in the line."""
        return self.field.value, self.values.value, self.group.value


class JobSubmitter(ActingView):
    """A form that submits a graph, a batch, or a workflow of InvokeAI's editor.

    Args:
        console: where to submit.
        graph: the initial graph, or a batch (`{"graph": ..., "data": ..., "runs": ...}`).
        runs, data, prepend, destination: initial values, as for `console.submit`.
        on_said: called with the outcome in words.

    Attributes:
        graph, runs, prepend, destination: the fields.
        rows: the rows of values to vary.
        errors: by the name of a field, what is wrong with it.
        recent: the choice among the drafts enqueued last.
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
    ) -> None:
        super().__init__(console, on_said=on_said)
        self.rows: list[ValuesRow] = []
        self._filling = False
        self._unreadable = False
        self._generation = 0
        self._sendable = False  # the form can be read, and is not known to be wrong
        self._shown_recent: tuple[Draft, ...] = ()
        self._check = self.guard(self._changed_by_hand)
        self.graph = ipywidgets.Textarea(
            description="Graph", placeholder=json.dumps(EXAMPLE), rows=8, layout={"width": "auto", "height": "auto"}
        )
        self.graph.add_class("iw-graph")
        self._file = FileInput(self, self._on_file)
        self._example = self.button("Example", lambda _: self._on_example(), tooltip="A graph that adds two numbers")
        self.recent = ipywidgets.Dropdown(options=[("…", -1)], value=-1, description="Recent")
        self.runs = ipywidgets.BoundedIntText(value=1, min=1, max=MAX_RUNS, description="Runs")
        self.runs.add_class("iw-short")
        self.prepend = ipywidgets.Checkbox(value=False, description="Run next (front of the queue)", indent=False)
        self.destination = ipywidgets.Text(description="Destination", placeholder="A label, or empty")
        self._add = self.button(
            "+ Vary a field", lambda _: self.vary(), tooltip="Add values for a field: one item for each"
        )
        self._ignored = ipywidgets.HTML()
        self._ignored_of = ""  # the graph that was pasted with something that is not sent
        self.errors = {name: ipywidgets.HTML() for name in ("graph", "runs", "destination", "data")}
        self._rows_box = ipywidgets.VBox()
        self._plan = ipywidgets.HTML()
        self._submit = self.button("Enqueue", self._on_submit, button_style="primary", disabled=True)
        sources = ipywidgets.HBox([self._file.button, self._example, self.recent])
        options = ipywidgets.HBox([self.runs, self.destination, self.prepend, self._add])
        final = ipywidgets.HBox([self._submit, self._plan])
        for box in (sources, options, final):
            box.add_class("iw-row")
        self._fields = (self.graph, self.runs, self.prepend, self.destination)
        for widget in self._fields:
            widget.observe(self._check, names="value")
        self._lay_rows()
        self.recent.observe(self.guard(self._on_recent), names="value")
        self.add_class("iw-submitter")
        self.show(
            sources,
            self._file.error,
            self.graph,
            self._ignored,
            self.errors["graph"],
            options,
            self.errors["runs"],
            self.errors["destination"],
            self._rows_box,
            self.errors["data"],
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
        checked_runs(draft.runs)
        rows = rows_of(draft.data)
        with self.lock:
            self._filling = True
            try:
                self.graph.value = json.dumps(draft.graph, indent=2, ensure_ascii=False)
                self.runs.value = draft.runs
                self.prepend.value = draft.prepend
                self.destination.value = draft.destination or ""
                for row in list(self.rows):
                    self._close_row(row)
                for field, values, group in rows:
                    row = self._new_row()
                    row.field.value, row.values.value, row.group.value = field, values, group
                self._lay_rows()
                put(self._ignored, "value", _ignored_html(draft.ignored))
                self._ignored_of = self.graph.value
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
        self.graph.value = text

    def vary(self) -> None:
        """Add a row for the values of a field."""
        with self.lock:
            self._new_row()
            self._lay_rows()
            self._suggest()
        self._changed_by_hand()

    def _new_row(self) -> ValuesRow:
        row = ValuesRow(self._check, self.guard(self._remove_row))
        row.group.value = 1 + max((r.group.value for r in self.rows), default=0)
        self.rows.append(row)
        return row

    def _remove_row(self, row: ValuesRow) -> None:
        with self.lock:
            self._close_row(row)
            self._lay_rows()
            self._add.focus()
        self._changed_by_hand()

    def _close_row(self, row: ValuesRow) -> None:
        if row in self.rows:
            self.rows.remove(row)
            self._lay_rows()
            for model in models_within(row.box):
                model.close()

    def _lay_rows(self) -> None:
        self._rows_box.children = tuple(row.box for row in self.rows)
        in_rows = [field for row in self.rows for field in (row.field, row.values, row.group)]
        self._submit.reads = [*self._fields, *in_rows]

    def _suggest(self) -> None:
        try:
            fields = tuple(settable_fields(read_json(self.graph.value)))
        except InvalidRequest:
            return
        for row in self.rows:
            put(row.field, "options", fields)

    # -- checking ----------------------------------------------------------------------------------------------------

    def _changed_by_hand(self, _: object = None) -> None:
        """Read what was typed now, and check it against the server's schemas when typing pauses."""
        with self.lock:
            if self._filling:  # by this thread: another one has waited
                return
            self._generation += 1
            generation = self._generation
            self._file.clear()
            if self.graph.value != self._ignored_of:
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
                # That is fixed; the check against the server's schemas may take a while.
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
        text = self.graph.value
        if not text.strip():
            return None
        pasted = read_json(text)
        if is_batch(pasted):
            # Put its parts where they can be seen and changed; that calls this method again.
            self.fill(read_draft(pasted))
            return self._read()
        rows = [row.read() for row in self.rows]
        return Draft(
            graph=pasted,
            runs=self.runs.value,
            data=data_of(rows),
            prepend=self.prepend.value,
            destination=self.destination.value.strip() or None,
        )

    async def _checked(self, draft: Draft, generation: int) -> tuple[Draft, int, int | JobException]:
        await asyncio.sleep(_CHECK_AFTER_S)
        if generation != self._generation:
            return draft, generation, 0
        try:
            total = await self.console.actions.check(draft)
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
                put(self._plan, "value", _plan_html(f"Could not be checked: {answer}"))
            else:
                self._draw_error(None)
                where = "at the front of the queue" if draft.prepend else "at the end of the queue"
                put(self._plan, "value", _plan_html(f"{words.plan(answer, draft.runs)}, {where}"))

    def _draw_error(self, error: InvalidRequest | None) -> None:
        """Show an error at the field that it is about; None for none."""
        place = place_of(error) if error is not None else ""
        text = _error_html(error) if error is not None else ""
        said = [row for row in self.rows if row.field.value.strip() or row.values.value.strip()]
        rows = [row for row in said if place == f"data.{row.field.value.strip()}"]
        for row in self.rows:
            put(row.error, "value", text if row in rows[:1] else "")
        if place.startswith("data"):
            place = "" if rows else "data"
        for name, line in self.errors.items():
            put(line, "value", text if name == place else "")
        if error is not None:
            put(self._plan, "value", _plan_html("Fix this to enqueue."))

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
        """Enqueue what the form said at the click, whether or not it was changed or checked since."""
        with self.lock:
            try:
                draft = self._read()
            except InvalidRequest:  # shown at its field
                return
        if draft is not None:
            self.act(self._submit, self._submitted(draft), str)

    async def _submitted(self, draft: Draft) -> str:
        try:
            done = await self.console.actions.submit(draft)
        except InvalidRequest as error:
            with self.lock:
                self._draw_error(error)
            return f"Nothing was enqueued: {error.message}"
        drafts = recent(self.console)
        kept = replace(draft, label=label_of(draft, done.requested))
        if kept in drafts:
            drafts.remove(kept)
        drafts.appendleft(kept)
        return words.enqueued(done.enqueued, done.requested, done.batch_id)

    def as_text(self) -> str:
        return self.said or "Submitting needs a kernel."

    def as_html(self) -> str:
        return f"<p>{html.escape(self.as_text())}</p>"


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


def _ignored_html(names: Sequence[str]) -> str:
    if not names:
        return ""
    left_out = f"Left out, as the form does not send it: {', '.join(names)}."
    return f'<div class="iw-plan" role="status">{html.escape(left_out)}</div>'


def _plan_html(text: str) -> str:
    return f'<div class="iw-plan" role="status">{html.escape(text)}</div>'


def _error_html(error: InvalidRequest) -> str:
    remedy = f' <span class="iw-remedy">{html.escape(error.suggestion)}</span>' if error.suggestion else ""
    return f'<div class="iw-field-error" role="alert">{html.escape(error.message)}{remedy}</div>'
