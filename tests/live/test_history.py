"""What a console logs from a server, and what a second kernel finds of it."""

from __future__ import annotations

from pathlib import Path

import invoke_widgets as iw
from tests.graphs import divide_by_zero, sleep
from tests.servers import Server
from tests.wire import Wire, until


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


def test_a_failed_job_is_one_error(server: Server, wire: Wire) -> None:
    """However many ways tell of it: events, reads, a refresh."""
    with iw.connect(server.url) as console:
        batch = console.submit(divide_by_zero(), runs=3)
        until(lambda: len(console.errors) >= 3, "the errors")
        console.refresh()
        found = sorted(e.item_id or 0 for e in console.errors if e.batch_id == batch.batch_id)
        group = console.errors.groups()[0]
    assert (list(batch.item_ids), 3, batch.item_ids) == (found, group.count, group.item_ids)


def test_plots_and_events_of_a_console(server: Server, wire: Wire) -> None:
    """A console draws what it has logged."""
    with iw.connect(server.url) as console:
        console.submit(divide_by_zero())
        until(lambda: len(console.errors), "the error")
        until(lambda: "NodeFailed" in console.events.frame()["event"].tolist(), "the node's event")
        words = [label.get_text() for label in console.plots.error_timeline().axes[0].get_yticklabels()]
    assert ["execution_failed  1"] == words
