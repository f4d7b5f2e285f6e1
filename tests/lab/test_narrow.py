"""The dashboard where there is little room, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.lab.session import Lab
from tests.lab.test_dashboard import Page
from tests.wire import Wire

pytestmark = pytest.mark.looks


@pytest.fixture
def page(lab: Lab, wire: Wire) -> Iterator[Page]:
    """The dashboard in a window of 500 pixels."""
    page = Page(lab, wire)
    window = page.notebook.page
    before = window.viewport_size
    window.set_viewport_size({"width": 500, "height": 1000})
    yield page
    window.set_viewport_size(before)


def test_nothing_is_cut_off(page: Page, wire: Wire, pictures: Path) -> None:
    """Each tab shows its whole name, and each button of a row is in sight where the rows are wider than the table."""
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


def test_what_was_done_is_said_once(page: Page, wire: Wire) -> None:
    """What a row's button did gives way to what the next button did."""
    _, (pending,) = wire.running_and_pending(1)
    page.row(pending).get_by_role("button").click()
    page.says(f"Canceled item {pending}.")
    expect(page.view.locator(".iwq-said")).to_have_text("")
    page.press("pause")
    page.says("Paused: the current item goes on")
    expect(page.view.get_by_text(f"Canceled item {pending}.").locator("visible=true")).to_have_count(0)
