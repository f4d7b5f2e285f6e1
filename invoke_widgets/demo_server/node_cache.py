"""The cache of node outputs: a node with the same inputs as an earlier one is not run again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from .nodes import BaseInvocation, BaseInvocationOutput


class NodeCache:
    """The outputs of the last `max_size` different nodes."""

    def __init__(self, max_size: int = 512) -> None:
        self._max_size = max_size
        self._lock = threading.Lock()
        self._outputs: OrderedDict[str, BaseInvocationOutput] = OrderedDict()
        self._hits = 0
        self._misses = 0
        self.enabled = True

    @staticmethod
    def key(node: BaseInvocation) -> str:
        """What two nodes have in common that give the same output."""
        return node.model_dump_json(exclude={"id"}, warnings=False)

    def get(self, key: str) -> BaseInvocationOutput | None:
        """An earlier output, if there is one."""
        with self._lock:
            if not self.enabled:
                return None
            output = self._outputs.get(key)
            if output is None:
                self._misses += 1
            else:
                self._hits += 1
                self._outputs.move_to_end(key)
            return output

    def save(self, key: str, output: BaseInvocationOutput) -> None:
        """Keep an output."""
        with self._lock:
            if self.enabled:
                self._outputs.setdefault(key, output)
                while len(self._outputs) > self._max_size:
                    self._outputs.popitem(last=False)

    def forget(self, text: str) -> None:
        """Drop every output in which a text (an image's name) occurs."""
        with self._lock:
            for key in [k for k, output in self._outputs.items() if text in output.model_dump_json(warnings=False)]:
                del self._outputs[key]

    def clear(self) -> None:
        """Drop everything, and count from zero."""
        with self._lock:
            self._outputs.clear()
            self._hits = self._misses = 0

    def status(self) -> dict[str, Any]:
        """The counts, in the API's form."""
        with self._lock:
            return {
                "size": len(self._outputs),
                "hits": self._hits,
                "misses": self._misses,
                "enabled": self.enabled,
                "max_size": self._max_size,
            }
