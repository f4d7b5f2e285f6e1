"""Alerts on running servers: each condition comes true, and its message arrives."""

from __future__ import annotations

import gc
import json
import logging
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

import invoke_widgets as iw
from invoke_widgets.alerts import (
    BatchDone,
    ConnectionBack,
    ConnectionLost,
    Delivery,
    JobFailed,
    JobFinished,
    JobStalled,
    Message,
    QueuePaused,
    QueueResumed,
    QueueUnwedged,
    QueueWedged,
    Webhook,
    nothing_received,
    queue_stalled,
    rate,
    when,
)
from invoke_widgets.widgets.dashboard import Dashboard
from tests.support.graphs import add_and_multiply, fail, sleep
from tests.support.receivers import Answer, http_receiver
from tests.support.servers import EmbeddedServer
from tests.support.wire import Wire, until


def settle(console: iw.Console) -> None:
    """Wait until everything the server has sent so far is in the snapshot and was passed on."""
    console.refresh()
    done = threading.Event()
    console.internals.start(_nothing(), lambda _: done.set())
    assert done.wait(30)


async def _nothing() -> None:
    pass


def kinds(messages: list[Message]) -> list[str]:
    return [message.kind for message in messages]


def outcomes(console: iw.Console) -> list[str]:
    return [delivery.outcome for delivery in console.alerts.log]


# -- rules -------------------------------------------------------------------------------------------------------------


def test_job_failed_of_an_error_type(console: iw.Console, wire: Wire) -> None:
    """Of two failures only the one of that error type is reported, with its reason, remedy and ids."""
    got: list[Message] = []
    alert = console.alert(on=when(JobFailed, iw.JobErrorType.RESOURCE_ERROR), to=got.append, at_most_every_s=0)
    wire.run(fail("something else"))
    item = wire.run(fail("CUDA out of memory"))
    until(lambda: got, "the message")
    settle(console)
    (message,) = got
    assert ("job.failed", "error", f"Item {item['item_id']} failed: resource_error") == (
        message.kind,
        message.severity,
        message.title,
    )
    assert message.text.startswith("CUDA out of memory\n")
    assert (item["item_id"], item["batch_id"], "resource_error") == tuple(
        message.data[name] for name in ("item_id", "batch_id", "error_type")
    )
    assert (alert.name, wire.server.url) == (message.alert, message.server)
    alert.cancel()
    wire.run(fail("CUDA out of memory"))
    settle(console)
    assert (1, [alert.name, 0, True]) == (
        len(got),
        ["Job failed (resource_error)", len(console.alerts), alert.is_canceled],
    )


def test_batch_done(console: iw.Console, wire: Wire) -> None:
    """The end of a batch is reported once, with its counts."""
    got: list[Message] = []
    console.alert(on=BatchDone, to=got.append, at_most_every_s=0)
    batch = console.submit(add_and_multiply(), runs=3)
    batch.wait(timeout=30)
    until(lambda: got, "the message")
    settle(console)
    assert [{"completed": 3, "total": 3}] == [message.data["counts"] for message in got]
    assert f"Batch {batch.batch_id[:8]} is done: 3 completed" == got[0].title


def test_rate(console: iw.Console, wire: Wire) -> None:
    """The third failure within the window is reported, and not the first two."""
    got: list[Message] = []
    console.alert(on=rate(JobFailed, more_than=2, within_s=60), to=got.append, at_most_every_s=0)
    ids = [wire.run(fail())["item_id"] for _ in range(4)]
    until(lambda: got, "the message")
    settle(console)
    assert [("rate.exceeded", 3, ids[2])] == [(m.kind, m.data["count"], m.data["item_id"]) for m in got]
    assert got[0].title.startswith(f"3 in 60 s: Item {ids[2]} failed")


@pytest.mark.slow
def test_nothing_received(console: iw.Console, wire: Wire) -> None:
    """A running node that sends nothing is reported once; a queue with nothing to do is not."""
    got: list[Message] = []
    console.alert(on=nothing_received(minutes=1 / 60), to=got.append, at_most_every_s=0)
    time.sleep(1.6)  # an idle queue has nothing to report
    assert [] == got
    wire.start(sleep(60, steps=1))
    until(lambda: got, "the message")
    assert ["queue.silent"] == kinds(got)
    wire.clean()
    settle(console)
    assert ["queue.silent"] == kinds(got)


def test_job_stalled(console: iw.Console, wire: Wire) -> None:
    """A silent job is reported, for each alert after its own time."""
    got: list[Message] = []
    console.alert(on=queue_stalled(minutes=0.5 / 60), to=got.append, at_most_every_s=0)
    later = console.alert(on=JobStalled, to="toast")
    (item_id,) = wire.start(sleep(60, steps=1))
    until(lambda: got, "the message")
    assert [("job.stalled", item_id)] == [(m.kind, m.data["item_id"]) for m in got]
    assert (0, ()) == (later.held_back, console.alerts.toasts.showing)


@pytest.mark.slow
def test_queue_wedged_and_unwedged(console: iw.Console, wire: Wire) -> None:
    """A stuck queue is reported, and that it goes on."""
    got: list[Message] = []
    console.alert(on=queue_stalled() | QueueUnwedged, to=got.append, at_most_every_s=0)
    batch_id = wire.enqueue(data=[[{"node_path": "add", "field_name": "a", "items": ["seven"]}]])["batch"]["batch_id"]
    until(lambda: got, "the message")
    assert ("queue.wedged", [batch_id]) == (got[0].kind, got[0].data["batch_ids"])
    console.unwedge()
    console.prune()
    until(lambda: len(got) == 2, "the queue to go on")
    assert ["queue.wedged", "queue.unwedged"] == kinds(got)


@pytest.mark.slow
def test_alerts_without_a_socket(polling_console: iw.Console, wire: Wire) -> None:
    """Without events, failures and ends are reported all the same."""
    got: list[Message] = []
    polling_console.alert(on=JobFailed | BatchDone, to=got.append, at_most_every_s=0)
    wire.run(fail())
    until(lambda: len(got) == 2, "both")
    assert {"job.failed", "batch.done"} == set(kinds(got))


def test_queue_paused_and_resumed(console: iw.Console) -> None:
    """Pausing and resuming are reported."""
    got: list[Message] = []
    console.alert(on=QueuePaused | QueueResumed, to=got.append, at_most_every_s=0)
    console.pause()
    until(lambda: got, "the pause")
    console.resume()
    until(lambda: len(got) == 2, "its end")
    assert ["queue.paused", "queue.resumed"] == kinds(got)


@pytest.mark.slow
def test_connection_lost_and_back() -> None:
    """A lost connection is reported, with the silence, and its return."""
    server = EmbeddedServer()
    server.start()
    try:
        with iw.connect(server.url) as console, Wire(server) as wire:
            got: list[Message] = []
            console.alert(on=ConnectionLost | ConnectionBack, to=got.append, at_most_every_s=0)
            silent: list[Message] = []
            console.alert(on=nothing_received(minutes=1 / 60), to=silent.append)
            wire.start(sleep(60))
            server.kill()
            until(lambda: got, "the loss")
            until(lambda: silent, "the silence")
            server.start()
            until(lambda: len(got) == 2, "the server to be back")
            assert ["connection.lost", "connection.back"] == kinds(got)
    finally:
        server.stop()


# -- how often ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_limit_gathers_failures_into_few_messages(console: iw.Console, wire: Wire) -> None:
    """Of many failures at once, one is reported at once and the rest in one message, for every sink."""
    got: list[Message] = []
    with http_receiver() as hook:
        alert = console.alert(on=JobFailed, to=[Webhook(hook.url), got.append], at_most_every_s=2.0)
        ids = wire.enqueue(fail("no luck"), runs=15)["item_ids"]
        wire.wait_until_idle()
        until(lambda: len(hook.requests) >= 2 and len(got) >= 2, "the rest")
        settle(console)
        until(lambda: alert.held_back == 0, "all to be reported")
        until(lambda: "pending" not in outcomes(console), "all to be delivered")
        reports = [json.loads(request.body)["data"] for request in hook.requests]
    assert (0, 15) == (reports[0]["held_back"], sum(1 + one["held_back"] for one in reports))
    assert {*ids} >= {one["item_id"] for one in reports}
    assert hook.requests[1].at - hook.requests[0].at >= 1.9
    assert f", and {reports[1]['held_back']} more" in got[1].headline
    assert len(reports) == len(got) <= 4
    frame = console.alerts.frame()
    assert [15, 15] == [(1 + rows["held_back"]).sum() for _, rows in frame.groupby("sink")]


def test_quiet_holds_messages_back(console: iw.Console, wire: Wire) -> None:
    """Nothing is sent while quiet; what happened is sent afterwards."""
    got: list[Message] = []
    alert = console.alert(on=JobFailed, to=got.append, at_most_every_s=0)
    for quiet in (alert.quiet, console.alerts.quiet):
        got.clear()
        quiet(minutes=30)
        for _ in range(2):
            wire.run(fail())
        until(lambda: alert.held_back == 2, "both to be counted")
        assert ([], True) == (got, alert.is_quiet or console.alerts.is_quiet)
        quiet(minutes=0)
        until(lambda: got, "the message")
        assert [("job.failed", 1)] == [(message.kind, message.held_back) for message in got]


def test_alert_canceled_while_quiet_records_what_it_held_back(console: iw.Console, wire: Wire) -> None:
    """It sends nothing, and the log has what it held back."""
    alert = console.alert(on=JobFailed, to=print)
    alert.quiet(minutes=30)
    for _ in range(3):
        wire.run(fail())
    until(lambda: alert.held_back == 3, "all to be counted")
    alert.cancel()
    alert.cancel()
    (delivery,) = until(lambda: list(console.alerts.log), "the record")
    assert ("dropped", 2, "the alert ended while it was quiet") == (
        delivery.outcome,
        delivery.held_back,
        delivery.reason,
    )


def test_close_sends_what_is_held_back(wire: Wire) -> None:
    """What a limit holds back when the console is closed is sent then, and closing waits for it."""
    got: list[Message] = []
    with iw.connect(wire.server.url) as console:
        alert = console.alert(on=JobFailed, to=got.append)
        wire.enqueue(fail(), runs=5)
        until(lambda: alert.held_back == 4, "the rest to be held back")
    assert [0, 3] == [message.held_back for message in got]
    with pytest.raises(iw.InvalidRequest, match="closed"):
        console.alert(on=JobFailed)


# -- sinks -------------------------------------------------------------------------------------------------------------


def test_signed_webhook_of_a_failure_is_retried(console: iw.Console, wire: Wire) -> None:
    """A failed job arrives signed, although the receiver fails at first."""
    secret = Webhook.new_secret()
    with http_receiver(Answer(503, {"Retry-After": "0"})) as receiver:
        console.alert(on=JobFailed, to=Webhook(receiver.url, secret=secret))
        item = wire.run(fail("CUDA out of memory"))
        until(lambda: outcomes(console) == ["delivered"], "the delivery")
        payload = standardwebhooks.Webhook(secret).verify(receiver.requests[1].body, receiver.requests[1].headers)
    assert ("job.failed", item["item_id"]) == (payload["type"], payload["data"]["item_id"])
    (delivery,) = console.alerts.log
    assert (2, item["item_id"], f"Webhook('{receiver.url}', signed)") == (
        delivery.attempts,
        delivery.item_id,
        delivery.sink,
    )


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """An event for functions that hang, which is set at the end."""
    event = threading.Event()
    yield event
    event.set()


def test_failing_sinks_disturb_nothing(
    console: iw.Console, wire: Wire, held: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside sinks that hang, raise and refuse, the others get their messages, and snapshot and actions go on."""
    caplog.set_level(logging.WARNING)
    got: list[Message] = []

    def hangs(message: Message) -> None:
        held.wait(60)

    def raises(message: Message) -> None:
        raise ValueError("no")

    changes: list[int] = []
    console.on_change(lambda change: changes.append(len(change.item_ids)))
    with http_receiver(Answer(hang=held)) as receiver:
        sinks = [
            hangs,
            Webhook(receiver.url, attempts=1),
            raises,
            Webhook("http://127.0.0.1:1/x", attempts=1),
            got.append,
        ]
        console.alert(on=JobFinished, to=sinks, at_most_every_s=0)
        for number in range(1, 4):
            wire.run()
            until(lambda n=number: len(got) == n, f"message {number}")  # type: ignore[misc]
        running, _ = wire.running_and_pending(0)
        assert "canceled" == console.cancel(running).outcome
        until(lambda: outcomes(console).count("failed") >= 6, "the failures")
        held.set()
    assert changes
    failed = [delivery for delivery in console.alerts.log if delivery.outcome == "failed"]
    assert {"ValueError: no", "the request failed (ConnectError)"} <= {d.reason.split(" (test_")[0] for d in failed}
    assert [] == list(console.errors)


def test_alert_test_returns_the_outcomes(console: iw.Console) -> None:
    """A test message goes to every sink whatever the limit, and its outcomes are returned."""
    got: list[Message] = []
    with http_receiver(Answer(401)) as receiver:
        alert = console.alert(on=BatchDone, to=[got.append, Webhook(receiver.url), "toast"], name="my batches")
        alert.quiet(minutes=5)
        first, second, third = alert.test()
    assert ["delivered", "failed", "delivered"] == [d.outcome for d in (first, second, third)]
    assert "the receiver answered 401 Unauthorized" == second.reason
    assert ("alert.test", "Test of alert 'my batches'", "info") == (got[0].kind, got[0].title, got[0].severity)
    assert [first, second, third] == list(console.alerts.log)
    assert ["alert.test", "alert.undelivered"] == sorted(kinds(list(console.alerts.toasts.showing)))


def test_toasts_stay_until_dismissed(console: iw.Console, wire: Wire) -> None:
    """By default an alert is a toast, which stays until it is dismissed."""
    console.alert(on=JobFailed, at_most_every_s=0)
    ids = [wire.run(fail())["item_id"] for _ in range(2)]
    toasts = console.alerts.toasts
    until(lambda: len(toasts.showing) == 2, "both")
    changes: list[tuple[object, ...]] = []
    toasts.on_change(lambda: changes.append(toasts.showing))
    assert ids[::-1] == [message.data["item_id"] for message in toasts.showing]
    toasts.dismiss(toasts.showing[0].message_id)
    assert ids[:1] == [message.data["item_id"] for message in toasts.showing]
    toasts.dismiss()
    toasts.dismiss()
    assert [1, 0] == list(map(len, changes)), "a dismissal that changes nothing is no change"


def test_messages_contain_no_secret(console: iw.Console, wire: Wire) -> None:
    """Secrets in a job's error are removed before it goes anywhere."""
    got: list[Message] = []
    console.alert(on=JobFailed, to=[got.append, "toast"])
    wire.run(fail("401 for https://me:hunter2@host/x?token=abcdefghijkl Bearer abc.d3f.ghi"))
    until(lambda: got, "the message")
    until(lambda: "pending" not in outcomes(console), "the records")
    shown = str(got) + str(list(console.alerts.log)) + str(got[0].to_json()) + console.alerts.frame().to_csv()
    dashboard = Dashboard(console)
    assert dashboard.toasts
    shown += str(dashboard.get_state()) + dashboard.as_html()
    assert "401 for https://" in shown
    assert [] == [secret for secret in ("hunter2", "abcdefghijkl", "abc.d3f.ghi") if secret in shown]


def test_frame_has_one_schema(console: iw.Console) -> None:
    """Empty or full, the frame has the same columns and types."""
    empty = console.alerts.frame()
    alert = console.alert(on=JobFailed, to="toast")
    (delivery,) = alert.test()
    full = console.alerts.frame()
    assert isinstance(delivery, Delivery)
    assert (list(empty.dtypes.items()), 1) == (list(full.dtypes.items()), len(full))


def test_alerts_repr_lists_them(console: iw.Console) -> None:
    """The repr of the alerts lists each with its condition and sinks."""
    alert = console.alert(on=JobFailed | QueueWedged, name="mine")
    console.alert(on=rate(JobFailed, more_than=5, within_s=60), to=print)
    assert "Alert(JobFailed | QueueWedged, to=Toasts(), name='mine', at_most_every_s=60)" == repr(alert)
    assert "Alert(rate(JobFailed, more_than=5, within_s=60), to=Callback(print), at_most_every_s=60)" in repr(
        console.alerts
    )
    console.alerts.cancel()
    assert 0 == len(console.alerts)


# -- what is left behind -----------------------------------------------------------------------------------------------


def test_canceled_alerts_leave_nothing(console: iw.Console, wire: Wire) -> None:
    """A hundred alerts that were added, used and canceled leave no courier, task or reference, and no log filter."""
    filters = _log_filters()
    left: list[weakref.ref[Any]] = []
    for number in range(100):
        got: list[Message] = []

        def receive(message: Message, got: list[Message] = got) -> None:
            got.append(message)

        hook = Webhook("http://127.0.0.1:1/x", attempts=1)
        alert = console.alert(on=JobFailed, to=[receive, hook], name=f"alert {number}")
        if number < 3:
            assert ["delivered", "failed"] == [delivery.outcome for delivery in alert.test()]
        alert.cancel()
        left.extend(map(weakref.ref, (alert, receive, hook)))
    del alert, receive, hook
    settle(console)

    def alive() -> list[object]:
        gc.collect()
        return [ref() for ref in left if ref() is not None]

    until(lambda: alive() == [], "all to be collected")
    assert (0, filters) == (len(console.alerts), _log_filters())


def test_alert_canceled_while_sending_still_delivers(console: iw.Console, wire: Wire) -> None:
    """The message under way when its alert is canceled arrives, and nothing is kept after it."""
    go, got = threading.Event(), list[str]()

    def slow(message: Message) -> None:
        go.wait(30)
        got.append(message.kind)

    alert = console.alert(on=JobFailed, to=slow, at_most_every_s=0)
    wire.run(fail())
    until(lambda: outcomes(console) == ["pending"], "the delivery to begin")
    alert.cancel()
    settle(console)
    go.set()
    until(lambda: outcomes(console) == ["delivered"], "the delivery")
    assert ["job.failed"] == got


def _log_filters() -> int:
    loggers = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    return sum(len(logger.filters) for logger in loggers)


# -- the log of deliveries ---------------------------------------------------------------------------------------------


def test_deliveries_are_kept(wire: Wire, tmp_path: Path) -> None:
    """With a history, deliveries and outcomes survive the kernel, in a frame of one schema."""
    path = tmp_path / "history.sqlite"
    with http_receiver(Answer(400)) as receiver, iw.connect(wire.server.url, history=path) as console:
        empty = console.alerts.frame()
        secret = Webhook.new_secret()
        hook = Webhook(f"{receiver.url}/a-path-that-is-a-secret", secret=secret)
        console.alert(on=JobFailed, to=[print, hook], at_most_every_s=0)
        item_id = wire.run(fail("CUDA out of memory"))["item_id"]
        until(lambda: sorted(outcomes(console)) == ["delivered", "failed"], "the deliveries")
        before = console.alerts.frame()
    with iw.connect(wire.server.url, history=path) as console:
        after = console.alerts.frame()
        assert {item_id} == set(after["item_id"])
        assert ["delivered", "failed"] == sorted(after["outcome"])
        assert before.sort_values("sink")["took_s"].tolist() == after.sort_values("sink")["took_s"].tolist()
        assert empty.dtypes.to_dict() == before.dtypes.to_dict() == after.dtypes.to_dict()
        console.alerts.log.clear()
        assert 0 == len(console.alerts.log)
    with iw.connect(wire.server.url, history=path) as console:
        assert 0 == len(console.alerts.log)
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert [False, False] == [text.encode() in kept for text in (secret, "a-path-that-is-a-secret")]


def test_notebooks_share_their_deliveries(wire: Wire, tmp_path: Path) -> None:
    """Each has the other's deliveries too, and none replaces another."""
    path = tmp_path / "history.sqlite"
    with iw.connect(wire.server.url, history=path) as one, iw.connect(wire.server.url, history=path) as other:
        for console, name in ((one, "one"), (other, "other")):
            console.alert(on=JobFailed, to=lambda _: None, name=name).test()
        for console in (one, other):
            until(lambda: len(console.alerts.log) == 2, "both deliveries")  # noqa: B023 - called at once
            assert ["one", "other"] == sorted(delivery.alert for delivery in console.alerts.log)


def test_undelivered_message_shows_in_the_dashboard(console: iw.Console) -> None:
    """A failing sink shows in the dashboard once, with a count and the reason, until it is dismissed."""
    dashboard = Dashboard(console)
    with http_receiver(*[Answer(400)] * 3) as receiver:
        hook = Webhook(receiver.url)
        alert = console.alert(on=JobFailed, to=hook)
        for _ in range(3):
            assert ["failed"] == [delivery.outcome for delivery in alert.test()]
    (message,) = console.alerts.toasts.showing
    assert ("warning", "An alert was not delivered, and 2 more") == (message.severity, message.headline)
    assert repr(hook) in message.text
    assert "400" in message.text
    until(lambda: dashboard.toasts and "and 2 more" in dashboard.toasts[0]["where"], "the dashboard to show it")
    assert "An alert was not delivered" == dashboard.toasts[0]["title"]
    dashboard.dismiss(dashboard.toasts[0]["id"])
    until(lambda: dashboard.toasts == [], "it to be gone")
    assert () == console.alerts.toasts.showing
    dashboard.close()
