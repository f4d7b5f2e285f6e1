"""What the views say, as text: durations, counts and outcomes. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from invoke_widgets.records import Cancellation, Connection, Counts, Retried

_STALE_S = 5.0
"""Without a sign of life for so long, the age is shown: the counters are asked for every two seconds."""


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
    """A time as the kernel's clock on the wall shows it; "—" for None."""
    return "—" if when is None else when.astimezone().strftime("%H:%M:%S")


def many(count: int, thing: str) -> str:
    """`(1, "item")` -> "1 item", `(1200, "item")` -> "1,200 items"."""
    plural = f"{thing[:-2]}ches" if thing.endswith("tch") else f"{thing}s"
    return f"{count:,} {thing if count == 1 else plural}"


def short(batch_id: str) -> str:
    """A batch's id, cut to what tells it apart."""
    return f"{batch_id[:8]}…" if len(batch_id) > 9 else batch_id


def listed(item_ids: Sequence[int], limit: int = 4) -> str:
    """`[1, 2]` -> "1, 2"; more than `limit` are cut: "1, 2, 3, 4 and 8 more"."""
    told = ", ".join(map(str, item_ids[:limit]))
    return told if len(item_ids) <= limit else f"{told} and {len(item_ids) - limit:,} more"


def counts(status: Counts) -> str:
    """The counters: "1 running · 12 pending · 240 completed · 3 failed · 5 canceled"."""
    waiting = [f"{status.waiting:,} waiting"] if status.waiting else []
    return " · ".join(
        [
            f"{status.in_progress:,} running",
            f"{status.pending:,} pending",
            *waiting,
            f"{status.completed:,} completed",
            f"{status.failed:,} failed",
            f"{status.canceled:,} canceled",
        ]
    )


def canceled(records: Iterable[Cancellation], finished: int, failed: int = 0) -> str:
    """The outcome of canceling several items one by one.

    Args:
        records: of those that were asked for.
        finished: how many had finished before, so that nothing was sent for them.
        failed: how many requests failed; why is told elsewhere.
    """
    outcomes = [record.outcome for record in records]
    total = len(outcomes) + finished + failed
    already = finished + outcomes.count("already_finished")
    parts = [f"Canceled {outcomes.count('canceled'):,} of {total:,}"]
    if already:
        parts.append(f"{already:,} had already finished")
    for outcome, told in (("not_found", "not found"), ("refused", "refused"), ("unknown", "not certain")):
        if count := outcomes.count(outcome):
            parts.append(f"{count:,} {told}")
    if failed:
        parts.append(f"{failed:,} failed")
    return "; ".join(parts) + "."


def retried(retry: Retried) -> str:
    """What a retry did: "Retried 2 failed items as 12, 13; 1 was skipped."."""
    if not retry.new_item_ids:
        return "Nothing was retried." if not retry.skipped else f"The server skipped {listed(retry.skipped)}."
    if len(retry.new_item_ids) == 1:
        old, new = next(iter(retry.new_item_ids.items()))
        told = f"Retried item {old} as {new}"
    else:
        told = f"Retried {many(len(retry.new_item_ids), 'item')} as {listed(retry.item_ids)}"
    return told + (f"; {len(retry.skipped):,} skipped." if retry.skipped else ".")


def enqueued(taken: int, requested: int, batch_id: str) -> str:
    """What a submit did: "Enqueued 12 of 12 as batch 9c01abcd."."""
    if requested and not taken:
        return f"Nothing was enqueued: the queue is full, and took none of {many(requested, 'item')}."
    told = f"Enqueued {taken:,} of {requested:,} as batch {short(batch_id).removesuffix('…')}."
    missing = requested - taken
    return told + (f" The queue is full: {missing:,} {'was' if missing == 1 else 'were'} not taken." if missing else "")


def plan(total: int, runs: int) -> str:
    """What a submit would do: "12 items: 2 runs × 6 combinations"."""
    if runs == 1 and total == 1:
        return "1 item"
    return f"{many(total, 'item')}: {many(runs, 'run')} × {many(total // runs, 'combination')}"


def connection(connection: Connection, now: float) -> tuple[str, str]:
    """A state for the style, and how the picture is being kept, in words.

    Args:
        connection: of the picture.
        now: `time.monotonic()`.
    """
    age = None if connection.heard_at is None else now - connection.heard_at
    heard = "" if age is None or age < _STALE_S else f", last heard {clock(age)} ago"
    if connection.mode == "live":
        return ("stale", f"● live{heard}") if heard else ("live", "● live")
    if connection.mode == "polling":
        return "polling", f"◐ polling: no events come, so changes are asked for{heard}"
    if connection.mode == "reconnecting":
        left = 0.0 if connection.next_try_at is None else connection.next_try_at - now
        when = f"next try in {left:.0f} s" if left >= 0.5 else "trying now"
        if connection.is_refused:
            return "refused", f"⊘ access refused, {when}{heard}"
        return "offline", f"○ {'server is ill' if connection.is_ill else 'offline'}, {when}{heard}"
    if connection.mode == "closed":
        return "closed", "○ closed"
    return "connecting", "◌ connecting"


def refusal(connection: Connection) -> str:
    """Why the server refuses, and what to do; empty while it does not."""
    if connection.mode != "reconnecting" or not connection.is_refused:
        return ""
    return f"{connection.error} {connection.remedy}".strip()
