"""The dashboard in a real JupyterLab: from a click to the status on the server."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.session import Lab, NotebookPage
from tests.support.chaos import ChaosProxy
from tests.support.graphs import Graph, add_and_multiply, fail, sleep
from tests.support.wire import Wire, until

UNREADABLE = [[{"node_path": "add", "field_name": "a", "items": ["seven"]}]]
"""Values with which the server cannot load an item, so that the queue is stuck."""


class View:
    """A dashboard, or a part of one, in the output of a cell."""

    def __init__(self, view: Locator) -> None:
        self.view = view

    def is_live(self) -> None:
        expect(self.view.locator(".iw-state")).to_have_text("live")

    def tab(self, name: str) -> None:
        self.view.get_by_role("tab", name=name).click()

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.view.get_by_role("button", name=name).locator("visible=true")

    def press(self, name: str | re.Pattern[str]) -> None:
        self.button(name).click()

    def choose(self, name: str | re.Pattern[str]) -> None:
        """Press an entry of the menu of further actions."""
        self.press("More actions")
        self.view.locator(".iw-sheet").get_by_role("button", name=name).click()

    @property
    def question(self) -> Locator:
        return self.view.get_by_role("alertdialog")

    @property
    def banner(self) -> Locator:
        """The banner of the head."""
        return self.view.locator(".iw-top > .iw-banner")

    def tile(self, name: str) -> Locator:
        return self.view.locator(".iw-tile").filter(has_text=re.compile(rf"^[\d,]+{name}$"))

    def row(self, row_id: int | str) -> Locator:
        return self.view.locator(f'.iwt-row[data-id="{row_id}"]')

    def rows(self) -> Locator:
        return self.view.locator(".iwt-body > .iwt-row").locator("visible=true")

    def select(self, *item_ids: int) -> None:
        for item_id in item_ids:
            self.row(item_id).get_by_role("gridcell").first.click()

    def says(self, words: str | re.Pattern[str]) -> None:
        expect(self.view.locator(".iw-said")).to_contain_text(words)


class Page(View):
    """A notebook whose second cell shows the dashboard.

    Args:
        lab: the JupyterLab that opens it.
        wire: the server to connect to.
        further: more cells.
        url: where to connect to, if not directly to the server.
        notebook: opens the notebook; by default in JupyterLab.
    """

    def __init__(
        self,
        lab: Lab,
        wire: Wire,
        *further: str,
        url: str = "",
        notebook: Callable[[Lab, list[str]], Any] = NotebookPage.opened,
    ) -> None:
        connect = f"import invoke_widgets as iw\nconsole = iw.connect({url or wire.server.url!r})"
        self.notebook = notebook(lab, [connect, "console", *further])
        if isinstance(self.notebook, NotebookPage):
            self.notebook.run_cell(0)
            self.notebook.run_cell(1)
        super().__init__(self.notebook.output(1))
        self.is_live()

    def submit(self, graph: Graph) -> None:
        """Submit by the form."""
        self.tab("Submit")
        self.view.get_by_label("Graph").fill(json.dumps(graph))
        self.press("Enqueue")
        self.says("Enqueued 1 of 1 as batch")
        self.tab("Queue")


@pytest.fixture
def page(lab: Lab, wire: Wire) -> Page:
    return Page(lab, wire)


def test_submitted_graph_appears_as_a_row_and_can_be_canceled(page: Page, wire: Wire) -> None:
    """A graph submitted in the form appears as a row, whose button cancels it on the server."""
    page.submit(sleep(60))
    item_id = until(lambda: wire.item_ids(), "the item")[0]
    row = page.row(item_id)
    expect(row).to_contain_text("Running")
    row.get_by_role("button", name=f"Cancel item {item_id}").click()
    assert "canceled" == wire.wait_for(item_id)["status"]
    expect(row).to_contain_text("Canceled")


@pytest.mark.looks
def test_value_of_wrong_type_is_reported_at_its_field(page: Page, wire: Wire) -> None:
    """A value of the wrong type is reported in its row before anything is sent; then the batch is sent, and found."""
    page.tab("Submit")
    page.view.get_by_label("Graph").fill(json.dumps(add_and_multiply()))
    page.press("Vary a field")
    page.view.get_by_label("Field").fill("add.a")
    expect(page.view.locator("datalist option[value='add.a']")).to_have_text("integer, now 1")
    page.view.get_by_label("Values · integer, now 1").fill('[1, "seven"]')
    expect(page.view.locator(".iws-row").get_by_role("alert")).to_contain_text("data.add.a[1]: should be an integer")
    expect(page.button("Enqueue")).to_be_disabled()
    assert 0 == wire.queue_status()["total"]
    others = wire.run()
    page.view.get_by_label(re.compile("^Values")).fill("1..5")
    page.press("Enqueue")
    page.says("Enqueued 5 of 5 as batch")
    page.press("Show")
    expect(page.rows()).to_have_count(5)
    expect(page.row(others["item_id"])).to_have_count(0)


def test_canceled_selection_can_be_brought_back(page: Page, wire: Wire) -> None:
    """Rows selected in the table are canceled together without a question, and a click brings them back."""
    running, pending = wire.running_and_pending(2)
    page.select(running, pending[0])
    page.press("Cancel 2")
    said = page.view.get_by_text("Canceled 2 of 2.").locator("visible=true")
    expect(said).to_have_text(re.compile(r"^Canceled 2 of 2\. · \d\d:\d\d:\d\d"))  # in one place alone
    assert ["canceled", "canceled"] == wire.statuses([running, pending[0]])
    page.press("Undo")
    page.says("Retried 2 items as")
    assert 5 == wire.queue_status()["total"]


@pytest.mark.looks
def test_more_than_ten_jobs_ask_first(page: Page, wire: Wire) -> None:
    """Eleven jobs are canceled after a question, which the focus answers with no; ten are canceled at once."""
    running, pending = wire.running_and_pending(11)
    page.select(*pending)
    page.press("Cancel 11")
    expect(page.question).to_contain_text("Cancel 11 jobs?")
    expect(page.button("Keep them")).to_be_focused()
    page.notebook.page.keyboard.press("Escape")
    expect(page.question).to_have_count(0)
    assert {"in_progress": 1, "pending": 11} == wire.counts()
    page.press("Cancel 11")
    page.select(running)  # the question was about other rows
    expect(page.question).to_have_count(0)
    page.select(running, pending[0])
    page.press("Cancel 10")
    page.says("Canceled 10 of 10.")
    assert {"in_progress": 1, "pending": 1, "canceled": 10} == wire.counts()


@pytest.mark.looks
def test_more_than_ten_waiting_jobs_ask_first(page: Page, wire: Wire) -> None:
    """What waits is canceled after a question if it is more than ten jobs, and what runs goes on."""
    wire.running_and_pending(11)
    page.choose("Cancel waiting (11)")
    expect(page.question).to_contain_text("Cancel 11 waiting jobs? What runs goes on.")
    page.press("Keep them")
    page.choose("Cancel waiting (11)")
    page.press("Cancel 11 jobs")
    page.says("Canceled 11")
    assert {"in_progress": 1, "canceled": 11} == wire.counts()


@pytest.mark.looks
def test_row_is_quiet_until_it_is_pointed_at(page: Page, wire: Wire) -> None:
    """A chevron says that it opens; its batch looks like text, its cross is gray, so that a column does not shout."""
    item_id, _ = wire.running_and_pending(1)
    page.notebook.set_theme("light")
    row, color = page.row(item_id), "e => getComputedStyle(e).color"
    batch = row.get_by_role("button", name=wire.item(item_id)["batch_id"][:8])
    cancel, opens = row.get_by_role("button", name="Cancel item"), row.locator("[aria-expanded]")
    gray, red = row.locator(".iwt-c-created").evaluate(color), "rgb(179, 50, 27)"
    expect(cancel).to_have_css("color", gray)
    expect(batch).to_have_css("text-decoration-line", "none")
    batch.hover()
    expect(batch).to_have_css("text-decoration-line", "underline")
    expect(cancel).not_to_have_css("color", red)
    cancel.hover()
    expect(cancel).to_have_css("color", red)
    page.view.get_by_role("tab", name="Queue").hover()
    expect(cancel).to_have_css("color", gray)
    assert "›" in opens.evaluate("e => getComputedStyle(e, '::before').content")
    turned = "e => getComputedStyle(e, '::before').transform !== 'none'"
    assert not opens.evaluate(turned)
    opens.click()
    page.notebook.page.keyboard.press("ArrowRight")
    expect(cancel).to_be_focused()
    expect(cancel).to_have_css("color", red)
    assert opens.evaluate(turned)


def test_cancel_batch_includes_the_running_item(page: Page, wire: Wire) -> None:
    """A click on a row's batch shows only that batch, and canceling it also cancels the item that is running."""
    running, pending = wire.running_and_pending(2)
    (other,) = wire.enqueue()["item_ids"]
    expect(page.row(other)).to_be_visible()
    tools = page.view.locator(".iw-tools").locator("visible=true")
    expect(tools.get_by_role("combobox")).to_have_count(0)
    expect(tools.get_by_role("button", name=re.compile("batch", re.IGNORECASE))).to_have_text("Batch ▾")  # one alone
    page.row(running).get_by_role("button", name=wire.item(running)["batch_id"][:8]).click()
    expect(page.rows()).to_have_count(3)
    page.choose("Cancel this batch (3)")
    page.says("Canceled 3 of batch")
    assert ["canceled"] * 3 == wire.statuses([running, *pending])
    assert "completed" == wire.wait_for(other)["status"]


def test_clear_asks_first_and_says_how_many(page: Page, wire: Wire) -> None:
    """Clearing takes two clicks, and the second button says how many jobs go."""
    wire.running_and_pending(2)
    expect(page.rows()).to_have_count(3)
    page.choose("Clear …")
    expect(page.question).to_contain_text("Clear deletes 3 jobs, also the 3 not finished.")
    assert 3 == wire.queue_status()["total"]
    page.press("Clear 3 jobs")
    page.says("Cleared the queue: 3 deleted")
    assert 0 == wire.queue_status()["total"]


def double(target: Locator, between: Callable[[], object]) -> None:
    """Click an element, do what is to be done between, and click in its place, as a double click's second click."""
    box = target.bounding_box()
    assert box is not None
    mouse = target.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for count in (1, 2):
        mouse.down(click_count=count)
        mouse.up(click_count=count)
        if count == 1:
            between()


@pytest.mark.looks
def test_double_click_presses_one_button(page: Page, wire: Wire) -> None:
    """Its second click does nothing to what took the button's place: a question, the next job's cancel, a retry."""
    running, pending = wire.running_and_pending(3)
    row = page.row(pending[2])
    double(
        row.get_by_role("button", name="Cancel item"),
        lambda: expect(row.get_by_role("button", name="Retry item")).to_be_visible(),
    )
    double(
        page.view.locator(".iw-now").get_by_role("button", name=f"Cancel item {running}"),
        lambda: expect(page.view.locator(".iw-now")).to_contain_text(f"item {pending[0]}"),
    )
    double(page.button("Clear …"), lambda: expect(page.question).to_be_visible())
    expect(page.question).to_contain_text("Clear deletes 4 jobs")
    page.press("Keep")
    page.press("Pause")
    page.says("Paused")
    assert {"in_progress": 1, "pending": 1, "canceled": 2} == wire.counts()


@pytest.mark.looks
def test_dangerous_button_stays_red_under_the_pointer(page: Page, wire: Wire) -> None:
    """That of a question looks the same when it is pointed at, as it is at once where the pointer already was."""
    wire.run()
    page.choose("Clear …")
    button = page.button("Clear 1 job")
    color = button.evaluate("e => getComputedStyle(e).backgroundColor")
    button.hover()
    expect(button).to_have_css("background-color", color)


@pytest.mark.looks
def test_tiles_filter_the_table(page: Page, wire: Wire) -> None:
    """A click on a counter shows only those jobs, from any tab, and a second click shows all again."""
    done, failed = wire.run()["item_id"], wire.run(fail())["item_id"]
    expect(page.rows()).to_have_count(2)
    page.tab("Errors")
    page.tile("Failed").click()
    expect(page.rows()).to_have_count(1)
    expect(page.row(failed)).to_be_visible()
    expect(page.tile("Failed")).to_have_attribute("aria-pressed", "true")
    page.tile("Failed").click()
    expect(page.row(done)).to_be_visible()
    expect(page.tile("Failed")).to_have_attribute("aria-pressed", "false")


def test_group_of_errors_leads_to_its_rows(page: Page, wire: Wire) -> None:
    """Equal failures are one row of the errors, which has their traceback, shows their jobs, and retries each once."""
    failed = [wire.run(fail("out of luck"))["item_id"] for _ in range(3)]
    other = wire.run(fail("something else"))["item_id"]
    page.tab("Errors 4")
    expect(page.rows()).to_have_count(2)
    group = page.rows().filter(has_text="out of luck")
    group.locator(".iwt-c-message").click()
    page.view.get_by_text("Traceback", exact=True).click()
    expect(page.view.get_by_role("region", name="Traceback")).to_contain_text("RuntimeError")
    page.press("Show these 3 in the queue")
    expect(page.rows()).to_have_count(3)
    for item_id in failed:
        expect(page.row(item_id)).to_be_visible()
    page.press("Remove the filter by items")
    expect(page.row(other)).to_be_visible()
    page.tab("Errors 4")
    page.press("Retry 3 jobs")
    page.says("Retried 3 items as")
    until(lambda: 7 == wire.queue_status()["total"], "the new items")
    expect(page.button(re.compile("Retry 3 jobs .3 already retried"))).to_be_visible()  # the new ones failed too


def test_rest_of_a_failing_sweep_is_canceled_from_its_errors(page: Page, wire: Wire) -> None:
    """Two clicks on a group cancel what has not finished of its batches, after a question from eleven jobs on."""
    seconds = [[{"node_path": "fail", "field_name": "seconds", "items": [0.0] + [60.0] * 12}]]
    failed, *rest = sorted(wire.enqueue(fail("out of luck"), data=seconds)["item_ids"])
    other = wire.enqueue()["item_ids"][0]
    page.tab("Errors 1")
    group = page.rows().filter(has_text="out of luck")
    group.get_by_role("gridcell").first.click()
    expect(page.button("Show in queue").first).to_be_visible()
    page.press("Cancel the rest (12)")
    expect(page.question).to_contain_text("Cancel 12 jobs of the batch in which this happened?")
    expect(page.button("Keep them")).to_be_focused()
    page.press("Cancel 12 jobs")
    page.says("Canceled 12 of batch")
    assert ["failed", *["canceled"] * 12] == wire.statuses([failed, *rest])
    assert "completed" == wire.wait_for(other)["status"]
    expect(page.button(re.compile("Cancel the rest"))).to_have_count(0)
    page.press("Retry 1")  # the group is still selected
    page.says(f"Retried item {failed} as")
    page.button("Show in queue").first.click()
    expect(page.row(failed)).to_be_visible()
    expect(page.row(other)).to_have_count(0)


def test_pause_shows_in_a_banner_with_resume(page: Page, wire: Wire) -> None:
    """The worker is paused by the head and resumed by the banner, which says so."""
    page.press("Pause")
    expect(page.banner).to_contain_text("Paused")
    expect(page.banner).to_contain_text("The worker takes no jobs from the queue.")
    assert not wire.get("status")["processor"]["is_started"]
    page.banner.get_by_role("button", name="Resume").click()
    expect(page.banner).to_have_count(0)
    assert wire.get("status")["processor"]["is_started"]


def test_stuck_queue_shows_in_a_banner_that_mends_it(page: Page, wire: Wire) -> None:
    """A queue that cannot go on says so in place of "live", shows the item, and goes on once its batch is canceled."""
    wire.enqueue(data=UNREADABLE)
    item_id = wire.item_ids()[0]
    behind = wire.enqueue()["item_ids"][0]
    expect(page.banner).to_have_role("alert")
    expect(page.banner).to_contain_text("Queue stuck")
    expect(page.view.locator(".iw-state")).to_have_text("stuck")
    expect(page.row(item_id)).to_contain_text("1st · stuck")
    page.tab("Errors")
    page.press("Show item")
    expect(page.row(item_id)).to_have_attribute("aria-selected", "true")
    expect(page.row(item_id)).to_be_visible()
    page.press("Cancel its batch (1 job)")
    page.says("Canceled 1 of batch")
    expect(page.button("Undo")).to_have_count(0)  # it would be stuck again
    expect(page.banner).to_have_count(0)
    page.is_live()
    assert "completed" == wire.wait_for(behind)["status"]


def check_footer(page: Page) -> None:
    """While a cell blocks the kernel or awaits, the footer says truthfully whether clicks arrive."""
    footer = page.view.locator(".iw-foot")
    expect(footer).to_contain_text("Buttons work now")
    page.notebook.run_cell(2, wait=False)
    expect(footer).to_contain_text("clicks wait until it ends")
    page.press("Pause")
    page.notebook.interrupt()
    expect(footer).to_contain_text("Paused: ")
    expect(footer).to_contain_text("Buttons work now")
    page.notebook.run_cell(3, wait=False)
    expect(page.notebook.output(3)).to_contain_text("awaiting")
    page.press("▶")
    expect(footer).to_contain_text("Resumed")
    expect(footer).to_contain_text("Buttons work now")
    expect(page.notebook.cell(3)).to_contain_text("[*]")
    page.notebook.interrupt()
    expect(page.notebook.cell(3)).not_to_contain_text("[*]")


CELLS_THAT_RUN = (
    "import time\nwhile True: time.sleep(0.05)",
    "import asyncio\nawait asyncio.sleep(0.6); print('awaiting')\nwhile True: await asyncio.sleep(0.05)",
)


@pytest.mark.looks
def test_footer_says_whether_clicks_arrive(lab: Lab, wire: Wire) -> None:
    """The footer is right in cells that block the kernel and in cells that await, in JupyterLab."""
    check_footer(Page(lab, wire, *CELLS_THAT_RUN))


@pytest.mark.looks
def test_all_controls_have_accessible_names(page: Page, wire: Wire) -> None:
    """Each button, field and choice has an accessible name."""
    wire.run(fail())
    for tab in ("Submit", "Gallery", "Queue", "Errors 1", "Cancellations"):
        page.tab(tab)
        if tab == "Submit":
            page.press("Vary a field")
        elif tab in ("Queue", "Errors 1"):
            page.press("More actions")
        for role in ("button", "textbox", "combobox", "checkbox", "spinbutton", "searchbox", "progressbar"):
            found = page.view.get_by_role(role)  # type: ignore[arg-type]
            named = page.view.get_by_role(role, name=re.compile(r"\S"))  # type: ignore[arg-type]
            assert (tab, role, found.count()) == (tab, role, named.count())
        page.notebook.page.keyboard.press("Escape")


def test_offline_server_shows_in_a_banner_with_try_now(lab: Lab, wire: Wire, pictures: Path) -> None:
    """The banner says as of when the dimmed table is, and counts down; its button tries at once."""
    with ChaosProxy(wire.server.url) as proxy:
        page = Page(lab, wire, url=proxy.url)
        panel = page.view.get_by_role("tabpanel").locator("visible=true")
        expect(panel).to_have_css("filter", "none")
        expect(page.view.locator(".iw-alive .iw-dot")).to_have_class(re.compile("iw-ok"))
        with proxy.offline():
            expect(page.banner).to_contain_text(
                re.compile(r"This is the queue as of \d\d:\d\d:\d\d.*Next try in \d+ s")
            )
            expect(page.banner).to_have_role("alert")
            expect(page.view.locator(".iw-state")).to_contain_text("offline")
            expect(panel).to_have_css("filter", "grayscale(1)")
            expect(page.view.locator(".iw-alive .iw-dot")).to_have_class(re.compile("iw-off"))
            expect(page.view.locator(".iw-foot")).to_contain_text("Clicks arrive here, but not at the server")
            for theme in ("light", "dark"):
                page.notebook.screenshot(pictures / f"offline-{theme}.png", theme, of=page.view)
            button = page.button("Try now")
            button.click()
            expect(page.view.get_by_role("alert").filter(has_text="still away")).to_be_visible()
            expect(button).to_be_enabled()
            page.notebook.screenshot(pictures / "tried.png", of=page.view)
        with contextlib.suppress(PlaywrightTimeout):  # it may have tried by itself by now
            button.click(timeout=1000)
        page.is_live()
        expect(page.banner).to_have_count(0)
        expect(panel).to_have_css("filter", "none")
