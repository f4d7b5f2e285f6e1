"""A failed job that its policy runs again, in a real JupyterLab."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab
from tests.support.wire import Wire

pytestmark = pytest.mark.looks

_SUBMIT = """
from tests.support.graphs import fail
job = console.submit(fail("Connection reset by peer"), retry=iw.RetryPolicy(backoff_s=60)).jobs[0]
"""


def test_row_counts_down_to_its_retry(lab: Lab, wire: Wire, pictures: Path) -> None:
    """The row counts down, the error log names the time, both in both themes; a cancel calls it off."""
    root = str(Path(__file__).parents[2])
    notebook = lab.open(["console"])
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})"
    notebook.kernel_execute(f"import sys; sys.path.insert(0, {root!r})\n{connect}")
    notebook.run_cell(0)
    notebook.kernel_execute(_SUBMIT)
    view = notebook.output(0)
    item_id = int(notebook.kernel_execute("print(job.item_id)"))
    row = view.locator(f'[role="row"][data-id="{item_id}"]')
    cell = row.get_by_text(re.compile("retry in 0:[0-5][0-9]"))
    expect(cell).to_be_visible()
    before = cell.inner_text()
    expect(cell).not_to_have_text(before)
    activity = row.get_by_role("gridcell").filter(has_text="retry in")
    expect(activity).to_have_attribute("title", re.compile("its retry policy runs it again"))
    for theme in ("light", "dark"):
        notebook.screenshot(pictures / f"retrying-{theme}.png", theme, view)  # type: ignore[arg-type]
        assert [] == violations(notebook, ".iw")
    view.get_by_role("tab", name="Errors").click()
    view.locator(".iwt-c-message").locator("visible=true").click()
    expect(view.get_by_text("by its policy, at")).to_be_visible()
    notebook.screenshot(pictures / "retrying-log.png", "light", view)
    view.get_by_role("tab", name="Queue").click()
    notebook.kernel_execute("job.cancel()")
    expect(row.get_by_text("retry in")).to_have_count(0)
