"""`Missing`: the jobs that did not complete, ready to be submitted again with the same values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoke_widgets.client import InvokeClient
from invoke_widgets.errors import InvalidRequest, NotFound, UnexpectedReply
from invoke_widgets.history import frames
from invoke_widgets.jobs.job import Context, Job
from invoke_widgets.jobs.retry import RetryPolicy
from invoke_widgets.jobs.submit import Submission
from invoke_widgets.records import CANCELED, FAILED, GONE, QueueItem, ValueNames

if TYPE_CHECKING:
    import pandas as pd

    from invoke_widgets.jobs.batch import Sweep

Sent = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any] | None]]
"""By batch_id: a graph that was enqueued, and the workflow that it was made of, if any."""


class Missing:
    """Jobs that failed, were canceled, or were deleted before their end was seen. `batch.missing()` makes it.

    It stays as it is when jobs end later. Iterating gives their handles.
    """

    def __init__(self, context: Context, items: Sequence[QueueItem], among: Mapping[str, Sequence[int]]) -> None:
        self._context = context
        self._items = tuple(items)
        self._among = among
        """By batch_id, the ids of its items: any of them may still have its graph."""

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Job]:
        return iter([Job(self._context, item.item_id) for item in self._items])

    def __repr__(self) -> str:
        counts = (
            f"{n} {status}"
            for status in (FAILED, CANCELED, GONE)
            if (n := sum(item.status == status for item in self._items))
        )
        return f"Missing({', '.join(counts) or 'none'})"

    def frame(self) -> pd.DataFrame:
        """Return one row per job, with its values and how it ended: the columns of `console.jobs.frame()`."""
        return frames.jobs(self._items)

    def submit(
        self,
        *,
        prepend: bool = False,
        destination: str | None = None,
        retry: RetryPolicy | None = None,
        patience: float = 0.0,
    ) -> Sweep:
        """Enqueue them again with the same values, in new batches: one for each batch that they were in.

        `console.retry(...)` instead has the server put failed and canceled jobs into their own batch again; a job that
        the server has deleted can only be submitted.

        Args:
            prepend, retry, patience: as for `Console.submit`.
            destination: as for `Console.submit`; by default that of the jobs.

        Raises:
            InvalidRequest: there are none, or the server has deleted all items of a batch that this console did not
                submit, so that its graph is not known; nothing was sent.
            JobException: as for `Console.submit`.
        """
        from invoke_widgets.jobs.batch import Sweep

        if not self._items:
            raise InvalidRequest("No job is missing, so there is nothing to submit.")

        async def work() -> Sweep:
            actions = self._context.actions
            made = await _submissions(self._context.client, actions.sent, self._items, self._among)
            done = await actions.submit_all(
                replace(
                    one,
                    prepend=prepend,
                    destination=one.destination if destination is None else destination,
                    retry=retry,
                    patience=patience,
                )
                for one in made
            )
            return Sweep.of(self._context, done)

        return self._context.loop.call(work())


async def _submissions(
    client: InvokeClient, sent: Sent, items: Iterable[QueueItem], among: Mapping[str, Sequence[int]]
) -> list[Submission]:
    """A submission for each batch of some items."""
    batches: dict[tuple[str, tuple[tuple[str, str], ...]], list[QueueItem]] = {}
    for item in items:
        if item.field_values is None:
            raise InvalidRequest(f"Item {item.item_id} was deleted before its values were read, so they are not known.")
        places = tuple((value.node_path, value.field_name) for value in item.field_values if value.node_path)
        batches.setdefault((item.batch_id, places), []).append(item)
    made = []
    for (batch_id, places), those in batches.items():
        graph, workflow = sent.get(batch_id) or await _source(client, batch_id, among.get(batch_id, ()))
        values = [[value for value in item.field_values or () if value.node_path] for item in those]
        data = [
            {"node_path": node, "field_name": field, "items": [each[index].value for each in values]}
            for index, (node, field) in enumerate(places)
        ]
        names = ValueNames.among(value for item in those for value in item.field_values or ())
        made.append(
            Submission(
                graph=graph,
                workflow=workflow,
                runs=1 if data else len(those),
                data=[data] if data else None,
                names=names,
                destination=those[0].destination,
            )
        )
    return made


async def _source(
    client: InvokeClient, batch_id: str, item_ids: Iterable[int]
) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """The graph of a batch, which each of its items has with values of its own, and its workflow.

    Raises `InvalidRequest` if it has no item any more.
    """
    for item_id in item_ids:
        with suppress(NotFound):
            item = await client.get_queue_item(item_id)
            graph = (item.session or {}).get("graph")
            if not isinstance(graph, Mapping):
                raise UnexpectedReply(f"Item {item_id} was answered without a graph.")
            return graph, item.workflow
    raise InvalidRequest(
        f"The server has deleted all items of batch {batch_id}, so their graph is not known.",
        suggestion="Submit the workflow again, with the values of missing().frame() as rows of a sweep.",
    )
