"""Raw HTTP requests and socket events, without the package in between."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, TypeVar

import httpx
import socketio

from tests.support.graphs import Graph, add_and_multiply, sleep
from tests.support.loops import free_sockets
from tests.support.servers import Server

T = TypeVar("T")

TERMINAL = ("completed", "failed", "canceled")

# Seconds to wait for something that must happen. Never asserted: it only turns a hang into a failure.
PATIENCE = 30.0


def until(look: Callable[[], T], what: str) -> T:
    """Call a function until its result is true, and return that."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.02)
    raise AssertionError(f"timed out waiting for {what}")


class Wire:
    """Requests to one queue of a server. Paths are relative to the queue, or to the API if they start with a slash."""

    def __init__(self, server: Server, *, queue_id: str = "default", token: str | None = None) -> None:
        self.server = server
        self.queue_id = queue_id
        self.token = token
        self.http = httpx.Client(
            base_url=f"{server.url}/api/v1",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=PATIENCE,
            verify=False,  # plain HTTP, and loading certificates takes longer than a request
            # The server closes connections that are idle for 5 s.
            limits=httpx.Limits(keepalive_expiry=2),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def send(self, method: str, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """Send any request and return its response, whatever the status."""
        url = path if path.startswith("/") else f"/queue/{self.queue_id}/{path}"
        if json is not None:
            options["json"] = json
        return self.http.request(method, url, **options)

    def answer(self, method: str, path: str, json: Any = None, **options: Any) -> Any:
        """Send a request that must succeed, and return the JSON of its response."""
        response = self.send(method, path, json, **options)
        assert (True, "application/json") == (response.is_success, response.headers.get("content-type")), response.text
        return response.json()

    def get(self, path: str, **params: Any) -> Any:
        return self.answer("GET", path, params=params)

    def put(self, path: str, json: Any = None, **params: Any) -> Any:
        return self.answer("PUT", path, json, params=params)

    def post(self, path: str, json: Any = None, **params: Any) -> Any:
        return self.answer("POST", path, json, params=params)

    def delete(self, path: str, **params: Any) -> Any:
        return self.answer("DELETE", path, params=params)

    def enqueue(self, graph: Graph | None = None, *, prepend: bool = False, **batch: Any) -> dict[str, Any]:
        """Enqueue a batch (by default of a small graph that completes) and return the response."""
        body = {"batch": {"graph": graph or add_and_multiply(), "runs": 1, **batch}}
        if prepend:
            body["prepend"] = True
        answer: dict[str, Any] = self.post("enqueue_batch", body)
        return answer

    def item(self, item_id: int) -> dict[str, Any]:
        item: dict[str, Any] = self.get(f"i/{item_id}")
        return item

    def item_ids(self) -> list[int]:
        """Return the ids of all items in the queue."""
        if self.server.has("item_ids"):
            ids: list[int] = self.get("item_ids")["item_ids"]
            return ids
        return [item["item_id"] for item in self.get("list_all")]

    def statuses(self, item_ids: list[int]) -> list[str]:
        return [self.item(item_id)["status"] for item_id in item_ids]

    def queue_status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.get("status")["queue"]
        return status

    def counts(self) -> dict[str, int]:
        """Return the counters that are not zero."""
        status = self.queue_status()
        names = ("pending", "in_progress", "waiting", "completed", "failed", "canceled")
        return {name: status[name] for name in names if status.get(name)}

    def wait_for(self, item_id: int, *statuses: str) -> dict[str, Any]:
        """Wait until an item has one of the statuses (by default a final one), and return it."""

        def look() -> dict[str, Any] | None:
            item = self.item(item_id)
            return item if item["status"] in (statuses or TERMINAL) else None

        return until(look, f"item {item_id} to be {' or '.join(statuses or TERMINAL)}")

    def run(self, graph: Graph | None = None, **batch: Any) -> dict[str, Any]:
        """Enqueue one item, and return it once it has finished."""
        return self.wait_for(self.enqueue(graph, **batch)["item_ids"][0])

    def running_and_pending(self, pending: int, **batch: Any) -> tuple[int, list[int]]:
        """Start a long item with `pending` more of its batch behind it; return their ids."""
        first, *others = self.start(sleep(60), runs=1 + pending, **batch)
        return first, others

    def start(self, graph: Graph, **batch: Any) -> list[int]:
        """Enqueue a batch and wait until the worker executes its first item; return the ids.

        The status is not enough: some versions lose a cancellation between the status change and the first node.
        """
        auth = {"token": self.token} if self.token else None
        with Listener(self.server, queue_id=self.queue_id, auth=auth) as listener:
            item_ids = sorted(self.enqueue(graph, **batch)["item_ids"])
            listener.wait_for("invocation_started", item_id=item_ids[0])
        return item_ids

    def wait_until_idle(self) -> None:
        """Wait until nothing is queued or running, including a canceled node that does not stop."""

        def idle() -> bool:
            status = self.get("status")
            unfinished = status["queue"]["pending"] + status["queue"]["in_progress"]
            return not unfinished and not status["processor"]["is_processing"]

        until(idle, "the server to be idle")

    def clean(self) -> None:
        """Empty the queue, and wait until the processor runs and the worker is free.

        Before 6.14, an item deleted while the worker claims it kills the worker; so everything is canceled first.
        There, a worker that has just claimed an item may miss a clear; so clearing is repeated.
        """
        status = self.get("status")
        processor = status["processor"]
        if not status["queue"]["total"] and processor["is_started"] and not processor["is_processing"]:
            return
        self.put("processor/resume")
        if not self.server.has("idle_while_paused"):
            self._finish_all()
        until(lambda: self.put("clear") and not self.get("status")["processor"]["is_processing"], "a free worker")

    def _finish_all(self) -> None:
        """Cancel everything, and wait at most a second for the worker, which may have missed the cancellation."""
        self.put("cancel_all_except_current")
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline and self.get("status")["processor"]["is_processing"]:
            if current := self.get("current"):
                self.put(f"i/{current['item_id']}/cancel")
            time.sleep(0.01)

    def is_working(self) -> bool:
        """Return whether the worker finishes a job within 10 s."""
        item_id = self.enqueue(add_and_multiply())["item_ids"][0]
        deadline = time.monotonic() + 10
        while self.item(item_id)["status"] not in TERMINAL and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.item(item_id)["status"] in TERMINAL

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the processor within a `with` block."""
        self.put("processor/pause")
        try:
            yield
        finally:
            self.put("processor/resume")


class Event(NamedTuple):
    """A socket event as received."""

    name: str
    data: dict[str, Any]

    @property
    def brief(self) -> str:
        """The name, with the status of an item or the id of a node if there is one."""
        detail = {"queue_item_status_changed": "status"}.get(self.name)
        if self.name.startswith("invocation_"):
            detail = "invocation_source_id"
        return f"{self.name} {self.data[detail]}" if detail else self.name


class Listener:
    """A socket that records events. `raw` also has the duplicates that some versions send."""

    def __init__(
        self,
        server: Server,
        *,
        queue_id: str = "default",
        subscribe: bool = True,
        auth: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        transports: tuple[str, ...] = ("websocket",),
    ) -> None:
        self.raw: list[Event] = []
        self.events: list[Event] = []
        self.disconnected = threading.Event()
        self._seen: set[str] = set()
        self._server = server
        self._queue_id = queue_id
        self._subscribe = subscribe
        self._auth = auth
        self._headers = headers or {}
        self._transports = list(transports)
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="listener", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._call(self._connect())
            if self._subscribe:
                self.subscribe()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call(self._client.disconnect())
        finally:
            self._end()

    def emit(self, name: str, data: Any) -> None:
        self._call(self._client.emit(name, data))

    def subscribe(self) -> None:
        """Subscribe to the queue, and wait for the server's acknowledgement."""
        self._call(self._client.call("subscribe_queue", {"queue_id": self._queue_id}, timeout=PATIENCE))

    def wait_for(self, name: str, **match: Any) -> Event:
        """Wait for the first event with this name and these values, and return it."""

        def look() -> Event | None:
            with self._lock:
                found = (e for e in self.events if e.name == name and match.items() <= _flat(e.data).items())
                return next(found, None)

        return until(look, f"the event {name} with {match}; received {[event.brief for event in self.events]}")

    def wait_for_status(self, item_id: int, status: str) -> Event:
        return self.wait_for("queue_item_status_changed", item_id=item_id, status=status)

    def of_item(self, item_id: int) -> list[Event]:
        """Return the events about one item, in order."""
        with self._lock:
            return [event for event in self.events if event.data.get("item_id") == item_id]

    def names(self) -> list[str]:
        """Return all events in brief, in order."""
        with self._lock:
            return [event.brief for event in self.events]

    def drain(self, wire: Wire) -> None:
        """Wait for all events caused so far, by enqueuing a batch without items and waiting for its event."""
        batch_id = wire.enqueue(data=[[]])["batch"]["batch_id"]
        self.wait_for("batch_enqueued", batch_id=batch_id)
        with self._lock:
            self.events = [event for event in self.events if event.data.get("batch_id") != batch_id]

    async def _connect(self) -> None:
        self._client = socketio.AsyncClient(reconnection=False)
        self._client.on("*", self._receive)
        self._client.on("disconnect", lambda *_: self.disconnected.set())
        await self._client.connect(
            self._server.url,
            socketio_path="/ws/socket.io",
            transports=self._transports,
            auth=self._auth,
            headers=self._headers,
        )

    def _receive(self, name: str, data: dict[str, Any]) -> None:
        event = Event(name, data)
        # The second copy of a progress event comes without its preview image.
        key = f"{name} {json.dumps({**data, 'image': None}, sort_keys=True)}"
        with self._lock:
            self.raw.append(event)
            if key not in self._seen:
                self._seen.add(key)
                self.events.append(event)

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def _end(self) -> None:
        self._call(free_sockets(self._loop))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


def _flat(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if isinstance(value, str | int | float | bool | None)}
