"""The client's methods for images and boards, against the server."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import PIL.Image
import pytest

from invoke_widgets.errors import InvalidRequest, NotFound
from invoke_widgets.records import BoardRecord, ImageRecord
from tests.support import editor
from tests.support.blocking import BlockingClient
from tests.support.graphs import blank_image
from tests.support.servers import Server
from tests.support.wire import Wire


def _png(width: int = 8, height: int = 4) -> bytes:
    buffer = BytesIO()
    PIL.Image.new("RGB", (width, height), (0, 128, 255)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def image(client: BlockingClient) -> Iterator[ImageRecord]:
    """An uploaded image, which is deleted afterwards."""
    image = client.upload_image(_png())
    yield image
    client.delete_image(image.image_name)


@pytest.fixture
def board(client: BlockingClient) -> Iterator[BoardRecord]:
    """A new board, which is deleted with its images."""
    board = client.create_board("tests")
    yield board
    client.delete_board(board.board_id, include_images=True)


def test_upload_image(client: BlockingClient, image: ImageRecord) -> None:
    """The record of an image, which can be read again."""
    assert (8, 4, "user", False) == (image.width, image.height, image.image_category, image.is_intermediate)
    assert image == client.get_image_dto(image.image_name)


def test_get_image_full_and_thumbnail(client: BlockingClient, image: ImageRecord) -> None:
    """The bytes of the image and of its thumbnail."""
    files = client.get_image_full(image.image_name), client.get_image_thumbnail(image.image_name)
    assert ["PNG", "WEBP"] == [PIL.Image.open(BytesIO(file)).format for file in files]


def test_list_image_dtos(client: BlockingClient, image: ImageRecord) -> None:
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


def test_name_that_is_another_path(client: BlockingClient) -> None:
    """What a server, or the user, calls an image is not sent if it would be another address."""
    names: list[Any] = ["", ".", "..", "../../queue/default", "a/b", "a\\b", "a\nb", "x" * 256, None, 7]
    for name in names:
        for method in (client.get_image_dto, client.get_image_full, client.get_image_workflow, client.delete_image):
            with pytest.raises(InvalidRequest, match="image_name"):
                method(name)
        with pytest.raises(InvalidRequest, match="image_name"):
            client.star_images_in_list([name])


def test_images_by_names(client: BlockingClient, image: ImageRecord) -> None:
    """Records in the order of their names, without those that are unknown; no request for no name."""
    other = client.upload_image(_png(2, 2))
    names = [other.image_name, "none.png", image.image_name, other.image_name]
    assert [other, image] == client.get_images_by_names(names)
    assert [] == client.get_images_by_names([])
    with pytest.raises(InvalidRequest, match="at most 1000"):
        client.get_images_by_names(f"{i}.png" for i in range(1001))
    client.delete_image(other.image_name)


def test_star_and_unstar(client: BlockingClient, image: ImageRecord) -> None:
    """A star is on the record, and starred images come first only if asked for; unknown names are skipped."""
    newer = client.upload_image(_png())
    assert [image.image_name] == client.star_images_in_list([image.image_name, "none.png"])
    assert client.get_image_dto(image.image_name).starred
    first = [client.list_image_dtos(limit=1, starred_first=asked)[0][0].image_name for asked in (False, True)]
    assert [newer.image_name, image.image_name] == first
    assert [image.image_name] == client.unstar_images_in_list([image.image_name])
    assert not client.get_image_dto(image.image_name).starred
    client.delete_image(newer.image_name)


def test_delete_several_images(client: BlockingClient) -> None:
    """The deleted ones are named; unknown names are skipped."""
    names = [client.upload_image(_png()).image_name for _ in range(2)]
    assert names == client.delete_images_from_list([*names, "none.png"])
    assert [] == client.get_images_by_names(names)


def test_move_images_to_a_board_and_off(client: BlockingClient, image: ImageRecord, board: BoardRecord) -> None:
    """The record says on which board the image is; unknown names are skipped."""
    names = [image.image_name, "none.png"]
    assert names[:1] == client.add_images_to_board(board.board_id, names)
    assert board.board_id == client.get_image_dto(image.image_name).board_id
    assert names[:1] == client.remove_images_from_board(names)
    assert client.get_image_dto(image.image_name).board_id is None


def test_rename_board(client: BlockingClient, board: BoardRecord) -> None:
    """The answer is the renamed board."""
    assert "renamed" == client.update_board(board.board_id, board_name="renamed").board_name
    assert "renamed" == client.get_board(board.board_id).board_name


def test_metadata_and_workflow_of_an_upload(client: BlockingClient, image: ImageRecord) -> None:
    """An image that carries neither has neither."""
    assert client.get_image_metadata(image.image_name) is None
    assert (None, None) == client.get_image_workflow(image.image_name)
    for method in (client.get_image_metadata, client.get_image_workflow):
        with pytest.raises(NotFound):
            method("none.png")


def test_metadata_and_workflow_of_a_jobs_image(client: BlockingClient, wire: Wire) -> None:
    """The node's metadata, the workflow that was sent with the batch, and the graph with its varied value."""
    graph = blank_image(32, 16)
    graph["nodes"]["blank"]["metadata"] = {"prompt": "a fox"}
    workflow = editor.workflow([editor.node("blank", "blank_image", "Picture", width=32)])
    datum = {"node_path": "blank", "field_name": "width", "items": [48]}
    item = wire.run(graph, workflow=workflow, data=[[datum]])
    (result,) = item["session"]["results"].values()
    name = result["image"]["image_name"]
    embedded, ran = client.get_image_workflow(name)
    assert {"prompt": "a fox"} == client.get_image_metadata(name)
    assert (workflow["nodes"], workflow["name"], 48) == (
        embedded["nodes"],
        embedded["name"],
        ran["nodes"]["blank"]["width"],
    )
    info = PIL.Image.open(BytesIO(client.get_image_full(name))).info
    assert [embedded, ran] == [json.loads(info[f"invokeai_{key}"]) for key in ("workflow", "graph")]
    again = client.upload_image(client.get_image_full(name))
    assert ({"prompt": "a fox"}, (embedded, ran)) == (
        client.get_image_metadata(again.image_name),
        client.get_image_workflow(again.image_name),
    )
    client.delete_images_from_list([name, again.image_name])


def test_create_list_and_get_board(client: BlockingClient, board: BoardRecord) -> None:
    """A new board is listed, and can be read."""
    assert board.board_id in {found.board_id for found in client.list_boards()}
    assert ("tests", 0, False) == (board.board_name, board.image_count, board.archived)
    assert board.board_id == client.get_board(board.board_id).board_id


def test_a_jobs_image_on_a_board(client: BlockingClient, wire: Wire, board: BoardRecord) -> None:
    """What a job saved to a board is listed there."""
    graph = blank_image(32, 16)
    graph["nodes"]["blank"]["board"] = {"board_id": board.board_id}
    wire.run(graph)
    (name,) = client.list_all_board_image_names(board.board_id)
    page, total = client.list_image_dtos(board_id=board.board_id)
    assert (1, [name], 32, board.board_id) == (total, [i.image_name for i in page], page[0].width, page[0].board_id)


def test_a_deleted_board_is_not_found(client: BlockingClient) -> None:
    """It is gone for good."""
    board_id = client.create_board("short-lived").board_id
    client.delete_board(board_id)
    with pytest.raises(NotFound):
        client.get_board(board_id)
