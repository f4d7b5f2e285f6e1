"""`Actions`: everything that can be done to one queue, each with a truthful outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from typing import Any, TypeVar

from invoke_widgets.client import InvokeClient, checked_ids
from invoke_widgets.errors import (
    InvalidRequest,
    JobErrorType,
    JobException,
    JobTimeout,
    ServerFailure,
    ServerUnreachable,
    SubmissionFailed,
)
from invoke_widgets.history import CancellationLog, ErrorLog, JobLog
from invoke_widgets.jobs.cancel import Canceler, a_few_at_once
from invoke_widgets.jobs.reruns import LOST, Reruns, in_flight
from invoke_widgets.jobs.submit import Submission, Submitter, logged
from invoke_widgets.records import (
    CANCELED,
    FAILED,
    STATUSES,
    TERMINAL,
    Cancellation,
    EnqueueResult,
    ProcessorStatus,
    QueueItem,
    Retried,
    retryable,
)
from invoke_widgets.sync import QueueStore, Sync, ids_after, light_items, whole_items
from invoke_widgets.workflows import near

T = TypeVar("T")

UNFINISHED = "unfinished"
"""Stands for all statuses that are not terminal, as in the filters of a `QueueTable`."""

_FILL_S = 30.0
_RETRY_LOOKS = 5
_LOOK_PAUSE_S = 0.2


class Actions:
    """Everything that can be done to one queue. All coroutines; they run on the loop's thread.

    Attributes:
        reruns: runs failed jobs again by their `RetryPolicy`.
    """

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        sync: Sync,
        errors: ErrorLog,
        cancellations: CancellationLog,
        jobs: JobLog,
    ) -> None:
        self._client = client
        self._store = store
        self._sync = sync
        self._errors = errors
        self._jobs = jobs
        self.reruns = Reruns(client, store, sync, errors)
        submitter = Submitter(client, store, sync, errors, self.reruns)
        self.submit = submitter.submit
        self.check = submitter.check
        self.sent = submitter.sent
        self.node_schemas = submitter.node_schemas
        self.surplus_of = submitter.surplus_of
        canceler = Canceler(client, store, sync, errors, cancellations, jobs, self.reruns)
        self.cancel = canceler.cancel
        self.cancel_many = canceler.cancel_many
        self.cancel_batch = canceler.cancel_batch
        self.cancel_pending = canceler.cancel_pending
        self.clear = canceler.clear
        self.reconnect = sync.try_now

    # -- submit --------------------------------------------------------------------------------------------------------

    async def submit_all(self, submissions: Iterable[Submission]) -> list[EnqueueResult]:
        """Enqueue batches one after the other; see `Console.submit`.

        Raises:
            JobException: a batch was not taken. Its message says how many jobs were before it: they are in the queue.
        """
        done: list[EnqueueResult] = []
        for submission in submissions:
            try:
                done.append(await self.submit(submission))
            except JobException as error:
                if done:
                    before = sum(result.enqueued for result in done)
                    error.message = f"{error.message} The {before:,} jobs before it were enqueued."
                raise
        return done

    # -- retry ---------------------------------------------------------------------------------------------------------

    async def retry(self, item_ids: int | Iterable[int]) -> Retried:
        """Enqueue failed or canceled items again, and find the new items; see `Console.retry`.

        For an item that another item called, the caller at the root is retried: all run again together.
        """
        asked = checked_ids(item_ids if isinstance(item_ids, Iterable) else [item_ids])
        if not asked:
            raise InvalidRequest(
                "item_ids: no item to retry.", suggestion="console.retry_failed() takes all failed.", field="item_ids"
            )
        with logged(self._errors, asked):
            roots = await self._callers(asked)
            return await self._retry(list(dict.fromkeys(roots[item_id] for item_id in asked)))

    async def retry_failed(self, among: Container[int] | None = None) -> Retried:
        """Retry every failed item that nobody has retried, or those `among` some ids; of each attempt chain the last.

        Users who are not administrators retry their own.
        """
        await self.know_retries()
        return await self._retry_last(i for i in retryable(self._store.state.items) if among is None or i in among)

    async def know_retries(self) -> None:
        """Read what a console that has just connected lacks: why jobs failed, and which items are retries.

        Otherwise a job would count as failed whose retry, made by an earlier process, has completed.

        Raises:
            JobTimeout: it was not read within 30 s.
        """
        await self._fill("failed jobs", failures=True)

    # -- what fits a description ---------------------------------------------------------------------------------------

    async def cancel_where(self, where: object) -> tuple[list[Cancellation], list[JobException]]:
        """Cancel the user's own unfinished items that fit, see `Console.cancel`, and return what `cancel_many` does."""
        wanted = checked_where(where)
        await self._fill("items")
        await self._read_values()
        state, fits = self._store.state, self._fits(wanted)
        own = [i for i in state.tallies.unfinished if not state.is_theirs(state.items[i]) and fits(state.items[i])]
        return await self.cancel_many(own)

    async def retry_where(self, where: object) -> Retried:
        """Retry the last attempts that fit, see `Console.retry`: failed ones, unless `status` names others."""
        wanted = checked_where(where)
        await self.know_retries()
        await self._read_values()
        state, fits = self._store.state, self._fits(wanted)
        statuses = (FAILED, CANCELED) if "status" in wanted else (FAILED,)
        return await self._retry_last([i for i in retryable(state.items, statuses) if fits(state.items[i])])

    async def _fill(self, what: str, *, failures: bool = False) -> None:
        if not await self._sync.filled(_FILL_S, failures=failures):
            raise JobTimeout(
                f"Not all {what} were read within {_FILL_S:g} s.",
                suggestion="console.refresh(timeout=300) waits longer; then try again.",
            )

    async def _read_values(self) -> None:
        """Read the items that are known from events alone, which have no values."""
        if unread := [item_id for item_id, item in self._store.state.items.items() if not item.was_read]:
            await self._sync.read_now(unread)

    def _fits(self, wanted: Mapping[str, list[Any]]) -> Callable[[QueueItem], bool]:
        """Return a function that tells whether an item fits; raise `InvalidRequest` for a name that no value has."""
        if names := [name for name in wanted if name not in WHERE and "." not in name]:
            items = map(self._jobs.named, self._store.state.items.values())
            known = [*WHERE, *sorted({value.label for item in items for value in item.field_values or ()})]
            if unknown := [name for name in names if name not in known]:
                raise InvalidRequest(
                    f"where: there is no {unknown[0]!r}; there are {', '.join(WHERE)}, and the names of varied fields."
                    f"{near(unknown[0], known)}",
                    field=f"where.{unknown[0]}",
                )

        def fits(item: QueueItem) -> bool:
            return all(self._value(item, name) in values for name, values in wanted.items())

        return fits

    def _value(self, item: QueueItem, name: str) -> Any:
        if name == "fingerprint":
            error = self._errors.record_of(item)
            return error and error.fingerprint
        if name in WHERE:
            return getattr(item, name)
        return next((v.given for v in self._jobs.named(item).field_values or () if v.label == name), None)

    # -- retry, as it is sent ------------------------------------------------------------------------------------------

    async def _retry_last(self, item_ids: Iterable[int]) -> Retried:
        """Retry last attempts, but those that this process has retried already, and those of other users."""
        state = self._store.state
        mine = [i for i in item_ids if not in_flight.was_retried(state, i) and not state.is_theirs(state.items[i])]
        with logged(self._errors):
            roots = await self._callers(mine) if mine else {}
        # An item that is known only from events may turn out to have been called by another.
        own = [item_id for item_id in mine if roots[item_id] == item_id]
        return await self.retry(own) if own else Retried(new_item_ids={})

    async def _retry(self, ids: list[int]) -> Retried:
        with in_flight.claimed(self._store.state, ids) as mine:
            # Not the newest of `ids`, which may not exist yet, nor of the snapshot, which may lag.
            newest = max(await ids_after(self._client, 0), default=0)
            try:
                taken = await self._client.retry_items_by_id(mine) if mine else ()
            except LOST as error:
                self._sync.refresh()
                if isinstance(error, ServerFailure) and await self._has_nothing_after(newest):
                    raise
                raise SubmissionFailed(
                    "The connection broke before the retry was answered: it is not certain whether it was taken.",
                    suggestion="Look for new items in the queue before retrying again.",
                    details=error.details,
                ) from error
            in_flight.add(self._store.state, taken)
            try:
                new_ids = await self._new_items(taken, newest)
            except (ServerUnreachable, *LOST) as error:
                raise SubmissionFailed(
                    "The retry was taken, but the connection broke before its new items were read.",
                    suggestion="Look for them in the queue rather than retry again.",
                    details=error.details,
                ) from error
            self._sync.expect(tuple(new_ids.values()))
            return Retried(
                new_item_ids=new_ids,
                skipped=tuple(sorted(set(ids) - set(taken))),
                gone=tuple(sorted(set(taken) - new_ids.keys())),
            )

    async def _has_nothing_after(self, item_id: int) -> bool:
        """Whether certainly no item is newer."""
        try:
            return not await ids_after(self._client, item_id)
        except JobException:
            return False

    async def _callers(self, item_ids: list[int]) -> dict[int, int]:
        """Map each item to the root of its calls, which is what the server retries; mostly the item itself."""
        parents: dict[int, int | None] = {}
        # Items call others since 6.14, which also brought summaries.
        todo = set(item_ids) if await self._client.has("item_summaries_by_ids") else set()
        while todo:
            known = self._store.state.items
            unread = [i for i in sorted(todo) if (item := known.get(i)) is None or not item.was_read]
            read = {item.item_id: item for item in await light_items(self._client, unread)}
            for item_id in todo:
                item = read.get(item_id) or known.get(item_id)
                parents[item_id] = None if item is None else item.parent_item_id
            todo = {parent for parent in parents.values() if parent is not None} - parents.keys()
        return {item_id: _root(item_id, parents) for item_id in item_ids}

    async def _new_items(self, taken: tuple[int, ...], newest: int) -> dict[int, int]:
        """Map old ids to new ones. A new item names the ROOT of its attempt chain, not the item that was retried."""
        found: dict[int, int] = {}
        for look in range(_RETRY_LOOKS):
            if look:
                await asyncio.sleep(_LOOK_PAUSE_S)
            candidates = await whole_items(self._client, await ids_after(self._client, newest))
            old = await whole_items(self._client, taken)
            root_of = {item.item_id: item.retried_from_item_id or item.item_id for item in old}
            by_root: dict[int, list[int]] = {}
            for item in sorted(candidates, key=lambda i: i.item_id):
                if item.retried_from_item_id is not None:
                    by_root.setdefault(item.retried_from_item_id, []).append(item.item_id)
                    self._sync.apply(item.without_session())
                    self.reruns.link(item.retried_from_item_id, item.without_session())
            chains = {item_id: by_root.get(root_of.get(item_id, item_id)) for item_id in taken}
            found = {item_id: chain.pop(0) for item_id, chain in chains.items() if chain}
            if len(found) == len(taken):
                break
        return found

    # -- the queue -----------------------------------------------------------------------------------------------------

    async def prune(self) -> int:
        """Delete completed, failed and canceled items; their records stay in the logs. Returns how many."""
        return await self._changing(self._client.prune())

    async def delete(self, item_ids: Iterable[int]) -> None:
        """Delete items, at most four at a time, canceling first what has not finished; raise the first failure."""
        for failure in filter(None, await a_few_at_once(self._delete, item_ids)):
            raise failure

    async def _delete(self, item_id: int) -> None:
        state = self._store.state
        item = state.items.get(item_id)
        await self._changing(self._client.delete_queue_item(item_id), item_id)
        if item is not None and not state.is_theirs(item):
            self._jobs.record_deleted([item])

    async def _changing(self, request: Awaitable[T], item_id: int | None = None) -> T:
        with logged(self._errors, () if item_id is None else (item_id,)):
            try:
                return await request
            finally:
                self._sync.refresh()

    async def pause(self) -> ProcessorStatus:
        """Start no further item; the current one goes on."""
        return await self._processor(self._client.pause())

    async def resume(self) -> ProcessorStatus:
        """Start items again."""
        return await self._processor(self._client.resume())

    async def _processor(self, request: Awaitable[ProcessorStatus]) -> ProcessorStatus:
        with logged(self._errors):
            status = await request
        self._store.set(processor=status)
        return status


WHERE = ("item_id", "status", "batch_id", "destination", "error_type", "server_error_type", "fingerprint")
"""What items can be selected by, besides the values that a batch varied."""


def checked_where(where: object) -> dict[str, list[Any]]:
    """Return a description as the values that each name may have, or raise `InvalidRequest` for a wrong part."""
    if not isinstance(where, Mapping) or not where:
        raise InvalidRequest(
            f"where: should be a mapping with at least one of {', '.join(WHERE)} or a varied field, got {where!r:.80}.",
            suggestion="Example: where={'status': 'failed', 'error_type': 'network_error'}.",
            field="where",
        )
    return {str(name): _checked_values(str(name), value) for name, value in where.items()}


def _checked_values(name: str, value: object) -> list[Any]:
    place = f"where.{name}"
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else [value]
    if not values or isinstance(value, Mapping):
        raise InvalidRequest(f"{place}: should be a value or a list of values, got {value!r:.80}.", field=place)
    known = {"status": (*STATUSES, UNFINISHED), "error_type": tuple(JobErrorType)}.get(name)
    if known and (unknown := [one for one in values if one not in known]):
        raise InvalidRequest(f"{place}: there is no {unknown[0]!r}; there are {', '.join(known)}.", field=place)
    if name == "status" and UNFINISHED in values:
        values += [status for status in STATUSES if status not in TERMINAL]
    return values


def _root(item_id: int, parents: Mapping[int, int | None]) -> int:
    while (parent := parents.get(item_id)) is not None:
        item_id = parent
    return item_id
