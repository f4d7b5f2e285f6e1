"""`Image` and `Images`: pictures on the server, and how those of jobs are found.

What the server says is not trusted: a name is checked before it becomes part of an address (in `client`), texts are
escaped, and of what it names only `/api/v1/images/i/NAME` is fetched.
"""

from __future__ import annotations

import asyncio
import base64
import builtins
import contextlib
import html
import io
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from invoke_widgets.client import MAX_NAMES_PER_REQUEST, InvokeClient, checked_image_name
from invoke_widgets.errors import (
    InvalidRequest,
    JobException,
    JobTimeout,
    NotFound,
    ServerUnreachable,
    UnexpectedReply,
    checks,
)
from invoke_widgets.errors.text import one_line, printable
from invoke_widgets.images import saving
from invoke_widgets.images.boards import NO_BOARD, Board, board_id_of
from invoke_widgets.jobs import Context, Job, Jobs, a_few_at_once, ended_items, hindrance
from invoke_widgets.outputs import UUID, made_images
from invoke_widgets.records import ImageRecord, QueueItem
from invoke_widgets.workflows import as_it_ran

if TYPE_CHECKING:
    import PIL.Image

_SHOWN = 24
"""Thumbnails in a notebook's cell, which are saved with it."""
_LISTED = 10
"""Lines in a terminal."""
_LARGEST_THUMBNAIL = 300_000
_CAPTION = 60
_AWAY_S = 30.0
_LOOK_AGAIN_S = 0.05


class Image:
    """A picture on the server; in a notebook, the picture itself.

    Attributes:
        name: its name on the server.
        width, height: in pixels.
        board_id: the board that it was on when it was read; None for none.
        starred: whether it was starred then.
        is_intermediate: whether it is a step towards another picture, which the gallery does not show.
        created_at: when it was made or uploaded.
        session_id: of the item that made it; None for an upload.
        item_id: the job that it was asked of; None if it was found in another way.
        batch_id: the batch of that job.
        node_id: the graph's node that made it, if the job is known.
        values: the values that the batch varied: `{"add.a": 1}`; empty if the job is not known.
    """

    def __init__(
        self, context: Context, record: ImageRecord, *, item: QueueItem | None = None, node_id: str | None = None
    ) -> None:
        self._context = context
        self.item_id = None if item is None else item.item_id
        self.batch_id = None if item is None else item.batch_id
        self.node_id = node_id
        self.values: dict[str, Any] = {}
        for value in (item.field_values if item is not None else None) or ():
            self.values[value.label] = value.given
        self._take(record)

    def _take(self, record: ImageRecord) -> None:
        self._record = record
        self.name = record.image_name
        self.width = record.width
        self.height = record.height
        self.board_id = record.board_id
        self.starred = record.starred
        self.is_intermediate = record.is_intermediate
        self.created_at = record.created_at
        self.session_id = record.session_id

    @property
    def image_name(self) -> str:
        """Its name, as the fields of nodes call it: `workflow["Image"] = image`."""
        return self.name

    def __repr__(self) -> str:
        return f"Image({self._said(self.name)})"

    def _said(self, name: str) -> str:
        """Return what is known of it, in one line."""
        item = None if self.item_id is None else f"item {self.item_id}"
        made_by = None if self.node_id is None or UUID.fullmatch(self.node_id) else f"node {self.node_id!r}"
        varied = ", ".join(f"{name}={one_line(str(value), _CAPTION)}" for name, value in self.values.items())
        shown = printable(one_line(varied, 2 * _CAPTION))
        parts = [repr(name), f"{self.width} x {self.height}", item, made_by, shown]
        return ", ".join(part for part in (*parts, "starred" if self.starred else None) if part)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.name == other.name and self._context.store is other._context.store

    def __hash__(self) -> int:
        return hash(self.name)

    def _repr_png_(self) -> builtins.bytes:
        return self.bytes()

    def bytes(self) -> builtins.bytes:
        """Fetch the file itself, a PNG with its metadata.

        Raises:
            NotFound: it was deleted.
        """
        return self._context.loop.call(self._context.client.get_image_full(self.name))

    def thumbnail(self) -> builtins.bytes:
        """Fetch a WebP of at most 256 pixels; raises as `bytes` does."""
        return self._context.loop.call(self._context.client.get_image_thumbnail(self.name))

    def pil(self) -> PIL.Image.Image:
        """Fetch it as a Pillow image; raises as `bytes` does.

        Raises:
            UnexpectedReply: what was fetched is no picture.
        """
        import PIL.Image

        try:
            picture = PIL.Image.open(io.BytesIO(self.bytes()))
            picture.load()
        except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
            raise UnexpectedReply(f"{self.name} cannot be read as a picture: {error}.") from error
        return picture

    @property
    def board(self) -> Board | None:
        """Read the board that it is on now, which `board_id` and `starred` follow; None for none.

        Raises:
            NotFound: it was deleted.
        """
        self._take(self._context.loop.call(self._context.client.get_image_dto(self.name)))
        found: Board | None = None if self.board_id is None else self._context.console.board(self.board_id)
        return found

    @property
    def metadata(self) -> dict[str, Any] | None:
        """Fetch the metadata that it carries: None, unless a node of its graph wrote some."""
        return self._context.loop.call(self._context.client.get_image_metadata(self.name))

    def workflow(self) -> dict[str, Any] | None:
        """Fetch the workflow that it carries, with the values that made it; None if it was made by a plain graph."""
        workflow, graph = self._context.loop.call(self._context.client.get_image_workflow(self.name))
        return as_it_ran(workflow, graph) if workflow and graph else workflow

    def graph(self) -> dict[str, Any] | None:
        """Fetch the graph that it carries, as it ran; None for most uploads."""
        return self._context.loop.call(self._context.client.get_image_workflow(self.name))[1]

    def star(self, on: bool = True) -> None:
        """Star it, or take its star off; raises as `Images.star` does."""
        Images([self]).star(on)

    def move(self, board: Board | str | None) -> None:
        """Move it to a board, or off its board; raises as `Images.move` does."""
        Images([self]).move(board)

    def delete(self) -> None:
        """Delete it from the server for good; raises as `Images.delete` does."""
        Images([self]).delete()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the server's own bytes to a file, replacing it if it is there, and return its path.

        Args:
            path: the file; or a folder, in which it gets its name on the server.

        Raises:
            ResourceError: the file cannot be written, such as to a folder that is not there.
            JobException: it could not be fetched.
        """
        return saving.save_one(self, checked_path("path", path))


class Images(Sequence[Image]):
    """Pictures, in order; in a notebook, their thumbnails. `Images(some)` makes one of any images.

    A slice is an `Images` too.
    """

    def __init__(self, images: Iterable[Image] = ()) -> None:
        given: Any = images
        self._images = tuple(images) if isinstance(given, Iterable) else (given,)
        for image in self._images:
            if not isinstance(image, Image):
                raise InvalidRequest(f"images: should be images, got {image!r:.80}.", field="images")

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> Images: ...
    def __getitem__(self, index: int | slice) -> Image | Images:
        return Images(self._images[index]) if isinstance(index, slice) else self._images[index]

    def __len__(self) -> int:
        return len(self._images)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Images) and self._images == other._images

    def __hash__(self) -> int:
        return hash(self._images)

    def __repr__(self) -> str:
        if not self:
            return "Images(none)"
        lines = [f"{index:>4}  {image._said(image.name)}" for index, image in enumerate(self[:_LISTED])]
        more = [f"      and {len(self) - _LISTED} more"] if len(self) > _LISTED else []
        return "\n".join([f"{len(self)} pictures", *lines, *more])

    def _repr_html_(self) -> str:
        if not self:
            return "<p>No pictures.</p>"
        shown = self[:_SHOWN]
        thumbnails = self[0]._context.loop.call(
            a_few_at_once(self[0]._context.client.get_image_thumbnail, [image.name for image in shown])
        )
        cells = "".join(_figure(image, thumbnail) for image, thumbnail in zip(shown, thumbnails, strict=True))
        rest = len(self) - len(shown)
        more = f"<p>and {rest} more: <code>images[{_SHOWN}:]</code> shows them</p>" if rest else ""
        return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{cells}</div>{more}'

    def save(
        self, folder: str | os.PathLike[str] = ".", pattern: str = "{name}", *, progress: bool = True
    ) -> list[Path]:
        """Save each picture as a file in a folder, at most four at a time: the server's own bytes, metadata included.

        What is there already is neither fetched again nor replaced, so that the same call goes on after an interrupt: a
        picture is known by its file's time, which is when it was made. Another file of the same name stays, and the
        picture gets a number: `fox-2.png`.

        Args:
            folder: made if it is not there. Nothing is written outside it.
            pattern: the files' names: "{add.a}-{index:03}.png". What can stand in braces: a varied value by its name
                in `values`, `item_id`, `batch_id`, `name` (on the server) and `index` (from 0); with a format such as
                `{prompt:.40}`. What a file's name cannot hold becomes "_".
            progress: whether to show how far it is, once it takes longer than a second: as a line in the cell's output,
                elsewhere on stderr.

        Returns:
            The paths, one for each picture.

        Raises:
            InvalidRequest: a name in the pattern is not known, or a format does not fit; nothing was fetched.
            JobException: some pictures could not be fetched or written; the others are saved.
        """
        checks.flag("progress", progress)
        return saving.save_all(self, checked_path("folder", folder), pattern, progress=progress)

    def star(self, on: bool = True) -> None:
        """Star them, or with False take their stars off.

        Raises:
            NotFound: some are no longer on the server; the others were starred.
        """
        checks.flag("on", on)
        if self:
            client = self[0]._context.client
            change = client.star_images_in_list if on else client.unstar_images_in_list
            self._change("starred" if on else "unstarred", change, starred=on)

    def move(self, board: Board | str | None) -> None:
        """Move them to a board, by its handle, name or id; with None, off their boards.

        Raises:
            NotFound: there is no such board; or some are no longer on the server, and the others were moved.
            InvalidRequest: several boards have this name.
        """
        if not self:
            return
        context = self[0]._context
        board_id = context.loop.call(board_id_of(context.client, board))
        if board_id == NO_BOARD:
            self._change("moved", context.client.remove_images_from_board, board_id=None)
        else:
            self._change("moved", partial(context.client.add_images_to_board, board_id), board_id=board_id)

    def delete(self) -> None:
        """Delete them from the server for good. Unlike the web interface, this does not ask first.

        Raises:
            NotFound: some were no longer on the server; the others were deleted.
        """
        if self:
            self._change("deleted", self[0]._context.client.delete_images_from_list)

    def _change(self, done: str, change: Callable[[Sequence[str]], Awaitable[list[str]]], **changes: Any) -> None:
        names = list(dict.fromkeys(image.name for image in self))
        changed = self[0]._context.loop.call(change_all(change, names))
        for image in self:
            if image.name in changed:
                image._take(replace(image._record, **changes))
        if missing := [name for name in names if name not in changed]:
            raise NotFound(
                f"{len(missing)} of {len(names)} pictures were not {done}, since they are no longer on the server: "
                f"{one_line(', '.join(missing), 2 * _CAPTION)}."
            )


def checked_path(name: str, path: object) -> Path:
    """Return a path given by the user; "~" is their home.

    Raises:
        InvalidRequest: it is not one.
    """
    if not isinstance(path, str | os.PathLike) or not str(path) or "\0" in str(path):
        raise InvalidRequest(f"{name}: should be a path, got {path!r:.80}.", field=name)
    return Path(path).expanduser()


def _figure(image: Image, thumbnail: bytes | JobException) -> str:
    caption = ", ".join(f"{name} {value}" for name, value in image.values.items()) or image.name
    said = html.escape(printable(one_line(caption, _CAPTION)))
    title = html.escape(repr(image))
    if isinstance(thumbnail, JobException) or len(thumbnail) > _LARGEST_THUMBNAIL:
        reason = thumbnail.message if isinstance(thumbnail, JobException) else "Its thumbnail is too large."
        shown = f"<em>{html.escape(one_line(reason, 2 * _CAPTION))}</em>"
    else:
        url = "data:image/webp;base64," + base64.b64encode(thumbnail).decode()
        shown = f'<img src="{url}" alt="{title}" style="max-width:160px;max-height:160px">'
    return (
        f'<figure style="margin:0;width:160px" title="{title}">{shown}'
        f'<figcaption style="font-size:85%;overflow-wrap:anywhere">{said}</figcaption></figure>'
    )


async def records_of(client: InvokeClient, names: Iterable[str]) -> dict[str, ImageRecord]:
    """Read the records of images, however many, by name; those that are gone, and names of no image, are left out."""
    records: dict[str, ImageRecord] = {}
    for some in chunks(real_names(names)):
        records.update({record.image_name: record for record in await client.get_images_by_names(some)})
    return records


def real_names(names: Iterable[str]) -> list[str]:
    """Return the names that can be those of images, each once: a node may put out any text, of any length."""
    known: dict[str, None] = {}
    for name in names:
        with contextlib.suppress(InvalidRequest):
            known[checked_image_name(name)] = None
    return list(known)


async def change_all(change: Callable[[Sequence[str]], Awaitable[list[str]]], names: Sequence[str]) -> set[str]:
    """Change images, however many, and return the names of those that the server knew."""
    return {name for some in chunks(names) for name in await change(some)}


def chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield names in numbers that a request takes."""
    for start in range(0, len(names), MAX_NAMES_PER_REQUEST):
        yield names[start : start + MAX_NAMES_PER_REQUEST]


async def images_of(
    context: Context, handles: Iterable[Job | Jobs], *, intermediates: bool, limit_s: float | None
) -> Images:
    """Wait, on the loop, until jobs have ended, and return their pictures in the jobs' order.

    Args:
        context: the console's, which is that of the handles.
        handles: the jobs.
        intermediates: whether to return intermediate pictures too.
        limit_s: seconds, also for a server that is away; with None, as long as the jobs take.

    Raises:
        JobTimeout: it took longer.
        ServerUnreachable: there is no limit, and the server has been away for 30 s.
        JobException: a request failed.
    """
    ended = asyncio.create_task(ended_items(handles))
    began = there_at = time.monotonic()
    try:
        while not (await asyncio.wait([ended], timeout=_LOOK_AGAIN_S))[0]:
            now, connection = time.monotonic(), context.store.state.connection
            if connection.mode != "reconnecting":
                there_at = now
            if limit_s is not None and now - began >= limit_s:
                raise JobTimeout(f"The jobs did not end within {limit_s:g} s.{hindrance(context)}")
            if limit_s is None and now - there_at >= _AWAY_S:
                remedy = "The jobs are not lost: ask again once it is back. images_of(jobs, timeout=600) waits for it."
                raise ServerUnreachable(
                    f"Gave up after {_AWAY_S:g} s.{hindrance(context)}",
                    suggestion=f"{connection.remedy} {remedy}".strip(),
                    retryable=True,
                )
    finally:
        ended.cancel()
    return await pictures(context, ended.result(), intermediates=intermediates)


async def pictures(context: Context, items: Iterable[QueueItem], *, intermediates: bool) -> Images:
    """Return the pictures that whole items made."""
    made = [(item, name, node_id) for item in items for name, node_id in made_images(item).items()]
    records = await records_of(context.client, [name for _, name, _ in made])
    return Images(
        Image(context, record, item=item, node_id=node_id)
        for item, name, node_id in made
        if (record := records.get(name)) is not None and (intermediates or not record.is_intermediate)
    )


async def images_named(context: Context, made: Iterable[tuple[str, QueueItem | None]]) -> Images:
    """Return images by their names, each with the job that made it, if that is known; without those that are gone."""
    items = dict(made)
    records = await records_of(context.client, items)
    return Images(Image(context, records[name], item=item) for name, item in items.items() if name in records)


async def latest_images(context: Context, board: Board | str | None, *, limit: int, intermediates: bool) -> Images:
    """Return the newest pictures of a board ("none": on no board; None: of all), the newest first."""
    board_id = None if board is None else await board_id_of(context.client, board)
    found: dict[str, ImageRecord] = {}
    while len(found) < limit:
        page, _ = await context.client.list_image_dtos(
            board_id=board_id,
            offset=len(found),
            limit=min(limit - len(found), MAX_NAMES_PER_REQUEST),
            is_intermediate=None if intermediates else False,
        )
        before = len(found)
        found.update((record.image_name, record) for record in page)  # a new one shifts the pages
        if len(found) == before:
            break
    return Images(Image(context, record) for record in found.values())
