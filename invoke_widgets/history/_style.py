"""How figures look: colors, axes of times and durations. Sets nothing global.

The colors are those of the views (`widgets/static/ui.css`): one for each status, light and dark, with a contrast of at
least 4.5:1 to their page, as long as they are drawn opaque. Color is never the only sign: each row has its name, and
no figure needs a legend.
"""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.text import one_line
from invoke_widgets.records import CANCELED, COMPLETED, FAILED, IN_PROGRESS, PENDING, STATUSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIGHT: Final[dict[str, str]] = {
    "background": "#ffffff", "text": "#1c1e21", "dim": "#5d646d", "line": "#dfe3e8",
    IN_PROGRESS: "#2f5fe0", PENDING: "#6a5a8c", COMPLETED: "#1a7355", FAILED: "#b3321b", CANCELED: "#523c06",
}  # fmt: skip
DARK: Final[dict[str, str]] = {
    "background": "#15171a", "text": "#e7e9ec", "dim": "#a8b0ba", "line": "#343a41",
    IN_PROGRESS: "#8fb0ff", PENDING: "#cdbef0", COMPLETED: "#79d3ae", FAILED: "#ff9e88", CANCELED: "#f0d48a",
}  # fmt: skip
"""Background, text, lines and statuses of a figure, light and dark. Statuses that are in neither have the text's."""

_SHORTEST, _MINUTES, _DAY = timedelta(seconds=10), timedelta(minutes=10), timedelta(days=1)
NAME: Final = 30
"""The longest name shown: those of devices and statuses come from the server."""

# A figure does not know whether its page is dark. Inverting the brightness keeps each hue, and so what a color means.
_TURNED = (
    '<style>:is([data-jp-theme-light="false"], .vscode-dark) .iw-turned'
    ' { filter: invert(0.92) hue-rotate(180deg); }</style><img class="iw-turned"'
)

_LATEST = datetime(9999, 12, 31, 23, 59, 59)
"""The last moment that an axis can show."""

_DESCRIPTION, _TITLE = 1000, 100
"""Number of letters of a description and of a title at most."""


def color_of(axes: Axes, status: str) -> str:
    """The color of a status on these axes."""
    return _colors(axes).get(status, ink(axes))


def known_first(statuses: Iterable[str]) -> list[str]:
    """Sort statuses in the order of a job's life; unknown ones come last."""
    there = set(statuses)
    return [s for s in STATUSES if s in there] + sorted(there - set(STATUSES))


def axes_for(ax: Axes | None, dark: bool | None) -> Axes:
    """The given axes, or those of a new figure, in our style.

    Colors are set on the axes themselves: `rc_context` would change them for all threads.
    """
    if dark is not None and not isinstance(dark, bool):
        raise InvalidRequest(f"dark: should be True or False, got {dark!r}.")
    from matplotlib import rcParams
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    if ax is not None and not isinstance(ax, Axes):
        raise InvalidRequest(f"ax: should be matplotlib's Axes, got {ax!r}.")

    class ShownAxes(Axes):
        """Axes that notebooks show even if pyplot was never imported, and that a screen reader can read.

        JupyterLab gives an `image/png` no alternative text. So the image comes as HTML, and once more as it is, for
        formats without HTML such as PDF.
        """

        follows_page = ax is None and dark is None

        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
            file = BytesIO()
            figure: Any = self.get_figure()
            figure.savefig(file, format="png", dpi=110)
            png = b64encode(file.getvalue()).decode()
            label = str(self.get_label())
            tag = _TURNED if self.follows_page and _colors(self) is LIGHT else "<img"
            image = f'{tag} src="data:image/png;base64,{png}" alt="{html.escape(label)}">'
            return {"text/html": image, "image/png": png, "text/plain": label}

    ShownAxes.__name__ = ShownAxes.__qualname__ = "Axes"
    if ax is None:
        colors = DARK if (_is_dark(rcParams["figure.facecolor"]) if dark is None else dark) else LIGHT
        figure = Figure(figsize=(9, 3.6), layout="constrained", facecolor=colors["background"])
        ax = figure.add_subplot(axes_class=ShownAxes, facecolor=colors["background"])
    elif dark is not None:
        ax.set_facecolor((DARK if dark else LIGHT)["background"])
    colors = _colors(ax)
    ax.grid(True, axis="x", color=colors["line"], linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(colors["line"])
    ax.tick_params(axis="x", which="both", color=colors["line"], labelcolor=colors["dim"])
    ax.tick_params(axis="y", length=0, labelcolor=colors["text"], labelsize=10)
    ax.xaxis.get_offset_text().set_color(colors["dim"])
    ax.yaxis.label.set_color(colors["text"])
    return ax


def _is_dark(color: Any) -> bool:
    from matplotlib.colors import to_rgb

    return sum(to_rgb(color)) < 1.5


def _colors(axes: Axes) -> dict[str, str]:
    return DARK if _is_dark(axes.get_facecolor()) else LIGHT


def say(axes: Axes, title: str, words: str) -> Axes:
    """Set the title, and the label of the axes, which is the image's alternative text; return the axes."""
    axes.set_title(
        one_line(title, _TITLE), loc="left", fontweight="bold", fontsize=12, color=ink(axes), parse_math=False
    )
    axes.set_label(one_line(f"{title}. {words}", _DESCRIPTION))
    return axes


def span(first: datetime, last: datetime) -> str:
    """Two times as text: "from 2026-01-01 12:00:00 to 2026-01-01 12:07:00 UTC"."""
    return f"from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"


def ink(axes: Axes) -> str:
    """The color of text on these axes."""
    return _colors(axes)["text"]


def rim(axes: Axes, width: float) -> list[Any]:
    """A path effect: a rim in the background color, so that a mark stands out from what is under it."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=axes.get_facecolor())]


def dots(axes: Axes, x: Any, y: Any, color: str, marker: str, size: float) -> None:
    """Draw marks, opaque so that their color keeps its contrast, with a rim that separates overlapping ones.

    They are drawn in a random order, the same each time: drawn from left to right, only the rims of many would show.
    """
    import numpy as np

    order = np.random.default_rng(0).permutation(len(x))
    axes.plot(np.asarray(x)[order], np.asarray(y)[order], linestyle="none", marker=marker, markersize=size, color=color,
              markeredgecolor=axes.get_facecolor(), markeredgewidth=0.5)  # fmt: skip


def rows(axes: Axes, labels: Sequence[str], *, each: float) -> None:
    """Label the rows from the top, and give a figure of our own the height that they need (`each`, in inches)."""
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    figure: Any = axes.get_figure()
    if hasattr(axes, "_repr_mimebundle_"):
        figure.set_figheight(1.2 + each * max(len(labels), 2))


def say_nothing(axes: Axes, words: str) -> Axes:
    """Have axes say why they are empty, and return them."""
    axes.set_axis_off()
    axes.set_label(words)
    axes.text(0.5, 0.5, words, ha="center", va="center", size=13, transform=axes.transAxes, color=ink(axes))
    return axes


def when(moment: datetime, first: datetime, last: datetime) -> str:
    """A time of day, with what is needed to tell it from others between `first` and `last`: "14:05"."""
    length = last - first
    return f"{moment:{'%H:%M:%S' if length < _MINUTES else '%H:%M' if length < _DAY else '%Y-%m-%d %H:%M'}}"


def note(axes: Axes, text: str, x: float, y: float, offset: tuple[float, float]) -> None:
    """Write a short text beside a point, with a rim so that it can be read over marks."""
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
    """Format a duration: "4 ms", "2 s", "3.5 min"."""
    for unit, length, most in (("ms", 0.001, 0.9995), ("s", 1, 120), ("min", 60, 7200)):
        if value < most:
            return f"{value / length:.3g} {unit}"
    return f"{value / 3600:.3g} h"


def time_axis(axes: Axes, first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """Make the x axis one of times in UTC, a little wider than from `first` to `last`; return its ends."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    offsets = ["UTC", "%Y UTC", "%Y-%m UTC", "%Y-%m-%d UTC", "%Y-%m-%d UTC", "%Y-%m-%d UTC"]
    formats = ["%Y", "%b", "%d", "%H:%M", "%H:%M", "%H:%M:%S.%f"]
    rounded = ["", "%Y", "%b", "%b-%d", "%H:%M", "%H:%M"]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, formats=formats, zero_formats=rounded, offset_formats=offsets)  # type: ignore[no-untyped-call]
    )
    # For a single moment matplotlib would show years.
    around = max((last - first) * 0.03, (_SHORTEST - (last - first)) / 2)
    first, last = first.replace(tzinfo=None), last.replace(tzinfo=None)
    ends = first - min(around, first - datetime.min), last + min(around, _LATEST - last)
    axes.set_xlim(*ends)  # type: ignore[arg-type]
    return ends


def seconds_axis(axes: Axes, values: Iterable[float]) -> None:
    """Make the x axis a logarithmic one of durations, a little wider than `values` (seconds, above 0)."""
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
