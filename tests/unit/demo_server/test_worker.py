"""The embedded server's worker, where the order of things cannot be had over HTTP."""

from __future__ import annotations

from pathlib import Path

from invoke_widgets.demo_server.app import DemoServer
from invoke_widgets.demo_server.models import Batch
from tests.support.graphs import sleep
from tests.support.wire import until


def test_an_item_that_was_taken_while_the_queue_is_cleared_ends(tmp_path: Path) -> None:
    """A clear has looked at what runs, then the worker takes an item, then all rows are deleted: the item ends too."""
    services = DemoServer(tmp_path).services
    queue, worker = services.queue, services.worker
    cleared: list[int] = []

    def clear_too_late() -> None:
        queue._cancel_running = lambda where, params: None  # type: ignore[method-assign]
        cleared.append(queue.clear("default", None))

    worker._before_item = clear_too_late
    queue.enqueue_batch("default", Batch.model_validate({"graph": sleep(60)}), False, "system")
    worker.start()
    try:
        until(lambda: cleared and not worker.status().is_processing, "the worker to be free")
        assert [1] == cleared
    finally:
        worker.stop()
