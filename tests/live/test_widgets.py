"""The dashboard's parts on a running server, driven by their buttons: what they do, what they say, when they can."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

import invoke_widgets as iw
from invoke_widgets.widgets.base import ActingView, View, models_within
from invoke_widgets.widgets.cancellation_log import CancellationLogView
from invoke_widgets.widgets.controls import Controls
from invoke_widgets.widgets.dashboard import Dashboard
from invoke_widgets.widgets.error_log import ErrorLogView
from invoke_widgets.widgets.results import ResultsView
from invoke_widgets.widgets.submitter import JobSubmitter, recent
from tests.support.graphs import add_and_multiply, blank_image, fail, sleep
from tests.support.pressing import button, enabled, press, reads, text
from tests.support.wire import Wire, until

PARTS: list[type[View]] = [Controls, JobSubmitter, ErrorLogView, CancellationLogView, ResultsView, Dashboard]


def said(view: ActingView) -> str:
    """What an action says, once it does."""
    return until(lambda: view.said, "the outcome")


def live_models() -> int:
    gc.collect()
    return len(ipywidgets.widgets.widget._instances)


@pytest.mark.slow
def test_footer_says_where_history_is_kept(wire: Wire, tmp_path: Path) -> None:
    """And why it is not, if so, without anything happening in the queue."""
    path = tmp_path / "history.sqlite"
    with iw.connect(wire.server.url, history=path) as console:
        dashboard = Dashboard(console)
        reads(dashboard, f"History kept in {path}")
        for part in tmp_path.iterdir():
            part.unlink()
        reads(dashboard, f"History not kept in {path}: the file was removed or replaced")
        reads(dashboard, f"History kept in {path}")


# -- controls --------------------------------------------------------------------------------------------------------


def test_only_pause_is_enabled_on_an_empty_queue(console: iw.Console) -> None:
    """Nothing else would do anything."""
    controls = Controls(console, selectable=True)
    until(lambda: enabled(controls) == {"pause"}, "only pause to be enabled")


def test_each_button_is_enabled_only_while_it_would_act(console: iw.Console, wire: Wire) -> None:
    """Each button is enabled exactly while it would do something."""
    controls = Controls(console, selectable=True)
    wire.run(fail())
    until(lambda: enabled(controls) == {"pause", "retry failed", "prune", "clear"}, "those for a failed item")
    running, _ = wire.running_and_pending(1)
    with_work = {"pause", "retry failed", "prune", "clear", "cancel batch", "cancel pending"}
    until(lambda: enabled(controls) == with_work, "those for running and pending items")
    controls.selected = [running]
    assert with_work | {"cancel selected"} == enabled(controls)
    controls.selected = []
    assert with_work == enabled(controls)


def test_cancel_selected_counts_canceled_and_finished(console: iw.Console, wire: Wire) -> None:
    """Items that had finished are not counted as canceled."""
    done = wire.run()["item_id"]
    running, pending = wire.running_and_pending(3)
    until(lambda: len(console.queue) == 5, "the snapshot")
    controls = Controls(console, selectable=True)
    controls.selected = [done, running, *pending[:2]]
    press(controls, "cancel selected")
    assert "Canceled 3 of 4; 1 had already finished." == said(controls)
    assert ["completed", "canceled", "canceled", "canceled"] == wire.statuses([done, running, *pending[:2]])


def test_cancel_batch_cancels_the_chosen_batch_alone(console: iw.Console, wire: Wire) -> None:
    """Including its running item."""
    running, pending = wire.running_and_pending(2)
    (other,) = wire.enqueue(sleep(60))["item_ids"]
    batch_id = wire.item(running)["batch_id"]
    until(lambda: len(console.queue) == 4, "the snapshot")
    controls = Controls(console)
    offered = button(controls, "cancel batch")
    until(lambda: batch_id in [key for key, _, _ in offered.choices], "the batch to be offered")
    press(controls, "cancel batch", choice=batch_id)
    assert said(controls).startswith("Canceled 3 of batch")
    assert ["canceled"] * 3 == wire.statuses([running, *pending])
    assert "canceled" != wire.item(other)["status"]


def test_cancel_pending_counts_and_stops_planned_retries(console: iw.Console) -> None:
    """A failed job that its policy will retry is pending too."""
    controls = Controls(console)
    policy = iw.RetryPolicy(backoff_s=60)
    job = console.submit(fail("Connection reset by peer"), retry=policy).jobs[0]
    press(controls, "cancel pending (1)")
    assert "It will not be retried." in said(controls)
    assert ("failed", {}) == (job.status, console.store.state.retrying)


def test_cancel_pending_leaves_the_current_item(console: iw.Console, wire: Wire) -> None:
    """All waiting items are canceled."""
    running, pending = wire.running_and_pending(2)
    controls = Controls(console)
    press(controls, "cancel pending (2)")
    assert "Canceled 2 pending; the current item goes on." == said(controls)
    assert ["in_progress", "canceled", "canceled"] == wire.statuses([running, *pending])


def test_clear_asks_first_and_can_be_called_off(console: iw.Console, wire: Wire) -> None:
    """It says how much it deletes, and does nothing until confirmed."""
    wire.running_and_pending(2)
    controls = Controls(console)
    until(lambda: len(console.queue) == 3, "the snapshot")
    press(controls, "clear …")
    assert "Clear deletes 3 items, 3 of them unfinished" in reads(controls, "Clear deletes 3 items")
    press(controls, "keep")
    assert 3 == wire.queue_status()["total"]
    press(controls, "clear …")
    press(controls, "clear 3 items")
    assert "Cleared the queue: 3 deleted, 3 of them unfinished." == said(controls)
    assert 0 == wire.queue_status()["total"]


def test_retry_failed_retries_each_failure_once(console: iw.Console, wire: Wire) -> None:
    """Retried items are not offered again; new failures are."""
    wire.run(fail())
    controls = Controls(console)
    press(controls, "retry failed (1)")
    assert said(controls).startswith("Retried item ")
    wire.wait_until_idle()
    until(lambda: len(console.queue) == 2, "the snapshot")
    reads(controls, "Retried item")
    until(lambda: "(1)" in button(controls, "retry failed").description, "the new failure to be offered")


def test_prune_says_how_many_it_deleted(console: iw.Console, wire: Wire) -> None:
    """Pruning says how many it deleted."""
    wire.run()
    wire.run()
    controls = Controls(console)
    press(controls, "prune (2)")
    assert "Pruned 2 finished items." == said(controls)
    assert 0 == wire.queue_status()["total"]


def test_one_button_pauses_and_resumes(console: iw.Console, wire: Wire) -> None:
    """One button pauses and then resumes."""
    controls = Controls(console)
    press(controls, "pause")
    until(lambda: "Resume" in controls.pause.description, "the button to resume")
    assert "Paused: no item was running." == said(controls)
    assert not wire.get("status")["processor"]["is_started"]
    press(controls, "resume")
    until(lambda: "Pause" in controls.pause.description, "the button to pause")
    assert wire.get("status")["processor"]["is_started"]


@pytest.mark.slow
def test_a_stuck_queue_is_shown_and_cleared_by_a_button(console: iw.Console, wire: Wire) -> None:
    """The batch that the worker cannot load is named."""
    batch = wire.enqueue(data=[[{"node_path": "add", "field_name": "a", "items": ["seven"]}]])["batch"]["batch_id"]
    controls = Controls(console)
    shown = reads(controls, f"batch {batch[:8]}")
    assert "Queue stuck: item" in shown
    press(controls, f"cancel batch {batch[:8]}")
    assert "anceled 1 of batch" in said(controls)
    wire.put("prune")
    assert "completed" == wire.run()["status"]


def test_a_failed_action_shows_in_its_views_strip(
    console: iw.Console, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is logged too, and the button can be pressed again."""
    wire.run()
    controls = Controls(console)

    async def refuse() -> int:
        raise iw.ServerUnreachable("Nothing listens there.", suggestion="Start it.")

    monkeypatch.setattr(console.actions, "prune", refuse)
    press(controls, "prune")
    assert "Nothing listens there. Start it." in reads(controls, "Nothing listens there.")
    assert "Nothing listens there." in [error.message for error in console.errors]
    until(lambda: not button(controls, "prune").disabled, "the button to be usable again")
    monkeypatch.undo()
    press(controls, "prune")
    assert "Pruned 1 finished item." == said(controls)
    assert "Nothing listens there." not in text(controls)


# -- submitter -------------------------------------------------------------------------------------------------------


def test_submitter_says_what_it_will_enqueue_and_what_it_did(console: iw.Console, wire: Wire) -> None:
    """In this order."""
    submitter = JobSubmitter(
        console, graph=add_and_multiply(), runs=2, data=[{"add.a": [1, 2]}, {"mul.b": [3, 4, 5]}], destination="there"
    )
    assert "12 items: 2 runs × 6 combinations" in reads(submitter, "12 items")
    press(submitter, "enqueue")
    assert said(submitter).startswith("Enqueued 12 of 12 as batch ")
    until(lambda: wire.get("counts_by_destination", destination="there")["total"] == 12, "all of them")


def test_a_pasted_batch_fills_the_form(console: iw.Console) -> None:
    """Each part goes where it can be seen."""
    data = [[{"node_path": "add", "field_name": "a", "items": [1, 2, 3]}]]
    batch = {"batch": {"graph": add_and_multiply(), "data": data, "runs": 2, "destination": "x"}, "prepend": True}
    submitter = JobSubmitter(console, graph=batch)
    assert "6 items: 2 runs × 3 combinations, at the front of the queue" in reads(submitter, "6 items")


@pytest.mark.parametrize(
    ("graph", "data", "words"),
    [
        (add_and_multiply(), {"add.a": ["seven"]}, "data.add.a[0]: should be an integer"),
        (add_and_multiply(), {"add.a": [1, 2], "add.b": [1]}, "should be equally long"),
        ({"nodes": {"a": {"type": "addd"}}}, None, "nodes.a.type: this server has no node type 'addd'"),
    ],
)
def test_an_invalid_draft_shows_its_error_and_cannot_be_enqueued(
    console: iw.Console, wire: Wire, graph: Any, data: Any, words: str
) -> None:
    """The error is at its field."""
    submitter = JobSubmitter(console, graph=graph, data=data)
    reads(submitter, words)
    assert (True, 0) == (button(submitter, "enqueue").disabled, wire.queue_status()["total"])


def test_a_fixed_error_goes_before_the_server_has_checked(console: iw.Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the server takes."""
    held = threading.Event()
    check = console.actions.check

    async def slowly(*args: Any, **options: Any) -> int:
        await asyncio.to_thread(held.wait, 30)
        return await check(*args, **options)

    submitter = JobSubmitter(console, graph=add_and_multiply(), data={"add.a": [1]})
    reads(submitter, "1 item, at the end of the queue")
    monkeypatch.setattr(console.actions, "check", slowly)
    (values,) = [m for m in models_within(submitter) if isinstance(m, ipywidgets.Text) and m.value == "[1]"]
    values.value = "[1"
    reads(submitter, "data.add.a: should be a JSON list")
    values.value = "[1, 2]"
    assert "data.add.a: should be a JSON list" not in reads(submitter, "Checking …")
    held.set()
    reads(submitter, "2 items")


def test_recent_drafts_are_offered_once_in_every_submitter(console: iw.Console, wire: Wire) -> None:
    """However often one was enqueued."""
    first, second = JobSubmitter(console, graph=add_and_multiply()), JobSubmitter(console)
    for _ in range(2):
        press(first, "enqueue")
        until(lambda: first.said, "the outcome")
        first.said = ""
    until(lambda: len(second.recent.options) == 2, "it to be offered")
    assert ["add, mul, 1 item"] == [draft.label for draft in recent(console)]
    second.recent.value = 0
    reads(second, "1 item, at the end of the queue")


# -- logs and results ------------------------------------------------------------------------------------------------


def test_error_log_groups_equal_failures_and_retries_them_together(console: iw.Console, wire: Wire) -> None:
    """Equal failures are one line; the detail says what to do; all of them can be retried at once."""
    for number in (1, 2):
        wire.run(fail(f"out of luck {number}"))
    log = ErrorLogView(console)
    until(lambda: log.groups.options and log.groups.options[0][0].count("2 ×"), "both in one line")
    assert "RuntimeError" in reads(log, "out of luck")
    press(log, "retry 2 items")
    assert said(log).startswith("Retried 2 items as ")


def test_error_log_can_be_narrowed_to_one_class(console: iw.Console, wire: Wire) -> None:
    """The list can be narrowed to one class."""
    wire.run(fail("CUDA out of memory"))
    wire.run(fail("something else"))
    log = ErrorLogView(console)
    until(lambda: len(log.groups.options) == 2, "both")
    log.classes.value = "resource_error"
    assert ["CUDA out of memory"] == [label.rsplit("  ", 1)[1] for label, _ in log.groups.options]


def test_show_item_in_queue_selects_its_row(console: iw.Console, wire: Wire) -> None:
    """From an error in the dashboard, one click selects the item's row."""
    item_id = wire.run(fail())["item_id"]
    dashboard = Dashboard(console)
    press(dashboard.error_log, f"show item {item_id} in queue")
    assert [item_id] == dashboard.queue_table.selected


def test_clearing_the_error_log_asks_first(console: iw.Console, wire: Wire) -> None:
    """The first click asks; the second clears."""
    wire.run(fail())
    until(lambda: len(console.errors), "the error")
    log = ErrorLogView(console)
    press(log, "clear this log")
    assert 1 == len(console.errors)
    press(log, "clear 1 error")
    assert ("Cleared 1 error from this log.", 0) == (said(log), len(console.errors))


def test_cancellation_log_shows_the_outcome(console: iw.Console, wire: Wire) -> None:
    """A cancel appears in the log with its outcome."""
    done = wire.run()["item_id"]
    log = CancellationLogView(console)
    console.cancel(done)
    assert "already finished" in reads(log, f"item {done}")


def test_results_show_outputs_and_images_on_demand(console: iw.Console, wire: Wire) -> None:
    """The newest completed items are shown with their outputs and images, on demand."""
    wire.run(add_and_multiply(a=1, b=2, factor=10))
    until(lambda: [item.status for item in console.queue] == ["completed"], "the snapshot")
    results = ResultsView(console)
    assert "mul 30" in reads(results, "mul 30")
    wire.run(blank_image(32, 16))
    reads(results, "1 newer item completed.")
    press(results, "show newest")
    reads(results, "32 × 16")
    assert 1 == sum(m.value.count("<img") for m in results.children if isinstance(m, ipywidgets.HTML))


# -- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_unknown_keywords_raise_type_error(console: iw.Console, part: type[View]) -> None:
    """A misspelled option is an error, not silence."""
    with pytest.raises(TypeError):
        part(console, colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.slow
def test_closing_frees_every_model(console: iw.Console, wire: Wire, part: type[View]) -> None:
    """Ten views opened and closed leave as many models as before."""
    wire.run(fail())
    part(console).close()
    before = live_models()
    for _ in range(10):
        part(console).close()
    assert before == live_models()


@pytest.mark.slow
def test_a_hundred_closed_dashboards_leave_no_models(console: iw.Console, wire: Wire) -> None:
    """A hundred dashboards opened, used and closed leave as many models as before."""
    wire.run(add_and_multiply())
    before = live_models()
    for _ in range(100):
        dashboard = Dashboard(console)
        dashboard.submitter.vary()
        dashboard.close()
        dashboard.close()
    assert before == live_models()


def test_two_dashboards_show_the_same(console: iw.Console, wire: Wire) -> None:
    """Two dashboards of one console show the same, whichever was used."""
    first, second = Dashboard(console), Dashboard(console)
    wire.running_and_pending(2)
    press(first.controls, "cancel pending (2)")
    reads(second.server_line, "2 canceled")
    reads(second.cancellation_log, "all pending")
    assert "Last action: Canceled 2 pending" in reads(first, "Last action")
    assert "Last action" not in text(second)


def test_footer_shows_what_a_rows_buttons_did(console: iw.Console, wire: Wire) -> None:
    """It replaces the previous action."""
    (running,) = wire.enqueue(sleep(60))["item_ids"]
    dashboard = Dashboard(console)
    until(lambda: running in console.store.state.items, "the item")
    dashboard.queue_table.cancel([running])
    reads(dashboard, f"Last action: Canceled item {running}")
    dashboard.queue_table.retry([running])
    reads(dashboard, f"Last action: Retried item {running} as")
    assert dashboard.controls.said.startswith(f"Retried item {running} as")


def test_console_displays_as_text_and_escaped_html_without_widgets(console: iw.Console, wire: Wire) -> None:
    """Where there are no widgets, the console shows text and an escaped table."""
    wire.run(fail("<b>bold</b>"))
    until(lambda: len(console.errors), "the error")
    bundle = console._repr_mimebundle_()
    assert {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"} <= bundle.keys()
    assert (0, True) == (bundle["text/html"].count("<b>bold"), "&lt;b&gt;bold" in bundle["text/html"])


def test_a_closed_console_closes_its_views(console: iw.Console) -> None:
    """When the console ends, its views do."""
    dashboard = Dashboard(console)
    console.close()
    assert dashboard.closed


def test_header_says_that_the_worker_is_paused(console: iw.Console, wire: Wire) -> None:
    """The head says when the worker takes no items."""
    dashboard = Dashboard(console)
    console.pause()
    assert "InvokeAI" in reads(dashboard.server_line, "paused: the worker takes no items")
    console.resume()


def test_a_password_in_an_error_is_shown_nowhere(console: iw.Console, wire: Wire) -> None:
    """An address that a job's error quotes loses its password and token before anything is made of it."""
    said = "cannot fetch https://me:hunter2@models.invalid/x?token=abcdef123456"
    view = Dashboard(console)
    item_id = wire.run(fail(said))["item_id"]
    error = until(lambda: next((e for e in console.errors if e.item_id == item_id), None), "the record")
    until(lambda: "models.invalid" in view.as_html(), "the static page")
    with pytest.raises(iw.JobException) as caught:
        console.job(item_id).wait(30)
    states = repr([model.get_state() for model in ipywidgets.widgets.widget._instances.values()])
    item = console.item(item_id)
    shown = [states, view.as_html(), view.as_text(), repr(error), repr(item), str(item.error_traceback)]
    shown += [str(caught.value), repr(caught.value.details)]
    view.close()
    assert [] == [text for text in shown if "hunter2" in text or "abcdef123456" in text]
    assert "[token]@models.invalid" in shown[1]


def test_a_late_click_does_what_the_page_showed(console: iw.Console, wire: Wire) -> None:
    """It does not undo a pause, cancel another batch, or clear the log unasked."""
    wire.run(fail())
    running, _ = wire.running_and_pending(0)
    (waiting,) = wire.enqueue(sleep(60))["item_ids"]
    batch_id = wire.item(waiting)["batch_id"]
    controls, log = Controls(console), ErrorLogView(console)
    press(controls, "pause")
    pause = button(controls, "resume")
    until(lambda: not pause.busy, "the pause to be over")
    pause.click(about="pause")
    until(lambda: not pause.busy, "the second one to be over")
    assert not wire.get("status")["processor"]["is_started"]
    console.cancel(waiting)
    button(controls, "cancel batch").click(batch_id)
    until(lambda: batch_id[:8] in controls.said, "the outcome")
    assert "in_progress" == wire.item(running)["status"]
    until(lambda: console.errors, "the error")
    forget = button(log, "clear")
    forget.click(about=None)
    forget.click(about=None)
    assert 1 == len(console.errors)
    press(log, "clear 1 error")
    assert 0 == len(console.errors)
