"""Toasts in a real JupyterLab: what they say, how they are dismissed, and that nothing moves beneath."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab
from tests.browser.test_dashboard import View
from tests.support.graphs import fail
from tests.support.wire import Wire

pytestmark = pytest.mark.looks


class Page(View):
    """A notebook whose second cell shows the dashboard of a console with an alert for every failed job."""

    def __init__(self, lab: Lab, wire: Wire, shown_s: float = 600) -> None:
        connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})\n"
        alert = "from invoke_widgets.alerts import *\nalert = console.alert(on=JobFailed, at_most_every_s=0)\n"
        lasting = f"import invoke_widgets.alerts.sinks as t\nt.SHOWN_S = {shown_s}"
        self.notebook = lab.open([connect + alert + lasting, "console"])
        self.notebook.run_cell(0)
        self.notebook.run_cell(1)
        super().__init__(self.notebook.output(1))
        self.is_live()
        self.toasts = self.view.locator(".iw-toast:not(.iw-rest)")

    def top_of(self, item_id: int) -> float:
        box = self.row(item_id).bounding_box()
        assert box is not None
        return box["y"]


@pytest.fixture
def page(lab: Lab, wire: Wire) -> Page:
    return Page(lab, wire)


def test_failure_shows_a_toast_until_dismissed(page: Page, wire: Wire, pictures: Path) -> None:
    """A failure shows an alert over the dashboard; one click dismisses it in every view."""
    item_id = wire.run(fail("CUDA out of memory. Tried to allocate 2.00 GiB"))["item_id"]
    expect(page.toasts).to_have_count(1)
    toast = page.view.get_by_role("alert")
    expect(toast).to_contain_text(f"Item {item_id} failed: resources")
    expect(toast).to_contain_text("CUDA out of memory. Tried to allocate 2.00 GiB")
    page.notebook.kernel_execute("alert.test()")
    expect(page.toasts.last).to_have_role("status")
    expect(page.toasts.last).to_contain_text("Test of alert 'Job failed'")
    for theme in ("light", "dark"):
        page.notebook.screenshot(pictures / f"toasts-{theme}.png", theme, page.view)  # type: ignore[arg-type]
    page.notebook.set_theme("light")
    toast.get_by_role("button", name="Dismiss").click()
    expect(page.toasts).to_have_count(1)
    expect(page.toasts).to_contain_text("Test of alert")
    page.toasts.first.get_by_role("button", name="Dismiss").click()
    expect(page.toasts).to_have_count(0)
    assert "()" == page.notebook.kernel_execute("print(console.alerts.toasts.showing)").strip()


def test_fourth_toast_waits(page: Page, wire: Wire) -> None:
    """Three toasts show and keep their places; the others are counted, and can be dismissed together."""
    ids = [wire.run(fail(f"number {n}"))["item_id"] for n in range(4)]
    expect(page.toasts).to_have_count(3)
    expect(page.view.get_by_text("and 1 other message")).to_be_visible()
    for place, item_id in enumerate(ids[:3]):
        expect(page.toasts.nth(place)).to_contain_text(f"Item {item_id} failed")
    page.toasts.nth(1).get_by_role("button", name="Dismiss").click()
    expect(page.toasts.nth(2)).to_contain_text(f"Item {ids[3]} failed")
    expect(page.toasts.nth(1)).to_contain_text(f"Item {ids[2]} failed")
    page.press("Dismiss all")
    expect(page.toasts).to_have_count(0)


def test_toasts_move_nothing(page: Page, wire: Wire) -> None:
    """The table's rows and the buttons stay where they are when a toast comes and goes."""
    item_id = wire.run()["item_id"]
    expect(page.row(item_id)).to_contain_text("Completed")
    pause = page.button("Pause")
    before = (page.top_of(item_id), pause.bounding_box())
    page.notebook.kernel_execute("alert.test()")
    expect(page.toasts).to_have_count(1)
    assert before == (page.top_of(item_id), pause.bounding_box())
    page.row(item_id).get_by_role("gridcell").first.click()
    expect(page.row(item_id)).to_have_attribute("aria-selected", "true")
    page.toasts.first.get_by_role("button", name="Dismiss").click()
    expect(page.toasts).to_have_count(0)
    assert before == (page.top_of(item_id), pause.bounding_box())


def test_toasts_leave_the_controls_free_where_it_is_narrow(page: Page, wire: Wire, pictures: Path) -> None:
    """At 420 pixels three of them cover no counter, tab, filter or row, nor the button of what runs."""
    for n in range(3):
        wire.run(fail(f"number {n}: out of luck, and out of memory, at some length"))
    wire.running_and_pending(1)
    expect(page.toasts).to_have_count(3)
    window = page.notebook.page
    before = window.viewport_size
    window.set_viewport_size({"width": 420, "height": 1000})
    expect(page.view.locator(".iwt-cards").first).to_be_visible()
    page.notebook.screenshot(pictures / "toasts-420.png", "light", page.view)
    toasts = page.view.locator(".iw-toasts").bounding_box()
    assert toasts is not None
    covered = [
        button.get_attribute("aria-label") or button.inner_text()
        for button in page.view.locator("button:visible, input:visible").all()
        if (box := button.bounding_box()) is not None
        and not button.evaluate("e => Boolean(e.closest('.iw-toasts')) || e.matches('.iw-plain')")
        and box["x"] < toasts["x"] + toasts["width"]
        and box["x"] + box["width"] > toasts["x"]
        and box["y"] < toasts["y"] + toasts["height"]
        and box["y"] + box["height"] > toasts["y"]
    ]
    window.set_viewport_size(before)
    assert [] == covered


def test_informational_toast_disappears(lab: Lab, wire: Wire) -> None:
    """An informational toast disappears after a while; a failure stays."""
    page = Page(lab, wire, shown_s=0.5)
    page.notebook.kernel_execute("alert.test()")
    wire.run(fail())
    expect(page.view.get_by_role("alert")).to_contain_text("failed")
    expect(page.toasts).to_have_count(1)
    expect(page.toasts).to_contain_text("failed")


def test_toast_shows_html_as_text(page: Page, wire: Wire) -> None:
    """A job's error is text in the page and in the saved notebook."""
    page.notebook.page.evaluate("() => { window.pwned = 0; }")
    wire.run(fail("<img src=x onerror='window.pwned = 1'><b>bold</b>"))
    expect(page.toasts).to_contain_text("<b>bold</b>")
    assert 0 == page.toasts.locator("img, .iw-toast-text b").count()
    assert 0 == page.notebook.page.evaluate("() => window.pwned")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_toasts_break_no_axe_rule(page: Page, wire: Wire, theme: Any) -> None:
    """axe-core finds nothing in the toasts, in either theme."""
    wire.run(fail("CUDA out of memory"))
    page.notebook.kernel_execute(
        "console.alert(on=any_of(QueuePaused, when(JobFailed, 'unknown_error'))).test(); alert.test()"
    )
    expect(page.toasts).to_have_count(3)
    page.notebook.set_theme(theme)
    assert [] == violations(page.notebook, ".iw-toasts")
