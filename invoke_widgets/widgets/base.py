"""`View` and `ActingView`: what every view of a console shares.

A view draws from `console.store` and acts through `console.actions`; it keeps no state of the queue itself, so any
number of views of one console stay in step. Changes are only noted on the thread that reports them. One thread per
console draws them, so that neither a long queue nor a busy kernel delays the thread that talks to the server.

Clicks arrive on the kernel's thread (in ipykernel 7.0 to 7.3 on yet another), so `View.lock` guards what both touch.
"""

from __future__ import annotations

import contextvars
import functools
import heapq
import html
import itertools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import anywidget
import ipywidgets

from invoke_widgets.errors import InvalidRequest, JobException, NetworkError, classify
from invoke_widgets.sync import Change
from invoke_widgets.widgets.button import Button, Pressed
from invoke_widgets.widgets.snapshot import Snapshot, publisher
from invoke_widgets.widgets.text import clean

if TYPE_CHECKING:
    from invoke_widgets.alerts import Toasts
    from invoke_widgets.console import Console
    from invoke_widgets.history import KeptLog

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

INTERVAL_S = 0.1
_BURST = 6
"""Changes after a quiet time that are drawn at once: a short job starts and ends within 20 ms."""
_STRIP_LINES = 3

_STATIC = Path(__file__).parent / "static"


def static(*names: str) -> str:
    """The text of scripts or style sheets, joined."""
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)


THEME = static("theme.css")
"""The style sheet of all views; it applies within `class="iw"`."""

STYLE = THEME + static("parts.css")
"""The style sheet of the dashboard and its parts."""


class Frame(anywidget.AnyWidget):
    """An invisible widget that brings the style sheet and routes keys, once for a view and all that is in it."""

    _esm = static("frame.js")
    _css = STYLE


class DrawingThread:
    """A daemon thread that runs functions in the order in which they are due."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._stopped = False
        thread = threading.Thread(target=self._run, name="invoke-widgets drawing", daemon=True)
        # An empty context: ipykernel 7 routes what a thread writes by the context of the cell that started it.
        contextvars.Context().run(thread.start)

    def put(self, function: Callable[[], object], at: float | None = None) -> None:
        """Run a function soon, or at a time of `time.monotonic()`; never once stopped."""
        with self._condition:
            if not self._stopped:
                heapq.heappush(self._due, (time.monotonic() if at is None else at, next(self._numbers), function))
                self._condition.notify()

    def stop(self) -> None:
        """End the thread after the function that it is running."""
        with self._condition:
            self._stopped = True
            self._due.clear()
            self._condition.notify()

    def _run(self) -> None:
        while (function := self._next()) is not None:
            try:
                function()
            except Exception:  # one view's failure must not stop the others
                logger.exception("drawing failed")
            del function  # or it would keep its view until the next one comes

    def _next(self) -> Callable[[], object] | None:
        with self._condition:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._condition.wait(wait)
        return None


class Views:
    """The open views of a console, and the thread that draws them: `open` and `thread`."""

    def __init__(self, console: Console) -> None:
        self.open: weakref.WeakSet[View] = weakref.WeakSet()
        self.thread = DrawingThread()
        console.on_close(self._close)
        # A console that is collected rather than closed.
        weakref.finalize(console, self.thread.stop).atexit = False

    def _close(self) -> None:
        for view in list(self.open):
            view.close()
        self.thread.stop()


_views: weakref.WeakKeyDictionary[Console, Views] = weakref.WeakKeyDictionary()
_views_lock = threading.Lock()


def views_of(console: Console) -> Views:
    """A console's views."""
    with _views_lock:
        if (views := _views.get(console)) is None:
            views = _views[console] = Views(console)
        return views


_composing: ContextVar[bool] = ContextVar("composing", default=False)


@contextmanager
def composing() -> Iterator[None]:
    """Make views as parts of another one, which brings the style sheet for all of them."""
    token = _composing.set(True)
    try:
        yield
    finally:
        _composing.reset(token)


class _Failure(NamedTuple):
    at: datetime
    is_away: bool


class View(ipywidgets.VBox):  # type: ignore[misc]
    """A widget with some content, and under it a strip that shows what went wrong.

    A subclass makes its widgets, passes them to `show()`, and calls `follow()` at the end of its `__init__`. It
    overrides `draw()`, and `as_html()` and `as_text()` for pages without a kernel. Functions passed to widgets go
    through `guard()`; whatever talks to the server goes through `run()`.

    Args:
        console: what is shown.

    Attributes:
        lock: held while drawing. Take it wherever a callback and `draw` touch the same thing, but never on the
            console's own thread.
        strip: what went wrong; part of the view, unless it is shown elsewhere.
        log_changed: in `draw`, whether one of the logs that are followed has changed.
    """

    _closed = True  # until there is something to close: a half-made widget is closed when it is collected

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lock = threading.RLock()
        self._owned: list[ipywidgets.Widget] = []
        self._unsubscribe: list[Callable[[], None]] = []
        self._snapshot: Snapshot | None = None
        self._marks = threading.Lock()  # held for moments only, unlike `lock`
        self._marked: set[int] = set()
        self._is_due = False
        self._reported = console.store.state
        self._log_marked = True
        self.log_changed = True
        self._theoretical_arrival = 0.0
        self._views = views_of(console)
        self._drawing_fails = ""
        self._closed = False
        super().__init__(_dom_classes=("iw",))
        self.children: tuple[ipywidgets.Widget, ...]
        self._failures: dict[str, _Failure] = {}
        self._was_away = False
        self._strip = ipywidgets.HTML(layout={"flex": "1 1 auto", "margin": "0"})
        dismiss = ipywidgets.Button(description="Dismiss", layout={"width": "auto", "flex": "0 0 auto"})
        dismiss.on_click(lambda _: self.forgive())
        self.strip = ipywidgets.HBox([self._strip, dismiss], layout={"display": "none"})
        self.own(self.strip)
        self.children = (self.strip,)

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def show(self, *content: ipywidgets.Widget, strip: bool = True) -> None:
        """Make `content` the view's content, with the strip under it or elsewhere."""
        frame = () if _composing.get() else (Frame(layout={"display": "none"}),)
        self.children = (*frame, *content, *((self.strip,) if strip else ()))

    def button(
        self, description: str, on_press: Callable[[Pressed], object], *, tooltip: str = "", **options: Any
    ) -> Button:
        """Make a button; `options` are further attributes of `Button`."""
        made = Button(description=description, tooltip=tooltip, **options)
        made.on_press(self.guard(on_press))
        return made

    def own(self, *models: ipywidgets.Widget) -> None:
        """Close these models with the view although they are not within it."""
        self._owned.extend(models)

    def follow(self, *logs: KeptLog[Any] | Toasts) -> None:
        """Draw now, and again whenever the queue or one of these logs changes, on average at most every 100 ms."""
        self._views.open.add(self)
        self._unsubscribe.append(self.console.store.subscribe(self.mark))
        self._unsubscribe.extend(log.on_change(self._mark_log) for log in logs)
        with self._marks:
            before, self._reported = self._reported, self.console.store.state
            self._marked.update(before.items, self._reported.items, self._reported.unread)
        self.redraw()

    def draw(self, change: Change) -> None:
        """Bring the view up to date, writing only what differs."""

    def mark(self, change: Change | None = None) -> None:
        """Note that something changed, and have it drawn soon on the drawing thread. Returns at once."""
        with self._marks:
            if change is not None:
                self._marked.update(change.item_ids)
                self._reported = change.state
            if self._is_due:
                return
            self._is_due = True
            # A token bucket: `_BURST` changes at once, then one each interval.
            now = time.monotonic()
            arrival = max(self._theoretical_arrival, now)
            self._theoretical_arrival = arrival + INTERVAL_S
        self._views.thread.put(self._draw_due, at=max(now, arrival - (_BURST - 1) * INTERVAL_S))

    def _mark_log(self) -> None:
        with self._marks:
            self._log_marked = True
        self.mark()

    def later(self, function: Callable[[], object], seconds: float = 0.0) -> None:
        """Run a function on the drawing thread, guarded and with the lock held, unless the view is closed by then."""

        def work() -> None:
            with self.lock:
                if not self._closed:
                    self.guard(function)()

        self._views.thread.put(work, at=time.monotonic() + seconds)

    def guard(self, function: Callable[P, T]) -> Callable[P, T | None]:
        """`function`, with what it raises shown in the strip and kept in `console.errors` instead."""

        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - nobody would see a callback's exception
                self.fail(error)
                return None

        return guarded

    def run(
        self,
        work: Coroutine[Any, Any, T],
        done: Callable[[T], object] | None = None,
        *,
        button: Button | None = None,
        always: Callable[[], object] | None = None,
    ) -> None:
        """Start work on the console's thread and return at once; a failure is shown in the strip.

        Args:
            work: such as `console.actions.cancel(5)`.
            done: called with the result, on the drawing thread.
            button: busy meanwhile; while it is, nothing is started again.
            always: called at the end, successful or not, on the drawing thread.
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

        def show(result: T | BaseException) -> None:
            if isinstance(result, BaseException):
                self.fail(result)
            elif done is not None:
                self.guard(done)(result)
            ended()

        try:
            self.console.start(work, lambda result: self.later(lambda: show(result)))
        except InvalidRequest as error:  # the console was closed
            self.fail(error)
            self.guard(ended)()

    def fail(self, error: BaseException) -> None:
        """Show an error in the strip, and keep it in `console.errors`; the same exception is kept once."""
        if isinstance(error, JobException):
            record = error
            what, remedy = error.message, error.suggestion
        else:
            logger.debug("a view failed", exc_info=error)
            record = classify.unknown(error, type(self).__name__)
            what, remedy = record.message, ""
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

    @property
    def closed(self) -> bool:
        return self._closed

    # -- drawing -----------------------------------------------------------------------------------------------------

    def _draw_due(self) -> None:
        with self._marks:
            self._is_due = False
        self.redraw()

    def redraw(self) -> None:
        """Draw now, on this thread, which is not the console's."""
        with self.lock:
            if self._closed:
                return
            with self._marks:
                # The state that was reported with these ids, not the newest one: that may hold changes of which the
                # ids are yet to come, and views look only at the ids of a change.
                change = Change(self._reported, frozenset(self._marked))
                self._marked = set()
                self.log_changed, self._log_marked = self._log_marked, False
            try:
                self._forgive_what_is_over()
                self.draw(change)
            except Exception as error:  # noqa: BLE001 - as in `guard`
                # Once: the error log, which follows its own records, would fail for ever.
                if (said := repr(error)) != self._drawing_fails:
                    self._drawing_fails = said
                    self.fail(error)
            else:
                self._drawing_fails = ""

    def _draw_strip(self) -> None:
        newest = list(self._failures.items())[: -_STRIP_LINES - 1 : -1]
        lines = "<br>".join(f'<span class="iw-remedy">{failure.at:%H:%M:%S}</span> {line}' for line, failure in newest)
        self._strip.value = f'<div class="iw-strip" role="alert">{lines}</div>' if lines else ""
        self.strip.layout.display = None if lines else "none"

    def _forgive_what_is_over(self) -> None:
        """Once the server is back, stop saying that it is away."""
        mode = self.console.store.state.connection.mode
        if mode == "reconnecting":
            self._was_away = True
        elif self._was_away and mode in ("live", "polling"):
            self._was_away = False
            if any(failure.is_away for failure in self._failures.values()):
                self._failures = {line: failure for line, failure in self._failures.items() if not failure.is_away}
                self._draw_strip()

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
        first = self._snapshot is None
        if self._snapshot is None:
            self._snapshot = Snapshot(self, publish)
            self.children = (*self.children, self._snapshot.hiding)
        publish({**super()._repr_mimebundle_(), "text/plain": f"{self!r} needs its kernel; its last state:"})
        self._snapshot.show()
        if first:
            self.run(self._snapshot.follow())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.console.url!r})"

    # -- closing -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop following, and close every model of the view. May be called twice."""
        if self._closed:
            return
        if self._snapshot is not None:
            self._snapshot.end()
        self._closed = True
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._views.open.discard(self)
        models = [*models_within(self), *(m for owned in self._owned for m in models_within(owned))]
        for model in models:
            if isinstance(model, View) and model is not self:
                model.close()
        for model in models:
            # Their order does not matter; closing one again does nothing.
            ipywidgets.Widget.close(model)


class ActingView(View):
    """A view with buttons, and a line that says in words what the last one did.

    Args:
        console: what is acted on.
        on_said: called with each such sentence, to show it elsewhere too.

    Attributes:
        said: the last sentence.
        status_line: shows it.
    """

    def __init__(self, console: Console, *, on_said: Callable[[str], object] | None = None) -> None:
        super().__init__(console)
        self._on_said = on_said
        self.said = ""
        self.status_line = ipywidgets.HTML()
        self.own(self.status_line)  # not every part shows it

    def act(self, button: Button, work: Coroutine[Any, Any, T], outcome: Callable[[T], str]) -> None:
        """Start what a button is for; until it has ended, the button shows that it is busy.

        Args:
            button: clicking it again meanwhile does nothing.
            work: such as `console.actions.prune()`.
            outcome: puts the result into words.
        """
        with self.lock:
            if not button.busy:
                self.forgive()
            self.run(work, lambda result: self.say(outcome(result)), button=button, always=self.redraw)

    def say(self, sentence: str) -> None:
        """Show what was done, in words."""
        with self.lock:
            self.said = sentence
            self.status_line.value = f'<div class="iw-said" role="status">{html.escape(sentence)}</div>'
        if self._on_said is not None:
            self._on_said(sentence)


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
    """Set the options and the choice among them: setting options alone would choose the first."""
    if widget.options != options:
        widget.options = options
    put(widget, "value", value)


def models_within(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """A widget and every model that it refers to: children, layouts, styles."""
    found: dict[int, ipywidgets.Widget] = {}

    def widgets_in(value: Any) -> Sequence[ipywidgets.Widget]:
        if isinstance(value, ipywidgets.Widget):
            return (value,)
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list | tuple):
            return [inner for one in value for inner in widgets_in(one)]
        return ()

    def visit(model: ipywidgets.Widget) -> None:
        if id(model) not in found:
            found[id(model)] = model
            for name in model.keys:  # each has its value: a model sends them all when it is made
                for inner in widgets_in(getattr(model, name)):
                    visit(inner)

    visit(widget)
    return list(found.values())
