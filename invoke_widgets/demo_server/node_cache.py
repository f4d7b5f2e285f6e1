"""The cache of node outputs: a node with the same inputs as an earlier one is not run again."""

from __future__ import annotations

import threading
from collections import OrderedDict

from .nodes import BaseInvocation, BaseInvocationOutput


class NodeCache:
    """The outputs of the last `max_size` different nodes."""

    def __init__(self, max_size: int = 512) -> None:
        self.max_size = max_size
        self._lock = threading.Lock()
        self._outputs: OrderedDict[str, BaseInvocationOutput] = OrderedDict()

    @staticmethod
    def key(node: BaseInvocation) -> str:
        """Return a key that is equal for nodes with equal outputs."""
        return node.model_dump_json(exclude={"id"}, warnings=False)

    def get(self, key: str) -> BaseInvocationOutput | None:
        """Return an earlier output, or None."""
        with self._lock:
            output = self._outputs.get(key)
            if output is not None:
                self._outputs.move_to_end(key)
            return output

    def save(self, key: str, output: BaseInvocationOutput) -> None:
        """Keep an output."""
        with self._lock:
            self._outputs.setdefault(key, output)
            while len(self._outputs) > self.max_size:
                self._outputs.popitem(last=False)

    def forget(self, text: str) -> None:
        """Drop every output that contains a text, such as the name of a deleted image."""
        with self._lock:
            for key in [k for k, output in self._outputs.items() if text in output.model_dump_json(warnings=False)]:
                del self._outputs[key]
