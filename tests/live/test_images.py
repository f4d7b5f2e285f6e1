"""Pictures as objects: those of jobs, what they carry, how they show, and saving them."""

from __future__ import annotations

import asyncio
import html
import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import invoke_widgets as iw
from invoke_widgets.events import NodeCompleted
from tests.support import editor
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, blank_image, graph, sleep
from tests.support.wire import Wire, until


def _png(color: tuple[int, int, int] = (0, 128, 255)) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (8, 4), color).save(buffer, "PNG")
    return buffer.getvalue()


def _until_a_node_completed(console: iw.Console, job: iw.Job) -> None:
    def completed() -> bool:
        events = [logged.event for logged in console.events]
        return any(isinstance(event, NodeCompleted) and event.item_id == job.item_id for event in events)

    until(completed, "a node's end")


def _two_images(**last: Any) -> dict[str, Any]:
    """An intermediate image, and one that is made of it."""
    blank = blank_image()["nodes"]["blank"]
    nodes = {
        "blank": {**blank, "is_intermediate": True},
        "resize": {"type": "img_resize", "width": 64, "height": 48, "use_cache": False, **last},
    }
    return graph(nodes, "blank.image -> resize.image")


@pytest.mark.every_version
def test_images_of_a_job(console: iw.Console) -> None:
    """The finished picture with what made it; the intermediate one if asked for."""
    batch = console.submit(_two_images(), data={"resize.width": [64, 32]})
    job = batch.jobs[1]
    (image,) = job.images
    assert ("resize", 32, 48, job.item_id, batch.batch_id) == (
        image.node_id,
        image.width,
        image.height,
        image.item_id,
        image.batch_id,
    )
    assert ({"resize.width": 32}, False, None, False) == (
        image.values,
        image.is_intermediate,
        image.board_id,
        image.starred,
    )
    assert job.item is not None
    assert image.created_at is not None
    assert console.item(job.item_id).session_id == image.session_id
    assert ["blank", "resize"] == [each.node_id for each in console.images_of(job, intermediates=True)]
    assert [64, 32] == [each.width for each in batch.images]
    assert f"Image('{image.name}', 32 x 48, item {job.item_id}, node 'resize', resize.width=32)" == repr(image)


@pytest.mark.every_version
def test_what_an_image_gives(console: iw.Console, tmp_path: Path) -> None:
    """Bytes, thumbnail, pixels, metadata, graph, and a file with the same bytes."""
    made = blank_image(32, 16)
    made["nodes"]["blank"]["metadata"] = {"prompt": "a fox"}
    (image,) = console.submit(made).jobs[0].images
    content = image.bytes()
    assert content == image._repr_png_() == image.save(tmp_path / "fox.png").read_bytes()
    assert ((32, 16), (255, 0, 0)) == (image.pil().size, image.pil().getpixel((0, 0)))
    assert "WEBP" == PIL.Image.open(io.BytesIO(image.thumbnail())).format
    assert ({"prompt": "a fox"}, None) == (image.metadata, image.workflow())
    ran = image.graph()
    assert ran is not None
    assert 32 == ran["nodes"]["blank"]["width"]
    assert tmp_path / image.name == image.save(tmp_path)


def test_workflow_that_was_sent_with_the_batch(console: iw.Console, wire: Wire) -> None:
    """It is in the picture, as the editor's "Load Workflow" wants it."""
    workflow = editor.workflow([editor.node("blank", "blank_image", "Picture", width=32)])
    item = wire.run(blank_image(), workflow=workflow)
    console.refresh()
    (image,) = console.job(item["item_id"]).images
    carried = image.workflow()
    assert carried is not None
    assert workflow["nodes"] == carried["nodes"]


def test_picture_as_a_workflow_and_as_a_value(console: iw.Console) -> None:
    """Its workflow, or else its graph, is loaded again; and it can be set as an image field."""
    drawn = editor.workflow([editor.node("p", "blank_image", width=64, height=64)])
    drawn["nodes"][0]["data"]["isIntermediate"] = False
    workflow = console.workflow(drawn)
    workflow["blank_image.width"] = 96
    (carrier,) = workflow.submit().images
    assert 96 == console.workflow(carrier)["blank_image.width"]
    (plain,) = console.submit(blank_image(40, 16)).images
    assert 40 == console.workflow(plain)["blank.width"]
    resize = console.workflow({"nodes": {"r": {"type": "img_resize", "width": 16, "height": 16}}, "edges": []})
    resize["r.image"] = plain
    (image,) = resize.submit().images
    graph_of_it = image.graph()
    assert graph_of_it is not None
    assert plain.name == graph_of_it["nodes"]["r"]["image"]["image_name"]


def test_node_of_a_workflow_is_not_named(console: iw.Console) -> None:
    """The editor's ids say nothing to a reader."""
    node_id = "55705012-79b9-4aac-9f26-c0b10309785b"
    (image,) = console.submit(graph({node_id: {**blank_image(32, 16)["nodes"]["blank"], "id": node_id}})).images
    assert (node_id, f"Image('{image.name}', 32 x 16, item {image.item_id})") == (image.node_id, repr(image))


def test_what_a_job_was_given_is_not_its_picture(console: iw.Console) -> None:
    """An upload that passes through a node is not among the job's pictures."""
    upload = console.upload(_png())
    nodes = {
        "show": {"type": "image", "image": {"image_name": upload.name}},
        "resize": {"type": "img_resize", "width": 16, "height": 16, "use_cache": False},
    }
    images = console.submit(graph(nodes, "show.image -> resize.image")).images
    assert ["resize"] == [image.node_id for image in images]


@pytest.mark.every_version
def test_failed_and_canceled_jobs_have_what_they_left(console: iw.Console) -> None:
    """Neither raises; a canceled one is read once its worker has let go of it."""
    nodes = {
        "blank": blank_image()["nodes"]["blank"],
        "fail": {"type": "probe_fail", "message": "no", "use_cache": False},
    }
    failed = console.submit(graph(nodes)).jobs[0]
    failed.images  # noqa: B018 - waits for its end, and does not raise
    assert "failed" == failed.status
    stubborn = {
        "blank": blank_image()["nodes"]["blank"],
        "sleep": {"type": "probe_sleep", "seconds": 60, "use_cache": False},
    }
    job = console.submit(graph(stubborn)).jobs[0]
    _until_a_node_completed(console, job)
    job.cancel()
    assert (["blank"], "canceled") == ([image.node_id for image in job.images], job.status)
    assert [] == list(console.submit(add_and_multiply()).images)


def test_images_of_jobs_that_were_pruned(console: iw.Console) -> None:
    """What was read before stays known to the handle, and the pictures are still there."""
    upload = console.upload(_png())
    nodes = {
        "show": {"type": "image", "image": {"image_name": upload.name}},
        "resize": {"type": "img_resize", "width": 16, "height": 16, "use_cache": False},
    }
    batch = console.submit(graph(nodes, "show.image -> resize.image"))
    job = batch.jobs[0]
    images = batch.images
    assert images == job.images
    console.prune()
    assert ["resize"] == [image.node_id for image in images]
    assert (images, images) == (batch.images, job.images)


def test_pictures_are_not_waited_for_while_the_server_is_away(
    through: iw.Console, proxy: ChaosProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a limit, each way gives up and says what to do; with one, it waits as long; nothing is lost."""
    monkeypatch.setattr("invoke_widgets.images.image._AWAY_S", 0.3)
    through.pause()
    batch = through.submit(blank_image(64, 16))
    with proxy.offline():
        until(lambda: through.status.connection.mode == "reconnecting", "the server to be away")
        for images in (lambda: batch.images, lambda: batch.jobs[0].images, lambda: through.images_of(batch)):
            with pytest.raises(iw.ServerUnreachable, match=r"after 0.3 s\. The server is away: .* once it is back"):
                images()
        with pytest.raises(iw.JobTimeout, match=r"within 0.6 s\. The server is away"):
            through.images_of(batch, timeout=0.6)
    through.reconnect()
    through.resume()
    assert [64] == [image.width for image in batch.images]


def test_images_of_waits_no_longer_than_asked(console: iw.Console) -> None:
    """The job goes on."""
    job = console.submit(sleep(60)).jobs[0]
    with pytest.raises(iw.JobTimeout, match=r"within 0.2 s"):
        console.images_of(job, timeout=0.2)
    with pytest.raises(iw.InvalidRequest, match="jobs: should be jobs"):
        console.images_of([job.item_id])  # type: ignore[list-item]
    job.cancel()


def test_latest_images(console: iw.Console, wire: Wire) -> None:
    """The newest of all or of a board, by its name or id."""
    board_id = wire.post("/boards/", board_name="latest")["board_id"]
    made = blank_image()
    made["nodes"]["blank"]["board"] = {"board_id": board_id}
    (on_board,) = console.submit(made).images
    (newer,) = console.submit(blank_image()).images
    assert [newer, on_board] == list(console.images(limit=2))
    assert [[on_board]] * 2 == [list(console.images(board=board)) for board in ("latest", board_id)]
    assert newer == console.images(board="none", limit=1)[0]
    with pytest.raises(iw.NotFound, match=r"no board 'lates'. Did you mean 'latest'"):
        console.images(board="lates")
    with pytest.raises(iw.InvalidRequest, match="limit"):
        console.images(limit=0)
    wire.delete(f"/boards/{board_id}", include_images=True)


def test_how_images_show(console: iw.Console, wire: Wire) -> None:
    """Thumbnails in a notebook, with values that no browser runs; lines in a terminal; slices."""
    hostile = "<script>alert(1)</script>\x1b[2J"
    nodes = {"text": {"type": "string", "value": ""}, "blank": blank_image()["nodes"]["blank"]}
    images = console.submit(graph(nodes), data={"text.value": [hostile, *map(str, range(11))]}).images
    shown = images._repr_html_()
    assert 12 == shown.count('src="data:image/webp;base64,')
    assert html.escape(hostile[:20]) in shown
    assert "<script" not in shown
    assert "\x1b" not in repr(images)
    assert ("12 pictures", 12, "      and 2 more") == (
        repr(images).splitlines()[0],
        len(repr(images).splitlines()),
        repr(images).splitlines()[-1],
    )
    assert ([*images][2:4], 12) == (list(images[2:4]), len(images))
    assert isinstance(images[2:4], iw.Images)
    assert iw.Images() == images[12:]
    wire.delete(f"/images/i/{images[0].name}")
    assert (1, 11) == (shown.count(html.escape(repr(images[0]))) // 2, images._repr_html_().count("<img"))


# -- uploads -----------------------------------------------------------------------------------------------------------


def test_upload_of_everything_that_is_a_picture(console: iw.Console, tmp_path: Path) -> None:
    """A path, bytes, an image of Pillow and an array; an `Image` stays what it is."""
    (tmp_path / "a.png").write_bytes(_png((1, 2, 3)))
    pillow = PIL.Image.new("RGBA", (8, 4), (4, 5, 6, 7))
    array = np.full((4, 8, 3), 9, np.uint8)
    sources = [tmp_path / "a.png", str(tmp_path / "a.png"), _png((1, 2, 3)), pillow, array]
    images = [console.upload(source) for source in sources]
    assert ((1, 2, 3), (4, 5, 6, 7), (9, 9, 9)) == tuple(images[i].pil().getpixel((0, 0)) for i in (0, 3, 4))
    assert images[0] == images[1] == images[2] == console.upload(images[0])
    assert 3 == len(set(images))
    assert (None, None, {}, False) == (
        images[0].session_id,
        images[0].item_id,
        images[0].values,
        images[0].is_intermediate,
    )


@pytest.mark.every_version
def test_upload_once_per_content(console: iw.Console, wire: Wire) -> None:
    """Also at the same time; again where it was deleted, or is wanted on a board."""
    content = _png((11, 12, 13))
    with ThreadPoolExecutor(4) as pool:
        (image,) = set(pool.map(console.upload, [content] * 8))
    board = console.boards.create("uploads")
    on_board = console.upload(content, board="uploads")
    assert (board.board_id, [on_board]) == (on_board.board_id, list(board.images()))
    assert on_board == console.upload(content, board=board)
    assert image != on_board
    image.delete()
    assert image != console.upload(content)
    assert console.upload(content, intermediate=True).is_intermediate
    board.delete(images=True)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/no/such/file.png", "there is no file"),
        (b"no picture", "Failed to read image"),
        (7, "cannot be made a PNG: got int"),
        (np.zeros((2, 2, 5), np.uint8), "cannot be made a PNG"),
        (np.zeros((2, 2, 3), np.float64), "cannot be made a PNG"),
        (PIL.Image.new("CMYK", (2, 2)), "cannot be made a PNG"),
    ],
)
def test_upload_of_what_is_no_picture(console: iw.Console, source: Any, message: str) -> None:
    """It says what is wrong, and what would do."""
    with pytest.raises(iw.InvalidRequest, match=message):
        console.upload(source)


# -- boards and stars --------------------------------------------------------------------------------------------------


def test_boards(console: iw.Console, wire: Wire) -> None:
    """Make, find by name or id, list, rename and delete."""
    board = console.boards.create("foxes")
    assert board == console.board("foxes") == console.boards[board.board_id]
    assert board in list(console.boards)
    assert ("Board('foxes', 0 pictures)", True) == (repr(board), repr(board) in repr(console.boards))
    with pytest.raises(iw.InvalidRequest, match="there is a board 'foxes' already"):
        console.boards.create("foxes")
    for name in ("", " ", "none", None):
        with pytest.raises(iw.InvalidRequest, match="name: should be a text"):
            console.boards.create(name)  # type: ignore[arg-type]
    twin = wire.post("/boards/", board_name="foxes")["board_id"]
    with pytest.raises(iw.InvalidRequest, match="2 boards are called 'foxes'") as caught:
        console.board("foxes")
    assert twin in caught.value.suggestion
    board.rename("wolves")
    assert (board, "wolves") == (console.board("wolves"), board.name)
    for each in (board, console.board(twin)):
        each.delete()
    with pytest.raises(iw.NotFound, match="no board 'wolves'"):
        console.board("wolves")


@pytest.mark.every_version
def test_move_star_and_delete(console: iw.Console) -> None:
    """The handles show what changed, as a new read does; what is gone is named, and the others are changed."""
    images = _pictures(console, 3)
    board = console.boards.create("moves")
    images.move("moves")
    images[0].star()
    assert ([board.board_id] * 3, [True, False, False]) == (
        [image.board_id for image in images],
        [image.starred for image in images],
    )
    read = {image.name: (image.board_id, image.starred) for image in board.images()}
    assert {image.name: (image.board_id, image.starred) for image in images} == read
    assert "starred" in repr(images[0])
    images[0].star(False)
    images[0].move(None)
    assert (None, None, False) == (images[0].board_id, images[0].board, images[0].starred)
    assert board == images[1].board
    other = console.job(images[1].item_id).images[0]
    other.move(None)
    assert (None, None) == (images[1].board, images[1].board_id)
    other.move(board)
    assert set(images[1:]) == set(board.images())
    images[1].delete()
    with pytest.raises(iw.NotFound, match=f"1 of 3 pictures were not starred.*{images[1].name}"):
        images.star()
    assert [True, False, True] == [image.starred for image in images]
    with pytest.raises(iw.NotFound, match=r"no board 'mooves'. Did you mean 'moves'"):
        images.move("mooves")
    with pytest.raises(iw.InvalidRequest, match="board: should be"):
        images.move(7)  # type: ignore[arg-type]
    board.delete(images=True)
    for change in (iw.Images().star, iw.Images().delete):
        change()
    iw.Images().move(None)


# -- cleaning up -------------------------------------------------------------------------------------------------------


def _left(**more: dict[str, Any]) -> dict[str, Any]:
    """A graph that makes an image and then fails, or sleeps."""
    return graph({"blank": blank_image()["nodes"]["blank"], **more})


_FAIL = {"type": "probe_fail", "message": "no", "use_cache": False}


def _exist(console: iw.Console, images: Iterable[iw.Image]) -> list[bool]:
    names = [image.name for image in images]
    found = {record.image_name for record in asyncio.run(console.client.get_images_by_names(names))}
    return [name in found for name in names]


@pytest.mark.every_version
def test_cleanup_never_takes_an_upload_or_anothers(console: iw.Console) -> None:
    """Only what the failed and canceled jobs made: by default it is only named."""
    upload = console.upload(_png((21, 22, 23)))
    given = {"type": "img_resize", "image": {"image_name": upload.name}, "width": 8, "height": 8, "use_cache": False}
    show = {"type": "image", "image": {"image_name": upload.name}}
    good = console.submit(blank_image())
    failed = console.submit(_left(fail=_FAIL, given=given, show=show))
    slept = console.submit(_left(sleep={"type": "probe_sleep", "seconds": 60, "use_cache": False}))
    _until_a_node_completed(console, slept.jobs[0])
    slept.cancel()
    jobs = [good, failed, slept]
    kept = [upload, *good.images]
    left = [*console.images_of([failed, slept], intermediates=True)]
    plan = console.cleanup(jobs)
    assert (set(left), (), (), True) == (set(plan.images), plan.kept, plan.unfinished, plan.dry_run)
    assert f"Would delete {len(left)} images of 2 jobs." == repr(plan).splitlines()[0]
    assert all(_exist(console, [*kept, *left]))
    done = console.cleanup(jobs, dry_run=False)
    assert f"Deleted {len(left)} images of 2 jobs." == repr(done)
    assert [True] * len(kept) + [False] * len(left) == _exist(console, [*kept, *left])
    assert "Deleted 0 images of 0 jobs." == repr(console.cleanup(jobs, dry_run=False))


def test_cleanup_keeps_what_is_starred_or_in_use(console: iw.Console) -> None:
    """A starred image stays, and one that another job was given; a job that has not ended is not looked at."""
    batch = console.submit(_left(fail=_FAIL), runs=3)
    starred, used, left = batch.images
    starred.star()
    nodes = {"show": {"type": "image", "image": {"image_name": used.name}}}
    other = console.submit(graph(nodes))
    other.wait()
    running = console.submit(sleep(60))
    plan = console.cleanup([batch, running])
    assert ([left], running.item_ids) == (list(plan.images), plan.unfinished)
    assert {(starred, "starred"), (used, f"used by item {other.item_ids[0]}")} == set(plan.kept)
    assert repr(plan).splitlines()[1:] == [
        f"Kept: 1 starred, 1 used by item {other.item_ids[0]}.",
        "1 job had not ended, and was not looked at.",
        "Nothing was done: dry_run=False does it.",
    ]
    running.cancel()


@pytest.mark.every_version
def test_cleanup_keeps_what_a_retry_got_from_the_cache(console: iw.Console, tmp_path: Path) -> None:
    """The next attempt puts out the picture of the one that failed, where the server has it in its cache."""
    blank = {**blank_image(40, 24, (1, 2, 3))["nodes"]["blank"], "use_cache": True, "metadata": {"test": str(tmp_path)}}
    fail_once = {**_FAIL, "times": 1, "name": str(tmp_path)}
    policy = iw.RetryPolicy(on=Exception, attempts=2, backoff_s=0.1)
    batch = console.submit(graph({"blank": blank, "fail": fail_once}), retry=policy)
    (picture,) = batch.images
    _, last = batch.jobs[0].attempts
    is_cached = picture.session_id != console.item(last).session_id
    done = console.cleanup(batch, dry_run=False)
    assert [(picture, f"used by item {last}")] * is_cached == list(done.kept)
    assert ("completed", [True]) == (batch.jobs[0].status, _exist(console, [picture]))


def test_cleanup_to_a_board(console: iw.Console) -> None:
    """The images are moved, not deleted; a board that is not there is said first."""
    batch = console.submit(_left(fail=_FAIL))
    with pytest.raises(iw.NotFound, match="no board 'bin'"):
        console.cleanup(batch, "bin", dry_run=False)
    board = console.boards.create("bin")
    done = console.cleanup(batch, "bin", dry_run=False)
    assert ("Moved 1 image of 1 job to the board 'bin'.", list(batch.images)) == (repr(done), list(board.images()))
    board.delete(images=True)


# -- saving ------------------------------------------------------------------------------------------------------------


def _pictures(console: iw.Console, number: int) -> iw.Images:
    """Pictures of different widths."""
    return console.submit(blank_image(16, 16), data={"blank.width": list(range(8, 8 + number))}).images


def test_save(console: iw.Console, tmp_path: Path, fetched: Callable[[], list[str]]) -> None:
    """Each file has the server's own bytes, and what is there is not fetched again."""
    images = _pictures(console, 30)
    folder = tmp_path / "new" / "out"
    paths = images.save(folder, "{blank.width:03}-{index}")
    assert [folder / f"{8 + i:03}-{i}.png" for i in range(30)] == paths
    assert [image.bytes() for image in images] == [path.read_bytes() for path in paths]
    before = len(fetched())
    paths[3].unlink()
    assert paths == images.save(folder, "{blank.width:03}-{index}")
    assert [images[3].name] == fetched()[before:]
    assert sorted(paths) == sorted(folder.iterdir())


def test_save_of_a_sweep_by_the_names_of_fields(console: iw.Console, tmp_path: Path) -> None:
    """The names under which values were varied stand in the pattern, whichever batch varied them."""
    drawn = editor.workflow(
        [editor.node("s", "string", "Prompt", value=""), editor.node("p", "blank_image", "Canvas", width=64, height=64)]
    )
    drawn["nodes"][1]["data"]["isIntermediate"] = False
    sweep = console.workflow(drawn).sweep({"Prompt.value": ["a fox / in snow", "an owl"], "Canvas.width": [32, 64]})
    paths = sweep.images.save(tmp_path, "{Prompt.value:.7}-{Canvas.width:03}")
    assert ["a fox _-032.png", "a fox _-064.png", "an owl-032.png", "an owl-064.png"] == [path.name for path in paths]


def test_save_under_one_name(console: iw.Console, tmp_path: Path, fetched: Callable[[], list[str]]) -> None:
    """Equal names get numbers, always the same; files that are not pictures of these stay as they are."""
    images = _pictures(console, 3)
    (tmp_path / "x.png").write_text("mine")
    paths = images.save(tmp_path, "x.png")
    assert ["x-2.png", "x-3.png", "x-4.png"] == [path.name for path in paths]
    assert "mine" == (tmp_path / "x.png").read_text()
    before = len(fetched())
    assert paths == images.save(tmp_path, "x.png")
    assert [] == fetched()[before:]


def test_save_follows_no_link_out_of_the_folder(console: iw.Console, tmp_path: Path) -> None:
    """A link in the place of a file, or of the unfinished one, is not written through."""
    (image,) = _pictures(console, 1)
    outside, folder = tmp_path / "outside", tmp_path / "out"
    outside.write_text("mine")
    folder.mkdir()
    for name in ("x.png", ".x-2.png.part"):
        (folder / name).symlink_to(outside)
    (path,) = iw.Images([image]).save(folder, "x")
    assert ("x-2.png", image.bytes(), "mine") == (path.name, path.read_bytes(), outside.read_text())


def test_save_says_what_is_wrong_with_the_pattern(
    console: iw.Console, tmp_path: Path, fetched: Callable[[], list[str]]
) -> None:
    """Nothing is fetched, and no folder is made."""
    images = _pictures(console, 2)
    with pytest.raises(iw.InvalidRequest, match=r"no value 'blank.with'. Did you mean 'blank.width'"):
        images.save(tmp_path / "out", "{blank.with}")
    assert ([], []) == (fetched(), list(tmp_path.iterdir()))


def test_save_of_a_deleted_picture(console: iw.Console, wire: Wire, tmp_path: Path) -> None:
    """The others are saved, and the exception says how many are not."""
    images = _pictures(console, 3)
    wire.delete(f"/images/i/{images[1].name}")
    with pytest.raises(iw.NotFound, match="1 of 3 pictures could not be saved"):
        images.save(tmp_path)
    assert sorted([images[0].name, images[2].name]) == sorted(path.name for path in tmp_path.iterdir())


def test_save_interrupted_and_resumed(console: iw.Console, tmp_path: Path, fetched: Callable[[], list[str]]) -> None:
    """An interrupt leaves whole files only, and the next call fetches the others."""
    _interrupt_and_resume(_pictures(console, 30), tmp_path, fetched, at=5)


@pytest.mark.slow
def test_save_of_500_interrupted_and_resumed(
    console: iw.Console, tmp_path: Path, fetched: Callable[[], list[str]]
) -> None:
    """Each byte is the server's."""
    _interrupt_and_resume(_pictures(console, 500), tmp_path, fetched, at=200)


@pytest.mark.slow
def test_save_shows_its_progress(wire: Wire, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, once it takes longer than a second."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        images = _pictures(console, 24)
        proxy.delay(0.4, path="/full$")
        images.save(tmp_path)
    assert "of 24 |" in capsys.readouterr().err


def _interrupt_and_resume(images: iw.Images, folder: Path, fetched: Callable[[], list[str]], *, at: int) -> None:
    def interrupt() -> None:
        until(lambda: len(list(folder.glob("*.png"))) >= at, "files")
        os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        images.save(folder, "{blank.width}")
    other.join()

    def is_quiet() -> bool:
        before = fetched(), sorted(folder.iterdir())
        time.sleep(0.5)
        return before == (fetched(), sorted(folder.iterdir()))

    until(is_quiet, "what was under way to end")
    first = len(fetched())
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert at <= len(whole) < len(images)
    paths = images.save(folder, "{blank.width}")
    assert len(images) - len(whole) == len(fetched()) - first
    contents = {image.values["blank.width"]: image.bytes() for image in images}
    assert contents == {int(path.stem): path.read_bytes() for path in paths}
    assert whole.items() <= {path.name: path.read_bytes() for path in paths}.items()
    assert len(images) == len(list(folder.iterdir()))


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The names of the pictures that were fetched in full; the client's own method still does the work."""
    names: list[str] = []
    fetch = iw.InvokeClient.get_image_full

    async def get_image_full(client: iw.InvokeClient, image_name: str) -> bytes:
        names.append(image_name)
        return await fetch(client, image_name)

    monkeypatch.setattr(iw.InvokeClient, "get_image_full", get_image_full)
    return lambda: list(names)


def test_a_picture_is_written_or_it_is_said_why_not(console: iw.Console, tmp_path: Path) -> None:
    """A folder that is not there, or something that is no picture, gets words of ours."""
    (image,) = console.submit(blank_image()).images
    with pytest.raises(iw.ResourceError, match=r"x\.png could not be written: No such file or directory"):
        image.save(tmp_path / "none" / "x.png")
    assert [image] == list(iw.Images(image))
    with pytest.raises(iw.InvalidRequest, match="images: should be images, got 1"):
        iw.Images([image, 1])  # type: ignore[list-item]
