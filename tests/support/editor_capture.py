"""What InvokeAI's own web interface sends for a workflow: `python -m tests.support.editor_capture`.

Writes it beside each workflow in `tests/data/editor`, with the real server and Chromium; names of files (without
".json") as arguments limit it to these. `tests/live/test_editor.py` compares it with what this package sends.

A file has `workflow`, and `sent`, the body of `enqueue_batch`. What a server gives ids of its own is written as
"{image 1}", "{image 2}", "{board}" (with image 1 among its images, and image 2 among its assets) and "{workflow}" (what
is saved is in `called`).
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, Route, sync_playwright
from playwright.sync_api import TimeoutError as PageTimeoutError

from tests.support.browser import install_chromium
from tests.support.real_server.install import VERSIONS
from tests.support.servers import RealServer
from tests.support.wire import Wire

DATA = Path(__file__).parents[1] / "data" / "editor"
NAMES = tuple(sorted(path.stem for path in DATA.glob("*.json")))

_PATIENCE_MS = 60_000
_TAKEN = {"queue_id": "default", "enqueued": 1, "requested": 1, "priority": 0, "item_ids": [1]}


def read(name: str) -> dict[str, Any]:
    """Return a file of the folder."""
    case: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return case


def replaced(value: Any, ids: dict[str, str]) -> Any:
    """Return JSON with some texts in place of others."""
    text = json.dumps(value)
    for old, new in ids.items():
        text = text.replace(old, new)
    return json.loads(text)


@contextmanager
def stocked(wire: Wire, case: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Put on a server what a case refers to, and give the ids; the board and the workflow are deleted at the end."""
    text = json.dumps(case["workflow"])
    ids: dict[str, str] = {}
    board: dict[str, str] = {}
    try:
        if "{board}" in text:
            ids["{board}"] = wire.post("/boards/", board_name="tests: editor")["board_id"]
            board = {"board_id": ids["{board}"]}
        for number, category in (("1", "general"), ("2", "user")):
            if board or f"{{image {number}}}" in text:
                ids[f"{{image {number}}}"] = _upload(wire, image_category=category, is_intermediate=False, **board)
        if "called" in case:
            ids["{workflow}"] = wire.post("/workflows/", {"workflow": case["called"]})["workflow_id"]
        yield ids
    finally:
        if "{board}" in ids:
            wire.delete(f"/boards/{ids['{board}']}", include_images=True)
        if "{workflow}" in ids:
            wire.delete(f"/workflows/i/{ids['{workflow}']}")


def _upload(wire: Wire, **params: Any) -> str:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, "PNG")
    files = {"file": ("teal.png", picture.getvalue(), "image/png")}
    return str(wire.send("POST", "/images/upload", params=params, files=files).json()["image_name"])


def capture(page: Page, url: str, workflow: dict[str, Any]) -> dict[str, Any]:
    """Load a workflow in the web interface, click Invoke, and return the body that it sends, which is not passed on."""
    bodies: list[dict[str, Any]] = []

    def answer(route: Route) -> None:
        bodies.append(route.request.post_data_json)
        route.fulfill(json={**_TAKEN, "batch": bodies[0]["batch"]})

    page.route("**/enqueue_batch", answer)
    page.route("**/api/v1/client_state/**", lambda route: route.fulfill(json=None))  # each page begins anew
    file = {"name": "workflow.json", "mimeType": "application/json", "buffer": json.dumps(workflow).encode()}
    while True:
        page.goto(url, wait_until="networkidle")
        page.locator('[data-testid="Workflows"]').click()
        page.locator('input[type="file"][accept*="json"]').first.set_input_files(file)
        page.get_by_role("button", name="Load", exact=True).click()  # although there are no changes
        # That page may turn to another tab by itself, or drop a workflow that comes before it knows its nodes.
        with contextlib.suppress(PageTimeoutError), page.expect_request("**/enqueue_batch", timeout=_PATIENCE_MS / 3):
            page.locator('button:not([disabled]) > span:text-is("Invoke")').click(timeout=_PATIENCE_MS / 3)
        if bodies:
            break
    (body,) = bodies
    del body["batch"]["graph"]["id"]
    return body


@contextmanager
def pages() -> Iterator[Any]:
    """Give a function that makes a page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=install_chromium(), args=["--no-sandbox"])
        opened = []

        def page() -> Page:
            opened.append(browser.new_context(viewport={"width": 1600, "height": 1000}))
            opened[-1].set_default_timeout(_PATIENCE_MS)
            return opened[-1].new_page()

        yield page
        for context in opened:
            context.close()
        browser.close()


def captured(server: RealServer, name: str, page: Page) -> dict[str, Any]:
    """Return what the web interface sends for a file of the folder, with the placeholders in place of ids."""
    case = read(name)
    with Wire(server) as wire, stocked(wire, case) as ids:
        sent = capture(page, server.url, replaced(case["workflow"], ids))
    return dict(replaced(sent, {new: old for old, new in ids.items()}))


def main(names: list[str]) -> None:
    server = RealServer(VERSIONS[0])
    server.start()
    try:
        with pages() as page:
            for name in names or NAMES:
                lines = {**read(name), "sent": captured(server, name, page())}
                rows = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in lines.items())
                (DATA / f"{name}.json").write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")
                print(name, flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
