"""A console as text, without widgets: for a terminal, a script, a page without a kernel."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke_widgets.widgets import queue_rows, words
from invoke_widgets.widgets.tables import printable, text_table

if TYPE_CHECKING:
    from invoke_widgets.console import Console

_TEXT_ROWS = 10


def console_text(console: Console) -> str:
    """The server, the counters, and the newest items."""
    return f"{server_text(console)}\n\n{queue_text(console, queue_rows.DEFAULT_COLUMNS)}"


def server_text(console: Console, *, live: bool = True) -> str:
    """Two lines: which server and how fresh, and the counters; between them, why the server refuses, if it does.

    Args:
        console: of what.
        live: whether to say that it is live, where it is.
    """
    connection = console.store.state.connection
    kind, told = words.connection(connection, time.monotonic())
    fresh = f": {told}" if live or kind not in ("live", "stale") else ""
    server = f"InvokeAI {connection.version} at {address(console.url)}, queue {console.queue_id}{fresh}"
    refused = f"{printable(refusal)}\n" if (refusal := words.refusal(connection)) else ""
    return f"{printable(server)}\n{refused}{words.counts(console.status)}"


def address(url: str) -> str:
    """A server's address, as short as it can be told."""
    return url.removeprefix("http://")


def queue_text(console: Console, columns: Sequence[str]) -> str:
    """The newest items as a table."""
    caption, rows = queue_cells(console, columns, _TEXT_ROWS)
    return f"{caption}\n{text_table(columns, rows)}"


def queue_cells(console: Console, columns: Sequence[str], most: int) -> tuple[str, list[list[str]]]:
    """What a static table of the newest items shows: its caption, and the texts of its cells."""
    state = console.store.state
    newest = heapq.nlargest(most, state.items)
    total = len(state.items) + len(state.unread)
    caption = f"Queue {console.queue_id} at {console.url}: {words.many(total, 'item')}"
    if total > len(newest):
        caption += f", the newest {len(newest)}"
    return caption, [queue_rows.texts(state.items[i], columns, state.progress, state.retrying) for i in newest]
