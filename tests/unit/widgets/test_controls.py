"""The unfinished batches behind the button that cancels one: kept up to date by what changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from invoke_widgets.records import STATUSES, Connection, QueueItem, User
from invoke_widgets.sync import Change, QueueState
from invoke_widgets.widgets.controls import Batches

items = st.builds(
    lambda item_id, status, batch, user: QueueItem(item_id=item_id, status=status, batch_id=batch, user_id=user),
    st.integers(1, 15),
    st.sampled_from([*STATUSES, "new_status"]),
    st.sampled_from("abc"),
    st.sampled_from([None, "me", "them"]),
)
states = st.builds(
    lambda made, user: QueueState(items={i.item_id: i for i in made}, connection=Connection(user=user)),
    st.lists(items, max_size=10),
    st.sampled_from([None, User(user_id="me"), User(user_id="me", is_admin=True)]),
)


@given(st.lists(states, min_size=1, max_size=4))
def test_batches_updated_by_changes_equal_those_of_the_last_state(history: list[QueueState]) -> None:
    """After any changes, and for any user, they are the user's own unfinished batches of the last state."""
    batches, before = Batches(), QueueState()
    for state in history:
        batches.update(Change(state, frozenset(before.items) | frozenset(state.items)))
        before = state
    left = [item.batch_id for item in state.items.values() if not item.is_terminal and not state.is_theirs(item)]
    assert {batch: left.count(batch) for batch in left} == dict(batches.newest(10))


def test_newest_unfinished_batches_come_first() -> None:
    """At most as many as asked for, each with the number of items left; older items may become known later."""
    statuses = [("completed", "a"), ("pending", "b"), ("in_progress", "c"), ("pending", "b")]
    made = {i: QueueItem(item_id=i, status=s, batch_id=b) for i, (s, b) in enumerate(statuses, start=1)}
    batches = Batches()
    batches.update(Change(QueueState(items={i: made[i] for i in (4, 2)}), frozenset({4, 2})))
    batches.update(Change(QueueState(items=made), frozenset({3, 1})))
    assert [("b", 2), ("c", 1)] == batches.newest(10)
    assert [("b", 2)] == batches.newest(1)
