"""One immutable snapshot of the queue, kept in step with the server."""

from invoke_widgets.sync.reads import ids_after, light_items, whole_items
from invoke_widgets.sync.state import NOTHING, QueueState, Step
from invoke_widgets.sync.store import Change, QueueStore
from invoke_widgets.sync.sync import Sync

__all__ = [
    "NOTHING",
    "Change",
    "QueueState",
    "QueueStore",
    "Step",
    "Sync",
    "ids_after",
    "light_items",
    "whole_items",
]
