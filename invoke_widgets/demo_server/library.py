"""The library of workflows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .batch import WorkflowWithoutID
from .nodes import new_id
from .store import Store
from .users import CurrentUser

_FOLDER = Path(__file__).parent / "workflows"


class WorkflowNotFoundError(Exception):
    """No workflow has that id."""


class Library:
    """The workflows: those that come with the server, read anew at each start, and those of its users."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as db:
            db.execute("DELETE FROM workflows WHERE category = 'default'")
            for path in sorted(_FOLDER.glob("*.json")):
                workflow = json.loads(path.read_text("utf-8"))
                self._insert(db, workflow["id"], WorkflowWithoutID(**workflow), user_id="system", is_public=True)

    def get(self, workflow_id: str) -> dict[str, Any]:
        """Return one workflow's record.

        Raises:
            WorkflowNotFoundError: there is no such workflow.
        """
        with self._store.transaction() as db:
            row = db.execute("SELECT * FROM workflows WHERE workflow_id = ?", (workflow_id,)).fetchone()
        if row is None:
            raise WorkflowNotFoundError
        return {**_summary(row), "workflow": json.loads(row["workflow"])}

    def create(self, workflow: WorkflowWithoutID, *, user_id: str, is_public: bool) -> dict[str, Any]:
        """Add a user's workflow, and return its record."""
        if workflow.meta.category == "default":
            raise ValueError("Default workflows cannot be created via this method")
        workflow_id = new_id()
        with self._store.transaction() as db:
            self._insert(db, workflow_id, workflow, user_id=user_id, is_public=is_public)
        return self.get(workflow_id)

    def delete(self, workflow_id: str) -> None:
        """Delete a user's workflow.

        Raises:
            WorkflowNotFoundError: there is no such workflow.
        """
        if self.get(workflow_id)["category"] == "default":
            raise ValueError("Default workflows cannot be deleted")
        with self._store.transaction() as db:
            db.execute("DELETE FROM workflows WHERE workflow_id = ?", (workflow_id,))

    def page(
        self, user: CurrentUser, *, categories: Sequence[str], query: str, page: int, per_page: int | None
    ) -> tuple[list[dict[str, Any]], int]:
        """Return a page of records by name, without the workflows, and the number of records in all.

        Args:
            user: whose workflows are listed beside the default ones; an administrator sees all.
            query: text in the name, the description or the tags.
            per_page: maximum number of records; None for all.
        """
        where, params = ["1"], list[Any]()
        if categories:
            where.append("category IN (SELECT value FROM json_each(?))")
            params.append(json.dumps(categories))
        if text := query.strip():
            where.append("(name LIKE ? OR description LIKE ? OR tags LIKE ?)")
            params.extend([f"%{text}%"] * 3)
        if user.scope is not None:
            where.append("(user_id = ? OR category = 'default')")
            params.append(user.scope)
        select = f"FROM workflows WHERE {' AND '.join(where)}"
        with self._store.transaction() as db:
            total = db.execute(f"SELECT COUNT(*) {select}", params).fetchone()[0]
            limit = "LIMIT ? OFFSET ?" if per_page else ""
            paging = [per_page, page * per_page] if per_page else []
            rows = db.execute(f"SELECT * {select} ORDER BY name {limit}", params + paging).fetchall()
        return [_summary(row) for row in rows], total

    def _insert(
        self, db: sqlite3.Connection, workflow_id: str, workflow: WorkflowWithoutID, *, user_id: str, is_public: bool
    ) -> None:
        document = {**workflow.model_dump(mode="json"), "id": workflow_id}
        db.execute(
            "INSERT INTO workflows (workflow_id, workflow, name, description, category, tags, user_id, is_public)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(workflow_id, json.dumps(document), workflow.name, workflow.description),
                *(workflow.meta.category, workflow.tags, user_id, is_public),
            ),
        )


def _summary(row: sqlite3.Row) -> dict[str, Any]:
    return {key: row[key] for key in row.keys() if key != "workflow"}  # noqa: SIM118 - a Row iterates over its values
