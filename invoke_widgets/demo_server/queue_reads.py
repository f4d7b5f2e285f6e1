"""The session queue: every question about it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from .models import (
    BatchStatus,
    Counts,
    ItemIdsResult,
    QueueItemNotFoundError,
    SessionQueueCountsByDestination,
    SessionQueueItem,
    SessionQueueStatus,
)
from .session import GraphExecutionState
from .store import Store

_ITEM = """
    SELECT q.*, u.display_name AS user_display_name, u.email AS user_email
    FROM queue q LEFT JOIN users u ON q.user_id = u.user_id
"""
_SUMMARY = """
    SELECT q.item_id, q.created_at, q.status, q.device, q.started_at, q.completed_at, q.origin, q.destination,
           q.batch_id, q.user_id, u.display_name AS user_display_name, u.email AS user_email, q.field_values
    FROM queue q LEFT JOIN users u ON q.user_id = u.user_id
    WHERE q.queue_id = ? AND q.item_id IN ({marks})
"""
# SQLite's limit of parameters was 999 once.
_CHUNK = 900


class QueueReads:
    """Reads the queue. An item whose session is invalid raises a ValidationError wherever it is read in full."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get_item(self, item_id: int) -> SessionQueueItem:
        """An item. Raises QueueItemNotFoundError."""
        items = self._items("WHERE q.item_id = ?", (item_id,))
        if not items:
            raise QueueItemNotFoundError(f"No queue item with id {item_id}")
        return items[0]

    def get_current(self, queue_id: str) -> SessionQueueItem | None:
        """The item that runs, if any."""
        items = self._items("WHERE q.queue_id = ? AND q.status = 'in_progress' LIMIT 1", (queue_id,))
        return items[0] if items else None

    def get_next(self, queue_id: str) -> SessionQueueItem | None:
        """The item that would run next, if any."""
        order = "ORDER BY q.priority DESC, q.created_at, q.item_id LIMIT 1"
        items = self._items(f"WHERE q.queue_id = ? AND q.status = 'pending' {order}", (queue_id,))
        return items[0] if items else None

    def list_all(self, queue_id: str, destination: str | None) -> list[SessionQueueItem]:
        """All items, the next to run first."""
        order = "ORDER BY q.priority DESC, q.item_id"
        if destination is None:
            return self._items(f"WHERE q.queue_id = ? {order}", (queue_id,))
        return self._items(f"WHERE q.queue_id = ? AND q.destination = ? {order}", (queue_id, destination))

    def status_of(self, item_id: int) -> str | None:
        """An item's status; None if it is gone. Works for an unreadable item too."""
        with self._store.transaction() as db:
            row = db.execute("SELECT status FROM queue WHERE item_id = ?", (item_id,)).fetchone()
        return None if row is None else str(row[0])

    def item_ids(self, queue_id: str, descending: bool) -> ItemIdsResult:
        """All ids by age. Items of one batch may share their time; those come in ascending order in either case."""
        order = "DESC" if descending else "ASC"
        sql = f"SELECT item_id FROM queue WHERE queue_id = ? ORDER BY created_at {order}, item_id"
        with self._store.transaction() as db:
            ids = [row[0] for row in db.execute(sql, (queue_id,))]
        return ItemIdsResult(item_ids=ids, total_count=len(ids))

    def summaries(self, queue_id: str, item_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Summaries of those of the items that there are, in the order asked for."""
        found: dict[int, dict[str, Any]] = {}
        with self._store.transaction() as db:
            for start in range(0, len(item_ids), _CHUNK):
                chunk = item_ids[start : start + _CHUNK]
                sql = _SUMMARY.format(marks=", ".join("?" * len(chunk)))
                for row in db.execute(sql, (queue_id, *chunk)):
                    values = row["field_values"]
                    found[row["item_id"]] = {
                        **dict(row),
                        "field_values": None if values is None else json.loads(values),
                        "parent_item_id": None,
                    }
        return [found[item_id] for item_id in item_ids if item_id in found]

    def queue_status(self, queue_id: str, user_id: str, *, see_all: bool) -> SessionQueueStatus:
        """Counts of all and of one user's items, and which item runs, if the user may know.

        Args:
            see_all: whether the user may know of others' items.
        """
        with self._store.transaction() as db:
            counts = self._counts(db, "queue_id = ?", (queue_id,))
            mine = self._counts(db, "queue_id = ? AND user_id = ?", (queue_id, user_id))
            current = db.execute(
                "SELECT item_id, session_id, batch_id, user_id FROM queue"
                " WHERE queue_id = ? AND status = 'in_progress' LIMIT 1",
                (queue_id,),
            ).fetchone()
        known = current is not None and (see_all or current["user_id"] == user_id)
        return SessionQueueStatus(
            queue_id=queue_id,
            item_id=current["item_id"] if known else None,
            batch_id=current["batch_id"] if known else None,
            session_id=current["session_id"] if known else None,
            user_pending=mine.pending,
            user_in_progress=mine.in_progress,
            **counts.model_dump(),
        )

    def batch_status(self, queue_id: str, batch_id: str, user_id: str | None = None) -> BatchStatus:
        """Counts of a batch; zeros for an unknown one."""
        where, params = "queue_id = ? AND batch_id = ?", [queue_id, batch_id]
        if user_id is not None:
            where, params = f"{where} AND user_id = ?", [*params, user_id]
        with self._store.transaction() as db:
            counts = self._counts(db, where, params)
            sql = f"SELECT origin, destination FROM queue WHERE {where} LIMIT 1"
            row = db.execute(sql, params).fetchone()
        return BatchStatus(
            queue_id=queue_id,
            batch_id=batch_id,
            origin=row["origin"] if row else None,
            destination=row["destination"] if row else None,
            **counts.model_dump(),
        )

    def counts_by_destination(
        self, queue_id: str, destination: str, user_id: str | None
    ) -> SessionQueueCountsByDestination:
        """Counts of a destination; zeros for an unknown one."""
        where, params = "queue_id = ? AND destination = ?", [queue_id, destination]
        if user_id is not None:
            where, params = f"{where} AND user_id = ?", [*params, user_id]
        with self._store.transaction() as db:
            counts = self._counts(db, where, params)
        return SessionQueueCountsByDestination(queue_id=queue_id, destination=destination, **counts.model_dump())

    @staticmethod
    def _counts(db: sqlite3.Connection, where: str, params: Sequence[Any]) -> Counts:
        sql = f"SELECT status, COUNT(*) FROM queue WHERE {where} GROUP BY status"
        found: dict[str, int] = {row[0]: row[1] for row in db.execute(sql, params)}
        names = [name for name in Counts.model_fields if name != "total"]
        return Counts(**{name: found.get(name, 0) for name in names}, total=sum(found.values()))

    def _items(self, where: str, params: Sequence[Any]) -> list[SessionQueueItem]:
        with self._store.transaction() as db:
            rows = db.execute(f"{_ITEM} {where}", params).fetchall()
        return [_item(row) for row in rows]


def _item(row: sqlite3.Row) -> SessionQueueItem:
    fields = dict(row)
    values, workflow = fields["field_values"], fields["workflow"]
    fields["field_values"] = None if values is None else json.loads(values)
    fields["workflow"] = None if workflow is None else json.loads(workflow)
    # By itself, so that an error names the session, as the server's does.
    fields["session"] = GraphExecutionState.model_validate_json(fields["session"])
    return SessionQueueItem(**fields)
