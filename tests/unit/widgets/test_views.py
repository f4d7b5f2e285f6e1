"""The views around the table, without a server: what they show, and what late or quick clicks and changes come to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import ipywidgets
import pytest

from invoke_widgets.alerts.messages import Message
from invoke_widgets.errors import InvalidRequest, ServerUnreachable
from invoke_widgets.records import COMPLETED, FAILED, PENDING, Cancellation, QueueItem
from invoke_widgets.widgets import pool
from invoke_widgets.widgets.base import View, models_within
from invoke_widgets.widgets.controls import Controls
from invoke_widgets.widgets.dashboard import Dashboard
from invoke_widgets.widgets.drafts import Draft
from invoke_widgets.widgets.error_log import ErrorLog
from invoke_widgets.widgets.frame import Frame
from invoke_widgets.widgets.queue_table import QueueTable
from invoke_widgets.widgets.results import Results
from invoke_widgets.widgets.submitter import JobSubmitter, recent
from invoke_widgets.widgets.toasts import Toasts
from tests.support.pressing import button, enabled, press, reads, text
from tests.support.table_console import START, FedConsole, item
from tests.support.wire import until

GRAPH = {"nodes": {"a": {"type": "add", "a": 1}}, "edges": []}


class Actions:
    """What views ask for, kept; checks find no fault."""

    def __init__(self) -> None:
        self.cleared = 0
        self.canceled: list[int] = []

    async def check(self, graph: Any, *, runs: int = 1, **_: Any) -> int:
        return runs

    async def clear(self) -> Cancellation:
        self.cleared += 1
        return Cancellation(scope="clear", outcome="canceled", requested_at=START)

    async def cancel(self, item_id: int) -> Cancellation:
        self.canceled.append(item_id)
        return Cancellation(scope="item", outcome="canceled", item_ids=(item_id,), requested_at=START)


class Console(FedConsole):
    """A live one, with toasts that tests fill."""

    def __init__(self, items: list[QueueItem]) -> None:
        super().__init__(items)
        self.actions = Actions()
        self.toasts = SimpleNamespace(showing=(), dismiss=lambda _=None: None)
        self.alerts = SimpleNamespace(toasts=self.toasts)
        self.store.set_connection(mode="live")


@pytest.fixture
def console() -> Iterator[Any]:
    with Console([item(i) for i in (1, 2, 3)]) as console:
        yield console


def failed(item_id: int) -> QueueItem:
    """One of several with equal errors."""
    told = {"error_type": "RuntimeError", "error_message": "out of luck", "error_traceback": "Traceback: no luck"}
    return item(item_id, FAILED, **told)


def late(pressed: Any, about: Any) -> None:
    """A click that was made when the button was about something else."""
    pressed._handle_custom_msg({"t": "press", "about": about, "choice": None, "values": {}}, [])


def test_one_style_sheet_for_all(console: Any) -> None:
    """The outermost view alone brings it, and the script that keeps its keys; a part that is alone brings its own."""
    dashboard = Dashboard(console)
    assert 1 == len([model for model in models_within(dashboard) if isinstance(model, Frame)])
    htmls = [model for model in models_within(dashboard) if isinstance(model, ipywidgets.HTML)]
    assert [] == [model.value for model in htmls if "<style>" in model.value]
    assert isinstance(Controls(console).children[0], Frame)
    assert isinstance(QueueTable(console).children[0], Frame)
    assert "<style>" in QueueTable(console, fallback=True).children[0].value


def test_clear_does_what_it_said(console: Any) -> None:
    """A click on "clear 3 items" that arrives when there are 103 asks again."""
    controls = Controls(console)
    press(controls, "clear …")
    really = button(controls, "clear 3 items")
    console.feed(item(i) for i in range(4, 104))
    reads(controls, "Clear deletes 103 items")
    late(really, 3)
    console.settle()
    assert (0, "clear 103 items") == (console.actions.cleared, really.description)
    late(really, 103)
    until(lambda: console.actions.cleared == 1, "the queue to be cleared")


def test_what_was_away_is_not_told_once_it_is_back(console: Any) -> None:
    """The strip forgets that the server was away when it is live again; what else went wrong stays."""
    controls = Controls(console)
    console.store.set_connection(mode="reconnecting")
    controls.fail(ServerUnreachable("It is offline.", suggestion="Start it."))
    controls.fail(InvalidRequest("That cannot be."))
    console.settle()
    assert "It is offline. Start it." in reads(controls, "That cannot be.")
    console.store.set_connection(mode="live")
    until(lambda: "It is offline." not in text(controls), "the strip to forget it")
    assert "That cannot be." in text(controls)


def test_a_toast_stands_once(console: Any) -> None:
    """When the first of three is dismissed, each of the others leaves its place before it is in the next one."""
    messages = [Message(kind="job.failed", severity="error", title=f"number {n}") for n in range(4)]
    console.toasts.showing = tuple(reversed(messages))
    toasts = Toasts(console)
    twice = []

    def look(_: object) -> None:
        titles = [slot._text.value for slot in toasts._slots if slot._text.value]
        if len(titles) != len(set(titles)):
            twice.append(titles)

    for slot in toasts._slots:
        slot._text.observe(look, names="value")
    console.toasts.showing = tuple(reversed(messages[1:]))
    console.feed([item(4)])
    until(lambda: "number 3" in toasts._slots[2]._text.value, "the fourth one")
    assert [] == twice


def test_an_equal_error_leaves_what_is_open(console: Any) -> None:
    """It changes the count, and neither the message nor the traceback, which may be open, marked or have the focus."""

    def record(item_id: int) -> None:
        console.errors.record_failure(failed(item_id))
        console.feed([failed(item_id)])

    record(11)
    log = ErrorLog(console)
    changed = []
    for part in (log._message, log._traceback):
        part.observe(changed.append, names="value")
    record(12)
    reads(log, "12, 11")
    assert [] == changed


def test_forgetting_can_be_called_off(console: Any) -> None:
    """The question whether to forget all errors has an answer that keeps them."""
    console.errors.record_failure(failed(11))
    log = ErrorLog(console)
    assert "keep" not in enabled(log)
    press(log, "forget all")
    press(log, "keep")
    assert (1, "forget all …") == (len(console.errors), button(log, "forget").description)
    assert "keep" not in enabled(log)


def test_a_result_that_comes_while_others_are_read(console: Any) -> None:
    """What is asked for during a read is read after it."""
    go_on = threading.Event()

    class Client:
        async def get_queue_item(self, item_id: int) -> QueueItem:
            await asyncio.to_thread(go_on.wait, 10)
            return item(item_id, COMPLETED, session={"results": {}, "source_prepared_mapping": {}})

    console.client = Client()
    console.feed_over(item(3, COMPLETED))
    results = Results(console)
    console.feed_over(item(2, COMPLETED))
    console.settle()
    results.load()
    go_on.set()
    until(lambda: set(results._results) == {2, 3}, "both results")


def test_a_change_while_the_list_is_drawn_is_checked(console: Any) -> None:
    """What is typed while another thread draws the remembered drafts is not taken for part of that."""
    form = JobSubmitter(console, graph=GRAPH)
    reads(form, "1 item, at the end")
    drawing, go_on = threading.Event(), threading.Event()
    form.recent.observe(lambda _: (drawing.set(), go_on.wait(10)), names="options")
    recent(console).appendleft(Draft(graph={}, label="one"))
    threads = [threading.Thread(target=form.redraw)]
    threads[0].start()
    assert drawing.wait(10)
    threads.append(threading.Thread(target=lambda: form._graph.set_trait("value", '{"nodes": ')))
    threads[1].start()
    until(lambda: form._graph.value == '{"nodes": ', "the change")
    go_on.set()
    for thread in threads:
        thread.join()
    assert "graph: line 1" in reads(form, "graph: line 1")
    assert button(form, "enqueue").disabled


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"runs": "3"}, 'runs: should be an integer from 1 to 10,000, got "3".'),
        ({"runs": 0}, "runs: should be an integer from 1 to 10,000, got 0."),
        ({"runs": 2.0}, "runs: should be an integer from 1 to 10,000, got 2.0."),
        ({"runs": True}, "runs: should be an integer from 1 to 10,000, got true."),
        ({"runs": 20_000}, "runs: should be an integer from 1 to 10,000, got 20000."),
        ({"data": 5}, "data: should be a list of groups of values, got 5."),
        ({"data": "abc"}, 'data: should be a list of groups of values, got "abc".'),
        ({"data": [7]}, "data[0]: should be a group of values, got 7."),
        ({"destination": 5}, "destination: should be a text, got 5."),
        ({"prepend": "yes"}, 'graph: prepend should be true or false, got "yes".'),
    ],
)
def test_a_batch_is_not_changed_in_silence(console: Any, batch: dict[str, Any], words: str) -> None:
    """What the form cannot hold of a pasted batch is told at its field, and nothing can be enqueued."""
    form = JobSubmitter(console)
    form._graph.value = json.dumps({"graph": GRAPH, **batch})
    place = words.partition(":")[0].partition("[")[0]
    assert [place] == [name for name, line in form._errors.items() if line.value]
    assert words in text(form)
    assert (0, True) == (len(console.errors), button(form, "enqueue").disabled)


def test_runs_that_do_not_fit_are_refused(console: Any) -> None:
    """A number of runs that the form cannot hold is an error, not another number."""
    with pytest.raises(InvalidRequest, match=r"runs: should be an integer from 1 to 10,000, got 20000\."):
        JobSubmitter(console, graph=GRAPH, runs=20_000)


def test_what_is_left_out_is_named(console: Any) -> None:
    """Parts of the body of an enqueue request that the form does not send are named until the graph is changed."""
    form = JobSubmitter(console)
    body = {"graph": GRAPH, "runs": 2, "origin": "workflows", "workflow": {"name": "w"}, "batch_id": "mine"}
    form._graph.value = json.dumps({"batch": body, "prepend": True})
    reads(form, "Left out, since the form does not send it: batch_id, origin, workflow.")
    assert (2, True) == (form._runs.value, form._prepend.value)
    form._runs.value = 3
    assert "Left out" in text(form)
    form._graph.value = json.dumps(GRAPH)
    assert "Left out" not in text(form)


def test_values_without_a_field_are_told_there(console: Any) -> None:
    """The error stands at the row whose field is empty."""
    form = JobSubmitter(console, graph=GRAPH)
    form.vary()
    form.vary()
    form._rows[1].values.value = "[1, 2]"
    assert ["", True] == [form._rows[0].error.value, "These values need a field" in form._rows[1].error.value]


def test_the_pool_is_about_the_item_that_was_there(console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A button names its item; a click just after another one came into the row does nothing, and says why."""
    table = QueueTable(console, fallback=True)
    assert table._pool is not None
    first = table._pool._rows[0]
    assert "✕ 3" == first._button.description
    monkeypatch.setattr(pool, "_STILL_S", 3600)
    console.feed([item(4)])
    until(lambda: first._button.description == "✕ 4", "the arrival")
    first._button.click()
    assert "Nothing was done: the rows had just moved." in table._pool._said.value
    assert [] == console.actions.canceled
    monkeypatch.setattr(pool, "_STILL_S", 0)
    first._button.click()
    until(lambda: console.actions.canceled == [4], "the cancel")


def test_the_pool_brings_an_item_into_sight() -> None:
    """Also one that the choice of a status hides."""
    with FedConsole(item(i, FAILED if i == 7 else PENDING) for i in range(1, 41)) as console:
        table = QueueTable(console, fallback=True)  # type: ignore[arg-type]
        assert table._pool is not None
        table._pool._status.value = PENDING
        table.show_item(7)
        assert "↻ 7" in [row._button.description for row in table._pool._rows]
        assert ("all", 25) == (table._pool._status.value, table._pool._from.value)
        table.close()


def test_the_pool_keeps_still_further_down() -> None:
    """At the top the newest appear; further down the rows stay what they are while others arrive."""
    with Console([item(i, PENDING) for i in range(1, 41)]) as console:
        table = QueueTable(console, fallback=True)  # type: ignore[arg-type]
        assert table._pool is not None

        def first() -> str:
            assert table._pool is not None
            return str(table._pool._rows[0]._button.description)

        table._pool._older.click()
        assert ("✕ 24", 17) == (first(), table._pool._from.value)
        console.feed(item(i) for i in (41, 42))
        until(lambda: table._pool is not None and table._pool._from.value == 19, "the arrivals")
        assert "✕ 24" == first()
        table._pool._newest.click()
        assert "✕ 42" == first()


def test_views_of_core_widgets_load_no_script(console: Any) -> None:
    """Each part that is told to do without has none of ours."""
    parts: list[type[View]] = [Controls, JobSubmitter, ErrorLog, Results, QueueTable, Dashboard]
    for part in parts:
        view = part(console, fallback=True)  # type: ignore[call-arg]
        assert [] == [type(model).__name__ for model in models_within(view) if hasattr(model, "_esm")]
