"""What a saved notebook shows of a view: its last state, in an output of its own beside the live one.

A widget's output refers to the kernel; a page without one has nothing to show for it. So a view puts out two: itself,
and a static table, which is replaced as the queue changes (`update_display_data`; replacing the widget's own output
would redraw it, and lose what the user has scrolled, opened and typed). The live view brings a style that hides the
table, so that it is seen exactly where the view is not: in a saved notebook, in `nbconvert --to html`, after `close()`.

Front ends know which output is meant until the page is reloaded; from then on the table stays, and says as of when.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from invoke_widgets.widgets import kernel

if TYPE_CHECKING:
    from invoke_widgets.sync import QueueState
    from invoke_widgets.widgets.part import Part

_LOOK_EVERY_S = 1.0
_WHILE_IT_CHANGES_S = 30.0
"""Each update is a message of some ten kilobytes and a change of the notebook."""
_STYLE = (
    ".iw-saved p { margin: 0 0 4px; } .iw-saved table.iw-static { margin: 8px 0; }"
    " .iw-saved .iw-static caption, .iw-saved .iw-static th, .iw-saved .iw-static td { text-align: left; }"
    # The output before it, where that is no view but words about the lack of one.
    " .jp-OutputArea-child:not(:has(.iw)):has(+ .jp-OutputArea-child .iw-saved) { display: none; }"
)


class Snapshot:
    """The static output of a view.

    Args:
        view: the live view.
        publish: `IPython.display.publish_display_data`.

    Attributes:
        name: the class of the static output, which the live view hides it by.
    """

    def __init__(self, view: Part, publish: Callable[..., Any]) -> None:
        self._view = view
        self._publish = publish
        self.name = f"iw-saved-{view.model_id}"
        # Not the view's, since publishing may wait for the kernel: drawing must not wait for it too.
        self._lock = threading.RLock()
        self._state: QueueState | None = None
        self._counts = (0, 0)
        self._body = ""
        self._at = 0.0
        self._unlisten = kernel.cells.listen(self._cell_changed)

    def show(self) -> None:
        """Put it out in the cell that runs."""
        self._body = ""
        self._update(replace=False)

    def end(self) -> None:
        """Bring it up to date for the last time."""
        self._unlisten()
        with contextlib.suppress(Exception):  # the kernel may be shutting down
            self._update()

    async def follow(self) -> None:
        """Keep it up to date, on the console's thread: a second after the last change, and now and then meanwhile."""
        seen = None
        while not self._view.closed:
            await asyncio.sleep(_LOOK_EVERY_S)
            items = self._view.console.internals.store.state.items
            still, seen = items is seen, items
            if still or time.monotonic() - self._at >= _WHILE_IT_CHANGES_S:
                await asyncio.to_thread(self._update)

    def _cell_changed(self, cell: kernel.Cell) -> None:
        """When a cell ends: nbclient, which runs notebooks without a page, receives nothing after the last one."""
        if cell == "idle" and not self._view.closed:
            self._update()

    def _update(self, *, replace: bool = True) -> None:
        console = self._view.console
        with self._lock:
            state, counts = console.internals.store.state, (len(console.errors), len(console.cancellations))
            if replace and state is self._state and counts == self._counts:
                return
            self._state, self._counts, self._at = state, counts, time.monotonic()
            body = self._view.as_html()
            if body == self._body:
                return
            self._body = body
            when = f"As of {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}"
            page = f'<style>{_STYLE}</style><div class="iw-saved {self.name}"><p>{html.escape(when)}</p>{body}</div>'
            data = {"text/html": page, "text/plain": f"{when}\n{self._view.as_text()}"}
            self._publish(data, transient={"display_id": self.name}, update=replace)


def publisher() -> Callable[..., Any] | None:
    """The function that publishes outputs in a notebook; None outside one."""
    if kernel.ipykernel_version() is None:
        return None
    from IPython.display import publish_display_data

    return publish_display_data
