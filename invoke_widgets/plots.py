"""Figures of the logs. `matplotlib.figure.Figure`, never pyplot: nothing global is touched, and any thread may draw.

matplotlib is imported when the first figure is made. Colours are those of `palette`, so that a figure and the widgets
speak one language; a hatch, a mark or a word goes with each colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from invoke_widgets import frames, palette
from invoke_widgets.errors import InvalidRequest, JobErrorType
from invoke_widgets.records import COMPLETED, STATUSES, Cancellation, JobError, QueueItem

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = dict(zip(JobErrorType, ("o", "s", "X", "D", "^", "P", "v", "*"), strict=True))
_PARTS = (
    ("acknowledged_s", "acknowledged: the answer came", "#2896f7"),
    ("effective_s", "effective: the status changed", "#2ca682"),
    ("stopped_s", "stopped: the worker went on", "#f75b0c"),
)
_MOST_JOBS = 2000


class Plots:
    """Figures of three logs; `console.plots` is one.

    Each takes `dark`: whether it is for a dark page.

    Args:
        errors: records, or a log.
        cancellations: the same.
        jobs: the same.
    """

    def __init__(
        self,
        errors: Iterable[JobError] = (),
        cancellations: Iterable[Cancellation] = (),
        jobs: Iterable[QueueItem] = (),
    ) -> None:
        self._errors = errors
        self._cancellations = cancellations
        self._jobs = jobs

    def error_timeline(self, *, dark: bool = False) -> Figure:
        """Each error at its time, one line for each of the classes that occurred, with how often."""
        frame = frames.errors(self._errors)
        with _figure("Errors", dark) as (figure, axes):
            if frame.empty:
                return _nothing(figure, axes, "No errors.")
            counts = frame["error_type"].value_counts()
            classes = [kind for kind in JobErrorType if kind in counts.index]
            for y, kind in enumerate(classes):
                times = _naive(frame.loc[frame["error_type"] == kind, "at"])
                axes.plot(
                    times, [y] * len(times), linestyle="none", marker=_MARKS[kind], markersize=8, alpha=0.75,
                    color=palette.ERROR_COLORS[kind], markeredgecolor=axes.get_facecolor(), markeredgewidth=0.6,
                )  # fmt: skip
            axes.set_yticks(range(len(classes)), [f"{kind}  {counts[kind]}" for kind in classes])
            axes.set_ylim(len(classes) - 0.5, -0.5)
            _times(axes)
            return figure

    def cancellation_latency(self, *, dark: bool = False) -> Figure:
        """How long cancels took until acknowledged, effective and stopped, by scope: each one, and the median."""
        frame = frames.cancellations(self._cancellations)
        frame = frame[frame[[part for part, _, _ in _PARTS]].notna().any(axis=1)]
        with _figure("Cancellations: how long until …", dark) as (figure, axes):
            if frame.empty:
                return _nothing(figure, axes, "No cancellations.")
            scopes = [scope for scope in ("item", "batch", "pending", "clear") if (frame["scope"] == scope).any()]
            height = 0.8 / len(_PARTS)
            for number, (part, label, color) in enumerate(_PARTS):
                for row, scope in enumerate(scopes):
                    values = frame.loc[frame["scope"] == scope, part].dropna().astype(float).clip(lower=0.0001)
                    y = row + (number - 1) * height
                    if values.empty:
                        axes.text(0.01, y, "not known", transform=_at_left(axes), va="center", size=8, style="italic")
                        continue
                    axes.plot(values, [y] * len(values), linestyle="none", marker="o", color=color, alpha=0.35,
                              markersize=7, markeredgewidth=0)  # fmt: skip
                    median = float(values.median())
                    axes.plot([median], [y], linestyle="none", marker="|", color=color, markersize=20,
                              markeredgewidth=3, label=label if row == 0 else None)  # fmt: skip
                    axes.annotate(_seconds(median), (median, y), xytext=(6, 6), textcoords="offset points", size=8)
            counts = frame["scope"].value_counts()
            axes.set_yticks(range(len(scopes)), [f"{scope}  {counts[scope]}" for scope in scopes])
            axes.set_ylim(len(scopes) - 0.5, -0.5)
            _log_seconds(axes)
            _legend(axes, [(label, color, "o") for _, label, color in _PARTS])
            return figure

    def queue_depth(self, *, dark: bool = False) -> Figure:
        """How many jobs waited and how many ran, over time, from the jobs' own times."""
        import numpy as np

        frame = frames.jobs(self._jobs)
        with _figure("Queue: jobs waiting and running", dark) as (figure, axes):
            if frame.empty or frame["created_at"].isna().all():
                return _nothing(figure, axes, "No jobs.")
            frame = frame[frame["created_at"].notna()]
            finished = frame["status"].isin(["completed", "failed", "canceled"])
            ended = frame["completed_at"].where(finished)
            begun = frame["started_at"].fillna(ended)
            # A job that ended at a time that nobody told (canceled in bulk) is taken as never having waited.
            begun = begun.where(~(finished & begun.isna()), frame["created_at"])
            last = max(time.max() for time in (frame["created_at"], begun, ended) if time.notna().any())
            for start, end, label, color, hatch in (
                (frame["created_at"], begun, "waiting", palette.STATUS_COLORS["pending"], "///"),
                (frame["started_at"], ended, "running", palette.STATUS_COLORS["in_progress"], ""),
            ):
                up, down = start[start.notna()], end[end.notna() & start.notna()]
                times = np.concatenate([_naive(up).to_numpy(), _naive(down).to_numpy()])
                steps = np.concatenate([np.ones(len(up)), -np.ones(len(down))])
                order = np.argsort(times, kind="stable")
                moments, level = _settled(times[order], np.cumsum(steps[order]))
                moments = np.append(moments, np.datetime64(last.tz_convert(None).to_datetime64()))
                level = np.append(level, level[-1] if len(level) else 0.0)
                axes.step(moments, level, where="post", color=color, linewidth=2)
                axes.fill_between(moments, level, step="post", color=color, alpha=0.25, hatch=hatch, linewidth=0)
            axes.set_ylabel("jobs")
            axes.set_ylim(bottom=0)
            axes.yaxis.get_major_locator().set_params(integer=True)
            _times(axes)
            _legend(
                axes,
                [(name, palette.STATUS_COLORS[key], "s") for name, key in
                 (("waiting", "pending"), ("running", "in_progress"))],
            )  # fmt: skip
            return figure

    def job_gantt(self, *, dark: bool = False) -> Figure:
        """When each job ran, by device, with how it ended; the newest 2000 of them."""
        import pandas as pd

        frame = frames.jobs(self._jobs)
        frame = frame[frame["started_at"].notna()].sort_values("started_at").tail(_MOST_JOBS)
        with _figure("Jobs by device", dark) as (figure, axes):
            if frame.empty:
                return _nothing(figure, axes, "No job has run.")
            now = max(pd.Timestamp.now("UTC"), frame["started_at"].max())
            still = frame["status"] == "in_progress"
            end = frame["completed_at"].fillna(frame["started_at"]).where(~still, now)
            device = frame["device"].fillna("device not told")
            devices = sorted(device.unique())
            for status in _known_first(frame["status"].unique()):
                for row, name in enumerate(devices):
                    which = (frame["status"] == status) & (device == name)
                    if not which.any():
                        continue
                    start = _naive(frame.loc[which, "started_at"])
                    width = _naive(end[which]).to_numpy() - start.to_numpy()
                    axes.barh([row] * len(start), width, left=start, height=0.6, color=_color(status),
                              hatch=_HATCHES.get(status, ""), edgecolor=axes.get_facecolor(), linewidth=0.5)  # fmt: skip
            axes.set_yticks(range(len(devices)), devices)
            axes.set_ylim(len(devices) - 0.4, -0.6)
            _times(axes)
            counts = frame["status"].value_counts()
            _legend(axes, [(f"{s} {counts[s]}", _color(s), _HATCHES.get(s, "")) for s in _known_first(counts.index)],
                    bars=True)  # fmt: skip
            return figure

    def durations(self, *, dark: bool = False) -> Figure:
        """How long jobs ran, by status: each one as a dot, the median and the middle half as a line."""
        import numpy as np

        frame = frames.jobs(self._jobs)
        frame = frame[frame["ran_s"].notna()]
        with _figure("Jobs: how long they ran", dark) as (figure, axes):
            if frame.empty:
                return _nothing(figure, axes, "No job has finished.")
            statuses = _known_first(frame["status"].unique())
            # Dots of one value are spread, the same way each time.
            spread = np.random.default_rng(0)
            for row, status in enumerate(statuses):
                values = frame.loc[frame["status"] == status, "ran_s"].astype(float).clip(lower=0.001)
                offsets = spread.uniform(-0.28, 0.28, len(values))
                axes.plot(values, row + offsets, linestyle="none", marker="o", color=_color(status), alpha=0.4,
                          markersize=5, markeredgewidth=0)  # fmt: skip
                low, median, high = values.quantile([0.25, 0.5, 0.75])
                axes.plot([low, high], [row, row], color=axes.yaxis.label.get_color(), linewidth=2)
                axes.plot([median], [row], marker="|", markersize=18, markeredgewidth=3,
                          color=axes.yaxis.label.get_color())  # fmt: skip
                axes.annotate(_seconds(median), (median, row), xytext=(0, 14), textcoords="offset points", size=9,
                              ha="center")  # fmt: skip
            counts = frame["status"].value_counts()
            axes.set_yticks(range(len(statuses)), [f"{status}  {counts[status]}" for status in statuses])
            axes.set_ylim(len(statuses) - 0.5, -0.5)
            _log_seconds(axes)
            return figure


_HATCHES = {COMPLETED: "", "failed": "xxx", "canceled": "///", "in_progress": "..."}


def _color(status: str) -> str:
    return palette.STATUS_COLORS.get(status, palette.OTHER_COLOR)


def _known_first(statuses: Iterable[str]) -> list[str]:
    there = set(statuses)
    return [s for s in STATUSES if s in there] + sorted(there - set(STATUSES))


def _naive(times: pd.Series[Any]) -> pd.Series[Any]:
    """Times in UTC without saying so, since matplotlib would shift them by the zone of whoever looks."""
    return times.dt.tz_convert(None)


def _settled(times: Any, levels: Any) -> tuple[Any, Any]:
    """Of steps at one moment, the last: those before never lasted."""
    import numpy as np

    if not len(times):
        return times, levels
    last = np.append(times[1:] != times[:-1], True)
    return times[last], levels[last]


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s" if value < 60 else f"{value / 60:.1f} min"


def _at_left(axes: Axes) -> Any:
    return axes.get_yaxis_transform()


@contextmanager
def _figure(title: str, dark: bool) -> Iterator[tuple[Any, Any]]:
    if not isinstance(dark, bool):
        raise InvalidRequest(f"dark: should be True or False, got {dark!r}.")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    paper = palette.DARK if dark else palette.LIGHT
    settings = {
        "figure.facecolor": paper["background"],
        "axes.facecolor": paper["background"],
        "savefig.facecolor": paper["background"],
        "text.color": paper["text"],
        "axes.labelcolor": paper["text"],
        "axes.edgecolor": paper["line"],
        "xtick.color": paper["dim"],
        "ytick.color": paper["line"],
        "ytick.labelcolor": paper["text"],
        "grid.color": paper["line"],
        "hatch.color": paper["background"],
        "hatch.linewidth": 0.8,
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.grid": True,
        "axes.grid.axis": "x",
        "axes.axisbelow": True,
    }

    class Shown(Figure):
        """A figure that a notebook shows also when pyplot has never been imported."""

        def _repr_png_(self) -> bytes:
            from io import BytesIO

            file = BytesIO()
            self.savefig(file, format="png", dpi=110)
            return file.getvalue()

        def _repr_html_(self) -> None:
            return None

    Shown.__name__ = Shown.__qualname__ = "Figure"
    with mpl.rc_context(settings):
        figure = Shown(figsize=(9, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontweight="bold")
        yield figure, axes


def _nothing(figure: Figure, axes: Axes, words: str) -> Figure:
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", size=13, transform=axes.transAxes)
    return figure


def _times(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("UTC", loc="right")


def _log_seconds(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _seconds(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    axes.set_xlim(low / 1.5, high * 2)


def _legend(axes: Axes, entries: list[tuple[str, str, str]], *, bars: bool = False) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=color, hatch=sign, label=label, edgecolor=axes.get_facecolor())
        if bars
        else Line2D([], [], linestyle="none", marker=sign, color=color, label=label, markersize=8)
        for label, color, sign in entries
    ]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles), frameon=False, fontsize=9,
                borderaxespad=0.1, handletextpad=0.4, columnspacing=1.2)  # fmt: skip
