"""What the console costs beside bare HTTP on the same server: `python -m tests.bench.core [--version 6.14.2|embedded]`.

- `console.cancel()` beside a bare `httpx` PUT, in turn, on pending items of a paused queue.
- The first snapshot of a long queue beside `list_all`: bytes on the wire (gzipped, as asked for), of JSON, seconds.
- The three parts of a cancel's latency, on a node that looks whether it was canceled and on one that does not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

import invoke_widgets as iw
from tests.support.graphs import add_and_multiply, graph, sleep
from tests.support.servers import EmbeddedServer, RealServer, Server
from tests.support.wire import Wire, until


class CountingProxy:
    """Hands bytes on and counts those that come from the server."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.received = 0

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self.url = f"http://127.0.0.1:{started.result().sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        still_open = asyncio.all_tasks() - {asyncio.current_task()}
        for task in still_open:
            task.cancel()
        await asyncio.gather(*still_open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)

        async def hand_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, count: bool) -> None:
            while chunk := await source.read(65536):
                self.received += len(chunk) if count else 0
                sink.write(chunk)
            sink.close()

        with contextlib.suppress(asyncio.CancelledError):  # at the end; asyncio would log it
            await asyncio.gather(hand_on(reader, far_writer, False), hand_on(far_reader, writer, True))


def milliseconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def overhead(server: Server, count: int) -> None:
    with Wire(server) as wire, iw.connect(server.url) as console:
        wire.clean()
        console.pause()
        ids = list(console.submit(add_and_multiply(), runs=4 * count + 20).item_ids)
        console.refresh()
        bare = httpx.Client(base_url=server.url)
        times_of: dict[str, list[float]] = {"httpx PUT": [], "console.cancel()": [], "InvokeClient": []}

        def put(item_id: int) -> None:
            bare.put(f"/api/v1/queue/default/i/{item_id}/cancel").raise_for_status()

        async def alone() -> list[float]:
            async with iw.InvokeClient(server.url) as client:
                await client.app_version()
                times = []
                for _ in range(count):
                    begin = time.perf_counter()
                    await client.cancel_queue_item(ids.pop())
                    times.append((time.perf_counter() - begin) * 1000)
                return times

        for _ in range(10):
            put(ids.pop())
            console.cancel(ids.pop())
        for _ in range(count):
            first, second = ids.pop(), ids.pop()
            times_of["httpx PUT"].append(milliseconds(lambda: put(first)))  # noqa: B023 - called at once
            times_of["console.cancel()"].append(milliseconds(lambda: console.cancel(second)))  # noqa: B023
        times_of["InvokeClient"] = asyncio.run(alone())
        baseline = statistics.median(times_of["httpx PUT"])
        print(f"\ncancel of a pending item, ms, N={count} each, the first two in turn")
        for name, times in times_of.items():
            middle, late = statistics.median(times), statistics.quantiles(times, n=20)[-1]
            print(f"  {name:18} median {middle:6.2f}   p95 {late:6.2f}   ratio {middle / baseline:.2f}")
        bare.close()
        wire.clean()


def first_snapshot(server: Server, count: int, what: str, nodes: int) -> None:
    adding = {f"add{i}": {"type": "add", "a": i, "b": 2} for i in range(nodes)}
    with Wire(server) as wire:
        wire.clean()
        wire.put("processor/pause")
        wire.enqueue(graph(adding), runs=count, data=None)
        with CountingProxy(server.url) as proxy:
            httpx.get(f"{proxy.url}/api/v1/queue/default/item_ids")
            ids_wire = proxy.received
        with CountingProxy(server.url) as proxy:
            begin = time.perf_counter()
            reply = httpx.get(f"{proxy.url}/api/v1/queue/default/list_all", timeout=120)
            all_s, all_wire, all_json = time.perf_counter() - begin, proxy.received, len(reply.content)
        iw.connect(server.url).close()  # imports, so that they do not count
        begin = time.perf_counter()
        console = iw.connect(server.url)
        ours_s = time.perf_counter() - begin
        read = len(console.queue)
        filled_s = time.perf_counter() - begin
        console.close()
        with CountingProxy(server.url) as proxy:
            console = iw.connect(proxy.url)
            ours_wire = proxy.received
            items = len(console.queue)
            filled_wire = proxy.received
            console.close()
        assert count == read == items
        print(f"\nfirst snapshot of {count} items, {what} each (ids, counters, the newest 100), and all read behind it")
        print(
            f"  list_all       {all_s:6.2f} s   {all_wire / 1e3:9.1f} kB on the wire   {all_json / 1e6:.2f} MB of JSON"
        )
        # The server sends all ids or none, so the first snapshot cannot be smaller than these.
        print(
            f"  item_ids alone          {ids_wire / 1e3:9.1f} kB on the wire   1/{all_wire / ids_wire:.1f} of the bytes"
        )
        print(f"  first snapshot {ours_s:6.2f} s   {ours_wire / 1e3:9.1f} kB on the wire   "
              f"1/{all_wire / ours_wire:.1f} of the bytes, 1/{all_s / ours_s:.1f} of the time")  # fmt: skip
        print(f"  all of it      {filled_s:6.2f} s   {filled_wire / 1e3:9.1f} kB on the wire   "
              f"1/{all_wire / filled_wire:.1f} of the bytes, 1/{all_s / filled_s:.1f} of the time")  # fmt: skip
        wire.clean()


def cancel_latency(server: Server, count: int) -> None:
    print(f"\nthe parts of a cancel of a running item, ms, N={count} each")
    with Wire(server) as wire, iw.connect(server.url) as console:
        for name, options in {"looks": {}, "does not look": {"cancelable": False}}.items():
            found: list[Any] = []
            for _ in range(count):
                wire.clean()
                job = console.submit(sleep(2, steps=2, **options)).jobs[0]
                until(lambda: job.status == "in_progress", "the job to run")  # noqa: B023 - called at once
                time.sleep(0.8)
                record = console.cancel(job.item_id)
                found.append(until(lambda: (c := console.cancellations.latest(record)).stopped_s and c, "stop"))  # noqa: B023
            parts = {
                part: statistics.median(getattr(c, part) for c in found) * 1000
                for part in ("acknowledged_s", "effective_s", "stopped_s")
            }
            print(f"  a node that {name:14} " + "   ".join(f"{part} {value:8.1f}" for part, value in parts.items()))
        wire.clean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default="6.14.2")
    parser.add_argument("--items", type=int, default=10_000)
    chosen = parser.parse_args()
    server: Server = EmbeddedServer() if chosen.version == "embedded" else RealServer(chosen.version)
    server.start()
    try:
        print(f"{server.kind} {server.version}")
        overhead(server, 200)
        # Equal small graphs are what gzip makes least of: list_all at its best. 25 nodes are half as large as SDXL's.
        first_snapshot(server, chosen.items, "two nodes", 2)
        first_snapshot(server, chosen.items, "25 nodes", 25)
        cancel_latency(server, 8)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
