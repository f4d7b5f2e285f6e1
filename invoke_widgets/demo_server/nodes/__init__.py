"""The nodes: some of InvokeAI's own that need no model, with the same names, fields and defaults, and three more."""

from . import collections, demo, images, models, probe, values  # noqa: F401 - importing registers them
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
    VideoField,
    new_id,
)
from .collections import CollectInvocation, IterateInvocation
from .models import MODELS, BaseModelType, ModelType

__all__ = [
    "MODELS",
    "NODES",
    "OUTPUTS",
    "AnyInvocation",
    "AnyInvocationOutput",
    "BaseInvocation",
    "BaseInvocationOutput",
    "BaseModelType",
    "CanceledException",
    "CollectInvocation",
    "ImageField",
    "IterateInvocation",
    "ModelType",
    "NodeContext",
    "VideoField",
    "new_id",
]
