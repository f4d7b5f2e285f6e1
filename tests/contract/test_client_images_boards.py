"""The client's methods for images and boards, against the server."""

from collections.abc import Iterator
from io import BytesIO

import PIL.Image
import pytest

from invoke_widgets.errors import InvalidRequest, NotFound
from invoke_widgets.records import Board, Image
from tests.support.blocking import BlockingClient
from tests.support.graphs import blank_image
from tests.support.servers import Server
from tests.support.wire import Wire


def _png(width: int = 8, height: int = 4) -> bytes:
    buffer = BytesIO()
    PIL.Image.new("RGB", (width, height), (0, 128, 255)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def image(client: BlockingClient) -> Iterator[Image]:
    """An uploaded image, which is deleted afterwards."""
    image = client.upload_image(_png())
    yield image
    client.delete_image(image.image_name)


@pytest.fixture
def board(client: BlockingClient) -> Iterator[Board]:
    """A new board, which is deleted with its images."""
    board = client.create_board("tests")
    yield board
    client.delete_board(board.board_id, include_images=True)


def test_upload_image(client: BlockingClient, image: Image) -> None:
    """The record of an image, which can be read again."""
    assert (8, 4, "user", False) == (image.width, image.height, image.image_category, image.is_intermediate)
    assert image == client.get_image_dto(image.image_name)


def test_get_image_full_and_thumbnail(client: BlockingClient, image: Image) -> None:
    """The bytes of the image and of its thumbnail."""
    files = client.get_image_full(image.image_name), client.get_image_thumbnail(image.image_name)
    assert ["PNG", "WEBP"] == [PIL.Image.open(BytesIO(file)).format for file in files]


def test_list_image_dtos(client: BlockingClient, image: Image) -> None:
    """A page of images, the newest first, and their number."""
    page, total = client.list_image_dtos(limit=1)
    assert (image.image_name, True) == (page[0].image_name, total >= 1)


def test_upload_of_invalid_image(client: BlockingClient) -> None:
    """What cannot be read as an image is refused."""
    with pytest.raises(InvalidRequest) as caught:
        client.upload_image(b"no image")
    assert 415 == caught.value.http_status


def test_an_unknown_image_is_not_found(client: BlockingClient, server: Server) -> None:
    """Its record and its bytes raise the same, and its deletion too where the server notices."""
    methods = [client.get_image_dto, client.get_image_full, client.get_image_thumbnail]
    if server.has("delete_knows_images"):
        methods.append(client.delete_image)
    for method in methods:
        with pytest.raises(NotFound):
            method("none.png")


def test_create_list_and_get_board(client: BlockingClient, board: Board) -> None:
    """A new board is listed, and can be read."""
    assert board.board_id in {found.board_id for found in client.list_boards()}
    assert ("tests", 0, False) == (board.board_name, board.image_count, board.archived)
    assert board.board_id == client.get_board(board.board_id).board_id


def test_a_jobs_image_on_a_board(client: BlockingClient, wire: Wire, board: Board) -> None:
    """What a job saved to a board is listed there."""
    graph = blank_image(32, 16)
    graph["nodes"]["blank"]["board"] = {"board_id": board.board_id}
    wire.run(graph)
    (name,) = client.list_all_board_image_names(board.board_id)
    page, total = client.list_image_dtos(board_id=board.board_id)
    assert (1, [name], 32, board.board_id) == (total, [i.image_name for i in page], page[0].width, page[0].board_id)


def test_an_unknown_board_is_not_found(client: BlockingClient) -> None:
    """There is no such board."""
    with pytest.raises(NotFound):
        client.get_board("no-such-board")
