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
        expect(self.view.locator(".iw-footer")).to_contain_text("clicks wait until it ends")

    def release(self) -> None:
        self._go_on.touch()
        expect(self.view.locator(".iw-footer")).to_contain_text("Buttons work now")


@pytest.fixture
def page(lab: Lab, wire: Wire, tmp_path: Path) -> Iterator[BlockedPage]:
    opened = BlockedPage(lab, wire, tmp_path / "go-on")
    yield opened
    opened.release()


def test_delayed_cancel_takes_the_selection_at_the_click(page: BlockedPage, wire: Wire) -> None:
    """Only what was selected at the click is canceled, however often the selection changes."""
    _, (first, second, third) = wire.running_and_pending(3)
    page.row(first).locator(".iwq-box").click()
    page.block()
    page.row(second).locator(".iwq-box").click()
    page.row(third).locator(".iwq-box").click()
    page.row(first).locator(".iwq-box").click()
    page.cancel_selected(2)
    page.row(second).locator(".iwq-box").click()
    page.release()
    expect(page.view.locator(".iw-footer")).to_contain_text("Last action: Canceled 2 of 2.")
    assert ["pending", "canceled", "canceled"] == wire.statuses([first, second, third])
    expect(page.row(third)).to_have_attribute("aria-selected", "true")
    expect(page.row(second)).to_have_attribute("aria-selected", "false")


def test_shown_batch_stays_while_pointed_at(page: BlockedPage, wire: Wire) -> None:
    """If the shown batch finishes just before a click, no other takes its place until the pointer leaves."""
    running, _ = wire.running_and_pending(0)
    shown = wire.enqueue(sleep(60))["batch"]["batch_id"]
    choice, button = page.view.locator(".iw-press select:visible"), page.view.get_by_role("button", name="cancel batch")
    choice.select_option(shown)
    button.hover()
    wire.put("cancel_by_batch_ids", json={"batch_ids": [shown]})
    expect(choice.locator("option:checked")).to_contain_text("(finished)")
    expect(button).to_be_disabled()
    page.view.locator(".iw-counts").hover()
    expect(choice.locator("option:checked")).to_contain_text(wire.item(running)["batch_id"][:8])
    expect(button).to_be_enabled()


def test_delayed_cancel_takes_the_batch_at_the_click(page: BlockedPage, wire: Wire) -> None:
    """The batch chosen at the click is canceled, even if a newer one takes its place in the list."""
    running, _ = wire.running_and_pending(0)
    newer = wire.enqueue(sleep(60))["item_ids"][0]
    choice = page.view.locator(".iw-press select:visible")
    expect(choice.locator("option")).to_have_count(2)
    page.block()
    choice.select_option(index=1)
    newest = wire.enqueue(sleep(60))["item_ids"][0]
    expect(choice.locator("option")).to_have_count(3)
    page.press("cancel batch")
    page.release()
    page.says("Canceled 1 of batch")
    assert "canceled" == wire.wait_for(running)["status"]
    assert "canceled" not in wire.statuses([newer, newest])


def test_delayed_enqueue_takes_the_form_at_the_click(page: BlockedPage, wire: Wire) -> None:
    """The form's values at the click are enqueued, not those of later edits."""
    page.tab("Submit")
    page.view.get_by_label("graph").fill(json.dumps(add_and_multiply()))
    expect(page.view.get_by_text("1 item, at the end of the queue")).to_be_visible()
    runs, destination = page.view.get_by_label("runs"), page.view.get_by_label("destination").locator("visible=true")
    page.block()
    for number in ("2", "4", "3"):
        runs.fill(number)
        destination.fill(f"to {number}")
    page.press("enqueue")
    runs.fill("7")
    destination.fill("to 7")
    page.release()
    page.says("Enqueued 3 of 3 as batch")
    assert ["to 3"] * 3 == [wire.item(item_id)["destination"] for item_id in wire.item_ids()]
    expect(page.view.get_by_text("7 items: 7 runs")).to_be_visible()
    assert ("7", "to 7") == (runs.input_value(), destination.input_value())
