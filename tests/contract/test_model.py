"""The simulation's model of the queue does what the server does: one statement at a time, asked of both."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.simulation.clock import VirtualLoop
from tests.simulation.server import Server as SimulatedServer
from tests.support.graphs import Graph, divide, sleep
from tests.support.wire import PATIENCE, Listener, Wire

Answer = tuple[int, Any]
Events = list[tuple[str, dict[str, Any]]]


class Subject:
    """A queue to make statements about."""

    events: Events

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        raise NotImplementedError

    def wait(self) -> None:
        """Let a moment go by."""
        raise NotImplementedError

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer to a request that must succeed."""
        status, answer = self.send(method, path, body)
        assert status in (200, 201), (method, path, status, answer)
        return answer

    def enqueue(self, graph: Graph, **batch: Any) -> list[int]:
        prepend = batch.pop("prepend", False)
        body = {"batch": {"graph": graph, "runs": 1, "batch_id": "b", **batch}, "prepend": prepend}
        answer = self.ask("POST", "enqueue_batch", body)
        ids: list[int] = answer["item_ids"]
        return sorted(ids)[-answer["enqueued"] :]

    def until(self, look: Callable[[], bool]) -> None:
        for _ in range(int(PATIENCE / 0.02)):
            if look():
                return
            self.wait()
        raise AssertionError("it did not come to that")

    def finish(self) -> None:
        """Wait until all is done."""
        status = lambda: self.ask("GET", "status")  # noqa: E731
        self.until(lambda: not status()["queue"]["pending"] + status()["queue"]["in_progress"])
        self.until(lambda: not status()["processor"]["is_processing"])

    def start(self, graph: Graph, **batch: Any) -> list[int]:
        """Enqueue a batch, and wait until its first item's node runs."""
        ids = self.enqueue(graph, **batch)
        self.until(lambda: any(n == "invocation_started" and d["item_id"] == ids[0] for n, d in list(self.events)))
        return ids

    def statuses(self, ids: list[int]) -> list[Any]:
        return [self.send("GET", f"i/{i}")[1].get("status", "missing") for i in ids]

    def counts(self, path: str = "status") -> dict[str, int]:
        """Return the counters that are not zero."""
        answer = self.ask("GET", path)
        names = ("pending", "in_progress", "completed", "failed", "canceled", "total")
        return {name: value for name in names if (value := answer.get("queue", answer)[name])}

    def briefs(self, ids: list[int]) -> list[str]:
        """Return the events of these items and of the queue, with the place of each item."""
        found = []
        for name, data in list(self.events):
            if name in ("queue_item_status_changed", "invocation_started", "invocation_complete", "invocation_error"):
                place = ids.index(data["item_id"]) if data["item_id"] in ids else "?"
                found.append(f"{name} {place} {data.get('status', '')}".strip())
            elif name != "invocation_progress":
                listed = data.get("canceled_item_ids") or data.get("retried_item_ids") or []
                found.append(f"{name} {[ids.index(i) for i in sorted(listed)]}")
        return found


class OfServer(Subject):
    """The queue of a running server."""

    def __init__(self, wire: Wire, listener: Listener) -> None:
        self._wire = wire
        self._listener = listener

    @property
    def events(self) -> Events:  # type: ignore[override]
        return [(event.name, event.data) for event in self._listener.events]

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        response = self._wire.send(method, path, body)
        return response.status_code, response.json()

    def wait(self) -> None:
        time.sleep(0.02)

    def finish(self) -> None:
        super().finish()
        # Events may come a little later than what they report.
        seen = -1
        while seen != len(self.events):
            seen = len(self.events)
            time.sleep(0.2)


class OfModel(Subject):
    """The queue of the simulation."""

    def __init__(self) -> None:
        self.events = []
        self._loop = VirtualLoop()
        self._server = SimulatedServer(self._loop, lambda text: None)
        self._server.model.emit = lambda name, data: self.events.append((name, data))

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        content = b"" if body is None else json.dumps(body).encode()
        status, answer = self._server.answer(method, f"/api/v1/queue/default/{path}", content, "")
        return status, json.loads(json.dumps(answer))

    def wait(self) -> None:
        self._loop.run_until_complete(asyncio.sleep(0.02))

    def close(self) -> None:
        self._loop.close()


@contextmanager
def _model() -> Iterator[OfModel]:
    model = OfModel()
    try:
        yield model
    finally:
        model.close()


# -- the statements ----------------------------------------------------------------------------------------------------


def _runs(q: Subject) -> Any:
    ids = q.enqueue(divide(6, 2), runs=2, destination="d", origin="o")
    q.finish()
    item = q.ask("GET", f"i/{ids[0]}")
    (summary, *_) = q.ask("POST", "item_summaries_by_ids", {"item_ids": [ids[0], 999_999_999]})
    names = ("status", "status_sequence", "priority", "origin", "destination", "batch_id", "field_values")
    return (
        q.statuses(ids),
        q.counts(),
        q.briefs(ids),
        [item.get(name) for name in (*names, "retried_from_item_id", "error_type", "user_id")],
        [summary.get(name) for name in ("status", "origin", "destination", "batch_id", "field_values")],
        sorted(summary),
    )


def _fails(q: Subject) -> Any:
    ids = q.enqueue(divide(1, 0))
    q.finish()
    item = q.ask("GET", f"i/{ids[0]}")
    event = next(d for n, d in q.events if d.get("status") == "failed")
    names = ("status", "error_type", "error_message")
    return q.briefs(ids), [item[n] for n in names], [event[n] for n in names], event["queue_status"]["failed"]


def _varies(q: Subject) -> Any:
    q.ask("PUT", "processor/pause")
    group = [{"node_path": "div", "field_name": "a", "items": [4, 6]}]
    ids = q.enqueue(divide(1, 2), runs=2, data=[group])
    items = q.ask("POST", "items_by_ids", {"item_ids": ids})
    return len(ids), sorted(item["field_values"][0]["value"] for item in items), q.counts()


def _in_order(q: Subject) -> Any:
    q.ask("PUT", "processor/pause")
    ids = q.enqueue(divide(1, 1), runs=2) + q.enqueue(divide(1, 1), batch_id="c", prepend=True)
    listed = [ids.index(item["item_id"]) for item in q.ask("GET", "list_all")]
    answer = q.ask("GET", "item_ids")
    next_one = ids.index(q.ask("GET", "next")["item_id"])
    return listed, next_one, q.ask("GET", "current"), answer["total_count"], sorted(answer["item_ids"]) == ids


def _cancels(q: Subject) -> Any:
    ids = q.start(sleep(60), runs=2)
    answers = [q.ask("PUT", f"i/{item_id}/cancel") for item_id in (ids[1], ids[0], ids[0])]
    first = [[answer.get(name) for name in ("status", "status_sequence", "error_type")] for answer in answers]
    q.finish()
    return first, q.statuses(ids), q.send("PUT", "i/999999999/cancel")[0], q.counts()


def _cancels_finished(q: Subject) -> Any:
    ids = q.enqueue(divide(1, 1)) + q.enqueue(divide(1, 0), batch_id="c")
    q.finish()
    return [q.ask("PUT", f"i/{i}/cancel")["status"] for i in ids], q.counts()


def _cancels_batch(q: Subject) -> Any:
    ids = q.start(sleep(60), runs=3)
    others = q.enqueue(divide(1, 1), batch_id="c")
    answer = q.ask("PUT", "cancel_by_batch_ids", {"batch_ids": ["b"]})
    again = q.ask("PUT", "cancel_by_batch_ids", {"batch_ids": ["b", "unknown"]})
    q.finish()
    return answer, again, q.statuses(ids + others), q.counts("b/b/status"), q.counts("b/unknown/status")


def _cancels_pending(q: Subject) -> Any:
    ids = q.start(sleep(60), runs=3)
    answer = q.ask("PUT", "cancel_all_except_current")
    statuses = q.statuses(ids)
    q.ask("PUT", f"i/{ids[0]}/cancel")
    q.finish()
    return answer, statuses, q.briefs(ids)


def _clears(q: Subject) -> Any:
    ids = q.start(sleep(60), runs=3)
    answer = q.ask("PUT", "clear")
    q.finish()
    return answer, q.counts(), q.send("GET", f"i/{ids[0]}")[0], q.briefs(ids)[-2:]


def _prunes_and_deletes(q: Subject) -> Any:
    q.enqueue(divide(1, 1), runs=2)
    q.finish()
    q.ask("PUT", "processor/pause")
    ids = q.enqueue(divide(1, 1), batch_id="c", runs=2)
    pruned = q.ask("PUT", "prune")
    deleted = q.ask("DELETE", f"i/{ids[0]}")
    return pruned, deleted, q.send("DELETE", f"i/{ids[0]}")[0], q.statuses(ids), q.counts(), q.counts("b/b/status")


def _retries(q: Subject) -> Any:
    ids = q.enqueue(divide(1, 0)) + q.enqueue(divide(1, 1), batch_id="c")
    q.finish()
    first = q.ask("PUT", "retry_items_by_id", [*ids, 999_999_999])["retried_item_ids"]
    q.finish()
    (new,) = (i for i in q.ask("GET", "item_ids")["item_ids"] if i not in ids)
    q.ask("PUT", "retry_items_by_id", [new])
    q.finish()
    (newer,) = (i for i in q.ask("GET", "item_ids")["item_ids"] if i not in (*ids, new))
    items = [q.ask("GET", f"i/{i}") for i in (new, newer)]
    names = ("status", "batch_id", "priority")
    roots = [ids.index(item["retried_from_item_id"]) for item in items]
    retried = [d["retried_item_ids"] == [x] for x, (n, d) in zip((ids[0], new), _named(q, "retried"), strict=True)]
    return [ids.index(i) for i in first], roots, [[item[n] for n in names] for item in items], retried


def _pauses(q: Subject) -> Any:
    states = [q.ask("PUT", "processor/pause"), q.ask("GET", "status")["processor"]]
    ids = q.enqueue(divide(1, 1))
    q.wait()
    states.append(q.counts())
    states.append(q.ask("PUT", "processor/resume")["is_started"])
    q.finish()
    return states, q.statuses(ids)


def _named(q: Subject, name: str) -> Events:
    return [event for event in q.events if event[0] == f"queue_items_{name}"]


@pytest.mark.needs("item_summaries")
@pytest.mark.parametrize(
    "statement",
    [_runs, _fails, _varies, _in_order, _cancels, _cancels_finished, _cancels_batch, _cancels_pending, _clears,
     _prunes_and_deletes, _retries, _pauses],
    ids=lambda statement: statement.__name__.lstrip("_"),
)  # fmt: skip
def test_the_model_does_what_the_server_does(wire: Wire, statement: Callable[[Subject], Any]) -> None:
    """The same requests have the same answers, events and effects."""
    with Listener(wire.server) as listener:
        of_server = statement(OfServer(wire, listener))
    with _model() as model:
        assert of_server == statement(model)
