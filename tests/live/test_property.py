"""Random actions on a queue, by this console and others: the snapshot ends up equal to the server's queue."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

import invoke_widgets as iw
from tests.support.chaos import ChaosProxy
from tests.support.graphs import Graph, add_and_multiply, divide, sleep
from tests.support.servers import EmbeddedServer
from tests.support.snapshots import listed, shown
from tests.support.wire import Wire, until

_GRAPHS: dict[str, Callable[[], Graph]] = {
    "completes": add_and_multiply,
    "fails": lambda: divide(1, 0),
    "takes a while": lambda: sleep(0.3, steps=3),
    "goes on when canceled": lambda: sleep(0.3, steps=3, cancelable=False),
}


class AnyQueue(RuleBasedStateMachine):
    """Random actions of this console, of another client, and of the network."""

    console: iw.Console
    wire: Wire
    proxy: ChaosProxy
    steps = 0
    settled = 0
    unprompted = 0
    known: list[int]

    @initialize()
    def empty(self) -> None:
        self.wire.clean()
        self.known = []
        self.batches: list[str] = []

    def _some(self, number: int) -> int:
        return self.known[number % len(self.known)] if self.known else 999_999_999

    def _count(self) -> None:
        type(self).steps += 1

    @rule(graph=st.sampled_from(sorted(_GRAPHS)), runs=st.integers(1, 4), prepend=st.booleans())
    def submit(self, graph: str, runs: int, prepend: bool) -> None:
        batch = self.console.submit(_GRAPHS[graph](), runs=runs, prepend=prepend)
        self.known += batch.item_ids
        self.batches.append(batch.batch_id)
        self._count()

    @rule(graph=st.sampled_from(sorted(_GRAPHS)), values=st.lists(st.integers(0, 9), min_size=1, max_size=3))
    def another_client_submits(self, graph: str, values: list[int]) -> None:
        chosen = _GRAPHS[graph]()
        node_id = next(iter(chosen["nodes"]))
        field = {"add": "a", "div": "a", "sleep": "value"}[node_id]
        data = [[{"node_path": node_id, "field_name": field, "items": values}]]
        answer = self.wire.enqueue(chosen, data=data, destination="theirs")
        self.known += answer["item_ids"]
        self.batches.append(answer["batch"]["batch_id"])
        self._count()

    @rule(number=st.integers(0, 99), mine=st.booleans())
    def cancel(self, number: int, mine: bool) -> None:
        item_id = self._some(number)
        if mine:
            self.console.cancel(item_id)
        else:
            self.wire.send("PUT", f"i/{item_id}/cancel")
        self._count()

    @rule(number=st.integers(0, 99), mine=st.booleans())
    def cancel_batch(self, number: int, mine: bool) -> None:
        batch_id = self.batches[number % len(self.batches)] if self.batches else "none"
        if mine:
            self.console.cancel_batch(batch_id)
        else:
            self.wire.put("cancel_by_batch_ids", {"batch_ids": [batch_id]})
        self._count()

    @rule(mine=st.booleans())
    def cancel_pending(self, mine: bool) -> None:
        if mine:
            self.console.cancel_pending()
        else:
            self.wire.put("cancel_all_except_current")
        self._count()

    @rule(number=st.integers(0, 99), mine=st.booleans())
    def delete(self, number: int, mine: bool) -> None:
        # Paused: up to 6.13 an item that vanishes while the worker takes it ends the worker.
        self._paused(lambda: self._delete(self._some(number), mine))
        self._count()

    def _delete(self, item_id: int, mine: bool) -> None:
        if not mine:
            self.wire.send("DELETE", f"i/{item_id}")
            return
        with contextlib.suppress(iw.NotFound):
            self.console.delete(item_id)

    @rule(number=st.integers(0, 99), mine=st.booleans())
    def retry(self, number: int, mine: bool) -> None:
        item_id = self._some(number)
        if self.wire.send("GET", f"i/{item_id}").status_code != 200:
            return  # a missing one answers 500 up to 6.13
        if mine:
            self.known += self.console.retry(item_id).item_ids
        else:
            self.wire.put("retry_items_by_id", [item_id])
        self._count()

    @rule(mine=st.booleans())
    def prune(self, mine: bool) -> None:
        if mine:
            self.console.prune()
        else:
            self.wire.put("prune")
        self._count()

    @rule(mine=st.booleans())
    def clear(self, mine: bool) -> None:
        self._paused(lambda: self.console.clear() if mine else self.wire.put("clear"))
        self._count()

    @rule(mine=st.booleans())
    def pause(self, mine: bool) -> None:
        if mine:
            self.console.pause()
        else:
            self.wire.put("processor/pause")
        self._count()

    @rule()
    def resume(self) -> None:
        self.console.resume()
        self._count()

    @rule()
    def the_socket_breaks(self) -> None:
        self.proxy.drop_sockets()
        self._count()

    @rule()
    def settle(self) -> None:
        self._paused(self._compare)
        self._count()

    def _paused(self, work: Callable[[], Any]) -> None:
        was_started = self.wire.get("status")["processor"]["is_started"]
        self.wire.put("processor/pause")
        until(self._is_free, "the worker to be free")
        work()
        if was_started:
            self.wire.put("processor/resume")

    def _is_free(self) -> bool:
        status = self.wire.get("status")
        says_idle = self.wire.server.has("idle_while_paused")
        return not status["queue"]["in_progress"] and not (says_idle and status["processor"]["is_processing"])

    def _compare(self) -> None:
        self._listen()
        self.console.refresh()
        assert listed(self.wire) == shown(self.console)
        assert not self.console.status.processor or not self.console.status.processor.is_started
        type(self).settled += 1

    def _compare_in_time(self) -> None:
        """Compare without a refresh: changes without an event are noticed, too."""
        self._listen()
        until(lambda: listed(self.wire) == shown(self.console), "the snapshot to equal the queue")
        type(self).unprompted += 1

    def _listen(self) -> None:
        """Reconnect, since a socket that broke soon is not reopened at once."""
        self.console.reconnect()
        until(lambda: self.console.status.connection.mode == "live", "the socket")

    def teardown(self) -> None:
        """Compare; every other time without a refresh."""
        is_second = (type(self).settled + type(self).unprompted) % 2 == 1
        self._paused(self._compare_in_time if is_second else self._compare)
        self.wire.put("processor/resume")


@contextlib.contextmanager
def _machine(wire: Wire) -> Iterator[type[AnyQueue]]:
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        yield type("AnyQueueHere", (AnyQueue,), {"console": console, "wire": wire, "proxy": proxy})


def _run(machine: type[AnyQueue], examples: int, steps: int) -> None:
    quiet = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        # No shrinking: a server does not behave the same way twice.
        phases=[Phase.generate],
        print_blob=True,
    )
    run_state_machine_as_test(machine, settings=quiet)
    print(f"\n{machine.steps} actions, {machine.settled} + {machine.unprompted} comparisons, 0 differences")


@pytest.mark.timeout(900)
def test_snapshot_equals_the_queue_after_random_actions(wire: Wire) -> None:
    """At least 200 random actions on a real server, with regular comparisons, give no difference."""
    enough = 200 if wire.server.kind == "real" else 50  # the next test does more
    with _machine(wire) as machine:
        while machine.steps < enough:
            _run(machine, examples=enough // 50, steps=40)
        assert machine.settled


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_snapshot_equals_the_queue_after_many_random_actions() -> None:
    """The same with up to 2,000 actions, on the embedded server."""
    server = EmbeddedServer(max_queue_size=1_000)
    server.start()
    try:
        with Wire(server) as wire, _machine(wire) as machine:
            _run(machine, examples=16, steps=50)
            assert machine.settled + machine.unprompted >= 16
            assert machine.unprompted
    finally:
        server.stop()
