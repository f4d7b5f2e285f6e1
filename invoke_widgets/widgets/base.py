"""What every view shares: one subscription with one writer, an error strip, an end, and a form without widgets.

A view draws from `console.store` and acts through `console.start(...)`; it keeps no state of the queue itself, so any
number of views of one console stay in step. Its methods may be called from any thread: changes come on the console's
thread, clicks on the kernel's (in ipykernel 7.0 to 7.3 on yet another).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import html
import logging
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import ipywidgets

from invoke_widgets.errors import InvalidRequest, JobException, NetworkError, classify
from invoke_widgets.sync import Change
from invoke_widgets.widgets.saved import SavedState, publisher
from invoke_widgets.widgets.styles import STYLE
from invoke_widgets.widgets.tables import clean

try:
    from invoke_widgets.widgets.frame import Frame
except ImportError:  # without anywidget
    Frame = None  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from invoke_widgets.console import Console

# A short job begins and ends within some 20 ms; each of its changes is to be seen at once.
_BURST = 6

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

_STRIP_LINES = 3
_LOG_S = 0.1

_composing: ContextVar[bool] = ContextVar("composing", default=False)


@contextmanager
def composing() -> Iterator[None]:
    """Views made within are parts of another one, which brings what each of them would bring if it were alone."""
    token = _composing.set(True)
    try:
        yield
    finally:
        _composing.reset(token)


class _Failure(NamedTuple):
    at: datetime
    is_away: bool


class View(ipywidgets.VBox):  # type: ignore[misc]
    """A widget of ours: its content, and under it a strip that says what went wrong.

    A subclass makes its widgets, passes them to `show()`, and calls `follow()` at the end of its `__init__`. It
    overrides `draw()`, and `as_html()` and `as_text()` for pages without a kernel. Every function that a widget calls
    back goes through `guard()`; whatever talks to the server goes through `run()`.

    Args:
        console: what is shown.

    Attributes:
        fallback: whether it is of core widgets only; None for what its content says.
        strip: what went wrong; part of the view, unless it is to stand elsewhere.
    """

    fallback: bool | None = None
    _closed = True  # until there is something to close: a half-made widget is closed when it is collected

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lock = threading.RLock()
        """Held while drawing: take it where a callback and `draw` touch the same thing."""
        self._owned: list[ipywidgets.Widget] = []
        self._unsubscribe: list[Callable[[], None]] = []
        self._log_pending = False
        self._saved: SavedState | None = None
        self._closed = False
        super().__init__(_dom_classes=("iw",))
        self.children: tuple[ipywidgets.Widget, ...]
        self._failures: dict[str, _Failure] = {}
        self._was_away = False
        self._strip = ipywidgets.HTML(layout={"flex": "1 1 auto", "margin": "0"})
        dismiss = ipywidgets.Button(description="dismiss", layout={"width": "auto", "flex": "0 0 auto"})
        dismiss.on_click(lambda _: self.forgive())
        self.strip = ipywidgets.HBox([self._strip, dismiss], layout={"display": "none"})
        self.own(self.strip)
        self.children = (self.strip,)

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def show(self, *content: ipywidgets.Widget, strip: bool = True) -> None:
        """Make `content` the view's content, with the strip under it or elsewhere."""
        frame = () if _composing.get() else (self._frame(content),)
        self.children = (*frame, *content, *((self.strip,) if strip else ()))

    def _frame(self, content: Sequence[ipywidgets.Widget]) -> ipywidgets.Widget:
        """The style sheet; with a script, where this view needs scripts anyway."""
        scripts = self.fallback is False
        if self.fallback is None:
            scripts = any(hasattr(model, "_esm") for widget in content for model in models_within(widget))
        if scripts and Frame is not None:
            return Frame(layout={"display": "none"})
        return ipywidgets.HTML(f"<style>{STYLE}</style>", layout={"display": "none"})

    def own(self, *models: ipywidgets.Widget) -> None:
        """Have models closed with the view that are not within it, such as links."""
        self._owned.extend(models)

    def follow(self, interval: float = 0.1) -> None:
        """Draw now, and whenever the picture changes: at once, and on average at most every `interval` seconds."""
        _close_with(self.console, self)
        self._unsubscribe.append(self.console.store.subscribe(self._changed, interval=interval, burst=_BURST))
        state = self.console.store.state
        self._changed(Change(state, frozenset(state.items) | state.unread))

    def follow_log(self, *logs: Any) -> None:
        """Draw again after a log has changed; changes within a tenth of a second together."""
        self._unsubscribe.extend(log.on_change(self._log_changed) for log in logs)

    def _log_changed(self) -> None:
        with self.lock:
            if self._closed or self._log_pending:
                return
            self._log_pending = True

        async def soon() -> None:
            await asyncio.sleep(_LOG_S)
            self._log_pending = False
            self._changed(Change(self.console.store.state, frozenset()))

        with contextlib.suppress(InvalidRequest):  # the console was closed
            self.console.start(soon())

    def draw(self, change: Change) -> None:
        """Bring the view up to date, on the console's thread: quickly, and writing only what differs."""

    def guard(self, function: Callable[P, T]) -> Callable[P, T | None]:
        """`function`, with what it raises shown in the strip and kept in `console.errors` instead."""

        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - a callback's exception would be shown to nobody
                self.fail(error)
                return None

        return guarded

    def run(
        self,
        work: Coroutine[Any, Any, T],
        done: Callable[[T], object] | None = None,
        *,
        button: Any = None,
        always: Callable[[], object] | None = None,
    ) -> None:
        """Start work on the console's thread and return at once; a failure is shown in the strip.

        Args:
            work: such as `console.actions.cancel(5)`.
            done: called with the result, on the console's thread.
            button: a `Press` that is busy meanwhile; while it is, nothing is started again.
            always: called at the end, however it ended, on the console's thread.
        """
        if button is not None:
            with self.lock:
                if button.busy:
                    work.close()
                    return
                button.busy = True

        def ended() -> None:
            if button is not None:
                button.busy = False
            if always is not None:
                always()

        def finished(result: T | BaseException) -> None:
            if self._closed:
                return
            if isinstance(result, BaseException):
                self.fail(result)
            elif done is not None:
                self.guard(done)(result)
            self.guard(ended)()

        try:
            self.console.start(work, finished)
        except InvalidRequest as error:  # the console was closed
            self.fail(error)
            self.guard(ended)()

    def fail(self, error: BaseException) -> None:
        """Show an error in the strip, and keep it in `console.errors`."""
        if isinstance(error, JobException):
            what, remedy = error.message, error.suggestion
            record = error
        else:
            logger.debug("a view failed", exc_info=error)
            record = classify.unknown(error, type(self).__name__)
            what, remedy = record.message, ""
        # An action has kept its own failure, or the one that caused it, already.
        kept = {what, error.__cause__.message if isinstance(error.__cause__, JobException) else what}
        if not any(known.message in kept for known in list(self.console.errors)[-5:]):
            self.console.errors.record_exception(record)
        line = f'<span class="iw-what">{html.escape(clean(what))}</span>'
        if remedy:
            line += f' <span class="iw-remedy">{html.escape(clean(remedy))}</span>'
        with self.lock:
            if self._closed:
                return
            self._failures.pop(line, None)
            self._failures[line] = _Failure(datetime.now().astimezone(), isinstance(error, NetworkError))
            self._draw_strip()

    def forgive(self) -> None:
        """Empty the strip."""
        with self.lock:
            self._failures = {}
            self._draw_strip()

    def _draw_strip(self) -> None:
        newest = list(self._failures.items())[: -_STRIP_LINES - 1 : -1]
        lines = "<br>".join(f'<span class="iw-remedy">{failure.at:%H:%M:%S}</span> {line}' for line, failure in newest)
        self._strip.value = f'<div class="iw-strip" role="alert">{lines}</div>' if lines else ""
        self.strip.layout.display = None if lines else "none"

    def _forgive_what_is_over(self) -> None:
        """Once the server is back, do not go on saying that it is away."""
        mode = self.console.store.state.connection.mode
        if mode == "reconnecting":
            self._was_away = True
        elif self._was_away and mode in ("live", "polling"):
            self._was_away = False
            if any(failure.is_away for failure in self._failures.values()):
                self._failures = {line: failure for line, failure in self._failures.items() if not failure.is_away}
                self._draw_strip()

    @property
    def closed(self) -> bool:
        return self._closed

    # -- without widgets ---------------------------------------------------------------------------------------------

    def as_html(self) -> str:
        """The last state as HTML in which everything is escaped, for a page without a kernel."""
        return "".join(child.as_html() for child in self.children if isinstance(child, View))

    def as_text(self) -> str:
        """The last state as text."""
        return "\n".join(child.as_text() for child in self.children if isinstance(child, View)) or repr(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if isinstance(bundle, dict):
            bundle["text/plain"] = self.as_text()
            bundle["text/html"] = self.as_html()
        return bundle

    def _ipython_display_(self, **_: Any) -> None:
        """In a notebook: the live view, and its last state for the saved one. Elsewhere IPython asks for the bundle."""
        publish = publisher()
        if publish is None or self._closed:
            raise NotImplementedError
        first = self._saved is None
        if self._saved is None:
            self._saved = SavedState(self, publish)
            self.children = (*self.children, self._saved.hiding)
        publish({**super()._repr_mimebundle_(), "text/plain": f"{self!r} needs its kernel; its last state:"})
        self._saved.show()
        if first:
            self.run(self._saved.follow())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.console.url!r})"

    # -- ending ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop following, and close every model of the view. May be called twice."""
        if self._closed:
            return
        if self._saved is not None:
            self._saved.end()
        self._closed = True
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        _no_longer_close_with(self.console, self)
        models = [*models_within(self), *(m for owned in self._owned for m in models_within(owned))]
        for model in models:
            if isinstance(model, View) and model is not self:
                model.close()
        for model in models:
            # Their order does not matter; closing one again does nothing.
            ipywidgets.Widget.close(model)

    def _changed(self, change: Change) -> None:
        with self.lock:
            if self._closed:
                return
            self.guard(self._forgive_what_is_over)()
            # What is newest now: the change may have waited for the lock while a later picture was drawn.
            self.guard(self.draw)(Change(self.console.store.state, change.item_ids))


def models_within(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """A widget and every model that it refers to: children, layouts, styles."""
    found: dict[int, ipywidgets.Widget] = {}

    def widgets_in(value: Any) -> Iterator[ipywidgets.Widget]:
        if isinstance(value, ipywidgets.Widget):
            yield value
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from widgets_in(inner)
        elif isinstance(value, dict):
            yield from widgets_in(list(value.values()))

    def visit(model: ipywidgets.Widget) -> None:
        if id(model) not in found:
            found[id(model)] = model
            for name in model.keys:
                for inner in widgets_in(model._trait_values.get(name)):
                    visit(inner)

    visit(widget)
    return list(found.values())


_views: weakref.WeakKeyDictionary[Console, weakref.WeakSet[View]] = weakref.WeakKeyDictionary()


def _close_with(console: Console, view: View) -> None:
    """Have a view closed when its console is."""
    if console not in _views:
        views: weakref.WeakSet[View] = weakref.WeakSet()
        _views[console] = views

        def close_all() -> None:
            for view in list(views):
                view.close()

        console.on_close(close_all)
    _views[console].add(view)


def _no_longer_close_with(console: Console, view: View) -> None:
    _views.get(console, weakref.WeakSet()).discard(view)
