"""Boards: list, make, rename and delete them, and what is on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import InvalidRequest, NotFound, checks
from invoke_widgets.errors.text import many
from invoke_widgets.jobs import Context
from invoke_widgets.records import BoardRecord
from invoke_widgets.workflows import near

if TYPE_CHECKING:
    from invoke_widgets.images.image import Images

NO_BOARD = "none"
"""What the server calls the place of images that are on no board."""


class Board:
    """A board of the gallery.

    Attributes:
        board_id: its id.
        name: its name, which others may have too.
        image_count: the number of its pictures when it was read; intermediate ones are not counted.
    """

    def __init__(self, context: Context, record: BoardRecord) -> None:
        self._context = context
        self._take(record)

    def _take(self, record: BoardRecord) -> None:
        self.board_id = record.board_id
        self.name = record.board_name
        self.image_count = record.image_count

    def __repr__(self) -> str:
        return f"Board({self.name!r}, {many(self.image_count, 'picture')})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Board) and self.board_id == other.board_id and self._context.store is other._context.store
        )

    def __hash__(self) -> int:
        return hash(self.board_id)

    def images(self, *, limit: int = 50, intermediates: bool = False) -> Images:
        """Read its newest pictures, as `console.images` does."""
        found: Images = self._context.console.images(board=self, limit=limit, intermediates=intermediates)
        return found

    def rename(self, name: str) -> None:
        """Give it another name.

        Raises:
            InvalidRequest: the server refuses the name, or has no such board any more.
        """
        self._take(
            self._context.loop.call(self._context.client.update_board(self.board_id, board_name=checked_name(name)))
        )

    def delete(self, *, images: bool = False) -> None:
        """Delete it.

        Args:
            images: whether to delete its pictures too; otherwise they are on no board afterwards.

        Raises:
            NotFound: there is no such board any more.
        """
        include_images = checks.flag("images", images)
        self._context.loop.call(self._context.client.delete_board(self.board_id, include_images=include_images))


class Boards:
    """The boards of a server, read whenever they are asked for: `list(console.boards)`, `console.boards["fox"]`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def _read(self) -> list[Board]:
        records = self._context.loop.call(self._context.client.list_boards())
        return [Board(self._context, record) for record in records]

    def __iter__(self) -> Iterator[Board]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __getitem__(self, name: str) -> Board:
        """The board with this name or id.

        Raises:
            NotFound: there is none.
            InvalidRequest: several have this name.
        """
        return Board(self._context, self._context.loop.call(find(self._context.client, name)))

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._read())) or "No boards."

    def create(self, name: str) -> Board:
        """Make an empty board.

        Raises:
            InvalidRequest: a board has this name already, or the server refuses it.
        """
        checked = checked_name(name)

        async def work() -> BoardRecord:
            if any(board.board_name == checked for board in await self._context.client.list_boards()):
                raise InvalidRequest(f"name: there is a board {name!r} already.", field="name")
            return await self._context.client.create_board(checked)

        return Board(self._context, self._context.loop.call(work()))


def checked_name(name: object) -> str:
    """Return a new board's name unchanged.

    Raises:
        InvalidRequest: it is empty, no text, or what the server calls no board.
    """
    what = f"a text other than {NO_BOARD!r}"
    text = checks.text("name", name, what)
    if not text.strip() or text == NO_BOARD:
        raise InvalidRequest(f"name: should be {what}, got {name!r}.", field="name")
    return text


async def find(client: InvokeClient, name: object) -> BoardRecord:
    """Return the record of a board by its id or its name.

    Raises:
        NotFound: there is none; the message has a near name.
        InvalidRequest: several have this name, or it is no text.
    """
    if not isinstance(name, str):
        raise InvalidRequest(f"board: should be a board, its name or its id, got {name!r:.80}.", field="board")
    boards = await client.list_boards()
    found = [board for board in boards if board.board_id == name] or [b for b in boards if b.board_name == name]
    if not found:
        raise NotFound(
            f"There is no board {name!r}.{near(name, [board.board_name for board in boards])}",
            suggestion="console.boards lists them, and makes one by create(name).",
            field="board",
        )
    if len(found) > 1:
        ids = ", ".join(board.board_id for board in found)
        raise InvalidRequest(
            f"board: {len(found)} boards are called {name!r}.", suggestion=f"Use an id: {ids}.", field="board"
        )
    return found[0]


async def board_id_of(client: InvokeClient, board: object) -> str:
    """Return the id of a board by its handle, name or id; "none" for None and "none". Raises as `find` does."""
    if isinstance(board, Board):
        return board.board_id
    if board is None or board == NO_BOARD:
        return NO_BOARD
    return (await find(client, board)).board_id
