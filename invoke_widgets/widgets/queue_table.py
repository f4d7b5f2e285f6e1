"""`QueueTable`: the queue as a table of any length, to cancel, retry and inspect jobs.

The page holds all rows: the newest come with the widget itself, the others in packets after it, and from then on only
what changes. Filtering, sorting and scrolling happen in the page and cost the kernel nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.errors import InvalidRequest, JobException
from invoke_widgets.images import real_names
from invoke_widgets.outputs import shown_images
from invoke_widgets.records import IN_PROGRESS, STATUSES, QueueItem
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import queue_rows
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.controls import QueueActions
from invoke_widgets.widgets.part import Part, Said, script, style
from invoke_widgets.widgets.pictures import newest_thumbnails, send_pictures
from invoke_widgets.widgets.text import COLUMNS, DEFAULT_COLUMNS, clean, html_table

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
_KEPT_THUMBNAILS = 500
_THUMBNAILS_OF_A_ROW = 2
_READ_AT_ONCE = 4
_TOTALS_AFTER_S = 0.5
_FILTERS = ("status", "batch", "destination", "items", "text")


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
        self._runs = queue_rows.RunTimes()
        self._sent_facts: dict[str, Any] = {}
        self._asked = False
        self._streams = itertools.count(1)
        self._pictures: dict[int, tuple[int, list[bytes]]] = {}  # item -> how many pictures, the newest thumbnails
        state = self._state = console.internals.store.state
        usual = _checked_columns(DEFAULT_COLUMNS if columns is None else columns)
        super().__init__(
            console,
            on_said=on_said,
            first=[queue_rows.row(state.items[i], state) for i in heapq.nlargest(_FIRST_ROWS, state.items)],
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
        item_ids = change.item_ids if before is not change.state else ()
        self._runs.update(before, change)
        rows, changes, gone, progress = queue_rows.difference(before, change.state, item_ids, self._runs.mean_s)
        message: dict[str, Any] = {"t": "change"}
        message.update({"c": changes} if changes else {})
        message.update({"g": gone} if gone else {})
        message.update({"p": progress} if progress else {})
        facts = self._facts(change.state)
        if facts != self._sent_facts:
            message["m"] = {key: value for key, value in facts.items() if self._sent_facts.get(key) != value}
            self._sent_facts = facts
        buffers = [queue_rows.packed(rows)] if rows else []
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
            "paces": queue_rows.paces(state, datetime.now(UTC)),
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
                queue_rows.progress_row(i, state.progress.get(i), queue_rows.left_s(state, item, mean_s, now))
                for i, item in running.items()
            ]
            message["busy"] = sorted(self._busy_items)
        following = start + _PACKET_ROWS
        if following >= len(newest):
            message["end"] = True
        self.send(message, [queue_rows.packed([queue_rows.row(state.items[i], state) for i in ids])])
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
            names = real_names(shown_images(item))[:_THUMBNAILS]
            detail = {"detail": queue_rows.detail(item), "images": queue_rows.cleaned(names)}
        except Exception as error:
            self.send({"t": "detail", "id": item.item_id, "failed": clean(str(error))})
            raise
        self.send({"t": "detail", "id": item.item_id, **detail})
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
            "thumbnails": self._wanted_thumbnails,
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

    def _wanted_thumbnails(self, item_ids: list[int], page: str) -> None:
        self.run(self._read_thumbnails(item_ids[:_THUMBNAILS], page))

    async def _read_thumbnails(self, item_ids: list[int], page: str) -> None:
        """Send the newest thumbnails of finished items, a few at a time. What cannot be fetched is not shown."""
        gate = asyncio.Semaphore(_READ_AT_ONCE)

        async def read(item_id: int) -> None:
            async with gate:
                with contextlib.suppress(JobException):
                    if item_id not in self._pictures:
                        self._pictures[item_id] = await newest_thumbnails(
                            self.console.client, item_id, _THUMBNAILS_OF_A_ROW
                        )
                        while len(self._pictures) > _KEPT_THUMBNAILS:
                            del self._pictures[next(iter(self._pictures))]
                    count, thumbnails = self._pictures[item_id]
                    if count:
                        message = {"t": "thumbnails", "id": item_id, "count": count}
                        self.post(message, tuple(thumbnails), page=page)

        await asyncio.gather(*(read(item_id) for item_id in item_ids))

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
