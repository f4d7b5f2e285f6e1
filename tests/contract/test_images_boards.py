"""Images and boards: what a finished job leaves, and where."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tests.support.graphs import blank_image
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


@pytest.fixture
def board(wire: Wire) -> Iterator[str]:
    """The id of a new board, which goes with its images."""
    board_id = wire.post("/boards/", board_name="tests")["board_id"]
    yield board_id
    wire.delete(f"/boards/{board_id}", include_images=True)


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


def test_the_bytes_of_an_image(wire: Wire) -> None:
    """The full image is a PNG, its thumbnail a WebP."""
    name = _upload(wire).json()["image_name"]
    full, thumbnail = (wire.send("GET", f"/images/i/{name}/{what}") for what in ("full", "thumbnail"))
    assert ("image/png", (8, 4)) == (full.headers["content-type"], Image.open(BytesIO(full.content)).size)
    assert ("image/webp", "WEBP") == (thumbnail.headers["content-type"], Image.open(BytesIO(thumbnail.content)).format)
    wire.delete(f"/images/i/{name}")


def test_invalid_image_is_415(wire: Wire) -> None:
    """Neither another type nor a broken image is taken."""
    refused = [_upload(wire, b"text", "a.txt", "text/plain"), _upload(wire, b"no image")]
    assert [(415, "Not an image"), (415, "Failed to read image")] == [
        (response.status_code, response.json()["detail"]) for response in refused
    ]


def test_an_unknown_image_is_404(wire: Wire) -> None:
    """Neither its record nor its bytes are found."""
    assert [404, 404] == [wire.send("GET", f"/images/i/none.png{end}").status_code for end in ("", "/full")]


def test_delete_an_unknown_image(wire: Wire, server: Server) -> None:
    """It is not found; before 6.14 the answer is 200 with nothing deleted."""
    response = wire.send("DELETE", "/images/i/none.png")
    if server.has("delete_knows_images"):
        assert (404, "Image not found") == (response.status_code, response.json()["detail"])
    else:
        assert (200, []) == (response.status_code, response.json()["deleted_images"])


def test_a_deleted_image_is_gone(wire: Wire) -> None:
    """Deleting answers what was deleted."""
    name = _upload(wire).json()["image_name"]
    assert [name] == wire.delete(f"/images/i/{name}")["deleted_images"]
    assert 404 == wire.send("GET", f"/images/i/{name}").status_code


def test_a_jobs_image_is_named_in_its_result(wire: Wire) -> None:
    """The result of a node that makes an image has its name and its size, and the image can be read."""
    item = wire.run(blank_image(32, 16))
    (result,) = item["session"]["results"].values()
    assert ("image_output", 32, 16) == (result["type"], result["width"], result["height"])
    name = result["image"]["image_name"]
    full = wire.send("GET", f"/images/i/{name}/full")
    assert (255, 0, 0) == Image.open(BytesIO(full.content)).convert("RGB").getpixel((0, 0))
    wire.delete(f"/images/i/{name}")


def test_list_boards_needs_a_page_or_all(wire: Wire) -> None:
    """A list of boards without either is refused."""
    response = wire.send("GET", "/boards/")
    assert (400, "Invalid request: Must provide either 'all' or both 'offset' and 'limit'") == (
        response.status_code,
        response.json()["detail"],
    )


def test_a_new_board_is_listed(wire: Wire, board: str) -> None:
    """It is among all, and on a page."""
    every = wire.get("/boards/", all=True)
    page = wire.get("/boards/", offset=0, limit=1000)
    assert (True, True) == tuple(board in {found["board_id"] for found in boards} for boards in (every, page["items"]))
    assert "tests" == wire.get(f"/boards/{board}")["board_name"]


def test_add_image_to_board_and_remove_it(wire: Wire, board: str) -> None:
    """Both ways answer 201 with what changed."""
    name = _upload(wire).json()["image_name"]
    put = wire.send("POST", "/board_images/", {"board_id": board, "image_name": name})
    assert (201, [name], [name]) == (
        put.status_code,
        put.json()["added_images"],
        wire.get(f"/boards/{board}/image_names"),
    )
    off = wire.send("DELETE", "/board_images/", {"image_name": name})
    assert (201, [name], []) == (
        off.status_code,
        off.json()["removed_images"],
        wire.get(f"/boards/{board}/image_names"),
    )
    wire.delete(f"/images/i/{name}")


def test_a_job_saves_to_a_board(wire: Wire, board: str) -> None:
    """The node says where its image belongs; the images of a board are paged."""
    graph = blank_image()
    graph["nodes"]["blank"]["board"] = {"board_id": board}
    (result,) = wire.run(graph)["session"]["results"].values()
    name = result["image"]["image_name"]
    page = wire.get("/images/", board_id=board, limit=5)
    assert [(1, [name])] == [(page["total"], [image["image_name"] for image in page["items"]])]


def test_a_deleted_board_is_404(wire: Wire) -> None:
    """It can go with its images."""
    board_id = wire.post("/boards/", board_name="short-lived")["board_id"]
    wire.delete(f"/boards/{board_id}", include_images=True)
    assert 404 == wire.send("GET", f"/boards/{board_id}").status_code
