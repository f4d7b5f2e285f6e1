"""Figures of the logs. `matplotlib.figure.Figure`, never pyplot: nothing global is touched, and any thread may draw.

matplotlib is imported when the first figure is made. Colours are those of `palette`, so that a figure and the widgets
speak one language; a hatch, a mark or a word goes with each colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from invoke_widgets import frames, palette
from invoke_widgets.errors import JobErrorType
from invoke_widgets.plots_style import (
    HATCHES,
    color_of,
    describe,
    ink,
    known_first,
    legend,
    new_figure,
    note,
    paper,
    say_nothing,
    seconds,
    seconds_axis,
    span,
    time_axis,
)
from invoke_widgets.records import IN_PROGRESS, PENDING, TERMINAL, Cancellation, JobError, QueueItem

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_MARKS = dict(zip(JobErrorType, ("o", "s", "X", "D", "^", "P", "v", "*"), strict=True))
_PARTS = (
    ("acknowledged_s", "acknowledged: the answer came", "#2896f7", "o"),
    ("effective_s", "effective: the status changed", "#2ca682", "s"),
    ("stopped_s", "stopped: the worker went on", "#f75b0c", "D"),
)
_SCOPES = ("item", "batch", "pending", "clear")
_MOST_JOBS = 2000


class Plots:
    """Figures of three logs; `console.plots` is one.

    Each takes `dark`: whether it is for a dark page. Times are in UTC.

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
        figure, axes = new_figure("Errors", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No errors.")
        counts = frame["error_type"].value_counts()
        classes = [kind for kind in JobErrorType if kind in counts.index]
        for row, kind in enumerate(classes):
            times = _naive(frame.loc[frame["error_type"] == kind, "at"])
            axes.plot(times, [row] * len(times), linestyle="none", marker=_MARKS[kind], alpha=0.85,
                      markersize=13 if _MARKS[kind] == "*" else 9, color=palette.ERROR_COLORS[kind],
                      markeredgecolor=paper(axes), markeredgewidth=0.5)  # fmt: skip
        axes.set_yticks(range(len(classes)), [f"{kind}  {counts[kind]}" for kind in classes])
        axes.set_ylim(len(classes) - 0.5, -0.5)
        time_axis(axes)
        told = ", ".join(f"{kind} {counts[kind]}" for kind in classes)
        describe(figure, f"Errors: {len(frame)} {span(frame['at'].min(), frame['at'].max())}: {told}.")
        return figure

    def cancellation_latency(self, *, dark: bool = False) -> Figure:
        """How long cancels took until acknowledged, effective and stopped, by scope: each one, and the median."""
        parts = [part for part, *_ in _PARTS]
        frame = frames.cancellations(self._cancellations)
        frame = frame[frame[parts].notna().any(axis=1)]
        figure, axes = new_figure("Cancellations: time until …", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No cancellations.")
        frame[parts] = frame[parts].clip(lower=0.0001)  # a logarithmic axis has no zero
        scopes = [scope for scope in _SCOPES if (frame["scope"] == scope).any()]
        medians: dict[str, list[str]] = {scope: [] for scope in scopes}
        for number, (part, _, color, marker) in enumerate(_PARTS):
            for row, scope in enumerate(scopes):
                values = frame.loc[frame["scope"] == scope, part].dropna().astype(float)
                if values.empty:
                    continue
                y = row + (number - 1) * 0.27
                axes.plot(values, [y] * len(values), linestyle="none", marker=marker, color=color, alpha=0.6,
                          markersize=6, markeredgewidth=0)  # fmt: skip
                median = float(values.median())
                axes.plot([median], [y], linestyle="none", marker="|", color=ink(axes), markersize=12,
                          markeredgewidth=2.5)  # fmt: skip
                note(axes, seconds(median), float(values.max()), y, (8, 0))
                medians[scope].append(f"{part.removesuffix('_s')} {seconds(median)}")
        counts = frame["scope"].value_counts()
        axes.set_yticks(range(len(scopes)), [f"{scope}  {counts[scope]}" for scope in scopes])
        axes.set_ylim(len(scopes) - 0.5, -0.5)
        seconds_axis(axes, [value for part in parts for value in frame[part].dropna()])
        legend(figure, axes, [(label, color, marker) for _, label, color, marker in _PARTS] +
               [("median", ink(axes), "|")])  # fmt: skip
        told = "; ".join(f"{scope} ({counts[scope]}): {', '.join(medians[scope])}" for scope in scopes)
        describe(figure, f"Cancellations: median time until each part, by scope: {told}.")
        return figure

    def queue_depth(self, *, dark: bool = False) -> Figure:
        """How many jobs waited and how many ran, over time, from the jobs' own times."""
        from matplotlib.ticker import MaxNLocator

        frame = frames.jobs(self._jobs)
        frame = frame[frame["created_at"].notna()]
        figure, axes = new_figure("Queue: jobs waiting and running", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No jobs.")
        finished = frame["status"].isin(sorted(TERMINAL))
        ended = frame["completed_at"].where(finished)
        # Of a job that was canceled in bulk nobody tells when: it is taken as never having waited.
        left = frame["started_at"].fillna(ended).where(~(finished & ended.isna()), frame["created_at"])
        last = max(times.max() for times in (frame["created_at"], left, ended) if times.notna().any())
        most: list[int] = []
        for begin, end, status, hatch in (
            (frame["created_at"], left, PENDING, "////"),
            (frame["started_at"], ended, IN_PROGRESS, ""),
        ):
            moments, level = _steps(begin, end, last)
            most.append(int(level.max()) if len(level) else 0)
            color = color_of(status)
            axes.step(moments, level, where="post", color=color, linewidth=2)
            axes.fill_between(moments, level, step="post", facecolor=color, alpha=0.3, hatch=hatch, linewidth=0,
                              edgecolor=paper(axes))  # fmt: skip
        axes.set_ylabel("jobs")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        time_axis(axes)
        legend(
            figure, axes, [("waiting", color_of(PENDING), "////"), ("running", color_of(IN_PROGRESS), "")], bars=True
        )
        when = span(frame["created_at"].min(), last)
        describe(figure, f"Queue {when}: at most {most[0]} jobs waited at once, and at most {most[1]} ran.")
        return figure

    def job_gantt(self, *, dark: bool = False) -> Figure:
        """When each job ran, by device, with how it ended; the newest 2000 of them."""
        import pandas as pd

        frame = frames.jobs(self._jobs)
        frame = frame[frame["started_at"].notna()].sort_values("started_at").tail(_MOST_JOBS)
        figure, axes = new_figure("Jobs by device", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No job has run.")
        now = max(pd.Timestamp.now("UTC"), frame["started_at"].max())
        running = frame["status"] == IN_PROGRESS
        end = frame["completed_at"].fillna(frame["started_at"]).where(~running, now)
        device = frame["device"].fillna("device not told")
        devices, statuses = sorted(device.unique()), known_first(frame["status"].unique())
        for status in statuses:
            for row, name in enumerate(devices):
                which = (frame["status"] == status) & (device == name)
                start = _naive(frame.loc[which, "started_at"])
                width = _naive(end[which]).to_numpy() - start.to_numpy()
                axes.barh([row] * len(start), width, left=start, height=0.6, color=color_of(status), linewidth=0,
                          hatch=HATCHES.get(status, ""), edgecolor=paper(axes))  # fmt: skip
        axes.set_yticks(range(len(devices)), devices)
        axes.set_ylim(len(devices) - 0.5, -0.5)
        time_axis(axes)
        counts = frame["status"].value_counts()
        legend(figure, axes, [(f"{s}  {counts[s]}", color_of(s), HATCHES.get(s, "")) for s in statuses], bars=True)
        told = ", ".join(f"{status} {counts[status]}" for status in statuses)
        on = f"on {', '.join(map(str, devices))}, {span(frame['started_at'].min(), end.max())}"
        describe(figure, f"Jobs by device: {len(frame)} {on}: {told}.")
        return figure

    def durations(self, *, dark: bool = False) -> Figure:
        """How long jobs ran, by status: each one as a dot, the middle half as a line, the median in words."""
        import numpy as np

        frame = frames.jobs(self._jobs)
        frame = frame[frame["ran_s"].notna()]
        figure, axes = new_figure("Jobs: how long they ran", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No job has finished.")
        ran = frame["ran_s"].astype(float).clip(lower=0.001)
        statuses = known_first(frame["status"].unique())
        told = []
        spread = np.random.default_rng(0)  # dots of one value are spread, the same way each time
        for row, status in enumerate(statuses):
            values = ran[frame["status"] == status]
            axes.plot(values, row + spread.uniform(-0.25, 0.25, len(values)), linestyle="none", marker="o", alpha=0.6,
                      color=color_of(status), markersize=5, markeredgewidth=0)  # fmt: skip
            low, median, high = values.quantile([0.25, 0.5, 0.75])
            axes.plot([low, high], [row, row], color=ink(axes), linewidth=2)
            axes.plot([median], [row], marker="|", markersize=16, markeredgewidth=3, color=ink(axes))
            note(axes, seconds(median), median, row, (0, 15))
            told.append(
                f"{status} {len(values)}, median {seconds(median)}, half within {seconds(low)} to {seconds(high)}"
            )
        counts = frame["status"].value_counts()
        axes.set_yticks(range(len(statuses)), [f"{status}  {counts[status]}" for status in statuses])
        axes.set_ylim(len(statuses) - 0.5, -0.5)
        seconds_axis(axes, ran)
        describe(figure, f"Jobs: how long they ran: {'; '.join(told)}.")
        return figure


def _naive(times: pd.Series[Any]) -> Any:
    """Times in UTC without saying so, since matplotlib would shift them by the zone of whoever looks."""
    return times.dt.tz_convert(None)


def _steps(begin: pd.Series[Any], end: pd.Series[Any], last: pd.Timestamp) -> tuple[Any, Any]:
    """How many lasted at each moment at which that changed, up to `last`."""
    import numpy as np

    up, down = begin[begin.notna()], end[end.notna() & begin.notna()]
    times = np.concatenate([_naive(up).to_numpy(), _naive(down).to_numpy()])
    order = np.argsort(times, kind="stable")
    times = np.append(times[order], np.datetime64(last.tz_convert(None), "us"))
    levels = np.cumsum(np.concatenate([np.ones(len(up)), -np.ones(len(down))])[order])
    levels = np.append(levels, levels[-1] if len(levels) else 0.0)
    # Of several steps at one moment only the last lasted.
    lasting = np.append(times[1:] != times[:-1], True)
    return times[lasting], levels[lasting]
