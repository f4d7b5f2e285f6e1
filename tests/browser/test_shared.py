"""A server with several users, in a real JupyterLab: what a user is offered beside others' items."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab
from tests.contract.conftest import people
from tests.contract.people import People
from tests.support.graphs import add_and_multiply, fail

__all__ = ["people"]

pytestmark = pytest.mark.looks


def test_items_of_other_users_have_no_buttons(lab: Lab, people: People, pictures: Path) -> None:
    """Only the user's own rows have a button and count on the buttons; pausing is not offered."""
    failed = people.admin.run(fail())["item_id"]
    people.admin.put("processor/pause")
    theirs = people.admin.enqueue(add_and_multiply(), runs=2)["item_ids"]
    (own,) = people.user.enqueue(add_and_multiply())["item_ids"]
    notebook = lab.open(["console"])
    notebook.kernel_execute(
        f"import invoke_widgets as iw\nconsole = iw.connect({people.user.server.url!r}, token={people.user.token!r})"
    )
    notebook.run_cell(0)
    view = notebook.output(0)
    for item_id in (failed, *theirs):
        expect(view.locator(f'[role="row"][data-id="{item_id}"]')).to_be_visible()
        expect(view.get_by_role("button", name=re.compile(rf"item {item_id}$"))).to_have_count(0)
    expect(view.get_by_role("button", name="Resume")).to_be_disabled()
    view.get_by_role("button", name="More actions").click()
    expect(view.locator(".iw-sheet").get_by_role("button", name="Cancel waiting (1)")).to_be_visible()
    notebook.page.keyboard.press("Escape")
    view.locator(f'[role="row"][data-id="{theirs[0]}"] [role="gridcell"]').nth(2).click()
    notebook.page.keyboard.press("Delete")
    expect(view.get_by_text("This item is another user's.")).to_be_visible()
    for theme in ("light", "dark"):
        notebook.screenshot(pictures / f"shared-{theme}.png", theme, view)  # type: ignore[arg-type]
        assert [] == violations(notebook, ".iw")
    view.get_by_role("button", name=f"Cancel item {own}").click()
    assert "canceled" == people.admin.wait_for(own)["status"]
    assert ["pending", "pending"] == people.admin.statuses(theirs)
