"""`Toasts`: the messages that every dashboard of a console shows, until they are dismissed or have been read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from invoke_widgets.alerts.messages import Message
from invoke_widgets.alerts.sinks import Sink

if TYPE_CHECKING:
    from invoke_widgets.alerts.log import Delivery

SHOWN_S = 12.0
"""So long a message of severity "info" is shown; the others stay until they are dismissed."""
_KEPT = 50


class Toasts(Sink):
    """What is to be shown, newest first. The dashboards draw it; dismissed in one, it is gone in all.

    Args:
        on_change: called after each change, from any thread.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self._on_change = on_change

    @property
    def showing(self) -> tuple[Message, ...]:
        return tuple(self._messages)

    async def deliver(self, message: Message) -> None:
        with self._lock:
            self._messages = [message, *self._messages][:_KEPT]
        if message.severity == "info":
            asyncio.get_running_loop().call_later(SHOWN_S, lambda: self.dismiss(message.message_id))
        self._on_change()

    def undelivered(self, delivery: Delivery) -> None:
        """Say that a message did not get through to another sink; once for each sink, counting on while it is shown."""
        message_id = f"undelivered:{delivery.sink}"
        with self._lock:
            known = next((m for m in self._messages if m.message_id == message_id), None)
            others = [m for m in self._messages if m.message_id != message_id]
            message = Message(
                kind="alert.undelivered",
                severity="warning",
                title="An alert was not delivered",
                text=f"{delivery.sink}: {delivery.reason}",
                alert=delivery.alert,
                held_back=0 if known is None else known.held_back + 1,
                message_id=message_id,
            )
            self._messages = [message, *others][:_KEPT]
        self._on_change()

    def dismiss(self, message_id: str | None = None) -> None:
        """Show one no more, or none."""
        with self._lock:
            before = self._messages
            self._messages = [m for m in before if message_id is not None and m.message_id != message_id]
            same = len(before) == len(self._messages)
        if not same:
            self._on_change()
