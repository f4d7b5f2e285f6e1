"""The routes of boards, under `/api/v1/boards` and `/api/v1/board_images`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel

from .images import NO_BOARD
from .routes_images import ImageCategory, Names, changed
from .services import Parts, User

router = APIRouter(prefix="/api/v1/boards", tags=["boards"])
images_router = APIRouter(prefix="/api/v1/board_images", tags=["boards"])


class BoardChanges(BaseModel, extra="forbid"):
    """Changes to a board"""

    board_name: str


@router.post("/", status_code=201)
def create_board(services: Parts, user: User, board_name: Annotated[str, Query(max_length=300)]) -> dict[str, Any]:
    """Create a board."""
    return services.images.get_board(services.images.create_board(board_name, user.user_id))


@router.get("/")
def list_boards(
    services: Parts,
    user: User,
    all: bool,  # noqa: A002 - pages are left out
) -> list[dict[str, Any]]:
    """List the boards, the newest first."""
    return services.images.boards()


@router.get("/{board_id}")
def get_board(services: Parts, user: User, board_id: str) -> dict[str, Any]:
    """Get a board."""
    return services.images.get_board(board_id)


@router.patch("/{board_id}", status_code=201)
def update_board(services: Parts, user: User, board_id: str, changes: BoardChanges) -> dict[str, Any]:
    """Rename a board."""
    services.images.get_board(board_id)
    services.images.rename_board(board_id, changes.board_name)
    return services.images.get_board(board_id)


@router.delete("/{board_id}")
def delete_board(services: Parts, user: User, board_id: str, include_images: bool = False) -> dict[str, Any]:
    """Delete a board."""
    services.images.get_board(board_id)
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


@router.get("/{board_id}/image_names")
def list_all_board_image_names(
    services: Parts,
    user: User,
    board_id: str,
    categories: Annotated[list[ImageCategory] | None, Query()] = None,
    is_intermediate: bool | None = None,
) -> list[str]:
    """List the names of a board's images."""
    if board_id != NO_BOARD:
        services.images.get_board(board_id)
    return services.images.board_image_names(board_id, categories, is_intermediate)


@images_router.post("/batch", status_code=201)
def add_images_to_board(
    services: Parts, user: User, board_id: Annotated[str, Body()], image_names: Names
) -> dict[str, Any]:
    """Add images to a board."""
    services.images.get_board(board_id)
    put = partial(services.images.set_board, board_id=board_id)
    return changed(services, "added_images", image_names, put, board_id)


@images_router.post("/batch/delete", status_code=201)
def remove_images_from_board(services: Parts, user: User, image_names: Names) -> dict[str, Any]:
    """Remove images from their boards."""
    take = partial(services.images.set_board, board_id=None)
    return changed(services, "removed_images", image_names, take, NO_BOARD)
