"""The views around the table, without a server: what they show, and what late or quick clicks and changes come to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import ipywidgets
import pytest

from invoke_widgets.alerts.messages import Message
from invoke_widgets.errors import InvalidRequest, ServerUnreachable
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

    async def check(self, graph: Any, *, runs: int = 1, **_: Any) -> int:
        return runs

    async def clear(self) -> Cancellation:
        self.cleared += 1
        return Cancellation(scope="clear", outcome="canceled", requested_at=START)


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


def test_one_style_sheet_for_all(console: Any) -> None:
    """The outermost view alone brings it, and the script that keeps its keys; a part that is alone brings its own."""
    dashboard = Dashboard(console)
    assert 1 == len([model for model in models_within(dashboard) if isinstance(model, Frame)])
    htmls = [model for model in models_within(dashboard) if isinstance(model, ipywidgets.HTML)]
    assert [] == [model.value for model in htmls if "<style>" in model.value]
    assert isinstance(Controls(console).children[0], Frame)
    assert isinstance(QueueTable(console).children[0], Frame)


def test_clear_does_what_it_said(console: Any) -> None:
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
    toasts = ToastsView(console)
    twice = []

    def look(_: object) -> None:
        titles = [slot.text.value for slot in toasts.slots if slot.text.value]
        if len(titles) != len(set(titles)):
            twice.append(titles)

    for slot in toasts.slots:
        slot.text.observe(look, names="value")
    console.toasts.showing = tuple(reversed(messages[1:]))
    console.feed([item(4)])
    until(lambda: "number 3" in toasts.slots[2].text.value, "the fourth one")
    assert [] == twice


def test_an_equal_error_leaves_what_is_open(console: Any) -> None:
    """It changes the count, and neither the message nor the traceback, which may be open, marked or have the focus."""

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


def test_forgetting_can_be_called_off(console: Any) -> None:
    """The question whether to forget all errors has an answer that keeps them."""
    console.errors.record_failure(failed(11))
    log = ErrorLogView(console)
    assert "keep" not in enabled(log)
    press(log, "clear this log")
    press(log, "keep")
    assert (1, "Clear this log …") == (len(console.errors), button(log, "clear").description)
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
    results = ResultsView(console)
    console.feed_over(item(2, COMPLETED))
    console.settle()
    results.load()
    go_on.set()
    until(lambda: set(results.results) == {2, 3}, "both results")


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
    threads.append(threading.Thread(target=lambda: form.graph.set_trait("value", '{"nodes": ')))
    threads[1].start()
    until(lambda: form.graph.value == '{"nodes": ', "the change")
    go_on.set()
    for thread in threads:
        thread.join()
    assert "graph: line 1" in reads(form, "graph: line 1")
    assert button(form, "enqueue").disabled
