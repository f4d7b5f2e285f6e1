"""Whether a click reaches Python while a cell runs: `widgets.kernel` checked against real kernels.

Only the order of messages is compared: a click got through if its effect came before the end of the cell.
"""

from __future__ import annotations

import pytest

from invoke_widgets.widgets.kernel import FrontEnd, liveness
from tests.kernels.driver import Kernel

_WIDGETS = """
import asyncio, threading, time
import ipywidgets as widgets
button, label = widgets.Button(), widgets.Label()
def clicked(_):
    label.value = threading.current_thread().name
button.on_click(clicked)
"""
# Each ends soon after a click got through, or after 2 s.
_CELLS = {
    "idle": "print('begun')",
    "sync": "print('begun')\nfor _ in range(20):\n    if not label.value: time.sleep(0.1)",
    "await": "print('begun')\nfor _ in range(20):\n    if not label.value: await asyncio.sleep(0.1)",
}


@pytest.mark.parametrize("front_end", ["lab", "other"])
@pytest.mark.parametrize("cell", _CELLS)
def test_click_arrives_exactly_when_liveness_says_so(kernel: Kernel, cell: str, front_end: FrontEnd) -> None:
    """Clicks while idle, in a blocking and in an awaiting cell, from JupyterLab (in a subshell) and others."""
    kernel.run(_WIDGETS)
    version = kernel.run("import ipykernel; print(ipykernel.__version__, end='')")
    button, label = kernel.comm_of("button"), kernel.comm_of("label")
    subshell = kernel.create_subshell() if front_end == "lab" else None
    running = kernel.send(_CELLS[cell])
    kernel.wait_printed(running, "begun")
    if cell == "idle":
        kernel.wait(running)
    kernel.click(button, subshell)
    kernel.until_clicked(label, "value")
    kernel.wait(running)
    thread, arrived = kernel.updates_of(label, "value")[0]
    assert running.number is not None
    got_through = cell == "idle" or arrived < running.number
    print(f"\nipykernel {version}, {front_end}, {cell}: {'yes' if got_through else 'no'}, on {thread.split('-')[0]}")
    if subshell is not None:
        kernel.delete_subshell(subshell)
    assert liveness(version, front_end, cell).works == got_through  # type: ignore[arg-type]


def test_click_into_a_blocking_cell_is_not_lost(kernel: Kernel) -> None:
    """Clicks into a cell that blocks the kernel all arrive, at the latest after it."""
    kernel.run(_WIDGETS.replace("label.value =", "label.value = label.value + ',' +"))
    button, label = kernel.comm_of("button"), kernel.comm_of("label")
    running = kernel.send("print('begun'); time.sleep(0.5)")
    kernel.wait_printed(running, "begun")
    for _ in range(5):
        kernel.click(button)
    kernel.until(lambda: 5 == len(kernel.updates_of(label, "value")), "five clicks")
    kernel.wait(running)
    assert "5" == kernel.run("print(label.value.count(','), end='')")
