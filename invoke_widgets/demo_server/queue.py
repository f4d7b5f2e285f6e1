"""The session queue: its operations, the events they emit, and its reads.

Running items are canceled one by one, each with its own event, so that the worker notices; pending ones in bulk, with
one event for all.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel

from .batch import BatchRequest, NodeFieldValue, WorkflowWithoutID
from .events import EventBus, QueueEvent
from .faults import Drills
from .session import GraphExecutionState
from .store import Store

Status = Literal["pending", "in_progress", "waiting", "completed", "failed", "canceled"]
TERMINAL: tuple[Status, ...] = ("completed", "failed", "canceled")


class QueueItemNotFoundError(ValueError):
    """No queue item has that id."""

    def __init__(self, item_id: int) -> None:
        super().__init__(f"No queue item with id {item_id}")


class SessionQueueItem(BaseModel):
    """A queue item with its session. What belongs to calls of other workflows stays None here."""

    item_id: int
    status: Status
    status_sequence: int
    priority: int
    batch_id: str
    origin: str | None
    destination: str | None
    session_id: str
    error_type: str | None
    error_message: str | None
    error_traceback: str | None
    created_at: str
    updated_at: str
    started_at: str | None
    completed_at: str | None
    queue_id: str
    user_id: str
    user_display_name: str | None
    user_email: str | None
    field_values: list[NodeFieldValue] | None
    retried_from_item_id: int | None
    device: str | None
    workflow_call_id: str | None = None
    parent_item_id: int | None = None
    parent_session_id: str | None = None
    root_item_id: int | None = None
    workflow_call_depth: int | None = None
    session: GraphExecutionState
    workflow: WorkflowWithoutID | None

    @property
    def ids(self) -> dict[str, Any]:
        """What each event about the item tells of it."""
        names = ("queue_id", "item_id", "batch_id", "origin", "destination", "user_id", "session_id")
        return {name: getattr(self, name) for name in names}


_INSERT = """
    INSERT INTO queue (queue_id, session_id, session, batch_id, field_values, priority, workflow, origin, destination,
                       user_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_RETRY = """
    INSERT INTO queue (session_id, session, queue_id, batch_id, field_values, priority, workflow, origin, destination,
                       user_id, retried_from_item_id)
    SELECT ?, ?, queue_id, batch_id, field_values, priority, workflow, origin, destination, user_id,
           COALESCE(retried_from_item_id, item_id)
    FROM queue WHERE item_id = ?
"""
_ITEM = """
    SELECT q.*, u.display_name AS user_display_name, u.email AS user_email
    FROM queue q LEFT JOIN users u ON q.user_id = u.user_id
"""
_SUMMARY = """
    SELECT q.item_id, q.created_at, q.status, q.device, q.started_at, q.completed_at, q.origin, q.destination,
           q.batch_id, q.user_id, u.display_name AS user_display_name, u.email AS user_email, q.field_values
    FROM queue q LEFT JOIN users u ON q.user_id = u.user_id
    WHERE q.queue_id = ? AND q.item_id IN (SELECT value FROM json_each(?))
"""
_ALIVE = "status IN ('pending', 'waiting')"
_FINISHED = "status IN ('completed', 'failed', 'canceled')"
DEVICE = "cpu"


class Queue:
    """The queue's items in the database.

    Reading an item with an invalid session raises a ValidationError, except in `status_of` and `summaries`.

    Args:
        drills: "full_queue" makes every queue look full.
        max_size: maximum number of pending items per queue.

    Attributes:
        on_finished: called with an item's id and status when it reaches a final status, whoever set it.
        on_enqueued: called after a batch was enqueued.
        on_cleared: called with a queue's id and a user's, None for all users, after it was cleared.
    """

    def __init__(self, store: Store, bus: EventBus, drills: Drills, *, max_size: int) -> None:
        self._store = store
        self._bus = bus
        self.max_size = max_size
        self._drills = drills
        self.on_finished: Callable[[int, Status], None] = lambda item_id, status: None
        self.on_enqueued: Callable[[], None] = lambda: None
        self.on_cleared: Callable[[str, str | None], None] = lambda queue_id, user_id: None

    def recover(self) -> None:
        """Cancel, without events, what ran when the server stopped."""
        with self._store.transaction() as db:
            db.execute(
                "UPDATE queue SET status = 'canceled', status_sequence = status_sequence + 1"
                " WHERE status IN ('in_progress', 'waiting')"
            )

    def room(self, queue_id: str) -> int:
        """Return how many more items a queue takes."""
        if self._drills.on("full_queue"):
            return 0
        with self._store.transaction() as db:
            sql = "SELECT COUNT(*) FROM queue WHERE queue_id = ? AND status = 'pending'"
            pending = db.execute(sql, (queue_id,)).fetchone()[0]
        return max(self.max_size - int(pending), 0)

    def enqueue_batch(self, queue_id: str, batch: BatchRequest, prepend: bool, user_id: str) -> dict[str, Any]:
        """Enqueue the items of a batch, at most as many as the queue takes."""
        with self._store.transaction() as db:
            priority = 0
            if prepend:
                sql = "SELECT MAX(priority) FROM queue WHERE queue_id = ? AND status = 'pending'"
                priority = (db.execute(sql, (queue_id,)).fetchone()[0] or 0) + 1
            workflow = batch.workflow.model_dump_json() if batch.workflow else None
            rows = [
                (
                    *(queue_id, session_id, session, batch.batch_id, values, priority, workflow),
                    *(batch.origin, batch.destination, user_id),
                )
                for session_id, session, values in batch.sessions(self.room(queue_id))
            ]
            db.executemany(_INSERT, rows)
            sql = "SELECT item_id FROM queue WHERE batch_id = ? ORDER BY item_id DESC"
            item_ids = [row[0] for row in db.execute(sql, (batch.batch_id,))]
            counts = {"enqueued": len(rows), "requested": batch.requested()}
            data = {"queue_id": queue_id, "batch_id": batch.batch_id, **counts, "priority": priority}
            data |= {"origin": batch.origin, "user_id": user_id}
            redacted = {**data, "user_id": "redacted", "batch_id": "redacted", "origin": None}
            self._bus.emit(QueueEvent("batch_enqueued", data, (user_id,), redacted))
        self.on_enqueued()
        return {"queue_id": queue_id, **counts, "batch": batch, "priority": priority, "item_ids": item_ids}

    def dequeue(self, round_robin: bool = False) -> SessionQueueItem | None:
        """Claim the next pending item of any queue.

        Args:
            round_robin: whether users take turns.

        Raises:
            ValidationError: the item has an invalid session. It stays pending, and blocks the next call too.
        """
        order = "priority DESC, item_id"
        if round_robin:
            served = "(SELECT MAX(s.started_at) FROM queue s WHERE s.user_id = queue.user_id)"
            order = f"COALESCE({served}, ''), {order}"
        with self._store.transaction() as db:
            row = db.execute(f"SELECT item_id FROM queue WHERE status = 'pending' ORDER BY {order} LIMIT 1").fetchone()
            if row is None:
                return None
            self.get_item(row[0])
            return self.set_status(row[0], "in_progress", device=DEVICE)[0]

    def set_status(
        self,
        item_id: int,
        status: Status,
        *,
        error: tuple[str, str, str] | None = None,
        device: str | None = None,
    ) -> tuple[SessionQueueItem, bool]:
        """Change an item's status unless it has finished; return the item, and whether this call changed it.

        Args:
            error: type, message and traceback.

        Raises:
            QueueItemNotFoundError
        """
        with self._store.transaction() as db:
            row = db.execute("SELECT status FROM queue WHERE item_id = ?", (item_id,)).fetchone()
            if row is None:
                raise QueueItemNotFoundError(item_id)
            if row["status"] in TERMINAL:
                return self.get_item(item_id), False
            db.execute(
                "UPDATE queue SET status = ?, status_sequence = status_sequence + 1, error_type = ?, error_message = ?,"
                " error_traceback = ?, device = COALESCE(?, device) WHERE item_id = ?",
                (status, *(error or (None, None, None)), device, item_id),
            )
            item = self.get_item(item_id)
            batch_status = self.batch_status(item.queue_id, item.batch_id)
            queue_status = self.queue_status(item.queue_id, item.user_id, see_all=False)
            self._bus.emit(_status_changed(item, batch_status, queue_status))
        if status in TERMINAL:
            self.on_finished(item_id, status)
        return item, True

    def save_session(self, item_id: int, session: GraphExecutionState) -> SessionQueueItem:
        """Store an item's session and return the item, or raise QueueItemNotFoundError."""
        text = session.model_dump_json(warnings=False, exclude_none=True)
        with self._store.transaction() as db:
            db.execute("UPDATE queue SET session = ? WHERE item_id = ?", (text, item_id))
            return self.get_item(item_id)

    def cancel_item(self, item_id: int) -> SessionQueueItem:
        """Cancel an item unless it has finished, and return it, or raise QueueItemNotFoundError."""
        self.get_item(item_id)
        return self.set_status(item_id, "canceled")[0]

    def delete_item(self, item_id: int) -> None:
        """Cancel and delete an item, or raise QueueItemNotFoundError."""
        if self.get_item(item_id).status not in TERMINAL:
            self.cancel_item(item_id)
        with self._store.transaction() as db:
            db.execute("DELETE FROM queue WHERE item_id = ?", (item_id,))

    def cancel_by_batch_ids(self, queue_id: str, batch_ids: Sequence[str], user_id: str | None) -> int:
        """Cancel the unfinished items of batches; return their number."""
        condition = "batch_id IN (SELECT value FROM json_each(?))"
        return self._cancel_where(condition, [json.dumps(batch_ids)], queue_id, user_id)

    def cancel_by_destination(self, queue_id: str, destination: str, user_id: str | None) -> int:
        """Cancel the unfinished items of a destination; return their number."""
        return self._cancel_where("destination = ?", [destination], queue_id, user_id)

    def _cancel_where(self, condition: str, values: Sequence[Any], queue_id: str, user_id: str | None) -> int:
        where, params = _scope(condition, values, queue_id, user_id)
        owners = self._cancel_waiting(where, params)
        running = self._cancel_running(where, params)
        self._emit_canceled(queue_id, owners)
        return len(running) + sum(map(len, owners.values()))

    def cancel_all_except_current(self, queue_id: str, user_id: str | None) -> int:
        """Cancel the pending items; return their number."""
        where, params = _scope("1", [], queue_id, user_id)
        owners = self._cancel_waiting(where, params)
        self._emit_canceled(queue_id, owners)
        return sum(map(len, owners.values()))

    def delete_all_except_current(self, queue_id: str, user_id: str | None) -> int:
        """Delete the pending items; return their number."""
        where, params = _scope(_ALIVE, [], queue_id, user_id)
        with self._store.transaction() as db:
            owners = _ids_by_user(db, where, params)
            db.execute(f"DELETE FROM queue WHERE {where}", params)
        self._emit_canceled(queue_id, owners)
        return sum(map(len, owners.values()))

    def delete_by_destination(self, queue_id: str, destination: str, user_id: str | None) -> int:
        """Cancel the running item and delete all items of a destination; return their number."""
        where, params = _scope("destination = ?", [destination], queue_id, user_id)
        running = self._cancel_running(where, params)
        with self._store.transaction() as db:
            owners = _ids_by_user(db, where, params)
            db.execute(f"DELETE FROM queue WHERE {where}", params)
        silent = {user: [i for i in ids if i not in running] for user, ids in owners.items()}
        self._emit_canceled(queue_id, {user: ids for user, ids in silent.items() if ids})
        return sum(map(len, owners.values()))

    def clear(self, queue_id: str, user_id: str | None) -> int:
        """Cancel the running item and delete all items; return their number."""
        where, params = _scope("1", [], queue_id, user_id)
        self._cancel_running(where, params)
        with self._store.transaction() as db:
            deleted = db.execute(f"DELETE FROM queue WHERE {where}", params).rowcount
        self.on_cleared(queue_id, user_id)
        data = {"queue_id": queue_id, "user_id": user_id}
        if user_id is None:
            self._bus.emit(QueueEvent("queue_cleared", data, public=True))
        else:
            self._bus.emit(QueueEvent("queue_cleared", data, (user_id,), {**data, "user_id": "redacted"}))
        return deleted

    def prune(self, queue_id: str, user_id: str | None) -> int:
        """Delete the finished items; return their number."""
        where, params = _scope(_FINISHED, [], queue_id, user_id)
        with self._store.transaction() as db:
            return db.execute(f"DELETE FROM queue WHERE {where}", params).rowcount

    def retry(self, queue_id: str, item_ids: Sequence[int]) -> list[int]:
        """Enqueue failed and canceled items again; return their old ids.

        As in InvokeAI, the worker finds them only when it polls.
        """
        retried: dict[str, list[int]] = {}
        done: list[int] = []
        with self._store.transaction() as db:
            room = self.room(queue_id)
            if room <= 0:
                return []
            for item_id in dict.fromkeys(item_ids):
                try:
                    item = self.get_item(item_id)
                except QueueItemNotFoundError:
                    continue
                if item.queue_id != queue_id or item.status not in ("failed", "canceled"):
                    continue
                session = GraphExecutionState(graph=item.session.graph)
                text = session.model_dump_json(warnings=False, exclude_none=True)
                db.execute(_RETRY, (session.id, text, item_id))
                retried.setdefault(item.user_id, []).append(item_id)
                done.append(item_id)
                if len(done) >= room:
                    break
            self._emit_by_user("queue_items_retried", "retried_item_ids", queue_id, retried, done)
        return done

    def _cancel_waiting(self, where: str, params: Sequence[Any]) -> dict[str, list[int]]:
        with self._store.transaction() as db:
            where = f"{where} AND {_ALIVE}"
            owners = _ids_by_user(db, where, params)
            sql = f"UPDATE queue SET status = 'canceled', status_sequence = status_sequence + 1 WHERE {where}"
            db.execute(sql, params)
        return owners

    def _cancel_running(self, where: str, params: Sequence[Any]) -> list[int]:
        with self._store.transaction() as db:
            sql = f"SELECT item_id FROM queue WHERE {where} AND status = 'in_progress'"
            item_ids = [row[0] for row in db.execute(sql, params).fetchall()]
            return [item_id for item_id in item_ids if self.set_status(item_id, "canceled")[1]]

    # -- reads ---------------------------------------------------------------------------------------------------

    def get_item(self, item_id: int) -> SessionQueueItem:
        """Return an item, or raise QueueItemNotFoundError."""
        items = self._items("WHERE q.item_id = ?", (item_id,))
        if not items:
            raise QueueItemNotFoundError(item_id)
        return items[0]

    def get_current(self, queue_id: str) -> SessionQueueItem | None:
        """Return the running item, or None."""
        items = self._items("WHERE q.queue_id = ? AND q.status = 'in_progress' LIMIT 1", (queue_id,))
        return items[0] if items else None

    def get_next(self, queue_id: str) -> SessionQueueItem | None:
        """Return the item that would run next, or None."""
        order = "ORDER BY q.priority DESC, q.created_at, q.item_id LIMIT 1"
        items = self._items(f"WHERE q.queue_id = ? AND q.status = 'pending' {order}", (queue_id,))
        return items[0] if items else None

    def list_all(self, queue_id: str, destination: str | None) -> list[SessionQueueItem]:
        """Return all items, the next to run first."""
        order = "ORDER BY q.priority DESC, q.item_id"
        if destination is None:
            return self._items(f"WHERE q.queue_id = ? {order}", (queue_id,))
        return self._items(f"WHERE q.queue_id = ? AND q.destination = ? {order}", (queue_id, destination))

    def status_of(self, item_id: int) -> str | None:
        """Return an item's status, or None if it does not exist."""
        with self._store.transaction() as db:
            row = db.execute("SELECT status FROM queue WHERE item_id = ?", (item_id,)).fetchone()
        return None if row is None else str(row[0])

    def item_ids(self, queue_id: str, order: Literal["ASC", "DESC"]) -> list[int]:
        """Return all ids by age. Items created at the same time are in ascending order in either direction."""
        sql = f"SELECT item_id FROM queue WHERE queue_id = ? ORDER BY created_at {order}, item_id"
        with self._store.transaction() as db:
            return [row[0] for row in db.execute(sql, (queue_id,))]

    def summaries(self, queue_id: str, item_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return summaries in the order of the ids, leaving out unknown ones."""
        with self._store.transaction() as db:
            rows = {row["item_id"]: dict(row) for row in db.execute(_SUMMARY, (queue_id, json.dumps(item_ids)))}
        for row in rows.values():
            values = row["field_values"]
            row |= {"field_values": None if values is None else json.loads(values), "parent_item_id": None}
        return [rows[item_id] for item_id in item_ids if item_id in rows]

    def queue_status(self, queue_id: str, user_id: str, *, see_all: bool) -> dict[str, Any]:
        """Return the counts of all items and of one user's, and the running item, if the user may see it.

        Args:
            see_all: whether the user may see other users' items.
        """
        with self._store.transaction() as db:
            counts = self._counts(db, "queue_id = ?", (queue_id,))
            mine = self._counts(db, "queue_id = ? AND user_id = ?", (queue_id, user_id))
            current = db.execute(
                "SELECT item_id, session_id, batch_id, user_id FROM queue"
                " WHERE queue_id = ? AND status = 'in_progress' LIMIT 1",
                (queue_id,),
            ).fetchone()
        known = current if current is not None and (see_all or current["user_id"] == user_id) else {}
        return {
            "queue_id": queue_id,
            **{name: known[name] if known else None for name in ("item_id", "batch_id", "session_id")},
            **counts,
            "user_pending": mine["pending"],
            "user_in_progress": mine["in_progress"],
        }

    def batch_status(self, queue_id: str, batch_id: str, user_id: str | None = None) -> dict[str, Any]:
        """Return the counts of a batch; zeros for an unknown one."""
        where, params = _scope("batch_id = ?", [batch_id], queue_id, user_id)
        with self._store.transaction() as db:
            counts = self._counts(db, where, params)
            sql = f"SELECT origin, destination FROM queue WHERE {where} LIMIT 1"
            row = db.execute(sql, params).fetchone() or {"origin": None, "destination": None}
        return {"queue_id": queue_id, "batch_id": batch_id, **dict(row), **counts}

    def counts_by_destination(self, queue_id: str, destination: str, user_id: str | None) -> dict[str, Any]:
        """Return the counts of a destination; zeros for an unknown one."""
        where, params = _scope("destination = ?", [destination], queue_id, user_id)
        with self._store.transaction() as db:
            return {"queue_id": queue_id, "destination": destination, **self._counts(db, where, params)}

    @staticmethod
    def _counts(db: sqlite3.Connection, where: str, params: Sequence[Any]) -> dict[str, int]:
        sql = f"SELECT status, COUNT(*) FROM queue WHERE {where} GROUP BY status"
        found: dict[str, int] = {row[0]: row[1] for row in db.execute(sql, params)}
        return {**{status: found.get(status, 0) for status in get_args(Status)}, "total": sum(found.values())}

    def _items(self, where: str, params: Sequence[Any]) -> list[SessionQueueItem]:
        with self._store.transaction() as db:
            rows = db.execute(f"{_ITEM} {where}", params).fetchall()
        return [_item(row) for row in rows]

    # -- events --------------------------------------------------------------------------------------------------

    def _emit_canceled(self, queue_id: str, owners: dict[str, list[int]]) -> None:
        if owners:
            ids = [item_id for ids in owners.values() for item_id in ids]
            self._emit_by_user("queue_items_canceled", "canceled_item_ids", queue_id, owners, ids)

    def _emit_by_user(self, name: str, key: str, queue_id: str, owners: dict[str, list[int]], ids: list[int]) -> None:
        def of(owned: dict[str, list[int]], some: list[int]) -> dict[str, Any]:
            by_user = f"{key}_by_user"
            return {"queue_id": queue_id, key: some, "user_ids": list(owned), by_user: owned}

        by_owner = {user: of({user: own}, own) for user, own in owners.items()}
        self._bus.emit(QueueEvent(name, of(owners, ids), tuple(owners), of({}, []), by_owner=by_owner))


def _item(row: sqlite3.Row) -> SessionQueueItem:
    fields = dict(row)
    values, workflow = fields["field_values"], fields["workflow"]
    fields["field_values"] = None if values is None else json.loads(values)
    fields["workflow"] = None if workflow is None else json.loads(workflow)
    # Validated separately, so that an error names the session, as in InvokeAI.
    fields["session"] = GraphExecutionState.model_validate_json(fields["session"])
    return SessionQueueItem(**fields)


def _scope(condition: str, values: Sequence[Any], queue_id: str, user_id: str | None) -> tuple[str, list[Any]]:
    """Limit a condition to a queue, and to a user if one is given."""
    params = [queue_id, *values]
    if user_id is None:
        return f"queue_id = ? AND {condition}", params
    return f"queue_id = ? AND {condition} AND user_id = ?", [*params, user_id]


def _ids_by_user(db: sqlite3.Connection, where: str, params: Sequence[Any]) -> dict[str, list[int]]:
    owners: dict[str, list[int]] = {}
    for item_id, user_id in db.execute(f"SELECT item_id, user_id FROM queue WHERE {where} ORDER BY item_id", params):
        owners.setdefault(user_id, []).append(item_id)
    return owners


def _status_changed(item: SessionQueueItem, batch: dict[str, Any], queue: dict[str, Any]) -> QueueEvent:
    fields: tuple[str, ...] = ("status", "status_sequence", "error_type", "error_message", "error_traceback")
    fields += ("created_at", "updated_at", "started_at", "completed_at")
    data = item.ids | {name: getattr(item, name) for name in fields} | {"batch_status": batch, "queue_status": queue}
    hidden = dict.fromkeys(("origin", "destination", "error_type", "error_message", "error_traceback"))
    names = dict.fromkeys(("user_id", "batch_id", "session_id"), "redacted")
    current = dict.fromkeys(("item_id", "session_id", "batch_id", "user_pending", "user_in_progress"))
    redacted = {
        **data,
        **hidden,
        **names,
        "batch_status": {**batch, "batch_id": "redacted", "origin": None, "destination": None},
        "queue_status": {**queue, **current},
    }
    return QueueEvent("queue_item_status_changed", data, (item.user_id,), redacted)
