"""`QueueTable`: the queue as a table of any length, in which jobs are canceled, retried and looked into.

The page holds all rows: the newest come with the widget itself, the others in packets after it, and from then on only
what changes. Filtering, sorting and scrolling happen in the page and cost the kernel nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import traitlets
from IPython.display import HTML

from invoke_widgets.errors import JobException
from invoke_widgets.outputs import image_names
from invoke_widgets.records import COMPLETED, Cancellation, QueueItem
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import plain, queue_rows, words
from invoke_widgets.widgets.base import View
from invoke_widgets.widgets.queue_detail import cleaned, detail
from invoke_widgets.widgets.queue_rows import COLUMNS, DEFAULT_COLUMNS
from invoke_widgets.widgets.tables import clean, html_table

try:
    from invoke_widgets.widgets.queue_grid import Grid
except ImportError:  # without anywidget there is the pool of core widgets
    Grid = None  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from invoke_widgets.console import Console

_FIRST_ROWS = 200
_PACKET_ROWS = 500
_PACKET_PAUSE_S = 0.005
_UNASKED_AFTER_S = 1.0
_RUNS_FOR_MEAN = 50
_AT_ONCE = 4
_THUMBNAILS = 24
_STATIC_ROWS = 50
_OPEN_DETAILS = 8


def _all_columns(names: Iterable[str]) -> tuple[str, ...]:
    chosen = tuple(names)
    if unknown := [name for name in chosen if name not in COLUMNS]:
        raise ValueError(f"columns: there is no {unknown[0]!r}; there are {', '.join(COLUMNS)}.")
    if not chosen:
        raise ValueError(f"columns: at least one of {', '.join(COLUMNS)}.")
    return chosen


class QueueTable(View):
    """The queue as a table: filter, sort, select, cancel, retry, open.

    Args:
        console: whose queue.
        columns: which, in order, of "item", "status", "progress", "created", "took", "batch", "destination", "device",
            "fields", "error".
        height: of the rows, in pixels or as CSS.
        fallback: show a pool of plain widgets instead, for front ends that cannot load anywidget's script; by default
            only where anywidget is not installed.
        on_said: called with the outcome of each action in words, to show it in place of the table.

    Attributes:
        selected: the selected items' ids, ascending; may be set. Ids that are not in the queue are dropped.
        columns: the columns that are shown, which the person may change too.
        sort: a column's name, with "-" before it for descending.
        filters: any of `status` (a status, or "unfinished"), `batch`, `destination`, `text`.
    """

    selected: traitlets.List[int] = traitlets.List()
    columns: traitlets.List[str] = traitlets.List()
    sort = traitlets.Unicode("-item")
    filters: traitlets.Dict[str, str] = traitlets.Dict()

    def __init__(
        self,
        console: Console,
        *,
        columns: Sequence[str] | None = None,
        height: int | str = 340,
        fallback: bool | None = None,
        on_said: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(console)
        self._on_said = on_said
        self._alone = False
        self._why = ""
        self._busy: set[int] = set()
        self._open: dict[int, set[str]] = {}  # item -> the pages that show its detail
        self._state = QueueState()
        self._runs: deque[float] = deque(maxlen=_RUNS_FOR_MEAN)
        self._told: dict[str, Any] = {}
        self._asked = False
        self._streams = itertools.count(1)
        self.columns = list(_all_columns(columns or DEFAULT_COLUMNS))
        self._grid: Any = None
        if fallback or (Grid is None and fallback is None):
            from invoke_widgets.widgets.pool import Pool

            self._pool: Pool | None = Pool(self)
            self.show(self._pool.content)
        else:
            self._pool = None
            self._grid = self._new_grid(height)
            self.show(self._grid)
        self.follow()
        if self._grid is not None and len(self._state.items) > _FIRST_ROWS:
            # A page asks for the rest itself; while a cell runs, most kernels do not hear it.
            self.run(self._stream_unasked())

    def _new_grid(self, height: int | str) -> Any:
        state = self._state = self.console.store.state
        newest = heapq.nlargest(_FIRST_ROWS, state.items)
        for item_id in reversed(newest):
            self._count_run(state.items[item_id])
        grid = Grid(
            first=[queue_rows.row(state.items[i], state) for i in newest],
            columns=self.columns,
            height=f"{height}px" if isinstance(height, int) else height,
        )
        for name in ("columns", "sort", "filters", "selected"):
            traitlets.link((self, name), (grid, name))
        grid.on_msg(self.guard(self._heard))
        return grid

    # -- what a person may set ---------------------------------------------------------------------------------------

    @traitlets.validate("selected")
    def _known(self, proposal: Any) -> list[int]:
        items = self.console.store.state.items
        return sorted({i for i in proposal["value"] if isinstance(i, int) and i in items})

    @traitlets.validate("columns")
    def _valid_columns(self, proposal: Any) -> list[str]:
        return list(_all_columns(proposal["value"]))

    def show_item(self, item_id: int) -> None:
        """Select an item and bring it into sight in each view, emptying filters that hide it."""
        self.selected = [item_id]
        if item_id not in self.selected:
            self._say(f"Item {item_id} is not in the queue any more.")
        elif self._pool is not None:
            with self.lock:
                self._pool.show_item(self.console.store.state, item_id)
        else:
            self._post({"t": "show", "id": item_id})

    # -- from the picture to the page ----------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        before, self._state = self._state, change.state
        if self._pool is not None:
            self._pool.draw(change.state)
            self._drop_vanished()
            return
        item_ids = change.item_ids if before is not change.state else ()
        rows, changes, gone, progress = queue_rows.difference(before, change.state, item_ids)
        for item_id in item_ids:
            if (item := change.state.items.get(item_id)) is not None and before.items.get(item_id) is not item:
                self._count_run(item)
        message: dict[str, Any] = {"t": "change"}
        buffers = []
        if rows:
            buffers.append(queue_rows.packed(rows))
        message.update({"c": changes} if changes else {})
        message.update({"g": gone} if gone else {})
        message.update({"p": progress} if progress else {})
        facts = self._facts(change.state)
        if facts != self._told:
            message["m"] = {key: value for key, value in facts.items() if self._told.get(key) != value}
            self._told = facts
        if buffers or len(message) > 1:
            self._grid.send(message, buffers)
        if gone:
            self._drop_vanished()
        self._draw_open(before, change)

    def _facts(self, state: QueueState) -> dict[str, Any]:
        """What the table shows apart from rows."""
        mean = round(sum(self._runs) / len(self._runs), 2) if self._runs else None
        paused = state.processor is not None and not state.processor.is_started
        return {"mean": mean, "paused": paused, "unread": len(state.unread)}

    def _count_run(self, item: QueueItem) -> None:
        if item.status == COMPLETED and item.ran_s is not None:
            self._runs.append(item.ran_s)

    def _drop_vanished(self) -> None:
        items = self._state.items
        if any(item_id not in items for item_id in self.selected):
            self.selected = [item_id for item_id in self.selected if item_id in items]

    def _draw_open(self, before: QueueState, change: Change) -> None:
        for item_id in list(self._open):
            old, new = before.items.get(item_id), change.state.items.get(item_id)
            if new is not None and old is not None and old.status != new.status:
                self._send_detail(item_id)
            now = change.state.progress.get(item_id)
            past = before.progress.get(item_id)
            if now is not None and now.image and (past is None or past.image != now.image):
                self._grid.send({"t": "preview", "id": item_id, "url": clean(now.image)})

    # -- from the page -------------------------------------------------------------------------------------------------

    def _heard(self, _: Any, message: Any, __: Any) -> None:
        if not isinstance(message, dict):
            return
        kind = message.get("t")
        item_ids = [i for i in message.get("ids") or () if isinstance(i, int)]
        if kind == "hello":
            self._asked = True
            self.run(self._stream(message.get("to")))
        elif kind == "cancel":
            self.cancel(item_ids)
        elif kind == "retry":
            self.retry(item_ids)
        elif kind == "open":
            for item_id in item_ids:
                self._detail_opened(item_id, str(message.get("to")))
                self._send_detail(item_id)
        elif kind == "close":
            self._detail_closed(item_ids, str(message.get("to")))

    def _detail_opened(self, item_id: int, page: str) -> None:
        with self.lock:
            self._open.setdefault(item_id, set()).add(page)
            while len(self._open) > _OPEN_DETAILS:  # a page that was left does not say so
                del self._open[next(iter(self._open))]

    def _detail_closed(self, item_ids: Iterable[int], page: str) -> None:
        with self.lock:
            for item_id in item_ids:
                pages = self._open.get(item_id, set())
                pages.discard(page)
                if not pages:
                    self._open.pop(item_id, None)

    async def _stream_unasked(self) -> None:
        await asyncio.sleep(_UNASKED_AFTER_S)
        if not self._asked:
            await self._stream(None)

    async def _stream(self, to: Any) -> None:
        """Send all rows, newest first, in packets; those that come meanwhile are sent as changes are."""
        number = next(self._streams)
        newest = sorted(self.console.store.state.items, reverse=True)
        for start in range(0, max(1, len(newest)), _PACKET_ROWS):
            with self.lock:
                if self.closed:
                    return
                state = self._state
                ids = [i for i in newest[start : start + _PACKET_ROWS] if i in state.items]
                message: dict[str, Any] = {"t": "rows", "to": to, "n": number, "at": start, "of": len(newest)}
                if start == 0:
                    message["m"] = self._facts(state)
                    message["p"] = [queue_rows.progress_row(i, p) for i, p in state.progress.items()]
                    message["busy"] = sorted(self._busy)
                if start + _PACKET_ROWS >= len(newest):
                    message["end"] = True
                rows = [queue_rows.row(state.items[i], state) for i in ids]
                self._grid.send(message, [queue_rows.packed(rows)])
            await asyncio.sleep(_PACKET_PAUSE_S)

    def _send_detail(self, item_id: int) -> None:
        async def work() -> None:
            item = await self.console.client.get_queue_item(item_id)
            names = image_names(item)[:_THUMBNAILS]
            self._post({"t": "detail", "id": item_id, "detail": detail(item), "images": cleaned(names)})
            progress = self._state.progress.get(item_id)
            if progress is not None and progress.image:
                self._post({"t": "preview", "id": item_id, "url": clean(progress.image)})
            for name in names:
                try:
                    image = await self.console.client.get_image_thumbnail(name)
                except JobException:
                    self._post({"t": "image", "id": item_id, "name": clean(name)})
                else:
                    self._post({"t": "image", "id": item_id, "name": clean(name)}, [image])

        async def told() -> None:
            try:
                await work()
            except Exception as error:
                self._post({"t": "detail", "id": item_id, "failed": clean(str(error))})
                if not isinstance(error, JobException):
                    raise

        self.run(told())

    def _post(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        with self.lock:
            if not self.closed and self._grid is not None:
                self._grid.send(message, list(buffers))

    # -- acting --------------------------------------------------------------------------------------------------------

    def cancel(self, item_ids: Iterable[int]) -> None:
        """Start canceling items and return at once; an item for which a request is under way is left out."""

        async def one(item_id: int, gate: asyncio.Semaphore) -> Cancellation | None:
            async with gate:
                try:
                    return await self.console.actions.cancel(item_id)
                except JobException as error:
                    self.fail(error)
                    return None

        async def work(ids: list[int]) -> None:
            gate = asyncio.Semaphore(_AT_ONCE)
            with self._working(ids):
                results = await asyncio.gather(*(one(item_id, gate) for item_id in ids))
                records = [r for r in results if r is not None]
                told = records[0].message if len(ids) == len(records) == 1 else ""
                self._say(told or words.canceled(records, 0, len(ids) - len(records)))

        if ids := self._claimed(item_ids):
            self.forgive()
            self.run(work(ids))

    def retry(self, item_ids: Iterable[int]) -> None:
        """Start retrying failed or canceled items and return at once; otherwise as `cancel`."""

        async def work(ids: list[int]) -> None:
            with self._working(ids):
                self._say(words.retried(await self.console.actions.retry(ids)))

        if ids := self._claimed(item_ids):
            self.forgive()
            self.run(work(ids))

    def _claimed(self, item_ids: Iterable[int]) -> list[int]:
        """Those of the items for which nothing is under way; from now on something is."""
        with self.lock:
            ids = sorted({i for i in item_ids if i not in self._busy})
            self._busy.update(ids)
        return ids

    @contextmanager
    def _working(self, ids: list[int]) -> Iterator[None]:
        """Rows show that a request for them is under way."""
        self._post({"t": "busy", "ids": ids, "on": True})
        try:
            yield
        finally:
            with self.lock:
                self._busy.difference_update(ids)
            self._post({"t": "busy", "ids": ids, "on": False})
            if self._pool is not None:
                self._pool.draw(self._state)

    def _say(self, text: str) -> None:
        here = f"{text} {self._why}".strip() if self._on_said is None or self._alone else ""
        self._post({"t": "say", "text": clean(here)})
        if self._pool is not None:
            self._pool.say(here)
        if self._on_said is not None:
            self._on_said(text)

    @property
    def busy(self) -> frozenset[int]:
        """The items for which a request is under way."""
        with self.lock:
            return frozenset(self._busy)

    # -- without the rest of ipywidgets, and without widgets -----------------------------------------------------------

    def _display_(self) -> Any:
        """What marimo shows: the grid alone, as of all widgets it knows anywidgets; what fails is said there too."""
        if self._grid is None:
            return HTML(self.as_html())  # type: ignore[no-untyped-call]
        self._alone = True
        return self._grid

    def fail(self, error: BaseException) -> None:
        super().fail(error)
        if self._alone:
            self._why = clean(str(error))
            self._post({"t": "say", "text": self._why})

    def forgive(self) -> None:
        super().forgive()
        self._why = ""

    def as_html(self) -> str:
        caption, rows = plain.queue_cells(self.console, self.columns, _STATIC_ROWS)
        return html_table(self.columns, rows, caption=caption)

    def as_text(self) -> str:
        return plain.queue_text(self.console, self.columns)

    def __repr__(self) -> str:
        return f"QueueTable({self.console.url!r}, {len(self._state.items)} items)"
