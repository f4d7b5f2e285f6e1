"""The queue table in a real JupyterLab: what is shown, pressed and typed. Most tests feed a store; some run jobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessible import violations
from tests.browser.session import Lab, NotebookPage
from tests.support.graphs import add_and_multiply, fail, sleep
from tests.support.wire import Wire, until

_ROOT = Path(__file__).parents[2]
_IMPORTS = f"""import sys
sys.path.insert(0, {str(_ROOT)!r})
from invoke_widgets.records import *
from invoke_widgets.widgets.queue_table import QueueTable
from tests.support.table_console import FedConsole, item"""


class TablePage:
    """A notebook whose last cell shows `table`."""

    def __init__(self, lab: Lab, *cells: str) -> None:
        self.notebook: NotebookPage = lab.open([_IMPORTS, *cells, "table"])
        self.notebook.run()
        self.output: Locator = self.notebook.output(len(cells) + 1)
        self.grid = self.output.get_by_role("grid")
        expect(self.grid).to_be_visible()

    def kernel(self, code: str) -> str:
        """Run code in the kernel and return what it printed, once a fed console's threads have settled."""
        return self.notebook.kernel_execute(code).strip()

    def comes_to(self, expected: str, expression: str) -> None:
        """Wait until the kernel has a value: a page holds a change back until the one before has arrived."""
        until(lambda: expected == self.kernel(f"print({expression})"), f"{expression} to be {expected}")

    def row(self, item_id: int) -> Locator:
        return self.output.locator(f'[role="row"][data-id="{item_id}"]')

    def count(self, text: str) -> None:
        expect(self.counted).to_have_text(text)

    @property
    def counted(self) -> Locator:
        """What the toolbar says about how many rows there are, or are selected."""
        return self.output.locator(".iw-tools").get_by_role("status")

    def filter(self, name: str, option: str | int) -> None:
        """Choose an option of a filter, by its text or its place."""
        self.output.get_by_role("button", name=f"Filter by {name}", exact=True).click()
        options = self.output.get_by_role("radio")
        (options.nth(option) if isinstance(option, int) else options.get_by_text(option, exact=True)).click()

    @property
    def question(self) -> Locator:
        return self.output.get_by_role("alertdialog")

    @property
    def said(self) -> Locator:
        return self.output.locator(".iw-said")

    @property
    def search(self) -> Locator:
        return self.output.get_by_role("searchbox")

    @property
    def menu(self) -> Locator:
        return self.output.get_by_role("button", name="More actions")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.notebook.page.keyboard.press(key)

    def in_sight(self) -> list[int]:
        """The ids of the visible rows, from the top."""
        found: list[int] = self.grid.evaluate(
            """grid => { const box = grid.getBoundingClientRect(), head = grid.querySelector('.iwt-head').offsetHeight;
            return [...grid.querySelectorAll('[role=row][data-id]')]
              .map(row => [row.getBoundingClientRect(), Number(row.dataset.id)])
              .filter(([r]) => r.top >= box.top + head - 1 && r.bottom <= box.bottom + 1)
              .sort((a, b) => a[0].top - b[0].top).map(([, id]) => id); }"""
        )
        return found

    def top_of(self, item_id: int) -> float:
        box = self.row(item_id).bounding_box()
        assert box is not None
        return box["y"]


Open = Callable[..., TablePage]


@pytest.fixture
def fed(lab: Lab) -> Open:
    """Opens a table over a store with `count` items that have run, the newest on top."""

    def open_table(
        count: int, *cells: str, statuses: str = "COMPLETED", options: str = "", sort: str = "-item"
    ) -> TablePage:
        feed = f"console = FedConsole(item(i, {statuses}) for i in range(1, {count} + 1))"
        return TablePage(lab, f"{feed}\ntable = QueueTable(console{options})\ntable.sort = {sort!r}", *cells)

    return open_table


def live(lab: Lab, wire: Wire) -> TablePage:
    """A table of a running server's queue."""
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})\ntable = console.queue_table()"
    return TablePage(lab, connect)


@pytest.mark.parametrize("count", [0, 1, 200, 201, 1_700])
def test_table_gets_all_rows(fed: Open, count: int) -> None:
    """The page gets every row, the newest on top, however many packets it takes."""
    page = fed(count)
    page.count(f"{count:,} {'job' if count == 1 else 'jobs'}")
    expect(page.grid).to_have_attribute("aria-rowcount", str(count + 1))
    assert list(range(count, max(0, count - 5), -1)) == page.in_sight()[:5]


def test_table_gets_all_rows_while_a_cell_runs(lab: Lab, tmp_path: Path) -> None:
    """A kernel that receives nothing from the page still sends it the whole queue."""
    code = "console = FedConsole(item(i, COMPLETED) for i in range(1, 801))\ntable = QueueTable(console)"
    ends = tmp_path / "ends"
    busy = f"import os, time\nwhile not os.path.exists({str(ends)!r}): time.sleep(0.05)\nprint('slept')"
    notebook = lab.open([_IMPORTS, code + "\ndisplay(table)", busy])
    notebook.run(wait=False)
    grid = notebook.output(1).get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", "801")
    expect(notebook.output(2)).not_to_contain_text("slept")
    ends.touch()
    notebook.wait_idle()


def test_row_follows_status_and_progress(fed: Open) -> None:
    """A row follows its item through its statuses and its progress."""
    page = fed(3, statuses="PENDING")
    expect(page.row(3)).to_contain_text("3rd")
    page.kernel("console.receive(item(1, IN_PROGRESS)); console.progress(1, 0.62, 'Denoising 19/30')")
    expect(page.row(1)).to_contain_text("Running")
    expect(page.row(1)).to_contain_text(re.compile(r"62 % · [\d:]+ left · Denoising 19/30"))
    expect(page.row(1).get_by_role("progressbar")).to_have_attribute("aria-valuenow", "62")
    expect(page.row(3)).to_contain_text("2nd")
    page.kernel("console.receive(item(1, FAILED, server_error_type='RuntimeError', error_message='no luck'))")
    expect(page.row(1)).to_contain_text("RuntimeError: no luck")
    page.kernel("console.forget([1])")
    expect(page.row(1)).to_have_count(0)


def test_row_takes_nothing_over_from_the_row_before(fed: Open) -> None:
    """A running job that takes the place of a failed one has its bar beside its words, and nothing red."""
    page = fed(30, statuses="IN_PROGRESS if i == 30 else FAILED")
    page.kernel("console.progress(30, 0.5, 'Step 5'); table.filters = {'status': 'failed'}")
    page.count("29 of 30")
    page.kernel("table.filters = {'status': 'in_progress'}")
    page.count("1 of 30")
    expect(page.row(30)).to_contain_text(re.compile(r"50 % · [\d:]+ left · Step 5"))
    assert [1, 2] == [1, page.row(30).locator(".iwt-c-activity > *").count()]
    color = "e => getComputedStyle(e).color"
    assert page.row(30).locator(".iwt-c-item").evaluate(color) == page.row(30).get_by_text("Step 5").evaluate(color)


def test_filters_apply_to_present_and_later_rows(fed: Open) -> None:
    """Status, batch and text filters leave only matching rows, also of those that arrive later."""
    page = fed(500, statuses="FAILED if i % 50 == 0 else COMPLETED")
    page.filter("status", "Failed")
    page.count("10 of 500")
    page.kernel("console.receive(item(501, FAILED)); console.receive(item(502, COMPLETED))")
    page.count("11 of 502")
    assert [501, 500, 450] == page.in_sight()[:3]
    page.filter("batch", 2)
    page.count("2 of 502")
    page.filter("status", "All")
    page.filter("batch", "All")
    page.search.fill("seed 77")
    page.count("5 of 502")
    assert [477, 377, 277, 177, 77] == page.in_sight()
    page.comes_to("{'text': 'seed 77'}", "table.filters")
    page.kernel("table.filters = {'status': 'pending'}")
    expect(page.output).to_contain_text("No job matches the filters.")


def test_toolbar_follows_the_filter(fed: Open) -> None:
    """The toolbar shows the filter, even if it has the focus while Python changes the filter."""
    page = fed(9)
    status = page.output.get_by_role("button", name="Filter by status", exact=True)
    page.filter("status", "Waiting")
    page.comes_to("{'status': 'pending'}", "table.filters")
    expect(status).to_have_text("Status: Waiting")
    expect(status).to_be_focused()
    page.kernel("table.filters = {}")
    page.count("9 jobs")
    expect(status).to_have_text("Status ▾")
    page.search.fill("seed 9")
    page.count("1 of 9")
    page.kernel("table.filters = {'batch': 'elsewhere'}")
    expect(page.output.get_by_role("button", name="Filter by batch", exact=True)).to_have_text("Batch: elsewhere")
    expect(page.search).to_have_value("")
    page.output.get_by_role("button", name="Remove the filter by batch").click()
    page.count("9 jobs")


def test_filter_offers_the_newest_batches(fed: Open) -> None:
    """With more batches than a filter can offer, it offers the newest, whichever changed last."""
    page = fed(0)
    page.kernel("console.feed(item(i, PENDING, batch_id=f'batch {i}') for i in range(1, 251))")
    page.kernel("console.receive(item(7, IN_PROGRESS, batch_id='batch 7'))")
    expect(page.row(7)).to_have_count(0)
    page.output.get_by_role("button", name="Filter by batch", exact=True).click()
    options = page.output.get_by_role("radio")
    expect(options).to_have_count(101)
    assert ["All", "batch 250 (1)", "batch 249 (1)"] == options.all_text_contents()[:3]


def test_header_click_sorts_and_reverses(fed: Open) -> None:
    """A click on a header sorts by it, a second one reverses it, and changed rows move into place."""
    page = fed(300, statuses="FAILED if i == 7 else COMPLETED")
    header = page.grid.get_by_role("columnheader", name="Item")
    expect(header).to_have_attribute("aria-sort", "descending")
    header.click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    assert [1, 2, 3] == page.in_sight()[:3]
    page.grid.get_by_role("columnheader", name="Status").click()
    assert [7, 300, 299] == page.in_sight()[:3]
    page.kernel("console.feed_over(item(250, IN_PROGRESS))")
    expect(page.row(250)).to_contain_text("Running")
    page.search.hover()
    assert [250, 7, 300] == page.in_sight()[:3]
    page.grid.get_by_role("columnheader", name="Took").click()
    page.comes_to("-took", "table.sort")
    assert 6 == page.in_sight()[0] % 7


def test_rows_stand_by_activity_at_first(fed: Open) -> None:
    """What runs is on top, then what waits in its order, then what ended, newest first; rows move as they change."""
    page = fed(30, statuses="IN_PROGRESS if i == 21 else PENDING if i > 21 else COMPLETED", sort="activity")
    assert [21, 22, 23, 24] == page.in_sight()[:4]
    expect(page.row(22)).to_contain_text("Next")
    page.grid.evaluate("grid => { grid.scrollTop = 9 * grid.querySelector('.iwt-body > .iwt-row').offsetHeight; }")
    until(lambda: [30, 20, 19] == page.in_sight()[:3], "what ended to follow what waits")
    page.grid.evaluate("grid => { grid.scrollTop = 0; }")
    page.kernel("console.receive(item(21, COMPLETED)); console.receive(item(22, IN_PROGRESS))")
    expect(page.row(23)).to_contain_text("Next")
    until(lambda: [22, 23, 24] == page.in_sight()[:3], "the running row to be on top")


def test_jobs_start_after_those_before_them(fed: Open) -> None:
    """When a waiting job starts is estimated by all before it, each as long as its own batch's jobs take."""
    page = fed(8)
    page.kernel(
        "from datetime import UTC, datetime, timedelta\n"
        "console.feed([item(150, IN_PROGRESS, started_at=datetime.now(UTC) - timedelta(seconds=60)),"
        " item(151), item(201), item(202)])\n"
        "console.progress(150, 0.25)"  # its batch's jobs take 4 minutes, the newest that ended some seconds
    )
    expect(page.row(151)).to_contain_text(re.compile(r"starts in about [23]:\d\d"))
    expect(page.row(201)).to_contain_text(re.compile(r"2nd · in about [67]:\d\d"))
    expect(page.row(202)).to_contain_text(re.compile(r"3rd · in about [67]:\d\d"))


def test_columns_are_chosen_in_menu_and_python(fed: Open) -> None:
    """Columns chosen in the menu or in Python are shown and kept."""
    page = fed(2, options=", columns=['item', 'status', 'destination']")
    assert 5 == page.grid.get_by_role("columnheader").count()
    page.menu.click()
    page.output.get_by_role("checkbox", name="Device").check()
    page.output.get_by_role("checkbox", name="Destination").uncheck()
    page.comes_to("['item', 'status', 'device']", "table.columns")
    page.kernel("table.columns = ['status', 'item']")
    headers = page.grid.get_by_role("columnheader")
    expect(headers.nth(1)).to_have_text("Status")
    expect(headers.nth(2)).to_have_text(re.compile("Item"))
    page.counted.click()
    expect(page.output.locator(".iw-sheet")).to_have_count(0)
    page.menu.click()
    page.output.get_by_role("button", name="Reset columns").click()
    page.comes_to("['item', 'status', 'destination']", "table.columns")


def test_selection_survives_updates(fed: Open) -> None:
    """The selection survives hundreds of changes; ids that vanish are dropped."""
    page = fed(400)
    page.row(399).locator(".iwt-box").click()
    page.row(396).locator(".iwt-box").click(modifiers=["Shift"])
    selected = "table.selected"
    page.comes_to("[396, 397, 398, 399]", selected)
    page.kernel("console.churn(list(range(300, 401)), 200); console.settle()")
    expect(page.row(397)).to_have_attribute("aria-selected", "true")
    page.comes_to("[396, 397, 398, 399]", selected)
    page.kernel("console.forget([397, 398])")
    expect(page.row(397)).to_have_count(0)
    page.comes_to("[396, 399]", selected)
    page.kernel("table.selected = [5, 400, 12345]")
    expect(page.row(400)).to_have_attribute("aria-selected", "true")
    expect(page.row(399)).to_have_attribute("aria-selected", "false")
    page.comes_to("[5, 400]", selected)


def test_shift_selection_grows_and_shrinks(fed: Open) -> None:
    """Shift and an arrow select from the range's start to the row, in addition to the earlier selection."""
    page = fed(50)
    page.row(45).locator(".iwt-box").click()
    page.row(50).focus()
    page.press("ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowUp", "Shift+ArrowUp")
    page.comes_to("[45, 48, 49]", "table.selected")


def test_cancel_mentions_selected_rows_hidden_by_filter(fed: Open) -> None:
    """A filter keeps the selection it hides, and both the toolbar and the question mention it."""
    page = fed(20, statuses="PENDING if i > 16 else FAILED")
    page.kernel("table.selected = [17, 18, 19]; table.filters = {'status': 'failed'}")
    page.count("3 selected, 3 not shown")
    page.output.get_by_role("button", name="Cancel 3").click()
    expect(page.question).to_contain_text("Cancel 3 jobs, not shown?")


def test_selecting_moves_no_row(fed: Open) -> None:
    """Neither the buttons for selected rows nor a new item count shift the rows, however narrow the page."""
    page = fed(300, statuses="PENDING")
    window = page.notebook.page
    before = window.viewport_size
    for width in (1400, 800, 420):
        window.set_viewport_size({"width": width, "height": 1000})
        page.kernel("table.selected = []; table.filters = {}")
        page.count("300 jobs")
        top = page.top_of(300)
        page.row(300).locator(".iwt-box").click()
        expect(page.output.get_by_role("button", name="Cancel 1")).to_be_visible()
        assert top == pytest.approx(page.top_of(300), abs=1)
        page.kernel("table.filters = {'text': '30'}; table.selected = [30, 300]")
        page.count("2 selected")
        assert top == pytest.approx(page.top_of(300), abs=1)
    window.set_viewport_size(before)


@pytest.mark.looks
def test_show_item_scrolls_focuses_and_clears_filters(fed: Open) -> None:
    """An item is scrolled to and focused wherever it is; filters that hide it are cleared, with a message."""
    page = fed(3_000)
    page.count("3,000 jobs")
    page.kernel("table.show_item(7)")
    expect(page.row(7)).to_be_focused()
    assert 7 in page.in_sight()
    page.kernel("table.filters = {'status': 'pending'}")
    page.count("1 selected, 1 not shown")
    page.kernel("table.show_item(2_000)")
    expect(page.row(2_000)).to_be_focused()
    page.count("1 selected")
    expect(page.output.get_by_text("Cleared the filters, which hid item 2000.")).to_be_visible()
    page.kernel("table.show_item(5_000)")
    expect(page.said).to_contain_text("Item 5000 is no longer in the queue.")


@pytest.mark.looks
def test_rows_are_in_reading_order(fed: Open) -> None:
    """However they arrived, rows stand in the page in the order shown, with the detail after its row."""
    page = fed(400)
    page.row(398).locator(".iwt-c-item").click()
    page.grid.evaluate("grid => { grid.scrollTop = 900; }")
    page.kernel("console.feed(item(i) for i in range(401, 420))")
    page.grid.evaluate("grid => { grid.scrollTop = 0; }")
    order = """grid => [...grid.querySelectorAll('.iwt-body > [role=row]')].map(row => Number(row.ariaRowIndex))"""
    until(lambda: (found := page.grid.evaluate(order)) == sorted(found), "the rows to be in order")
    detail = page.grid.locator(".iwt-detail")
    assert "398" == detail.evaluate("detail => detail.previousSibling.dataset.id")
    page.kernel("console.receive(item(420))")
    expect(page.row(420)).to_have_count(1)
    until(lambda: (found := page.grid.evaluate(order)) == sorted(found), "the rows to be in order again")


def test_table_works_by_keyboard_alone(fed: Open) -> None:
    """With one tab stop, all keys work in the table, and JupyterLab gets none of them."""
    page = fed(500, statuses="PENDING if i > 480 else COMPLETED")
    page.menu.focus()
    page.press("Tab")
    expect(page.row(500)).to_be_focused()
    page.press("ArrowDown", "ArrowDown", "Space")
    expect(page.row(498)).to_be_focused()
    page.comes_to("[498]", "table.selected")
    page.press("Shift+ArrowDown")
    page.comes_to("[497, 498]", "table.selected")
    page.press("End")
    expect(page.row(1)).to_be_focused()
    page.press("PageUp")
    assert 1 != page.in_sight()[0]
    page.press("Home")
    expect(page.row(500)).to_be_focused()
    page.press("ArrowRight")
    expect(page.row(500).get_by_role("button", name="Cancel item 500")).to_be_focused()
    page.press("ArrowLeft", "Control+a", "Delete")
    expect(page.question).to_contain_text("Cancel 20 jobs?")
    expect(page.output.get_by_role("button", name="Keep them")).to_be_focused()
    page.press("Escape")
    expect(page.row(500)).to_be_focused()
    page.press("Escape")
    page.comes_to("[]", "table.selected")
    page.press("ArrowUp", "ArrowRight", "Enter")
    expect(page.grid.get_by_role("columnheader", name="Status")).to_have_attribute("aria-sort", "ascending")
    assert 1 == page.grid.locator("[tabindex='0']").count()


def test_focused_row_stays_while_rows_arrive(fed: Open) -> None:
    """The focused row keeps the focus and its place while rows arrive."""
    page = fed(50)
    page.menu.focus()
    page.press("Tab", "ArrowDown", "ArrowDown")
    before = page.top_of(48)
    page.kernel("console.feed(item(i) for i in range(51, 91))")
    page.count("90 jobs")
    expect(page.row(48)).to_be_focused()
    assert before == pytest.approx(page.top_of(48), abs=1)


def test_new_rows_are_seen_after_a_click(fed: Open) -> None:
    """A click leaves the focus in its row, but does not hold the rows there: at the top the newest are shown."""
    page = fed(50)
    page.row(48).get_by_role("gridcell").first.click()
    page.search.hover()
    page.kernel("console.feed(item(i) for i in range(51, 91))")
    expect(page.row(90)).to_be_visible()
    until(lambda: 90 == page.in_sight()[0], "the newest row in sight")


def test_table_is_as_tall_as_its_rows_and_does_not_shrink(fed: Open) -> None:
    """A row has no page of nothing under it; many rows scroll; a search leaves what is below in its place."""
    page = fed(1)
    frame = page.output.locator(".iwt-frame")
    heights = "frame => frame.getBoundingClientRect().height"
    assert 190 == frame.evaluate(heights)
    page.kernel("console.feed(item(i) for i in range(2, 41))")
    page.count("40 jobs")
    assert 380 == frame.evaluate(heights)
    page.search.fill("nothing like it")
    expect(page.row(40)).to_have_count(0)
    assert 380 == frame.evaluate(heights)


@pytest.mark.parametrize("count", [4, 60])
def test_row_under_pointer_stays(fed: Open, count: int) -> None:
    """The row stays until the pointer leaves, even if it is filtered out, deleted or preceded by new rows."""
    page = fed(count, statuses="PENDING")
    page.filter("status", "Unfinished")
    held = count - 2
    page.row(held).hover()
    before = page.top_of(held)
    page.kernel(f"console.feed(item(i) for i in range({count} + 1, {count} + 11))")
    expect(page.row(count + 1)).to_have_count(1)
    assert before == pytest.approx(page.top_of(held), abs=1)
    page.kernel(f"console.forget([{count}, {count} + 3, {count} + 4])")
    expect(page.row(count)).to_have_count(0)
    assert before == pytest.approx(page.top_of(held), abs=1)
    page.kernel(f"console.feed_over(item({held}, COMPLETED)); console.receive(item({count} + 20))")
    expect(page.row(held)).to_contain_text("Completed")
    assert before == pytest.approx(page.top_of(held), abs=1)
    page.kernel(f"console.forget([{held}])")
    expect(page.row(held)).to_contain_text("Gone")
    assert before == pytest.approx(page.top_of(held), abs=1)
    page.search.hover()
    expect(page.row(held)).to_have_count(0)
    assert count + 20 == page.in_sight()[0]


def test_no_blank_rows_while_scrolling(fed: Open) -> None:
    """In every frame of a fast scroll there is a row at each height of the grid."""
    page = fed(5_000)
    page.count("5,000 jobs")
    blank = page.grid.evaluate(
        """async grid => { const box = grid.getBoundingClientRect(); let blank = 0;
        for (let i = 0; i < 60; i++) {
          grid.scrollTop += 420;
          await new Promise(requestAnimationFrame);
          for (const y of [45, 150, 300])
            if (!document.elementFromPoint(box.x + 200, box.y + y).closest('[role=row]')) blank++;
        } return blank; }"""
    )
    assert 0 == blank


def test_second_view_and_reloaded_page_have_all_rows(fed: Open) -> None:
    """Each view of a table shows all of it, also in a reloaded page."""
    page = fed(700, "table")
    page.count("700 jobs")
    first = page.notebook.output(2)
    expect(first.locator(".iw-tools").get_by_role("status")).to_have_text("700 jobs")
    first.get_by_role("button", name="Filter by status", exact=True).click()
    first.get_by_role("radio", name="Failed").click()
    page.count("0 of 700")
    page.kernel("table.filters = {}; console.forget([700])")
    page.count("699 jobs")
    page.notebook.reload()
    page.count("699 jobs")
    page.kernel("console.receive(item(800, IN_PROGRESS))")
    expect(page.row(800)).to_contain_text("Running")


def test_reloaded_page_says_how_long_a_job_has_run(fed: Open) -> None:
    """By when it started, not since the page saw it: the page that was closed may have been made before that."""
    page = fed(3, statuses="PENDING")
    page.kernel(
        "from datetime import UTC, datetime, timedelta\n"
        "console.receive(item(1, IN_PROGRESS, started_at=datetime.now(UTC) - timedelta(minutes=20)))"
    )
    expect(page.row(1)).to_contain_text("Running")
    page.notebook.reload()
    expect(page.row(1)).to_contain_text("Running")
    expect(page.row(1).locator(".iwt-c-took")).to_contain_text(re.compile(r"^2\d:\d\d$"))


_HOSTILE = (
    "<img src=x onerror='window.pwned=1'>",
    "<script>window.pwned=1</script>",
    '"><svg onload=window.pwned=1>',
    "javascript:window.pwned=1",
    "</style></script><iframe srcdoc='<script>parent.pwned=1</script>'>",
    "{{constructor.constructor('window.pwned=1')()}}",
    "\u202e\u0000\ud83d ${window.pwned=1}",
)


def test_table_runs_no_script_from_server_text(fed: Open) -> None:
    """No server text runs as a script or becomes an element, in rows, detail or the static table."""
    page = fed(0, options=", columns=['item', 'status', 'batch', 'destination', 'device', 'values', 'activity']")
    page.notebook.page.evaluate("() => { window.pwned = 0; }")
    page.kernel(
        f"""
import itertools
hostile = {_HOSTILE!r}
def bad(i, text, status):
    graph = {{"nodes": {{text: {{"type": text, "id": text}}}}, "edges": []}}
    session = {{"graph": graph, "execution_graph": {{"nodes": {{}}, "edges": []}}, "errors": {{text: text}},
               "results": {{text: {{"type": text, "value": text, "image": {{"image_name": text}}}}}}}}
    return item(i, status, batch_id=text, destination=text, device=text, origin=text, session_id=text, user_id=text,
                server_error_type=text, error_message=text, error_traceback=text, session=session,
                field_values=(FieldValue(text, text, text),))
items = [bad(i, text, status) for i, (text, status) in
         enumerate(itertools.product(hostile, [FAILED, IN_PROGRESS, hostile[0]]), 1)]
class Client:
    async def get_queue_item(self, item_id):
        return items[item_id - 1]
    async def get_image_thumbnail(self, name):
        return b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.pwned=1'><script>window.pwned=1</script></svg>"
console.client = Client()
console.feed(items)
for i, text in zip(range(2, 21, 3), hostile):
    console.progress(i, 0.5, text, "javascript:window.pwned=1")
"""
    )
    page.count("21 jobs")
    for item_id in range(21, 0, -1):
        page.row(item_id).locator(".iwt-c-item").click()
        expect(page.grid.locator(".iwt-detail")).to_contain_text("batch_id")
    page.notebook.page.wait_for_timeout(300)
    assert 0 == page.notebook.page.evaluate("() => window.pwned")
    assert 0 == page.output.locator("script, iframe, .iw svg").count()
    assert "False" == page.kernel(
        "html = table.as_html(); print('<img' in html or '<script' in html or '<svg' in html)"
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_table_breaks_no_axe_rule(fed: Open, theme: Any) -> None:
    """axe-core finds nothing in either theme, with every status, a selection and an open row."""
    page = fed(60, statuses="STATUSES[i % 6]")
    page.kernel("console.progress(55, 0.4, 'Step 4')\nclass Client:\n    async def get_queue_item(self, i):\n"
                "        return item(i, FAILED, server_error_type='E', error_message='m', error_traceback='t',"
                " session={'graph': {'nodes': {'a': {}}}})\nconsole.client = Client()")  # fmt: skip
    page.notebook.set_theme(theme)
    page.row(58).locator(".iwt-box").click()
    page.row(57).locator(".iwt-c-item").click()
    page.grid.locator("summary").first.click()
    page.row(60).hover()
    assert [] == violations(page.notebook, ".iw")


def test_row_buttons_cancel_and_retry_once(lab: Lab, wire: Wire) -> None:
    """A row's button acts on the server once, and the row shows it."""
    page = live(lab, wire)
    running, (pending, *_) = wire.running_and_pending(2)
    page.row(pending).get_by_role("button", name=f"Cancel item {pending}").dblclick()
    expect(page.row(pending)).to_contain_text("Canceled")
    expect(page.said).to_contain_text(f"Canceled item {pending}.")
    page.comes_to("1", "len(console.cancellations)")
    page.row(running).get_by_role("button", name=f"Cancel item {running}").click()
    expect(page.row(running)).to_contain_text("Canceled")
    page.row(pending).get_by_role("button", name=f"Retry item {pending}").click()
    newest = pending + 2
    expect(page.row(newest)).to_be_visible()
    assert "canceled" == wire.item(pending)["status"]


def test_delete_key_cancels_selected_rows(lab: Lab, wire: Wire) -> None:
    """Delete cancels the selected rows; more than ten after a question, to which Tab and Enter say yes."""
    page = live(lab, wire)
    running, pending = wire.running_and_pending(15)
    for item_id in pending[:3]:
        page.row(item_id).locator(".iwt-box").click()
    page.row(pending[0]).focus()
    page.press("Delete")
    expect(page.said).to_contain_text("Canceled 3 of 3.")
    assert ["in_progress", "pending"] == wire.statuses([running, pending[3]])
    page.kernel(f"table.selected = {pending[3:]}")
    page.count("12 selected")
    page.row(pending[3]).focus()
    page.press("Delete")
    expect(page.output.get_by_role("button", name="Keep them")).to_be_focused()
    page.press("Enter")
    expect(page.question).to_have_count(0)
    page.press("Delete")
    expect(page.output.get_by_role("button", name="Keep them")).to_be_focused()
    page.press("Shift+Tab", "Enter")
    expect(page.said).to_contain_text("Canceled 12 of 12.")
    assert {"in_progress": 1, "canceled": 15} == wire.counts()


def test_detail_shows_outputs_graph_and_error(lab: Lab, wire: Wire) -> None:
    """An open row shows outputs, graph, error and traceback as the server has them, and follows its item."""
    done = wire.run(add_and_multiply(1, 2, 10))["item_id"]
    failed = wire.run(fail("bad luck"))["item_id"]
    page = live(lab, wire)
    detail = page.grid.locator(".iwt-detail")
    page.row(done).locator(".iwt-c-status").click()
    expect(detail).to_contain_text('{"value": 30}')
    detail.get_by_text("Graph of 2 nodes").click()
    expect(detail.get_by_role("region", name="Graph of")).to_contain_text('"type": "add"')
    page.row(failed).locator(".iwt-c-status").click()
    expect(detail).to_contain_text("RuntimeError: bad luck")
    expect(detail).to_contain_text("Failed while running")
    page.press("Escape")
    expect(detail).to_have_count(0)
    running = wire.enqueue(sleep(60))["item_ids"][0]
    page.row(running).locator(".iwt-c-status").click()
    expect(detail).to_contain_text("batch_id")
    until(lambda: wire.item(running)["status"] == "in_progress", "the item to start")
    wire.put(f"i/{running}/cancel")
    expect(detail).to_contain_text("completed")


_PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@pytest.mark.looks
def test_detail_keeps_what_is_unfolded_scrolled_and_focused(fed: Open) -> None:
    """Previews and a new status leave what is unfolded, scrolled and focused, in two views alike."""
    page = fed(3, "table", statuses="PENDING")
    page.kernel(
        "graph = {'nodes': {str(i): {'type': 'add'} for i in range(90)}}\n"
        "class Client:\n    async def get_queue_item(self, i):\n"
        "        return item(i, console.internals.store.state.items[i].status, session={'graph': graph})\n"
        "console.client = Client()\nconsole.receive(item(1, IN_PROGRESS))"
    )
    views = [page.notebook.output(2), page.output]
    for view in views:
        view.locator('[data-id="1"] .iwt-c-item').click()
        expect(view.locator(".iwt-detail")).to_contain_text("Graph of 90 nodes")
    detail = page.grid.locator(".iwt-detail")
    detail.get_by_text("Graph of 90 nodes").click()
    pre = detail.get_by_role("region", name="Graph of")
    pre.focus()
    pre.evaluate("pre => { pre.scrollTop = 150; }")
    for step in range(3):
        page.kernel(f"console.progress(1, 0.{step + 1}, 'step', {_PIXEL!r} + ' ' * {step})")
        expect(page.row(1)).to_contain_text(f"{step + 1}0 %")
    for view in views:
        expect(view.locator(".iwt-preview")).to_have_count(1)
    assert (150, True) == (pre.evaluate("pre => pre.scrollTop"), pre.evaluate("pre => pre === document.activeElement"))
    views[0].locator('[data-id="1"] .iwt-c-item').click()
    expect(views[0].locator(".iwt-detail")).to_have_count(0)
    pre.focus()
    page.kernel("console.receive(item(1, FAILED))")
    expect(detail).to_contain_text("completed")
    assert (150, True) == (pre.evaluate("pre => pre.scrollTop"), pre.evaluate("pre => pre === document.activeElement"))


@pytest.mark.looks
def test_click_acts_on_the_row_that_was_pressed(fed: Open) -> None:
    """Rows may move between pointer down and up; dragging selects text and opens nothing."""
    table = fed(200, statuses="PENDING")
    mouse, status = table.notebook.page.mouse, table.row(197).locator(".iwt-c-status")
    box = status.bounding_box()
    assert box is not None
    mouse.move(box["x"] + 30, box["y"] + box["height"] / 2)
    mouse.down()
    table.grid.evaluate("grid => { grid.scrollTop += 2 * grid.querySelector('.iwt-body > .iwt-row').offsetHeight; }")
    mouse.up()
    expect(table.output.get_by_label("Details of item 197")).to_be_visible()
    table.press("Escape")
    expect(table.output.locator(".iwt-detail")).to_have_count(0)
    status.hover()
    mouse.down()
    table.kernel("console.feed([item(197, IN_PROGRESS)])")
    expect(status).to_contain_text("Running")
    mouse.up()
    expect(table.output.get_by_label("Details of item 197")).to_be_visible()
    table.press("Escape")
    box = table.row(195).locator(".iwt-c-batch").bounding_box()
    assert box is not None
    mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + 50, box["y"] + box["height"] / 2, steps=5)
    mouse.up()
    assert "" != table.notebook.page.evaluate("() => String(window.getSelection())")
    expect(table.output.locator(".iwt-detail")).to_have_count(0)
