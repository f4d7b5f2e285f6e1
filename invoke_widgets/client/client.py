"""`InvokeClient`: one coroutine per endpoint, named after the server's operation id, that returns records.

Usable without any widget, store or thread::

    async with InvokeClient("http://127.0.0.1:9090") as client:
        status = await client.get_queue_status()

InvokeAI 6.0 to 6.14 are supported. What a server can do is derived from its version, never from a status code: since
6.12 a GET of an unknown address is answered with 200 and a web page.
"""

from __future__ import annotations

import copy
import json
import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, TypeVar

from invoke_widgets._loop import LoopThread
from invoke_widgets.client.transport import Repeatable, Transport, can_be_sent, path_segment
from invoke_widgets.errors import InvalidRequest, NotFound, UnexpectedReply, UnsupportedByServer, checks
from invoke_widgets.errors.redact import address, secret
from invoke_widgets.records import (
    AuthStatus,
    BatchStatus,
    BoardRecord,
    DestinationCounts,
    EnqueueResult,
    ImageRecord,
    ItemIds,
    ModelRecord,
    ProcessorStatus,
    QueueAndProcessorStatus,
    QueueItem,
    User,
    ValueNames,
    WorkflowRecord,
    count,
    integers,
    mapping,
)

T = TypeVar("T")

OLDEST = (6, 0)
"""The oldest supported version."""

# The version that introduced each endpoint or behavior, from the git tags; the contract tests confirm them.
SINCE: dict[str, tuple[int, int]] = {
    "item_ids": (6, 7),
    "items_by_ids": (6, 7),
    "item_summaries_by_ids": (6, 14),
    "device": (6, 14),  # of an item
    "auth": (6, 12),
    "cancel_loads_first": (6, 12),  # before, an item that cannot be loaded is canceled, and the answer is 500
    "delete_checks_id": (6, 12),  # before, deleting an item that is not there is a success
    "delete_checks_workflow": (6, 14),  # before, deleting a workflow that is not there is answered with 500
    "events_twice": (6, 13),
    "events_once": (6, 14),
}


def parse_version(text: str) -> tuple[int, int, int]:
    """Return a version as numbers: "6.14.0rc1" -> (6, 14, 0).

    Raises:
        ValueError: `text` does not begin with a version.
    """
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a version")
    return int(match[1]), int(match[2]), int(match[3] or 0)


MAX_IDS_PER_REQUEST = 1000
"""The server's own limit for `item_summaries_by_ids` and `items_by_ids` (from 6.14 on)."""

MAX_NAMES_PER_REQUEST = 1000
"""The server's own limit for names of images (from 6.14 on)."""

_LONGEST_NAME = 255

_WHOLE_PER_REQUEST = 100
"""Whole items are large (an SDXL graph pending: 5 kB), and the server answers nothing else while it writes them."""
_FIRST_WHOLE = 10
_WHOLE_BYTES = 4 * 2**20

_WHICH_IDS = "A job has its as job.item_id, a batch as batch.item_ids, and console.queue lists all items."


@dataclass
class _Known:
    """What is known about the server, shared by all views of one client."""

    version: tuple[int, int, int] | None = None
    openapi: dict[str, Any] | None = None
    item_bytes: float = _WHOLE_BYTES / _FIRST_WHOLE
    max_queue_size: int | None = None


class InvokeClient:
    """A client of one queue on an InvokeAI server.

    Every method raises a `JobException` on failure (see `invoke_widgets.errors`): `InvalidRequest` if an argument does
    not fit, or the server rejects it; `NotFound` if it is the id or name of a single thing that is not there.

    Args:
        url: the server's address, such as "http://127.0.0.1:9090"; user and password in it are sent as basic auth.
        token: a Bearer token for a multiuser server; by default that of the environment variable INVOKEAI_TOKEN.
        queue_id: the queue; InvokeAI's own is "default".
        timeout: seconds to wait for each part of a response; below 3 is unsafe, since the server may pause that long.
        verify: whether to check certificates; or an `ssl.SSLContext`, or a file of certificates, to check them with.

    Attributes:
        value_names: by batch_id, how the values of its items are called; the items that are read carry the names.

    Raises:
        InvalidRequest: an argument, or the environment's proxy, cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        queue_id: str = "default",
        timeout: float = 30.0,
        verify: Any = True,
    ) -> None:
        url, token = address(url), secret(token or os.environ.get("INVOKEAI_TOKEN") or None)
        checks.text("queue_id", queue_id, "a name such as 'default'")
        self._transport = Transport(url, token=token, timeout=timeout, verify=verify)
        self.queue_id = queue_id
        self._queue = f"/api/v1/queue/{path_segment(queue_id)}"
        self._known = _Known()
        self.value_names: dict[str, ValueNames] = {}

    def probing(self) -> Self:
        """Return a view of this client whose requests are sent even while others fail fast.

        For a caller that paces itself.
        """
        client = copy.copy(self)
        client._transport = self._transport.probing()
        return client

    def from_any_loop(self, loop: LoopThread, owner: object) -> Self:
        """Return a view of this client, which is used on `loop`, for callers on any loop; it keeps `owner` alive."""
        client = copy.copy(self)
        client._transport = self._transport.from_any_loop(loop, owner)
        return client

    def __repr__(self) -> str:
        # A traceback shows it while it is being made.
        return f"InvokeClient({getattr(self, 'url', '')!r}, queue_id={getattr(self, 'queue_id', '')!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    @property
    def url(self) -> str:
        """The server's address, with its scheme and without a trailing slash."""
        return self._transport.url

    @property
    def transport(self) -> Transport:
        """The connections, for endpoints without a method here: `await client.transport.json("GET", "/api/...")`."""
        return self._transport

    # -- the server ----------------------------------------------------------------------------------------------

    async def app_version(self) -> str:
        """Return the server's version, such as "6.14.2"."""
        data = await self._transport.json("GET", "/api/v1/app/version", repeatable=True)
        version = data.get("version") if isinstance(data, Mapping) else None
        if not isinstance(version, str):
            raise UnexpectedReply(
                f"{self.url} answered, but did not report its version.",
                suggestion="Is this the address of an InvokeAI server?",
            )
        try:
            self._known.version = parse_version(version)
        except ValueError as error:
            raise UnexpectedReply(f"{self.url} reports the version {version[:40]!r}, which is not one.") from error
        return version

    async def version(self) -> tuple[int, int, int]:
        """Return the server's version as (major, minor, patch); it is requested once."""
        return self._known.version or parse_version(await self.app_version())

    async def need_oldest(self) -> None:
        """Check that the server is new enough.

        Raises:
            UnsupportedByServer: the server is older than `OLDEST`.
        """
        have = await self.version()
        if have[:2] < OLDEST:
            raise UnsupportedByServer(
                f"{self.url} is InvokeAI {'.'.join(map(str, have))}; {'.'.join(map(str, OLDEST))} or newer is needed.",
                suggestion="Upgrade the server.",
            )

    def forget(self) -> None:
        """Forget what is known about the server: after a reconnect it may be another version, or configured anew."""
        self._known.version = self._known.openapi = self._known.max_queue_size = None

    async def has(self, feature: str) -> bool:
        """Whether the server's version has `feature`, a key of `SINCE`."""
        return (await self.version())[:2] >= SINCE[feature]

    async def get_setup_status(self) -> AuthStatus:
        """Return whether the server is in multiuser mode. Versions before 6.12 have no such mode, and are not asked."""
        if not await self.has("auth"):
            return AuthStatus(multiuser_enabled=False)
        return await self._record("GET", "/api/v1/auth/status", AuthStatus.from_json)

    async def get_current_user_info(self) -> User:
        """Return the user whose token is in use (from 6.12 on).

        Raises:
            AccessDenied: there is no token, it is refused, or the server is in single-user mode.
        """
        await self._need("auth")
        return await self._record("GET", "/api/v1/auth/me", User.from_json)

    async def login(self, email: str, password: str, *, remember_me: bool = False) -> None:
        """Log in to a multiuser server. The client keeps the token, and shows it nowhere.

        Raises:
            AccessDenied: the e-mail or password is wrong, or the server is in single-user mode.
        """
        password = secret(password)
        await self._need("auth")
        data = await self._transport.json(
            "POST", "/api/v1/auth/login", body={"email": email, "password": password, "remember_me": remember_me}
        )
        token = data = secret(data.get("token")) if isinstance(data, Mapping) else None
        if not isinstance(token, str) or not token or not can_be_sent(token):
            raise UnexpectedReply("The login was answered without a token that can be sent.")
        self._transport.set_token(token)

    async def logout(self) -> None:
        """Forget the token. The server's own logout does not revoke it (6.14.2)."""
        self._transport.set_token(None)

    async def openapi(self) -> dict[str, Any]:
        """Return the server's OpenAPI schema (2 MB); it is requested once."""
        data = self._known.openapi or await self._transport.json("GET", "/openapi.json", repeatable=True)
        if not isinstance(data, dict) or not isinstance(data.get("paths"), dict):
            raise UnexpectedReply(f"{self.url}/openapi.json is not an OpenAPI schema.")
        self._known.openapi = data
        return data

    # -- submitting ----------------------------------------------------------------------------------------------

    async def enqueue_batch(self, batch: Mapping[str, Any], *, prepend: bool = False) -> EnqueueResult:
        """Put a batch into the queue. Never repeated automatically; `Console.submit` copes with a lost reply.

        Args:
            batch: `{"graph": ..., "runs": 1, "data": ..., "batch_id": ..., "destination": ..., "origin": ...}`.
            prepend: whether to put it before all pending items.
        """
        body = {"batch": _object("batch", batch), "prepend": prepend}
        return await self._record("POST", f"{self._queue}/enqueue_batch", EnqueueResult.from_json, body=body)

    # -- reading -------------------------------------------------------------------------------------------------

    async def get_queue_status(self) -> QueueAndProcessorStatus:
        """Return the queue's counters, and whether the worker runs and is busy."""
        return await self._record("GET", f"{self._queue}/status", QueueAndProcessorStatus.from_json)

    async def max_queue_size(self) -> int:
        """Return the number of items that the queue can hold; it is requested once per connection."""
        if self._known.max_queue_size is None:
            path = "/api/v1/app/runtime_config"
            data = await self._transport.json("GET", path, repeatable=True)
            config = _member(data, "config", dict, f"GET {path}")
            self._known.max_queue_size = _member(config, "max_queue_size", int, f"GET {path}")
        return self._known.max_queue_size

    async def get_batch_status(self, batch_id: str) -> BatchStatus:
        """Return the counters of one batch; zeros if it is unknown."""
        if "/" in checks.text("batch_id", batch_id, "a batch's id"):  # no path can name it
            return BatchStatus(queue_id=self.queue_id, batch_id=batch_id)
        return await self._record("GET", f"{self._queue}/b/{path_segment(batch_id)}/status", BatchStatus.from_json)

    async def counts_by_destination(self, destination: str) -> DestinationCounts:
        """Return the counters of all items with this destination; zeros if it is unknown."""
        return await self._record(
            "GET",
            f"{self._queue}/counts_by_destination",
            DestinationCounts.from_json,
            params={"destination": destination},
        )

    async def get_queue_item_ids(self, *, order_dir: str = "DESC") -> ItemIds:
        """Return all ids in the queue, ordered by creation time (from 6.7 on).

        The items of one batch share a creation time, and so come in any order.

        Args:
            order_dir: "DESC" for newest first, or "ASC".
        """
        checks.choice("order_dir", order_dir, "ASC", "DESC")
        await self._need("item_ids")
        return await self._record("GET", f"{self._queue}/item_ids", ItemIds.from_json, params={"order_dir": order_dir})

    async def get_queue_items_by_item_ids(self, item_ids: Iterable[int]) -> list[QueueItem]:
        """Return whole items for at most 1000 ids (from 6.7 on).

        Items that do not exist, and those that the server cannot load, are left out.
        """
        await self._need("items_by_ids")
        ids = checked_ids(item_ids)
        try:
            items, size = await self._by_ids("items_by_ids", ids)
        except UnexpectedReply as error:
            if "limit" in error.details:
                self._known.item_bytes = max(error.details["limit"], 2 * _WHOLE_BYTES) / len(ids)
            raise
        if items:
            self._known.item_bytes = max(size / len(items), self._known.item_bytes / 2)
        return items

    @property
    def whole_per_request(self) -> int:
        """How many whole items to ask for at once: fewer after large ones, so that an answer has about 4 MB."""
        return max(min(int(_WHOLE_BYTES / self._known.item_bytes), _WHOLE_PER_REQUEST), 1)

    async def get_queue_item_summaries_by_ids(self, item_ids: Iterable[int]) -> list[QueueItem]:
        """Return items without session and error for at most 1000 ids (from 6.14 on).

        Items that do not exist are left out.
        """
        await self._need("item_summaries_by_ids")
        return (await self._by_ids("item_summaries_by_ids", checked_ids(item_ids)))[0]

    async def list_queue_items(
        self, *, limit: int = 50, after: QueueItem | None = None
    ) -> tuple[list[QueueItem], bool]:
        """Return a page of whole items in the order in which they run, and whether there are more (before 6.7).

        Pages after the first have items of other queues, too.

        Args:
            limit: maximum number of items to return.
            after: the last item of the page before.
        """
        if await self.has("item_ids"):
            raise UnsupportedByServer(
                "list_queue_items needs a version before InvokeAI 6.7; newer ones have item_ids.",
                suggestion="Use get_queue_item_ids().",
            )
        cursor = {} if after is None else {"cursor": after.item_id, "priority": after.priority}
        params = {"limit": limit, **cursor}
        items, data = await self._page(f"{self._queue}/list", "items", self._queue_item, params)
        return items, data.get("has_more") is True

    async def list_all_queue_items(self, *, destination: str | None = None) -> list[QueueItem]:
        """Return all items, sessions included (6 MB for 1000 SDXL jobs): prefer ids and summaries."""
        path = f"{self._queue}/list_all"
        data = await self._transport.json("GET", path, params={"destination": destination}, repeatable=True)
        return each(data, self._queue_item, f"GET {path}")

    async def get_queue_item(self, item_id: int) -> QueueItem:
        """Return one item, with its session."""
        item = await self._record("GET", self._item(item_id), self._queue_item)
        if item.queue_id != self.queue_id:  # up to 6.6, an item is found through any queue
            raise NotFound(
                f"Queue item with id {item_id} not found in queue {self.queue_id}.",
                details={"http_status": 404},
                item_id=item_id,
            )
        return item

    async def get_current_queue_item(self) -> QueueItem | None:
        """Return an item in progress, or None."""
        return await self._record("GET", f"{self._queue}/current", self._queue_item_or_none)

    async def get_next_queue_item(self) -> QueueItem | None:
        """Return the item that runs next, or None."""
        return await self._record("GET", f"{self._queue}/next", self._queue_item_or_none)

    # -- canceling -----------------------------------------------------------------------------------------------

    async def cancel_queue_item(self, item_id: int) -> QueueItem:
        """Cancel one item, and return it as it is afterwards; a finished item stays unchanged."""
        return await self._record("PUT", f"{self._item(item_id)}/cancel", self._queue_item, repeatable=True)

    async def cancel_by_batch_ids(self, batch_ids: Iterable[str]) -> int:
        """Cancel all unfinished items of these batches.

        Returns:
            The number of canceled items; up to 6.13 the running one is not counted.
        """
        body = {"batch_ids": _listed("batch_ids", batch_ids, "batch ids")}
        return await self._number("PUT", f"{self._queue}/cancel_by_batch_ids", "canceled", body=body)

    async def cancel_by_destination(self, destination: str) -> int:
        """Cancel all items with this destination, and return their number."""
        return await self._number(
            "PUT", f"{self._queue}/cancel_by_destination", "canceled", params={"destination": destination}
        )

    async def cancel_all_except_current(self) -> int:
        """Cancel all pending items, and return their number; the current item goes on."""
        return await self._number("PUT", f"{self._queue}/cancel_all_except_current", "canceled")

    async def clear(self) -> int:
        """Cancel and delete all items, including the current one, and return the number deleted."""
        return await self._number("PUT", f"{self._queue}/clear", "deleted", repeatable=False)

    async def prune(self) -> int:
        """Delete all completed, failed and canceled items, and return their number."""
        return await self._number("PUT", f"{self._queue}/prune", "deleted", repeatable=False)

    async def delete_queue_item(self, item_id: int) -> None:
        """Delete one item, canceling it first if it has not finished."""
        if not await self.has("delete_checks_id"):
            await self.get_queue_item(item_id)
        await self._transport.json("DELETE", self._item(item_id))

    async def delete_all_except_current(self) -> int:
        """Delete all pending items, and return their number; the current item goes on."""
        return await self._number("PUT", f"{self._queue}/delete_all_except_current", "deleted", repeatable=False)

    async def delete_by_destination(self, destination: str) -> int:
        """Delete all items with this destination, and return their number.

        Raises:
            InvalidRequest: the destination is empty, or contains a slash, which the endpoint cannot handle.
        """
        if "/" in checks.text("destination", destination, "a text"):
            raise InvalidRequest(
                f"destination: {destination!r} cannot be deleted by name, since it holds a slash.",
                suggestion="Cancel it by destination, then prune.",
            )
        return await self._number("DELETE", f"{self._queue}/d/{path_segment(destination)}", "deleted", repeatable=False)

    # -- retries and the worker ----------------------------------------------------------------------------------

    async def retry_items_by_id(self, item_ids: Iterable[int]) -> tuple[int, ...]:
        """Enqueue failed or canceled items again.

        Returns:
            The ids of the OLD items that were retried, ascending.
        """
        ids = _possible(checked_ids(item_ids))
        if not ids:
            return ()
        path = f"{self._queue}/retry_items_by_id"
        taken = await self._record("PUT", path, lambda data: integers(mapping(data), "retried_item_ids"), body=ids)
        return tuple(sorted(taken))

    async def pause(self) -> ProcessorStatus:
        """Pause the worker: it takes no further item, but finishes the current one."""
        return await self._record("PUT", f"{self._queue}/processor/pause", ProcessorStatus.from_json, repeatable=True)

    async def resume(self) -> ProcessorStatus:
        """Resume the worker."""
        return await self._record("PUT", f"{self._queue}/processor/resume", ProcessorStatus.from_json, repeatable=True)

    # -- images and boards --------------------------------------------------------------------------------------------

    async def list_image_dtos(
        self,
        *,
        board_id: str | None = None,
        is_intermediate: bool | None = None,
        offset: int = 0,
        limit: int = 10,
        starred_first: bool = False,
    ) -> tuple[list[ImageRecord], int]:
        """Return a page of images, newest first, and the number of images in all.

        Args:
            board_id: only images on this board; "none" for those on no board, None for all.
            is_intermediate: True for intermediate images only, False for all others, None for both.
            offset: number of images to skip.
            limit: maximum number of images to return.
            starred_first: whether starred images come before all others.
        """
        params = {
            "board_id": board_id,
            "is_intermediate": is_intermediate,
            "offset": offset,
            "limit": limit,
            "starred_first": starred_first,
        }
        images, data = await self._page("/api/v1/images/", "items", ImageRecord.from_json, params)
        return images, count(data, "total")

    async def get_image_dto(self, image_name: str) -> ImageRecord:
        """Return one image's record."""
        return await self._record("GET", self._image(image_name), ImageRecord.from_json)

    async def get_images_by_names(self, image_names: Iterable[str]) -> list[ImageRecord]:
        """Return the records of at most 1,000 images, in the order of their names, without those of unknown names."""
        body = {"image_names": self._image_names(image_names)}
        if not body["image_names"]:
            return []
        data = await self._transport.json("POST", "/api/v1/images/images_by_names", body=body, repeatable=True)
        return each(data, ImageRecord.from_json, "POST /api/v1/images/images_by_names")

    async def get_image_metadata(self, image_name: str) -> dict[str, Any] | None:
        """Return the metadata that the image carries, or None."""
        data = await self._transport.json("GET", f"{self._image(image_name)}/metadata", repeatable=True)
        return dict(data) if isinstance(data, Mapping) else None

    async def get_image_workflow(self, image_name: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return the workflow and the graph that the image carries, each None if it carries none."""
        request = f"{self._image(image_name)}/workflow"
        data = await self._transport.json("GET", request, repeatable=True)
        if not isinstance(data, Mapping):
            raise UnexpectedReply(f"GET {request} was answered with {type(data).__name__}, not an object.")
        return parsed(_embedded, data.get("workflow"), request), parsed(_embedded, data.get("graph"), request)

    async def get_image_full(self, image_name: str) -> bytes:
        """Return the image file itself (PNG)."""
        return await self._transport.content(f"{self._image(image_name)}/full")

    async def get_image_thumbnail(self, image_name: str) -> bytes:
        """Return the image's thumbnail (WebP)."""
        return await self._transport.content(f"{self._image(image_name)}/thumbnail")

    async def upload_image(
        self,
        content: bytes,
        *,
        file_name: str = "image.png",
        image_category: str = "user",
        is_intermediate: bool = False,
        board_id: str | None = None,
    ) -> ImageRecord:
        """Upload the bytes of a PNG, JPEG or WebP file, and return the image's record."""
        path = "/api/v1/images/upload"
        params = {"image_category": image_category, "is_intermediate": is_intermediate, "board_id": board_id}
        files = {"file": (file_name, content, "image/png")}
        data, _ = await self._transport.sized_json("POST", path, params=params, files=files)
        return parsed(ImageRecord.from_json, data, f"POST {path}")

    async def delete_image(self, image_name: str) -> None:
        """Delete an image."""
        await self._transport.json("DELETE", self._image(image_name))

    async def delete_images_from_list(self, image_names: Iterable[str]) -> list[str]:
        """Delete images, skipping names that the server does not know, and return the names of the deleted ones."""
        return await self._changed("images/delete", image_names, "deleted_images", repeatable="unsent")

    async def star_images_in_list(self, image_names: Iterable[str]) -> list[str]:
        """Star images, skipping names that the server does not know, and return the names of the starred ones."""
        return await self._changed("images/star", image_names, "starred_images")

    async def unstar_images_in_list(self, image_names: Iterable[str]) -> list[str]:
        """Take the star off images, as `star_images_in_list` sets it."""
        return await self._changed("images/unstar", image_names, "unstarred_images")

    async def add_images_to_board(self, board_id: str, image_names: Iterable[str]) -> list[str]:
        """Move images to a board, skipping names that the server does not know, and return the names of the moved ones.

        A board that does not exist is an error, or the server returns no name.
        """
        return await self._changed("board_images/batch", image_names, "added_images", {"board_id": board_id})

    async def remove_images_from_board(self, image_names: Iterable[str]) -> list[str]:
        """Take images off their boards, and return the names of those that the server knows."""
        return await self._changed("board_images/batch/delete", image_names, "removed_images")

    async def list_boards(self) -> list[BoardRecord]:
        """Return all boards that are not archived."""
        data = await self._transport.json("GET", "/api/v1/boards/", params={"all": True}, repeatable=True)
        return each(data, BoardRecord.from_json, "boards")

    async def create_board(self, board_name: str) -> BoardRecord:
        """Create an empty board, and return its record. Names need not be unique."""
        return await self._record("POST", "/api/v1/boards/", BoardRecord.from_json, params={"board_name": board_name})

    async def get_board(self, board_id: str) -> BoardRecord:
        """Return one board's record."""
        return await self._record("GET", self._board(board_id), BoardRecord.from_json)

    async def update_board(self, board_id: str, *, board_name: str) -> BoardRecord:
        """Rename a board, and return its record."""
        body = {"board_name": board_name}
        return await self._record("PATCH", self._board(board_id), BoardRecord.from_json, body=body, repeatable=True)

    async def delete_board(self, board_id: str, *, include_images: bool = False) -> None:
        """Delete a board, and its images if `include_images`."""
        await self._transport.json("DELETE", self._board(board_id), params={"include_images": include_images})

    async def list_all_board_image_names(
        self, board_id: str, *, categories: Iterable[str] = (), is_intermediate: bool | None = None
    ) -> list[str]:
        """Return the names of a board's images, or of those of some categories, or of no or only intermediate ones.

        Args:
            board_id: the board; "none" for the images on none.
        """
        params = {"categories": list(categories) or None, "is_intermediate": is_intermediate}
        path = f"{self._board(board_id)}/image_names"
        data = await self._transport.json("GET", path, params=params, repeatable=True)
        if not isinstance(data, list):
            raise UnexpectedReply("The board's image names are not a list.")
        return [str(name) for name in data]

    # -- workflows, models and prompts -------------------------------------------------------------------------------

    async def list_workflows(
        self,
        *,
        categories: Iterable[str] = (),
        query: str = "",
        page: int = 0,
        per_page: int | None = None,
    ) -> list[WorkflowRecord]:
        """Return the workflows of the server's library, by name, without their JSON.

        Args:
            categories: "default" for those that came with the server, "user" for the rest; both if it is empty.
            query: text that must be in the name, the description or the tags.
            page: number of pages to skip.
            per_page: maximum number of workflows to return; None for all.
        """
        params = {"categories": list(categories), "query": query or None, "page": page, "per_page": per_page}
        return (await self._page("/api/v1/workflows/", "items", WorkflowRecord.from_json, params))[0]

    async def get_workflow(self, workflow_id: str) -> WorkflowRecord:
        """Return one workflow of the server's library, with its JSON."""
        return await self._record("GET", self._workflow(workflow_id), WorkflowRecord.from_json)

    async def create_workflow(self, workflow: Mapping[str, Any]) -> WorkflowRecord:
        """Add a workflow, as the editor exports it, to the server's library, and return its record.

        The record's JSON is the server's copy: it has an id, and lacks what the server does not know. One of those that
        come with a server is added as the user's own, as the editor does: it may not be added as it is.
        """
        added = dict(_object("workflow", workflow))
        if isinstance(meta := added.get("meta"), Mapping) and meta.get("category") == "default":
            added["meta"] = {**meta, "category": "user"}
        body = {"workflow": added}
        return await self._record("POST", "/api/v1/workflows/", WorkflowRecord.from_json, body=body)

    async def delete_workflow(self, workflow_id: str) -> None:
        """Delete a workflow from the server's library; one that came with the server cannot be deleted."""
        if not await self.has("delete_checks_workflow"):
            await self.get_workflow(workflow_id)
        await self._transport.json("DELETE", self._workflow(workflow_id))

    async def list_models(self, *, model_type: str | None = None, base: str | None = None) -> list[ModelRecord]:
        """Return the installed models; the server's operation is `list_model_records`.

        Args:
            model_type: only this type, such as "main", "lora" or "vae".
            base: only this base, such as "sd-1", "sdxl" or "flux".
        """
        params = {"model_type": model_type, "base_models": base}
        return (await self._page("/api/v2/models/", "models", ModelRecord.from_json, params))[0]

    async def parse_dynamicprompts(
        self, prompt: str, *, max_prompts: int = 1000, combinatorial: bool = True, seed: int | None = None
    ) -> list[str]:
        """Return the prompts that a template such as "a {red|blue} cat" stands for.

        Args:
            max_prompts: maximum number of prompts to return, 1 to 10000.
            combinatorial: whether to return each combination once; or random ones, as many as `max_prompts`.
            seed: of the random ones; None for others each time.
        """
        body = {"prompt": prompt, "max_prompts": max_prompts, "combinatorial": combinatorial, "seed": seed}
        path = "/api/v1/utilities/dynamicprompts"
        data = await self._transport.json("POST", path, body=body, repeatable=True)
        prompts = _member(data, "prompts", list, f"POST {path}")
        if reason := data.get("error"):
            raise InvalidRequest(f"prompt: {prompt[:80]!r} cannot be understood: {str(reason)[:200]}.", field="prompt")
        return [str(one) for one in prompts]

    # -- requests ------------------------------------------------------------------------------------------------

    async def _need(self, feature: str) -> None:
        if not await self.has(feature):
            need, have = SINCE[feature], await self.version()
            raise UnsupportedByServer(
                f"{feature} needs InvokeAI {need[0]}.{need[1]} or newer; this server is {'.'.join(map(str, have))}.",
                suggestion="Upgrade the server, or use what older versions have.",
            )

    async def _record(
        self,
        method: str,
        path: str,
        parse: Callable[[object], T],
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        repeatable: bool | None = None,
    ) -> T:
        data = await self._transport.json(
            method, path, body=body, params=params, repeatable=method == "GET" if repeatable is None else repeatable
        )
        return parsed(parse, data, f"{method} {path}")

    async def _page(
        self, path: str, key: str, parse: Callable[[object], T], params: Mapping[str, Any]
    ) -> tuple[list[T], Mapping[str, Any]]:
        """Return the records that a response has as a member, and the whole of it."""
        data = await self._transport.json("GET", path, params=params, repeatable=True)
        return each(_member(data, key, list, f"GET {path}"), parse, f"GET {path}"), data

    async def _number(
        self,
        method: str,
        path: str,
        key: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        repeatable: Repeatable = "unsent",
    ) -> int:
        # Mostly twice would do no harm, but the second answer would not count what the first one changed.
        data = await self._transport.json(method, path, body=body, params=params, repeatable=repeatable)
        return _member(data, key, int, f"{method} {path}")

    def _image(self, image_name: str) -> str:
        return f"/api/v1/images/i/{path_segment(checked_image_name(image_name))}"

    def _image_names(self, image_names: Iterable[str]) -> list[str]:
        names = list(dict.fromkeys(map(checked_image_name, _listed("image_names", image_names, "names"))))
        if len(names) > MAX_NAMES_PER_REQUEST:
            raise InvalidRequest(
                f"image_names: the server takes at most {MAX_NAMES_PER_REQUEST} names in one request, got {len(names)}."
            )
        return names

    async def _changed(
        self,
        path: str,
        image_names: Iterable[str],
        key: str,
        more: Mapping[str, str] | None = None,
        *,
        repeatable: Repeatable = True,
    ) -> list[str]:
        """Send names to an endpoint that skips unknown ones, and return the names that it lists under `key`."""
        names = self._image_names(image_names)
        if not names:
            return []
        body = {"image_names": names, **(more or {})}
        data = await self._transport.json("POST", f"/api/v1/{path}", body=body, repeatable=repeatable)
        changed = _member(data, key, list, f"POST /api/v1/{path}")
        return [name for name in names if name in changed]

    def _board(self, board_id: str) -> str:
        return f"/api/v1/boards/{path_segment(checks.text('board_id', board_id, 'an id'))}"

    def _workflow(self, workflow_id: str) -> str:
        return f"/api/v1/workflows/i/{path_segment(checks.text('workflow_id', workflow_id, 'an id'))}"

    def _item(self, item_id: int) -> str:
        return f"{self._queue}/i/{checked_id(item_id)}"

    def _queue_item(self, data: object) -> QueueItem:
        item = QueueItem.from_json(data, queue_id=self.queue_id)
        names = self.value_names.get(item.batch_id)
        if names is None or item.field_values is None:
            return item
        return replace(item, field_values=names.of(item.field_values))

    def _queue_item_or_none(self, data: object) -> QueueItem | None:
        return None if data is None else self._queue_item(data)

    async def _by_ids(self, endpoint: str, ids: list[int]) -> tuple[list[QueueItem], int]:
        """Return items, and how many bytes the answer had."""
        if len(ids) > MAX_IDS_PER_REQUEST:
            raise InvalidRequest(
                f"item_ids: the server takes at most {MAX_IDS_PER_REQUEST} ids in one request, got {len(ids)}."
            )
        ids = _possible(ids)
        if not ids:
            return [], 0
        path = f"{self._queue}/{endpoint}"
        data, size = await self._transport.sized_json("POST", path, body={"item_ids": ids}, repeatable=True)
        return each(data, self._queue_item, f"POST {path}"), size


def parsed(parse: Callable[[object], T], data: object, request: str) -> T:
    """Parse a response into a record.

    Raises:
        UnexpectedReply: `parse` raised a ValueError, since `data` does not fit.
    """
    try:
        return parse(data)
    except ValueError as error:
        raise UnexpectedReply(
            f"{request} was answered with JSON that does not fit: {error}.",
            suggestion="Is this the address of an InvokeAI server of version 6?",
        ) from error


def _member(data: object, key: str, kind: type[T], request: str) -> T:
    """Return a member of a response that is an object, or raise `UnexpectedReply` if there is none of this kind."""
    value = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(value, kind):
        raise UnexpectedReply(f"{request} was answered without {key!r}.")
    return value


def each(data: object, parse: Callable[[object], T], request: str) -> list[T]:
    """Parse a response that is a list into records, as `parsed` does."""
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise UnexpectedReply(f"{request}: expected a list, got {type(data).__name__}.")
    return [parsed(parse, item, request) for item in data]


def _object(name: str, value: object) -> dict[str, Any]:
    """Return a mapping as JSON has it, or raise `InvalidRequest`."""
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{name}: should be a mapping, got {value!r:.80}.", field=name)
    return dict(value)


def _listed(name: str, values: object, what: str) -> list[Any]:
    """Return several values as a list, or raise `InvalidRequest`, also for a single text."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidRequest(f"{name}: should be a list of {what}, got {values!r:.80}.", field=name)
    return list(values)


def _possible(item_ids: Iterable[int]) -> list[int]:
    """Leave out ids that are larger than a server's database can hold: it fails at them."""
    return [item_id for item_id in item_ids if abs(item_id) < 2**63]


def checked_ids(item_ids: object) -> list[int]:
    """Return ids as Python's own integers, in the same order, without duplicates, or raise `InvalidRequest`."""
    if isinstance(item_ids, str | bytes | Mapping) or not isinstance(item_ids, Iterable):
        raise InvalidRequest(
            f"item_ids: should be a list of integers, got {item_ids!r}.", suggestion=_WHICH_IDS, field="item_ids"
        )
    return list(dict.fromkeys(checked_id(item_id, "item_ids") for item_id in item_ids))


def checked_id(item_id: Any, name: str = "item_id") -> int:
    """Return an id, which may come out of a frame as one of NumPy's, as an integer, or raise `InvalidRequest`."""
    try:
        if not isinstance(item_id, bool):
            return operator.index(item_id)
    except TypeError:
        pass
    kind = "an integer" if name == "item_id" else "integers"
    raise InvalidRequest(f"{name}: should be {kind}, got {item_id!r}.", suggestion=_WHICH_IDS, field=name)


def checked_image_name(image_name: object) -> str:
    """Return the name of an image unchanged, if it can be one part of a path: the server may have sent any text.

    Raises:
        InvalidRequest: it is not a string, or would be another path.
    """
    is_name = isinstance(image_name, str) and image_name.isprintable() and 0 < len(image_name) <= _LONGEST_NAME
    if not is_name or image_name in (".", "..") or set("/\\") & set(str(image_name)):
        raise InvalidRequest(
            f"image_name: should be a name such as 'x.png', got {str(image_name)[:_LONGEST_NAME]!r}.",
            suggestion="image.name, job.image_names() and a board's images have them.",
            field="image_name",
        )
    return str(image_name)


def _embedded(text: object) -> dict[str, Any] | None:
    """Decode what an image carries as JSON text, or raise `ValueError` if it is not a JSON object."""
    if text is None:
        return None
    try:
        data = json.loads(text) if isinstance(text, str) else text
    except RecursionError:
        raise ValueError("its workflow is nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError(f"what it carries is not a JSON object but {type(data).__name__}")  # noqa: TRY004
    return data
