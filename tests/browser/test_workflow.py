"""A workflow's form and a sweep's grid in a real JupyterLab: from a dropped file to pictures by their values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessible import violations
from tests.browser.session import Lab
from tests.browser.test_dashboard import Page, View
from tests.browser.test_files import drop
from tests.support import editor
from tests.support.graphs import fail
from tests.support.wire import Wire


def _shown(node_id: str, field: str, **settings: Any) -> dict[str, Any]:
    place = {"nodeId": node_id, "fieldName": field}
    return {"type": "node-field", "data": {"fieldIdentifier": place, "settings": settings}}


def picture_workflow(**fail: Any) -> dict[str, Any]:
    """Return a workflow whose form has a heading, a row of two numbers, a color and a choice.

    Args:
        fail: fields of a further node, that fails.
    """
    nodes = [editor.node("p", "blank_image", width=64, height=64, color={"r": 9, "g": 9, "b": 9, "a": 255}, mode="RGB")]
    if fail:
        nodes.append(editor.node("f", "probe_fail", **fail))
    elements = {
        "root": {"type": "container", "data": {"layout": "column", "children": ["title", "size", "color", "mode"]}},
        "title": {"type": "heading", "data": {"content": "A plain picture"}},
        "size": {"type": "container", "data": {"layout": "row", "children": ["width", "height"]}},
        "width": _shown("p", "width", component="number-input"),
        "height": _shown("p", "height", component="number-input"),
        "color": _shown("p", "color"),
        "mode": _shown("p", "mode"),
    }
    return editor.workflow(nodes, name="Plain", form={"rootElementId": "root", "elements": elements})


def cells(view: Locator) -> Locator:
    return view.locator(".iwx-cell")


GRID = "console.batch(max(console.queue, key=lambda item: item.item_id).batch_id).grid()"


def is_saved(folder: Path, wire: Wire, widths: list[int]) -> bool:
    """Whether a folder has a picture of each width, with the server's own bytes."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    listed = wire.get("/images/", limit=len(widths), is_intermediate=True, starred_first=False)["items"]
    held = {image["width"]: wire.send("GET", f"/images/i/{image['image_name']}/full").content for image in listed}
    return files == {f"{width}.png": held[width] for width in widths}


def test_dropped_workflow_is_run_as_a_sweep_and_seen_as_a_grid(lab: Lab, wire: Wire, pictures: Path) -> None:
    """Two fields are changed, one is swept; five cells fill; one is opened, the failed one retried, all are saved."""
    page = Page(lab, wire, GRID)
    page.tab("Submit")
    flow = picture_workflow(message="out of luck", times=1, name=f"walk {lab.notebooks} {page.notebook.name}")
    drop(page, [["plain.json", [json.dumps(flow)]]])
    form = page.view.locator(".iwf-form")
    expect(form.get_by_role("heading", name="A plain picture")).to_be_visible()
    form.get_by_label("Color", exact=True).fill("#2255cc")
    width = form.get_by_label("Width", exact=True)
    expect(width).to_have_attribute("title", "The width of the image · several as 1, 2, 3 or 1..10")
    width.fill("x")
    form.get_by_label("Height", exact=True).fill("y")
    alerts = form.get_by_role("alert")
    expect(alerts).to_contain_text(["Width: should be values such as", "Height: should be values such as"])
    expect(page.button("Enqueue")).to_be_disabled()
    form.get_by_label("Height", exact=True).fill("96")
    expect(alerts).to_have_count(1)
    width.fill("32..64 step 8")
    expect(form.get_by_text("sweep of 5")).to_be_visible()
    expect(form.get_by_text("5 jobs: 5 Width")).to_be_visible()
    page.notebook.screenshot(pictures / "form-light.png", "light", of=page.view)
    page.notebook.screenshot(pictures / "form-dark.png", "dark", of=page.view)
    assert [] == violations(page.notebook, ".iwf-form")
    page.press("Enqueue 5 jobs")
    page.says("Enqueued 5 of 5 as batch")
    page.notebook.run_cell(2)
    grid = View(page.notebook.output(2))
    cells(grid.view).last.scroll_into_view_if_needed()  # what is not seen is not read
    expect(cells(grid.view).locator("img")).to_have_count(4)
    expect(cells(grid.view).first).to_contain_text("out of luck")
    assert [f"Width {n}" for n in range(32, 65, 8)] == [
        text.removesuffix(" ▾") for text in grid.view.get_by_role("columnheader").all_inner_texts()
    ]
    page.notebook.screenshot(pictures / "grid-light.png", "light", of=grid.view)
    page.notebook.screenshot(pictures / "grid-dark.png", "dark", of=grid.view)
    assert [] == violations(page.notebook, ".iw:has(> div .iwx-board)")
    cells(grid.view).nth(1).locator(".iwx-open").click()
    dialog = grid.view.get_by_role("dialog")
    expect(dialog.locator(".iwg-large img")).to_have_js_property("naturalWidth", 40)
    page.notebook.page.keyboard.press("ArrowRight")
    expect(dialog.locator(".iwg-large img")).to_have_js_property("naturalWidth", 48)
    assert [] == violations(page.notebook, ".iwg-full")
    page.notebook.page.keyboard.press("Escape")
    expect(cells(grid.view).nth(2).locator(".iwx-open")).to_be_focused()
    cells(grid.view).first.get_by_role("button", name="Retry").click()
    expect(cells(grid.view).locator("img")).to_have_count(5)
    grid.press("Save all …")
    assert [] == violations(page.notebook, ".iw:has(> div .iwx-board)")
    grid.view.get_by_label("Folder").fill("walk")
    expect(grid.view.get_by_label("Names")).to_have_value("{Width}")
    grid.press("Save")
    grid.says(re.compile(r"Saved 5 pictures in .*walk\."))
    assert is_saved(lab.notebooks / "walk", wire, list(range(32, 65, 8)))


def test_the_same_by_keyboard_alone(lab: Lab, wire: Wire, tmp_path: Path) -> None:
    """From the file to the saved pictures, with Tab, arrows, Enter, the space bar and Escape."""
    page = Page(lab, wire, GRID)
    flow = picture_workflow(message="out of luck", times=1, name=f"keys {lab.notebooks} {page.notebook.name}")
    (tmp_path / "plain.json").write_text(json.dumps(flow))
    keys = page.notebook.page.keyboard

    def tab_to(target: Locator) -> None:
        for _ in range(60):
            if target.count() == 1 and target.evaluate("it => it === it.getRootNode().activeElement"):
                return
            keys.press("Tab")
        expect(target).to_be_focused()

    page.view.get_by_role("tab", name="Queue").focus()
    keys.press("End")  # the last tab
    with page.notebook.page.expect_file_chooser() as chooser:
        tab_to(page.button("Open file…"))
        keys.press("Enter")
    chooser.value.set_files(tmp_path / "plain.json")
    form = page.view.locator(".iwf-form")
    expect(form).to_be_visible()  # before, Tab leads past its place and out of the page
    tab_to(form.get_by_label("Width", exact=True))
    keys.press("Control+a")
    keys.type("32, 40, 48, 56, 64")
    tab_to(form.get_by_label("Height", exact=True))
    keys.press("Control+a")
    keys.type("96")
    tab_to(form.get_by_label("Mode", exact=True))
    keys.press("ArrowDown")
    expect(form.get_by_text("5 jobs: 5 Width")).to_be_visible()
    tab_to(page.button("Enqueue 5 jobs"))
    keys.press("Enter")
    page.says("Enqueued 5 of 5 as batch")
    page.notebook.run_cell(2)
    grid = View(page.notebook.output(2))
    cells(grid.view).last.scroll_into_view_if_needed()
    expect(cells(grid.view).locator("img")).to_have_count(4)
    grid.button("Columns").focus()
    tab_to(cells(grid.view).first.locator(".iwx-open"))
    keys.press("ArrowRight")
    keys.press("Enter")
    dialog = grid.view.get_by_role("dialog")
    expect(dialog.locator(".iwg-large img")).to_have_js_property("naturalWidth", 40)
    tab_to(dialog.get_by_role("button", name="Star"))
    keys.press("Enter")
    expect(dialog.get_by_role("button", name="★ Starred")).to_be_visible()
    keys.press("Escape")
    expect(cells(grid.view).nth(1).locator(".iwx-open")).to_be_focused()
    keys.press("Home")
    tab_to(cells(grid.view).first.get_by_role("button", name="Retry"))
    keys.press("Enter")
    expect(cells(grid.view).locator("img")).to_have_count(5)
    grid.button("Columns").focus()
    tab_to(grid.button("Save all …"))
    keys.press("Enter")
    expect(grid.view.get_by_label("Folder")).to_be_focused()
    keys.press("Control+a")
    keys.type("keys")
    keys.press("Enter")
    grid.says(re.compile(r"Saved 5 pictures in .*keys\."))
    assert is_saved(lab.notebooks / "keys", wire, [32, 40, 48, 56, 64])


def test_failed_cell_says_why_and_is_retried_by_keyboard(lab: Lab, wire: Wire) -> None:
    """The error is in the cell; its details open and close by keys, and "Run missing" runs it again."""
    page = Page(
        lab,
        wire,
        f"sweep = console.workflow({fail('x')!r}).sweep({{'fail.message': ['no luck', 'bad day']}})\nsweep.grid()",
    )
    page.notebook.run_cell(2)
    grid = View(page.notebook.output(2))
    expect(cells(grid.view).nth(0)).to_contain_text("Failed while running")
    expect(cells(grid.view).nth(0)).to_contain_text("no luck")
    keys = page.notebook.page.keyboard
    cells(grid.view).nth(0).locator(".iwx-open").focus()
    keys.press("ArrowRight")
    expect(cells(grid.view).nth(1).locator(".iwx-open")).to_be_focused()
    keys.press("Enter")
    detail = grid.view.get_by_role("dialog")
    expect(detail).to_contain_text("bad day")
    keys.press("Escape")
    expect(cells(grid.view).nth(1).locator(".iwx-open")).to_be_focused()
    grid.press("Run missing (2)")
    expect(grid.view.locator(".iw-said")).to_contain_text("Retried 2")
    expect(cells(grid.view).nth(1)).to_contain_text("bad day")
    assert 4 == wire.queue_status()["failed"]


@pytest.mark.looks
def test_hostile_names_and_values_stay_text(lab: Lab, wire: Wire) -> None:
    """Titles, labels, headings, values and errors that hold markup are shown as text."""
    bad = "<img src=x onerror='window.pwned=1'>"
    drawn = picture_workflow()
    drawn["name"] = drawn["description"] = bad
    drawn["nodes"][0]["data"]["inputs"]["width"]["label"] = bad
    drawn["form"]["elements"]["title"]["data"]["content"] = bad
    page = Page(
        lab, wire, f"console.workflow({drawn!r}).form()", f"console.workflow({fail(bad)!r}).submit(runs=2).grid()"
    )
    page.notebook.page.evaluate("() => { window.pwned = 0; }")
    page.notebook.run_cell(2)
    expect(page.notebook.output(2).get_by_role("heading", name=re.compile("onerror")).first).to_be_visible()
    page.notebook.run_cell(3)
    expect(cells(page.notebook.output(3)).first).to_contain_text("onerror")
    assert 0 == page.notebook.page.evaluate("() => window.pwned")


def test_a_seed_has_a_die_and_limits(lab: Lab, wire: Wire) -> None:
    """It sets another number, of those that it may be; no other field has one."""
    graph = {"nodes": {"range": {"type": "random_range", "size": 1, "seed": 3}}, "edges": []}
    page = Page(lab, wire, f"console.workflow({graph!r}).form()")
    page.notebook.run_cell(2)
    form = View(page.notebook.output(2))
    expect(form.view.get_by_label("range.seed", exact=True)).to_have_value("3")
    limits = re.compile(r" · 0 to 4294967295 · several as ")
    expect(form.view.get_by_label("range.seed", exact=True)).to_have_attribute("title", limits)
    form.view.get_by_role("button", name="Another").click()
    expect(form.view.get_by_label("range.seed", exact=True)).to_have_value(re.compile(r"^(?!3$)\d+$"))
    expect(form.view.locator(".iws-plan")).to_have_text("1 job")


def test_a_generator_is_set_by_its_settings_or_by_values(lab: Lab, wire: Wire) -> None:
    """A control each, as in the editor; the link beside its name is for the values themselves."""
    sequence = {"type": "integer_generator_arithmetic_sequence", "start": 5, "step": 1, "count": 2}
    nodes = [
        editor.node("g", "integer_generator", "Numbers", generator=sequence),
        editor.node("b", "integer_batch", batch_group_id="None"),
        editor.node("n", "add", a=0, b=100),
    ]
    shown = [{"nodeId": "g", "fieldName": "generator"}]
    flow = editor.workflow(nodes, "g.integers -> b.integers", "b.value -> n.a", exposedFields=shown)
    setting = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})\nconsole.workflow({flow!r})"
    notebook = lab.open([setting])
    notebook.run()
    form = notebook.output(0).locator(".iwf-form")
    expect(form.get_by_label("Step", exact=True)).to_have_value("1")
    form.get_by_label("Count", exact=True).fill("5")
    expect(form.get_by_role("button", name="Enqueue 5 jobs")).to_be_enabled()
    form.get_by_label("Count", exact=True).fill("many")
    expect(form.get_by_role("alert")).to_contain_text("count should be a whole number")
    form.get_by_role("button", name=re.compile("^Values of")).click()
    form.get_by_placeholder("one value per line").fill("7\n9")
    form.get_by_placeholder("one value per line").press_sequentially("\n11")
    expect(form.get_by_role("button", name="Enqueue 3 jobs")).to_be_enabled()
    assert [] == violations(notebook, ".iwf-form")
    form.get_by_role("button", name=re.compile("^Settings of")).click()
    expect(form.get_by_label("Count", exact=True)).to_have_value("2")
