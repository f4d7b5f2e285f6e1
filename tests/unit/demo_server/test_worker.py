"""The demo server's worker, where HTTP cannot produce the order of events."""

from __future__ import annotations

from pathlib import Path

from invoke_widgets.demo_server.app import DemoServer
from invoke_widgets.demo_server.batch import BatchRequest
from tests.support.graphs import sleep
from tests.support.wire import until


def test_item_claimed_during_clear_is_canceled(tmp_path: Path) -> None:
    """The queue reads what runs, then the worker claims an item, then all rows are deleted: the item stops too."""
    services = DemoServer(tmp_path).services
    queue, worker = services.queue, services.worker
    cleared: list[bool] = []

    def delete_all_rows() -> None:
        with services.store.transaction() as db:
            db.execute("DELETE FROM queue")
        queue.on_cleared("default", None)
        cleared.append(True)

    worker.before_item = delete_all_rows
    queue.enqueue_batch("default", BatchRequest.model_validate({"graph": sleep(60)}), False, "system")
    worker.start()
    try:
        until(lambda: cleared and not worker.status()["is_processing"], "the worker to be free")
        assert [True] == cleared
    finally:
        worker.stop()
