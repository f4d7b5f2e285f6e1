"""Arguments that do not fit are refused at once, by name, and nothing is sent; what comes out of a frame is taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import invoke_widgets as iw
from invoke_widgets.history import ErrorLog, HistoryFile
from tests.support.chaos import ChaosProxy
from tests.support.graphs import Graph, add_and_multiply, divide
from tests.support.wire import Wire, until

NAN = math.nan
HUGE = 10**400
HALF = "\ud83d"
NO_NUMBERS = (NAN, "1", True, None, [1], b"1")
NO_SECONDS = (NAN, -1, "x", True, [1])
NO_TEXTS = (None, 5, "", True, b"x", ["a"], HALF)
NO_FUNCTIONS = (None, 5, "print")
NO_FLAGS = ("no", "False", None, 1, 0, NAN)


def _nested(depth: int) -> Graph:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return {"nodes": {"a": {"type": "add", "a": value}}, "edges": []}


Call = Callable[[iw.Console, iw.Batch, Any], object]
GRAPH = add_and_multiply()

TABLE: list[tuple[str, Call, tuple[Any, ...]]] = [
    # the argument's name, the call, and values that do not fit
    ("graph", lambda c, b, x: c.submit(x), (None, 5, "x", [], b"x")),
    ("graph.nodes", lambda c, b, x: c.submit(x), ({}, {"nodes": {}}, {"nodes": []}, {"nodes": None})),
    ("nodes.a.a", lambda c, b, x: c.submit(_nested(x)), (1_000, 100_000)),
    ("nodes.a.a", lambda c, b, x: c.submit({"nodes": {"a": {"type": "add", "a": x}}}), (NAN, HALF, object(), {1, 2})),
    ("runs", lambda c, b, x: c.submit(GRAPH, runs=x), (*NO_NUMBERS, 0, -1, 1.5, 10**9, 2**70, HUGE)),
    ("prepend", lambda c, b, x: c.submit(GRAPH, prepend=x), NO_FLAGS),
    ("destination", lambda c, b, x: c.submit(GRAPH, destination=x), (5, True, b"x", ["a"], HALF)),
    ("patience", lambda c, b, x: c.submit(GRAPH, patience=x), (*NO_SECONDS, None)),
    ("retry", lambda c, b, x: c.submit(GRAPH, retry=x), (3, "yes", True)),
    ("data", lambda c, b, x: c.submit(GRAPH, data=x), (5, "x", {"a": [1]}, True)),
    ("data.add.a", lambda c, b, x: c.submit(GRAPH, data={"add.a": x}), (5, "12", [], b"x")),
    ("item_id", lambda c, b, x: c.cancel(x), (NAN, True, 1.5)),
    ("item_ids", lambda c, b, x: c.cancel(x), (None, "1", b"1", [None], ["1"], [True], [1.5], {1: 2})),
    ("where", lambda c, b, x: c.cancel(where=x), ({}, "failed", [], 5, {5: 1}, {"stauts": "failed"})),
    ("where", lambda c, b, x: c.retry(where=x), ({}, "failed", [], 5, {5: 1}, {"stauts": "failed"})),
    ("where", lambda c, b, x: c.cancel(1, where=x), ({"status": "failed"},)),
    ("where", lambda c, b, x: c.retry(1, where=x), ({"status": "failed"},)),
    ("where.status", lambda c, b, x: c.cancel(where={"status": x}), ("done", None, [], {"a": 1})),
    ("where.error_type", lambda c, b, x: c.retry(where={"error_type": x}), ("ZeroDivisionError", [])),
    ("item_id", lambda c, b, x: c.delete(x), (NAN, True, None, 1.5)),
    ("item_ids", lambda c, b, x: c.delete(x), ("1", b"1", [None], ["1"], [True], [1.5], {1: 2})),
    ("item_id", lambda c, b, x: c.job(x), (*NO_NUMBERS, 1.5)),
    ("item_id", lambda c, b, x: c.item(x), (*NO_NUMBERS, 1.5)),
    ("item_ids", lambda c, b, x: c.retry(x), (*NO_NUMBERS[:-2], b"1", [], ["1"], [True], [NAN], {1: 2}, 1.5)),
    ("batch_id", lambda c, b, x: c.cancel_batch(x), NO_TEXTS),
    ("batch_id", lambda c, b, x: c.batch(x), NO_TEXTS),
    ("listener", lambda c, b, x: c.on_change(x), NO_FUNCTIONS),
    ("interval", lambda c, b, x: c.on_change(print, interval=x), (*NO_SECONDS, None, math.inf)),
    ("listener", lambda c, b, x: c.on_notice(x), NO_FUNCTIONS),
    ("stalled_s", lambda c, b, x: c.on_notice(print, stalled_s=x), (*NO_SECONDS, 0)),
    ("jobs", lambda c, b, x: c.watch(x), (None, 5, "x", [1])),
    ("timeout", lambda c, b, x: c.watch(b, timeout=x), NO_SECONDS),
    ("on_timeout", lambda c, b, x: c.watch(b, on_timeout=x), (None, 5, "wait", [1])),
    ("stalled_s", lambda c, b, x: c.watch(b, stalled_s=x), (*NO_SECONDS, 0)),
    ("timeout", lambda c, b, x: c.refresh(x), (*NO_SECONDS, None, HUGE)),
    ("timeout", lambda c, b, x: c.reconnect(x), (*NO_SECONDS, None, HUGE)),
    ("token", lambda c, b, x: c.reconnect(token=x), (5, True, b"x", "a b\n", HALF, " x")),
    ("timeout", lambda c, b, x: b.wait(x), (*NO_SECONDS, HUGE)),
    ("timeout", lambda c, b, x: b.jobs[0].wait(x), (*NO_SECONDS, HUGE)),
    ("timeout", lambda c, b, x: b.jobs[0].result(x), (*NO_SECONDS, HUGE)),
    ("timeout", lambda c, b, x: b.jobs[0].image_names(x), NO_SECONDS),
    ("timeout", lambda c, b, x: b.result(x), NO_SECONDS),
    ("timeout", lambda c, b, x: b.frame(x), NO_SECONDS),
    ("on_timeout", lambda c, b, x: b.wait(1, x), (None, 5, "wait", [1])),
    ("on_interrupt", lambda c, b, x: b.wait(1, on_interrupt=x), (5, "raise", [1])),
    ("on_failure", lambda c, b, x: b.result(1, on_failure=x), (None, 5, "ignore", [1])),
    ("timeout", lambda c, b, x: b.iter_events(x), (*NO_SECONDS, HUGE)),
    ("timeout", lambda c, b, x: b.jobs[0].iter_events(x), (*NO_SECONDS, HUGE)),
    ("listener", lambda c, b, x: b.on_change(x), NO_FUNCTIONS),
    ("listener", lambda c, b, x: b.jobs[0].on_change(x), NO_FUNCTIONS),
    ("jobs", lambda c, b, x: iw.as_completed(x), (None, 5, "x", [1])),
    ("timeout", lambda c, b, x: iw.as_completed(b, timeout=x), (*NO_SECONDS, HUGE)),
    ("on", lambda c, b, x: c.alert(on=x), (None, 5, "x", True)),
    ("to", lambda c, b, x: c.alert(on=iw.notices.JobFailed, to=x), (None, 5, "mail", True)),
    ("to", lambda c, b, x: c.alert(on=iw.notices.JobFailed, to=x), ([], iw.alerts.Webhook)),
    ("name", lambda c, b, x: c.alert(on=iw.notices.JobFailed, name=x), ("a\nb", "", " ", 5)),
    ("minutes", lambda c, b, x: c.alerts.quiet(x), (*NO_SECONDS, None)),
    ("at_most_every_s", lambda c, b, x: c.alert(on=iw.notices.JobFailed, at_most_every_s=x), (*NO_SECONDS, None)),
    ("columns", lambda c, b, x: c.queue_table(columns=x), (5, "item", ["no"], [1], True)),
    ("limit", lambda c, b, x: ErrorLog(x), (*NO_NUMBERS, 0, 1.5)),
    ("retry.attempts", lambda c, b, x: iw.RetryPolicy(attempts=x), (*NO_NUMBERS, 0, 1.5)),
    ("retry.backoff_s", lambda c, b, x: iw.RetryPolicy(backoff_s=x), (*NO_SECONDS, None, HUGE)),
    ("board", lambda c, b, x: c.images(board=x), (5, True, b"x", ["a"])),
    ("limit", lambda c, b, x: c.images(limit=x), (*NO_NUMBERS, 0, -1, 1.5, HUGE)),
    ("intermediates", lambda c, b, x: c.images(intermediates=x), NO_FLAGS),
    ("jobs", lambda c, b, x: c.images_of(x), (None, 5, "x", [1])),
    ("timeout", lambda c, b, x: c.images_of(b, timeout=x), (*NO_SECONDS, HUGE)),
    ("board", lambda c, b, x: c.board(x), (None, 5, True, b"x", ["a"])),
    ("name", lambda c, b, x: c.boards.create(x), (*NO_TEXTS, "none", " ")),
    ("image", lambda c, b, x: c.upload(x), (None, 5, True, "", "\0", "/no/such.png", ["a"], {}, HALF)),
    ("board", lambda c, b, x: c.upload(b"x", board=x), (5, True, b"x", ["a"])),
    ("intermediate", lambda c, b, x: c.upload(b"x", intermediate=x), NO_FLAGS),
    ("jobs", lambda c, b, x: c.cleanup(x), (None, 5, "x", [1])),
    ("dry_run", lambda c, b, x: c.cleanup(b, dry_run=x), NO_FLAGS),
    ("board", lambda c, b, x: c.cleanup(b, x, dry_run=False), (5, True, b"x", ["a"])),
    ("folder", lambda c, b, x: iw.Images().save(x), (None, 5, True, b"x", "", "\0")),
    ("pattern", lambda c, b, x: iw.Images().save(".", x), (None, 5, True, b"x", "", "a/b", "{")),
    ("progress", lambda c, b, x: iw.Images().save(".", progress=x), NO_FLAGS),
    ("on", lambda c, b, x: iw.Images().star(x), NO_FLAGS),
    ("url", lambda c, b, x: iw.connect(x), (None, 5, True, b"x", ["a"])),
    ("token", lambda c, b, x: iw.connect(c.url, token=x), (5, True, b"x", "a b\n", " x")),
    ("queue_id", lambda c, b, x: iw.connect(c.url, queue_id=x), (*NO_TEXTS,)),
    ("timeout", lambda c, b, x: iw.connect(c.url, timeout=x), (*NO_SECONDS, 0, None, HUGE)),
    ("verify", lambda c, b, x: iw.connect(c.url, verify=x), ("no", "", None, 1, 0, 5.0)),
    ("use_socket", lambda c, b, x: iw.connect(c.url, use_socket=x), NO_FLAGS),
    ("history", lambda c, b, x: iw.connect(c.url, history=x), (5, True, b"x", "\0x", "", ["a"])),
    ("history", lambda c, b, x: HistoryFile(x), (None, 5, True, b"x", "\0x", "", HALF)),
]


def test_what_does_not_fit_is_refused_by_name(proxy: ChaosProxy, wire: Wire) -> None:
    """`InvalidRequest` names the argument, in words and as its field, and no request that changes anything is sent."""
    wrong: list[str] = []
    with iw.connect(proxy.url) as console, wire.paused():
        batch = console.submit(add_and_multiply())
        console.refresh()
        before = len(proxy.seen)
        for name, call, values in TABLE:
            for value in values:
                shown = f"{name}={value!r:.40}" if value is not HUGE else f"{name}=HUGE"
                try:
                    call(console, batch, value)
                except iw.InvalidRequest as error:
                    if not (error.field or "").startswith(name) or not error.message.startswith(name):
                        wrong.append(f"{shown}: field {error.field!r}, {error.message:.100}")
                except Exception as error:  # noqa: BLE001 - what else is raised, is reported
                    wrong.append(f"{shown}: {error!r:.100}")
                else:
                    wrong.append(f"{shown}: taken")
        sent = [seen for seen in proxy.seen[before:] if seen.method != "GET" and "by_ids" not in seen.path]
        unchanged = wire.item_ids() == list(batch.item_ids)
        alerts = len(console.alerts)
    assert ([], [], True, 0) == (wrong, sent, unchanged, alerts)


def test_history_limits_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Numbers only, and only such as a database can hold."""
    path = tmp_path / "history.sqlite"
    wrong = []
    for name, value in (
        *(("max_age_days", value) for value in ("90", NAN, -1, 0, True, None, HUGE, math.inf)),
        *(("max_records", value) for value in ("5", NAN, -1, 0, True, None, 1.5, 10**30)),
    ):
        try:
            HistoryFile(path, **{name: value}).close()
        except iw.InvalidRequest as error:
            if error.field != name:
                wrong.append(f"{name}={value!r:.40}: field {error.field!r}")
        except Exception as error:  # noqa: BLE001 - what else is raised, is reported
            wrong.append(f"{name}={value!r:.40}: {error!r:.100}")
        else:
            wrong.append(f"{name}={value!r:.40}: taken")
    assert ([], False) == (wrong, path.exists())


def test_an_id_that_no_server_has_is_not_found(console: iw.Console) -> None:
    """Also one larger than a server's database could hold."""
    wrong = []
    for value in (2**70, 10**30, -1, 0, 999_999_999):
        for call in (console.job, console.item, console.delete):
            with pytest.raises(iw.NotFound):
                call(value)
        if "not_found" != console.cancel(value).outcome:
            wrong.append(value)
        try:
            if (value,) != console.retry(value).skipped:
                wrong.append(value)
        except iw.NotFound:
            pass
    assert [] == wrong
    for batch_id in ("a/b", "no such batch", "..", "%2e%2e/x", "?x=1", "x" * 2000):
        with pytest.raises(iw.NotFound):
            console.batch(batch_id)
        assert "not_found" == console.cancel_batch(batch_id).outcome


def test_an_address_that_is_not_the_servers_own_is_named(console: iw.Console) -> None:
    """A path that leads nowhere is not taken for a deleted item."""
    for path in ("/%0d%0aX", "/x", "/api"):
        with pytest.raises(iw.JobException, match="address") as caught:
            iw.connect(console.url + path)
        assert "deleted" not in str(caught.value)


def test_a_nodes_type_cannot_be_varied(console: iw.Console) -> None:
    """Nor its id; neither is proposed in its own place."""
    for name in ("type", "id"):
        with pytest.raises(iw.InvalidRequest, match=f"has no field '{name}' to set") as caught:
            console.submit(GRAPH, data={f"add.{name}": ["mul"]})
        assert f"'{name}'?" not in str(caught.value)


def test_what_comes_out_of_a_frame_is_taken(console: iw.Console, wire: Wire) -> None:
    """Ids, numbers and Series of NumPy and pandas, in each call that takes them."""
    batch = console.submit(
        {"nodes": {"div": {"type": "div", "a": np.int64(6), "b": 1}}}, data={"div.b": pd.Series([0, 2])}
    )
    batch.wait(np.float64(60))
    frame = console.jobs.frame().sort_values("item_id")
    errors = console.errors.frame()
    failed = errors["item_id"].dropna()
    (first,) = failed
    assert first == console.item(first).item_id == console.job(first).item_id
    assert ["already_finished"] * 2 == [record.outcome for record in console.cancel(frame["item_id"])]
    assert "already_finished" == console.cancel(frame["item_id"].iloc[0]).outcome
    assert [first] == list(console.retry(failed).new_item_ids)
    assert 2 == len(console.submit(divide(6, 1), runs=np.int64(2), patience=np.int32(1), prepend=np.bool_(True)))
    assert "completed" == console.batch(frame["batch_id"].iloc[0]).jobs[1].wait(np.int64(60)).status
    console.batch(frame["batch_id"].iloc[0]).wait(60)
    assert "already_finished" == console.cancel_batch(frame["batch_id"].iloc[0]).outcome
    console.refresh(np.float32(30))
    console.delete(np.uint16(first))
    until(lambda: first not in {item.item_id for item in console.queue}, "the deletion")
    with iw.connect(console.url, timeout=np.int64(30), use_socket=np.bool_(False), verify=np.True_) as other:
        assert "polling" == other.status.connection.mode
