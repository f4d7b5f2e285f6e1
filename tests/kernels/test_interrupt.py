"""■ interrupts a cell that waits for a job at once; the job is canceled or goes on as requested."""

from __future__ import annotations

import pytest

from tests.kernels.driver import Kernel
from tests.support.wire import Wire


def _submit(kernel: Kernel, wire: Wire) -> int:
    """Have the kernel submit a long job, and return its id once it runs."""
    kernel.run(f"import invoke_widgets as iw; console = iw.connect({wire.server.url!r})")
    kernel.run("long = {'nodes': {'s': {'type': 'probe_sleep', 'seconds': 100, 'steps': 1000}}, 'edges': []}")
    item_id = int(kernel.run("[job] = console.submit(long); print(job.item_id)"))
    wire.wait_for(item_id, "in_progress")
    return item_id


@pytest.mark.parametrize(
    ("source", "error", "status"),
    [
        ("job.wait()", "KeyboardInterrupt", "in_progress"),
        ("job.wait(on_interrupt='detach')", "KeyboardInterrupt", "in_progress"),
        ("job.wait(on_interrupt='cancel')", "KeyboardInterrupt", "canceled"),
        ("job.result()", "KeyboardInterrupt", "in_progress"),
        ("list(job.iter_events())", "KeyboardInterrupt", "in_progress"),
        ("list(iw.as_completed([job]))", "KeyboardInterrupt", "in_progress"),
        ("list(console.watch(job))", "KeyboardInterrupt", "in_progress"),
        ("iw.run(job.wait_async())", "KeyboardInterrupt", "in_progress"),
        ("iw.run(job.wait_async(on_interrupt='cancel'))", "KeyboardInterrupt", "canceled"),
        ("await job", "CancelledError", "in_progress"),
        ("await job.wait_async(on_interrupt='detach')", "CancelledError", "in_progress"),
        ("await job.wait_async(on_interrupt='cancel')", "CancelledError", "canceled"),
        ("[event async for event in job.aiter_events()]", "CancelledError", "in_progress"),
        ("[one async for one in iw.as_completed([job])]", "CancelledError", "in_progress"),
        ("[notice async for notice in console.watch(job)]", "CancelledError", "in_progress"),
        # ipykernel would only ask the loop, which these stop, to cancel the cell.
        ("await job.wait_async(0, 'detach'); job.wait()", "KeyboardInterrupt", "in_progress"),
        ("await job.wait_async(0, 'detach'); job.wait(on_interrupt='cancel')", "KeyboardInterrupt", "canceled"),
        ("await job.wait_async(0, 'detach'); list(job.iter_events())", "KeyboardInterrupt", "in_progress"),
        ("await job.wait_async(0, 'detach'); list(iw.as_completed([job]))", "KeyboardInterrupt", "in_progress"),
        ("await job.wait_async(0, 'detach'); list(console.watch(job))", "KeyboardInterrupt", "in_progress"),
        ("await job.wait_async(0, 'detach'); iw.run(job.wait_async())", "KeyboardInterrupt", "in_progress"),
    ],
)
def test_waiting_cell_is_interrupted(kernel: Kernel, wire: Wire, source: str, error: str, status: str) -> None:
    """Each form of waiting ends with an error, and the job is canceled or goes on as `on_interrupt` says."""
    item_id = _submit(kernel, wire)
    cell = kernel.send(f"print('begun')\n{source}")
    kernel.wait_printed(cell, "begun")
    kernel.listen(0.5)
    at = kernel.interrupt()
    kernel.wait(cell)
    print(f"\n{source}: {cell.error} {(cell.ended_at or 0) - at:.3f} s after the interrupt")
    seen = wire.wait_for(item_id, status)["status"]
    kernel.run("console.close()")
    assert (error, status) == (cell.error, seen)


@pytest.mark.parametrize("ipykernel_path", ["installed"], indirect=True)
@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("job.wait(on_interrupt='cancel')", "KeyboardInterrupt"),
        ("await job.wait_async(on_interrupt='cancel')", "CancelledError"),
        ("await job.wait_async(0, 'detach'); job.wait(on_interrupt='cancel')", "KeyboardInterrupt"),
    ],
)
def test_waiting_cell_is_interrupted_with_the_installed_kernel(
    kernel: Kernel, wire: Wire, source: str, error: str
) -> None:
    """The same with the installed ipykernel, whatever its version."""
    test_waiting_cell_is_interrupted(kernel, wire, source, error, "canceled")


def test_console_works_after_an_interrupt(kernel: Kernel, wire: Wire) -> None:
    """The job whose wait was interrupted can be canceled."""
    item_id = _submit(kernel, wire)
    cell = kernel.send("print('begun'); job.wait()")
    kernel.wait_printed(cell, "begun")
    kernel.interrupt()
    kernel.wait(cell)
    outcome = kernel.run(f"print(console.cancel({item_id}).outcome, end='')")
    kernel.run("console.close()")
    assert "canceled" == outcome


def test_demo_server_survives_an_interrupt(kernel: Kernel) -> None:
    """An interrupt goes to the kernel's whole process group, and the demo server is not in it."""
    kernel.run("import time; import invoke_widgets as iw; console = iw.demo()")
    cell = kernel.send("print('begun'); time.sleep(60)")
    kernel.wait_printed(cell, "begun")
    kernel.interrupt()
    kernel.wait(cell)
    kernel.run("time.sleep(0.5)")
    seen = kernel.run("print(console.demo.is_running, console.pause().is_started, end='')")
    kernel.run("console.close()")
    assert "True False" == seen
