"""Make the pictures of the README from the running product: `python -m tests.browser.pictures [FOLDER]`.

A demo server with a small queue, and the dashboard in JupyterLab, light and dark: one picture of each part, and one
that moves: a job runs, a waiting one is canceled, and a failed one explains itself and is retried.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.session import Lab, Theme

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "pictures"
_WIDTH, _HEIGHT = 1180, 1000
_FRAME_S = 0.25
_GIF_WIDTH = 1000

# Small images with patches, enlarged until only soft colors are left.
_SETTING = """
import invoke_widgets as iw

console = iw.demo()

def edge(source, target):
    (node, field), (other, name) = source.split("."), target.split(".")
    return {"source": {"node_id": node, "field": field}, "destination": {"node_id": other, "field": name}}

def blank(size, r, g, b):
    return {"type": "blank_image", "width": size, "height": size, "color": {"r": r, "g": g, "b": b, "a": 255}}

sunset = {
    "nodes": {
        "sky": blank(8, 26, 34, 84), "glow": blank(6, 214, 84, 96), "sun": blank(2, 255, 224, 130),
        "low": {"type": "img_paste", "x": 1, "y": 3}, "high": {"type": "img_paste", "x": 3, "y": 4},
        "wide": {"type": "img_resize", "width": 384, "height": 384, "resample_mode": "bicubic"},
        "picture": {"type": "img_blur", "radius": 28},
    },
    "edges": [
        edge("sky.image", "low.base_image"), edge("glow.image", "low.image"),
        edge("low.image", "high.base_image"), edge("sun.image", "high.image"),
        edge("high.image", "wide.image"), edge("wide.image", "picture.image"),
    ],
}
for name, node in sunset["nodes"].items():
    node["is_intermediate"] = name != "picture"
divide = {"nodes": {"quotient": {"type": "div", "a": 7, "b": 1}}, "edges": []}
paint = {"nodes": {"paint": {"type": "probe_sleep", "seconds": 12, "steps": 48, "preview": True}}, "edges": []}

console.submit(sunset, data=[{"high.x": [2, 3, 4]}, {"high.y": [3, 4], "low.y": [4, 3]}]).wait()
console.submit(divide, data={"quotient.b": [2, 0]}).wait()
console.cancel(1)
long = console.submit(paint, data={"paint.steps": [40, 48, 56]})
"""


_FORM = """
console.cancel_pending()
workflow = console.workflow("Islands")
workflow.form()
"""
_GRID = """
sweep = workflow.sweep({"Seed": [3, 5, 8], "Beach: from height": [100, 118, 136]}, prepend=True)
sweep.grid(x="Beach: from height", y="Seed")
"""


class Film:
    """Screenshots of a view, to be shown one after another."""

    def __init__(self, view: Locator) -> None:
        self._view = view
        self._frames: list[Image.Image] = []

    def take(self, seconds: float) -> None:
        """Take pictures for some time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            frame = Image.open(io.BytesIO(self._view.screenshot()))
            height = round(frame.height * _GIF_WIDTH / frame.width)
            self._frames.append(frame.convert("RGB").resize((_GIF_WIDTH, height), Image.Resampling.LANCZOS))
            time.sleep(max(0.0, _FRAME_S - (time.monotonic() - began)))

    def save(self, path: Path) -> None:
        """Write an animated GIF of one size, with one palette."""
        height = max(frame.height for frame in self._frames)
        size = (_GIF_WIDTH, height)
        whole = [Image.new("RGB", size, frame.getpixel((2, frame.height - 2))) for frame in self._frames]
        for canvas, frame in zip(whole, self._frames, strict=True):
            canvas.paste(frame)
        sheet = Image.new("RGB", (_GIF_WIDTH, 3 * height))  # no frame has all colors
        for place, frame in enumerate((whole[0], whole[len(whole) // 2], whole[-1])):
            sheet.paste(frame, (0, place * height))
        # The colors of the page as they are, for the preview would have most of the palette, and others from all over.
        common = [color for _, color in sorted(sheet.getcolors(sheet.width * sheet.height) or [], reverse=True)[:96]]
        rare = sheet.quantize(128, Image.Quantize.MAXCOVERAGE).getpalette() or []
        palette = Image.new("P", (1, 1))
        palette.putpalette([value for color in common for value in color] + rare)  # type: ignore[attr-defined]
        first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in whole]
        duration = round(_FRAME_S * 1000)
        first.save(path, save_all=True, append_images=others, duration=duration, loop=0, optimize=True)


def make(lab: Lab, folder: Path, theme: Theme) -> None:
    """Make all pictures of a theme."""
    folder.mkdir(parents=True, exist_ok=True)
    book = lab.open([_SETTING, "console", _FORM, _GRID])
    book.page.set_viewport_size({"width": _WIDTH + 120, "height": _HEIGHT})
    book.set_theme(theme)
    book.page.mouse.move(0, 0)
    book.run_cell(0)
    book.run_cell(1)
    view = book.output(1).locator(".iw-shell").first
    expect(view.get_by_role("progressbar").first).to_be_visible()

    def picture(name: str) -> None:
        time.sleep(1.0)
        view.screenshot(path=folder / f"{name}-{theme}.png")

    picture("queue")
    film = Film(view)
    film.take(2.5)
    view.get_by_role("row").filter(has_text="Waiting").get_by_role("button", name="Cancel item").click()
    film.take(2.0)
    failed = view.get_by_role("row").filter(has_text="Failed").first
    failed.get_by_role("gridcell").nth(2).click()
    film.take(3.0)
    failed.get_by_role("button", name="Retry item").click()
    film.take(2.5)
    film.save(folder / f"console-{theme}.gif")
    for name, open_first in (("errors", True), ("cancellations", False)):
        view.get_by_role("tab", name=name.capitalize()).click()
        if open_first:
            view.locator(".iwt-body > .iwt-row:visible").first.click()
        picture(name)
    for cell, name in ((2, "form"), (3, "grid")):
        book.run_cell(cell)
        view = book.output(cell).locator(".iw-shell").first
        view.scroll_into_view_if_needed()
        if name == "grid":
            expect(view.locator(".iwx-cell img")).to_have_count(9)
        picture(name)


def main(folder: Path = FOLDER) -> None:
    themes: tuple[Theme, ...] = ("light", "dark")
    with tempfile.TemporaryDirectory() as scratch, Lab(Path(scratch) / "lab") as lab:
        for theme in themes:
            make(lab, folder, theme)
            lab.close_notebooks()
    for path in sorted(folder.iterdir()):
        print(f"{path.name}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
