"""`Header`: which server, how fresh, the counters, what runs, and a banner for what stands in the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import traitlets

from invoke_widgets.errors.text import many
from invoke_widgets.records import IN_PROGRESS, STATUSES, QueueItem, Wedge
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.controls import QueueActions
from invoke_widgets.widgets.part import Part, Said, script, style
from invoke_widgets.widgets.queue_table import RunTimes, left_s
from invoke_widgets.widgets.text import clean

if TYPE_CHECKING:
    from invoke_widgets.console import Console

_MOST_SEGMENTS = 4
"""Sessions that are shown running: a server has one for each of its devices."""
_COLORS = {"live": "ok", "stale": "off", "polling": "off", "connecting": "off", "offline": "bad", "refused": "bad"}


class Header(Part):
    """The server, the counters and what runs, with a banner above them for what stands in the way.

    Its height changes only when a banner comes or goes, or a further session begins, so that what is beneath it stays
    under the pointer.

    Args:
        console: what is shown.
        on_said: called with `said` after each action.

    Attributes:
        filter: the status that the tiles show as chosen; set by the dashboard.
    """

    _esm = script("header.js")
    _css = style("header.css")

    server: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    counts: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    running: traitlets.List[Any] = traitlets.List().tag(sync=True)
    banner: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    processor: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    filter = traitlets.Unicode().tag(sync=True)

    def __init__(self, console: Console, *, on_said: Callable[[Said], object] | None = None) -> None:
        self.actions = QueueActions(self)
        super().__init__(console, on_said=on_said)
        self._state = QueueState()
        self._runs = RunTimes()
        self._running: set[int] = set()
        self.follow()
        self._tick()

    def _tick(self) -> None:
        """The age of the snapshot and the next try count on by themselves."""
        self.later(self._tick, 1.0)
        self.mark()

    # -- drawing -----------------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        state = change.state
        self._runs.update(self._state, change)
        self._state = state
        for item_id in change.item_ids:
            item = state.items.get(item_id)
            if item is not None and item.status == IN_PROGRESS:
                self._running.add(item_id)
            else:
                self._running.discard(item_id)
        now = datetime.now(UTC)
        running = sorted(self._running)
        self.server = self._server(state)
        self.counts = self._counts(state)
        self.running = [self._segment(state, state.items[i], now) for i in running[:_MOST_SEGMENTS]]
        self.banner = self._banner(state)
        user = state.connection.user
        paused = state.is_paused
        may = user is None or user.is_admin
        title = "Start taking jobs again" if paused else "Take no more jobs; the current one keeps running"
        self.processor = {
            "known": state.processor is not None,
            "paused": paused,
            "may": may and state.connection.mode != "closed",
            "title": title if may else "Only an administrator can pause and resume",
        }

    def _server(self, state: QueueState) -> dict[str, Any]:
        connection = state.connection
        kind, freshness = words.connection_text(connection, self.console.internals.store.received_at, time.monotonic())
        if connection.mode == "reconnecting":
            freshness = freshness.partition(",")[0]  # the banner has the rest
        stuck = state.wedge is not None and connection.is_up
        queue = "" if self.console.queue_id == "default" else f" · queue {self.console.queue_id}"
        return {
            "name": clean(f"InvokeAI {connection.version}".rstrip()),
            "address": clean(words.address(self.console.url) + queue),
            "color": "bad" if stuck else _COLORS.get(kind, "off"),
            "state": "stuck" if stuck else freshness[2:],
            "why": clean(connection.error) if kind != "live" else "",
        }

    def _counts(self, state: QueueState) -> dict[str, Any]:
        if state.status is None:
            return {"unread": len(state.unread), "idle": "Connecting …"}
        status = state.status
        waiting = status.pending + status.waiting
        idle = "Idle" if not waiting else "Paused" if state.is_paused else "Stuck" if state.wedge else "Starting"
        return {
            **{name: getattr(status, name) for name in STATUSES},
            "unread": len(state.unread),
            "idle": f"{idle}: {many(waiting, 'job')} waiting" if waiting else idle,
        }

    def _segment(self, state: QueueState, item: QueueItem, now: datetime) -> dict[str, Any]:
        progress = state.progress.get(item.item_id)
        left = left_s(state, item, self._runs.mean_s, now)
        return {
            "id": item.item_id,
            "message": clean(progress.message or progress.node_type or "") if progress is not None else "",
            "share": None if progress is None else progress.percentage,
            "image": clean(progress.image) if progress is not None and progress.image else "",
            "started": None if item.started_at is None else item.started_at.timestamp(),
            "left": None if left is None else round(left),
            "device": clean(item.device) if item.device and len(self._running) > 1 else "",
            "values": words.fields_text(item.field_values) or "",
            "can_cancel": not state.is_theirs(item) and state.connection.mode != "closed",
        }

    def _banner(self, state: QueueState) -> dict[str, Any]:
        connection = state.connection
        if connection.mode == "closed":
            return {"title": "Console closed", "text": "This is how the queue was."}
        if connection.mode == "reconnecting":
            return self._away(state)
        if state.wedge is not None:
            return self._stuck(state, state.wedge)
        if state.is_paused:
            may = self.processor.get("may", True)
            actions = ["resume"] if may else []
            return {"title": "Paused", "text": "The worker takes no jobs from the queue.", "actions": actions}
        return {}

    def _away(self, state: QueueState) -> dict[str, Any]:
        connection = state.connection
        at, now = self.console.internals.store.received_at, datetime.now().astimezone().timestamp()
        seen = None if at is None else now - (time.monotonic() - at)
        as_of = "" if seen is None else f"This is the queue as of {datetime.fromtimestamp(seen):%H:%M:%S}."
        why = " ".join(part for part in (connection.error, connection.remedy) if part)
        return {
            "kind": "error",
            "title": words.trouble(connection).capitalize(),
            # What matters most comes first: where it is narrow, the end is scrolled to.
            "text": clean(f"{why} {as_of}".strip() if connection.is_refused else as_of),
            "why": "" if connection.is_refused else clean(why),
            "countdown": f"{words.next_try(connection, time.monotonic()).capitalize()}.",
            "actions": ["try_now"],
        }

    def _stuck(self, state: QueueState, wedge: Wedge) -> dict[str, Any]:
        actions = ["show"] if any(i in state.items for i in wedge.item_ids) else []
        if not wedge.is_dead:
            known = next((f"item {i}" for i in wedge.item_ids), wedge.culprit)
            text = f"{known[0].upper()}{known[1:]} cannot be loaded, and nothing behind it can run."
            if wedge.is_theirs:
                text += f" {wedge.remedy}"
            elif wedge.batch_ids:
                actions.append("unwedge")
            else:
                text += " This server does not say which batch it belongs to: cancel all waiting jobs."
        else:
            text = f"{wedge.message} Restart the server."
        jobs = sum(map(state.tallies.unfinished_of, wedge.batch_ids))
        return {
            "kind": "error",
            "title": "Queue stuck",
            "text": clean(text),
            "batch_ids": list(wedge.batch_ids),
            "item_id": next((i for i in wedge.item_ids if i in state.items), None),
            "jobs": jobs or len(wedge.item_ids),
            "actions": actions,
        }

    # -- acting ------------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[..., object]]:
        return {
            "pause": self.actions.pause,
            "resume": self.actions.resume,
            "try_now": self.try_now,
            "cancel": self.cancel,
            "unwedge": self.unwedge,
        }

    def try_now(self) -> None:
        """Start trying to reach the server, and return at once."""
        self.run(self.console.internals.actions.reconnect(), lambda _: self.forgive(), key="try_now")

    def cancel(self, item_id: int) -> None:
        """Start canceling an item that runs, and return at once."""
        self.actions.cancel([item_id], f"cancel {item_id}")

    def unwedge(self, batch_ids: list[str]) -> None:
        """Start canceling the batches that hold up the queue, and return at once."""
        self.actions.cancel_batches(batch_ids, "unwedge", may_undo=False)  # the queue would be stuck again

    # -- without widgets ---------------------------------------------------------------------------------------------

    def as_text(self) -> str:
        return words.server_text(self.console)

    def as_html(self) -> str:
        # A page that does not change is not live.
        return words.paragraph(words.server_text(self.console, live=False))
