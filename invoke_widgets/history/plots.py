"""Figures of the logs. `matplotlib.figure.Figure`, never pyplot: nothing global is touched, and any thread may draw.

matplotlib is imported when the first figure is made. Colours are those of `palette`, so that a figure and the widgets
speak one language; a hatch, a mark or a word goes with each colour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from invoke_widgets.errors import JobErrorType
from invoke_widgets.history import frames, palette
from invoke_widgets.history._style import (
    HATCHES,
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
    ("acknowledged_s", "acknowledged: the answer came", "#2896f7", "o"),
    ("effective_s", "effective: the status changed", "#2ca682", "s"),
    ("stopped_s", "stopped: the worker went on", "#f75b0c", "D"),
)
_SCOPES = ("item", "batch", "pending", "clear")
_MOST_JOBS = 2000
_THINNEST = 400
_WIDE = 80
"""The part of a time axis that the thinnest bar takes, two pixels or so, and the one that has room for a hatch."""


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
            size = 13 if _MARKS[kind] == "*" else 9
            dots(axes, times, [row] * len(times), palette.ERROR_COLORS[kind], _MARKS[kind], size)
        rows(figure, axes, [f"{kind}  {counts[kind]}" for kind in classes])
        time_axis(axes, frame["at"].min(), frame["at"].max())
        told = ", ".join(f"{kind} {counts[kind]}" for kind in classes)
        describe(figure, f"Errors: {len(frame)} {span(frame['at'].min(), frame['at'].max())}: {told}.")
        return figure

    def cancellation_latency(self, *, dark: bool = False) -> Figure:
        """How long cancels took until acknowledged, effective and stopped, by scope: each one, and the median."""
        parts = [part for part, *_ in _PARTS]
        every = frames.cancellations(self._cancellations)
        frame = every[every[parts].notna().any(axis=1)]
        figure, axes = new_figure("Cancellations: time until …", dark)
        if frame.empty:
            why = "No cancellations." if every.empty else f"No cancellation of {len(every)} has a time yet."
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
                if len(values) > 1:  # over one mark there is no room for another
                    axes.plot([median], [y], linestyle="none", marker="|", color=ink(axes), markersize=11,
                              markeredgewidth=2, path_effects=rim(axes, 3))  # fmt: skip
                note(axes, seconds(median), float(values.max()), y, (8, 0))
                medians[scope].append(f"{part.removesuffix('_s')} {seconds(median)}")
        counts = frame["scope"].value_counts()
        rows(figure, axes, [f"{scope}  {counts[scope]}" for scope in scopes])
        seconds_axis(axes, [value for part in parts for value in frame[part].dropna()])
        legend(figure, axes, [(label, color, marker) for _, label, color, marker in _PARTS] +
               [("median", ink(axes), "|")])  # fmt: skip
        told = "; ".join(f"{scope} ({counts[scope]}): {', '.join(medians[scope])}" for scope in scopes)
        describe(figure, f"Cancellations: median time until each part, by scope: {told}.")
        return figure

    def queue_depth(self, *, dark: bool = False) -> Figure:
        """How many jobs waited and how many ran, over time, from the jobs' own times; until now while some still do."""
        import pandas as pd
        from matplotlib.ticker import MaxNLocator

        frame = frames.jobs(self._jobs)
        frame = frame[frame["created_at"].notna()]
        figure, axes = new_figure("Queue: jobs waiting and running", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No jobs.")
        finished = frame["status"].isin([*sorted(TERMINAL), GONE])
        # Of a job that is gone nobody knows until when it waited or ran: not until now.
        ended = frame["completed_at"].where(finished).fillna(frame["started_at"].where(frame["status"] == GONE))
        # Of a job that was canceled in bulk nobody tells when: it is taken as never having waited.
        left = frame["started_at"].fillna(ended).where(~(finished & ended.isna()), frame["created_at"])
        last = max(times.max() for times in (frame["created_at"], left, ended) if times.notna().any())
        if frame["status"].isin([PENDING, IN_PROGRESS, WAITING]).any():
            last = max(last, pd.Timestamp.now("UTC"))
        most: list[int] = []
        # An area and a line, which neither hide each other nor need colours to be told apart.
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
        """When each job ran, by device, with how it ended; the newest 2000 of them."""
        import pandas as pd

        ran = frames.jobs(self._jobs)
        ran = ran[ran["started_at"].notna()]
        frame = ran.sort_values("started_at").tail(_MOST_JOBS)
        cut = f", the newest {len(frame)} of {len(ran)}" if len(frame) < len(ran) else ""
        figure, axes = new_figure(f"Jobs by device{cut}", dark)
        if frame.empty:
            return say_nothing(figure, axes, "No job has run.")
        now = max(pd.Timestamp.now("UTC"), frame["started_at"].max())
        running = frame["status"] == IN_PROGRESS
        end = frame["completed_at"].fillna(frame["started_at"]).where(~running, now)
        device = frame["device"].fillna("device not told")
        devices, statuses = sorted(device.unique(), key=_natural), known_first(frame["status"].unique())
        left, right = time_axis(axes, frame["started_at"].min(), max(frame["started_at"].max(), end.max()))
        # A job of seconds in a week would be thinner than a pixel, and not there.
        thinnest, wide = (pd.Timedelta(right - left) / part for part in (_THINNEST, _WIDE))
        row_of = {name: row for row, name in enumerate(devices)}
        for status in statuses:
            mine = frame["status"] == status
            start, took = frame.loc[mine, "started_at"], (end - frame["started_at"])[mine]
            width = took.where(took > thinnest, thinnest)
            # What went wrong is drawn last, over its neighbours where there is no room for all.
            level = 3 if status == FAILED else 2.5 if status == CANCELED else 2
            for roomy in (False, True):
                these = (width >= wide) == roomy
                spans = pd.DataFrame({"start": _naive(start[these]), "width": width[these]})
                if roomy:
                    spans["width"] -= thinnest / 2  # of two in a row one sees where one ends
                for name, bars in spans.groupby(device):
                    axes.broken_barh([*bars.itertuples(index=False, name=None)], (row_of[name] - 0.3, 0.6),
                                     facecolor=color_of(status), edgecolor=paper(axes), linewidth=0, zorder=level,
                                     hatch=HATCHES.get(status) if roomy else None)  # fmt: skip
        rows(figure, axes, devices)
        counts = frame["status"].value_counts()
        legend(figure, axes, [(f"{s}  {counts[s]}", color_of(s), HATCHES.get(s, "")) for s in statuses])
        told = ", ".join(f"{status} {counts[status]}" for status in statuses)
        on = f"on {', '.join(map(str, devices))}, {span(frame['started_at'].min(), end.max())}"
        describe(figure, f"Jobs by device{cut}: {len(frame)} {on}: {told}.")
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
        high_up = 0.36 * min(len(statuses) / 3, 1)  # few lines are far from each other
        for row, status in enumerate(statuses):
            values = ran[frame["status"] == status]
            dots(axes, values, row + spread.uniform(-0.7, 0.7, len(values)) * high_up, color_of(status), "o", 5.5)
            low, median, high = values.quantile([0.25, 0.5, 0.75])
            if len(values) > 1:  # over one dot there is no room for more
                axes.plot([low, high], [row, row], color=ink(axes), linewidth=2, path_effects=rim(axes, 4))
                axes.plot([median], [row], marker="|", markersize=16, markeredgewidth=3, color=ink(axes),
                          path_effects=rim(axes, 5))  # fmt: skip
            note(axes, seconds(median), median, row - high_up, (0, 0))
            told.append(
                f"{status} {len(values)}, median {seconds(median)}, half within {seconds(low)} to {seconds(high)}"
            )
        counts = frame["status"].value_counts()
        rows(figure, axes, [f"{status}  {counts[status]}" for status in statuses], each=0.6)
        seconds_axis(axes, ran)
        describe(figure, f"Jobs: how long they ran: {'; '.join(told)}.")
        return figure


def _naive(times: pd.Series[Any]) -> Any:
    """Times in UTC without saying so, since matplotlib would shift them by the zone of whoever looks."""
    return times.dt.tz_convert(None)


def _natural(name: str) -> list[str | int]:
    """A key by which "cuda:2" comes before "cuda:10"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


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
