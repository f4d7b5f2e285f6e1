"""The base of all nodes: fields, outputs, registration, and the context of a running node."""

from __future__ import annotations

import typing
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, TypeAlias, TypeVar

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, JsonValue, RootModel, TypeAdapter
from pydantic_core import CoreSchema, PydanticUndefined, core_schema

NODE_ATTRIBUTE: dict[str, JsonValue] = {"field_kind": "node_attribute"}


def new_id() -> str:
    """Return a random identifier in InvokeAI's format."""
    return str(uuid.uuid4())


class ImageField(BaseModel):
    """An image by its name"""

    image_name: str = Field(description="The name of the image")


class VideoField(BaseModel):
    """A video by its name"""

    video_name: str = Field(description="The name of the video")


class BoardField(BaseModel):
    """A board by its id"""

    board_id: str = Field(description="The id of the board")


class ColorField(BaseModel):
    """A color of four channels, each 0 to 255"""

    r: int = Field(ge=0, le=255, description="The red component")
    g: int = Field(ge=0, le=255, description="The green component")
    b: int = Field(ge=0, le=255, description="The blue component")
    a: int = Field(ge=0, le=255, description="The alpha component")

    def tuple(self) -> tuple[int, int, int, int]:
        """The channels in the order that Pillow takes."""
        return (self.r, self.g, self.b, self.a)


class MetadataField(RootModel[dict[str, Any]]):
    """The metadata of an image: any document"""


class CanceledException(Exception):
    """Raised by a node that is canceled while it runs."""


class MissingInputException(Exception):
    """Raised when a required field has neither a value nor a connection."""

    def __init__(self, node_type: str, field_name: str) -> None:
        super().__init__(f"Node {node_type} missing value or connection for field {field_name}")


class RequiredConnectionException(Exception):
    """Raised when a field that only takes connections has none."""

    def __init__(self, node_type: str, field_name: str) -> None:
        super().__init__(f"Node {node_type} missing connections for field {field_name}")


class SavedImage(Protocol):
    """A stored image as a node sees it."""

    image_name: str
    width: int
    height: int


class NodeContext(Protocol):
    """The server as a running node sees it."""

    def get_image(self, image_name: str, mode: str | None = None) -> Image.Image:
        """A private copy of a stored image, converted to `mode` if given."""

    def get_record(self, image_name: str) -> SavedImage:
        """The record of a stored image."""

    def save_image(
        self, image: Image.Image, category: str = "general", metadata: MetadataField | None = None
    ) -> SavedImage:
        """Store an image with the node's board, metadata (or these, if it was given none) and `is_intermediate`."""

    def signal_progress(
        self,
        message: str,
        percentage: float | None = None,
        image: Image.Image | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        """Send an `invocation_progress` event."""

    def is_canceled(self) -> bool:
        """Return whether the item was canceled."""


def input_field(
    default: Any = PydanticUndefined,
    *,
    input: str = "any",  # noqa: A002 - the server's own name
    title: str | None = None,
    description: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    **ui: Any,
) -> Any:
    """Return the pydantic field of a node's input.

    Args:
        default: the default value; without one the field is required when the node runs.
        input: `any`, `direct` (a value only) or `connection` (an edge only).
        ui: further schema keys (`ui_component`, `ui_type`, ...).
    """
    required = default is PydanticUndefined
    extra: dict[str, Any] = {"input": input, "field_kind": "input", "orig_required": required, **ui}
    if not required:
        plain = default.model_dump() if isinstance(default, BaseModel) else default
        extra["orig_default"] = plain
    return Field(
        default=None if required else default,
        title=title,
        description=description,
        json_schema_extra=extra,
        ge=ge,
        gt=gt,
        le=le,
        min_length=min_length,
    )


def output_field(*, title: str | None = None, description: str = "", **ui: Any) -> Any:
    """Return a pydantic field of a node's output."""
    return Field(
        title=title, description=description, json_schema_extra={"field_kind": "output", "ui_hidden": False, **ui}
    )


def type_field(name: str) -> Any:
    """Return the `type` field, which identifies a node or output in a document."""
    return Field(default=name, title="type", json_schema_extra=NODE_ATTRIBUTE)


def use_cache_field(default: bool) -> Any:
    """Return the `use_cache` field: whether the node may be skipped for inputs seen before."""
    return Field(default=default, description="Whether or not to use the cache", json_schema_extra=NODE_ATTRIBUTE)


def _output_schema(schema: dict[str, Any], _model: type[BaseModel]) -> None:
    schema["class"] = "output"
    schema["required"] = [*schema.get("required", []), "type"]


def _node_schema(schema: dict[str, Any], model: type[BaseInvocation]) -> None:
    schema.update({key: value for key, value in model.info.items() if value})
    schema["required"] = [*schema.get("required", []), "type", "id"]
    schema["class"] = "invocation"


class BaseInvocationOutput(BaseModel):
    """The base of all outputs."""

    output_meta: dict[str, JsonValue] | None = Field(
        default=None, description="Metadata beside the output's values", json_schema_extra=NODE_ATTRIBUTE
    )

    model_config = ConfigDict(
        protected_namespaces=(),
        validate_assignment=True,
        json_schema_serialization_defaults_required=True,
        json_schema_extra=_output_schema,
    )


class BaseInvocation(BaseModel):
    """The base of all nodes."""

    id: str = Field(
        default_factory=new_id,
        description="The id of this node, unique within its graph",
        json_schema_extra=NODE_ATTRIBUTE,
    )
    is_intermediate: bool = Field(
        default=False,
        description="Whether or not this node's images are intermediate",
        json_schema_extra={
            "input": "direct",
            "field_kind": "node_attribute",
            "orig_required": True,
            "ui_hidden": False,
            "ui_type": "IsIntermediate",
        },
    )
    use_cache: bool = use_cache_field(True)

    info: ClassVar[dict[str, Any]] = {}
    output_class: ClassVar[type[BaseInvocationOutput]] = BaseInvocationOutput
    reports_progress: ClassVar[bool] = False

    model_config = ConfigDict(
        protected_namespaces=(),
        validate_assignment=True,
        json_schema_extra=_node_schema,
        json_schema_serialization_defaults_required=False,
        coerce_numbers_to_str=True,
    )

    @classmethod
    def get_type(cls) -> str:
        """The node's `type`."""
        return str(cls.model_fields["type"].default)

    def invoke(self, context: NodeContext) -> BaseInvocationOutput:
        """Run the node. Any exception fails the item."""
        raise NotImplementedError

    def event_copy(self) -> BaseInvocation:
        """Return the node as events show it."""
        return self

    def check_inputs(self) -> None:
        """Raise if a required field has no value."""
        for name, field in type(self).model_fields.items():
            extra = field.json_schema_extra
            if not isinstance(extra, dict) or not extra.get("orig_required") or "orig_default" in extra:
                continue
            if getattr(self, name) is not None:
                continue
            if extra.get("input") == "connection":
                raise RequiredConnectionException(self.get_type(), name)
            if extra.get("input") == "any":
                raise MissingInputException(self.get_type(), name)


class WithMetadata(BaseModel):
    """For nodes whose images may carry metadata."""

    metadata: MetadataField | None = Field(
        default=None,
        description="Metadata to be saved with the image",
        json_schema_extra={
            "input": "connection",
            "field_kind": "internal",
            "orig_required": False,
            "ui_hidden": False,
        },
    )


class WithBoard(BaseModel):
    """For nodes whose images may go to a board."""

    board: BoardField | None = Field(
        default=None,
        description="The board to save the image to",
        json_schema_extra={"input": "direct", "field_kind": "internal", "orig_required": False, "ui_hidden": False},
    )


NODES: dict[str, type[BaseInvocation]] = {}
OUTPUTS: dict[str, type[BaseInvocationOutput]] = {}

N = TypeVar("N", bound=BaseInvocation)
O = TypeVar("O", bound=BaseInvocationOutput)  # noqa: E741


def invocation(
    *,
    title: str | None = None,
    tags: list[str] | None = None,
    category: str | None = None,
    version: str = "1.0.0",
    node_pack: str = "invokeai",
    classification: str = "stable",
) -> Callable[[type[N]], type[N]]:
    """Register a node class under its `type`, with the details of its schema."""

    def register(cls: type[N]) -> type[N]:
        cls.info = {
            "title": title,
            "tags": tags,
            "category": category,
            "node_pack": node_pack,
            "classification": classification,
            "version": version,
        }
        cls.output_class = typing.get_type_hints(cls.invoke)["return"]
        NODES[cls.get_type()] = cls
        return cls

    return register


def invocation_output(cls: type[O]) -> type[O]:
    """Register an output class under its `type`."""
    OUTPUTS[str(cls.model_fields["type"].default)] = cls
    return cls


class _Registered:
    """A pydantic annotation: any registered class, discriminated by `type`.

    The union is built on first use, when all classes are registered.
    """

    def __init__(self, registry: dict[str, Any]) -> None:
        self.registry = registry
        self.adapter: TypeAdapter[Any] | None = None

    def validate(self, value: Any) -> Any:
        if self.adapter is None:
            union: Any = typing.Union[tuple(self.registry.values())]  # noqa: UP007 - built from a tuple at run time
            self.adapter = TypeAdapter[Any](Annotated[union, Field(discriminator="type")])
        return self.adapter.validate_python(value)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        names = sorted(cls.__name__ for cls in self.registry.values())
        return {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}


if TYPE_CHECKING:
    AnyInvocation: TypeAlias = BaseInvocation
    AnyInvocationOutput: TypeAlias = BaseInvocationOutput
else:
    AnyInvocation = Annotated[Any, _Registered(NODES)]
    AnyInvocationOutput = Annotated[Any, _Registered(OUTPUTS)]
