"""`ErrorLogView`: what went wrong, equal errors grouped, each in full with what can be done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.errors.text import many, one_line
from invoke_widgets.history import ErrorGroup, group_errors
from invoke_widgets.records import FAILED, JobError
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.controls import QueueActions
from invoke_widgets.widgets.part import Part, Said, script, style
from invoke_widgets.widgets.text import clean, html_table, text_table

if TYPE_CHECKING:
    from invoke_widgets.console import Console

LIMIT = 200
"""How many groups are listed; the rest is in `console.errors`."""
_STATIC_ROWS = 50
_BINS = 10
_LONGEST_MESSAGE = 500
_MOST_ITEMS = 2_000
_MOST_BATCHES = 100
_REST_AFTER_S = 0.5
_HEADERS = ("when", "count", "class", "where", "message", "what to do")
COLUMNS = ("count", "class", "message", "node", "trend", "last")


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


def facts(group: ErrorGroup) -> list[list[str]]:
    """The facts about a group beside its message, as names and texts."""
    error = group.last
    found = [("Class", error.error_type.value), ("Where", where(error))]
    if error.server_error_type:
        found.append(("Server's type", error.server_error_type))
    if error.http_status is not None:
        found.append(("HTTP status", str(error.http_status)))
    if error.batch_id is not None:
        found.append(("Batch", error.batch_id))
    if group.count > 1:
        first, last = words.time_of_day(group.first_at), words.time_of_day(group.last_at)
        found.append(("Count", f"{group.count:,}, first {first}, last {last}"))
    if len(group.item_ids) > 1:
        found.append(("Items", words.listed(group.item_ids[::-1], 12)))
    if error.attempt > 1 or error.retry_at is not None:
        found.append(("Attempt", str(error.attempt)))
    if error.retry_at is not None:
        found.append(("Retry", f"by its policy, at {words.time_of_day(error.retry_at)}"))
    return [[name, clean(text)] for name, text in found]


class ErrorLogView(Part):
    """The errors of a console, equal ones grouped.

    Args:
        console: whose errors.
        height: of the rows, in pixels or as CSS.
        on_said: called with `said` after each action.

    Attributes:
        selected: the fingerprints of the selected groups.
        columns: any of "count", "class", "message", "node", "trend", "last".
        sort: a column's name, with "-" before it for descending.
        filters: any of `class` (such as "execution_failed"), `text`, `since` (seconds before now).
    """

    _esm = script("table.js", "errors.js")
    _css = style("table.css")

    groups: traitlets.List[Any] = traitlets.List().tag(sync=True)
    selected: traitlets.List[str] = traitlets.List().tag(sync=True)
    columns: traitlets.List[str] = traitlets.List(list(COLUMNS)).tag(sync=True)
    sort = traitlets.Unicode("-last").tag(sync=True)
    filters: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    density = traitlets.Enum(("comfortable", "compact"), "comfortable").tag(sync=True)
    height = traitlets.Unicode().tag(sync=True)
    total = traitlets.Int().tag(sync=True)
    rest: traitlets.Dict[str, int] = traitlets.Dict().tag(sync=True)  # batch of a group -> how many may still fail

    def __init__(
        self,
        console: Console,
        *,
        height: int | str = 380,
        on_said: Callable[[Said], object] | None = None,
    ) -> None:
        self._groups: dict[str, ErrorGroup] = {}
        self._shown: set[int] = set()  # the items of all groups
        self._failing: set[str] = set()  # their batches
        super().__init__(console, on_said=on_said, height=f"{height}px" if isinstance(height, int) else height)
        self.follow(console.errors)

    # -- drawing -----------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        if self.log_changed:
            errors = list(self.console.errors)
            self._groups = {group.fingerprint: group for group in group_errors(errors)[:LIMIT]}
            self.total = len(errors)
        items = [change.state.items.get(item_id) for item_id in change.item_ids]
        retried = {item.retried_from_item_id for item in items if item is not None}
        if self.log_changed or not self._shown.isdisjoint(change.item_ids | retried):
            ends = [group.last_at for group in self._groups.values()]
            starts = [group.first_at for group in self._groups.values()]
            span = (min(starts).timestamp(), max(ends).timestamp()) if ends else (0.0, 0.0)
            self.groups = [self._row(group, change.state, span) for group in self._groups.values()]
            self._shown = {item_id for row in self.groups for item_id in row["items"]}
            self._failing = {batch_id for row in self.groups for batch_id in row["batches"]}
        self.later_once(self._draw_rest, _REST_AFTER_S)  # no message of its own with each change

    def _draw_rest(self) -> None:
        state = self.console.internals.store.state
        due = Counter(state.items[i].batch_id for i in state.retrying if i in state.items)
        rest = {batch_id: due[batch_id] + state.tallies.unfinished_of(batch_id) for batch_id in self._failing}
        self.rest = {batch_id: number for batch_id, number in rest.items() if number}

    def _row(self, group: ErrorGroup, state: QueueState, span: tuple[float, float]) -> dict[str, Any]:
        error = group.last
        there = [i for i in group.item_ids if i in state.items][-_MOST_ITEMS:]
        failed = [i for i in there if state.items[i].status == FAILED]
        last = self._last_attempts(state, failed)
        return {
            "id": group.fingerprint,
            "count": group.count,
            "class": error.error_type.value,
            "message": clean(one_line(error.message, _LONGEST_MESSAGE)),
            "node": clean(error.node_type or error.node_id or ""),
            "trend": _trend(group, span),
            "first": group.first_at.timestamp(),
            "last": group.last_at.timestamp(),
            "items": there,
            "batches": self._batches(there, state),
            "retry": last,
            "retried": len(failed) - len(last),
            "helps": error.retryable,
        }

    def _last_attempts(self, state: QueueState, item_ids: Iterable[int]) -> list[int]:
        """Those of the items that nobody has retried: the last attempts of the user's own jobs."""

        def is_last(item_id: int) -> bool:
            item = state.items[item_id]
            retries = state.tallies.retries.get(item.retried_from_item_id or item_id, ())
            return max(retries, default=item_id) <= item_id and not state.is_theirs(item)

        return [item_id for item_id in item_ids if is_last(item_id)]

    def _batches(self, item_ids: Iterable[int], state: QueueState) -> list[str]:
        """The user's own batches that have failed in this way, the newest first."""
        items = (state.items[item_id] for item_id in reversed(list(item_ids)))
        return list(dict.fromkeys(item.batch_id for item in items if not state.is_theirs(item)))[:_MOST_BATCHES]

    # -- acting ------------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[..., object]]:
        return {"detail": self._send_detail, "retry": self.retry, "cancel_rest": self.cancel_rest, "clear": self.clear}

    def _send_detail(self, id: str, page: str) -> None:  # noqa: A002 - the name in the message
        if (group := self._groups.get(id)) is None:
            return
        error = group.last
        detail = {
            "message": clean(error.message),
            "suggestion": clean(error.suggestion),
            "facts": facts(group),
            "traceback": clean(error.traceback or ""),
        }
        self.post({"t": "detail", "id": id, "detail": detail}, page=page)

    def retry(self, item_ids: list[int]) -> None:
        """Start retrying the items that nobody has retried yet, and return at once."""
        self.act("retry", self.console.internals.actions.retry_failed(set(item_ids)), words.retried)

    def cancel_rest(self, batch_ids: list[str]) -> None:
        """Start canceling what is unfinished of batches, and return at once."""
        QueueActions(self).cancel_batches(batch_ids, "cancel_rest")

    def clear(self, total: int) -> None:
        """Empty the log, if it has as many errors as the user was shown; the queue stays as it is."""
        if total != len(self.console.errors):
            self.say("Nothing was cleared: there are further errors.")
            return
        self.console.errors.clear()
        self.say(f"Cleared {many(total, 'error')} from this log.")

    # -- without widgets ---------------------------------------------------------------------------------------------

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                words.time_of_day(group.last.at),
                str(len(group.errors)),
                words.ERROR_CLASSES[group.last.error_type.value],
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


def _trend(group: ErrorGroup, span: tuple[float, float]) -> list[int]:
    """The number of errors in each tenth of the time from the first error of all to the last."""
    start, end = span
    bins = [0] * _BINS
    for error in group.errors:
        share = (error.at.timestamp() - start) / (end - start) if end > start else 1.0
        bins[min(max(int(share * _BINS), 0), _BINS - 1)] += 1
    return bins
