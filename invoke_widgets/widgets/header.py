"""`ServerLine`, the dashboard's header: which server, how fresh, the counters, and what runs."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import ipywidgets

from invoke_widgets.records import IN_PROGRESS, QueueItem
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.base import View, put, shown
from invoke_widgets.widgets.button import Pressed
from invoke_widgets.widgets.queue_rows import RunTimes, left_s
from invoke_widgets.widgets.text import clean

if TYPE_CHECKING:
    from invoke_widgets.console import Console


def progress_html(state: QueueState, running: Iterable[int], now: datetime, mean_s: float | None = None) -> str:
    """A line about the item that has been running longest, and the number of others; one line even if none runs.

    Args:
        state: the snapshot.
        running: the ids of the items in progress.
        now: the time, UTC.
        mean_s: the mean run time of recent items, in seconds.
    """
    items = [item for i in sorted(running) if (item := state.items.get(i)) is not None]
    if not items:
        return '<div class="iw-progress"><span class="iw-item">Idle</span></div>'
    return _progress_line(state, items[0], len(items) - 1, now, mean_s)


def _progress_line(state: QueueState, item: QueueItem, others: int, now: datetime, mean_s: float | None) -> str:
    progress = state.progress.get(item.item_id)
    done = None if progress is None or progress.percentage is None else min(max(progress.percentage, 0.0), 1.0)
    label = f"Progress of item {item.item_id}"
    if done is None:
        bar = f'<span class="iw-bar iw-bar-unknown" role="progressbar" aria-label="{label}"><span></span></span>'
        percent = ""
    else:
        bar = (
            f'<span class="iw-bar" role="progressbar" aria-label="{label}" aria-valuemin="0" aria-valuemax="100"'
            f' aria-valuenow="{done * 100:.0f}"><span style="width:{done * 100:.0f}%"></span></span>'
        )
        percent = f"{done * 100:.0f} %"
    message = (progress.message or progress.node_type or "") if progress is not None else ""
    times = ""
    if item.started_at is not None:
        elapsed = max((now - item.started_at).total_seconds(), 0.0)
        left = left_s(state, item, mean_s, now)
        times = f"elapsed {words.clock(elapsed)}" + (f" · about {words.clock(left)} left" if left is not None else "")
    named = f"item {item.item_id}" + (f" and {others:,} more" if others else "")
    return (
        f'<div class="iw-progress"><span class="iw-item">{named}</span>{bar}'
        f'<span class="iw-percent">{percent}</span><span class="iw-message">{html.escape(message)}</span>'
        f'<span class="iw-times">{times}</span></div>'
    )


def server_html(url: str, queue_id: str, state: QueueState, heard_at: float | None, now: float) -> str:
    """The line about the server and the connection."""
    connection = state.connection
    kind, freshness = words.connection_text(connection, heard_at, now)
    version = f" {connection.version}" if connection.version else ""
    why = f' title="{html.escape(connection.error)}"' if connection.error and kind != "live" else ""
    paused = state.processor is not None and not state.processor.is_started
    address = html.escape(words.address(url))
    shown_paused = '<span class="iw-paused">❚❚ paused: the worker takes no items</span>' if paused else ""
    # Two lines where it is narrow, side by side where it is wide.
    return (
        f'<div class="iw-server"><div class="iw-address" title="{address}">'
        f"<b>InvokeAI{html.escape(version)}</b> at {address}</div>"
        f'<div><span class="iw-connection iw-{kind}"{why}>{html.escape(freshness)}</span>'
        f'<span class="iw-queue">queue: {html.escape(queue_id)}</span>{shown_paused}</div></div>'
    )


def refusal_html(state: QueueState) -> str:
    """Why the server refuses, and what to do; empty while it does not."""
    said = words.refusal_text(state.connection)
    return f'<div class="iw-refusal" role="alert">{html.escape(clean(said))}</div>' if said else ""


class ServerLine(View):
    """The server, the counters and what runs.

    Its height never changes, so that what is beneath it stays under the pointer.

    Attributes:
        below: what comes and goes: why the server refuses, and errors.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._state = QueueState()
        self._runs = RunTimes()
        self._running: set[int] = set()
        self._server = ipywidgets.HTML()
        # Separate from the line that changes each second, so that a screen reader says it once.
        self._refusal = ipywidgets.HTML(layout={"display": "none"})
        self._counts = ipywidgets.HTML()
        self._progress = ipywidgets.HTML()
        self._try_now = self.button("↻ Try now", self._on_try_now, tooltip="Try to reach the server now")
        first = ipywidgets.HBox([self._server, self._try_now])
        first.add_class("iw-first")
        self.below = ipywidgets.VBox([self._refusal, self.strip])
        self.below.add_class("iw-below")
        self.own(self.below)
        self.show(first, self._counts, self._progress, strip=False)
        self.follow()

    def draw(self, change: Change) -> None:
        state = change.state
        self._runs.update(self._state, change)
        self._state = state
        now, heard_at = time.monotonic(), self.console.store.heard_at
        put(self._server, "value", server_html(self.console.url, self.console.queue_id, state, heard_at, now))
        shown(self._try_now, state.connection.mode == "reconnecting")
        put(self._refusal, "value", refusal_html(state))
        shown(self._refusal, bool(self._refusal.value))
        put(self._counts, "value", counts_html(state))
        for item_id in change.item_ids:
            item = state.items.get(item_id)
            if item is not None and item.status == IN_PROGRESS:
                self._running.add(item_id)
            else:
                self._running.discard(item_id)
        put(self._progress, "value", progress_html(state, self._running, datetime.now(UTC), self._runs.mean_s))

    def _on_try_now(self, _: Pressed) -> None:
        self.run(self.console.actions.reconnect(), lambda _: self.forgive(), button=self._try_now)

    def as_text(self) -> str:
        return words.server_text(self.console)

    def as_html(self) -> str:
        # A page that does not change is not live.
        lines = words.server_text(self.console, live=False).split("\n")
        return "".join(f"<p>{html.escape(line)}</p>" for line in lines)


def counts_html(state: QueueState) -> str:
    """The counters, and how many items have not been read yet."""
    if state.status is None:
        return '<div class="iw-counts">…</div>'
    status = state.status
    parts = [
        ("in_progress", status.in_progress, "running"),
        ("pending", status.pending, "pending"),
        *([("waiting", status.waiting, "waiting")] if status.waiting else []),
        ("completed", status.completed, "completed"),
        ("failed", status.failed, "failed"),
        ("canceled", status.canceled, "canceled"),
    ]
    spans = [
        f'<span class="iw-count iw-count-{name}{"" if n else " iw-zero"}"><b>{n:,}</b> {said}</span>'
        for name, n, said in parts
    ]
    if state.unread:
        spans.append(f'<span class="iw-count">reading {len(state.unread):,} older items …</span>')
    return f'<div class="iw-counts">{"".join(spans)}</div>'
