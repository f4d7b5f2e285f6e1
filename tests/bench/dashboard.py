"""What a change of the queue costs with the whole dashboard open, by the queue's length:
`python -m tests.bench.dashboard [items ...]`.

A console without a server holds that many completed items; then 50 status changes a second arrive as events do: a new
item is enqueued, starts and completes. Each is measured with no view, with the queue table, and with the dashboard:

- `I/O µs`: CPU time per change on the console's I/O thread, during which requests and events wait.
- `all µs`: CPU time per change in the whole process, drawing included, on whichever thread that happens.
- `of views`: the I/O time per change, as a multiple of the time with no view.
- `of length`: the I/O time per change, as a multiple of the time with the fewest items.

CPU time, not elapsed time; a busy machine still inflates it by some 20 %. Widgets have no kernel to send to here, so
what a front end costs is not included: see `tests.bench.queue_table` for that.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

from invoke_widgets.alerts import Toasts
from invoke_widgets.console import ConsoleStatus
from invoke_widgets.records import COMPLETED, IN_PROGRESS, PENDING
from invoke_widgets.widgets.dashboard import Dashboard
from invoke_widgets.widgets.queue_table import QueueTable
from tests.support.table_console import FedConsole, item

_A_SECOND = 50

_VIEWS: dict[str, Callable[[Any], Any]] = {
    "no view": lambda console: None,
    "queue table": QueueTable,
    "dashboard": Dashboard,
}


class Costs(NamedTuple):
    """CPU time per change, in microseconds."""

    io_us: float
    all_us: float


class Console(FedConsole):
    """A live console with everything a dashboard reads."""

    def __init__(self, count: int) -> None:
        super().__init__(item(i, COMPLETED) for i in range(1, count + 1))
        self.alerts, self.history = SimpleNamespace(toasts=Toasts()), None
        self.store.set_connection(mode="live")

    @property
    def status(self) -> ConsoleStatus:
        """Only what a page without a kernel says."""
        return ConsoleStatus(processor=None, connection=self.store.state.connection)

    def io_thread_s(self) -> float:
        """CPU time of the I/O thread so far, in seconds."""
        result: concurrent.futures.Future[float] = concurrent.futures.Future()

        async def read() -> float:
            return time.thread_time()

        self.start(read(), result.set_result)
        return result.result(60)


def measure(view: Callable[[Any], Any], count: int, seconds: float) -> Costs:
    """Open a view of `count` items and change the queue for some seconds."""
    with Console(count) as console:
        shown = view(console)
        changes = (
            item(item_id, status)
            for item_id in itertools.count(count + 1)
            for status in (PENDING, IN_PROGRESS, COMPLETED)
        )

        def churn(for_s: float) -> int:
            start = time.monotonic()
            number = round(for_s * _A_SECOND)
            for k in range(number):
                time.sleep(max(0.0, start + k / _A_SECOND - time.monotonic()))
                console.receive(next(changes))
            console.settle()
            return number

        churn(1.5 + count / 20_000)  # a table sends all its rows after a second
        io_before, all_before = console.io_thread_s(), time.process_time()
        number = churn(seconds)
        io_s, all_s = console.io_thread_s() - io_before, time.process_time() - all_before
        if shown is not None:
            shown.close()
        return Costs(1e6 * io_s / number, 1e6 * all_s / number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    print(f"{'items':>8} {'':11} {'I/O µs':>9} {'all µs':>9} {'of views':>9} {'of length':>10}")
    shortest: dict[str, Costs] = {}
    for count in sorted(options.items):
        alone: Costs | None = None
        for name, view in _VIEWS.items():
            costs = measure(view, count, options.seconds)
            alone = alone or costs
            first = shortest.setdefault(name, costs)
            print(
                f"{count:>8,} {name:11} {costs.io_us:>9,.0f} {costs.all_us:>9,.0f}"
                f" {costs.io_us / alone.io_us:>8.1f}x {costs.io_us / first.io_us:>9.1f}x",
                flush=True,
            )


if __name__ == "__main__":
    main()
