"""The routes of images, under `/api/v1/images`."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Path, Query, Response, UploadFile
from fastapi.responses import FileResponse
from PIL import Image
from pydantic import BaseModel, Field

from .batch import WorkflowWithoutID
from .images import ImageRecordNotFoundException
from .services import Parts, Services, User

router = APIRouter(prefix="/api/v1/images", tags=["images"])

# Image names are never reused, so that browsers may cache images for good.
_CACHE = {"Cache-Control": "max-age=31536000"}

MAX_NAMES = 1000

ImageName = Annotated[str, Path(description="The name of the image")]
Name = Annotated[str, Field(max_length=255)]
Names = Annotated[list[Name], Body(embed=True, max_length=MAX_NAMES, description="The names of images")]


class ResourceOrigin(StrEnum):
    """Whether an image was made by this server."""

    INTERNAL = "internal"
    EXTERNAL = "external"


class ImageCategory(StrEnum):
    """What an image is for."""

    GENERAL = "general"
    MASK = "mask"
    CONTROL = "control"
    USER = "user"
    OTHER = "other"


class ImageDTO(BaseModel):
    """An image's record; its URLs are relative to the server's"""

    image_name: str
    image_url: str
    thumbnail_url: str
    image_origin: ResourceOrigin
    image_category: ImageCategory
    width: int
    height: int
    created_at: str
    updated_at: str
    deleted_at: str | None
    is_intermediate: bool
    session_id: str | None
    node_id: str | None
    starred: bool
    has_workflow: bool
    image_subfolder: str = ""
    board_id: str | None


class OffsetPaginatedResults_ImageDTO_(BaseModel):  # noqa: N801 - the schema's name
    """A page of images"""

    limit: int
    offset: int
    total: int
    items: list[ImageDTO]


class DeleteImagesResult(BaseModel):
    """Which images were deleted"""

    affected_boards: list[str]
    deleted_images: list[str]
    failed_images: list[str]


class StarredImagesResult(BaseModel):
    """Which images were starred"""

    affected_boards: list[str]
    starred_images: list[str]
    failed_images: list[str]


class UnstarredImagesResult(BaseModel):
    """Which images lost their star"""

    affected_boards: list[str]
    unstarred_images: list[str]
    failed_images: list[str]


class WorkflowAndGraphResponse(BaseModel):
    """What an image was made with, as JSON text"""

    workflow: str | None
    graph: str | None


@router.post("/upload", operation_id="upload_image", status_code=201, response_model=ImageDTO)
def upload_image(
    services: Parts,
    user: User,
    file: UploadFile,
    response: Response,
    image_category: Annotated[ImageCategory, Query(description="The category of the image")],
    is_intermediate: Annotated[bool, Query(description="Whether this is an intermediate image")],
    board_id: Annotated[str | None, Query(description="The board to add this image to, if any")] = None,
    session_id: Annotated[str | None, Query(description="The session of this upload, if any")] = None,
) -> dict[str, Any]:
    """Upload an image."""
    if not file.content_type or not file.content_type.startswith("image"):
        raise HTTPException(415, "Not an image")
    try:
        image: Image.Image = Image.open(io.BytesIO(file.file.read()))
        image.load()
    except Exception as error:
        raise HTTPException(415, "Failed to read image") from error
    saved = services.images.create(
        image,
        origin="external",
        category=image_category.value,
        is_intermediate=is_intermediate,
        user_id=user.user_id,
        session_id=session_id,
        board_id=board_id,
        **_carried(image.info),
    )
    dto = services.images.dto(saved.image_name)
    response.headers["Location"] = dto["image_url"]
    return dto


def _carried(info: Mapping[str | tuple[int, int], Any]) -> dict[str, str]:
    """Return what an uploaded image carries as JSON text: its metadata, workflow and graph, where they are valid."""
    carried = {key: info.get(f"invokeai_{key}") for key in ("metadata", "workflow", "graph")}
    valid = {}
    for key, text in carried.items():
        with contextlib.suppress(ValueError, RecursionError):
            if not isinstance(text, str) or not isinstance(data := json.loads(text), dict):
                continue
            if key == "workflow":
                WorkflowWithoutID.model_validate(data)
            is_graph = isinstance(data.get("nodes"), dict) and isinstance(data.get("edges"), list)
            if key != "graph" or is_graph:
                valid[key] = text
    return valid


@router.get("/", operation_id="list_image_dtos", response_model=OffsetPaginatedResults_ImageDTO_)
def list_image_dtos(
    services: Parts,
    user: User,
    is_intermediate: Annotated[bool | None, Query(description="Whether to list intermediate images.")] = None,
    board_id: Annotated[str | None, Query(description="The board, or 'none' for images without one.")] = None,
    starred_first: Annotated[bool, Query(description="Whether to sort by starred images first")] = True,
    offset: Annotated[int, Query(ge=0, description="The page offset")] = 0,
    limit: Annotated[int, Query(ge=0, le=MAX_NAMES, description="The number of images per page")] = 10,
) -> dict[str, Any]:
    """List images, the newest first."""
    total, items = services.images.page(
        board_id=board_id, is_intermediate=is_intermediate, starred_first=starred_first, offset=offset, limit=limit
    )
    return {"limit": limit, "offset": offset, "total": total, "items": items}


@router.post("/delete", operation_id="delete_images_from_list", response_model=DeleteImagesResult)
def delete_images_from_list(services: Parts, user: User, image_names: Names) -> dict[str, Any]:
    """Delete images."""
    boards: dict[str, None] = {}
    for name in image_names:
        try:
            boards[services.images.dto(name)["board_id"] or "none"] = None
        except ImageRecordNotFoundException:
            continue
    deleted = services.images.delete(image_names)
    return {"affected_boards": list(boards), "deleted_images": deleted, "failed_images": []}


def _star(services: Services, image_names: list[str], starred: bool) -> tuple[list[str], list[str]]:
    """Star images or take their star; return the affected boards and the names of the images that exist."""
    boards: dict[str, None] = {}
    changed = []
    for name in dict.fromkeys(image_names):
        try:
            services.images.update(name, {"starred": starred})
        except ImageRecordNotFoundException:
            continue
        boards[services.images.dto(name)["board_id"] or "none"] = None
        changed.append(name)
    return list(boards), changed


@router.post("/star", operation_id="star_images_in_list", response_model=StarredImagesResult)
def star_images_in_list(services: Parts, user: User, image_names: Names) -> dict[str, Any]:
    """Star images."""
    boards, starred = _star(services, image_names, True)
    return {"affected_boards": boards, "starred_images": starred, "failed_images": []}


@router.post("/unstar", operation_id="unstar_images_in_list", response_model=UnstarredImagesResult)
def unstar_images_in_list(services: Parts, user: User, image_names: Names) -> dict[str, Any]:
    """Take the star off images."""
    boards, unstarred = _star(services, image_names, False)
    return {"affected_boards": boards, "unstarred_images": unstarred, "failed_images": []}


@router.post("/images_by_names", operation_id="get_images_by_names", response_model=list[ImageDTO])
def get_images_by_names(services: Parts, user: User, image_names: Names) -> list[dict[str, Any]]:
    """Get the records of images, in the order of their names, skipping unknown ones."""
    found = []
    for name in image_names:
        with contextlib.suppress(ImageRecordNotFoundException):
            found.append(services.images.dto(name))
    return found


@router.get("/i/{image_name}/metadata", operation_id="get_image_metadata", response_model=dict[str, Any] | None)
def get_image_metadata(services: Parts, user: User, image_name: ImageName) -> Any:
    """Get the metadata that an image carries."""
    text = _embedded(services, image_name)["metadata"]
    return None if text is None else json.loads(text)


@router.get("/i/{image_name}/workflow", operation_id="get_image_workflow", response_model=WorkflowAndGraphResponse)
def get_image_workflow(services: Parts, user: User, image_name: ImageName) -> dict[str, str | None]:
    """Get the workflow and the graph that an image carries."""
    embedded = _embedded(services, image_name)
    return {"workflow": embedded["workflow"], "graph": embedded["graph"]}


def _embedded(services: Services, image_name: str) -> dict[str, str | None]:
    try:
        return services.images.embedded(image_name)
    except ImageRecordNotFoundException:
        raise HTTPException(404) from None


@router.get("/i/{image_name}", operation_id="get_image_dto", response_model=ImageDTO)
def get_image_dto(services: Parts, user: User, image_name: ImageName) -> dict[str, Any]:
    """Get an image's record."""
    try:
        return services.images.dto(image_name)
    except ImageRecordNotFoundException:
        raise HTTPException(404) from None


@router.delete("/i/{image_name}", operation_id="delete_image", response_model=DeleteImagesResult)
def delete_image(services: Parts, user: User, image_name: ImageName) -> dict[str, Any]:
    """Delete an image."""
    try:
        board_id = services.images.dto(image_name)["board_id"]
    except ImageRecordNotFoundException:
        raise HTTPException(404, "Image not found") from None
    deleted = services.images.delete([image_name])
    return {"affected_boards": [board_id or "none"], "deleted_images": deleted, "failed_images": []}


def _file(path: FilePath, media_type: str) -> FileResponse:
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type=media_type, headers=_CACHE)


@router.get("/i/{image_name}/full", operation_id="get_image_full", response_class=Response)
def get_image_full(services: Parts, image_name: ImageName) -> Response:
    """Get an image's file. Needs no token, since a browser's img tag sends none."""
    return _file(services.images.path(image_name), "image/png")


@router.get("/i/{image_name}/thumbnail", operation_id="get_image_thumbnail", response_class=Response)
def get_image_thumbnail(services: Parts, image_name: ImageName) -> Response:
    """Get an image's thumbnail."""
    return _file(services.images.path(image_name, thumbnail=True), "image/webp")
