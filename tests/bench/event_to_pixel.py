"""From the server's event to the changed page, beside InvokeAI's own web UI: `python -m tests.bench.event_to_pixel`.

One real server, one Chromium, two pages of it at the same time: the Queue tab of InvokeAI's web UI, and a notebook in
JupyterLab that shows the queue table. A socket.io client notes when `queue_item_status_changed` arrives; an observer in
each page notes when the item's row has the new status. What is printed is the time between, in milliseconds; a page can
be ahead of the socket.io client by some, and then the figure is below zero.

Needs a quiet machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import socketio
from playwright.sync_api import Page

from tests.browser.session import Lab
from tests.support.graphs import add_and_multiply, sleep
from tests.support.real_server.install import VERSIONS
from tests.support.servers import RealServer
from tests.support.wire import Wire, until

_CANCELED, _COMPLETED, _IN_PROGRESS = "canceled", "completed", "in_progress"

# `read` gives [key, status] of each row; the first time that each was seen is kept.
_WATCH = """read => {
  window.seen = {};
  const look = () => {
    for (const [key, status] of eval(read)())
      seen[`${key} ${status}`] ??= performance.timeOrigin + performance.now();
  };
  new MutationObserver(look).observe(document.body, {
    childList: true, subtree: true, characterData: true, attributes: true,
  });
  look();
}"""
_OURS = """() => [...document.querySelectorAll('[role="row"][data-id]')].map(
  row => [row.dataset.id, row.querySelector('.iwt-c-status')?.title])"""
# Its rows have no item id, but the batch id; each item here has a batch of its own.
_THEIRS = """() => [...document.querySelectorAll('[data-testid="queue-item"]')].map(row => [
  row.textContent.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/)?.[0],
  row.querySelector('.chakra-badge')?.textContent.toLowerCase().replace(' ', '_')])"""


class Watched:
    """A page, and how its clock stands to this process's."""

    def __init__(self, name: str, page: Page, read: str, key: Callable[[int, str], str]) -> None:
        self.name = name
        self._page = page
        self._key = key
        page.evaluate(_WATCH, read)
        self._ahead = self._clock()
        self.taken: dict[str, list[float]] = {}

    def _clock(self) -> float:
        """Seconds that the page's clock is ahead, from the fastest of some questions."""
        asked = []
        for _ in range(30):
            before = time.time()
            there = self._page.evaluate("performance.timeOrigin + performance.now()") / 1000
            after = time.time()
            asked.append((after - before, there - (before + after) / 2))
        return min(asked)[1]

    def when(self, item_id: int, batch_id: str, status: str) -> float | None:
        """When the row had the status, by this process's clock."""
        seen = self._page.evaluate("key => seen[key] ?? null", f"{self._key(item_id, batch_id)} {status}")
        return None if seen is None else seen / 1000 - self._ahead


class Events:
    """When each event arrived at a socket.io client."""

    def __init__(self, url: str) -> None:
        self.arrived: dict[tuple[int, str], float] = {}
        self._client = socketio.Client()
        self._client.on("queue_item_status_changed", self._note)
        self._client.connect(url, socketio_path="/ws/socket.io", transports=["websocket"])
        self._client.call("subscribe_queue", {"queue_id": "default"})

    def _note(self, event: dict[str, object]) -> None:
        now = time.time()
        item_id = event["item_id"]
        assert isinstance(item_id, int)
        self.arrived.setdefault((item_id, str(event["status"])), now)

    def close(self) -> None:
        self._client.disconnect()


def _their_page(lab: Lab, url: str) -> Page:
    page = lab.page(url, watched=False)
    page.locator('[data-testid="Queue"]').wait_for()
    # By its own click, not the mouse: the first visit's greeting comes some time later, and lies over it.
    page.locator('[data-testid="Queue"]').evaluate("element => element.click()")
    return page


def _one(wire: Wire, events: Events, pages: list[Watched], *, cancel: bool) -> None:
    """One item from its submission to its end, with the figures of each page."""
    batch_id = str(uuid4())
    graph = sleep(60) if cancel else add_and_multiply()
    item_id = wire.enqueue(graph, batch_id=batch_id)["item_ids"][0]
    if cancel:
        until(lambda: all(page.when(item_id, batch_id, _IN_PROGRESS) for page in pages), "it to run everywhere")
        time.sleep(0.5)  # so that what came before has been drawn
        wire.put(f"i/{item_id}/cancel")
    end = _CANCELED if cancel else _COMPLETED
    until(lambda: (item_id, end) in events.arrived, "the event")
    until(lambda: all(page.when(item_id, batch_id, end) for page in pages), "both pages to show it")
    for page in pages:
        for status in (_IN_PROGRESS, end):
            shown, arrived = page.when(item_id, batch_id, status), events.arrived.get((item_id, status))
            if shown is not None and arrived is not None:  # a page may go from the first status to the last
                page.taken.setdefault(status, []).append(1000 * (shown - arrived))
    time.sleep(0.7)


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=24, help="how many to complete, and how many to cancel")
    items = parser.parse_args().items
    server = RealServer(VERSIONS[0])
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder) / "lab") as lab:
        server.start()
        events = Events(server.url)
        try:
            notebook = lab.open(
                [f"import invoke_widgets as iw\nconsole = iw.connect({server.url!r})", "console.queue_table()"]
            )
            notebook.run_cell(0)
            notebook.run_cell(1)
            with Wire(server) as wire:
                wire.run()
                notebook.output(1).locator('[role="row"][data-id]').first.wait_for()
                theirs = _their_page(lab, server.url)
                theirs.locator('[data-testid="queue-item"]').first.wait_for()
                pages = [
                    Watched("queue table", notebook.page, _OURS, lambda item_id, _: str(item_id)),
                    Watched("InvokeAI's web UI", theirs, _THEIRS, lambda _, batch_id: batch_id),
                ]
                for index in range(2 * items):
                    _one(wire, events, pages, cancel=index % 2 == 1)
        finally:
            events.close()
            server.stop()
    print(f"{'ms from event to page':22} {'status':12} {'n':>3} {'p50':>7} {'p95':>7}")
    for status in (_CANCELED, _COMPLETED, _IN_PROGRESS):
        for page in pages:
            taken = page.taken.get(status, [])
            if len(taken) > 1:
                percentiles = f"{_percentile(taken, 50):7.1f} {_percentile(taken, 95):7.1f}"
                print(f"{page.name:22} {status:12} {len(taken):3} {percentiles}")


if __name__ == "__main__":
    main()
