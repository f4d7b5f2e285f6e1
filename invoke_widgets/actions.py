"""What a person can do to a queue, each with a truthful outcome. All coroutines; they run on the loop's thread.

A lost reply is never answered by sending again blindly: a submit is looked up by the `batch_id` that was made here, a
cancel by the item's own status.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import (
    AccessDenied,
    CancellationFailed,
    InvalidRequest,
    JobException,
    JobTimeout,
    NetworkError,
    NotFound,
    ReplyLost,
    ServerFailure,
    ServerUnreachable,
    SubmissionFailed,
)
from invoke_widgets.history import CancellationLog, ErrorLog
from invoke_widgets.records import (
    CANCELED,
    FAILED,
    IN_PROGRESS,
    PENDING,
    Cancellation,
    ProcessorStatus,
    QueueItem,
    Retry,
)
from invoke_widgets.schemas import Data, NodeSchemas, normal_data, normal_graph
from invoke_widgets.store import Change, QueueStore

T = TypeVar("T")

# How often, and with which pauses, a lost submit is looked for before it is taken as not having arrived.
_LOOKS_S = (0.0, 0.2, 0.5, 1.0, 1.5)
_STOP_WATCH_S = 600.0
_RETRY_LOOKS = 5


class Reader(Protocol):
    """The part of `Sync` that actions need."""

    def read_again(self, item_ids: Iterable[int] = (), *, ids: bool = True, unfinished: bool = False) -> None: ...

    def take(self, item: QueueItem) -> None: ...

    def expect(self, item_ids: Collection[int]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A batch in the queue. A full queue takes fewer items than asked: `enqueued < requested`."""

    batch_id: str
    item_ids: tuple[int, ...]
    enqueued: int
    requested: int


class Actions:
    """The actions on one queue.

    Args:
        client: the server.
        store: the picture, for what was there before.
        reader: is told what to read again.
        errors: takes what fails.
        cancellations: takes every cancel.
    """

    def __init__(
        self,
        client: InvokeClient,
        store: QueueStore,
        reader: Reader,
        errors: ErrorLog,
        cancellations: CancellationLog,
    ) -> None:
        self._client = client
        self._store = store
        self._reader = reader
        self._errors = errors
        self._cancellations = cancellations
        self._schemas: tuple[int, NodeSchemas] | None = None
        self._retried: set[int] = set()
        self._watches: set[asyncio.Task[None]] = set()

    # -- submitting ----------------------------------------------------------------------------------------------

    async def submit(
        self,
        graph: object,
        *,
        runs: int = 1,
        data: object = None,
        prepend: bool = False,
        destination: str | None = None,
    ) -> Submission:
        """Check a batch, enqueue it once, and say what became of it.

        Args:
            graph: `{"nodes": {...}, "edges": [...]}`; a node's `id` may be left out.
            runs: how often; 1 or more.
            data: values to vary: `{"node.field": [...]}` (zipped), a list of those (their product), or the server's
                own form.
            prepend: before everything that waits.
            destination: a label, by which items can be counted and canceled.

        Raises:
            InvalidRequest: something does not fit; nothing was sent.
            SubmissionFailed: it is not certain whether it was taken; `batch_id` says what to look for.
            JobException: the server refused, or could not be reached.
        """
        with self._logged():
            batch = await self._checked_batch(graph, runs, data, destination)
            requested = runs * _combinations(batch.get("data") or [])
            submission = await self._enqueue_once(batch, requested, prepend)
            self._reader.expect(submission.item_ids)
            return submission

    async def check(self, graph: object, *, runs: int = 1, data: object = None, destination: str | None = None) -> int:
        """Check a batch as `submit` does, send nothing, and return how many items it would make."""
        batch = await self._checked_batch(graph, runs, data, destination)
        return runs * _combinations(batch.get("data") or [])

    async def _checked_batch(self, graph: object, runs: object, data: object, destination: object) -> dict[str, Any]:
        if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
            raise InvalidRequest(f"runs: should be an integer of 1 or more, got {runs!r}.")
        if destination is not None and not isinstance(destination, str):
            raise InvalidRequest(f"destination: should be a string, got {destination!r}.")
        checked = normal_graph(graph)
        values = normal_data(data)
        schemas = await self.node_schemas()
        schemas.check_graph(checked)
        schemas.check_data(checked, values)
        batch: dict[str, Any] = {
            "batch_id": str(uuid.uuid4()),
            "graph": checked,
            "runs": runs,
            "origin": "invoke_widgets",
        }
        if values:
            batch["data"] = values
        if destination is not None:
            batch["destination"] = destination
        return batch

    async def node_schemas(self) -> NodeSchemas:
        """The server's node types, read once a connection."""
        openapi = await self._client.openapi()
        if self._schemas is None or self._schemas[0] != id(openapi):
            self._schemas = (id(openapi), NodeSchemas(openapi))
        return self._schemas[1]

    async def _enqueue_once(self, batch: dict[str, Any], requested: int, prepend: bool) -> Submission:
        batch_id: str = batch["batch_id"]
        for last_try in (False, True):
            newest = self._store.state.newest_id
            try:
                answer = await self._client.enqueue_batch(batch, prepend=prepend)
            except (ServerUnreachable, ReplyLost, JobTimeout, ServerFailure) as error:
                if isinstance(error, ServerFailure) and not error.retryable:
                    raise
                found = await self._look_for(batch_id, requested, newest, error)
                if found is not None:
                    return found
                if last_try:
                    raise SubmissionFailed(
                        f"Batch {batch_id} was sent twice, and never arrived: {error.message}",
                        suggestion=error.suggestion,
                        batch_id=batch_id,
                        details=error.details,
                        retryable=True,
                    ) from error
                continue
            ids = answer.item_ids or await self._ids_of(batch_id, newest)
            if last_try and len(ids) > requested:
                ids = await self._without_surplus(ids, requested)
            return Submission(
                batch_id=batch_id, item_ids=ids, enqueued=min(len(ids), requested), requested=answer.requested
            )
        raise AssertionError("unreachable")  # pragma: no cover

    async def _look_for(self, batch_id: str, requested: int, newest: int, error: JobException) -> Submission | None:
        """The batch, if it is there; None if it certainly or very probably never arrived.

        The server works on requests one after another (SQLite behind one lock), so that a batch which is not there
        after several later requests were answered is not on its way.
        """
        looks = (0.0,) if isinstance(error, ServerUnreachable) else _LOOKS_S
        for pause in looks:
            await asyncio.sleep(pause)
            try:
                status = await self._client.get_batch_status(batch_id)
                if status.total:
                    ids = await self._ids_of(batch_id, newest)
                    return Submission(batch_id=batch_id, item_ids=ids, enqueued=status.total, requested=requested)
            except NetworkError as again:
                if isinstance(error, ServerUnreachable):
                    raise error from None
                if pause == looks[-1]:
                    raise SubmissionFailed(
                        "The connection broke while the batch was being submitted, and the server does not answer, "
                        f"so that it is not certain whether batch {batch_id} was taken.",
                        suggestion=f"When it is back, console.batch({batch_id!r}) tells; do not submit again before.",
                        batch_id=batch_id,
                        details={"cause": str(again)},
                    ) from error
        return None

    async def _without_surplus(self, ids: tuple[int, ...], requested: int) -> tuple[int, ...]:
        """The first sending arrived after all: take back the second."""
        for item_id in ids[requested:]:
            await self._client.cancel_queue_item(item_id)
        self._reader.read_again(ids[requested:])
        return ids[:requested]

    async def _ids_of(self, batch_id: str, newest: int) -> tuple[int, ...]:
        """The ids of a batch's items that are newer than `newest`."""
        if not await self._client.has("item_ids"):
            items = await self._client.list_all_queue_items()
        else:
            listed = (await self._client.get_queue_item_ids()).item_ids
            ids = sorted(i for i in listed if i > newest)
            read = (
                self._client.get_queue_item_summaries_by_ids
                if await self._client.has("item_summaries_by_ids")
                else self._client.get_queue_items_by_item_ids
            )
            items = [item for start in range(0, len(ids), 1000) for item in await read(ids[start : start + 1000])]
        return tuple(sorted(item.item_id for item in items if item.batch_id == batch_id))

    # -- canceling -----------------------------------------------------------------------------------------------

    async def cancel(self, item_id: int) -> Cancellation:
        """Cancel one item. The outcome is read from the item that the server answers with.

        Raises:
            InvalidRequest: `item_id` is not an integer.
            CancellationFailed: the server could not be reached at all.
        """
        before = self._store.state.items.get(item_id) if isinstance(item_id, int) else None
        watch = _Watch(self._store, (item_id,))
        try:
            item = await self._client.cancel_queue_item(item_id)
        except JobException as error:
            watch.close()
            return await self._uncertain_cancel(item_id, error, watch)
        acknowledged = watch.elapsed()
        self._reader.take(item)
        watch.close()
        was_finished = before is not None and before.is_terminal
        if item.status != CANCELED or was_finished:
            return self._keep(
                watch.cancellation("item", "already_finished", 0, (item_id,)),
                acknowledged_s=acknowledged,
                batch_id=item.batch_id,
                message=f"Item {item_id} had already {_ended(item.status)}.",
            )
        effective = min(watch.effective_s or acknowledged, acknowledged)
        was_running = item.started_at is not None
        record = self._keep(
            watch.cancellation("item", "canceled", 1, (item_id,)),
            acknowledged_s=acknowledged,
            effective_s=effective,
            stopped_s=None if was_running else effective,
            batch_id=item.batch_id,
            message=f"Canceled item {item_id}{', which was running' if was_running else ''}.",
        )
        if was_running:
            self._watch_stop(record, watch, {item_id})
        return record

    async def _uncertain_cancel(self, item_id: int, error: JobException, watch: _Watch) -> Cancellation:
        if isinstance(error, NotFound):
            return self._keep(
                watch.cancellation("item", "not_found", 0, (item_id,)),
                acknowledged_s=watch.elapsed(),
                message=f"There is no item {item_id} in this queue.",
            )
        if isinstance(error, AccessDenied) or error.details.get("poison"):
            self._errors.record_exception(error)
            return self._keep(
                watch.cancellation("item", "refused", 0, (item_id,)),
                acknowledged_s=watch.elapsed(),
                message=f"Item {item_id} was not canceled. {error}",
            )
        if isinstance(error, InvalidRequest):
            raise error
        self._errors.record_exception(error)
        if isinstance(error, ServerUnreachable):
            raise CancellationFailed(
                f"Item {item_id} was not canceled: {error.message}",
                suggestion=error.suggestion,
                item_id=item_id,
                retryable=True,
            ) from error
        try:
            item = await self._client.get_queue_item(item_id)
        except JobException:
            item = None
        if item is not None:
            self._reader.take(item)
        canceled = item is not None and item.status == CANCELED
        return self._keep(
            watch.cancellation("item", "canceled" if canceled else "unknown", int(canceled), (item_id,)),
            effective_s=watch.effective_s,
            message=f"The answer was lost; item {item_id} is "
            + (item.status if item is not None else "not known to be canceled")
            + ".",
        )

    async def cancel_batch(self, batch_id: str) -> Cancellation:
        """Cancel all of a batch that has not finished, what runs included."""
        if not isinstance(batch_id, str) or not batch_id:
            raise InvalidRequest(f"batch_id: should be a batch's id, got {batch_id!r}.")
        targets = self._unfinished(lambda item: item.batch_id == batch_id)
        counts_all = await self._client.has("item_summaries_by_ids")
        before = None if counts_all else await self._client.get_batch_status(batch_id)
        record = await self._bulk("batch", targets, lambda: self._client.cancel_by_batch_ids([batch_id]), batch_id)
        if record.outcome not in ("canceled", "already_finished"):
            return record
        canceled = record.canceled
        if not counts_all or not canceled:
            after = await self._client.get_batch_status(batch_id)
            if not after.total:
                return self._keep(record, outcome="not_found", message=f"There is no batch {batch_id} in this queue.")
            if before is not None:
                # Up to 6.13 the answer leaves out the running item, which was canceled all the same.
                canceled = max(canceled, after.canceled - before.canceled)
        outcome = "canceled" if canceled else "already_finished"
        finished = max(len(record.item_ids) - canceled, 0)
        told = f"Canceled {canceled} of batch {_short(batch_id)}"
        return self._keep(
            record,
            outcome=outcome,
            canceled=canceled,
            message=(told + (f"; {finished} had finished meanwhile." if finished else "."))
            if canceled
            else f"Batch {_short(batch_id)} had already finished.",
        )

    async def cancel_pending(self) -> Cancellation:
        """Cancel all that waits; the current item goes on."""
        targets = self._unfinished(lambda item: item.status == PENDING)
        record = await self._bulk("pending", targets, self._client.cancel_all_except_current)
        if record.outcome == "already_finished":
            return self._keep(record, message="Nothing was pending.")
        if record.outcome == "canceled":
            return self._keep(record, message=f"Canceled {record.canceled} pending; the current item goes on.")
        return record

    async def clear(self) -> Cancellation:
        """Cancel and delete everything, the current item too. `canceled` says how many had not finished."""
        targets = self._unfinished(lambda item: True)
        status = self._store.state.status
        unfinished = max(len(targets), status.unfinished if status else 0)
        record = await self._bulk("clear", targets, self._client.clear)
        if record.outcome in ("canceled", "already_finished"):
            deleted = record.canceled
            return self._keep(
                record,
                outcome="canceled" if unfinished else "already_finished",
                canceled=min(unfinished, deleted),
                message=f"Cleared the queue: {deleted} deleted, {min(unfinished, deleted)} of them unfinished.",
            )
        return record

    def _unfinished(self, wanted: Callable[[QueueItem], bool]) -> tuple[int, ...]:
        items = self._store.state.items.values()
        return tuple(sorted(item.item_id for item in items if not item.is_terminal and wanted(item)))

    async def _bulk(
        self,
        scope: str,
        targets: tuple[int, ...],
        request: Callable[[], Awaitable[int]],
        batch_id: str | None = None,
    ) -> Cancellation:
        watch = _Watch(self._store, targets)
        running = {i for i in targets if self._store.state.items[i].status == IN_PROGRESS}
        try:
            count = await request()
        except AccessDenied as error:
            self._errors.record_exception(error)
            return self._keep(
                watch.cancellation(scope, "refused", 0, targets),
                acknowledged_s=watch.elapsed(),
                batch_id=batch_id,
                message=str(error),
            )
        except (ReplyLost, JobTimeout, ServerFailure) as error:
            self._errors.record_exception(error)
            self._reader.read_again(targets, unfinished=True)
            return self._keep(
                watch.cancellation(scope, "unknown", 0, targets),
                batch_id=batch_id,
                message=f"No answer came, so that it is not known what was canceled. {error}",
            )
        except ServerUnreachable as error:
            self._errors.record_exception(error)
            raise CancellationFailed(
                f"Nothing was canceled: {error.message}",
                suggestion=error.suggestion,
                batch_id=batch_id,
                retryable=True,
            ) from error
        finally:
            watch.close()
        acknowledged = watch.elapsed()
        self._reader.read_again(targets, unfinished=True)
        effective = min(watch.effective_s or acknowledged, acknowledged) if count else None
        keeps_current = scope == "pending"
        record = self._keep(
            watch.cancellation(scope, "canceled" if count else "already_finished", count, targets),
            acknowledged_s=acknowledged,
            effective_s=effective,
            stopped_s=effective if keeps_current or not running else None,
            batch_id=batch_id,
        )
        if running and not keeps_current and count:
            self._watch_stop(record, watch, running)
        return record

    def _keep(self, record: Cancellation, **changes: Any) -> Cancellation:
        known = self._cancellations.latest(record)
        if known.stopped_s is not None and changes.get("stopped_s") is None:
            changes["stopped_s"] = known.stopped_s
        record = replace(record, **changes)
        self._cancellations.record(record)
        return record

    def _watch_stop(self, record: Cancellation, watch: _Watch, item_ids: set[int]) -> None:
        task = asyncio.create_task(self._record_stop(record, watch, item_ids))
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    async def _record_stop(self, record: Cancellation, watch: _Watch, item_ids: set[int]) -> None:
        """Ask until the worker is idle or works on another item. With several workers that cannot be known."""
        deadline = time.monotonic() + _STOP_WATCH_S
        pause = 0.03
        while time.monotonic() < deadline:
            try:
                status = await self._client.get_queue_status()
            except JobException:
                pause = 1.0
            else:
                if status.queue.in_progress > 1:
                    return
                other = status.queue.item_id is not None and status.queue.item_id not in item_ids
                if other or not status.processor.is_processing:
                    stopped = watch.elapsed()
                    self._cancellations.record(replace(self._cancellations.latest(record), stopped_s=stopped))
                    self._store.set(processor=status.processor)
                    return
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, 0.25)

    # -- again, and the rest -------------------------------------------------------------------------------------

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
            except (ReplyLost, JobTimeout) as error:
                self._reader.read_again()
                raise SubmissionFailed(
                    "The connection broke before the retry was answered: it is not certain whether it was taken.",
                    suggestion="Look for new items in the queue before retrying again.",
                    details=error.details,
                ) from error
            self._retried.update(taken)
            new_ids = await self._new_items(taken, newest)
            self._reader.expect(tuple(new_ids.values()))
            return Retry(new_item_ids=new_ids, skipped=tuple(sorted(set(ids) - set(new_ids))))

    async def retry_failed(self) -> Retry:
        """Retry every failed item that this console has not retried yet.

        Raises:
            SubmissionFailed: as for `retry`.
        """
        failed = [
            item.item_id
            for item in self._store.state.items.values()
            if item.status == FAILED and item.item_id not in self._retried
        ]
        return await self.retry(sorted(failed)) if failed else Retry(new_item_ids={})

    async def _new_items(self, taken: tuple[int, ...], newest: int) -> dict[int, int]:
        """Old id -> new id. The new item names the ROOT of its line (`retried_from_item_id`), not what was retried."""
        for attempt in range(_RETRY_LOOKS):
            candidates = await self._newer(newest)
            old = await self._whole(taken)
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

    async def _newer(self, newest: int) -> list[QueueItem]:
        if not await self._client.has("item_ids"):
            return [i for i in await self._client.list_all_queue_items() if i.item_id > newest]
        return await self._whole([i for i in (await self._client.get_queue_item_ids()).item_ids if i > newest])

    async def _whole(self, item_ids: Iterable[int]) -> list[QueueItem]:
        ids = sorted(item_ids)
        if not await self._client.has("items_by_ids"):
            wanted = set(ids)
            return [i for i in await self._client.list_all_queue_items() if i.item_id in wanted]
        read = self._client.get_queue_items_by_item_ids
        return [item for start in range(0, len(ids), 1000) for item in await read(ids[start : start + 1000])]

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

    @contextmanager
    def _logged(self) -> Iterator[None]:
        try:
            yield
        except JobException as error:
            self._errors.record_exception(error)
            raise


class _Watch:
    """A stopwatch for one cancel, which also sees when the store hears of it."""

    def __init__(self, store: QueueStore, item_ids: Collection[int]) -> None:
        self.requested_at = datetime.now(UTC)
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

    def cancellation(self, scope: str, outcome: str, canceled: int, item_ids: tuple[int, ...]) -> Cancellation:
        return Cancellation(
            scope=scope,
            outcome=outcome,
            canceled=canceled,
            item_ids=item_ids,
            requested_at=self.requested_at,
            cancellation_id=uuid.uuid4().hex,
        )


def _combinations(data: Data) -> int:
    product = 1
    for group in data:
        product *= len(group[0]["items"]) if group else 0
    return product


def _ended(status: str) -> str:
    return {"completed": "completed", "failed": "failed", "canceled": "been canceled"}.get(status, f"become {status}")


def _short(batch_id: str) -> str:
    return f"{batch_id[:8]}…" if len(batch_id) > 9 else batch_id
