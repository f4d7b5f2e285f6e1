"""Figures of the logs, made without pyplot: nothing global is touched, and any thread may draw.

matplotlib is imported when the first figure is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from invoke_widgets.errors import JobErrorType
from invoke_widgets.errors.text import cut
from invoke_widgets.history import frames
from invoke_widgets.history._style import (
    ERROR_COLORS,
    HATCHES,
    NAME,
    color_of,
    describe,
    dots,
    ink,
    known_first,
    legend,
    new_figure,
    note,
    paper,
    rim,
    rows,
    say_nothing,
    seconds,
    seconds_axis,
    span,
    time_axis,
)
from invoke_widgets.records import (
    CANCELED,
    FAILED,
    GONE,
    IN_PROGRESS,
    PENDING,
    TERMINAL,
    WAITING,
    Cancellation,
    JobError,
    QueueItem,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_MARKS = dict(zip(JobErrorType, ("o", "s", "X", "D", "^", "P", "v", "*"), strict=True))
_PARTS = (
    ("acknowledged_s", "acknowledged: the server answered", "#2896f7", "o"),
    ("effective_s", "effective: the status changed", "#2ca682", "s"),
    ("stopped_s", "stopped: the worker moved on", "#f75b0c", "D"),
)
_SCOPES = ("item", "batch", "pending", "clear")
_MOST_JOBS = 2000
_THINNEST = 400
_WIDE = 80
"""A bar takes at least 1/400 of the time axis, about two pixels; one of 1/80 has room for a hatch."""


class Plots:
    """Figures of three logs, as `console.plots` has them.

    Each method returns a `matplotlib.figure.Figure`, and takes `dark`: whether it is for a dark page. Times are in UTC.

    Args:
        errors: a log, or records.
        cancellations: a log, or records.
        jobs: a log, or records.
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
        """Plot each error at its time, one row per class, with its count."""
        frame = frames.errors(self._errors)
        figure, axes = new_figure("Errors", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No errors.")
        counts = frame["error_type"].value_counts()
        classes = [kind for kind in JobErrorType if kind in counts.index]
        for row, kind in enumerate(classes):
            times = _naive(frame.loc[frame["error_type"] == kind, "at"])
            size = 13 if _MARKS[kind] == "*" else 9
            dots(axes, times, [row] * len(times), ERROR_COLORS[kind], _MARKS[kind], size)
        rows(figure, axes, [f"{kind}  {counts[kind]}" for kind in classes])
        time_axis(axes, frame["at"].min(), frame["at"].max())
        summary = ", ".join(f"{kind} {counts[kind]}" for kind in classes)
        describe(figure, f"Errors: {len(frame)} {span(frame['at'].min(), frame['at'].max())}: {summary}.")
        return figure

    def cancellation_latency(self, *, dark: bool = False) -> Figure:
        """Plot the times until cancels were acknowledged, effective and stopped, by scope, with their medians."""
        parts = [part for part, *_ in _PARTS]
        every = frames.cancellations(self._cancellations)
        frame = every[every[parts].notna().any(axis=1)]
        figure, axes = new_figure("Cancellations: time until …", dark)
        if frame.empty:
            why = "No cancellations." if every.empty else f"None of {len(every)} cancellations has a time yet."
            return say_nothing(figure, axes, why)
        frame[parts] = frame[parts].clip(lower=0.0001)  # a logarithmic axis has no zero
        scopes = [scope for scope in _SCOPES if (frame["scope"] == scope).any()]
        medians: dict[str, list[str]] = {scope: [] for scope in scopes}
        for number, (part, _, color, marker) in enumerate(_PARTS):
            for row, scope in enumerate(scopes):
                values = frame.loc[frame["scope"] == scope, part].dropna().astype(float)
                if values.empty:
                    continue
                y = row + (number - 1) * 0.27
                dots(axes, values, [y] * len(values), color, marker, 7)
                median = float(values.median())
                if len(values) > 1:  # a single mark has no room for another
                    axes.plot([median], [y], linestyle="none", marker="|", color=ink(axes), markersize=11,
                              markeredgewidth=2, path_effects=rim(axes, 3))  # fmt: skip
                note(axes, seconds(median), float(values.max()), y, (8, 0))
                medians[scope].append(f"{part.removesuffix('_s')} {seconds(median)}")
        counts = frame["scope"].value_counts()
        rows(figure, axes, [f"{scope}  {counts[scope]}" for scope in scopes])
        seconds_axis(axes, [value for part in parts for value in frame[part].dropna()])
        legend(figure, axes, [(label, color, marker) for _, label, color, marker in _PARTS] +
               [("median", ink(axes), "|")])  # fmt: skip
        summary = "; ".join(f"{scope} ({counts[scope]}): {', '.join(medians[scope])}" for scope in scopes)
        describe(figure, f"Cancellations: median time until each part, by scope: {summary}.")
        return figure

    def queue_depth(self, *, dark: bool = False) -> Figure:
        """Plot the numbers of waiting and running jobs over time, up to now if some are unfinished."""
        import pandas as pd
        from matplotlib.ticker import MaxNLocator

        frame = frames.jobs(self._jobs)
        frame = frame[frame["created_at"].notna()]
        figure, axes = new_figure("Queue: jobs waiting and running", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No jobs.")
        finished = frame["status"].isin([*sorted(TERMINAL), GONE])
        # It is not known until when a job that is gone waited or ran, but not until now.
        ended = frame["completed_at"].where(finished).fillna(frame["started_at"].where(frame["status"] == GONE))
        # The server does not say when a job was canceled in bulk: it counts as never having waited.
        left = frame["started_at"].fillna(ended).where(~(finished & ended.isna()), frame["created_at"])
        last = max(times.max() for times in (frame["created_at"], left, ended) if times.notna().any())
        if frame["status"].isin([PENDING, IN_PROGRESS, WAITING]).any():
            last = max(last, pd.Timestamp.now("UTC"))
        most: list[int] = []
        # An area and a line do not hide each other, and differ in more than their colours.
        for begin, end, status, wide in (
            (frame["created_at"], left, PENDING, 1.0),
            (frame["started_at"], ended, IN_PROGRESS, 2.5),
        ):
            moments, level = _steps(begin, end, last)
            most.append(int(level.max()) if len(level) else 0)
            color = color_of(status)
            effects = rim(axes, wide + 3) if status == IN_PROGRESS else None
            axes.step(moments, level, where="post", color=color, linewidth=wide, path_effects=effects)
            if status == PENDING:
                axes.fill_between(moments, level, step="post", facecolor=color, linewidth=0)
        axes.set_ylabel("jobs")
        axes.set_ylim(bottom=0, top=max(*most, 1) * 1.05)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        first = min(times.min() for times in (frame["created_at"], frame["started_at"]) if times.notna().any())
        time_axis(axes, first, last)
        legend(figure, axes, [("waiting", color_of(PENDING), ""), ("running", color_of(IN_PROGRESS), "-")])
        when = span(frame["created_at"].min(), last)
        describe(figure, f"Queue {when}: at most {most[0]} jobs waited at once, and at most {most[1]} ran.")
        return figure

    def job_gantt(self, *, dark: bool = False) -> Figure:
        """Plot when each job ran, by device and status; at most the newest 2000."""
        import pandas as pd

        ran = frames.jobs(self._jobs)
        ran = ran[ran["started_at"].notna()]
        frame = ran.sort_values("started_at").tail(_MOST_JOBS)
        rest = f", the newest {len(frame)} of {len(ran)}" if len(frame) < len(ran) else ""
        figure, axes = new_figure(f"Jobs by device{rest}", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No job has run.")
        now = max(pd.Timestamp.now("UTC"), frame["started_at"].max())
        running = frame["status"] == IN_PROGRESS
        end = frame["completed_at"].fillna(frame["started_at"]).where(~running, now)
        device = frame["device"].fillna("unknown device")
        devices, statuses = sorted(device.unique(), key=_natural), known_first(frame["status"].unique())
        left, right = time_axis(axes, frame["started_at"].min(), max(frame["started_at"].max(), end.max()))
        # Otherwise a job of seconds in a week would be thinner than a pixel, and not be drawn.
        thinnest, wide = (pd.Timedelta(right - left) / part for part in (_THINNEST, _WIDE))
        row_of = {name: row for row, name in enumerate(devices)}
        for status in statuses:
            mine = frame["status"] == status
            start, took = frame.loc[mine, "started_at"], (end - frame["started_at"])[mine]
            width = took.where(took > thinnest, thinnest)
            # Failures are drawn last, over their neighbours where there is no room for all.
            level = 3 if status == FAILED else 2.5 if status == CANCELED else 2
            for roomy in (False, True):
                these = (width >= wide) == roomy
                spans = pd.DataFrame({"start": _naive(start[these]), "width": width[these]})
                if roomy:
                    spans["width"] -= thinnest / 2  # a gap between two in a row
                for name, bars in spans.groupby(device):
                    axes.broken_barh([*bars.itertuples(index=False, name=None)], (row_of[name] - 0.3, 0.6),
                                     facecolor=color_of(status), edgecolor=paper(axes), linewidth=0, zorder=level,
                                     hatch=HATCHES.get(status) if roomy else None)  # fmt: skip
        rows(figure, axes, devices)
        counts = frame["status"].value_counts()
        legend(figure, axes, [(f"{s}  {counts[s]}", color_of(s), HATCHES.get(s, "")) for s in statuses])
        summary = ", ".join(f"{cut(status, NAME)} {counts[status]}" for status in statuses)
        on = f"on {', '.join(cut(name, NAME) for name in devices)}, {span(frame['started_at'].min(), end.max())}"
        describe(figure, f"Jobs by device{rest}: {len(frame)} {on}: {summary}.")
        return figure

    def durations(self, *, dark: bool = False) -> Figure:
        """Plot how long jobs ran, by status: a dot per job, a line for the middle half, the median in words."""
        import numpy as np

        frame = frames.jobs(self._jobs)
        frame = frame[frame["ran_s"].notna()]
        figure, axes = new_figure("Jobs: how long they ran", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No job has finished.")
        ran = frame["ran_s"].astype(float).clip(lower=0.001)
        statuses = known_first(frame["status"].unique())
        summary = []
        spread = np.random.default_rng(0)  # dots of equal value are spread, the same way each time
        high_up = 0.36 * min(len(statuses) / 3, 1)  # few rows are far apart
        for row, status in enumerate(statuses):
            values = ran[frame["status"] == status]
            dots(axes, values, row + spread.uniform(-0.7, 0.7, len(values)) * high_up, color_of(status), "o", 5.5)
            low, median, high = values.quantile([0.25, 0.5, 0.75])
            if len(values) > 1:  # a single dot has no room for more
                axes.plot([low, high], [row, row], color=ink(axes), linewidth=2, path_effects=rim(axes, 4))
                axes.plot([median], [row], marker="|", markersize=16, markeredgewidth=3, color=ink(axes),
                          path_effects=rim(axes, 5))  # fmt: skip
            note(axes, seconds(median), median, row - high_up, (0, 0))
            summary.append(
                f"{cut(status, NAME)} {len(values)}, median {seconds(median)}, "
                f"half within {seconds(low)} to {seconds(high)}"
            )
        counts = frame["status"].value_counts()
        rows(figure, axes, [f"{status}  {counts[status]}" for status in statuses], each=0.6)
        seconds_axis(axes, ran)
        describe(figure, f"Jobs: how long they ran: {'; '.join(summary)}.")
        return figure


def _naive(times: pd.Series[Any]) -> Any:
    """Times in UTC without their zone, by which matplotlib would shift them."""
    return times.dt.tz_convert(None)


def _natural(name: str) -> list[str | int]:
    """A key by which "cuda:2" comes before "cuda:10"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _steps(begin: pd.Series[Any], end: pd.Series[Any], last: pd.Timestamp) -> tuple[Any, Any]:
    """The moments at which the number of open intervals changed, up to `last`, and the numbers."""
    import numpy as np

    up, down = begin[begin.notna()], end[end.notna() & begin.notna()]
    times = np.concatenate([_naive(up).to_numpy(), _naive(down).to_numpy()])
    order = np.argsort(times, kind="stable")
    times = np.append(times[order], np.datetime64(last.tz_convert(None), "us"))
    levels = np.cumsum(np.concatenate([np.ones(len(up)), -np.ones(len(down))])[order])
    levels = np.append(levels, levels[-1] if len(levels) else 0.0)
    # Of several steps at one moment only the last one counts.
    lasting = np.append(times[1:] != times[:-1], True)
    return times[lasting], levels[lasting]
