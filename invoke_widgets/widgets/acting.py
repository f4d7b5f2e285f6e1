"""`ActingView`: a view with buttons that are enabled exactly while they would do something, and busy while they do."""

from __future__ import annotations

import html
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import ipywidgets

from invoke_widgets.sync import Change
from invoke_widgets.widgets.base import View
from invoke_widgets.widgets.plain_press import PlainPress, Pressed

try:
    from invoke_widgets.widgets.press import Press
except ImportError:  # without anywidget
    Press = PlainPress  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from invoke_widgets.console import Console

T = TypeVar("T")


class StyledView(View):
    """A view with buttons.

    Args:
        console: what is shown.
        fallback: use core widgets only, for front ends that cannot load anywidget's script; by default only where
            anywidget is not installed.
    """

    def __init__(self, console: Console, *, fallback: bool | None = None) -> None:
        super().__init__(console)
        self.fallback = bool(fallback)

    def button(
        self, description: str, on_press: Callable[[Pressed], object], *, tooltip: str = "", **options: Any
    ) -> Any:
        """A button whose click says what the page showed, with `options` as the attributes of `Press`."""
        kind = PlainPress if self.fallback else Press
        made = kind(description=description, tooltip=tooltip, **options)
        made.on_press(self.guard(on_press))
        return made


class ActingView(StyledView):
    """A view with buttons, and a line that says in words what the last one did.

    Args:
        console: what is acted on.
        on_said: called with each such sentence, for whoever shows it elsewhere.
        fallback: use core widgets only, for front ends that cannot load anywidget's script.
    """

    def __init__(
        self, console: Console, *, on_said: Callable[[str], object] | None = None, fallback: bool | None = None
    ) -> None:
        super().__init__(console, fallback=fallback)
        self._on_said = on_said
        self.said = ""
        self.status_line = ipywidgets.HTML()
        self.own(self.status_line)  # not every part shows it

    def act(self, button: Any, work: Coroutine[Any, Any, T], told: Callable[[T], str]) -> None:
        """Start what a button is for; until it has ended, the button is busy and says so.

        Args:
            button: clicking it again meanwhile does nothing.
            work: such as `console.actions.prune()`.
            told: the outcome in words.
        """
        with self.lock:
            if not button.busy:
                self.forgive()
            self.run(work, lambda result: self.say(told(result)), button=button, always=self.redraw)

    def say(self, sentence: str) -> None:
        """Show what was done, in words."""
        with self.lock:
            self.said = sentence
            self.status_line.value = f'<div class="iw-said" role="status">{html.escape(sentence)}</div>'
        if self._on_said is not None:
            self._on_said(sentence)

    def redraw(self) -> None:
        """Draw with the picture as it is."""
        self._changed(Change(self.console.store.state, frozenset()))


def put(widget: ipywidgets.Widget, name: str, value: object) -> None:
    """Set a trait only if it differs: each setting is a message to the page."""
    if getattr(widget, name) != value:
        setattr(widget, name, value)


def enable(button: Any, possible: bool) -> None:
    """Enable or disable a button."""
    put(button, "disabled", not possible)


def shown(widget: ipywidgets.Widget, visible: bool) -> None:
    """Show or hide a widget."""
    put(widget.layout, "display", None if visible else "none")


def set_options(widget: ipywidgets.Widget, options: tuple[tuple[str, str], ...], value: str | None) -> None:
    """New options, and what is chosen among them: setting options alone would choose the first."""
    if widget.options != options:
        widget.options = options
    put(widget, "value", value)
