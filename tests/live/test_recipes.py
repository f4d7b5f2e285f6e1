"""The recipes in notebooks/recipes.ipynb, run from the notebook's own cells against a server."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.alerts import Message
from invoke_widgets.records import Counts
from tests.contract.people import People
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, divide, fail, graph, sleep
from tests.support.servers import EmbeddedServer
from tests.support.wire import Wire, until

_NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "recipes.ipynb"
_CELLS = {
    tag: "".join(cell["source"])
    for cell in json.loads(_NOTEBOOK.read_text())["cells"]
    for tag in cell["metadata"].get("tags", ())
}


def recipe(tag: str, name: str) -> Callable[..., Any]:
    """Return a function defined in the notebook's cell with this tag."""
    namespace: dict[str, Any] = {"iw": iw}
    exec(compile(_CELLS[tag], f"recipes.ipynb:{tag}", "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def stop_gracefully(console: iw.Console, others: Sequence[int] = (), after: threading.Event | None = None) -> Counts:
    """Have `run_until_stopped` run three jobs, and send a signal while the first of them runs."""
    main = threading.main_thread().ident

    def waits() -> bool:
        stack = traceback.extract_stack(sys._current_frames()[main or 0])
        running = {item.item_id for item in console.queue if item.status == "in_progress"} - set(others)
        is_due = after is None or after.is_set()
        return (
            is_due
            and bool(running)
            and any(call.name == "wait" and "invoke_widgets" in call.filename for call in stack)
        )

    def stop() -> None:
        try:
            until(waits, "the first to run and be waited for")
        finally:  # otherwise the main thread would wait until the test times out
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    status: Counts = recipe("graceful-shutdown", "run_until_stopped")(console, sleep(1.5), runs=3)
    return status


def test_graceful_shutdown(console: iw.Console, wire: Wire) -> None:
    """On a signal the running job completes and pending ones are canceled; other items and the worker go on."""
    others = wire.enqueue(sleep(0.1))["item_ids"]
    before = signal.getsignal(signal.SIGTERM)
    status = stop_gracefully(console, others)
    assert (1, 2, 3) == (status.completed, status.canceled, status.total)
    assert ["completed"] == [wire.wait_for(i)["status"] for i in others]
    assert (True, before) == (wire.get("status")["processor"]["is_started"], signal.getsignal(signal.SIGTERM))


@pytest.mark.slow
def test_graceful_shutdown_on_a_shared_server(people: People) -> None:
    """A user without administrator rights can shut down, and other users' items stay in the queue."""
    with iw.connect(people.user.server.url, token=people.user.token) as console:
        theirs = people.admin.enqueue(sleep(0.1))["item_ids"]
        status = stop_gracefully(console, theirs)
        assert (1, 2, 3) == (status.completed, status.canceled, status.total)
        assert ["completed"] == [people.admin.wait_for(i)["status"] for i in theirs]


def test_graceful_shutdown_leaves_a_pause(console: iw.Console, wire: Wire) -> None:
    """A queue that somebody else paused meanwhile stays paused."""
    is_paused = threading.Event()

    def pause() -> None:
        until(lambda: any(item.status == "in_progress" for item in console.queue), "one to run")
        with Wire(wire.server) as somebody:
            somebody.put("processor/pause")
        is_paused.set()

    threading.Thread(target=pause).start()
    status = stop_gracefully(console, after=is_paused)
    paused = not wire.get("status")["processor"]["is_started"]
    wire.put("processor/resume")
    assert (1, 2, True) == (status.completed, status.canceled, paused)


@pytest.mark.slow
def test_leave_for_tomorrow(wire: Wire) -> None:
    """The running job completes, pending ones stay in the paused queue; the next console finds them by name."""
    console = iw.connect(wire.server.url)
    batch = console.submit(sleep(1), runs=2, destination="nightly")
    other = console.submit(add_and_multiply(), destination="else")
    until(lambda: batch.status.in_progress, "the first to run")
    recipe("keep-pending", "leave_for_tomorrow")(console)
    assert ["completed", "pending", "pending"] == wire.statuses([*batch.item_ids, *other.item_ids])
    with iw.connect(wire.server.url) as later:
        found = recipe("reattach", "batches_of")(later, "nightly")
        assert [batch.batch_id] == [handle.batch_id for handle in found]
        later.resume()
        assert ["completed"] * 2 == [item.status for item in found[0].wait(60)]
        assert [] == recipe("reattach", "batches_of")(later, "nightly")


def test_result_within_cancels_a_late_job(console: iw.Console, wire: Wire) -> None:
    """A job in time gives its result; a late one gives None and is canceled."""
    result_within = recipe("timeout", "result_within")
    assert 30 == result_within(console, add_and_multiply(1, 2), 60)["mul"]["value"]
    assert result_within(console, sleep(60), 0.5) is None
    assert ["completed", "canceled"] == [wire.item(i)["status"] for i in sorted(wire.item_ids())]


def test_finished_within_cancels_late_jobs(console: iw.Console, wire: Wire) -> None:
    """Jobs that finished in time are returned, and the others canceled."""
    batch = console.submit(sleep(), data={"sleep.seconds": [0.0, 60.0, 0.0]})
    until(lambda: batch.status.in_progress and batch.status.completed, "the second to run")
    done = recipe("timeout-for-many", "finished_within")(console, batch, 0.5)
    assert [batch.item_ids[0]] == [job.item_id for job in done]
    assert ["completed", "canceled", "canceled"] == wire.statuses(list(batch.item_ids))


@pytest.mark.slow
def test_follow_cancels_stalled_and_late_jobs(
    console: iw.Console, wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    """A silent job is canceled so that the next runs, late jobs are canceled, and each step is printed."""
    silent = console.submit(sleep(60, steps=1))
    behind = console.submit(add_and_multiply(), runs=2)
    recipe("stalled", "follow")(console, [silent, behind], seconds=60, stalled_s=0.5)
    lively = console.submit(sleep(60, steps=600))
    recipe("stalled", "follow")(console, lively, seconds=1, stalled_s=30)
    assert ["canceled", "completed", "completed", "canceled"] == wire.statuses(
        [*silent.item_ids, *behind.item_ids, *lively.item_ids]
    )
    said = capsys.readouterr().out
    assert [True] * 3 == [words in said for words in (f"Canceled item {silent.item_ids[0]}", "2 of 2 completed", "1 s")]


def test_run_all_submits_in_portions(console: iw.Console, wire: Wire) -> None:
    """Every value but the failing one has its own result."""
    run_all = recipe("batches", "run_all")
    results = run_all(console, divide(12, 1), "div.b", [1, 2, 3, 0, 4, 6], portion=4)
    assert {1: 12, 2: 6, 3: 4, 4: 3, 6: 2} == {value: result["div"]["value"] for value, result in results.items()}
    assert 2 == len({item.batch_id for item in console.queue})


@pytest.mark.slow
def test_run_all_on_a_full_queue() -> None:
    """Jobs that a full queue refused are submitted when there is space, so every value has its result."""
    server = EmbeddedServer(max_queue_size=4)
    server.start()
    try:
        with iw.connect(server.url) as console, Wire(server) as wire:
            with wire.paused():
                wire.enqueue(sleep(0.1), runs=4)
                running = threading.Timer(1.0, lambda: wire.put("processor/resume"))
                running.start()
                values = list(range(1, 13))
                results = recipe("batches", "run_all")(console, add_and_multiply(b=0), "add.a", values, pause_s=0.3)
                running.join()
            assert {n: 10 * n for n in values} == {n: result["mul"]["value"] for n, result in results.items()}
    finally:
        server.stop()


def test_run_all_stops_when_too_many_fail(console: iw.Console, wire: Wire) -> None:
    """The rest of the portion is canceled, the running job included, and no other portion is submitted."""
    slow_unless_zero = graph({"div": {"type": "div", "a": 1}, "sleep": {"type": "probe_sleep", "seconds": 60}},
                             "div.value -> sleep.value")  # fmt: skip
    assert {} == recipe("batches", "run_all")(console, slow_unless_zero, "div.b", [0, 0, 1, 1, 1, 1], portion=4)
    statuses = wire.statuses(sorted(wire.item_ids()))
    assert ["failed", "failed", "canceled", "canceled"] == statuses


def test_add_alerts(console: iw.Console) -> None:
    """One message reports the finished batch, and one its many failures."""
    messages: list[Message] = []
    recipe("alerts", "add_alerts")(console, messages.append)
    console.submit(divide(1, 0), runs=8).wait(60)
    until(lambda: len(messages) == 2, "both messages")
    assert ["batch.done", "rate.exceeded"] == sorted(message.kind for message in messages)


@pytest.mark.slow
def test_submit_stubbornly_retries_by_class(console: iw.Console) -> None:
    """A network error runs three times, a division by zero once."""
    submit = recipe("retry-by-class", "submit_stubbornly")
    network, division = submit(console, fail("[Errno 111] Connection refused")), submit(console, divide(1, 0))
    network.wait(60)
    division.wait(60)
    assert (3, 1) == tuple(
        sum(item.batch_id == batch.batch_id for item in console.queue) for batch in (network, division)
    )


def test_run_smaller_until_it_fits(console: iw.Console) -> None:
    """The first size that fits is returned; if none does, each was tried once."""
    run = recipe("smaller", "run_smaller_until_it_fits")
    size, result = run(console, add_and_multiply(), "add.a", [3, 2])
    assert (3, 50, 1) == (size, result["mul"]["value"], len(console.queue))
    with pytest.raises(iw.ResourceError):
        run(console, fail(), "fail.message", ["CUDA out of memory", "MPS backend out of memory"])
    assert ["failed", "failed", "completed"] == [item.status for item in console.queue]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["lose_reply", "lose_request", "cut"])
def test_submit_once_through_an_outage(wire: Wire, background: ThreadPoolExecutor, fault: str) -> None:
    """After an outage during which nobody can know whether the batch arrived, it is in the queue once."""
    with ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url) as console:
        console.pause()
        getattr(proxy, fault)(path="enqueue_batch")
        proxy.cut(path="/b/")
        submitting = background.submit(recipe("lost-submit", "submit_once"), console, add_and_multiply(), runs=2)
        until(lambda: sum("/b/" in seen.path for seen in proxy.seen) > 15, "several look-ups to fail")
        proxy.calm()
        batch = submitting.result(60)
        console.refresh()
        assert (2, list(batch.item_ids)) == (batch.enqueued, sorted(wire.item_ids()))
