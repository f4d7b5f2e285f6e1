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


def picture_workflow() -> dict[str, Any]:
    """Return a workflow whose form has a heading, a row of two numbers, a color and a choice."""
    nodes = [editor.node("p", "blank_image", width=64, height=64, color={"r": 9, "g": 9, "b": 9, "a": 255}, mode="RGB")]
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


def test_dropped_workflow_is_run_as_a_sweep_and_seen_as_a_grid(lab: Lab, wire: Wire, pictures: Path) -> None:
    """Its form has the author's fields; two are changed, one is swept over five values; five cells show pictures."""
    grid_cell = "console.batch(max(console.queue, key=lambda item: item.item_id).batch_id).grid()"
    page = Page(lab, wire, grid_cell)
    page.tab("Submit")
    drop(page, [["plain.json", [json.dumps(picture_workflow())]]])
    form = page.view.locator(".iwf-form")
    expect(form.get_by_role("heading", name="A plain picture")).to_be_visible()
    form.get_by_label("Color", exact=True).fill("#2255cc")
    form.get_by_label("Height", exact=True).fill("96")
    form.get_by_label("Width", exact=True).fill("x")
    expect(form.get_by_role("alert")).to_contain_text("Width: should be values such as")
    expect(page.button("Enqueue")).to_be_disabled()
    form.get_by_label("Width", exact=True).fill("32..64 step 8")
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
    expect(cells(grid.view).locator("img")).to_have_count(5)
    assert [f"Width {n}" for n in range(32, 65, 8)] == grid.view.get_by_role("columnheader").locator(
        "visible=true"
    ).all_inner_texts()[-5:]
    page.notebook.screenshot(pictures / "grid-light.png", "light", of=grid.view)
    page.notebook.screenshot(pictures / "grid-dark.png", "dark", of=grid.view)
    assert [] == violations(page.notebook, ".iwx-board")
    cells(grid.view).nth(1).click()
    dialog = grid.view.get_by_role("dialog")
    expect(dialog.locator(".iwg-large img")).to_have_js_property("naturalWidth", 40)
    page.notebook.page.keyboard.press("ArrowRight")
    expect(dialog.locator(".iwg-large img")).to_have_js_property("naturalWidth", 48)
    page.notebook.page.keyboard.press("Escape")
    expect(cells(grid.view).nth(2).locator(".iwx-open")).to_be_focused()


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
