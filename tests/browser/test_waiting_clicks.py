"""Clicks made while a cell blocks the kernel: they do later what the page showed, or say why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.session import Lab
from tests.browser.test_dashboard import Page
from tests.support.graphs import add_and_multiply, sleep
from tests.support.wire import Wire

pytestmark = pytest.mark.looks


class BlockedPage(Page):
    """A dashboard whose third cell blocks the kernel until `release()`."""

    def __init__(self, lab: Lab, wire: Wire, go_on: Path) -> None:
        self._go_on = go_on
        super().__init__(lab, wire, f"import os, time\nwhile not os.path.exists({str(go_on)!r}): time.sleep(0.05)")

    def block(self) -> None:
        self.notebook.run_cell(2, wait=False)
        expect(self.view.locator(".iw-foot").last).to_contain_text("clicks wait until it ends")

    def release(self) -> None:
        self._go_on.touch()
        expect(self.view.locator(".iw-foot").last).to_contain_text("Buttons work now")


@pytest.fixture
def page(lab: Lab, wire: Wire, tmp_path: Path) -> Iterator[BlockedPage]:
    opened = BlockedPage(lab, wire, tmp_path / "go-on")
    yield opened
    opened.release()


def test_a_click_in_a_blocking_cell_arrives_at_once_on_the_demos_kernel(lab: Lab, wire: Wire, tmp_path: Path) -> None:
    """The item is canceled while the cell still runs, and the footer does not say that clicks wait."""
    running, (pending,) = wire.running_and_pending(1)
    blocks = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go-on')!r}): time.sleep(0.05)"
    page = Page(lab, wire, blocks, notebook=lambda lab, cells: lab.open(cells, ipykernel="7.3.0"))
    page.notebook.run_cell(2, wait=False)
    expect(page.notebook.cell(2)).to_contain_text("[*]")
    page.row(pending).get_by_role("button", name=f"Cancel item {pending}").click()
    page.says(f"Canceled item {pending}.")
    assert ["in_progress", "canceled"] == wire.statuses([running, pending])
    expect(page.view.locator(".iw-foot").last).to_contain_text("Buttons work now")
    expect(page.notebook.cell(2)).to_contain_text("[*]")
    (tmp_path / "go-on").touch()


def test_delayed_cancel_takes_the_selection_at_the_click(page: BlockedPage, wire: Wire) -> None:
    """Only what was selected at the click is canceled, however often the selection changes."""
    _, (first, second, third) = wire.running_and_pending(3)
    page.select(first)
    page.block()
    page.select(second, third, first)
    page.press("Cancel 2")
    page.select(second)
    page.release()
    page.says("Canceled 2 of 2.")
    assert ["pending", "canceled", "canceled"] == wire.statuses([first, second, third])
    expect(page.row(third)).to_have_attribute("aria-selected", "true")
    expect(page.row(second)).to_have_attribute("aria-selected", "false")


def test_delayed_cancel_takes_the_batch_at_the_click(page: BlockedPage, wire: Wire) -> None:
    """The batch that was filtered by at the click is canceled, even if the filter is another one by then."""
    running, _ = wire.running_and_pending(0)
    newer = wire.enqueue(sleep(60))["item_ids"][0]
    page.row(running).get_by_role("button", name=wire.item(running)["batch_id"][:8]).click()
    expect(page.rows()).to_have_count(1)
    cancel = page.button("Cancel this batch (1)")
    expect(cancel).to_be_visible()
    page.block()
    cancel.click()
    page.press("Remove the filter by batch")
    page.row(newer).get_by_role("button", name=wire.item(newer)["batch_id"][:8]).click()
    newest = wire.enqueue(sleep(60))["item_ids"][0]
    page.release()
    page.says("Canceled 1 of batch")
    assert "canceled" == wire.wait_for(running)["status"]
    assert "canceled" not in wire.statuses([newer, newest])


def test_delayed_enqueue_takes_the_form_at_the_click(page: BlockedPage, wire: Wire) -> None:
    """The form's values at the click are enqueued, not those of later edits."""
    page.tab("Submit")
    page.view.get_by_label("Graph").fill(json.dumps(add_and_multiply()))
    expect(page.view.locator(".iws-plan")).to_have_text("1 job")
    runs, destination = (
        page.view.get_by_label("Runs"),
        page.view.get_by_label("Destination", exact=True).locator("visible=true"),
    )
    page.block()
    for number in ("2", "4", "3"):
        runs.fill(number)
        destination.fill(f"to {number}")
    page.press("Enqueue")
    runs.fill("7")
    destination.fill("to 7")
    page.release()
    page.says("Enqueued 3 of 3 as batch")
    assert ["to 3"] * 3 == [wire.item(item_id)["destination"] for item_id in wire.item_ids()]
    expect(page.view.get_by_text("7 jobs: 7 runs")).to_be_visible()
    assert ("7", "to 7") == (runs.input_value(), destination.input_value())
