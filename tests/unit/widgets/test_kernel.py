"""What the footer says about clicks, as a table of what was measured."""

from __future__ import annotations

import pytest

from invoke_widgets.widgets.kernel import Cell, CellWatch, FrontEnd, liveness

Y, N = True, False


@pytest.mark.parametrize("version", ["6.29.5", "6.31.0", "7.1.0", "7.3.0", "7.4.0", "8.0.0a1"])
@pytest.mark.parametrize("front_end", ["lab", "other", "unknown"])
def test_clicks_arrive_while_no_cell_runs(version: str, front_end: FrontEnd) -> None:
    """With no cell running, clicks arrive everywhere."""
    assert (True, "Buttons work now") == (
        liveness(version, front_end, "idle").works,
        liveness(version, front_end, "idle").sentence,
    )


@pytest.mark.parametrize(
    ("version", "front_end", "sync", "awaits"),
    [
        ("6.31.0", "lab", N, N),
        ("6.31.0", "other", N, N),
        ("6.31.0", "unknown", N, N),
        ("7.1.0", "lab", Y, Y),
        ("7.3.0", "lab", Y, Y),
        ("7.3.0", "other", N, N),
        ("7.3.0", "unknown", None, None),
        ("7.4.0", "lab", N, Y),
        ("7.4.0", "other", N, Y),
        ("7.4.0", "unknown", N, Y),
        ("7.10.1", "lab", N, Y),
        ("8.0.0", "other", N, Y),
    ],
)
def test_clicks_while_a_cell_runs_by_ipykernel_version(
    version: str, front_end: FrontEnd, sync: bool | None, awaits: bool | None
) -> None:
    """Whether clicks arrive while a cell waits, and while one awaits."""
    assert (sync, awaits) == (
        liveness(version, front_end, "sync").works,
        liveness(version, front_end, "await").works,
    )


@pytest.mark.parametrize(
    ("version", "cell", "remedy"),
    [
        ("6.31.0", "sync", "interrupt it"),
        ("6.31.0", "await", "ipykernel 7.4"),
        ("7.3.0", "sync", "interrupt it"),
        ("7.4.0", "sync", "`await job`"),
    ],
)
def test_waiting_clicks_come_with_a_remedy(version: str, cell: Cell, remedy: str) -> None:
    """The sentence says what helps with this version of ipykernel."""
    assert remedy in liveness(version, "other", cell).sentence


def test_await_is_not_advised_where_it_does_not_help() -> None:
    """Before 7.4, awaiting helps no more than waiting does."""
    assert [] == [v for v in ("6.31.0", "7.3.0") if "`await job`" in liveness(v, "other", "sync").sentence]


def test_without_a_kernel_the_methods_are_named() -> None:
    """Outside a kernel there are no clicks."""
    assert "cancel(item_id)" in liveness(None, "unknown", "idle").sentence


def test_cell_watch_outside_ipython_stays_idle() -> None:
    """Without IPython no cell ever runs, and listeners can come and go."""
    watch = CellWatch()
    end = watch.listen(lambda cell: None)
    end()
    end()
    assert "idle" == watch.cell
