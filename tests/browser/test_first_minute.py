"""A user's first minute in a notebook: submit, watch, cancel; and the quickstart from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from invoke_widgets import cli
from tests.browser.session import Lab
from tests.support.wire import Wire

_SUBMIT = """
long = {"nodes": {"long": {"type": "probe_sleep", "seconds": 60, "steps": 60, "preview": True}}, "edges": []}
short = {"nodes": {"sum": {"type": "add", "a": 1, "b": 2}}, "edges": []}
wrong = {"nodes": {"quotient": {"type": "div", "a": 7, "b": 0}}, "edges": []}
console.submit(wrong).wait()
[job] = console.submit(long)
batch = console.submit(short, data={"sum.a": [1, 2, 3]})
print(job.item_id)
"""


def test_submitted_job_appears_and_its_button_cancels_it(lab: Lab, wire: Wire, pictures: Path) -> None:
    """The row of a submitted job appears, its button cancels the job on the server, and the row says so."""
    page = lab.open([f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})", "console", _SUBMIT])
    page.run()
    item_id = int(page.output(2).inner_text())
    row = page.output(1).locator(f'[role="row"][data-id="{item_id}"]')
    expect(row).to_contain_text("Running")
    expect(row).to_contain_text(re.compile(r"[1-9]\d* %"))
    page.screenshot(pictures / "running-light.png", "light")
    page.screenshot(pictures / "running-dark.png", "dark")
    row.get_by_role("button", name="Cancel item").click()
    expect(row).to_contain_text("Canceled")
    page.screenshot(pictures / "canceled-light.png", "light")
    assert "canceled" == wire.wait_for(item_id)["status"]


def test_interrupt_cancels_the_job_if_asked_to(lab: Lab, wire: Wire, pictures: Path) -> None:
    """While a cell waits for the job, the table stays live, and ■ cancels the job if it was asked to."""
    cells = [f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})", "console"]
    page = lab.open([*cells, _SUBMIT, "job.wait(on_interrupt='cancel')"])
    for cell in (0, 1, 2):
        page.run_cell(cell)
    item_id = int(page.output(2).inner_text())
    row = page.output(1).locator(f'[role="row"][data-id="{item_id}"]')
    page.run_cell(3, wait=False)
    expect(row).to_contain_text(re.compile(r"[1-9]\d* %"))
    page.screenshot(pictures / "waiting-light.png", "light")
    page.interrupt()
    expect(page.output(3)).to_contain_text("KeyboardInterrupt")
    expect(row).to_contain_text("Canceled")
    assert "canceled" == wire.wait_for(item_id)["status"]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", ["quickstart.ipynb"])
def test_notebooks_run_without_errors(lab: Lab, wire: Wire, pictures: Path, notebook: str) -> None:
    """Each notebook runs from top to bottom without an error or a widget that cannot be shown."""
    page = lab.open(cli.find_notebook(notebook))
    page.kernel_execute(f"import os; os.environ['INVOKE_WIDGETS_URL'] = {wire.server.url!r}")
    page.run()
    page.wait_idle()
    everything = page.page.locator(".jp-NotebookPanel:visible")
    expect(everything.locator('[data-mime-type="application/vnd.jupyter.error"]')).to_have_count(0)
    expect(everything.get_by_text("Error displaying widget")).to_have_count(0)
    expect(everything.locator(".iw-state").get_by_text("live").first).to_be_visible()
    page.screenshot(pictures / f"{notebook}-light.png", "light", of=page.output(3))
