"""The button of `press.py` for where anywidget is not installed: of core widgets, a choice and a button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import ipywidgets
import traitlets

_BOTH = ("description", "tooltip", "button_style")


class Pressed(NamedTuple):
    """A click: what the button was about, and the key of what was chosen beside it."""

    about: Any
    choice: str | None


class PlainPress(ipywidgets.HBox):  # type: ignore[misc]
    """As `Press`, but a click is about what the kernel knows when it arrives."""

    description = traitlets.Unicode()
    tooltip = traitlets.Unicode()
    button_style = traitlets.Unicode()
    disabled = traitlets.Bool()
    busy = traitlets.Bool()
    about = traitlets.Any()
    chooses = traitlets.Unicode()
    choices: traitlets.List[Any] = traitlets.List()
    reads: traitlets.List[Any] = traitlets.List()

    def __init__(self, **values: Any) -> None:
        self._choice = ipywidgets.Dropdown(options=[], layout={"width": "auto", "display": "none"})
        self._button = ipywidgets.Button()
        super().__init__([self._choice, self._button], _dom_classes=("iw-press",))
        self.observe(self._draw, names=[*_BOTH, "disabled", "busy", "chooses", "choices"])
        for name, value in values.items():
            setattr(self, name, value)

    def on_press(self, function: Callable[[Pressed], object]) -> None:
        """Have `function` called for each click."""
        self._button.on_click(lambda _: function(press_of(self, self._choice.value)))

    def click(self, choice: str | None = None) -> None:
        """Press it from Python, with a choice, or the first one."""
        if choice is not None:
            self._choice.value = choice
        self._button.click()

    def focus(self) -> None:
        """Nothing: core widgets cannot have it given to them unseen."""

    def _draw(self, _: object) -> None:
        for name in _BOTH:
            setattr(self._button, name, getattr(self, name))
        self._button.disabled = self.disabled or self.busy
        (self.add_class if self.busy else self.remove_class)("iw-busy")
        if self.chooses:
            self._choice.layout.display = None
            self._choice.description = self.chooses
            options = tuple((f"{name} ({note})", key) for key, name, note in self.choices)
            if self._choice.options != options:
                keys = [key for _, key in options]
                chosen = self._choice.value
                self._choice.options = options
                self._choice.value = chosen if chosen in keys else next(iter(keys), None)


def press_of(press: Any, choice: str | None) -> Pressed:
    """A click on a button as it is now; without a choice it is the first one."""
    return Pressed(press.about, choice or next((key for key, _, _ in press.choices), None))
