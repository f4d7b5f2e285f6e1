"""The dashboard in Notebook 7 and Voila, and the table in marimo: clicks reach the server."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.front_ends import Notebook7Page, VoilaPage, marimo_page
from tests.browser.session import Lab
from tests.browser.test_dashboard import CELLS_THAT_RUN, Page, check_footer
from tests.support.chaos import ChaosProxy
from tests.support.graphs import sleep
from tests.support.wire import Wire, until


def submit_and_cancel(page: Page, wire: Wire) -> None:
    """Submit in the form, cancel in the row, and compare the footer and the server."""
    page.submit(sleep(60))
    item_id = until(lambda: wire.item_ids(), "the item")[0]
    expect(page.row(item_id)).to_contain_text("Running")
    page.row(item_id).get_by_role("button", name=f"Cancel item {item_id}").click()
    expect(page.row(item_id)).to_contain_text("Canceled")
    expect(page.view.locator(".iw-foot")).to_contain_text("Buttons work now")
    page.says(f"Canceled item {item_id}, which was running.")
    expect(page.view.locator(".jp-OutputArea-child:visible")).to_have_count(1)  # the static form is hidden
    assert "canceled" == wire.wait_for(item_id)["status"]


def test_notebook_7_dashboard_submits_and_cancels(lab: Lab, wire: Wire, pictures: Path) -> None:
    """Clicks arrive as in JupyterLab, whose notebook it is."""
    page = Page(lab, wire, *CELLS_THAT_RUN, notebook=Notebook7Page)
    submit_and_cancel(page, wire)
    page.notebook.screenshot(pictures / "light.png", "light")
    page.notebook.screenshot(pictures / "dark.png", "dark")
    check_footer(page)


def test_voila_dashboard_submits_and_cancels(lab: Lab, wire: Wire, pictures: Path) -> None:
    """Clicks arrive; no cell can run, and the kernel is idle."""
    page = Page(lab, wire, notebook=VoilaPage)
    submit_and_cancel(page, wire)
    page.notebook.page.screenshot(path=pictures / "light.png")


def test_marimo_parts_show_and_the_table_cancels(lab: Lab, wire: Wire, pictures: Path) -> None:
    """Each part works alone: the queue table reports outcomes and failures itself, and the others are shown."""
    running, pending = wire.start(sleep(60, steps=600), runs=2)
    with ChaosProxy(wire.server.url) as proxy, marimo_page(lab, proxy.url) as page:
        rows = {item_id: page.locator(f'[role="row"][data-id="{item_id}"]') for item_id in (running, pending)}
        expect(rows[running]).to_contain_text("Running")
        rows[pending].get_by_role("button", name=f"Cancel item {pending}").click()
        expect(rows[pending]).to_contain_text("Canceled")
        expect(page.get_by_role("status").get_by_text(f"Canceled item {pending}.")).to_be_visible()
        assert "canceled" == wire.item(pending)["status"]
        expect(page.locator(".iw-state")).to_have_text("live")
        expect(page.get_by_text("Nothing has failed.")).to_be_visible()
        expect(page.get_by_role("button", name="Enqueue")).to_be_visible()
        search = page.get_by_label("Search values, errors, ids")
        search.press_sequentially("in_progress", delay=90)  # what is typed stays, though the running row changes
        expect(search).to_have_value("in_progress")
        expect(rows[pending]).to_have_count(0)
        rows[running].get_by_role("gridcell").nth(1).click()
        expect(page.get_by_label(f"Details of item {running}")).to_contain_text("session_id")
        page.screenshot(path=pictures / "light.png")
        with proxy.offline():
            rows[running].get_by_role("button", name=f"Cancel item {running}").click()
            expect(page.get_by_role("alert").get_by_text(proxy.url).first).to_be_visible()
