"""What a kernel sends so that a saved notebook shows the last state of a view."""

from __future__ import annotations

import pytest

from tests.kernels.driver import Kernel, Shown
from tests.support.wire import Wire

_CELLS = {"idle": "", "sync": "import time; time.sleep(4)", "await": "import asyncio; await asyncio.sleep(4)"}


def saved(kernel: Kernel) -> list[Shown]:
    """The static outputs, in order."""
    return [shown for shown in kernel.shown if shown.display_id is not None]


@pytest.mark.parametrize("cell", _CELLS)
def test_static_output_follows_the_queue(kernel: Kernel, wire: Wire, cell: str) -> None:
    """The static output is replaced when the queue changes, whether or not a cell is running."""
    kernel.run(f"import invoke_widgets as iw; console = iw.connect({wire.server.url!r})")
    kernel.shown.clear()
    kernel.run("display(console)")
    live, static = kernel.shown[:2]
    assert "application/vnd.jupyter.widget-view+json" in live.data
    assert (False, False) == (static.is_update, "Completed</td>" in static.data["text/html"])
    running = kernel.send(_CELLS[cell])
    wire.enqueue()
    kernel.until(lambda: "Completed</td>" in saved(kernel)[-1].data["text/html"], "the last state")
    last = saved(kernel)[-1]
    kernel.wait(running)
    kernel.run("console.close()")
    assert (True, static.display_id) == (last.is_update, last.display_id)
    assert cell == "idle" or (running.number is not None and last.number < running.number)


def test_static_output_is_current_when_the_cell_ends(kernel: Kernel, wire: Wire) -> None:
    """The result a cell waits for is in the static output before the cell ends, as later updates may be lost."""
    kernel.run(f"import invoke_widgets as iw; console = iw.connect({wire.server.url!r})")
    kernel.run("display(console)")
    graph = '{"nodes": {"sum": {"type": "add", "a": 1, "b": 2}}, "edges": []}'
    cell = kernel.wait(kernel.send(f"_ = console.submit({graph}).wait()"))
    last = saved(kernel)[-1]
    assert cell.number is not None
    assert (True, True) == ("Completed</td>" in last.data["text/html"], last.number < cell.number)
    kernel.run("console.close()")


def test_static_output_is_not_sent_again_without_a_change(kernel: Kernel, wire: Wire) -> None:
    """A cell that does not change the queue sends no static output, nor does a closed console."""
    wire.run()
    kernel.run(f"import invoke_widgets as iw; console = iw.connect({wire.server.url!r})")
    kernel.run("display(console)")
    kernel.run("_ = console.cancellations")
    before = len(saved(kernel))
    kernel.run("1 + 1")
    kernel.run("console.close()")
    kernel.run("1 + 1")
    assert before == len(saved(kernel))
