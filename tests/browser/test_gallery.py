"""The gallery in a real JupyterLab: looking closer, selecting, changing and using pictures again; by keyboard too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab, Theme
from tests.browser.test_dashboard import Page, View
from tests.support import editor
from tests.support.graphs import many_images
from tests.support.wire import Wire, until

pytestmark = pytest.mark.looks


def _flow(**inputs: Any) -> dict[str, Any]:
    color = {"r": 200, "g": 80, "b": 40, "a": 255}
    node = editor.node("p", "blank_image", width=64, height=48, color=color, mode="RGB", **inputs)
    node["data"]["isIntermediate"] = False
    return editor.workflow([node], name="Plain")


def _gallery(lab: Lab, wire: Wire, *further: str) -> tuple[Page, View]:
    """Three pictures, 64, 80 and 96 wide, in a gallery of its own; `gallery` in the kernel."""
    flow = f"console.workflow({_flow(metadata={'prompt': 'a fox', 'seed': 7})!r})"
    sweep = f"{flow}.sweep({{'blank_image.width': [64, 80, 96]}})"
    page = Page(lab, wire, f"{sweep}.wait()\ngallery = console.gallery()\ngallery", *further)
    page.notebook.run_cell(2)
    view = View(page.notebook.output(2))
    expect(view.view.locator(".iwg-open img")).to_have_count(3)
    return page, view


def _selected(page: Page) -> list[int]:
    """The widths of the selected pictures, as code in the notebook sees them."""
    return eval(page.notebook.kernel_execute("print([image.width for image in gallery.selected_images])"))  # type: ignore[no-any-return]


def test_pictures_are_selected_and_changed(lab: Lab, wire: Wire) -> None:
    """By the space bar, a click and Ctrl+A; `selected` follows; they are starred, moved to a new board, and deleted."""
    page, gallery = _gallery(lab, wire)
    follow = "gallery.observe(lambda change: seen.append(len(change['new'])), 'selected')"
    page.notebook.kernel_execute(f"seen = []\n{follow}")
    keys = page.notebook.page.keyboard
    opens = gallery.view.locator(".iwg-open")
    opens.first.focus()
    keys.press("Space")
    keys.press("ArrowRight")
    expect(opens.nth(1)).to_be_focused()
    opens.nth(1).click(modifiers=["Control"])
    until(lambda: _selected(page) == [96, 80], "both in the kernel")
    assert "[1, 2]" == page.notebook.kernel_execute("print(seen)").strip()
    expect(gallery.view.get_by_text("2 selected")).to_be_visible()
    assert [] == violations(page.notebook, ".iw:has(> div .iwg-card)")
    gallery.press("☆ Star")
    gallery.says("Starred 2 pictures.")
    gallery.press("Move to a board")
    gallery.view.get_by_label("New board").fill("Foxes")
    keys.press("Enter")
    gallery.says("Moved 2 pictures to 'Foxes'.")
    board = next(one for one in wire.get("/boards/", all=True) if one["board_name"] == "Foxes")
    held = wire.get("/images/", board_id=board["board_id"], limit=5)["items"]
    assert [(80, True), (96, True)] == sorted((image["width"], image["starred"]) for image in held)
    opens.first.focus()
    keys.press("Delete")
    expect(gallery.question).to_contain_text("Delete 2 pictures from the server for good?")
    gallery.press("Delete 2 pictures")
    gallery.says("Deleted 2 pictures.")
    expect(opens).to_have_count(1)
    assert [] == _selected(page)
    assert [] == wire.get("/images/", board_id=board["board_id"], limit=5)["items"]
    page.notebook.kernel_execute("console.board('Foxes').delete()")


def test_pictures_of_a_job_that_are_not_shown_are_counted(lab: Lab, wire: Wire) -> None:
    """In its row, opened and not, in the gallery, with one in full, and in its line; a row's are drawn by name."""
    page = Page(lab, wire, f"batch = console.submit({many_images(60)!r})\nbatch.wait()\nconsole.gallery()", "batch")
    for cell in (2, 3):
        page.notebook.run_cell(cell)
    gallery, line = View(page.notebook.output(2)), page.notebook.output(3)
    row = page.row(wire.item_ids()[0])
    expect(row).to_contain_text("60 pictures")
    expect(row.locator("img")).to_have_count(2)
    row.locator(".iwt-c-item").click()
    expect(page.view.locator(".iwt-detail figure img")).to_have_count(24)
    expect(page.view.locator(".iwt-detail")).to_contain_text("and 36 more")
    expect(line).to_contain_text("and 59 more")
    expect(gallery.view.locator(".iwg-card")).to_contain_text("59 more")
    gallery.view.locator(".iwg-open").click()
    strip = gallery.view.get_by_role("group", name="Pictures of this job")
    expect(strip.locator("img")).to_have_count(48)
    expect(strip).to_contain_text("and 12 more")


def test_picture_in_full_says_what_it_is_and_is_made_again(lab: Lab, wire: Wire, pictures: Path) -> None:
    """Metadata, star, the next one, download; and the form of its workflow with its own values, with a way back."""
    page, gallery = _gallery(lab, wire)
    keys = page.notebook.page.keyboard
    opens = gallery.view.locator(".iwg-open")
    opens.first.focus()
    keys.press("Enter")
    dialog = gallery.view.get_by_role("dialog")
    expect(dialog.locator(".iwg-large img")).to_have_js_property("naturalWidth", 96)
    for text in ("96 × 48", "Prompt", "a fox", "Seed", "blank_image.width 96"):
        expect(dialog).to_contain_text(text)
    themes: list[Theme] = ["light", "dark"]
    for theme in themes:
        page.notebook.screenshot(pictures / f"full-{theme}.png", theme)
        assert [] == violations(page.notebook, ".iwg-full")
    dialog.get_by_role("button", name="Move to a board").click()
    keys.press("Escape")  # closes the menu alone
    dialog.get_by_role("button", name="☆ Star").click()
    expect(dialog.get_by_role("button", name="★ Starred")).to_have_attribute("aria-pressed", "true")
    keys.press("Delete")
    expect(dialog.get_by_role("alertdialog")).to_be_visible()
    keys.press("Escape")
    with page.notebook.page.expect_download() as download:
        dialog.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    again = dialog.get_by_role("button", name="Again with these values")
    before = again.bounding_box()
    keys.press("ArrowRight")
    expect(dialog.locator(".iwg-large img")).to_have_js_property("naturalWidth", 80)
    expect(dialog).to_contain_text("80 × 48")
    assert before == again.bounding_box()  # where a click is on its way
    again.click()
    form = gallery.view.locator(".iwf-form")
    expect(form.get_by_label("blank_image.width", exact=True)).to_have_value("80")
    gallery.press("Enqueue")
    gallery.says("Enqueued 1 of 1 as batch")
    gallery.press("‹ Back to the pictures")
    expect(opens).to_have_count(4)
    expect(opens.nth(2)).to_be_focused()


def test_pictures_are_saved_where_the_kernel_runs(lab: Lab, wire: Wire) -> None:
    """Those selected, into a folder that is asked for, with the server's own bytes."""
    page, gallery = _gallery(lab, wire)
    gallery.view.locator(".iwg-open").first.focus()
    page.notebook.page.keyboard.press("Control+a")
    gallery.press("Save …")
    gallery.view.get_by_label("Folder").fill(f"saved {page.notebook.name}")
    gallery.press("Save")
    gallery.says(re.compile("Saved 3 pictures in "))
    saved = {path.name: path.read_bytes() for path in (lab.notebooks / f"saved {page.notebook.name}").iterdir()}
    assert {name: wire.send("GET", f"/images/i/{name}/full").content for name in saved} == saved
    assert 3 == len(saved)


def test_image_field_takes_a_file_and_pictures_of_the_server(lab: Lab, wire: Wire, pictures: Path) -> None:
    """A dropped file, a picture of the gallery by keyboard, and several, which are a sweep."""
    flow = editor.workflow([editor.node("r", "img_resize", "Resize", image=..., width=32, height=32)])
    page, _ = _gallery(lab, wire, f"console.workflow({flow!r}).form()")
    page.notebook.run_cell(3)
    form = View(page.notebook.output(3))
    expect(form.button("Enqueue")).to_be_disabled()
    png = wire.send("GET", f"/images/i/{wire.get('/images/', limit=1)['items'][0]['image_name']}/full").content
    data = page.notebook.page.evaluate_handle(
        "bytes => { const data = new DataTransfer();"
        " data.items.add(new File([new Uint8Array(bytes)], 'mine.png', { type: 'image/png' })); return data; }",
        [*png],
    )
    form.view.locator(".iwf-image").dispatch_event("drop", {"dataTransfer": data})
    expect(form.view.locator(".iwf-chosen img")).to_have_js_property("naturalWidth", 96)
    form.press("Enqueue")
    form.says("Enqueued 1 of 1 as batch")
    form.press("Pictures of the server for Resize.image")
    shelf = form.view.locator(".iwf-pictures")
    expect(shelf.locator("img").nth(2)).to_be_visible()
    for theme in ("light", "dark"):
        page.notebook.screenshot(pictures / f"shelf-{theme}.png", theme, of=form.view)  # type: ignore[arg-type]
        assert [] == violations(page.notebook, ".iwf-form")
    shelf.get_by_role("button").first.focus()
    keys = page.notebook.page.keyboard
    keys.press("ArrowRight")
    keys.press("Enter")
    expect(shelf).to_have_count(0)
    expect(form.view.locator(".iwf-chosen img")).to_have_count(1)
    form.press("Vary Resize.image")
    form.press("Pictures of the server for Resize.image")
    shelf.get_by_role("button").first.click()
    expect(form.view.get_by_text("sweep of 2")).to_be_visible()
    form.press("Enqueue 2 jobs")
    form.says("Enqueued 2 of 2 as batch")
    until(lambda: wire.queue_status()["completed"] == 6, "all jobs")
