"""Text from a server stays text in every part of the dashboard, sent by a real server too."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.browser.session import Lab
from tests.browser.test_dashboard import Page
from tests.support.graphs import fail, graph, sleep
from tests.support.wire import Wire

_HOSTILE = (
    "<img src=x onerror='window.pwned=1'>",
    "</td></table><script>window.pwned=1</script>",
    '"><svg onload=window.pwned=1>',
    "&lt;b&gt;&#60;script&#62;window.pwned=1&#60;/script&#62;",
    "javascript:window.pwned=1//'\"`${window.pwned=1}\\",
)


def test_dashboard_runs_no_script_from_server_text(lab: Lab, wire: Wire) -> None:
    """Messages, tracebacks, ids, destinations, origins, values and outputs run no script anywhere."""
    page = Page(lab, wire)
    view, browser = page.view, page.notebook.page
    browser.evaluate("() => { window.pwned = 0; }")
    for text in _HOSTILE:
        named = {"batch_id": f"b {text}", "destination": text, "origin": text}
        picture = {"type": "blank_image", "width": 8, "height": 8}  # so that the gallery shows it
        value = graph({text: {"type": "string", "value": text}, "picture": picture})
        varied = [[{"node_path": text, "field_name": "value", "items": [text]}]]
        failing = wire.enqueue(fail(text), **named)["item_ids"][0]
        completed = wire.enqueue(value, data=varied, **named)["item_ids"][0]
        for item_id, status in ((failing, "Failed"), (completed, "Completed")):
            expect(page.row(item_id)).to_contain_text(status)
            page.row(item_id).locator(".iwt-c-item").click()
            expect(view.locator(".iwt-detail")).to_contain_text(text)
        running = wire.enqueue(sleep(60), batch_id=f"{text} c", destination=text)["item_ids"][0]
        expect(page.row(running)).to_contain_text("Running")
        page.notebook.kernel_execute(f"console.cancel_batch({json.dumps(f'{text} c')})")
        expect(page.row(running)).to_contain_text("Canceled")
    for tab, length in (("Errors", 200), ("Cancellations", 8), ("Gallery", 200)):
        page.tab(tab)
        for text in _HOSTILE:
            expect(view.get_by_text(text[:length]).locator("visible=true").first).to_be_visible()
    page.tab("Submit")
    view.get_by_role("textbox", name="Graph").fill(json.dumps(value))
    page.press("Enqueue")
    page.says("Enqueued 1 of 1 as batch")
    assert 0 == browser.evaluate("() => window.pwned")
    assert 0 == view.locator("script, .iw svg, img[src='x']").count()
