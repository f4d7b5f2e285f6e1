"""Models: the identifiers that fields take, the made-up models of this server, and the node that passes one on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from .base import BaseInvocation, BaseInvocationOutput, NodeContext, input_field, invocation, invocation_output

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
# fmt: on


class ModelIdentifierField(BaseModel):
    """A model by its key; the rest tells what was meant if the key is unknown"""

    key: str
    hash: str
    name: str
    base: BaseModelType
    type: ModelType
    submodel_type: str | None = None


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


def known(model: ModelIdentifierField | None) -> ModelIdentifierField:
    """Return a field's model; raise if the server has no model of its key."""
    assert model is not None
    if all(model.key != other["key"] for other in MODELS):
        raise Exception(f"Unknown model {model.key}")
    return model


@invocation_output
class ModelIdentifierOutput(BaseInvocationOutput):
    """A model's identifier"""

    model: ModelIdentifierField
    type: Literal["model_identifier_output"] = "model_identifier_output"


@invocation("Any Model")
class ModelIdentifierInvocation(BaseInvocation):
    """Passes a model's identifier on"""

    model: ModelIdentifierField | None = input_field(title="Model", description="The model to select")
    type: Literal["model_identifier"] = "model_identifier"

    def invoke(self, context: NodeContext) -> ModelIdentifierOutput:
        return ModelIdentifierOutput(model=known(self.model))
