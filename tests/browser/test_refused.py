"""A token that the server refuses, in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab
from tests.contract.conftest import people
from tests.contract.people import People

__all__ = ["people"]

pytestmark = pytest.mark.looks


def test_refused_token_shows_in_header_until_replaced(lab: Lab, people: People, pictures: Path) -> None:
    """The header says that access is refused, why, and what to do, in both themes; a new token ends it."""
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({people.user.server.url!r}, token=TOKEN)"
    notebook = lab.open(["console"])
    notebook.kernel_execute(f"TOKEN = {people.user.token!r}\n{connect}")
    notebook.run_cell(0)
    view = notebook.output(0)
    expect(view.get_by_text("● live").first).to_be_visible()
    notebook.kernel_execute("console._client.transport.set_token('expired')")
    expect(view.locator(".iw-connection.iw-refused")).to_contain_text("⊘ access refused")
    refusal = view.locator(".iw-refusal")
    expect(refusal).to_be_visible()
    expect(refusal).to_have_attribute("role", "alert")
    expect(refusal).to_contain_text("console.reconnect(token=...)")
    for theme in ("light", "dark"):
        notebook.screenshot(pictures / f"refused-{theme}.png", theme, view)  # type: ignore[arg-type]
        assert [] == violations(notebook, ".iw-dashboard")
    notebook.kernel_execute("console.reconnect(token=TOKEN)")
    expect(view.get_by_text("● live").first).to_be_visible()
    expect(refusal).to_have_count(0)
