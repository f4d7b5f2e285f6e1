"""Alerts: what to wait for, and where to say so.

>>> from invoke_widgets.alerts import BatchDone, Email, JobFailed, Webhook, nothing_heard, rate
>>> console.alert(on=JobFailed & "resource_error", to=print)
>>> console.alert(on=rate(JobFailed, more_than=5, within_s=60) | nothing_heard(minutes=10), to=Webhook(url, secret=...))

Conditions: a kind of notice, a class of error, `rate`, `nothing_heard`, `queue_stalled`; combined with `&` and `|`.
Sinks: "toast", a function, `Webhook`, `Email`, `Apprise`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from invoke_widgets.alerts.alert import Alert
    from invoke_widgets.alerts.book import Alerts
    from invoke_widgets.alerts.chat import Apprise
    from invoke_widgets.alerts.log import AlertLog, Delivery
    from invoke_widgets.alerts.mail import Email
    from invoke_widgets.alerts.messages import Message
    from invoke_widgets.alerts.rules import nothing_heard, queue_stalled, rate
    from invoke_widgets.alerts.sinks import Callback, Sink, Undelivered
    from invoke_widgets.alerts.webhook import Webhook

_LAZY = {
    "Alert": "alert",
    "AlertLog": "log",
    "Alerts": "book",
    "Apprise": "chat",
    "Callback": "sinks",
    "Delivery": "log",
    "Email": "mail",
    "Message": "messages",
    "Sink": "sinks",
    "Undelivered": "sinks",
    "Webhook": "webhook",
    "nothing_heard": "rules",
    "queue_stalled": "rules",
    "rate": "rules",
}

__all__ = [
    "Alert",
    "AlertLog",
    "Alerts",
    "Apprise",
    "BatchDone",
    "Callback",
    "ConnectionBack",
    "ConnectionLost",
    "Delivery",
    "Email",
    "JobDeleted",
    "JobFailed",
    "JobFinished",
    "JobStalled",
    "Message",
    "Notice",
    "QueueFull",
    "QueuePaused",
    "QueueResumed",
    "QueueUnwedged",
    "QueueWedged",
    "Sink",
    "Undelivered",
    "Webhook",
    "nothing_heard",
    "queue_stalled",
    "rate",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(f"invoke_widgets.alerts.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
