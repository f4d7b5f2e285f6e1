"""What the queue table and the dashboard cost, beside a re-rendered HTML table and, where installed, ipydatagrid:
`python -m tests.bench.queue_table [rows ...]`.

For each number of rows, with 50 status changes a second for some seconds in JupyterLab and Chromium:

- `paint`: from running the cell to the first row; `all`: until the page has every row.
- `bytes` and `cpu`: what a changed row costs on the websocket, and in the kernel's process beyond what the store
  itself costs without a view.
- `fps`, and the longest task of the page's main thread, in ms, while nothing is scrolled.

Nothing is asked of the page while rows change, nor afterwards: a page that cannot keep up answers minutes later. It
logs its figures itself, the kernel writes its own to a file, and bytes are counted on a second connection.

Needs a quiet machine. With 100,000 rows the store's own part of `cpu`, which is subtracted, is ten times the view's.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.browser.session import Lab, NotebookPage
from tests.support.wire import until

ROOT = Path(__file__).parents[2]
A_SECOND = 50

_SETUP = """import sys, threading, time
sys.path.insert(0, {root!r})
import ipywidgets
from invoke_widgets.records import *
from invoke_widgets.widgets import Dashboard, QueueTable
from invoke_widgets.widgets.text import DEFAULT_COLUMNS, texts
from tests.bench.dashboard import Console
from tests.support.table_console import FedConsole, item
console = Console({rows})
unseen = FedConsole(console.internals.store.state.items.values())"""

# The baseline: the same rows and columns as an HTML table, re-rendered at most ten times a second.
_SHOW = {
    "QueueTable": "QueueTable(console)",
    "Dashboard": "Dashboard(console)",
    "HTML": """page = ipywidgets.HTML()
def draw(change):
    items = change.state.items
    rows = [texts(items[i], DEFAULT_COLUMNS, {}) for i in sorted(items, reverse=True)]
    page.value = '<table>' + ''.join(
        '<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>' for row in rows) + '</table>'
from invoke_widgets.sync import Change
draw(Change(console.internals.store.state, frozenset()))
stop = console.internals.store.subscribe(draw, interval=0.1)
page""",
    # Only the cells that changed are sent.
    "ipydatagrid": """import pandas
from ipydatagrid import DataGrid
columns, items = DEFAULT_COLUMNS, console.internals.store.state.items
newest = sorted(items, reverse=True)
at = {item_id: index for index, item_id in enumerate(newest)}
shown = [texts(items[i], columns, {}) for i in newest]
grid = DataGrid(pandas.DataFrame(shown, columns=columns))
def draw(change):
    for item_id in change.item_ids:
        index = at[item_id]
        now = texts(change.state.items[item_id], columns, {})
        for column, before, text in zip(columns, shown[index], now):
            if text != before:
                grid.set_cell_value_by_index(column, index, text)
        shown[index] = now
stop = console.internals.store.subscribe(draw, interval=0.1)
grid""",
}

# An element of the first paint, and the test that it shows something. ipydatagrid draws on a canvas.
_PAINTED = {
    "QueueTable": ("[role=row][data-id]", "true"),
    "Dashboard": ("[role=row][data-id]", "true"),
    "HTML": ("td", "true"),
    "ipydatagrid": (
        ".lm-DataGrid-viewport > canvas",
        "(pixels => pixels.some((v, i) => i % 4 === 0 && v < 100 && pixels[i + 3] > 200))"
        "(element.getContext('2d').getImageData(0, 30, 300, 100).data)",
    ),
}

_CHURN = """import json, pathlib
ids = list(range(max(1, {rows} - 30), {rows} + 1))
def churn(console):
    started = time.monotonic()
    cpu = time.process_time()
    for k in range({seconds} * 10):
        time.sleep(max(0, started + k / 10 - time.monotonic()))
        console.churn(ids, {a_second} // 10, seed=k)
    console.settle()
    return time.process_time() - cpu
def work():
    pathlib.Path("part").write_text(json.dumps([churn(console), churn(unseen)]))
    pathlib.Path("part").rename("cpu.json")
threading.Thread(target=work).start()"""

WATCH = """() => {
  let long = 0, count = 0, frames = 0, started = performance.now(), logged = started;
  const take = entries => { for (const entry of entries) { long = Math.max(long, entry.duration); count++; } };
  const tasks = new PerformanceObserver(list => take(list.getEntries()));
  tasks.observe({ entryTypes: ['longtask'] });
  const frame = () => {
    frames++;
    // Taken here, since a busy page calls no observer.
    take(tasks.takeRecords());
    const now = performance.now();
    if (now - logged > 500) {
      logged = now;
      console.debug(`bench ${frames / (now - started) * 1000} ${long} ${count}`);
    }
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


@dataclass
class Figures:
    """One line of the report."""

    what: str
    rows: int
    paint_s: float
    all_s: float
    bytes_a_change: float
    cpu_ms_a_change: float
    fps: float
    longest_ms: float

    def __str__(self) -> str:
        return (
            f"{self.what:11} {self.rows:>7,} {self.paint_s:7.2f} {self.all_s:7.2f} {self.bytes_a_change:9,.0f} "
            f"{self.cpu_ms_a_change:8.2f} {self.fps:5.0f} {self.longest_ms:8.0f}"
        )


def measure(what: str, rows: int, seconds: int) -> Figures:
    """Show `rows` rows and change some of them for `seconds` seconds."""
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder) / "lab") as lab:
        notebook = lab.open([_SETUP.format(root=str(ROOT), rows=rows), _SHOW[what]])
        notebook.run_cell(0)
        page = notebook.page
        first = paint(notebook, *_PAINTED[what])
        whole = first
        if what in ("QueueTable", "Dashboard"):
            complete = f"element.closest('[role=grid]').getAttribute('aria-rowcount') === '{rows + 1}'"
            whole += paint(notebook, _PAINTED[what][0], complete, run=False)
        page.wait_for_timeout(1_000)
        logged: list[str] = []
        page.on("console", lambda message: logged.append(message.text) if message.text.startswith("bench ") else None)
        with bytes_from(lab) as received:
            page.evaluate(WATCH)
            notebook.kernel_execute(_CHURN.format(rows=rows, seconds=seconds, a_second=A_SECOND))
            page.wait_for_timeout(seconds * 1_000)
            fps, longest = map(float, logged[-1].split()[1:3]) if logged else (0.0, seconds * 1_000.0)
            until((lab.notebooks / "cpu.json").is_file, "the kernel's figures")
            seen, unseen = json.loads((lab.notebooks / "cpu.json").read_text())
        changes = A_SECOND * seconds
        return Figures(what, rows, first, whole, received[0] / changes, 1_000 * (seen - unseen) / changes, fps, longest)


@contextmanager
def bytes_from(lab: Lab) -> Iterator[list[int]]:
    """Count the bytes that the kernel sends to each page, as one more page."""
    (kernel,) = httpx.get(f"{lab.url}/api/kernels", trust_env=False).json()
    address = f"{lab.url.replace('http', 'ws')}/api/kernels/{kernel['id']}/channels"
    received = [0]
    protocol = Subprotocol("v1.kernel.websocket.jupyter.org")
    with connect(address, max_size=None, subprotocols=[protocol]) as socket:

        def count() -> None:
            for message in socket:
                received[0] += len(message)

        threading.Thread(target=count, daemon=True).start()
        yield received


def paint(notebook: NotebookPage, selector: str, condition: str, *, run: bool = True) -> float:
    """Seconds until an element is there and meets a condition; the cell is run first unless `run` is false."""
    start = (
        "jupyterapp.shell.currentWidget.content.activeCellIndex = 1;jupyterapp.commands.execute('notebook:run-cell');"
    )
    seconds: float = notebook.page.evaluate(
        f"""selector => new Promise(resolve => {{
          const started = performance.now();
          {start if run else ""}
          const look = () => {{
            const root = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
            const element = root.querySelector(`.jp-Cell-outputArea :is(${{selector}})`);
            if (element && ({condition})) resolve((performance.now() - started) / 1000);
            else requestAnimationFrame(look);
          }};
          look();
        }})""",
        selector,
    )
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--html-up-to", type=int, default=1_000, help="the baseline freezes the page beyond some")
    options = parser.parse_args()
    print(f"{'':11} {'rows':>7} {'paint s':>7} {'all s':>7} {'bytes':>9} {'cpu ms':>8} {'fps':>5} {'longest':>8}")
    for rows in options.rows:
        for what in _SHOW:
            if what == "HTML" and rows > options.html_up_to:
                continue
            if what == "ipydatagrid" and find_spec(what) is None:
                print(f"{what:11} {rows:>7,} not installed")
            else:
                print(measure(what, rows, options.seconds), flush=True)


if __name__ == "__main__":
    main()
