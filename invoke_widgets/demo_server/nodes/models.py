"""Models: the identifiers that fields take, the made-up models of this server, and the node that passes one on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from .base import (
    BaseInvocation,
    BaseInvocationOutput,
    NodeContext,
    input_field,
    invocation,
    invocation_output,
    output_field,
    type_field,
)

# fmt: off
BaseModelType = Literal[
    "any", "sd-1", "sd-2", "sd-3", "sdxl", "sdxl-refiner", "flux", "flux2", "cogview4", "z-image", "ernie-image",
    "ideogram-4", "external", "qwen-image", "anima", "krea-2", "wan", "unknown",
]
ModelType = Literal[
    "onnx", "main", "vae", "lora", "control_lora", "controlnet", "embedding", "ip_adapter", "clip_vision",
    "clip_embed", "t2i_adapter", "t5_encoder", "qwen3_encoder", "qwen_vl_encoder", "qwen3_vl_encoder",
    "mistral_encoder", "wan_t5_encoder", "gemma2_encoder", "spandrel_image_to_image", "siglip", "flux_redux",
    "llava_onevision", "prompt_enhancer", "text_llm", "external_image_generator", "pid_decoder", "unknown",
]
SubModelType = Literal[
    "unet", "transformer", "transformer_2", "text_encoder", "text_encoder_2", "text_encoder_3", "tokenizer",
    "tokenizer_2", "tokenizer_3", "pe", "pe_tokenizer", "vae", "vae_decoder", "vae_encoder", "scheduler",
    "safety_checker",
]
# fmt: on


class ModelIdentifierField(BaseModel):
    """A model by its key; the rest tells what was meant if the key is unknown"""

    key: str = Field(description="The model's unique key")
    hash: str = Field(description="The model's BLAKE3 hash")
    name: str = Field(description="The model's name")
    base: BaseModelType = Field(description="The model's base model type")
    type: ModelType = Field(description="The model's type")
    submodel_type: SubModelType | None = Field(
        default=None, description="The submodel to load, if this is a main model"
    )


def _model(number: int, name: str, kind: str, base: str, description: str) -> dict[str, Any]:
    digits = f"{number:02x}" * 32
    return {
        "key": f"{digits[:8]}-{digits[:4]}-{digits[:4]}-{digits[:4]}-{digits[:12]}",
        "hash": f"blake3:{digits}",
        "path": f"demo/{name}",
        "file_size": 0,
        "name": name,
        "description": description,
        "source": f"demo/{name}",
        "source_type": "path",
        "type": kind,
        "base": base,
        "format": "lycoris" if kind == "lora" else "diffusers",
    }


MODELS: list[dict[str, Any]] = [
    _model(5, "Demo Ink", "lora", "sd-1", "A made-up style for Demo SD 1.5"),
    _model(1, "Demo SD 1.5", "main", "sd-1", "A made-up model"),
    _model(2, "Demo SD 1.5 Night", "main", "sd-1", "A made-up model"),
    _model(3, "Demo SDXL", "main", "sdxl", "A made-up model"),
    _model(4, "Demo VAE", "vae", "sd-1", "A made-up VAE"),
]
"""Models without files, by type, base and name, as lists of models are ordered."""


class UNetField(BaseModel):
    """A UNet and its scheduler"""

    unet: ModelIdentifierField = Field(description="Info to load unet submodel")
    scheduler: ModelIdentifierField = Field(description="Info to load scheduler submodel")
    loras: list[Any] = Field(description="LoRAs to apply on model loading")
    seamless_axes: list[str] = Field(default_factory=list, description="Axes to which apply seamless")
    freeu_config: dict[str, float] | None = Field(default=None, description="FreeU configuration")


class CLIPField(BaseModel):
    """A text encoder and its tokenizer"""

    tokenizer: ModelIdentifierField = Field(description="Info to load tokenizer submodel")
    text_encoder: ModelIdentifierField = Field(description="Info to load text_encoder submodel")
    skipped_layers: int = Field(description="Number of skipped layers in text_encoder")
    loras: list[Any] = Field(description="LoRAs to apply on model loading")


class VAEField(BaseModel):
    """A VAE"""

    vae: ModelIdentifierField = Field(description="Info to load vae submodel")
    seamless_axes: list[str] = Field(default_factory=list, description="Axes to which apply seamless")


@invocation_output
class ModelLoaderOutput(BaseInvocationOutput):
    """The submodels of a main model"""

    vae: VAEField = output_field(title="VAE", description="VAE")
    clip: CLIPField = output_field(title="CLIP", description="CLIP")
    unet: UNetField = output_field(title="UNet", description="UNet")
    type: Literal["model_loader_output"] = type_field("model_loader_output")


def known(model: ModelIdentifierField | None) -> ModelIdentifierField:
    """Return a field's model; raise if the server has no model of its key."""
    assert model is not None
    if all(model.key != other["key"] for other in MODELS):
        raise Exception(f"Unknown model {model.key}")
    return model


@invocation_output
class ModelIdentifierOutput(BaseInvocationOutput):
    """A model's identifier"""

    model: ModelIdentifierField = output_field(title="Model", description="Model identifier")
    type: Literal["model_identifier_output"] = type_field("model_identifier_output")


@invocation(title="Any Model", tags=["model"], category="model", version="1.0.1")
class ModelIdentifierInvocation(BaseInvocation):
    """Passes a model's identifier on"""

    model: ModelIdentifierField | None = input_field(title="Model", description="The model to select")
    type: Literal["model_identifier"] = type_field("model_identifier")

    def invoke(self, context: NodeContext) -> ModelIdentifierOutput:
        return ModelIdentifierOutput(model=known(self.model))


@invocation(title="Main Model - SD1.5, SD2", tags=["model"], category="model", version="1.0.4")
class MainModelLoaderInvocation(BaseInvocation):
    """Passes the parts of a main model on; no node of this server runs them"""

    model: ModelIdentifierField | None = input_field(
        description="Main model (UNet, VAE, CLIP) to load", ui_model_base=["sd-1", "sd-2"], ui_model_type=["main"]
    )
    type: Literal["main_model_loader"] = type_field("main_model_loader")

    def invoke(self, context: NodeContext) -> ModelLoaderOutput:
        model = known(self.model)

        def part(submodel_type: SubModelType) -> ModelIdentifierField:
            return model.model_copy(update={"submodel_type": submodel_type})

        return ModelLoaderOutput(
            unet=UNetField(unet=part("unet"), scheduler=part("scheduler"), loras=[]),
            clip=CLIPField(tokenizer=part("tokenizer"), text_encoder=part("text_encoder"), loras=[], skipped_layers=0),
            vae=VAEField(vae=part("vae")),
        )
