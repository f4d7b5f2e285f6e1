"""Images and boards: one coroutine per endpoint."""

from __future__ import annotations

from collections.abc import Mapping

from invoke_widgets.client.client_base import ClientBase, each, parsed
from invoke_widgets.client.transport import path_segment
from invoke_widgets.errors import InvalidRequest, UnexpectedReply
from invoke_widgets.records import Board, Image, count


class Gallery(ClientBase):
    """The part of `InvokeClient` that is about images and boards."""

    async def list_image_dtos(
        self,
        *,
        board_id: str | None = None,
        is_intermediate: bool | None = None,
        offset: int = 0,
        limit: int = 10,
    ) -> tuple[list[Image], int]:
        """A page of images, newest first, and how many there are in all. `board_id="none"`: those on no board."""
        params = {"board_id": board_id, "is_intermediate": is_intermediate, "offset": offset, "limit": limit}
        data = await self._transport.json("GET", "/api/v1/images/", params=params, repeatable=True)
        if not isinstance(data, Mapping):
            raise UnexpectedReply(f"images: expected an object, got {type(data).__name__}.")
        return each(data.get("items"), Image.from_json, "images"), count(data, "total")

    async def get_image_dto(self, image_name: str) -> Image:
        """One image's record.

        Raises:
            NotFound: there is no such image.
        """
        return await self._record("GET", self._image(image_name), Image.from_json)

    async def get_image_full(self, image_name: str) -> bytes:
        """The image file itself (PNG)."""
        return (await self._transport.content(f"{self._image(image_name)}/full"))[0]

    async def get_image_thumbnail(self, image_name: str) -> bytes:
        """The image's thumbnail (WebP)."""
        return (await self._transport.content(f"{self._image(image_name)}/thumbnail"))[0]

    async def upload_image(
        self,
        content: bytes,
        *,
        file_name: str = "image.png",
        image_category: str = "user",
        is_intermediate: bool = False,
        board_id: str | None = None,
    ) -> Image:
        """Upload a PNG, JPEG or WebP file's bytes."""
        data = await self._transport.upload(
            "/api/v1/images/upload",
            params={"image_category": image_category, "is_intermediate": is_intermediate, "board_id": board_id},
            name=file_name,
            content=content,
            media_type="image/png",
        )
        return parsed(Image.from_json, data, "POST /api/v1/images/upload")

    async def delete_image(self, image_name: str) -> None:
        """Delete an image.

        Raises:
            NotFound: there is no such image.
        """
        await self._transport.json("DELETE", self._image(image_name))

    async def list_boards(self) -> list[Board]:
        """All boards that are not archived."""
        data = await self._transport.json("GET", "/api/v1/boards/", params={"all": True}, repeatable=True)
        return each(data, Board.from_json, "boards")

    async def create_board(self, board_name: str) -> Board:
        """Make a new, empty board, and return it with its id. Names need not be unique.

        Raises:
            InvalidRequest: the server does not take the name.
        """
        data = await self._transport.json("POST", "/api/v1/boards/", params={"board_name": board_name})
        return parsed(Board.from_json, data, "POST /api/v1/boards/")

    async def get_board(self, board_id: str) -> Board:
        """One board.

        Raises:
            NotFound: there is no such board.
        """
        return await self._record("GET", f"/api/v1/boards/{path_segment(board_id)}", Board.from_json)

    async def delete_board(self, board_id: str, *, include_images: bool = False) -> None:
        """Delete a board; its images too, if `include_images`."""
        await self._transport.json(
            "DELETE", f"/api/v1/boards/{path_segment(board_id)}", params={"include_images": include_images}
        )

    async def list_all_board_image_names(self, board_id: str) -> list[str]:
        """The names of a board's images."""
        data = await self._transport.json(
            "GET", f"/api/v1/boards/{path_segment(board_id)}/image_names", repeatable=True
        )
        if not isinstance(data, list):
            raise UnexpectedReply("The board's image names are not a list.")
        return [str(name) for name in data]

    def _image(self, image_name: str) -> str:
        if not isinstance(image_name, str) or not image_name:
            raise InvalidRequest(f"image_name: should be a name such as 'x.png', got {image_name!r}.")
        return f"/api/v1/images/i/{path_segment(image_name)}"
