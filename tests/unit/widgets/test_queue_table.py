"""The table's Python side: rows as arrays, what is sent for a change, selection, static forms, an end without rests."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipywidgets.widgets import widget as core

from invoke_widgets.records import (
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    STATUSES,
    FieldValue,
    Progress,
    QueueItem,
)
from invoke_widgets.sync.state import QueueState
from invoke_widgets.widgets import queue_rows
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.queue_rows import detail
from invoke_widgets.widgets.queue_table import QueueTable
from tests.support.pressing import receive
from tests.support.table_console import FedConsole, item
from tests.support.wire import until


@pytest.fixture
def console() -> Iterator[FedConsole]:
    with FedConsole(item(i, COMPLETED) for i in range(1, 6)) as console:
        yield console


class Sent:
    """What a table sends to its pages."""

    def __init__(self, table: QueueTable) -> None:
        self.messages: list[dict[str, Any]] = []
        self._send = table.grid.send
        table.grid.send = self._keep

    def _keep(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        packets = [json.loads(buffer) for buffer in buffers if message["t"] in ("rows", "change")]
        self.messages.append({**message, **({"rows": packets[0]} if packets else {})})

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["t"] == kind]


items = st.builds(
    lambda item_id, status, fields: item(item_id, status, **fields),
    st.integers(1, 30),
    st.sampled_from([*STATUSES, "new_status"]),
    st.fixed_dictionaries(
        {},
        optional={
            "destination": st.sampled_from([None, "canvas"]),
            "error_message": st.text(max_size=20),
            "priority": st.integers(0, 3),
            "device": st.sampled_from([None, "cuda:0"]),
        },
    ),
)
pictures = st.builds(
    lambda made, due: QueueState(items={i.item_id: i for i in made}, retrying=due),
    st.lists(items, max_size=12),
    st.dictionaries(st.integers(1, 30), st.datetimes(datetime(2026, 1, 1), timezones=st.just(UTC)), max_size=3),
)


def _unpacked(buffer: bytes) -> list[list[Any]]:
    texts, rows = json.loads(buffer)
    for values in rows:
        for column in (5, 6, 7):
            if column < len(values) and values[column] is not None:
                values[column] = texts[values[column]]
    return rows


def _page_of(state: QueueState) -> dict[int, list[Any]]:
    """What a page holds that was given all of a picture, each row at its full length."""
    full = [queue_rows.row(item, state) for item in state.items.values()]
    rows = _unpacked(queue_rows.packed(full))
    return {values[0]: values + [None] * (12 - len(values)) for values in rows}


@given(pictures, pictures)
def test_changing_equals_making_anew(before: QueueState, after: QueueState) -> None:
    """A page that was given the difference holds the same as one that was given everything."""
    page = _page_of(before)
    rows, changes, gone, _ = queue_rows.difference(before, after, before.items.keys() | after.items.keys())
    added = {values[0]: after.items[values[0]] for values in rows}
    page.update(_page_of(replace(after, items=added)))
    for item_id, *pairs in changes:
        for column, value in zip(pairs[::2], pairs[1::2], strict=True):
            page[item_id][column] = value
    for item_id in gone:
        del page[item_id]
    assert _page_of(after) == page


def test_a_change_is_small() -> None:
    """The end of a job is told in less than sixty bytes."""
    change = queue_rows.row_change(
        queue_rows.row(item(743, IN_PROGRESS), QueueState()), queue_rows.row(item(743, COMPLETED), QueueState())
    )
    assert 60 > len(json.dumps(change))


def test_shared_texts_travel_once() -> None:
    """A batch's id is in a packet once, however many of its rows are."""
    packet = queue_rows.packed([queue_rows.row(item(i), QueueState()) for i in range(1, 90)])
    assert 1 == packet.count(item(1).batch_id.encode())


def test_progress_is_a_short_row() -> None:
    """Progress is percentage, message, node and, where it is known, the seconds left; its end is the id alone."""
    progress = Progress(item_id=5, percentage=0.62, message="Denoising 19/30", node_id="denoise")
    assert [5, 0.62, "Denoising 19/30", "denoise"] == queue_rows.progress_row(5, progress)
    assert [5, 0.62, "Denoising 19/30", "denoise", 31.2] == queue_rows.progress_row(5, progress, 31.24)
    assert [5] == queue_rows.progress_row(5, None)


def test_difference_estimates_the_end_of_an_item_that_starts() -> None:
    """The page gets the seconds left by the mean run time before there is any progress, and counts down itself."""
    pending, running = item(5), item(5, "in_progress", started_at=datetime.now(UTC))
    before, after = QueueState(items={5: pending}), QueueState(items={5: running})
    *_, [estimate] = queue_rows.difference(before, after, [5], 3_600.0)
    *_, without_mean = queue_rows.difference(before, after, [5])
    assert ([5, None, "", ""], []) == (estimate[:4], without_mean)
    assert 3_500 < estimate[4] <= 3_600


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (None, None),
        ((FieldValue("denoise", "seed", 42),), "denoise.seed 42"),
        ((FieldValue("a", "prompt", "two\nlines"), FieldValue("b", "on", True)), "a.prompt two lines, b.on true"),
    ],
)
def test_fields_in_a_line(values: tuple[FieldValue, ...] | None, text: str | None) -> None:
    """What a batch set for an item is one line, and empty where nothing is known."""
    assert text == words.fields_text(values)


def test_long_texts_are_cut() -> None:
    """A field or an error of a megabyte does not travel to the page's rows."""
    long = item(1, FAILED, error_message="x" * 1_000_000, field_values=(FieldValue("a", "b", "y" * 1_000_000),))
    assert 1_000 > len(json.dumps(queue_rows.row(long, QueueState())))


def test_the_first_rows_come_with_the_table() -> None:
    """A table carries the newest rows from the start, and asks for no more than it needs."""
    with FedConsole(item(i) for i in range(1, 1001)) as console:
        table = QueueTable(console)  # type: ignore[arg-type]
        assert [1000, 999] == [values[0] for values in table.grid.first[:2]]
        assert 200 == len(table.grid.first)


def test_a_change_sends_what_changed(console: FedConsole) -> None:
    """One event is one message, with the changed columns of the one row."""
    table = QueueTable(console)  # type: ignore[arg-type]
    sent = Sent(table)
    console.tell(item(6))
    console.settle()
    [message] = sent.of("change")
    assert 6 == message["rows"][1][0][0]
    assert "c" not in message


def test_nothing_is_sent_for_nothing(console: FedConsole) -> None:
    """A notice without a difference costs no message."""
    table = QueueTable(console)  # type: ignore[arg-type]
    sent = Sent(table)
    console.store.tell()
    console.settle()
    assert [] == sent.messages


def test_packets_hold_each_row_once(console: FedConsole) -> None:
    """A page that asks gets every row once, in packets, of which the last says so."""
    console.feed(item(i) for i in range(6, 1_301))
    table = QueueTable(console)  # type: ignore[arg-type]
    sent = Sent(table)
    receive(table.grid, {"t": "hello", "to": "me"})
    until(lambda: any("end" in packet for packet in sent.of("rows")), "the last packet")
    packets = sent.of("rows")
    assert list(range(1_300, 0, -1)) == [values[0] for packet in packets for values in packet["rows"][1]]
    assert [False, False, True] == ["end" in packet for packet in packets]
    assert {"me"} == {packet["to"] for packet in packets}


def test_selection_holds_known_ids(console: FedConsole) -> None:
    """Only items of the queue can be selected, and those that vanish are dropped."""
    table = QueueTable(console)  # type: ignore[arg-type]
    table.selected = [4, 2, 4, 99]
    assert [2, 4] == table.selected
    console.forget([4])
    console.settle()
    assert [2] == table.selected
    assert [2] == table.grid.selected


@pytest.mark.parametrize("columns", [["item", "nonsense"], ("x",)])
def test_unknown_columns_are_refused(console: FedConsole, columns: list[str]) -> None:
    """A column that does not exist is named, with those that do."""
    with pytest.raises(ValueError, match=r"columns: there is no '(nonsense|x)'; there are item, status"):
        QueueTable(console, columns=columns)  # type: ignore[arg-type]


def test_unknown_options_are_refused(console: FedConsole) -> None:
    """An unknown keyword is an error, not a silent nothing."""
    with pytest.raises(TypeError, match="colums"):
        QueueTable(console, colums=["item"])  # type: ignore[arg-type, call-arg]


@pytest.mark.slow
def test_opening_and_closing_leaves_nothing(console: FedConsole) -> None:
    """After a hundred tables there are as many models as before."""

    def counted() -> int:
        gc.collect()
        return len(core._instances)

    before = counted()
    for _ in range(100):
        QueueTable(console).close()  # type: ignore[arg-type]
    assert before == counted()


def test_tables_close_with_their_console() -> None:
    """A closed console has no open views."""
    console = FedConsole([item(1)])
    tables = [QueueTable(console), QueueTable(console)]  # type: ignore[arg-type]
    console.close()
    assert [True, True] == [table.closed for table in tables]


def test_detail_of_a_failed_item() -> None:
    """The detail has the error with its class and remedy, the fields, the graph as JSON, and no missing facts."""
    failed = item(
        7,
        FAILED,
        error_type="OutOfMemoryError",
        error_message="CUDA out of memory",
        error_traceback="Traceback …",
        session={"graph": {"nodes": {"a": {"type": "add"}}, "edges": []}},
    )
    told = detail(failed)
    assert "resource_error" == told["error"]["type"]
    assert told["error"]["suggestion"]
    assert [["noise.seed", "7"]] == told["fields"]
    assert 1 == told["nodes"]
    assert "add" == json.loads(told["graph"])["nodes"]["a"]["type"]
    assert ["batch_id"] == [name for name, _ in told["facts"]]


def test_detail_is_bounded() -> None:
    """An output of megabytes is cut before it travels."""
    session = {"graph": {}, "results": {"a": {"type": "string_output", "value": "x" * 5_000_000}}}
    assert 10_000 > len(json.dumps(detail(QueueItem(item_id=1, status=COMPLETED, batch_id="b", session=session))))


def test_half_a_character_does_no_harm(console: FedConsole) -> None:
    """A lone surrogate, which JSON can hold and no message may, is replaced wherever a server's text goes out."""
    half = "a\ud83db"
    bad = item(9, half, batch_id=half, destination=half, error_type=half, field_values=(FieldValue(half, half, half),))
    console.feed([bad])
    table = QueueTable(console)  # type: ignore[arg-type]
    bundle = table._repr_mimebundle_()
    out = json.dumps([table.grid.first, bundle, detail(bad)], ensure_ascii=False)
    assert "a?b" in out.encode().decode()
