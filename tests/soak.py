"""A long run of everything at once, to see what grows: `python -m tests.soak --minutes 30`.

Three consoles in one process: two with a dashboard, the third with a history file; two behind a proxy that breaks
requests and sockets at random. Six threads submit, wait, cancel, retry, pause, clear and prune on an embedded server,
which is killed and restarted again and again. The logs are kept short, so that they are full before the half.

It prints memory, descriptors, threads, models and the lengths of the logs over time, and at the end whether they were
level while the logs were full, whether each snapshot equals the queue, and what is left after the consoles are closed.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets

import invoke_widgets as iw
from invoke_widgets.errors import JobException
from invoke_widgets.history import CancellationLog, ErrorLog, EventLog, HistoryFile, JobLog
from invoke_widgets.jobs import reruns
from tests.faults import difference
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, blank_image, divide, sleep
from tests.support.servers import EmbeddedServer
from tests.support.wire import Wire

_WORKERS = 6
_CALM_S = 20.0
_GROWTH = 0.04
"""The share by which memory may differ between the last two quarters: allocators are not exact."""
_SPARE = 6
"""Descriptors that may be in use beyond those at the beginning: requests and sockets under way."""


class Sample(NamedTuple):
    """What is in use at one moment."""

    seconds: float
    jobs: int
    rss_mb: float
    descriptors: int
    threads: int
    models: int
    errors: int
    cancellations: int
    kept_jobs: int
    events: int


def _sample(begin: float, consoles: list[iw.Console], jobs: int) -> Sample:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    logs = [min(len(getattr(c, name)) for c in consoles) for name in ("errors", "cancellations", "jobs", "events")]
    return Sample(
        time.monotonic() - begin,
        jobs,
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(list(Path("/proc/self/fd").iterdir())),
        threading.active_count(),
        _models(),
        *logs,
    )


def _models() -> int:
    return len(ipywidgets.widgets.widget._instances)  # noqa: SLF001 - ipywidgets counts them nowhere else


# -- in a process of its own -------------------------------------------------------------------------------------------


def _proxy(target: str, seed: int, pipe: Connection) -> None:
    """Run a proxy that breaks something every few seconds, from a word of `pipe` to the next one."""
    numbers = random.Random(seed)
    with ChaosProxy(target) as proxy:
        pipe.send(proxy.url)
        with contextlib.suppress(EOFError):
            pipe.recv()
            while not pipe.poll(numbers.uniform(0.5, 4.0)):
                _break_something(proxy, numbers)
            pipe.recv()
            proxy.calm()
            pipe.recv()


def _break_something(proxy: ChaosProxy, numbers: random.Random) -> None:
    proxy.seen.clear()
    proxy.calm()
    options: dict[str, Any] = {"fraction": 0.3, "seed": numbers.randrange(1000), "times": numbers.randint(1, 10)}
    late, size = numbers.uniform(0.05, 1.0), numbers.randrange(1, 2000)
    numbers.choice(
        (
            proxy.drop_sockets,
            lambda: proxy.lose_reply(**options),
            lambda: proxy.lose_request(**options),
            lambda: proxy.late_request(late, **options),
            lambda: proxy.bad_gateway(**options),
            lambda: proxy.half_json(**options),
            lambda: proxy.latency(late, **options),
            lambda: proxy.bandwidth(5000, **options),
            lambda: proxy.slices(50, 0.001, **options),
            lambda: proxy.limit(size, **options),
            lambda: proxy.reset(size, **options),
            lambda: proxy.offline_for(late),
        )
    )()


@contextlib.contextmanager
def _proxied(target: str, seed: int) -> Iterator[tuple[str, Connection]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_proxy, args=(target, seed, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv(), ours
    finally:
        ours.close()
        process.join(20)


# -- the load ----------------------------------------------------------------------------------------------------------


class Load:
    """What the threads do, until it is stopped.

    Attributes:
        done: the number of calls of each kind.
        foreign: exceptions that are not ours.
        jobs: the number of jobs submitted.
    """

    def __init__(self, consoles: list[iw.Console]) -> None:
        self._consoles = consoles
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, args=(n,), name=f"load-{n}") for n in range(_WORKERS)]
        self.done: Counter[str] = Counter()
        self.foreign: list[str] = []
        self.jobs = 0

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(120)

    @property
    def is_hung(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _work(self, number: int) -> None:
        numbers = random.Random(number)
        while not self._stopping.is_set():
            console = numbers.choice(self._consoles)
            name = numbers.choices(list(_CALLS), [weight for weight, _ in _CALLS.values()])[0]
            try:
                made = _CALLS[name][1](console, numbers) or 0
                with self._lock:
                    self.jobs += made
                    self.done[name] += 1
            except JobException:
                self.done[f"{name}, failed"] += 1
            except Exception as error:  # noqa: BLE001 - whatever comes is counted
                self.foreign.append(f"{name}: {error!r}")


def _submit(console: iw.Console, numbers: random.Random) -> int:
    graphs = (add_and_multiply(), divide(1, 0), divide(1, 0), blank_image(), sleep(0.2, steps=4))
    policy = iw.RetryPolicy(on=Exception, attempts=2, backoff_s=0.2) if numbers.random() < 0.2 else None
    patience = numbers.choice((0.0, 10.0))
    batch = console.submit(numbers.choice(graphs), runs=numbers.choice((1, 2, 5)), retry=policy, patience=patience)
    if numbers.random() < 0.3:
        with contextlib.suppress(iw.JobTimeout):
            batch.wait(timeout=1.0)
    return len(batch)


def _some(console: iw.Console, numbers: random.Random) -> int:
    items = console.queue
    return numbers.choice(items[:50]).item_id if items else 999_999_999


def _pause(console: iw.Console, numbers: random.Random) -> None:
    console.pause()
    time.sleep(numbers.uniform(0.0, 0.3))
    console.resume()


_CALLS: dict[str, tuple[int, Callable[[iw.Console, random.Random], Any]]] = {
    "submit": (40, _submit),
    "cancel": (25, lambda c, n: c.cancel(_some(c, n)) and 0),
    "retry": (5, lambda c, n: c.retry(_some(c, n)) and 0),
    "cancel pending": (2, lambda c, n: c.cancel_pending() and 0),
    "pause": (2, _pause),
    "prune": (4, lambda c, n: c.prune() and 0),
    "clear": (1, lambda c, n: c.clear() and 0),
    "refresh": (1, lambda c, n: c.refresh(timeout=10)),
}


def _kill_now_and_then(server: EmbeddedServer, stopping: threading.Event, kills: list[float]) -> None:
    numbers = random.Random(0)
    while not stopping.wait(numbers.uniform(40.0, 90.0)):
        server.restart(crash=True)
        kills.append(time.monotonic())


# -- the run -----------------------------------------------------------------------------------------------------------


def _shorten_logs(limit: int) -> None:
    for log in (ErrorLog, CancellationLog, JobLog, EventLog):
        log.__init__.__defaults__ = (limit,)
    # By default reached after 20,000 attempts.
    reruns._ATTEMPTS_KEPT = reruns._RETRIED_KEPT = limit  # noqa: SLF001


def run(minutes: float, limit: int) -> int:
    """Run for so long, print what is in use, and return the number of things that are not as they should be."""
    _shorten_logs(limit)
    with contextlib.ExitStack() as stack:
        server = EmbeddedServer(max_queue_size=2_000)
        server.start()
        stack.callback(server.stop)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        (one, pipe), (other, other_pipe) = (stack.enter_context(_proxied(server.url, seed)) for seed in (1, 2))
        threads, models = threading.active_count(), _models()
        file = HistoryFile(Path(folder) / "history.sqlite", max_records=limit)
        consoles = [iw.connect(one, timeout=5.0), iw.connect(other, timeout=5.0), iw.connect(server.url, history=file)]
        dashboards = [console.dashboard() for console in consoles[:2]]
        for each in (pipe, other_pipe):
            each.send("break")
        wrong = _loaded(minutes, limit, server, consoles, [pipe, other_pipe])
        wrong += _compare(server, consoles)
        for dashboard in dashboards:
            dashboard.close()
        for console in consoles:
            console.close()
        file.close()
        del dashboards, console, consoles
        gc.collect()
        left = f"after closing: {threading.active_count()} threads (before: {threads}), {_models()} models ({models})"
        print(left)
        if threading.active_count() > threads or _models() > models:
            wrong.append(left)
    for text in wrong:
        print(f"WRONG: {text}")
    return len(wrong)


def _loaded(
    minutes: float, limit: int, server: EmbeddedServer, consoles: list[iw.Console], pipes: list[Connection]
) -> list[str]:
    """Put the consoles under load, and return what was not level."""
    load, stopping, kills = Load(consoles), threading.Event(), list[float]()
    killer = threading.Thread(target=_kill_now_and_then, args=(server, stopping, kills), name="killer")
    begin = time.monotonic()
    first = _sample(begin, consoles, 0)
    samples: list[Sample] = []
    print(" ".join(name.rjust(13) for name in Sample._fields), flush=True)
    load.start()
    killer.start()
    step = max(min(30.0, minutes * 60 / 40), 2.0)
    for number in itertools.count(1):
        time.sleep(max(begin + number * step - time.monotonic(), 0.0))
        samples.append(_sample(begin, consoles, load.jobs))
        print(" ".join(f"{value:13.0f}" for value in samples[-1]), flush=True)
        if samples[-1].seconds >= minutes * 60:
            break
    stopping.set()
    killer.join(60)
    for pipe in pipes:
        pipe.send("calm")
    load.stop()
    time.sleep(_CALM_S)
    last = _sample(begin, consoles, load.jobs)
    print(" ".join(f"{value:13.0f}" for value in last))
    print(f"{load.jobs} jobs, {len(kills)} kills; calls: {dict(sorted(load.done.items()))}")
    wrong = [f"foreign exception: {text}" for text in load.foreign[:5]]
    if load.is_hung:
        wrong.append("a call hangs")
    for name in ("errors", "cancellations", "kept_jobs", "events"):
        if getattr(last, name) < limit:
            wrong.append(f"{name}: {getattr(last, name)} of {limit} records, so that level says nothing: run it longer")
    quarter = max(len(samples) // 4, 1)
    third, fourth = (
        statistics.median(s.rss_mb for s in part) for part in (samples[-2 * quarter : -quarter], samples[-quarter:])
    )
    per_1000 = 1000 * (fourth - third) / max(samples[-1].jobs - samples[-1 - quarter].jobs, 1)
    print(f"memory in the last quarters: {third:.1f} and {fourth:.1f} MB, {per_1000:.2f} MB per 1,000 jobs")
    if fourth > third * (1 + _GROWTH):
        wrong.append(f"memory grows: {third:.1f} to {fourth:.1f} MB")
    if last.descriptors > first.descriptors + _SPARE:
        wrong.append(f"descriptors: {first.descriptors} at first, {last.descriptors} at last")
    if last.threads > first.threads + 1:  # the dashboards' drawing thread may start later
        wrong.append(f"threads: {first.threads} at first, {last.threads} at last")
    if last.models > first.models * (1 + _GROWTH):
        wrong.append(f"models: {first.models} at first, {last.models} at last")
    return wrong


def _compare(server: EmbeddedServer, consoles: list[iw.Console]) -> list[str]:
    wrong = []
    with Wire(server) as wire:
        wire.put("processor/resume")
        wire.wait_until_idle()
        for number, console in enumerate(consoles):
            with contextlib.suppress(JobException):
                console.reconnect()
            console.refresh(timeout=60)
            different = difference(wire, console)
            print(f"console {number}: {len(console.queue)} items, {different or 'equal'}")
            if different:
                wrong.append(f"console {number} shows another list: {different}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--limit", type=int, default=1_000, help="how many records each log keeps")
    options = parser.parse_args()
    return int(run(options.minutes, options.limit) > 0)


if __name__ == "__main__":
    sys.exit(main())
