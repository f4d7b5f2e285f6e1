"""`HistoryFile`: records in a SQLite file, kept over kernel restarts and shared between notebooks.

One thread does all reading and writing, so that logging never waits for a disk. Records are committed within
milliseconds: a process that is killed loses at most those of its last moments, and the file stays intact (WAL survives
the death of a process at any point: https://sqlite.org/wal.html). Records that another process writes are noticed
within a second. The file should be on a local disk: WAL does not work over a network.

Every write increments the number in `transactions`, and each row carries the number of the write that changed it: what
is above the number last seen is new. `clearings` holds the number of the write that cleared a log.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import queue
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from invoke_widgets.errors import InvalidRequest, JobErrorType, JobException, ResourceError, checks
from invoke_widgets.records import FieldValue, parse_time

R = TypeVar("R")

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
_TIDY_S = 300.0
_RETRY_S = 1.0
_OPEN_S = 10.0
_BUSY_S = 2.0
_CLOSE_S = 10.0
_MAX_WAITING = 100_000
_MAX_AHEAD_S = 86400.0
_MAX_WAL_BYTES = 4_000_000
_APPLICATION = 0x69774869  # "iwHi", in the file's header
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL,     -- "errors", "cancellations", "jobs", "alerts"
    source TEXT NOT NULL,   -- the server's address and the queue
    key TEXT NOT NULL,      -- identity within kind and source
    at REAL NOT NULL,       -- the record's time, in seconds since 1970
    rank INTEGER NOT NULL,  -- how much the record knows: where two differ, the higher rank wins
    changed INTEGER NOT NULL,  -- number of the write that changed the row last
    data TEXT NOT NULL,     -- the record as JSON
    PRIMARY KEY (kind, source, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_changed ON records (changed);
CREATE INDEX IF NOT EXISTS records_at ON records (kind, source, at);
CREATE TABLE IF NOT EXISTS transactions (number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clearings (
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    changed INTEGER NOT NULL,  -- number of the write that deleted all records of this kind and source
    PRIMARY KEY (kind, source)
) WITHOUT ROWID;
INSERT INTO transactions SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM transactions);
"""
_NEWEST = """
SELECT key, data FROM records WHERE kind = ?1 AND source = ?2 AND at >= coalesce((
    SELECT at FROM records WHERE kind = ?1 AND source = ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3), at)
ORDER BY at, changed
"""
_KNOWN = "SELECT at, rank, data FROM records WHERE kind = ? AND source = ? AND key = ?"
_PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, (SELECT number FROM transactions), ?)"
_CLEARED = "INSERT OR REPLACE INTO clearings VALUES (?, ?, (SELECT number FROM transactions))"
# A clock that was wrong may have made records of the future, which would be the newest for ever.
_FUTURE = "UPDATE records SET at = ?1 WHERE at > ?1 + ?2"
_TRIM = """
DELETE FROM records WHERE kind = ?1 AND source = ?2 AND at < (
    SELECT at FROM records WHERE kind = ?1 AND source = ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3)
"""


class Row(NamedTuple):
    """A record to be written. `data` makes its JSON values, on the writer's thread."""

    kind: str
    source: str
    key: str
    at: float
    rank: int
    data: Callable[[], Any]


class _Task(NamedTuple):
    """Work between the rows, in their order: something to do on the connection, or only a mark to wait for."""

    do: Callable[[sqlite3.Connection], object]
    done: threading.Event


Found = list[tuple[str, dict[str, Any]]]
OnShared = Callable[[Found], None]
OnCleared = Callable[[set[str]], None]


class _Follower(NamedTuple):
    """The methods of a log, referred to weakly: the file outlives the logs of a closed console."""

    on_shared: weakref.WeakMethod[OnShared]
    on_cleared: weakref.WeakMethod[OnCleared]


class HistoryFile:
    """Records in a file, which several consoles and processes may share. Thread-safe. Whoever makes it closes it.

    A new file can be read by its owner only. A record that is damaged is left out.

    Args:
        path: the file, which is created if necessary; its folder is not.
        max_age_days: age in days above which records are deleted.
        max_records: number of records to keep of each kind and source; the oldest beyond it are deleted.

    Attributes:
        path: the file.
        problem: why nothing can be written at the moment; empty while all is well.

    Raises:
        InvalidRequest: an argument is invalid, or the file cannot be opened, is something else, or was made by a later
            version of this package.
        ResourceError: the disk is full.
    """

    def __init__(self, path: str | Path, *, max_age_days: float = 90.0, max_records: int = 100_000) -> None:
        self._max_age_s = checks.positive("max_age_days", max_age_days) * 86400.0
        self._max_records = checks.whole("max_records", max_records)
        self.path = Path(_file_name(path)).expanduser()
        self.problem = ""
        self._queue: queue.SimpleQueue[Row | _Task] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._followers: dict[tuple[str, str], list[_Follower]] = {}
        self._closed = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._seen = 0
        self._echo_until = 0.0
        self._open()
        self._thread = threading.Thread(target=self._run, name="invoke-widgets history", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"HistoryFile({str(getattr(self, 'path', ''))!r})"  # a traceback shows it while it is being made

    def put(self, row: Row) -> None:
        """Have a record written soon. Returns at once; does nothing after `close()`."""
        if not self._closed.is_set():
            self._queue.put(row)

    def load(self, kind: str, source: str, limit: int, on_shared: OnShared, on_cleared: OnCleared) -> Found:
        """Load the newest records of a log, `(key, decoded JSON)`, oldest first, and follow what other logs write.

        Args:
            limit: number of records; others of the same moment as the oldest come with it.
            on_shared: a method, called on the file's thread with records that another log or process wrote.
            on_cleared: a method, called there with the keys that are left after another one cleared the log.
        """
        follower = _Follower(weakref.WeakMethod(on_shared), weakref.WeakMethod(on_cleared))
        try:
            with contextlib.closing(_connect(self.path)) as connection:
                with self._lock:
                    self._followers.setdefault((kind, source), []).append(follower)
                rows = connection.execute(_NEWEST, (kind, source, limit - 1)).fetchall()
        except _ERRORS as error:
            raise _exception_of(self.path, error) from error
        return [(key, values) for key, data in rows if (values := _decoded(data)) is not None]

    def forget(self, kind: str, source: str) -> None:
        """Delete all records of a kind and source that were put before."""

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM records WHERE kind = ? AND source = ?", (kind, source))
            connection.execute(_CLEARED, (kind, source))

        if not self._closed.is_set():
            self._queue.put(_Task(delete, threading.Event()))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything put before is in the file; False if it is not after `timeout` seconds."""
        if self._closed.is_set():
            return not self.problem
        return self._wait(self._mark(), timeout)

    def _mark(self) -> threading.Event:
        done = threading.Event()
        self._queue.put(_Task(lambda _: None, done))
        return done

    def _wait(self, done: threading.Event, timeout: float, *, or_problem: bool = False) -> bool:
        """Wait for a mark. Without the thread, as in the child of a fork, nothing would come, so it returns at once."""
        deadline = time.monotonic() + timeout
        while not done.wait(min(0.05, max(deadline - time.monotonic(), 0.0))):
            if (or_problem and self.problem) or time.monotonic() >= deadline or not self._thread.is_alive():
                return done.is_set()
        return True

    def close(self) -> None:
        """Write what is left, and end the thread. May be called twice.

        If the file cannot be written, one more attempt is made; a warning (`logging`) counts the records that are lost.
        """
        if not self._closed.is_set():
            self._wait(self._mark(), _CLOSE_S, or_problem=True)
            self._closed.set()
            self._mark()  # wakes the thread
            self._thread.join(_CLOSE_S)

    # -- the thread --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        try:
            connection = _connect(self.path)
            try:
                _prepare(connection)
                self._tidy(connection)
                self._seen = _number(connection)
                self._identity = _identity(self.path)
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000:.0f}")
            except BaseException:
                connection.close()
                raise
        except _ERRORS as error:
            raise _exception_of(self.path, error) from error
        self._connection = connection

    def _reopened(self) -> sqlite3.Connection:
        """The connection, opened again if the file was replaced: SQLite would go on writing to the deleted one."""
        if self._connection is not None and _identity(self.path) != self._identity:
            self._connection.close()  # SQLite leaves alone what is beside the path of a file that was moved
            self._connection = None
            raise sqlite3.OperationalError("the file was removed or replaced")
        if self._connection is None:
            self._open()
            assert self._connection is not None
        return self._connection

    def _run(self) -> None:
        waiting: list[Row | _Task] = []
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
                    self.problem = ""
                    for entry in waiting:
                        if isinstance(entry, _Task):
                            entry.done.set()
                    waiting.clear()
                self._look(connection)
                if time.monotonic() - tidied > _TIDY_S:
                    tidied = time.monotonic()
                    self._tidy(connection)
                self.problem = ""
            except Exception as error:  # whatever goes wrong, the thread goes on: without it nothing would be kept
                problem = _problem_of(error)
                if not self.problem:
                    unknown = not isinstance(error, sqlite3.Error | JobException)
                    logger.warning(
                        "history: cannot write to %s at the moment: %s", self.path, problem, exc_info=unknown
                    )
                self.problem = problem
                if self._closed.is_set() and self._queue.empty():
                    break
                del waiting[:-_MAX_WAITING]
                self._closed.wait(_RETRY_S)
        if lost := sum(isinstance(entry, Row) for entry in waiting):
            logger.warning("history: %d records could not be written to %s: %s", lost, self.path, self.problem)
        if self._connection is not None:
            self._connection.close()

    def _write(self, connection: sqlite3.Connection, entries: Iterable[Row | _Task]) -> None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE transactions SET number = number + 1")
            for entry in entries:
                if isinstance(entry, Row):
                    _put(connection, entry)
                else:
                    entry.do(connection)
            number = _number(connection)
        # Nobody else has written since, so there is nothing to read, unless a second log here wants to see it.
        if number == self._seen + 1 and not self._echoes():
            self._seen = number

    def _echoes(self) -> bool:
        """Whether this file's own writes are passed on to its logs as well.

        They are where two logs here have one kind and source, and right after a clearing by another process: a record
        that was logged but not yet written when the clearing was noticed has been dropped, and comes back that way.
        """
        if time.monotonic() < self._echo_until:
            return True
        with self._lock:
            for which, followers in list(self._followers.items()):
                self._followers[which] = [follower for follower in followers if follower.on_shared() is not None]
            return any(len(followers) > 1 for followers in self._followers.values())

    def _look(self, connection: sqlite3.Connection) -> None:
        """Pass on what other logs and processes have written."""
        with connection:
            connection.execute("BEGIN")
            number = _number(connection)
            if number == self._seen:
                return
            left: dict[tuple[str, str], set[str]] = {}
            for which in connection.execute("SELECT kind, source FROM clearings WHERE changed > ?", (self._seen,)):
                keys = connection.execute("SELECT key FROM records WHERE kind = ? AND source = ?", which)
                left[which] = {key for (key,) in keys}
            rows = connection.execute(
                "SELECT kind, source, key, data FROM records WHERE changed > ? ORDER BY changed", (self._seen,)
            ).fetchall()
        self._seen = number
        if left:
            self._echo_until = time.monotonic() + 3 * _LOOK_S
        found: dict[tuple[str, str], Found] = {}
        for kind, source, key, data in rows:
            if (values := _decoded(data)) is not None:
                found.setdefault((kind, source), []).append((key, values))
        with self._lock:
            followers = [(which, follower) for which, those in self._followers.items() for follower in those]
        for which, follower in followers:
            on_shared, on_cleared = follower.on_shared(), follower.on_cleared()
            try:
                if which in left and on_cleared is not None:
                    on_cleared(left[which])
                if which in found and on_shared is not None:
                    on_shared(found[which])
            except Exception:  # the failure of one log must not keep the others from hearing of it
                logger.exception("history: records from %s could not be merged", self.path)

    def _tidy(self, connection: sqlite3.Connection) -> None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_FUTURE, (time.time(), _MAX_AHEAD_S))
            connection.execute("DELETE FROM records WHERE at < ?", (time.time() - self._max_age_s,))
            for kind, source in connection.execute("SELECT DISTINCT kind, source FROM records").fetchall():
                connection.execute(_TRIM, (kind, source, self._max_records - 1))
        connection.executescript("PRAGMA incremental_vacuum")  # `execute` would free a single page


# -- the database ------------------------------------------------------------------------------------------------------


def _file_name(path: object) -> str:
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    name = checks.text("history", name, "the name of a file")
    if name == ":memory:" or "\0" in name:
        raise InvalidRequest(
            f"history: {name!r} is not a file.",
            suggestion="Name a file. Without a history, logs are in memory.",
            field="history",
        )
    return name


def _identity(path: Path) -> tuple[int, int] | None:
    """What distinguishes the file at a path from another one that replaces it; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    # SQLite would create it readable by all; the files that it keeps beside this one are like it.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    # In autocommit mode (isolation_level=None), so that transactions begin only where it is written.
    connection = sqlite3.connect(path, timeout=_OPEN_S, isolation_level=None, check_same_thread=False)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")  # a bad byte costs one character
    deadline = time.monotonic() + _OPEN_S
    try:
        while True:
            try:
                _check(connection, path)
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has an effect in a new file only
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                # Switching to WAL does not wait for others that open the file at the same moment.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_MAX_WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `InvalidRequest` for a file that is another program's or a later version's, without changing it."""
    with connection:
        connection.execute("BEGIN")
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    is_new = not (application or version or names)
    if application != _APPLICATION and not is_new:
        raise InvalidRequest(f"history: {path} is another program's database.", suggestion="Name another file.")
    if version > _VERSION:
        raise InvalidRequest(
            f"history: {path} was made by a later version of invoke-widgets.",
            suggestion="Update the package, or name another file.",
        )


def _prepare(connection: sqlite3.Connection) -> None:
    """Create the tables that are missing."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")


def _number(connection: sqlite3.Connection) -> int:
    """The number of the latest write."""
    return int(connection.execute("SELECT number FROM transactions").fetchone()[0])


def _put(connection: sqlite3.Connection, row: Row) -> None:
    """Write a record, merged with what the file has. One that no database would take is logged and skipped."""
    try:
        kind, source, key = (text.encode("utf-8", "replace").decode() for text in row[:3])
        at, rank = row.at, row.rank
        data = json.dumps(row.data(), default=str)
        found = connection.execute(_KNOWN, (kind, source, key)).fetchone()
        if found is not None:
            later = rank >= found[1]
            data = json.dumps(merged(_decoded(found[2]) or {}, json.loads(data), later=later))
            if data == found[2]:
                return
            if not later:
                at, rank, _ = found
        connection.execute(_PUT, (kind, source, key, at, rank, data))
    except Exception as error:
        if isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError:
            raise  # the file's fault, not the record's
        logger.warning("history: a record of %s cannot be written: %s", row.kind, error)


def _decoded(data: str) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


# SQLite's message itself may have a bad byte of the file in it.
_ERRORS = (sqlite3.Error, UnicodeDecodeError)

# A part of SQLite's message, what it means, and what to do.
_PROBLEMS = (
    ("disk is full", "the disk is full", "Free some space, or name another file."),
    ("locked", "another program has locked it", "Close that program, or name another file."),
    ("readonly", "it is read-only", "Name a writable file."),
    ("unable to open", "it cannot be opened", "Name a writable file in a folder that exists."),
    ("malformed", "it is damaged", "Move it away, or name another file."),
    ("not a database", "it is another kind of file, or damaged", "Name another file, or move it away."),
)


def _diagnosed(error: Exception) -> tuple[str, str]:
    """Return why a file cannot be used, and what to do."""
    text = "malformed" if isinstance(error, UnicodeDecodeError) else str(error)
    unknown = ("", text, "Name another file, or move this one away.")
    _, words, remedy = next((row for row in _PROBLEMS if row[0] in text), unknown)
    return words, remedy


def _problem_of(error: Exception) -> str:
    if isinstance(error, sqlite3.Error):
        return _diagnosed(error)[0]
    return error.message if isinstance(error, JobException) else f"{type(error).__name__}: {error}"


def _exception_of(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> JobException:
    words, remedy = _diagnosed(error)
    kind = ResourceError if words == "the disk is full" else InvalidRequest
    return kind(f"history: cannot use {path}: {words}.", suggestion=remedy)


# -- records as JSON ---------------------------------------------------------------------------------------------------


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.name not in ("session", "workflow"))


@functools.cache
def _types(kind: Any) -> dict[str, tuple[type, ...]]:
    """The types that a value of each field may have."""

    def types_of(hint: Any) -> tuple[type, ...]:
        if isinstance(hint, UnionType):
            return tuple(one for part in get_args(hint) for one in types_of(part))
        if get_origin(hint) is Literal:
            return tuple({type(value) for value in get_args(hint)})
        return (float, int) if hint is float else (get_origin(hint) or hint,)

    return {name: types_of(hint) for name, hint in get_type_hints(kind).items()}


def to_json(record: Any, reset: Iterable[str] = ()) -> dict[str, Any]:
    """A record as JSON values, without its session and without fields that are None, except those in `reset`."""
    data: dict[str, Any] = {}
    for name in _names(type(record)):
        value = getattr(record, name)
        if value is None:
            continue
        if isinstance(value, datetime):
            value = value.isoformat()
        elif name == "field_values":
            value = [asdict(v) for v in value]
        data[name] = value
    return data | {name: None for name in reset if name not in data}


def merged(known: Mapping[str, Any], new: Mapping[str, Any], *, later: bool) -> dict[str, Any]:
    """Two records of one thing, merged. Where they differ, the new one wins if it is `later`."""
    return {**known, **new} if later else {**new, **known}


def from_json(kind: type[R], data: Mapping[str, Any]) -> R | None:
    """A record from JSON values; unknown fields are dropped. None if the values make no record, as in a damaged one."""
    types = _types(cast("Any", kind))
    values: dict[str, Any] = {}
    try:
        for name in _names(kind):
            if name not in data:
                continue
            value = data[name]
            if datetime in types[name]:
                value = parse_time(value)
            elif JobErrorType in types[name]:
                value = JobErrorType(value)
            elif name == "item_ids":
                value = tuple(int(i) for i in value)
            elif name == "field_values":
                value = FieldValue.many(value)
            if not isinstance(value, types[name]):
                return None
            values[name] = value
        return kind(**values)
    except (TypeError, ValueError):
        return None
