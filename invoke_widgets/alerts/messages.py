"""`Message`: what an alert says, as every sink gets it. Plain text only, without control characters or secrets."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]

TITLE_LENGTH = 150
TEXT_LENGTH = 2_000
_MOST = 4
"""Of so many times the length that is shown, the rest is not even looked at: a job's error may be of any length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing that an alert says.

    Attributes:
        message_id: the same however often it is sent; a receiver can tell by it what it has had already.
        kind: such as "job.failed", "batch.done", "rate.exceeded", "alert.test".
        severity: "info", "warning" or "error".
        title: one line.
        text: the rest, in lines; empty if the title says it all.
        at: when it happened, UTC.
        alert: the alert's name.
        held_back: how many more there were since the alert's last message: those that its limit or quiet held back.
        held_back_kinds: how many of which kind these were.
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
        """What was held back, in words; empty if nothing was."""
        if not self.held_back:
            return ""
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.held_back_kinds.items())
        told = f" ({kinds})" if self.held_back_kinds.keys() - {self.kind} else ""
        return f"and {self.held_back:,} more{told}"

    @property
    def headline(self) -> str:
        """The title, with what was held back."""
        return f"{self.title}, {self.more}" if self.held_back else self.title

    @property
    def body(self) -> str:
        """All of it as plain text: headline, text, and where it comes from."""
        origin = " · ".join(
            part for part in (f"{self.at:%Y-%m-%d %H:%M:%S} UTC", self.server, f"queue {self.queue_id}") if part
        )
        return "\n\n".join(part for part in (self.headline, self.text, f"{origin} · alert {self.alert!r}") if part)

    def to_json(self) -> dict[str, Any]:
        """As JSON values: `type`, `timestamp` and `data`, as Standard Webhooks has them."""
        return {
            "type": self.kind,
            "timestamp": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": {
                **self.data,
                "alert": self.alert,
                "severity": self.severity,
                "title": self.title,
                "text": self.text,
                "held_back": self.held_back,
                "held_back_kinds": dict(self.held_back_kinds),
                "server": self.server,
                "queue_id": self.queue_id,
            },
        }


def one_line(text: str, length: int = TITLE_LENGTH) -> str:
    """Text for a title or a subject: no line breaks, no control characters, at most `length` characters."""
    return _cut(" ".join(_printable(text[: _MOST * length]).split()), length)


def lines(text: str, length: int = TEXT_LENGTH) -> str:
    """Text of several lines, without control characters, at most `length` characters."""
    plain = "\n".join(_printable(line).rstrip() for line in text[: _MOST * length].splitlines())
    return _cut(plain.strip("\n"), length)


def _printable(text: str) -> str:
    # What is not printable: controls, line and paragraph separators, marks that turn the direction, lone surrogates.
    return "".join(c if c.isprintable() else " " for c in text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
