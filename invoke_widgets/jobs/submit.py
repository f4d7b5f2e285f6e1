"""Submitting: checked before anything is sent, and safe to lose the reply of.

A lost reply is never answered by sending again blindly: the batch is looked up by the `batch_id` that was made here.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from invoke_widgets import workflows
from invoke_widgets.errors import (
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
    UnexpectedReply,
    classify,
)
from invoke_widgets.jobs.acting import Acting
from invoke_widgets.jobs.schemas import NodeSchemas
from invoke_widgets.sync import QueueStore, ids_after, light_items
from invoke_widgets.workflows import Data, normal_data, normal_graph

# How often, and with which pauses, a lost submit is looked for at the least before it is taken as not having arrived.
_LOOKS_S = (0.0, 0.2, 0.5, 1.0, 1.5)
# What making an item takes a server, in all and for each of its nodes: about ten times what was measured on 6.14.2 with
# two cores and nothing else to do (10,000 items of 2 nodes: 0.4 s; of 150: 3.5 s; of 300: 5.2 s).
_ITEM_S, _NODE_S = 400e-6, 20e-6
_LONGEST_BUILD_S = 300.0
_CANCELS_AT_ONCE = 4
_SENDS = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0

_PASSING = (ServerUnreachable, ReplyLost, JobTimeout, ServerFailure, UnexpectedReply, SubmissionFailed)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A batch in the queue. A full queue takes fewer items than asked: `enqueued < requested`."""

    batch_id: str
    item_ids: tuple[int, ...]
    enqueued: int
    requested: int


@dataclass
class _Sending:
    """A batch on its way. `newest`: the newest item before it; `perhaps_arrived`: so often it may be there."""

    batch: dict[str, Any]
    requested: int
    prepend: bool
    newest: int
    perhaps_arrived: int = 0

    @property
    def batch_id(self) -> str:
        return str(self.batch["batch_id"])

    @property
    def takes_s(self) -> float:
        """How long the server may need to make the items, at the most."""
        nodes = len(self.batch["graph"]["nodes"])
        return min(self.requested * (_ITEM_S + nodes * _NODE_S), _LONGEST_BUILD_S)


class _Outage:
    """Tries something again after an outage of the server, for so many seconds."""

    def __init__(self, store: QueueStore, patience: object) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int | float) or not patience >= 0:
            raise InvalidRequest(f"patience: should be a number of seconds of 0 or more, got {patience!r}.")
        self._store = store
        self._until = time.monotonic() + patience

    async def through(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns.

        Raises:
            JobException: what it raised last.
        """
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return await work()
            except _PASSING as error:
                # What is wrong in a request, or with a certificate, stays wrong.
                stays = isinstance(error, ServerUnreachable | ServerFailure) and not error.retryable
                if stays or time.monotonic() >= self._until:
                    raise
            await self._rest(pause * random.uniform(0.8, 1.2))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _rest(self, seconds: float) -> None:
        """Wait so long, and until the server is back or refuses, but not beyond the time."""
        await asyncio.sleep(max(min(seconds, self._until - time.monotonic()), 0.0))
        back = asyncio.Event()

        def look(_: object = None) -> None:
            connection = self._store.state.connection
            if connection.mode != "reconnecting" or connection.is_refused:
                back.set()

        unsubscribe = self._store.subscribe(look)
        try:
            look()
            async with asyncio.timeout(max(self._until - time.monotonic(), 0.0)):
                await back.wait()
        except TimeoutError:
            pass
        finally:
            unsubscribe()


class Submitting(Acting):
    """`submit` and what belongs to it."""

    _schemas: tuple[int, NodeSchemas] | None = None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._surplus: dict[str, frozenset[int]] = {}

    async def submit(
        self,
        graph: object,
        *,
        runs: int = 1,
        data: object = None,
        prepend: bool = False,
        destination: str | None = None,
        batch_id: str | None = None,
        patience: float = 0.0,
    ) -> Submission:
        """Check a batch, enqueue it once, and say what became of it.

        Args:
            graph: `{"nodes": {...}, "edges": [...]}`; a node's `id` may be left out. Or a workflow as InvokeAI's editor
                exports it.
            runs: how often; 1 or more.
            data: values to vary: `{"node.field": [...]}` (zipped), a list of those (their product), or the server's
                own form. In a workflow a node may be told by its label or its type.
            prepend: before everything that waits.
            destination: a label, by which items can be counted and canceled.
            batch_id: its id, which must be a new one; made here by default.
            patience: where the server is away or ill, for so many seconds its return is waited for, and the batch is
                sent then, unless it has arrived already.

        Raises:
            InvalidRequest: something does not fit; nothing was sent.
            SubmissionFailed: it is not certain whether it was taken; `batch_id` says what to look for.
            JobException: the server refused, or could not be reached.
        """
        with self._logged():
            outage = _Outage(self._store, patience)
            batch = await outage.through(lambda: self._checked_batch(graph, runs, data, destination))
            if batch_id is not None:
                batch["batch_id"] = batch_id
            requested = runs * _combinations(batch.get("data") or [])
            submission = await self._enqueue_patiently(batch, requested, prepend, outage)
            self._reader.expect(submission.item_ids)
            if full := classify.full_queue(submission.enqueued, submission.requested):
                full.batch_id = submission.batch_id
                self._errors.record_exception(full)
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
        values = normal_data(data)
        if workflows.is_workflow(graph):
            values = workflows.own_data(graph) + workflows.with_ids(graph, values)
            graph = workflows.graph_of(graph)
        checked = normal_graph(graph)
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

    def surplus_of(self, batch_id: str) -> frozenset[int]:
        """The items of a batch that are none of its own: it was enqueued twice, and they are being canceled."""
        return self._surplus.get(batch_id, frozenset())

    async def _enqueue_patiently(
        self, batch: dict[str, Any], requested: int, prepend: bool, outage: _Outage
    ) -> Submission:
        sending = _Sending(batch, requested, prepend, newest=self._store.state.newest_id)
        last: JobException | None = None

        async def enqueue() -> Submission:
            nonlocal last
            try:
                if last is not None:
                    found = await self._look_for(sending, last)
                    if found is not None:
                        return found
                return await self._enqueue_once(sending)
            except _PASSING as error:
                if isinstance(last, SubmissionFailed) and last is not error:
                    raise last from error  # what was sent before may be there all the same
                last = error
                raise

        return await outage.through(enqueue)

    async def _enqueue_once(self, sending: _Sending) -> Submission:
        batch_id = sending.batch_id
        for attempt in range(_SENDS):
            try:
                answer = await self._client.enqueue_batch(sending.batch, prepend=sending.prepend)
            except (ServerUnreachable, ReplyLost, JobTimeout, ServerFailure, UnexpectedReply) as error:
                if isinstance(error, ServerFailure) and not error.retryable:
                    raise
                sending.perhaps_arrived += not isinstance(error, ServerUnreachable)
                found = await self._look_for(sending, error)
                if found is not None:
                    return found
                if attempt == _SENDS - 1:
                    raise SubmissionFailed(
                        f"Batch {batch_id} was sent {_SENDS} times, and never arrived: {error.message}",
                        suggestion=error.suggestion,
                        batch_id=batch_id,
                        details=error.details,
                        retryable=True,
                    ) from error
                continue
            ids = answer.item_ids
            if not ids or len(ids) > sending.requested:
                ids = await self._ids_of(sending)
            sending.perhaps_arrived += 1
            return self._submission(sending, ids, len(ids), answer.requested)
        raise AssertionError("unreachable")  # pragma: no cover

    async def _look_for(self, sending: _Sending, error: JobException) -> Submission | None:
        """The batch, if it is there; None if it certainly or very probably never arrived.

        Later requests overtake it: the server (6.14.2) makes a batch's items in a thread of its own, and answers zeros
        for the batch until all are there. So it is looked for as long as making them can take.
        """
        sent = not isinstance(error, ServerUnreachable)
        until = time.monotonic() + sending.takes_s
        pauses = itertools.chain(_LOOKS_S, itertools.repeat(_LOOKS_S[-1])) if sent else iter((0.0,))
        for looks, pause in enumerate(pauses, start=1):
            await asyncio.sleep(pause)
            is_last = not sent or (looks >= len(_LOOKS_S) and time.monotonic() >= until)
            try:
                status = await self._client.get_batch_status(sending.batch_id)
                if status.total:
                    return self._submission(sending, await self._ids_of(sending), status.total, sending.requested)
            except (NetworkError, JobTimeout) as again:
                if not sent:
                    raise error from None
                # One that is away makes nothing any more, or is not going to tell.
                if is_last or (looks >= len(_LOOKS_S) and isinstance(again, ServerUnreachable)):
                    raise SubmissionFailed(
                        "The connection broke while the batch was being submitted, and the server does not answer, "
                        f"so that it is not certain whether batch {sending.batch_id} was taken.",
                        suggestion=f"When it is back, console.batch({sending.batch_id!r}) tells; "
                        "do not submit again before.",
                        batch_id=sending.batch_id,
                        details={"cause": str(again)},
                    ) from error
            if is_last:
                break
        return None

    def _submission(self, sending: _Sending, ids: tuple[int, ...], enqueued: int, requested: int) -> Submission:
        """What became of a batch; where it arrived more than once, what is too much is taken back."""
        own, surplus = ids[: sending.requested], ids[sending.requested :]
        if surplus and sending.perhaps_arrived > 1:
            self._surplus[sending.batch_id] = frozenset(surplus)
            # Not waited for: there is no request that cancels these alone, so that thousands take minutes.
            task = asyncio.create_task(self._take_back(sending.batch_id, surplus))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return Submission(
            batch_id=sending.batch_id,
            item_ids=own,
            enqueued=min(enqueued, sending.requested),
            requested=requested,
        )

    async def _take_back(self, batch_id: str, item_ids: tuple[int, ...]) -> None:
        gate = asyncio.Semaphore(_CANCELS_AT_ONCE)

        async def cancel(item_id: int) -> None:
            async with gate:
                await self._client.cancel_queue_item(item_id)

        # In their order, which is that in which they would run.
        outcomes = await asyncio.gather(*map(cancel, item_ids), return_exceptions=True)
        failed = [error for error in outcomes if isinstance(error, JobException) and not isinstance(error, NotFound)]
        if failed:
            self._errors.record_exception(
                CancellationFailed(
                    f"Batch {batch_id} was enqueued twice, and {len(failed):,} of its {len(item_ids):,} surplus items "
                    f"were not canceled: {failed[0].message}",
                    suggestion=f"Cancel those from item {item_ids[0]} to {item_ids[-1]}, or they run besides.",
                    batch_id=batch_id,
                )
            )
        self._reader.read_again(item_ids)

    async def _ids_of(self, sending: _Sending) -> tuple[int, ...]:
        """The ids of a batch's items that are newer than what was there before, but for those that they called."""
        items = await light_items(self._client, await ids_after(self._client, sending.newest))
        of_batch = (item for item in items if item.batch_id == sending.batch_id)
        return tuple(sorted(item.item_id for item in of_batch if item.parent_item_id is None))


def _combinations(data: Data) -> int:
    product = 1
    for group in data:
        product *= len(group[0]["items"]) if group else 0
    return product
