"""Parts without a browser: act as their page does, and read what they say."""

from __future__ import annotations

import gc
from typing import Any

import ipywidgets

from invoke_widgets.widgets.part import Part
from tests.support.wire import until


def receive(widget: ipywidgets.Widget, message: dict[str, Any], *buffers: bytes) -> None:
    """Have a widget receive a message as if its page had sent it."""
    widget._handle_custom_msg(message, list(buffers))  # noqa: SLF001 - ipywidgets has no public way


def models() -> dict[str, Any]:
    """The states of all widgets that are open in this process, by the ids of their models."""
    gc.collect()
    return dict(ipywidgets.Widget.get_manager_state()["state"])


def ask(part: Part, action: str, /, **args: Any) -> None:
    """Ask a part for something as its page does."""
    receive(part, {"t": "act", "name": action, "args": args})


def said(part: Part) -> str:
    """Wait until an action says what came of it, and return that."""
    return until(lambda: part.said.get("text"), "the outcome")


class Sent:
    """What a part sends to its pages from now on.

    Attributes:
        messages: the messages, each with its binary data as `buffers`.
    """

    def __init__(self, part: Part) -> None:
        self.messages: list[dict[str, Any]] = []
        part.send = self._keep

    def _keep(self, message: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        self.messages.append({**message, "buffers": list(buffers or ())})

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of one kind."""
        return [message for message in self.messages if message["t"] == kind]
