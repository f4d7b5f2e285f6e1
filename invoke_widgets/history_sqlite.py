"""`HistoryFile`: records in a SQLite file, kept over restarts of the kernel and shared between notebooks.

One thread of its own does all reading and writing, so that no one who logs ever waits for a disk. What is logged is
committed within some milliseconds; a process that is killed loses at most what it logged in the last of them, and the
file stays whole (WAL, which survives the death of a process at any moment: https://sqlite.org/wal.html). Records that
another process writes are noticed within a second. The file should be on a local disk: WAL does not work over networks.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from invoke_widgets.errors import InvalidRequest, JobException, ResourceError

logger = logging.getLogger(__name__)

_VERSION = 1
_LOOK_S = 1.0
_TIDY_S = 300.0
_RETRY_S = 1.0
_MAX_WAITING = 100_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL,     -- "errors", "cancellations", "jobs", "alerts"
    source TEXT NOT NULL,   -- the server's address and the queue
    key TEXT NOT NULL,      -- identity within both
    at REAL NOT NULL,       -- when, in seconds since 1970
    rank INTEGER NOT NULL,  -- how much is known: a record is not replaced by one of which less is known
    changed INTEGER NOT NULL,  -- the transaction that wrote it: what is new to others
    data TEXT NOT NULL,     -- the record as JSON
    PRIMARY KEY (kind, source, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_changed ON records (changed);
CREATE INDEX IF NOT EXISTS records_at ON records (kind, source, at);
CREATE TABLE IF NOT EXISTS transactions (number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clearings (
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    changed INTEGER NOT NULL,  -- the transaction that deleted all records of this kind and source
    PRIMARY KEY (kind, source)
) WITHOUT ROWID;
INSERT INTO transactions SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM transactions);
"""
_PUT = """
INSERT INTO records (kind, source, key, at, rank, changed, data)
VALUES (?1, ?2, ?3, ?4, ?5, (SELECT number FROM transactions), ?6)
ON CONFLICT (kind, source, key) DO UPDATE
SET rank = excluded.rank, changed = excluded.changed, data = excluded.data
WHERE excluded.rank >= records.rank AND excluded.data != records.data
"""
_CLEARED = "INSERT OR REPLACE INTO clearings VALUES (?, ?, (SELECT number FROM transactions))"
_TRIM = """
DELETE FROM records WHERE kind = ?1 AND source = ?2 AND at < (
    SELECT at FROM records WHERE kind = ?1 AND source = ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3)
"""


class Row(NamedTuple):
    """A record on its way to the file. `data` makes its JSON values, on the writer's thread."""

    kind: str
    source: str
    key: str
    at: float
    rank: int
    data: Callable[[], Any]


class _Mark(NamedTuple):
    """Not a record: something to do in its turn."""

    do: Callable[[sqlite3.Connection], None] | None
    done: threading.Event


Take = Callable[[list[tuple[str, dict[str, Any]]]], None]
Keep = Callable[[set[str]], None]


class HistoryFile:
    """Records in a file. May be used from any thread.

    Args:
        path: the file; it is made if it is not there, its folder is not.
        max_age_days: records older than this are deleted.
        max_records: of each kind and source, the oldest beyond this number are deleted.

    Raises:
        InvalidRequest: the file cannot be opened, is something else, or was made by a later version of this package.
        ResourceError: the disk is full.
    """

    def __init__(self, path: str | Path, *, max_age_days: float = 90.0, max_records: int = 100_000) -> None:
        if not max_age_days > 0 or max_records < 1:
            raise InvalidRequest("history: max_age_days should be above 0, and max_records 1 or more.")
        self.path = Path(path).expanduser()
        self._max_age_s = max_age_days * 86400.0
        self._max_records = max_records
        self._queue: queue.SimpleQueue[Row | _Mark] = queue.SimpleQueue()
        self._takers: dict[tuple[str, str], tuple[Take, Keep]] = {}
        self._all_until = 0.0
        self._closed = False
        self._warned = False
        self._data_version = -1
        try:
            self._seen = self._prepare()
        except sqlite3.Error as error:
            raise _why(self.path, error) from error
        self._thread = threading.Thread(target=self._run, name="invoke-widgets history", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"HistoryFile({str(self.path)!r})"

    def put(self, row: Row) -> None:
        """Have a record written soon. Never waits; after `close()` it does nothing."""
        if not self._closed:
            self._queue.put(row)

    def load(self, kind: str, source: str, limit: int, take: Take, keep: Keep) -> list[tuple[str, dict[str, Any]]]:
        """The newest `limit` records as `(key, decoded JSON)`, oldest first.

        On the file's own thread, `take` is called with those that other processes write from now on, and `keep` with
        the keys that are left when another process has deleted all.
        """
        self._takers[kind, source] = take, keep
        connection = _connect(self.path)
        try:
            rows = connection.execute(
                "SELECT key, data FROM records WHERE kind = ? AND source = ? ORDER BY at DESC LIMIT ?",
                (kind, source, limit),
            ).fetchall()
        finally:
            connection.close()
        return [(key, decoded) for key, data in reversed(rows) if (decoded := _decoded(data)) is not None]

    def forget(self, kind: str, source: str) -> None:
        """Delete all records of a kind and source, in its turn."""

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM records WHERE kind = ? AND source = ?", (kind, source))
            connection.execute(_CLEARED, (kind, source))

        self._queue.put(_Mark(delete, threading.Event()))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything put before is in the file; False if it is not after `timeout` seconds."""
        if self._closed:
            return True
        mark = _Mark(None, threading.Event())
        self._queue.put(mark)
        return mark.done.wait(timeout)

    def close(self) -> None:
        """Write what is left, and end the thread. May be called twice."""
        if not self._closed:
            self.flush()
            self._closed = True
            self._queue.put(_Mark(None, threading.Event()))
            self._thread.join(10.0)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _prepare(self) -> int:
        connection = _connect(self.path)
        try:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version > _VERSION:
                    raise InvalidRequest(
                        f"history: {self.path} was made by a later version of invoke-widgets.",
                        suggestion="Update the package, or name another file.",
                    )
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            self._tidy(connection)
            return int(connection.execute("SELECT number FROM transactions").fetchone()[0])
        finally:
            connection.close()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        waiting: list[Row | _Mark] = []
        tidied = time.monotonic()
        while not (self._closed and not waiting and self._queue.empty()):
            with contextlib.suppress(queue.Empty):
                waiting.append(self._queue.get(timeout=_LOOK_S))
            while not self._queue.empty():
                waiting.append(self._queue.get())
            try:
                if connection is None:
                    connection = _connect(self.path)
                if waiting:
                    self._write(connection, waiting)
                self._look(connection)
                if time.monotonic() - tidied > _TIDY_S:
                    tidied = time.monotonic()
                    self._tidy(connection)
            except sqlite3.Error as error:
                if not self._warned:
                    logger.warning("history is not being written for now: %s", error)
                    self._warned = True
                if self._closed:
                    break
                del waiting[:-_MAX_WAITING]
                time.sleep(_RETRY_S)
                continue
            self._warned = False
            for entry in waiting:
                if isinstance(entry, _Mark):
                    entry.done.set()
            waiting.clear()
        if connection is not None:
            connection.close()

    def _write(self, connection: sqlite3.Connection, entries: list[Row | _Mark]) -> None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE transactions SET number = number + 1")
            for entry in entries:
                if isinstance(entry, Row):
                    values = _encoded(entry)
                    if values is not None:
                        connection.execute(_PUT, values)
                elif entry.do is not None:
                    entry.do(connection)

    def _look(self, connection: sqlite3.Connection) -> None:
        """Pass on what other processes wrote. After a write of theirs one's own come back too, which does no harm.

        After a clearing of theirs one's own have to come back: what was logged, but not yet written, is not left.
        """
        with connection:
            connection.execute("BEGIN")
            number = connection.execute("SELECT number FROM transactions").fetchone()[0]
            # Changes when another connection has written, and only then.
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            rows: list[Any] = []
            left: dict[tuple[str, str], set[str]] = {}
            if version != self._data_version or time.monotonic() < self._all_until:
                for which in connection.execute("SELECT kind, source FROM clearings WHERE changed > ?", (self._seen,)):
                    keys = connection.execute("SELECT key FROM records WHERE kind = ? AND source = ?", which)
                    left[which] = {key for (key,) in keys}
                rows = connection.execute(
                    "SELECT kind, source, key, data FROM records WHERE changed > ? ORDER BY changed", (self._seen,)
                ).fetchall()
        self._data_version, self._seen = version, number
        found: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
        for kind, source, key, data in rows:
            if (decoded := _decoded(data)) is not None:
                found.setdefault((kind, source), []).append((key, decoded))
        if left:
            self._all_until = time.monotonic() + 3 * _LOOK_S
        for which, (take, keep) in list(self._takers.items()):
            try:
                if which in left:
                    keep(left[which])
                if which in found:
                    take(found[which])
            except Exception:  # a log's failure must not end the thread
                logger.exception("records of another process could not be taken over")

    def _tidy(self, connection: sqlite3.Connection) -> None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM records WHERE at < ?", (time.time() - self._max_age_s,))
            for kind, source in connection.execute("SELECT DISTINCT kind, source FROM records").fetchall():
                connection.execute(_TRIM, (kind, source, self._max_records - 1))


def _connect(path: Path) -> sqlite3.Connection:
    # autocommit (isolation_level=None), so that each transaction begins and ends where it says so.
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    try:
        for last_try in (*[False] * 20, True):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                # The change to WAL does not wait for others that open the file at the same moment.
                if last_try or "locked" not in str(error):
                    raise
                time.sleep(0.05)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _encoded(row: Row) -> tuple[Any, ...] | None:
    """The row's values for SQLite; None, and a word in the log, for one that cannot be written."""
    try:
        data = json.dumps(row.data(), default=str)
    except (TypeError, ValueError, RecursionError):
        logger.warning("a record of %s cannot be written as JSON", row.kind)
        return None
    kind, source, key = (text.encode("utf-8", "replace").decode() for text in row[:3])
    return kind, source, key, row.at, row.rank, data


def _decoded(data: str) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _why(path: Path, error: sqlite3.Error) -> JobException:
    text = str(error)
    if "full" in text:
        return ResourceError(f"history: the disk of {path} is full.", suggestion="Free some space, or name another.")
    remedy = {
        "file is not a database": "It is another kind of file, or a damaged one: name another, or move it away.",
        "unable to open database file": "Name a file in a folder that exists and may be written to.",
        "attempt to write a readonly database": "Name a file that may be written to.",
    }.get(text, "Name another file, or move this one away.")
    return InvalidRequest(f"history: {path} cannot be used: {text}.", suggestion=remedy)
