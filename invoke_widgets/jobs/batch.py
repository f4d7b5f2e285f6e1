"""`Batch` and `Retry`, handles on many jobs at once, and `as_completed`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import InvalidRequest, JobCanceled, NotFound, checks
from invoke_widgets.errors.text import many
from invoke_widgets.history import frames
from invoke_widgets.jobs.cancel import let_go
from invoke_widgets.jobs.job import (
    AsCompleted,
    Context,
    Handle,
    Job,
    Unsubscribe,
    last_attempt,
    without_outputs,
)
from invoke_widgets.outputs import outputs
from invoke_widgets.records import (
    CANCELED,
    FAILED,
    GONE,
    Cancellation,
    Counts,
    EnqueueResult,
    QueueItem,
    Retried,
)
from invoke_widgets.sync import Change, light_items

if TYPE_CHECKING:
    import pandas as pd

    from invoke_widgets.jobs.missing import Missing
    from invoke_widgets.widgets import Grid

_LET_GO_S = 30.0
_COUNTED_S = 0.1

OnFailure = Literal["raise", "skip", "return"]


class Jobs(Handle[tuple[QueueItem, ...]]):
    """Many jobs: what `Batch` and `Retry` have in common."""

    def _firsts(self) -> list[int]:
        """Return one attempt id per job."""
        raise NotImplementedError

    @property
    def jobs(self) -> list[Job]:
        """A handle on each of its jobs; all attempts that a `RetryPolicy` made at a job count as one."""
        return [Job(self._context, item_id, self._read) for item_id in self._firsts()]

    @property
    def status(self) -> Counts:
        """Its `jobs` counted by status. Those that were deleted before their end was seen, or not read yet, are not."""
        tally = Counter(job.status for job in self.jobs)
        del tally["unknown"]
        return Counts.tallied(tally)

    def __len__(self) -> int:
        return len(self._firsts())

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs)

    def result(self, timeout: float | None = None, *, on_failure: OnFailure = "raise") -> list[Any]:
        """Wait for it, and return `Job.result` of each of its `jobs`, in their order.

        Jobs that join it meanwhile, such as by a retry, are not waited for.

        Args:
            timeout: seconds; None waits for ever.
            on_failure: for each job that did not complete, or was deleted before its outputs were read: "raise" its
                exception; "skip" it; "return" its exception in its place, so that the list has one entry for each of
                `jobs`.

        Raises:
            JobException: of the first job that did not complete, with "raise".
            JobTimeout: it took longer.
        """
        checks.choice("on_failure", on_failure, "raise", "skip", "return")
        results: list[Any] = []
        for job, item in self._wait(self._ended, timeout):
            error = without_outputs(job, item)
            if item is not None and error is None:
                results.append(outputs(item))
            elif error is not None and on_failure == "raise":
                raise error
            elif on_failure == "return":
                results.append(error)
        return results

    def frame(self, timeout: float | None = None) -> pd.DataFrame:
        """Wait for it, and return one row per job, in the order of `jobs`.

        Returns:
            For each job's last attempt, how it ended, the values that were varied, the names of its pictures
            (`images`), one column `node.output` for each value that a node put out (`sum.value`), and the other columns
            of `console.jobs.frame()`. What it did not produce is missing, as is all of a job that was deleted before it
            was read. Where an end was not seen, the status is "gone".

        Raises:
            JobTimeout: it took longer than `timeout` seconds.
        """
        ended = self._wait(self._ended, timeout)
        return frames.batch(self._last_seen(job) if item is None else item for job, item in ended)

    def missing(self) -> Missing:
        """Return its jobs that failed, were canceled, or were deleted before their end was seen.

        A job that was retried is missing if the last retry did not complete; one that has not ended is not missing.

        Returns:
            Their handles, a frame with one row each, and `submit`, which enqueues them again with the same values.

        Raises:
            JobException: the server cannot be reached, or took longer than 30 s to say which jobs were retried.
        """
        from invoke_widgets.jobs.missing import Missing

        self._context.loop.call(self._context.actions.know_retries())
        last: dict[int, QueueItem] = {}
        among: dict[str, list[int]] = {}
        for job in self.jobs:
            item_id = job.attempts[-1]
            item = job.item or self._context.ended(item_id)
            if item is None and item_id not in self._context.store.state.unread:
                item = replace(self._last_seen(job), status=GONE)
            if item is not None:
                among.setdefault(item.batch_id, []).append(item_id)
                last[item.retried_from_item_id or job.item_id] = replace(
                    item, status=job.status if job.item else item.status
                )
        items = [item for item in last.values() if item.status in (FAILED, CANCELED, GONE)]
        # What is known from events alone has no values.
        unread = [item.item_id for item in items if item.field_values is None]
        read = {item.item_id: item for item in self._context.loop.call(light_items(self._context.client, unread))}
        named = self._context.jobs.named
        return Missing(self._context, [named(read.get(item.item_id, item)) for item in items], among)

    def _last_seen(self, job: Job) -> QueueItem:
        """What is known of a job that was deleted before its end was seen."""
        item_id = job.attempts[-1]
        return self._context.jobs.of_item(item_id) or QueueItem(item_id=item_id, status=GONE, batch_id="")

    def grid(self, *, x: str | None = None, y: str | None = None, facet: str = "") -> Grid:
        """Show its jobs in rows and columns by the values that differ, each with its state, picture or error, live.

        Args:
            x, y: the names of the values for the columns and the rows; by default the first two that differ.
            facet: the name of a third value, for grids one below the other.

        Returns:
            A view; its `figure()` is a matplotlib figure.

        Raises:
            InvalidRequest: the jobs have no such value.
        """
        grid: Grid = self._context.console.grid(self, x=x, y=y, facet=facet)
        return grid

    def on_change(self, listener: Callable[[Counts], object]) -> Unsubscribe:
        """Call `listener(status)` after changes of its counts, at most ten times a second, on a thread for callbacks.

        Returns:
            A function that ends it.
        """
        checks.function("listener", listener)
        last: Counts | None = None

        def changed(_: Change) -> None:
            nonlocal last
            status = self.status
            if status != last:
                last = status
                listener(status)

        self._context.loop.check()
        return self._context.store.subscribe(changed, interval=_COUNTED_S, deliver=self._context.deliver)

    def _members(self) -> list[Job]:
        return self.jobs

    async def _finished(self) -> tuple[QueueItem, ...]:
        return tuple(item for _, item in await self._ended() if item is not None)

    async def _now(self) -> tuple[QueueItem, ...]:
        return tuple(item for job in self.jobs if (item := job.item) is not None)

    def _called(self) -> str:
        status = self.status
        # Of all: its status leaves out those that have not been read yet.
        return f"{super()._called()} ({status.total - status.unfinished} of {len(self)} finished)"


class Batch(Jobs):
    """The jobs of one submit. `await batch`, or `batch.wait()`, gives its finished items.

    Items that its own items call (a saved workflow's, by `call_saved_workflow`) are part of these, and not counted.

    Attributes:
        batch_id: its id, made by the client.
        enqueued: the number of items that the server took.
        requested: the number of items asked for; more than `enqueued` if the queue was full.
    """

    def __init__(
        self,
        context: Context,
        batch_id: str,
        item_ids: Iterable[int],
        *,
        enqueued: int | None = None,
        requested: int | None = None,
    ) -> None:
        super().__init__(context)
        self.batch_id = batch_id
        self._item_ids = frozenset(item_ids)
        self.enqueued = len(self._item_ids) if enqueued is None else enqueued
        self.requested = self.enqueued if requested is None else requested

    def __repr__(self) -> str:
        took = f"{self.enqueued} items" + (f" of {self.requested}" if self.requested != self.enqueued else "")
        return f"Batch({self.batch_id!r}, {took})"

    @property
    def item_ids(self) -> tuple[int, ...]:
        """The ids of its items, ascending, including those that a retry added, by a `RetryPolicy` or by hand."""
        known = (*self._context.store.state.items.values(), *self._context.jobs.of_batch(self.batch_id))
        seen = {item.item_id for item in known if self._joined(item)}
        return tuple(sorted(seen | self._item_ids))

    def _joined(self, item: QueueItem) -> bool:
        """Return whether an item is one of its jobs, or an attempt at one."""
        # Events do not say that an item was called by another: until it has been read, it may have been.
        is_own = item.batch_id == self.batch_id and item.was_read and item.parent_item_id is None
        return is_own and item.item_id not in self._context.actions.surplus_of(self.batch_id)

    def _firsts(self) -> list[int]:
        attempts = self._context.actions.reruns.attempts
        return [item_id for item_id in self.item_ids if attempts(item_id)[0] == item_id]

    async def _cancel(self) -> Cancellation:
        return await self._context.actions.cancel_batch(self.batch_id)

    def _name(self) -> str:
        return f"batch {self.batch_id}"


class Sweep(Jobs):
    """The jobs of one sweep, in one batch or, where values differ that a server does not vary within one, in several.

    Attributes:
        batches: the batches, in the order in which they were enqueued.
        enqueued: the number of items that the server took.
        requested: the number of items asked for; more than `enqueued` if the queue was full.
    """

    def __init__(self, context: Context, batches: Iterable[Batch]) -> None:
        super().__init__(context)
        self.batches = tuple(batches)
        self.enqueued = sum(batch.enqueued for batch in self.batches)
        self.requested = sum(batch.requested for batch in self.batches)

    @classmethod
    def of(cls, context: Context, results: Iterable[EnqueueResult]) -> Self:
        """The handle on batches that were enqueued."""
        return cls(
            context,
            [
                Batch(context, done.batch_id, done.item_ids, enqueued=done.enqueued, requested=done.requested)
                for done in results
            ],
        )

    def __repr__(self) -> str:
        took = f" of {self.requested:,}" if self.requested != self.enqueued else ""
        return f"Sweep({many(len(self), 'job')}{took} in {many(len(self.batches), 'batch')})"

    @property
    def item_ids(self) -> tuple[int, ...]:
        """The ids of its items, including those that a retry added; batch by batch."""
        return tuple(item_id for batch in self.batches for item_id in batch.item_ids)

    def _firsts(self) -> list[int]:
        return [item_id for batch in self.batches for item_id in batch._firsts()]

    async def _cancel(self) -> Cancellation:
        return in_one([await batch._cancel() for batch in self.batches])

    def _name(self) -> str:
        return f"the sweep of {len(self)} jobs"


class Retry(Jobs):
    """The jobs of one retry. `await retry`, or `retry.wait()`, gives the finished new items.

    Attributes:
        new_item_ids: the id of each retried item -> that of its new item.
        skipped: the ids that the server skipped: completed, missing, or the queue was full.
        gone: the ids of retried items whose new items somebody deleted before they were seen.
    """

    def __init__(self, context: Context, done: Retried) -> None:
        super().__init__(context)
        self.new_item_ids = done.new_item_ids
        self.skipped = done.skipped
        self.gone = done.gone

    def __repr__(self) -> str:
        became = ", ".join(f"{old}: {new} {Job(self._context, new).status}" for old, new in self.new_item_ids.items())
        others = [
            f", {what} {', '.join(map(str, ids))}"
            for what, ids in (("gone", self.gone), ("skipped", self.skipped))
            if ids
        ]
        return f"Retry({{{became}}}{''.join(others)})"

    @property
    def item_ids(self) -> tuple[int, ...]:
        """The new items, ascending."""
        return tuple(sorted(self.new_item_ids.values()))

    def _firsts(self) -> list[int]:
        return list(self.item_ids)

    async def _cancel(self) -> Cancellation:
        """Cancel each by itself: their batches may have others."""
        if not self.item_ids:
            raise InvalidRequest("This retry made no item that could be canceled.")
        records, failures = await self._context.actions.cancel_many([job.attempts[-1] for job in self.jobs])
        if failures:
            raise failures[0]
        return in_one(records)

    def _name(self) -> str:
        return f"the retry of {len(self.new_item_ids)} items"


async def ended_items(handles: Iterable[Job | Jobs]) -> list[QueueItem]:
    """Wait, on the loop, until jobs have ended, and return the last attempt at each, with its outputs.

    A canceled item is read once the worker has let go of it. Items that were deleted before their end was seen are left
    out.
    """
    items: list[QueueItem] = []
    for handle in handles:
        for job in handle._members():
            with suppress(JobCanceled, NotFound):  # deleted
                await let_go_of([await last_attempt(job._context, job.item_id)], job._context.client)
        items += [item for _, item in await handle._ended() if item is not None]
    return items


async def let_go_of(items: Iterable[QueueItem], client: InvokeClient) -> None:
    """Wait until the worker has let go of canceled items: before that they lack what their last node puts out.

    Returns without it where that takes longer than `_LET_GO_S`, or cannot be known as there are several workers.
    """
    begun = {item.item_id for item in items if item.status == CANCELED and item.started_at is not None}
    if begun:
        await let_go(client, begun, _LET_GO_S)


def jobs_of(handles: Iterable[Job | Jobs]) -> list[Job]:
    """Return the jobs of handles, each once."""
    return list(dict.fromkeys(job for handle in handles for job in handle._members()))


def in_one(records: list[Cancellation]) -> Cancellation:
    """Several cancellations as one, with the worst of their outcomes."""
    worst = next((record for record in records if record.outcome not in ("canceled", "already_finished")), None)
    canceling = [record for record in records if record.outcome == "canceled"]
    # Of the one that runs it becomes known later when it stopped.
    best = next((record for record in canceling if record.stopped_s is None), (canceling or records)[0])
    canceled = sum(record.canceled for record in records)
    item_ids = tuple(sorted(item_id for record in records for item_id in record.item_ids))
    message = f"Canceled {canceled:,} of {len(item_ids):,}." if item_ids else "Nothing was left to cancel."
    if worst is not None:
        message += f" {worst.message}"
    return replace(worst or best, canceled=canceled, item_ids=item_ids, message=message)


def handles_of(jobs: object) -> list[Job | Jobs]:
    """Return one handle, or several, as a list, or raise `InvalidRequest` if it is something else."""
    given = [jobs] if isinstance(jobs, Job | Jobs | str) or not isinstance(jobs, Iterable) else list(jobs)
    handles: list[Job | Jobs] = []
    for handle in given:
        if not isinstance(handle, Job | Jobs):
            raise InvalidRequest(
                f"jobs: should be jobs and batches, got {handle!r}.",
                suggestion="console.job(item_id) and console.batch(batch_id) give handles.",
                field="jobs",
            )
        handles.append(handle)
    return handles


def as_completed(jobs: Job | Jobs | Iterable[Job | Jobs], *, timeout: float | None = None) -> AsCompleted:
    """Iterate over jobs as they end, with `for` or `async for`: completed, failed, canceled or deleted, see `status`.

    Args:
        jobs: a job, a batch, a `Retry`, or any number of them; a job given twice comes once.
        timeout: seconds for all of them; None waits for ever.

    Raises:
        InvalidRequest: `jobs` are not handles.
        JobTimeout: while iterating, once `timeout` has passed.
        JobException: while iterating, if a job's end cannot be known: its console was closed, or its server is away.
    """
    return AsCompleted(jobs_of(handles_of(jobs)), timeout)
