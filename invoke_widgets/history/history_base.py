"""What the logs have in common: `Log`, bounded and in memory, and `KeptLog`, which can also be kept in a file."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.redact import without_known
from invoke_widgets.history import frames
from invoke_widgets.history.codec import from_json, merged, to_json
from invoke_widgets.history.database import Row
from invoke_widgets.history.file import HistoryFile

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R")

_Place = tuple[float, int, int, str]

LIMIT = 10_000
"""How many records a log keeps in memory; the oldest go first."""


class Log(Generic[R]):
    """Records by key, oldest first.

    Which is older, a record's own time says, however late it became known: a queue is read newest first. Those of one
    moment are in the order of their items.

    Args:
        limit: how many are kept.
        on_change: called after each change, on whichever thread made it.
    """

    def __init__(self, limit: int = LIMIT, on_change: Callable[[], None] = lambda: None) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise InvalidRequest(f"limit: should be an integer of 1 or more, got {limit!r}.")
        self._lock = threading.Lock()
        self._records: dict[str, R] = {}
        self._places: dict[str, _Place] = {}
        self._order: list[_Place] = []
        self._taken = 0
        self._limit = limit
        self._on_change = on_change

    def _put(self, key: str, record: R) -> None:
        with self._lock:
            self._keep(key, record)
        self._on_change()

    def _keep(self, key: str, record: R) -> None:
        at, number = self._when(record)
        place = self._places.get(key)
        if place is None or place[:2] != (at, number):
            if place is not None:
                self._drop(key)
            self._taken += 1
            self._places[key] = at, number, self._taken, key
            insort(self._order, self._places[key])
        self._records[key] = record
        while len(self._order) > self._limit:
            self._drop(self._order[0][-1])

    def _drop(self, key: str) -> None:
        del self._records[key]
        del self._order[bisect_left(self._order, self._places.pop(key))]

    def _when(self, record: R) -> tuple[float, int]:
        """Where a record belongs; those of one place are as they came."""
        return 0.0, 0

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[R]:
        with self._lock:
            records = [self._records[place[-1]] for place in self._order]
        return iter(records)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} records)"

    def clear(self) -> None:
        """Forget all records, in the file too if there is one, and so in other notebooks that share it."""
        with self._lock:
            for key in list(self._records):
                self._drop(key)
        self._on_change()

    def frame(self) -> pd.DataFrame:
        """All records, oldest first, with the same columns and types however many there are."""
        raise NotImplementedError

    def to_csv(self, path: str | Path) -> None:
        """Write `frame()` as CSV, UTF-8; times in ISO 8601 with their offset."""
        frames.write_csv(self.frame(), path)

    def to_jsonl(self, path: str | Path) -> None:
        """Write `frame()` as one JSON object a line, UTF-8; what is missing is null."""
        frames.write_jsonl(self.frame(), path)

    def to_parquet(self, path: str | Path) -> None:
        """Write `frame()` as Parquet, which keeps its types.

        Raises:
            InvalidRequest: pyarrow is not installed.
        """
        frames.write_parquet(self.frame(), path)


class KeptLog(Log[R]):
    """A log that can also be kept in a file.

    Args:
        limit: how many are kept in memory.
        on_change: called after each change.
        file: where they are kept, too; what it holds of this source is there from the start.
        source: what tells servers and queues apart in one file: the address and the queue.
        secrets: the tokens in use, so that they can be taken out of texts.
    """

    _kind: ClassVar[str]
    _type: ClassVar[type[Any]]

    def __init__(
        self,
        limit: int = LIMIT,
        on_change: Callable[[], None] = lambda: None,
        *,
        file: HistoryFile | None = None,
        source: str = "",
        secrets: Callable[[], Iterable[str | None]] = tuple,
    ) -> None:
        super().__init__(limit, on_change)
        self._file = file
        self._source = source
        self._secrets = secrets
        if file is not None:
            self._take_over(file.load(self._kind, source, limit, self._take, self._keep_only))

    def _put(self, key: str, record: R, *, taken_back: Iterable[str] = ()) -> None:
        """`taken_back`: what is None now, and is not only unknown here."""
        with self._lock:
            self._keep(key, record)
        if self._file is not None:
            data = partial(to_json, record, taken_back)
            self._file.put(Row(self._kind, self._source, key, self._at(record), self._rank(record), data))
        self._on_change()

    def _take(self, found: list[tuple[str, dict[str, Any]]]) -> None:
        if self._take_over(found):
            self._on_change()

    def _keep_only(self, keys: set[str]) -> None:
        """Another notebook has cleared the log: forget what is not in the file any more."""
        with self._lock:
            for key in self._records.keys() - keys:
                self._drop(key)
        self._on_change()

    def _take_over(self, found: list[tuple[str, dict[str, Any]]]) -> bool:
        """Take records from the file, but for what is known better already; whether there was anything new."""
        new = False
        for key, data in found:
            record = from_json(self._type, data)
            if record is None:
                continue
            with self._lock:
                known = self._records.get(key)
                if known is not None:
                    later = self._rank(record) >= self._rank(known)
                    record = from_json(self._type, merged(to_json(known), data, later=later))
                if record is not None and record != known:
                    self._keep(key, record)
                    new = True
        return new

    def clear(self) -> None:
        if self._file is not None:
            self._file.forget(self._kind, self._source)
        super().clear()

    def _clean(self, text: str) -> str:
        """Without the tokens in use: all else that is secret was taken out where the text came in."""
        return without_known(text, self._secrets())

    def _when(self, record: R) -> tuple[float, int]:
        return self._at(record), getattr(record, "item_id", None) or 0

    def _at(self, record: R) -> float:
        """When, in seconds since 1970."""
        raise NotImplementedError

    def _rank(self, record: R) -> int:
        """How much is known: where two records differ, the one of which more is known is right."""
        raise NotImplementedError
