"""The SQLite database: its tables, and transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOW = "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')"

# Triggers set the times, so that they always agree with the statuses.
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS users (
    user_id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, display_name TEXT, password TEXT, is_admin INTEGER NOT NULL,
    created_at TEXT NOT NULL DEFAULT({_NOW}), updated_at TEXT NOT NULL DEFAULT({_NOW}), last_login_at TEXT
);
INSERT OR IGNORE INTO users (user_id, email, display_name, is_admin)
    VALUES ('system', 'system@system.invokeai', 'System', 1);

CREATE TABLE IF NOT EXISTS queue (
    item_id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id TEXT NOT NULL, batch_id TEXT NOT NULL, session_id TEXT NOT NULL, session TEXT NOT NULL, field_values TEXT,
    workflow TEXT, origin TEXT, destination TEXT, priority INTEGER NOT NULL DEFAULT 0, user_id TEXT NOT NULL,
    retried_from_item_id INTEGER, status TEXT NOT NULL DEFAULT 'pending', status_sequence INTEGER NOT NULL DEFAULT 0,
    error_type TEXT, error_message TEXT, error_traceback TEXT, device TEXT,
    created_at TEXT NOT NULL DEFAULT({_NOW}), updated_at TEXT NOT NULL DEFAULT({_NOW}),
    started_at TEXT, completed_at TEXT
);
CREATE INDEX IF NOT EXISTS queue_by_status ON queue(status, priority DESC, item_id);
CREATE INDEX IF NOT EXISTS queue_by_queue ON queue(queue_id, status, user_id);
CREATE INDEX IF NOT EXISTS queue_by_batch ON queue(batch_id, status);
CREATE TRIGGER IF NOT EXISTS queue_started AFTER UPDATE OF status ON queue WHEN NEW.status = 'in_progress'
    BEGIN UPDATE queue SET started_at = {_NOW} WHERE item_id = NEW.item_id; END;
CREATE TRIGGER IF NOT EXISTS queue_completed AFTER UPDATE OF status ON queue
    WHEN NEW.status IN ('completed', 'failed', 'canceled')
    BEGIN UPDATE queue SET completed_at = {_NOW} WHERE item_id = NEW.item_id; END;
CREATE TRIGGER IF NOT EXISTS queue_updated AFTER UPDATE OF status, session ON queue
    BEGIN UPDATE queue SET updated_at = {_NOW} WHERE item_id = NEW.item_id; END;

CREATE TABLE IF NOT EXISTS images (
    image_name TEXT PRIMARY KEY, image_origin TEXT NOT NULL, image_category TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, session_id TEXT, node_id TEXT, user_id TEXT NOT NULL,
    is_intermediate INTEGER NOT NULL, starred INTEGER NOT NULL DEFAULT 0, has_workflow INTEGER NOT NULL DEFAULT 0,
    metadata TEXT, workflow TEXT, graph TEXT, board_id TEXT, board_since TEXT,
    created_at TEXT NOT NULL DEFAULT({_NOW}), updated_at TEXT NOT NULL DEFAULT({_NOW})
);
CREATE TABLE IF NOT EXISTS boards (
    board_id TEXT PRIMARY KEY, board_name TEXT NOT NULL, user_id TEXT NOT NULL, archived INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL DEFAULT({_NOW}), updated_at TEXT NOT NULL DEFAULT({_NOW})
);
CREATE TABLE IF NOT EXISTS workflows (
    workflow_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
    category TEXT NOT NULL, tags TEXT NOT NULL, user_id TEXT NOT NULL, is_public INTEGER NOT NULL,
    created_at TEXT NOT NULL DEFAULT({_NOW}), updated_at TEXT NOT NULL DEFAULT({_NOW})
);
"""


class Store:
    """One connection for all threads, used in transactions that exclude each other."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block in a transaction. May be nested: the outermost block commits, or rolls back on an exception."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN")
            self._depth += 1
            try:
                yield self._connection
            except BaseException:
                if self._depth == 1:
                    self._connection.rollback()
                raise
            else:
                if self._depth == 1:
                    self._connection.commit()
            finally:
                self._depth -= 1

    def close(self) -> None:
        """Close the database after the current transaction."""
        with self._lock:
            self._connection.close()
