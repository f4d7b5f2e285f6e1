"""The OpenAPI document: FastAPI's, plus the schemas of all nodes and outputs, as in InvokeAI."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .nodes import NODES, OUTPUTS

_REF = "#/components/schemas/{model}"


def build_schema(app: FastAPI) -> dict[str, Any]:
    """Return the document. The schema of a node references that of its output as `output`."""
    document = get_openapi(
        title=app.title,
        description=app.description,
        version="1.0.0",
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    schemas: dict[str, Any] = document["components"]["schemas"]

    def add(name: str, schema: dict[str, Any]) -> dict[str, Any]:
        for key, definition in schema.pop("$defs", {}).items():
            schemas.setdefault(key, definition)
        schemas[name] = schema
        return schema

    for output in OUTPUTS.values():
        schema = add(output.__name__, output.model_json_schema(mode="serialization", ref_template=_REF))
        schema["properties"].pop("output_meta")
    outputs: dict[str, Any] = {}
    for name, node in NODES.items():
        schema = add(node.__name__, node.model_json_schema(mode="serialization", ref_template=_REF))
        schema["output"] = outputs[name] = {"$ref": _REF.format(model=node.output_class.__name__)}
    schemas["InvocationOutputMap"] = {
        "type": "object",
        "properties": dict(sorted(outputs.items())),
        "required": sorted(outputs),
    }
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document
