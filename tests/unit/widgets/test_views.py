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

from invoke_widgets.alerts import Message, Toasts
from invoke_widgets.errors import InvalidRequest, ServerUnreachable
from invoke_widgets.jobs import Submission
from invoke_widgets.records import COMPLETED, FAILED, Cancellation, QueueItem
from invoke_widgets.widgets.base import Frame, models_within
from invoke_widgets.widgets.controls import Controls
from invoke_widgets.widgets.dashboard import Dashboard
from invoke_widgets.widgets.drafts import Draft
from invoke_widgets.widgets.error_log import ErrorLogView
from invoke_widgets.widgets.queue_table import QueueTable
from invoke_widgets.widgets.results import ResultsView
from invoke_widgets.widgets.submitter import JobSubmitter, recent
from invoke_widgets.widgets.toasts import ToastsView
from tests.support.pressing import button, enabled, press, reads, text
from tests.support.table_console import START, FedConsole, item
from tests.support.wire import until

GRAPH = {"nodes": {"a": {"type": "add", "a": 1}}, "edges": []}


class Actions:
    """What views ask for, kept; checks find no fault."""

    def __init__(self) -> None:
        self.cleared = 0

    async def check(self, submission: Submission) -> int:
        return submission.runs

    async def clear(self) -> Cancellation:
        self.cleared += 1
        return Cancellation(scope="clear", outcome="canceled", canceled=0, item_ids=(), requested_at=START)


class Console(FedConsole):
    """A live one, with toasts that tests fill."""

    def __init__(self, items: list[QueueItem]) -> None:
        super().__init__(items)
        self.actions = Actions()
        self.toasts = Toasts()
        self.alerts = SimpleNamespace(toasts=self.toasts)
        self.store.set_connection(mode="live")


@pytest.fixture
def console() -> Iterator[Any]:
    with Console([item(i) for i in (1, 2, 3)]) as console:
        yield console


def failed(item_id: int) -> QueueItem:
    """One of several with equal errors."""
    error = {"error_type": "RuntimeError", "error_message": "out of luck", "error_traceback": "Traceback: no luck"}
    return item(item_id, FAILED, **error)


def test_only_the_outermost_view_brings_the_style_sheet(console: Any) -> None:
    """It also brings the script that routes keys; a view on its own brings its own."""
    dashboard = Dashboard(console)
    assert 1 == len([model for model in models_within(dashboard) if isinstance(model, Frame)])
    htmls = [model for model in models_within(dashboard) if isinstance(model, ipywidgets.HTML)]
    assert [] == [model.value for model in htmls if "<style>" in model.value]
    assert isinstance(Controls(console).children[0], Frame)
    assert isinstance(QueueTable(console).children[0], Frame)


def test_clear_asks_again_if_the_number_has_changed(console: Any) -> None:
    """A click on "clear 3 items" that arrives when there are 103 asks again."""
    controls = Controls(console)
    press(controls, "clear …")
    really = button(controls, "clear 3 items")
    console.feed(item(i) for i in range(4, 104))
    reads(controls, "Clear deletes 103 items")
    really.click(about=3)
    console.settle()
    assert (0, "Clear 103 items") == (console.actions.cleared, really.description)
    really.click(about=103)
    until(lambda: console.actions.cleared == 1, "the queue to be cleared")


def test_offline_errors_go_when_the_server_is_back(console: Any) -> None:
    """Other errors stay."""
    controls = Controls(console)
    console.store.set_connection(mode="reconnecting")
    controls.fail(ServerUnreachable("It is offline.", suggestion="Start it."))
    controls.fail(InvalidRequest("That cannot be."))
    console.settle()
    assert "It is offline. Start it." in reads(controls, "That cannot be.")
    console.store.set_connection(mode="live")
    until(lambda: "It is offline." not in text(controls), "the strip to forget it")
    assert "That cannot be." in text(controls)


def test_a_toast_is_never_shown_in_two_slots(console: Any) -> None:
    """When the first of three is dismissed, each of the others leaves its place before it is in the next one."""
    messages = [Message(kind="job.failed", severity="error", title=f"number {n}") for n in range(4)]
    for message in messages:
        asyncio.run(console.toasts.deliver(message))
    toasts = ToastsView(console)
    twice = []

    def look(_: object) -> None:
        titles = [slot.text.value for slot in toasts.slots if slot.text.value]
        if len(titles) != len(set(titles)):
            twice.append(titles)

    for slot in toasts.slots:
        slot.text.observe(look, names="value")
    console.toasts.dismiss(messages[0].message_id)
    until(lambda: "number 3" in toasts.slots[2].text.value, "the fourth one")
    assert [] == twice


def test_an_equal_error_redraws_neither_message_nor_traceback(console: Any) -> None:
    """Only the count changes: the others may be open, selected or focused."""

    def record(item_id: int) -> None:
        console.errors.record_failure(failed(item_id))
        console.feed([failed(item_id)])

    record(11)
    log = ErrorLogView(console)
    changed = []
    for part in (log.message, log.traceback):
        part.observe(changed.append, names="value")
    record(12)
    reads(log, "12, 11")
    assert [] == changed


def test_keep_calls_off_clearing_the_error_log(console: Any) -> None:
    """The question has an answer that keeps the errors."""
    console.errors.record_failure(failed(11))
    log = ErrorLogView(console)
    assert "keep" not in enabled(log)
    press(log, "clear this log")
    press(log, "keep")
    assert (1, "Clear this log …") == (len(console.errors), button(log, "clear").description)
    assert "keep" not in enabled(log)


def test_a_result_asked_for_during_a_read_is_read_after_it(console: Any) -> None:
    """None is forgotten."""
    go_on = threading.Event()

    class Client:
        async def get_queue_item(self, item_id: int) -> QueueItem:
            await asyncio.to_thread(go_on.wait, 10)
            return item(item_id, COMPLETED, session={"results": {}, "source_prepared_mapping": {}})

    console.client = Client()
    console.feed_over(item(3, COMPLETED))
    results = ResultsView(console)
    console.feed_over(item(2, COMPLETED))
    console.settle()
    results.load()
    go_on.set()
    until(lambda: set(results.results) == {2, 3}, "both results")


def test_typing_while_recent_drafts_are_drawn_is_checked(console: Any) -> None:
    """It is not mistaken for a part of the drawing."""
    form = JobSubmitter(console, graph=GRAPH)
    reads(form, "1 item, at the end")
    drawing, go_on = threading.Event(), threading.Event()
    form.recent.observe(lambda _: (drawing.set(), go_on.wait(10)), names="options")
    recent(console).appendleft(Draft(graph={}, label="one"))
    threads = [threading.Thread(target=form.redraw)]
    threads[0].start()
    assert drawing.wait(10)
    threads.append(threading.Thread(target=lambda: form.graph.set_trait("value", '{"nodes": ')))
    threads[1].start()
    until(lambda: form.graph.value == '{"nodes": ', "the change")
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
def test_parts_of_a_batch_that_do_not_fit_are_errors_at_their_field(
    console: Any, batch: dict[str, Any], words: str
) -> None:
    """A part of a pasted batch that the form has no field for is an error there, and prevents enqueuing."""
    form = JobSubmitter(console)
    form.graph.value = json.dumps({"graph": GRAPH, **batch})
    place = words.partition(":")[0].partition("[")[0]
    assert [place] == [name for name, line in form.errors.items() if line.value]
    assert words in text(form)
    assert (0, True) == (len(console.errors), button(form, "enqueue").disabled)


def test_too_many_runs_raise(console: Any) -> None:
    """A number of runs that the form cannot hold is an error, not another number."""
    with pytest.raises(InvalidRequest, match=r"runs: should be an integer from 1 to 10,000, got 20000\."):
        JobSubmitter(console, graph=GRAPH, runs=20_000)


def test_ignored_parts_of_a_request_are_named(console: Any) -> None:
    """Parts of the body of an enqueue request that the form does not send are named until the graph is changed."""
    form = JobSubmitter(console)
    body = {"graph": GRAPH, "runs": 2, "origin": "workflows", "workflow": {"name": "w"}, "batch_id": "mine"}
    form.graph.value = json.dumps({"batch": body, "prepend": True})
    reads(form, "Left out, as the form does not send it: batch_id, origin, workflow.")
    assert (2, True) == (form.runs.value, form.prepend.value)
    form.runs.value = 3
    assert "Left out" in text(form)
    form.graph.value = json.dumps(GRAPH)
    assert "Left out" not in text(form)


def test_values_without_a_field_are_an_error_at_their_row(console: Any) -> None:
    """The error stands at the row whose field is empty."""
    form = JobSubmitter(console, graph=GRAPH)
    form.vary()
    form.vary()
    form.rows[1].values.value = "[1, 2]"
    assert ["", True] == [form.rows[0].error.value, "These values need a field" in form.rows[1].error.value]
