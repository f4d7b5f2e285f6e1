"""The table's Python side: rows as arrays, what is sent for a change, selection, static forms, an end without rests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError

from invoke_widgets.errors import InvalidRequest
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
from invoke_widgets.widgets import queue_table
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.queue_table import QueueTable, detail
from tests.support.parts import Sent, ask, said
from tests.support.table_console import FedConsole, item
from tests.support.wire import until


@pytest.fixture
def console() -> Iterator[FedConsole]:
    with FedConsole(item(i, COMPLETED) for i in range(1, 6)) as console:
        yield console


def rows_in(message: dict[str, Any]) -> list[list[Any]]:
    """The rows that a message brings as binary data."""
    return [values for buffer in message["buffers"] for values in json.loads(buffer)[1]]


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
    """Return the rows of a page that received a whole snapshot, each row at its full length."""
    full = [queue_table.row(item, state) for item in state.items.values()]
    rows = _unpacked(queue_table.packed(full))
    return {values[0]: values + [None] * (12 - len(values)) for values in rows}


@given(pictures, pictures)
def test_a_page_given_changes_equals_a_page_given_everything(before: QueueState, after: QueueState) -> None:
    """Applying the difference of two snapshots gives the rows of the second."""
    page = _page_of(before)
    rows, changes, gone, _ = queue_table.difference(before, after, before.items.keys() | after.items.keys())
    added = {values[0]: after.items[values[0]] for values in rows}
    page.update(_page_of(replace(after, items=added)))
    for item_id, *pairs in changes:
        for column, value in zip(pairs[::2], pairs[1::2], strict=True):
            page[item_id][column] = value
    for item_id in gone:
        del page[item_id]
    assert _page_of(after) == page


def test_the_end_of_a_job_takes_under_sixty_bytes() -> None:
    """A change holds only the columns that changed."""
    change = queue_table.row_change(
        queue_table.row(item(743, IN_PROGRESS), QueueState()), queue_table.row(item(743, COMPLETED), QueueState())
    )
    assert 60 > len(json.dumps(change))


def test_a_packet_holds_a_repeated_text_once() -> None:
    """A batch id is in a packet once, however many of its rows are."""
    packet = queue_table.packed([queue_table.row(item(i), QueueState()) for i in range(1, 90)])
    assert 1 == packet.count(item(1).batch_id.encode())


def test_progress_row_is_percentage_message_node_and_seconds_left() -> None:
    """Progress is percentage, message, node and, where it is known, the seconds left; its end is the id alone."""
    progress = Progress(item_id=5, percentage=0.62, message="Denoising 19/30", node_id="denoise")
    assert [5, 0.62, "Denoising 19/30", "denoise"] == queue_table.progress_row(5, progress)
    assert [5, 0.62, "Denoising 19/30", "denoise", 31.2] == queue_table.progress_row(5, progress, 31.24)
    assert [5] == queue_table.progress_row(5, None)


def test_difference_estimates_the_end_of_an_item_that_starts() -> None:
    """The page gets the seconds left by the mean run time before there is any progress, and counts down itself."""
    pending, running = item(5), item(5, "in_progress", started_at=datetime.now(UTC))
    before, after = QueueState(items={5: pending}), QueueState(items={5: running})
    *_, [estimate] = queue_table.difference(before, after, [5], 3_600.0)
    *_, without_mean = queue_table.difference(before, after, [5])
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
def test_fields_text_is_one_line(values: tuple[FieldValue, ...] | None, text: str | None) -> None:
    """The values that a batch set are one line; None if nothing is known."""
    assert text == words.fields_text(values)


def test_long_texts_are_cut_in_rows() -> None:
    """A field or an error of a megabyte is not sent with the rows."""
    long = item(1, FAILED, error_message="x" * 1_000_000, field_values=(FieldValue("a", "b", "y" * 1_000_000),))
    assert 1_000 > len(json.dumps(queue_table.row(long, QueueState())))


def test_the_newest_rows_come_with_the_widget() -> None:
    """A table carries the newest 200 rows from the start."""
    with FedConsole(item(i) for i in range(1, 1001)) as console:
        table = QueueTable(console)  # type: ignore[arg-type]
        assert [1000, 999] == [values[0] for values in table.first[:2]]
        assert 200 == len(table.first)


def test_one_event_is_one_message_with_the_changed_row(console: FedConsole) -> None:
    """One event is one message, with the changed columns of the one row."""
    table = QueueTable(console)  # type: ignore[arg-type]
    sent = Sent(table)
    console.receive(item(6))
    console.settle()
    [message] = sent.of("change")
    assert 6 == rows_in(message)[0][0]
    assert "c" not in message


def test_a_notification_without_a_difference_sends_nothing(console: FedConsole) -> None:
    """It costs no message."""
    table = QueueTable(console)  # type: ignore[arg-type]
    sent = Sent(table)
    console.internals.store.notify([])
    console.settle()
    assert [] == sent.messages


def test_a_page_that_asks_gets_each_row_once_in_packets(console: FedConsole) -> None:
    """The last packet says that it is the last."""
    console.feed(item(i) for i in range(6, 1_301))
    table = QueueTable(console)  # type: ignore[arg-type]
    sent = Sent(table)
    ask(table, "hello", page="me")
    until(lambda: any("end" in packet for packet in sent.of("rows")), "the last packet")
    packets = sent.of("rows")
    assert list(range(1_300, 0, -1)) == [values[0] for packet in packets for values in rows_in(packet)]
    assert [False, False, True] == ["end" in packet for packet in packets]
    assert {"me"} == {packet["to"] for packet in packets}


def test_selected_holds_only_items_in_the_queue(console: FedConsole) -> None:
    """Unknown ids are dropped, as are those that leave the queue."""
    table = QueueTable(console)  # type: ignore[arg-type]
    table.selected = [4, 2, 4, 99]
    assert [2, 4] == table.selected
    console.forget([4])
    console.settle()
    assert [2] == table.selected


@pytest.mark.parametrize("columns", [["item", "nonsense"], ("x",)])
def test_unknown_columns_raise(console: FedConsole, columns: list[str]) -> None:
    """The message names the column and those that exist."""
    with pytest.raises(InvalidRequest, match=r"columns: there is no '(nonsense|x)'; there are item, status"):
        QueueTable(console, columns=columns)  # type: ignore[arg-type]


def test_closing_the_console_closes_its_tables() -> None:
    """A closed console has no open views."""
    console = FedConsole([item(1)])
    tables = [QueueTable(console), QueueTable(console)]  # type: ignore[arg-type]
    console.close()
    assert [True, True] == [table.closed for table in tables]


def test_static_html_and_text_are_escaped(console: FedConsole) -> None:
    """A page without a kernel gets the last state as an escaped table, and a terminal gets it as text."""
    console.feed([item(6, FAILED, server_error_type="E", error_message="<script>alert(1)</script>")])
    bundle = QueueTable(console)._repr_mimebundle_()  # type: ignore[arg-type]
    bundle = bundle[0]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "E: &lt;script&gt;alert(1)&lt;/script&gt;" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert "✕ Failed" in bundle["text/plain"]
    assert "6 items" in bundle["text/plain"]


def test_detail_of_a_failed_item_has_error_fields_and_graph() -> None:
    """The detail has the error with its class and remedy, the fields, the graph as JSON, and no missing facts."""
    failed = item(
        7,
        FAILED,
        server_error_type="OutOfMemoryError",
        error_message="CUDA out of memory",
        error_traceback="Traceback …",
        session={"graph": {"nodes": {"a": {"type": "add"}}, "edges": []}},
    )
    shown = detail(failed)
    assert "resource_error" == shown["error"]["type"]
    assert shown["error"]["suggestion"]
    assert [["noise.seed", "7"]] == shown["fields"]
    assert 1 == shown["nodes"]
    assert "add" == json.loads(shown["graph"])["nodes"]["a"]["type"]
    assert ["batch_id"] == [name for name, _ in shown["facts"]]


def test_detail_names_values_as_the_form_of_their_workflow_does() -> None:
    """By the label of the field in the form, whoever submitted the job; other values by node and field."""
    inputs = {"seed": {"name": "seed", "label": "Lucky number", "value": 3}}
    workflow = {
        "name": "w",
        "nodes": [{"id": "noise", "type": "invocation", "data": {"id": "noise", "type": "noise", "inputs": inputs}}],
        "edges": [],
        "exposedFields": [{"nodeId": "noise", "fieldName": "seed"}],
    }
    values = (FieldValue("noise", "seed", 7), FieldValue("other", "b", 1.5), FieldValue("noise", "seed", 8, "Seed"))
    json_ = {"item_id": 1, "status": COMPLETED, "batch_id": "b", "session": {}, "workflow": workflow}
    read = replace(QueueItem.from_json(json_), field_values=values)
    assert [["Lucky number", "7"], ["other.b", "1.5"], ["Seed", "8"]] == detail(read)["fields"]
    assert read.without_session().workflow is None


def test_detail_cuts_long_outputs() -> None:
    """An output of megabytes is cut before it travels."""
    session = {"graph": {}, "results": {"a": {"type": "string_output", "value": "x" * 5_000_000}}}
    assert 10_000 > len(json.dumps(detail(QueueItem(item_id=1, status=COMPLETED, batch_id="b", session=session))))


def test_lone_surrogates_are_replaced(console: FedConsole) -> None:
    """A lone surrogate, which JSON can hold and no message may, is replaced wherever a text of the server goes out."""
    half = "a\ud83db"
    bad = item(
        9, half, batch_id=half, destination=half, server_error_type=half, field_values=(FieldValue(half, half, half),)
    )
    console.feed([bad])
    table = QueueTable(console)  # type: ignore[arg-type]
    bundle = table._repr_mimebundle_()
    out = json.dumps([table.first, bundle, detail(bad)], ensure_ascii=False)
    assert "a?b" in out.encode().decode()


def test_filters_sort_and_density_are_traits(console: FedConsole) -> None:
    """They can be set and observed; an unknown density is refused."""
    table = QueueTable(console, height="20em")  # type: ignore[arg-type]
    changes: list[str] = []
    table.observe(lambda change: changes.append(change["name"]), names=["filters", "sort", "density"])
    table.filters, table.sort, table.density = {"status": "failed"}, "-took", "compact"
    assert (["filters", "sort", "density"], "20em") == (changes, table.height)
    with pytest.raises(TraitError):
        table.density = "tiny"


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"state": "failed"}, "there is no 'state'; there are status, batch"),
        ({"status": "faild"}, "there is no 'faild'"),
    ],
)
def test_unknown_filters_raise(console: FedConsole, filters: dict[str, str], words: str) -> None:
    """With what there is; those that were set stay."""
    table = QueueTable(console)  # type: ignore[arg-type]
    table.filters = {"status": "unfinished"}
    with pytest.raises(InvalidRequest, match=words):
        table.filters = filters
    assert {"status": "unfinished"} == table.filters


def test_the_menu_knows_how_many_jobs_each_entry_is_about(console: FedConsole) -> None:
    """Also for the batch that the filter names."""
    console.feed([item(6), item(7, FAILED), item(8, IN_PROGRESS)])
    table = QueueTable(console)  # type: ignore[arg-type]
    batch = item(6).batch_id
    table.filters = {"batch": batch}
    until(lambda: table.totals["batch"] == 2, "the batch to be counted")
    counted = {name: table.totals[name] for name in ("total", "unfinished", "finished", "pending", "retryable")}
    assert {"total": 8, "unfinished": 2, "finished": 6, "pending": 1, "retryable": 1} == counted


def test_a_late_click_on_clear_does_nothing_if_the_number_has_changed(console: FedConsole) -> None:
    """A click on "Clear 5 jobs" that arrives when there are six says so, and clears nothing."""
    table = QueueTable(console)  # type: ignore[arg-type]
    console.feed([item(6)])
    ask(table, "clear", total=5)
    assert "Nothing was cleared: the queue has 6 jobs now, not 5." == said(table)


def test_pictures_of_rows_in_view_are_read_once() -> None:
    """A page that asks gets how many pictures each job made, and its newest ones; jobs without any send nothing."""
    images = {"results": {f"{n}": {"type": "image_output", "image": {"image_name": f"{n}.png"}} for n in (1, 2, 3)}}
    read: list[int] = []

    class Client:
        async def get_queue_item(self, item_id: int) -> QueueItem:
            read.append(item_id)
            return item(item_id, COMPLETED, session=images if item_id == 1 else {"results": {}})

    with FedConsole([item(1, COMPLETED), item(2, COMPLETED)]) as console:
        console.client = Client()
        table = QueueTable(console)  # type: ignore[arg-type]
        sent = Sent(table)
        for turn in (1, 2):
            ask(table, "pictures", item_ids=[1, 2], page="me")
            until(lambda turn=turn: len(sent.of("pictures")) == read.count(2) == turn, "the answer")  # type: ignore[misc]
    assert 1 == read.count(1)
    shown = [(one["id"], one["made"], one["names"], one["to"]) for one in sent.of("pictures")]
    assert [(1, 3, ["2.png", "3.png"], "me")] * 2 == shown
