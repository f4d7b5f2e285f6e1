"""`Job`: a handle on one item; and what follows several of them, their events or their ends, for cells and scripts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any

from invoke_widgets._loop import Channel, LoopThread, receive
from invoke_widgets.errors import (
    JobCanceled,
    JobTimeout,
    NotFound,
)
from invoke_widgets.events import Event, ItemStatusChanged, NodeEvent
from invoke_widgets.jobs.handles import Context, Handle, Unsubscribe, deleted, failure_of, last_attempt, status_of
from invoke_widgets.outputs import image_names, outputs
from invoke_widgets.records import COMPLETED, Cancellation, QueueItem
from invoke_widgets.sync import Change


class Job(Handle[QueueItem]):
    """One item of the queue. `await job`, or `job.wait()`, gives the finished item.

    A job that was submitted with a `RetryPolicy` goes on while it is run again: it ends with its last attempt.

    Attributes:
        item_id: its id; with a policy, that of an attempt, usually the first.
    """

    def __init__(self, context: Context, item_id: int) -> None:
        super().__init__(context)
        self.item_id = item_id

    def __repr__(self) -> str:
        attempts = self.attempts
        told = f", attempts {', '.join(map(str, attempts))}" if len(attempts) > 1 else ""
        return f"Job({self.item_id}, {self.status}{told})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self.item_id == other.item_id and self._context.store is other._context.store

    def __hash__(self) -> int:
        return hash(self.item_id)

    @property
    def attempts(self) -> tuple[int, ...]:
        """The ids of all attempts at it, ascending; only its own `item_id`, unless its `RetryPolicy` made more."""
        return self._context.actions.reruns.attempts(self.item_id)

    @property
    def item(self) -> QueueItem | None:
        """What is known of its last attempt now; None if that was deleted or has not been read yet."""
        return self._context.store.state.items.get(self.attempts[-1])

    @property
    def status(self) -> str:
        """The server's status of its last attempt; "pending" between a failure and the next attempt.

        "unknown" if it was deleted or has not been read yet.
        """
        return status_of(self._context, self.attempts[-1])

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for it, and return each node's output by the graph's own node ids.

        Returns:
            `{"sum": {"type": "integer_output", "value": 3}}`; for a node inside an iteration, a list of outputs in
            the iterations' order.

        Raises:
            JobException: as for `wait`.
        """
        return outputs(self.wait(timeout))

    def image_names(self, timeout: float | None = None) -> list[str]:
        """Wait for it, and return the names of the images that it put out."""
        return image_names(self.wait(timeout))

    def iter_events(self, timeout: float | None = None) -> Iterator[Event]:
        """What happens to it, from its status now to its end: `ItemStatusChanged` and the events of its nodes.

        Args:
            timeout: seconds without any event after which `JobTimeout` is raised.
        """
        with Channel[Event | None](self._context.loop) as events:
            unsubscribe = self._follow(events.put)
            try:
                yield from drained(events, 1, timeout, f"item {self.item_id}")
            finally:
                unsubscribe()

    def aiter_events(self) -> AsyncIterator[Event]:
        """`iter_events`, for `async for`."""
        return followed(self._context.loop, [self])

    def on_change(self, listener: Callable[[QueueItem], object]) -> Unsubscribe:
        """Call `listener(item)` after each change of it, on a thread of its own; what it raises is logged."""

        def changed(change: Change) -> None:
            attempts = self.attempts
            item = change.state.items.get(attempts[-1])
            if not change.item_ids.isdisjoint(attempts) and item is not None:
                self._context.deliver(lambda: listener(item))

        self._context.loop.check()
        return self._context.store.subscribe(changed)

    def _follow(self, put: Callable[[Event | None], None]) -> Unsubscribe:
        """Pass on its events, then None. Status changes come from the picture, so that polling tells them too."""
        last: list[tuple[int, str] | None] = [None]
        ended = threading.Event()

        def look() -> None:
            if ended.is_set():
                return
            item = self.item
            if item is not None and (item.item_id, item.status) != last[0]:
                last[0] = (item.item_id, item.status)
                put(ItemStatusChanged(queue_id=item.queue_id, item=item))
            is_gone = item is None and self.attempts[-1] not in self._context.store.state.unread
            if is_gone or (item is not None and item.is_terminal and not self._context.actions.reruns.will_go_on(item)):
                ended.set()
                put(None)

        def changed(change: Change) -> None:
            if not change.item_ids.isdisjoint(self.attempts):
                look()

        def event(event: Event) -> None:
            if isinstance(event, NodeEvent) and event.item_id in self.attempts:
                put(event)

        ends = [self._context.store.subscribe(changed), self._context.store.subscribe_events(event)]
        self._context.loop.post(look)

        def unsubscribe() -> None:
            for end in ends:
                end()

        return unsubscribe

    async def _finished(self) -> QueueItem:
        item = await last_attempt(self._context, self.item_id)
        with contextlib.suppress(NotFound):  # pruned meanwhile: what was last seen has to do
            item = await self._context.client.get_queue_item(item.item_id)
        if item.status != COMPLETED:
            raise failure_of(item, self.attempts)
        return item

    def _now(self) -> QueueItem:
        item = self.item
        if item is None:
            raise deleted(self.item_id)
        return item

    async def _cancel(self) -> Cancellation:
        return await self._context.actions.cancel(self.attempts[-1])

    def _called(self) -> str:
        return f"Item {self.item_id}"

    def _timeout(self, timeout: float) -> JobTimeout:
        error = super()._timeout(timeout)
        error.item_id, error.item = self.item_id, self.item
        return error


def drained(events: Channel[Event | None], ends: int, timeout: float | None, called: str) -> Iterator[Event]:
    """The events of a queue, until so many ends (None) have come."""
    while ends:
        try:
            event = events.get(timeout)
        except queue.Empty:
            raise JobTimeout(f"Nothing was heard of {called} for {timeout:g} s.") from None
        if event is None:
            ends -= 1
        else:
            yield event


_Future = concurrent.futures.Future[QueueItem]
_Outcome = tuple[Job, _Future]


async def followed(loop: LoopThread, jobs: list[Job]) -> AsyncIterator[Event]:
    """The events of these jobs, for whoever awaits them, until the last has finished."""
    with Channel[Event | None](loop) as events:
        ends = [job._follow(events.put) for job in jobs]
        left = len(ends)
        try:
            while left:
                event = await events.aget()
                if event is None:
                    left -= 1
                else:
                    yield event
        finally:
            for end in ends:
                end()


class AsCompleted:
    """Jobs as they finish, for `for` and for `async for`."""

    def __init__(self, jobs: Iterable[Job], timeout: float | None) -> None:
        self._jobs = list(dict.fromkeys(jobs))
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def _start(self) -> tuple[queue.SimpleQueue[_Outcome], list[_Future]]:
        # Not a feed: they may be of several consoles, and each future ends with its own.
        done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        futures: list[_Future] = []
        for job in self._jobs:
            future = job._context.loop.start(_ended(job))
            future.add_done_callback(lambda future, job=job: done.put((job, future)))  # type: ignore[misc]
            futures.append(future)
        return done, futures

    def _left_s(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _check(self, left: int) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise JobTimeout(f"{left} of {len(self._jobs)} jobs had not finished in time.")

    def __iter__(self) -> Iterator[Job]:
        done, futures = self._start()
        left = len(futures)
        try:
            while left:
                try:
                    outcome = receive(done, self._left_s())
                except queue.Empty:
                    self._check(left)
                    continue
                left -= 1
                yield _finished(*outcome)
        finally:
            for future in futures:
                future.cancel()

    async def __aiter__(self) -> AsyncIterator[Job]:
        done, futures = self._start()
        left = len(futures)
        try:
            while left:
                try:
                    outcome = done.get_nowait()
                except queue.Empty:
                    self._check(left)
                    await asyncio.sleep(0.02)
                    continue
                left -= 1
                yield _finished(*outcome)
        finally:
            for future in futures:
                future.cancel()


def _finished(job: Job, future: _Future) -> Job:
    """The job; or the exception that says why nobody knows how it ended."""
    with contextlib.suppress(JobCanceled, NotFound):  # deleted
        future.result()
    return job


def _ended(job: Job) -> Coroutine[Any, Any, QueueItem]:
    return last_attempt(job._context, job.item_id)
