"""What the user points at, types in or has open in the dashboard stays as it is, in JupyterLab."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.session import Lab
from tests.browser.test_dashboard import Page
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, fail, sleep
from tests.support.wire import Wire

pytestmark = pytest.mark.looks

WATCH = """grid => {
  const tops = window.tops = new Set(), dashboard = grid.closest('.iw-dashboard');
  const look = () => {
    tops.add(Math.round(grid.getBoundingClientRect().top - dashboard.getBoundingClientRect().top));
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.mark.parametrize("width", [1100, 420])
def test_no_row_moves_whatever_happens(lab: Lab, wire: Wire, width: int) -> None:
    """Items begin, end and fail, questions come and go: the table stays where it was."""
    with ChaosProxy(wire.server.url) as proxy:
        notebook = lab.open([f"import invoke_widgets as iw\nconsole = iw.connect({proxy.url!r})", "console"])
        notebook.run_cell(0)
        notebook.run_cell(1)
        view = notebook.output(1)

        def press(name: str) -> None:
            view.get_by_role("button", name=name).locator("visible=true").click()

        expect(view.get_by_text("● live").first).to_be_visible()
        expect(view.get_by_text("Idle")).to_be_visible()
        notebook.kernel_execute(f"console._shown.layout.width = '{width}px'")
        expect(view.locator(".iw-dashboard")).to_have_css("width", f"{width}px")
        view.get_by_role("grid").evaluate(WATCH)
        running, pending = wire.running_and_pending(3)
        expect(view.locator(".iw-item")).to_have_text(f"item {running}")
        press("clear …")
        expect(view.locator(".iw-question")).to_be_visible()
        press("keep")
        wire.put("cancel_by_batch_ids", json={"batch_ids": [wire.item(pending[0])["batch_id"]]})
        wire.run(fail())
        expect(view.get_by_text("Idle")).to_be_visible()
        press("pause")
        expect(view.get_by_text("paused: the worker takes no items")).to_be_visible()
        press("resume")
        expect(view.get_by_text("paused: the worker takes no items")).to_be_hidden()  # or it may be sent too late
        with proxy.offline():
            expect(view.locator(".iw-connection")).to_contain_text("offline")
            press("prune")
            expect(view.get_by_role("alert").locator("visible=true").first).to_be_visible()
            expect(view.get_by_role("button", name="try now")).to_be_visible()
            press("try now")
        expect(view.get_by_text("● live").first).to_be_visible()
        expect(view.locator(".iw-strip")).to_have_count(0)
        wire.enqueue(data=[[{"node_path": "add", "field_name": "a", "items": ["seven"]}]])
        expect(view.locator(".iw-wedge")).to_be_visible()
        view.locator(".iw-wedge").get_by_role("button").click()
        expect(view.locator(".iw-wedge")).to_be_hidden()
        assert 1 == len(view.evaluate("() => [...window.tops]"))
        moved = "e => [...e.querySelectorAll('*')].filter(e => e.scrollTop).map(e => e.className)"
        assert [] == view.locator(".iw-head").evaluate(moved)  # by a click on what was out of sight


CELLS = "() => jupyterapp.shell.currentWidget.content.widgets.length"
STOPS = "button:enabled, select:enabled, [tabindex='0'], input:enabled"
PARTS = ("console.submitter()", "console.controls()", "console.error_log()", "console.cancellation_log()")
PARTS += ("console.results()", "console.queue_table()", "console")


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

    def button(name: str) -> Locator:
        return page.view.get_by_role("button", name=name)

    for name, outcome in (("cancel pending", "Canceled 2 pending"), ("pause", "Paused"), ("resume", "Resumed")):
        button(name).focus()
        keys.press("Enter")
        page.says(outcome)
        has_focus(button("pause" if name == "resume" else "resume" if name == "pause" else name))
    button("clear …").focus()
    keys.press("Space")
    has_focus(button("keep"))
    keys.press("Space")
    has_focus(button("clear …"))
    page.tab("Submit")
    page.view.get_by_label("graph").fill(json.dumps(add_and_multiply()))
    button("vary a field").focus()
    keys.press("Enter")
    button("remove").focus()
    keys.press("Enter")
    expect(button("remove")).to_have_count(0)
    has_focus(button("vary a field"))
    button("enqueue").focus()
    keys.press("Enter")
    page.says("Enqueued 1 of 1 as batch")
    has_focus(button("enqueue"))


def test_open_traceback_stays_open_and_can_be_copied(lab: Lab, wire: Wire) -> None:
    """An equal error counts up and leaves the traceback open and focused; it is copied, also without https."""
    wire.run(fail("out of luck"))
    page = Page(lab, wire)
    page.tab("Errors 1")
    summary, opened = page.view.locator(".iw-traceback summary"), page.view.locator(".iw-traceback")
    summary.click()
    wire.run(fail("out of luck"))
    expect(page.view.locator(".iw-detail")).to_contain_text("2, first")
    assert opened.evaluate("e => e.open")
    has_focus(summary)
    text = page.view.locator(".iw-traceback pre").inner_text()
    page.notebook.page.evaluate(
        "() => Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})"
    )
    page.view.locator(".iw-copy").click()
    expect(page.view.locator(".iw-copy")).to_have_text("Copied")
    page.tab("Submit")
    graph = page.view.get_by_label("graph")
    graph.focus()
    page.notebook.page.keyboard.press("Control+V")
    expect(graph).to_have_value(re.compile(rf"^{re.escape(text.strip())}\s*$"))
    page.notebook.page.evaluate("() => { document.execCommand = () => false; }")
    page.tab("Errors 2")
    page.view.locator(".iw-copy").click()
    expect(page.view.locator(".iw-copy")).to_have_text("Could not copy")
    page.notebook.page.evaluate("() => { delete document.execCommand; delete navigator.clipboard; }")


def test_layout_follows_the_view_width(lab: Lab, wire: Wire) -> None:
    """In a view of 420 pixels tabs, labels and times are whole, however wide the window is."""
    wire.run(fail())
    page = Page(lab, wire)
    wire.enqueue(sleep(60))
    page.notebook.kernel_execute("console._shown.layout.width = '420px'")
    expect(page.view.locator(".iw-times")).to_contain_text("elapsed")
    words = ".lm-TabBar-tabLabel, .iw-times, .iw-connection, .iw-address, .iw-count, .widget-label, .iw-press > button"
    edge = page.view.locator(".iw-dashboard").evaluate("e => e.getBoundingClientRect().right")
    for tab in ("Submit", "Errors 1", "Cancellations", "Results", "Queue"):
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
