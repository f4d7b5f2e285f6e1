"""The worker: one thread that claims items from the queue and runs them."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from .events import EventBus, QueueEvent
from .executor import Executor, NodeInputError
from .faults import Drills
from .images import ImageStore
from .nodes import (
    BaseInvocation,
    BaseInvocationOutput,
    CanceledException,
    CollectInvocation,
    IterateInvocation,
    NodeContext,
)
from .queue import Queue, QueueItemNotFoundError, SessionQueueItem, Status

# Interval between polls for items that come without a notification (retries), and between attempts after an error.
POLL_SECONDS = 1.0
_MAX_CACHED = 512


class OutOfMemoryError(RuntimeError):
    """The error of a GPU's allocator; raised by the drill `out_of_memory` only."""

    def __init__(self) -> None:
        super().__init__(
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB of which 512.00 MiB"
            " is free. Including non-PyTorch memory, this process has 7.27 GiB memory in use."
        )


class NodeCache:
    """The outputs of the last 512 different nodes: a node with the same inputs is not run again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outputs: dict[str, BaseInvocationOutput] = {}

    def output_of(self, node: BaseInvocation, run: Callable[[], BaseInvocationOutput]) -> BaseInvocationOutput:
        """Return the output of a node, which `run` makes if no equal node has made it."""
        key = node.model_dump_json(exclude={"id"}, warnings=False)
        with self._lock:
            output = self._outputs.pop(key, None)  # to be put back as the newest
        if output is None:
            output = run()
        with self._lock:
            self._outputs[key] = output
            if len(self._outputs) > _MAX_CACHED:
                del self._outputs[next(iter(self._outputs))]
        return output

    def forget(self, text: str) -> None:
        """Drop every output that contains a text, such as the name of a deleted image."""
        with self._lock:
            for key in [k for k, output in self._outputs.items() if text in output.model_dump_json(warnings=False)]:
                del self._outputs[key]


class Worker:
    """Run items one after another.

    Args:
        drills: "out_of_memory" makes items fail as if the GPU's memory were full.
        before_item: called after an item is claimed, before it runs.
        round_robin: whether users take turns.
    """

    def __init__(
        self,
        queue: Queue,
        images: ImageStore,
        bus: EventBus,
        drills: Drills,
        *,
        before_item: Callable[[], None],
        round_robin: bool = False,
    ) -> None:
        self.queue = queue
        self.images = images
        self.bus = bus
        self.drills = drills
        self.cache = NodeCache()
        self.before_item = before_item
        self._round_robin = round_robin
        self._item: SessionQueueItem | None = None
        self._stop = threading.Event()
        self._resumed = threading.Event()
        self._resumed.set()
        self._wake = threading.Event()
        self.canceled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        images.on_deleted = self.cache.forget
        queue.on_finished = self._on_finished
        queue.on_enqueued = self._wake.set
        queue.on_cleared = self._on_cleared

    def start(self) -> None:
        """Start running items."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current node, and wait for that at most half a second."""
        self._stop.set()
        self.canceled.set()
        self._wake.set()
        self._resumed.set()
        self._thread.join(0.5)

    def pause(self) -> dict[str, bool]:
        """Start no further items."""
        self._resumed.clear()
        return self.status()

    def resume(self) -> dict[str, bool]:
        """Start items again."""
        self._resumed.set()
        return self.status()

    def status(self) -> dict[str, bool]:
        """Return whether items are started, and whether one runs."""
        return {"is_started": self._resumed.is_set(), "is_processing": self._item is not None}

    def _on_finished(self, item_id: int, status: Status) -> None:
        item = self._item
        if item is not None and item.item_id == item_id:
            if status == "canceled":
                self.canceled.set()
            self._wake.set()

    def _on_cleared(self, queue_id: str, user_id: str | None) -> None:
        """Cancel an item that was claimed after the clear had read what runs, and before it deleted all items."""
        item = self._item
        if item is not None and item.queue_id == queue_id and user_id in (None, item.user_id):
            self.canceled.set()
            self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            self._item = None
            self._resumed.wait()
            if self._stop.is_set():
                return
            self.canceled.clear()
            try:
                self._item = self.queue.dequeue(self._round_robin)
                if self._item is None:
                    self._wake.wait(POLL_SECONDS)
                    continue
                # It may have been canceled before `_on_finished` could recognize it.
                if self.queue.status_of(self._item.item_id) != "in_progress":
                    continue
                self.before_item()
                ItemRun(self, self._item).run()
            except Exception as error:  # noqa: BLE001 - the worker must survive
                self._fail(error)
                self._wake.wait(POLL_SECONDS)

    def _fail(self, error: Exception) -> None:
        if self._item is None:
            return
        try:
            self.queue.save_session(self._item.item_id, self._item.session)
            self.queue.set_status(self._item.item_id, "failed", error=describe(error))
        except QueueItemNotFoundError:
            pass


class ItemRun:
    """One run of one item."""

    def __init__(self, worker: Worker, item: SessionQueueItem) -> None:
        self.worker = worker
        self.item = item
        self.session = item.session
        self._executor = Executor(item.session)

    def run(self) -> None:
        """Run nodes until the graph is complete, one fails, or the item is canceled; then store the session."""
        worker, queue = self.worker, self.worker.queue
        while True:
            try:
                node = self._executor.next()
            except NodeInputError as error:
                self._node_failed(error.node, error)
                break
            if node is None or worker.canceled.is_set():
                break
            self._run_node(node)
            if self.session.is_complete() or worker.canceled.is_set():
                break
        try:
            item = queue.save_session(self.item.item_id, self.session)
            if item.status not in ("canceled", "failed") and self.session.is_complete():
                queue.set_status(item.item_id, "completed")
        except QueueItemNotFoundError:
            pass

    def _run_node(self, node: BaseInvocation) -> None:
        self.emit("invocation_started", node)
        try:
            output = self._invoke(node)
        except CanceledException:
            return
        except Exception as error:  # noqa: BLE001 - a node may raise anything
            self._node_failed(node, error)
            return
        self._executor.complete(node.id, output)
        self.emit("invocation_complete", node, result=output.model_dump(mode="json"))

    def _invoke(self, node: BaseInvocation) -> BaseInvocationOutput:
        node.check_inputs()
        context = NodeContext(
            node,
            self.item,
            self.worker.images,
            send_progress=partial(self.emit, "invocation_progress", node),
            is_canceled=self.worker.canceled.is_set,
        )
        if self.worker.drills.on("out_of_memory") and self._half_done():
            raise OutOfMemoryError
        if not node.use_cache:
            return node.invoke(context)
        return self.worker.cache.output_of(node, lambda: node.invoke(context))

    def _half_done(self) -> bool:
        return 2 * len(self.session.executed_history) >= len(self.session.graph.nodes) - 1

    def _node_failed(self, node: BaseInvocation, error: Exception) -> None:
        kind, message, trace = describe(error)
        self.session.errors[node.id] = f"{kind}: {message}"
        self.worker.queue.save_session(self.item.item_id, self.session)
        self.worker.queue.set_status(self.item.item_id, "failed", error=(kind, message, trace))
        self.emit("invocation_error", node, error_type=kind, error_message=message, error_traceback=trace)

    def emit(self, name: str, node: BaseInvocation, **more: Any) -> None:
        """Send an event about a node of this item."""
        is_about_a_list = isinstance(node, IterateInvocation | CollectInvocation)
        shown = node.model_copy(update={"collection": []}) if is_about_a_list else node
        data: dict[str, Any] = {
            **self.item.ids,
            "invocation": shown.model_dump(mode="json", warnings=False),
            "invocation_source_id": self.session.prepared_source_mapping[node.id],
            **more,
        }
        self.worker.bus.emit(QueueEvent(name, data, (self.item.user_id,)))


def describe(error: Exception) -> tuple[str, str, str]:
    """Return an exception's type, message and traceback."""
    return type(error).__name__, str(error), "".join(traceback.format_exception(error))
