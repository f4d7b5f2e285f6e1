"""Text from a server stays text in every part of the dashboard, sent by a real server too."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.browser.session import Lab
from tests.browser.test_dashboard import Page, View
from tests.support.graphs import blank_image, fail, graph, sleep
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


_URL = "https://invoke.example/picture.png"
_NAMES = (
    "<img src=x onerror='window.pwned=1'>.png",
    "../../../../tmp/out.png",
    "/etc/hostname",
    _URL,
    "\u202egnp.exe",
    f"{'long' * 10_000}.png",
    "javascript:window.pwned=1",
)

# A server that names pictures as no real one does.
_OTHER_SERVER = """
from types import SimpleNamespace
from invoke_widgets.errors import NotFound
from invoke_widgets.records import COMPLETED, IN_PROGRESS, FieldValue, ImageRecord
from invoke_widgets.widgets.gallery import Gallery
from invoke_widgets.widgets.grid import Grid
from tests.support.table_console import FedConsole, item

names = {names!r}
class Client:
    asked = []
    async def get_queue_item(self, item_id):
        made = {{"n": {{"image": {{"image_name": names[item_id - 1]}}}}}}
        return one(item_id, COMPLETED, session={{"results": made}})
    async def get_image_thumbnail(self, name):
        self.asked.append(name)
        return b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.pwned=1'><image href='{url}'/></svg>"
    get_image_full = get_image_thumbnail
    async def list_boards(self):
        return []
    async def get_image_dto(self, name):
        return ImageRecord(image_name=name)
    async def get_image_metadata(self, name):
        return {{text: text for text in names}} | {{"deep": [[[[names]]]]}}
def one(i, status, **more):
    return item(i, status, field_values=(FieldValue("n", names[i - 1], names[i - 1]),), **more)
fed = FedConsole(one(i, COMPLETED) for i in range(1, len(names) + 1))
fed.client = Client()
fed.on_loop(lambda: fed.store.set_connection(mode="live"))
jobs = SimpleNamespace(jobs=[SimpleNamespace(attempts=(i,)) for i in range(1, len(names) + 1)], batch_id="b")
"""


def test_names_of_pictures_stay_text_and_are_not_fetched(lab: Lab, wire: Wire) -> None:
    """Markup, paths, addresses, long and reversed names, in gallery, grid and full view; and a preview's address."""
    setup = _OTHER_SERVER.format(names=_NAMES, url=_URL)
    running = f"\nfed.feed_over(one(1, IN_PROGRESS))\nfed.progress(1, 0.5, names[0], {_URL!r})\nGrid(fed, jobs)"
    page = Page(lab, wire, setup, "Gallery(fed)", "Grid(fed, jobs)", running)
    browser = page.notebook.page
    browser.evaluate("() => { window.pwned = 0; }")
    page.notebook.run_cell(2)
    possible = [name for name in _NAMES if name.isprintable() and "/" not in name and len(name) < 300]
    for cell, opens, cells in ((3, ".iwg-open", len(possible)), (4, ".iwx-open", len(_NAMES))):
        page.notebook.run_cell(cell)
        view = View(page.notebook.output(cell))
        expect(view.view.locator(opens)).to_have_count(cells)
        view.view.locator(opens).last.scroll_into_view_if_needed()  # what is not seen is not read
        pictures = view.view.locator(f"{opens}:has(img)")
        expect(pictures).to_have_count(len(possible))
        pictures.first.click()
        dialog = view.view.get_by_role("dialog")
        expect(dialog.locator("dt")).to_have_count(len(_NAMES) + 1)
        browser.keyboard.press("ArrowRight")
        expect(dialog.locator(".iwg-large img")).to_have_count(1)
        link = dialog.get_by_role("link", name="Download")
        assert str(link.get_attribute("href")).startswith("blob:")
        assert dialog.bounding_box()["width"] <= 1400  # type: ignore[index]
        browser.keyboard.press("Escape")
    page.notebook.run_cell(5)
    view = View(page.notebook.output(5))
    view.view.locator(".iwx-open").first.click()
    expect(view.view.get_by_role("dialog")).to_contain_text("50 %")
    expect(view.view.get_by_role("dialog").locator("img")).to_have_count(0)
    assert 0 == browser.evaluate("() => window.pwned")
    assert set(eval(page.notebook.kernel_execute("print(fed.client.asked)"))) == set(possible)
    assert [] == [url for url in lab.foreign_requests if "invoke.example" in url]


def test_metadata_runs_no_script_and_saved_files_stay_in_their_folder(lab: Lab, wire: Wire) -> None:
    """What a picture of a real server carries, and names of files that are made of hostile values."""
    texts = [*_HOSTILE, "../../out", "..\\out", "\u202egnp", "a" * 5_000, "/etc/passwd"]
    made = graph({"t": {"type": "string", "value": ""}, **blank_image(8, 8)["nodes"]})
    made["nodes"]["blank"]["metadata"] = {text: text for text in texts} | {"url": _URL}
    submit = f"console.submit({made!r}, data={{'t.value': {texts!r}}}).wait()\nconsole.gallery()"
    page = Page(lab, wire, submit)
    browser = page.notebook.page
    browser.evaluate("() => { window.pwned = 0; }")
    page.notebook.run_cell(2)
    gallery = View(page.notebook.output(2))
    expect(gallery.view.locator(".iwg-open")).to_have_count(len(texts))
    gallery.view.locator(".iwg-open").first.scroll_into_view_if_needed()
    gallery.view.locator(".iwg-open").first.click()
    dialog = gallery.view.get_by_role("dialog")
    expect(dialog).to_contain_text(_HOSTILE[0])
    expect(dialog).to_contain_text(_URL)
    assert 0 == dialog.locator("script, svg, img[src='x'], a[href^=http]").count()
    browser.keyboard.press("Escape")
    browser.keyboard.press("Control+a")
    before = set(lab.notebooks.rglob("*"))
    gallery.press("Save …")
    gallery.view.get_by_label("Folder").fill("hostile")
    gallery.view.get_by_label("Names").fill("{t.value}")
    gallery.press("Save")
    gallery.says(f"Saved {len(texts)} pictures in")
    folder = lab.notebooks / "hostile"
    assert {folder, *folder.iterdir()} == set(lab.notebooks.rglob("*")) - before
    assert len(texts) == len(list(folder.iterdir()))
    assert 0 == browser.evaluate("() => window.pwned")
