"""What can be done with the pictures that a view shows: look closer, star, move, delete, save, use again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke_widgets.errors import JobException
from invoke_widgets.errors.text import many, one_line, printable
from invoke_widgets.images import Tally, change_all, save_soon
from invoke_widgets.records import BoardRecord, ImageRecord, QueueItem
from invoke_widgets.widgets.part import Part
from invoke_widgets.widgets.pictures import send_pictures
from invoke_widgets.widgets.text import clean
from invoke_widgets.widgets.workflow_form import WorkflowForm

if TYPE_CHECKING:
    from invoke_widgets.images import Image
    from invoke_widgets.workflows import Workflow

_MOST_METADATA = 40
_LONGEST_VALUE = 2_000
_LONGEST_NAME = 200
_REPORT_EVERY = 5
"""Pictures saved; each report is a message to the page."""


class PictureActions:
    """Answers the pages of a view that shows pictures, and has the form that uses one of them again.

    Args:
        view: the view; it has the traits `again`, which refers to that form, and `saving`.
        item_of: the job that made a picture, by its name; None if it is not known.
        on_gone: called with the names of deleted pictures, on the drawing thread.
    """

    def __init__(
        self, view: Part, item_of: Callable[[str], QueueItem | None], on_gone: Callable[[set[str]], object]
    ) -> None:
        self._view = view
        self._item_of = item_of
        self._on_gone = on_gone
        self._form: WorkflowForm | None = None

    def handlers(self) -> dict[str, Callable[..., object]]:
        """For `Part.handlers`."""
        return {
            "thumbnail": lambda names, page: self._view.run(send_pictures(self._view, names, page, full=False)),
            "picture": lambda names, page: self._view.run(send_pictures(self._view, names, page, full=True)),
            "about": lambda names, page: self._view.run(self._send_about(names, page=page)),
            "star": self.star,
            "move": self.move,
            "delete": self.delete,
            "save": self.save,
            "again": self.again,
            "back": self.hide_form,
        }

    # -- changes -----------------------------------------------------------------------------------------------------

    def star(self, names: list[str], on: bool = True) -> None:
        """Start starring pictures, or taking their stars off, and return at once."""
        client = self._view.console.client
        change = client.star_images_in_list if on else client.unstar_images_in_list
        self._change("star", "Starred" if on else "Took the star off", change, names)

    def move(self, names: list[str], board_id: str = "", name: str = "", is_new: bool = False) -> None:
        """Start moving pictures, and return at once.

        Args:
            names: the pictures.
            board_id: the board; "" takes them off their boards.
            name: the board's name.
            is_new: whether to make a board of this name.
        """
        client = self._view.console.client

        async def moved(some: Sequence[str]) -> list[str]:
            nonlocal board_id
            if is_new and not board_id:
                board_id = (await client.create_board(name)).board_id
            if not board_id:
                return list(await client.remove_images_from_board(some))
            return list(await client.add_images_to_board(board_id, some))

        to = f" to {name!r}" if name else " off their boards"
        self._change("move", "Moved", moved, names, to)

    def delete(self, names: list[str]) -> None:
        """Start deleting pictures for good, and return at once."""
        self._change("delete", "Deleted", self._view.console.client.delete_images_from_list, names)

    def _change(self, key: str, done: str, change: Callable[..., Any], names: list[str], to: str = "") -> None:
        def outcome(changed: set[str]) -> str:
            # What the server does not know any more is gone too.
            if gone := set(names) if key == "delete" else set(names) - changed:
                self._on_gone(gone)
            missing = len(names) - len(changed)
            are = "is" if missing == 1 else "are"
            rest = f" {many(missing, 'picture')} {are} no longer on the server." if missing else ""
            return f"{done} {many(len(changed), 'picture')}{to}.{rest}"

        async def work() -> set[str]:
            changed = await change_all(change, names)
            if key != "delete":
                await self._send_about([name for name in names if name in changed])
            return changed

        self._view.act(key, work(), outcome)

    # -- details -----------------------------------------------------------------------------------------------------

    async def _send_about(self, names: Sequence[str], page: str = "") -> None:
        client = self._view.console.client
        try:
            boards = {board.board_id: board for board in await client.list_boards()}
        except JobException:
            boards = {}
        for name in names:
            message: dict[str, Any] = {"t": "about", "name": name}
            try:
                record = await client.get_image_dto(name)
                metadata = await client.get_image_metadata(name)
            except JobException as error:
                message["failed"] = clean(str(error))
            else:
                message["about"] = _about(record, metadata, boards)
            self._view.post(message, page=page)

    # -- saving ------------------------------------------------------------------------------------------------------

    def save(self, names: list[str], folder: str, pattern: str = "{name}", final: bool = False) -> None:
        """Start saving pictures as files of the kernel's machine, and return at once; see `Images.save`.

        Args:
            names: the pictures.
            folder: where to.
            pattern: the files' names.
            final: whether to leave out the intermediate ones of jobs that made others too.
        """
        view = self._view
        path = Path(folder or ".").expanduser()

        def report(tally: Tally) -> None:
            done, total = tally.done, tally.total
            if done % _REPORT_EVERY == 0 or done == total:
                view.later(lambda: view.set_trait("saving", {"done": done, "total": total}))

        async def work() -> list[Path]:
            try:
                made = [(name, self._item_of(name)) for name in names]
                found: Sequence[Image] = await view.console.internals.images(made)
                if final:
                    done = {image.item_id for image in found if not image.is_intermediate}
                    found = [one for one in found if not one.is_intermediate or one.item_id not in done]
                return await save_soon(found, path, pattern or "{name}", report)
            finally:
                view.later(lambda: view.set_trait("saving", {}))

        view.act("save", work(), lambda paths: f"Saved {many(len(paths), 'picture')} in {path.absolute()}.")

    # -- again -------------------------------------------------------------------------------------------------------

    def again(self, name: str) -> None:
        """Start showing the form of the workflow that made a picture, with its values, and return at once."""
        work = self._view.console.internals.workflow_of_image(name)
        self._view.run(work, self._show, key="again")

    def _show(self, workflow: Workflow) -> None:
        self.hide_form()
        self._form = WorkflowForm(self._view.console, workflow, on_said=self._view.repeat)
        self._view.set_trait("again", f"IPY_MODEL_{self._form.model_id}")

    def hide_form(self) -> None:
        """Show the pictures again."""
        form, self._form = self._form, None
        self._view.set_trait("again", "")
        if form is not None:
            form.close()

    def within(self) -> tuple[Part, ...]:
        """For `Part.within`."""
        return () if self._form is None else (self._form,)


def _about(
    record: ImageRecord, metadata: Mapping[str, Any] | None, boards: Mapping[str, BoardRecord]
) -> dict[str, Any]:
    """A picture's details as its page shows them; texts of the server are shortened."""
    board = boards.get(record.board_id or "")
    return {
        "size": [record.width, record.height],
        "starred": record.starred,
        "uploaded": record.image_origin == "external",
        "intermediate": record.is_intermediate,
        "board": "" if board is None else _text(board.board_name, _LONGEST_NAME),
        "boards": [[clean(one.board_id), _text(one.board_name, _LONGEST_NAME)] for one in boards.values()],
        "metadata": list(_metadata(metadata or {})),
    }


def _metadata(metadata: Mapping[str, Any]) -> Iterable[list[str]]:
    """Names in words and values as texts; a model is shown by its name."""
    shown = {key: value for key, value in metadata.items() if value not in (None, "", [], {})}
    for key, value in list(shown.items())[:_MOST_METADATA]:
        if isinstance(value, Mapping) and isinstance(value.get("name"), str):
            value = value["name"]
        said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        name = str(key).replace("_", " ")
        yield [_text(name[:1].upper() + name[1:], _LONGEST_NAME), _text(said, _LONGEST_VALUE)]


def _text(text: str, longest: int) -> str:
    return printable(one_line(clean(text), longest))
