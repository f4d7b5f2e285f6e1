"""How the figures look: paper and ink, times, seconds on a logarithmic axis, legends. Sets nothing global."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from invoke_widgets import palette
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.records import STATUSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HATCHES = {"failed": "xxxx", "canceled": "////", "in_progress": "...."}
"""Status -> pattern of its bars, for those who do not see the colours."""


def color_of(status: str) -> str:
    """The colour of a status, known or not."""
    return palette.STATUS_COLORS.get(status, palette.OTHER_COLOR)


def known_first(statuses: Iterable[str]) -> list[str]:
    """Statuses in the order of a job's life; those that are not known come last."""
    there = set(statuses)
    return [s for s in STATUSES if s in there] + sorted(there - set(STATUSES))


def new_figure(title: str, dark: bool) -> tuple[Figure, Axes]:
    """An empty figure and its axes, for a light or a dark page.

    Colours are set on the figure itself: `rc_context` would change them for every other thread, too.
    """
    if not isinstance(dark, bool):
        raise InvalidRequest(f"dark: should be True or False, got {dark!r}.")
    from matplotlib.figure import Figure

    class Shown(Figure):
        """A figure that a notebook shows also when pyplot has never been imported, and that a screen reader can read.

        JupyterLab gives the images of `image/png` no alternative text, whatever comes with them; so it comes as HTML,
        and the image besides, for what takes no HTML, such as a PDF.
        """

        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
            file = BytesIO()
            self.savefig(file, format="png", dpi=110)
            png = b64encode(file.getvalue()).decode()
            said = str(self.get_label())
            image = f'<img src="data:image/png;base64,{png}" alt="{html.escape(said)}">'
            return {"text/html": image, "image/png": png, "text/plain": said}

    Shown.__name__ = Shown.__qualname__ = "Figure"
    paper = palette.DARK if dark else palette.LIGHT
    figure = Shown(figsize=(9, 3.6), layout="constrained", facecolor=paper["background"])
    describe(figure, title)
    axes = figure.add_subplot(facecolor=paper["background"])
    axes.set_title(title, loc="left", fontweight="bold", fontsize=12, color=paper["text"])
    axes.grid(True, axis="x", color=paper["line"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(paper["line"])
    axes.tick_params(axis="x", which="both", color=paper["line"], labelcolor=paper["dim"])
    axes.tick_params(axis="y", length=0, labelcolor=paper["text"], labelsize=10)
    axes.xaxis.get_offset_text().set_color(paper["dim"])
    axes.yaxis.label.set_color(paper["text"])
    return figure, axes


def describe(figure: Figure, words: str) -> None:
    """Say what a figure shows, for those who do not see it: `figure.get_label()`, and its alternative text."""
    figure.set_label(" ".join(words.split()))


def span(first: datetime, last: datetime) -> str:
    """Two times as text: "from 2026-01-01 12:00:00 to 2026-01-01 12:07:00 UTC"."""
    return f"from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"


def ink(axes: Axes) -> str:
    """The colour of text."""
    return str(axes.yaxis.label.get_color())


def paper(axes: Axes) -> Any:
    """The colour behind everything."""
    return axes.get_facecolor()


def say_nothing(figure: Figure, axes: Axes, words: str) -> Figure:
    """A figure that says in words why it is empty."""
    axes.set_axis_off()
    describe(figure, f"{figure.get_label()}: {words}")
    axes.text(0.5, 0.5, words, ha="center", va="center", size=13, transform=axes.transAxes, color=ink(axes))
    return figure


def note(axes: Axes, text: str, x: float, y: float, offset: tuple[float, float]) -> None:
    """A short text beside a point, with a rim of paper so that it can be read over marks."""
    from matplotlib.patheffects import withStroke

    axes.annotate(
        text,
        (x, y),
        xytext=offset,
        textcoords="offset points",
        size=9,
        va="center",
        ha="left" if offset[0] else "center",
        color=ink(axes),
        path_effects=[withStroke(linewidth=3, foreground=paper(axes))],
    )


def seconds(value: float) -> str:
    """A duration as a person says it."""
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"


def time_axis(axes: Axes) -> None:
    """Times below, in UTC, which it says once with the date."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    said = ["UTC", "%Y UTC", "%Y-%m UTC", "%Y-%m-%d UTC", "%Y-%m-%d UTC", "%Y-%m-%d %H:%M UTC"]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, offset_formats=said))  # type: ignore[no-untyped-call]


def seconds_axis(axes: Axes, values: Iterable[float]) -> None:
    """A logarithmic axis of durations below, a little wider than `values` (seconds, above 0)."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    found = list(values)
    low, high = min(found), max(found)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.6, high * 2.2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 300 else (1.0,)))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value * 1000:g} ms" if value < 1 else f"{value:g} s")
    )
    axes.xaxis.set_minor_formatter(NullFormatter())


def legend(figure: Figure, axes: Axes, entries: Sequence[tuple[str, str, str]], *, bars: bool = False) -> None:
    """A legend below; each entry is text, colour, and a marker (with `bars`: a hatch)."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=color, hatch=sign, label=label, edgecolor=paper(axes), linewidth=0)
        if bars
        else Line2D([], [], linestyle="none", marker=sign, color=color, label=label, markersize=8)
        for label, color, sign in entries
    ]
    figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=len(handles),
        frameon=False,
        fontsize=9,
        labelcolor=ink(axes),
    )
