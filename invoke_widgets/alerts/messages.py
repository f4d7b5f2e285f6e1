"""`Message`: what an alert says, as every sink gets it, and the words for each kind of notice.

Plain text only, without control characters or secrets.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from invoke_widgets import notices
from invoke_widgets.alerts.conditions import Match, duration
from invoke_widgets.errors import text as texts
from invoke_widgets.notices import Notice
from invoke_widgets.records import QueueItem

Severity = Literal["info", "warning", "error"]

TITLE_LENGTH = 150
TEXT_LENGTH = 2_000
_FACT_LENGTH = 500
_SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")

Held = tuple[tuple[Match, int], ...]
"""What is to be reported: the latest match of each kind, newest first, and how many there were of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of an alert.

    Attributes:
        message_id: the same each time the message is sent, so that a receiver can recognize duplicates.
        kind: such as "job.failed", "batch.done", "rate.exceeded", "alert.test".
        severity: "info", "warning" or "error".
        title: one line.
        text: further lines; empty if the title says it all.
        at: when it happened, UTC.
        alert: the alert's name.
        held_back: how many more matches there were since the alert's last message, held back by its limit or by quiet.
        held_back_kinds: the same by kind.
        server: the server's address.
        queue_id: the queue.
        data: facts for a program, as JSON values: `item_id`, `batch_id`, `error_type`, `counts`, ...
    """

    kind: str
    severity: Severity
    title: str
    text: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    alert: str = ""
    held_back: int = 0
    held_back_kinds: Mapping[str, int] = field(default_factory=dict)
    server: str = ""
    queue_id: str = "default"
    data: Mapping[str, Any] = field(default_factory=dict)
    message_id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")

    @property
    def more(self) -> str:
        """The number held back, in words; empty if nothing was."""
        if not self.held_back:
            return ""
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.held_back_kinds.items())
        by_kind = f" ({kinds})" if self.held_back_kinds.keys() - {self.kind} else ""
        return f"and {self.held_back:,} more{by_kind}"

    @property
    def headline(self) -> str:
        """The title, with the number held back."""
        return f"{self.title}, {self.more}" if self.held_back else self.title

    @property
    def body(self) -> str:
        """The whole message as plain text: headline, text and origin."""
        origin = (f"{self.at:%Y-%m-%d %H:%M:%S} UTC", self.server, f"queue {self.queue_id}", f"alert {self.alert!r}")
        return "\n\n".join(filter(None, (self.headline, self.text, " · ".join(filter(None, origin)))))

    def to_json(self) -> dict[str, Any]:
        """JSON values: `type`, `timestamp` and `data`, as specified by Standard Webhooks."""
        return {
            "type": self.kind,
            "timestamp": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": {
                **self.data,
                **{name: getattr(self, name) for name in _SENT},
                "held_back_kinds": dict(self.held_back_kinds),
            },
        }


_SENT = ("alert", "severity", "title", "text", "held_back", "server", "queue_id")
_Content = tuple[Severity, str, str, dict[str, Any]]
_SILENT = "Items wait or run, but the server reported on none. Is it busy with a long node, stuck or unreachable?"


def message_of(held: Held, *, alert: str, server: str, queue_id: str, clean: Callable[[str], str]) -> Message:
    """Make the message about the first of some matches; those of another kind get a line each.

    Args:
        held: what to report.
        alert: the alert's name.
        server: the server's address.
        queue_id: the queue.
        clean: removes secrets from a text.
    """

    def plain(text: str, length: int = TEXT_LENGTH) -> str:
        # Cut before cleaning too: a job's error may be of any length, and removing secrets takes time.
        return lines(clean(text[: 10 * TEXT_LENGTH]), length)

    (match, count), *others = held
    kind, at, severity, title, text, data = _parts(match)
    kinds = {kind: count - 1} if count > 1 else {}
    before = []
    for other, other_count in others:
        named, _, its_severity, its_title, its_text, _ = _parts(other)
        kinds[named] = kinds.get(named, 0) + other_count
        severity = max(severity, its_severity, key=_SEVERITIES.index)
        sentences = ". ".join(line.rstrip(".") for line in (its_title, *its_text.splitlines()) if line)
        before.append(one_line(plain(f"Before it: {sentences}.")))
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


def _parts(match: Match) -> tuple[str, datetime, Severity, str, str, dict[str, Any]]:
    """Return kind, time, severity, title, text and facts."""
    if match.notice is None:
        silent_s = match.silent_s or 0.0
        title = f"Nothing received about the queue for {duration(silent_s)}"
        return "queue.silent", datetime.now(UTC), "error", title, _SILENT, {"silent_s": round(silent_s, 1)}
    kind, at = kind_of(match.notice), match.notice.at
    severity, title, text, data = _content(match.notice)
    if match.within_s is None:
        return kind, at, severity, title, text, data
    data = {**data, "of": kind, "count": match.count, "within_s": match.within_s}
    return "rate.exceeded", at, severity, f"{match.count} in {duration(match.within_s)}: {title}", text, data


def sample(*, alert: str, server: str, queue_id: str) -> Message:
    """Make a test message."""
    return Message(
        kind="alert.test",
        severity="info",
        title=one_line(f"Test of alert {alert!r}"),
        text="Nothing happened. This only shows that messages of this alert arrive.",
        alert=alert,
        server=server,
        queue_id=queue_id,
    )


def kind_of(notice: Notice) -> str:
    """The kind of a message about a notice: "job.failed" for a `JobFailed`."""
    return re.sub(r"(?<!^)(?=[A-Z])", ".", type(notice).__name__).lower()


def _content(notice: Notice) -> _Content:
    """Return severity, title, text and facts."""
    severity: Severity
    match notice:
        case notices.JobFailed():
            error = notice.error
            named = ("message", "suggestion", "node_id", "node_type", "retryable")
            facts = _facts(notice.item) | {name: getattr(error, name) for name in named}
            facts |= {"error_type": str(error.error_type), "will_retry": notice.will_retry}
            again = "It will be retried." if notice.will_retry else ""
            severity = "warning" if notice.will_retry else "error"
            text = "\n".join(filter(None, (error.message, error.suggestion, again)))
            return severity, f"Item {notice.item.item_id} failed: {error.error_type}", text, facts
        case notices.JobFinished(item=item):
            return "info", f"Item {item.item_id} is {item.status}", "", _facts(item)
        case notices.JobStalled():
            title = f"Nothing received about item {notice.item.item_id} for {duration(notice.quiet_s)}"
            facts = {**_facts(notice.item), "quiet_s": round(notice.quiet_s, 1)}
            return "warning", title, "It is in progress. It may be loading a model or be stuck.", facts
        case notices.JobDeleted():
            return "info", f"Item {notice.item_id} was deleted", "", {"item_id": notice.item_id}
        case notices.BatchDone():
            counts = {name: n for name, n in notice.counts.counters().items() if n}
            counted = ", ".join(f"{n:,} {name}" for name, n in counts.items() if name != "total")
            done: dict[str, Any] = {"batch_id": notice.batch_id, "counts": counts}
            severity = "warning" if notice.counts.failed else "info"
            return severity, f"Batch {notice.batch_id[:8]} is done: {counted}", "", done
        case notices.QueueWedged():
            wedged = {"batch_ids": list(notice.wedge.batch_ids)}
            return "error", "The queue is stuck: nothing behind the next item runs", notice.wedge.message, wedged
        case notices.ConnectionLost():
            reason = f"{notice.error} {notice.remedy}".strip()
            text = f"{reason}\nWhat happens meanwhile is reported when the connection is back.".strip()
            title = "The server rejects the token" if notice.is_refused else "The connection to the server is lost"
            return "error", title, text, {"message": notice.error}
        case notices.QueueFull():
            return "warning", f"The queue is full: {notice.pending:,} items wait", "", {"pending": notice.pending}
    sentence = _SENTENCES.get(type(notice), kind_of(notice).replace(".", " "))
    about = getattr(notice, "item", None)
    return "info", sentence, "", _facts(about) if isinstance(about, QueueItem) else {}


_SENTENCES: dict[type[Notice], str] = {
    notices.QueueUnwedged: "The queue is no longer stuck",
    notices.QueuePaused: "The queue is paused",
    notices.QueueResumed: "The queue was resumed",
    notices.ConnectionBack: "The connection to the server is back",
}


def _facts(item: QueueItem) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("item_id", "batch_id", "status", "destination", "ran_s")}


def one_line(text: str, length: int = TITLE_LENGTH) -> str:
    """Make text fit for a title: no line breaks or control characters, at most `length` characters."""
    return texts.one_line(texts.printable(text[: 4 * length], " "), length)


def lines(text: str, length: int = TEXT_LENGTH) -> str:
    """Make text of several lines safe: no control characters, at most `length` characters."""
    plain = "\n".join(texts.printable(line, " ").rstrip() for line in text.splitlines())
    return texts.cut(plain.strip("\n"), length)
