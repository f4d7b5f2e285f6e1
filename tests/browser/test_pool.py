"""The dashboard and the table of core widgets, for front ends that load no script of ours, in a real JupyterLab."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab
from tests.support.graphs import fail, sleep
from tests.support.wire import Wire

pytestmark = pytest.mark.looks


def test_a_row_is_canceled_and_retried(lab: Lab, wire: Wire, pictures: Path) -> None:
    """The newest items are listed, and the buttons beside them reach the server."""
    failed = wire.run(fail("out of luck"))["item_id"]
    running, pending = wire.running_and_pending(20)
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})"
    page = lab.open([connect, "console.queue_table(fallback=True)"])
    page.run()
    page.kernel_execute(
        "import invoke_widgets.widgets.pool as pool; pool._STILL_S = 0"
    )  # a test is faster than a person
    view = page.output(1).locator(".jp-OutputArea-child").first
    newest = pending[-1]
    expect(view.get_by_text("22 items")).to_be_visible()
    expect(view.get_by_text("progress", exact=True)).to_be_visible()
    page.screenshot(pictures / "light.png", "light")
    page.screenshot(pictures / "dark.png", "dark")
    view.get_by_title(f"cancel item {newest}", exact=True).click()
    expect(view.get_by_text(f"Canceled item {newest}.")).to_be_visible()
    assert "canceled" == wire.item(newest)["status"]
    expect(view.get_by_text("out of luck")).to_have_count(0)
    assert [] == violations(page, ".iw")
    view.get_by_label("status").select_option("failed")
    expect(view.get_by_text("1 item", exact=True)).to_be_visible()
    expect(view.get_by_text("out of luck")).to_be_visible()
    view.get_by_title(f"retry item {failed}", exact=True).click()
    expect(view.get_by_text(f"Retried item {failed} as")).to_be_visible()
    assert 23 == wire.queue_status()["total"]
    view.get_by_label("status").select_option("all")
    expect(view.get_by_text("23 items")).to_be_visible()
    view.get_by_role("button", name="older").click()
    expect(view.get_by_title(f"cancel item {running}", exact=True)).to_be_visible()


def test_the_dashboard_of_core_widgets(lab: Lab, wire: Wire, pictures: Path) -> None:
    """A graph is enqueued and its batch is canceled, without a script of ours."""
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})"
    page = lab.open([connect, "console.dashboard(fallback=True)"])
    page.run()
    view = page.output(1)
    view.get_by_role("tab", name="Submit").click()
    view.get_by_label("graph").fill(json.dumps(sleep(60)))
    view.get_by_role("button", name="enqueue").click()
    expect(view.locator(".iw-said:visible")).to_contain_text("Enqueued 1 of 1")
    view.get_by_role("tab", name="Queue").click()
    item_id = wire.get("item_ids")["item_ids"][0]
    expect(view.get_by_title(f"cancel item {item_id}", exact=True)).to_be_visible()
    page.screenshot(pictures / "light.png", "light")
    page.screenshot(pictures / "dark.png", "dark")
    assert [] == violations(page, ".iw-dashboard")
    view.get_by_role("button", name="cancel batch").click()
    assert "canceled" == wire.wait_for(item_id)["status"]
    expect(view.locator(".iw-said:visible")).to_contain_text("Canceled 1 of batch")
