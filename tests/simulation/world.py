"""Plays the steps of a history, and checks what must hold during and after it.

- Each action returns, or raises a `JobException`, or was interrupted; none hangs.
- A submit puts its batch into the queue once; if it raises, not at all, except where it says that this is not certain.
- No job of a batch is run again more often than its policy and the users say, and none that should be is forgotten.
- A retry that a user asks for makes one new item; if it raises, none, except where it says that this is not certain.
- What a cancel says of an item is true, and how many a cancel of many says it canceled; a deleted item is gone.
- Each failed job, and whatever was seen to fail and deleted since, is in the error log once.
- In the end the snapshot equals the server's list, and once it does, a change with an event is seen within a second.
- Closed, a console leaves no task, no connection and no used slot of its pool, and nothing of it stays in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import random
import weakref
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import CancellationFailed, JobException, SubmissionFailed
from invoke_widgets.events import NodeFailed
from invoke_widgets.history import CancellationLog, ErrorLog, JobLog
from invoke_widgets.jobs import Actions, RetryPolicy, Submission
from invoke_widgets.records import FAILED, Cancellation, QueueItem, Retried
from invoke_widgets.sync import QueueStore, Sync
from tests.simulation import clock
from tests.simulation.clock import Stuck, VirtualLoop
from tests.simulation.model import Did
from tests.simulation.network import PORT, Network
from tests.simulation.server import Fault, Server
from tests.simulation.steps import LATEST_S, Step, draw

_POOL = 20
_CALM_S = 200.0
_HUNG_S = 400.0
_SEEN_S = 1.0
_REQUEST_S = 100.0
"""A request that nobody waits for any more ends within this time."""

_GRAPHS: dict[str, dict[str, Any]] = {
    "quick": {"type": "add", "a": 1, "b": 2},
    "slow": {"type": "probe_sleep", "seconds": 4.0},
    "fails": {"type": "div", "a": 1, "b": 0},
    "flaky": {"type": "probe_fail", "message": "no", "times": 1},
}


@dataclass
class Result:
    """What became of a history.

    Attributes:
        violations: what should not be, in words; empty if all is well.
        log: what happened, in order.
    """

    seed: int
    violations: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """A hash of all that happened: equal for equal histories."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()[:12]


@dataclass
class _Done:
    """An action of a console, and how it ended."""

    step: Step
    who: str
    result: Any = None
    error: BaseException | None = None
    item_id: int | None = None
    was_finished: bool = False
    first: int = 0
    did: list[Did] = field(default_factory=list)


class _Errors(logging.Handler):
    """Collects what the package logs as an error."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({record.exc_info[1]!r})"
        self._found.append(f"logged: {text}")


class Console:
    """What `invoke_widgets.Console` is made of, on the loop itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        loop = asyncio.get_running_loop()
        self.client = InvokeClient(f"http://127.0.0.1:{PORT}", token=name)
        self.store = QueueStore(loop.call_later)
        self.errors, self.cancellations, self.jobs = ErrorLog(), CancellationLog(), JobLog()
        self.failed: dict[int, QueueItem] = {}
        self.store.subscribe(self._changed)
        self.store.events.add(lambda e: self.errors.record_node(e) if isinstance(e, NodeFailed) else None)
        self.sync = Sync(self.client, self.store, on_failed=self._failed)
        self.actions = Actions(self.client, self.store, self.sync, self.errors, self.cancellations, self.jobs)
        self.task: asyncio.Task[None] | None = None

    def _failed(self, item: QueueItem) -> None:
        self.errors.record_failure(item)
        self.actions.reruns.failed(item)

    def _changed(self, change: Any) -> None:
        for item_id in change.item_ids:
            item = change.state.items.get(item_id)
            if item is not None:
                self.jobs.record(item)
                self.errors.link(item)
                if item.status == FAILED:
                    self.failed[item_id] = item

    async def start(self) -> None:
        await self.sync.first_snapshot()
        self.task = asyncio.get_running_loop().create_task(self.sync.run())

    async def close(self) -> None:
        self.actions.reruns.close()
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


class World:
    """One history while it is played."""

    def __init__(self, loop: VirtualLoop, seed: int, steps: Sequence[Step]) -> None:
        self.loop = loop
        self.result = Result(seed)
        self._steps = steps
        self._start = loop.now
        self.server = Server(loop, self.log)
        self._network = Network(loop, random.Random(f"network {seed}"), self.server)
        self.server.network = self._network
        self.consoles: list[Console] = []
        self._done: list[_Done] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._names = 0

    def log(self, text: str) -> None:
        self.result.log.append(f"{self.loop.now - self._start:8.3f}  {text}")

    def wrong(self, text: str) -> None:
        self.result.violations.append(text)
        self.log(f"VIOLATION {text}")

    async def play(self) -> None:
        before = asyncio.all_tasks()
        number = 1 + max((step.who for step in self._steps if isinstance(step.who, int)), default=0)
        for index in range(number):
            console = Console(f"console-{index}")
            self.consoles.append(console)
            await console.start()
        begin = self.loop.now
        for step in self._steps:
            await asyncio.sleep(max(begin + step.at - self.loop.now, 0.0))
            self._take(step)
        await self._calm_down()
        self._check_submits()
        self._check_cancels()
        self._check_bulk_cancels()
        self._check_deletions()
        self._check_retries()
        self._check_attempts()
        self._check_errors()
        await self._check_prompt()
        await self._check_closed(before)

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _take(self, step: Step) -> None:
        self.log(f"-- {step}")
        if isinstance(step.who, int):
            self._tasks.append(self.loop.create_task(self._act(step, self.consoles[step.who])))
        elif step.who == "others":
            self._others(step)
        elif step.who == "fault":
            self.server.faults.append(Fault(step.what, **step.options))
        else:
            self._world(step.what, **step.options)

    def _world(self, what: str, seconds: float = 0.0, factor: float = 1.0) -> None:
        server = self.server
        if what in ("restart", "outage") and server.is_up:
            server.stop()
            self.loop.call_later(seconds, server.start if what == "restart" else self._up_again)
        elif what == "break_sockets":
            server.break_sockets()
        elif what == "jump":
            self.loop.now += seconds
        elif what == "wall":
            server.wall_offset_s += seconds
        elif what == "lag":
            self._network.slow = factor
            self.loop.call_later(seconds, self._no_lag)

    def _up_again(self) -> None:
        self.server.is_up = True

    def _no_lag(self) -> None:
        self._network.slow = 1.0

    def _graph(self, kind: str) -> dict[str, Any]:
        self._names += 1
        node = dict(_GRAPHS[kind], id="n")
        if kind == "flaky":
            node["name"] = f"job {self._names}"
        return {"nodes": {"n": node}, "edges": []}

    def _others(self, step: Step) -> None:
        model = self.server.model
        if not self.server.is_up:
            return
        number = step.options.get("number", 0)
        items = list(model.items)
        item_id = items[number % len(items)] if items else 0
        match step.what:
            case "submit":
                self._names += 1
                batch = {"batch_id": f"theirs-{self._names}", "runs": step.options["runs"]}
                model.enqueue({**batch, "graph": self._graph(step.options["graph"])}, by="others")
            case "prune" | "clear" | "cancel_pending":
                {"prune": model.prune, "clear": model.clear, "cancel_pending": model.cancel_all_except_current}[
                    step.what
                ](by="others")
            case "pause" | "resume":
                getattr(model, step.what)()
            case "cancel" | "delete" if items:
                getattr(model, step.what)(item_id, by="others")
            case "cancel_batch" if items:
                model.cancel_batches([model.items[item_id].batch_id], by="others")
            case "retry":
                model.retry([item_id], by="others")

    async def _act(self, step: Step, console: Console) -> None:
        did = self.server.model.did
        done = _Done(step, console.name, first=len(did))
        self._done.append(done)
        work = self.loop.create_task(self._action(step, console, done))
        if "interrupt_after" in step.options:
            self.loop.call_later(step.options["interrupt_after"], work.cancel)
        if "interrupt_in" in step.options:
            self.loop.call_in(step.options["interrupt_in"], work.cancel)
        try:
            async with asyncio.timeout(_HUNG_S):
                done.result = await work
        except (JobException, asyncio.CancelledError) as error:
            done.error = error
        except TimeoutError:
            self.wrong(f"{step.what} of {console.name} hung: {step}")
        except Exception as error:  # noqa: BLE001 - whatever comes out is looked for
            done.error = error
            self.wrong(f"{step.what} raised {type(error).__name__}: {error}")
        done.did = [each for each in did[done.first :] if each.by == console.name and each.item_ids]
        self.log(f"{console.name} {step.what}: {_told(done)}")

    async def _action(self, step: Step, console: Console, done: _Done) -> Any:
        actions, options = console.actions, step.options
        known = sorted(console.store.state.items)
        item_id = known[options.get("number", 0) % len(known)] if known else 999
        item = console.store.state.items.get(item_id)
        batch_id = item.batch_id if item is not None else "none"
        match step.what:
            case "submit":
                policy = RetryPolicy(on=Exception, attempts=options["attempts"]) if options["attempts"] else None
                submission = Submission(
                    graph=self._graph(options["graph"]),
                    runs=options["runs"],
                    prepend=options["prepend"],
                    retry=policy,
                    patience=options["patience"],
                    destination=f"submit-{self._done.index(done)}",
                )
                return await actions.submit(submission)
            case "cancel":
                there = self.server.model.items.get(item_id)
                done.item_id = item_id
                done.was_finished = there is not None and there.status in ("completed", "failed", "canceled")
                return await actions.cancel(item_id)
            case "cancel_batch":
                return await actions.cancel_batch(batch_id)
            case "cancel_pending" | "clear" | "prune" | "pause" | "resume" | "retry_failed" | "reconnect":
                return await getattr(actions, step.what)()
            case "retry" | "delete":
                done.item_id = item_id
                return await getattr(actions, step.what)([item_id])
            case "refresh":
                console.sync.refresh(unfinished=True)
                try:
                    async with asyncio.timeout(30.0):
                        return await console.sync.settled()
                except TimeoutError:
                    return None

    # -- the end -------------------------------------------------------------------------------------------------------

    async def _calm_down(self) -> None:
        """End all faults, wait for all actions, and until every snapshot equals the server's list."""
        await asyncio.sleep(1.0)
        self.server.faults.clear()
        self.log("-- calm")
        if not self.server.is_up:
            await asyncio.sleep(13.0)
        self._network.calm_down()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.sleep(LATEST_S)  # the request of an interrupted action, a pause perhaps, may still arrive
        self.server.model.resume()
        deadline = self.loop.now + _CALM_S
        different = ["never compared"]
        while different and self.loop.now < deadline:
            await asyncio.sleep(0.5)
            different = self._differences()
        for text in different[:3]:
            self.wrong(text)

    def _differences(self) -> list[str]:
        model = self.server.model
        found = []
        if any(item.status in ("pending", "in_progress") for item in model.items.values()):
            found.append("the queue does not get empty")
        theirs = {item_id: _shown(QueueItem.from_json(item.whole())) for item_id, item in model.items.items()}
        for console in self.consoles:
            state = console.store.state
            mode = state.connection.mode
            if mode != "live":
                found.append(f"{console.name} is {mode}: {state.connection.error}")
            ours = {item_id: _shown(item) for item_id, item in state.items.items()}
            if ours != theirs or state.unread:
                wrong = [i for i in ours.keys() | theirs.keys() if ours.get(i) != theirs.get(i)]
                what = "; ".join(f"{i}: {ours.get(i)} is {theirs.get(i)}" for i in sorted(wrong)[:2])
                found.append(f"{console.name} shows another list: {what} unread {sorted(state.unread)}")
            counters = model.counts(list(model.items.values()))
            if state.status is None or state.status.counters() != counters:
                found.append(f"{console.name} shows other counters: {state.status} for {counters}")
            found += _missing_errors(console)
            for item_id, item in console.failed.items():
                if console.errors.record_of(item) is None:
                    found.append(f"{console.name} saw {item_id} fail, and has no error of it")
            if state.retrying:
                found.append(f"{console.name} will still retry {dict(state.retrying)}")
        return found

    def _check_submits(self) -> None:
        did = self.server.model.did
        for index, done in enumerate(self._done):
            if done.step.what != "submit":
                continue
            arrived = [
                each
                for each in did
                if each.name == "enqueue" and self.server.model.ever[each.item_ids[0]].destination == f"submit-{index}"
            ]
            if len(arrived) > 1:
                times = f"was enqueued {len(arrived)} times: items {[each.item_ids for each in arrived]}"
                self.wrong(f"a submit of {done.who} {times}")
            if done.result is not None:
                if not arrived:
                    self.wrong(f"a submit of {done.who} returned, and nothing was enqueued")
                elif self._first_attempts(done.result.item_ids) != sorted(arrived[0].item_ids):
                    self.wrong(f"a submit returned {done.result.item_ids} for {arrived[0].item_ids}")
            elif isinstance(done.error, JobException) and not isinstance(done.error, SubmissionFailed) and arrived:
                self.wrong(f"a submit raised {type(done.error).__name__} ({done.error.message}), and was enqueued")

    def _check_cancels(self) -> None:
        ever = self.server.model.ever
        for done in self._done:
            if done.step.what != "cancel" or not isinstance(done.result, Cancellation):
                continue
            item_id, outcome = done.item_id, done.result.outcome
            assert item_id is not None
            item = ever.get(item_id)
            status = None if item is None else item.status
            if outcome == "canceled" and status != "canceled":
                self.wrong(f"a cancel of {item_id} says canceled, and it is {status}")
            if outcome == "not_found" and item is not None and item_id in self.server.model.items:
                self.wrong(f"a cancel of {item_id} says not_found, and it is there")
            if outcome == "already_finished" and not done.was_finished and status == "canceled":
                by_us = [d for d in self.server.model.did if d.name == "cancel" and item_id in d.item_ids]
                if by_us and all(each.by == done.who for each in by_us) and self._cancels_of(done) == 1:
                    self.wrong(f"a cancel of {item_id} says already_finished, and it canceled it itself")
        for done in self._done:
            if done.step.what == "cancel" and isinstance(done.error, JobException) and done.item_id is not None:
                by_us = [
                    d
                    for d in self.server.model.did
                    if d.name == "cancel" and d.by == done.who and d.argument == done.item_id
                ]
                if by_us and self._cancels_of(done) == 1:
                    self.wrong(f"a cancel of {done.item_id} raised ({done.error}), and canceled it")

    def _check_bulk_cancels(self) -> None:
        """What a cancel of many says it did is what it did."""
        for done in self._done:
            name = done.step.what
            if name not in ("cancel_batch", "cancel_pending", "clear") or self._bulk_cancels_of(done.who) > 1:
                continue  # what another one did at the same time would be taken for its own
            ours = [each for each in done.did if each.name == name]
            result = done.result
            did_cancel = ours and (name != "clear" or any(each.name == "cancel" for each in done.did))
            if isinstance(result, Cancellation) and result.outcome in ("already_finished", "not_found") and did_cancel:
                self.wrong(f"{name} says {result.outcome}, and it canceled {[each.item_ids for each in ours]}")
            if isinstance(done.error, CancellationFailed) and ours:
                self.wrong(f"{name} raised ({done.error.message}), and it took {[each.item_ids for each in ours]}")
            if isinstance(result, Cancellation) and result.outcome == "canceled" and len(ours) == 1 and name != "clear":
                many = {item_id for each in done.did if each.name in (name, "cancel") for item_id in each.item_ids}
                if result.canceled != len(many) and not self._others_took(done):
                    self.wrong(f"{name} says that it canceled {result.canceled}, and it canceled {sorted(many)}")

    def _others_took(self, done: _Done) -> bool:
        """Whether anybody else canceled or deleted something since an action began."""
        taking = ("cancel", "clear", "delete")
        return any(d.by != done.who and d.name.startswith(taking) for d in self.server.model.did[done.first :])

    def _check_deletions(self) -> None:
        for done in self._done:
            if done.step.what == "delete" and done.error is None and done.item_id in self.server.model.items:
                self.wrong(f"{done.item_id} was deleted, and is there")

    def _check_retries(self) -> None:
        """What a retry that was asked for says it did is what it did."""
        for done in self._done:
            if done.step.what != "retry" or self._retries_of(done.who) > 1 or self._has_policy(done):
                continue
            did = [d for d in self.server.model.did if d.name == "retry" and d.by == done.who]
            if len(did) > 1:
                self.wrong(f"a retry of {done.item_id} made {[each.item_ids for each in did]}")
            if isinstance(done.result, Retried):
                retried = (*done.result.new_item_ids, *done.result.gone)
                if (*retried, *done.result.skipped) != (done.item_id,) or bool(did) != bool(retried):
                    self.wrong(f"a retry of {done.item_id} says {done.result}, and it made {did}")
            elif isinstance(done.error, JobException) and not isinstance(done.error, SubmissionFailed) and did:
                self.wrong(f"a retry raised {type(done.error).__name__} ({done.error.message}), and made {did}")

    def _retries_of(self, who: str) -> int:
        return sum(done.who == who and done.step.what.startswith("retry") for done in self._done)

    def _has_policy(self, done: _Done) -> bool:
        """Whether this console has a batch that it runs again by itself."""
        return any(other.who == done.who and other.step.options.get("attempts") for other in self._done)

    def _bulk_cancels_of(self, who: str) -> int:
        return sum(done.who == who and done.step.what.startswith(("cancel", "clear")) for done in self._done)

    def _cancels_of(self, done: _Done) -> int:
        """Return how many actions of this console may have canceled the item of this one."""
        many = ("cancel_batch", "cancel_pending", "clear", "delete")
        return sum(
            other.who == done.who and (other.item_id == done.item_id if other.step.what == "cancel" else True)
            for other in self._done
            if other.step.what in ("cancel", *many)
        )

    def _check_attempts(self) -> None:
        """Where nobody else retried, a job has at most the attempts of its policy, and not fewer for no reason."""
        model = self.server.model
        for done in self._done:
            if done.step.what != "submit" or done.result is None:
                continue
            batch_id = done.result.batch_id
            allowed = max(done.step.options["attempts"], 1)
            for first in self._first_attempts(done.result.item_ids):
                chain = [i for i in model.ever.values() if (i.retried_from_item_id or i.item_id) == first]
                attempts = {item.item_id for item in chain}
                retries = [d for d in model.did if d.name == "retry" and d.argument in attempts]
                by_hand = [d for d in retries if d.by == "others" or self._asked_by_hand(d.by)]
                if by_hand:
                    continue
                for item_id, times in Counter(d.argument for d in retries if d.by == done.who).items():
                    if times > 1:
                        self.wrong(f"attempt {item_id} of {batch_id} was retried {times} times")
                if len(chain) > allowed:
                    self.wrong(f"job {first} of {batch_id} had {len(chain)} attempts of {allowed}")
                last = chain[-1]
                is_here = last.item_id in model.items
                if is_here and last.status == "failed" and len(chain) < allowed and not self._was_called_off(done.who):
                    self.wrong(f"job {first} has {len(chain)} attempts of {allowed}, and the last one failed")

    def _first_attempts(self, item_ids: Iterable[int]) -> list[int]:
        """Return each job's first item: after a lost reply, others may have retried a job and pruned that one."""
        return sorted(self.server.model.ever[item_id].retried_from_item_id or item_id for item_id in item_ids)

    def _asked_by_hand(self, who: str) -> bool:
        return any(done.who == who and done.step.what in ("retry", "retry_failed") for done in self._done)

    def _was_called_off(self, who: str) -> bool:
        return any(done.who == who and done.step.what.startswith(("cancel", "clear")) for done in self._done)

    def _check_errors(self) -> None:
        for console in self.consoles:
            records = Counter((e.item_id, e.batch_id) for e in console.errors if e.server_error_type is not None)
            for key, times in records.items():
                if times > 1:
                    self.wrong(f"{console.name} has the failure of {key} {times} times")

    async def _check_prompt(self) -> None:
        """A job that another client submits is seen to end within a second of its end, since events are there."""
        if self.result.violations:
            return
        model = self.server.model
        await asyncio.sleep(1.0)
        model.enqueue({"batch_id": "last", "runs": 3, "graph": self._graph("quick")}, by="others")
        ids = sorted(model.ever)[-3:]
        deadline = self.loop.now + 60.0  # a request that was interrupted may arrive late, and its jobs run first
        while self.loop.now < deadline and any(model.ever[i].status != "completed" for i in ids):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(_SEEN_S)
        for console in self.consoles:
            shown = [item.status if (item := console.store.state.items.get(i)) else None for i in ids]
            if shown != ["completed"] * 3:
                self.wrong(f"{console.name} shows {shown} a second after three jobs completed")

    async def _check_closed(self, before: set[asyncio.Task[Any]]) -> None:
        for console in self.consoles:
            await console.close()
            await asyncio.sleep(_REQUEST_S)
            with contextlib.suppress(JobException):
                await console.client.get_queue_status()  # after a failure only one request at a time is sent
            self.server.gather(_POOL)
            work = [console.client.get_queue_status() for _ in range(_POOL)]
            try:
                async with asyncio.timeout(8.0):
                    await asyncio.gather(*work)
            except (TimeoutError, JobException) as error:
                self.wrong(f"{console.name} cannot send {_POOL} requests at once: {error!r}")
            await console.client.aclose()
        self._done.clear()
        await asyncio.sleep(3.0)
        gc.collect()  # aiohttp reports a connection that was not closed when it is collected
        if links := [link for link in self._network.links if not link.is_forgotten]:
            self.wrong(f"{len(links)} connections are left open")
        left = asyncio.all_tasks() - before - set(self._tasks)
        if left:
            self.wrong(f"{len(left)} tasks are left: {sorted(str(task.get_coro()) for task in left)[:3]}")


def _shown(item: QueueItem) -> tuple[object, ...]:
    times = (item.created_at, item.started_at, item.completed_at)
    values = tuple(map(str, item.field_values or ()))
    return (item.status, item.batch_id, item.destination, *times, item.server_error_type, values)


def _missing_errors(console: Console) -> list[str]:
    known = {(e.item_id, e.batch_id) for e in console.errors if e.server_error_type is not None}
    failed = [i for i in console.store.state.items.values() if i.status == FAILED]
    return [f"{console.name} has no error of {i.item_id}" for i in failed if (i.item_id, i.batch_id) not in known]


def _told(done: _Done) -> str:
    if done.error is not None:
        return f"{type(done.error).__name__}: {done.error}"
    if isinstance(done.result, Cancellation):
        return f"{done.result.outcome}: {done.result.message}"
    return str(done.result)


def play(seed: int, steps: Sequence[Step] | None = None) -> Result:
    """Play a seed's history, or these steps of it."""
    gc.freeze()  # what earlier histories made is not looked at again, so that collecting takes no time
    loop = VirtualLoop()
    clock.use(loop, seed)
    asyncio.set_event_loop(loop)
    world = World(loop, seed, draw(seed) if steps is None else steps)
    result = world.result
    loop.set_exception_handler(lambda _, context: result.violations.append(_of_asyncio(context)))
    handler = _Errors(result.violations)
    logger = logging.getLogger("invoke_widgets")
    logger.addHandler(handler)
    try:
        _run(loop, world.play(), world)
    finally:
        loop.close()
        asyncio.set_event_loop(None)
        clock.use(None)
        parts = [part for c in world.consoles for part in (c.store, c.client, c.sync, c.actions, c.errors)]
        references = [weakref.ref(part) for part in parts]
        del world, loop, parts
        gc.collect()
        logger.removeHandler(handler)
    left = sorted({type(part).__name__ for reference in references if (part := reference()) is not None})
    if left and not result.violations:
        result.violations.append(f"of a closed console these stay in memory: {', '.join(left)}")
    return result


def _of_asyncio(context: dict[str, Any]) -> str:
    return f"asyncio: {context.get('message')}: {context.get('exception') or context.get('client_connection')}"


def _run(loop: VirtualLoop, work: Coroutine[Any, Any, None], world: World) -> None:
    try:
        loop.run_until_complete(work)
    except (Stuck, JobException) as error:
        world.wrong(f"it ended with {type(error).__name__}: {error}")
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        for _ in range(20):
            try:
                loop.run_until_complete(asyncio.sleep(0))
            except Stuck:
                break
