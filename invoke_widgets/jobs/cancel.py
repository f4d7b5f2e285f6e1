"""Canceling: the true outcome of each cancel, and its three times.

A lost reply is answered by looking at the item, and never taken for a success. Retries by policy are called off once
the cancel has been answered: one that was refused or could not be sent leaves them in force.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, SupportsIndex, TypeVar

from invoke_widgets._loop import Backoff
from invoke_widgets.client import InvokeClient, checked_id
from invoke_widgets.errors import (
    AccessDenied,
    CancellationFailed,
    InvalidRequest,
    JobException,
    NotFound,
    ServerUnreachable,
    checks,
)
from invoke_widgets.errors.classify import CANCELLATIONS
from invoke_widgets.errors.text import many
from invoke_widgets.history import CancellationLog, ErrorLog, JobLog
from invoke_widgets.jobs.reruns import LOST, AttemptChain, Reruns
from invoke_widgets.records import (
    CANCELED,
    IN_PROGRESS,
    PENDING,
    BatchStatus,
    Cancellation,
    Counts,
    QueueItem,
    QueueStatus,
)
from invoke_widgets.sync import Change, QueueState, QueueStore, Sync, ids_after, light_items

_AT_ONCE = 4
_STOP_WATCH_S = 600.0
_AFTER_FAILURE_S = 1.0
_READ_S = 0.3
"""How long a cancel of many waits for items to be read that it may be about."""
_ANSWERED = ("canceled", "already_finished", "not_found")

T = TypeVar("T")
R = TypeVar("R")


async def a_few_at_once(work: Callable[[T], Awaitable[R]], each: Iterable[T]) -> list[R | JobException]:
    """Run `work` for each value, at most four at a time, and return what each returned, or the exception it raised."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(value: T) -> R | JobException:
        async with gate:
            try:
                return await work(value)
            except JobException as error:
                return error

    return await asyncio.gather(*map(one, each))


class Canceler:
    """Cancels items, batches and whatever is pending. Used on the loop's thread.

    Each raises `CancellationFailed` if the server could not be reached at all.
    """

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        sync: Sync,
        errors: ErrorLog,
        cancellations: CancellationLog,
        jobs: JobLog,
        reruns: Reruns,
    ) -> None:
        self._client = client
        self._store = store
        self._sync = sync
        self._errors = errors
        self._cancellations = cancellations
        self._jobs = jobs
        self._reruns = reruns
        self._tasks: set[asyncio.Task[None]] = set()

    # -- what can be canceled ------------------------------------------------------------------------------------------

    async def cancel(self, item_id: SupportsIndex) -> Cancellation:
        """Cancel one item, do not run it again, and return the outcome, read from the item in the server's answer."""
        number = checked_id(item_id)
        return await self._calling_off(self._reruns.chains_at(number), self._cancel_item(number))

    async def cancel_many(self, item_ids: Iterable[int]) -> tuple[list[Cancellation], list[JobException]]:
        """Cancel items, at most four at a time. Those that run are canceled last, or the next ones would begin.

        Returns:
            The outcomes, in the order of the ids, and the exceptions of those that were not sent.
        """
        ids, items = list(dict.fromkeys(item_ids)), self._store.state.items
        running = [i for i in ids if i in items and items[i].status == IN_PROGRESS]
        answers: dict[int, Cancellation | JobException] = {}
        for some in ([i for i in ids if i not in running], running):
            answers.update(zip(some, await a_few_at_once(self.cancel, some), strict=True))
        outcomes = [answers[i] for i in ids]
        failures = [outcome for outcome in outcomes if isinstance(outcome, JobException)]
        return [outcome for outcome in outcomes if isinstance(outcome, Cancellation)], failures

    async def cancel_batch(self, batch_id: str) -> Cancellation:
        """Cancel whatever of a batch has not finished, including the running item, and run nothing of it again."""
        checks.text("batch_id", batch_id, "a batch's id")
        return await self._calling_off(self._reruns.chains_of(batch_id), self._cancel_batch(batch_id), batch_id)

    async def cancel_pending(self) -> Cancellation:
        """Cancel everything pending, including further attempts at failed jobs; the current item goes on."""
        return await self._calling_off(self._reruns.chains_due(), self._cancel_pending())

    async def clear(self) -> Cancellation:
        """Cancel and delete everything, including the current item. `canceled` counts those that had not finished."""
        return await self._calling_off(self._reruns.chains_of(), self._clear())

    async def _calling_off(
        self, chains: Collection[AttemptChain], cancel: Coroutine[Any, Any, Cancellation], batch_id: str | None = None
    ) -> Cancellation:
        """Cancel, and once that is answered make no further attempt in these chains; none is sent meanwhile."""
        with self._reruns.on_hold(chains) as held:
            record = await cancel
            if record.outcome not in _ANSWERED:
                return record
            called_off = self._reruns.stop(held, batch_id)
        if not called_off:
            return record
        note = "It will not be retried." if called_off == 1 else f"{called_off:,} retries were called off."
        return self._keep(record, message=f"{record.message} {note}".strip())

    # -- one item ------------------------------------------------------------------------------------------------------

    async def _cancel_item(self, item_id: int) -> Cancellation:
        before = self._store.state.items.get(item_id)
        watch = _Stopwatch(self._store, "item", (item_id,))
        try:
            item = await self._client.cancel_queue_item(item_id)
        except JobException as error:
            watch.close()
            return await self._unanswered(item_id, error, watch)
        acknowledged = watch.elapsed()
        self._sync.apply(item)
        watch.close()
        was_finished = before is not None and before.is_terminal
        if item.status != CANCELED or was_finished:
            return self._keep_ended(item, watch, acknowledged_s=acknowledged)
        effective = min(watch.effective_s or acknowledged, acknowledged)
        was_running = item.started_at is not None
        record = self._keep(
            watch.cancellation("canceled", 1),
            acknowledged_s=acknowledged,
            effective_s=effective,
            stopped_s=None if was_running else effective,
            batch_id=item.batch_id,
            message=f"Canceled item {item_id}{', which was running' if was_running else ''}.",
        )
        if was_running:
            self._watch_stop(record, watch, {item_id})
        return record

    async def _unanswered(self, item_id: int, error: JobException, watch: _Stopwatch) -> Cancellation:
        if isinstance(error, NotFound):
            remedy = CANCELLATIONS["not_found"].suggestion
            return self._answered(watch, "not_found", f"There is no item {item_id} in this queue. {remedy}")
        if error.details.get("poison") and not await self._client.has("cancel_loads_first"):
            self._sync.refresh((item_id,), unfinished=True)
            return self._answered(watch, "canceled", f"Canceled item {item_id}, which the server cannot load.", 1)
        if isinstance(error, AccessDenied | ServerUnreachable) or error.details.get("poison"):
            return self._not_canceled(f"Item {item_id} was not canceled", error, watch, item_id=item_id)
        if isinstance(error, InvalidRequest):
            raise error
        try:
            item = await self._client.get_queue_item(item_id)
        except JobException:
            item = None
        if item is not None:
            self._sync.apply(item)
        if item is not None and item.is_terminal and item.status != CANCELED:
            return self._keep_ended(item, watch)
        canceled = item is not None and item.status == CANCELED
        if not canceled:
            self._failed("unknown", f"It is not known whether item {item_id} was canceled:", error, item_id=item_id)
        return self._keep(
            watch.cancellation("canceled" if canceled else "unknown", int(canceled)),
            effective_s=watch.effective_s,
            message=f"The reply was lost; item {item_id} is "
            + (
                f"{item.status}."
                if item is not None
                else f"not known to be canceled. {CANCELLATIONS['unknown'].suggestion}"
            ),
        )

    # -- many at once --------------------------------------------------------------------------------------------------

    async def _cancel_batch(self, batch_id: str) -> Cancellation:
        try:
            counts_all = await self._client.has("item_summaries_by_ids")
        except JobException:
            counts_all = False  # reported by the request that matters
        before = None if counts_all else await self._batch_status(batch_id)
        record = await self._bulk(
            "batch",
            lambda item: item.batch_id == batch_id,
            lambda: self._client.cancel_by_batch_ids([batch_id]),
            batch_id,
        )
        if record.outcome not in ("canceled", "already_finished"):
            return record
        canceled = record.canceled
        if not counts_all or not canceled:
            after = await self._batch_status(batch_id)
            if after is not None and not after.total:
                return self._keep(record, outcome="not_found", message=no_batch(self._store.state, batch_id))
            if before is not None and after is not None:
                # Up to 6.13 the answer does not count the running item, which was canceled all the same.
                canceled = max(canceled, after.canceled - before.canceled)
            if not canceled and after is not None and after.unfinished and self._store.state.is_shared:
                # Before 6.13 the counters of others' batches are shown to a user.
                theirs = AccessDenied("It is another user's.", suggestion=CANCELLATIONS["refused"].suggestion)
                self._failed("refused", f"Batch {batch_id} was not canceled:", theirs, batch_id=batch_id)
                return self._keep(record, outcome="refused", message=f"Batch {batch_id} was not canceled. {theirs}")
        outcome = "canceled" if canceled else "already_finished"
        finished = max((len(record.item_ids) if before is None else before.unfinished) - canceled, 0)
        message = f"Batch {_short(batch_id)} had already finished."
        if canceled:
            message = f"Canceled {canceled:,} of batch {_short(batch_id)}"
            message += f"; {finished:,} had finished meanwhile." if finished else "."
        return self._keep(record, outcome=outcome, canceled=canceled, message=message)

    async def _batch_status(self, batch_id: str) -> BatchStatus | None:
        """Read the batch's counters; None if that fails, since it is not what the user asked for."""
        try:
            return await self._client.get_batch_status(batch_id)
        except JobException:
            return None

    async def _cancel_pending(self) -> Cancellation:
        record = await self._bulk(
            "pending", lambda item: item.status == PENDING, self._client.cancel_all_except_current
        )
        if record.outcome == "already_finished":
            return self._keep(record, message="Nothing was waiting.")
        if record.outcome == "canceled":
            return self._keep(record, message=f"Canceled {many(record.canceled, 'waiting job')}.")
        return record

    async def _clear(self) -> Cancellation:
        try:
            # Not from the snapshot: up to 6.13 no event reports what was just canceled in bulk.
            before = (await self._client.get_queue_status()).queue
        except JobException:
            before = None  # reported by the request that matters
        state = self._store.state
        own = [item for item in state.items.values() if not item.is_terminal and not state.is_theirs(item)]
        record = await self._bulk("clear", lambda item: True, self._client.clear)
        if record.canceled:
            self._jobs.record_deleted(own)
        if record.outcome not in ("canceled", "already_finished"):
            return record
        deleted = record.canceled
        if before is not None:
            unfinished = min(deleted, unfinished_of(before, deleted))
        else:  # what is not known to have finished is taken as unfinished
            known = Counts.tallied(state.tallies.own)
            unfinished = min(deleted, max(len(record.item_ids), deleted - (known.total - known.unfinished)))
        message = f"{deleted:,} deleted{f', {unfinished:,} of them unfinished' if unfinished else ''}."
        if state.is_shared:
            message = f"Cleared your items: {message}" if deleted else "Nothing in the queue is yours."
        else:
            message = f"Cleared the queue: {message}"
        outcome = "canceled" if unfinished else "already_finished"
        return self._keep(record, outcome=outcome, canceled=unfinished, message=message)

    async def _bulk(
        self,
        scope: str,
        wanted: Callable[[QueueItem], bool],
        request: Callable[[], Awaitable[int]],
        batch_id: str | None = None,
    ) -> Cancellation:
        await self._sync.filled(_READ_S)  # what was submitted a moment ago may run without being known yet
        known = self._store.state.items.values()
        unfinished = [item for item in known if not item.is_terminal and wanted(item)]
        targets = tuple(sorted(item.item_id for item in unfinished))
        running = {item.item_id for item in unfinished if item.status == IN_PROGRESS}
        watch = _Stopwatch(self._store, scope, targets, batch_id)
        try:
            count = await (request() if scope == "clear" else self._counted(request, unfinished, batch_id))
        except (AccessDenied, ServerUnreachable) as error:
            return self._not_canceled("Nothing was canceled", error, watch, batch_id=batch_id)
        except LOST as error:
            self._failed("unknown", "It is not known what was canceled:", error, batch_id=batch_id)
            self._sync.refresh(targets, unfinished=True)
            return self._keep(
                watch.cancellation("unknown"),
                message=f"No reply came, so it is not known what was canceled. {error}",
            )
        finally:
            watch.close()
        acknowledged = watch.elapsed()
        self._sync.refresh(targets, unfinished=True)
        effective = min(watch.effective_s or acknowledged, acknowledged) if count else None
        keeps_current = scope == "pending"
        record = self._keep(
            watch.cancellation("canceled" if count else "already_finished", count),
            acknowledged_s=acknowledged,
            effective_s=effective,
            stopped_s=effective if keeps_current or not running else None,
        )
        if running and not keeps_current and count:
            self._watch_stop(record, watch, running)
        return record

    async def _counted(
        self, request: Callable[[], Awaitable[int]], targets: Iterable[QueueItem], batch_id: str | None
    ) -> int:
        """Send a request that cancels many, again if its reply is lost, and return how many it canceled.

        The second answer does not count what the first one canceled, so the targets are read, and what is newer.

        Raises:
            JobException: a request failed, or it is not known what the first one canceled.
        """
        newest, is_theirs = self._store.state.newest_id, self._store.state.is_theirs
        try:
            return await request()
        except LOST as lost:
            own = [item.item_id for item in targets if not is_theirs(item)]
            try:
                await request()
                items = await light_items(self._client, [*own, *await ids_after(self._client, newest)])
            except JobException:
                raise lost from None
            wanted = [item for item in items if batch_id in (None, item.batch_id) and not is_theirs(item)]
            if canceled := sum(item.status == CANCELED for item in wanted):
                return canceled
            raise

    # -- records -------------------------------------------------------------------------------------------------------

    def _keep(self, record: Cancellation, **changes: Any) -> Cancellation:
        known = self._cancellations.latest(record)
        if known.stopped_s is not None and changes.get("stopped_s") is None:
            changes["stopped_s"] = known.stopped_s
        record = replace(record, **changes)
        self._cancellations.record(record)
        return record

    def _keep_ended(self, item: QueueItem, watch: _Stopwatch, **times: float) -> Cancellation:
        message = f"Item {item.item_id} had already {_ended(item.status)}."
        return self._keep(watch.cancellation("already_finished"), batch_id=item.batch_id, message=message, **times)

    def _answered(self, watch: _Stopwatch, outcome: str, message: str, canceled: int = 0) -> Cancellation:
        """Keep the outcome of a cancel that was answered just now."""
        return self._keep(watch.cancellation(outcome, canceled), acknowledged_s=watch.elapsed(), message=message)

    def _not_canceled(self, what: str, error: JobException, watch: _Stopwatch, **ids: Any) -> Cancellation:
        """Keep the outcome of a cancel that the server refused, or raise that it could not be sent."""
        if not isinstance(error, ServerUnreachable):
            self._failed("refused", f"{what}:", error, **ids)
            return self._answered(watch, "refused", f"{what}. {error}")
        failure = self._failed("unknown", f"{what}:", error, **ids)
        self._keep(watch.cancellation("unknown"), message=str(failure))
        raise failure from error

    def _failed(self, outcome: str, what: str, error: JobException, **ids: Any) -> CancellationFailed:
        """Log and return the exception for a cancel that failed, with its cause in words."""
        diagnosis = CANCELLATIONS[outcome]
        failure = CancellationFailed(
            f"{what} {error.message}",
            suggestion=error.suggestion or diagnosis.suggestion,
            details=error.details,
            retryable=diagnosis.retryable,
            **ids,
        )
        self._errors.record_exception(failure)
        return failure

    def _watch_stop(self, record: Cancellation, watch: _Stopwatch, item_ids: set[int]) -> None:
        task = asyncio.create_task(self._record_stop(record, watch, item_ids))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _record_stop(self, record: Cancellation, watch: _Stopwatch, item_ids: set[int]) -> None:
        """Ask until the worker has let go of the items."""
        deadline = time.monotonic() + _STOP_WATCH_S
        while (left := deadline - time.monotonic()) > 0:
            try:
                has_stopped = await let_go(self._client, item_ids, left)
            except JobException:
                await asyncio.sleep(_AFTER_FAILURE_S)
                continue
            if has_stopped:
                stopped = watch.elapsed()
                self._cancellations.record(replace(self._cancellations.latest(record), stopped_s=stopped))
                self._sync.refresh(ids=False)  # that the worker is idle
            return


async def let_go(client: InvokeClient, item_ids: Collection[int], limit_s: float) -> bool:
    """Wait until the worker no longer works on canceled items, since it is idle or has taken another one.

    Returns:
        False if that takes longer than `limit_s` seconds, or cannot be known, as there are several workers.
    """
    deadline, pause = time.monotonic() + limit_s, Backoff(0.03, 0.25)
    while time.monotonic() < deadline:
        status = await client.get_queue_status()
        if status.queue.in_progress > 1:
            return False
        is_other = status.queue.item_id is not None and status.queue.item_id not in item_ids
        if is_other or not status.processor.is_processing:
            return True
        await asyncio.sleep(pause.next())
    return False


class _Stopwatch:
    """The times of one cancel, including when the snapshot shows it."""

    def __init__(self, store: QueueStore, scope: str, item_ids: tuple[int, ...], batch_id: str | None = None) -> None:
        self._requested = Cancellation(
            scope=scope,
            outcome="unknown",
            canceled=0,
            item_ids=item_ids,
            batch_id=batch_id,
            requested_at=datetime.now(UTC),
            cancellation_id=uuid.uuid4().hex,
        )
        self._start = time.perf_counter()
        self.effective_s: float | None = None
        self._waiting = set(item_ids)
        self._unsubscribe = store.subscribe(self._changed) if self._waiting else lambda: None

    def _changed(self, change: Change) -> None:
        for item_id in change.item_ids & self._waiting:
            item = change.state.items.get(item_id)
            if item is None or item.is_terminal:
                self._waiting.discard(item_id)
        if not self._waiting and self.effective_s is None:
            self.effective_s = self.elapsed()

    def elapsed(self) -> float:
        return time.perf_counter() - self._start

    def close(self) -> None:
        self._unsubscribe()

    def cancellation(self, outcome: str, canceled: int = 0) -> Cancellation:
        return replace(self._requested, outcome=outcome, canceled=canceled)


def unfinished_of(before: QueueStatus, deleted: int) -> int:
    """Return how many of the deleted items had not finished. Users who are not administrators clear only their own.

    What came after the counters were read is taken as unfinished.
    """
    if before.user_pending is not None and before.user_in_progress is not None and deleted < before.total:
        return before.user_pending + before.user_in_progress
    return max(before.unfinished, deleted - (before.total - before.unfinished))


def no_batch(state: QueueState, batch_id: str) -> str:
    """Say that the server knows no item of a batch: it says so too of a batch that is another user's."""
    if state.is_shared:
        return f"No item of batch {batch_id} in this queue is yours: it is another user's, or its id is wrong."
    return f"There is no batch {batch_id} in this queue. {CANCELLATIONS['not_found'].suggestion}"


def _ended(status: str) -> str:
    return {"completed": "completed", "failed": "failed", "canceled": "been canceled"}.get(status, f"become {status}")


def _short(batch_id: str) -> str:
    """Shorten a batch id, without an ellipsis, since it ends sentences."""
    return batch_id[:8] if len(batch_id) > 9 else batch_id
