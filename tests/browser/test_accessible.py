"""axe-core over the dashboard: every tab, every question and message, in both themes."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab, Theme
from tests.browser.test_dashboard import Page
from tests.support.graphs import add_and_multiply, blank_image, fail
from tests.support.wire import Wire

pytestmark = pytest.mark.looks


class Check:
    """Runs axe-core on the dashboard as it is, in both themes, and keeps the violations by state."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._themes: list[Theme] = ["light", "dark"]
        self.found: dict[str, list[tuple[str, str, str]]] = {}

    def look(self, name: str) -> None:
        for theme in self._themes:
            self._page.notebook.set_theme(theme)
            if broken := violations(self._page.notebook, ".iw-dashboard"):
                self.found[f"{name}, {theme}"] = broken
        self._themes.reverse()  # the last one is still on


def test_dashboard_breaks_no_axe_rule(lab: Lab, wire: Wire) -> None:
    """Tabs, an open row, errors, questions, results, a form with an error and a stuck queue break no rule."""
    done = wire.run(blank_image(32, 16))["item_id"]
    wire.run(fail("out of luck"))
    page = Page(lab, wire)
    check = Check(page)
    running, pending = wire.running_and_pending(2)
    page.row(pending[0]).get_by_role("gridcell").first.click()
    page.cancel_selected(1)
    expect(page.row(pending[0])).to_contain_text("canceled")
    page.row(done).locator(".iwq-c-status").click()
    expect(page.view.locator(".iwq-detail")).to_contain_text("batch_id")
    check.look("queue")
    page.press("clear …")
    expect(page.view.locator(".iw-question")).to_be_visible()
    check.look("clear")
    page.press("keep")
    page.tab("Errors 1")
    page.view.get_by_text("Traceback", exact=True).click()
    check.look("errors")
    page.tab("Cancellations 1")
    expect(page.view.locator(".iw-table")).to_be_visible()
    check.look("cancellations")
    page.tab("Results")
    expect(page.view.locator(".iw-images img")).to_be_visible()
    check.look("results")
    page.tab("Submit")
    page.view.get_by_role("textbox", name="graph").fill(json.dumps(add_and_multiply()))
    page.press("vary a field")
    page.view.get_by_label("field").locator("visible=true").last.fill("add.a")
    page.view.get_by_label("values").fill('[1, "seven"]')
    expect(page.view.get_by_role("alert").get_by_text("should be an integer")).to_be_visible()
    check.look("submit")
    page.tab("Queue")
    wire.put("cancel_by_batch_ids", json={"batch_ids": [wire.item(running)["batch_id"]]})
    wire.enqueue(data=[[{"node_path": "add", "field_name": "a", "items": ["seven"]}]])
    expect(page.view.locator(".iw-wedge")).to_be_visible()
    check.look("wedge")
    page.view.locator(".iw-wedge").get_by_role("button").click()
    expect(page.view.locator(".iw-wedge")).to_be_hidden()
    assert {} == check.found
