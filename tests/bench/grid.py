"""What a grid of many cells costs: `python -m tests.bench.grid [side ...]`.

A grid of side x side pictures in JupyterLab and Chromium; for some seconds 50 cells a second change, with previews, and
it is scrolled up and down with every frame. For each side:

- `paint`: from running the cell to the first picture.
- `bytes`: what a change costs on the websocket.
- `fps`, the number of tasks of the page's main thread that took longer than 50 ms, and the longest, in ms.
- `plain`: the fps of as many pictures in a page of nothing else, which do not change: what this machine can draw.

Needs a quiet machine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

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

_BOARD = ".jp-NotebookPanel:not(.lm-mod-hidden) .iwx-board"
_SCROLL = """selector => {
  const board = document.querySelector(selector);
  let by = 40;
  const frame = () => {
    board.scrollTop += by;
    if (board.scrollTop <= 0 || board.scrollTop + board.clientHeight >= board.scrollHeight - 1) by = -by;
    requestAnimationFrame(frame);
  };
  frame();
}"""

_PLAIN = """async side => {
  const canvas = new OffscreenCanvas(256, 256), pen = canvas.getContext('2d');
  const board = document.createElement('div');
  board.style.cssText = 'position: fixed; inset: 120px; overflow: auto; display: grid; gap: 8px';
  board.style.gridTemplateColumns = `repeat(${side}, 96px)`;
  for (let i = 0; i < side * side; i++) {
    pen.fillStyle = `hsl(${i * 37} 60% 50%)`;
    pen.fillRect(i % 128, i % 64, 128, 128);
    const picture = board.appendChild(new Image(96, 96));
    picture.src = URL.createObjectURL(await canvas.convertToBlob({ type: 'image/webp' }));
  }
  board.id = 'plain';
  document.body.append(board);
}"""


def _figures(page: Page, selector: str, seconds: int, begin: Callable[[], object] | None = None) -> tuple[float, ...]:
    """Scroll something for some seconds: frames a second, the longest task in ms, and the number of long ones."""
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text) if message.text.startswith("bench ") else None)
    page.evaluate(WATCH)
    page.evaluate(_SCROLL, selector)
    if begin is not None:
        begin()
    page.wait_for_timeout(seconds * 1_000)
    return tuple(map(float, logged[-1].split()[1:])) if logged else (0.0, seconds * 1_000.0, 0.0)


def measure(side: int, seconds: int) -> str:
    """Show a grid, change and scroll it for some seconds, and return a line of the report."""
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder) / "lab") as lab:
        notebook = lab.open([_SETUP.format(root=str(ROOT), side=side), "Grid(console, jobs, x='n.x', y='n.y')"])
        notebook.run_cell(0)
        page = notebook.page
        painted = paint(notebook, ".iwx-cell img", "true")
        page.wait_for_timeout(3_000)
        churn = _CHURN.format(seconds=seconds, a_second=A_SECOND)
        with bytes_from(lab) as received:
            fps, longest, long = _figures(page, _BOARD, seconds, lambda: notebook.kernel_execute(churn))
        a_change = received[0] / (A_SECOND * seconds)
        plain = lab.page(f"{lab.url}/api", watched=False)
        plain.evaluate(_PLAIN, side)
        plain.wait_for_timeout(1_000)
        most, *_ = _figures(plain, "#plain", seconds)
        return (
            f"{side:>4} x {side:<4} {painted:7.2f} {a_change:9,.0f} {fps:5.0f} {long:6.0f} {longest:8.0f} {most:5.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sides", nargs="*", type=int, default=[20])
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    print(f"{'cells':11} {'paint s':>7} {'bytes':>9} {'fps':>5} {'> 50ms':>6} {'longest':>8} {'plain':>5}")
    for side in options.sides:
        print(measure(side, options.seconds), flush=True)


if __name__ == "__main__":
    main()
