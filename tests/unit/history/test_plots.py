"""Figures draw, light and dark, full and empty, without pyplot."""

from __future__ import annotations

import html
import itertools
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_hex
from matplotlib.dates import num2date
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from invoke_widgets.errors import InvalidRequest, JobErrorType
from invoke_widgets.history import _style as style
from invoke_widgets.history import frames
from invoke_widgets.history._style import seconds
from invoke_widgets.history.plots import Plots
from invoke_widgets.records import STATUSES, Cancellation, FieldValue, JobError, QueueItem
from tests.unit.history.test_style import contrast

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
_FRAMES = (frames.errors, frames.cancellations, frames.jobs)
NAMES = ("error_timeline", "cancellation_latency", "queue_depth", "job_gantt", "durations", "by_value")


def _errors() -> list[JobError]:
    return [JobError(at=T0 + timedelta(minutes=i), error_type=kind, message="m") for i, kind in enumerate(JobErrorType)]


def _cancellations() -> list[Cancellation]:
    return [
        Cancellation(
            scope=scope,
            outcome="canceled",
            canceled=1,
            item_ids=(1,),
            requested_at=T0,
            acknowledged_s=0.004,
            effective_s=0.0,
            stopped_s=None if scope == "clear" else 2.0,
        )
        for scope in ("item", "batch", "pending", "clear")
    ]


def _jobs() -> list[QueueItem]:
    jobs = []
    for i, status in enumerate((*STATUSES, "a status of tomorrow")):
        began = None if status == "pending" else T0 + timedelta(seconds=10 * i)
        ended = began + timedelta(seconds=i) if began and status in ("completed", "failed", "canceled") else None
        jobs.append(
            QueueItem(
                item_id=i,
                status=status,
                batch_id="b",
                created_at=T0,
                started_at=began,
                completed_at=ended,
                device=None if i % 2 else "cuda:0",
            )
        )
    return jobs


def _draw(name: str, plots: Plots, **options: Any) -> Figure:
    draw: Callable[..., Axes] = getattr(plots, name)
    return draw(**options).figure  # type: ignore[return-value]


def _pixels(figure: Figure, dpi: int = 110) -> np.ndarray:
    """A figure as it is drawn, as a notebook has it; each pixel is one number, 0xRRGGBB."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    parts = np.asarray(Image.open(file).convert("RGB")).astype(int)
    return np.asarray(parts @ [1 << 16, 1 << 8, 1])


def _number(color: str) -> int:
    return int(color[1:], 16)


def _words(figure: Figure) -> str:
    """All text that can be read in a figure."""
    figure.draw_without_rendering()
    axes = figure.axes[0]
    labels = axes.get_yticklabels() if axes.axison else []
    return " ".join(text.get_text() for text in (*axes.texts, *labels))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_figures_draw_on_light_and_dark(name: str, dark: bool) -> None:
    """The background is the right one, and there is something on it."""
    figure = _draw(name, Plots(_errors(), _cancellations(), _jobs()), dark=dark)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=50)
    image = Image.open(file).convert("RGB")
    colors = {to_hex([part / 255 for part in color]) for _, color in image.getcolors(1 << 20) or ()}
    paper = (style.DARK if dark else style.LIGHT)["background"]
    assert (True, True) == (same_color(figure.get_facecolor(), paper), len(colors) > 20)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_figure_says_so(name: str) -> None:
    """Rather than showing empty axes."""
    assert _words(_draw(name, Plots())).startswith("No ")


def test_error_timeline_names_and_counts_classes() -> None:
    """In words, beside their rows."""
    words = _words(_draw("error_timeline", Plots(_errors())))
    assert [f"{kind}  1" for kind in JobErrorType] == [f"{kind}  1" for kind in JobErrorType if f"{kind}  1" in words]


def test_cancellation_latency_has_a_row_for_each_part_and_its_median() -> None:
    """Each part in words; an unknown one has no row."""
    words = _words(_draw("cancellation_latency", Plots(cancellations=_cancellations())))
    assert (4, 3, "item: answered  1") == (
        words.count("4 ms"),
        words.count("2 s"),
        words[words.index("item: a") :][:17],
    )
    assert "clear: worker stopped" not in words


def test_queue_depth_counts_at_every_step() -> None:
    """Two jobs are created together and run one after the other."""
    jobs = [
        QueueItem(
            item_id=i,
            status="completed",
            batch_id="b",
            created_at=T0,
            started_at=T0 + timedelta(seconds=10 * i),
            completed_at=T0 + timedelta(seconds=10 * i + 10),
        )
        for i in (0, 1)
    ]
    waiting, running = Plots(jobs=jobs).queue_depth().lines
    assert ([1.0, 0.0, 0.0], [1.0, 1.0, 0.0]) == (list(waiting.get_ydata()), list(running.get_ydata()))


def test_jobs_that_are_gone_neither_wait_nor_run() -> None:
    """It is not known until when they did, but not until now."""
    seen = QueueItem(item_id=1, status="gone", batch_id="b", created_at=T0, updated_at=datetime.now(UTC))
    began = T0 + timedelta(seconds=5)
    plots = Plots(jobs=[seen, replace(seen, item_id=2, started_at=began)])
    waiting, running = plots.queue_depth().lines
    (bar,) = (path for bars in plots.job_gantt().collections for path in bars.get_paths())
    until = num2date(bar.get_extents().x1)
    assert ([1.0, 0.0], 0.0) == (list(waiting.get_ydata()), running.get_ydata()[-1])
    assert until < began + timedelta(seconds=1)


def test_job_gantt_names_an_unknown_device() -> None:
    """Versions before 6.14 do not report it."""
    assert "unknown device" in _words(_draw("job_gantt", Plots(jobs=_jobs())))


def _sweep(took: Callable[[int, str], float], fails: Callable[[int, str], bool] = lambda steps, cfg: False) -> Plots:
    """Eighteen jobs of a sweep of steps and cfg, each with a seed of its own and a size that all share."""
    jobs = []
    for i, (steps, cfg, _) in enumerate(itertools.product((10, 20, 100), ("low", "a$b$"), range(3))):
        values = {"steps": steps, "cfg": cfg, "seed": i, "size": [64, 64]}
        jobs.append(
            QueueItem(
                item_id=i,
                status="failed" if fails(steps, cfg) else "completed",
                batch_id="b",
                started_at=T0,
                completed_at=T0 + timedelta(seconds=took(steps, cfg)),
                field_values=tuple(FieldValue("n", name, value, name) for name, value in values.items()),
            )
        )
    return Plots(jobs=jobs)


def _panels(axes: Axes) -> dict[str, list[str]]:
    return {
        panel.get_title(loc="left"): [label.get_text() for label in panel.get_yticklabels()]
        for panel in axes.child_axes
    }


def test_by_value_has_a_panel_for_each_field_with_a_row_for_each_value() -> None:
    """In the order of the values; a field of one value and one of too many have none."""
    axes = _sweep(lambda steps, cfg: steps / 10).by_value()
    assert {"cfg": ["a$b$ · 9 jobs", "low · 9 jobs"], "steps": [f"{n} · 6 jobs" for n in (10, 20, 100)]} == _panels(
        axes
    )
    assert "steps 100 takes 10.0 times as long as 10" == axes.get_title(loc="left")
    first, last = axes.child_axes
    assert first.get_xlim() == last.get_xlim()


def test_by_value_names_the_value_that_fails() -> None:
    """The one that fails more often than the others do, counted beside its row."""
    axes = _sweep(lambda steps, cfg: steps, lambda steps, cfg: steps == 100).by_value()
    assert "6 of 6 failed with steps 100, 0 of 12 with others" == axes.get_title(loc="left")
    assert "100 · 6 of 6 failed" == _panels(axes)["steps"][2]


def test_by_value_says_that_nothing_differs() -> None:
    """Where the values neither fail nor take longer; and where there is nothing to compare."""
    assert "No value makes much of a difference to 18 jobs" == _sweep(lambda *_: 1).by_value().get_title(loc="left")
    assert "No field has between 2 and 12 values." == Plots(jobs=_jobs()).by_value().get_label()


def test_by_value_takes_the_frame_of_a_batch() -> None:
    """Whose pictures and outputs are no values that were varied."""
    jobs = [
        QueueItem(
            item_id=i,
            status="completed",
            batch_id="b",
            started_at=T0,
            completed_at=T0 + timedelta(seconds=1),
            field_values=(FieldValue("n", "a", i),),
            session={"results": {"n": {"value": 10 * i}}},
        )
        for i in (1, 2)
    ]
    frame = frames.batch(jobs)
    assert (True, ["n.a"]) == ("n.value" in frame, list(_panels(Plots(jobs=frame).by_value())))


def test_by_value_draws_on_given_axes() -> None:
    """As all figures do; its panels have the background of the axes."""
    figure = Figure()
    ax = figure.add_subplot()
    assert ax is _sweep(lambda steps, cfg: steps).by_value(ax=ax, dark=True)
    assert {style.DARK["background"]} == {to_hex(panel.get_facecolor()) for panel in ax.child_axes}


def test_rcparams_are_not_changed() -> None:
    """The user's own figures keep their style."""
    before = dict(rcParams)
    for name in NAMES:
        _draw(name, Plots(_errors(), _cancellations(), _jobs()), dark=True)
    assert before == dict(rcParams)


def test_pyplot_is_not_imported() -> None:
    """It keeps figures alive and chooses a backend."""
    code = (
        "import sys; from invoke_widgets.history.plots import Plots; f = Plots().durations(); f._repr_mimebundle_();"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False" == done.stdout.strip()


def test_a_figure_shows_itself_in_a_notebook() -> None:
    """IPython asks for its MIME bundle if pyplot has not registered a formatter."""
    bundle = Plots().durations()._repr_mimebundle_()  # type: ignore[attr-defined]
    assert b"\x89PNG" == b64decode(bundle["image/png"])[:4]
    assert bundle["image/png"] in bundle["text/html"]


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("error_timeline", "8 errors, from 12:00:00 to 12:07:00. Errors from 2026-01-01 12:00:00 to 2026-01-01 12:07"),
        (
            "cancellation_latency",
            "Half of 4 cancels took effect within 0.1 ms, the slowest within 0.1 ms. Median time ",
        ),
        ("queue_depth", "At most 7 waited at once, and 3 ran. Jobs in the queue from 2026-01-01 12:00:00 to "),
        ("job_gantt", "1 of 6 jobs failed at 12:00:44. By device, from 2026-01-01 12:00:10 to "),
        (
            "durations",
            "Half of 3 jobs ran for 4 s or less, the longest for 5 s. How long jobs ran: completed 1, median ",
        ),
    ],
)
def test_a_figure_describes_itself(name: str, description: str) -> None:
    """A sentence says what it shows: its label, which is also the image's alternative text."""
    axes = _draw(name, Plots(_errors(), _cancellations(), _jobs())).axes[0]
    bundle = axes._repr_mimebundle_()  # type: ignore[attr-defined]
    assert str(axes.get_label()).startswith(description)
    assert str(axes.get_label()).startswith(axes.get_title(loc="left"))
    assert (f' alt="{html.escape(str(axes.get_label()))}">', axes.get_label()) == (
        bundle["text/html"][bundle["text/html"].index(" alt=") :],
        bundle["text/plain"],
    )


def test_a_figures_description_is_escaped() -> None:
    """A device's name comes from the server."""
    job = replace(_jobs()[3], device='"><script>alert(1)</script>')
    bundle = Plots(jobs=[job]).job_gantt()._repr_mimebundle_()  # type: ignore[attr-defined]
    assert "<script" not in bundle["text/html"]
    assert 1 == bundle["text/html"].partition("</style>")[2].count(">")


@pytest.mark.parametrize(("dark", "expected"), [(None, True), (False, False), (True, False)])
def test_a_figure_follows_a_dark_page_unless_told_otherwise(dark: bool | None, expected: bool) -> None:
    """Its HTML turns the brightness on dark pages, and keeps the hues."""
    bundle = Plots().durations(dark=dark)._repr_mimebundle_()  # type: ignore[attr-defined]
    assert expected == ("invert(" in bundle["text/html"])


def test_a_figure_of_a_dark_style_is_not_turned() -> None:
    """It is dark already."""
    from matplotlib import rc_context

    with rc_context({"figure.facecolor": "black"}):
        bundle = Plots().durations()._repr_mimebundle_()  # type: ignore[attr-defined]
    assert "invert(" not in bundle["text/html"]


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_figure_describes_itself(name: str) -> None:
    """It says that there is nothing to show."""
    assert str(_draw(name, Plots()).axes[0].get_label()).startswith("No ")


def test_long_names_are_shortened_in_a_description() -> None:
    """A device's and a status's name come from the server."""
    job = replace(_jobs()[0], started_at=T0, completed_at=T0, device="d" * 100_000, status="s" * 100_000)
    lengths = [len(str(_draw(name, Plots(jobs=[job])).axes[0].get_label())) for name in NAMES]
    assert max(lengths) < 300
    many = [replace(job, item_id=i, device=f"cuda:{i}") for i in range(300)]
    assert 1000 == len(str(Plots(jobs=many).job_gantt().get_label()))


@pytest.mark.parametrize("name", ["error_timeline", "queue_depth", "job_gantt"])
@pytest.mark.parametrize("years", [(1,), (9999,), (1, 2026), (2026, 9999), (1, 9999)])
def test_the_first_and_the_last_year_are_drawn(name: str, years: tuple[int, ...]) -> None:
    """An axis ends where matplotlib's time does."""
    times = [
        datetime(y, 12, 31, 23, 59, 59, 999_999, UTC) if y == 9999 else datetime(y, 1, 1, tzinfo=UTC) for y in years
    ]
    job = replace(_jobs()[0], status="completed")
    jobs = [replace(job, item_id=i, created_at=t, started_at=t, completed_at=t) for i, t in enumerate(times)]
    _draw(name, Plots(errors=[replace(_errors()[0], at=t) for t in times], jobs=jobs)).savefig(BytesIO())


def test_dark_must_be_a_bool() -> None:
    """The name of a theme is refused."""
    with pytest.raises(InvalidRequest, match="dark"):
        Plots().durations(dark="light")  # type: ignore[arg-type]


def _many(count: int) -> Plots:
    """Records of every class, scope and status that ends, over some hours."""
    chance = np.random.default_rng(0)
    kinds, scopes, ends = list(JobErrorType), ("item", "batch", "pending", "clear"), ("completed", "failed", "canceled")
    at = [T0 + timedelta(seconds=float(s)) for s in chance.uniform(0, 30_000, count)]
    took = [float(s) for s in chance.lognormal(3, 1, count)]
    jobs = [
        replace(
            _job(t, t + timedelta(seconds=s), ends[i % 3]),
            device=f"cuda:{i % 2}",
            created_at=t - timedelta(hours=1),
            field_values=(FieldValue("n", "steps", 10 * (i % 4), "steps"),),
        )
        for i, (t, s) in enumerate(zip(at, took, strict=True))
    ]
    cancellations = [replace(_cancellations()[i % 4], scope=scopes[i % 4], acknowledged_s=s / 5000, effective_s=s / 900,
                             stopped_s=s) for i, s in enumerate(took)]  # fmt: skip
    errors = [JobError(at=t, error_type=kinds[i % len(kinds)], message="m") for i, t in enumerate(at)]
    return Plots(errors, cancellations, jobs)


def _job(began: datetime, ended: datetime, status: str = "completed") -> QueueItem:
    return QueueItem(
        item_id=1, status=status, batch_id="b", created_at=began - timedelta(seconds=9), started_at=began,
        completed_at=ended, device="cuda:0",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_marks_keep_their_contrast_as_drawn(name: str, dark: bool) -> None:
    """Every area but the grid's lines has 3:1 against the background: no two colors are blended."""
    table = style.DARK if dark else style.LIGHT
    figure = _draw(name, _many(60), dark=dark)
    for text in figure.findobj(Text):
        text.set_visible(False)
    # What differs from what is beside it is an edge, always a mixture; at this size marks have an inside.
    pixels = _pixels(figure, dpi=220)
    beside = [np.roll(pixels, shift, (0, 1)) for shift in itertools.product(range(-2, 3), repeat=2)]
    inside = pixels[np.logical_and.reduce([pixels == other for other in beside])]
    found = {f"#{color:06x}" for color in set(inside.tolist())} - {table["background"], table["line"]}
    assert (set(), True) == ({c for c in found if contrast(c, table["background"]) < 3}, len(found) >= 1)


def test_errors_are_binned() -> None:
    """Forty errors of a minute are bars whose heights are their numbers, and a single one is still to be seen."""
    at = [T0 + timedelta(seconds=i * 1.5) for i in range(40)] + [T0 + timedelta(minutes=50)]
    axes = Plots([JobError(at=t, error_type=JobErrorType.NETWORK_ERROR, message="m") for t in at]).error_timeline()
    heights = [-bar.get_height() for bar in axes.patches]  # type: ignore[attr-defined]
    assert (2, 0.8, True) == (len(heights), round(heights[0], 6), 0.1 < heights[1] < 0.2)
    assert "41 errors, most at 12:00" == axes.get_title(loc="left")


def test_overlapping_marks_keep_their_color() -> None:
    """Drawn from left to right, each would leave only the rim of the one before, and the row would fade."""
    jobs = [_job(T0, T0 + timedelta(seconds=1 + i / 2000)) for i in range(2000)]
    pixels = _pixels(_draw("durations", Plots(jobs=jobs)))
    crowd = (pixels == _number(style.LIGHT["completed"])).sum(axis=1)
    assert crowd.max() > 3 * 0.1 * pixels.shape[1] / 4


@pytest.mark.slow
def test_failed_jobs_are_visible_among_thousands() -> None:
    """2,000 jobs of 20 s in a week are less than a pixel wide, and each of the 40 failed ones is there."""
    jobs = [
        _job(at, at + timedelta(seconds=20), "completed" if i % 50 else "failed")
        for i, at in enumerate(T0 + timedelta(minutes=5 * i) for i in range(2000))
    ]
    pixels = _pixels(_draw("job_gantt", Plots(jobs=jobs)))
    failed, completed = (pixels == _number(style.LIGHT[status]) for status in ("failed", "completed"))
    row = failed[failed.sum(axis=1).argmax()]
    assert (40, True) == (int(np.sum(row[1:] & ~row[:-1])), int(completed.sum(axis=1).max()) > 400)


def test_jobs_in_a_row_have_gaps() -> None:
    """Where there is space, the background shows between consecutive bars."""
    jobs = [_job(T0 + timedelta(minutes=i), T0 + timedelta(minutes=i + 1)) for i in range(10)]
    pixels = _pixels(_draw("job_gantt", Plots(jobs=jobs)))
    bar = pixels[pixels.shape[0] * 2 // 5] == _number(style.LIGHT["completed"])
    assert 10 == int(np.sum(bar[1:] & ~bar[:-1]))


def test_devices_are_sorted_by_number() -> None:
    """The tenth comes after the second."""
    names = ["cuda:10", "cpu", "cuda:2", "mps", "cuda:0"]
    figure = _draw("job_gantt", Plots(jobs=[replace(_job(T0, T0), device=name) for name in names]))
    assert [f"{name}: completed  1" for name in ("cpu", "cuda:0", "cuda:2", "cuda:10", "mps")] == [
        label.get_text() for label in figure.axes[0].get_yticklabels()
    ]


def test_many_devices_make_the_figure_higher() -> None:
    """Their names do not overlap."""
    figure = _draw("job_gantt", Plots(jobs=[replace(_job(T0, T0), device=f"cuda:{i}") for i in range(40)]))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(boxes))


def test_job_gantt_says_that_it_leaves_jobs_out() -> None:
    """In its title and in its description."""
    jobs = [_job(T0 + timedelta(seconds=i), T0 + timedelta(seconds=i + 1)) for i in range(2001)]
    axes = Plots(jobs=jobs).job_gantt()
    title = "2,000 jobs ran, and none failed, the newest 2000 of 2001"
    assert (title, True) == (axes.get_title(loc="left"), title in str(axes.get_label()))


@pytest.mark.parametrize("name", ["error_timeline", "queue_depth", "job_gantt"])
def test_a_single_moment_has_a_short_axis(name: str) -> None:
    """Not one of years, on which no time could be read."""
    at = JobError(at=T0, error_type=JobErrorType.UNKNOWN_ERROR, message="m")
    axes = _draw(name, Plots([at], (), [replace(_job(T0, T0), created_at=T0)])).axes[0]
    left, right = num2date(axes.get_xlim())
    assert (timedelta(seconds=10), T0) == (right - left, left + (right - left) / 2)


def test_ticks_of_seconds_include_the_minute() -> None:
    """ "45" alone is no time."""
    figure = _draw("error_timeline", Plots([JobError(at=T0, error_type=JobErrorType.UNKNOWN_ERROR, message="m")]))
    figure.draw_without_rendering()
    assert {"11:59:55", "12:00", "12:00:05"} == {label.get_text() for label in figure.axes[0].get_xticklabels()}


@pytest.mark.parametrize(("name", "status"), [("cancellation_latency", None), ("durations", "completed")])
def test_a_single_mark_is_not_hidden_by_its_median(name: str, status: str | None) -> None:
    """The mark itself is visible."""
    figure = _draw(name, Plots((), _cancellations()[:1], [_job(T0, T0 + timedelta(seconds=9))]))
    colors = [style.LIGHT[status or "in_progress"]]
    pixels = _pixels(figure)
    assert [] == [color for color in colors if int(np.sum(pixels == _number(color))) < 30]


def test_queue_depth_shows_jobs_that_only_wait() -> None:
    """They wait until now, not only at the moment of their creation."""
    jobs = [QueueItem(item_id=i, status="pending", batch_id="b", created_at=T0) for i in range(5)]
    figure = _draw("queue_depth", Plots(jobs=jobs))
    waiting = int(np.sum(_pixels(figure) == _number(style.LIGHT["pending"])))
    assert ([5.0, 5.0], True) == (list(figure.axes[0].lines[0].get_ydata()), waiting > 10_000)


def test_queue_depth_shows_running_over_waiting() -> None:
    """The line is drawn over the area, with a gap around it."""
    waiting = [QueueItem(item_id=i, status="pending", batch_id="b", created_at=T0) for i in range(5)]
    running = [replace(_job(T0, T0), status="in_progress", completed_at=None) for _ in range(2)]
    pixels = _pixels(_draw("queue_depth", Plots(jobs=waiting + running)))
    known = {word: _number(style.LIGHT[word]) for word in ("in_progress", "pending")} | {"paper": 0xFFFFFF}

    def nearest(color: int) -> str:
        return min(known, key=lambda w: sum(abs((color >> n & 255) - (known[w] >> n & 255)) for n in (0, 8, 16)))

    found = [word for word, _ in itertools.groupby(map(nearest, pixels[:, pixels.shape[1] // 2].tolist()))]
    assert ["paper", "pending", "paper", "in_progress", "paper", "pending"] == found[:6]


def test_cancellations_without_times_are_counted() -> None:
    """ "No cancellations." would be wrong."""
    lost = replace(_cancellations()[0], acknowledged_s=None, effective_s=None, stopped_s=None)
    assert "None of 2 cancellations has a time yet." == _words(
        _draw("cancellation_latency", Plots(cancellations=[lost] * 2))
    )


@pytest.mark.parametrize("name", ["job_gantt", "durations"])
def test_names_from_the_server_are_no_formulas(name: str) -> None:
    """The figure draws whatever a device or a status is called, and shows as much of it as fits."""
    job = _job(T0, T0 + timedelta(seconds=9), r"$\frac{$" + "x" * 99)
    figure = _draw(name, Plots(jobs=[replace(job, device=job.status)]))
    _pixels(figure)
    assert r"$\frac{$xxxxxxxxxxxxxxxxxxxx" + "x…" in _words(figure)


def test_a_frame_is_drawn_as_its_log_is() -> None:
    """Also one that was filtered, or read back from a file."""
    ended = [
        job for job in _jobs() if job.completed_at
    ]  # others are drawn up to now, which differs between two figures
    logs = (_errors(), _cancellations(), ended)
    of_frames = Plots(*(make(log) for make, log in zip(_FRAMES, logs, strict=True)))  # type: ignore[operator]
    for name in NAMES:
        assert np.array_equal(_pixels(_draw(name, Plots(*logs))), _pixels(_draw(name, of_frames))), name


def test_records_of_an_iterator_are_drawn_more_than_once() -> None:
    """The second figure would say that there was no job."""
    plots = Plots(jobs=iter(_jobs()))
    assert _words(_draw("durations", plots)) == _words(_draw("durations", plots))


def test_a_batch_and_a_time_leave_out_the_rest() -> None:
    """Batches by handle or id, those of a sweep together; times with or without a zone, or as how long ago."""
    jobs = [
        replace(_job(T0 + timedelta(minutes=i), T0 + timedelta(minutes=i, seconds=9)), batch_id=f"b{i % 2}")
        for i in range(10)
    ]
    plots = Plots(jobs=jobs)

    def drawn(**options: Any) -> str:
        return plots.durations(**options).get_yticklabels()[0].get_text()

    since = T0 + timedelta(minutes=6)
    batches = [SimpleNamespace(batch_id=name) for name in ("b0", "b1")]
    assert ["completed  5"] * 2 == [drawn(batch="b1"), drawn(batch=batches[1])]
    assert ["completed  10", "completed  5"] == [
        drawn(batch=SimpleNamespace(batches=some)) for some in (batches, batches[:1])
    ]
    assert ["completed  4"] * 2 == [drawn(since=since), drawn(since=since.replace(tzinfo=None))]
    assert ["completed  2", "completed  10"] == [
        drawn(since=since, batch="b1"),
        drawn(since=datetime.now(UTC) - T0 + timedelta(minutes=1)),
    ]
    for name in NAMES:
        assert _words(_draw(name, Plots(_errors(), _cancellations(), jobs), since="1min")).startswith("No ")
        assert _words(_draw(name, Plots(_errors(), _cancellations(), jobs), batch="another")).startswith("No ")
    assert ["completed  4"] * 2 == [drawn(since=since.isoformat(" ")), drawn(since=f"{since:%Y-%m-%d %H:%M}")]


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_that_was_read_from_csv_has_the_same_figure(name: str, tmp_path: Path) -> None:
    """Its times are texts, and what is missing in all rows has another type."""
    jobs = frames.jobs(job for job in _jobs() if job.is_terminal)  # otherwise the axis would end now
    whole = {"errors": frames.errors(_errors()), "cancellations": frames.cancellations(_cancellations()), "jobs": jobs}
    read = {}
    for kind, frame in whole.items():
        frames.write_csv(frame, tmp_path / kind)
        read[kind] = pd.read_csv(tmp_path / kind, dtype_backend="numpy_nullable")
    drawn = [_words(_draw(name, Plots(**some), since="2025-12-31")) for some in (whole, read)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    "since", ["noon", "", "60", "-1h", 60, 3600.0, True, float("nan"), pd.NaT, timedelta(hours=-1)]
)
def test_since_is_refused_if_it_is_no_time(since: Any) -> None:
    """Numbers too: pandas takes them as nanoseconds, and a figure would have nothing or everything."""
    with pytest.raises(InvalidRequest, match=r"since: should be a time such as .*, or how long ago, such as '15min'"):
        Plots().durations(since=since)


@pytest.mark.parametrize("batch", [5, ["b1"], SimpleNamespace(item_ids=(1,))])
def test_batch_is_refused_if_it_is_none(batch: Any) -> None:
    """A figure would have nothing, as if there had been no job."""
    with pytest.raises(InvalidRequest, match="batch: should be a Batch, a Sweep, or a batch's id, got"):
        Plots(jobs=_jobs()).durations(batch=batch)


@pytest.mark.parametrize("name", NAMES)
def test_figures_draw_on_given_axes(name: str) -> None:
    """They return them, keep the size of their figure, and take its background for the colors of text."""
    figure = Figure(figsize=(6, 2), facecolor="black")
    for ax in figure.subplots(1, 2, subplot_kw={"facecolor": "black"}):
        assert getattr(Plots(_errors(), _cancellations(), _jobs()), name)(ax=ax) is ax
        assert (style.DARK["text"], "#000000") == (ax.yaxis.label.get_color(), to_hex(ax.get_facecolor()))
    assert [6.0, 2.0] == list(figure.get_size_inches())


def test_axes_must_be_axes() -> None:
    """A figure is refused."""
    with pytest.raises(InvalidRequest, match="ax: should be matplotlib's Axes"):
        Plots().durations(ax=Figure())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0042, "4.2 ms"), (0.9996, "1 s"), (59, "59 s"), (150, "2.5 min"), (7200, "2 h"), (1e6, "278 h")],
)
def test_seconds_are_formatted_in_a_fitting_unit(value: float, said: str) -> None:
    """The one that needs few digits."""
    assert said == seconds(value)
