"""The parts on a running server, asked as their pages ask them: what they do, what they say, when they can."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.widgets.cancellation_log import CancellationLogView
from invoke_widgets.widgets.controls import Controls
from invoke_widgets.widgets.dashboard import Dashboard
from invoke_widgets.widgets.error_log import ErrorLogView
from invoke_widgets.widgets.gallery import Gallery
from invoke_widgets.widgets.header import Header
from invoke_widgets.widgets.part import Part
from invoke_widgets.widgets.queue_table import QueueTable
from invoke_widgets.widgets.submitter import JobSubmitter, recent
from tests.support.graphs import add_and_multiply, blank_image, fail, sleep
from tests.support.parts import Sent, ask, models, said
from tests.support.wire import Wire, until

PARTS: list[type[Part]] = [
    Controls,
    JobSubmitter,
    QueueTable,
    ErrorLogView,
    CancellationLogView,
    Gallery,
    Header,
    Dashboard,
]


@pytest.mark.slow
def test_footer_says_where_history_is_kept(wire: Wire, tmp_path: Path) -> None:
    """And why it is not, if so, without anything happening in the queue."""
    path = tmp_path / "history.sqlite"
    with iw.connect(wire.server.url, history=path) as console:
        dashboard = Dashboard(console)
        assert {"text": f"History in {path}", "bad": False} == dashboard.kept
        for part in tmp_path.iterdir():
            part.unlink()
        until(lambda: dashboard.kept["bad"], "the loss to be seen")
        assert f"History not kept in {path}: the file was removed or replaced" in dashboard.kept["text"]
        until(lambda: dashboard.kept == {"text": f"History in {path}", "bad": False}, "it to be kept again")


# -- actions on the queue --------------------------------------------------------------------------------------------


def test_totals_say_how_many_jobs_each_action_is_about(console: iw.Console, wire: Wire) -> None:
    """None on an empty queue; then exactly what it would act on."""
    controls = Controls(console)
    names = ("pending", "retryable", "finished", "total")
    until(lambda: controls.totals["may_pause"], "the processor")
    assert [0, 0, 0, 0] == [controls.totals[name] for name in names]
    wire.run(fail())
    wire.running_and_pending(2)
    until(lambda: [controls.totals[name] for name in names] == [2, 1, 1, 4], "the jobs")


def test_cancel_selected_says_what_came_of_each(console: iw.Console, wire: Wire) -> None:
    """Items that had finished are not counted as canceled, and the others can be brought back."""
    done = wire.run()["item_id"]
    running, pending = wire.running_and_pending(3)
    until(lambda: len(console.queue) == 5, "the snapshot")
    table = QueueTable(console)
    ask(table, "cancel", item_ids=[done, running, *pending[:2]])
    assert "Canceled 3 of 4; 1 had already finished." == said(table)
    assert sorted([running, *pending[:2]]) == sorted(table.said["undo"])
    assert ["completed", "canceled", "canceled", "canceled"] == wire.statuses([done, running, *pending[:2]])


def test_cancel_batch_cancels_that_batch_alone(console: iw.Console, wire: Wire) -> None:
    """Including its running item."""
    running, pending = wire.running_and_pending(2)
    (other,) = wire.enqueue(sleep(60))["item_ids"]
    batch_id = wire.item(running)["batch_id"]
    table = QueueTable(console)
    ask(table, "cancel_batch", batch_id=batch_id)
    assert said(table).startswith("Canceled 3 of batch")
    assert ["canceled"] * 3 == wire.statuses([running, *pending])
    assert "canceled" != wire.item(other)["status"]


def test_cancel_pending_counts_and_stops_planned_retries(console: iw.Console) -> None:
    """A failed job that its policy will retry is waiting too."""
    controls = Controls(console)
    policy = iw.RetryPolicy(backoff_s=60)
    job = console.submit(fail("Connection reset by peer"), retry=policy).jobs[0]
    until(lambda: controls.totals["pending"] == 1, "the retry to be planned")
    ask(controls, "cancel_pending")
    assert "It will not be retried." in said(controls)
    assert ("failed", {}) == (job.status, console.internals.store.state.retrying)


def test_cancel_pending_leaves_the_current_item(console: iw.Console, wire: Wire) -> None:
    """All waiting items are canceled, and can be brought back."""
    running, pending = wire.running_and_pending(2)
    until(lambda: len(console.queue) == 3, "the snapshot")
    controls = Controls(console)
    ask(controls, "cancel_pending")
    assert "Canceled 2 waiting jobs." == said(controls)
    assert sorted(pending) == sorted(controls.said["undo"])
    assert ["in_progress", "canceled", "canceled"] == wire.statuses([running, *pending])


def test_a_cancellation_is_undone_by_a_click(console: iw.Console, wire: Wire) -> None:
    """The canceled jobs run again as new ones."""
    _, pending = wire.running_and_pending(2)
    until(lambda: len(console.queue) == 3, "the snapshot")
    table = QueueTable(console)
    ask(table, "cancel", item_ids=pending)
    until(lambda: table.said.get("undo") == pending, "the offer")
    ask(table, "undo", item_ids=table.said["undo"])
    until(lambda: table.said["text"].startswith("Retried 2 items as"), "the retry")
    assert 5 == wire.queue_status()["total"]


def test_clear_needs_the_number_that_was_shown(console: iw.Console, wire: Wire) -> None:
    """With any other nothing is cleared."""
    wire.running_and_pending(2)
    until(lambda: len(console.queue) == 3, "the snapshot")
    controls = Controls(console)
    until(lambda: controls.totals["total"] == 3, "the number")
    ask(controls, "clear", total=2)
    assert "Nothing was cleared" in said(controls)
    assert 3 == wire.queue_status()["total"]
    ask(controls, "clear", total=3)
    until(lambda: controls.said["text"] == "Cleared the queue: 3 deleted, 3 of them unfinished.", "the outcome")
    assert 0 == wire.queue_status()["total"]


def test_retry_failed_retries_each_failure_once(console: iw.Console, wire: Wire) -> None:
    """Retried items are not offered again; new failures are."""
    wire.run(fail())
    controls = Controls(console)
    until(lambda: controls.totals["retryable"] == 1, "the failure")
    ask(controls, "retry_failed")
    assert said(controls).startswith("Retried item ")
    wire.wait_until_idle()
    until(lambda: len(console.queue) == 2 and controls.totals["retryable"] == 1, "the new failure to be offered")


def test_what_somebody_else_retried_is_not_offered(wire: Wire) -> None:
    """In a queue that is read in parts: the number is never too high, and a click retries no job a second time."""
    names = [{"node_path": "fail", "field_name": "name", "items": [f"not offered {number}" for number in range(60)]}]
    first, *others = sorted(wire.enqueue(fail(times=1), data=[names])["item_ids"])
    wire.wait_until_idle()
    wire.put("retry_items_by_id", others)
    wire.wait_until_idle()
    with iw.connect(wire.server.url) as console:
        controls, log = Controls(console), ErrorLogView(console)
        numbers = {controls.totals["retryable"]}
        controls.observe(lambda change: numbers.add(change["new"]["retryable"]), "totals")
        until(lambda: controls.totals["retryable"] == 1, "the number")
        until(lambda: [(60, [first])] == [(group["count"], group["retry"]) for group in log.groups], "the group")
        assert numbers <= {0, 1}
        ask(log, "retry", item_ids=[first, *others])
        assert said(log).startswith(f"Retried item {first} as ")
        wire.wait_until_idle()
        ask(log, "retry", item_ids=[first, *others])
        until(lambda: log.said["text"].startswith("Nothing was retried: "), "the answer")
    assert 120 == wire.queue_status()["total"]


def test_what_another_client_retries_is_no_longer_offered(console: iw.Console, wire: Wire) -> None:
    """Its new items are read, since no event says what they retry."""
    failed = wire.run(fail(times=1, name="another client"))
    controls = Controls(console)
    until(lambda: controls.totals["retryable"] == 1, "the failure")
    wire.put("retry_items_by_id", [failed["item_id"]])
    until(lambda: (controls.totals["finished"], controls.totals["retryable"]) == (2, 0), "it to be offered no more")


def test_prune_says_how_many_it_deleted(console: iw.Console, wire: Wire) -> None:
    """Pruning says how many it deleted."""
    wire.run()
    wire.run()
    controls = Controls(console)
    ask(controls, "prune")
    assert "Pruned 2 finished jobs." == said(controls)
    assert 0 == wire.queue_status()["total"]


def test_pause_and_resume(console: iw.Console, wire: Wire) -> None:
    """Each does what it says, however late it arrives."""
    header = Header(console)
    ask(header, "pause")
    until(lambda: header.processor["paused"], "the pause")
    assert "Paused: no job was running." == said(header)
    until(lambda: not header.busy, "it to be over")
    ask(header, "pause")
    until(lambda: not header.busy, "the second one to be over")
    assert not wire.get("status")["processor"]["is_started"]
    ask(header, "resume")
    until(lambda: not header.processor["paused"], "it to go on")
    assert wire.get("status")["processor"]["is_started"]


@pytest.mark.slow
def test_a_stuck_queue_is_shown_and_cleared_by_a_button(console: iw.Console, wire: Wire) -> None:
    """The batch that the worker cannot load is named, and canceled."""
    batch = wire.enqueue(data=[[{"node_path": "add", "field_name": "a", "items": ["seven"]}]])["batch"]["batch_id"]
    header = Header(console)
    until(lambda: header.banner.get("title") == "Queue stuck", "the banner")
    assert [batch] == header.banner["batch_ids"]
    ask(header, "unwedge", batch_ids=header.banner["batch_ids"])
    assert "anceled 1 of batch" in said(header)
    wire.put("prune")
    assert "completed" == wire.run()["status"]


def test_a_failed_action_shows_in_its_part(console: iw.Console, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is logged too, and the button can be pressed again."""
    wire.run()
    controls = Controls(console)

    async def refuse() -> int:
        raise iw.ServerUnreachable("Nothing listens there.", suggestion="Start it.")

    monkeypatch.setattr(console.internals.actions, "prune", refuse)
    ask(controls, "prune")
    until(lambda: controls.failures, "the failure")
    assert ("Nothing listens there.", "Start it.") == tuple(controls.failures[0][key] for key in ("what", "remedy"))
    assert "Nothing listens there." in [error.message for error in console.errors]
    until(lambda: not controls.busy, "the button to be usable again")
    monkeypatch.undo()
    ask(controls, "prune")
    assert "Pruned 1 finished job." == said(controls)
    assert [] == controls.failures


# -- submitter -------------------------------------------------------------------------------------------------------


def test_submitter_says_what_it_will_enqueue_and_what_it_did(console: iw.Console, wire: Wire) -> None:
    """In this order."""
    submitter = JobSubmitter(
        console, graph=add_and_multiply(), runs=2, data=[{"add.a": [1, 2]}, {"mul.b": [3, 4, 5]}], destination="there"
    )
    until(lambda: "12 jobs: 2 runs × 6 combinations" in submitter.plan, "the plan")
    offered = [["add.a", "integer, now 1"], ["add.b", "integer, now 2"], ["mul.b", "integer, now 10"]]
    assert offered == submitter.fields  # not mul.a, which an edge feeds
    submitter.submit()
    assert said(submitter).startswith("Enqueued 12 of 12 as batch ")
    until(lambda: wire.get("counts_by_destination", destination="there")["total"] == 12, "all of them")


def test_a_pasted_batch_fills_the_form(console: iw.Console) -> None:
    """Each part goes where it can be seen."""
    data = [[{"node_path": "add", "field_name": "a", "items": [1, 2, 3]}]]
    batch = {"batch": {"graph": add_and_multiply(), "data": data, "runs": 2, "destination": "x"}, "prepend": True}
    submitter = JobSubmitter(console, graph=batch)
    until(lambda: submitter.plan == "6 jobs: 2 runs × 3 combinations", "the plan")
    assert [["add.a", "[1, 2, 3]", 1]] == submitter.form["rows"]


@pytest.mark.parametrize(
    ("graph", "data", "place", "words"),
    [
        (add_and_multiply(), {"add.a": ["seven"]}, "row 0", "data.add.a[0]: should be an integer"),
        (add_and_multiply(), {"add.a": [1, 2], "add.b": [1]}, "data", "should be equally long"),
        ({"nodes": {"a": {"type": "addd"}}}, None, "graph", "nodes.a.type: this server has no node type 'addd'"),
    ],
)
def test_an_invalid_draft_shows_its_error_and_cannot_be_enqueued(
    console: iw.Console, wire: Wire, graph: Any, data: Any, place: str, words: str
) -> None:
    """The error is at its field."""
    submitter = JobSubmitter(console, graph=graph, data=data)
    until(lambda: submitter.problems, "the problem")
    assert words in submitter.problems[place]["message"]
    assert (False, 0) == (submitter.sendable, wire.queue_status()["total"])


def test_all_that_is_wrong_with_a_draft_is_shown_at_once(console: iw.Console) -> None:
    """What cannot be read, and what the server would not take; each goes when it is fixed."""
    submitter = JobSubmitter(console, graph=add_and_multiply())
    rows = [["add.a", '[1, "seven"]', 1], ["mul.b", "1 2", 2], ["add.c", "1", 3], ["add.b", "1..3", 4]]
    submitter.form = {**submitter.form, "runs": 0, "rows": rows}
    until(lambda: {"runs", "row 0", "row 1", "row 2"} == set(submitter.problems), "all problems")
    assert "data.add.a[1]: should be an integer" in submitter.problems["row 0"]["message"]
    assert "data.mul.b: should be values such as" in submitter.problems["row 1"]["message"]
    assert "data.add.c: 'add' has no field 'c'" in submitter.problems["row 2"]["message"]
    submitter.form = {**submitter.form, "runs": 2, "rows": [rows[0], ["mul.b", "1, 2", 2], *rows[2:]]}
    until(lambda: {"row 0", "row 2"} == set(submitter.problems), "those that are left")
    assert ("Fix this to enqueue.", False) == (submitter.plan, submitter.sendable)
    submitter.form = {**submitter.form, "rows": rows[3:]}
    until(lambda: submitter.plan == "6 jobs: 2 runs × 3 combinations", "the plan")
    assert ({}, True) == (submitter.problems, submitter.sendable)


def test_a_fixed_error_goes_before_the_server_has_checked(console: iw.Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the server takes."""
    held = threading.Event()
    check = console.internals.actions.check

    async def slowly(*args: Any, **options: Any) -> int:
        await asyncio.to_thread(held.wait, 30)
        return await check(*args, **options)

    submitter = JobSubmitter(console, graph=add_and_multiply(), data={"add.a": [1]})
    until(lambda: submitter.plan == "1 job", "the plan")
    monkeypatch.setattr(console.internals.actions, "check", slowly)
    submitter.form = {**submitter.form, "rows": [["add.a", "[1", 1]]}
    assert "data.add.a: should be values such as" in submitter.problems["row 0"]["message"]
    submitter.form = {**submitter.form, "rows": [["add.a", "1, 2", 1]]}
    assert ("Checking …", {}) == (submitter.plan, submitter.problems)
    held.set()
    until(lambda: submitter.plan.startswith("2 jobs"), "the check")


def test_recent_drafts_are_offered_once_in_every_submitter(console: iw.Console, wire: Wire) -> None:
    """However often one was enqueued."""
    first, second = JobSubmitter(console, graph=add_and_multiply()), JobSubmitter(console)
    for _ in range(2):
        first.said = {}
        first.submit()
        said(first)
        until(lambda: not first.busy, "it to be over")
    until(lambda: second.drafts == ["add, mul, 1 job"], "it to be offered")
    assert ["add, mul, 1 job"] == [label for label, _ in recent(console)]
    ask(second, "recent", number=0)
    until(lambda: second.plan == "1 job", "the plan")


# -- logs and pictures -----------------------------------------------------------------------------------------------


def test_error_log_groups_equal_failures_and_retries_them_together(console: iw.Console, wire: Wire) -> None:
    """Equal failures are one row; all of them are retried at once, and none a second time."""
    for number in (1, 2):
        wire.run(fail(f"out of luck {number}"))
    log = ErrorLogView(console)
    until(lambda: [group["count"] for group in log.groups] == [2], "both in one row")
    items = log.groups[0]["retry"]
    assert 2 == len(items)
    ask(log, "retry", item_ids=items)
    assert said(log).startswith("Retried 2 items as ")
    until(lambda: log.groups[0]["count"] == 4 and len(log.groups[0]["retry"]) == 2, "the new failures")
    assert (2, True) == (log.groups[0]["retried"], not set(items) & set(log.groups[0]["retry"]))


def test_error_log_cancels_the_rest_of_the_batches_that_failed(console: iw.Console, wire: Wire) -> None:
    """What has not finished of the batches in which an error happened, and nothing of other batches."""
    seconds = [[{"node_path": "fail", "field_name": "seconds", "items": [0.0, 60.0, 60.0]}]]
    batches = [wire.enqueue(fail("out of luck"), data=seconds) for _ in range(2)]
    (other,) = wire.enqueue()["item_ids"]
    log = ErrorLogView(console)
    first = batches[0]["batch"]["batch_id"]
    until(lambda: log.rest == {first: 2}, "what is left of the batch that failed")
    ask(log, "cancel_rest", batch_ids=log.groups[0]["batches"])
    assert said(log).startswith(f"Canceled 2 of batch {first[:8]}")
    until(lambda: len(log.rest) == 1 and first not in log.rest, "the other batch to fail")
    log.said = {}
    ask(log, "cancel_rest", batch_ids=log.groups[0]["batches"])
    assert "Canceled 2 jobs of 2 batches." == said(log)
    assert 2 == len(log.said["undo"])
    assert "completed" == wire.wait_for(other)["status"]


def test_cancellation_log_shows_the_outcome_and_times(console: iw.Console, wire: Wire) -> None:
    """A cancel appears in the log with its outcome."""
    done = wire.run()["item_id"]
    log = CancellationLogView(console)
    console.cancel(done)
    until(lambda: log.records, "the record")
    record = log.records[0]
    assert (f"item {done}", "already_finished") == (record["what"], record["outcome"])
    assert record["acknowledged"] > 0


def test_gallery_shows_pictures_and_sends_them_on_demand(console: iw.Console, wire: Wire) -> None:
    """The newest job's picture as a thumbnail and in full, and nothing for a job that made none."""
    wire.run(add_and_multiply(a=1, b=2, factor=10))
    wire.run(blank_image(32, 16))
    gallery = Gallery(console)
    until(lambda: len(gallery.cards) == 1 and gallery.without == 1, "the picture")
    (name,) = gallery.cards[0]["names"]
    sent = Sent(gallery)
    ask(gallery, "thumbnail", names=[name], page="me")
    ask(gallery, "picture", names=[name], page="me")
    until(lambda: sent.of("thumbnail") and sent.of("picture"), "both")
    assert sent.of("picture")[0]["buffers"][0].startswith(b"\x89PNG")
    ask(gallery, "picture", names=["none.png"], page="me")
    until(lambda: any("failed" in one for one in sent.of("picture")), "the refusal")
    assert [] == gallery.failures


def test_thumbnails_in_the_table(console: iw.Console, wire: Wire) -> None:
    """A completed row gets the number of its pictures and the names of the newest, which the page then asks for."""
    item_id = wire.run(blank_image(32, 16))["item_id"]
    until(lambda: [item.status for item in console.queue] == ["completed"], "the snapshot")
    table = QueueTable(console)
    sent = Sent(table)
    ask(table, "pictures", item_ids=[item_id], page="me")
    found = until(lambda: sent.of("pictures"), "the names")[0]
    assert (1, 1) == (found["made"], len(found["names"]))
    ask(table, "thumbnail", names=found["names"], page="me")
    assert 1 == len(until(lambda: sent.of("thumbnail"), "the thumbnail")[0]["buffers"])


def test_selected_jobs_can_be_acted_on(console: iw.Console, wire: Wire) -> None:
    """`selected_jobs` are handles."""
    running, pending = wire.running_and_pending(1)
    until(lambda: len(console.queue) == 2, "the snapshot")
    table = QueueTable(console)
    table.selected = [running, *pending]
    assert [running, *pending] == [job.item_id for job in table.selected_jobs]
    assert "canceled" == table.selected_jobs[1].cancel().outcome


# -- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_unknown_keywords_raise_type_error(console: iw.Console, part: type[Part]) -> None:
    """A misspelled option is an error, not silence."""
    with pytest.raises(TypeError):
        part(console, color="red")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.slow
def test_closing_frees_every_model(console: iw.Console, wire: Wire, part: type[Part]) -> None:
    """Ten views opened and closed leave as many models as before."""
    wire.run(fail())
    part(console).close()
    before = len(models())
    for _ in range(10):
        part(console).close()
    assert before == len(models())


@pytest.mark.slow
def test_thirty_closed_dashboards_leave_no_models(console: iw.Console, wire: Wire) -> None:
    """Thirty dashboards opened, used and closed leave as many models as before."""
    wire.run(add_and_multiply())
    before = len(models())
    for _ in range(30):
        dashboard = Dashboard(console)
        dashboard.tab = "submit"
        dashboard.close()
        dashboard.close()
    assert before == len(models())


def test_two_dashboards_show_the_same(console: iw.Console, wire: Wire) -> None:
    """Two dashboards of one console show the same, whichever was used; each says what its own buttons did."""
    first, second = Dashboard(console), Dashboard(console)
    wire.running_and_pending(2)
    until(lambda: first.queue_table.totals["pending"] == 2, "the jobs")
    ask(first.queue_table, "cancel_pending")
    until(lambda: second.header.counts.get("canceled") == 2, "the counters")
    until(lambda: [record["what"] for record in second.cancellation_log.records] == ["all waiting"], "the record")
    assert said(first).startswith("Canceled 2 waiting")
    assert {} == second.said


def test_footer_shows_what_a_rows_buttons_did(console: iw.Console, wire: Wire) -> None:
    """It replaces the previous action."""
    (running,) = wire.enqueue(sleep(60))["item_ids"]
    dashboard = Dashboard(console)
    until(lambda: running in [item.item_id for item in console.queue], "the item")
    dashboard.queue_table.cancel([running])
    until(lambda: said(dashboard).startswith(f"Canceled item {running}"), "the first outcome")
    dashboard.queue_table.retry([running])
    until(lambda: said(dashboard).startswith(f"Retried item {running} as"), "the second one")


def test_console_displays_as_text_and_escaped_html_without_widgets(console: iw.Console, wire: Wire) -> None:
    """Where there are no widgets, the console shows text and an escaped table."""
    wire.run(fail("<b>bold</b>"))
    until(lambda: len(console.errors), "the error")
    bundle = console._repr_mimebundle_()[0]
    assert {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"} <= bundle.keys()
    assert (0, True) == (bundle["text/html"].count("<b>bold"), "&lt;b&gt;bold" in bundle["text/html"])


def test_a_closed_console_closes_its_views(console: iw.Console) -> None:
    """When the console ends, its views do."""
    dashboard = Dashboard(console)
    console.close()
    assert dashboard.closed


def test_header_says_what_runs(console: iw.Console, wire: Wire) -> None:
    """Each running session with its step, and what waits is counted while nothing runs."""
    running, _ = wire.running_and_pending(1)
    header = Header(console)
    until(lambda: [segment["id"] for segment in header.running] == [running], "the session")
    assert header.running[0]["can_cancel"]
    ask(header, "cancel", item_id=running)
    assert said(header).startswith(f"Canceled item {running}")


def test_a_password_in_an_error_is_shown_nowhere(console: iw.Console, wire: Wire) -> None:
    """An address that a job's error quotes loses its password and token before anything is made of it."""
    said = "cannot fetch https://me:hunter2@models.invalid/x?token=abcdef123456"
    view = Dashboard(console)
    item_id = wire.run(fail(said))["item_id"]
    error = until(lambda: next((e for e in console.errors if e.item_id == item_id), None), "the record")
    until(lambda: "models.invalid" in view.as_html(), "the static page")
    with pytest.raises(iw.JobException) as caught:
        console.job(item_id).wait(30)
    item = console.item(item_id)
    shown = [repr(models()), view.as_html(), view.as_text(), repr(error), repr(item), str(item.error_traceback)]
    shown += [str(caught.value), repr(caught.value.details)]
    view.close()
    assert [] == [text for text in shown if "hunter2" in text or "abcdef123456" in text]
    assert "[token]@models.invalid" in shown[1]
