"""A line of the submitter's form: a field, its values, and its group."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from invoke_widgets.widgets.drafts import Row


class ValuesRow:
    """One line of the values to vary, with the place for its error."""

    def __init__(self, changed: Callable[[object], object], remove: Callable[[ValuesRow], object]) -> None:
        self.field = ipywidgets.Combobox(
            description="field", placeholder="node.field", ensure_option=False, layout={"width": "auto"}
        )
        self.values = ipywidgets.Text(
            description="values", placeholder='[1, 2, 3] or ["a", "b"]', layout={"flex": "1 1 220px"}
        )
        self.group = ipywidgets.BoundedIntText(
            value=1, min=1, max=99, description="group", tooltip="Rows of one group are zipped; groups are combined"
        )
        self.group.add_class("iw-short")
        self.drop = ipywidgets.Button(description="remove", tooltip="Remove these values", layout={"width": "auto"})
        self.error = ipywidgets.HTML()
        line = ipywidgets.HBox([self.field, self.values, self.group, self.drop])
        line.add_class("iw-row")
        self.box = ipywidgets.VBox([line, self.error])
        for widget in (self.field, self.values, self.group):
            widget.observe(changed, names="value")
        self.drop.on_click(lambda _: remove(self))

    def read(self) -> Row:
        """What is written in it."""
        return self.field.value, self.values.value, self.group.value
