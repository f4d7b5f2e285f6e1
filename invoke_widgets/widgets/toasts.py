"""`ToastsView`: the messages of alerts, under the tabs of the dashboard, where they cover nothing and move no row."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import ipywidgets

from invoke_widgets.sync import Change
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.base import View, put, shown
from invoke_widgets.widgets.text import clean

if TYPE_CHECKING:
    from invoke_widgets.alerts import Message
    from invoke_widgets.console import Console

SLOTS = 3
_SIGNS = {"info": "●", "warning": "▲", "error": "✕"}


class ToastsView(View):
    """The messages in `console.alerts.toasts`, up to three at a time, each with a button that dismisses it.

    A message keeps its place while it is shown: later ones are added below, or wait.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.slots = [_Slot(self) for _ in range(SLOTS)]
        self._more = ipywidgets.HTML()
        self._dismiss_all = ipywidgets.Button(description="Dismiss all", tooltip="Dismiss all messages")
        dismiss = self.guard(console.alerts.toasts.dismiss)
        self._dismiss_all.on_click(lambda _: dismiss())
        self._rest = ipywidgets.HBox([self._more, self._dismiss_all], layout={"display": "none"})
        self._rest.add_class("iw-toast-rest")
        self.add_class("iw-toasts")
        self.show(*[slot.content for slot in self.slots], self._rest)
        self.follow(console.alerts.toasts)

    def draw(self, change: Change) -> None:
        if not self.log_changed:
            return
        showing = self.console.alerts.toasts.showing
        by_id = {message.message_id: message for message in showing}
        kept = [by_id.pop(slot.message_id) for slot in self.slots if slot.message_id in by_id]
        waiting = [message for message in reversed(showing) if message.message_id in by_id]
        shown_now = (kept + waiting[: SLOTS - len(kept)])[:SLOTS]
        # Messages only move up. From the last slot on, each leaves its old slot before it is in its new one.
        for place, slot in reversed(list(enumerate(self.slots))):
            slot.draw(shown_now[place] if place < len(shown_now) else None)
        more = len(showing) - len(shown_now)
        put(self._more, "value", f'<div role="status">and {words.many(more, "other message")}</div>' if more else "")
        shown(self._rest, len(showing) > 1)

    def as_text(self) -> str:
        return "\n".join(message.headline for message in self.console.alerts.toasts.showing)

    def as_html(self) -> str:
        return "".join(f"<p>{html.escape(clean(line))}</p>" for line in self.as_text().splitlines())


class _Slot:
    """A place for one message; `message_id` is that of the one shown."""

    def __init__(self, view: ToastsView) -> None:
        self.message_id: str | None = None
        self.text = ipywidgets.HTML()
        self.button = ipywidgets.Button(description="Dismiss")
        dismiss = view.guard(view.console.alerts.toasts.dismiss)
        self.button.on_click(lambda _: dismiss(self.message_id) if self.message_id else None)
        self.content = ipywidgets.HBox([self.text, self.button], layout={"display": "none"})
        self.content.add_class("iw-toast")

    def draw(self, message: Message | None) -> None:
        self.message_id = message.message_id if message is not None else None
        put(self.text, "value", toast_html(message) if message is not None else "")
        put(self.button, "tooltip", f"Dismiss: {clean(message.title)}" if message is not None else "")
        shown(self.content, message is not None)


def toast_html(message: Message) -> str:
    """A message as HTML. An error interrupts a screen reader; the others wait for their turn."""

    def safe(text: str) -> str:
        return html.escape(clean(text))

    role = "alert" if message.severity == "error" else "status"
    details = f'<div class="iw-toast-more" tabindex="0">{safe(message.text)}</div>' if message.text else ""
    where = " · ".join(part for part in (f"{message.at.astimezone():%H:%M:%S}", message.more, message.alert) if part)
    return (
        f'<div class="iw-toast-text iw-toast-{message.severity}" role="{role}">'
        f'<div class="iw-toast-title"><span aria-hidden="true">{_SIGNS[message.severity]}</span> {safe(message.title)}'
        f'</div>{details}<div class="iw-toast-where">{safe(where)}</div></div>'
    )
