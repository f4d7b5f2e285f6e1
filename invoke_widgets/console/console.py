"""`Console`: what `connect()` returns. One queue of one server: what can be done with it, and its views.

Methods wait for the server's answer, some milliseconds, and may be called from any thread but the console's own.
"""

from __future__ import annotations

import atexit
import logging
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, overload

from invoke_widgets import widgets
from invoke_widgets._loop import limited
from invoke_widgets.alerts import LIMIT_S, Alert, Alerts, On, To
from invoke_widgets.client import InvokeClient, checked_id, checked_ids, checked_token
from invoke_widgets.console.engine import Engine
from invoke_widgets.console.internals import Internals
from invoke_widgets.errors import CancellationFailed, InvalidRequest, JobException, JobTimeout, NotFound, checks
from invoke_widgets.errors.redact import address, secret
from invoke_widgets.history import HistoryFile, Plots, frames
from invoke_widgets.images import (
    Board,
    Boards,
    Cleanup,
    Image,
    Images,
    board_id_of,
    content_of,
    images_of,
    latest_images,
    left_behind,
)
from invoke_widgets.jobs import (
    Batch,
    Context,
    Job,
    Jobs,
    OnTimeout,
    Retry,
    RetryPolicy,
    Submission,
    Sweep,
    Unsubscribe,
    Watch,
    follow,
    handles_of,
    hindrance,
    in_turn,
    no_batch,
)
from invoke_widgets.notices import Notice
from invoke_widgets.records import (
    Cancellation,
    Connection,
    Counts,
    JobError,
    ProcessorStatus,
    QueueItem,
    Wedge,
)
from invoke_widgets.sync import Change
from invoke_widgets.workflows import Plan, Workflow, read_source

if TYPE_CHECKING:
    import pandas as pd

    from invoke_widgets.demo_server.process import EmbeddedServer


logger = logging.getLogger(__name__)

_FILL_S = 30.0
_SAY_ABOVE = 50
"""Jobs; above, a sweep says how many it sends."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConsoleStatus(Counts):
    """The queue's counters, the state of the worker, and how fresh both are.

    Attributes:
        processor: the worker's state; None until it is known.
        connection: how the snapshot is kept in step, since when, and what went wrong last.
        wedge: what the queue is stuck on; None if it is not stuck.
    """

    processor: ProcessorStatus | None
    connection: Connection
    wedge: Wedge | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the queue is paused: the worker takes no further item."""
        return self.processor is not None and not self.processor.is_started


class Console:
    """One queue of one server, watched live. Made by `invoke_widgets.connect`.

    A method raises `InvalidRequest` for an argument that does not fit, before anything is sent; `NotFound` for an item,
    a batch or a board that is not there; and another `JobException` if the server refuses or cannot be reached.

    Attributes:
        errors: an `ErrorLog` of everything that went wrong since the console, or its history, was made.
        cancellations: a `CancellationLog`.
        jobs: a `JobLog` of every job that was seen.
        events: an `EventLog` of the latest events.
        alerts: an `Alerts`: what `alert()` made, and what became of the messages.
        client: an `InvokeClient` over the console's own connections, for `await` in any loop.
        internals: what the package's own views work with: not for users, and free to change.
    """

    _shown: widgets.Dashboard | None = None

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        queue_id: str = "default",
        timeout: float = 30.0,
        verify: Any = True,
        use_socket: bool = True,
        history: str | Path | HistoryFile | None = None,
    ) -> None:
        url, token = address(url), secret(token)
        use_socket = checks.flag("use_socket", use_socket)
        self._client = InvokeClient(url, token=token, queue_id=queue_id, timeout=timeout, verify=verify)
        engine = self._engine = Engine(self._client, history, use_socket=use_socket)
        self._collected = weakref.finalize(self, engine.close_soon)
        self._collected.atexit = False
        self._loop, self._call = engine.loop, engine.loop.call
        self._store, self._actions = engine.store, engine.actions
        self.errors, self.cancellations, self.jobs = engine.errors, engine.cancellations, engine.jobs
        self.events = engine.events
        self.alerts = Alerts(
            self._loop, self._store, server=self.url, queue_id=self.queue_id, error_of=self._error_of, **engine.kept
        )
        self.client = self._client.from_any_loop(self._loop, self)
        self._context = Context(
            self._loop, self._client, self._store, self._actions, self.jobs, self.errors, self._deliver, self
        )
        self.internals = Internals(self._context)
        _open_consoles.add(self)

    # -- what is known, without a request ------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The server's address, with its scheme and without a trailing slash."""
        return self._client.url

    @property
    def queue_id(self) -> str:
        """The queue's name; InvokeAI's own is "default"."""
        return self._client.queue_id

    @property
    def history(self) -> HistoryFile | None:
        """The file in which the logs are kept; None if they are in memory only. Its `problem` says what is wrong."""
        return self._engine.history

    @property
    def demo(self) -> EmbeddedServer | None:
        """The demo server, for its drills; None for another server. It is stopped with the console that started it."""
        return self._engine.demo

    @demo.setter
    def demo(self, server: EmbeddedServer | None) -> None:
        self._engine.demo = server

    @property
    def status(self) -> ConsoleStatus:
        """The counters, the worker's state and the connection, from the current snapshot."""
        state = self._store.state
        counts = state.status or Counts()
        return ConsoleStatus(
            **counts.counters(),
            processor=state.processor,
            connection=state.connection,
            wedge=state.wedge,
        )

    @property
    def queue(self) -> list[QueueItem]:
        """All items, newest first.

        Right after connecting to a long queue this waits until its items have been read, for at most 30 s.
        """
        self._fill()
        items = self._store.state.items
        return [items[item_id] for item_id in sorted(items, reverse=True)]

    def _fill(self) -> None:
        state = self._store.state
        if (state.unread or not state.is_listed) and not self._loop.is_current and self._loop.is_running:
            self._loop.call(self._engine.sync.filled(_FILL_S))

    @property
    def plots(self) -> Plots:
        """Figures of the logs: `error_timeline()`, `cancellation_latency()`, `queue_depth()`, `job_gantt()`, ..."""
        self._engine.catch_up()
        return Plots(self.errors, self.cancellations, self.jobs)

    def __repr__(self) -> str:
        if "_engine" not in self.__dict__:  # a traceback shows it while it is being made
            return "Console()"
        status = self.status
        counts = f"{status.in_progress} running, {status.pending} pending, {status.failed} failed"
        return f"Console({self.url!r}, {status.connection.mode}: {counts})"

    def __str__(self) -> str:
        """The server, the counters and the newest items, as text."""
        return widgets.console_text(self)

    # -- actions -----------------------------------------------------------------------------------------------------

    def submit(
        self,
        graph: object,
        *,
        runs: int = 1,
        data: object = None,
        prepend: bool = False,
        destination: str | None = None,
        retry: RetryPolicy | None = None,
        patience: float = 0.0,
    ) -> Batch:
        """Check a batch against the server's node schemas and enqueue it exactly once.

        Args:
            graph: `{"nodes": {"sum": {"type": "add", "a": 1, "b": 2}}, "edges": []}`, or a workflow that InvokeAI's
                editor exported; `invoke_widgets.workflows.fields(workflow)` lists the fields that can be set.
            runs: number of runs, 1 or more.
            data: values to vary: `{"sum.a": [1, 2], "sum.b": [3, 4]}` are zipped; for a list of such mappings all
                combinations are run; the server's own format is passed on. In a workflow, a node can be named by its
                label or type: `{"Positive Prompt.value": ["a cat", "a dog"]}`.
            prepend: whether to put the batch in front of everything that is pending.
            destination: a label by which items can be counted and canceled.
            retry: runs failed jobs again while this console is open: `RetryPolicy(attempts=3)`. The handles then wait
                for the last attempt; canceling a job ends its attempts.
            patience: seconds to wait for a server that is unreachable or failing, and then send the batch, unless it
                has arrived. With 0, the error is raised at once.

        Returns:
            A `Batch`: wait for it, iterate over its jobs, cancel it.

        Raises:
            InvalidRequest: an argument is invalid; the message names the field, and nothing was sent.
            SubmissionFailed: it is not known whether the batch was accepted, or what became of all of it; look at the
                queue before trying again.
        """
        submission = Submission(
            graph=graph,
            runs=runs,
            data=data,
            prepend=prepend,
            destination=destination,
            retry=retry,
            patience=patience,
        )
        return Sweep.of(self._context, [self._call(self._actions.submit(submission))]).batches[0]

    def workflow(self, source: object) -> Workflow:
        """Load a workflow, or a graph, whose fields are then set by name.

        Args:
            source: the path of a file that InvokeAI's editor exported, or of a PNG that carries a workflow; a PIL image
                that does; an `Image`, again with the values that made it; the JSON of a workflow or graph; the name or
                id of a workflow in the server's library; or a `Workflow`, which is loaded again with what was set, as
                when a model has been installed meanwhile.

        Raises:
            InvalidRequest: it is none of these, or has no workflow in it.
            NotFound: neither a file nor the server's library has this name.
        """
        if isinstance(source, Image):
            return self._call(self.internals.workflow_of_image(source.name))
        if isinstance(source, Workflow):
            return self._call(self.internals.load_workflow(source.to_dict())).with_(source.uploads)
        return self._call(self.internals.load_workflow(read_source(source)))

    def enqueue(
        self,
        plan: Plan,
        *,
        prepend: bool = False,
        destination: str | None = None,
        retry: RetryPolicy | None = None,
        patience: float = 0.0,
    ) -> Sweep:
        """Enqueue what `Workflow.plan` worked out; for the arguments and exceptions see `submit`."""
        if plan.jobs > _SAY_ABOVE:
            print(f"{plan.jobs:,} jobs{self.internals.about(plan.jobs)}.")
        options = {"prepend": prepend, "destination": destination, "retry": retry, "patience": patience}
        return Sweep.of(self._context, self._call(self.internals.enqueue(plan, **options)))

    @overload
    def cancel(self, item_ids: SupportsIndex) -> Cancellation: ...
    @overload
    def cancel(self, item_ids: Iterable[SupportsIndex]) -> list[Cancellation]: ...
    @overload
    def cancel(self, *, where: Mapping[str, Any]) -> list[Cancellation]: ...
    def cancel(
        self,
        item_ids: SupportsIndex | Iterable[SupportsIndex] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
    ) -> Cancellation | list[Cancellation]:
        """Cancel one item, or several at most four at a time, and return the outcome of each.

        `stopped_s` becomes known later: `cancellations.latest(cancellation)` returns the current record.

        Args:
            item_ids: an id, or ids such as a table's `selected` or a frame's `item_id`.
            where: instead, cancel your unfinished items that fit: `{"destination": "tests"}`. Any of `item_id`,
                `status` ("pending", or "unfinished"), `batch_id`, `destination`, or the name of a varied field
                (`"sum.a"`, or as a workflow has it, `"Seed"`), each with a value or a list of values; a queue table's
                filters are its `where`.

        Raises:
            CancellationFailed: the server could not be reached; of several items, for at least one of them.
            JobTimeout: for `where`, it took longer than 30 s to read all items; nothing was canceled.
        """
        if where is not None:
            _only_where(item_ids)
            records, failures = self._call(self._actions.cancel_where(where))
        elif isinstance(item_ids, Iterable):
            records, failures = self._call(self._actions.cancel_many(checked_ids(item_ids)))
        elif item_ids is None:
            remedy = "cancel_pending() cancels all that wait."
            raise InvalidRequest("item_ids: should be an id or ids.", suggestion=remedy, field="item_ids")
        else:
            return self._call(self._actions.cancel(checked_id(item_ids)))
        if failures:
            raise failures[0]
        return records

    def cancel_batch(self, batch_id: str) -> Cancellation:
        """Cancel all unfinished items of a batch, the one in progress included."""
        return self._call(self._actions.cancel_batch(batch_id))

    def cancel_pending(self) -> Cancellation:
        """Cancel all pending items; the one in progress goes on."""
        return self._call(self._actions.cancel_pending())

    def clear(self) -> Cancellation:
        """Cancel and delete all items, the one in progress included. Unlike the button, this does not ask first."""
        return self._call(self._actions.clear())

    def retry(self, item_ids: int | Iterable[int] | None = None, *, where: Mapping[str, Any] | None = None) -> Retry:
        """Enqueue failed or canceled items again.

        Args:
            item_ids: one id, or several. An item that another one called is retried through its outermost caller.
            where: instead, retry the last attempt of your failed jobs that fit: `{"error_type": "network_error"}`. As
                for `cancel`; also `error_type`, `server_error_type`, and `fingerprint`, that of an error group.
                With `{"status": "canceled"}`, canceled jobs.

        Returns:
            A `Retry`, which links the new items to the old ones and can be waited for.

        Raises:
            SubmissionFailed: the answer was lost, or the new items could not be read; look at the queue before trying
                again.
            JobTimeout: for `where`, it took longer than 30 s to read why all failed jobs failed; nothing was retried.
        """
        if where is not None:
            _only_where(item_ids)
            return Retry(self._context, self._call(self._actions.retry_where(where)))
        ids = [] if item_ids is None else item_ids
        return Retry(self._context, self._call(self._actions.retry(ids)))

    def retry_failed(self) -> Retry:
        """Retry the last attempt of every failed job, unless this process has retried it already.

        On a multiuser server, users who are not administrators retry their own jobs.

        Raises:
            JobTimeout: it took longer than 30 s to read all failed jobs; nothing was retried.
        """
        return Retry(self._context, self._call(self._actions.retry_failed()))

    def prune(self) -> int:
        """Delete all completed, failed and canceled items, and return their number. The logs keep their records."""
        return self._call(self._actions.prune())

    def delete(self, item_ids: SupportsIndex | Iterable[SupportsIndex]) -> None:
        """Delete one item, or several at most four at a time; cancel first what has not finished.

        Raises:
            NotFound: there is no such item; of several, the others are deleted all the same.
        """
        ids = checked_ids(item_ids) if isinstance(item_ids, Iterable) else [checked_id(item_ids)]
        self._call(self._actions.delete(ids))

    def pause(self) -> ProcessorStatus:
        """Have the worker take no further item; the one in progress goes on."""
        return self._call(self._actions.pause())

    def resume(self) -> ProcessorStatus:
        """Have the worker take items again."""
        return self._call(self._actions.resume())

    def unwedge(self) -> list[Cancellation]:
        """Cancel the batches that the queue is stuck on (`status.wedge` names them); does nothing if it is not stuck.

        The items are canceled, not deleted: `prune()` removes them; until then `list_all` fails for every client.

        Raises:
            CancellationFailed: no batch is known that could be canceled; the suggestion says what helps.
        """
        wedge = self._store.state.wedge
        if wedge is None:
            return []
        if not wedge.batch_ids:
            raise CancellationFailed(f"The queue is stuck on {wedge.culprit}: {wedge.message}", suggestion=wedge.remedy)
        return [self.cancel_batch(batch_id) for batch_id in wedge.batch_ids]

    # -- handles -----------------------------------------------------------------------------------------------------

    def job(self, item_id: int) -> Job:
        """A handle on an item.

        Raises:
            NotFound: there is no such item in this queue, and the console has not seen how it ended.
        """
        item_id = checked_id(item_id)
        if item_id not in self._store.state.items and self._context.ended(item_id) is None:
            self._call(self._client.get_queue_item(item_id))
        return Job(self._context, item_id)

    def batch(self, batch_id: str) -> Batch:
        """A handle on a batch, from this console or another client.

        Raises:
            NotFound: there is no such batch in this queue, nor in `jobs`.
        """
        checks.text("batch_id", batch_id, "a batch's id")
        total = self._call(self._client.get_batch_status(batch_id)).total
        if not total and not self.jobs.of_batch(batch_id):
            raise NotFound(no_batch(self._store.state, batch_id), batch_id=batch_id)
        if len(self._items_of(batch_id)) < total:
            self.refresh()
        if unread := [item.item_id for item in self._items_of(batch_id) if not item.was_read]:
            self._call(self._engine.sync.read_now(unread))
        return Batch(self._context, batch_id, Batch(self._context, batch_id, ()).item_ids)

    def _items_of(self, batch_id: str) -> list[QueueItem]:
        return [item for item in self._store.state.items.values() if item.batch_id == batch_id]

    def item(self, item_id: int) -> QueueItem:
        """Fetch an item in full, with its session."""
        return self._call(self._client.get_queue_item(item_id))

    # -- pictures ------------------------------------------------------------------------------------------------------

    def images(self, *, board: Board | str | None = None, limit: int = 50, intermediates: bool = False) -> Images:
        """Read the newest pictures of the gallery, uploads included, the newest first.

        Args:
            board: only those on this board: its handle, name or id; "none" for those on no board.
            limit: maximum number of pictures to return.
            intermediates: whether to return intermediate pictures too.
        """
        checks.flag("intermediates", intermediates)
        limit = checks.whole("limit", limit)
        return self._call(latest_images(self._context, board, limit=limit, intermediates=intermediates))

    def images_of(
        self, jobs: Job | Jobs | Iterable[Job | Jobs], *, intermediates: bool = False, timeout: float | None = None
    ) -> Images:
        """Wait for jobs, and return the pictures that the last attempt at each made, in the jobs' order.

        Jobs that failed or were canceled do not raise; what they left is among the pictures. What a job was given, such
        as an upload, is not. `job.images` and `batch.images` are the same without arguments.

        Args:
            jobs: a job, a batch, a `Retry`, or any number of them.
            intermediates: whether to return intermediate pictures too.
            timeout: seconds, also for a server that is away; None waits as long as the jobs take.

        Raises:
            JobTimeout: they did not end in time; they go on.
            ServerUnreachable: without a timeout, the server has been away for 30 s; ask again once it is back.
        """
        checks.flag("intermediates", intermediates)
        limit_s = checks.limit("timeout", timeout)
        return self._call(images_of(self._context, handles_of(jobs), intermediates=intermediates, limit_s=limit_s))

    def upload(self, image: Any, *, board: Board | str | None = None, intermediate: bool = False) -> Image:
        """Upload a picture, unless this console has uploaded the same content before and it is still there.

        Args:
            image: a path, the bytes of a PNG, JPEG or WebP file, a Pillow image, or an array of bytes of shape
                (height, width), (height, width, 3) or (height, width, 4). An `Image` is returned as it is.
            board: the board to put it on: its handle, name or id.
            intermediate: whether the gallery should not show it.

        Returns:
            An `Image`; in a graph, its field is `{"image_name": image.name}`.

        Raises:
            InvalidRequest: there is no such file, or it is no picture.
            JobException: it could not be uploaded; after a lost reply it may be there.
        """
        checks.flag("intermediate", intermediate)
        if isinstance(image, Image):
            return image
        content = content_of(image)

        async def work() -> Image:
            board_id = None if board in (None, "none") else await board_id_of(self._client, board)
            record = await self.internals.uploads.upload(content, board_id=board_id, is_intermediate=intermediate)
            return Image(self._context, record)

        return self._call(work())

    def cleanup(
        self, jobs: Job | Jobs | Iterable[Job | Jobs], images: Board | str = "delete", *, dry_run: bool = True
    ) -> Cleanup:
        """Delete, or move to a board, the images that failed and canceled jobs left; by default only say which.

        Only images that one of these jobs made itself, intermediate ones included: never an upload, a starred image, or
        one that another job in the queue was given or put out, as a retry does that got it from the server's cache.
        All attempts at a job count, also those before one that completed. Waits until the worker has let go of canceled
        jobs, but not for jobs that have not ended.

        Args:
            jobs: a job, a batch, a `Retry`, or any number of them.
            images: "delete"; or the board to move them to, by its handle, name or id.
            dry_run: whether to do nothing, and only return what would be done.
        """
        checks.flag("dry_run", dry_run)
        handles = handles_of(jobs)

        async def work() -> tuple[Images, list[tuple[Image, str]], list[int]]:
            if images != "delete":
                await board_id_of(self._client, images)  # before anything else, if there is no such board
            return await left_behind(self._context, handles)

        found, kept, unfinished = self._call(work())
        if not dry_run:
            found.delete() if images == "delete" else found.move(images)
        target = images.name if isinstance(images, Board) else images
        return Cleanup(found, tuple(kept), tuple(unfinished), target, dry_run)

    @property
    def boards(self) -> Boards:
        """The boards of the gallery: iterate over them, `boards["fox"]`, `boards.create("fox")`."""
        return Boards(self._context)

    def board(self, name: str) -> Board:
        """Read a board by its name or id.

        Raises:
            NotFound: there is none.
            InvalidRequest: several have this name.
        """
        return self.boards[name]

    def models(self, *, type: str | None = None, base: str | None = None, search: str | None = None) -> pd.DataFrame:  # noqa: A002
        """Return the installed models as a frame: name, type, base, key and hash. A row can be set as a model field.

        Args:
            type: only this type, such as "main", "lora" or "vae".
            base: only this base, such as "sd-1", "sdxl" or "flux".
            search: only those whose name has this in it; capitals do not matter.
        """
        part = "" if search is None else checks.text("search", search, "a part of a name").casefold()
        found = self._call(self._client.list_models(model_type=type, base=base))
        return frames.of_records([one for one in found if part in one.name.casefold()], frames.MODELS)

    # -- following what happens ----------------------------------------------------------------------------------------

    def on_change(self, listener: Callable[[Change], object], *, interval: float = 0.1) -> Unsubscribe:
        """Call `listener(change)` after changes of the queue, on the console's callback thread.

        While a listener runs, later changes are merged, so that a slow one gets fewer and larger changes.

        Args:
            listener: takes a `Change`: the new snapshot and the ids that changed. An exception that it raises is
                logged.
            interval: seconds; changes that follow the first within it are reported together.

        Returns:
            A function that ends the subscription.
        """
        checks.function("listener", listener)
        interval = checks.seconds("interval", interval)
        self._loop.check()
        return self._store.subscribe(listener, interval=interval, deliver=self._deliver)

    def on_notice(self, listener: Callable[[Notice], object], *, stalled_s: float | None = None) -> Unsubscribe:
        """Call `listener(notice)` for what happens in the queue from now on, on the console's callback thread.

        Args:
            listener: takes a `Notice`: `JobCompleted`, `JobFailed`, `BatchDone`, `QueueWedged`, `ConnectionLost`, ...
                (`invoke_widgets.notices`). An exception that it raises is logged. If it is slow, it gets of a job's
                changes that wait for it only the last.
            stalled_s: seconds without a sign of life after which a job in progress is reported as `JobStalled`.

        Returns:
            A function that ends the subscription.
        """
        checks.function("listener", listener)
        return follow(
            self._loop,
            self._store,
            in_turn(listener, self._deliver),
            error_of=self.errors.of,
            stalled_s=stalled_s,
        )

    def watch(
        self,
        jobs: Job | Jobs | Iterable[Job | Jobs],
        *,
        timeout: float | None = None,
        on_timeout: OnTimeout = "raise",
        stalled_s: float | None = None,
    ) -> Watch:
        """Iterate, with `for` or `async for`, over what happens to jobs until the last one has ended.

        It yields notices about the jobs, `BatchDone` for the batches that were passed as such, and what concerns the
        queue as a whole: `QueuePaused`, `QueueWedged`, `QueueFull`, `ConnectionLost`, ... (`invoke_widgets.notices`).
        It begins with what is the case already: a queue that is paused, stuck or unreachable, jobs that have ended.

        Args:
            jobs: a job, a batch, a `Retry`, or several of them.
            timeout: seconds for all jobs together.
            on_timeout: "raise" a `JobTimeout` and let the jobs run; "cancel" the unfinished ones, then raise; or
                "detach": stop iterating and let them run.
            stalled_s: seconds without a sign of life after which a job in progress is reported as `JobStalled`.

        Raises:
            JobTimeout: while iterating, see `on_timeout`; `details["item_ids"]` are the jobs that had not ended.
        """
        return Watch(self._context, jobs, timeout=timeout, on_timeout=on_timeout, stalled_s=stalled_s)

    def alert(
        self,
        *,
        on: On,
        to: To | Iterable[To] = "toast",
        name: str | None = None,
        at_most_every_s: float = LIMIT_S,
    ) -> Alert:
        """Send a message when something happens: `console.alert(on=when(JobFailed, "resource_error"), to=print)`.

        Args:
            on: a kind of notice, an error type, `when(...)`, `rate(...)`, `queue_stalled(...)` or
                `nothing_received(...)`, all from `invoke_widgets.alerts`; join several with `|`.
            to: "toast" (in the dashboards), a function that takes the `Message`, a `Webhook`, an `Apprise`, or several
                of them.
            name: the alert's name in its messages; by default the condition in words.
            at_most_every_s: the shortest time between two messages, in seconds; 0 for no limit. What is held back is
                counted and reported in the next message.

        Returns:
            An `Alert`: `test()` it, `quiet(minutes=30)` it, `cancel()` it.
        """
        return self.alerts.add(on, to, name=name, at_most_every_s=at_most_every_s)

    # -- the connection ------------------------------------------------------------------------------------------------

    def refresh(self, timeout: float = 30.0) -> None:
        """Read again everything that may have changed, and wait until the snapshot agrees with the server.

        Raises:
            JobTimeout: they did not agree within `timeout` seconds.
        """
        timeout = checks.seconds("timeout", timeout)

        async def work() -> None:
            self._engine.sync.refresh(unfinished=True)
            error = JobTimeout(f"The snapshot did not agree with the server within {timeout:g} s.")
            await limited(self._engine.sync.settled(), timeout, error)

        try:
            self._call(work())
        except JobTimeout as error:
            error.message += "" if self.status.connection.is_up else hindrance(self._context)
            raise

    def reconnect(self, timeout: float = 30.0, *, token: str | None = None) -> Connection:
        """Check now whether the server answers, giving up what is under way, and return the connection.

        An unreachable server is tried without waiting for `status.connection.next_try_at`; where a server is polled
        because there is no socket, the socket is tried as well.

        Args:
            timeout: seconds.
            token: a new token, used from now on, where the old one was refused. It may be another user's: the whole
                queue is read again.

        Raises:
            AccessDenied: the server refuses the token.
            JobTimeout: the server did not answer within `timeout` seconds; the console goes on trying.
        """
        token = secret(token)
        timeout = checks.seconds("timeout", timeout)
        if checked_token(token) is not None:
            self._client.transport.set_token(token)

        async def work() -> None:
            error = JobTimeout(f"{self.url} did not answer within {timeout:g} s.")
            await limited(self._actions.reconnect(anew=token is not None), timeout, error)

        self._call(work())
        return self._store.state.connection

    # -- views: each module of `widgets` is imported when a view of it is made -----------------------------------------

    def dashboard(self) -> widgets.Dashboard:
        """Make a view of everything: the head, the queue, errors, cancellations, pictures, and the form for jobs."""
        return widgets.Dashboard(self)

    def submitter(
        self,
        graph: Any = None,
        *,
        runs: int = 1,
        data: Any = None,
        prepend: bool = False,
        destination: str | None = None,
    ) -> widgets.JobSubmitter:
        """Make a form for jobs; the arguments, which are those of `submit`, fill it in."""
        return widgets.JobSubmitter(self, graph=graph, runs=runs, data=data, prepend=prepend, destination=destination)

    def workflow_form(self, workflow: Workflow) -> widgets.WorkflowForm:
        """Make a workflow's own form; `workflow.form()` is the same."""
        return widgets.WorkflowForm(self, workflow)

    def grid(self, jobs: Jobs, *, x: str | None = None, y: str | None = None, facet: str = "") -> widgets.Grid:
        """Make a view of a batch or sweep in rows and columns by the values that differ; see `Jobs.grid`."""
        return widgets.Grid(self, jobs, x=x, y=y, facet=facet)

    def queue_table(self, *, columns: Sequence[str] | None = None, height: int | str = 380) -> widgets.QueueTable:
        """Make a view of the queue, with its `selected`, `filters`, `sort` and `columns` as traits.

        Args:
            columns: which, in order; see `QueueTable`.
            height: of the rows, in pixels or as CSS.
        """
        return widgets.QueueTable(self, columns=columns, height=height)

    def controls(self) -> widgets.Controls:
        """Make buttons for actions on the whole queue."""
        return widgets.Controls(self)

    def error_log(self, *, height: int | str = 380) -> widgets.ErrorLogView:
        """Make a view of the errors, equal ones grouped; `height` is that of the rows, in pixels or as CSS."""
        return widgets.ErrorLogView(self, height=height)

    def cancellation_log(self, *, height: int | str = 380) -> widgets.CancellationLogView:
        """Make a view of the cancellations; `height` is that of the rows, in pixels or as CSS."""
        return widgets.CancellationLogView(self, height=height)

    def gallery(self) -> widgets.Gallery:
        """Make a view of the pictures of completed jobs, with `selected`, the names of those selected, as a trait."""
        return widgets.Gallery(self)

    def progress(self, handle: Job | Jobs) -> widgets.JobLine:
        """Make a live line of a job, a batch or a retry; a cell that ends with one shows the same."""
        return widgets.JobLine(self, handle)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self._displayed()._repr_mimebundle_(**kwargs)

    def _ipython_display_(self, **kwargs: Any) -> None:
        self._displayed()._ipython_display_(**kwargs)

    def _display_(self) -> Any:
        """What marimo shows: the queue table, since the only widgets it knows are anywidgets."""
        return self._displayed().queue_table

    def _displayed(self) -> widgets.Dashboard:
        # One dashboard for all displays: each cell that shows the console gets another view of the same widget.
        if self._shown is None or self._shown.closed:
            self._shown = self.dashboard()
        return self._shown

    # -- closing -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the thread, the connections, the views, and the demo server if there is one. May be called twice.

        Whatever waits for the console then raises `InvalidRequest` ("This console was closed."), and so does every
        later request. A console that nothing refers to any more (no variable, view, handle, alert or listener) is
        closed without a call, and so is each when Python ends.

        A history first gets what has not been read yet, for at most 5 s: nobody else knows what the values of a sweep
        that was submitted just now are called.
        """
        try:
            if self.history is not None:
                self._engine.catch_up()
        finally:
            self._close()

    def _close(self) -> None:
        _open_consoles.discard(self)
        self._collected.detach()
        self.alerts.close()
        self.internals.close()
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- internals ---------------------------------------------------------------------------------------------------

    # Methods rather than functions, so that a listener or an alert keeps the console alive.

    def _deliver(self, function: Callable[[], object]) -> None:
        self._engine.callbacks.put(function)

    def _error_of(self, item: QueueItem) -> JobError | None:
        return self.errors.of(item)


def _only_where(item_ids: object) -> None:
    if item_ids is not None:
        raise InvalidRequest("where: cannot be combined with item_ids.", field="where")


_open_consoles: weakref.WeakSet[Console] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for console in list(_open_consoles):
        try:
            console._close()  # at once: no host can be looked up any more
        except (JobException, RuntimeError):
            logger.debug("closing a console at exit failed", exc_info=True)
