"""What handles have in common: waiting, in a plain cell and in one that awaits.

Waiting never blocks the thread that does the work, and looks up now and then, so that an interrupt is heard.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from invoke_widgets._loop import TICK_S, LoopThread, interruptible
from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import (
    EXCEPTION_FOR,
    InvalidRequest,
    JobCanceled,
    JobException,
    JobTimeout,
    classify,
)
from invoke_widgets.jobs.actions import Actions
from invoke_widgets.records import CANCELED, FAILED, PENDING, Cancellation, QueueItem
from invoke_widgets.sync import Change, QueueStore

T = TypeVar("T")
R = TypeVar("R")
OnTimeout = Literal["raise", "cancel", "detach"]
OnInterrupt = Literal["cancel", "detach"]
Unsubscribe = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Context:
    """What a handle needs of its console."""

    loop: LoopThread
    client: InvokeClient
    store: QueueStore
    actions: Actions
    deliver: Callable[[Callable[[], object]], None]
    console: object
    """As long as there is a handle, so is its console."""


class Handle(Generic[T]):
    """What `Job` and `Batch` have in common: waiting, in both forms."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def _finished(self) -> T:
        raise NotImplementedError

    def _now(self) -> T:
        raise NotImplementedError

    async def _cancel(self) -> Cancellation:
        raise NotImplementedError

    def _called(self) -> str:
        raise NotImplementedError

    def _timeout(self, timeout: float) -> JobTimeout:
        return JobTimeout(f"{self._called()} did not finish within {timeout:g} s.")

    def wait(
        self,
        timeout: float | None = None,
        on_timeout: OnTimeout = "raise",
        *,
        on_interrupt: OnInterrupt | None = None,
    ) -> T:
        """Wait until it is finished.

        Args:
            timeout: seconds; None waits for ever.
            on_timeout: "raise" a `JobTimeout` and let it run; "cancel" it, then raise; "detach": return what is known
                and let it run.
            on_interrupt: what an interrupt (the ■ of the notebook) does before `KeyboardInterrupt` is raised: "cancel"
                or "detach". By default "cancel" if `on_timeout` is, else "detach".

        Returns:
            The finished item; for a batch, its items in the order of their ids.

        Raises:
            JobTimeout: see `on_timeout`.
            JobException: a job failed (`item` has it), was canceled or deleted. A batch raises for none of these.
            InvalidRequest: the console was closed, before or meanwhile.
        """
        return self._wait(self._finished, self._now, timeout, on_timeout, on_interrupt)

    def _wait(
        self,
        finished: Callable[[], Coroutine[Any, Any, R]],
        now: Callable[[], R],
        timeout: float | None,
        on_timeout: OnTimeout = "raise",
        on_interrupt: OnInterrupt | None = None,
    ) -> R:
        """`wait`, for whatever `finished` gives in the end, or `now` to one who detaches."""
        deadline, interrupted = wait_options(timeout, on_timeout, on_interrupt)
        future = self._context.loop.start(finished())
        try:
            with interruptible():
                while True:
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        break
                    concurrent.futures.wait([future], TICK_S if left is None else min(TICK_S, left))
                    if future.done():
                        return future.result()
        except KeyboardInterrupt:
            future.cancel()
            if interrupted == "cancel" and self._context.loop.is_running:
                concurrent.futures.wait([self._context.loop.start(self._cancel())], 2.0)
            raise
        future.cancel()
        if on_timeout == "detach":
            return now()
        error = self._timeout(timeout or 0.0)  # as it is now, not as the cancel leaves it
        if on_timeout == "cancel":
            self._context.loop.call(self._cancel())
        raise error

    async def wait_async(
        self,
        timeout: float | None = None,
        on_timeout: OnTimeout = "raise",
        *,
        on_interrupt: OnInterrupt | None = None,
    ) -> T:
        """`wait`, for a cell or function that awaits. An interrupt, or canceling the task, is heard at once."""
        deadline, interrupted = wait_options(timeout, on_timeout, on_interrupt)
        future = self._context.loop.start(self._finished())
        try:
            await ticking(future, deadline)
        except BaseException:
            future.cancel()
            if interrupted == "cancel" and self._context.loop.is_running:
                self._context.loop.start(self._cancel())
            raise
        if future.done():
            return future.result()
        future.cancel()
        if on_timeout == "detach":
            return self._now()
        error = self._timeout(timeout or 0.0)
        if on_timeout == "cancel":
            canceling = self._context.loop.start(self._cancel())
            await ticking(canceling, None)
            canceling.result()
        raise error

    def __await__(self) -> Generator[Any, None, T]:
        return self.wait_async().__await__()

    def cancel(self) -> Cancellation:
        """Cancel it, and say what that did."""
        return self._context.loop.call(self._cancel())


def wait_options(timeout: float | None, on_timeout: str, on_interrupt: str | None) -> tuple[float | None, str]:
    """The deadline, and what an interrupt does.

    Raises:
        InvalidRequest: one of them does not fit.
    """
    if on_timeout not in ("raise", "cancel", "detach"):
        raise InvalidRequest(f"on_timeout: should be 'raise', 'cancel' or 'detach', got {on_timeout!r}.")
    if on_interrupt not in (None, "cancel", "detach"):
        raise InvalidRequest(f"on_interrupt: should be 'cancel' or 'detach', got {on_interrupt!r}.")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout < 0):
        raise InvalidRequest(f"timeout: should be a number of seconds, got {timeout!r}.")
    deadline = None if timeout is None else time.monotonic() + timeout
    return deadline, on_interrupt or ("cancel" if on_timeout == "cancel" else "detach")


async def ticking(future: concurrent.futures.Future[Any], deadline: float | None) -> None:
    """Return when `future` is done or `deadline` has passed, waking the loop now and then.

    A loop that only waits does not see the interrupt of a cell that awaits.
    """
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake(_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    while not future.done():
        left = TICK_S if deadline is None else min(TICK_S, deadline - time.monotonic())
        if left <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await done.wait()


def status_of(context: Context, item_id: int) -> str:
    """The status of a job's last attempt, as `Job.status` tells it."""
    item = context.store.state.items.get(item_id)
    if item is None:
        return "unknown"
    return PENDING if context.actions.reruns.will_go_on(item) else item.status


def failure_of(item: QueueItem, attempts: tuple[int, ...] = ()) -> JobException:
    """The exception for a failed or canceled item, which carries it; `attempts` at its job, if there were several."""
    if item.status == CANCELED:
        return JobCanceled(
            f"Item {item.item_id} was canceled.",
            item_id=item.item_id,
            batch_id=item.batch_id,
            item=item,
            retryable=True,
        )
    diagnosis = classify.diagnose_failure(item.error_type, item.error_message, item.error_traceback)
    tried = f", attempt {attempts.index(item.item_id) + 1} at job {attempts[0]}," if len(attempts) > 1 else ""
    return EXCEPTION_FOR[diagnosis.error_type](
        f"Item {item.item_id}{tried} failed: {item.error_type or 'unknown'}: {item.error_message or 'no message'}",
        suggestion=diagnosis.suggestion,
        item_id=item.item_id,
        batch_id=item.batch_id,
        item=item,
        retryable=diagnosis.retryable,
        details={
            "server_error_type": item.error_type,
            "traceback": item.error_traceback,
            "attempts": attempts or (item.item_id,),
        },
    )


def deleted(item_id: int) -> JobException:
    return JobCanceled(
        f"Item {item_id} was deleted before it had finished.",
        suggestion="Someone cleared the queue or deleted it.",
        item_id=item_id,
    )


async def last_attempt(context: Context, item_id: int) -> QueueItem:
    """Wait on the loop until a job has ended: until its item is terminal and, if it failed, is not run again.

    Raises: as for `terminal`.
    """
    item = await terminal(context, context.actions.reruns.attempts(item_id)[-1])
    while item.status == FAILED and (next_id := await context.actions.reruns.next_of(item)) is not None:
        item = await terminal(context, next_id)
    return item


async def terminal(context: Context, item_id: int) -> QueueItem:
    """Wait on the loop until an item is terminal.

    Raises:
        NotFound: there is no such item.
        JobCanceled: it was deleted before it had finished.
    """
    state = context.store.state
    item = state.items.get(item_id)
    if item is None and item_id not in state.unread:
        item = await context.client.get_queue_item(item_id)
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
        found = await done
        if found is None:
            raise deleted(item_id)
        return found
    finally:
        unsubscribe()
