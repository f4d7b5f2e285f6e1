"""Pictures as objects: those of jobs, what they carry, how they show, and saving them."""

from __future__ import annotations

import asyncio
import html
import io
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

import invoke_widgets as iw
from invoke_widgets.events import NodeCompleted
from tests.support import editor
from tests.support.graphs import add_and_multiply, blank_image, graph, sleep
from tests.support.wire import Wire, until


def _png(color: tuple[int, int, int] = (0, 128, 255)) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (8, 4), color).save(buffer, "PNG")
    return buffer.getvalue()


def _two_images(**last: Any) -> dict[str, Any]:
    """An intermediate image, and one that is made of it."""
    blank = blank_image()["nodes"]["blank"]
    nodes = {
        "blank": {**blank, "is_intermediate": True},
        "resize": {"type": "img_resize", "width": 64, "height": 48, "use_cache": False, **last},
    }
    return graph(nodes, "blank.image -> resize.image")


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


def test_what_a_job_was_given_is_not_its_picture(console: iw.Console) -> None:
    """An upload that passes through a node is not among the job's pictures."""
    upload = asyncio.run(console.client.upload_image(_png()))
    nodes = {
        "show": {"type": "show_image", "image": {"image_name": upload.image_name}},
        "resize": {"type": "img_resize", "width": 16, "height": 16, "use_cache": False},
    }
    images = console.submit(graph(nodes, "show.image -> resize.image")).images
    assert ["resize"] == [image.node_id for image in images]


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
    until(lambda: [e for e in console.events if isinstance(e.event, NodeCompleted)], "the picture")
    job.cancel()
    assert (["blank"], "canceled") == ([image.node_id for image in job.images], job.status)
    assert [] == list(console.submit(add_and_multiply()).images)


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
    hostile = "<script>alert(1)</script>"
    nodes = {"text": {"type": "string", "value": ""}, "blank": blank_image()["nodes"]["blank"]}
    images = console.submit(graph(nodes), data={"text.value": [hostile, *map(str, range(11))]}).images
    shown = images._repr_html_()
    assert 12 == shown.count('src="data:image/webp;base64,')
    assert html.escape(hostile) in shown
    assert hostile not in shown
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


def test_save_where_files_lost_their_times(console: iw.Console, tmp_path: Path) -> None:
    """After a copy without times the pictures are fetched and compared, and not saved twice."""
    images = _pictures(console, 3)
    paths = images.save(tmp_path, "x")
    for path in paths:
        os.utime(path)
    assert paths == images.save(tmp_path, "x")
    assert sorted(paths) == sorted(tmp_path.iterdir())


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
    console: iw.Console, tmp_path: Path, fetched: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each byte is the server's, and the progress is shown."""
    _interrupt_and_resume(_pictures(console, 500), tmp_path, fetched, at=200)
    assert "of 500 |" in capsys.readouterr().err


def _interrupt_and_resume(images: iw.Images, folder: Path, fetched: Callable[[], list[str]], *, at: int) -> None:
    def interrupt() -> None:
        until(lambda: len(list(folder.glob("*.png"))) >= at, "files")
        os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        images.save(folder, "{blank.width}")
    other.join()
    first = len(fetched())
    until(lambda: not list(folder.glob(".*.part")), "the last writes")
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
