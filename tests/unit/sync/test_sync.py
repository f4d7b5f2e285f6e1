"""How `Sync` reports its own defects."""

from __future__ import annotations

import asyncio

import pytest

from invoke_widgets.client import InvokeClient
from invoke_widgets.records import Connection
from invoke_widgets.sync import QueueStore, Sync
from invoke_widgets.sync.reads import Reads


def test_defect_is_logged_and_shown_as_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected exception is shown as an internal error, not an outage, and its traceback is logged."""

    async def broken(self: Reads) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(Reads, "read", broken)

    async def work() -> Connection:
        async with InvokeClient("http://127.0.0.1:9") as client:
            store = QueueStore(asyncio.get_running_loop().call_later)
            sync = Sync(client, store, use_socket=False)
            store.set_connection(mode="live")
            changed = asyncio.Event()
            store.subscribe(lambda _: changed.set())
            task = asyncio.create_task(sync.run())
            await changed.wait()
            connection = store.state.connection
            task.cancel()
            await asyncio.wait([task])
            return connection

    connection = asyncio.run(work())
    assert connection.is_internal
    assert connection.error.startswith("Internal error: KeyError")
    assert any(record.exc_info for record in caplog.records)
