"""How soon an interrupt ends a waiting cell: `python -m tests.bench.interrupt [VERSION ...] [--count 10]`.

For each kernel, from the interrupt to the cell's end as a front end sees it, for each form of waiting of this package
and, beside it, for Python's own: what those take is the kernel's.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from pathlib import Path

from tests.kernels.driver import Kernel, KernelStuckError, running
from tests.kernels.install import VERSIONS, kernel_folder
from tests.support.servers import EmbeddedServer

# The job that is waited for outlasts all of it.
_SETUP = """
import asyncio, queue, threading, time
import invoke_widgets as iw
console = iw.connect({url!r})
batch = console.submit({{'nodes': {{'s': {{'type': 'probe_sleep', 'seconds': 3000, 'steps': 1000}}}}, 'edges': []}})
[job] = batch
client = iw.InvokeClient({url!r})
async def poll():
    while (await client.get_queue_item(job.item_id)).status != "completed":
        await asyncio.sleep(1)
"""

_AWAITED = "await asyncio.sleep(0)\n"
_BARE = (
    "time.sleep(60)",
    "queue.Queue().get()",
    "threading.Event().wait(60)",
    f"{_AWAITED}time.sleep(3)",
    "await asyncio.sleep(3)",
)
_OURS = (
    "job.wait()",
    "job.result()",
    "batch.wait()",
    "for event in job.iter_events(): pass",
    "for event in batch.iter_events(): pass",
    "for one in iw.as_completed([job]): pass",
    "await job",
    "await batch",
    "async for event in job.aiter_events(): pass",
    "async for one in iw.as_completed([job]): pass",
    "iw.run(asyncio.sleep(60))",
    "iw.run(job.wait_async())",
    "iw.run(poll())",
    "await poll()",
    # In a cell that awaits, ipykernel handles interrupts in another way.
    f"{_AWAITED}job.wait()",
    f"{_AWAITED}for event in job.iter_events(): pass",
    f"{_AWAITED}for one in iw.as_completed([job]): pass",
    f"{_AWAITED}iw.run(job.wait_async())",
)


def interrupted(kernel: Kernel, source: str) -> tuple[float, str]:
    """Seconds from the interrupt to the cell's end, and its error."""
    cell = kernel.send(f"print('begun')\n{source}")
    kernel.wait_printed(cell, "begun")
    # At a random point of a period, since a cell that polls may be about to look.
    kernel.pause(0.5 + random.random() * 0.3)
    at = kernel.interrupt()
    kernel.wait(cell)
    return (cell.ended_at or 0) - at, cell.error or "no error"


def measure(version: str, url: str, count: int) -> None:
    print(f"\nipykernel {version}: seconds from the interrupt to the cell's end, N={count}", flush=True)
    path = None if version == "installed" else kernel_folder(version)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), path) as kernel:
        kernel.run(_SETUP.format(url=url))
        interrupted(kernel, "time.sleep(60)")  # the first traceback imports what it is made with
        for source in (*_BARE, *_OURS):
            times, errors = [], set()
            stuck = 0
            while len(times) < count:
                try:
                    took, error = interrupted(kernel, source)
                except KernelStuckError:
                    stuck += 1
                    kernel.restart()
                    kernel.run(_SETUP.format(url=url))
                    continue
                times.append(took)
                errors.add(error)
            note = f"   {stuck} times stuck" if stuck else ""
            print(f"  {source.replace(chr(10), '; '):62} p50 {statistics.median(times):6.3f}   max {max(times):6.3f}   "
                  f"{', '.join(sorted(errors))}{note}", flush=True)  # fmt: skip
        kernel.run("batch.cancel(); console.close()")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="*", default=list(VERSIONS), help="of ipykernel, or 'installed'")
    parser.add_argument("--count", type=int, default=10)
    chosen = parser.parse_args()
    server = EmbeddedServer()
    server.start()
    try:
        for version in chosen.versions:
            measure(version, server.url, chosen.count)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
