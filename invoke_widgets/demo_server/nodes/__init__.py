"""The nodes: InvokeAI's own that need no model, with the same names, fields and defaults."""

from . import collections, images, math, primitives, probe, strings  # noqa: F401 - importing registers them
from .base import (
    NODES,
    OUTPUTS,
    AnyInvocation,
    AnyInvocationOutput,
    BaseInvocation,
    BaseInvocationOutput,
    CanceledException,
    ImageField,
    NodeContext,
    SavedImage,
    VideoField,
    WithBoard,
    WithMetadata,
    new_id,
)
from .collections import CollectInvocation, IterateInvocation

__all__ = [
    "NODES",
    "OUTPUTS",
    "AnyInvocation",
    "AnyInvocationOutput",
    "BaseInvocation",
    "BaseInvocationOutput",
    "CanceledException",
    "CollectInvocation",
    "ImageField",
    "IterateInvocation",
    "NodeContext",
    "SavedImage",
    "VideoField",
    "WithBoard",
    "WithMetadata",
    "new_id",
]
