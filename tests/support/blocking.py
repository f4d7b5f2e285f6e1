"""A blocking wrapper around the asynchronous client, for ordinary tests."""

from __future__ import annotations

import asyncio
import inspect
from types import TracebackType
from typing import Any, Self

from invoke_widgets import InvokeClient


class BlockingClient:
    """An `InvokeClient` whose coroutines are blocking methods, run on an event loop of its own."""

    def __init__(self, url: str, **options: Any) -> None:
        # Plain HTTP, and loading certificates takes longer than a request.
        self.client = InvokeClient(url, **{"verify": False, **options})
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._runner:
            self._runner.run(self.client.aclose())

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.client, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute
        return lambda *args, **options: self._runner.run(attribute(*args, **options))
