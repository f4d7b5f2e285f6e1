"""`Part`: what every view of a console shares.

A part is one anywidget: its traits are what the page draws, and a click is a message to it. It draws from the console's
store and acts through the console's actions; it keeps no state of the queue itself, so any number of parts of one
console stay in step. Changes are only noted on the thread that reports them. One thread per console draws them, so that
neither a long queue nor a busy kernel delays the thread that talks to the server.

Clicks arrive on the kernel's thread (in ipykernel 7.0 to 7.3 on yet another), so `Part.lock` guards what both touch.
"""

from __future__ import annotations

import contextvars
import functools
import gc
import heapq
import itertools
import logging
import re
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import anywidget
import traitlets

from invoke_widgets.errors import InvalidRequest, JobException, NetworkError, classify
from invoke_widgets.records import Cancellation
from invoke_widgets.sync import Change
from invoke_widgets.widgets import kernel
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.snapshot import Snapshot, publisher
from invoke_widgets.widgets.text import clean

if TYPE_CHECKING:
    from invoke_widgets.alerts import Toasts
    from invoke_widgets.console import Console
    from invoke_widgets.history import Log

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

_FAILURES_SHOWN = 3
_MOST_UNDONE = 1_000
"""Items that can be brought back by a click."""
_STATIC = Path(__file__).parent / "static"


def _text(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


_FOR_READERS = re.compile(r"^[ \t]*(?://.*\n|/\*(?s:.*?)\*/[ \t]*\n)|^[ \t]+|^\n", re.MULTILINE)
"""Comments on lines of their own, indentation and empty lines."""


def script(*names: str) -> str:
    """The module of a part: the view library, what all parts share, and then the part's own files, in this order.

    Without what is there for readers only: each view sends its module to the page, and a saved notebook keeps it.
    """
    library = f"const htmPreact = {{}};\n((exports, module) => {{{_text('vendor/htm-preact.js')}}})(htmPreact, {{}});\n"
    return library + "".join(_FOR_READERS.sub("", _text(name)) for name in ("ui.js", *names))


STYLE = _text("ui.css")
"""The design system."""


def style(*names: str) -> str:
    """The style sheet of a part: the design system, and then the part's own files."""
    return "\n".join([STYLE, *map(_text, names)])


INTERVAL_S = 0.1
_BURST = 6
"""Changes after a quiet time that are drawn at once: a short job starts and ends within 20 ms."""


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
            except ReferenceError:  # the console was collected meanwhile; its views are about to be closed
                pass
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
    """The open views of a console, and the thread that draws them: `open` and `thread`.

    ipywidgets keeps each widget until it is closed, and a view keeps its console. So when the cell that made the first
    view is run again, and connects to the same queue, the views that were made and shown in that cell alone give up
    their hold: unless something else refers to the console, it is collected, and they are closed with it.
    """

    def __init__(self, console: Console) -> None:
        self.open: weakref.WeakSet[Part] = weakref.WeakSet()
        self.thread = DrawingThread()
        console.internals.on_close(self._close)
        # A console that is collected rather than closed: that may be on any thread, which must not wait.
        weakref.finalize(console, self.thread.put, self._close).atexit = False
        self._cell = kernel.current_cell()
        self._console = weakref.ref(console)
        if self._cell is not None:
            made = self._cell, console.url, console.queue_id
            if (before := _made.get(made)) is not None:
                kernel.after_cell(before.let_go)
            _made[made] = self

    def let_go(self) -> None:
        """Keep the console no longer; called when the cell has been run again."""
        if (console := self._console()) is not None:
            self._hold_weakly(console)
            del console
            gc.collect()

    def _hold_weakly(self, console: Console) -> None:
        mine = [view for view in self.open if view.cells == {self._cell}]
        for view in mine:
            view.console = weakref.proxy(console)
        kernel.forget_outputs(lambda value: value is console or any(value is view for view in mine))

    def _close(self) -> None:
        for view in list(self.open):
            view.close()
        self.thread.stop()


_views: weakref.WeakKeyDictionary[Console, Views] = weakref.WeakKeyDictionary()
_views_lock = threading.Lock()
_made: weakref.WeakValueDictionary[tuple[str, str, str], Views] = weakref.WeakValueDictionary()
"""By cell, address and queue: the views of the console that was made there last."""


def views_of(console: Console) -> Views:
    """A console's views."""
    with _views_lock:
        if (views := _views.get(console)) is None:
            views = _views[console] = Views(console)
        return views


Said = Mapping[str, Any]
"""An outcome; see `Part.said`."""


class _Failure(NamedTuple):
    at: datetime
    what: str
    remedy: str
    is_away: bool


class Part(anywidget.AnyWidget):
    """A view of a console, alone or within another one.

    A subclass sets `_esm = script(...)` and `_css = style(...)`, declares traits with `sync=True` for what its page
    draws, and calls `follow()` at the end of its `__init__`. It overrides `draw()`, `handlers()`, and `as_html()` and
    `as_text()` for pages without a kernel. Whatever talks to the server goes through `run()` or `act()`.

    Args:
        console: what is shown.
        on_said: called with `said` after each action, to show it elsewhere too.

    Attributes:
        lock: held while drawing. Take it wherever a callback and `draw` touch the same thing, but never on the
            console's own thread.
        said: the last outcome: `text`, `at` in seconds since 1970, `undo`, the ids of items that a retry brings back,
            where that undoes it, and `batch`, the id of a batch that was made.
        cells: the cells in which it was made and shown.
        log_changed: in `draw`, whether one of the logs that are followed has changed.
    """

    failures: traitlets.List[Any] = traitlets.List().tag(sync=True)
    said: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    busy: traitlets.List[str] = traitlets.List().tag(sync=True)
    saved = traitlets.Unicode().tag(sync=True)

    _closed = True  # until there is something to close: a half-made widget is closed when it is collected

    def __init__(self, console: Console, *, on_said: Callable[[Said], object] | None = None, **values: Any) -> None:
        self.console = console
        self.lock = threading.RLock()
        self._url = console.url
        self.cells = {kernel.current_cell()}
        self._on_said = on_said
        self._unsubscribe: list[Callable[[], None]] = []
        self._snapshot: Snapshot | None = None
        self._marks = threading.Lock()  # held for moments only, unlike `lock`
        self._marked: set[int] = set()
        self._is_due = False
        self._reported = console.internals.store.state
        self._log_marked = True
        self.log_changed = True
        self._due: set[Callable[[], object]] = set()
        self._theoretical_arrival = 0.0
        self._views = views_of(console)
        self._drawing_fails = ""
        self._failed: dict[str, _Failure] = {}
        self._was_away = False
        self._handlers: dict[str, Callable[..., object]] = {
            "forgive": self.forgive,
            "undo": self.undo,
            **self.handlers(),
        }
        self._closed = False
        super().__init__(**values)
        self.on_msg(self._receive)

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def draw(self, change: Change) -> None:
        """Bring the traits up to date; setting one to what it is already sends nothing."""

    def handlers(self) -> dict[str, Callable[..., object]]:
        """What the page may ask for, by name; called with the arguments of its message, on the kernel's thread."""
        return {}

    def follow(self, *logs: Log[Any] | Toasts) -> None:
        """Draw now, and again whenever the queue or one of these logs changes, on average at most every 100 ms."""
        self._views.open.add(self)
        self._unsubscribe.append(self.console.internals.store.subscribe(self.mark))
        self._unsubscribe.extend(log.on_change(self._mark_log) for log in logs)
        with self._marks:
            before, self._reported = self._reported, self.console.internals.store.state
            self._marked.update(before.items, self._reported.items, self._reported.unread)
        self.redraw()

    def until_closed(self, unsubscribe: Callable[[], None]) -> None:
        """Call a function when the part closes."""
        self._unsubscribe.append(unsubscribe)

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
        """Run a function on the drawing thread, guarded and with the lock held, unless the part is closed by then."""

        def work() -> None:
            with self.lock:
                if not self._closed:
                    self.guard(function)()

        self._views.thread.put(work, at=time.monotonic() + seconds)

    def later_once(self, method: Callable[[], object], seconds: float) -> None:
        """The same, unless this method is due already."""

        def work() -> None:
            self._due.discard(method)
            method()

        if method not in self._due:
            self._due.add(method)
            self.later(work, seconds)

    def post(self, message: dict[str, Any], buffers: tuple[bytes, ...] = (), *, page: str = "") -> None:
        """Send a message from the drawing thread, so that it keeps its place among the changes.

        Args:
            message: JSON.
            buffers: binary data.
            page: the page that asked; by default all pages receive it.
        """
        self.later(lambda: self.send({**message, "to": page} if page else message, list(buffers)))

    def guard(self, function: Callable[P, T]) -> Callable[P, T | None]:
        """`function`, with what it raises shown in the part and kept in `console.errors` instead."""

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
        key: str = "",
        always: Callable[[], object] | None = None,
    ) -> None:
        """Start work on the console's thread and return at once; a failure is shown in the part.

        Args:
            work: such as `console.internals.actions.cancel(5)`.
            done: called with the result, on the drawing thread.
            key: listed in `busy` meanwhile; while it is, nothing is started again with the same key.
            always: called at the end, successful or not, on the drawing thread.
        """
        if key:
            with self.lock:
                if key in self.busy:
                    work.close()
                    return
                self.busy = [*self.busy, key]

        def ended() -> None:
            if key:
                self.busy = [one for one in self.busy if one != key]
            if always is not None:
                always()

        def show(result: T | BaseException) -> None:
            if isinstance(result, BaseException):
                self.fail(result)
            elif done is not None:
                self.guard(done)(result)
            ended()

        try:
            self.console.internals.start(work, lambda result: self.later(lambda: show(result)))
        except InvalidRequest as error:  # the console was closed
            self.fail(error)
            self.guard(ended)()

    def act(self, key: str, work: Coroutine[Any, Any, T], outcome: Callable[[T], str]) -> None:
        """Start what a button is for, and say what came of it.

        Args:
            key: of the button; it is busy until the work has ended, and clicking it again meanwhile does nothing.
            work: such as `console.internals.actions.prune()`.
            outcome: puts the result into words.
        """
        with self.lock:
            if key not in self.busy:
                self.forgive()
            self.run(work, lambda result: self.say(outcome(result)), key=key, always=self.redraw)

    def say(self, text: str, *, undo: Sequence[Cancellation] = (), batch: str = "") -> None:
        """Show what was done, in words.

        Args:
            text: the words.
            undo: cancellations, whose items a click brings back if they are few enough.
            batch: the batch that was made.
        """
        said: dict[str, Any] = {"text": clean(text), "at": time.time()}
        ids = [item_id for record in undo if record.outcome == "canceled" for item_id in record.item_ids]
        may_undo = 0 < len(ids) <= _MOST_UNDONE
        self.repeat(said | ({"undo": ids} if may_undo else {}) | ({"batch": batch} if batch else {}))

    def repeat(self, said: Said) -> None:
        """Show what was done in another part."""
        with self.lock:
            if not self._closed:
                self.said = dict(said)
        if self._on_said is not None:
            self._on_said(said)

    def undo(self, item_ids: list[int]) -> None:
        """Start retrying items that were canceled, and return at once."""
        self.act("undo", self.console.internals.actions.retry(item_ids), words.retried)

    def fail(self, error: BaseException) -> None:
        """Show an error in the part, and keep it in `console.errors`; the same exception is kept once."""
        if isinstance(error, JobException):
            record = error
            what, remedy = error.message, error.suggestion
        else:
            logger.debug("a view failed", exc_info=error)
            record = classify.unknown(error, type(self).__name__)
            what, remedy = record.message, ""
        self.console.errors.record_exception(record)
        with self.lock:
            if self._closed:
                return
            what = clean(what)
            self._failed.pop(what, None)
            self._failed[what] = _Failure(
                datetime.now().astimezone(), what, clean(remedy), isinstance(error, NetworkError)
            )
            self._draw_failures()

    def forgive(self, what: str | None = None) -> None:
        """Stop showing an error, or all of them."""
        with self.lock:
            self._failed = {} if what is None else {key: one for key, one in self._failed.items() if key != what}
            self._draw_failures()

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
                # ids are yet to come, and parts look only at the ids of a change.
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

    def _draw_failures(self) -> None:
        newest = list(self._failed.values())[: -_FAILURES_SHOWN - 1 : -1]
        self.failures = [{"at": f"{one.at:%H:%M:%S}", "what": one.what, "remedy": one.remedy} for one in newest]

    def _forgive_what_is_over(self) -> None:
        """Once the server is back, stop saying that it is away."""
        connection = self.console.internals.store.state.connection
        if connection.mode == "reconnecting":
            self._was_away = True
        elif self._was_away and connection.is_up:
            self._was_away = False
            self._failed = {what: one for what, one in self._failed.items() if not one.is_away}
            self._draw_failures()

    def _receive(self, _: Any, message: Any, __: Any) -> None:
        if isinstance(message, dict) and message.get("t") == "act" and message.get("name") in self._handlers:
            handler, args = self._handlers[message["name"]], message.get("args") or {}
            self.guard(lambda: handler(**args))()

    # -- without widgets ---------------------------------------------------------------------------------------------

    def as_html(self) -> str:
        """The last state as HTML in which everything is escaped, for a page without a kernel."""
        return ""

    def as_text(self) -> str:
        """The last state as text."""
        return repr(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if isinstance(data, dict):
            data["text/plain"] = self.as_text()
            data["text/html"] = self.as_html()
        return bundle

    def _ipython_display_(self, **_: Any) -> None:
        """In a notebook: the live view, and its last state for the saved one. Elsewhere IPython asks for the bundle."""
        publish = publisher()
        if publish is None or self._closed:
            raise NotImplementedError
        self.cells.add(kernel.current_cell())
        first = self._snapshot is None
        if self._snapshot is None:
            self._snapshot = Snapshot(self, publish)
            self.saved = self._snapshot.name
        bundle = super()._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        publish({**(data or {}), "text/plain": f"{self!r} needs its kernel; its last state:"})
        self._snapshot.show()
        if first:
            self.run(self._snapshot.follow())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    # -- closing -----------------------------------------------------------------------------------------------------

    def within(self) -> tuple[Any, ...]:
        """The parts within this one, which are closed with it."""
        return ()

    def close(self) -> None:
        """Stop following, and close the part and those within it. May be called twice."""
        if self._closed:
            return
        if self._snapshot is not None:
            self._snapshot.end()
        self._closed = True
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._views.open.discard(self)
        for part in self.within():
            part.close()
        layout = self.layout
        super().close()
        layout.close()
