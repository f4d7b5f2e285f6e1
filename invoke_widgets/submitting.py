"""Submitting: checked before anything is sent, and safe to lose the reply of.

A lost reply is never answered by sending again blindly: the batch is looked up by the `batch_id` that was made here.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from invoke_widgets import classify, workflows
from invoke_widgets.acting import Acting
from invoke_widgets.errors import (
    InvalidRequest,
    JobException,
    JobTimeout,
    NetworkError,
    ReplyLost,
    ServerFailure,
    ServerUnreachable,
    SubmissionFailed,
    UnexpectedReply,
)
from invoke_widgets.reading import ids_after, light_items
from invoke_widgets.schemas import Data, NodeSchemas, normal_data, normal_graph
from invoke_widgets.store import QueueStore

# How often, and with which pauses, a lost submit is looked for before it is taken as not having arrived.
_LOOKS_S = (0.0, 0.2, 0.5, 1.0, 1.5)
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

    async def _enqueue_patiently(
        self, batch: dict[str, Any], requested: int, prepend: bool, outage: _Outage
    ) -> Submission:
        newest = self._store.state.newest_id
        last: JobException | None = None

        async def enqueue() -> Submission:
            nonlocal last
            try:
                if last is not None:
                    found = await self._look_for(batch["batch_id"], requested, newest, last)
                    if found is not None:
                        return found
                return await self._enqueue_once(batch, requested, prepend, newest, again=last is not None)
            except _PASSING as error:
                if isinstance(last, SubmissionFailed) and last is not error:
                    raise last from error  # what was sent before may be there all the same
                last = error
                raise

        return await outage.through(enqueue)

    async def _enqueue_once(
        self, batch: dict[str, Any], requested: int, prepend: bool, newest: int, *, again: bool
    ) -> Submission:
        batch_id: str = batch["batch_id"]
        for attempt in range(_SENDS):
            try:
                answer = await self._client.enqueue_batch(batch, prepend=prepend)
            except (ServerUnreachable, ReplyLost, JobTimeout, ServerFailure, UnexpectedReply) as error:
                if isinstance(error, ServerFailure) and not error.retryable:
                    raise
                found = await self._look_for(batch_id, requested, newest, error)
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
            ids = answer.item_ids or await self._ids_of(batch_id, newest)
            if (attempt or again) and len(ids) > requested:
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
            except (NetworkError, JobTimeout) as again:
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
        items = await light_items(self._client, await ids_after(self._client, newest))
        return tuple(sorted(item.item_id for item in items if item.batch_id == batch_id))


def _combinations(data: Data) -> int:
    product = 1
    for group in data:
        product *= len(group[0]["items"]) if group else 0
    return product
