"""A button whose click says what the page showed when it was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from invoke_widgets.widgets.plain_press import Pressed, press_of


class Press(anywidget.AnyWidget):
    """A button, with a choice beside it if it is for one.

    A click may reach the kernel long after it was made, since a cell can block it. It may even arrive before a change
    that was made before it, since ipykernel 7 may hear each widget on a thread of its own (seen on 7.4.0: a button's
    click was handled while a change of the table still waited for the cell to end). So a click carries all that it
    depends on.

    Attributes:
        description, tooltip, button_style, disabled: as those of `ipywidgets.Button`.
        busy: whether what it does is under way; it keeps the focus, and a click does nothing.
        about: what the button is about, as JSON; a click says what it was about in the page.
        chooses: what is chosen beside the button, such as "batch"; empty for nothing.
        choices: (key, name, note) of each, in order. What is chosen is the page's own, and at first the first.
        reads: fields whose values, as they stand in the page, a click brings.
    """

    _esm = (Path(__file__).parent / "press.js").read_text(encoding="utf-8")

    description = traitlets.Unicode().tag(sync=True)
    tooltip = traitlets.Unicode().tag(sync=True)
    button_style = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool().tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)
    about = traitlets.Any().tag(sync=True)
    chooses = traitlets.Unicode().tag(sync=True)
    choices: traitlets.List[Any] = traitlets.List().tag(sync=True)
    reads: traitlets.List[Any] = traitlets.List().tag(sync=True, **ipywidgets.widget_serialization)

    def on_press(self, function: Callable[[Pressed], object]) -> None:
        """Have `function` called for each click, when the fields that are read have the values that they had in it."""
        self.on_msg(lambda _, message, __: function(self._taken(message)))

    def focus(self) -> None:
        """Give it the focus, in pages where another button of the view has it, or had it and is gone."""
        self.send({"t": "focus"})

    def click(self, choice: str | None = None) -> None:
        """Press it from Python, with a choice, or the first one."""
        self._handle_custom_msg({"t": "press", **press_of(self, choice)._asdict(), "values": {}}, [])

    def _taken(self, message: Any) -> Pressed:
        for field in self.reads:
            if (value := message["values"].get(field.model_id, field.value)) != field.value:
                # Not told to the page, where the person may have gone on.
                with field._lock_property(value=value):
                    field.value = value
        return Pressed(message["about"], message["choice"])
