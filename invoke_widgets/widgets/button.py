"""`Button`: a button whose click says what the page showed when it was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import ipywidgets
import traitlets


class Pressed(NamedTuple):
    """A click: what the button was about, and the key of what was chosen beside it."""

    about: Any
    choice: str | None


class Button(anywidget.AnyWidget):
    """A button, with a choice beside it if there is something to choose.

    A click may reach the kernel long after it was made, since a cell can block it. It may even arrive before a change
    that was made before it, since ipykernel 7 may handle each widget on a thread of its own (seen on 7.4.0: a button's
    click was handled while a change of the table still waited for the cell to end). So a click carries everything it
    depends on.

    Attributes:
        description, tooltip, button_style, disabled: as those of `ipywidgets.Button`.
        busy: whether its action is under way; it keeps the focus, and a click does nothing.
        about: what the button is about, as JSON; a click carries what it was about in the page.
        chooses: what is chosen beside the button, such as "batch"; empty for nothing.
        choices: (key, name, note) of each, in order. The choice is the page's own, and at first the first.
        reads: fields whose values, as they stand in the page, a click brings.
    """

    _esm = (Path(__file__).parent / "static" / "press.js").read_text(encoding="utf-8")

    description = traitlets.Unicode().tag(sync=True)
    tooltip = traitlets.Unicode().tag(sync=True)
    button_style = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool().tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)
    about = traitlets.Any().tag(sync=True)
    chooses = traitlets.Unicode().tag(sync=True)
    choices: traitlets.List[Any] = traitlets.List().tag(sync=True)
    reads: traitlets.List[Any] = traitlets.List().tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, **values: Any) -> None:
        self._pressed = ipywidgets.CallbackDispatcher()
        super().__init__(**values)
        self.on_msg(self._receive)

    def on_press(self, function: Callable[[Pressed], object]) -> None:
        """Call `function` for each click, once the fields that are read have the values that they had in the page."""
        self._pressed.register_callback(function)

    def focus(self) -> None:
        """Take the focus, in pages where another button of the view has it, or had it and is gone."""
        self.send({"t": "focus"})

    def click(self, choice: str | None = None, **about: Any) -> None:
        """Press it from Python.

        Args:
            choice: the key of a choice; by default the first one.
            **about: `about=...` for a click made while the button was about something else.
        """
        chosen = choice or next((key for key, _, _ in self.choices), None)
        self._pressed(Pressed(about.get("about", self.about), chosen))

    def _receive(self, _: Any, message: Any, __: Any) -> None:
        for field in self.reads:
            if (value := message["values"].get(field.model_id, field.value)) != field.value:
                # Private, as there is no public way not to send a value back to the page, where typing may have gone
                # on: `set_state` echoes it.
                with field._lock_property(value=value):
                    field.value = value
        self._pressed(Pressed(message["about"], message["choice"]))
