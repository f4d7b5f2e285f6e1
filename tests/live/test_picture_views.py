"""What gallery, grid and form do with pictures, asked as their pages ask."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import PIL.Image

import invoke_widgets as iw
from invoke_widgets.widgets.gallery import Gallery
from tests.support import editor
from tests.support.graphs import blank_image, many_images
from tests.support.parts import Sent, ask, receive, said
from tests.support.wire import Wire, until


def _png(color: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (8, 4), color).save(buffer, "PNG")
    return buffer.getvalue()


def _gallery(console: iw.Console, number: int = 3, **node: Any) -> tuple[Gallery, list[str]]:
    """A gallery with pictures of different widths, and their names."""
    made = blank_image(16, 16)
    made["nodes"]["blank"].update(node)
    images = console.submit(made, data={"blank.width": list(range(8, 8 + number))}).images
    gallery = console.gallery()
    until(lambda: len(gallery.cards) >= number, "the pictures")
    return gallery, [image.name for image in images]


def _says(view: Any, words: str) -> None:
    until(lambda: words in view.said.get("text", ""), words)


def test_details_of_a_picture(console: iw.Console) -> None:
    """Size, metadata in words, star and board; a model by its name; nothing of a picture that is gone."""
    metadata = {
        "positive_prompt": "a fox\n\u202ein snow",
        "model": {"key": "k", "name": "FLUX"},
        "seed": 7,
        "none": None,
    }
    gallery, (name,) = _gallery(console, 1, metadata=metadata)
    sent = Sent(gallery)
    ask(gallery, "about", names=[name], page="me")
    about = until(lambda: sent.of("about"), "the details")[0]["about"]
    assert ([8, 16], False, "", [["Positive prompt", "a fox \ufffdin snow"], ["Model", "FLUX"], ["Seed", "7"]]) == (
        about["size"],
        about["starred"],
        about["board"],
        about["metadata"],
    )
    ask(gallery, "about", names=["none.png"], page="me")
    until(lambda: any("failed" in one for one in sent.of("about")), "the refusal")
    assert [] == gallery.failures


def test_pictures_are_starred_moved_and_deleted(console: iw.Console) -> None:
    """The details follow, deleted ones leave the gallery and the selection, and what is gone is said."""
    gallery, names = _gallery(console)
    sent = Sent(gallery)
    gallery.selected = names[:2]
    assert names[:2] == [image.name for image in gallery.selected_images]
    assert [8, 9] == [image.values["blank.width"] for image in gallery.selected_images]
    ask(gallery, "star", names=names[:2], on=True)
    assert "Starred 2 pictures." == said(gallery)
    assert dict.fromkeys(names[:2], True) == {one["name"]: one["about"]["starred"] for one in sent.of("about")}
    ask(gallery, "move", names=names[:1], name="Views", is_new=True)
    _says(gallery, "Moved 1 picture to 'Views'.")
    board = console.board("Views")
    assert names[:1] == [image.name for image in board.images()]
    ask(gallery, "move", names=names[:1])
    _says(gallery, "Moved 1 picture off their boards.")
    assert [] == list(board.images())
    console.images(limit=3)[0].delete()  # by someone else
    ask(gallery, "delete", names=names[1:])
    _says(gallery, "Deleted 1 picture. 1 picture is no longer on the server.")
    assert (names[:1], [names[:1]]) == (gallery.selected, [card["names"] for card in gallery.cards])
    board.delete()


def test_picture_is_made_again(console: iw.Console) -> None:
    """The form has the values that made it, those that its batch varied too; the way back closes it."""
    drawn = editor.workflow([editor.node("p", "blank_image", "Canvas", width=64, height=64)])
    drawn["nodes"][0]["data"]["isIntermediate"] = False
    images = console.workflow(drawn).sweep({"Canvas.width": [16, 24]}).images
    gallery, names = _gallery(console, 2)
    ask(gallery, "again", name=images[1].name)
    until(lambda: gallery.again, "the form")
    (form,) = gallery.within()
    assert ("24", "64") == tuple(form.controls[f"Canvas.{name}"]["value"] for name in ("width", "height"))
    ask(gallery, "again", name=names[1])
    until(lambda: gallery.within() not in ((), (form,)), "the other form")
    (form,) = gallery.within()
    assert "9" == form.controls["blank.width"]["value"]
    ask(gallery, "back")
    assert ("", True, ()) == (gallery.again, form.closed, gallery.within())


def test_pictures_are_saved_with_progress(console: iw.Console, tmp_path: Path) -> None:
    """The server's own bytes under the names that were asked for; a pattern that does not fit is said."""
    gallery, names = _gallery(console, 7)
    seen: list[Any] = []
    gallery.observe(lambda change: seen.append(change["new"]), "saving")
    ask(gallery, "save", names=names, folder=str(tmp_path / "out"), pattern="{blank.width:03}")
    _says(gallery, f"Saved 7 pictures in {tmp_path / 'out'}.")
    until(lambda: gallery.saving == {} and seen, "the end")
    assert [{"done": 0, "total": 7}, {"done": 5, "total": 7}, {"done": 7, "total": 7}, {}] == seen
    held = {f"{image.values['blank.width']:03}.png": image.bytes() for image in console.images_of(console.batch(
        gallery.cards[0]["batch"]))}  # fmt: skip
    assert held == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    ask(gallery, "save", names=names, folder=str(tmp_path / "out"), pattern="{blank.with}")
    until(lambda: any("no value 'blank.with'" in one["what"] for one in gallery.failures), "the refusal")


def test_grid_sends_what_changed(console: iw.Console) -> None:
    """A page that opens gets all states, and later those that change."""
    batch = console.submit(blank_image(), data={"blank.width": [8, 16, 24]})
    grid = batch.grid()
    until(lambda: 3 == sum(bool(state.get("names")) for state in grid.states.values()), "the pictures")
    sent = Sent(grid)
    ask(grid, "states", page="me")
    until(lambda: sent.of("states"), "the states")
    assert (3, "me") == (len(sent.of("states")[0]["states"]), sent.of("states")[0]["to"])
    until(lambda: grid.pattern == "{blank.width}", "the values")
    first = grid.states[str(batch.item_ids[0])]["names"][-1]
    ask(grid, "delete", names=[first])
    until(lambda: len(sent.of("states")) > 1, "the change")
    assert [str(batch.item_ids[0])] == list(sent.of("states")[1]["states"])


def test_pictures_of_a_job_that_are_not_shown_are_counted_and_saved(console: iw.Console, tmp_path: Path) -> None:
    """A page is sent the newest 48 of a job; "Save all" saves the others too."""
    batch = console.submit(many_images(60))
    batch.wait(60)
    gallery, grid, line = console.gallery(), batch.grid(), console.progress(batch)
    (card,) = until(lambda: gallery.cards, "the card")
    (state,) = until(lambda: [one for one in grid.states.values() if "names" in one], "the state")
    assert [(60, 48)] * 2 == [(one["made"], len(one["names"])) for one in (card, state)]
    until(lambda: line.more == "and 59 more", "the line")
    ask(grid, "save", folder=str(tmp_path), pattern="{name}")
    _says(grid, "Saved 60 pictures in ")


def test_form_takes_files_in_parts_and_pictures_of_the_server(console: iw.Console, wire: Wire, tmp_path: Path) -> None:
    """Each is a value of an image field; a file on this machine that is called like a picture is not sent."""
    (there,) = console.submit(blank_image(24, 16)).images
    content = _png((1, 2, 3))
    resize = {"nodes": {"r": {"type": "img_resize", "width": 8, "height": 8}}, "edges": []}
    form = console.workflow(resize).form()
    sent = Sent(form)
    ask(form, "shelf", board="none", page="me")
    assert there.name == until(lambda: sent.of("shelf"), "the pictures")[0]["names"][0]
    for at, last in ((0, False), (40, True)):
        part = content[at : at + 40] if not last else content[at:]
        receive(form, {"t": "file", "field": "r.image", "name": "a.png", "at": at, "last": last}, part)
    form.form = {**form.form, "values": {"r.image": ["a.png", {"image_name": there.name}]}}
    until(lambda: form.jobs == 2, "the plan")
    (tmp_path / there.name).write_bytes(_png((9, 9, 9)))
    with contextlib.chdir(tmp_path):
        form.submit()
        assert said(form).startswith("Enqueued 2 of 2")
    until(lambda: wire.queue_status()["completed"] == 3, "the jobs")
    made = [item.item_id for item in reversed(console.queue)][1:]
    graphs = [console.job(item_id).images[0].graph() for item_id in made]
    given = [graph["nodes"]["r"]["image"]["image_name"] for graph in graphs if graph is not None]
    with PIL.Image.open(io.BytesIO(wire.send("GET", f"/images/i/{given[0]}/full").content)) as uploaded:
        assert ((1, 2, 3), there.name) == (uploaded.getpixel((0, 0)), given[1])
