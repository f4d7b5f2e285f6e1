"""A saved notebook, and nbconvert's page of it: the last state, without a kernel."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.session import Lab
from tests.browser.test_dashboard import Page, View
from tests.support.graphs import add_and_multiply, fail, sleep
from tests.support.wire import Wire, until

pytestmark = pytest.mark.looks

_HOSTILE = "<img src=x onerror='document.title=1'>"


def test_saved_notebook_shows_the_last_state(lab: Lab, wire: Wire, tmp_path: Path, pictures: Path) -> None:
    """The file and nbconvert's page have what happened after the display, as text; the live view is unchanged."""
    page = Page(lab, wire)
    outputs = page.view.locator(".jp-OutputArea-child")
    done = wire.run(add_and_multiply())["item_id"]
    page.row(done).locator(".iwt-c-status").click()
    expect(page.view.locator(".iwt-detail")).to_contain_text("batch_id")
    failed = wire.run(fail(_HOSTILE))["item_id"]
    expect(page.row(failed)).to_contain_text(_HOSTILE)
    expect(outputs.locator("visible=true")).to_have_count(1)

    def saved() -> str:
        page.notebook.save()
        cell = json.loads(page.notebook.path.read_text())["cells"][1]
        return "".join(cell["outputs"][1]["data"]["text/html"])

    until(lambda: "1 completed · 1 failed" in saved(), "the last state")
    expect(page.view.locator(".iwt-detail")).to_contain_text("batch_id")

    file = tmp_path / "page.html"
    from nbconvert import HTMLExporter  # takes a second, in each of the processes that only collect this test

    file.write_text(HTMLExporter().from_filename(str(page.notebook.path))[0])
    static = lab.page(file.as_uri(), watched=False)  # nbconvert names scripts of elsewhere
    expect(static.get_by_text("1 completed · 1 failed")).to_be_visible()
    expect(static.get_by_text(re.compile(r"^As of \d{4}-"))).to_be_visible()
    expect(static.get_by_role("row").filter(has_text=_HOSTILE).first).to_contain_text(f"{failed}✕ Failed")
    assert 0 == static.locator("img[src=x]").count()
    static.screenshot(path=pictures / "page.png", full_page=True)

    page.notebook.kernel_execute("console.close()")
    expect(outputs.nth(1)).to_be_visible()
    expect(outputs.nth(1)).to_contain_text("1 completed · 1 failed")
    page.notebook.screenshot(pictures / "closed-dark.png", "dark")


def test_view_without_its_kernel_says_so(lab: Lab, wire: Wire, pictures: Path) -> None:
    """After a restart each view says so and its buttons do nothing; after a reload the last state is left."""
    (item_id,) = wire.enqueue(sleep(60))["item_ids"]
    page = Page(lab, wire, "console.queue_table()", "import ipywidgets\nipywidgets.VBox([console.queue_table()])")
    page.notebook.run_cell(2)
    page.notebook.run_cell(3)
    views = [page, View(page.notebook.output(2)), View(page.notebook.output(3))]
    for view in views:
        expect(view.row(item_id)).to_be_visible()
    page.notebook.save()
    page.notebook.restart_kernel()
    for view in views:
        expect(view.view.get_by_text("Kernel ended")).to_have_count(1)
        view.row(item_id).get_by_role("button", name="Cancel item").click()
        view.select(item_id)
        expect(view.button("Cancel 1")).to_be_disabled()
    expect(page.view.locator(".iw-state")).not_to_have_text("live")
    expect(page.view.get_by_text("Buttons work now")).to_be_hidden()
    assert "in_progress" == wire.item(item_id)["status"]
    page.notebook.screenshot(pictures / "restarted-light.png", "light")
    page.notebook.screenshot(pictures / "restarted-dark.png", "dark")
    page.notebook.reload()
    expect(page.view.get_by_text("1 running")).to_be_visible()
    expect(page.view.get_by_text("Error displaying widget")).to_be_hidden()
    page.notebook.screenshot(pictures / "reloaded-dark.png", "dark")
