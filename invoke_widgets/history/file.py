"""`HistoryFile`: records in a SQLite file, kept over restarts of the kernel and shared between notebooks.

One thread of its own does all reading and writing, so that no one who logs ever waits for a disk. What is logged is
committed within some milliseconds; a process that is killed loses at most what it logged in the last of them, and the
file stays whole (WAL, which survives the death of a process at any moment: https://sqlite.org/wal.html). Records that
another process writes are noticed within a second. The file should be on a local disk: WAL does not work over networks.
What cannot be written waits in memory until it can, and `HistoryFile.problem` says why.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from invoke_widgets.errors import InvalidRequest, JobException
from invoke_widgets.history.database import Row, connect, decoded, identity, prepare, problem_of, put, why

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
_TIDY_S = 300.0
_RETRY_S = 1.0
_BUSY_S = 2.0
_CLOSE_S = 10.0
_MAX_WAITING = 100_000
_NEWEST = """
SELECT key, data FROM records WHERE kind = ?1 AND source = ?2 AND at >= coalesce((
    SELECT at FROM records WHERE kind = ?1 AND source = ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3), at)
ORDER BY at, changed
"""
_CLEARED = "INSERT OR REPLACE INTO clearings VALUES (?, ?, (SELECT number FROM transactions))"
_TRIM = """
DELETE FROM records WHERE kind = ?1 AND source = ?2 AND at < (
    SELECT at FROM records WHERE kind = ?1 AND source = ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3)
"""


class _Mark(NamedTuple):
    """Not a record: something to do in its turn."""

    do: Callable[[sqlite3.Connection], None] | None
    done: threading.Event


Take = Callable[[list[tuple[str, dict[str, Any]]]], None]
Keep = Callable[[set[str]], None]


class HistoryFile:
    """Records in a file. May be used from any thread. Whoever makes one closes it.

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
        if str(path) == ":memory:":
            raise InvalidRequest(
                "history: ':memory:' is no file.", suggestion="Name a file; without a history, logs are in memory."
            )
        self.problem = ""
        """Why nothing is being written for now, in words; empty while all is well."""
        self._queue: queue.SimpleQueue[Row | _Mark] = queue.SimpleQueue()
        self._takers: dict[tuple[str, str], tuple[Take, Keep]] = {}
        self._all_until = 0.0
        self._closed = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._open()
        self._thread = threading.Thread(target=self._run, name="invoke-widgets history", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"HistoryFile({str(self.path)!r})"

    def put(self, row: Row) -> None:
        """Have a record written soon. Never waits; after `close()` it does nothing."""
        if not self._closed.is_set():
            self._queue.put(row)

    def load(self, kind: str, source: str, limit: int, take: Take, keep: Keep) -> list[tuple[str, dict[str, Any]]]:
        """The newest `limit` records as `(key, decoded JSON)`, oldest first, and those of the same moment.

        On the file's own thread, `take` is called with those that other processes write from now on, and `keep` with
        the keys that are left when another process has deleted all.

        Raises:
            JobException: the file cannot be read.
        """
        try:
            with contextlib.closing(connect(self.path)) as connection:
                self._takers[kind, source] = take, keep
                rows = connection.execute(_NEWEST, (kind, source, limit - 1)).fetchall()
        except sqlite3.Error as error:
            raise why(self.path, error) from error
        return [(key, values) for key, data in rows if (values := decoded(data)) is not None]

    def forget(self, kind: str, source: str) -> None:
        """Delete all records of a kind and source, in its turn."""

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM records WHERE kind = ? AND source = ?", (kind, source))
            connection.execute(_CLEARED, (kind, source))

        self._queue.put(_Mark(delete, threading.Event()))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything put before is in the file; False if it is not after `timeout` seconds."""
        if self._closed.is_set():
            return not self.problem
        mark = _Mark(None, threading.Event())
        self._queue.put(mark)
        return mark.done.wait(timeout)

    def close(self) -> None:
        """Write what is left, and end the thread. May be called twice.

        Where nothing can be written, it is tried once more; what is lost is counted in a warning (`logging`).
        """
        if not self._closed.is_set():
            mark = _Mark(None, threading.Event())
            self._queue.put(mark)
            deadline = time.monotonic() + _CLOSE_S
            while not (mark.done.wait(0.05) or self.problem or time.monotonic() > deadline):
                pass
            self._closed.set()
            self._queue.put(_Mark(None, threading.Event()))
            self._thread.join(_CLOSE_S)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        try:
            connection = connect(self.path)
            try:
                prepare(connection)
                self._tidy(connection)
                self._seen = int(connection.execute("SELECT number FROM transactions").fetchone()[0])
                self._data_version = -1
                self._identity = identity(self.path)
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000:.0f}")
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise why(self.path, error) from error
        self._connection = connection

    def _reopened(self) -> sqlite3.Connection:
        """The connection. One to a file that has been removed would take records and say nothing."""
        if self._connection is not None and identity(self.path) != self._identity:
            self._connection.close()  # SQLite leaves alone what is beside the path of a file that was moved
            self._connection = None
            raise sqlite3.OperationalError("the file was removed or replaced")
        if self._connection is None:
            self._open()
            assert self._connection is not None
        return self._connection

    def _run(self) -> None:
        waiting: list[Row | _Mark] = []
        tidied = time.monotonic()
        while not (self._closed.is_set() and not waiting and self._queue.empty()):
            with contextlib.suppress(queue.Empty):
                waiting.append(self._queue.get(timeout=_LOOK_S))
            while not self._queue.empty():
                waiting.append(self._queue.get())
            try:
                connection = self._reopened()
                if waiting:
                    self._write(connection, waiting)
                self._look(connection)
                if time.monotonic() - tidied > _TIDY_S:
                    tidied = time.monotonic()
                    self._tidy(connection)
            except (sqlite3.Error, JobException) as error:
                problem = problem_of(error)
                if not self.problem:
                    logger.warning("history: nothing is written to %s for now: %s", self.path, problem)
                self.problem = problem
                if self._closed.is_set() and self._queue.empty():
                    break
                del waiting[:-_MAX_WAITING]
                self._closed.wait(_RETRY_S)
                continue
            self.problem = ""
            for entry in waiting:
                if isinstance(entry, _Mark):
                    entry.done.set()
            waiting.clear()
        if lost := sum(isinstance(entry, Row) for entry in waiting):
            logger.warning("history: %d records could not be written to %s: %s", lost, self.path, self.problem)
        if self._connection is not None:
            self._connection.close()

    def _write(self, connection: sqlite3.Connection, entries: list[Row | _Mark]) -> None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE transactions SET number = number + 1")
            for entry in entries:
                if isinstance(entry, Row):
                    put(connection, entry)
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
            if (values := decoded(data)) is not None:
                found.setdefault((kind, source), []).append((key, values))
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
