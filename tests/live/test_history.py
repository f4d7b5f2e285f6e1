"""What a console logs from a server, and what a second kernel finds of it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

import invoke_widgets as iw
from invoke_widgets.client import InvokeClient
from invoke_widgets.history.logs import ErrorLog
from invoke_widgets.sync import QueueStore, Sync
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, divide, divide_by_zero, sleep
from tests.support.servers import Server
from tests.support.wire import Wire, until


def test_history_survives_the_kernel(server: Server, wire: Wire, tmp_path: Path) -> None:
    """Errors, cancellations and jobs are there again, though the server has forgotten them."""
    path = tmp_path / "history.sqlite"
    with iw.connect(server.url, history=path) as console:
        failing = console.submit(divide_by_zero())
        until(lambda: console.errors.of_item(failing.item_ids[0]), "the error")
        until(lambda: (e := console.errors.of_item(failing.item_ids[0])) and e.node_id, "the node")
        canceled = console.submit(sleep())
        console.cancel(canceled.item_ids[0])
        until(lambda: console.jobs.frame()["status"].isin(["canceled"]).any(), "the canceled job")
        console.clear()
    with iw.connect(server.url, history=path) as console:
        error = next(e for e in console.errors if e.item_id == failing.item_ids[0])
        cancels = [(c.scope, c.outcome) for c in console.cancellations]
        statuses = {j.item_id: j.status for j in console.jobs}
    assert (("div", "ZeroDivisionError", 1), ("item", "canceled"), "failed", "canceled") == (
        (error.node_id, error.server_error_type, error.attempt),
        cancels[0],
        statuses[failing.item_ids[0]],
        statuses[canceled.item_ids[0]],
    )


def test_a_console_that_is_closed_right_after_a_submit_keeps_the_names_of_values(
    proxy: ChaosProxy, wire: Wire, tmp_path: Path
) -> None:
    """The server does not know them, so a later session could not read them."""
    history = tmp_path / "history.sqlite"
    with wire.paused():
        with iw.connect(proxy.url, history=history) as console:
            workflow = console.workflow(iw.examples.workflow("islands"))
            proxy.delay(0.3, path="_by_ids")
            workflow.sweep({"Seed": [1, 2]})
        with iw.connect(proxy.url, history=history) as console:
            assert [1, 2] == sorted(console.jobs.frame()["Seed"])
        wire.put("clear")


def test_a_failed_job_is_one_error(server: Server, wire: Wire) -> None:
    """Whatever reports it: events, reads, a refresh."""
    with iw.connect(server.url) as console:
        batch = console.submit(divide_by_zero(), runs=3)
        until(lambda: len(console.errors) >= 3, "the errors")
        console.refresh()
        found = sorted(e.item_id or 0 for e in console.errors if e.batch_id == batch.batch_id)
        group = console.errors.groups()[0]
    assert (list(batch.item_ids), 3, batch.item_ids) == (found, group.count, group.item_ids)


def test_a_frame_waits_for_what_has_not_been_read(server: Server, wire: Wire) -> None:
    """Values, which events leave out, of jobs that ended a moment ago; errors, which a list of a queue leaves out."""
    ids = sorted(wire.enqueue(divide_by_zero(), runs=60)["item_ids"])
    for item_id in ids:
        wire.wait_for(item_id)
    with iw.connect(server.url) as console:
        assert [60] == [group.count for group in console.errors.groups()]
    with iw.connect(server.url) as console:
        assert console.jobs.frame()["error_type"].notna().all()
        for _ in range(3):
            batch = console.submit(divide(6, 1), data={"div.b": [1, 2, 3]})
            batch.wait(60)
            jobs = console.jobs.frame()
            assert [1, 2, 3] == jobs.loc[jobs["batch_id"] == batch.batch_id, "div.b"].tolist()


def _statuses(console: iw.Console) -> dict[int, str]:
    return {job.item_id: job.status for job in console.jobs}


def test_cleared_jobs_are_gone(wire: Wire) -> None:
    """The server reports no end: they wait no longer, neither in the log nor in the queue."""
    with iw.connect(wire.server.url) as console, wire.paused():
        ids = console.submit(add_and_multiply(), runs=2).item_ids
        until(lambda: dict.fromkeys(ids, "pending") == _statuses(console), "the jobs")
        wire.put("clear")
        until(lambda: not console.status.total, "the clearing")
        until(lambda: dict.fromkeys(ids, "gone") == _statuses(console), "the jobs to be gone")
        waiting, _ = console.plots.queue_depth().lines
        assert 0.0 == waiting.get_ydata()[-1]


def test_jobs_that_vanished_between_kernels_are_gone(wire: Wire, tmp_path: Path) -> None:
    """The first look at the queue settles what an earlier kernel left unfinished, even if the queue is empty."""
    path = tmp_path / "history.sqlite"
    with wire.paused():
        with iw.connect(wire.server.url, history=path) as console:
            done, left = (console.submit(add_and_multiply()).item_ids[0] for _ in range(2))
            until(lambda: {done: "pending", left: "pending"} == _statuses(console), "the jobs")
        wire.delete(f"i/{done}")
        with iw.connect(wire.server.url, history=path) as console:
            until(lambda: {done: "gone", left: "pending"} == _statuses(console), "one to be gone")
        wire.put("clear")
        with iw.connect(wire.server.url, history=path) as console:
            until(lambda: {done: "gone", left: "gone"} == _statuses(console), "both to be gone")


def test_a_history_file_outlives_the_console(wire: Wire, tmp_path: Path) -> None:
    """With everything that was logged until the console was closed."""
    file = iw.HistoryFile(tmp_path / "history.sqlite", max_age_days=365)
    with iw.connect(wire.server.url, history=file) as console:
        ids = console.submit(divide_by_zero(), runs=3).item_ids
        until(lambda: len(console.errors) == 3, "the errors")
    with sqlite3.connect(file.path) as connection:  # written when the console was closed, not when the file is
        written = connection.execute("SELECT count(*) FROM records WHERE kind = 'errors'").fetchone()
    connection.close()
    file.close()
    again = iw.HistoryFile(file.path, max_age_days=365)
    found = [error.item_id for error in ErrorLog(file=again, source=f"{wire.server.url} default")]
    again.close()
    assert ((3,), list(ids)) == (written, found)


def test_consoles_that_share_a_history_file_see_each_others_records(wire: Wire, tmp_path: Path) -> None:
    """Also when one of them, whose logs the file then lets go of, has been closed and another one has come."""
    with (
        contextlib.closing(iw.HistoryFile(tmp_path / "history.sqlite")) as file,
        wire.paused(),
        iw.connect(wire.server.url, history=file) as one,
    ):
        for seen in (0, 2):
            with iw.connect(wire.server.url, history=file) as other:
                _cancel_one(one)
                until(lambda log=other.cancellations, seen=seen: len(log) == seen + 1, "the first one's cancellation")
                _cancel_one(other)
                until(lambda seen=seen: len(one.cancellations) == seen + 2, "the other one's cancellation")
        assert 4 == len(one.cancellations)


def _cancel_one(console: iw.Console) -> None:
    console.cancel(console.submit(add_and_multiply()).item_ids[0])


def _retried(wire: Wire, item_id: int) -> int:
    """Retry an item as the web UI does, and return the new item's id once it has ended."""
    before = max(wire.item_ids())
    wire.put("retry_items_by_id", [item_id])
    new = until(lambda: [i for i in wire.item_ids() if i > before], "the new item")[0]
    wire.wait_for(new)
    return int(new)


def _attempts(console: iw.Console) -> dict[int | None, int]:
    return {error.item_id: error.attempt for error in console.errors}


@pytest.mark.parametrize("use_socket", [True, False])
@pytest.mark.slow
def test_attempts_count_retries_from_elsewhere(wire: Wire, use_socket: bool) -> None:
    """Retries by the web UI are attempts two and three, also for a console that connects later."""
    with iw.connect(wire.server.url, use_socket=use_socket) as console:
        first, other = sorted(wire.enqueue(divide_by_zero(), runs=2)["item_ids"])
        wire.wait_for(first)
        wire.wait_for(other)
        second = _retried(wire, first)
        third = _retried(wire, second)
        expected = {first: 1, other: 1, second: 2, third: 3}
        until(lambda: len(console.errors) == 4, "the errors")
        assert expected == _attempts(console)
    with iw.connect(wire.server.url, use_socket=use_socket) as console:
        until(lambda: _attempts(console) == expected, "the same in a console that comes later")


def test_attempts_count_canceled_ones(wire: Wire) -> None:
    """A canceled attempt between two failures counts, though no error names it; also after a restart."""
    with iw.connect(wire.server.url) as console:
        first = wire.run(divide_by_zero())["item_id"]
        with wire.paused():
            wire.put("retry_items_by_id", [first])
            second = until(lambda: [i for i in wire.item_ids() if i > first], "the new item")[0]
            wire.put(f"i/{second}/cancel")
        third = _retried(wire, second)
        until(lambda: len(console.errors) == 2, "the errors")
        assert {first: 1, third: 3} == _attempts(console)
    with iw.connect(wire.server.url) as console:
        until(lambda: {first: 1, third: 3} == _attempts(console), "the same in a console that comes later")


def test_a_failure_that_is_first_seen_beside_another_is_reported(wire: Wire) -> None:
    """To number a retry, the items before it are read too: one of them may have failed without an event."""
    reported = set()

    async def work() -> None:
        async with InvokeClient(wire.server.url) as client:
            store = QueueStore(asyncio.get_running_loop().call_later)
            sync = Sync(client, store, on_failed=lambda item: reported.add(item.item_id), use_socket=False)
            with wire.paused():
                wire.put("retry_items_by_id", first)
                until(lambda: len(wire.item_ids()) == 4, "the new items")
                await sync.first_snapshot()
            again = [i for i in wire.item_ids() if i not in first]
            for item_id in again:
                wire.wait_for(item_id)
            await sync.read_now([max(again)])
            running = asyncio.create_task(sync.run())
            await sync.settled()
            running.cancel()
            await asyncio.wait([running])

    first = wire.enqueue(divide_by_zero(), runs=2)["item_ids"]
    for item_id in first:
        wire.wait_for(item_id)
    asyncio.run(work())
    assert set(wire.item_ids()) == reported


@pytest.mark.slow
def test_attempts_count_deleted_ones(wire: Wire, tmp_path: Path) -> None:
    """With a history, the numbers go on after the server has forgotten the first attempts."""
    path = tmp_path / "history.sqlite"
    with iw.connect(wire.server.url, history=path) as console:
        first = wire.run(divide_by_zero())["item_id"]
        second = _retried(wire, first)
        until(lambda: _attempts(console) == {first: 1, second: 2}, "the errors")
        wire.delete(f"i/{first}")
    with iw.connect(wire.server.url, history=path) as console:
        third = _retried(wire, second)
        wire.delete(f"i/{second}")
        until(lambda: len(console.errors) == 3, "the error")
        assert {first: 1, second: 2, third: 3} == _attempts(console)


def test_console_plots_and_events(server: Server, wire: Wire) -> None:
    """A console draws what it has logged."""
    with iw.connect(server.url) as console:
        console.submit(divide_by_zero())
        until(lambda: len(console.errors), "the error")
        until(lambda: "NodeFailed" in console.events.frame()["event"].tolist(), "the node's event")
        words = [label.get_text() for label in console.plots.error_timeline().get_yticklabels()]
    assert ["execution_failed  1"] == words
