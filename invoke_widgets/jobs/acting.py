"""What all actions have in common: the server, the picture, and the logs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import (
    JobException,
)
from invoke_widgets.history import CancellationLog, ErrorLog
from invoke_widgets.records import (
    QueueItem,
)
from invoke_widgets.sync import QueueStore


class Reader(Protocol):
    """The part of `Sync` that actions need."""

    def read_again(self, item_ids: Iterable[int] = (), *, ids: bool = True, unfinished: bool = False) -> None: ...

    def take(self, item: QueueItem) -> None: ...

    def expect(self, item_ids: Collection[int]) -> None: ...

    async def try_now(self, *, anew: bool = False) -> None: ...


class Acting:
    """The actions on one queue.

    Args:
        client: the server.
        store: the picture, for what was there before.
        reader: is told what to read again.
        errors: takes what fails.
        cancellations: takes every cancel.
    """

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        reader: Reader,
        errors: ErrorLog,
        cancellations: CancellationLog,
    ) -> None:
        self._client = client
        self._store = store
        self._reader = reader
        self._errors = errors
        self._cancellations = cancellations
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def _logged(self) -> Iterator[None]:
        try:
            yield
        except JobException as error:
            self._errors.record_exception(error)
            raise
