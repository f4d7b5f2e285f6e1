"""Figures in a real JupyterLab: they show, follow a dark page, and have a text for screen readers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accessible import violations
from tests.browser.session import Lab
from tests.support.graphs import divide_by_zero
from tests.support.wire import Wire

pytestmark = pytest.mark.looks


def test_figure_has_alternative_text_and_is_dark_on_a_dark_page(lab: Lab, wire: Wire, pictures: Path) -> None:
    """The image's accessible name says what it shows, also with matplotlib's own inline backend."""
    connect = f"import invoke_widgets as iw\nconsole = iw.connect({wire.server.url!r})"
    notebook = lab.open([connect, "console.plots.error_timeline()", "%matplotlib inline", "console.plots.durations()"])
    notebook.run_cell(0)
    item_id = wire.run(divide_by_zero())["item_id"]
    notebook.kernel_execute(f"console.job({item_id})\nwhile not len(console.errors): pass")
    for cell in (1, 2, 3):
        notebook.run_cell(cell)
    for cell, name in ((1, r"^1 error at .*: execution_failed 1\.$"), (3, r"^The only job ran for .* failed 1, ")):
        image = notebook.output(cell).get_by_role("img", name=re.compile(name))
        expect(image).to_be_visible()
        assert 500 < image.evaluate("image => image.getBoundingClientRect().width")
        notebook.screenshot(pictures / f"figure-{cell}-dark.png", "dark", notebook.output(cell))
        expect(image).to_have_css("filter", "invert(0.92) hue-rotate(180deg)")
        notebook.screenshot(pictures / f"figure-{cell}-light.png", "light", notebook.output(cell))
        expect(image).to_have_css("filter", "none")
    assert [] == violations(notebook, ".jp-OutputArea-output img")
