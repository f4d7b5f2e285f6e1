"""The table from core widgets alone: sixteen rows that are used again for whatever part of the queue is in sight.

For front ends that cannot load a script of ours. No sorting and no filters beyond the status; the slider scrolls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from invoke_widgets.merge import QueueState
from invoke_widgets.records import CANCELED, FAILED, STATUSES, QueueItem
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
_BUTTON = "34px"
_ROWS = {"flex": "1 1 auto", "min_width": "0"}


class Pool:
    """Rows, a filter by status and a slider, for a `QueueTable`, which acts and draws.

    Attributes:
        content: what to show.
    """

    def __init__(self, table: QueueTable) -> None:
        self._table = table
        self._rows = [_PoolRow(table) for _ in range(ROWS)]
        self._status = ipywidgets.Dropdown(
            options=["all", "unfinished", *STATUSES], value="all", description="status", layout={"width": "240px"}
        )
        self._from = ipywidgets.IntSlider(
            value=0,
            min=0,
            max=0,
            orientation="vertical",
            readout=False,
            layout={"height": "440px", "width": "40px", "margin": "34px 0 0"},
            tooltip="scroll",
        )
        self._count = ipywidgets.Label()
        self._said = ipywidgets.Label()
        for control in (self._status, self._from):
            control.observe(table.guard(self._moved), names="value")
        above_buttons = ipywidgets.Label(layout={"width": _BUTTON, "flex": "0 0 auto"})
        head = ipywidgets.HBox([above_buttons, *(_label(name, name) for name in table.columns)])
        rows = ipywidgets.VBox([head, *(row.content for row in self._rows)], layout=_ROWS)
        self.content = ipywidgets.VBox(
            [ipywidgets.HBox([self._status, self._count]), ipywidgets.HBox([self._from, rows]), self._said]
        )

    def draw(self, state: QueueState) -> None:
        """Show the part of the queue that is in sight, newest first."""
        with self._table.lock:
            ids = sorted((i for i, item in state.items.items() if self._passes(item)), reverse=True)
            # Vertical sliders grow upwards: its top is the newest.
            last = max(0, len(ids) - ROWS)
            if self._from.max != last:
                at_top = self._from.value == self._from.max
                self._from.max = last
                if at_top:
                    self._from.value = last
            start = last - self._from.value
            self._count.value = words.many(len(ids), "item")
            for place, row in enumerate(self._rows):
                at = start + place
                row.draw(state, state.items[ids[at]] if at < len(ids) else None)

    def _moved(self, _: object) -> None:
        self.draw(self._table.console.store.state)

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
    def __init__(self, table: QueueTable) -> None:
        self._table = table
        self._item: QueueItem | None = None
        self._texts = [_label(name) for name in table.columns]
        self._button = ipywidgets.Button(layout={"width": _BUTTON, "flex": "0 0 auto", "visibility": "hidden"})
        self._button.on_click(table.guard(self._act))
        self.content = ipywidgets.HBox([self._button, *self._texts], layout={"overflow": "hidden", "height": "28px"})

    def draw(self, state: QueueState, item: QueueItem | None) -> None:
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
        self._button.description = "↻" if retriable else "✕"
        self._button.tooltip = f"{'retry' if retriable else 'cancel'} item {item.item_id}"
        self._button.disabled = item.item_id in self._table.busy
        self._button.layout.visibility = "visible" if possible else "hidden"

    def _act(self, _: object) -> None:
        with self._table.lock:
            item = self._item
        if item is None:
            return
        if item.status in (FAILED, CANCELED):
            self._table.retry([item.item_id])
        elif not item.is_terminal:
            self._table.cancel([item.item_id])
        self._button.disabled = True
