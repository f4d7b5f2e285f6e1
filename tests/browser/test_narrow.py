"""The dashboard in a narrow window of a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.session import Lab
from tests.browser.test_dashboard import Page
from tests.support.graphs import fail
from tests.support.wire import Wire, until

pytestmark = pytest.mark.looks


@pytest.fixture
def page(lab: Lab, wire: Wire) -> Iterator[Page]:
    """The dashboard in a window 500 pixels wide."""
    page = Page(lab, wire)
    window = page.notebook.page
    before = window.viewport_size
    window.set_viewport_size({"width": 500, "height": 1000})
    yield page
    window.set_viewport_size(before)


def test_narrow_tabs_and_row_buttons_are_not_cut_off(page: Page, wire: Wire, pictures: Path) -> None:
    """Each tab shows its whole name, and row buttons stay visible where the rows are wider than the table."""
    running, (pending,) = wire.running_and_pending(1)
    page.row(pending).get_by_role("button").click()
    expect(page.view.get_by_role("tab", name="Cancellations 1")).to_be_visible()
    labels = page.view.locator(".lm-TabBar-tabLabel")
    assert [] == labels.evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)")
    for theme in ("light", "dark"):
        page.notebook.screenshot(pictures / f"{theme}.png", theme, of=page.view)
    grid, cell = page.view.get_by_role("grid").bounding_box(), page.row(running).locator(".iwq-last").bounding_box()
    assert grid
    assert cell
    assert cell["x"] + cell["width"] <= grid["x"] + grid["width"]
    assert cell["height"] >= 27  # it hides what is under it


def test_outcome_replaces_the_one_before(page: Page, wire: Wire) -> None:
    """The outcome of a row's button gives way to that of the next button."""
    _, (pending,) = wire.running_and_pending(1)
    page.row(pending).get_by_role("button").click()
    page.says(f"Canceled item {pending}.")
    expect(page.view.locator(".iwq-said")).to_have_text("")
    page.press("pause")
    page.says("Paused: the current item keeps running")
    expect(page.view.get_by_text(f"Canceled item {pending}.").locator("visible=true")).to_have_count(0)


def test_detail_opened_by_key_scrolls_into_view(page: Page, wire: Wire) -> None:
    """The detail of the lowest row scrolls into view as far as its row leaves space."""
    failed = wire.run(fail("out of luck"))["item_id"]
    wire.running_and_pending(14)
    expect(page.view.get_by_role("grid")).to_have_attribute("aria-rowcount", "17")
    page.view.locator(".iwq-body > [tabindex='0']").focus()
    page.notebook.page.keyboard.press("End")
    page.notebook.page.keyboard.press("Enter")
    detail = page.view.get_by_label(f"detail of item {failed}")
    expect(detail).to_contain_text("out of luck")
    expect(page.row(failed)).to_be_in_viewport()
    heights = "e => [e.getBoundingClientRect().top, e.getBoundingClientRect().bottom]"

    def in_sight() -> bool:
        (_, head), (row, _) = page.view.locator(".iwq-head").evaluate(heights), page.row(failed).evaluate(heights)
        (_, lowest), (_, end) = detail.evaluate(heights), page.view.get_by_role("grid").evaluate(heights)
        return bool(row >= head - 2 and (lowest <= end + 2 or row <= head + 2))

    until(in_sight, "the detail to be in sight")
