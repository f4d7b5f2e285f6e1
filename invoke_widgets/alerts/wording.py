"""What came true -> a `Message`: in words, and as facts for a program."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from invoke_widgets.alerts.messages import TEXT_LENGTH, Message, Severity, lines, one_line
from invoke_widgets.conditions import Firing, Others
from invoke_widgets.notices import (
    BatchDone,
    ConnectionBack,
    ConnectionLost,
    JobDeleted,
    JobFailed,
    JobFinished,
    JobStalled,
    Notice,
    QueueFull,
    QueuePaused,
    QueueResumed,
    QueueUnwedged,
    QueueWedged,
)
from invoke_widgets.records import QueueItem

_Said = tuple[Severity, str, str, dict[str, Any]]
_FACT_LENGTH = 500
_SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


def message_of(
    firing: Firing,
    *,
    alert: str,
    held_back: Others = (),
    server: str,
    queue_id: str,
    clean: Callable[[str], str],
) -> Message:
    """The message about something that came true.

    Args:
        firing: what.
        alert: the alert's name.
        held_back: what else there was since its last message. What is of another kind is told in a line, too.
        server: the server's address.
        queue_id: the queue.
        clean: takes secrets out of a text.
    """

    def plain(text: str, length: int = TEXT_LENGTH) -> str:
        # Cut twice: a job's error may be of any length, and taking secrets out of it takes time.
        return lines(clean(text[: 10 * TEXT_LENGTH]), length)

    kind, at, severity, title, text, data = _told(firing)
    kinds: dict[str, int] = {}
    before = []
    for other, count in held_back:
        named, _, its_severity, its_title, its_text, _ = _told(other)
        kinds[named] = kinds.get(named, 0) + count
        severity = max(severity, its_severity, key=_SEVERITIES.index)
        if other is not firing:
            before.append(one_line(plain(f"Before it: {its_title}. {its_text}".rstrip())))
    rest = lines("\n".join(before), TEXT_LENGTH // 2)
    return Message(
        kind=kind,
        severity=severity,
        title=one_line(plain(title)),
        text="\n".join(part for part in (plain(text, TEXT_LENGTH - len(rest) - 1), rest) if part),
        at=at,
        alert=alert,
        held_back=sum(kinds.values()),
        held_back_kinds=kinds,
        server=server,
        queue_id=queue_id,
        data={name: plain(v, _FACT_LENGTH) if isinstance(v, str) else v for name, v in data.items()},
    )


def _told(firing: Firing) -> tuple[str, datetime, Severity, str, str, dict[str, Any]]:
    """Kind, time, severity, title, text, facts."""
    if firing.notice is None:
        return "queue.silent", datetime.now(UTC), *_silence(firing.silent_s or 0.0)
    kind, at = kind_of(firing.notice), firing.notice.at
    severity, title, text, data = _said(firing.notice)
    if firing.within_s is None:
        return kind, at, severity, title, text, data
    data = {**data, "of": kind, "count": firing.count, "within_s": firing.within_s}
    return "rate.exceeded", at, severity, f"{firing.count} in {_time(firing.within_s)}: {title}", text, data


def sample(*, alert: str, server: str, queue_id: str) -> Message:
    """A message that says that nothing happened."""
    return Message(
        kind="alert.test",
        severity="info",
        title=one_line(f"Test of the alert {alert}"),
        text="Nothing happened: this only shows that messages of this alert arrive.",
        alert=alert,
        server=server,
        queue_id=queue_id,
    )


def kind_of(notice: Notice) -> str:
    """`JobFailed` -> "job.failed"."""
    return re.sub(r"(?<!^)(?=[A-Z])", ".", type(notice).__name__).lower()


def _silence(silent_s: float) -> _Said:
    text = "Items wait or run, but the server told nothing of any. Is it busy with a long node, stuck, or away?"
    return "error", f"Nothing was heard of the queue for {_time(silent_s)}", text, {"silent_s": round(silent_s, 1)}


def _said(notice: Notice) -> _Said:
    """Severity, title, text, facts."""
    match notice:
        case JobFailed():
            error = notice.error
            facts = {
                **_facts(notice.item),
                "error_type": str(error.error_type),
                "message": error.message,
                "suggestion": error.suggestion,
                "node_id": error.node_id,
                "node_type": error.node_type,
                "retryable": error.retryable,
                "will_retry": notice.will_retry,
            }
            again = "It will be tried again." if notice.will_retry else ""
            text = "\n".join(part for part in (error.message, error.suggestion, again) if part)
            severity: Severity = "warning" if notice.will_retry else "error"
            return severity, f"Item {notice.item.item_id} failed: {error.error_type}", text, facts
        case JobFinished():
            item = notice.item
            return "info", f"Item {item.item_id} is {item.status}", "", _facts(item)
        case JobStalled():
            title = f"Nothing was heard of item {notice.item.item_id} for {_time(notice.quiet_s)}"
            facts = {**_facts(notice.item), "quiet_s": round(notice.quiet_s, 1)}
            return "warning", title, "It is in progress. It may be loading a model, or be stuck.", facts
        case JobDeleted():
            return "info", f"Item {notice.item_id} was deleted", "", {"item_id": notice.item_id}
        case BatchDone():
            counts = {name: n for name, n in notice.counts.counters().items() if n}
            counted = ", ".join(f"{n:,} {name}" for name, n in counts.items() if name != "total")
            done: dict[str, Any] = {"batch_id": notice.batch_id, "counts": counts}
            worst: Severity = "warning" if notice.counts.failed else "info"
            return worst, f"Batch {notice.batch_id[:8]} is done: {counted}", "", done
        case QueueWedged():
            wedged = {"batch_ids": list(notice.wedge.batch_ids)}
            return "error", "The queue is wedged: nothing behind the next item runs", notice.wedge.message, wedged
        case ConnectionLost():
            told = f"{notice.error} {notice.remedy}".strip()
            text = f"{told}\nWhat happens meanwhile is told when it is back.".strip()
            title = "The server refuses the token" if notice.is_refused else "The connection to the server is lost"
            return "error", title, text, {"message": notice.error}
        case QueueFull():
            return "warning", f"The queue is full: {notice.pending:,} items wait", "", {"pending": notice.pending}
    sentence = _SENTENCES.get(type(notice), kind_of(notice).replace(".", " "))
    about = getattr(notice, "item", None)
    return "info", sentence, "", _facts(about) if isinstance(about, QueueItem) else {}


_SENTENCES: dict[type[Notice], str] = {
    QueueUnwedged: "The queue goes on",
    QueuePaused: "The queue is paused",
    QueueResumed: "The queue is resumed",
    ConnectionBack: "The connection to the server is back",
}


def _facts(item: QueueItem) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "batch_id": item.batch_id,
        "status": item.status,
        "destination": item.destination,
        "ran_s": item.ran_s,
    }


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} minutes" if seconds < 7200 else f"{seconds / 3600:.3g} hours"
