"""What views say, as text: durations, counts, outcomes, and tables for pages and terminals without widgets."""

from __future__ import annotations

import heapq
import html
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from invoke_widgets.errors.text import cut, many, one_line, printable
from invoke_widgets.records import (
    Cancellation,
    Connection,
    Counts,
    FieldValue,
    ProcessorStatus,
    Progress,
    QueueItem,
    Retried,
)

if TYPE_CHECKING:
    from invoke_widgets.console import Console

COLUMNS = ("item", "status", "activity", "values", "took", "created", "batch", "destination", "device")
DEFAULT_COLUMNS = ("item", "status", "activity", "values", "took", "created", "batch")

# As in static/ui.js.
STATUSES = {
    "pending": "○ Waiting",
    "in_progress": "● Running",
    "waiting": "◌ In a call",
    "completed": "✓ Completed",
    "failed": "✕ Failed",
    "canceled": "⊘ Canceled",
}
ERROR_CLASSES = {
    "submission_failed": "Not submitted",
    "validation_error": "Invalid input",
    "execution_failed": "Failed while running",
    "timeout_error": "Timed out",
    "network_error": "Network",
    "resource_error": "Resources",
    "cancellation_failed": "Not canceled",
    "unknown_error": "Unknown",
}

_LONGEST_CELL = 200
_LONGEST_STATIC_CELL = 1_000
_LONGEST_TEXT_CELL = 40
_TEXT_ROWS = 10
_MOST_FIELDS = 12
_STALE_S = 5.0
"""Without a sign of life for this long, its age is shown: the counters are asked for every two seconds."""


def clean(text: str) -> str:
    """Replace lone surrogates, which a server's JSON may hold and no message to a page may."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def cell(text: str) -> str:
    """A server's text as it goes into a cell of the table."""
    return clean(text) if len(text) <= _LONGEST_CELL else cut(clean(text[: _LONGEST_CELL + 1]), _LONGEST_CELL)


# -- numbers and times -------------------------------------------------------------------------------------------------


def duration(seconds: float | None) -> str:
    """`0.0052` -> "5 ms", `3.21` -> "3.2 s", `31` -> "0:31", `3723` -> "1:02:03"; "—" for None."""
    if seconds is None:
        return "—"
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return clock(seconds)


def clock(seconds: float) -> str:
    """`31` -> "0:31", `3723` -> "1:02:03"; never negative, since a server's clock may be ahead."""
    whole = max(int(seconds), 0)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def time_of_day(when: datetime | None) -> str:
    """A time in the kernel's time zone; "—" for None."""
    return "—" if when is None else when.astimezone().strftime("%H:%M:%S")


def short(batch_id: str) -> str:
    """A batch id, shortened."""
    return f"{batch_id[:8]}…" if len(batch_id) > 9 else batch_id


def listed(item_ids: Sequence[int], limit: int = 4) -> str:
    """`[1, 2]` -> "1, 2"; beyond `limit`: "1, 2, 3, 4 and 8 more"."""
    first = ", ".join(map(str, item_ids[:limit]))
    return first if len(item_ids) <= limit else f"{first} and {len(item_ids) - limit:,} more"


def counts(status: Counts) -> str:
    """The counters: "1 running · 12 waiting · 240 completed · 3 failed · 5 canceled"."""
    in_call = [f"{status.waiting:,} in a call"] if status.waiting else []
    return " · ".join(
        [
            f"{status.in_progress:,} running",
            f"{status.pending:,} waiting",
            *in_call,
            f"{status.completed:,} completed",
            f"{status.failed:,} failed",
            f"{status.canceled:,} canceled",
        ]
    )


def canceled(records: Iterable[Cancellation], failed: int = 0) -> str:
    """The outcome of canceling several items one by one.

    Args:
        records: of the items whose cancel was answered.
        failed: how many requests failed; the reasons are shown elsewhere.
    """
    outcomes = [record.outcome for record in records]
    parts = [f"Canceled {outcomes.count('canceled'):,} of {len(outcomes) + failed:,}"]
    phrases = {
        "already_finished": "had already finished",
        "not_found": "not found",
        "refused": "refused",
        "unknown": "not certain",
    }
    for outcome, phrase in phrases.items():
        if count := outcomes.count(outcome):
            parts.append(f"{count:,} {phrase}")
    if failed:
        parts.append(f"{failed:,} failed")
    return "; ".join(parts) + "."


def retried(retry: Retried) -> str:
    """The outcome of a retry: "Retried 2 failed items as 12, 13; 1 was skipped."."""
    number = len(retry.new_item_ids) + len(retry.gone)
    if not number:
        nothing = "Nothing was retried: these jobs were retried already, or are no longer in the queue."
        return f"The server skipped {listed(retry.skipped)}." if retry.skipped else nothing
    outcome = f"Retried item {(*retry.new_item_ids, *retry.gone)[0]}" if number == 1 else f"Retried {number:,} items"
    if retry.new_item_ids:
        outcome += f" as {listed(retry.item_ids)}"
    if retry.gone:
        outcome += f"; {many(len(retry.gone), 'new item')} deleted unseen"
    return outcome + (f"; {len(retry.skipped):,} skipped." if retry.skipped else ".")


def paused(status: ProcessorStatus) -> str:
    """The outcome of a pause."""
    return "Paused: " + (
        "the current job keeps running, and no other will start." if status.is_processing else "no job was running."
    )


def enqueued(taken: int, requested: int, batch_id: str) -> str:
    """The outcome of a submit: "Enqueued 12 of 12 as batch 9c01abcd."."""
    if requested and not taken:
        return f"Nothing was enqueued: the queue is full, and took none of {many(requested, 'item')}."
    outcome = f"Enqueued {taken:,} of {requested:,} as batch {short(batch_id).removesuffix('…')}."
    missing = requested - taken
    full = f" The queue is full: {missing:,} {'was' if missing == 1 else 'were'} not taken."
    return outcome + (full if missing else "")


def plan(total: int, runs: int) -> str:
    """What a submit would enqueue: "12 jobs: 2 runs × 6 combinations"."""
    if runs == 1 and total == 1:
        return "1 job"
    return f"{many(total, 'job')}: {many(runs, 'run')} × {many(total // runs, 'combination')}"


def connection_text(connection: Connection, received_at: float | None, now: float) -> tuple[str, str]:
    """A state for the style sheet, and how fresh the snapshot is, in words.

    Args:
        connection: the snapshot's.
        received_at: `time.monotonic()` of the server's last sign of life; None if there was none.
        now: `time.monotonic()`.
    """
    age = None if received_at is None else now - received_at
    silence = "" if age is None or age < _STALE_S else f", last heard {clock(age)} ago"
    if connection.mode == "live":
        return ("stale", f"● live{silence}") if silence else ("live", "● live")
    if connection.mode == "polling":
        return "polling", f"◐ polling: no events come, so changes are asked for{silence}"
    if connection.mode == "reconnecting":
        kind, sign = ("refused", "⊘") if connection.is_refused else ("offline", "○")
        return kind, f"{sign} {trouble(connection)}, {next_try(connection, now)}{silence}"
    if connection.mode == "closed":
        return "closed", "○ closed"
    return "connecting", "◌ connecting"


def trouble(connection: Connection) -> str:
    """What is wrong with a connection that is lost: "offline", "access refused" and so on."""
    if connection.is_refused:
        return "access refused"
    return "internal error" if connection.is_internal else "server is ill" if connection.is_ill else "offline"


def next_try(connection: Connection, now: float) -> str:
    """When a connection that is lost is tried again; `now` is `time.monotonic()`."""
    left = 0.0 if connection.next_try_at is None else connection.next_try_at - now
    return f"next try in {left:.0f} s" if left >= 0.5 else "trying now"


def refusal_text(connection: Connection) -> str:
    """Why the server refuses access, and what to do; empty while it does not."""
    if connection.mode != "reconnecting" or not connection.is_refused:
        return ""
    return f"{connection.error} {connection.remedy}".strip()


# -- items -------------------------------------------------------------------------------------------------------------


def fields(values: Iterable[FieldValue] | None) -> list[list[str]] | None:
    """The values that a batch set for an item, as names and texts; None if it set none."""
    if not values:
        return None
    found = []
    for value in values:
        shown = value.given if isinstance(value.given, str) else json.dumps(value.given, default=str)
        found.append([cell(value.label), cell(" ".join(shown.split()))])
    return found[:_MOST_FIELDS]


def fields_text(values: Iterable[FieldValue] | None) -> str | None:
    """The values that a batch set for an item, in one line; None if it set none."""
    found = fields(values)
    return None if found is None else cell(", ".join(f"{name} {text}" for name, text in found))


def error_text(item: QueueItem) -> str | None:
    """The error of an item, in one line; None if there is none."""
    if not item.server_error_type and not item.error_message:
        return None
    message = " ".join((item.error_message or "").split())
    return cell(
        f"{item.server_error_type}: {message}"
        if item.server_error_type and message
        else item.server_error_type or message
    )


def texts(
    item: QueueItem,
    columns: Sequence[str],
    progress: Mapping[int, Progress],
    retrying: Mapping[int, datetime] | None = None,
) -> list[str]:
    """An item's cells as plain texts, for static tables."""
    due = (retrying or {}).get(item.item_id)
    shown = {
        "item": str(item.item_id),
        "status": STATUSES.get(item.status, f"· {item.status}"),
        "activity": _activity(item, progress.get(item.item_id), due),
        "created": _utc(item.created_at) if item.created_at else "",
        "took": duration(item.ran_s),
        "batch": item.batch_id[:8],
        "destination": item.destination or "",
        "device": item.device or "",
        "values": fields_text(item.field_values) or "",
    }
    return [shown[column] for column in columns]


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _activity(item: QueueItem, progress: Progress | None, due: datetime | None) -> str:
    """What happens with an item, or happened: its progress, its error, its retry."""
    parts = [f"retry at {_utc(due)}" if due is not None else "", _progress_text(progress), error_text(item) or ""]
    return " · ".join(part for part in parts if part)


def _progress_text(progress: Progress | None) -> str:
    if progress is None:
        return ""
    percentage = "" if progress.percentage is None else f"{progress.percentage:.0%} "
    return f"{percentage}{progress.message}".strip()


# -- tables ------------------------------------------------------------------------------------------------------------


def paragraph(text: str) -> str:
    """Lines of text as static HTML."""
    return "".join(f"<p>{html.escape(clean(line))}</p>" for line in text.splitlines())


def html_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "") -> str:
    """A static HTML table of plain texts, each escaped here and nowhere else, and cut if it is very long."""

    def safe(text: str) -> str:
        return html.escape(clean(cut(text, _LONGEST_STATIC_CELL)))

    head = "".join(f"<th>{safe(text)}</th>" for text in headers)
    body = "".join("<tr>" + "".join(f"<td>{safe(text)}</td>" for text in row) + "</tr>" for row in rows)
    title = f"<caption>{safe(caption)}</caption>" if caption else ""
    return f"<table class='iw-static'>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def text_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as aligned text: long texts cut, and nothing that a terminal would obey."""
    lines = [[printable(one_line(text, _LONGEST_TEXT_CELL)) for text in row] for row in (headers, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    return "\n".join("  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)).rstrip() for line in lines)


# -- a console ---------------------------------------------------------------------------------------------------------


def console_text(console: Console) -> str:
    """The server, the counters, and the newest items."""
    return f"{server_text(console)}\n\n{queue_text(console, DEFAULT_COLUMNS)}"


def server_text(console: Console, *, live: bool = True) -> str:
    """Which server and how fresh, and the counters, in two lines; between them why the server refuses, if it does.

    Args:
        console: whose server.
        live: whether to say that the console is live, if it is.
    """
    connection = console.internals.store.state.connection
    kind, freshness = connection_text(connection, console.internals.store.received_at, time.monotonic())
    fresh = f": {freshness}" if live or kind not in ("live", "stale") else ""
    server = f"InvokeAI {connection.version} at {address(console.url)}, queue {console.queue_id}{fresh}"
    refused = f"{printable(refusal)}\n" if (refusal := refusal_text(connection)) else ""
    return f"{printable(server)}\n{refused}{counts(console.status)}"


def address(url: str) -> str:
    """A server's address without "http://"."""
    return url.removeprefix("http://")


def queue_text(console: Console, columns: Sequence[str]) -> str:
    """The newest items as a text table."""
    caption, rows = queue_cells(console, columns, _TEXT_ROWS)
    return f"{caption}\n{text_table(columns, rows)}"


def queue_cells(console: Console, columns: Sequence[str], most: int) -> tuple[str, list[list[str]]]:
    """The caption and the cells of a static table of the newest items."""
    state = console.internals.store.state
    newest = heapq.nlargest(most, state.items)
    total = len(state.items) + len(state.unread)
    caption = f"Queue {console.queue_id} at {console.url}: {many(total, 'item')}"
    if total > len(newest):
        caption += f", the newest {len(newest)}"
    return caption, [texts(state.items[i], columns, state.progress, state.retrying) for i in newest]
