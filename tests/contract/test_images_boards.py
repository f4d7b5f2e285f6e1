"""Images and boards: what a finished job leaves, and where."""

from io import BytesIO
from typing import Any

from PIL import Image

from tests.support.servers import Server
from tests.support.wire import Wire


def _png(width: int = 8, height: int = 4) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), (0, 128, 255)).save(buffer, "PNG")
    return buffer.getvalue()


def _upload(wire: Wire, content: bytes | None = None, name: str = "a.png", kind: str = "image/png") -> Any:
    return wire.send(
        "POST",
        "/images/upload",
        params={"image_category": "user", "is_intermediate": False},
        files={"file": (name, content if content is not None else _png(), kind)},
    )


def test_upload_and_read_back(wire: Wire) -> None:
    """An uploaded image has a name, its size, and addresses that are relative to the server."""
    response = _upload(wire)
    image = response.json()
    name = image["image_name"]
    assert (201, 8, 4, f"api/v1/images/i/{name}/full", f"api/v1/images/i/{name}/thumbnail") == (
        response.status_code,
        image["width"],
        image["height"],
        image["image_url"],
        image["thumbnail_url"],
    )
    assert image["created_at"] == wire.get(f"/images/i/{name}")["created_at"]
    wire.delete(f"/images/i/{name}")


def test_invalid_image_is_415(wire: Wire) -> None:
    """Neither another type nor a broken image is taken."""
    refused = [_upload(wire, b"text", "a.txt", "text/plain"), _upload(wire, b"no image")]
    assert [(415, "Not an image"), (415, "Failed to read image")] == [
        (response.status_code, response.json()["detail"]) for response in refused
    ]


def test_delete_an_unknown_image(wire: Wire, server: Server) -> None:
    """It is not found; before 6.14 the answer is 200 with nothing deleted."""
    response = wire.send("DELETE", "/images/i/none.png")
    if server.has("delete_knows_images"):
        assert (404, "Image not found") == (response.status_code, response.json()["detail"])
    else:
        assert (200, []) == (response.status_code, response.json()["deleted_images"])
