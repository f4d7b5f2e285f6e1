"""What a person can do to a queue, each with a truthful outcome. All coroutines; they run on the loop's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from invoke_widgets.canceling import Canceling
from invoke_widgets.errors import (
    InvalidRequest,
    JobTimeout,
    ReplyLost,
    SubmissionFailed,
    UnexpectedReply,
)
from invoke_widgets.reading import ids_after, whole_items
from invoke_widgets.records import (
    ProcessorStatus,
    Retry,
    retryable,
)
from invoke_widgets.submitting import Submission, Submitting

__all__ = ["Actions", "Submission"]

_RETRY_LOOKS = 5


class Actions(Submitting, Canceling):
    """All actions on one queue: those of `Submitting` and `Canceling`, retry, and the worker's and the queue's own.

    Args: see `Acting`.
    """

    _retried: frozenset[int] = frozenset()

    async def retry(self, item_ids: Iterable[int]) -> Retry:
        """Enqueue failed or canceled items anew, and find the new items.

        Raises:
            InvalidRequest: `item_ids` are not integers, or are empty.
            SubmissionFailed: the answer was lost: look before doing it again.
        """
        ids = [item_ids] if isinstance(item_ids, int) else list(item_ids)
        if not ids:
            raise InvalidRequest("item_ids: no item to retry.")
        with self._logged():
            newest = max(self._store.state.newest_id, *(int(i) for i in ids))
            try:
                taken = await self._client.retry_items_by_id(ids)
            except (ReplyLost, JobTimeout, UnexpectedReply) as error:
                self._reader.read_again()
                raise SubmissionFailed(
                    "The connection broke before the retry was answered: it is not certain whether it was taken.",
                    suggestion="Look for new items in the queue before retrying again.",
                    details=error.details,
                ) from error
            self._retried |= set(taken)
            new_ids = await self._new_items(taken, newest)
            self._reader.expect(tuple(new_ids.values()))
            return Retry(new_item_ids=new_ids, skipped=tuple(sorted(set(ids) - set(new_ids))))

    async def retry_failed(self) -> Retry:
        """Retry every failed item, of a line of retries the last one, unless it has been retried from here already.

        Raises:
            SubmissionFailed: as for `retry`.
        """
        failed = [i for i in retryable(self._store.state.items) if i not in self._retried]
        return await self.retry(failed) if failed else Retry(new_item_ids={})

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
