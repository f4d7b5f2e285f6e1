"""The inside of a history file: its tables, whose it is, how a record gets in, and what goes wrong, in words."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from invoke_widgets.errors import InvalidRequest, JobException, ResourceError
from invoke_widgets.history.codec import merged

logger = logging.getLogger(__name__)

_APPLICATION = 0x69774869  # "iwHi", in the file's header
_VERSION = 1
_OPEN_S = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL,     -- "errors", "cancellations", "jobs", "alerts"
    source TEXT NOT NULL,   -- the server's address and the queue
    key TEXT NOT NULL,      -- identity within both
    at REAL NOT NULL,       -- when, in seconds since 1970
    rank INTEGER NOT NULL,  -- how much is known: where two differ, the one of which more is known is right
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
_KNOWN = "SELECT at, rank, data FROM records WHERE kind = ? AND source = ? AND key = ?"
_PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, (SELECT number FROM transactions), ?)"


class Row(NamedTuple):
    """A record on its way to the file. `data` makes its JSON values, on the writer's thread."""

    kind: str
    source: str
    key: str
    at: float
    rank: int
    data: Callable[[], Any]


def identity(path: Path) -> tuple[int, int] | None:
    """What tells the file at a path from another that is put there; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def connect(path: Path) -> sqlite3.Connection:
    # autocommit (isolation_level=None), so that each transaction begins and ends where it says so.
    connection = sqlite3.connect(path, timeout=_OPEN_S, isolation_level=None, check_same_thread=False)
    deadline = time.monotonic() + _OPEN_S
    try:
        while True:
            try:
                _check(connection, path)
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                # The change to WAL does not wait for others that open the file at the same moment.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Make what is not there yet."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Change nothing in a file that is not ours.

    Raises:
        InvalidRequest: it is another program's, or a later version's.
    """
    with connection:
        connection.execute("BEGIN")
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    is_new = not (application or version or names)
    # Those that were made before they said whose they are.
    is_early = application == 0 and version == 1 and {"records", "transactions"} <= names
    if application != _APPLICATION and not is_new and not is_early:
        raise InvalidRequest(f"history: {path} is another program's database.", suggestion="Name another file.")
    if version > _VERSION:
        raise InvalidRequest(
            f"history: {path} was made by a later version of invoke-widgets.",
            suggestion="Update the package, or name another file.",
        )


def put(connection: sqlite3.Connection, row: Row) -> None:
    """Write a record, together with what is known of it already; one that cannot be written is told in the log."""
    kind, source, key = (text.encode("utf-8", "replace").decode() for text in row[:3])
    at, rank = row.at, row.rank
    try:
        data = json.dumps(row.data(), default=str)
    except (TypeError, ValueError, RecursionError):
        logger.warning("a record of %s cannot be written as JSON", kind)
        return
    found = connection.execute(_KNOWN, (kind, source, key)).fetchone()
    if found is not None:
        later = rank >= found[1]
        data = json.dumps(merged(decoded(found[2]) or {}, json.loads(data), later=later))
        if data == found[2]:
            return
        if not later:
            at, rank, _ = found
    connection.execute(_PUT, (kind, source, key, at, rank, data))


def decoded(data: str) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def problem_of(error: Exception) -> str:
    text = error.message if isinstance(error, JobException) else str(error)
    for part, words in _PROBLEMS.items():
        if part in text:
            return words
    return text


_PROBLEMS = {
    "disk is full": "the disk is full",
    "locked": "another program holds it",
    "readonly": "it may not be written to",
    "unable to open": "it cannot be opened",
    "malformed": "it is damaged",
}


def why(path: Path, error: sqlite3.Error) -> JobException:
    text = str(error)
    if "full" in text:
        return ResourceError(f"history: the disk of {path} is full.", suggestion="Free some space, or name another.")
    remedy = {
        "file is not a database": "It is another kind of file, or a damaged one: name another, or move it away.",
        "database disk image is malformed": "It is damaged: move it away, or name another file.",
        "database is locked": "Another program holds it: end that, or name another file.",
        "unable to open database file": "Name a file in a folder that exists and may be written to.",
        "attempt to write a readonly database": "Name a file that may be written to.",
    }.get(text, "Name another file, or move this one away.")
    return InvalidRequest(f"history: {path} cannot be used: {text}.", suggestion=remedy)
