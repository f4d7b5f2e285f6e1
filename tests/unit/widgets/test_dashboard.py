"""The parts around the table, without a server: what they show, and what late or quick clicks and changes come to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from invoke_widgets.alerts import Message, Toasts
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.jobs import Submission
from invoke_widgets.records import COMPLETED, FAILED, QueueItem, Wedge
from invoke_widgets.widgets.dashboard import Dashboard
from invoke_widgets.widgets.error_log import ErrorLogView
from invoke_widgets.widgets.gallery import Gallery
from invoke_widgets.widgets.header import Header
from invoke_widgets.widgets.submitter import JobSubmitter, recent
from invoke_widgets.workflows import NodeSchemas
from tests.support.parts import Sent, ask, said
from tests.support.table_console import FedConsole, item
from tests.support.wire import until

GRAPH = {"nodes": {"a": {"type": "add", "a": 1}}, "edges": []}


class Actions:
    """Checks that find no fault."""

    async def check(self, submission: Submission) -> int:
        return submission.runs

    async def node_schemas(self) -> NodeSchemas:
        return NodeSchemas({})


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


def failed(item_id: int, **fields: Any) -> QueueItem:
    """One of several with equal errors."""
    error = {
        "server_error_type": "RuntimeError",
        "error_message": "out of luck",
        "error_traceback": "Traceback: no luck",
    }
    return item(item_id, FAILED, **error, **fields)


def test_toasts_are_shown_oldest_first_and_dismissed_by_id(console: Any) -> None:
    """A further one moves none of those that are shown, in every dashboard of the console."""
    for n in range(4):
        message = Message(kind="job.failed", severity="error", title=f"number {n}", data={"item_id": n}, alert="rule")
        asyncio.run(console.toasts.deliver(message))
    first, second = Dashboard(console), Dashboard(console)
    assert ["number 0", "number 1", "number 2", "number 3"] == [toast["title"] for toast in first.toasts]
    assert (0, "Alert: rule") == (first.toasts[0]["item_id"], first.toasts[0]["rule"])
    ask(first, "dismiss", message_id=first.toasts[0]["id"])
    until(lambda: len(second.toasts) == 3, "it to be gone in both")
    ask(second, "dismiss")
    until(lambda: first.toasts == [], "all to be gone")


def test_error_group_offers_only_last_attempts(console: Any) -> None:
    """A failure that was retried already is counted as such, as soon as that is known."""
    console.feed([failed(11), failed(12), failed(13, retried_from_item_id=11)])
    for item_id in (11, 12, 13):
        console.errors.record_failure(console.internals.store.state.items[item_id])
    log = ErrorLogView(console)
    (group,) = log.groups
    assert (3, [11, 12, 13], [12, 13], 1) == (group["count"], group["items"], group["retry"], group["retried"])
    console.feed([item(14, COMPLETED, retried_from_item_id=12)])
    until(lambda: [[13]] == [group["retry"] for group in log.groups], "the retry to be seen")


def test_error_groups_have_a_trend_and_their_details_on_demand(console: Any) -> None:
    """The traceback travels to the page that opens the group, and to no other."""
    console.errors.record_failure(failed(11))
    console.errors.record_failure(failed(12))
    log = ErrorLogView(console)
    (group,) = log.groups
    assert 2 == sum(group["trend"])
    assert "Traceback" not in json.dumps(log.groups)
    sent = Sent(log)
    ask(log, "detail", id=group["id"], page="me")
    until(lambda: sent.of("detail"), "the details")
    assert ("me", "Traceback: no luck") == (sent.messages[0]["to"], sent.messages[0]["detail"]["traceback"])


def test_clearing_the_error_log_needs_the_number_that_was_shown(console: Any) -> None:
    """Errors that came since are not cleared unseen."""
    console.errors.record_failure(failed(11))
    log = ErrorLogView(console)
    ask(log, "clear", total=2)
    assert ("Nothing was cleared: there are further errors.", 1) == (said(log), len(console.errors))
    ask(log, "clear", total=1)
    assert ("Cleared 1 error from this log.", 0) == (log.said["text"], len(console.errors))


def test_banner_says_what_stands_in_the_way_first(console: Any) -> None:
    """A server that is away comes before a stuck queue, and that before a pause."""
    header = Header(console)
    assert {} == header.banner
    console.set_paused(True)
    until(lambda: header.banner.get("title") == "Paused", "the pause")
    assert ["resume"] == header.banner["actions"]
    wedge = Wedge(batch_ids=(item(1).batch_id,), item_ids=(1,))
    console.on_loop(lambda: console.internals.store.set(wedge=wedge))
    until(lambda: header.banner.get("title") == "Queue stuck", "the stuck queue")
    assert (3, [item(1).batch_id], ["show", "unwedge"]) == tuple(
        header.banner[name] for name in ("jobs", "batch_ids", "actions")
    )
    assert ("bad", "stuck") == (header.server["color"], header.server["state"])
    console.internals.store.set_connection(mode="reconnecting", error="Nothing listens there.")
    until(lambda: header.banner.get("title") == "Offline", "the server to be away")
    assert "Nothing listens there." in header.banner["why"]


def test_dashboard_is_dimmed_and_its_footer_not_green_while_the_server_is_away(console: Any) -> None:
    """A click would not reach the server."""
    dashboard = Dashboard(console)
    assert not dashboard.away
    console.internals.store.set_connection(mode="reconnecting")
    until(lambda: dashboard.away, "the dashboard to be dimmed")
    assert "yes" != dashboard.alive["kind"]


def test_tiles_follow_the_filter_of_the_table(console: Any) -> None:
    """The chosen status is that of the table's filter."""
    dashboard = Dashboard(console)
    dashboard.queue_table.filters = {"status": "failed"}
    assert "failed" == dashboard.header.filter
    dashboard.queue_table.filters = {}
    assert "" == dashboard.header.filter


def test_a_picture_that_comes_during_a_read_is_read_after_it(console: Any) -> None:
    """None is forgotten, and jobs without pictures do not push the others out."""
    go_on = threading.Event()
    images = {"results": {"a": {"type": "image_output", "image": {"image_name": "one.png"}}}}

    class Client:
        async def get_queue_item(self, item_id: int) -> QueueItem:
            await asyncio.to_thread(go_on.wait, 10)
            return item(item_id, COMPLETED, session=images if item_id < 10 else {"results": {}})

    console.client = Client()
    console.feed_over(item(3, COMPLETED))
    gallery = Gallery(console)
    console.feed_over(item(2, COMPLETED))
    console.feed([item(i, COMPLETED) for i in range(20, 60)])
    console.settle()
    go_on.set()
    until(lambda: [card["item_id"] for card in gallery.cards] == [3, 2], "both pictures")
    until(lambda: gallery.without == 40, "the others to be looked at")


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
    form.form = {**form.form, "graph": json.dumps({"graph": GRAPH, **batch})}
    place = words.partition(":")[0].partition("[")[0]
    assert {place: words} == {name: problem["message"] for name, problem in form.problems.items()}
    assert (0, False) == (len(console.errors), form.sendable)


def test_too_many_runs_raise(console: Any) -> None:
    """A number of runs that the form cannot hold is an error, not another number."""
    with pytest.raises(InvalidRequest, match=r"runs: should be an integer from 1 to 10,000, got 20000\."):
        JobSubmitter(console, graph=GRAPH, runs=20_000)


def test_ignored_parts_of_a_request_are_named(console: Any) -> None:
    """Parts of the body of an enqueue request that the form does not send are named until the graph is changed."""
    form = JobSubmitter(console)
    body = {"graph": GRAPH, "runs": 2, "origin": "workflows", "workflow": {"name": "w"}, "batch_id": "mine"}
    form.form = {**form.form, "graph": json.dumps({"batch": body, "prepend": True})}
    until(lambda: "ignored" in form.problems, "the note")
    note = "Left out, as the form does not send it: batch_id, origin, workflow."
    assert note == form.problems["ignored"]["message"]
    assert (2, True) == (form.form["runs"], form.form["prepend"])
    form.form = {**form.form, "runs": 3}
    until(lambda: form.plan.startswith("3 jobs"), "the check")
    assert "ignored" in form.problems
    form.form = {**form.form, "graph": json.dumps(GRAPH)}
    until(lambda: "ignored" not in form.problems, "the note to go")


def test_values_without_a_field_are_an_error_at_their_row(console: Any) -> None:
    """The error stands at the row whose field is empty."""
    form = JobSubmitter(console, graph=GRAPH)
    form.form = {**form.form, "rows": [["a.a", "1", 1], ["", "[1, 2]", 2]]}
    assert "These values need a field" in form.problems["row 1"]["message"]


def test_a_click_enqueues_what_the_page_said(console: Any) -> None:
    """Whatever the form says by then: the change before it may arrive later."""
    sent: list[Submission] = []

    async def submit(submission: Submission) -> Any:
        sent.append(submission)
        return SimpleNamespace(requested=2, enqueued=2, batch_id="9c01abcd-0000")

    console.internals.actions.submit = submit
    form = JobSubmitter(console)
    ask(form, "submit", form={"graph": json.dumps(GRAPH), "runs": 2, "prepend": False, "destination": "x", "rows": []})
    assert "Enqueued 2 of 2 as batch 9c01abcd." == said(form)
    assert (GRAPH, 2, "x") == (sent[0].graph, sent[0].runs, sent[0].destination)
    assert "9c01abcd-0000" == form.said["batch"]
    until(lambda: form.drafts == ["add, 2 jobs"], "it to be offered again")
    assert [("add, 2 jobs", sent[0])] == list(recent(console))
