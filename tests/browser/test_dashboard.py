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


class Page:
    """A notebook whose second cell shows the dashboard.

    Args:
        lab: the JupyterLab that opens it.
        wire: the server to connect to.
        further: more cells.
        notebook: opens the notebook; by default in JupyterLab.
    """

    def __init__(
        self, lab: Lab, wire: Wire, *further: str, notebook: Callable[[Lab, list[str]], Any] = NotebookPage.opened
    ) -> None:
        connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})"
        self.notebook = notebook(lab, [connect, "console", *further])
        if isinstance(self.notebook, NotebookPage):
            self.notebook.run_cell(0)
            self.notebook.run_cell(1)
        self.view: Locator = self.notebook.output(1)
        expect(self.view.get_by_text("● live").first).to_be_visible()

    def tab(self, name: str) -> None:
        self.view.get_by_role("tab", name=name).click()

    def press(self, name: str) -> None:
        self.view.get_by_role("button", name=name).locator("visible=true").click()

    def row(self, item_id: int) -> Locator:
        return self.view.locator(f'[role="row"][data-id="{item_id}"]')

    def says(self, words: str | re.Pattern[str]) -> None:
        expect(self.view.locator(".iw-said:visible").get_by_text(words).first).to_be_visible()

    def cancel_selected(self, count: int) -> None:
        """Cancel by the table's button, and confirm."""
        self.press(f"cancel {count} selected")
        self.view.get_by_role("group", name="confirm").get_by_role("button", name="cancel").click()

    def submit(self, graph: Graph) -> None:
        """Submit by the form."""
        self.tab("Submit")
        self.view.get_by_label("graph").fill(json.dumps(graph))
        self.press("enqueue")
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
    expect(row).to_contain_text("in_progress")
    row.get_by_role("button", name=re.compile("cancel", re.IGNORECASE)).click()
    assert "canceled" == wire.wait_for(item_id)["status"]
    expect(row).to_contain_text("canceled")


def test_value_of_wrong_type_is_reported_at_its_field(page: Page, wire: Wire) -> None:
    """A value of the wrong type is reported under its row before anything is sent."""
    page.tab("Submit")
    page.view.get_by_label("graph").fill(json.dumps(add_and_multiply()))
    page.press("vary a field")
    page.view.get_by_label("field").locator("visible=true").last.fill("add.a")
    page.view.get_by_label("values").fill('[1, "seven"]')
    expect(page.view.get_by_role("alert").get_by_text("data.add.a[1]: should be an integer")).to_be_visible()
    expect(page.view.get_by_role("button", name="enqueue")).to_be_disabled()
    page.view.get_by_label("values").fill("[1, 2]")
    expect(page.view.get_by_text("2 items: 1 run × 2 combinations")).to_be_visible()
    assert 0 == wire.queue_status()["total"]


def test_cancel_selected_rows_from_the_dashboard(page: Page, wire: Wire) -> None:
    """Rows selected in the table are canceled together."""
    running, pending = wire.running_and_pending(2)
    for item_id in (running, pending[0]):
        page.row(item_id).get_by_role("gridcell").first.click()
    page.cancel_selected(2)
    expect(page.view.locator(".iw-footer")).to_contain_text("Last action: Canceled 2 of 2.")
    assert ["canceled", "canceled"] == wire.statuses([running, pending[0]])


def test_cancel_batch_includes_the_running_item(page: Page, wire: Wire) -> None:
    """Canceling one of the unfinished batches also cancels the item that is running."""
    running, pending = wire.running_and_pending(2)
    page.press("cancel batch")
    page.says("Canceled 3 of batch")
    assert ["canceled"] * 3 == wire.statuses([running, *pending])


def test_cancel_pending_leaves_the_running_item(page: Page, wire: Wire) -> None:
    """Everything pending is canceled, and the current item goes on."""
    running, pending = wire.running_and_pending(2)
    page.press("cancel pending (2)")
    page.says("Canceled 2 pending; the current item goes on.")
    assert ["in_progress", "canceled", "canceled"] == wire.statuses([running, *pending])


def test_clear_asks_first_and_says_how_many(page: Page, wire: Wire) -> None:
    """Clearing takes two clicks, and the second button says how many items go."""
    wire.running_and_pending(2)
    expect(page.view.get_by_role("button", name="cancel pending (2)")).to_be_enabled()
    page.press("clear …")
    expect(page.view.get_by_text("Clear deletes 3 items, 3 of them unfinished")).to_be_visible()
    assert 3 == wire.queue_status()["total"]
    page.press("clear 3 items")
    page.says("Cleared the queue: 3 deleted")
    assert 0 == wire.queue_status()["total"]


def test_retry_failed_and_show_its_error(page: Page, wire: Wire) -> None:
    """A failure appears in the error log, leads to its row, and is retried."""
    item_id = wire.run(fail("out of luck"))["item_id"]
    page.tab("Errors 1")
    expect(page.view.locator(".iw-message-full")).to_have_text("out of luck")
    page.view.get_by_text("Traceback", exact=True).click()
    expect(page.view.locator(".iw-traceback pre")).to_contain_text("RuntimeError")
    page.press(f"show item {item_id} in queue")
    expect(page.row(item_id)).to_have_attribute("aria-selected", "true")
    page.press("retry failed (1)")
    page.says(f"Retried item {item_id} as")
    until(lambda: wire.queue_status()["total"] == 2, "the new item")


def test_pause_and_resume_show_in_the_header(page: Page, wire: Wire) -> None:
    """The worker is paused and resumed, and the header says so."""
    page.press("pause")
    expect(page.view.get_by_text("paused: the worker takes no items")).to_be_visible()
    assert not wire.get("status")["processor"]["is_started"]
    page.press("resume")
    expect(page.view.get_by_text("paused: the worker takes no items")).to_be_hidden()
    assert wire.get("status")["processor"]["is_started"]


def check_footer(page: Page) -> None:
    """While a cell blocks the kernel or awaits, the footer says truthfully whether clicks arrive."""
    footer = page.view.locator(".iw-footer")
    expect(footer).to_contain_text("Buttons work now")
    page.notebook.run_cell(2, wait=False)
    expect(footer).to_contain_text("clicks wait until it ends")
    page.press("pause")
    page.notebook.interrupt()
    expect(footer).to_contain_text("Last action: Paused")
    expect(footer).to_contain_text("Buttons work now")
    page.notebook.run_cell(3, wait=False)
    expect(page.notebook.output(3)).to_contain_text("awaiting")
    page.press("resume")
    expect(footer).to_contain_text("Last action: Resumed")
    expect(footer).to_contain_text("Buttons work now")
    expect(page.notebook.cell(3)).to_contain_text("[*]")
    page.notebook.interrupt()
    expect(page.notebook.cell(3)).not_to_contain_text("[*]")


CELLS_THAT_RUN = (
    "import time\nwhile True: time.sleep(0.05)",
    "import asyncio\nawait asyncio.sleep(0.6); print('awaiting')\nwhile True: await asyncio.sleep(0.05)",
)


def test_footer_says_whether_clicks_arrive(lab: Lab, wire: Wire) -> None:
    """The footer is right in cells that block the kernel and in cells that await, in JupyterLab."""
    check_footer(Page(lab, wire, *CELLS_THAT_RUN))


def test_all_controls_have_accessible_names(page: Page, wire: Wire) -> None:
    """Each button, field and choice has an accessible name."""
    wire.run(fail())
    for tab in ("Submit", "Queue", "Errors 1", "Cancellations", "Results"):
        page.tab(tab)
        for role in ("button", "textbox", "combobox", "checkbox", "spinbutton", "listbox", "progressbar"):
            found = page.view.get_by_role(role)  # type: ignore[arg-type]
            named = page.view.get_by_role(role, name=re.compile(r"\S"))  # type: ignore[arg-type]
            assert (tab, role, found.count()) == (tab, role, named.count())


def test_offline_server_shows_in_header_with_try_now(lab: Lab, wire: Wire, pictures: Path) -> None:
    """The header says when it tries again; its button tries at once and shows the failure."""
    with ChaosProxy(wire.server.url) as proxy:
        notebook = lab.open([f"import invoke_widgets as iw\nconsole = iw.connect({proxy.url!r})", "console"])
        notebook.run_cell(0)
        notebook.run_cell(1)
        view = notebook.output(1)
        expect(view.get_by_text("● live").first).to_be_visible()
        button = view.get_by_role("button", name="try now")
        expect(button).to_be_hidden()
        with proxy.offline():
            offline = re.compile(r"^○ offline, next try in \d+ s")
            expect(view.locator(".iw-connection")).to_have_text(offline)
            for theme in ("light", "dark"):
                notebook.screenshot(pictures / f"offline-{theme}.png", theme, of=view)
            button.click()
            expect(view.get_by_role("alert").get_by_text("still away").first).to_be_visible()
            expect(button).to_be_enabled()
            notebook.screenshot(pictures / "tried.png", of=view)
        with contextlib.suppress(PlaywrightTimeout):  # it may have tried by itself by now
            button.click(timeout=1000)
        expect(view.get_by_text("● live").first).to_be_visible()
        expect(button).to_be_hidden()
