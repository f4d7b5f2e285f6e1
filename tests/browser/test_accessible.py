"""The dashboard by axe-core, by its computed styles, in forced colors, and by the keyboard alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessible import violations
from tests.browser.session import Lab, Theme
from tests.browser.test_dashboard import UNREADABLE, Page
from tests.support.graphs import add_and_multiply, blank_image, fail
from tests.support.wire import Wire, until

pytestmark = pytest.mark.looks

# Families and sizes of what has text of its own and can be seen.
_FONTS = """root => { const families = new Set(), sizes = new Set();
  for (const e of root.querySelectorAll('*')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!(own || e.matches('input, textarea, select')) || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    families.add(style.fontFamily); sizes.add(style.fontSize);
  }
  return [[...families], [...sizes]]; }"""


def every_state(lab: Lab, wire: Wire, look: Callable[[Page, str], None]) -> None:
    """Bring a dashboard into each of its states, one after the other, and have it looked at."""
    done = wire.run(blank_image(32, 16))["item_id"]
    failed = wire.run(fail("out of luck"))["item_id"]
    page = Page(lab, wire)
    look(page, "done")
    running, pending = wire.running_and_pending(2)
    page.row(pending[0]).get_by_role("button", name=f"Cancel item {pending[0]}").click()
    expect(page.row(pending[0])).to_contain_text("Canceled")
    page.select(running, pending[1])
    for item_id in (done, failed):
        page.row(item_id).get_by_role("gridcell").nth(1).click()
        expect(page.view.locator(".iwt-detail")).to_contain_text("batch_id")
        look(page, f"item {item_id}")
    page.notebook.page.keyboard.press("Escape")
    page.press("More actions")
    look(page, "menu")
    page.view.locator(".iw-sheet").get_by_role("button", name="Clear …").click()
    expect(page.question).to_be_visible()
    look(page, "question")
    page.press("Keep")
    page.press("Filter by status")
    look(page, "filter")
    page.notebook.page.keyboard.press("Escape")
    page.tab("Errors")
    page.rows().first.get_by_role("gridcell").nth(1).click()
    page.view.get_by_text("Traceback", exact=True).locator("visible=true").click()
    look(page, "errors")
    page.tab("Cancellations")
    page.rows().first.get_by_role("gridcell").nth(1).click()
    look(page, "cancellations")
    page.tab("Gallery")
    expect(page.view.locator("[role=tabpanel] img").locator("visible=true").first).to_be_visible()
    look(page, "gallery")
    page.tab("Submit")
    page.view.get_by_role("textbox", name="Graph").fill(json.dumps(add_and_multiply()))
    page.press("Vary a field")
    page.view.get_by_label("Field").fill("add.a")
    page.view.get_by_label("Values", exact=True).fill('[1, "seven"]')
    expect(page.view.get_by_role("alert").get_by_text("should be an integer")).to_be_visible()
    look(page, "submit")
    page.tab("Queue")
    wire.put("cancel_by_batch_ids", json={"batch_ids": [wire.item(running)["batch_id"]]})
    wire.enqueue(data=UNREADABLE)
    expect(page.banner).to_be_visible()
    look(page, "stuck")


def test_dashboard_breaks_no_axe_rule(lab: Lab, wire: Wire) -> None:
    """Tabs, open rows, menus, questions, results, a form with an error and a stuck queue break no rule."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    themes: list[Theme] = ["light", "dark"]

    def look(page: Page, name: str) -> None:
        for theme in themes:
            page.notebook.set_theme(theme)
            if broken := violations(page.notebook, ".jp-OutputArea .iw"):
                found[f"{name}, {theme}"] = broken
        themes.reverse()  # the last one is still on

    every_state(lab, wire, look)
    assert {} == found


def test_dashboard_has_two_families_and_four_sizes_of_type(lab: Lab, wire: Wire) -> None:
    """In every state, texts have one of two font families and are 12, 13, 15 or 20 pixels high."""
    families: set[str] = set()

    def look(page: Page, name: str) -> None:
        used, sizes = page.view.locator(".iw").first.evaluate(_FONTS)
        families.update(used)
        assert {"12px", "13px", "15px", "20px"} >= set(sizes), name

    every_state(lab, wire, look)
    assert 2 >= len(families), families


@pytest.fixture
def forced(lab: Lab, wire: Wire) -> Iterator[Page]:
    """A dashboard in forced colors."""
    page = Page(lab, wire)
    page.notebook.page.emulate_media(forced_colors="active", reduced_motion="reduce")
    yield page
    page.notebook.page.emulate_media(forced_colors="none", reduced_motion="reduce")


def test_forced_colors_leave_buttons_bars_and_selection_visible(forced: Page, wire: Wire) -> None:
    """With the user's own colors, buttons have borders, a bar its filled part, and a selected row an outline."""
    running, _ = wire.running_and_pending(1)
    forced.select(running)
    row = forced.row(running)
    expect(row).to_have_attribute("aria-selected", "true")
    forced.notebook.page.mouse.move(0, 0)
    border = "e => [getComputedStyle(e).borderTopStyle, getComputedStyle(e).borderTopWidth].join(' ')"
    for button in (forced.button("More actions"), forced.button("Cancel 1"), forced.button(f"Cancel item {running}")):
        assert "solid 1px" == button.first.evaluate(border)
    assert "solid" == row.evaluate("e => getComputedStyle(e).outlineStyle")
    bar = row.get_by_role("progressbar")
    filled, behind = bar.evaluate("e => [e.firstChild, e].map(x => getComputedStyle(x).backgroundColor)")
    assert filled != behind


def test_every_task_is_done_by_the_keyboard(lab: Lab, wire: Wire) -> None:
    """Cancel one, some, a batch, what waits; retry; read an error, show its jobs; submit a sweep; clear: by keys."""
    failed = [wire.run(fail("out of luck"))["item_id"] for _ in range(2)]
    page = Page(lab, wire)
    keys = page.notebook.page.keyboard

    def press(*names: str) -> None:
        for name in names:
            keys.press(name)

    def focus(name: str, role: str = "button") -> None:
        """Go on with Tab until an element has the focus, from wherever it is, once around the dashboard at most."""
        wanted = page.view.get_by_role(role, name=name).locator("visible=true").first  # type: ignore[arg-type]
        wanted.wait_for()
        for _ in range(80):
            if wanted.evaluate("e => e === document.activeElement"):
                return
            press("Tab")
        raise AssertionError(f"no Tab leads to {name}")

    def to(row: int) -> None:
        """Go to a row by the arrows."""
        start()
        focus("Queue", "tab")
        for _ in range(30):
            press("Tab")
            if page.view.locator(".iwt-body > .iwt-row:focus").count():
                break
        press("Home")
        for _ in range(30):
            if page.row(row).evaluate("e => e === document.activeElement"):
                return
            press("ArrowDown")
        raise AssertionError(f"no arrow leads to {row}")

    def start() -> None:
        page.view.locator(".iw button").first.focus()

    start()
    running, pending = wire.running_and_pending(4)
    expect(page.row(pending[3])).to_be_visible()
    to(pending[0])
    press("Delete")  # one
    page.says(f"Canceled item {pending[0]}.")
    to(pending[1])
    press("Space", "Shift+ArrowDown", "Shift+ArrowDown", "Delete")  # the selected ones
    page.says("Canceled 3 of 3.")
    press("Escape")
    to(running)
    press("ArrowRight", "Enter")  # the row's button
    page.says(f"Canceled item {running}, which was running.")
    assert "canceled" == wire.wait_for(running)["status"]
    running, pending = wire.running_and_pending(2)  # another batch
    expect(page.row(pending[1])).to_be_visible()
    start()
    focus("Filter by batch")
    press("Enter")
    expect(page.view.get_by_role("radio").first).to_be_focused()
    press("ArrowDown", "Enter")  # the newest
    expect(page.rows()).to_have_count(3)
    focus("Cancel this batch (3)")
    press("Enter")
    page.says("Canceled 3 of batch")
    start()
    focus("Remove the filter by batch")
    press("Enter")
    expect(page.rows()).to_have_count(10)
    running, pending = wire.running_and_pending(3)
    start()
    focus("Cancel waiting (3)")
    press("Enter")
    page.says("Canceled 3")
    assert "in_progress" == wire.item(running)["status"]
    to(failed[0])
    press("Enter")
    expect(page.view.get_by_label(f"Details of item {failed[0]}")).to_contain_text("out of luck")  # why it failed
    press("Escape")
    start()
    focus("Queue", "tab")
    press("ArrowRight")
    expect(page.view.get_by_role("tab", name="Errors")).to_be_focused()
    expect(
        page.view.locator(".iwt-body > .iwt-row").filter(has_text="out of luck").locator("visible=true")
    ).to_be_visible()
    press("Tab", "Tab")
    for _ in range(12):
        if page.view.locator(".iwt-body > .iwt-row:focus").count():
            break
        press("Tab")
    press("ArrowRight", "Enter")  # all jobs of an error group
    expect(page.rows()).to_have_count(2)
    start()
    focus("Remove the filter by items")
    press("Enter")
    to(failed[1])
    press("ArrowRight", "Enter")  # retry one
    page.says(f"Retried item {failed[1]}")
    start()
    focus("Retry failed (1)")
    press("Enter")
    page.says(f"Retried item {failed[0]}")
    start()
    focus("Queue", "tab")
    press("End")
    expect(page.view.get_by_role("tab", name="Submit")).to_be_focused()
    focus("Graph", "textbox")
    keys.insert_text(json.dumps(add_and_multiply()))
    focus("Vary a field")
    press("Enter")
    page.view.get_by_label("Field").wait_for()
    start()
    focus("Field", "combobox")
    keys.insert_text("add.a")
    focus("Values", "textbox")
    keys.insert_text("1..3")
    expect(page.view.get_by_text("3 jobs")).to_be_visible()
    focus("Enqueue")
    press("Enter")
    page.says("Enqueued 3 of 3 as batch")
    start()
    focus("Submit", "tab")
    press("Home")
    start()
    focus("More actions")
    press("Enter")
    focus("Clear …")
    press("Enter")
    expect(page.button("Keep")).to_be_focused()
    press("Shift+Tab", "Enter")
    page.says("Cleared the queue")
    assert 0 == wire.queue_status()["total"]


def test_no_task_takes_more_clicks_than_it_should(lab: Lab, wire: Wire) -> None:
    """Cancel one or what waits, retry one or all failed: one click; a batch, a reason, a group's jobs, clear: two."""
    failed = [wire.run(fail("out of luck"))["item_id"] for _ in range(2)]
    page = Page(lab, wire)
    clicks = 0

    def click(target: Locator) -> None:
        nonlocal clicks
        target.click()
        clicks += 1

    def took(most: int) -> None:
        nonlocal clicks
        assert most >= clicks
        clicks = 0

    running, pending = wire.running_and_pending(6)
    click(page.row(pending[0]).get_by_role("button", name="Cancel item"))
    page.says(f"Canceled item {pending[0]}.")
    took(1)
    for item_id in pending[1:3]:
        click(page.row(item_id).get_by_role("gridcell").first)
    click(page.button("Cancel 2"))
    page.says("Canceled 2 of 2.")
    took(2 + 2)
    page.select(*pending[1:3])  # no more
    click(page.button("Cancel waiting (3)"))
    page.says("Canceled 3")
    took(1)
    click(page.row(running).get_by_role("button", name=wire.item(running)["batch_id"][:8]))
    click(page.button("Cancel this batch (1)"))
    page.says("Canceled 1 of batch")
    took(3)
    page.press("Remove the filter by batch")
    click(page.row(failed[0]).get_by_role("gridcell").nth(1))
    expect(page.view.get_by_label(f"Details of item {failed[0]}")).to_contain_text("out of luck")
    took(1)
    click(page.row(failed[0]).get_by_role("button", name="Retry item"))
    page.says(f"Retried item {failed[0]} as")
    took(1)
    until(lambda: 3 == wire.counts()["failed"], "the retry to fail")
    click(page.button("Retry failed (2)"))
    page.says("Retried 2 items as")
    took(1)
    until(lambda: 5 == wire.counts()["failed"], "the retries to fail")
    click(page.view.get_by_role("tab", name="Errors"))
    click(page.button("Show in queue"))
    expect(page.rows()).to_have_count(5)
    took(2)
    page.press("Remove the filter by items")
    click(page.button("Clear …"))
    click(page.button(re.compile(r"Clear \d+ jobs")))
    page.says("Cleared the queue")
    took(2)
