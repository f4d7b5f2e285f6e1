"""The base of all nodes: fields, outputs, registration, and the context of a running node.

The schema of a node has what a client reads: titles, descriptions, bounds, and for each input whether it takes an edge
and whether it is required.
"""

from __future__ import annotations

import base64
import io
import typing
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, RootModel, TypeAdapter
from pydantic_core import CoreSchema, PydanticUndefined, core_schema

if TYPE_CHECKING:
    from ..images import ImageStore
    from ..queue import SessionQueueItem


def new_id() -> str:
    """Return a random identifier in InvokeAI's format."""
    return str(uuid.uuid4())


# -- values --------------------------------------------------------------------------------------------------------


class ImageField(BaseModel):
    """An image by its name"""

    image_name: str


class VideoField(BaseModel):
    """A video by its name"""

    video_name: str


class BoardField(BaseModel):
    """A board by its id"""

    board_id: str


class ColorField(BaseModel):
    """A color of four channels, each 0 to 255"""

    r: int = Field(ge=0, le=255)
    g: int = Field(ge=0, le=255)
    b: int = Field(ge=0, le=255)
    a: int = Field(ge=0, le=255)


class MetadataField(RootModel[dict[str, Any]]):
    """The metadata of an image: any document"""


# -- outputs -------------------------------------------------------------------------------------------------------


class BaseInvocationOutput(BaseModel):
    """The base of all outputs."""

    output_meta: dict[str, Any] | None = None


OUTPUTS: dict[str, type[BaseInvocationOutput]] = {}
O = TypeVar("O", bound=BaseInvocationOutput)  # noqa: E741


def invocation_output(cls: type[O]) -> type[O]:
    """Register an output class under its `type`."""
    OUTPUTS[str(cls.model_fields["type"].default)] = cls
    return cls


@invocation_output
class IntegerOutput(BaseInvocationOutput):
    """A single integer"""

    value: int
    type: Literal["integer_output"] = "integer_output"


@invocation_output
class IntegerCollectionOutput(BaseInvocationOutput):
    """A collection of integers"""

    collection: list[int]
    type: Literal["integer_collection_output"] = "integer_collection_output"


@invocation_output
class FloatOutput(BaseInvocationOutput):
    """A single float"""

    value: float
    type: Literal["float_output"] = "float_output"


@invocation_output
class BooleanOutput(BaseInvocationOutput):
    """A single boolean"""

    value: bool
    type: Literal["boolean_output"] = "boolean_output"


@invocation_output
class ColorOutput(BaseInvocationOutput):
    """A single color"""

    color: ColorField
    type: Literal["color_output"] = "color_output"


@invocation_output
class StringOutput(BaseInvocationOutput):
    """A single string"""

    value: str
    type: Literal["string_output"] = "string_output"


@invocation_output
class ImageOutput(BaseInvocationOutput):
    """A single image"""

    image: ImageField
    width: int
    height: int
    type: Literal["image_output"] = "image_output"


# -- nodes ---------------------------------------------------------------------------------------------------------


class CanceledException(Exception):
    """Raised by a node that is canceled while it runs."""


class MissingInputException(Exception):
    """Raised when a required field has neither a value nor a connection."""

    def __init__(self, node_type: str, field_name: str) -> None:
        super().__init__(f"Node {node_type} missing value or connection for field {field_name}")


def input_field(
    default: Any = PydanticUndefined,
    *,
    input: str = "any",  # noqa: A002 - the server's own name
    title: str | None = None,
    description: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    **ui: Any,
) -> Any:
    """Return the pydantic field of a node's input.

    Args:
        default: the default value; without one the field is required when the node runs.
        input: `any`, `direct` (a value only) or `connection` (an edge only).
        ui: further schema keys (`ui_hidden`, `ui_model_type`, ...).
    """
    required = default is PydanticUndefined
    return Field(
        default=None if required else default,
        title=title,
        description=description,
        json_schema_extra={"input": input, "orig_required": required, **ui},
        ge=ge,
        gt=gt,
        le=le,
    )


def _node_schema(schema: dict[str, Any], model: type[BaseInvocation]) -> None:
    schema["class"] = "invocation"
    if model.title:
        schema["title"] = model.title


class BaseInvocation(BaseModel):
    """The base of all nodes."""

    id: str = Field(default_factory=new_id)
    is_intermediate: bool = False
    use_cache: bool = True

    title: ClassVar[str] = ""
    output_class: ClassVar[type[BaseInvocationOutput]] = BaseInvocationOutput

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

    def check_inputs(self) -> None:
        """Raise if a required field has no value."""
        for name, field in type(self).model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and extra.get("orig_required") and getattr(self, name) is None:
                raise MissingInputException(self.get_type(), name)


class ImageNode(BaseInvocation):
    """The base of nodes that make an image."""

    metadata: MetadataField | None = input_field(
        None, input="connection", description="Metadata to be saved with the image"
    )
    board: BoardField | None = input_field(None, input="direct", description="The board to save the image to")


class NodeContext:
    """The server as a running node sees it.

    Args:
        node: the node.
        item: the item that it belongs to.
        images: the server's images.
        send_progress: sends an event about the node, with these fields.
        is_canceled: returns whether the item was canceled.
    """

    def __init__(
        self,
        node: BaseInvocation,
        item: SessionQueueItem,
        images: ImageStore,
        *,
        send_progress: Callable[..., None],
        is_canceled: Callable[[], bool],
    ) -> None:
        self._node = node
        self._item = item
        self._images = images
        self._send_progress = send_progress
        self.is_canceled = is_canceled

    def get_image(self, image: ImageField | None, mode: str | None = None) -> Image.Image:
        """A private copy of a stored image, converted to `mode` if given."""
        assert image is not None
        loaded = self._images.load(image.image_name)
        return loaded.convert(mode) if mode is not None and mode != loaded.mode else loaded

    def output_of(self, image: ImageField | None) -> ImageOutput:
        """The output that names a stored image."""
        assert image is not None
        record = self._images.dto(image.image_name)
        return ImageOutput(image=image, width=record["width"], height=record["height"])

    def save_image(
        self, image: Image.Image, category: str = "general", metadata: MetadataField | None = None
    ) -> ImageOutput:
        """Store an image with the node's board, metadata (or these, if it was given none) and `is_intermediate`."""
        self.signal_progress("Saving image")
        node, item = self._node, self._item
        assert isinstance(node, ImageNode)
        metadata = node.metadata or metadata
        name = self._images.create(
            image,
            origin="internal",
            category=category,
            is_intermediate=node.is_intermediate,
            user_id=item.user_id,
            session_id=item.session_id,
            node_id=node.id,
            board_id=node.board.board_id if node.board else None,
            metadata=metadata.model_dump_json() if metadata else None,
            workflow=item.workflow.model_dump_json() if item.workflow else None,
            graph=item.session.graph.model_dump_json(warnings=False),
        )
        return ImageOutput(image=ImageField(image_name=name), width=image.width, height=image.height)

    def signal_progress(
        self,
        message: str,
        percentage: float | None = None,
        image: Image.Image | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        """Send an `invocation_progress` event."""
        preview = None if image is None else _preview(image, image_size or image.size)
        self._send_progress(message=message, percentage=percentage, image=preview, device=None)


def _preview(image: Image.Image, size: tuple[int, int]) -> dict[str, Any]:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    url = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"width": size[0], "height": size[1], "dataURL": url}


NODES: dict[str, type[BaseInvocation]] = {}
N = TypeVar("N", bound=BaseInvocation)


def invocation(title: str = "") -> Callable[[type[N]], type[N]]:
    """Register a node class under its `type`."""

    def register(cls: type[N]) -> type[N]:
        cls.title = title
        cls.output_class = typing.get_type_hints(cls.invoke)["return"]
        NODES[cls.get_type()] = cls
        return cls

    return register


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
