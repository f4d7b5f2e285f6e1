"""How the figures look: paper and ink, times, seconds on a logarithmic axis, legends. Sets nothing global."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.history import palette
from invoke_widgets.records import STATUSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HATCHES = {"failed": "xxx", "canceled": "///", "in_progress": "..."}
"""Status -> pattern of its bars, for those who do not see the colours."""

_SHORTEST = timedelta(seconds=10)
_LINE = 124
"""How many letters a legend's line has room for."""


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


def rim(axes: Axes, width: float) -> list[Any]:
    """An effect: paper all round what is drawn, so that it stands apart from what it is drawn over."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=paper(axes))]


def dots(axes: Axes, x: Any, y: Any, color: str, marker: str, size: float) -> None:
    """Marks, opaque, since their colour must stand out as drawn; a rim of paper tells those apart that overlap.

    They are drawn in no order, the same one each time: of many drawn from left to right only the rims would be seen.
    """
    import numpy as np

    order = np.random.default_rng(0).permutation(len(x))
    axes.plot(np.asarray(x)[order], np.asarray(y)[order], linestyle="none", marker=marker, markersize=size, color=color,
              markeredgecolor=paper(axes), markeredgewidth=0.5)  # fmt: skip


def rows(figure: Figure, axes: Axes, labels: Sequence[str], *, each: float = 0.22) -> None:
    """What each line of a figure is about, from the top; more of them than there is room for make it higher."""
    axes.set_yticks(range(len(labels)), [shown(label) for label in labels], parse_math=False)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    figure.set_figheight(max(figure.get_figheight(), 1.2 + each * len(labels)))


def shown(text: str) -> str:
    """A name that fits: a device's and a status' are the server's."""
    return text if len(text) <= 30 else f"{text[:29]}…"


def say_nothing(figure: Figure, axes: Axes, words: str) -> Figure:
    """A figure that says in words why it is empty."""
    axes.set_axis_off()
    describe(figure, f"{figure.get_label()}: {words}")
    axes.text(0.5, 0.5, words, ha="center", va="center", size=13, transform=axes.transAxes, color=ink(axes))
    return figure


def note(axes: Axes, text: str, x: float, y: float, offset: tuple[float, float]) -> None:
    """A short text beside a point, with a rim of paper so that it can be read over marks."""
    axes.annotate(
        text,
        (x, y),
        xytext=offset,
        textcoords="offset points",
        size=9,
        va="center",
        ha="left" if offset[0] else "center",
        color=ink(axes),
        path_effects=rim(axes, 3),
    )


def seconds(value: float) -> str:
    """A duration as a person says it."""
    for unit, length, most in (("ms", 0.001, 0.9995), ("s", 1, 120), ("min", 60, 7200)):
        if value < most:
            return f"{value / length:.3g} {unit}"
    return f"{value / 3600:.3g} h"


def time_axis(axes: Axes, first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """Times below, in UTC, which it says once with the date: a bit more than from `first` to `last`, and its ends."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    said = ["UTC", "%Y UTC", "%Y-%m UTC", "%Y-%m-%d UTC", "%Y-%m-%d UTC", "%Y-%m-%d UTC"]
    formats = ["%Y", "%b", "%d", "%H:%M", "%H:%M", "%H:%M:%S.%f"]
    rounded = ["", "%Y", "%b", "%b-%d", "%H:%M", "%H:%M"]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, formats=formats, zero_formats=rounded, offset_formats=said)  # type: ignore[no-untyped-call]
    )
    # Of a single moment matplotlib would show years.
    around = max((last - first) * 0.03, (_SHORTEST - (last - first)) / 2)
    ends = (first - around).replace(tzinfo=None), (last + around).replace(tzinfo=None)
    axes.set_xlim(*ends)  # type: ignore[arg-type]
    return ends


def seconds_axis(axes: Axes, values: Iterable[float]) -> None:
    """A logarithmic axis of durations below, a little wider than `values` (seconds, above 0)."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    found = list(values)
    low, high = min(found), max(found)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.6, high * 2.2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 300 else (1.0,)))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value * 1000:g} ms" if value < 1 else f"{value:,.0f} s")
    )
    axes.xaxis.set_minor_formatter(NullFormatter())


def legend(figure: Figure, axes: Axes, entries: Sequence[tuple[str, str, str]]) -> None:
    """A legend below; each entry is text, colour, and a marker, "-" for a line, or the hatch of a bar."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for text, color, sign in entries:
        label = shown(text)
        if sign == "-":
            handles.append(Line2D([], [], color=color, label=label, linewidth=2.5))
        elif sign in Line2D.markers and sign:
            handles.append(Line2D([], [], linestyle="none", marker=sign, color=color, label=label, markersize=8))
        else:
            handles.append(Patch(facecolor=color, hatch=sign, label=label, edgecolor=paper(axes), linewidth=0))
    lengths = [len(handle.get_label()) + 7 for handle in handles]
    found = figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=len(handles) if sum(lengths) <= _LINE else max(_LINE // max(lengths), 1),
        frameon=False,
        fontsize=9,
        labelcolor=ink(axes),
    )
    for said in found.get_texts():
        said.set_parse_math(False)
