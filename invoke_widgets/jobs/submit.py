"""Submitting: checked before anything is sent, and enqueued exactly once even if the reply is lost.

After a lost reply the batch is looked up by its `batch_id`, which is made here, before it is sent again.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from invoke_widgets import workflows
from invoke_widgets._loop import Backoff
from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import (
    CancellationFailed,
    InvalidRequest,
    JobException,
    JobTimeout,
    NetworkError,
    NotFound,
    ServerFailure,
    ServerUnreachable,
    SubmissionFailed,
    checks,
    classify,
)
from invoke_widgets.events import BatchEnqueued, Event, QueueCleared
from invoke_widgets.history import ErrorLog
from invoke_widgets.jobs.cancel import a_few_at_once
from invoke_widgets.jobs.newer import NewerItems
from invoke_widgets.jobs.reruns import LOOKS_S, LOST, Reruns
from invoke_widgets.jobs.retry import RetryPolicy, checked_policy
from invoke_widgets.records import EnqueueResult, QueueItem, ValueNames
from invoke_widgets.sync import Change, QueueStore, Sync
from invoke_widgets.workflows import Data, NodeSchemas, loading, normal_data, normal_graph, plain

# The time a server takes to make an item, and for each of its nodes: about ten times what was measured on 6.14.2 with
# two cores and nothing else to do (10,000 items of 2 nodes: 0.4 s; of 150: 3.5 s; of 300: 5.2 s).
_ITEM_S, _NODE_S = 400e-6, 20e-6
_LONGEST_BUILD_S = 300.0
_SENDS = 4
_REMEMBERED = 100
_ALWAYS_FIT = 1_000
"""A batch of up to this many items is sent without asking how many the queue can hold: 10,000, unless configured."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0
_LOOK_S = 0.1

_MAY_PASS = (ServerUnreachable, SubmissionFailed, *LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The arguments of `Console.submit`, which describes them; not checked yet.

    Attributes:
        workflow: the edited workflow that the graph was made of, which the server puts into the pictures.
        names: how the values are called.
    """

    graph: Any
    runs: int = 1
    data: Any = None
    prepend: bool = False
    destination: str | None = None
    retry: RetryPolicy | None = None
    patience: float = 0.0
    workflow: Mapping[str, Any] | None = None
    names: ValueNames | None = None


@contextmanager
def logged(errors: ErrorLog, item_ids: Collection[int] = ()) -> Iterator[None]:
    """Record a `JobException` that passes through, with the item that it is about: the only one, or the one it names.

    (The server refuses a request about many because of one, which it names in its words only.)
    """
    try:
        yield
    except JobException as error:
        blamed = re.search(r"\bitem (?:with id )?(\d+)", error.message)
        named = [i for i in item_ids if len(item_ids) == 1 or (blamed and blamed[1] == str(i))]
        error.item_id = named[0] if named else error.item_id
        errors.record_exception(error)
        raise


@dataclass
class _Batch:
    """A batch on its way.

    Attributes:
        newer: the items that are newer than it.
        arrivals: how many times it may have arrived.
        sends: how many times it was sent since the server was last waited for.
        failure: why it is not known to be there; None while it has not been sent.
        enqueued: the number of its items, if the event for it arrived.
        was_counted: whether the server has said that there are items of it.
        is_heard: whether the lack of its event shows that it has not come: the socket has been open all the time, and
            nobody has cleared the queue.
    """

    body: dict[str, Any]
    requested: int
    newer: NewerItems
    arrivals: int = 0
    sends: int = 0
    failure: JobException | None = None
    enqueued: int | None = None
    was_counted: bool = False
    is_heard: bool = True

    def watch(self, change: Change) -> None:
        self.is_heard = self.is_heard and change.state.connection.mode == "live"

    def receive(self, event: Event) -> None:
        if isinstance(event, BatchEnqueued) and event.batch_id == self.batch_id:
            self.enqueued = event.enqueued
        elif isinstance(event, QueueCleared):
            self.is_heard = False  # its event may have been lost, and would be all that is left of it

    def own(self, items: Iterable[QueueItem]) -> tuple[int, ...]:
        """Return the ids of its own items, leaving out those that these have called."""
        of_batch = (item for item in items if item.batch_id == self.batch_id)
        return tuple(sorted(item.item_id for item in of_batch if item.parent_item_id is None))

    @property
    def batch_id(self) -> str:
        return str(self.body["batch_id"])

    @property
    def takes_s(self) -> float:
        """The longest time the server may need to make the items."""
        nodes = len(self.body["graph"]["nodes"])
        return min(self.requested * (_ITEM_S + nodes * _NODE_S), _LONGEST_BUILD_S)


class Submitter:
    """Checks batches and enqueues them. Used on the loop's thread."""

    def __init__(self, client: InvokeClient, store: QueueStore, sync: Sync, errors: ErrorLog, reruns: Reruns) -> None:
        self._client = client
        self._store = store
        self._sync = sync
        self._errors = errors
        self._reruns = reruns
        self._schemas: tuple[Mapping[str, Any], NodeSchemas] | None = None
        self._surplus: dict[str, frozenset[int]] = {}
        self.sent: dict[str, tuple[Mapping[str, Any], Mapping[str, Any] | None]] = {}
        """By batch_id, the graphs of the last batches, and the workflows that they were made of."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, submission: Submission) -> EnqueueResult:
        """Check a batch and enqueue it exactly once; see `Console.submit`. A full queue takes a part of it."""
        policy = checked_policy(submission.retry)
        batch_id = str(uuid.uuid4())
        if submission.names is not None:
            self._client.value_names[batch_id] = submission.names
        if policy is not None:
            self._reruns.begin(batch_id, policy)
        try:
            with logged(self._errors):
                result = await self._arrived(batch_id, submission)
        except BaseException:
            self._reruns.forget(batch_id)
            raise
        self._sync.expect(result.item_ids)
        if full := classify.full_queue(result.enqueued, result.requested):
            full.batch_id = batch_id
            self._errors.record_exception(full)
        if policy is not None:
            self._reruns.submitted(batch_id, result.item_ids)
        return result

    async def check(self, submission: Submission) -> int:
        """Check a batch as `submit` does, send nothing, and return the number of items it would make."""
        _, requested = await self._checked("", submission)
        return requested

    async def node_schemas(self) -> NodeSchemas:
        """Return the server's node types, read once per connection."""
        openapi = await self._client.openapi()
        if self._schemas is None or self._schemas[0] is not openapi:
            self._schemas = (openapi, NodeSchemas(openapi))
        return self._schemas[1]

    def surplus_of(self, batch_id: str) -> frozenset[int]:
        """Return the items of a batch that do not count: it was enqueued twice, and they are being canceled."""
        return self._surplus.get(batch_id, frozenset())

    # -- checking ------------------------------------------------------------------------------------------------------

    async def _checked(self, batch_id: str, submission: Submission) -> tuple[dict[str, Any], int]:
        """Return the body of a batch, and the number of its items."""
        count = checks.whole("runs", submission.runs)
        graph, destination = submission.graph, submission.destination
        checks.flag("prepend", submission.prepend)
        if destination is not None:
            checks.text("destination", destination, "a text, or None")
        values = normal_data(submission.data)
        if workflows.is_workflow(graph):
            said = await loading.answers(self._client, graph)
            values = workflows.own_data(graph, said) + workflows.with_ids(graph, values)
            graph = workflows.graph_of(graph)
        checked = normal_graph(graph)
        schemas = await self.node_schemas()
        schemas.check_graph(checked)
        schemas.check_data(checked, values)
        body: dict[str, Any] = {"batch_id": batch_id, "graph": checked, "runs": count, "origin": "invoke_widgets"}
        if values:
            body["data"] = values
        if submission.workflow is not None:
            body["workflow"] = plain("workflow", submission.workflow)
        if destination is not None:
            body["destination"] = destination
        requested = count * _combinations(values)
        if requested > _ALWAYS_FIT:
            await self._check_room(requested, "runs" if count > 1 else "data")
        return body, requested

    async def _check_room(self, requested: int, field: str) -> None:
        """Refuse a batch that is larger than the whole queue: the server would silently take a part of it."""
        try:
            room = await self._client.max_queue_size()
        except JobException:
            return  # not checked: the server decides
        if requested > room:
            raise InvalidRequest(
                f"{field}: {requested:,} items are more than the queue of this server can hold: {room:,}.",
                suggestion="Submit fewer at a time, or raise max_queue_size in the server's configuration.",
                field=field,
            )

    # -- enqueueing ----------------------------------------------------------------------------------------------------

    async def _arrived(self, batch_id: str, submission: Submission) -> EnqueueResult:
        """Bring a batch into the queue, through outages as long as the patience lasts.

        The batch is unchecked (None), unsent (no `failure`), perhaps sent (`failure` says why that is not known), or
        there, which ends it. Perhaps sent is settled by looking: it is there, or it is unsent again.
        """
        with ExitStack() as observing:
            until = time.monotonic() + checks.seconds("patience", submission.patience, or_infinite=True)
            backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
            batch: _Batch | None = None
            uncertain: SubmissionFailed | None = None
            while True:
                try:
                    if batch is None:
                        body, requested = await self._checked(batch_id, submission)
                        state = self._store.state
                        newer = NewerItems(self._store, state.newest_id)
                        batch = _Batch(body, requested, newer, is_heard=state.connection.mode == "live")
                        self.sent[batch_id] = (body["graph"], body.get("workflow"))
                        if len(self.sent) > _REMEMBERED:
                            del self.sent[next(iter(self.sent))]
                        observing.callback(batch.newer.close)
                        observing.callback(self._store.events.add(batch.receive))
                        observing.callback(self._store.subscribe(batch.watch))
                    if batch.failure is not None and (found := await self._look_for(batch, batch.failure)) is not None:
                        return found
                    if isinstance(batch.failure, ServerFailure) and not batch.failure.retryable:
                        raise batch.failure
                    if (sent := await self._send(batch, submission.prepend)) is not None:
                        return sent
                except _MAY_PASS as error:
                    if uncertain is None and isinstance(error, SubmissionFailed):
                        uncertain = error
                    # Once it is uncertain, it stays so: what was sent before may be there all the same.
                    failure = uncertain or error
                    if "found" in failure.details or not await self._is_back(failure, until, backoff.next()):
                        raise failure from (failure.__cause__ if failure is error else error)
                    if batch is not None:
                        batch.failure, batch.sends = failure, 0

    async def _is_back(self, error: JobException, until: float, pause_s: float) -> bool:
        """Wait for a pause, and for the server to be back or to refuse; False if it is of no use to try again."""
        # What is wrong in a request, or with a certificate, stays wrong.
        is_permanent = isinstance(error, ServerUnreachable | ServerFailure) and not error.retryable
        if is_permanent or time.monotonic() >= until:
            return False
        await asyncio.sleep(min(pause_s, until - time.monotonic()))
        while time.monotonic() < until:
            connection = self._store.state.connection
            if connection.mode != "reconnecting" or connection.is_refused:
                break
            await asyncio.sleep(min(_LOOK_S, until - time.monotonic()))
        return True

    async def _send(self, batch: _Batch, prepend: bool) -> EnqueueResult | None:
        """Send a batch once; None if it is not known whether it arrived.

        Raises:
            SubmissionFailed: it was sent several times in a row, and never arrived; or it may have arrived before.
        """
        if batch.sends == _SENDS:
            failure = batch.failure
            assert failure is not None
            raise SubmissionFailed(
                f"Batch {batch.batch_id} was sent {_SENDS} times, and never arrived: {failure.message}",
                suggestion=failure.suggestion,
                batch_id=batch.batch_id,
                details=failure.details,
                retryable=True,
            ) from failure
        batch.sends += 1
        try:
            answer = await self._client.enqueue_batch(batch.body, prepend=bool(prepend))
        except (ServerUnreachable, *LOST) as error:
            batch.arrivals += not isinstance(error, ServerUnreachable)
            batch.failure = error
            return None
        batch.arrivals += 1
        if batch.arrivals > 1:
            await self._check_for_gaps(batch)
        ids = answer.item_ids
        if not ids or len(ids) > batch.requested:
            ids = batch.own((await batch.newer.read(self._client)).items.values())
        return self._result(batch, ids, len(ids), answer.requested)

    async def _look_for(self, batch: _Batch, failure: JobException) -> EnqueueResult | None:
        """Return the batch if it is there; None if it certainly or very probably never arrived.

        Later requests overtake it: the server (6.14.2) makes a batch's items in a thread of its own, and answers zeros
        for the batch until all are there. So it is looked for as long as making them can take.

        Raises:
            SubmissionFailed: the server does not answer.
            ServerUnreachable: the same, for a batch that never left.
        """
        was_sent = not isinstance(failure, ServerUnreachable)
        until = time.monotonic() + batch.takes_s
        pauses = itertools.chain(LOOKS_S, itertools.repeat(LOOKS_S[-1])) if was_sent else iter((0.0,))
        for looks, pause in enumerate(pauses, start=1):
            await asyncio.sleep(pause)
            is_last = not was_sent or (looks >= len(LOOKS_S) and time.monotonic() >= until)
            try:
                status = await self._client.get_batch_status(batch.batch_id)
                if status.total:
                    batch.was_counted = True
                    return await self._look_back(batch, failure)
            except (NetworkError, JobTimeout) as again:
                if not was_sent:
                    raise failure from None
                # A server that is away no longer makes items, or will not say so.
                if is_last or (looks >= len(LOOKS_S) and isinstance(again, ServerUnreachable)):
                    raise _uncertain(batch, "the server does not answer", again) from failure
            if is_last:
                break
        return await self._look_back(batch, failure) if batch.arrivals else None

    async def _look_back(self, batch: _Batch, failure: JobException) -> EnqueueResult | None:
        """Return the batch if all of its items are known, deleted or not; None if no newer item can be its own.

        Raises:
            SubmissionFailed: some of its items, or a newer item, can no longer be told; or the server does not answer.
        """
        try:
            newer = await batch.newer.read(self._client)
        except (NetworkError, JobTimeout) as error:
            raise _uncertain(batch, "the server does not answer", error) from failure
        own = batch.own(newer.items.values())
        if len(own) >= (batch.requested if batch.enqueued is None else batch.enqueued):
            return self._result(batch, own, len(own), batch.requested)
        if own or batch.enqueued or batch.was_counted:
            raise _incomplete(batch, len(own), failure) from failure
        # Where what was the newest is gone too, or there was nothing, only its event would have told of it.
        if not newer.is_whole or not (newer.is_anchored or batch.is_heard):
            raise _uncertain(batch, "items that may be its own were deleted meanwhile", failure) from failure
        return None

    async def _check_for_gaps(self, batch: _Batch) -> None:
        """Call off what was sent again if ids before it are missing: it may have come before, and been deleted unseen.

        Raises:
            SubmissionFailed: it was called off.
        """
        if not batch.newer.newest:
            return  # the queue was empty, and where its ids begin is unknown
        try:
            newer = await batch.newer.read(self._client)
            if newer.is_whole:
                return
            await self._client.cancel_by_batch_ids([batch.batch_id])
        except (NetworkError, JobTimeout) as error:
            self._errors.record_exception(error)
            return
        why = "items that may be its own were deleted unseen (those that were sent once more are canceled)"
        assert batch.failure is not None
        raise _uncertain(batch, why, batch.failure)

    def _result(self, batch: _Batch, ids: tuple[int, ...], enqueued: int, requested: int) -> EnqueueResult:
        """Return what became of a batch; if it arrived more than once, cancel the surplus."""
        own, surplus = ids[: batch.requested], ids[batch.requested :]
        if surplus and batch.arrivals > 1:
            self._surplus[batch.batch_id] = frozenset(surplus)
            # Not awaited: no request cancels only these, so thousands of them take minutes.
            task = asyncio.create_task(self._cancel_surplus(batch.batch_id, surplus))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return EnqueueResult(
            queue_id=self._client.queue_id,
            batch_id=batch.batch_id,
            enqueued=min(enqueued, batch.requested),
            requested=requested,
            priority=0,
            item_ids=own,
        )

    async def _cancel_surplus(self, batch_id: str, item_ids: tuple[int, ...]) -> None:
        # In ascending order, in which they would run.
        outcomes = await a_few_at_once(self._client.cancel_queue_item, item_ids)
        failed = [error for error in outcomes if isinstance(error, JobException) and not isinstance(error, NotFound)]
        if failed:
            self._errors.record_exception(
                CancellationFailed(
                    f"Batch {batch_id} was enqueued twice, and {len(failed):,} of its {len(item_ids):,} surplus items "
                    f"were not canceled: {failed[0].message}",
                    suggestion=f"Cancel items {item_ids[0]} to {item_ids[-1]}, or they will run as well.",
                    batch_id=batch_id,
                )
            )
        self._sync.refresh(item_ids)


def _uncertain(batch: _Batch, why: str, cause: JobException) -> SubmissionFailed:
    return SubmissionFailed(
        f"The connection broke while the batch was being submitted, and {why}, so it is not certain whether batch "
        f"{batch.batch_id} was taken.",
        suggestion=f"When the server answers, look with console.batch({batch.batch_id!r}), and for its images; do not "
        "submit again before that.",
        batch_id=batch.batch_id,
        details={"cause": str(cause)},
    )


def _incomplete(batch: _Batch, found: int, cause: JobException) -> SubmissionFailed:
    return SubmissionFailed(
        f"The connection broke while the batch was being submitted. Batch {batch.batch_id} was taken, but only "
        f"{found:,} of its {batch.requested:,} items were found: the others were deleted meanwhile, or the queue was "
        "full.",
        suggestion=f"Look with console.batch({batch.batch_id!r}), and for its images; do not submit again before that.",
        batch_id=batch.batch_id,
        details={"cause": str(cause), "found": found},
    )


def _combinations(data: Data) -> int:
    product = 1
    for group in data:
        product *= len(group[0]["items"]) if group else 0
    return product
