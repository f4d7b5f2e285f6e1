"""Files for the submit form in a real JupyterLab, chosen and dropped."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from invoke_widgets.widgets.submitter import FILE_LIMIT as LIMIT
from tests.browser.session import Lab
from tests.browser.test_dashboard import Page
from tests.support import editor
from tests.support.graphs import add_and_multiply
from tests.support.wire import Wire

pytestmark = pytest.mark.looks

_BATCH = {
    "batch": {
        "graph": add_and_multiply(),
        "data": [[{"node_path": "add", "field_name": "a", "items": [1, 2, 3]}]],
        "runs": 2,
    }
}
_FILES = """files => { const data = new DataTransfer();
    for (const [name, parts] of files) data.items.add(%s); return data; }"""
_GIVEN = _FILES % "new File(parts, name)"
_BYTES = _FILES % "new File([new Uint8Array(parts)], name)"
_HUGE = _FILES % "new File([' '.repeat(parts)], name)"


@pytest.fixture
def form(lab: Lab, wire: Wire) -> Page:
    """A notebook that shows the dashboard's submit form."""
    page = Page(lab, wire)
    page.tab("Submit")
    return page


def drop(form: Page, files: object, make: str = _GIVEN, on: str = ".iws-end") -> None:
    """Drop files on a part of the form, as the browser does."""
    data = form.notebook.page.evaluate_handle(make, files)
    target = form.view.locator(on).locator("visible=true").first
    target.dispatch_event("dragover", {"dataTransfer": data})
    expect(form.view.locator(".iws-dropping")).to_have_count(1)
    target.dispatch_event("drop", {"dataTransfer": data})
    expect(form.view.locator(".iws-dropping")).to_have_count(0)


def test_opened_file_fills_the_form(form: Page, tmp_path: Path) -> None:
    """A batch in a file fills the form, which says what it would enqueue."""
    file = tmp_path / "batch.json"
    file.write_text(json.dumps(_BATCH))
    with form.notebook.page.expect_file_chooser() as chooser:
        form.press("Open file…")
    chooser.value.set_files(file)
    expect(form.view.get_by_text("6 jobs: 2 runs × 3 combinations")).to_be_visible()
    expect(form.view.get_by_label(re.compile("^Values"))).to_have_value("[1, 2, 3]")


def test_dropped_file_fills_the_form(form: Page, wire: Wire) -> None:
    """A file dropped anywhere on the form fills it, and can be enqueued."""
    drop(form, [["graph.json", [json.dumps(add_and_multiply())]]])
    expect(form.view.locator(".iws-plan")).to_have_text("1 job")
    drop(form, [["batch.json", [json.dumps(_BATCH)]]], on="textarea")
    expect(form.view.get_by_text("6 jobs: 2 runs × 3 combinations")).to_be_visible()
    form.press("Enqueue")
    form.says("Enqueued 6 of 6 as batch")
    assert 6 == wire.queue_status()["total"]


def test_picture_dropped_onto_a_field_is_its_value(form: Page) -> None:
    """The form around it, which takes workflows, leaves it to the field."""
    flow = editor.workflow([editor.node("r", "img_resize", "Resize", image=..., width=32, height=32)])
    drop(form, [["resize.json", [json.dumps(flow)]]])
    field = form.view.locator(".iwf-image")
    expect(field).to_be_visible()
    make = _FILES % "new File([new Uint8Array(parts)], name, { type: 'image/png' })"
    data = form.notebook.page.evaluate_handle(make, [["mine.png", [137, 80]]])
    field.dispatch_event("dragover", {"dataTransfer": data})
    expect(form.view.locator(".iws-dropping")).to_have_count(0)
    field.dispatch_event("drop", {"dataTransfer": data})
    expect(field.locator(".iwf-chosen img")).to_have_count(1)
    expect(field).to_be_visible()


def test_unusable_file_is_refused_with_a_reason(form: Page, pictures: Path) -> None:
    """The reason shows beside the button, with names as text; the form stays as it is, and a good file clears it."""
    error = form.view.locator(".iws-form").get_by_role("alert")
    form.notebook.page.evaluate("() => { window.pwned = 0; }")
    form.view.get_by_label("Graph").fill(json.dumps(add_and_multiply()))
    expect(form.view.locator(".iws-plan")).to_have_text("1 job")
    drop(form, [["<img src=x onerror='window.pwned=1'>.json", LIMIT + 1]], _HUGE)
    expect(error).to_have_text(
        f"\"<img src=x onerror='window.pwned=1'>.json\" has {LIMIT + 1:,} bytes; the form takes {LIMIT:,}."
        " Read it in a cell, and pass it to console.submit."
    )
    form.notebook.screenshot(pictures / "refused-light.png", "light", of=form.view)
    form.notebook.screenshot(pictures / "refused-dark.png", "dark", of=form.view)
    drop(form, [["one.json", ["{}"]], ["two.json", ["{}"]]])
    expect(error).to_have_text("The form takes one file at a time. Choose a graph or batch as JSON.")
    drop(form, [["a.png", [255, 216]]], _BYTES)
    expect(error).to_contain_text('"a.png" is a picture without a workflow.')
    drop(form, [["a.bin", [254, 216]]], _BYTES)
    expect(error).to_contain_text('"a.bin" is not a text file in UTF-8.')
    expect(form.view.get_by_role("button", name="Enqueue")).to_be_enabled()
    drop(form, [["cut.json", ['{"nodes": {']]])
    expect(error).to_have_text("graph: line 1, column 12: Expecting property name enclosed in double quotes.")
    expect(form.view.get_by_label("Graph")).to_have_value('{"nodes": {')
    drop(form, [["batch.json", [json.dumps(_BATCH)]]])
    expect(error).to_have_count(0)
    assert 0 == form.notebook.page.evaluate("() => window.pwned")
    # What is dragged and is no file is left to the browser.
    data = form.notebook.page.evaluate_handle(
        "() => { const data = new DataTransfer(); data.setData('text/plain', '{}'); return data; }"
    )
    untouched = form.view.locator(".iws-end:visible").evaluate(
        """(element, dataTransfer) => ['dragover', 'drop'].map(name => element.dispatchEvent(
            new DragEvent(name, {bubbles: true, cancelable: true, dataTransfer})))""",
        data,
    )
    assert [True, True] == untouched
