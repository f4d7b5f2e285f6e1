"""Seeded histories of faults on the wire before a server, and a table of what came of them.

    python -m tests.faults                             # 20 histories on the embedded server
    python -m tests.faults --seeds 500 --server real   # on the newest InvokeAI that the tests install
    python -m tests.faults --minutes 10 --server http://127.0.0.1:9090
    python -m tests.faults --lost-replies 1000 --interrupts 10000 --server real   # instead of histories

In each history a console behind a proxy submits, cancels and retries while another client does so directly, and the
proxy breaks some of the requests and sockets in one way. The server is asked directly what really happened. It empties
that server's queue.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import invoke_widgets as iw
from invoke_widgets.errors import JobException, SubmissionFailed
from tests.support.chaos import ChaosProxy
from tests.support.graphs import Graph, add_and_multiply, divide, sleep
from tests.support.real_server.install import VERSIONS
from tests.support.servers import EmbeddedServer, GivenServer, RealServer, Server
from tests.support.snapshots import listed, shown
from tests.support.wire import Wire

_STEPS = 10
_AT_ONCE = 20
_SETTLE_S = 60.0
_LONGEST_S = 120.0
_THREADS = 8

_CHANGES = "enqueue_batch|/cancel|retry|clear"


def _rules(numbers: random.Random) -> dict[str, Callable[[ChaosProxy, dict[str, Any]], object]]:
    """Return a function that adds a rule, for each kind of fault."""
    late, size = numbers.uniform(0.05, 1.0), numbers.randrange(1, 600)
    return {
        "latency": lambda proxy, to: proxy.latency(late, **to),
        "bandwidth": lambda proxy, to: proxy.bandwidth(numbers.choice((500, 5_000)), **to),
        "slices": lambda proxy, to: proxy.slices(numbers.choice((1, 7, 50)), 0.001, **to),
        "slow close": lambda proxy, to: proxy.slow_close(late, **to),
        "limit": lambda proxy, to: proxy.limit(size, **to),
        "reset": lambda proxy, to: proxy.reset(size, **to),
        "lost reply": lambda proxy, to: proxy.lose_reply(**to),
        "lost request": lambda proxy, to: proxy.lose_request(**to),
        "late request": lambda proxy, to: proxy.late_request(late, **to),
        "half": lambda proxy, to: proxy.half_json(**to),
        "502": lambda proxy, to: proxy.bad_gateway(**to),
        "500": lambda proxy, to: proxy.server_error(**to),
    }


KINDS = tuple(_rules(random.Random()))


@dataclass
class Tally:
    """What came of the histories with one kind of fault."""

    histories: int = 0
    hits: int = 0
    submits: int = 0
    uncertain: int = 0
    doubled: int = 0
    lost: int = 0
    silent: int = 0
    cancels: int = 0
    untrue: int = 0
    divergent: int = 0
    foreign: int = 0
    hung: int = 0
    pool: int = 0
    notes: list[str] = field(default_factory=list)

    BAD = ("doubled", "lost", "silent", "untrue", "divergent", "foreign", "hung", "pool")

    @property
    def faults(self) -> int:
        """How often something was not as promised."""
        return sum(getattr(self, name) for name in self.BAD)

    def row(self) -> list[int]:
        return [getattr(self, name) for name in COLUMNS]


COLUMNS = ("histories", "hits", "submits", "uncertain", "doubled", "lost", "silent", "cancels", "untrue", "divergent",
           "foreign", "hung", "pool")  # fmt: skip


class _History:
    """One seed's history."""

    def __init__(self, seed: int, wire: Wire, proxy: ChaosProxy, tally: Tally) -> None:
        self._seed = seed
        self._numbers = random.Random(seed)
        self._wire = wire
        self._proxy = proxy
        self._tally = tally
        self._returned: dict[str, int] = {}  # how many items each batch has
        self._uncertain: dict[str, int] = {}
        self._cancels: list[tuple[int, iw.Cancellation, str]] = []

    def play(self, kind: str) -> None:
        self._wire.clean()
        with iw.connect(self._proxy.url, timeout=15.0) as console:
            add = _rules(self._numbers)[kind]
            for path in (_CHANGES, "status|ids|/i/", "socket.io"):
                if self._numbers.random() < 0.7:
                    to = {"fraction": 0.5, "seed": self._seed, "path": path, "times": self._numbers.randint(1, 6)}
                    add(self._proxy, to)
            for _ in range(_STEPS):
                self._step(console)
            self._tally.hits += sum(seen.action is not None for seen in self._proxy.seen)
            self._proxy.seen.clear()
            self._proxy.calm()
            self._compare(console)
            self._count_batches()
            self._check_cancels()
            self._check_pool(console)

    def note(self, what: str, text: str) -> None:
        setattr(self._tally, what, getattr(self._tally, what) + 1)
        self._tally.notes.append(f"seed {self._seed}: {what}: {text}")

    # -- what is done --------------------------------------------------------------------------------------------------

    def _step(self, console: iw.Console) -> None:
        numbers = self._numbers
        what = numbers.choice(("submit",) * 5 + ("cancel", "cancel", "retry", "theirs", "their cancel"))
        known = sorted(item.item_id for item in console.queue)
        item_id = numbers.choice(known) if known else 999_999_999
        if what == "submit":
            graph = numbers.choice((add_and_multiply(), add_and_multiply(), divide(1, 0), sleep(0.3, steps=3)))
            self._within(lambda: self._submit(console, graph, numbers.choice((1, 1, 3)), numbers.choice((0.0, 5.0))))
        elif what == "cancel":
            self._within(lambda: self._cancel(console, item_id))
        elif what == "retry":
            self._within(lambda: self._allowed(lambda: console.retry(item_id)))
        elif what == "theirs":
            self._wire.enqueue(add_and_multiply(), runs=numbers.choice((1, 2)))
        else:
            self._wire.send("PUT", f"i/{item_id}/cancel")

    def _submit(self, console: iw.Console, graph: Graph, runs: int, patience: float) -> None:
        self._tally.submits += 1
        try:
            self._returned[console.submit(graph, runs=runs, patience=patience).batch_id] = runs
        except SubmissionFailed as error:
            self._tally.uncertain += 1
            self._uncertain[error.batch_id or ""] = runs
        except JobException:
            pass  # it was not submitted: which is checked

    def _cancel(self, console: iw.Console, item_id: int) -> None:
        before = self._wire.send("GET", f"i/{item_id}").json().get("status", "")
        with contextlib.suppress(JobException):
            self._cancels.append((item_id, console.cancel(item_id), before))
        self._tally.cancels += 1

    @staticmethod
    def _allowed(work: Callable[[], object]) -> None:
        with contextlib.suppress(JobException):
            work()

    def _within(self, work: Callable[[], None]) -> None:
        """Do something that must end, and may raise nothing but what it catches itself."""
        errors: list[BaseException] = []

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - whatever comes is counted
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(_LONGEST_S)
        if thread.is_alive():
            self.note("hung", f"a call took more than {_LONGEST_S:g} s")
        for error in errors:
            self.note("foreign", repr(error)[:200])

    # -- what is checked -----------------------------------------------------------------------------------------------

    def _compare(self, console: iw.Console) -> None:
        if different := difference(self._wire, console):
            self.note("divergent", different)

    def _count_batches(self) -> None:
        """Each batch of the console was enqueued once."""
        made = _made(self._wire)
        wanted = self._returned | self._uncertain
        for batch_id, number in made.items():
            if number > wanted.get(batch_id, number):
                self.note("doubled", f"{batch_id} has {number} items")
            if batch_id not in wanted:
                self.note("silent", f"{batch_id} is in the queue, and its submit said that it is not")
        for batch_id, number in self._returned.items():
            if made[batch_id] < number:
                self.note("lost", f"{batch_id} has {made[batch_id]} of {number} items")

    def _check_cancels(self) -> None:
        for item_id, cancellation, before in self._cancels:
            response = self._wire.send("GET", f"i/{item_id}")
            status = response.json().get("status") if response.is_success else None
            said = cancellation.outcome
            was_finished = before in ("completed", "failed", "canceled")
            if (
                (said == "canceled" and status != "canceled")
                or (said == "not_found" and status is not None)
                or (said == "already_finished" and status == "canceled" and not was_finished)
            ):
                self.note("untrue", f"{item_id} is {status}, was {before}: {said}")

    def _check_pool(self, console: iw.Console) -> None:
        if errors := _pool_errors(console):
            self.note("pool", errors[0])


def _made(wire: Wire) -> Counter[str]:
    """Return how many items of each batch of a console are in the queue, leaving out those that retries made."""
    items = [item for item in wire.get("list_all") if item.get("retried_from_item_id") is None]
    return Counter(item["batch_id"] for item in items if item.get("origin") == "invoke_widgets")


def difference(wire: Wire, console: iw.Console, *, unfinished: bool = False) -> str:
    """Wait until a console shows what the server lists, and nothing is `unfinished`; else return what differs."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        theirs, ours = listed(wire), shown(console)
        is_over = unfinished or not any(status in ("pending", "in_progress") for status, *_ in theirs.values())
        if ours == theirs and is_over:
            return ""
        if time.monotonic() > deadline:
            wrong = sorted(i for i in ours.keys() | theirs.keys() if ours.get(i) != theirs.get(i))
            return f"items {wrong[:5]}, mode {console.status.connection.mode}"
        time.sleep(0.05)


def _pool_errors(console: iw.Console) -> list[str]:
    """Send as many requests at once as there are connections, and return what goes wrong each time.

    A busy machine may keep a request from being answered in time, but what the pool has lost stays so.
    """
    for pause in (2.0, 10.0, 0.0):
        if not (errors := _errors_at_once(console)):
            break
        time.sleep(pause)
    return errors


def _errors_at_once(console: iw.Console) -> list[str]:
    errors: list[str] = []

    def ask() -> None:
        try:
            iw.run(console.client.get_queue_status())
        except BaseException as error:  # noqa: BLE001 - whatever comes is counted
            errors.append(repr(error))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)
    if any(thread.is_alive() for thread in threads):
        errors.append("a request hangs")
    return errors


def play(server: Server, seeds: Iterable[int], *, until: float | None = None) -> dict[str, Tally]:
    """Play the histories of these seeds on a server, and return what came of them, by kind of fault.

    Args:
        server: a running server; its queue is emptied.
        seeds: each decides on a history.
        until: `time.monotonic()` after which no further one begins.
    """
    tallies: dict[str, Tally] = defaultdict(Tally)
    with Wire(server) as wire, ChaosProxy(server.url) as proxy:
        for seed in seeds:
            if until is not None and time.monotonic() > until:
                break
            kind = KINDS[seed % len(KINDS)]
            tallies[kind].histories += 1
            already = len(tallies[kind].notes)
            _History(seed, wire, proxy, tallies[kind]).play(kind)
            for note in tallies[kind].notes[already:]:
                print(f"{kind}: {note}", flush=True)
        wire.clean()
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    """Return the results as text."""
    total = [sum(column) for column in zip(*(tally.row() for tally in tallies.values()), strict=True)]
    rows = [("", *COLUMNS), *((kind, *tally.row()) for kind, tally in tallies.items()), ("all", *total)]
    widths = [max(len(str(row[n])) for row in rows) for n in range(len(rows[0]))]
    lines = ["  ".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(lines)


# -- one fault, many times ---------------------------------------------------------------------------------------------


BAD = ("doubled", "lost", "silent", "different", "foreign", "pool")
"""The figures that should be 0."""


def lose_replies(server: Server, number: int) -> Counter[str]:
    """Submit from several threads while every second reply is lost, until so many are, and return what came of it.

    Args:
        server: a running server; its queue is emptied.
        number: how many replies are lost at least.

    Returns:
        How many batches were submitted, doubled, lost, silent (in the queue, though the submit raised) and so on.
    """
    figures = Counter[str]()
    with Wire(server) as wire, ChaosProxy(server.url) as proxy:
        wire.clean()
        with iw.connect(proxy.url) as console, wire.paused():
            proxy.lose_reply(path="enqueue_batch", fraction=0.5)
            while proxy.actions()["lose_reply"] < number:
                returned, uncertain = _submit_some(console, min(max(number // 2, 10), 200), figures)
                made = _made(wire)
                figures["doubled"] += sum(number > 1 for number in made.values())
                figures["lost"] += len(returned - made.keys())
                figures["silent"] += len(made.keys() - returned - uncertain)
                figures["different"] += bool(difference(wire, console, unfinished=True))
                wire.put("clear")
            figures["replies lost"] = proxy.actions()["lose_reply"]
            proxy.calm()
            figures["pool"] += len(_pool_errors(console))
        wire.clean()
    return figures


def _submit_some(console: iw.Console, number: int, figures: Counter[str]) -> tuple[set[str], set[str]]:
    """Submit from several threads; return the ids of the batches that are there, and of those that may be."""
    returned, uncertain = set[str](), set[str]()

    def work() -> None:
        for _ in range(number // _THREADS + 1):
            figures["submits"] += 1
            try:
                returned.add(console.submit(add_and_multiply()).batch_id)
            except SubmissionFailed as error:
                figures["uncertain"] += 1
                uncertain.add(error.batch_id or "")
            except JobException:
                figures["raised"] += 1
            except Exception:  # noqa: BLE001 - whatever comes is counted
                figures["foreign"] += 1

    threads = [threading.Thread(target=work) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return returned, uncertain


def interrupt(server: Server, number: int) -> Counter[str]:
    """Interrupt calls at random moments, as a kernel's stop button does, so many times; return what came of it.

    To be called on the main thread, which the interrupts reach.

    Args:
        server: a running server; its queue is emptied.
        number: how many calls are interrupted.
    """
    numbers, figures = random.Random(0), Counter[str]()
    with Wire(server) as wire:
        wire.clean()
        with iw.connect(server.url) as console, wire.paused():
            kept = set[str]()

            def count() -> None:
                made = _made(wire)
                figures["submits"] += len(made)
                figures["doubled"] += sum(number > 1 for number in made.values())
                figures["lost"] += len(kept - made.keys())
                kept.clear()

            def item_id() -> int:
                return numbers.choice([999_999_999, *(item.item_id for item in console.queue[:20])])

            calls: tuple[Callable[[], object], ...] = (
                lambda: kept.add(console.submit(add_and_multiply()).batch_id),
                lambda: console.cancel(item_id()),
                lambda: console.retry(item_id()),
                console.cancel_pending,
                lambda: iw.run(console.client.get_queue_status()),
                lambda: console.refresh(timeout=5),
            )
            while figures["interrupts"] < number:
                figures["calls"] += 1
                try:
                    figures["interrupts"] += _is_interrupted(numbers.choice(calls), numbers.uniform(0.0003, 0.015))
                except KeyboardInterrupt:
                    figures["interrupts"] += 1
                except JobException:
                    figures["raised"] += 1
                except Exception:  # noqa: BLE001 - whatever comes is counted
                    figures["foreign"] += 1
                if figures["calls"] % 500 == 0:
                    time.sleep(1.0)  # a request whose caller was interrupted may still arrive
                    count()
                    wire.put("clear")
            figures["different"] += bool(difference(wire, console, unfinished=True))
            figures["pool"] += len(_pool_errors(console))
            count()
        wire.clean()
    return figures


def _is_interrupted(call: Callable[[], object], seconds: float) -> bool:
    """Call a function, interrupt it after so long, and return whether it was."""
    is_calling = True

    def handle(*_: object) -> None:
        if is_calling:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, handle)
    timer = threading.Timer(seconds, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
    try:
        timer.start()
        call()
    except KeyboardInterrupt:
        return True
    finally:
        is_calling = False
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    return False


def _told(figures: Counter[str]) -> str:
    return ", ".join(f"{figures[name]:,} {name}" for name in dict.fromkeys((*figures, *BAD)))


# -- the command -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _running(name: str) -> Iterator[Server]:
    server: Server
    if name == "embedded":
        server = EmbeddedServer(max_queue_size=1_000)
    elif "://" in name:
        server = GivenServer(name)
    else:
        server = RealServer(VERSIONS[0] if name == "real" else name, max_queue_size=1_000)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many histories; 20, or as many as --minutes allows")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--minutes", type=float, help="stop after so long")
    parser.add_argument("--server", default="embedded", help="embedded, real, a version that is installed, or a URL")
    parser.add_argument("--lost-replies", type=int, metavar="N", help="lose N replies to submits instead")
    parser.add_argument("--interrupts", type=int, metavar="N", help="interrupt N calls instead")
    options = parser.parse_args()
    if options.lost_replies or options.interrupts:
        return _repeat(options)
    begin = time.monotonic()
    until = None if options.minutes is None else begin + 60 * options.minutes
    number = options.seeds or (20 if until is None else 10**9)
    with _running(options.server) as server:
        tallies = play(server, range(options.first, options.first + number), until=until)
        print(f"\n{server!r}, {time.monotonic() - begin:.0f} s")
    print(table(tallies))
    return int(any(tally.faults for tally in tallies.values()))


def _repeat(options: argparse.Namespace) -> int:
    bad = 0
    with _running(options.server) as server:
        for work, number in ((lose_replies, options.lost_replies), (interrupt, options.interrupts)):
            if number:
                begin = time.monotonic()
                figures = work(server, number)
                print(
                    f"{work.__name__}: {_told(figures)} in {time.monotonic() - begin:.0f} s on {server!r}", flush=True
                )
                bad += is_bad(figures)
    return int(bad > 0)


def is_bad(figures: Counter[str]) -> bool:
    """Whether anything is not as promised."""
    return any(figures[name] for name in BAD)


if __name__ == "__main__":
    sys.exit(main())
