"""Figures draw, light and dark, full and empty, without pyplot."""

from __future__ import annotations

import html
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from matplotlib import rcParams
from matplotlib.colors import same_color, to_hex
from matplotlib.figure import Figure
from PIL import Image

from invoke_widgets import palette
from invoke_widgets.errors import InvalidRequest, JobErrorType
from invoke_widgets.plots import Plots
from invoke_widgets.records import STATUSES, Cancellation, JobError, QueueItem

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAMES = ("error_timeline", "cancellation_latency", "queue_depth", "job_gantt", "durations")


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


def _draw(name: str, plots: Plots, *, dark: bool = False) -> Figure:
    draw: Callable[..., Figure] = getattr(plots, name)
    return draw(dark=dark)


def _words(figure: Figure) -> str:
    """All text that can be read in a figure."""
    figure.draw_without_rendering()
    axes = figure.axes[0]
    labels = axes.get_yticklabels() if axes.axison else []
    legends = [text for legend in figure.legends for text in legend.get_texts()]
    return " ".join(text.get_text() for text in (*axes.texts, *labels, *legends))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_it_draws(name: str, dark: bool) -> None:
    """On the paper that was asked for, with more than that on it."""
    figure = _draw(name, Plots(_errors(), _cancellations(), _jobs()), dark=dark)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=50)
    image = Image.open(file).convert("RGB")
    colors = {to_hex([part / 255 for part in color]) for _, color in image.getcolors(1 << 20) or ()}
    paper = (palette.DARK if dark else palette.LIGHT)["background"]
    assert (True, True) == (same_color(figure.get_facecolor(), paper), len(colors) > 20)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_log_says_so(name: str) -> None:
    """Rather than showing empty axes."""
    assert _words(_draw(name, Plots())).startswith("No ")


def test_errors_are_named_and_counted() -> None:
    """Each class in words, beside its line."""
    words = _words(Plots(_errors()).error_timeline())
    assert [f"{kind}  1" for kind in JobErrorType] == [f"{kind}  1" for kind in JobErrorType if f"{kind}  1" in words]


def test_latencies_have_three_parts_and_medians() -> None:
    """Each part in words; a part that nobody knows is not drawn."""
    words = _words(Plots(cancellations=_cancellations()).cancellation_latency())
    assert (4, 3, True) == (words.count("4 ms"), words.count("2 s"), "acknowledged" in words)


def test_the_queue_is_counted_at_every_step() -> None:
    """Two jobs created together, one after the other run, then none."""
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
    waiting, running = Plots(jobs=jobs).queue_depth().axes[0].lines
    assert ([1.0, 0.0, 0.0], [1.0, 1.0, 0.0]) == (list(waiting.get_ydata()), list(running.get_ydata()))


def test_a_device_that_nobody_told_is_said_to_be_so() -> None:
    """Versions before 6.14 do not tell it."""
    assert "device not told" in _words(Plots(jobs=_jobs()).job_gantt())


def test_nothing_global_is_changed() -> None:
    """The person's own figures keep their style."""
    before = dict(rcParams)
    for name in NAMES:
        _draw(name, Plots(_errors(), _cancellations(), _jobs()), dark=True)
    assert before == dict(rcParams)


def test_pyplot_is_never_imported() -> None:
    """It keeps every figure for ever and chooses a backend."""
    code = (
        "import sys; from invoke_widgets.plots import Plots; f = Plots().durations(); f._repr_mimebundle_();"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False" == done.stdout.strip()


def test_a_notebook_shows_the_figure_itself() -> None:
    """IPython asks for this where pyplot has not told it how to draw figures."""
    bundle = Plots().durations()._repr_mimebundle_()  # type: ignore[attr-defined]
    assert b"\x89PNG" == b64decode(bundle["image/png"])[:4]
    assert bundle["image/png"] in bundle["text/html"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("error_timeline", "Errors: 8 from 2026-01-01 12:00:00 to 2026-01-01 12:07:00 UTC: submission_failed 1, "),
        ("cancellation_latency", "Cancellations: median time until each part, by scope: item (1): acknowledged 4 ms, "),
        ("queue_depth", "at most 7 jobs waited at once, and at most 3 ran."),
        ("job_gantt", " on cuda:0, device not told, from 2026-01-01 12:00:10 to "),
        ("durations", "Jobs: how long they ran: completed 1, median 3 s, half within 3 s to 3 s; "),
    ],
)
def test_a_figure_is_told_in_words(name: str, told: str) -> None:
    """Who does not see it gets what it shows as a sentence: as its label, and as the image's alternative text."""
    figure = _draw(name, Plots(_errors(), _cancellations(), _jobs()))
    bundle = figure._repr_mimebundle_()  # type: ignore[attr-defined]
    assert told in figure.get_label()
    assert (f' alt="{html.escape(str(figure.get_label()))}">', figure.get_label()) == (
        bundle["text/html"][bundle["text/html"].index(" alt=") :],
        bundle["text/plain"],
    )


def test_the_words_of_a_figure_are_escaped() -> None:
    """A device's name is the server's."""
    job = replace(_jobs()[3], device='"><script>alert(1)</script>')
    bundle = Plots(jobs=[job]).job_gantt()._repr_mimebundle_()  # type: ignore[attr-defined]
    assert "<script" not in bundle["text/html"]
    assert 1 == bundle["text/html"].count(">")


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_figure_is_told_too(name: str) -> None:
    """It has nothing to show, and says so."""
    assert ": No " in _draw(name, Plots()).get_label()


def test_dark_is_yes_or_no() -> None:
    """A theme's name is not a yes."""
    with pytest.raises(InvalidRequest, match="dark"):
        Plots().durations(dark="light")  # type: ignore[arg-type]
