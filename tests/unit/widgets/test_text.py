"""What the views say, and how they read what is pasted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import invoke_widgets
from invoke_widgets.errors import InvalidRequest, JobErrorType
from invoke_widgets.errors.text import many
from invoke_widgets.history import group_errors
from invoke_widgets.jobs import Submission
from invoke_widgets.records import (
    STATUSES,
    Cancellation,
    Connection,
    Counts,
    JobError,
    Progress,
    QueueItem,
    Retried,
    retryable,
)
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets import text as words
from invoke_widgets.widgets.drafts import (
    data_of,
    is_batch,
    place_of,
    read_draft,
    read_json,
    read_values,
    rows_of,
)
from invoke_widgets.widgets.queue_table import RunTimes, left_s, paces

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def item(item_id: int, status: str = "pending", batch_id: str = "b", **fields: object) -> QueueItem:
    return QueueItem(item_id=item_id, status=status, batch_id=batch_id, **fields)  # type: ignore[arg-type]


def cancellation(outcome: str) -> Cancellation:
    return Cancellation(scope="item", outcome=outcome, canceled=0, item_ids=(1,), requested_at=NOW)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "—"), (0.0052, "5 ms"), (-1, "0 ms"), (3.21, "3.2 s"), (31, "0:31"), (3723, "1:02:03")],
)
def test_duration_has_the_unit_that_suits_it(seconds: float | None, expected: str) -> None:
    """Durations have the unit that suits their size."""
    assert expected == words.duration(seconds)


@pytest.mark.parametrize(
    ("outcomes", "failed", "expected"),
    [
        (["canceled", "already_finished"], 0, "Canceled 1 of 2; 1 had already finished."),
        (["refused", "not_found", "unknown"], 0, "Canceled 0 of 3; 1 not found; 1 refused; 1 not certain."),
        (["canceled"], 1, "Canceled 1 of 2; 1 failed."),
        (["canceled"], 0, "Canceled 1 of 1."),
        (["canceled"] * 1200 + ["already_finished"] * 2000, 0, "Canceled 1,200 of 3,200; 2,000 had already finished."),
    ],
)
def test_canceled_counts_each_outcome(outcomes: list[str], failed: int, expected: str) -> None:
    """Canceling several items says how many of how many, and what happened to the others."""
    assert expected == words.canceled(map(cancellation, outcomes), failed)


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (
            Retried(new_item_ids={}),
            "Nothing was retried: these jobs were retried already, or are no longer in the queue.",
        ),
        (Retried(new_item_ids={}, skipped=(3,)), "The server skipped 3."),
        (Retried(new_item_ids={5: 9}), "Retried item 5 as 9."),
        (Retried(new_item_ids={5: 9, 6: 10}, skipped=(7,)), "Retried 2 items as 9, 10; 1 skipped."),
        (Retried(new_item_ids={}, gone=(5,)), "Retried item 5; 1 new item deleted unseen."),
        (Retried(new_item_ids={5: 9}, gone=(6, 8)), "Retried 3 items as 9; 2 new items deleted unseen."),
    ],
)
def test_retried_names_new_items_and_counts_skipped_ones(retry: Retried, expected: str) -> None:
    """A retry names the new items, and counts the skipped ones."""
    assert expected == words.retried(retry)


@pytest.mark.parametrize(
    ("taken", "requested", "expected"),
    [
        (12, 12, "Enqueued 12 of 12 as batch 9c01abcd."),
        (5, 12, "Enqueued 5 of 12 as batch 9c01abcd. The queue is full: 7 were not taken."),
        (11, 12, "Enqueued 11 of 12 as batch 9c01abcd. The queue is full: 1 was not taken."),
        (0, 12, "Nothing was enqueued: the queue is full, and took none of 12 items."),
    ],
)
def test_enqueued_says_how_many_a_full_queue_took(taken: int, requested: int, expected: str) -> None:
    """A full queue takes fewer than asked, and that is said."""
    assert expected == words.enqueued(taken, requested, "9c01abcd-0000")


@pytest.mark.parametrize(
    ("total", "runs", "expected"),
    [(1, 1, "1 job"), (12, 2, "12 jobs: 2 runs × 6 combinations"), (3, 3, "3 jobs: 3 runs × 1 combination")],
)
def test_plan_says_what_will_be_enqueued(total: int, runs: int, expected: str) -> None:
    """What will be enqueued is said before it is."""
    assert expected == words.plan(total, runs)


@pytest.mark.parametrize(("count", "thing", "expected"), [(1, "batch", "1 batch"), (2, "batch", "2 batches")])
def test_many_makes_plurals(count: int, thing: str, expected: str) -> None:
    """Plurals are English."""
    assert expected == many(count, thing)


# -- the same words everywhere ---------------------------------------------------------------------------------------

PACKAGE = Path(invoke_widgets.__file__).parent
UNCLEAR = (
    "Nothing runs.",
    "Nothing can be enqueued until",
    "before everything that waits",
    "the current item goes on",
    "nothing ran",
    "does the same again",
    "cannot go on",
    "forget all",
    "told truthfully",
    "is no administrator",
    "The same of everybody",
    "A server that is away",
)


def _texts() -> Iterator[tuple[str, str]]:
    """The scripts, the pages of the documentation, and the texts in the code, without docstrings: name and text."""
    root = PACKAGE.parent
    for path in (*PACKAGE.rglob("static/*.js"), root / "README.md", *(root / "notebooks").glob("*.ipynb")):
        yield path.name, path.read_text()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
                yield path.name, node.value


def test_no_text_has_words_that_were_unclear() -> None:
    """Each of them was misread, and has a plainer one."""
    found = [(name, words) for name, text in _texts() for words in UNCLEAR if words.lower() in text.lower()]
    assert [] == found


def test_saved_tables_have_the_words_of_the_page() -> None:
    """For each status and each class of errors."""
    script = (PACKAGE / "widgets/static/ui.js").read_text()

    def words_of(name: str) -> dict[str, tuple[str, str]]:
        table = script.partition(f"const {name} = {{")[2].partition("};")[0]
        return {key: (sign, word) for key, sign, word in re.findall(r'(\w+): \["\w+", "(.)", "([^"]+)"\]', table)}

    statuses = {name: " ".join(look) for name, look in words_of("STATUS").items()}
    assert {name: statuses[name] for name in STATUSES} == words.STATUSES
    assert {name: word for name, (_, word) in words_of("ERROR_CLASS").items()} == words.ERROR_CLASSES
    assert {one.value for one in JobErrorType} == set(words.ERROR_CLASSES)


def test_counters_have_the_words_of_the_table() -> None:
    """What is pending waits, and what is waiting is in a call."""
    counts = Counts(in_progress=1, pending=2, waiting=3, completed=4, failed=5, canceled=6)
    assert "1 running · 2 waiting · 3 in a call · 4 completed · 5 failed · 6 canceled" == words.counts(counts)


# -- drafts ----------------------------------------------------------------------------------------------------------

GRAPH = {"nodes": {"sum": {"type": "add", "a": 1}}, "edges": []}


@pytest.mark.parametrize(
    ("pasted", "expected", "ignored"),
    [
        (GRAPH, Submission(graph=GRAPH), ()),
        ({"graph": GRAPH, "runs": 3, "destination": "x"}, Submission(graph=GRAPH, runs=3, destination="x"), ()),
        ({"batch": {"graph": GRAPH, "runs": 3}, "prepend": True}, Submission(graph=GRAPH, runs=3, prepend=True), ()),
        ([1], Submission(graph=[1]), ()),
        ({"batch": {"graph": GRAPH}, "origin": "x"}, Submission(graph=GRAPH), ("origin",)),
    ],
)
def test_read_draft_takes_graph_batch_and_request_body(
    pasted: object, expected: Submission, ignored: tuple[str, ...]
) -> None:
    """All three are understood, and what the form does not send is named."""
    assert (expected, ignored) == read_draft(pasted)


def test_rows_of_and_data_of_are_inverse() -> None:
    """Values in a row group are zipped; groups are combined."""
    data = [{"sum.a": [1, 2], "sum.b": [3, 4]}, {"x.y": ["p", "q"]}]
    assert (data, []) == data_of(rows_of(data))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([], None), ([("", " ", 1)], None), ([("a.b", "[1]", 3), ("c.d", "[2]", 1)], [{"c.d": [2]}, {"a.b": [1]}])],
)
def test_data_of_leaves_out_empty_rows(rows: list[tuple[str, str, int]], expected: object) -> None:
    """Groups come in the order of their numbers."""
    assert (expected, []) == data_of(rows)


def test_data_of_has_an_error_for_each_bad_row() -> None:
    """Each names its field, and the others are read."""
    rows = [("a.b", "1; 2", 1), ("c.d", "[1]", 2), ("c.d", "[2]", 2), ("", "3", 3)]
    data, errors = data_of(rows)
    assert [{"c.d": [1]}] == data
    assert ["data.a.b", "data.c.d", "data."] == [place_of(error) for error in errors]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1, 2, 3", [1, 2, 3]),
        ("0.5", [0.5]),
        ('"oil", "ink, wash"', ["oil", "ink, wash"]),
        ("[1, 2]", [1, 2]),
        ("1..4", [1, 2, 3, 4]),
        ("10 .. 50 step 20", [10, 30, 50]),
        ("3..1", [3, 2, 1]),
        ("-2..-1", [-2, -1]),
        ("[[1, 2], [3]]", [[1, 2], [3]]),
    ],
)
def test_read_values_takes_lists_and_ranges(text: str, expected: list[object]) -> None:
    """As a user writes them."""
    assert expected == read_values(text, "data.a.b")


@pytest.mark.parametrize("text", ["oil, ink", "1..20000", "1..5 step 0", "1 2", "[1,", "1..x"])
def test_read_values_refuses_what_it_cannot_read(text: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidRequest, match=r"data\.a\.b: ") as caught:
        read_values(text, "data.a.b")
    assert "data.a.b" == caught.value.field


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("data.sum.a[1]", "data.sum.a"),
        ("data.sum.a", "data.sum.a"),
        ("data.", "data."),
        ("data[0]", "data"),
        ("nodes.a.type", "graph"),
        ("edges[0].source", "graph"),
        ("runs", "runs"),
        ("destination", "destination"),
        (None, "graph"),
    ],
)
def test_place_of_an_error_is_its_field_whatever_its_words(field: str | None, place: str) -> None:
    """An error is shown at the input that it is about."""
    assert place == place_of(InvalidRequest("runs: des mots en français.", field=field))


def test_read_json_says_line_and_column() -> None:
    """The message says where the text stops being JSON."""
    with pytest.raises(InvalidRequest, match="graph: line 2, column 3"):
        read_json("{\n  nodes: 1}")


@pytest.mark.parametrize(("pasted", "expected"), [(GRAPH, False), ({"graph": GRAPH}, True), (None, False)])
def test_is_batch(pasted: object, expected: bool) -> None:
    """Only something with a graph or a batch inside is more than a graph."""
    assert expected == is_batch(pasted)


# -- from the snapshot -----------------------------------------------------------------------------------------------


def test_retryable_is_the_newest_failure_of_each_attempt_chain() -> None:
    """Only the newest item of an attempt chain can be retried, and only if it failed."""
    items = [
        item(1, "failed"),
        item(2, "failed"),
        item(3, "completed", retried_from_item_id=2),
        item(4, "failed", retried_from_item_id=1),
        item(5, "canceled"),
        item(6, "failed", parent_item_id=4),
    ]
    assert [4] == retryable({i.item_id: i for i in items})


@pytest.mark.parametrize(
    ("connection", "received_at", "expected"),
    [
        (Connection(), None, ("connecting", "◌ connecting")),
        (Connection(mode="live"), 99.0, ("live", "● live")),
        (Connection(mode="live"), 10.0, ("stale", "● live, last heard 1:30 ago")),
        (Connection(mode="polling"), 99.0, ("polling", "◐ polling: no events come, so changes are asked for")),
        (Connection(mode="reconnecting", next_try_at=103.0), None, ("offline", "○ offline, next try in 3 s")),
        (Connection(mode="reconnecting", next_try_at=99.0), None, ("offline", "○ offline, trying now")),
        (
            Connection(mode="reconnecting", is_ill=True, next_try_at=103.0),
            None,
            ("offline", "○ server is ill, next try in 3 s"),
        ),
        (
            Connection(mode="reconnecting", is_refused=True, next_try_at=103.0),
            None,
            ("refused", "⊘ access refused, next try in 3 s"),
        ),
        (
            Connection(mode="reconnecting", is_internal=True, next_try_at=103.0),
            None,
            ("offline", "○ internal error, next try in 3 s"),
        ),
        (Connection(mode="closed"), None, ("closed", "○ closed")),
    ],
)
def test_connection_text_of_each_mode(
    connection: Connection, received_at: float | None, expected: tuple[str, str]
) -> None:
    """Each mode has its own words; the age of the last contact shows once it matters."""
    assert expected == words.connection_text(connection, received_at, 100.0)


def test_time_left_by_progress_or_mean_run_time() -> None:
    """An item's own progress counts first, then the mean run time; without either there is no estimate."""
    running = item(3, "in_progress", started_at=NOW)
    state = QueueState(items={3: running})
    progress = QueueState(items={3: running}, progress={3: Progress(item_id=3, percentage=0.25)})
    now = NOW + timedelta(seconds=10)
    assert 20.0 == left_s(state, running, 30.0, now)
    assert 30.0 == left_s(progress, running, None, now)
    assert [None, None] == [left_s(state, running, None, now), left_s(state, running, 9.0, now)]


def test_siblings_are_as_fast_as_the_one_that_runs() -> None:
    """By its own progress, if that is enough to go by."""
    items = {1: item(1, "in_progress", started_at=NOW), 2: item(2)}
    now = NOW + timedelta(seconds=30)
    for percentage, expected in ((0.25, {"b": 120.0}), (1.0, {"b": 30.0}), (0.001, {}), (None, {})):
        state = QueueState(items=items, progress={1: Progress(item_id=1, percentage=percentage)})
        assert expected == paces(state, now)


def test_mean_run_time_of_the_newest_fifty() -> None:
    """The mean is that of the fifty newest completed items, in whatever order they become known."""
    runs = {
        i: item(i, "completed", started_at=NOW, completed_at=NOW + timedelta(seconds=60 if i <= 50 else 2))
        for i in range(1, 101)
    }
    times = RunTimes()
    state = QueueState()
    for ids in (range(51, 101), range(1, 51)):
        after = QueueState(items={**state.items, **{i: runs[i] for i in ids}})
        times.update(state, Change(after, frozenset(ids)))
        state = after
    assert 2.0 == times.mean_s


def test_errors_with_one_fingerprint_are_one_group() -> None:
    """The group with the newest error comes first."""
    times = [NOW.replace(second=s) for s in (1, 2, 3)]
    errors = [
        JobError(at=at, error_type=JobErrorType.UNKNOWN_ERROR, message="m", item_id=i, fingerprint=f)
        for i, (at, f) in enumerate(zip(times, "xyx", strict=True))
    ]
    assert [("x", (0, 2)), ("y", (1,))] == [(g.fingerprint, g.item_ids) for g in group_errors(errors)]
