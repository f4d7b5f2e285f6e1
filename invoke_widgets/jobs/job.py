"""Handles on jobs: waiting in a plain cell and in one that awaits, results, events, and changes.

Waiting never blocks the thread that does the work, and wakes up regularly so that an interrupt takes effect.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import queue
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from invoke_widgets._loop import TICK_S, Channel, LoopThread, receive, wait
from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import (
    EXCEPTION_FOR,
    CancellationFailed,
    JobCanceled,
    JobException,
    JobTimeout,
    NotFound,
    checks,
)
from invoke_widgets.events import Event, ItemStatusChanged, NodeEvent, NodeFailed
from invoke_widgets.history import ErrorLog, JobLog, job_error
from invoke_widgets.jobs.actions import Actions
from invoke_widgets.outputs import image_names, outputs, without_graph
from invoke_widgets.records import CANCELED, COMPLETED, FAILED, PENDING, TERMINAL, Cancellation, QueueItem
from invoke_widgets.sync import Change, QueueStore, whole_items

if TYPE_CHECKING:
    from invoke_widgets.images import Images

T = TypeVar("T")
R = TypeVar("R")
OnTimeout = Literal["raise", "cancel", "detach"]
OnInterrupt = Literal["cancel", "detach"]
Unsubscribe = Callable[[], None]

_NODE_FAILED_S = 1.0
"""How long after a failure its node's event may come. Mostly it follows at once; not all failures are a node's."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a handle needs of its console.

    Attributes:
        jobs: has the last known state of items that the server has deleted.
        errors: has the tracebacks of these.
        deliver: runs a function on the thread for the user's callbacks.
        console: kept alive as long as a handle exists; its `progress` shows a handle in a notebook, and its `images_of`
            finds a handle's pictures.
    """

    loop: LoopThread
    client: InvokeClient
    store: QueueStore
    actions: Actions
    jobs: JobLog
    errors: ErrorLog
    deliver: Callable[[Callable[[], object]], None]
    console: Any

    def ended(self, item_id: int) -> QueueItem | None:
        """Return how an item that the server has deleted had ended; None if it is there, or its end was not seen."""
        state = self.store.state
        item = None if item_id in state.items or item_id in state.unread else self.jobs.of_item(item_id)
        if item is None or not item.is_terminal:
            return None
        error = self.errors.record_of(item)
        return item if error is None else replace(item, error_traceback=error.traceback)


class Handle(Generic[T]):
    """Something that can be waited for and canceled: a `Job`, a `Batch`, a `Sweep` or a `Retry`."""

    def __init__(self, context: Context, read: dict[int, QueueItem] | None = None) -> None:
        self._context = context
        self._read: dict[int, QueueItem] = {} if read is None else read
        """The finished items that were read, without their graphs: outputs that were seen outlive their items."""

    def _ipython_display_(self, **options: Any) -> None:
        """In a notebook: a live line."""
        self._context.console.progress(self)._ipython_display_(**options)

    # What a subclass defines.

    def _members(self) -> list[Job]:
        """Return a handle on each of its jobs."""
        raise NotImplementedError

    async def _finished(self) -> T:
        """Wait for the end, on the loop's thread."""
        raise NotImplementedError

    async def _now(self) -> T:
        """Return what is known now, on the loop's thread."""
        raise NotImplementedError

    async def _cancel(self) -> Cancellation:
        raise NotImplementedError

    def _name(self) -> str:
        """Return a name for messages: "item 5"."""
        raise NotImplementedError

    def _called(self) -> str:
        """Return the name as the beginning of a sentence."""
        name = self._name()
        return f"{name[:1].upper()}{name[1:]}"

    def _timeout(self, timeout: float) -> JobTimeout:
        is_over = all(job.status in TERMINAL for job in self._members())
        what = "has finished, but was not read" if is_over else "did not finish"
        return JobTimeout(f"{self._called()} {what} within {timeout:g} s.{hindrance(self._context)}")

    def wait(
        self,
        timeout: float | None = None,
        on_timeout: OnTimeout = "raise",
        *,
        on_interrupt: OnInterrupt | None = None,
    ) -> T:
        """Wait until it has finished.

        Args:
            timeout: seconds; None waits for ever.
            on_timeout: "raise" a `JobTimeout` and let it run; "cancel" it, then raise; "detach": return what is known
                and let it run.
            on_interrupt: what an interrupt (the ■ of the notebook) does before `KeyboardInterrupt` is raised: "cancel"
                or "detach". By default "cancel" if `on_timeout` is "cancel", else "detach".

        Returns:
            The finished item; for a batch, its items in the order of their ids.

        Raises:
            JobTimeout: see `on_timeout`.
            JobException: a job failed (see its `item`), was canceled, or was deleted before its end was seen. A batch
                raises for none of these.
            InvalidRequest: an argument does not fit, or the console was closed, before or meanwhile.
        """
        return self._wait(self._finished, timeout, on_timeout, on_interrupt)

    def _wait(
        self,
        finished: Callable[[], Coroutine[Any, Any, R]],
        timeout: float | None,
        on_timeout: OnTimeout = "raise",
        on_interrupt: OnInterrupt | None = None,
    ) -> R:
        limit_s, interrupted = wait_options(timeout, on_timeout, on_interrupt)
        future = self._context.loop.start(self._within(limit_s, on_timeout, finished))
        try:
            return wait(future)
        except KeyboardInterrupt:
            if interrupted == "cancel" and self._context.loop.is_running:
                concurrent.futures.wait([self._context.loop.start(self._cancel())], 2.0)
            raise

    async def wait_async(
        self,
        timeout: float | None = None,
        on_timeout: OnTimeout = "raise",
        *,
        on_interrupt: OnInterrupt | None = None,
    ) -> T:
        """`wait`, for a cell or function that awaits. An interrupt, or canceling the task, takes effect at once."""
        limit_s, interrupted = wait_options(timeout, on_timeout, on_interrupt)
        future = self._context.loop.start(self._within(limit_s, on_timeout, self._finished))
        try:
            await ticking(future)
        except BaseException:
            future.cancel()
            if interrupted == "cancel" and self._context.loop.is_running:
                self._context.loop.start(self._cancel())
            raise
        return future.result()

    async def _within(
        self, limit_s: float | None, on_timeout: OnTimeout, finished: Callable[[], Coroutine[Any, Any, R]]
    ) -> R:
        """Wait for the end, on the loop's thread, and do what `on_timeout` asks for if time runs out."""
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await finished()
        except TimeoutError:
            if not limit.expired():
                raise
        if on_timeout == "detach":
            return cast(R, await self._now())  # of what was waited for
        error = self._timeout(limit_s or 0.0)  # with the item as it is now, before the cancel
        if on_timeout == "cancel":
            error.message += await outcome(self._cancel())
        raise error

    def __await__(self) -> Generator[Any, None, T]:
        return self.wait_async().__await__()

    def cancel(self) -> Cancellation:
        """Cancel it, and return the outcome.

        Raises:
            CancellationFailed: the server could not be reached.
        """
        return self._context.loop.call(self._cancel())

    @property
    def images(self) -> Images:
        """Wait for it, and return its pictures, in the order of its jobs: those of canceled and failed jobs too.

        `console.images_of(handle, intermediates=True, timeout=60)` does the same with all images, and a limit.

        Raises:
            ServerUnreachable: the server has been away for 30 s; the jobs and their pictures are not lost.
        """
        found: Images = self._context.console.images_of(self)
        return found

    def iter_events(self, timeout: float | None = None) -> Iterator[Event]:
        """Iterate over `ItemStatusChanged` and the events of its nodes, from its present status to its end.

        Those of several jobs come as they happen, until the last job has ended.

        Args:
            timeout: seconds without any event after which `JobTimeout` is raised.
        """
        limit_s = checks.limit("timeout", timeout)

        def iterate() -> Iterator[Event]:
            with self._followed() as (events, left):
                while left:
                    try:
                        event = events.get(limit_s)
                    except queue.Empty:
                        raise JobTimeout(
                            f"{self._called()} has sent no event for {limit_s:g} s.{hindrance(self._context)}"
                        ) from None
                    if event is None:
                        left -= 1
                    else:
                        yield event

        return iterate()

    async def aiter_events(self) -> AsyncIterator[Event]:
        """`iter_events`, for `async for`."""
        with self._followed() as (events, left):
            while left:
                event = await events.aget()
                if event is None:
                    left -= 1
                else:
                    yield event

    @contextlib.contextmanager
    def _followed(self) -> Iterator[tuple[Channel[Event | None], int]]:
        """Follow the events of its jobs, each of which puts None at its end; yields the number of jobs as well."""
        jobs = self._members()
        with Channel[Event | None](self._context.loop) as events:
            ends = [job._follow(events.put) for job in jobs]
            try:
                yield events, len(jobs)
            finally:
                for end in ends:
                    end()

    async def _ended(self) -> list[tuple[Job, QueueItem | None]]:
        """Wait for the jobs that it has now, and return each with its final item; None if its end was not seen."""
        ended: list[tuple[Job, QueueItem | None]] = []
        for job in self._members():
            try:
                ended.append((job, await last_attempt(self._context, job.item_id)))
            except (JobCanceled, NotFound):
                ended.append((job, None))
        ids = [item.item_id for _, item in ended if item is not None]
        whole = {item.item_id: item for item in await whole_items(self._context.client, ids)}
        self._read.update((item_id, without_graph(item)) for item_id, item in whole.items())
        read = self._read | whole
        named = self._context.jobs.named
        return [(job, None if item is None else named(read.get(item.item_id, item))) for job, item in ended]


class Job(Handle[QueueItem]):
    """One item of the queue. `await job`, or `job.wait()`, gives the finished item.

    A job that was submitted with a `RetryPolicy` goes on while it is retried, and ends with its last attempt. After its
    item was deleted, a job is what the console saw last: `status` and `wait` go on, and `result` if it was read before.

    Attributes:
        item_id: its id; with a policy, that of an attempt, usually the first.
    """

    def __init__(self, context: Context, item_id: int, read: dict[int, QueueItem] | None = None) -> None:
        super().__init__(context, read)
        self.item_id = item_id

    def __repr__(self) -> str:
        ids = self.attempts
        attempts = f", attempts {', '.join(map(str, ids))}" if len(ids) > 1 else ""
        return f"Job({self.item_id}, {self.status}{attempts})"

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

        "unknown" if it was deleted before its end was seen, or has not been read yet.
        """
        item_id = self.attempts[-1]
        item = self._context.store.state.items.get(item_id) or self._context.ended(item_id)
        if item is None:
            return "unknown"
        return PENDING if self._context.actions.reruns.will_go_on(item) else item.status

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for it, and return each node's output by the graph's own node ids.

        Returns:
            `{"sum": {"type": "integer_output", "value": 3}}`; for a node inside an iteration, a list of outputs in
            the order of the iterations.

        Raises:
            NotFound: it completed, and was deleted before its outputs were read.
            JobException: as for `wait`.
        """
        return outputs(self._with_outputs(timeout))

    def image_names(self, timeout: float | None = None) -> list[str]:
        """Wait for it, and return the names of its output images."""
        return image_names(self._with_outputs(timeout))

    def _with_outputs(self, timeout: float | None) -> QueueItem:
        item = self.wait(timeout)
        if (error := without_outputs(self, item)) is not None:
            raise error
        return item

    def on_change(self, listener: Callable[[QueueItem], object]) -> Unsubscribe:
        """Call `listener(item)` after each change, on a thread for callbacks; exceptions it raises are logged.

        Returns:
            A function that ends it.
        """

        def changed(change: Change) -> None:
            attempts = self.attempts
            item = change.state.items.get(attempts[-1])
            if not change.item_ids.isdisjoint(attempts) and item is not None:
                self._context.deliver(lambda: listener(item))

        checks.function("listener", listener)
        self._context.loop.check()
        return self._context.store.subscribe(changed)

    def _follow(self, put: Callable[[Event | None], None]) -> Unsubscribe:
        """Pass on its events, then None. Status changes come from the snapshot, so that polling reports them too."""
        last: tuple[int, str] | None = None
        has_ended = is_over = False

        def look() -> None:
            nonlocal last, has_ended
            if has_ended:
                return
            item, before = self.item, last
            if item is not None and (item.item_id, item.status) != last:
                last = item.item_id, item.status
                put(ItemStatusChanged(queue_id=item.queue_id, item=item))
            if self._is_over(item):
                has_ended, mode = True, self._context.store.state.connection.mode
                if before and item is not None and item.status == FAILED and mode == "live":
                    self._context.store.schedule(_NODE_FAILED_S, finish)  # the event of its node follows
                else:
                    finish()

        def finish() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                put(None)

        def changed(change: Change) -> None:
            if not change.item_ids.isdisjoint(self.attempts):
                look()

        def event(event: Event) -> None:
            if isinstance(event, NodeEvent) and event.item_id in self.attempts:
                put(event)
                if has_ended and isinstance(event, NodeFailed):
                    finish()

        ends = [self._context.store.subscribe(changed), self._context.store.events.add(event)]
        self._context.loop.post(look)

        def unsubscribe() -> None:
            for end in ends:
                end()

        return unsubscribe

    def _is_over(self, item: QueueItem | None) -> bool:
        """Return whether it has ended, or was deleted; `item` is what is known of its last attempt."""
        if item is None:
            return self.attempts[-1] not in self._context.store.state.unread
        return item.is_terminal and not self._context.actions.reruns.will_go_on(item)

    def _members(self) -> list[Job]:
        return [self]

    async def _finished(self) -> QueueItem:
        item = await last_attempt(self._context, self.item_id)
        try:
            item = await self._context.client.get_queue_item(item.item_id)
            self._read[item.item_id] = without_graph(item)
        except NotFound:  # deleted: what was seen last is all there is
            item = self._read.get(item.item_id, item)
        if item.status != COMPLETED:
            raise failure_of(item, self.attempts)
        return item

    async def _now(self) -> QueueItem:
        item_id = self.attempts[-1]
        known = self.item or self._context.ended(item_id)
        return known or await self._context.client.get_queue_item(item_id)

    async def _cancel(self) -> Cancellation:
        return await self._context.actions.cancel(self.attempts[-1])

    def _name(self) -> str:
        return f"item {self.item_id}"

    def _timeout(self, timeout: float) -> JobTimeout:
        error = super()._timeout(timeout)
        error.item_id, error.item = self.item_id, self.item
        return error


# -- waiting -----------------------------------------------------------------------------------------------------------


def hindrance(context: Context) -> str:
    """What to add to a message about a wait that took too long: the server is away, or the queue stuck or paused."""
    state = context.store.state
    if state.connection.mode == "reconnecting":
        return f" The server is away: {state.connection.error.rstrip('.') or 'it does not answer'}."
    if state.wedge is not None:
        return f" The queue is stuck on {state.wedge.culprit}. {state.wedge.remedy}"
    if state.is_paused:
        return " The queue is paused: console.resume() lets it go on."
    return ""


async def outcome(cancel: Awaitable[Cancellation]) -> str:
    """What to add to a message about a wait that took too long, after a cancel: also that it could not be sent."""
    try:
        return f" {(await cancel).message}"
    except CancellationFailed as failure:
        return f" {failure}"


def wait_options(timeout: float | None, on_timeout: str, on_interrupt: str | None) -> tuple[float | None, str]:
    """Return the seconds to wait, None for ever, and what an interrupt does.

    Raises:
        InvalidRequest: one of the options does not fit.
    """
    checks.choice("on_timeout", on_timeout, "raise", "cancel", "detach")
    if on_interrupt is not None:
        checks.choice("on_interrupt", on_interrupt, "cancel", "detach")
    return checks.limit("timeout", timeout), on_interrupt or ("cancel" if on_timeout == "cancel" else "detach")


async def ticking(future: concurrent.futures.Future[Any]) -> None:
    """Return when `future` is done, waking the loop regularly.

    A loop that only waits does not notice the interrupt of a cell that awaits.
    """
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake(_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    while not future.done():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                await done.wait()


async def last_attempt(context: Context, item_id: int) -> QueueItem:
    """Wait, on the loop, until a job has ended: its item is terminal and, if it failed, will not be retried.

    Raises:
        NotFound, JobCanceled: there is no such item, or it was deleted before it had finished.
    """
    item = await _terminal(context, context.actions.reruns.attempts(item_id)[-1])
    while item.status == FAILED and (next_id := await context.actions.reruns.next_of(item)) is not None:
        item = await _terminal(context, next_id)
    return item


async def _terminal(context: Context, item_id: int) -> QueueItem:
    state = context.store.state
    item = state.items.get(item_id)
    if item is None and item_id not in state.unread:
        try:
            item = await context.client.get_queue_item(item_id)
        except NotFound:
            item = context.ended(item_id)
            if item is None:
                raise
    if item is not None and item.is_terminal:
        return item
    done: asyncio.Future[QueueItem | None] = asyncio.get_running_loop().create_future()

    def changed(change: Change) -> None:
        if item_id not in change.item_ids or done.done():
            return
        now = change.state.items.get(item_id)
        if now is not None and now.is_terminal:
            done.set_result(now)
        elif now is None and item_id not in change.state.unread:
            done.set_result(None)

    unsubscribe = context.store.subscribe(changed)
    try:
        now = context.store.state.items.get(item_id)
        if now is not None and now.is_terminal:
            return now
        found = await done or context.ended(item_id)
        if found is None:
            raise _deleted(item_id)
        return found
    finally:
        unsubscribe()


# -- what became of a job ----------------------------------------------------------------------------------------------


def without_outputs(job: Job, item: QueueItem | None) -> JobException | None:
    """Return the exception that says why a job that has ended has no outputs; None if it has them."""
    if item is not None and item.status != COMPLETED:
        return failure_of(item, job.attempts)
    if item is not None and item.session is not None:
        return None
    missed = (
        "completed, but was deleted before its outputs were read" if item else "was deleted before its end was seen"
    )
    return NotFound(
        f"Item {job.item_id if item is None else item.item_id} {missed}.",
        suggestion="Read results before pruning or clearing the queue.",
        item_id=job.item_id if item is None else item.item_id,
        batch_id=None if item is None else item.batch_id,
        item=item,
    )


def failure_of(item: QueueItem, attempts: tuple[int, ...] = ()) -> JobException:
    """Return the exception for a failed or canceled item.

    Args:
        item: becomes the exception's `item`.
        attempts: the ids of all attempts at its job, if there were several.
    """
    if item.status == CANCELED:
        return JobCanceled(
            f"Item {item.item_id} was canceled.",
            item_id=item.item_id,
            batch_id=item.batch_id,
            item=item,
            retryable=True,
        )
    error = job_error(item)
    attempt = f", attempt {attempts.index(item.item_id) + 1} at job {attempts[0]}," if len(attempts) > 1 else ""
    reason = f"{item.server_error_type or 'unknown'}: {item.error_message or 'no message'}"
    return EXCEPTION_FOR[error.error_type](
        f"Item {item.item_id}{attempt} failed: {reason}",
        suggestion=error.suggestion,
        item_id=item.item_id,
        batch_id=item.batch_id,
        item=item,
        retryable=error.retryable,
        details={
            "server_error_type": item.server_error_type,
            "traceback": item.error_traceback,
            "attempts": attempts or (item.item_id,),
        },
    )


def _deleted(item_id: int) -> JobException:
    return JobCanceled(
        f"Item {item_id} was deleted before it had finished.",
        suggestion="Someone cleared the queue or deleted it.",
        item_id=item_id,
    )


# -- several jobs ------------------------------------------------------------------------------------------------------

_Future = concurrent.futures.Future[QueueItem]
_Outcome = tuple[Job, _Future]


class AsCompleted:
    """Jobs as they finish, for `for` and for `async for`."""

    def __init__(self, jobs: Iterable[Job], timeout: float | None) -> None:
        self._jobs = list(dict.fromkeys(jobs))
        limit_s = checks.limit("timeout", timeout)
        self._deadline = None if limit_s is None else time.monotonic() + limit_s

    @contextlib.contextmanager
    def _outcomes(self) -> Iterator[queue.SimpleQueue[_Outcome]]:
        # Not a channel: the jobs may be of several consoles, and each future ends with its own.
        done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        futures: list[_Future] = []
        try:
            for job in self._jobs:
                future = job._context.loop.start(last_attempt(job._context, job.item_id))
                futures.append(future)
                future.add_done_callback(lambda future, job=job: done.put((job, future)))  # type: ignore[misc]
            yield done
        finally:
            for future in futures:
                future.cancel()

    def _left_s(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _timeout(self, left: int) -> JobTimeout:
        hindered = next(filter(None, (hindrance(job._context) for job in self._jobs)), "")
        return JobTimeout(f"{left} of {len(self._jobs)} jobs had not finished in time.{hindered}")

    def __iter__(self) -> Iterator[Job]:
        with self._outcomes() as done:
            for left in range(len(self._jobs), 0, -1):
                try:
                    outcome = receive(done, self._left_s())
                except queue.Empty:
                    raise self._timeout(left) from None
                yield _finished(*outcome)

    async def __aiter__(self) -> AsyncIterator[Job]:
        with self._outcomes() as done:
            for left in range(len(self._jobs), 0, -1):
                while done.empty():
                    if self._left_s() == 0.0:
                        raise self._timeout(left)
                    await asyncio.sleep(0.02)
                yield _finished(*done.get_nowait())


def _finished(job: Job, future: _Future) -> Job:
    """Return the job, or raise the exception that says why its end cannot be known."""
    with contextlib.suppress(JobCanceled, NotFound):  # deleted
        future.result()
    return job
