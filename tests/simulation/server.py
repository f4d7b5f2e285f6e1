"""The model's queue over HTTP and socket.io, on connections in memory, with the faults that a history asks for."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from tests.simulation.clock import VirtualLoop
from tests.simulation.model import OPENAPI, Missing, QueueModel
from tests.simulation.network import Link, Network

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_QUEUE = "/api/v1/queue/default/"
_REST_S = 5.0
"""The seconds after which the server closes a connection without requests."""


@dataclass
class Fault:
    """Something that happens to the next requests, or to the next events, that match.

    Attributes:
        kind: see `Server`.
        path: a pattern of the path, or of an event's name.
        times: how often it still happens.
        amount: seconds or bytes.
    """

    kind: str
    path: str = ""
    times: int = 1
    amount: float = 0.0


@dataclass
class Server:
    """Answers requests for one queue, and sends its events.

    Faults of requests: `lose_reply` (done, then reset), `lose_request` (reset), `late` (reset at once, done after
    `amount` seconds), `error` (done, then a 500), `refuse` (a 503, not done), `gateway` (a 502 page, not done), `slow`
    (done after `amount` seconds), `stall` (done, the reply comes after `amount` seconds), `cut` (reset after `amount`
    bytes of the reply), `slice` (pieces of `amount` bytes), `half` (half of the JSON), `drip` (a byte each second).
    Of events: `drop_event`, `double_event`, `swap_event` (with the next one). Of connections: `cut_upload`.
    """

    loop: VirtualLoop
    log: Callable[[str], None]
    is_up: bool = True
    faults: list[Fault] = field(default_factory=list)
    wall_offset_s: float = 0.0
    _sockets: dict[_Socket, None] = field(default_factory=dict)
    _swapped: tuple[str, dict[str, Any]] | None = None
    _barrier: list[Callable[[], None]] | None = None
    _wanted: int = 0

    def __post_init__(self) -> None:
        self.model = QueueModel(self._emit, self._wall, self.loop.call_later)
        self.network: Network | None = None

    # -- what happens to the server -----------------------------------------------------------------------------------

    def stop(self) -> None:
        self.is_up = False
        assert self.network is not None
        for link in list(self.network.links):
            link.reset()

    def start(self) -> None:
        self.is_up = True
        self.model.restart()

    def break_sockets(self) -> None:
        for each in list(self._sockets):
            each.link.reset()

    def take_fault(self, what: Literal["request", "event", "connection"], subject: str = "") -> Fault | None:
        """Return the first fault of such a thing that matches, and count it."""
        for fault in self.faults:
            of_event, of_connection = fault.kind.endswith("_event"), fault.kind == "cut_upload"
            kind = "event" if of_event else "connection" if of_connection else "request"
            if fault.times > 0 and kind == what and re.search(fault.path, subject):
                fault.times -= 1
                return fault
        return None

    def _wall(self) -> str:
        moment = int((self.loop.now + self.wall_offset_s) * 1000)
        seconds, thousandths = divmod(moment, 1000)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        return f"2026-01-{1 + hour // 24:02} {hour % 24:02}:{minute:02}:{second:02}.{thousandths:03}"

    # -- events --------------------------------------------------------------------------------------------------------

    def _emit(self, name: str, data: dict[str, Any]) -> None:
        data = {"timestamp": int(self.loop.now), **data}
        fault = self.take_fault("event", name)
        kind = fault.kind if fault else ""
        self.log(f"event {name} {data.get('item_id', '')} {data.get('status', '')} {kind}")
        if kind == "drop_event":
            return
        if kind == "swap_event" and self._swapped is None:
            self._swapped = (name, data)
            self.loop.call_later(0.3, self._send_swapped)
            return
        self._send(name, data)
        if kind == "double_event":
            self._send(name, data)
        self._send_swapped()

    def _send_swapped(self) -> None:
        if self._swapped is not None:
            event, self._swapped = self._swapped, None
            self._send(*event)

    def _send(self, name: str, data: dict[str, Any]) -> None:
        packet = f"42{json.dumps([name, data])}"
        for each in list(self._sockets):
            if each.is_subscribed:
                each.send(packet)

    # -- requests ------------------------------------------------------------------------------------------------------

    def accepted(self, link: Link) -> Callable[[bytes], None]:
        fault = self.take_fault("connection")
        if fault is not None:
            link.upload_limit = int(fault.amount)
        return _Http(self, link).receive

    def subscribe(self, each: _Socket) -> None:
        self._sockets[each] = None

    def forget(self, each: _Socket) -> None:
        self._sockets.pop(each, None)

    def gather(self, number: int) -> None:
        """Answer no read of the status before `number` of them are there at once."""
        self._barrier, self._wanted = [], number

    def handle(self, method: str, path: str, body: bytes, link: Link, by: str) -> None:
        short = path.removeprefix(_QUEUE)
        fault = self.take_fault("request", f"{method} {short}")
        kind = fault.kind if fault else ""
        amount = fault.amount if fault else 0.0
        if self._barrier is None:
            self.log(f"{by} {method} {short} {kind}")
        if self._barrier is not None and short == "status":
            self._barrier.append(lambda: self._reply(link, *self.answer(method, path, body, by)))
            if len(self._barrier) >= self._wanted:
                for answer in self._barrier:
                    answer()
                self._barrier = None
            return
        if kind in ("lose_request", "late"):
            if kind == "late":
                self.loop.call_later(amount, self._answer_if_up, method, path, body, by)
            link.reset()
        elif kind == "refuse":
            self._reply(link, 503, {"detail": "busy"})
        elif kind == "gateway":
            self._reply(link, 502, "<html>Bad gateway</html>")
        else:
            assert self.network is not None
            pause = self.network.delay() + (amount if kind == "slow" else 0.0)
            self.loop.call_later(pause, self._carry_out, method, path, body, link, by, kind, amount)

    def _answer_if_up(self, method: str, path: str, body: bytes, by: str) -> None:
        if self.is_up:
            self.answer(method, path, body, by)

    def _carry_out(self, method: str, path: str, body: bytes, link: Link, by: str, kind: str, amount: float) -> None:
        if not self.is_up:
            return
        status, answer = self.answer(method, path, body, by)
        if kind == "lose_reply":
            link.reset()
            return
        if kind == "error":
            status, answer = 500, {"detail": "Internal error"}
        if kind == "cut":
            link.limit = int(amount)
        if kind == "slice":
            link.piece = max(int(amount), 1)
        if kind == "stall":
            link.stall_s = amount
        if kind == "drip":
            link.piece, link.stall_s = 1, 1.0
        self._reply(link, status, answer, half=kind == "half", drip=kind == "drip")

    def _reply(self, link: Link, status: int, answer: Any, *, half: bool = False, drip: bool = False) -> None:
        is_page = isinstance(answer, str)
        content = answer.encode() if is_page else json.dumps(answer).encode()
        if half:
            content = content[: len(content) // 2]
        kind = "text/html" if is_page else "application/json"
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n".encode()
        link.send(head)
        if drip:
            for number in range(len(content)):
                self.loop.call_later(1.0 + number, link.send, content[number : number + 1])
            self.loop.call_later(1.0 + len(content), link.rest)
        else:
            link.send(content)
            link.rest()

    def answer(self, method: str, path: str, body: bytes, by: str) -> tuple[int, Any]:
        """Carry a request out, and return its status and answer."""
        try:
            return self._route(method, path, json.loads(body) if body else None, by)
        except Missing:
            return 404, {"detail": "Queue item with id not found in queue default"}

    def _route(self, method: str, path: str, data: Any, by: str) -> tuple[int, Any]:
        model = self.model
        if path == "/api/v1/app/version":
            return 200, {"version": "6.14.2"}
        if path == "/api/v1/auth/status":
            return 200, {"multiuser_enabled": False, "setup_required": False}
        if path == "/openapi.json":
            return 200, OPENAPI
        name = path.removeprefix(_QUEUE)
        match name.split("/"):
            case ["status"]:
                return 200, model.status()
            case ["item_ids"]:
                ids = model.item_ids()
                return 200, {"item_ids": ids, "total_count": len(ids)}
            case ["list_all"]:
                return 200, [item.whole() for item in model.in_order()]
            case ["items_by_ids"]:
                return 200, [model.items[i].whole() for i in data["item_ids"] if i in model.items]
            case ["item_summaries_by_ids"]:
                return 200, [model.items[i].summary() for i in data["item_ids"] if i in model.items]
            case ["next"]:
                return 200, next((i.whole() for i in model.in_order() if i.status == "pending"), None)
            case ["current"]:
                return 200, next((i.whole() for i in model.in_order() if i.status == "in_progress"), None)
            case ["b", batch_id, "status"]:
                return 200, model.batch_status(unquote(batch_id))
            case ["enqueue_batch"]:
                return 201, model.enqueue(data["batch"], prepend=bool(data.get("prepend")), by=by)
            case ["cancel_by_batch_ids"]:
                return 200, {"canceled": model.cancel_batches(data["batch_ids"], by=by)}
            case ["cancel_all_except_current"]:
                return 200, {"canceled": model.cancel_all_except_current(by=by)}
            case ["clear"]:
                return 200, {"deleted": model.clear(by=by)}
            case ["prune"]:
                return 200, {"deleted": model.prune(by=by)}
            case ["retry_items_by_id"]:
                return 200, model.retry(data, by=by)
            case ["processor", "pause"]:
                return 200, model.pause()
            case ["processor", "resume"]:
                return 200, model.resume()
            case ["i", item_id, "cancel"]:
                return 200, model.cancel(int(item_id), by=by)
            case ["i", item_id] if method == "DELETE":
                model.delete(int(item_id), by=by)
                return 200, None
            case ["i", item_id]:
                return 200, model.item(int(item_id)).whole()
        return 404, {"detail": f"Not found: {method} {path}"}


class _Http:
    """Reads requests from one connection; a websocket's takes it over."""

    def __init__(self, server: Server, link: Link) -> None:
        self._server = server
        self._link = link
        self._data = b""
        self._socket: _Socket | None = None
        self._used = 0
        link.rest = self._rest
        self._rest()

    def _rest(self) -> None:
        self._used += 1
        self._server.loop.call_later(_REST_S, self._close_if_unused, self._used)

    def _close_if_unused(self, used: int) -> None:
        if used == self._used and self._socket is None and not self._data:
            self._link.end()

    def receive(self, data: bytes) -> None:
        if not self._server.is_up:
            return
        if self._socket is not None:
            self._socket.receive(data)
            return
        self._data += data
        while self._socket is None and (request := self._next()) is not None:
            method, target, headers, body = request
            if headers.get("upgrade", "").lower() == "websocket":
                self._socket = _Socket(self._server, self._link, headers["sec-websocket-key"])
                return
            self._used += 1
            by = headers.get("authorization", "").removeprefix("Bearer ")
            self._server.handle(method, urlsplit(target).path, body, self._link, by)

    def _next(self) -> tuple[str, str, dict[str, str], bytes] | None:
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return None
        method, target, _ = first.split(" ")
        self._data = rest[length:]
        return method, target, headers, rest[:length]


class _Socket:
    """The server's end of a websocket with engine.io and socket.io, as far as the client uses them."""

    def __init__(self, server: Server, link: Link, key: str) -> None:
        self._server = server
        self.link = link
        self.is_subscribed = False
        self._data = b""
        fault = server.take_fault("request", "socket")
        if fault is not None:
            server.log(f"socket {fault.kind}")
            link.reset()
            return
        accepted = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest())
        link.send(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-accept: " + accepted + b"\r\n\r\n"
        )
        server.subscribe(self)
        link.on_closed = lambda: server.forget(self)
        opening = {"sid": "s", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1000000}
        self.send(f"0{json.dumps(opening)}")
        self._ping_later()

    def send(self, text: str) -> None:
        data = text.encode()
        size = len(data)
        if size < 126:
            head = bytes([0x81, size])
        elif size < 65536:
            head = bytes([0x81, 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x81, 127]) + size.to_bytes(8, "big")
        self.link.send(head + data)

    def _ping_later(self) -> None:
        self._server.loop.call_later(25.0, self._ping)

    def _ping(self) -> None:
        if self.link.is_open:
            self.send("2")
            self._ping_later()

    def receive(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= 6:
            kind, size, start = self._data[0] & 15, self._data[1] & 127, 2
            if size == 126:
                size, start = int.from_bytes(self._data[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(self._data[2:10], "big"), 10
            if len(self._data) < start + 4 + size:
                return
            mask, body = self._data[start : start + 4], self._data[start + 4 : start + 4 + size]
            self._data = self._data[start + 4 + size :]
            text = bytes(byte ^ mask[n % 4] for n, byte in enumerate(body))
            if kind == 8:
                self.link.send(b"\x88" + bytes([len(text)]) + text)
                self.link.end()
            elif kind == 1:
                self._take(text.decode())

    def _take(self, text: str) -> None:
        if text.startswith("40"):
            self.send('40{"sid":"t"}')
        elif text.startswith("42"):
            found = re.match(r"42(\d*)(.*)", text, re.DOTALL)
            assert found is not None
            if json.loads(found[2])[0] == "subscribe_queue":
                self.is_subscribed = True
                self._server.log("socket subscribed")
            if found[1]:
                self.send(f"43{found[1]}[]")
        elif text.startswith("1"):
            self.link.end()
