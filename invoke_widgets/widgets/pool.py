"""The table from core widgets alone: sixteen rows that are used again for whatever part of the queue is in sight.

For front ends that cannot load a script of ours. No sorting and no filters beyond the status; what is first in sight is
chosen by its place. At the top the newest appear as they come; further down the rows keep still.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets

from invoke_widgets.records import CANCELED, FAILED, STATUSES, QueueItem
from invoke_widgets.sync import QueueState
from invoke_widgets.widgets import queue_rows, words

if TYPE_CHECKING:
    from invoke_widgets.widgets.queue_table import QueueTable

ROWS = 16
_WIDTHS = {
    "item": "64px",
    "status": "110px",
    "progress": "160px",
    "created": "176px",
    "took": "64px",
    "batch": "80px",
    "destination": "100px",
    "device": "80px",
    "fields": "220px",
}
_BUTTON = "84px"
_STILL_S = 0.7
"""A click on a row within this time after another item came into it is about the one that was there."""
_ROWS = {"min_width": "0"}


class Pool:
    """Rows, a filter by status and the place of the first, for a `QueueTable`, which acts and draws.

    Attributes:
        content: what to show.
    """

    def __init__(self, table: QueueTable) -> None:
        self._table = table
        self._rows = [_PoolRow(table, self.say) for _ in range(ROWS)]
        self._status = ipywidgets.Dropdown(
            options=["all", "unfinished", *STATUSES], value="all", description="status", layout={"width": "240px"}
        )
        self._from = ipywidgets.BoundedIntText(
            value=1, min=1, max=1, description="from row", tooltip="1 is the newest", layout={"width": "160px"}
        )
        self._newest = ipywidgets.Button(description="newest", layout={"width": "auto"})
        self._newer = ipywidgets.Button(description="newer", layout={"width": "auto"})
        self._older = ipywidgets.Button(description="older", layout={"width": "auto"})
        for button, step in ((self._newest, -sys.maxsize), (self._newer, -ROWS), (self._older, ROWS)):
            button.on_click(table.guard(lambda _, step=step: self._scroll(step)))
        self._first: int | None = None  # the first item in sight, unless the newest is to be
        self._drawing = False
        self._count = ipywidgets.Label()
        self._said = ipywidgets.Label()
        for control in (self._status, self._from):
            control.observe(table.guard(self._moved), names="value")
        above_buttons = ipywidgets.Label(layout={"width": _BUTTON, "flex": "0 0 auto"})
        head = ipywidgets.HBox([above_buttons, *(_label(name, name) for name in table.columns)])
        rows = ipywidgets.VBox([head, *(row.content for row in self._rows)], layout=_ROWS)
        choices = ipywidgets.HBox([self._status, self._from, self._newest, self._newer, self._older, self._count])
        choices.add_class("iw-row")
        self.content = ipywidgets.VBox([choices, rows, self._said])
        self.content.add_class("iw-pool")

    def draw(self, state: QueueState) -> None:
        """Show the part of the queue that is in sight, newest first."""
        with self._table.lock:
            ids = sorted((i for i, item in state.items.items() if self._passes(item)), reverse=True)
            last = max(0, len(ids) - ROWS)
            start = 0
            if self._first is not None:
                # Where it is now, or would be if it were still there.
                start = min(sum(1 for item_id in ids if item_id > self._first), last)
            self._draw_place(start, last)
            self._count.value = words.many(len(ids), "item")
            for place, row in enumerate(self._rows):
                at = start + place
                row.draw(state, state.items[ids[at]] if at < len(ids) else None)

    def _draw_place(self, start: int, last: int) -> None:
        self._drawing = True
        try:
            self._from.max = max(last, start) + 1
            self._from.value = start + 1
        finally:
            self._drawing = False
        self._newest.disabled = self._newer.disabled = start == 0
        self._older.disabled = start == last

    def _scroll(self, step: int) -> None:
        self._from.value = min(max(self._from.value + step, 1), self._from.max)

    def _moved(self, _: object) -> None:
        with self._table.lock:
            if self._drawing:
                return
            state = self._table.console.store.state
            ids = sorted((i for i, item in state.items.items() if self._passes(item)), reverse=True)
            start = self._from.value - 1
            self._first = ids[start] if 0 < start < len(ids) else None
            self.draw(state)

    def show_item(self, state: QueueState, item_id: int) -> None:
        """Have an item be the first in sight, whatever its status."""
        if not self._passes(state.items[item_id]):
            self._status.value = "all"
        self._first = item_id
        self.draw(state)

    def say(self, text: str) -> None:
        """Show what an action did."""
        self._said.value = text

    def _passes(self, item: QueueItem) -> bool:
        chosen = self._status.value
        return chosen == "all" or item.status == chosen or (chosen == "unfinished" and not item.is_terminal)


def _label(column: str, text: str = "") -> ipywidgets.Label:
    """A cell, as wide as its column, or its header."""
    bold = {"font_weight": "bold"} if text else {}
    layout = {"width": _WIDTHS.get(column, "auto"), "flex": "0 0 auto", "overflow": "hidden"}
    return ipywidgets.Label(text, layout=layout, style=bold)


class _PoolRow:
    def __init__(self, table: QueueTable, told: Callable[[str], object]) -> None:
        self._table = table
        self._told = told
        self._item: QueueItem | None = None
        self._since = 0.0  # when another item came into it
        self._texts = [_label(name) for name in table.columns]
        self._button = ipywidgets.Button(layout={"width": _BUTTON, "flex": "0 0 auto", "visibility": "hidden"})
        self._button.on_click(table.guard(self._act))
        self.content = ipywidgets.HBox([self._button, *self._texts], layout={"overflow": "hidden", "height": "28px"})

    def draw(self, state: QueueState, item: QueueItem | None) -> None:
        if self._item is not None and (item is None or item.item_id != self._item.item_id):
            self._since = time.monotonic()
        self._item = item
        if item is None:
            for label in self._texts:
                label.value = ""
            self._button.layout.visibility = "hidden"
            return
        texts = queue_rows.texts(item, self._table.columns, state.progress, state.retrying)
        for label, text in zip(self._texts, texts, strict=True):
            label.value = text
        retriable = item.status in (FAILED, CANCELED)
        possible = (retriable or not item.is_terminal) and not state.is_theirs(item)
        self._button.description = f"{'↻' if retriable else '✕'} {item.item_id}"
        self._button.tooltip = f"{'retry' if retriable else 'cancel'} item {item.item_id}"
        self._button.disabled = item.item_id in self._table.busy
        self._button.layout.visibility = "visible" if possible else "hidden"

    def _act(self, _: object) -> None:
        with self._table.lock:
            item, moved = self._item, time.monotonic() - self._since < _STILL_S
        if item is None:
            return
        if moved:
            self._told("Nothing was done: the rows had just moved. Further down than the top they keep still.")
            return
        if item.status in (FAILED, CANCELED):
            self._table.retry([item.item_id])
        elif not item.is_terminal:
            self._table.cancel([item.item_id])
        self._button.disabled = True
