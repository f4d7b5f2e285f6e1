"""`QueueTable`: the queue as a table of any length, to cancel, retry and inspect jobs.

The page holds all rows: the newest come with the widget itself, the others in packets after it, and from then on only
what changes. Filtering, sorting and scrolling happen in the page and cost the kernel nothing.

A row is `[item_id, status, created, started, completed, batch_id, destination, device, fields, error, priority,
retry, theirs]`, without what is None at its end; `retry` is when a failed item is run again by its policy; `theirs` is
1 for another user's, which cannot be acted on; a status is its index in `STATUSES`, a time is in seconds since 1970. A
change is `[item_id, column, value, column, value, ...]`: a job's end is 40 bytes.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.errors import InvalidRequest, JobException
from invoke_widgets.errors.text import cut
from invoke_widgets.history import job_error
from invoke_widgets.images import real_names
from invoke_widgets.jobs import a_few_at_once
from invoke_widgets.outputs import outputs, shown_images
from invoke_widgets.records import COMPLETED, IN_PROGRESS, STATUSES, Progress, QueueItem
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.controls import QueueActions
from invoke_widgets.widgets.part import Part, Said, script, style
from invoke_widgets.widgets.pictures import newest, read_pictures, send_pictures
from invoke_widgets.widgets.text import COLUMNS, DEFAULT_COLUMNS, cell, clean, error_text, fields, html_table
from invoke_widgets.workflows import fields as workflow_fields

if TYPE_CHECKING:
    from invoke_widgets.console import Console
    from invoke_widgets.jobs import Job

_FIRST_ROWS = 200
_PACKET_ROWS = 500
_PACKET_PAUSE_S = 0.005
_UNASKED_AFTER_S = 1.0
_THUMBNAILS = 24
_STATIC_ROWS = 50
_OPEN_DETAILS = 8
_THUMBNAILS_OF_A_ROW = 2
_TOTALS_AFTER_S = 0.5
_FILTERS = ("status", "batch", "destination", "items", "text")
_INDEX = {status: index for index, status in enumerate(STATUSES)}
_SHARED = (5, 6, 7)  # batch, destination, device: the same in many rows
_LONGEST_VALUE = 2_000
_LONGEST_GRAPH = 2_000_000
_MOST_OUTPUTS = 100
_RUNS_FOR_MEAN = 50
_ENOUGH_DONE = 0.05


def _checked_columns(names: Iterable[str]) -> list[str]:
    chosen = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else []
    if not chosen:
        raise InvalidRequest(f"columns: should be a list, at least one of {', '.join(COLUMNS)}.", field="columns")
    if unknown := [name for name in chosen if name not in COLUMNS]:
        known = ", ".join(COLUMNS)
        raise InvalidRequest(f"columns: there is no {unknown[0]!r}; there are {known}.", field="columns")
    return chosen


class QueueTable(Part):
    """The queue as a table: filter, sort, select, cancel, retry, open.

    Args:
        console: whose queue.
        columns: which, in order, of "item", "status", "activity", "values", "took", "created", "batch", "destination",
            "device". Where it is narrow, those that do not fit are left out.
        height: of the rows, in pixels or as CSS.
        on_said: called with `said` after each action, to show it elsewhere too.

    Attributes:
        selected: the selected items' ids, ascending; may be set. Ids that are not in the queue are dropped.
        columns: the columns that are shown, which the user may change too.
        sort: a column's name, with "-" before it for descending; "activity" is what runs, what is next, and then what
            ended, the newest first.
        filters: any of `status` (a status, or "unfinished"), `batch`, `destination`, `items` (ids with commas between
            them), `text`.
        density: "comfortable" or "compact".
        actions: what the menu's entries do, to be called from Python.
    """

    _esm = script("table.js", "pictures.js", "queue_actions.js", "queue_rows.js", "queue.js")
    _css = style("table.css")

    # Rows come by messages, not by traits: all but the newest ones, which come with the widget.
    first: traitlets.List[Any] = traitlets.List().tag(sync=True)
    selected: traitlets.List[int] = traitlets.List().tag(sync=True)
    columns: traitlets.List[str] = traitlets.List().tag(sync=True)
    usual_columns: traitlets.List[str] = traitlets.List().tag(sync=True)
    sort = traitlets.Unicode("activity").tag(sync=True)
    filters: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    density = traitlets.Enum(("comfortable", "compact"), "comfortable").tag(sync=True)
    height = traitlets.Unicode().tag(sync=True)
    totals: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        console: Console,
        *,
        columns: Sequence[str] | None = None,
        height: int | str = 380,
        on_said: Callable[[Said], object] | None = None,
    ) -> None:
        self.actions = QueueActions(self)
        self._busy_items: set[int] = set()
        self._open: dict[int, set[str]] = {}  # item -> the pages that show its detail
        self._runs = RunTimes()
        self._sent_facts: dict[str, Any] = {}
        self._asked = False
        self._streams = itertools.count(1)
        self._pictures: dict[int, dict[str, Any]] = {}  # by the ids of items that made some
        state = self._state = console.internals.store.state
        usual = _checked_columns(DEFAULT_COLUMNS if columns is None else columns)
        super().__init__(
            console,
            on_said=on_said,
            first=[row(state.items[i], state) for i in heapq.nlargest(_FIRST_ROWS, state.items)],
            columns=usual,
            usual_columns=usual,
            height=f"{height}px" if isinstance(height, int) else height,
        )
        self._state = state = self._reported
        self._runs.update(QueueState(), Change(state, frozenset(state.items)))
        self.observe(lambda _: self.later(self._draw_totals), names="filters")
        self.follow()
        self._draw_totals()
        if len(state.items) > _FIRST_ROWS:
            # A page asks for the rest itself; while a cell runs, most kernels do not receive that.
            self.later(lambda: None if self._asked else self._stream(None), _UNASKED_AFTER_S)

    # -- what the user may set ---------------------------------------------------------------------------------------

    @traitlets.validate("selected")
    def _known(self, proposal: Any) -> list[int]:
        items = self.console.internals.store.state.items
        return sorted({i for i in proposal["value"] if isinstance(i, int) and i in items})

    @traitlets.validate("columns")
    def _valid_columns(self, proposal: Any) -> list[str]:
        return _checked_columns(proposal["value"])

    @traitlets.validate("filters")
    def _valid_filters(self, proposal: Any) -> dict[str, str]:
        filters: dict[str, str] = proposal["value"]
        if unknown := [name for name in filters if name not in _FILTERS]:
            raise InvalidRequest(
                f"filters: there is no {unknown[0]!r}; there are {', '.join(_FILTERS)}.", field="filters"
            )
        status = filters.get("status")
        if status and status not in (*STATUSES, "unfinished"):
            raise InvalidRequest(
                f"filters.status: there is no {status!r}; there are {', '.join(STATUSES)}, unfinished.", field="filters"
            )
        return filters

    @property
    def where(self) -> dict[str, Any]:
        """What its filters show, for an action on all of that: `console.cancel(where=table.where)`.

        Raises:
            InvalidRequest: a text is searched for, which is not a part of a `where`.
        """
        filters = dict(self.filters)
        if filters.pop("text", ""):
            raise InvalidRequest("filters: a text is searched for, so that they are no where.", field="filters.text")
        names = {"batch": "batch_id", "items": "item_id"}
        where: dict[str, Any] = {names.get(name, name): value for name, value in filters.items() if value}
        return where | ({"item_id": [int(one) for one in where["item_id"].split(",")]} if "item_id" in where else {})

    @property
    def selected_jobs(self) -> list[Job]:
        """The selected items as jobs."""
        return [self.console.job(item_id) for item_id in self.selected]

    def show_item(self, item_id: int) -> None:
        """Select an item and scroll to it in each page, clearing filters that hide it."""
        self.selected = [item_id]
        if item_id in self.selected:
            self.post({"t": "show", "id": item_id})
        else:
            self.say(f"Item {item_id} is no longer in the queue.")

    # -- to the page -------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        before, self._state = self._state, change.state
        if before is change.state:  # drawn already: `follow` reports all items
            change = Change(change.state, frozenset())
        self._runs.update(before, change)
        rows, changes, gone, progress = difference(before, change.state, change.item_ids, self._runs.mean_s)
        message: dict[str, Any] = {"t": "change"}
        message.update({"c": changes} if changes else {})
        message.update({"g": gone} if gone else {})
        message.update({"p": progress} if progress else {})
        facts = self._facts(change.state)
        if facts != self._sent_facts:
            message["m"] = {key: value for key, value in facts.items() if self._sent_facts.get(key) != value}
            self._sent_facts = facts
        buffers = [packed(rows)] if rows else []
        if buffers or len(message) > 1:
            self.send(message, buffers)
        if gone:
            self.selected = [item_id for item_id in self.selected if item_id in change.state.items]
        self._draw_open(before, change)
        self.later_once(self._draw_totals, _TOTALS_AFTER_S)  # no message of their own with each change

    def _draw_totals(self) -> None:
        """Count what the actions are about, among them the batch that the filter names."""
        state = self._state
        self.totals = {**state.totals(), "batch": state.tallies.unfinished_of(self.filters.get("batch", ""))}

    def _facts(self, state: QueueState) -> dict[str, Any]:
        """What the table shows apart from rows."""
        mean = self._runs.mean_s
        halted = "stuck" if state.wedge is not None else "paused" if state.is_paused else ""  # in words, for what waits
        return {
            "mean": None if mean is None else round(mean, 2),
            "paces": paces(state, datetime.now(UTC)),
            "halted": halted,
            "unread": len(state.unread),
        }

    def _draw_open(self, before: QueueState, change: Change) -> None:
        for item_id in list(self._open):
            old, new = before.items.get(item_id), change.state.items.get(item_id)
            if new is not None and old is not None and old.status != new.status:
                self.run(self._read_detail(item_id))
            now, past = change.state.progress.get(item_id), before.progress.get(item_id)
            if now is not None and now.image and (past is None or past.image != now.image):
                self.send({"t": "preview", "id": item_id, "url": clean(now.image)})

    def _stream(self, to: Any) -> None:
        """Send all rows, newest first, in packets; items that arrive meanwhile are sent as changes are."""
        newest = sorted(self._state.items, reverse=True)
        self._stream_packet(to, next(self._streams), newest, 0)

    def _stream_packet(self, to: Any, number: int, newest: list[int], start: int) -> None:
        state = self._state
        ids = [i for i in newest[start : start + _PACKET_ROWS] if i in state.items]
        message: dict[str, Any] = {"t": "rows", "to": to, "n": number, "at": start, "of": len(newest)}
        if start == 0:
            message["m"] = self._facts(state)
            running = {i: item for i, item in state.items.items() if item.status == IN_PROGRESS or i in state.progress}
            now, mean_s = datetime.now(UTC), self._runs.mean_s
            message["p"] = [
                progress_row(i, state.progress.get(i), left_s(state, item, mean_s, now)) for i, item in running.items()
            ]
            message["busy"] = sorted(self._busy_items)
        following = start + _PACKET_ROWS
        if following >= len(newest):
            message["end"] = True
        self.send(message, [packed([row(state.items[i], state) for i in ids])])
        if following < len(newest):
            self.later(lambda: self._stream_packet(to, number, newest, following), _PACKET_PAUSE_S)

    async def _read_detail(self, item_id: int) -> None:
        """Read an item in full for the pages that show it."""
        try:
            item = await self.console.client.get_queue_item(item_id)
        except JobException as error:
            self.post({"t": "detail", "id": item_id, "failed": clean(str(error))})
            return
        self.later(lambda: self._post_detail(item))

    def _post_detail(self, item: QueueItem) -> None:
        try:
            found = {"detail": detail(item), **newest(real_names(shown_images(item)), _THUMBNAILS)}
        except Exception as error:
            self.send({"t": "detail", "id": item.item_id, "failed": clean(str(error))})
            raise
        self.send({"t": "detail", "id": item.item_id, **found})
        progress = self._state.progress.get(item.item_id)
        if progress is not None and progress.image:
            self.send({"t": "preview", "id": item.item_id, "url": clean(progress.image)})

    # -- from the page -----------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[..., object]]:
        return {
            **self.actions.handlers(),
            "hello": self._hello,
            "cancel": lambda item_ids, **_: self.cancel(item_ids),
            "retry": lambda item_ids, **_: self.retry(item_ids),
            "open": self._opened,
            "close": self._detail_closed,
            "thumbnail": lambda names, page: self.run(send_pictures(self, names, page, full=False)),
            "pictures": lambda item_ids, page: self.run(self._send_pictures(item_ids[:_THUMBNAILS], page)),
        }

    def _hello(self, page: str) -> None:
        self._asked = True
        self.later(lambda: self._stream(page))

    def _opened(self, item_id: int, page: str) -> None:
        with self.lock:
            self._open.setdefault(item_id, set()).add(page)
            while len(self._open) > _OPEN_DETAILS:  # a page that is left does not say so
                del self._open[next(iter(self._open))]
        self.run(self._read_detail(item_id))

    def _detail_closed(self, item_id: int, page: str) -> None:
        with self.lock:
            pages = self._open.get(item_id, set())
            pages.discard(page)
            if not pages:
                self._open.pop(item_id, None)

    async def _send_pictures(self, item_ids: list[int], page: str) -> None:
        """Send which pictures finished items made, each as it is read; nothing for an item that made none."""

        async def send(item_id: int) -> None:
            if item_id not in self._pictures:
                ((_, _, names),) = await read_pictures(self.console.client, [item_id])
                if not names:
                    return
                self._pictures[item_id] = newest(names, _THUMBNAILS_OF_A_ROW)
            self.post({"t": "pictures", "id": item_id, **self._pictures[item_id]}, page=page)

        await a_few_at_once(send, item_ids)

    # -- acting ------------------------------------------------------------------------------------------------------

    def cancel(self, item_ids: Iterable[int]) -> None:
        """Start canceling items and return at once; an item for which a request is under way is left out."""
        if ids := self._claim(item_ids):
            self.actions.cancel(ids, always=lambda: self._release(ids))

    def retry(self, item_ids: Iterable[int]) -> None:
        """Start retrying failed or canceled items and return at once; otherwise as `cancel`."""
        if ids := self._claim(item_ids):
            self.actions.retry(ids, always=lambda: self._release(ids))

    def _claim(self, item_ids: Iterable[int]) -> list[int]:
        """Mark the items that are not busy yet as busy; their rows show it."""
        with self.lock:
            ids = sorted({i for i in item_ids if i not in self._busy_items})
            self._busy_items.update(ids)
        if ids:
            self.post({"t": "busy", "ids": ids, "on": True})
        return ids

    def _release(self, ids: list[int]) -> None:
        with self.lock:
            self._busy_items.difference_update(ids)
        self.post({"t": "busy", "ids": ids, "on": False})

    # -- without widgets ---------------------------------------------------------------------------------------------

    def as_html(self) -> str:
        caption, rows = words.queue_cells(self.console, self.columns, _STATIC_ROWS)
        return html_table(self.columns, rows, caption=caption)

    def as_text(self) -> str:
        return words.queue_text(self.console, self.columns)

    def __repr__(self) -> str:
        return f"QueueTable({self.console.url!r}, {len(self._state.items)} items)"


# -- rows --------------------------------------------------------------------------------------------------------------


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else round(time.timestamp(), 3)


def row(item: QueueItem, state: QueueState) -> list[Any]:
    """An item as an array; `state` is the snapshot that it is part of."""
    values = [
        item.item_id,
        _INDEX[item.status] if item.status in _INDEX else cell(item.status),
        _seconds(item.created_at),
        _seconds(item.started_at),
        _seconds(item.completed_at),
        cell(item.batch_id),
        item.destination and cell(item.destination),
        item.device and cell(item.device),
        fields(item.field_values),
        error_text(item),
        item.priority or None,
        _seconds(state.retrying.get(item.item_id)),
        1 if state.is_theirs(item) else None,
    ]
    while values[-1] is None:
        values.pop()
    return values


def row_change(before: list[Any], after: list[Any]) -> list[Any]:
    """The difference between two states of a row; only its id if nothing that is shown differs."""
    change: list[Any] = after[:1]
    for column in range(1, max(len(before), len(after))):
        value = after[column] if column < len(after) else None
        if value != (before[column] if column < len(before) else None):
            change += [column, value]
    return change


def left_s(state: QueueState, item: QueueItem, mean_s: float | None, now: datetime) -> float | None:
    """Estimate how many seconds an item in progress still needs; None without anything to go by.

    By its own progress if there is enough of it, otherwise by the mean run time of recent items.
    """
    if item.status != IN_PROGRESS or item.started_at is None:
        return None
    elapsed = max((now - item.started_at).total_seconds(), 0.0)
    progress = state.progress.get(item.item_id)
    done = progress.percentage if progress is not None else None
    if done is not None and done > _ENOUGH_DONE:
        return elapsed * (1 - min(done, 1.0)) / done
    return mean_s - elapsed if mean_s is not None and mean_s > elapsed else None


def paces(state: QueueState, now: datetime) -> dict[str, float]:
    """By batch_id, the seconds that its running job will take in all by its own progress: its siblings take as long."""
    found: dict[str, float] = {}
    for item_id, progress in state.progress.items():
        item, done = state.items.get(item_id), progress.percentage
        if item is None or item.status != IN_PROGRESS or item.started_at is None or (done or 0.0) <= _ENOUGH_DONE:
            continue
        elapsed = max((now - item.started_at).total_seconds(), 0.0)
        found[item.batch_id] = round(elapsed / min(done or 1.0, 1.0), 1)
    return found


def progress_row(item_id: int, progress: Progress | None, left: float | None = None) -> list[Any]:
    """Progress as `[item_id, percentage, message, node, seconds left]`, without what is not known at its end."""
    if progress is None:
        return [item_id] if left is None else [item_id, None, "", "", round(left, 1)]
    percentage = None if progress.percentage is None else round(progress.percentage, 4)
    row = [item_id, percentage, cell(progress.message), cell(progress.node_id or progress.node_type or "")]
    return row if left is None else [*row, round(left, 1)]


def packed(rows: list[list[Any]]) -> bytes:
    """Rows as JSON, in which texts that repeat are written once and then given by number."""
    texts: dict[str, int] = {}
    for values in rows:
        for column in _SHARED:
            if column < len(values) and values[column] is not None:
                values[column] = texts.setdefault(values[column], len(texts))
    return json.dumps([list(texts), rows], separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def difference(
    before: QueueState, after: QueueState, item_ids: Iterable[int], mean_s: float | None = None
) -> tuple[list[list[Any]], list[list[Any]], list[int], list[list[Any]]]:
    """What a page that shows `before` needs to show `after`: new rows, changes, ids that are gone, progress.

    Args:
        before: the snapshot that the page shows.
        after: the snapshot to show.
        item_ids: the items that may differ.
        mean_s: the mean run time of recent items in seconds, for estimates.
    """
    at = datetime.now(UTC)
    rows, changes, gone, progress = [], [], [], []
    for item_id in item_ids:
        old, new = before.items.get(item_id), after.items.get(item_id)
        if new is None:
            if old is not None:
                gone.append(item_id)
            continue
        due, was_due = after.retrying.get(item_id), before.retrying.get(item_id)
        if old is None:
            rows.append(row(new, after))
        elif (old is not new or due != was_due) and len(change := row_change(row(old, before), row(new, after))) > 1:
            changes.append(change)
        now = after.progress.get(item_id)
        left = left_s(after, new, mean_s, at)
        has_started = left is not None and (old is None or old.status != new.status)
        if has_started or now != before.progress.get(item_id):
            progress.append(progress_row(item_id, now, left))
    return rows, changes, gone, progress


class RunTimes:
    """How long the newest completed items ran."""

    def __init__(self) -> None:
        self._newest: list[tuple[int, float]] = []  # a heap: the oldest of them first

    def update(self, before: QueueState, change: Change) -> None:
        """Take the items that have completed since `before`, in whatever order they became known."""
        for item_id in sorted(change.item_ids, reverse=True):
            if len(self._newest) == _RUNS_FOR_MEAN and item_id < self._newest[0][0]:
                break  # the others are older still
            item, old = change.state.items.get(item_id), before.items.get(item_id)
            if item is None or item.status != COMPLETED or (old is not None and old.status == COMPLETED):
                continue
            if item.ran_s is not None:
                heapq.heappush(self._newest, (item_id, item.ran_s))
                if len(self._newest) > _RUNS_FOR_MEAN:
                    heapq.heappop(self._newest)

    @property
    def mean_s(self) -> float | None:
        """Their mean in seconds; None without any."""
        return fmean(seconds for _, seconds in self._newest) if self._newest else None


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _names(workflow: Mapping[str, Any] | None) -> dict[tuple[str, str], str]:
    """What a workflow's form calls the fields of its nodes; empty without a workflow, or one of another kind."""
    try:
        return {(one.node_id, one.field): one.name for one in workflow_fields(workflow)} if workflow else {}
    except InvalidRequest:
        return {}


def _error(item: QueueItem) -> dict[str, Any] | None:
    if not item.server_error_type and not item.error_message:
        return None
    error = job_error(item)
    return {
        "type": error.error_type.value,
        "server_type": item.server_error_type,
        "message": item.error_message or "",
        "suggestion": error.suggestion,
        "node": f"{error.node_id} ({error.node_type})" if error.node_id and error.node_type else error.node_id,
        "traceback": item.error_traceback or "",
    }


def detail(item: QueueItem) -> Any:
    """Everything about an item that was read in full: facts, fields, outputs, its error, its graph."""
    session: Mapping[str, Any] = item.session or {}
    graph = session.get("graph")
    facts = {
        "batch_id": item.batch_id,
        "session_id": item.session_id,
        "origin": item.origin,
        "destination": item.destination,
        "device": item.device,
        "priority": item.priority or None,
        "user": item.user_display_name or item.user_id,
        "retried from": item.retried_from_item_id,
    }
    times = {"created": item.created_at, "started": item.started_at, "completed": item.completed_at}
    shown = []
    for node_id, result in list(outputs(item).items())[:_MOST_OUTPUTS]:
        for one in result if isinstance(result, list) else [result]:
            kind = one.get("type") if isinstance(one, Mapping) else None
            rest = {k: v for k, v in one.items() if k != "type"} if isinstance(one, Mapping) else one
            shown.append([str(node_id), str(kind or ""), cut(_json(rest), _LONGEST_VALUE)])
    names = _names(item.workflow)
    found = {
        "item_id": item.item_id,
        "status": item.status,
        "facts": [[name, str(value)] for name, value in facts.items() if value is not None],
        "times": [[name, time.timestamp()] for name, time in times.items() if time is not None],
        "fields": [
            [cell(v.name or names.get((v.node_path, v.field_name), v.label)), cut(_text(v.given), _LONGEST_VALUE)]
            for v in item.field_values or ()
        ],
        "outputs": shown[:_MOST_OUTPUTS],
        "error": _error(item),
        "graph": cut(_json(graph, indent=2), _LONGEST_GRAPH) if graph else "",
        "nodes": len(graph.get("nodes") or ()) if isinstance(graph, Mapping) else 0,
    }
    return cleaned(found)


def cleaned(value: Any) -> Any:
    """Lists, mappings and texts without what no message to a page may hold."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(inner) for inner in value]
    return {key: cleaned(inner) for key, inner in value.items()} if isinstance(value, dict) else value
