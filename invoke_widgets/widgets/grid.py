"""`Grid`: the jobs of a batch or sweep by their values, each with its state, picture or error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive
from invoke_widgets.jobs import Jobs
from invoke_widgets.records import COMPLETED, FAILED, IN_PROGRESS, QueueItem
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.controls import QueueActions
from invoke_widgets.widgets.part import Part, script, style
from invoke_widgets.widgets.picture_actions import PictureActions
from invoke_widgets.widgets.pictures import newest, read_pictures
from invoke_widgets.widgets.text import cell as short
from invoke_widgets.widgets.text import clean, html_table, text_table
from invoke_widgets.workflows import near

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from invoke_widgets.console import Console

_HEADERS = ("item", "status", "values", "took", "picture or error")
_MOST_PARTS = 4
"""Values in the name of a file."""


class Grid(Part):
    """The jobs of a batch, sweep or retry in rows and columns by the values that differ.

    Args:
        console: whose jobs.
        jobs: the batch, sweep or retry.
        x: the value for the columns; by default the first that differs.
        y: the value for the rows; by default the second that differs. "" for one row.
        facet: the value for grids one below the other; by default "", none.

    Attributes:
        names: the values that differ between the jobs.
        x, y, facet: may be set.
        layout_: `columns`, `rows` and `facets`, each a list of texts, and `cells`: for each job its id, its column, row
            and facet, and its values.
        states: by job id: `status`, `item_id` of the last attempt, `share` of the work done, `took`, how many pictures
            it `made`, the `names` of the newest, `preview`, `error` and so on. Pages receive them in messages, each
            with what changed.
        pattern: the names of files that "Save all" proposes.
        again, saving: as in `Gallery`.
    """

    _esm = script("pictures.js", "full_view.js", "grid.js")
    _css = style("gallery.css", "grid.css")

    names: traitlets.List[str] = traitlets.List().tag(sync=True)
    x = traitlets.Unicode().tag(sync=True)
    y = traitlets.Unicode().tag(sync=True)
    facet = traitlets.Unicode().tag(sync=True)
    layout_: traitlets.Dict[str, Any] = traitlets.Dict({"columns": [], "rows": [], "facets": [], "cells": []}).tag(
        sync=True
    )
    states: traitlets.Dict[str, Any] = traitlets.Dict()
    pattern = traitlets.Unicode("{name}").tag(sync=True)
    again = traitlets.Unicode().tag(sync=True)
    saving: traitlets.Dict[str, int] = traitlets.Dict().tag(sync=True)

    def __init__(
        self, console: Console, jobs: Jobs, *, x: str | None = None, y: str | None = None, facet: str = ""
    ) -> None:
        self._jobs = jobs
        self._items: dict[int, QueueItem] = {}  # by the first attempt, the last one
        self._attempts: set[int] = set()
        self._names: dict[int, list[str]] = {}
        self._actions = PictureActions(self, self._item_of, self._drop)
        self._asked: set[int] = set()
        self._values: dict[int, dict[str, Any]] = {}
        self._chosen = {axis for axis, name in (("x", x), ("y", y)) if name is not None}
        self._is_choosing = False
        super().__init__(console, x=x or "", y=y or "", facet=facet)
        self.observe(self.guard(self._choose), names=["x", "y", "facet"])
        self.follow()
        self._check_names({"x": x, "y": y, "facet": facet})

    def _check_names(self, axes: Mapping[str, str | None]) -> None:
        known = list(dict.fromkeys(name for values in self._values.values() for name in values))
        for argument, name in axes.items():
            if name and known and name not in known:
                self.close()
                raise InvalidRequest(f"{argument}: the jobs have no value {name!r}.{near(name, known)}", field=argument)

    # -- drawing -----------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        state = change.state
        if self._attempts and not any(self._is_part(state, item_id) for item_id in change.item_ids):
            return
        found = [(job, job.attempts[-1]) for job in self._jobs.jobs]
        self._attempts = {item_id for job, _ in found for item_id in job.attempts}
        seen = {item.item_id: item for item in self._items.values()}  # also what was deleted since
        last_ones = [item for _, last in found if (item := state.items.get(last) or seen.get(last)) is not None]
        # A retry by hand is another attempt in the same cell.
        last_ones.sort(key=lambda item: item.item_id)
        self._items = {item.retried_from_item_id or item.item_id: item for item in last_ones}
        values = {
            job_id: self._values.get(job_id) or {value.label: value.given for value in item.field_values or ()}
            for job_id, item in self._items.items()
            if job_id in self._values or item.field_values is not None
        }
        if values.keys() != self._values.keys():
            self._values = values
            self._lay_out()
        self._draw_states(state)
        self._read()

    def _is_part(self, state: QueueState, item_id: int) -> bool:
        item = state.items.get(item_id)
        batches = getattr(self._jobs, "batches", (self._jobs,))
        ids = {getattr(batch, "batch_id", None) for batch in batches}
        return item_id in self._attempts or (item is not None and item.batch_id in ids)

    def _choose(self, change: Mapping[str, Any]) -> None:
        """An axis was set, by the page or by code: from now on it stays as it is."""
        if not self._is_choosing:
            self._chosen.add(change["name"])
            self._lay_out()

    def _lay_out(self) -> None:
        with self.lock:
            texts: dict[str, dict[str, Any]] = {}
            for _, values in sorted(self._values.items()):  # in the order in which they were submitted
                for name, value in values.items():
                    texts.setdefault(name, {}).setdefault(_shown(value), value)
            varied = {name: seen for name, seen in texts.items() if len(seen) > 1}
            self.names = [clean(name) for name in varied]
            self.pattern = _pattern(varied)
            taken = {getattr(self, axis) for axis in self._chosen if axis != "facet"}
            free = iter([name for name in self.names if name not in taken])
            self._is_choosing = True
            for axis in ("x", "y"):
                if axis not in self._chosen:
                    setattr(self, axis, next(free, ""))
            self._is_choosing = False
            axes = (self.x, self.y, self.facet)
            columns, rows, facets = places = [_ordered(texts.get(axis, {})) for axis in axes]
            self.layout_ = {
                "columns": [clean(text) for text in columns],
                "rows": [clean(text) for text in rows],
                "facets": [clean(text) for text in facets],
                "cells": [
                    {
                        "id": job_id,
                        "at": [_index(place, values.get(axis)) for place, axis in zip(places, axes, strict=True)],
                        "values": [[short(name), short(_shown(value))] for name, value in values.items()],
                    }
                    for job_id, values in sorted(self._values.items())
                ],
            }

    def _draw_states(self, state: QueueState) -> None:
        before = self.states
        self.states = {str(job_id): self._state(state, item) for job_id, item in self._items.items()}
        # Not all of them each time: with 400 cells they are 60 kB, and ten times a second something changes.
        if changed := {job_id: one for job_id, one in self.states.items() if before.get(job_id) != one}:
            self.send({"t": "states", "states": changed})

    def _send_states(self, page: str) -> None:
        """Send all of them to a page that has been opened."""
        self.later(lambda: self.send({"t": "states", "states": self.states, "to": page}))

    def _state(self, state: QueueState, item: QueueItem) -> dict[str, Any]:
        found: dict[str, Any] = {"status": clean(item.status), "item_id": item.item_id, "took": item.ran_s}
        if item.completed_at is not None:
            found["at"] = item.completed_at.timestamp()
        if names := self._names.get(item.item_id):
            found |= newest(names)
        progress = state.progress.get(item.item_id)
        if item.status == IN_PROGRESS and progress is not None:
            found["share"] = progress.percentage
            found["message"] = clean(progress.message or "")
            found["preview"] = clean(progress.image or "")
        if item.status == FAILED:
            error = self.console.errors.error_of(item)
            found["error"] = {"class": error.error_type.value, "message": clean(error.message)}
        return found

    def _read(self) -> None:
        unread = [
            item.item_id
            for item in self._items.values()
            if item.status == COMPLETED and item.item_id not in self._asked
        ]
        if unread and self.console.internals.store.state.connection.is_up:
            self._asked.update(unread)
            self.run(read_pictures(self.console.client, unread), self._take)

    def _take(self, read: list[tuple[int, QueueItem | None, list[str]]]) -> None:
        self._names.update({item_id: names for item_id, _, names in read})
        self._draw_states(self.console.internals.store.state)

    def _item_of(self, name: str) -> QueueItem | None:
        with self.lock:
            made = {item_id for item_id, names in self._names.items() if name in names}
            return next((item for item in self._items.values() if item.item_id in made), None)

    def _drop(self, gone: set[str]) -> None:
        """Pictures were deleted."""
        self._names = {item_id: [name for name in names if name not in gone] for item_id, names in self._names.items()}
        self._draw_states(self.console.internals.store.state)

    # -- from the page -----------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[..., object]]:
        return {
            "states": self._send_states,
            "cancel": self.cancel,
            "retry": self.retry,
            **self._actions.handlers(),
            "save": self.save,
        }

    def within(self) -> tuple[Any, ...]:
        return self._actions.within()

    def cancel(self, item_ids: list[int]) -> None:
        """Start canceling jobs, and return at once."""
        QueueActions(self).cancel(item_ids, "cancel")

    def retry(self, item_ids: list[int]) -> None:
        """Start retrying jobs, and return at once."""
        QueueActions(self).retry(item_ids, "retry")

    def save(self, folder: str, pattern: str) -> None:
        """Start saving the pictures of all jobs, without the steps towards them, and return at once."""
        with self.lock:
            names = [name for _, item in sorted(self._items.items()) for name in self._names.get(item.item_id, ())]
        self._actions.save(names, folder, pattern, final=True)

    # -- elsewhere ---------------------------------------------------------------------------------------------------

    def figure(self, *, size: float = 2.0) -> Figure:
        """Draw it as it is now, for print: a matplotlib figure with the pictures and their labels.

        Args:
            size: of each picture, in inches.

        Raises:
            InvalidRequest: `size` is not a number above 0.
            JobException: a picture cannot be fetched.
        """
        from invoke_widgets.history import picture_grid

        size = positive("size", size)
        # A grid that has just been made is still reading them.
        with self.lock:
            done = [item.item_id for item in self._items.values() if item.status == COMPLETED]
            unread = [item_id for item_id in done if item_id not in self._names]
        read = self.console.internals.call(read_pictures(self.console.client, unread)) if unread else []
        with self.lock:
            self._take(read)
            layout, states = dict(self.layout_), dict(self.states)
        cells: dict[tuple[int, int], tuple[bytes | None, str]] = {}
        rows = [f"{facet} · {row}".strip(" ·") for facet in layout["facets"] or [""] for row in layout["rows"] or [""]]
        for one in layout["cells"]:
            column, row, facet = (max(index, 0) for index in one["at"])
            state = states.get(str(one["id"]), {})
            names = state.get("names")
            content = self.console.internals.call(self.console.client.get_image_full(names[-1])) if names else None
            text = state.get("error", {}).get("message") or state.get("status", "")
            cells[facet * max(len(layout["rows"]), 1) + row, column] = (content, text)
        return picture_grid(cells, columns=layout["columns"], rows=rows, x=self.x, y=self.y, size=size)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(one["id"]),
                words.STATUSES.get(status := str(state.get("status", "")), status),
                ", ".join(f"{name} {value}" for name, value in one["values"]),
                words.duration(state.get("took")),
                (state.get("names") or [state.get("error", {}).get("message", "")])[-1],
            )
            for one in self.layout_.get("cells", ())
            if (state := self.states.get(str(one["id"]), {})) is not None
        ]

    def as_html(self) -> str:
        return html_table(_HEADERS, self._rows(), caption="Jobs by their values")

    def as_text(self) -> str:
        return text_table(_HEADERS, self._rows())


def _pattern(varied: Mapping[str, Mapping[str, Any]]) -> str:
    """The varied values as parts of a file's name, long texts cut."""
    parts = [
        f"{{{name}{':.40' if all(isinstance(value, str) for value in seen.values()) else ''}}}"
        for name, seen in varied.items()
        if not set(name) & set("{}/\\")
    ]
    return clean("-".join(parts[:_MOST_PARTS])) or "{name}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and isinstance(value.get("image_name"), str):
        return str(value["image_name"])
    return f"{value:g}" if isinstance(value, float) else str(value)


def _ordered(seen: Mapping[str, Any]) -> list[str]:
    """Texts of values: numbers by size, others as they came."""
    if all(isinstance(value, int | float) for value in seen.values()):
        return sorted(seen, key=lambda text: float(seen[text]))
    return list(seen)


def _index(texts: Iterable[str], value: Any) -> int:
    shown = _shown(value)
    return next((index for index, text in enumerate(texts) if text == shown), 0)
