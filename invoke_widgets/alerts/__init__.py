"""Alerts: conditions to wait for, and sinks to send messages to.

>>> from invoke_widgets.alerts import Apprise, BatchDone, JobFailed, Webhook, nothing_received, rate, when
>>> console.alert(on=when(JobFailed, "resource_error"), to=print)
>>> console.alert(on=rate(JobFailed, more_than=5, within_s=60) | nothing_received(minutes=10), to=Apprise("ntfy://topic"))

Conditions: a kind of notice, an error type, `when`, `any_of` or `|`, `rate`, `queue_stalled`, `nothing_received`.
Sinks: "toast", a function, `Webhook`, `Apprise` (e-mail, chat services and others).
"""

from invoke_widgets.alerts.alerts import LIMIT_S, Alert, Alerts, On, To
from invoke_widgets.alerts.apprise import Apprise
from invoke_widgets.alerts.conditions import Condition, any_of, nothing_received, queue_stalled, rate, when
from invoke_widgets.alerts.log import AlertLog, Delivery
from invoke_widgets.alerts.messages import Message
from invoke_widgets.alerts.sinks import Callback, Sink, Toasts, Undelivered
from invoke_widgets.alerts.webhook import Webhook
from invoke_widgets.notices import (
    BatchDone,
    ConnectionBack,
    ConnectionLost,
    JobCompleted,
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

__all__ = [
    "LIMIT_S",
    "Alert",
    "AlertLog",
    "Alerts",
    "Apprise",
    "BatchDone",
    "Callback",
    "Condition",
    "ConnectionBack",
    "ConnectionLost",
    "Delivery",
    "JobCompleted",
    "JobDeleted",
    "JobFailed",
    "JobFinished",
    "JobStalled",
    "Message",
    "Notice",
    "On",
    "QueueFull",
    "QueuePaused",
    "QueueResumed",
    "QueueUnwedged",
    "QueueWedged",
    "Sink",
    "To",
    "Toasts",
    "Undelivered",
    "Webhook",
    "any_of",
    "nothing_received",
    "queue_stalled",
    "rate",
    "when",
]
