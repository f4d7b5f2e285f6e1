"""A token that the server refuses, in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab
from tests.browser.test_dashboard import View
from tests.contract.conftest import people
from tests.contract.people import People

__all__ = ["people"]

pytestmark = pytest.mark.looks


def test_refused_token_shows_in_a_banner_until_replaced(lab: Lab, people: People, pictures: Path) -> None:
    """The banner says that access is refused, why, and what to do, in both themes; a new token ends it."""
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({people.user.server.url!r}, token=TOKEN)"
    notebook = lab.open(["console"])
    notebook.kernel_execute(f"TOKEN = {people.user.token!r}\n{connect}")
    notebook.run_cell(0)
    page = View(notebook.output(0))
    page.is_live()
    notebook.kernel_execute("console.client.transport.set_token('expired')")
    expect(page.view.locator(".iw-state")).to_contain_text("access refused")
    expect(page.banner).to_have_role("alert")
    expect(page.banner).to_contain_text("Access refused")
    expect(page.banner).to_contain_text("console.reconnect(token=...)")
    for theme in ("light", "dark"):
        notebook.screenshot(pictures / f"refused-{theme}.png", theme, page.view)  # type: ignore[arg-type]
        assert [] == violations(notebook, ".iw")
    notebook.kernel_execute("console.reconnect(token=TOKEN)")
    page.is_live()
    expect(page.banner).to_have_count(0)
