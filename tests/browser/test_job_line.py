"""A batch and a job at the end of a cell, in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab
from tests.support.wire import Wire

pytestmark = pytest.mark.looks

_SLEEP = '{"nodes": {"s": {"type": "probe_sleep", "seconds": 60, "steps": 600}}, "edges": []}'
_FAIL = '{"nodes": {"f": {"type": "probe_fail", "message": "<b>out of luck</b>"}}, "edges": []}'


def test_batch_and_job_are_live_lines(lab: Lab, wire: Wire) -> None:
    """A batch is seen running and is canceled by a click; a failed job says why, as text."""
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})"
    notebook = lab.open([connect, f"console.submit({_SLEEP}, runs=2)", f"console.submit({_FAIL}).jobs[0]"])
    notebook.run()
    batch, job = notebook.output(1), notebook.output(2)
    expect(batch.get_by_role("progressbar")).to_be_visible()
    expect(batch).to_contain_text("0 of 2 jobs")
    assert [] == violations(notebook, ".iwl-line")
    batch.get_by_role("button", name="Cancel").click()
    expect(batch).to_contain_text("2 canceled")
    expect(batch.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(job).to_contain_text("<b>out of luck</b>")
