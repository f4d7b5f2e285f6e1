"""Socket events: which ones are sent, their order and their data."""

from typing import Any

import pytest

from tests.support.graphs import add_and_multiply, divide, divide_by_zero, sleep
from tests.support.servers import Server
from tests.support.wire import Listener, Wire

_STARTED, _PROGRESS = "invocation_started", "invocation_progress"
_COMPLETE, _ERROR = "invocation_complete", "invocation_error"
_CHANGED = "queue_item_status_changed"


def _brief(listener: Listener, item_id: int) -> list[str]:
    """Return the events about an item in brief."""
    return [event.brief for event in listener.of_item(item_id)]


def test_events_of_a_completed_job(wire: Wire, server: Server) -> None:
    """The batch comes first, then the item node by node, and its final status last."""
    with Listener(server) as listener:
        item_id = wire.enqueue()["item_ids"][0]
        listener.wait_for_status(item_id, "completed")
        listener.drain(wire)
        assert [
            "batch_enqueued",
            f"{_CHANGED} in_progress",
            f"{_STARTED} add",
            f"{_COMPLETE} add",
            f"{_STARTED} mul",
            f"{_COMPLETE} mul",
            f"{_CHANGED} completed",
        ] == listener.names()


def test_duplicate_events_by_version(wire: Wire, server: Server) -> None:
    """6.13 sends two equal copies of every event to a socket."""
    with Listener(server) as listener:
        item_id = wire.enqueue()["item_ids"][0]
        listener.wait_for_status(item_id, "completed")
        listener.drain(wire)
        copies = [listener.raw.count(event) for event in listener.of_item(item_id)]
    assert [2 if server.has("events_twice") else 1] * 6 == copies


def test_events_of_a_failed_job(wire: Wire, server: Server) -> None:
    """The failed status precedes the node's error, and both have the same cause."""
    with Listener(server) as listener:
        item_id = wire.enqueue(divide_by_zero())["item_ids"][0]
        error = listener.wait_for(_ERROR, item_id=item_id).data
        failed = listener.wait_for_status(item_id, "failed").data
        assert [
            f"{_CHANGED} in_progress",
            f"{_STARTED} ok",
            f"{_COMPLETE} ok",
            f"{_STARTED} div",
            f"{_CHANGED} failed",
            f"{_ERROR} div",
        ] == _brief(listener, item_id)
    same = ("error_type", "error_message", "error_traceback")
    assert [failed[name] for name in same] == [error[name] for name in same]
    assert ("ZeroDivisionError", "division by zero") == (error["error_type"], error["error_message"])


def test_data_of_status_changed(wire: Wire, server: Server) -> None:
    """The event has the item's status and times, and the counters of its batch and of the queue."""
    with Listener(server) as listener:
        item_id = wire.enqueue(destination="there", origin="here")["item_ids"][0]
        running = listener.wait_for_status(item_id, "in_progress").data
        done = listener.wait_for_status(item_id, "completed").data
    item = wire.item(item_id)
    names = ["batch_id", "session_id", "origin", "destination", "created_at", "started_at", "queue_id"]
    for name in names + ["user_id"] * server.has("multiuser"):
        assert (item[name], item[name]) == (running[name], done[name])
    assert done["error_type"] is None
    sequences = (1, 2) if server.has("status_sequence") else (None, None)
    assert sequences == (running.get("status_sequence"), done.get("status_sequence"))
    assert (1, 0, 0, 1) == (
        running["batch_status"]["in_progress"],
        running["batch_status"]["completed"],
        done["batch_status"]["in_progress"],
        done["batch_status"]["completed"],
    )
    assert (item_id, 1) == (running["queue_status"]["item_id"], running["queue_status"]["in_progress"])


def test_data_of_batch_enqueued(wire: Wire, server: Server) -> None:
    """The event has the batch's id and its numbers, not its items."""
    with Listener(server) as listener, wire.paused():
        batch_id = wire.enqueue(runs=3, origin="here")["batch"]["batch_id"]
        event = listener.wait_for("batch_enqueued", batch_id=batch_id).data
    expected = {"queue_id": "default", "enqueued": 3, "requested": 3, "priority": 0, "origin": "here"}
    assert expected == {name: event[name] for name in expected}


def test_data_of_invocation_complete(wire: Wire, server: Server) -> None:
    """The event has the node as executed, its place in the graph, and its output."""
    with Listener(server) as listener:
        item_id = wire.enqueue(add_and_multiply(2, 3, 7))["item_ids"][0]
        event = listener.wait_for(_COMPLETE, item_id=item_id, invocation_source_id="mul").data
    assert ("mul", 5, 7, "integer_output", 35) == (
        event["invocation"]["type"],
        event["invocation"]["a"],
        event["invocation"]["b"],
        event["result"]["type"],
        event["result"]["value"],
    )
    assert event["invocation"]["id"] in wire.item(item_id)["session"]["results"]


def test_progress_with_preview(wire: Wire, server: Server) -> None:
    """Each step has a message, a fraction of 1, and an image if the node sends one."""
    with Listener(server) as listener:
        item_id = wire.enqueue(sleep(0.2, steps=4, preview=True))["item_ids"][0]
        listener.wait_for_status(item_id, "completed")
        steps = [event.data for event in listener.of_item(item_id) if event.name == _PROGRESS]
    assert [(f"Step {n}/4", n / 4) for n in (1, 2, 3, 4)] == [(step["message"], step["percentage"]) for step in steps]
    assert [(512, 512, True)] * 4 == [
        (step["image"]["width"], step["image"]["height"], step["image"]["dataURL"].startswith("data:image/"))
        for step in steps
    ]
    assert {"sleep"} == {step["invocation_source_id"] for step in steps}


@pytest.mark.needs("events_twice")
def test_the_second_copy_of_progress_has_no_preview(wire: Wire, server: Server) -> None:
    """Of the two copies that 6.13 sends of a progress event, one lacks its image."""
    with Listener(server) as listener:
        item_id = wire.enqueue(sleep(0.1, steps=1, preview=True))["item_ids"][0]
        listener.wait_for_status(item_id, "completed")
        listener.drain(wire)
        images = [event.data["image"] is not None for event in listener.raw if event.name == _PROGRESS]
    assert [False, True] == sorted(images)


def test_progress_without_preview(wire: Wire, server: Server) -> None:
    """The image is null."""
    with Listener(server) as listener:
        item_id = wire.enqueue(sleep(0.1, steps=1))["item_ids"][0]
        assert listener.wait_for(_PROGRESS, item_id=item_id).data["image"] is None


def test_cancel_a_pending_item(wire: Wire, server: Server) -> None:
    """One change of status, and nothing else about the item."""
    with Listener(server) as listener:
        _, (pending,) = wire.running_and_pending(1)
        wire.put(f"i/{pending}/cancel")
        event = listener.wait_for_status(pending, "canceled")
        listener.drain(wire)
        sequence = 1 if server.has("status_sequence") else None
        assert ([f"{_CHANGED} canceled"], sequence) == (_brief(listener, pending), event.data.get("status_sequence"))


def test_cancel_the_running_item(wire: Wire, server: Server) -> None:
    """The canceled node neither completes nor fails."""
    with Listener(server) as listener:
        item_id = wire.enqueue(sleep(60, steps=1))["item_ids"][0]
        listener.wait_for(_STARTED, item_id=item_id)
        wire.put(f"i/{item_id}/cancel")
        wire.wait_until_idle()
        listener.drain(wire)
        assert [f"{_CHANGED} in_progress", f"{_STARTED} sleep", f"{_CHANGED} canceled"] == _brief(listener, item_id)


def test_events_of_a_canceled_uncancelable_node(wire: Wire, server: Server) -> None:
    """A node that does not check reports progress and completes after its item was canceled."""
    with Listener(server) as listener:
        item_id = wire.enqueue(sleep(1, steps=1, cancelable=False))["item_ids"][0]
        listener.wait_for(_STARTED, item_id=item_id)
        wire.put(f"i/{item_id}/cancel")
        wire.wait_until_idle()
        listener.drain(wire)
        assert [
            f"{_CHANGED} in_progress",
            f"{_STARTED} sleep",
            f"{_CHANGED} canceled",
            f"{_PROGRESS} sleep",
            f"{_COMPLETE} sleep",
        ] == _brief(listener, item_id)


def test_cancel_of_a_finished_item_is_silent(wire: Wire, server: Server) -> None:
    """Nothing changes, so no event is sent."""
    item_id = wire.run()["item_id"]
    with Listener(server) as listener:
        wire.put(f"i/{item_id}/cancel")
        listener.drain(wire)
        assert [] == listener.names()


def _bulk(listener: Listener) -> list[set[int]]:
    """Return the ids of each bulk cancellation event."""
    return [set(event.data["canceled_item_ids"]) for event in listener.events if event.name == "queue_items_canceled"]


def test_cancel_by_batch_ids(wire: Wire, server: Server) -> None:
    """The running item changes its status; the pending ones come in one event, or before 6.14 in none."""
    with Listener(server) as listener:
        running, pending = wire.running_and_pending(3)
        wire.put("cancel_by_batch_ids", {"batch_ids": [wire.item(running)["batch_id"]]})
        listener.wait_for_status(running, "canceled")
        listener.drain(wire)
        assert [set(pending)] * server.has("queue_items_canceled") == _bulk(listener)
        assert [[]] * 3 == [_brief(listener, item_id) for item_id in pending]


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "cancel_all_except_current"), ("PUT", "delete_all_except_current"), ("DELETE", "d/there")],
)
def test_pending_items_canceled_or_deleted_in_bulk(wire: Wire, server: Server, method: str, path: str) -> None:
    """One event lists them all, also when they are deleted; before 6.14 there is none."""
    with Listener(server) as listener:
        wire.running_and_pending(0, destination="here")
        pending = wire.enqueue(runs=3, destination="there")["item_ids"]
        wire.answer(method, path)
        listener.drain(wire)
        assert [set(pending)] * server.has("queue_items_canceled") == _bulk(listener)


def test_clear(wire: Wire, server: Server) -> None:
    """The running item is canceled, then the queue is cleared."""
    with Listener(server) as listener:
        running, _ = wire.running_and_pending(2)
        wire.put("clear")
        cleared = listener.wait_for("queue_cleared").data
        assert "default" == cleared["queue_id"]
        names = [event.brief for event in listener.events if event.name != _STARTED]
        assert ["batch_enqueued", f"{_CHANGED} in_progress", f"{_CHANGED} canceled", "queue_cleared"] == names
        listener.wait_for_status(running, "canceled")


def test_delete_an_item(wire: Wire, server: Server) -> None:
    """An unfinished item is canceled; the deletion itself sends no event."""
    finished = wire.run()["item_id"]
    with Listener(server) as listener:
        _, (pending,) = wire.running_and_pending(1)
        wire.delete(f"i/{pending}")
        wire.delete(f"i/{finished}")
        listener.drain(wire)
        assert ([f"{_CHANGED} canceled"], []) == (_brief(listener, pending), _brief(listener, finished))


def test_retry(wire: Wire, server: Server) -> None:
    """One event lists the old items (none before 6.14); the new ones are not announced."""
    old = wire.run(divide(1, 0))["item_id"]
    with Listener(server) as listener:
        wire.put("retry_items_by_id", [old])
        listener.wait_for(_CHANGED, status="failed")
        listener.drain(wire)
        retried = [e.data["retried_item_ids"] for e in listener.events if e.name == "queue_items_retried"]
        assert [[old]] * server.has("queue_items_retried") == retried
        assert "batch_enqueued" not in listener.names()


def test_prune_pause_and_resume_are_silent(wire: Wire, server: Server) -> None:
    """These changes can only be polled."""
    wire.run()
    with Listener(server) as listener:
        for path in ("processor/pause", "prune", "processor/resume"):
            wire.put(path)
        listener.drain(wire)
        assert [] == listener.names()


@pytest.mark.needs("status_sequence")
def test_status_sequences_never_go_back(wire: Wire, server: Server) -> None:
    """An item's changes come in the order of their numbers."""
    with Listener(server) as listener:
        item_ids = sorted(wire.enqueue(runs=20)["item_ids"])
        listener.wait_for_status(item_ids[-1], "completed")
        changes = [e.data for e in listener.events if e.name == _CHANGED]
    sequences = [[c["status_sequence"] for c in changes if c["item_id"] == item_id] for item_id in item_ids]
    assert [[1, 2]] * 20 == sequences


def test_a_queue_is_subscribed_to_by_its_id(wire: Wire, server: Server) -> None:
    """A socket receives the events of the queue that it subscribed to."""
    with Wire(server, queue_id="another") as another, Listener(server, queue_id="another") as listener:
        item_id = another.enqueue()["item_ids"][0]
        listener.wait_for_status(item_id, "completed")
        assert {"another"} == {event.data["queue_id"] for event in listener.events}
        another.put("clear")


def test_without_subscription(wire: Wire, server: Server) -> None:
    """From 6.14 on an unsubscribed socket receives nearly all events; before, none."""
    with Listener(server, subscribe=False) as unsubscribed, Listener(server) as listener:
        item_id = wire.enqueue()["item_ids"][0]
        listener.wait_for_status(item_id, "completed")
        wire.put("clear")
        listener.wait_for("queue_cleared")
        expected = [name for name in listener.names() if name != "queue_cleared"]
        if server.has("events_unsubscribed"):
            unsubscribed.wait_for_status(item_id, "completed")
        assert expected * server.has("events_unsubscribed") == unsubscribed.names()


@pytest.mark.parametrize("data", [{}, {"queue_id": 5}, None, "default"], ids=str)
def test_a_malformed_subscription_is_ignored(wire: Wire, server: Server, data: Any) -> None:
    """The socket stays connected, and a proper subscription still works."""
    with Listener(server, subscribe=False) as listener:
        listener.emit("subscribe_queue", data)
        listener.subscribe()
        wire.put("clear")
        listener.wait_for("queue_cleared")
        assert not listener.disconnected.is_set()


def test_past_events_are_not_replayed(wire: Wire, server: Server) -> None:
    """A new socket receives no earlier events."""
    wire.run()
    with Listener(server) as listener:
        listener.drain(wire)
        assert [] == listener.names()


def test_all_sockets_receive_the_same(wire: Wire, server: Server) -> None:
    """Each subscribed socket receives each event."""
    with Listener(server) as first, Listener(server) as second:
        item_id = wire.enqueue()["item_ids"][0]
        first.wait_for_status(item_id, "completed")
        second.wait_for_status(item_id, "completed")
        assert first.of_item(item_id) == second.of_item(item_id)
