"""What a grid of many cells costs: `python -m tests.bench.grid [side ...]`.

A grid of side x side pictures in JupyterLab and Chromium; for some seconds 50 cells a second change, with previews, and
it is scrolled up and down with every frame. For each side:

- `paint`: from running the cell to the first picture.
- `bytes`: what a change costs on the websocket.
- `fps`, the number of tasks of the page's main thread that took longer than 50 ms, and the longest, in ms.

Needs a quiet machine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.bench.queue_table import A_SECOND, ROOT, WATCH, bytes_from, paint
from tests.browser.session import Lab

_SETUP = """import base64, io, random, sys, threading, time
sys.path.insert(0, {root!r})
from types import SimpleNamespace
import numpy, PIL.Image
from invoke_widgets.records import COMPLETED, IN_PROGRESS, PENDING, FieldValue
from invoke_widgets.widgets.grid import Grid
from tests.support.table_console import FedConsole, item

side = {side}
def file(size, kind):
    buffer = io.BytesIO()
    small = numpy.random.default_rng().integers(0, 255, (9, 9, 3), numpy.uint8)
    PIL.Image.fromarray(small).resize((size, size), PIL.Image.Resampling.BICUBIC).save(buffer, kind)
    return buffer.getvalue()
thumbnails = [file(256, "WEBP") for _ in range(40)]
previews = ["data:image/jpeg;base64," + base64.b64encode(file(64, "JPEG")).decode() for _ in range(20)]
def one(i, status, **more):
    values = (FieldValue("n", "x", (i - 1) % side), FieldValue("n", "y", (i - 1) // side))
    return item(i, status, field_values=values, **more)
class Client:
    async def get_queue_item(self, item_id):
        made = {{"results": {{"n": {{"image": {{"image_name": f"{{item_id}}.png"}}}}}}}}
        return one(item_id, COMPLETED, session=made)
    async def get_image_thumbnail(self, name):
        return thumbnails[int(name.split(".")[0]) % len(thumbnails)]
ids = list(range(1, side * side + 1))
console = FedConsole(one(i, COMPLETED) for i in ids)
console.client = Client()
console.on_loop(lambda: console.store.set_connection(mode="live"))
jobs = SimpleNamespace(jobs=[SimpleNamespace(attempts=(i,)) for i in ids], batch_id="b")"""

_CHURN = """def work():
    chance, started = random.Random(1), time.monotonic()
    for k in range({seconds} * 10):
        time.sleep(max(0, started + k / 10 - time.monotonic()))
        for _ in range({a_second} // 10):
            i = chance.choice(ids)
            now = {{PENDING: IN_PROGRESS, IN_PROGRESS: COMPLETED}}.get(console.store.state.items[i].status, PENDING)
            console.feed_over(one(i, now))
            if now == IN_PROGRESS:
                console.progress(i, chance.random(), "Denoising", chance.choice(previews))
threading.Thread(target=work).start()"""

_SCROLL = """() => {
  const board = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden) .iwx-board');
  let by = 40;
  const frame = () => {
    board.scrollTop += by;
    if (board.scrollTop <= 0 || board.scrollTop + board.clientHeight >= board.scrollHeight - 1) by = -by;
    requestAnimationFrame(frame);
  };
  frame();
}"""


def measure(side: int, seconds: int) -> str:
    """Show a grid, change and scroll it for some seconds, and return a line of the report."""
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder) / "lab") as lab:
        notebook = lab.open([_SETUP.format(root=str(ROOT), side=side), "Grid(console, jobs, x='n.x', y='n.y')"])
        notebook.run_cell(0)
        page = notebook.page
        painted = paint(notebook, ".iwx-cell img", "true")
        page.wait_for_timeout(3_000)
        logged: list[str] = []
        page.on("console", lambda message: logged.append(message.text) if message.text.startswith("bench ") else None)
        with bytes_from(lab) as received:
            page.evaluate(WATCH)
            page.evaluate(_SCROLL)
            notebook.kernel_execute(_CHURN.format(seconds=seconds, a_second=A_SECOND))
            page.wait_for_timeout(seconds * 1_000)
        fps, longest, long = map(float, logged[-1].split()[1:]) if logged else (0.0, seconds * 1_000.0, 0.0)
        a_change = received[0] / (A_SECOND * seconds)
        return f"{side:>4} x {side:<4} {painted:7.2f} {a_change:9,.0f} {fps:5.0f} {long:6.0f} {longest:8.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sides", nargs="*", type=int, default=[20])
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    print(f"{'cells':11} {'paint s':>7} {'bytes':>9} {'fps':>5} {'> 50ms':>6} {'longest':>8}")
    for side in options.sides:
        print(measure(side, options.seconds), flush=True)


if __name__ == "__main__":
    main()
