"""What the logs have in common: `Log`, bounded and in memory, and `KeptLog`, which can also be kept in a file."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from invoke_widgets import frames
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.history_codec import from_json, to_json
from invoke_widgets.history_sqlite import HistoryFile, Row
from invoke_widgets.redaction import without_known

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R")

LIMIT = 10_000
"""How many records a log keeps in memory; the oldest go first."""


class Log(Generic[R]):
    """Records by key, in the order in which they became known.

    Args:
        limit: how many are kept.
        on_change: called after each change, on whichever thread made it.
    """

    def __init__(self, limit: int = LIMIT, on_change: Callable[[], None] = lambda: None) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise InvalidRequest(f"limit: should be an integer of 1 or more, got {limit!r}.")
        self._lock = threading.Lock()
        self._records: OrderedDict[str, R] = OrderedDict()
        self._limit = limit
        self._on_change = on_change

    def _put(self, key: str, record: R) -> None:
        with self._lock:
            self._keep(key, record)
        self._on_change()

    def _keep(self, key: str, record: R) -> None:
        self._records[key] = record
        while len(self._records) > self._limit:
            self._records.popitem(last=False)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[R]:
        with self._lock:
            records = list(self._records.values())
        return iter(records)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} records)"

    def clear(self) -> None:
        """Forget all records, in the file too if there is one, and so in other notebooks that share it."""
        with self._lock:
            self._records.clear()
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

    def _put(self, key: str, record: R) -> None:
        with self._lock:
            self._keep(key, record)
        if self._file is not None:
            data = partial(to_json, record)
            self._file.put(Row(self._kind, self._source, key, self._at(record), self._rank(record), data))
        self._on_change()

    def _take(self, found: list[tuple[str, dict[str, Any]]]) -> None:
        if self._take_over(found):
            self._on_change()

    def _keep_only(self, keys: set[str]) -> None:
        """Another notebook has cleared the log: forget what is not in the file any more."""
        with self._lock:
            for key in self._records.keys() - keys:
                del self._records[key]
        self._on_change()

    def _take_over(self, found: list[tuple[str, dict[str, Any]]]) -> bool:
        """Take records from the file, unless more is known already; whether there was anything new."""
        new = False
        for key, data in found:
            record = from_json(self._type, data)
            if record is None:
                continue
            with self._lock:
                known = self._records.get(key)
                if known is None or (self._rank(record) >= self._rank(known) and known != record):
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

    def _at(self, record: R) -> float:
        """When, in seconds since 1970."""
        raise NotImplementedError

    def _rank(self, record: R) -> int:
        """How much is known: a record is not replaced by one of which less is known."""
        raise NotImplementedError
