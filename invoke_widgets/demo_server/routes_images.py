"""The routes of images, under `/api/v1/images`."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, HTTPException, Query, Response, UploadFile
from fastapi.responses import FileResponse
from PIL import Image
from pydantic import Field

from .batch import WorkflowWithoutID
from .images import NO_BOARD, ImageRecordNotFoundException
from .services import Parts, Services, User

router = APIRouter(prefix="/api/v1/images", tags=["images"])

# Image names are never reused, so that browsers may cache images for good.
_CACHE = {"Cache-Control": "max-age=31536000"}

Names = Annotated[list[Annotated[str, Field(max_length=255)]], Body(embed=True, max_length=1000)]
ImageCategory = Literal["general", "mask", "control", "user", "other"]


@router.post("/upload", status_code=201)
def upload_image(
    services: Parts,
    user: User,
    file: UploadFile,
    response: Response,
    image_category: ImageCategory,
    is_intermediate: bool,
    board_id: str | None = None,
) -> dict[str, Any]:
    """Upload an image."""
    if not file.content_type or not file.content_type.startswith("image"):
        raise HTTPException(415, "Not an image")
    try:
        image: Image.Image = Image.open(io.BytesIO(file.file.read()))
        image.load()
    except Exception as error:
        raise HTTPException(415, "Failed to read image") from error
    name = services.images.create(
        image,
        origin="external",
        category=image_category,
        is_intermediate=is_intermediate,
        user_id=user.user_id,
        board_id=board_id,
        **_carried(image.info),
    )
    dto = services.images.dto(name)
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


@router.get("/")
def list_image_dtos(
    services: Parts,
    user: User,
    is_intermediate: bool | None = None,
    board_id: str | None = None,
    starred_first: bool = True,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=0, le=1000)] = 10,
) -> dict[str, Any]:
    """List images, the newest first; a `board_id` of "none" stands for those on no board."""
    total, items = services.images.page(
        board_id=board_id, is_intermediate=is_intermediate, starred_first=starred_first, offset=offset, limit=limit
    )
    return {"limit": limit, "offset": offset, "total": total, "items": items}


def changed(
    services: Services, what: str, image_names: list[str], change: Callable[[str], object], *boards_too: str
) -> dict[str, Any]:
    """Change images one by one, skipping unknown names; return the names of the changed ones as `what`."""
    boards = dict.fromkeys(boards_too)
    names = []
    for name in dict.fromkeys(image_names):
        with contextlib.suppress(ImageRecordNotFoundException):
            boards[services.images.dto(name)["board_id"] or NO_BOARD] = None
            change(name)
            names.append(name)
    return {"affected_boards": list(boards), what: names, "failed_images": []}


@router.post("/delete")
def delete_images_from_list(services: Parts, user: User, image_names: Names) -> dict[str, Any]:
    """Delete images."""
    return changed(services, "deleted_images", image_names, lambda name: services.images.delete([name]))


@router.post("/star")
def star_images_in_list(services: Parts, user: User, image_names: Names) -> dict[str, Any]:
    """Star images."""
    return changed(services, "starred_images", image_names, partial(services.images.star, starred=True))


@router.post("/unstar")
def unstar_images_in_list(services: Parts, user: User, image_names: Names) -> dict[str, Any]:
    """Take the star off images."""
    return changed(services, "unstarred_images", image_names, partial(services.images.star, starred=False))


@router.post("/images_by_names")
def get_images_by_names(services: Parts, user: User, image_names: Names) -> list[dict[str, Any]]:
    """Get the records of images, in the order of their names, skipping unknown ones."""
    found = []
    for name in image_names:
        with contextlib.suppress(ImageRecordNotFoundException):
            found.append(services.images.dto(name))
    return found


@router.get("/i/{image_name}/metadata")
def get_image_metadata(services: Parts, user: User, image_name: str) -> Any:
    """Get the metadata that an image carries."""
    text = services.images.embedded(image_name)["metadata"]
    return None if text is None else json.loads(text)


@router.get("/i/{image_name}/workflow")
def get_image_workflow(services: Parts, user: User, image_name: str) -> dict[str, str | None]:
    """Get the workflow and the graph that an image carries, as JSON text."""
    embedded = services.images.embedded(image_name)
    return {"workflow": embedded["workflow"], "graph": embedded["graph"]}


@router.get("/i/{image_name}")
def get_image_dto(services: Parts, user: User, image_name: str) -> dict[str, Any]:
    """Get an image's record."""
    return services.images.dto(image_name)


@router.delete("/i/{image_name}")
def delete_image(services: Parts, user: User, image_name: str) -> dict[str, Any]:
    """Delete an image."""
    result = delete_images_from_list(services, user, [image_name])
    if not result["deleted_images"]:
        raise HTTPException(404, "Image not found")
    return result


def _file(path: Path, media_type: str) -> FileResponse:
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type=media_type, headers=_CACHE)


@router.get("/i/{image_name}/full", response_class=Response)
def get_image_full(services: Parts, image_name: str) -> Response:
    """Get an image's file. Needs no token, since a browser's img tag sends none."""
    return _file(services.images.path(image_name), "image/png")


@router.get("/i/{image_name}/thumbnail", response_class=Response)
def get_image_thumbnail(services: Parts, image_name: str) -> Response:
    """Get an image's thumbnail."""
    return _file(services.images.path(image_name, thumbnail=True), "image/webp")
