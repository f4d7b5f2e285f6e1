"""What the queue table costs, beside an HTML table rendered anew: `python -m tests.bench.queue_table [rows ...]`.

For each number of rows, with 50 status changes a second for some seconds in JupyterLab and Chromium:

- `paint`: from running the cell to the first row; `all`: until the page has every row.
- `bytes` and `cpu`: what a changed row costs on the websocket, and in the kernel's process beyond what the store
  itself costs without a view.
- `fps`, and the longest task of the page's main thread, in ms, while nothing is scrolled.

Needs a quiet machine: on a busy one the figures say more about the others.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.session import Lab, NotebookPage

_ROOT = Path(__file__).parents[2]
_A_SECOND = 50

_SETUP = """import sys, threading, time
sys.path.insert(0, {root!r})
import ipywidgets
from invoke_widgets.records import *
from invoke_widgets.widgets import queue_rows
from invoke_widgets.widgets.queue_table import QueueTable
from tests.table_console import FedConsole, item
console = FedConsole(item(i, COMPLETED) for i in range(1, {rows} + 1))
unseen = FedConsole(console.store.state.items.values())"""

# The baseline: the same rows and columns as an HTML table, all of it anew at most ten times a second.
_SHOW = {
    "QueueTable": "QueueTable(console)",
    "HTML": """page = ipywidgets.HTML()
def draw(change):
    items = change.state.items
    rows = [queue_rows.texts(items[i], queue_rows.DEFAULT_COLUMNS, {}) for i in sorted(items, reverse=True)]
    page.value = '<table>' + ''.join(
        '<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>' for row in rows) + '</table>'
from invoke_widgets.store import Change
draw(Change(console.store.state, frozenset()))
stop = console.store.subscribe(draw, interval=0.1)
page""",
}

_CHURN = """ids = list(range(max(1, {rows} - 30), {rows} + 1))
def churn():
    for k in range({seconds} * 10):
        due = started + k / 10
        time.sleep(max(0, due - time.monotonic()))
        {console}.churn(ids, {a_second} // 10, seed=k)
started = time.monotonic()
cpu = time.process_time()
thread = threading.Thread(target=churn)
thread.start()"""

_CPU = "thread.join(); print(time.process_time() - cpu)"

_WATCH = """() => {
  if (window.bench) return;
  window.bench = { bytes: 0, long: 0, frames: 0 };
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) bench.long = Math.max(bench.long, entry.duration);
  }).observe({ entryTypes: ['longtask'] });
  const frame = () => { bench.frames++; requestAnimationFrame(frame); };
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
            f"{self.what:10} {self.rows:>7,} {self.paint_s:7.2f} {self.all_s:7.2f} {self.bytes_a_change:9,.0f} "
            f"{self.cpu_ms_a_change:8.2f} {self.fps:5.0f} {self.longest_ms:8.0f}"
        )


def measure(lab: Lab, what: str, rows: int, seconds: int) -> Figures:
    """Show `rows` rows and change some of them for `seconds` seconds."""
    notebook = lab.open([_SETUP.format(root=str(_ROOT), rows=rows), _SHOW[what]])
    notebook.run_cell(0)
    page = notebook.page
    received = _count_bytes(notebook)
    page.evaluate(_WATCH)
    paint = _paint(notebook, "[role=row][data-id], td", "true")
    whole = paint
    if what == "QueueTable":
        complete = f"element.closest('[role=grid]').getAttribute('aria-rowcount') === '{rows + 1}'"
        whole += _paint(notebook, "[role=row][data-id]", complete, run=False)
    page.wait_for_timeout(1_000)
    page.evaluate("() => { bench.long = bench.frames = 0; }")
    before = received[0]
    notebook.kernel_execute(_CHURN.format(rows=rows, seconds=seconds, a_second=_A_SECOND, console="console"))
    page.wait_for_timeout(seconds * 1_000)
    seen: dict[str, Any] = page.evaluate("() => ({ ...bench })")
    cpu = float(notebook.kernel_execute(_CPU))
    changes = _A_SECOND * seconds
    bytes_a_change = (received[0] - before) / changes
    notebook.kernel_execute(_CHURN.format(rows=rows, seconds=seconds, a_second=_A_SECOND, console="unseen"))
    cpu -= float(notebook.kernel_execute(_CPU))
    return Figures(
        what, rows, paint, whole, bytes_a_change, 1_000 * cpu / changes, seen["frames"] / seconds, seen["long"]
    )


def _count_bytes(notebook: NotebookPage) -> list[int]:
    """A counter of what the page receives over its websockets, by Chromium's own account."""
    received = [0]
    session = notebook.page.context.new_cdp_session(notebook.page)
    session.send("Network.enable")

    def count(event: dict[str, Any]) -> None:
        data = event["response"]["payloadData"]
        binary = event["response"]["opcode"] == 2
        received[0] += len(data) * 3 // 4 if binary else len(data)

    session.on("Network.webSocketFrameReceived", count)
    return received


def _paint(notebook: NotebookPage, selector: str, condition: str, *, run: bool = True) -> float:
    """Seconds until an element is there and the condition holds of it, after the cell is run if it is to be."""
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
    print(f"{'':10} {'rows':>7} {'paint s':>7} {'all s':>7} {'bytes':>9} {'cpu ms':>8} {'fps':>5} {'longest':>8}")
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder) / "lab") as lab:
        for rows in options.rows:
            for what in _SHOW:
                if what == "HTML" and rows > options.html_up_to:
                    continue
                print(measure(lab, what, rows, options.seconds), flush=True)
                lab.close_notebooks()


if __name__ == "__main__":
    main()
