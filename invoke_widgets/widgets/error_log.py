"""`ErrorLogView`: what went wrong, equal errors grouped, each in full with what can be done about it."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets

from invoke_widgets.errors.text import one_line
from invoke_widgets.history import ErrorGroup, group_errors
from invoke_widgets.records import FAILED, JobError
from invoke_widgets.sync import Change
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.base import ActingView, enable, put, set_options, shown
from invoke_widgets.widgets.button import Pressed
from invoke_widgets.widgets.text import html_table, text_table

if TYPE_CHECKING:
    from invoke_widgets.console import Console

LIMIT = 200
"""How many groups are listed; the rest is in `console.errors`."""
_ALL = "all"
_CLEAR = "Clear this log …"
_STATIC_ROWS = 50
_HEADERS = ("when", "count", "class", "where", "message", "what to do")

# Copies the text of the next element, so that no text of the server is part of the script. Pages that were not loaded
# over https have no clipboard: there the text is selected and copied as by a key.
_COPY = """
const button = this, text = button.nextElementSibling, say = (words) => {
  button.textContent = words; setTimeout(() => { button.textContent = 'Copy'; }, 1500);
}, plainly = () => {
  const all = document.createRange(); all.selectNodeContents(text);
  getSelection().removeAllRanges(); getSelection().addRange(all);
  say(document.execCommand('copy') ? 'Copied' : 'Could not copy');
};
if (navigator.clipboard) navigator.clipboard.writeText(text.textContent).then(() => say('Copied'), plainly);
else plainly();
"""


def where(error: JobError) -> str:
    """Where an error happened: "item 5, node a (add)", "field runs", "request"."""
    parts = []
    if error.item_id is not None:
        parts.append(f"item {error.item_id}")
    if error.node_id is not None:
        parts.append(f"node {error.node_id}" + (f" ({error.node_type})" if error.node_type else ""))
    if error.field_path:
        parts.append(f"field {error.field_path}")
    if error.item_id is None and error.batch_id is not None:
        parts.append(f"batch {words.short(error.batch_id)}")
    return ", ".join(parts) or "request"


def group_label(group: ErrorGroup) -> str:
    """A group as a line of the list."""
    times = f"{len(group.errors)} ×  " if len(group.errors) > 1 else ""
    message = one_line(group.last.message, 100)
    return f"{words.time_of_day(group.last.at)}  {times}{group.last.error_type.value}  {message}"


def message_html(error: JobError) -> str:
    """The message of an error."""
    return f'<p class="iw-message-full" tabindex="0">{html.escape(error.message)}</p>'


def facts_html(group: ErrorGroup) -> str:
    """The other facts of a group: what to do, cause, place."""
    error = group.last
    facts = [("class", error.error_type.value), ("where", where(error))]
    if error.server_error_type:
        facts.append(("server's type", error.server_error_type))
    if error.status is not None:
        facts.append(("HTTP status", str(error.status)))
    if error.batch_id is not None:
        facts.append(("batch", error.batch_id))
    if len(group.errors) > 1:
        facts.append(("count", f"{len(group.errors)}, first {words.time_of_day(group.errors[0].at)}"))
    if len(group.item_ids) > 1:
        facts.append(("items", words.listed(group.item_ids[::-1], 12)))
    if error.attempt > 1 or error.retry_at is not None:
        facts.append(("attempt", str(error.attempt)))
    if error.retry_at is not None:
        facts.append(("retry", f"by its policy, at {words.time_of_day(error.retry_at)}"))
    else:
        helps = "may help" if error.retryable else "will fail the same way: change the values first"
        facts.append(("retry", helps))
    listed = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts)
    remedy = f'<p class="iw-suggestion">{html.escape(error.suggestion)}</p>' if error.suggestion else ""
    return f'<div class="iw-detail">{remedy}<dl>{listed}</dl></div>'


def traceback_html(error: JobError) -> str:
    """The traceback, folded; empty if there is none."""
    if not error.traceback:
        return ""
    return (
        f'<details class="iw-traceback"><summary>Traceback</summary><button type="button" class="iw-copy"'
        f' onclick="{html.escape(_COPY)}">Copy</button><pre tabindex="0" aria-label="traceback">'
        f"{html.escape(error.traceback)}</pre></details>"
    )


class ErrorLogView(ActingView):
    """The errors of a console, equal ones grouped.

    Args:
        console: whose errors.
        on_show: called with an item's id when the user wants to see its row; without it there is no such button.
        on_said: called with the outcome of each action in words.

    Attributes:
        classes: the choice of a class, or "all".
        groups: the choice among the groups of equal errors, by fingerprint.
        message, facts, traceback: the detail of the chosen group.
    """

    def __init__(
        self,
        console: Console,
        *,
        on_show: Callable[[int], object] | None = None,
        on_said: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(console, on_said=on_said)
        self._on_show = on_show
        self._groups: dict[str, ErrorGroup] = {}
        self._drawing = False
        self._empty = ipywidgets.HTML('<div class="iw-empty">No errors.</div>')
        self.classes = ipywidgets.Dropdown(options=[(_ALL, _ALL)], value=_ALL, description="Class")
        self._clear = self.button(_CLEAR, self._on_clear, tooltip="Empty this log; the queue stays as it is")
        self._keep = self.button("Keep", self._on_keep, tooltip="Do not clear the log")
        self.groups = ipywidgets.Select(options=[], rows=5, description="Errors", layout={"width": "auto"})
        self.groups.add_class("iw-list")
        # Separate, so that another equal error leaves alone what is open, selected or focused.
        self.message, self.facts, self.traceback = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self._retry = self.button("↻ Retry", self._on_retry, tooltip="Enqueue the items that failed this way again")
        self._show = self.button("Show in queue", self._on_show_row, tooltip="Select the item's row in the table")
        self._actions = ipywidgets.HBox([self._retry, self._show])
        self._actions.add_class("iw-row")
        filters = ipywidgets.HBox([self.classes, self._clear, self._keep])
        filters.add_class("iw-row")
        detail = (self.message, self.facts, self.traceback)
        self._content = ipywidgets.VBox([filters, self.groups, *detail, self._actions])
        self.classes.observe(self.guard(self._refresh), names="value")
        self.groups.observe(self.guard(self._refresh), names="value")
        self.show(self._empty, self._content, self.status_line)
        self.follow(console.errors)

    def _refresh(self, _: object = None) -> None:
        if not self._drawing:
            with self.lock:
                self._draw_list()
                self._draw_actions()

    def draw(self, change: Change) -> None:
        if self.log_changed:
            self._draw_clear(None)
            self._draw_list()
        self._draw_actions()

    def _draw_list(self) -> None:
        self._drawing = True
        try:
            self._draw_groups(list(self.console.errors))
        finally:
            self._drawing = False

    def _draw_groups(self, errors: list[JobError]) -> None:
        shown(self._empty, not errors)
        shown(self._content, bool(errors))
        tally = Counter(error.error_type.value for error in errors)
        classes = ((f"all ({len(errors):,})", _ALL), *((f"{name} ({n:,})", name) for name, n in sorted(tally.items())))
        chosen = self.classes.value if self.classes.value in tally else _ALL
        set_options(self.classes, classes, chosen)
        wanted = [e for e in errors if chosen in (_ALL, e.error_type.value)]
        groups = group_errors(wanted)[:LIMIT]
        self._groups = {group.fingerprint: group for group in groups}
        options = tuple((group_label(group), group.fingerprint) for group in groups)
        current = self.groups.value if self.groups.value in self._groups else next(iter(self._groups), None)
        set_options(self.groups, options, current)
        group = self._groups.get(current or "")
        put(self.message, "value", message_html(group.last) if group else "")
        put(self.facts, "value", facts_html(group) if group else "")
        put(self.traceback, "value", traceback_html(group.last) if group else "")

    def _draw_actions(self) -> None:
        group = self._groups.get(self.groups.value or "")
        targets = self._targets(group)
        what = f"item {targets[0]}" if len(targets) == 1 else words.many(len(targets), "item") if targets else ""
        put(self._retry, "about", group.fingerprint if group else None)
        put(self._retry, "description", f"↻ Retry {what}".rstrip())
        enable(self._retry, bool(targets))
        there = self._row_of(group)
        shown(self._show, self._on_show is not None)
        put(self._show, "about", there)
        put(self._show, "description", "Show in queue" if there is None else f"Show item {there} in queue")
        enable(self._show, there is not None)

    def _targets(self, group: ErrorGroup | None) -> list[int]:
        """The group's failed items that are still in the queue, ascending."""
        items = self.console.store.state.items
        ids = group.item_ids if group else []
        return sorted(i for i in ids if (item := items.get(i)) is not None and item.status == FAILED)

    def _row_of(self, group: ErrorGroup | None) -> int | None:
        items = self.console.store.state.items
        return next((i for i in reversed(group.item_ids) if i in items), None) if group else None

    def _on_retry(self, pressed: Pressed) -> None:
        group = self._groups.get(pressed.about)
        targets = self._targets(group)
        if targets:
            self.act(self._retry, self.console.actions.retry(targets), words.retried)

    def _on_show_row(self, pressed: Pressed) -> None:
        if pressed.about in self.console.store.state.items and self._on_show is not None:
            self._on_show(pressed.about)

    def _draw_clear(self, sure_of: int | None) -> None:
        put(self._clear, "about", sure_of)
        shown(self._keep, sure_of is not None)
        put(self._clear, "description", _CLEAR if sure_of is None else f"Clear {words.many(sure_of, 'error')}")

    def _on_clear(self, pressed: Pressed) -> None:
        """The first click asks, by changing the button; a click on that clears."""
        count = len(self.console.errors)
        if pressed.about == count:
            self.console.errors.clear()
            self.say(f"Cleared {words.many(count, 'error')} from this log.")
            return
        with self.lock:
            self._draw_clear(count)

    def _on_keep(self, _: Pressed) -> None:
        with self.lock:
            self._draw_clear(None)
            self._clear.focus()

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                words.time_of_day(group.last.at),
                str(len(group.errors)),
                group.last.error_type.value,
                where(group.last),
                group.last.message,
                group.last.suggestion,
            )
            for group in group_errors(self.console.errors)[:_STATIC_ROWS]
        ]

    def as_html(self) -> str:
        return html_table(_HEADERS, self._rows(), caption="Errors")

    def as_text(self) -> str:
        return text_table(_HEADERS, self._rows())
