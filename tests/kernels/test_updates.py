"""Changes made by a background thread reach the page while a cell runs."""

from __future__ import annotations

import pytest

from tests.kernels.driver import Kernel
from tests.support.wire import Wire

_CELLS = {
    "sync": "print('begun'); time.sleep(1.5)",
    "busy": "print('begun'); end = time.monotonic() + 1.5\nwhile time.monotonic() < end: sum(range(1000))",
    "await": "print('begun'); await asyncio.sleep(1.5)",
}


@pytest.mark.parametrize("cell", _CELLS)
def test_widgets_follow_the_queue_while_a_cell_runs(kernel: Kernel, wire: Wire, cell: str) -> None:
    """A label set by a console's listener shows changes on the server before the cell ends."""
    kernel.run(
        "import asyncio, time; import ipywidgets as widgets; import invoke_widgets as iw\n"
        f"console = iw.connect({wire.server.url!r}); label = widgets.Label()\n"
        "console.on_change(lambda change: setattr(label, 'value', str(sorted(change.state.items))), interval=0.01)"
    )
    label = kernel.comm_of("label")
    running = kernel.send(_CELLS[cell])
    kernel.wait_printed(running, "begun")
    item_id = wire.enqueue()["item_ids"][0]
    kernel.wait(running)
    assert running.number is not None
    meanwhile = [value for value, number in kernel.updates_of(label, "value") if number < running.number]
    kernel.run("console.close()")
    assert f"[{item_id}]" in meanwhile


def test_dashboard_follows_the_queue_while_a_cell_runs(kernel: Kernel, wire: Wire) -> None:
    """The dashboard's widgets are updated before the cell ends."""
    kernel.run(f"import time; import invoke_widgets as iw; console = iw.connect({wire.server.url!r})")
    kernel.run("view = console.dashboard(); display(view)")
    before = len(kernel.updates)
    running = kernel.send("print('begun'); time.sleep(1.5)")
    kernel.wait_printed(running, "begun")
    wire.enqueue()
    kernel.wait(running)
    assert running.number is not None
    meanwhile = [update for update in kernel.updates[before:] if update.number < running.number]
    kernel.run("console.close()")
    assert any(update.state.get("counts", {}).get("completed") == 1 for update in meanwhile)
