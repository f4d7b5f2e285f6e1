"""`Controls`: buttons for the queue as a whole, and for the selected items."""

from __future__ import annotations

import html
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import ipywidgets
import traitlets

from invoke_widgets.errors import JobException
from invoke_widgets.records import TERMINAL, Cancellation, Counts, ProcessorStatus, QueueItem
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.base import ActingView, enable, put, shown
from invoke_widgets.widgets.button import Button, Pressed

if TYPE_CHECKING:
    from invoke_widgets.console import Console

_FAILURES_SHOWN = 3
_MOST_BATCHES = 100
"""The newest unfinished batches that are offered to be canceled."""


class Batches:
    """The user's unfinished batches by age, kept up to date by what changes: no draw looks at the whole queue."""

    def __init__(self) -> None:
        self._state = QueueState()
        self._newest: dict[str, int] = {}  # batch -> its newest item
        self._by_age: list[tuple[int, str]] = []  # the same, sorted

    def update(self, change: Change) -> None:
        """Take what changed since the last update."""
        before, self._state = self._state, change.state
        item_ids: Iterable[int] = change.item_ids
        if before.connection.user != change.state.connection.user:  # all may belong to somebody else now
            self._newest, self._by_age, item_ids = {}, [], change.state.items
        for item_id in sorted(item_ids):
            for item in (before.items.get(item_id), change.state.items.get(item_id)):
                if item is not None:
                    self._update_batch(item.batch_id, item_id)

    def _update_batch(self, batch_id: str, item_id: int) -> None:
        newest = self._newest.pop(batch_id, None)
        if newest is not None:
            del self._by_age[bisect_left(self._by_age, (newest, batch_id))]
        if self._left(batch_id):
            self._newest[batch_id] = max(newest or 0, item_id)
            insort(self._by_age, (self._newest[batch_id], batch_id))

    def _left(self, batch_id: str) -> int:
        tally = self._state.tallies.batches.get(batch_id, {})
        return sum(number for status, number in tally.items() if status not in TERMINAL)

    def newest(self, most: int) -> list[tuple[str, int]]:
        """At most `most` batch ids, the newest first, each with the number of its unfinished items."""
        return [(batch_id, self._left(batch_id)) for _, batch_id in reversed(self._by_age[-most:])]


class Controls(ActingView):
    """Buttons to cancel, retry, prune, clear and pause, each of which says what it did.

    Args:
        console: what is controlled.
        whole: False if another part shows `pause` and `below`.
        selectable: whether items can be selected, so that there is a button to cancel them.
        on_said: called with the outcome of each action in words.

    Attributes:
        selected: the item ids that "Cancel selected" is about; link it to a table's.
        pause: the button that pauses and resumes.
        below: what comes and goes: questions, outcomes, errors, and why the queue is stuck.
    """

    selected = traitlets.List(traitlets.Int())

    def __init__(
        self,
        console: Console,
        *,
        whole: bool = True,
        selectable: bool = False,
        on_said: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(console, on_said=on_said)
        self._cancel_selected = self.button(
            "✕ Cancel selected", self._on_cancel_selected, tooltip="Cancel the items selected in the table"
        )
        shown(self._cancel_selected, selectable)
        self._cancel_batch = self.button(
            "✕ Cancel batch",
            self._on_cancel_batch,
            tooltip="Cancel all unfinished items of this batch",
            chooses="batch",
        )
        self._cancel_pending = self.button(
            "✕ Cancel pending",
            self._on_cancel_pending,
            tooltip="Cancel all waiting items; the current one keeps running",
        )
        self._retry_failed = self.button(
            "↻ Retry failed", self._on_retry_failed, tooltip="Enqueue again each failed item that has not been retried"
        )
        self._prune = self.button(
            "Prune", self._on_prune, tooltip="Delete completed, failed and canceled items; errors stay in the log"
        )
        self._clear = self.button(
            "Clear …", self._on_clear, tooltip="Cancel and delete all items, including the current one; asks first"
        )
        self.pause = self.button("❚❚ Pause", self._on_pause)
        self.pause.add_class("iw-pause")
        self._question = ipywidgets.HTML()
        self._really_clear = self.button("Clear", self._on_really_clear, button_style="danger")
        self._keep = self.button("Keep", self._on_keep, tooltip="Do not clear")
        self._asking = ipywidgets.HBox([self._question, self._really_clear, self._keep], layout={"display": "none"})
        self._asking.add_class("iw-asking")
        self._wedge_text = ipywidgets.HTML()
        self._unwedge = self.button("Cancel batch", self._on_unwedge, button_style="danger")
        self._wedge = ipywidgets.HBox([self._wedge_text, self._unwedge], layout={"display": "none"})
        self._wedge.add_class("iw-wedge")
        buttons = [
            self._cancel_selected,
            self._cancel_batch,
            self._cancel_pending,
            self._retry_failed,
            self._prune,
            self._clear,
            *([self.pause] if whole else []),
        ]
        for counted in (self._cancel_pending, self._retry_failed, self._prune):
            counted.layout.min_width = f"{len(counted.description) + 6}ch"  # with room for its count
        self._row = ipywidgets.HBox(buttons)
        self._row.add_class("iw-row")
        self._row.add_class("iw-controls")
        self.below = ipywidgets.VBox([self._wedge, self._asking, self.status_line, self.strip])
        self.below.add_class("iw-below")
        self._batches = Batches()
        self._own_only = False  # the server's counters are of everybody's items
        self._counts = Counts()
        self.own(self.pause, self.below)
        self.show(self._row, *([self.below] if whole else []), strip=False)
        self.observe(lambda _: self.redraw(), names="selected")
        self.follow()

    # -- drawing -----------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        state = change.state
        open_ = state.connection.mode != "closed"
        chosen = [i for i in self.selected if (item := state.items.get(i)) is not None and _can_cancel(state, item)]
        put(self._cancel_selected, "about", list(self.selected))
        self._label(self._cancel_selected, "✕ Cancel selected", len(chosen), open_)
        self._batches.update(change)
        batches = self._batches.newest(_MOST_BATCHES)
        choices = [[batch, words.short(batch), words.many(count, "item")] for batch, count in batches]
        put(self._cancel_batch, "choices", choices)
        enable(self._cancel_batch, open_ and bool(self._cancel_batch.choices))
        # An item that a policy will retry is waiting too, and is canceled with the others.
        user = state.connection.user
        self._own_only = user is not None and not user.is_admin
        counts = state.status if state.status is not None and not self._own_only else Counts.tallied(state.tallies.own)
        self._label(self._cancel_pending, "✕ Cancel pending", counts.pending + len(state.retrying), open_)
        self._label(self._retry_failed, "↻ Retry failed", state.tallies.retryable, open_)
        self._label(self._prune, "Prune", counts.total - counts.unfinished, open_)
        enable(self._clear, open_ and counts.total > 0)
        enable(self._really_clear, open_)
        self._counts = counts
        if self._asking.layout.display is None:
            self._draw_question()
            if not counts.total:
                shown(self._asking, False)
        self._draw_pause(state, open_)
        self._draw_wedge(state)

    def _label(self, button: Button, text: str, count: int, possible: bool) -> None:
        put(button, "description", f"{text} ({count:,})" if count else text)
        enable(button, possible and count > 0)

    def _draw_question(self) -> None:
        total, unfinished = self._counts.total, self._counts.unfinished
        whose = " of yours" if self._own_only else ""
        text = (
            f"Clear deletes {words.many(total, 'item')}{whose}, {unfinished:,} of them unfinished; "
            "the current one is canceled."
        )
        put(self._question, "value", f'<div class="iw-question" role="alert">{html.escape(text)}</div>')
        put(self._really_clear, "about", total)
        put(self._really_clear, "description", f"Clear {words.many(total, 'item')}")

    def _draw_pause(self, state: QueueState, open_: bool) -> None:
        paused = state.processor is not None and not state.processor.is_started
        user = state.connection.user
        may = user is None or user.is_admin
        put(self.pause, "about", "resume" if paused else "pause")
        put(self.pause, "description", "▶\ufe0e Resume" if paused else "❚❚ Pause")
        tooltip = "Start taking items again" if paused else "Take no more items; the current one keeps running"
        put(self.pause, "tooltip", tooltip if may else "Only an administrator can pause and resume")
        enable(self.pause, open_ and may and state.processor is not None)

    def _draw_wedge(self, state: QueueState) -> None:
        wedge = state.wedge
        shown(self._wedge, wedge is not None)
        if wedge is None:
            return
        batches = words.many(len(wedge.batch_ids), "batch") if len(wedge.batch_ids) != 1 else "batch"
        named = ", ".join(words.short(batch) for batch in wedge.batch_ids)
        if wedge.item_ids or wedge.batch_ids:
            what = _items(wedge.item_ids) + (f" of {batches} {named}" if wedge.batch_ids else "")
            pronoun = "it" if len(wedge.item_ids) < 2 else "them"
            text = f"Queue stuck: {what} cannot be loaded, and nothing behind {pronoun} can run. {wedge.message}"
            if wedge.is_theirs:
                text += f" {wedge.remedy}"
            elif not wedge.batch_ids:
                text += " This server does not say which batch it belongs to: cancel all pending items."
        else:
            text = f"Queue stuck. {wedge.message} Restart the server."
        put(self._wedge_text, "value", f'<div class="iw-wedge-text" role="alert">{html.escape(text)}</div>')
        put(self._unwedge, "about", list(wedge.batch_ids))
        put(self._unwedge, "description", f"Cancel {batches} {named}")
        shown(self._unwedge, bool(wedge.batch_ids))

    # -- acting ------------------------------------------------------------------------------------------------------

    def _on_cancel_selected(self, pressed: Pressed) -> None:
        state = self.console.store.state
        there = [state.items[i] for i in pressed.about if i in state.items]
        targets = [item.item_id for item in there if _can_cancel(state, item)]
        finished = sum(1 for item in there if item.is_terminal)

        def outcome(answers: tuple[list[Cancellation], list[JobException]]) -> str:
            records, failures = answers
            for failure in failures[:_FAILURES_SHOWN]:
                self.fail(failure)
            return words.canceled(records, finished, len(failures))

        self.act(self._cancel_selected, self.console.actions.cancel_many(targets), outcome)

    def _on_cancel_batch(self, pressed: Pressed) -> None:
        if pressed.choice is not None:
            self.act(self._cancel_batch, self.console.actions.cancel_batch(pressed.choice), _message)

    def _on_cancel_pending(self, _: Pressed) -> None:
        self.act(self._cancel_pending, self.console.actions.cancel_pending(), _message)

    def _on_retry_failed(self, _: Pressed) -> None:
        self.act(self._retry_failed, self.console.actions.retry_failed(), words.retried)

    def _on_prune(self, _: Pressed) -> None:
        self.act(self._prune, self.console.actions.prune(), lambda n: f"Pruned {words.many(n, 'finished item')}.")

    def _on_clear(self, _: Pressed) -> None:
        with self.lock:
            self._draw_question()
            shown(self._asking, True)
            self._keep.focus()

    def _on_really_clear(self, pressed: Pressed) -> None:
        """Clear what the button announced; if the queue has changed since, ask again with the new number."""
        with self.lock:
            if pressed.about != self._counts.total:
                self._on_clear(pressed)
                return
            self._ask_no_more()
        self.act(self._clear, self.console.actions.clear(), _message)

    def _on_keep(self, _: Pressed) -> None:
        with self.lock:
            self._ask_no_more()

    def _ask_no_more(self) -> None:
        shown(self._asking, False)
        self._clear.focus()

    def _on_pause(self, pressed: Pressed) -> None:
        if pressed.about == "resume":
            self.act(self.pause, self.console.actions.resume(), lambda _: "Resumed: the worker takes items again.")
        else:
            self.act(self.pause, self.console.actions.pause(), _paused)

    def _on_unwedge(self, pressed: Pressed) -> None:
        self.act(self._unwedge, self._cancel_batches(pressed.about), lambda records: " ".join(map(_message, records)))

    async def _cancel_batches(self, batch_ids: Iterable[str]) -> list[Cancellation]:
        return [await self.console.actions.cancel_batch(batch_id) for batch_id in batch_ids]

    def as_text(self) -> str:
        return self.said or words.counts(self.console.status)

    def as_html(self) -> str:
        return f"<p>{html.escape(self.as_text())}</p>"


def _message(record: Cancellation) -> str:
    return record.message


def _paused(status: ProcessorStatus) -> str:
    return "Paused: " + (
        "the current item keeps running, and no other will start." if status.is_processing else "no item was running."
    )


def _items(item_ids: tuple[int, ...]) -> str:
    return f"item {item_ids[0]}" if len(item_ids) == 1 else f"items {words.listed(item_ids)}" if item_ids else "an item"


def _can_cancel(state: QueueState, item: QueueItem) -> bool:
    return not item.is_terminal and not state.is_theirs(item)
