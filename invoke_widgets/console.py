"""`Console`: what `connect()` returns. One queue of one server: what can be done to it, and its views.

Its methods wait for the server's answer (some milliseconds) and may be called from any thread but its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from invoke_widgets.alerts.alert import Alert
from invoke_widgets.alerts.book import LIMIT_S, On, To
from invoke_widgets.console_base import ConsoleBase, ConsoleStatus
from invoke_widgets.errors import CancellationFailed
from invoke_widgets.jobs import Batch, Retry, RetryPolicy
from invoke_widgets.records import Cancellation, ProcessorStatus

__all__ = ["Console", "ConsoleStatus"]


class Console(ConsoleBase):
    """One queue of one server, watched live. Made by `invoke_widgets.connect`.

    Attributes:
        errors: an `ErrorLog`: everything that went wrong since the console was made, or since the history began.
        cancellations: a `CancellationLog`.
        jobs: a `JobLog`: every job that was seen.
        events: an `EventLog`: the latest events.
        alerts: an `Alerts`: what `alert()` made, and what became of their messages.
        client: an `InvokeClient` over the console's own connections, for `await` in any loop.
        demo: the embedded server, if `iw.demo()` started one.
    """

    _shown: Any = None

    # -- what can be done --------------------------------------------------------------------------------------------

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
        """Check a batch against the server's node schemas, enqueue it exactly once, and return a handle on it.

        Args:
            graph: `{"nodes": {"sum": {"type": "add", "a": 1, "b": 2}}, "edges": []}`, or a workflow as InvokeAI's
                editor exports it; `invoke_widgets.workflows.fields(workflow)` tells what of it can be set.
            runs: how often, 1 or more.
            data: values to vary: `{"sum.a": [1, 2], "sum.b": [3, 4]}` are zipped; of a list of such mappings the
                product is taken; the server's own form is taken as it is. In a workflow a node may be told by its
                label or its type: `{"Positive Prompt.value": ["a cat", "a dog"]}`.
            prepend: before everything that waits.
            destination: a label, by which items can be counted and canceled.
            retry: has jobs that fail run again while this console is open: `RetryPolicy(attempts=3)`. The handles wait
                for the last attempt; canceling a job ends its attempts.
            patience: where the server is away or ill, for so many seconds its return is waited for, and the batch is
                sent then, unless it has arrived already. 0: the error comes at once.

        Raises:
            InvalidRequest: something does not fit; the message names the field, and nothing was sent.
            SubmissionFailed: it is not certain whether it was taken; do not submit again before having looked.
            JobException: the server refused, or could not be reached.
        """
        submission = self._call(
            self._actions.submit(
                graph,
                runs=runs,
                data=data,
                prepend=prepend,
                destination=destination,
                retry=retry,
                patience=patience,
            )
        )
        return Batch(
            self._context,
            submission.batch_id,
            submission.item_ids,
            enqueued=submission.enqueued,
            requested=submission.requested,
        )

    def cancel(self, item_id: int) -> Cancellation:
        """Cancel one item; see `Cancellation` for the outcomes. `stopped_s` comes later: `cancellations.latest(c)`."""
        return self._call(self._actions.cancel(item_id))

    def cancel_batch(self, batch_id: str) -> Cancellation:
        """Cancel all of a batch that has not finished, what runs included."""
        return self._call(self._actions.cancel_batch(batch_id))

    def cancel_pending(self) -> Cancellation:
        """Cancel all that waits; the current item goes on."""
        return self._call(self._actions.cancel_pending())

    def clear(self) -> Cancellation:
        """Cancel and delete everything, the current item too. The button for it asks first; this does not."""
        return self._call(self._actions.clear())

    def retry(self, item_ids: int | Iterable[int]) -> Retry:
        """Enqueue failed or canceled items anew; the answer links new items to old ones, and can be waited for.

        Args:
            item_ids: one id, or several. For an item that another one called, the one that called first is retried.

        Raises:
            InvalidRequest: `item_ids` are not integers, or are empty.
            SubmissionFailed: the answer was lost: look before doing it again.
        """
        return Retry(self._context, self._call(self._actions.retry(item_ids)))

    def retry_failed(self) -> Retry:
        """Retry every failed item, of a line of retries the last one, unless this process has retried it already.

        On a server in multiuser mode, one who is no administrator retries their own.
        """
        return Retry(self._context, self._call(self._actions.retry_failed()))

    def prune(self) -> int:
        """Delete what is completed, failed or canceled; records stay in the logs. Returns how many."""
        return self._call(self._actions.prune())

    def delete(self, item_id: int) -> None:
        """Delete one item, canceling it first if it has not finished."""
        self._call(self._actions.delete(item_id))

    def pause(self) -> ProcessorStatus:
        """Take no further item; the current one goes on."""
        return self._call(self._actions.pause())

    def resume(self) -> ProcessorStatus:
        """Take items again."""
        return self._call(self._actions.resume())

    def unwedge(self) -> list[Cancellation]:
        """Cancel the batches that wedge the queue (`status.wedge` names them); nothing if there is no wedge.

        The items are canceled, not deleted; `prune()` then removes them, and until then `list_all` fails for everyone.

        Raises:
            CancellationFailed: no batch is known that could be canceled; the suggestion says what helps.
        """
        wedge = self._store.state.wedge
        if wedge is None:
            return []
        if not wedge.batch_ids:
            raise CancellationFailed(
                f"The queue is wedged by {wedge.culprit}: {wedge.message}", suggestion=wedge.remedy
            )
        return [self.cancel_batch(batch_id) for batch_id in wedge.batch_ids]

    def alert(
        self,
        *,
        on: On,
        to: To | Iterable[To] = "toast",
        name: str | None = None,
        at_most_every_s: float = LIMIT_S,
    ) -> Alert:
        """Have something told when it happens: `console.alert(on=JobFailed & "resource_error", to=print)`.

        Args:
            on: a kind of notice, a class of error, `rate(...)`, `nothing_heard(...)`, `queue_stalled(...)`, all from
                `invoke_widgets.alerts`; combined with `&` and `|`.
            to: "toast" (in the dashboards), a function that takes the `Message`, a `Webhook`, an `Email`, an
                `Apprise`; or several of them.
            name: what its messages call it; by default the condition.
            at_most_every_s: the shortest time between two of its messages, in seconds; 0 for none. What is held back
                is counted, and told in the next one.

        Returns:
            An `Alert`: `test()` it, `quiet(minutes=30)` it, `cancel()` it.

        Raises:
            InvalidRequest: an argument does not fit; the message names it.
        """
        return self.alerts.add(on, to, name=name, at_most_every_s=at_most_every_s)

    # -- views: nothing of widgets is loaded before one is asked for ---------------------------------------------------

    def dashboard(self, **options: Any) -> Any:
        """A new view of everything; `options` are those of `Dashboard`."""
        from invoke_widgets.widgets.dashboard import Dashboard

        return Dashboard(self, **options)

    def submitter(self, graph: Any = None, **options: Any) -> Any:
        """A new form for submitting; `graph` and `runs`, `data`, `prepend`, `destination` fill it in."""
        from invoke_widgets.widgets.submitter import JobSubmitter

        return JobSubmitter(self, graph=graph, **options)

    def queue_table(self, **options: Any) -> Any:
        """A new view of the queue; `options` are those of `QueueTable`."""
        from invoke_widgets.widgets.queue_table import QueueTable

        return QueueTable(self, **options)

    def controls(self, **options: Any) -> Any:
        """New buttons for what can be done to the queue as a whole; `options` are those of `Controls`."""
        from invoke_widgets.widgets.controls import Controls

        return Controls(self, **options)

    def error_log(self, **options: Any) -> Any:
        """A new view of what went wrong; `options` are those of `ErrorLog`."""
        from invoke_widgets.widgets.error_log import ErrorLog

        return ErrorLog(self, **options)

    def cancellation_log(self, **options: Any) -> Any:
        """A new view of what was canceled; `options` are those of `CancellationLog`."""
        from invoke_widgets.widgets.cancellation_log import CancellationLog

        return CancellationLog(self, **options)

    def results(self, **options: Any) -> Any:
        """A new view of what the newest completed items put out; `options` are those of `Results`."""
        from invoke_widgets.widgets.results import Results

        return Results(self, **options)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self._displayed()._repr_mimebundle_(**kwargs)

    def _ipython_display_(self, **kwargs: Any) -> None:
        self._displayed()._ipython_display_(**kwargs)

    def _display_(self) -> Any:
        """What marimo shows: the queue table, as it knows of all widgets anywidgets alone."""
        return self._displayed().queue_table._display_()

    def _displayed(self) -> Any:
        # One for all displays: each cell that shows the console gets another view of the same widget.
        if self._shown is None or self._shown.closed:
            self._shown = self.dashboard()
        return self._shown

    def __str__(self) -> str:
        """The server, the counters and the newest items, as text."""
        from invoke_widgets.widgets.plain import console_text

        return console_text(self)
