"""The routes of boards, under `/api/v1/boards` and `/api/v1/board_images`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Path, Query
from pydantic import BaseModel

from .images import NO_BOARD, ImageRecordNotFoundException
from .routes_images import MAX_NAMES, ImageCategory, Name, Names
from .services import Parts, Services, User

router = APIRouter(prefix="/api/v1/boards", tags=["boards"])
images_router = APIRouter(prefix="/api/v1/board_images", tags=["boards"])

BoardId = Annotated[str, Path(description="The id of the board")]


class BoardDTO(BaseModel):
    """A board"""

    board_id: str
    board_name: str
    user_id: str
    created_at: str
    updated_at: str
    deleted_at: str | None = None
    cover_image_name: str | None
    archived: bool
    board_visibility: str = "private"
    cover_video_name: str | None = None
    image_count: int
    video_count: int = 0
    asset_count: int
    owner_username: str | None = None


class BoardChanges(BaseModel, extra="forbid"):
    """Changes to a board"""

    board_name: str


class AddImagesToBoardResult(BaseModel):
    """Result of adding images to a board"""

    affected_boards: list[str]
    added_images: list[str]
    failed_images: list[str]


class RemoveImagesFromBoardResult(BaseModel):
    """Result of removing images from their boards"""

    affected_boards: list[str]
    removed_images: list[str]
    failed_images: list[str]


@router.post("/", operation_id="create_board", status_code=201, response_model=BoardDTO)
def create_board(
    services: Parts,
    user: User,
    board_name: Annotated[str, Query(max_length=300, description="The name of the board to create")],
) -> dict[str, Any]:
    """Create a board."""
    return services.images.create_board(board_name, user.user_id)


@router.get("/", operation_id="list_boards", response_model=list[BoardDTO])
def list_boards(
    services: Parts,
    user: User,
    all: Annotated[bool, Query(description="Whether to list all boards")],  # noqa: A002 - pages are left out
) -> list[dict[str, Any]]:
    """List the boards, the newest first."""
    return services.images.boards()


def _board(services: Services, board_id: str) -> dict[str, Any]:
    board = services.images.get_board(board_id)
    if board is None:
        raise HTTPException(404, "Board not found")
    return board


@router.get("/{board_id}", operation_id="get_board", response_model=BoardDTO)
def get_board(services: Parts, user: User, board_id: BoardId) -> dict[str, Any]:
    """Get a board."""
    return _board(services, board_id)


@router.patch("/{board_id}", operation_id="update_board", status_code=201, response_model=BoardDTO)
def update_board(
    services: Parts,
    user: User,
    board_id: BoardId,
    changes: Annotated[BoardChanges, Body(description="The changes to apply to the board")],
) -> dict[str, Any]:
    """Rename a board."""
    _board(services, board_id)
    services.images.rename_board(board_id, changes.board_name)
    return _board(services, board_id)


@router.delete("/{board_id}", operation_id="delete_board")
def delete_board(
    services: Parts,
    user: User,
    board_id: BoardId,
    include_images: Annotated[bool, Query(description="Whether to delete the images too")] = False,
) -> dict[str, Any]:
    """Delete a board."""
    _board(services, board_id)
    names = services.images.board_image_names(board_id)
    services.images.delete_board(board_id)
    deleted = services.images.delete(names) if include_images else []
    return {
        "board_id": board_id,
        "deleted_board_images": [] if include_images else names,
        "deleted_images": deleted,
        "deleted_board_videos": [],
        "deleted_videos": [],
        "failed_images": [],
        "failed_videos": [],
    }


@router.get("/{board_id}/image_names", operation_id="list_all_board_image_names")
def list_all_board_image_names(
    services: Parts,
    user: User,
    board_id: BoardId,
    categories: Annotated[list[ImageCategory] | None, Query(description="The categories to include.")] = None,
    is_intermediate: Annotated[bool | None, Query(description="Whether to list intermediate images.")] = None,
) -> list[str]:
    """List the names of a board's images."""
    if board_id != NO_BOARD:
        _board(services, board_id)
    return services.images.board_image_names(board_id, categories, is_intermediate)


def _move(services: Services, image_names: list[str], board_id: str | None) -> tuple[list[str], list[str]]:
    """Put images on a board, or on none; return the affected boards and the names of the images that exist."""
    affected: dict[str, None] = {board_id or NO_BOARD: None}
    moved = []
    for name in image_names:
        try:
            affected[services.images.dto(name)["board_id"] or NO_BOARD] = None
            services.images.set_board(name, board_id)
        except ImageRecordNotFoundException:
            continue
        moved.append(name)
    return list(affected), moved


@images_router.post(
    "/batch", operation_id="add_images_to_board", status_code=201, response_model=AddImagesToBoardResult
)
def add_images_to_board(
    services: Parts,
    user: User,
    board_id: Annotated[str, Body()],
    image_names: Annotated[list[Name], Body(max_length=MAX_NAMES)],
) -> dict[str, Any]:
    """Add images to a board."""
    _board(services, board_id)
    affected, added = _move(services, image_names, board_id)
    return {"affected_boards": affected, "added_images": added, "failed_images": []}


@images_router.post(
    "/batch/delete",
    operation_id="remove_images_from_board",
    status_code=201,
    response_model=RemoveImagesFromBoardResult,
)
def remove_images_from_board(services: Parts, user: User, image_names: Names) -> dict[str, Any]:
    """Remove images from their boards."""
    affected, removed = _move(services, image_names, None)
    return {"affected_boards": affected, "removed_images": removed, "failed_images": []}
