"""`ResultsView`: the outputs of the newest completed items, with thumbnails."""

from __future__ import annotations

import asyncio
import base64
import heapq
import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets

from invoke_widgets import outputs
from invoke_widgets.errors import JobException, NotFound
from invoke_widgets.errors.text import cut
from invoke_widgets.records import COMPLETED, QueueItem
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.base import ActingView, enable, put
from invoke_widgets.widgets.text import html_table, text_table

if TYPE_CHECKING:
    from invoke_widgets.console import Console

SHOWN = 8
"""How many items are shown."""
_IMAGES = 4
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Result:
    """A completed item: its outputs as (node, text) pairs, and its first images as (name, bytes)."""

    item: QueueItem
    outputs: tuple[tuple[str, str], ...]
    images: tuple[tuple[str, bytes], ...]
    more_images: int = 0


def newest_completed(state: QueueState, count: int = SHOWN) -> list[int]:
    """The ids of the newest completed items, the newest first."""
    return heapq.nlargest(count, (item.item_id for item in state.items.values() if item.status == COMPLETED))


def output_text(output: Any) -> str:
    """A node's output without its type and lone keys: `{"type": "integer_output", "value": 3}` -> "3"."""
    if isinstance(output, list):
        first = ", ".join(output_text(one) for one in output[:20])
        return cut(f"[{first}{', …' if len(output) > 20 else ''}]", _LONGEST)
    if isinstance(output, Mapping):
        kept = {key: value for key, value in output.items() if key != "type"}
        image = kept.get("image")
        if isinstance(image, Mapping) and isinstance(image.get("image_name"), str):
            size = f", {kept['width']} × {kept['height']}" if {"width", "height"} <= kept.keys() else ""
            return f"image {image['image_name']}{size}"
        if len(kept) == 1:
            return output_text(next(iter(kept.values())))
        output = kept
    return cut(output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, default=str), _LONGEST)


async def read_result(client: Any, item_id: int) -> Result | None:
    """An item's outputs and small images; None if it is gone."""
    try:
        item = await client.get_queue_item(item_id)
    except NotFound:
        return None
    names = outputs.image_names(item)
    images = [image for name in names[:_IMAGES] if (image := await _thumbnail(client, name)) is not None]
    pairs = tuple((node, output_text(output)) for node, output in outputs.outputs(item).items())
    return Result(item.without_session(), pairs, tuple(images), max(len(names) - _IMAGES, 0))


async def _thumbnail(client: Any, name: str) -> tuple[str, bytes] | None:
    try:
        return name, await client.get_image_thumbnail(name)
    except NotFound:  # it was deleted since
        return None


def result_html(result: Result) -> str:
    """A result as HTML."""
    item = result.item
    facts = f"completed {words.time_of_day(item.completed_at)}, took {words.duration(item.ran_s)}"
    values = ", ".join(str(value) for value in item.field_values or ())
    varied = f'<div class="iw-varied">{html.escape(values)}</div>' if values else ""
    pairs = "".join(f"<dt>{html.escape(node)}</dt><dd>{html.escape(text)}</dd>" for node, text in result.outputs)
    images = "".join(
        f'<img src="data:{_kind(data)};base64,{base64.b64encode(data).decode()}" alt="{html.escape(name)}"'
        f' title="{html.escape(name)}">'
        for name, data in result.images
    )
    more = f"<span>and {words.many(result.more_images, 'image')} more</span>" if result.more_images else ""
    return (
        f'<div class="iw-result"><div class="iw-result-head"><b>item {item.item_id}</b> <span>{html.escape(facts)}'
        f'</span></div>{varied}<div class="iw-images">{images}{more}</div><dl>{pairs}</dl></div>'
    )


def _kind(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


class ResultsView(ActingView):
    """Outputs and thumbnails of the newest completed items, read on demand.

    Args:
        console: whose items.
        on_said: called with the outcome in words.
        load: whether to read them right away.

    Attributes:
        results: what is shown, by item id.
    """

    def __init__(
        self,
        console: Console,
        *,
        load: bool = True,
        on_said: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(console, on_said=on_said)
        self.results: dict[int, Result] = {}
        self._asked: list[int] = []
        self._again = False  # asked for while reading
        self._newest: list[int] = []
        self._load = self.button(
            "Show newest", lambda _: self.load(), tooltip="Read the newest completed items' outputs"
        )
        self._note = ipywidgets.HTML()
        self._list = ipywidgets.HTML()
        row = ipywidgets.HBox([self._load, self._note])
        row.add_class("iw-row")
        self.show(row, self._list)
        self.follow()
        if load:
            self.load()

    def load(self) -> None:
        """Read the results that are not shown yet."""
        with self.lock:
            if self._load.busy:
                self._again = True
                return
            self._again = False
            wanted = newest_completed(self.console.store.state)
            if wanted != self._asked:
                self._asked = wanted
                self.act(self._load, self._read(wanted), self._take)

    async def _read(self, item_ids: list[int]) -> list[Result]:
        known = self.results
        try:
            read = await asyncio.gather(
                *(read_result(self.console.client, item_id) for item_id in item_ids if item_id not in known)
            )
        except JobException:
            self._asked = []
            raise
        found = {result.item.item_id: result for result in read if result is not None}
        return [result for i in item_ids if (result := found.get(i) or known.get(i)) is not None]

    def _take(self, read: list[Result]) -> str:
        self.results = {result.item.item_id: result for result in read}
        put(self._list, "value", f'<div class="iw-results">{"".join(map(result_html, read))}</div>')
        return f"Showing the results of {words.many(len(read), 'item')}."

    def draw(self, change: Change) -> None:
        self._update_newest(change)
        wanted = self._newest
        newer = len(set(wanted) - set(self._asked))
        if not wanted:
            note = "No item has completed yet."
        elif newer:
            note = f"{words.many(newer, 'newer item')} completed."
        else:
            note = f"The newest {words.many(len(wanted), 'completed item')}."
        put(self._note, "value", f'<div class="iw-plan">{note}</div>')
        if self._again and not self._load.busy:
            self.load()
        enable(self._load, bool(newer) and change.state.connection.mode != "closed")

    def _update_newest(self, change: Change) -> None:
        """Look at what changed; at the whole queue only after one of the newest has gone."""
        items = change.state.items
        completed = {i for i in change.item_ids if (item := items.get(i)) is not None and item.status == COMPLETED}
        if any(i in change.item_ids and i not in completed for i in self._newest):
            self._newest = newest_completed(change.state)
        elif completed:
            self._newest = heapq.nlargest(SHOWN, completed.union(self._newest))

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(r.item.item_id),
                words.duration(r.item.ran_s),
                "; ".join(f"{node}: {text}" for node, text in r.outputs),
            )
            for r in self.results.values()
        ]

    def as_html(self) -> str:
        return html_table(("item", "took", "outputs"), self._rows(), caption="Results")

    def as_text(self) -> str:
        return text_table(("item", "took", "outputs"), self._rows())
