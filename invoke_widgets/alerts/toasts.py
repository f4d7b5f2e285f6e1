"""`Toasts`: the messages that every dashboard of a console shows, until they are dismissed or have been read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from invoke_widgets.alerts.messages import Message
from invoke_widgets.alerts.sinks import Sink

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

    def dismiss(self, message_id: str | None = None) -> None:
        """Show one no more, or none."""
        with self._lock:
            before = self._messages
            self._messages = [m for m in before if message_id is not None and m.message_id != message_id]
            same = len(before) == len(self._messages)
        if not same:
            self._on_change()
