"""Running failed jobs again by their batch's `RetryPolicy`: each attempt exactly once, even if replies are lost.

A retry makes a new item, which names the first item of its chain as `retried_from_item_id`. The items of one chain are
attempts at one job. Only failures in batches that were submitted here with a policy are run again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from invoke_widgets.client import InvokeClient, asked_for, is_away
from invoke_widgets.errors import (
    JobException,
    JobTimeout,
    NotFound,
    ReplyLost,
    ServerFailure,
    ServerUnreachable,
    SubmissionFailed,
    UnexpectedReply,
)
from invoke_widgets.events import Event, ItemsRetried
from invoke_widgets.history import ErrorLog
from invoke_widgets.jobs.newer import NewerItems
from invoke_widgets.jobs.retry import RetryPolicy
from invoke_widgets.records import CANCELED, FAILED, PENDING, JobError, QueueItem
from invoke_widgets.sync import QueueState, QueueStore, Step, Sync, ids_after, light_items, whole_items

logger = logging.getLogger(__name__)

LOST = (ReplyLost, JobTimeout, ServerFailure, UnexpectedReply)
"""After one of these the server may have carried out the request, or may do so yet."""

LOOKS_S = (0.0, 0.2, 0.5, 1.0, 1.5)
"""The pauses before each look for a lost request's result; after the last look it is taken as not having arrived."""

_UNDECIDED_S = 30.0
"""The longest wait for a failed item's error, without which it cannot be decided whether to run it again."""

_EVENT_LOOKS = 5
"""How many times to look for a retry that an event reported before it is taken as deleted, and the job as ended."""

_ATTEMPTS_KEPT = 20_000
"""Beyond this, the oldest batches that have ended are forgotten, but never the latest batch. Twice as many as a full
queue has by default, at about 1 kB each."""

_GATHER_S = 0.05
_NEXT_ROUND_S = 1.0
_PER_REQUEST = 100

# A retry that the server refuses is sent again a few times, then alone, so that one bad item does not keep the others
# from being taken. The first pause before that is doubled before each further one.
_REFUSALS = 4
_REFUSED_S = 1.0

_RETRIED_KEPT = 50_000


class InFlight:
    """The items that this process is retrying or has retried, so that two of its consoles do not retry the same one.

    Items are told apart by batch id as well, since two servers may use the same item id. The latest 50,000 are kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: set[tuple[str, int]] = set()
        self._retried: dict[tuple[str, int], None] = {}

    @contextmanager
    def claimed(self, state: QueueState, item_ids: Iterable[int]) -> Iterator[list[int]]:
        """Claim those of the items that nobody else is retrying at this moment."""
        keys = {item_id: _key(state, item_id) for item_id in item_ids}
        with self._lock:
            mine = {item_id: key for item_id, key in keys.items() if key not in self._now}
            self._now.update(mine.values())
        try:
            yield list(mine)
        finally:
            with self._lock:
                self._now.difference_update(mine.values())

    def add(self, state: QueueState, item_ids: Iterable[int]) -> None:
        """Remember that these were retried, or are about to be."""
        with self._lock:
            self._retried.update((_key(state, item_id), None) for item_id in item_ids)
            while len(self._retried) > _RETRIED_KEPT:
                del self._retried[next(iter(self._retried))]

    def discard(self, state: QueueState, item_ids: Iterable[int]) -> None:
        """Forget these: they were not retried after all."""
        with self._lock:
            for item_id in item_ids:
                self._retried.pop(_key(state, item_id), None)

    def was_retried(self, state: QueueState, item_id: int) -> bool:
        return _key(state, item_id) in self._retried


def _key(state: QueueState, item_id: int) -> tuple[str, int]:
    item = state.items.get(item_id)
    return ("" if item is None else item.batch_id, item_id)


in_flight = InFlight()


class ChainState(Enum):
    RUNNING = "the last attempt has not ended, or its failure has not been decided on"
    WAITING = "the next attempt comes after a pause"
    READY = "the next attempt is to be sent now"
    OVER = "no further attempt will be made"
    STOPPED = "called off: an attempt that appears all the same is canceled"


@dataclass(eq=False)
class AttemptChain:
    """The attempts at one job.

    Attributes:
        batch: the batch it belongs to.
        attempts: item ids, ascending.
        holds: the number of cancels under way; meanwhile nothing is sent.
        looks: the number of times left to look for a retry that an event reported.
        refusals: how often the server has refused the next attempt.
        newer: what is known of newer items, since a request for the next attempt whose reply was lost; else None.
        withdrawn: attempts that were canceled because they were one too many.
        changed: set at the next change; None while nobody waits for it, since thousands of chains are kept.
    """

    batch: PolicyBatch
    attempts: list[int]
    state: ChainState = ChainState.RUNNING
    holds: int = 0
    looks: int = 0
    refusals: int = 0
    newer: NewerItems | None = None
    withdrawn: set[int] = field(default_factory=set)
    changed: asyncio.Event | None = None

    @property
    def last(self) -> int:
        return self.attempts[-1]

    @property
    def is_due(self) -> bool:
        return self.state in (ChainState.WAITING, ChainState.READY)

    @property
    def is_over(self) -> bool:
        return self.state in (ChainState.OVER, ChainState.STOPPED)

    def notify(self) -> None:
        if self.changed is not None:
            self.changed.set()
            self.changed = None


@dataclass(eq=False)
class PolicyBatch:
    """A batch with a policy.

    Attributes:
        deadline: on the monotonic clock; no attempt begins later.
        ids: the ids of its first attempts, ascending; None while the submit is under way.
        unplaced: failed items whose chain is not known yet.
        stopped: the batch was canceled.
    """

    batch_id: str
    policy: RetryPolicy
    deadline: float | None
    ids: tuple[int, ...] | None = None
    unplaced: dict[int, QueueItem] = field(default_factory=dict)
    chains: list[AttemptChain] = field(default_factory=list)
    stopped: bool = False


class Reruns:
    """The retry policies of one console, and the attempt chains that follow from them.

    To be used on the loop's thread, except for `attempts` and `will_go_on`.
    """

    def __init__(self, client: InvokeClient, store: QueueStore, sync: Sync, errors: ErrorLog) -> None:
        self._client = client
        self._store = store
        self._sync = sync
        self._errors = errors
        self._batches: dict[str, PolicyBatch] = {}
        self._chains: dict[int, AttemptChain] = {}  # by the id of each attempt
        self._ready: dict[int, AttemptChain] = {}  # to look at now, by the id of the last attempt
        self._worker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        errors.is_undecided = self._is_undecided
        self._unsubscribe = store.events.add(self._on_event)

    # -- queries of handles; `attempts` and `will_go_on` from any thread -----------------------------------------------

    def attempts(self, item_id: int) -> tuple[int, ...]:
        """Return the ids of all attempts at this item's job, ascending; without a policy, only its own."""
        chain = self._chain_of(item_id)
        return (item_id,) if chain is None else tuple(chain.attempts)

    def will_go_on(self, item: QueueItem) -> bool:
        """Return whether another attempt follows, or may follow, this failed item."""
        chain = self._chain_of(item.item_id)
        return item.status == FAILED and chain is not None and (not chain.is_over or chain.last != item.item_id)

    async def next_of(self, item: QueueItem) -> int | None:
        """Wait for the attempt after this failed item, and return its id; None once it is known that none will come."""
        chain = self._chain_of(item.item_id)
        if chain is None:
            return None
        until = time.monotonic() + _UNDECIDED_S
        while True:
            later = [i for i in chain.attempts if i > item.item_id]
            if later or chain.is_over:
                return later[0] if later else None
            chain.changed = changed = chain.changed or asyncio.Event()
            try:
                async with asyncio.timeout(None if chain.is_due else max(until - time.monotonic(), 0.01)):
                    await changed.wait()
            except TimeoutError:
                if not chain.is_due:
                    self._end(chain)  # its error cannot be read

    def _chain_of(self, item_id: int) -> AttemptChain | None:
        chain, item = self._chains.get(item_id), self._store.state.items.get(item_id)
        # Of another batch: the address leads to another server's queue by now, where the id means another job.
        return None if chain is None or (item is not None and item.batch_id != chain.batch.batch_id) else chain

    # -- the life of a batch with a policy -----------------------------------------------------------------------------

    def begin(self, batch_id: str, policy: RetryPolicy) -> None:
        """Take a batch that is about to be submitted: its first job may fail before the submit is answered."""
        limit = policy.max_total_s
        self._batches[batch_id] = PolicyBatch(batch_id, policy, None if limit is None else time.monotonic() + limit)

    def submitted(self, batch_id: str, item_ids: Iterable[int]) -> None:
        """Take the ids of a batch that is in the queue."""
        batch = self._batches[batch_id]
        batch.ids = tuple(sorted(item_ids))
        for item_id in batch.ids:
            if item_id not in self._chains:
                self._chains[item_id] = AttemptChain(batch, [item_id])
                batch.chains.append(self._chains[item_id])
        self._forget_oldest()
        unplaced = list(batch.unplaced.values())
        batch.unplaced.clear()
        for item in unplaced:
            self.failed(item)

    def forget(self, batch_id: str) -> None:
        """Drop a batch that could not be submitted."""
        self._batches.pop(batch_id, None)

    def failed(self, item: QueueItem) -> None:
        """Take a failed item whose error is in the log; taking it more than once does no harm."""
        batch = self._batches.get(item.batch_id)
        if batch is None:
            return
        chain = self._chains.get(item.item_id)
        if chain is not None:
            self._decide(chain, item, self._errors.error_of(item))
        elif item.item_id not in batch.unplaced:
            batch.unplaced[item.item_id] = item
            if batch.ids is not None:
                self._start(self._place(batch, item))

    def link(self, root: int, new: QueueItem) -> None:
        """Take a new item that a retry, by whatever client, made of a chain."""
        self._errors.link(new)
        chain = self._chains.get(root)
        if chain is None or new.item_id in chain.attempts or new.item_id in chain.withdrawn:
            return
        self._clear_due(chain)
        chain.attempts = sorted([*chain.attempts, new.item_id])
        self._chains[new.item_id] = chain
        if chain.is_due:
            chain.state = ChainState.RUNNING
        chain.looks = chain.refusals = 0
        self._forget_newer([chain])
        for item_id in chain.attempts:
            self._ready.pop(item_id, None)
        if chain.state is ChainState.STOPPED:
            self._start(self._cancel(new.item_id))
        unplaced = chain.batch.unplaced.pop(new.item_id, None)
        now = unplaced or self._store.state.items.get(new.item_id)
        if now is not None and now.status == FAILED:
            has_error = unplaced is not None or now.server_error_type is not None or now.error_message is not None
            self._decide(chain, now, self._errors.error_of(now) if has_error else self._errors.record_of(now))
        chain.notify()
        self._store.notify(chain.attempts)

    def close(self) -> None:
        """Cancel what is under way."""
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        self._forget_newer(self._chains.values())
        for item_id in self._store.state.retrying:
            if (chain := self._chains.get(item_id)) is not None:
                self._errors.note_retry(item_id, chain.batch.batch_id, None)
        self._store.set(retrying={})

    # -- canceling -----------------------------------------------------------------------------------------------------

    def chains_at(self, item_id: int) -> list[AttemptChain]:
        """Return the chain whose last attempt this is, if it is not over."""
        chain = self._chains.get(item_id)
        return [chain] if chain is not None and chain.last == item_id and not chain.is_over else []

    def chains_of(self, batch_id: str | None = None) -> list[AttemptChain]:
        """Return all chains of a batch, or of all batches, that are not over."""
        batches = self._batches.values() if batch_id is None else [b for b in (self._batches.get(batch_id),) if b]
        return [chain for batch in batches for chain in batch.chains if not chain.is_over]

    def chains_due(self) -> list[AttemptChain]:
        """Return the chains whose next attempt has been decided on but not made."""
        chains = (self._chains.get(item_id) for item_id in self._store.state.retrying)
        return [chain for chain in chains if chain is not None and chain.is_due]

    @contextmanager
    def on_hold(self, chains: Iterable[AttemptChain]) -> Iterator[Mapping[AttemptChain, int]]:
        """Send no further attempt of these chains meanwhile. Yields each with its last attempt as of now."""
        held = {chain: chain.last for chain in chains}
        for chain in held:
            chain.holds += 1
        try:
            yield held
        finally:
            for chain in held:
                chain.holds -= 1
                if chain.state is ChainState.READY:
                    self._look_at(chain)

    def stop(self, held: Mapping[AttemptChain, int], batch_id: str | None = None) -> int:
        """Make no further attempt in these chains, and return how many attempts that called off.

        Args:
            held: what `on_hold` yielded. An attempt that was on its way at that time is canceled.
            batch_id: of the batch that was canceled as a whole.
        """
        if batch_id in self._batches:
            self._batches[batch_id].stopped = True
        called_off = 0
        for chain, last in held.items():
            if chain.is_over:
                continue
            came_meanwhile = chain.last != last
            called_off += chain.is_due or came_meanwhile
            self._end(chain, ChainState.STOPPED)
            if came_meanwhile:
                self._start(self._cancel(chain.last))
        return called_off

    # -- deciding ------------------------------------------------------------------------------------------------------

    def _is_undecided(self, item: QueueItem) -> bool:
        batch = self._batches.get(item.batch_id)
        if batch is None:
            return False
        chain = self._chains.get(item.item_id)
        if chain is None:
            return batch.ids is None or item.item_id in batch.unplaced
        return chain.last == item.item_id and chain.state is ChainState.RUNNING

    async def _place(self, batch: PolicyBatch, item: QueueItem) -> None:
        """Find the chain of an item that the submit did not make: it comes from a retry not yet answered."""
        try:
            whole = await self._client.get_queue_item(item.item_id)
        except JobException:
            whole = item
        root = whole.retried_from_item_id
        if root is not None and root in self._chains:
            self.link(root, whole.without_session())
        batch.unplaced.pop(item.item_id, None)

    def _decide(self, chain: AttemptChain, item: QueueItem, error: JobError | None) -> None:
        if chain.state is not ChainState.RUNNING or chain.last != item.item_id or error is None:
            return  # without an error, this is called again when it is known
        batch, tried = chain.batch, len(chain.attempts)
        pause = batch.policy.pause_s(tried)
        if batch.stopped or tried >= batch.policy.attempts or not batch.policy.wants(error):
            self._end(chain)
        else:
            self._wait(chain, pause)

    def _wait(self, chain: AttemptChain, pause: float) -> None:
        """Make the next attempt after a pause, or never if that is too late."""
        item_id, batch = chain.last, chain.batch
        self._ready.pop(item_id, None)
        if batch.deadline is not None and time.monotonic() + pause > batch.deadline:
            self._end(chain)
            return
        chain.state = ChainState.WAITING
        due = datetime.now(UTC) + timedelta(seconds=pause)
        self._errors.note_retry(item_id, batch.batch_id, due)
        self._set_due(item_id, due)
        chain.notify()

        def over() -> None:
            if chain.state is ChainState.WAITING and chain.last == item_id:
                chain.state = ChainState.READY
                self._look_at(chain)

        asyncio.get_running_loop().call_later(pause, over)

    def _end(self, chain: AttemptChain, state: ChainState = ChainState.OVER) -> None:
        self._clear_due(chain)
        self._forget_newer([chain])
        if chain.is_due:
            self._errors.note_retry(chain.last, chain.batch.batch_id, None)
        chain.state = state
        chain.notify()
        self._store.notify([chain.last])

    def _clear_due(self, chain: AttemptChain) -> None:
        for item_id in self._store.state.retrying.keys() & set(chain.attempts):
            self._set_due(item_id, None)

    def _set_due(self, item_id: int, due: datetime | None) -> None:
        """Put into the snapshot when a failed item is run again; None: it is not."""

        def step(state: QueueState) -> Step:
            others = {i: at for i, at in state.retrying.items() if i != item_id}
            retrying = others if due is None else {**others, item_id: due}
            return replace(state, retrying=retrying), frozenset({item_id})

        self._store.apply(step)

    def _on_event(self, event: Event) -> None:
        """Look for an attempt that another client made, so that none is made beside it."""
        for item_id in event.item_ids if isinstance(event, ItemsRetried) else ():
            chain = self._chains.get(item_id)
            if chain is not None and chain.is_due:
                chain.looks = _EVENT_LOOKS
                self._look_at(chain)

    def _forget_oldest(self) -> None:
        """Bound what is kept of batches that have ended; their handles show a single attempt from then on."""
        if len(self._chains) <= _ATTEMPTS_KEPT:
            return
        for batch in list(self._batches.values())[:-1]:
            if batch.ids is not None and not batch.unplaced and all(map(self._has_ended, batch.chains)):
                del self._batches[batch.batch_id]
                for chain in batch.chains:
                    for item_id in (*chain.attempts, *chain.withdrawn):
                        self._chains.pop(item_id, None)
                if len(self._chains) <= _ATTEMPTS_KEPT:
                    return

    def _has_ended(self, chain: AttemptChain) -> bool:
        state = self._store.state
        item = state.items.get(chain.last)
        ended = chain.last not in state.unread if item is None else item.is_terminal and item.status != FAILED
        return chain.is_over or (ended and not chain.is_due)

    # -- sending -------------------------------------------------------------------------------------------------------

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _look_at(self, chain: AttemptChain) -> None:
        """Have a chain looked at soon, together with others: each request may have to wait."""
        self._ready[chain.last] = chain
        if self._worker is None or self._worker.done():
            self._worker = self._start(self._work())

    async def _work(self) -> None:
        pause = _GATHER_S
        while self._ready:
            await asyncio.sleep(pause)
            pause = _NEXT_ROUND_S
            refused: dict[int, JobException] = {}
            with in_flight.claimed(self._store.state, list(self._ready)) as mine:
                try:
                    await self._rerun(mine, refused)
                except ServerUnreachable:
                    pass  # the next round waits for it
                except LOST as error:
                    refused = dict.fromkeys(mine, error) | refused
                except JobException as error:
                    self._errors.record_exception(error)
                    self._give_up(list(self._ready))
                except Exception:  # a bug of ours must leave nobody waiting
                    logger.exception("running jobs again failed")
                    self._give_up(list(self._ready))
            if self._store.state.connection.mode != "reconnecting":
                for item_id, why in refused.items():
                    self._was_refused(item_id, why)

    async def _rerun(self, item_ids: list[int], refused: dict[int, JobException]) -> None:
        """Link the next attempts that are there already, and enqueue the others; what is not taken stays ready.

        Args:
            item_ids: the last attempts of chains to look at.
            refused: receives what the server refused, and why.
        """
        await self._link_newer(item_ids)
        # Not from the snapshot: the address may lead to another server's queue since it was read.
        ready = [item_id for item_id in item_ids if item_id in self._ready]
        items = {item.item_id: item for item in await light_items(self._client, ready)} if ready else {}
        now = time.monotonic()
        together: list[int] = []
        alone: list[list[int]] = []
        for item_id in ready:
            chain = self._ready.get(item_id)
            if chain is None:
                continue
            item = items.get(item_id)
            is_there = item is not None and item.status == FAILED and item.batch_id == chain.batch.batch_id
            is_late = chain.batch.deadline is not None and now > chain.batch.deadline
            if not is_there or not chain.is_due or is_late:
                self._give_up([item_id])
            elif chain.looks:
                chain.looks -= 1
                if not chain.looks:
                    self._give_up([item_id])
            elif chain.holds or chain.state is ChainState.WAITING:
                self._ready.pop(item_id)  # comes back after the cancel or the pause
            elif chain.refusals:
                alone.append([item_id])
            else:
                together.append(item_id)
        for wanted in (*(together[i : i + _PER_REQUEST] for i in range(0, len(together), _PER_REQUEST)), *alone):
            await self._send(wanted, refused)

    async def _send(self, wanted: list[int], refused: dict[int, JobException]) -> None:
        newest = await self._link_newer(wanted)  # another client may have retried them since
        await self._settle(wanted)
        chains = {item_id: chain for item_id in wanted if (chain := self._ready.get(item_id)) and _may_send(chain)}
        if not chains:
            return
        item_ids, tried = list(chains), {item_id: len(chain.attempts) for item_id, chain in chains.items()}
        in_flight.add(self._store.state, item_ids)
        error: JobException | None = None
        looks: tuple[float, ...] = LOOKS_S
        newer = NewerItems(self._store, newest)
        for chain in chains.values():
            chain.newer = newer
        try:
            taken = await self._client.retry_items_by_id(item_ids)
        except NotFound:  # up to 6.13 a single missing item fails the whole request
            self._forget_newer(chains.values())
            if len(item_ids) == 1:
                self._give_up(item_ids)
            else:
                for item_id in item_ids:
                    await self._send([item_id], refused)
            return
        except LOST as lost:
            taken, error = tuple(item_ids), lost  # perhaps
            if isinstance(lost, ServerFailure) and not is_away(lost):
                looks = LOOKS_S[:1]  # the server itself answered, so it is done with the request
        except ServerUnreachable:
            self._forget_newer(chains.values())
            raise
        else:
            self._forget_newer(chains.values())
            in_flight.discard(self._store.state, set(item_ids) - set(taken))
        # Later requests may overtake it (6.14 works in threads), but it is small and inserts everything in one
        # transaction: what is not there after several looks within three seconds is very probably not on its way.
        for pause in looks if taken else ():
            await asyncio.sleep(pause)
            await self._link_newer(taken)
            if self._ready.keys().isdisjoint(taken):
                break
        for item_id, chain in chains.items():
            self._withdraw_surplus(chain, tried[item_id])
        if error is not None:
            refused.update((item_id, error) for item_id in item_ids if item_id in self._ready)

    async def _settle(self, item_ids: Iterable[int]) -> None:
        """Give up those whose next attempt may have been made and deleted, after a request whose reply was lost.

        Those that are there have been linked.
        """
        sent = [chain for i in item_ids if (chain := self._ready.get(i)) is not None and chain.newer is not None]
        for newer in {id(chain.newer): chain.newer for chain in sent}.values():
            assert newer is not None
            now = await newer.read(self._client)
            chains = [chain for chain in sent if chain.newer is newer]
            batches = {item.batch_id for i, item in now.items.items() if i not in now.listed and i not in self._chains}
            for chain in chains:
                if chain.last in self._ready and (not now.is_whole or chain.batch.batch_id in batches):
                    self._errors.record_exception(_uncertain(chain))
                    self._give_up([chain.last])
            self._forget_newer(chains)

    def _forget_newer(self, chains: Iterable[AttemptChain]) -> None:
        for chain in chains:
            newer, chain.newer = chain.newer, None
            if newer is not None and all(other.newer is not newer for other in self._chains.values()):
                newer.close()

    async def _link_newer(self, item_ids: Iterable[int]) -> int:
        """Link the attempts after these that are on the server. Returns the newest item that it has ever had."""
        chains = {chain.attempts[0]: chain for i in item_ids if (chain := self._ready.get(i)) is not None}
        if not chains:
            return self._store.state.newest_id
        batches = {chain.batch.batch_id for chain in chains.values()}
        known = self._store.state.items
        listed = await ids_after(self._client, min(chains))
        newest = max((self._store.state.newest_id, *listed))
        ids = [i for i in listed if i not in self._chains]
        same = [i for i in ids if i in known and known[i].batch_id in batches]
        unread = await light_items(self._client, [i for i in ids if i not in known])
        same += [item.item_id for item in unread if item.batch_id in batches]
        found = [item for item in await whole_items(self._client, same) if item.retried_from_item_id in chains]
        if found:
            self._sync.expect([item.item_id for item in found])
        for new in sorted(found, key=lambda item: item.item_id):
            self._sync.apply(new.without_session())
            self.link(new.retried_from_item_id or 0, new.without_session())
        return newest

    def _was_refused(self, item_id: int, error: JobException) -> None:
        """Try later what a reachable server did not take, but not for ever."""
        chain = self._ready.get(item_id)
        if chain is None:
            return
        if not chain.refusals:
            self._errors.record_exception(error)
        if chain.refusals == _REFUSALS:
            in_flight.discard(self._store.state, [item_id])
            self._give_up([item_id])
        else:
            self._wait(chain, asked_for(error, _REFUSED_S * 2**chain.refusals * random.uniform(0.8, 1.2)))
            chain.refusals += 1

    def _give_up(self, item_ids: Iterable[int]) -> None:
        for item_id in item_ids:
            chain = self._ready.pop(item_id, None)
            if chain is not None and chain.is_due:
                self._end(chain)

    def _withdraw_surplus(self, chain: AttemptChain, tried: int) -> None:
        """Where another client retried at the same moment and made one too many, cancel one that is pending."""
        new = chain.attempts[tried:]
        items = self._store.state.items
        pending = [item_id for item_id in new if item_id in items and items[item_id].status == PENDING]
        if len(new) > 1 and len(chain.attempts) > chain.batch.policy.attempts and pending:
            surplus = pending[-1]
            chain.withdrawn.add(surplus)
            chain.attempts = [item_id for item_id in chain.attempts if item_id != surplus]
            self._start(self._withdraw(chain, surplus))

    async def _withdraw(self, chain: AttemptChain, item_id: int) -> None:
        await self._cancel(item_id)
        item = self._store.state.items.get(item_id)
        if item is not None and item.status != CANCELED:
            chain.withdrawn.discard(item_id)  # it had run already, so it counts
            self.link(chain.attempts[0], item)

    async def _cancel(self, item_id: int) -> None:
        try:
            self._sync.apply(await self._client.cancel_queue_item(item_id))
        except NotFound:
            pass
        except JobException as error:
            self._errors.record_exception(error)


def _uncertain(chain: AttemptChain) -> SubmissionFailed:
    return SubmissionFailed(
        f"The connection broke while item {chain.last} was being retried, and items that may be its next attempt were "
        "deleted meanwhile, so it is not certain whether it ran again: it is not retried once more.",
        suggestion="Look for its images before retrying it.",
        batch_id=chain.batch.batch_id,
    )


def _may_send(chain: AttemptChain) -> bool:
    return chain.state is ChainState.READY and not chain.looks and not chain.holds
