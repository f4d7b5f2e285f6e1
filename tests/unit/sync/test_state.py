"""The snapshot of the queue, from events and reads in any order."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from invoke_widgets.events import ItemsCanceled, ItemStatusChanged, NodeProgress, NodeStarted, parse_event
from invoke_widgets.records import Connection, FieldValue, Progress, QueueItem, User, retryable
from invoke_widgets.sync import state as merge
from invoke_widgets.sync.state import QueueState, Shards

ITEM = QueueItem(item_id=5, status="pending", batch_id="b", status_sequence=0)
RUNNING = replace(ITEM, status="in_progress", status_sequence=1)
COMPLETED = replace(ITEM, status="completed", status_sequence=2)
FAILED = replace(ITEM, status="failed", status_sequence=2, server_error_type="E", error_message="m")


def event(item: QueueItem) -> ItemStatusChanged:
    return ItemStatusChanged(queue_id="default", item=item)


def after(*steps: QueueItem | ItemStatusChanged, state: QueueState | None = None) -> QueueState:
    """The snapshot after events and after reads of summaries (items without a sequence)."""
    state = state or QueueState()
    for step in steps:
        if isinstance(step, ItemStatusChanged):
            state, _ = merge.with_event(state, step)
        else:
            state, _ = merge.with_ids(state, {*state.items, *state.unread, step.item_id})
            state, _ = merge.with_items(state, [step])
    return state


def test_events_are_applied_in_order() -> None:
    """The last event of an item determines its status."""
    state = after(event(ITEM), event(RUNNING), event(COMPLETED))
    assert "completed" == state.items[5].status


@given(st.permutations([ITEM, ITEM, RUNNING, RUNNING, COMPLETED, COMPLETED]))
def test_any_order_of_duplicate_events_gives_the_same_state(items: list[QueueItem]) -> None:
    """Duplicate, late and swapped events give the final state, with sequence numbers and without."""
    assert "completed" == after(*map(event, items)).items[5].status
    without = [replace(item, status_sequence=None) for item in items]
    assert "completed" == after(*map(event, without)).items[5].status


def test_terminal_status_does_not_change() -> None:
    """Neither a late event nor a stale read changes a terminal status."""
    state = after(event(COMPLETED), event(RUNNING), replace(ITEM, status="in_progress", status_sequence=None))
    assert "completed" == state.items[5].status


def test_waiting_goes_back_to_in_progress() -> None:
    """A parent of child workflows may alternate between in_progress and waiting, in sequence order."""
    waiting = replace(ITEM, status="waiting", status_sequence=2)
    again = replace(ITEM, status="in_progress", status_sequence=3)
    state = after(event(RUNNING), event(waiting), event(again), event(waiting))
    assert "in_progress" == state.items[5].status


def test_unknown_status_is_kept() -> None:
    """A status of a newer server is kept as it is, until a known one replaces it."""
    strange = replace(ITEM, status="resting", status_sequence=1)
    assert "resting" == after(event(strange)).items[5].status
    assert "completed" == after(event(strange), event(COMPLETED)).items[5].status


def test_event_and_summary_complete_each_other() -> None:
    """An event has the error and a summary the field values: the snapshot has both, in either order."""
    values = (FieldValue("a", "b", 1),)
    summary = replace(FAILED, status_sequence=None, server_error_type=None, error_message=None, field_values=values)
    for steps in ((event(FAILED), summary), (summary, event(FAILED))):
        item = after(*steps).items[5]
        assert ("E", "m", values) == (item.server_error_type, item.error_message, item.field_values)


def test_read_older_than_an_event_does_not_replace_it() -> None:
    """For an item that changed during a read, only constant fields are taken from the read."""
    state = after(event(RUNNING))
    read = replace(ITEM, status_sequence=None, field_values=(FieldValue("a", "b", 1),))
    state, changed = merge.with_items(state, [read], fresher={5})
    assert "in_progress" == state.items[5].status
    assert 1 == len(state.items[5].field_values or ())
    assert {5} == changed


def test_items_missing_from_the_ids_are_removed() -> None:
    """A deleted item is removed with its progress; one that was added during the read stays."""
    state = after(event(RUNNING))
    state, _ = merge.with_event(state, _progress(0.5))
    state, _ = merge.with_ids(state, [7], fresher=())
    assert ({}, {7}, {}) == (dict(state.items), state.unread, dict(state.progress))
    state, _ = merge.with_ids(state, [], fresher={7})
    assert {7} == state.unread


def test_deleted_item_does_not_come_back() -> None:
    """A late event or read of a deleted item is dropped, since ids are never reused."""
    state = after(event(RUNNING))
    state, _ = merge.with_ids(state, [9])
    state = after(event(COMPLETED), state=state)
    assert 5 not in state.items
    state, _ = merge.with_items(state, [COMPLETED])
    assert 5 not in state.items


def test_items_missing_from_the_summaries_are_removed() -> None:
    """A requested item without a summary is removed, unless an event reported it meanwhile."""
    state = after(event(RUNNING), event(replace(RUNNING, item_id=6)))
    state, changed = merge.with_items(state, [], asked=[5, 6], fresher={6})
    assert [6] == list(state.items)
    assert {5} == changed


def test_bulk_cancel_event_cancels_unfinished_items() -> None:
    """`queue_items_canceled` cancels unfinished items and leaves the rest."""
    state = after(event(ITEM), event(replace(COMPLETED, item_id=6)))
    state, changed = merge.with_event(state, ItemsCanceled(queue_id="default", item_ids=(5, 6, 99)))
    assert ["canceled", "completed"] == [state.items[5].status, state.items[6].status]
    assert {5} == changed


def _progress(share: float) -> NodeProgress:
    progress = Progress(item_id=5, percentage=share, node_id="n", node_type="t")
    return NodeProgress(queue_id="default", item_id=5, batch_id="b", node_id="n", node_type="t", progress=progress)


def test_progress_is_kept_only_while_an_item_runs() -> None:
    """Progress is kept while an item runs; late progress of a canceled item is dropped."""
    state = after(event(RUNNING))
    state, _ = merge.with_event(state, _progress(0.5))
    assert 0.5 == state.progress[5].percentage
    started = NodeStarted(queue_id="default", item_id=5, batch_id="b", node_id="n", node_type="t")
    state, _ = merge.with_event(state, started)
    assert 0.5 == state.progress[5].percentage
    state = after(event(replace(RUNNING, status="canceled", status_sequence=2)), state=state)
    state, changed = merge.with_event(state, _progress(0.7))
    assert ({}, frozenset()) == (dict(state.progress), changed)


def test_repeated_event_changes_nothing() -> None:
    """The same event again returns the same object, so no subscriber is notified."""
    state = after(event(RUNNING))
    again, changed = merge.with_event(state, event(RUNNING))
    assert again is state
    assert frozenset() == changed


@given(st.integers(0, 10_000))
def test_interleaved_reads_and_events_give_the_state_of_the_server(seed: int) -> None:
    """After a final read of everything the snapshot equals the server's queue, whatever the interleaving."""
    dice = random.Random(seed)
    server: dict[int, QueueItem] = {}
    state = QueueState()
    newest = 0
    outstanding: list[ItemStatusChanged] = []
    for _ in range(40):
        action = dice.randrange(5)
        if action == 0:
            newest += 1
            server[newest] = QueueItem(item_id=newest, status="pending", batch_id="b", status_sequence=0)
        elif action == 1 and server:
            item = server[dice.choice(list(server))]
            if not item.is_terminal:
                status = dice.choice(["in_progress", "completed", "failed", "canceled"])
                if status != item.status:
                    item = replace(item, status=status, status_sequence=(item.status_sequence or 0) + 1)
                    server[item.item_id] = item
                    outstanding.append(event(item))
        elif action == 2 and server:
            del server[dice.choice(list(server))]
        elif action == 3 and outstanding:
            state, _ = merge.with_event(state, outstanding.pop(dice.randrange(len(outstanding))))
        elif action == 4:
            state, _ = merge.with_ids(state, list(server))
    for late in outstanding:
        state, _ = merge.with_event(state, late)
    state, _ = merge.with_ids(state, list(server))
    summaries = [replace(item, status_sequence=None) for item in server.values()]
    state, _ = merge.with_items(state, summaries, asked=list(server))
    expected = {item_id: item.status for item_id, item in server.items()}
    assert expected == {item_id: item.status for item_id, item in state.items.items()}
    assert frozenset() == state.unread


def test_events_that_make_no_sense_are_dropped() -> None:
    """A payload without identity, of another type or of an unknown name is no event."""
    assert parse_event("queue_item_status_changed", {"status": "x"}) is None
    assert parse_event("queue_item_status_changed", "text") is None
    assert parse_event("something_new", {"queue_id": "default"}) is None
    assert parse_event("invocation_progress", {"item_id": "x"}) is None


def test_progress_is_clamped_to_a_share() -> None:
    """A percentage out of range is clamped; NaN and text count as unknown."""

    def share(value: object) -> float | None:
        payload = {"item_id": 1, "percentage": value, "invocation": None}
        parsed = parse_event("invocation_progress", payload)
        assert isinstance(parsed, NodeProgress)
        return parsed.progress.percentage

    assert [0.0, 1.0, 0.5, None, None, None] == [share(v) for v in (-1, 7, 0.5, float("nan"), "x", None)]


ME = User(user_id="me")


def counted(state: QueueState) -> tuple[object, ...]:
    """The expected tallies of a state, counted item by item."""
    items = list(state.items.values())
    own = [item for item in items if not state.is_theirs(item)]
    batches: dict[str, Counter[str]] = defaultdict(Counter)
    for item in own:
        batches[item.batch_id][item.status] += 1
    waiting = [i for i in retryable(state.items) if not state.is_theirs(state.items[i])]
    return Counter(i.status for i in items), Counter(i.status for i in own), len(waiting), dict(batches)


@st.composite
def some_item(draw: st.DrawFn) -> QueueItem:
    root = draw(st.none() | st.integers(1, 3))
    item_id = draw(st.integers(1, 600))
    return QueueItem(
        item_id=item_id,
        status=draw(st.sampled_from(["pending", "in_progress", "failed", "completed", "resting"])),
        batch_id=draw(st.sampled_from("ab")),
        user_id=draw(st.sampled_from([None, "me", "other"])),
        retried_from_item_id=root if root and root < item_id else None,  # ids grow: a retry is newer
        parent_item_id=draw(st.sampled_from([None, None, None, 2])),
    )


@given(st.lists(st.tuples(st.integers(0, 5), st.lists(some_item(), max_size=6)), max_size=12))
def test_tallies_equal_a_recount_after_any_steps(steps: list[tuple[int, list[QueueItem]]]) -> None:
    """Counts updated step by step equal a recount, whatever the steps and the user."""
    state = QueueState()
    for kind, items in steps:
        ids = [item.item_id for item in items]
        if kind == 0:
            state, _ = merge.with_items(state, items, asked=ids)
        elif kind == 1:
            state, _ = merge.with_ids(state, {*state.items, *state.unread, *ids})
            state, _ = merge.with_items(state, items)
        elif kind == 2:
            state, _ = merge.with_ids(state, ids)
        elif kind == 3:
            state, _ = merge.with_event(state, ItemsCanceled(queue_id="default", item_ids=tuple(ids)))
        elif kind == 4:
            state = state.with_connection(Connection(user=ME if items else None))
        else:
            for item in items:
                state, _ = merge.with_event(state, event(item))
        tallies = state.tallies
        assert counted(state) == (tallies.all, tallies.own, tallies.retryable, dict(tallies.batches))
        assert {i for i, item in state.items.items() if not item.is_terminal} == tallies.unfinished.keys()


@given(st.lists(st.tuples(st.dictionaries(st.integers(0, 2000), st.integers()), st.sets(st.integers(0, 2000)))))
def test_shards_hold_what_a_dict_would(changes: list[tuple[dict[int, int], set[int]]]) -> None:
    """A changed copy has what was put and lacks what was removed, and says so; the original stays as it was."""
    shards, plain = Shards[int, int](), dict[int, int]()
    for put, gone in changes:
        before, copy = shards, dict(plain)
        shards = shards.changed(put, gone)
        plain = {key: value for key, value in {**plain, **put}.items() if key not in gone}
        assert (copy, plain, len(plain)) == (dict(before), dict(shards), len(shards))
        assert {key for key in {*copy, *plain} if copy.get(key) is not plain.get(key)} == shards.differing(before)


def test_batch_ended_when_the_first_of_its_items_did() -> None:
    """A batch's end is that of its first item to end, and is forgotten with the batch's last item."""
    state = QueueState()
    for item_id, second in ((1, 20), (2, 10), (3, 30)):
        at = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
        ended = QueueItem(item_id=item_id, status="failed", batch_id="a", completed_at=at)
        state, _ = merge.with_event(state, event(ended))
    assert 10 == state.tallies.ended["a"].second
    state, _ = merge.with_ids(state, [])
    assert {} == state.tallies.ended


def test_changed_since_names_what_is_new_changed_or_gone() -> None:
    """An item that became known, changed or went since a snapshot is named; one that did not is not."""
    earlier, _ = merge.with_ids(QueueState(), [1, 2, 3])
    earlier, _ = merge.with_items(earlier, [QueueItem(item_id=i, status="pending", batch_id="a") for i in (1, 2, 3)])
    state, _ = merge.with_event(earlier, event(QueueItem(item_id=2, status="in_progress", batch_id="a")))
    state, _ = merge.with_ids(state, [1, 2])
    state, _ = merge.with_new_ids(state, [1, 4])
    assert set() == earlier.changed_since(earlier)
    assert {2, 3, 4} == state.changed_since(earlier)


def test_new_ids_are_unread_unless_known() -> None:
    """Ids from an enqueue's answer are to be read, and one that is known already changes nothing."""
    state, changed = merge.with_new_ids(QueueState(), [1, 2])
    assert ({1, 2}, {1, 2}, 2) == (changed, state.unread, state.newest_id)
    assert (state, frozenset()) == merge.with_new_ids(state, [2])
