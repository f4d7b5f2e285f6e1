"""`Gallery`: the pictures of finished jobs, the newest first."""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.records import COMPLETED, QueueItem
from invoke_widgets.sync import Change
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.part import Part, Said, script, style
from invoke_widgets.widgets.picture_actions import PictureActions
from invoke_widgets.widgets.pictures import newest, read_pictures
from invoke_widgets.widgets.text import clean, html_table, text_table

if TYPE_CHECKING:
    from invoke_widgets.console import Console
    from invoke_widgets.images import Images

_PAGE = 24
"""Jobs that are looked at for pictures at a time, and pictures that are looked for."""
_PAGES = 10
"""Further pages that are looked at while they have no pictures."""
_HEADERS = ("item", "took", "values", "pictures")


class Gallery(Part):
    """The pictures of completed jobs as they come: the last picture of each, with the others behind it.

    Args:
        console: whose jobs.
        load: whether to read right away; otherwise when a page shows it.
        on_said: called with `said` after each action.

    Attributes:
        cards: one for each job with pictures, the newest first: `item_id`, `batch`, `values`, `at`, `took`, how many
            were `made`, and the `names` of the newest.
        selected: names of the selected pictures, in the order in which they were selected. May be set and observed:
            `gallery.observe(lambda change: print(change["new"]), "selected")`.
        filters: `batch`, `text`.
        without: how many of the jobs that were looked at made no picture.
        older: whether there are further completed jobs to look at.
        again: refers to the form of a picture that is to be made again, in place of the pictures; "" for none.
        saving: how many pictures of how many are saved while that goes on: `done` and `total`.
    """

    _esm = script("pictures.js", "full_view.js", "gallery.js")
    _css = style("gallery.css")

    cards: traitlets.List[Any] = traitlets.List().tag(sync=True)
    selected: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    filters: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    without = traitlets.Int().tag(sync=True)
    older = traitlets.Bool().tag(sync=True)
    again = traitlets.Unicode().tag(sync=True)
    saving: traitlets.Dict[str, int] = traitlets.Dict().tag(sync=True)

    def __init__(self, console: Console, *, load: bool = True, on_said: Callable[[Said], object] | None = None) -> None:
        self._completed: list[int] = []  # ascending
        self._known: dict[int, QueueItem | None] = {}  # looked at; None without pictures
        self._names: dict[int, list[str]] = {}
        self._wanted = _PAGE
        self._is_shown = load
        self._actions = PictureActions(self, self._item_of, self._drop)
        super().__init__(console, on_said=on_said)
        self.follow()

    # -- reading -----------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        items = change.state.items
        for item_id in sorted(change.item_ids):
            item = items.get(item_id)
            if item is not None and item.status == COMPLETED and item_id not in self._known:
                if item_id not in self._completed[-1:]:
                    insort(self._completed, item_id)
            elif item is None:
                self._forget(item_id)
        self._draw_cards()
        if self._is_shown:
            self._read()

    def _forget(self, item_id: int) -> None:
        """A job was deleted: its pictures stay on the server, and in the gallery."""
        if item_id not in self._known and item_id in self._completed:
            self._completed.remove(item_id)

    def load(self) -> None:
        """Begin to read, and go on as further jobs complete."""
        with self.lock:
            self._is_shown = True
            self._read()

    def load_older(self) -> None:
        """Look at further completed jobs."""
        with self.lock:
            self._wanted += _PAGE
            self._read()

    def _unread(self) -> list[int]:
        """The newest jobs that have not been looked at, until there are as many pictures as are wanted."""
        looked_for = self._wanted if len(self.cards) >= self._wanted else self._wanted * _PAGES
        newest = heapq.nlargest(looked_for, self._completed)
        return [item_id for item_id in newest if item_id not in self._known][:_PAGE]

    def _read(self) -> None:
        if (unread := self._unread()) and self.console.internals.store.state.connection.is_up:
            self.run(read_pictures(self.console.client, unread), self._take, key="read", always=self.mark)

    def _take(self, read: list[tuple[int, QueueItem | None, list[str]]]) -> None:
        for item_id, item, names in read:
            self._known[item_id] = item
            self._names[item_id] = names
        self._draw_cards()

    def _draw_cards(self) -> None:
        shown = sorted((i for i, item in self._known.items() if item is not None), reverse=True)
        self.cards = [self._card(item_id) for item_id in shown]
        self.without = len(self._known) - len(shown)
        self.older = len(self._completed) > len(self._known)

    def _card(self, item_id: int) -> dict[str, Any]:
        item = self._known[item_id]
        assert item is not None
        return {
            "item_id": item_id,
            "batch": clean(item.batch_id),
            "values": words.fields(item.field_values) or [],
            "at": None if item.completed_at is None else item.completed_at.timestamp(),
            "took": item.ran_s,
            **newest(self._names[item_id]),
        }

    # -- pictures ----------------------------------------------------------------------------------------------------

    @property
    def selected_images(self) -> Images:
        """The selected pictures, to save or move: `gallery.selected_images.save("out")`.

        Raises:
            JobException: a request failed.
        """
        names = list(self.selected)
        found: Images = self.console.internals.call(
            self.console.internals.images([(name, self._item_of(name)) for name in names])
        )
        return found

    def _item_of(self, name: str) -> QueueItem | None:
        with self.lock:
            return next((self._known[item_id] for item_id, names in self._names.items() if name in names), None)

    def _drop(self, gone: set[str]) -> None:
        """Pictures were deleted."""
        self.selected = [name for name in self.selected if name not in gone]
        for item_id, names in self._names.items():
            self._names[item_id] = [name for name in names if name not in gone]
            if names and not self._names[item_id]:
                self._known[item_id] = None
        self._draw_cards()

    def handlers(self) -> dict[str, Callable[..., object]]:
        return {"load": self.load, "older": self.load_older, **self._actions.handlers()}

    def within(self) -> tuple[Any, ...]:
        return self._actions.within()

    # -- without widgets ---------------------------------------------------------------------------------------------

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(card["item_id"]),
                words.duration(card["took"]),
                ", ".join(f"{name} {value}" for name, value in card["values"]),
                ", ".join(card["names"]),
            )
            for card in self.cards
        ]

    def as_html(self) -> str:
        return html_table(_HEADERS, self._rows(), caption="Pictures")

    def as_text(self) -> str:
        return text_table(_HEADERS, self._rows())
