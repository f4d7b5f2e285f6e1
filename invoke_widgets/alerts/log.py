"""`AlertLog`: a record of each message and sink, with the outcome."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from invoke_widgets.alerts.messages import Message
from invoke_widgets.history import Log, frames

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["pending", "delivered", "failed", "timed_out", "dropped"]

ALERTS: frames.Schema = {
    "at": frames.TIME,
    "alert": frames.TEXT,
    "kind": frames.TEXT,
    "severity": frames.TEXT,
    "title": frames.TEXT,
    "text": frames.TEXT,
    "item_id": frames.INT,
    "batch_id": frames.TEXT,
    "held_back": frames.INT,
    "sink": frames.TEXT,
    "outcome": frames.TEXT,
    "attempts": frames.INT,
    "took_s": frames.FLOAT,
    "reason": frames.TEXT,
    "message_id": frames.TEXT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The delivery of one message to one sink.

    Attributes:
        at: when the reported event happened, UTC.
        alert: the alert's name.
        kind, severity, title, text: those of the message.
        item_id, batch_id: the item or batch that the message is about, if any.
        held_back: how many further matches it reports, held back by the limit or by quiet.
        sink: where it goes, without secrets.
        outcome: "pending" (being sent or waiting; or the kernel was killed meanwhile), "delivered", "failed",
            "timed_out" or "dropped" (too many messages were waiting for the sink, or the alert ended while quiet).
        attempts: the number of attempts.
        took_s: from the message to the outcome, in seconds.
        reason: why it was not delivered, in one line; while it is retried, why not yet.
        message_id: the same for all sinks of a message.
    """

    at: datetime
    alert: str
    kind: str
    severity: str
    title: str
    text: str
    sink: str
    outcome: Outcome
    message_id: str
    item_id: int | None = None
    batch_id: str | None = None
    held_back: int = 0
    attempts: int = 0
    took_s: float | None = None
    reason: str = ""


class AlertLog(Log[Delivery]):
    """The latest deliveries; with a history, also those of earlier kernels and other notebooks."""

    _kind = "alerts"
    _type = Delivery

    def _frame(self) -> pd.DataFrame:
        return frames.of_records(self, ALERTS)

    def key(self) -> str:
        """Make a key to record a delivery under."""
        return uuid.uuid4().hex

    def record(self, key: str, delivery: Delivery) -> None:
        """Add a delivery, or replace the one of that key."""
        self._put(key, delivery)

    def _rank(self, record: Delivery) -> int:
        return 0 if record.outcome == "pending" else 1


def delivery_of(message: Message, sink: str) -> Delivery:
    """Make the record of a message that is about to be sent to a sink."""
    item_id, batch_id = message.data.get("item_id"), message.data.get("batch_id")
    return Delivery(
        at=message.at,
        alert=message.alert,
        kind=message.kind,
        severity=message.severity,
        title=message.title,
        text=message.text,
        sink=sink,
        outcome="pending",
        message_id=message.message_id,
        item_id=item_id if isinstance(item_id, int) else None,
        batch_id=batch_id if isinstance(batch_id, str) else None,
        held_back=message.held_back,
    )
