"""The views by axe-core, by their computed styles, in forced colors, and by the keyboard alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessible import violations
from tests.browser.session import Lab, NotebookPage, Theme
from tests.browser.test_dashboard import UNREADABLE, Page, View
from tests.browser.test_workflow import picture_workflow
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
# In forced colors: buttons without a line around them, their chip or cell, or under their text, and texts that keep
# their own colors. A tab has a line of its own. The contrast is then the user's, and axe-core does not see it.
_UNSEEN = """root => [...root.querySelectorAll('*')].filter(e => {
  const style = getComputedStyle(e), own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  return e.getClientRects().length && (own && style.forcedColorAdjust === 'none'
    || e.matches('button:not([role=tab], .iw-chip *, .iwx-cell > .iwx-open)')
    && style.borderTopStyle !== 'solid' && style.textDecorationLine !== 'underline');
}).map(e => e.outerHTML.slice(0, 200)).slice(0, 3)"""


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
    page.view.get_by_label(re.compile("^Values")).fill('[1, "seven"]')
    expect(page.view.get_by_role("alert").get_by_text("should be an integer")).to_be_visible()
    look(page, "submit")
    page.tab("Queue")
    wire.put("cancel_by_batch_ids", json={"batch_ids": [wire.item(running)["batch_id"]]})
    wire.enqueue(data=UNREADABLE)
    expect(page.banner).to_be_visible()
    look(page, "stuck")


class Looked:
    """What is found in the states of views: broken rules, fonts, and buttons that cannot be told from text."""

    def __init__(self) -> None:
        self.broken: dict[str, object] = {}
        self.families: set[str] = set()
        self._themes: list[Theme] = ["light", "dark"]

    def look(self, notebook: NotebookPage, view: Locator, selector: str, name: str) -> None:
        """Look at a view, also by a selector for axe-core, in both themes, and in forced colors."""
        used, sizes = view.evaluate(_FONTS)
        self.families.update(used)
        if odd := set(sizes) - {"12px", "13px", "15px", "20px"}:
            self.broken[f"{name}, sizes"] = odd
        for theme in self._themes:
            notebook.set_theme(theme)
            if broken := violations(notebook, selector):
                self.broken[f"{name}, {theme}"] = broken
        self._themes.reverse()  # the last one is still on
        notebook.page.emulate_media(forced_colors="active", reduced_motion="reduce")
        if broken := view.evaluate(_UNSEEN):
            self.broken[f"{name}, forced colors"] = broken
        notebook.page.emulate_media(forced_colors="none", reduced_motion="reduce")


@pytest.fixture
def looked(lab: Lab) -> Iterator[Looked]:
    """Finds nothing wrong, or the test fails: at most two families, four sizes, no rule broken, each button seen."""
    found = Looked()
    yield found
    assert {} == found.broken
    assert 2 >= len(found.families), found.families


def test_dashboard_can_be_read_in_every_state(lab: Lab, wire: Wire, looked: Looked) -> None:
    """Tabs, open rows, menus, questions, pictures, a form with an error and a stuck queue."""

    def look(page: Page, name: str) -> None:
        looked.look(page.notebook, page.view.locator(".iw").first, ".jp-OutputArea .iw", name)

    every_state(lab, wire, look)


def test_form_grid_and_pictures_can_be_read(lab: Lab, wire: Wire, looked: Looked) -> None:
    """A workflow's form with an error, a sweep's grid with a failure, a gallery with a selection, a picture in full."""
    drawn = picture_workflow(message="out of luck", times=1, name=f"read {lab.notebooks}")
    drawn["nodes"][0]["data"]["isIntermediate"] = False  # the gallery has results alone
    sweep = f"flow = console.workflow({drawn!r})\nsweep = flow.sweep({{'Width': [64, 80]}})\nsweep.wait()"
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})"
    notebook = lab.open([connect, sweep, "flow.form()", "sweep.grid()", "console.gallery()"])
    notebook.run()
    form, grid, gallery = (View(notebook.output(cell)) for cell in (2, 3, 4))

    def look(view: View, selector: str, name: str) -> None:
        looked.look(notebook, view.view.locator(".iw").first, selector, name)

    form.view.get_by_label("Width", exact=True).fill("x")
    expect(form.view.get_by_role("alert")).to_be_visible()
    form.view.locator("summary").click()
    look(form, ".iwf-form", "form")
    expect(grid.view.locator(".iwx-cell img")).to_have_count(1)
    look(grid, ".iw:has(> div .iwx-board)", "grid")
    grid.press("Save all …")
    look(grid, ".iw:has(> div .iwx-board)", "grid, save")
    keys = notebook.page.keyboard
    keys.press("Escape")
    opens = gallery.view.locator(".iwg-open")
    opens.first.scroll_into_view_if_needed()  # what is not seen is not read
    expect(opens.locator("img").first).to_be_visible()
    opens.first.focus()
    keys.press("Space")
    look(gallery, ".iw:has(> div .iwg-card)", "gallery")
    opens.first.focus()
    keys.press("Enter")
    expect(gallery.view.get_by_role("dialog").locator(".iwg-large img")).to_have_js_property("naturalWidth", 80)
    look(gallery, ".iwg-full", "in full")


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


MOVES = ("Tab", "Shift+Tab", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End")


def test_every_task_is_done_by_the_keyboard(lab: Lab, wire: Wire) -> None:
    """Cancel one, some, a batch, what waits; retry; read an error, show its jobs; submit; clear: in few keys."""
    failed = [wire.run(fail("out of luck"))["item_id"] for _ in range(2)]
    page = Page(lab, wire)
    keys = page.notebook.page.keyboard
    done = 0

    def press(*names: str) -> None:
        nonlocal done
        for name in names:
            keys.press(name)
            done += name not in MOVES

    def took(most: int) -> None:
        """Tell how many keys a task may have taken, those left out that only lead from one element to the next."""
        nonlocal done
        assert most >= done
        done = 0

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
    took(2)
    to(pending[1])
    press("Space", "Shift+ArrowDown", "Shift+ArrowDown", "Delete")  # the selected ones
    page.says("Canceled 3 of 3.")
    took(3 + 2)
    press("Escape")
    took(1)
    to(running)
    press("ArrowRight", "Enter")  # the row's button
    page.says(f"Canceled item {running}, which was running.")
    took(1)
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
    took(3)
    start()
    focus("Remove the filter by batch")
    press("Enter")
    expect(page.rows()).to_have_count(10)
    took(1)
    running, pending = wire.running_and_pending(3)
    start()
    focus("Cancel waiting (3)")
    press("Enter")
    page.says("Canceled 3 waiting jobs.")
    took(1)
    assert "in_progress" == wire.item(running)["status"]
    to(failed[0])
    press("Enter")
    expect(page.view.get_by_label(f"Details of item {failed[0]}")).to_contain_text("out of luck")  # why it failed
    took(1)
    press("Escape")
    took(1)
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
    took(1)
    start()
    focus("Remove the filter by items")
    press("Enter")
    took(1)
    to(failed[1])
    press("ArrowRight", "Enter")  # retry one
    page.says(f"Retried item {failed[1]}")
    took(1)
    start()
    focus("Retry failed (1)")
    press("Enter")
    page.says(f"Retried item {failed[0]}")
    took(1)
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
    took(2)
    start()
    focus("Show")
    press("Enter")
    expect(page.rows()).to_have_count(3)
    took(1)
    start()
    focus("Remove the filter by batch")
    press("Enter")
    took(1)
    start()
    focus("Queue", "tab")
    press("Home")
    start()
    focus("Clear …")
    press("Enter")
    expect(page.button("Keep")).to_be_focused()
    press("Shift+Tab", "Enter")
    page.says("Cleared the queue")
    took(2)
    assert 0 == wire.queue_status()["total"]


def test_no_task_takes_more_clicks_than_it_should(lab: Lab, wire: Wire) -> None:
    """Cancel one or what waits, retry one or all failed: one click; a group's jobs, clear: two; submit: three."""
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
    keys = page.notebook.page.keyboard
    click(page.view.get_by_role("tab", name="Submit"))
    click(page.view.get_by_role("textbox", name="Graph"))
    keys.insert_text(json.dumps(add_and_multiply()))
    expect(page.view.locator(".iws-plan")).to_have_text("1 job")
    click(page.button(re.compile("^Enqueue$")))
    page.says("Enqueued 1 of 1 as batch")
    took(3)
    click(page.button("Vary a field"))
    click(page.view.get_by_label("Field"))
    keys.insert_text("add.a")
    keys.press("Tab")
    keys.insert_text("1, 2, 3")
    expect(page.view.locator(".iws-plan")).to_contain_text("3 jobs")
    click(page.button(re.compile("^Enqueue$")))
    page.says("Enqueued 3 of 3 as batch")
    took(5 - 2)  # the tab and the graph are there
    click(page.button("Show"))
    expect(page.rows()).to_have_count(3)
    took(1)
    page.press("Remove the filter by batch")
    click(page.button("Clear …"))
    click(page.button(re.compile(r"Clear \d+ jobs")))
    page.says("Cleared the queue")
    took(2)
