"""The nodes: InvokeAI's own that need no model, with the same names, fields and defaults."""

from . import batches, collections, demo, filters, images, math, models, primitives, probe, strings  # noqa: F401 - importing registers them
from .base import (
    NODES,
    OUTPUTS,
    AnyInvocation,
    AnyInvocationOutput,
    BaseInvocation,
    BaseInvocationOutput,
    CanceledException,
    ImageField,
    MetadataField,
    NodeContext,
    SavedImage,
    VideoField,
    WithBoard,
    WithMetadata,
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
    "MetadataField",
    "ModelType",
    "NodeContext",
    "SavedImage",
    "VideoField",
    "WithBoard",
    "WithMetadata",
    "new_id",
]
