"""What a person can do to a queue, each with a truthful outcome. All coroutines; they run on the loop's thread."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from invoke_widgets.client import InvokeClient, checked_ids
from invoke_widgets.errors import (
    InvalidRequest,
    JobException,
    JobTimeout,
    ReplyLost,
    SubmissionFailed,
    UnexpectedReply,
)
from invoke_widgets.history import CancellationLog, ErrorLog
from invoke_widgets.jobs.acting import Reader
from invoke_widgets.jobs.cancel import Canceling
from invoke_widgets.jobs.claims import claims
from invoke_widgets.jobs.reruns import Reruns
from invoke_widgets.jobs.retry import RetryPolicy, checked_policy
from invoke_widgets.jobs.submit import Submission, Submitting
from invoke_widgets.records import (
    Cancellation,
    ProcessorStatus,
    Retried,
    retryable,
)
from invoke_widgets.sync import QueueStore, ids_after, light_items, whole_items

__all__ = ["Actions", "Submission"]

_RETRY_LOOKS = 5
_CANCELS_AT_ONCE = 4


class Actions(Submitting, Canceling):
    """All actions on one queue: those of `Submitting` and `Canceling`, retry, and the worker's and the queue's own.

    Args: see `Acting`.
    """

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        reader: Reader,
        errors: ErrorLog,
        cancellations: CancellationLog,
    ) -> None:
        super().__init__(client, store, reader, errors, cancellations)
        self.reruns = Reruns(client, store, reader, errors)

    async def submit(self, graph: object, *, retry: RetryPolicy | None = None, **options: Any) -> Submission:
        """Check a batch, enqueue it once, and say what became of it.

        Args:
            graph: as for `Submitting.submit`, and so are the `options`.
            retry: has the batch's jobs run again when they fail.
            **options: see there.

        Raises:
            JobException: see there.
        """
        policy = checked_policy(retry)
        if policy is None:
            return await super().submit(graph, **options)
        batch_id = str(uuid.uuid4())
        self.reruns.begin(batch_id, policy)
        try:
            submission = await super().submit(graph, batch_id=batch_id, **options)
        except BaseException:
            self.reruns.forget(batch_id)
            raise
        self.reruns.took(batch_id, submission.item_ids)
        return submission

    async def cancel(self, item_id: int) -> Cancellation:
        """Cancel one item, and do not run it again. The outcome is read from the item that the server answers with.

        Raises:
            InvalidRequest: `item_id` is not an integer.
            CancellationFailed: the server could not be reached at all.
        """
        called_off = self.reruns.stop(lambda item, last, due: last == item_id)
        return self._with(await super().cancel(item_id), called_off)

    async def cancel_many(self, item_ids: Iterable[int]) -> tuple[list[Cancellation], list[JobException]]:
        """Cancel items, at most four at a time.

        Returns:
            The outcomes, in the order of the ids, and the exceptions of those that could not be sent or were invalid.
        """
        gate = asyncio.Semaphore(_CANCELS_AT_ONCE)

        async def one(item_id: int) -> Cancellation | JobException:
            async with gate:
                try:
                    return await self.cancel(item_id)
                except JobException as error:
                    return error

        answers = await asyncio.gather(*map(one, item_ids))
        failures = [answer for answer in answers if isinstance(answer, JobException)]
        return [answer for answer in answers if isinstance(answer, Cancellation)], failures

    async def cancel_batch(self, batch_id: str) -> Cancellation:
        """Cancel all of a batch that has not finished, what runs included, and run nothing of it again."""
        called_off = self.reruns.stop_batch(batch_id)
        return self._with(await super().cancel_batch(batch_id), called_off)

    async def cancel_pending(self) -> Cancellation:
        """Cancel all that waits, further attempts at failed jobs too; the current item goes on."""
        called_off = self.reruns.stop(lambda item, last, due: due)
        return self._with(await super().cancel_pending(), called_off)

    async def clear(self) -> Cancellation:
        """Cancel and delete everything, the current item too. `canceled` says how many had not finished."""
        called_off = self.reruns.stop()
        return self._with(await super().clear(), called_off)

    def _with(self, record: Cancellation, called_off: int) -> Cancellation:
        if not called_off:
            return record
        told = f"{called_off} further attempts were called off." if called_off > 1 else "It is not tried again."
        return self._keep(record, message=f"{record.message} {told}".strip())

    async def retry(self, item_ids: int | Iterable[int]) -> Retried:
        """Enqueue failed or canceled items anew, and find the new items.

        For an item that another one called, the one that called first is retried: all run again together.

        Raises:
            InvalidRequest: `item_ids` are not integers, or are empty.
            SubmissionFailed: the answer was lost: look before doing it again.
        """
        asked = checked_ids([item_ids] if isinstance(item_ids, int) else item_ids)
        if not asked:
            raise InvalidRequest("item_ids: no item to retry.", suggestion="console.retry_failed() takes all failed.")
        with self._logged():
            roots = await self._roots(asked)
            return await self._retry(list(dict.fromkeys(roots[item_id] for item_id in asked)))

    async def _retry(self, ids: list[int]) -> Retried:
        with claims.held(self._store.state, ids) as mine:
            # Not the newest of `ids`, which may be one that does not exist yet, nor of the picture, which may lag.
            newest = max(await ids_after(self._client, 0), default=0)
            try:
                taken = await self._client.retry_items_by_id(mine) if mine else ()
            except (ReplyLost, JobTimeout, UnexpectedReply) as error:
                self._reader.read_again()
                raise SubmissionFailed(
                    "The connection broke before the retry was answered: it is not certain whether it was taken.",
                    suggestion="Look for new items in the queue before retrying again.",
                    details=error.details,
                ) from error
            claims.note(self._store.state, taken)
            new_ids = await self._new_items(taken, newest)
            self._reader.expect(tuple(new_ids.values()))
            return Retried(new_item_ids=new_ids, skipped=tuple(sorted(set(ids) - set(taken))))

    async def _roots(self, item_ids: list[int]) -> dict[int, int]:
        """For each item the one at the beginning of its calls, which is what the server retries; mostly itself."""
        parents: dict[int, int | None] = {}
        # Items call others since 6.14, which is also since when there are summaries.
        todo = set(item_ids) if await self._client.has("item_summaries_by_ids") else set()
        while todo:
            known = self._store.state.items
            unread = [i for i in sorted(todo) if (item := known.get(i)) is None or not item.was_read]
            read = {item.item_id: item for item in await light_items(self._client, unread)}
            for item_id in todo:
                item = read.get(item_id) or known.get(item_id)
                parents[item_id] = None if item is None else item.parent_item_id
            todo = {parent for parent in parents.values() if parent is not None} - parents.keys()
        return {item_id: _first(item_id, parents) for item_id in item_ids}

    async def retry_failed(self) -> Retried:
        """Retry every failed item, of a line of retries the last one, unless this process has retried it already.

        One who is no administrator retries their own.

        Raises:
            SubmissionFailed: as for `retry`.
        """
        state = self._store.state
        failed = [
            i for i in retryable(state.items) if not claims.noted(state, i) and not state.is_theirs(state.items[i])
        ]
        with self._logged():
            roots = await self._roots(failed) if failed else {}
        # One that is known by its events alone may turn out to have been called by another.
        own = [item_id for item_id in failed if roots[item_id] == item_id]
        return await self.retry(own) if own else Retried(new_item_ids={})

    async def _new_items(self, taken: tuple[int, ...], newest: int) -> dict[int, int]:
        """Old id -> new id. The new item names the ROOT of its line (`retried_from_item_id`), not what was retried."""
        for attempt in range(_RETRY_LOOKS):
            candidates = await whole_items(self._client, await ids_after(self._client, newest))
            old = await whole_items(self._client, taken)
            root_of = {item.item_id: item.retried_from_item_id or item.item_id for item in old}
            by_root: dict[int, list[int]] = {}
            for item in sorted(candidates, key=lambda i: i.item_id):
                if item.retried_from_item_id is not None:
                    by_root.setdefault(item.retried_from_item_id, []).append(item.item_id)
                    self._reader.take(item.without_session())
                    self.reruns.link(item.retried_from_item_id, item.without_session())
            found = {}
            for item_id in taken:
                line = by_root.get(root_of.get(item_id, item_id))
                if line:
                    found[item_id] = line.pop(0)
            if len(found) == len(taken) or attempt == _RETRY_LOOKS - 1:
                return found
            await asyncio.sleep(0.2)
        return {}

    async def prune(self) -> int:
        """Delete what is completed, failed or canceled; their records stay in the logs. Returns how many."""
        with self._logged():
            try:
                return await self._client.prune()
            finally:
                self._reader.read_again()

    async def delete(self, item_id: int) -> None:
        """Delete one item, canceling it first if it has not finished.

        Raises:
            NotFound: there is no such item in this queue.
        """
        with self._logged():
            try:
                await self._client.delete_queue_item(item_id)
            finally:
                self._reader.read_again()

    async def reconnect(self, *, anew: bool = False) -> None:
        """Where the server is away, try now to reach it, instead of when it is due; `anew`: even where it is not.

        Raises:
            AccessDenied: it is there, and refuses the token.
            ServerUnreachable: it is still away.
        """
        await self._reader.try_now(anew=anew)

    async def pause(self) -> ProcessorStatus:
        """Take no further item; the current one goes on."""
        with self._logged():
            status = await self._client.pause()
        self._store.set(processor=status)
        return status

    async def resume(self) -> ProcessorStatus:
        """Take items again."""
        with self._logged():
            status = await self._client.resume()
        self._store.set(processor=status)
        return status


def _first(item_id: int, parents: Mapping[int, int | None]) -> int:
    while (parent := parents.get(item_id)) is not None:
        item_id = parent
    return item_id
