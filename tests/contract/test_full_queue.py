"""A full queue."""

from tests.support.servers import Server
from tests.support.wire import Wire


def test_full_queue_enqueues_fewer_with_200(wire: Wire, server: Server) -> None:
    """What does not fit is dropped with 200; `enqueued` below `requested` is the only sign."""
    limit = server.max_queue_size
    with wire.paused():
        partly = wire.enqueue(runs=limit + 5)
        none = wire.enqueue(runs=2)
        assert (limit, limit + 5, limit) == (partly["enqueued"], partly["requested"], len(partly["item_ids"]))
        assert (0, 2, []) == (none["enqueued"], none["requested"], none["item_ids"])
        assert {"pending": limit} == wire.counts()
        wire.put("clear")


def test_only_pending_items_count(wire: Wire, server: Server) -> None:
    """Canceled items make space at once, although they stay listed."""
    limit = server.max_queue_size
    with wire.paused():
        wire.enqueue(runs=limit)
        wire.put("cancel_all_except_current")
        assert 1 == wire.enqueue()["enqueued"]
        wire.put("clear")
