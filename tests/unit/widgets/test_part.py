"""What every part shares: drawing on a thread of its own, errors shown and kept, messages, closing."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import invoke_widgets
from invoke_widgets.errors import InvalidRequest, ServerUnreachable
from invoke_widgets.sync import Change
from invoke_widgets.widgets.part import Part, script
from tests.support.parts import ask
from tests.support.table_console import FedConsole, item
from tests.support.wire import until


class Recorder(Part):
    """A view that records what it draws, and on which thread."""

    def __init__(self, console: Any, *logs: Any) -> None:
        self.changes: list[Change] = []
        self.threads: list[str] = []
        self.error: Exception | None = None
        super().__init__(console)
        self.follow(*logs)

    @property
    def drawn(self) -> list[frozenset[int]]:
        return [change.item_ids for change in self.changes]

    def draw(self, change: Change) -> None:
        self.changes.append(change)
        self.threads.append(threading.current_thread().name)
        if self.error is not None:
            raise self.error


@pytest.fixture
def console() -> Iterator[Any]:
    with FedConsole([item(1)]) as console:
        yield console


def test_views_draw_on_one_thread_that_is_not_the_consoles(console: Any) -> None:
    """All views of a console are drawn on one thread, and none on the console's own."""
    views = [Recorder(console), Recorder(console)]
    console.feed([item(2)])
    until(lambda: all(len(view.drawn) == 2 for view in views), "both to draw")
    assert {"invoke-widgets drawing"} == {view.threads[1] for view in views}


def test_a_view_that_is_locked_does_not_delay_the_console(console: Any) -> None:
    """While something holds a view's lock, changes go on being taken; they are drawn together afterwards."""
    view = Recorder(console)
    with view.lock:
        for item_id in range(2, 100):
            console.feed([item(item_id)])  # each waits for the console's thread
        assert 1 == len(view.drawn)
    until(lambda: set().union(*view.drawn) == set(range(1, 100)), "all to be drawn")
    assert 10 > len(view.drawn)


def test_a_draw_has_the_ids_of_all_that_its_state_holds(console: Any) -> None:
    """A view that is drawn before it is notified of a change draws the state before it: it looks at ids alone."""
    views: list[Recorder] = []
    console.internals.store.subscribe(lambda change: views[0].redraw())  # notified first, after the state was replaced
    views.append(Recorder(console))
    console.feed([item(2)])
    until(lambda: len(views[0].changes) == 3, "both draws")
    assert [1, 1, 2] == [len(change.state.items) for change in views[0].changes]
    assert [{1}, set(), {2}] == [change.item_ids for change in views[0].changes]


def test_first_changes_are_drawn_at_once_and_later_ones_together(console: Any) -> None:
    """A hundred changes within a moment cost some draws; the last one is drawn all the same."""
    view = Recorder(console)
    began = time.monotonic()
    console.feed([item(2)])
    until(lambda: len(view.drawn) == 2, "the first change")
    assert 5 > time.monotonic() - began
    for item_id in range(3, 103):
        console.feed([item(item_id)])
    until(lambda: 102 in view.drawn[-1], "the last change")
    assert 40 > len(view.drawn)


def test_a_log_redraws_the_views_that_follow_it_alone(console: Any) -> None:
    """A recorded error is drawn by a view that follows the error log, and by no other."""
    follower, other = Recorder(console, console.errors), Recorder(console)
    console.errors.record_exception(InvalidRequest("No."))
    until(lambda: len(follower.drawn) == 2, "the follower to draw")
    console.settle()
    assert 1 == len(other.drawn)


def test_repeated_failures_are_logged_each_and_one_exception_once(console: Any) -> None:
    """Three equal errors are three records, and the same exception shown twice is one."""
    view = Part(console)
    for _ in range(3):
        view.fail(InvalidRequest("That cannot be."))
    assert 3 == len(console.errors)
    again = InvalidRequest("Nor that.")
    view.fail(again)
    view.fail(again)
    assert 4 == len(console.errors)
    assert ["Nor that.", "That cannot be."] == [failure["what"] for failure in view.failures]


def test_a_view_that_cannot_be_drawn_says_so_once(console: Any) -> None:
    """Also when it follows the very log in which its failure is recorded."""
    view = Recorder(console, console.errors)
    view.error = ZeroDivisionError("no")
    for item_id in range(2, 5):
        console.feed([item(item_id)])
        console.settle()
    until(lambda: len(view.drawn) >= 2, "the attempts")
    assert 1 == len(console.errors)
    view.error = None
    console.feed([item(9)])
    until(lambda: 9 in set().union(*view.drawn), "it to draw again")


def test_drawing_ends_with_the_console() -> None:
    """No thread is left of a console that is closed."""
    before = set(threading.enumerate())
    with FedConsole([item(1)]) as console:
        Part(console)  # type: ignore[arg-type]
        (thread,) = (t for t in set(threading.enumerate()) - before if t.name == "invoke-widgets drawing")
    thread.join(10)
    assert not thread.is_alive()


def test_nothing_keeps_a_view_that_is_closed(console: Any) -> None:
    """A closed view has no subscription left, neither to the queue nor to a log."""
    views = [Recorder(console, console.errors)]
    reference = weakref.ref(views[0])
    console.feed([item(2)])
    until(lambda: len(views[0].drawn) == 2, "a draw")
    views.pop().close()
    console.settle()
    gc.collect()
    assert None is reference()


def test_offline_errors_go_when_the_server_is_back(console: Any) -> None:
    """Other errors stay."""
    view = Recorder(console)
    console.internals.store.set_connection(mode="reconnecting")
    view.fail(ServerUnreachable("It is offline.", suggestion="Start it."))
    view.fail(InvalidRequest("That cannot be."))
    console.settle()
    assert ["That cannot be.", "It is offline."] == [failure["what"] for failure in view.failures]
    assert "Start it." == view.failures[1]["remedy"]
    console.internals.store.set_connection(mode="live")
    until(lambda: [failure["what"] for failure in view.failures] == ["That cannot be."], "the other one to go")


def test_a_failure_can_be_dismissed_from_the_page(console: Any) -> None:
    """One by what it says; the others stay."""
    view = Part(console)
    for what in ("One.", "Two."):
        view.fail(InvalidRequest(what))
    ask(view, "forgive", what="One.")
    assert ["Two."] == [failure["what"] for failure in view.failures]


def test_a_message_that_no_part_knows_is_ignored(console: Any) -> None:
    """Nor can a page call anything else by its name; wrong arguments are an error that is shown."""
    view = Part(console)
    for name in ("close", "_draw_failures", "nonsense"):
        ask(view, name)
    assert (False, []) == (view.closed, view.failures)
    ask(view, "undo", nonsense=1)
    assert "nonsense" in view.failures[0]["what"]


def test_scripts_are_small() -> None:
    """The console's, each once, with the view library: less than 120 kB; for workflows less than 40 kB more."""
    names = {path.name for path in (Path(invoke_widgets.__file__).parent / "widgets/static").glob("*.js")} - {"ui.js"}
    of_workflows = {"workflow_form.js", "grid.js", "gallery.js", "full_view.js"}
    console = len(script(*(names - of_workflows)).encode())
    assert console < 120_000
    assert len(script(*names).encode()) - console < 40_000


def test_scripts_have_nothing_for_readers_only() -> None:
    """No comment on a line of its own, no indentation."""
    own = script("table.js").partition("const { h, html")[2]
    assert "class Table {\n" in own
    assert [] == [line for line in own.splitlines() if not line or line.startswith((" ", "//", "/*", "* ", "*/"))]
