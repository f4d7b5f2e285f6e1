"""Figures of the logs, made without pyplot: nothing global is touched, and any thread may draw.

matplotlib is imported when the first figure is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from io import BytesIO
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from invoke_widgets.analysis import with_times
from invoke_widgets.errors import InvalidRequest, JobErrorType
from invoke_widgets.errors.text import cut, many
from invoke_widgets.history import frames
from invoke_widgets.history._style import (
    NAME,
    axes_for,
    color_of,
    dots,
    ink,
    known_first,
    note,
    rim,
    rows,
    say,
    say_nothing,
    seconds,
    seconds_axis,
    span,
    time_axis,
    when,
)
from invoke_widgets.records import (
    COMPLETED,
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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from invoke_widgets.jobs import Batch, Sweep

    Since: TypeAlias = datetime | timedelta | str | None
    Which: TypeAlias = Batch | Sweep | str | None

_PARTS = {"acknowledged_s": "answered", "effective_s": "status changed", "stopped_s": "worker stopped"}
_SCOPES = ("item", "batch", "pending", "clear")
_MOST_JOBS = 2000
_THINNEST = 400
_WIDE = 80
"""A bar takes at least 1/400 of the time axis, about two pixels; beside one of 1/80 there is room for a gap."""
_MOST_VALUES, _MOST_FIELDS = 12, 6
"""A field with more values, such as a seed, says little by itself."""
_BINS = 60
_LENGTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800)
"""At most that many intervals of a time axis, and their lengths in seconds; longer ones are multiples of the last."""


class Plots:
    """Figures of three logs, as `console.plots` has them; `iw.Plots(jobs=frame)` makes them of your own frame.

    Each title says what was found. Each method returns matplotlib's `Axes`, which a notebook shows; to write a file:
    `.figure.savefig(path)`. Times are in UTC. All take:

    - `since`: a time such as "2026-01-31 14:00" or a `datetime`, in UTC unless it has a zone; or how long ago, such as
      "15min" or a `timedelta`. What ended before is left out.
    - `batch`: a `Batch`, a `Sweep`, or a batch's id; what belongs to others is left out.
    - `ax`: axes to draw on, as `plt.subplots()` makes them; by default those of a new figure.
    - `dark`: whether it is for a dark page; by default as `ax` is, or matplotlib's own style. Where that is light, a
      dark JupyterLab or VS Code shows a new figure with its brightness inverted.

    Args:
        errors: a log, its frame, or records.
        cancellations: a log, its frame, or records.
        jobs: a log, its frame, or records.
    """

    def __init__(
        self,
        errors: Iterable[JobError] | pd.DataFrame = (),
        cancellations: Iterable[Cancellation] | pd.DataFrame = (),
        jobs: Iterable[QueueItem] | pd.DataFrame = (),
    ) -> None:
        # An iterator could be drawn once only.
        self._errors, self._cancellations, self._jobs = (
            list(source) if isinstance(source, Iterator) else source for source in (errors, cancellations, jobs)
        )

    def error_timeline(
        self, *, since: Since = None, batch: Which = None, ax: Axes | None = None, dark: bool | None = None
    ) -> Axes:
        """Plot the number of errors over time, one row per class."""
        import numpy as np
        from matplotlib.dates import date2num

        frame = _chosen(_frame(self._errors, frames.errors), ["at"], since, batch)
        axes = axes_for(ax, dark)
        if frame.empty:
            return say_nothing(axes, "No errors.")
        first, last = frame["at"].min(), frame["at"].max()
        counts = frame["error_type"].value_counts()
        classes = [kind for kind in JobErrorType if kind in counts.index]
        left, right = time_axis(axes, first, last)
        width = _interval(right - left) / 86400
        numbers = np.floor(date2num(_naive(frame["at"])) / width)  # type: ignore[no-untyped-call]
        levels = {kind: np.unique(numbers[frame["error_type"] == kind], return_counts=True) for kind in classes}
        highest = max(int(count.max()) for _, count in levels.values())
        for row, (number, count) in enumerate(levels.values()):
            # From the row's line upwards; the axis of rows points down. One error among many is still to be seen.
            heights = 0.12 + 0.68 * count / highest
            axes.bar((number + 0.5) * width, -heights, width * 0.86, row + 0.4, color=color_of(axes, FAILED))
            axes.axhline(row + 0.4, color=axes.spines["bottom"].get_edgecolor(), linewidth=0.8, zorder=0)
        rows(axes, [f"{kind}  {counts[kind]}" for kind in classes], each=0.7)
        summary = ", ".join(f"{kind} {counts[kind]}" for kind in classes)
        return say(axes, f"{many(len(frame), 'error')}{_most(frame['at'])}", f"Errors {span(first, last)}: {summary}.")

    def cancellation_latency(
        self, *, since: Since = None, batch: Which = None, ax: Axes | None = None, dark: bool | None = None
    ) -> Axes:
        """Plot the times until cancels were answered, changed the status and stopped the worker, by scope."""
        every = _chosen(_frame(self._cancellations, frames.cancellations), ["requested_at"], since, batch)
        frame = every[every[[*_PARTS]].notna().any(axis=1)]
        axes = axes_for(ax, dark)
        if frame.empty:
            why = "No cancellations." if every.empty else f"None of {len(every)} cancellations has a time yet."
            return say_nothing(axes, why)
        frame = frame.assign(**frame[[*_PARTS]].clip(lower=0.0001))  # a logarithmic axis has no zero
        counts = frame["scope"].value_counts()
        labels: list[str] = []
        medians: list[str] = []
        for scope in (scope for scope in _SCOPES if scope in counts.index):
            for part, words in _PARTS.items():
                values = frame.loc[frame["scope"] == scope, part].dropna().astype(float)
                if values.empty:
                    continue
                _dots_and_median(axes, values, len(labels), color_of(axes, IN_PROGRESS), 0.16)
                labels.append(f"{scope}: {words}  {len(values)}")
                medians.append(f"{scope} {words} {seconds(float(values.median()))}")
        rows(axes, labels, each=0.34)
        seconds_axis(axes, [value for part in _PARTS for value in frame[part].dropna()])
        took = next(frame[part].dropna() for part in ("effective_s", *_PARTS) if frame[part].notna().any())
        title = f"{_half(took, 'cancel')} took effect within {seconds(took.median())}"
        title += f", the slowest within {seconds(took.max())}" if len(took) > 1 else ""
        return say(axes, title, f"Median time until each part, by scope: {'; '.join(medians)}.")

    def queue_depth(
        self, *, since: Since = None, batch: Which = None, ax: Axes | None = None, dark: bool | None = None
    ) -> Axes:
        """Plot the numbers of waiting and running jobs over time, up to now if some are unfinished."""
        import pandas as pd
        from matplotlib.ticker import MaxNLocator

        frame = _chosen_jobs(self._jobs, since, batch)
        frame = frame[frame["created_at"].notna()]
        axes = axes_for(ax, dark)
        if frame.empty:
            return say_nothing(axes, "No jobs.")
        finished = frame["status"].isin([*sorted(TERMINAL), GONE])
        # It is not known until when a job that is gone waited or ran, but not until now.
        ended = frame["completed_at"].where(finished).fillna(frame["started_at"].where(frame["status"] == GONE))
        # The server does not say when a job was canceled in bulk: it counts as never having waited.
        left = frame["started_at"].fillna(ended).where(~(finished & ended.isna()), frame["created_at"])
        last = max(times.max() for times in (frame["created_at"], left, ended) if times.notna().any())
        if frame["status"].isin([PENDING, IN_PROGRESS, WAITING]).any():
            last = max(last, pd.Timestamp.now("UTC"))
        most: list[int] = []
        # An area and a line do not hide each other, and differ in more than their colors.
        for begin, end, status, wide, word in (
            (frame["created_at"], left, PENDING, 1.0, "waiting"),
            (frame["started_at"], ended, IN_PROGRESS, 2.5, "running"),
        ):
            moments, level = _steps(begin, end, last)
            most.append(int(level.max()) if len(level) else 0)
            color = color_of(axes, status)
            effects = rim(axes, wide + 3) if status == IN_PROGRESS else None
            axes.step(moments, level, where="post", color=color, linewidth=wide, path_effects=effects)
            if status == PENDING:
                axes.fill_between(moments, level, step="post", facecolor=color, linewidth=0)
            if most[-1]:
                top = int(level.argmax())
                note(axes, f"{most[-1]} {word}", moments[top], most[-1], (0, 9))
        axes.set_ylabel("jobs")
        axes.set_ylim(bottom=0, top=max(*most, 1) * 1.2)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        first = min(times.min() for times in (frame["created_at"], frame["started_at"]) if times.notna().any())
        time_axis(axes, max(first, _moment(since)) if since is not None else first, last)
        title = f"At most {most[0]:,} waited at once, and {most[1]:,} ran"
        return say(axes, title, f"Jobs in the queue {span(frame['created_at'].min(), last)}.")

    def job_gantt(
        self, *, since: Since = None, batch: Which = None, ax: Axes | None = None, dark: bool | None = None
    ) -> Axes:
        """Plot when each job ran, one row per device and status; at most the newest 2000."""
        import pandas as pd

        ran = _chosen_jobs(self._jobs, since, batch)
        ran = ran[ran["started_at"].notna()]
        frame = ran.sort_values("started_at").tail(_MOST_JOBS)
        rest = f", the newest {len(frame)} of {len(ran)}" if len(frame) < len(ran) else ""
        axes = axes_for(ax, dark)
        if frame.empty:
            return say_nothing(axes, "No job has run.")
        now = max(pd.Timestamp.now("UTC"), frame["started_at"].max())
        running = frame["status"] == IN_PROGRESS
        end = frame["completed_at"].fillna(frame["started_at"]).where(~running, now)
        frame = frame.assign(device=frame["device"].fillna("unknown device"))
        first, last = frame["started_at"].min(), max(frame["started_at"].max(), end.max())
        left, right = time_axis(axes, max(first, _moment(since)) if since is not None else first, last)
        # Otherwise a job of seconds in a week would be thinner than a pixel, and not be drawn.
        thinnest, wide = (pd.Timedelta(right - left) / part for part in (_THINNEST, _WIDE))
        counts = frame.groupby(["device", "status"]).size()
        order = known_first(frame["status"].unique())
        pairs = sorted(counts.index, key=lambda pair: (_natural(pair[0]), order.index(pair[1])))
        for row, (device, status) in enumerate(pairs):
            mine = frame[(frame["device"] == device) & (frame["status"] == status)]
            width = (end - frame["started_at"])[mine.index]
            width = width.where(width > thinnest, thinnest)
            width = width.where(width < wide, width - thinnest / 2)  # a gap between two in a row
            bars = pd.DataFrame({"start": _naive(mine["started_at"]), "width": width})
            axes.broken_barh([*bars.itertuples(index=False, name=None)], (row - 0.3, 0.6),
                             facecolor=color_of(axes, status), linewidth=0)  # fmt: skip
        names = [f"{cut(device, NAME)}: {cut(status, NAME)}  {counts[device, status]}" for device, status in pairs]
        rows(axes, names, each=0.5)
        failed = frame.loc[frame["status"] == FAILED, "completed_at"].dropna()
        jobs = many(len(frame), "job")
        title = f"{len(failed):,} of {jobs} failed{_most(failed)}" if len(failed) else f"{jobs} ran, and none failed"
        return say(axes, title + rest, f"By device, {span(first, last)}: {', '.join(names)}.")

    def durations(
        self, *, since: Since = None, batch: Which = None, ax: Axes | None = None, dark: bool | None = None
    ) -> Axes:
        """Plot how long jobs ran, by status: a dot per job, a line for the middle half, the median in words."""
        frame = _chosen_jobs(self._jobs, since, batch)
        frame = frame[frame["ran_s"].notna()]
        axes = axes_for(ax, dark)
        if frame.empty:
            return say_nothing(axes, "No job has finished.")
        ran = frame["ran_s"].astype(float).clip(lower=0.001)
        statuses = known_first(frame["status"].unique())
        counts = frame["status"].value_counts()
        summary = []
        for row, status in enumerate(statuses):
            values = ran[frame["status"] == status]
            _dots_and_median(axes, values, row, color_of(axes, status), 0.36 * min(len(statuses) / 3, 1))
            low, median, high = values.quantile([0.25, 0.5, 0.75])
            summary.append(
                f"{cut(status, NAME)} {len(values)}, median {seconds(median)}, "
                f"half within {seconds(low)} to {seconds(high)}"
            )
        rows(axes, [f"{cut(status, NAME)}  {counts[status]}" for status in statuses], each=0.8)
        seconds_axis(axes, ran)
        title = f"{_half(ran, 'job')} ran for {seconds(ran.median())} or less"
        title += f", the longest for {seconds(ran.max())}" if len(ran) > 1 else ""
        return say(axes, title, f"How long jobs ran: {'; '.join(summary)}.")

    def by_value(
        self, *, since: Since = None, batch: Which = None, ax: Axes | None = None, dark: bool | None = None
    ) -> Axes:
        """Plot how long jobs ran, and which failed, by each value: a panel per varied field, all on one time axis.

        At most six fields are shown; one with more than twelve values, such as a seed, is not.
        """
        frame = _chosen_jobs(self._jobs, since, batch)
        frame = frame[frame["status"].isin([COMPLETED, FAILED]) & frame["ran_s"].notna()].reset_index(drop=True)
        axes = axes_for(ax, dark)
        if frame.empty:
            return say_nothing(axes, "No job has finished.")
        fields = _by_field(frame)
        if not fields:
            return say_nothing(axes, f"No field has between 2 and {_MOST_VALUES} values.")
        frame = frame.assign(ran_s=frame["ran_s"].astype(float).clip(lower=0.001))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        heights = [0.34 * len(groups) for groups in fields.values()]
        heading = 0.36
        whole = sum(heights) + heading * len(fields)
        if hasattr(axes, "_repr_mimebundle_"):
            axes.get_figure().set_figheight(whole + 0.9)  # type: ignore[union-attr]
        top, panel = whole, None
        for (field, groups), height in zip(fields.items(), heights, strict=True):
            top -= heading + height
            bounds = (0, top / whole, 1, height / whole)
            panel = axes_for(axes.inset_axes(bounds, sharex=panel, facecolor=axes.get_facecolor()), None)
            panel.set_title(cut(str(field), NAME), loc="left", fontsize=10, color=ink(axes), pad=5, parse_math=False)
            labels = []
            for row, (value, indices) in enumerate(groups.items()):
                mine = frame.loc[indices]
                failed = mine["status"] == FAILED
                if not failed.all():
                    _dots_and_median(panel, mine.loc[~failed, "ran_s"], row, color_of(axes, COMPLETED), 0.16)
                ends = mine.loc[failed, "ran_s"]
                dots(panel, ends, [row] * len(ends), color_of(axes, FAILED), "X", 8)
                number = f"{failed.sum()} of {len(mine)} failed" if failed.any() else many(len(mine), "job")
                labels.append(f"{cut(str(value), NAME)} · {number}")
            rows(panel, labels, each=0.34)
            panel.tick_params(axis="x", labelbottom=top < heading)
            seconds_axis(panel, frame["ran_s"])
        words = "; ".join(f"{field}: {', '.join(map(str, groups))}" for field, groups in fields.items())
        return say(axes, _finding(frame, fields), f"{len(frame):,} jobs by {words}.")


def _by_field(frame: pd.DataFrame) -> dict[str, dict[Any, list[int]]]:
    """The rows of each value of each field that was varied; values that cannot be hashed are grouped by their text."""
    found = {}
    names = [*frame.columns, frames.IMAGES]
    for field in (name for name in names[: names.index(frames.IMAGES)] if name not in frames.JOBS):
        groups: dict[Any, list[int]] = {}
        for index, value in frame[field].dropna().items():
            groups.setdefault(value if value.__hash__ else str(value), []).append(index)
        if 2 <= len(groups) <= _MOST_VALUES:
            numbers = all(isinstance(value, Real) for value in groups)
            found[field] = {value: groups[value] for value in sorted(groups, key=None if numbers else _natural)}
    return dict(list(found.items())[:_MOST_FIELDS])


def _finding(frame: pd.DataFrame, fields: dict[str, dict[Any, list[int]]]) -> str:
    """The value that fails more often than others, else the field whose values differ most in how long jobs ran."""
    is_failed = frame["status"] == FAILED
    rates: list[tuple[float, str]] = []
    ratios: list[tuple[float, str]] = []
    for field, groups in fields.items():
        name = cut(str(field), NAME)
        for value, indices in groups.items():
            here = is_failed.loc[indices]
            others = is_failed.loc[[i for other in groups.values() if other is not indices for i in other]]
            words = f"{here.sum()} of {len(here)} failed with {name} {cut(str(value), NAME)}"
            rates.append((here.mean() - others.mean(), f"{words}, {others.sum()} of {len(others)} with others"))
        ran = {
            value: frame.loc[indices, "ran_s"][~is_failed.loc[indices]].median() for value, indices in groups.items()
        }
        known = {value: median for value, median in ran.items() if median == median}
        if len(known) > 1:
            low, high = (choose(known, key=known.__getitem__) for choose in (min, max))
            ratio = known[high] / known[low]
            words = f"{name} {cut(str(high), NAME)} takes {ratio:.1f} times as long as {cut(str(low), NAME)}"
            ratios.append((ratio, words))
    for (size, words), least in ((max(rates), 0.25), (max(ratios, default=(0.0, "")), 1.5)):
        if size >= least:
            return words
    return f"No value makes much of a difference to {len(frame):,} jobs"


def _frame(source: Any, make: Any) -> pd.DataFrame:
    """A frame that was passed, or one of these records, with its times in UTC."""
    import pandas as pd

    return with_times(source if isinstance(source, pd.DataFrame) else make(source))


def _chosen(frame: pd.DataFrame, ends: list[str], since: Any, batch: Any) -> pd.DataFrame:
    """The rows of a batch, and without those whose times in the columns `ends` are all before `since`."""
    if since is not None:
        frame = frame[~(frame[ends].max(axis=1) < _moment(since))]
    if batch is not None:
        ids = [getattr(one, "batch_id", one) for one in getattr(batch, "batches", [batch])]
        if not all(isinstance(one, str) for one in ids):
            raise InvalidRequest(f"batch: should be a Batch, a Sweep, or a batch's id, got {batch!r}.", field="batch")
        frame = frame[frame["batch_id"].isin(ids)]
    return frame


def _chosen_jobs(jobs: Any, since: Any, batch: Any) -> pd.DataFrame:
    frame = _frame(jobs, frames.jobs)
    return _chosen(frame, ["completed_at"], since, batch)


def _moment(since: Any) -> Any:
    """A time in UTC, from a time, which is in UTC if it has no zone, or from how long ago it was."""
    import numpy as np
    import pandas as pd

    moment: Any = pd.NaT
    with suppress(ValueError, TypeError):
        since = datetime.fromisoformat(since)
    with suppress(ValueError, TypeError, OverflowError):
        if isinstance(since, datetime):
            moment = pd.Timestamp(since)
            moment = moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
        # A number without a unit would be one of nanoseconds.
        elif isinstance(since, str | timedelta | np.timedelta64) and not str(since).strip().isdecimal():
            ago: Any = pd.Timedelta(since)
            moment = pd.Timestamp.now("UTC") - ago if ago >= pd.Timedelta(0) else pd.NaT
    if moment is pd.NaT:
        raise InvalidRequest(
            f"since: should be a time such as '2026-01-31 14:00', or how long ago, such as '15min', got {since!r}.",
            field="since",
        )
    return moment


def _interval(length: timedelta) -> float:
    """The seconds of the intervals into which a time axis is divided."""
    least = length.total_seconds() / _BINS
    return next((seconds for seconds in _LENGTHS if seconds >= least), least)


def _most(times: pd.Series[Any]) -> str:
    """When most of them were, as the end of a title: ", most at 14:05"."""
    first, last = times.min(), times.max()
    if len(times) < 2 or first == last:
        return f" at {when(first, first, last)}"
    import pandas as pd

    width = _interval(last - first) * 1_000_000
    numbers = pd.Series(times.dt.as_unit("us").astype("int64") // int(width)).value_counts().sort_index()
    if numbers.max() == 1:
        return f", from {when(first, first, last)} to {when(last, first, last)}"
    fullest: Any = numbers.idxmax()
    moment = pd.Timestamp(fullest * int(width), unit="us", tz="UTC")
    return f", most at {when(moment, first, last)}"


def _half(values: pd.Series[Any], noun: str) -> str:
    return f"The only {noun}" if len(values) == 1 else f"Half of {len(values):,} {noun}s"


def _dots_and_median(axes: Axes, values: pd.Series[Any], row: int, color: str, high_up: float) -> None:
    """Draw a dot per value, a line for the middle half, and the median, with its number above."""
    import numpy as np

    spread = np.random.default_rng(0)  # dots of equal value are spread, the same way each time
    dots(axes, values, row + spread.uniform(-0.7, 0.7, len(values)) * high_up, color, "o", 5.5)
    low, median, high = values.quantile([0.25, 0.5, 0.75])
    if len(values) > 1:  # a single dot has no room for more
        axes.plot([low, high], [row, row], color=ink(axes), linewidth=2, path_effects=rim(axes, 4))
        tall = 16 if high_up > 0.2 else 11
        axes.plot([median], [row], marker="|", markersize=tall, markeredgewidth=3, color=ink(axes),
                  path_effects=rim(axes, 5))  # fmt: skip
    note(axes, seconds(median), median, row, (0, 12))


def _naive(times: pd.Series[Any]) -> Any:
    """Times in UTC without their zone: matplotlib would shift them by it."""
    return times.dt.tz_convert(None)


def _natural(name: Any) -> list[str | int]:
    """A sort key that puts "cuda:2" before "cuda:10"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", str(name))]


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


def picture_grid(
    cells: Mapping[tuple[int, int], tuple[bytes | None, str]],
    *,
    columns: Sequence[str],
    rows: Sequence[str],
    x: str = "",
    y: str = "",
    size: float = 2.0,
) -> Figure:
    """Draw pictures in rows and columns, with the labels of both.

    Args:
        cells: row and column -> the bytes of a PNG, JPEG or WebP file, or None and what to write instead.
        columns, rows: the labels; an empty list for one column or row without.
        x, y: what the columns and the rows are.
        size: of each picture, in inches.
    """
    import numpy as np
    from matplotlib.figure import Figure
    from PIL import Image

    class ShownFigure(Figure):
        """A figure that notebooks show even if pyplot was never imported."""

        def _repr_png_(self) -> bytes:
            file = BytesIO()
            self.savefig(file, format="png")
            return file.getvalue()

    ShownFigure.__name__ = ShownFigure.__qualname__ = "Figure"
    across, down = max(len(columns), 1), max(len(rows), 1)
    figure = ShownFigure(figsize=(across * size + 0.6, down * size + 0.5), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False)
    for (row, column), axis in np.ndenumerate(axes):
        content, text = cells.get((row, column), (None, ""))
        axis.set_xticks([])
        axis.set_yticks([])
        if content is not None:
            with Image.open(BytesIO(content)) as picture:
                axis.imshow(picture.convert("RGB"))
        else:
            axis.text(
                0.5, 0.5, cut(text, 60), ha="center", va="center", transform=axis.transAxes, wrap=True, parse_math=False
            )
        if row == 0 and columns:
            axis.set_title(cut(f"{x} {columns[column]}".strip(), NAME), fontsize=9, parse_math=False)
        if column == 0 and rows:
            axis.set_ylabel(cut(f"{y} {rows[row]}".strip(), NAME), fontsize=9, parse_math=False)
    return figure
