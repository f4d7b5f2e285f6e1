"""How figures look: colours, axes of times and durations, legends. Sets nothing global.

Each colour has a contrast of at least 3:1 against both white and #111111, so that one table serves light and dark pages
(WCAG 2.2, 1.4.11), as long as it is drawn opaque. Within a table any two colours stay apart in normal sight and in
simulated protanopia, deuteranopia and tritanopia: at least 0.13 (statuses) and 0.10 (classes of errors) in OKLab. Tests
hold all of that. Colour is never the only sign: a word, a mark or a hatch goes with it.
"""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from invoke_widgets.errors import InvalidRequest, JobErrorType
from invoke_widgets.errors.text import cut, one_line
from invoke_widgets.records import CANCELED, COMPLETED, FAILED, IN_PROGRESS, PENDING, STATUSES, WAITING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATUS_COLORS: Final[dict[str, str]] = {
    PENDING: "#825981",
    IN_PROGRESS: "#4449ef",
    WAITING: "#a67fde",
    COMPLETED: "#2ca682",
    FAILED: "#ad3c09",
    CANCELED: "#f75b0c",
}
"""Status -> colour; `OTHER_COLOR` for an unknown one."""

ERROR_COLORS: Final[dict[JobErrorType, str]] = {
    JobErrorType.SUBMISSION_FAILED: "#3557f1",
    JobErrorType.VALIDATION_ERROR: "#c9851a",
    JobErrorType.EXECUTION_FAILED: "#bd240e",
    JobErrorType.TIMEOUT_ERROR: "#a61db0",
    JobErrorType.NETWORK_ERROR: "#2896f7",
    JobErrorType.RESOURCE_ERROR: "#fc3fb8",
    JobErrorType.CANCELLATION_FAILED: "#685e6d",
    JobErrorType.UNKNOWN_ERROR: "#947c70",
}
"""Class of error -> colour."""

OTHER_COLOR: Final = "#808080"
"""For what is in neither table."""

LIGHT: Final[dict[str, str]] = {"background": "#ffffff", "text": "#1f1f1f", "dim": "#5c5c5c", "line": "#dcdcdc"}
DARK: Final[dict[str, str]] = {"background": "#111111", "text": "#e6e6e6", "dim": "#b0b0b0", "line": "#3a3a3a"}
"""Background, text and lines of a figure, light and dark."""

HATCHES: Final = {FAILED: "xxx", CANCELED: "///", IN_PROGRESS: "..."}
"""Status -> pattern of its bars, a sign beside the colour."""

_SHORTEST = timedelta(seconds=10)
NAME: Final = 30
"""The longest name shown: those of devices and statuses come from the server."""

_LATEST = datetime(9999, 12, 31, 23, 59, 59)
"""The last moment that an axis can show."""

_LINE = 124
"""Number of letters that fit in one line of a legend."""

_DESCRIPTION = 1000
"""Number of letters of a description at most."""


def color_of(status: str) -> str:
    """The colour of a status; unknown ones share one."""
    return STATUS_COLORS.get(status, OTHER_COLOR)


def known_first(statuses: Iterable[str]) -> list[str]:
    """Sort statuses in the order of a job's life; unknown ones come last."""
    there = set(statuses)
    return [s for s in STATUSES if s in there] + sorted(there - set(STATUSES))


def new_figure(title: str, dark: bool) -> tuple[Figure, Axes]:
    """Make an empty figure and its axes, for a light or a dark page.

    Colours are set on the figure itself: `rc_context` would change them for all threads.

    Raises:
        InvalidRequest: `dark` is not a bool.
    """
    if not isinstance(dark, bool):
        raise InvalidRequest(f"dark: should be True or False, got {dark!r}.")
    from matplotlib.figure import Figure

    class Shown(Figure):
        """A figure that notebooks show even if pyplot was never imported, and that a screen reader can read.

        JupyterLab gives an `image/png` no alternative text. So the image comes as HTML, and once more as it is, for
        formats without HTML such as PDF.
        """

        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
            file = BytesIO()
            self.savefig(file, format="png", dpi=110)
            png = b64encode(file.getvalue()).decode()
            label = str(self.get_label())
            image = f'<img src="data:image/png;base64,{png}" alt="{html.escape(label)}">'
            return {"text/html": image, "image/png": png, "text/plain": label}

    Shown.__name__ = Shown.__qualname__ = "Figure"
    colors = DARK if dark else LIGHT
    figure = Shown(figsize=(9, 3.6), layout="constrained", facecolor=colors["background"])
    describe(figure, title)
    axes = figure.add_subplot(facecolor=colors["background"])
    axes.set_title(title, loc="left", fontweight="bold", fontsize=12, color=colors["text"])
    axes.grid(True, axis="x", color=colors["line"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(colors["line"])
    axes.tick_params(axis="x", which="both", color=colors["line"], labelcolor=colors["dim"])
    axes.tick_params(axis="y", length=0, labelcolor=colors["text"], labelsize=10)
    axes.xaxis.get_offset_text().set_color(colors["dim"])
    axes.yaxis.label.set_color(colors["text"])
    return figure, axes


def describe(figure: Figure, words: str) -> None:
    """Set a figure's label, which is also its alternative text: a sentence that says what it shows."""
    figure.set_label(one_line(words, _DESCRIPTION))


def span(first: datetime, last: datetime) -> str:
    """Two times as text: "from 2026-01-01 12:00:00 to 2026-01-01 12:07:00 UTC"."""
    return f"from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"


def ink(axes: Axes) -> str:
    """The colour of text on these axes."""
    return str(axes.yaxis.label.get_color())


def paper(axes: Axes) -> Any:
    """The background colour of these axes."""
    return axes.get_facecolor()


def rim(axes: Axes, width: float) -> list[Any]:
    """A path effect: a rim in the background colour, so that a mark stands out from what is under it."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=paper(axes))]


def dots(axes: Axes, x: Any, y: Any, color: str, marker: str, size: float) -> None:
    """Draw marks, opaque so that their colour keeps its contrast, with a rim that separates overlapping ones.

    They are drawn in a random order, the same each time: drawn from left to right, only the rims of many would show.
    """
    import numpy as np

    order = np.random.default_rng(0).permutation(len(x))
    axes.plot(np.asarray(x)[order], np.asarray(y)[order], linestyle="none", marker=marker, markersize=size, color=color,
              markeredgecolor=paper(axes), markeredgewidth=0.5)  # fmt: skip


def rows(figure: Figure, axes: Axes, labels: Sequence[str], *, each: float = 0.22) -> None:
    """Label the rows of a figure from the top, and make it higher if they need more room."""
    axes.set_yticks(range(len(labels)), [cut(label, NAME) for label in labels], parse_math=False)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    figure.set_figheight(max(figure.get_figheight(), 1.2 + each * len(labels)))


def say_nothing(figure: Figure, axes: Axes, words: str) -> Figure:
    """Have a figure say why it is empty, and return it."""
    axes.set_axis_off()
    describe(figure, f"{figure.get_label()}: {words}")
    axes.text(0.5, 0.5, words, ha="center", va="center", size=13, transform=axes.transAxes, color=ink(axes))
    return figure


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


def legend(figure: Figure, axes: Axes, entries: Sequence[tuple[str, str, str]]) -> None:
    """Add a legend below; each entry is a text, a colour, and a marker, "-" for a line, or the hatch of a bar."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for name, color, sign in entries:
        label = cut(name, NAME)
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
    for text in found.get_texts():
        text.set_parse_math(False)
