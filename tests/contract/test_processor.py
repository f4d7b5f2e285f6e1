"""The processor: pause, resume, and what the status says."""

from invoke_widgets.records import ProcessorStatus
from tests.support.blocking import BlockingClient
from tests.support.graphs import sleep
from tests.support.servers import Server
from tests.support.wire import Wire, until


def test_pause_and_resume_return_the_processor_status(client: BlockingClient) -> None:
    """Both say whether it is started and whether it is at work, and may be repeated."""
    answers = [client.pause(), client.pause(), client.resume(), client.resume()]
    paused, resumed = (ProcessorStatus(is_started=started, is_processing=False) for started in (False, True))
    assert [paused, paused, resumed, resumed] == answers


def test_nothing_starts_while_paused(wire: Wire) -> None:
    """Items wait, and run after the resume."""
    with wire.paused():
        item_ids = wire.enqueue(runs=2)["item_ids"]
        assert (False, {"pending": 2}) == (wire.get("status")["processor"]["is_started"], wire.counts())
    assert ["completed"] * 2 == [wire.wait_for(item_id)["status"] for item_id in item_ids]


def test_running_item_continues_while_paused(wire: Wire) -> None:
    """A pause holds the next item back, not this one."""
    item_ids = wire.start(sleep(1, steps=2), runs=2)
    with wire.paused():
        assert ["completed", "pending"] == [wire.wait_for(item_ids[0])["status"], wire.item(item_ids[1])["status"]]


def test_status_of_an_idle_server(wire: Wire, server: Server) -> None:
    """All counters are zero, and no item is named."""
    status = wire.get("status")
    names = {"pending", "in_progress", "completed", "failed", "canceled", "total"}
    names |= {"waiting"} if server.has("waiting") else set()
    assert dict.fromkeys(names, 0) == {name: status["queue"][name] for name in names}
    assert (None, None, None) == tuple(status["queue"][name] for name in ("item_id", "batch_id", "session_id"))
    assert {"is_started": True, "is_processing": False} == status["processor"]


def test_status_names_the_running_item(wire: Wire) -> None:
    """While an item runs, the status has its id, its batch and its session."""
    running, _ = wire.running_and_pending(1)
    status = wire.get("status")
    item = wire.item(running)
    assert [item[name] for name in ("item_id", "batch_id", "session_id")] == [
        status["queue"][name] for name in ("item_id", "batch_id", "session_id")
    ]
    assert (1, 1, 2) == tuple(status["queue"][name] for name in ("in_progress", "pending", "total"))
    until(lambda: wire.get("status")["processor"]["is_processing"], "the processor to be at work")
