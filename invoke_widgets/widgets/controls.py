"""`QueueActions`, what the buttons of a queue do, and `Controls`, a row of those buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.errors import JobException
from invoke_widgets.errors.text import many
from invoke_widgets.records import Cancellation
from invoke_widgets.sync import Change
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.part import Part, Said, script, style

if TYPE_CHECKING:
    from invoke_widgets.console import Console


class QueueActions:
    """Starts what is asked of a queue, and says in the part that was clicked what came of it.

    Args:
        part: where it is said, and whose `busy` has the names of the actions under way.
    """

    def __init__(self, part: Part) -> None:
        self._part = part

    def handlers(self) -> dict[str, Callable[..., object]]:
        """The actions by the names under which a page asks for them."""
        return {
            "cancel_batch": self.cancel_batch,
            "cancel_pending": self.cancel_pending,
            "retry_failed": self.retry_failed,
            "prune": self.prune,
            "clear": self.clear,
            "pause": self.pause,
            "resume": self.resume,
        }

    def cancel(self, item_ids: Sequence[int], key: str = "", always: Callable[[], object] | None = None) -> None:
        """Start canceling items, and return at once; `key` and `always` are as for `Part.run`."""

        def outcome(answers: tuple[list[Cancellation], list[JobException]]) -> None:
            records, failures = answers
            for failure in failures:
                self._part.fail(failure)
            several = words.canceled(records, len(failures))
            self._part.say(records[0].message if len(records) == 1 and not failures else several, undo=records)

        self._part.forgive()
        self._part.run(self._actions.cancel_many(item_ids), outcome, key=key, always=always)

    def retry(self, item_ids: Sequence[int], key: str = "", always: Callable[[], object] | None = None) -> None:
        """Start retrying items, and return at once; otherwise as `cancel`."""
        self._part.forgive()
        retried = self._actions.retry(item_ids)
        self._part.run(retried, lambda done: self._part.say(words.retried(done)), key=key, always=always)

    def cancel_batch(self, batch_id: str) -> None:
        """Start canceling the unfinished items of a batch, and return at once."""
        self.cancel_batches([batch_id], "cancel_batch")

    def cancel_batches(self, batch_ids: Sequence[str], key: str, *, may_undo: bool = True) -> None:
        """Start canceling the unfinished items of batches, and return at once.

        Args:
            batch_ids: the batches.
            key: what is busy meanwhile.
            may_undo: whether a click may bring the items back.
        """

        async def work() -> list[Cancellation]:
            return [await self._actions.cancel_batch(batch_id) for batch_id in batch_ids]

        def outcome(records: list[Cancellation]) -> None:
            number = sum(record.canceled for record in records)
            several = f"Canceled {many(number, 'job')} of {many(len(records), 'batch')}."
            self._part.say(records[0].message if len(records) == 1 else several, undo=records if may_undo else ())

        self._part.forgive()
        self._part.run(work(), outcome, key=key)

    def cancel_pending(self) -> None:
        """Start canceling all items that wait, and return at once."""
        self._part.forgive()
        self._part.run(
            self._actions.cancel_pending(),
            lambda record: self._part.say(record.message, undo=[record]),
            key="cancel_pending",
        )

    def retry_failed(self) -> None:
        """Start retrying each failed item that has not been retried, and return at once."""
        self._part.act("retry_failed", self._actions.retry_failed(), words.retried)

    def prune(self) -> None:
        """Start deleting the finished items, and return at once."""
        self._part.act("prune", self._actions.prune(), lambda n: f"Pruned {many(n, 'finished job')}.")

    def clear(self, total: int) -> None:
        """Start clearing the queue, and return at once.

        Args:
            total: the number of items that the user was shown. With any other number it only says so and does nothing:
                a click may arrive long after it was made.
        """
        now = self._part.console.internals.store.state.totals()["total"]
        if total != now:
            self._part.say(f"Nothing was cleared: the queue has {many(now, 'job')} now, not {total:,}.")
            return
        self._part.act("clear", self._actions.clear(), lambda record: record.message)

    def pause(self) -> None:
        """Start pausing the worker, and return at once."""
        self._part.act("pause", self._actions.pause(), words.paused)

    def resume(self) -> None:
        """Start resuming the worker, and return at once."""
        self._part.act("pause", self._actions.resume(), lambda _: "Resumed: the worker takes jobs again.")

    @property
    def _actions(self) -> Any:
        return self._part.console.internals.actions


class Controls(Part):
    """Buttons to cancel, retry, prune, clear and pause, each of which says what it did.

    Args:
        console: what is controlled.
        on_said: called with `said` after each action.

    Attributes:
        actions: what the buttons do, to be called from Python.
    """

    _esm = script("queue_actions.js", "controls.js")
    _css = style()

    totals: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, console: Console, *, on_said: Callable[[Said], object] | None = None) -> None:
        self.actions = QueueActions(self)
        super().__init__(console, on_said=on_said)
        self.follow()

    def handlers(self) -> dict[str, Callable[..., object]]:
        return self.actions.handlers()

    def draw(self, change: Change) -> None:
        state = change.state
        user = state.connection.user
        self.totals = {
            **state.totals(),
            "paused": state.is_paused,
            "may_pause": state.processor is not None and (user is None or user.is_admin),
            "closed": state.connection.mode == "closed",
        }

    def as_text(self) -> str:
        return self.said.get("text") or words.counts(self.console.status)

    def as_html(self) -> str:
        return words.paragraph(self.as_text())
