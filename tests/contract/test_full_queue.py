"""A queue that takes no more."""

from tests.support.servers import Server
from tests.support.wire import Wire


def test_a_full_queue_takes_fewer_and_is_no_error(wire: Wire, server: Server) -> None:
    """What does not fit is dropped with 200; `enqueued` below `requested` is the only sign."""
    room = server.max_queue_size
    with wire.paused():
        partly = wire.enqueue(runs=room + 5)
        none = wire.enqueue(runs=2)
        assert (room, room + 5, room) == (partly["enqueued"], partly["requested"], len(partly["item_ids"]))
        assert (0, 2, []) == (none["enqueued"], none["requested"], none["item_ids"])
        assert {"pending": room} == wire.counts()
        wire.put("clear")


def test_only_pending_items_count(wire: Wire, server: Server) -> None:
    """Room comes back as soon as items are canceled, though they stay listed."""
    room = server.max_queue_size
    with wire.paused():
        wire.enqueue(runs=room)
        wire.put("cancel_all_except_current")
        assert 1 == wire.enqueue()["enqueued"]
        wire.put("clear")
