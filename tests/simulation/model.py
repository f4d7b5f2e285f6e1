"""The queue of an InvokeAI 6.14 server as a plain class: what each request does, and the events that it causes.

`tests/contract/test_model.py` runs the same statements against this class and against real servers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FINISHED = ("completed", "failed", "canceled")
_STATUSES = ("pending", "in_progress", "waiting", "completed", "failed", "canceled")

_FIELDS: dict[str, dict[str, str]] = {
    "add": {"a": "integer", "b": "integer"},
    "div": {"a": "integer", "b": "integer"},
    "probe_sleep": {"seconds": "number", "value": "integer"},
    "probe_fail": {"message": "string", "times": "integer", "name": "string", "seconds": "number"},
}
OPENAPI: dict[str, Any] = {
    "paths": {},
    "components": {
        "schemas": {
            name: {
                "class": "invocation",
                "properties": {
                    "id": {"type": "string"},
                    "type": {"const": name, "type": "string"},
                    **{key: {"type": kind} for key, kind in fields.items()},
                },
            }
            for name, fields in _FIELDS.items()
        }
    },
}


class Missing(Exception):
    """There is no such item."""


@dataclass
class Item:
    """A job in the model's queue, as the server's JSON has it."""

    item_id: int
    batch_id: str
    graph: dict[str, Any]
    created_at: str
    priority: int = 0
    origin: str | None = None
    destination: str | None = None
    field_values: list[dict[str, Any]] | None = None
    retried_from_item_id: int | None = None
    status: str = "pending"
    status_sequence: int = 0
    updated_at: str = ""
    started_at: str | None = None
    completed_at: str | None = None
    device: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None

    @property
    def session_id(self) -> str:
        return f"session-{self.item_id}"

    def whole(self) -> dict[str, Any]:
        """Return the item as `GET i/{id}` has it."""
        names = ("item_id", "batch_id", "status", "status_sequence", "priority", "origin", "destination", "session_id",
                 "error_type", "error_message", "error_traceback", "created_at", "updated_at", "started_at",
                 "completed_at", "field_values", "retried_from_item_id", "device")  # fmt: skip
        found = {name: getattr(self, name) for name in names}
        return {
            **{name: value for name, value in found.items() if value is not None},
            "queue_id": "default",
            "user_id": "system",
            "session": {"id": self.session_id, "graph": self.graph, "results": {}, "errors": {}},
        }

    def summary(self) -> dict[str, Any]:
        names = ("item_id", "created_at", "status", "device", "started_at", "completed_at", "origin", "destination",
                 "batch_id", "field_values")  # fmt: skip
        users = {"user_id": "system", "user_display_name": None, "user_email": None, "parent_item_id": None}
        return {**{name: getattr(self, name) for name in names}, **users}


@dataclass
class Did:
    """A request that changed the queue: its name, its argument, and the ids of the items it made or changed."""

    name: str
    argument: Any
    item_ids: tuple[int, ...] = ()
    by: str = ""


@dataclass
class QueueModel:
    """One queue.

    Args:
        emit: called with the name and the data of each event.
        wall: returns the server's time, as it writes it.
        later: called as `later(seconds, function)`.

    Attributes:
        items: what is in the queue, by id.
        ever: all items that were ever in it.
        did: what was done to it, in order.
    """

    emit: Callable[[str, dict[str, Any]], None]
    wall: Callable[[], str]
    later: Callable[[float, Callable[[], None]], Any]
    items: dict[int, Item] = field(default_factory=dict)
    ever: dict[int, Item] = field(default_factory=dict)
    did: list[Did] = field(default_factory=list)
    max_size: int = 10_000
    is_started: bool = True
    _running: int | None = None
    _run: int = 0
    _tries: dict[str, int] = field(default_factory=dict)
    _is_canceled: bool = False

    # -- reads -------------------------------------------------------------------------------------------------------

    def counts(self, items: list[Item]) -> dict[str, int]:
        found = dict.fromkeys(_STATUSES, 0)
        for item in items:
            found[item.status] += 1
        return {**found, "total": len(items)}

    def queue_status(self) -> dict[str, Any]:
        current = next((item for item in self.items.values() if item.status == "in_progress"), None)
        counts = self.counts(list(self.items.values()))
        return {
            "queue_id": "default",
            "item_id": current and current.item_id,
            "batch_id": current and current.batch_id,
            "session_id": current and current.session_id,
            "user_pending": counts["pending"],
            "user_in_progress": counts["in_progress"],
            **counts,
        }

    def processor(self) -> dict[str, bool]:
        return {"is_started": self.is_started, "is_processing": self._running is not None}

    def status(self) -> dict[str, Any]:
        return {"queue": self.queue_status(), "processor": self.processor()}

    def batch_status(self, batch_id: str) -> dict[str, Any]:
        found = [item for item in self.items.values() if item.batch_id == batch_id]
        origin = {name: getattr(found[0], name) if found else None for name in ("origin", "destination")}
        return {"queue_id": "default", "batch_id": batch_id, **origin, **self.counts(found)}

    def item(self, item_id: int) -> Item:
        """Return an item.

        Raises:
            Missing: there is none.
        """
        if item_id not in self.items:
            raise Missing
        return self.items[item_id]

    def item_ids(self) -> list[int]:
        """Return all ids, the newest first; items created at the same time ascend."""
        return [i.item_id for i in sorted(self.items.values(), key=lambda i: (_descending(i.created_at), i.item_id))]

    def in_order(self) -> list[Item]:
        """Return all items, the next to run first."""
        return sorted(self.items.values(), key=lambda item: (-item.priority, item.item_id))

    # -- changes -----------------------------------------------------------------------------------------------------

    def enqueue(self, batch: dict[str, Any], *, prepend: bool = False, by: str = "") -> dict[str, Any]:
        pending = [item for item in self.items.values() if item.status == "pending"]
        priority = max((item.priority for item in pending), default=0) + 1 if prepend else 0
        values = _combinations(batch.get("data") or [])
        requested = len(values) * int(batch.get("runs", 1))
        wanted = [v for _ in range(int(batch.get("runs", 1))) for v in values][: max(self.max_size - len(pending), 0)]
        made = [
            self._add(
                batch_id=batch["batch_id"],
                graph=batch["graph"],
                field_values=found,
                priority=priority,
                origin=batch.get("origin"),
                destination=batch.get("destination"),
            )
            for found in wanted
        ]
        self._note("enqueue", batch["batch_id"], made, by)
        self.emit(
            "batch_enqueued",
            {
                "queue_id": "default",
                "batch_id": batch["batch_id"],
                "enqueued": len(made),
                "requested": requested,
                "priority": priority,
                "origin": batch.get("origin"),
                "user_id": "system",
            },
        )
        self.later(0.002, self._take_next)
        ids = sorted((i.item_id for i in self.items.values() if i.batch_id == batch["batch_id"]), reverse=True)
        return {
            "queue_id": "default",
            "enqueued": len(made),
            "requested": requested,
            "batch": batch,
            "priority": priority,
            "item_ids": ids,
        }

    def cancel(self, item_id: int, *, by: str = "") -> dict[str, Any]:
        item = self.item(item_id)
        if item.status not in FINISHED:
            self._note("cancel", item_id, [item_id], by)
            self._set_status(item, "canceled")
        return item.whole()

    def cancel_batches(self, batch_ids: list[str], *, by: str = "") -> int:
        chosen = [item for item in self.items.values() if item.batch_id in batch_ids]
        return self._cancel(chosen, "cancel_batch", by) + self._cancel_running(chosen, by)

    def cancel_all_except_current(self, *, by: str = "") -> int:
        return self._cancel(list(self.items.values()), "cancel_pending", by)

    def clear(self, *, by: str = "") -> int:
        self._cancel_running(list(self.items.values()), by)
        gone = list(self.items)
        self.items.clear()
        self._note("clear", None, gone, by)
        self.emit("queue_cleared", {"queue_id": "default", "user_id": None})
        return len(gone)

    def prune(self, *, by: str = "") -> int:
        gone = [item_id for item_id, item in self.items.items() if item.status in FINISHED]
        for item_id in gone:
            del self.items[item_id]
        self._note("prune", None, gone, by)
        return len(gone)

    def delete(self, item_id: int, *, by: str = "") -> None:
        item = self.item(item_id)
        if item.status not in FINISHED:
            self._set_status(item, "canceled")
        del self.items[item_id]
        self._note("delete", item_id, [item_id], by)

    def retry(self, item_ids: list[int], *, by: str = "") -> dict[str, Any]:
        done: list[int] = []
        for item_id in dict.fromkeys(item_ids):
            old = self.items.get(item_id)
            if old is None or old.status not in ("failed", "canceled"):
                continue
            new = self._add(
                batch_id=old.batch_id,
                graph=old.graph,
                field_values=old.field_values,
                priority=old.priority,
                origin=old.origin,
                destination=old.destination,
                retried_from_item_id=old.retried_from_item_id or old.item_id,
            )
            self._note("retry", item_id, [new], by)
            done.append(item_id)
        if done:
            self.emit("queue_items_retried", {"queue_id": "default", "retried_item_ids": done})
            self.later(1.0, self._take_next)  # the worker finds them only when it looks
        return {"queue_id": "default", "retried_item_ids": done}

    def pause(self) -> dict[str, bool]:
        self.is_started = False
        return self.processor()

    def resume(self) -> dict[str, bool]:
        self.is_started = True
        self.later(0.002, self._take_next)
        return self.processor()

    def restart(self) -> None:
        """Begin again with the same database: what ran is canceled, without an event."""
        for item in self.items.values():
            if item.status == "in_progress":
                item.status, item.status_sequence = "canceled", item.status_sequence + 1
        self._running, self.is_started = None, True
        self._run += 1
        self.later(0.1, self._take_next)

    # -- the worker --------------------------------------------------------------------------------------------------

    def _take_next(self) -> None:
        if self._running is not None or not self.is_started:
            return
        item = next((item for item in self.in_order() if item.status == "pending"), None)
        if item is None:
            return
        self._running, self._is_canceled = item.item_id, False
        self._run += 1
        item.device = "cpu"
        self._set_status(item, "in_progress")
        node_id, node = next(iter(item.graph["nodes"].items()))
        self._emit_node("invocation_started", item, node_id, node)
        self._continue(item, node_id, node, self._run, float(node.get("seconds", 0.01)))

    def _continue(self, item: Item, node_id: str, node: dict[str, Any], run: int, left: float) -> None:
        if run != self._run:
            return
        if self._is_canceled or item.status in FINISHED:
            self._stop()
        elif left > 0:
            self.later(min(left, 0.5), lambda: self._continue(item, node_id, node, run, left - 0.5))
        else:
            self._finish(item, node_id, node)
            self._stop()

    def _stop(self) -> None:
        self._running = None
        self.later(0.002, self._take_next)

    def _finish(self, item: Item, node_id: str, node: dict[str, Any]) -> None:
        values = {**node, **{v["field_name"]: v["value"] for v in item.field_values or ()}}
        error = None
        if node["type"] == "div" and values.get("b") == 0:
            error = ("ZeroDivisionError", "division by zero")
        elif node["type"] == "probe_fail":
            name = str(values.get("name", ""))
            self._tries[name] = self._tries.get(name, 0) + 1
            if not values.get("times") or self._tries[name] <= int(values["times"]):
                error = ("RuntimeError", str(values.get("message", "")))
        if error is None:
            self._emit_node("invocation_complete", item, node_id, node, result={"type": "integer_output", "value": 1})
            self._set_status(item, "completed")
            return
        item.error_type, item.error_message = error
        item.error_traceback = f"Traceback (most recent call last):\n{error[0]}: {error[1]}\n"
        self._set_status(item, "failed")
        texts = {name: getattr(item, name) for name in ("error_type", "error_message", "error_traceback")}
        self._emit_node("invocation_error", item, node_id, node, **texts)

    # -- helpers -----------------------------------------------------------------------------------------------------

    def _add(self, **fields: Any) -> int:
        item_id = max(self.ever, default=0) + 1
        now = self.wall()
        item = Item(item_id=item_id, created_at=now, updated_at=now, **fields)
        self.items[item_id] = self.ever[item_id] = item
        return item_id

    def _note(self, name: str, argument: Any, item_ids: list[int], by: str) -> None:
        self.did.append(Did(name, argument, tuple(item_ids), by))

    def _cancel(self, items: list[Item], name: str, by: str) -> int:
        chosen = [item for item in items if item.status == "pending"]
        for item in chosen:
            item.status, item.status_sequence = "canceled", item.status_sequence + 1
            item.completed_at = item.updated_at = self.wall()
        ids = sorted(item.item_id for item in chosen)
        self._note(name, None, ids, by)
        if ids:
            self.emit("queue_items_canceled", {"queue_id": "default", "canceled_item_ids": ids})
        return len(ids)

    def _cancel_running(self, items: list[Item], by: str) -> int:
        running = [item for item in items if item.status == "in_progress"]
        for item in running:
            self._note("cancel", item.item_id, [item.item_id], by)
            self._set_status(item, "canceled")
        return len(running)

    def _set_status(self, item: Item, status: str) -> None:
        item.status, item.status_sequence = status, item.status_sequence + 1
        item.updated_at = self.wall()
        if status == "in_progress":
            item.started_at = item.updated_at
        else:
            item.completed_at = item.updated_at
            self._is_canceled = self._is_canceled or item.item_id == self._running
        left_out = ("session", "priority", "field_values", "device", "retried_from_item_id")
        whole = {"error_type": None, "error_message": None, "error_traceback": None, **item.whole()}
        self.emit(
            "queue_item_status_changed",
            {
                **{name: value for name, value in whole.items() if name not in left_out},
                "batch_status": self.batch_status(item.batch_id),
                "queue_status": self.queue_status(),
            },
        )

    def _emit_node(self, name: str, item: Item, node_id: str, node: dict[str, Any], **more: Any) -> None:
        self.emit(
            name,
            {
                "queue_id": "default",
                "item_id": item.item_id,
                "batch_id": item.batch_id,
                "session_id": item.session_id,
                "invocation": {"id": node_id, "type": node["type"]},
                "invocation_source_id": node_id,
                **more,
            },
        )


def _descending(text: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in text)


def _combinations(data: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = [[]]
    for group in data:
        rows = [
            [{"node_path": e["node_path"], "field_name": e["field_name"], "value": e["items"][n]} for e in group]
            for n in range(len(group[0]["items"]) if group else 0)
        ]
        found = [[*known, *row] for known in found for row in rows]
    return found
