"""What the user points at, types in or has open in the dashboard stays as it is, in JupyterLab."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.session import Lab
from tests.browser.test_dashboard import UNREADABLE, Page
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, fail, sleep
from tests.support.wire import Wire

pytestmark = pytest.mark.looks

WATCH = """grid => {
  const tops = window.tops = new Set(), dashboard = grid.closest('.iw-shell').parentElement.closest('.iw-shell');
  const look = () => {
    tops.add(Math.round(grid.getBoundingClientRect().top - dashboard.getBoundingClientRect().top));
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.mark.parametrize("width", [1100, 420])
def test_no_row_moves_whatever_happens(lab: Lab, wire: Wire, width: int) -> None:
    """Jobs begin, end and fail; banners, questions, selections, notes and toasts come and go: the table stays there."""
    with ChaosProxy(wire.server.url) as proxy:
        page = Page(lab, wire, url=proxy.url)
        set_width(page, width)
        page.notebook.kernel_execute(
            "from invoke_widgets.alerts import *\nconsole.alert(on=JobFailed, at_most_every_s=0)"
        )
        expect(page.view.get_by_text("Idle")).to_be_visible()
        page.view.get_by_role("grid").evaluate(WATCH)
        running, pending = wire.running_and_pending(3)
        expect(page.view.locator(".iw-now")).to_contain_text(f"item {running}")
        page.choose("Clear …")
        expect(page.question).to_be_visible()
        page.press("Keep")
        page.select(running, *pending)
        expect(page.button("Cancel 4")).to_be_visible()
        page.press("Pause")
        expect(page.banner).to_contain_text("Paused")
        page.banner.get_by_role("button", name="Resume").click()
        expect(page.banner).to_have_count(0)  # or it may be sent too late
        page.press("Cancel 4")
        page.says("Canceled 4 of 4.")
        page.select(running)
        page.notebook.page.keyboard.press("Delete")  # of three that have finished
        expect(page.view.locator(".iwq-note")).to_be_visible()
        wire.run(fail())
        expect(page.view.locator(".iw-toast")).to_be_visible()
        expect(page.view.get_by_text("Idle")).to_be_visible()
        with proxy.offline():
            expect(page.banner).to_contain_text("Offline")
            page.choose(re.compile("Prune finished"))
            expect(page.view.locator(".iw-failures").get_by_role("alert").first).to_be_visible()
            page.press("Try now")
        page.is_live()
        expect(page.view.locator(".iw-failures")).to_have_count(0)
        wire.enqueue(data=UNREADABLE)
        expect(page.banner).to_contain_text("Queue stuck")
        page.press("Cancel its batch (1 job)")
        expect(page.banner).to_have_count(0)
        assert 1 == len(page.view.evaluate("() => [...window.tops]"))


def test_a_menu_longer_than_its_table_is_reached_to_its_end(lab: Lab, wire: Wire) -> None:
    """It scrolls by itself: it is not cut off by the end of the view, and the table stays where it is."""
    wire.run()
    page = Page(lab, wire)
    page.view.get_by_role("grid").evaluate(WATCH)
    page.press("More actions")
    menu, shell = page.view.locator(".iw-sheet"), page.view.locator(".iw-shell").first
    ends = [box["y"] + box["height"] for box in (menu.bounding_box(), shell.bounding_box()) if box]
    assert ends == sorted(ends)
    page.notebook.page.keyboard.press("ArrowUp")
    last = menu.get_by_role("button", name="Copy filter as code")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    assert 1 == len(page.view.evaluate("() => [...window.tops]"))


def set_width(page: Page, width: int) -> None:
    page.notebook.kernel_execute(f"console._shown.layout.width = '{width}px'")
    expect(page.view.locator(".iw").first).to_have_css("width", f"{width}px")


CELLS = "() => jupyterapp.shell.currentWidget.content.widgets.length"
STOPS = "button:not([aria-disabled]), select, [tabindex='0'], input:not([type=file]), textarea"
PARTS = ("console.submitter()", "console.controls()", "console.error_log()", "console.cancellation_log()")
PARTS += ("console.gallery()", "console.queue_table()", "console")


def test_keys_in_a_view_do_not_reach_jupyterlab(lab: Lab, wire: Wire) -> None:
    """No key pressed in any part reaches JupyterLab, which would delete, insert or leave cells."""
    wire.run(fail())
    done = wire.run()["item_id"]
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})\nconsole.cancel({done})"
    notebook = lab.open([connect, *PARTS])
    notebook.run()
    wire.run()  # so that the results have something to show
    keys, cells = notebook.page.keyboard, notebook.page.evaluate(CELLS)
    for index, part in enumerate(PARTS, start=1):
        outermost = notebook.output(index).locator(".iw").first
        stop = outermost.locator(STOPS).locator("visible=true").first
        stop.focus()
        expect(stop).to_have_attribute("data-lm-suppress-shortcuts", "true")  # the view's script is there
        for key in ("d", "d", "a", "x", "ArrowDown"):
            keys.press(key)
        assert (part, cells) == (part, notebook.page.evaluate(CELLS))
        assert (part, True) == (part, outermost.evaluate("e => e.contains(document.activeElement)"))


def has_focus(locator: Locator) -> None:
    expect(locator.locator("visible=true")).to_be_focused()


def test_focus_stays_on_busy_and_replaced_buttons(lab: Lab, wire: Wire) -> None:
    """The focus stays on a button that is busy or disabled, and follows one that is replaced."""
    wire.running_and_pending(2)
    page = Page(lab, wire)
    keys = page.notebook.page.keyboard
    for name, outcome in (("Pause", "Paused"), ("▶", "Resumed")):
        page.button(name).focus()
        keys.press("Enter")
        page.says(outcome)
        has_focus(page.button("▶" if name == "Pause" else "Pause"))
    more = page.button("More actions")
    more.focus()
    keys.press("Enter")
    menu = page.view.locator(".iw-sheet")
    has_focus(menu.get_by_role("button", name="Cancel waiting (2)"))
    keys.press("Enter")
    page.says("Canceled 2")
    has_focus(more)
    keys.press("Enter")
    menu.get_by_role("button", name="Clear …").focus()
    keys.press("Space")
    has_focus(page.button("Keep"))
    keys.press("Escape")
    expect(page.question).to_have_count(0)
    assert page.view.evaluate("e => e.contains(document.activeElement)")
    page.tab("Submit")
    page.view.get_by_label("Graph").fill(json.dumps(add_and_multiply()))
    page.button("Vary a field").focus()
    keys.press("Enter")
    page.button("Remove the values of this row").focus()
    keys.press("Enter")
    expect(page.view.locator(".iws-row")).to_have_count(0)
    has_focus(page.button("Vary a field"))
    enqueue = page.button(re.compile("^Enqueue"))
    expect(enqueue).to_be_enabled()
    enqueue.focus()
    keys.press("Enter")
    page.says("Enqueued 1 of 1 as batch")
    has_focus(enqueue)


def test_open_traceback_stays_open_and_can_be_copied(lab: Lab, wire: Wire) -> None:
    """An equal error counts up and leaves the traceback open and focused; it is copied, also without https."""
    wire.run(fail("out of luck"))
    page = Page(lab, wire)
    page.tab("Errors 1")
    page.rows().locator(".iwt-c-message").click()
    opened = page.view.locator(".iwt-detail details").locator("visible=true")
    summary = opened.locator("summary")
    summary.click()
    wire.run(fail("out of luck"))
    expect(page.view.locator(".iwt-detail")).to_contain_text("2, first")
    assert opened.evaluate("e => e.open")
    has_focus(summary)
    text = opened.locator("pre").inner_text()
    page.notebook.page.evaluate(
        "() => Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})"
    )
    page.press("Copy the traceback")
    expect(page.button("Copied")).to_be_visible()
    page.tab("Submit")
    graph = page.view.get_by_label("Graph")
    graph.focus()
    page.notebook.page.keyboard.press("Control+V")
    expect(graph).to_have_value(re.compile(rf"^{re.escape(text.strip())}\s*$"))
    page.notebook.page.evaluate("() => { document.execCommand = () => false; }")
    page.tab("Errors 2")
    page.press("Copy the traceback")
    expect(page.button("Could not copy")).to_be_visible()
    page.notebook.page.evaluate("() => { delete document.execCommand; delete navigator.clipboard; }")


def test_layout_follows_the_view_width(lab: Lab, wire: Wire) -> None:
    """In a view of 420 pixels buttons, labels and times are whole, however wide the window is."""
    wire.run(fail())
    page = Page(lab, wire)
    wire.enqueue(sleep(60))
    set_width(page, 420)
    expect(page.view.locator(".iw-now")).to_contain_text("elapsed")
    words = ".iw-tabs > button, .iw-tools button, .iw-state, .iw-head h3, .iw-now .iw-dim, .iw-tile span, .iw-name"
    edge = page.view.locator(".iw").first.evaluate("e => e.getBoundingClientRect().right")
    for tab in ("Submit", "Errors 1", "Cancellations", "Gallery", "Queue"):
        page.tab(tab)
        cut = (
            page.view.locator(words)
            .locator("visible=true")
            .evaluate_all(
                "(all, edge) => all.filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth"
                " || e.getBoundingClientRect().right > edge).map(e => e.textContent)",
                edge,
            )
        )
        assert (tab, []) == (tab, cut)
