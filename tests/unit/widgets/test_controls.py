"""The counts behind the buttons: kept up to date by what changes, and equal to a count of everything."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from invoke_widgets.records import STATUSES, Connection, Counts, QueueItem, User, retryable
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets.controls import Tally

ME = User(user_id="me", is_admin=False)
items = st.builds(
    lambda item_id, status, batch, parent, root, user: QueueItem(
        item_id=item_id,
        status=status,
        batch_id=batch,
        parent_item_id=parent,
        retried_from_item_id=root if root is not None and root < item_id else None,
        user_id=user,
    ),
    st.integers(1, 15),
    st.sampled_from([*STATUSES, "new_status"]),
    st.sampled_from("abc"),
    st.sampled_from([None, None, None, 1]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, "me", "them"]),
)
states = st.builds(
    lambda made, user: QueueState(items={i.item_id: i for i in made}, connection=Connection(user=user)),
    st.lists(items, max_size=10),
    st.sampled_from([None, ME, replace(ME, is_admin=True)]),
)


@given(st.lists(states, min_size=1, max_size=4))
def test_a_tally_of_changes_equals_a_count_of_everything(history: list[QueueState]) -> None:
    """Whatever came, changed and went, and whoever asks, the numbers are those of the last state alone."""
    tally, before = Tally(), QueueState()
    for state in history:
        tally.update(Change(state, frozenset(before.items) | frozenset(state.items)))
        before = state
    own = {i: item for i, item in state.items.items() if not state.is_theirs(item)}
    left = [item for item in own.values() if not item.is_terminal]
    newest = {item.batch_id: max(i.item_id for i in left if i.batch_id == item.batch_id) for item in left}
    again = [i for i in retryable(state.items) if i in own]
    assert Counts.of(item.status for item in own.values()) == tally.counts
    assert len(again) == len(tally.retryable)
    assert {batch: sum(item.batch_id == batch for item in left) for batch in newest} == dict(tally.unfinished)
    assert set(newest) == {batch for batch, _ in tally.newest_batches(10)}


def test_newest_unfinished_batches_come_first() -> None:
    """Batches with something left, the newest first and no more than asked for, with the number of items left."""
    statuses = [("completed", "a"), ("pending", "b"), ("in_progress", "c"), ("pending", "b")]
    made = [QueueItem(item_id=i, status=s, batch_id=b) for i, (s, b) in enumerate(statuses, start=1)]
    tally = Tally()
    for order in ((4, 2), (3, 1)):  # older ones may become known later
        known = {i.item_id: i for i in made if i.item_id in (4, 2) or 3 in order}
        tally.update(Change(QueueState(items=known), frozenset(order)))
    assert [("b", 2), ("c", 1)] == tally.newest_batches(10)
    assert [("b", 2)] == tally.newest_batches(1)
