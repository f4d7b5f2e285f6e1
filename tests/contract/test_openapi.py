"""The OpenAPI document, from which the package learns endpoints and node fields."""

from typing import Any

import httpx
import pytest

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.workflows import NodeSchemas
from tests.support.servers import Server

_QUEUE = "/api/v1/queue/{queue_id}"


@pytest.fixture(scope="module")
def openapi(server: Server) -> dict[str, Any]:
    """The OpenAPI document."""
    document: dict[str, Any] = (
        httpx.get(f"{server.url}/openapi.json", timeout=60, verify=False).raise_for_status().json()
    )
    return document


def _node(openapi: dict[str, Any], node_type: str) -> dict[str, Any]:
    """The schema of a node type."""
    schemas: dict[str, dict[str, Any]] = openapi["components"]["schemas"]
    of_type = [
        schema for schema in schemas.values() if schema.get("properties", {}).get("type", {}).get("const") == node_type
    ]
    (found,) = [schema for schema in of_type if schema.get("class") == "invocation"]
    return found


def test_endpoints_by_version(openapi: dict[str, Any], server: Server) -> None:
    """The paths list the endpoints."""
    paths = openapi["paths"].keys()
    common = {"enqueue_batch", "list_all", "cancel_all_except_current", "retry_items_by_id"}
    assert {f"{_QUEUE}/{name}" for name in common} <= paths
    for feature, name in (
        ("item_ids", "item_ids"),
        ("item_ids", "items_by_ids"),
        ("item_summaries", "item_summaries_by_ids"),
    ):
        assert server.has(feature) == (f"{_QUEUE}/{name}" in paths)
    assert server.has("multiuser") == ("/api/v1/auth/status" in paths)


def test_operation_ids(openapi: dict[str, Any]) -> None:
    """The operations have the names that the client's methods have."""
    expected = {
        ("/api/v1/app/version", "get"): "app_version",
        (f"{_QUEUE}/enqueue_batch", "post"): "enqueue_batch",
        (f"{_QUEUE}/i/{{item_id}}/cancel", "put"): "cancel_queue_item",
        (f"{_QUEUE}/i/{{item_id}}", "get"): "get_queue_item",
        (f"{_QUEUE}/i/{{item_id}}", "delete"): "delete_queue_item",
        (f"{_QUEUE}/status", "get"): "get_queue_status",
        (f"{_QUEUE}/clear", "put"): "clear",
    }
    assert expected == {(path, verb): openapi["paths"][path][verb]["operationId"] for path, verb in expected}


def test_a_node_schema_has_its_fields(openapi: dict[str, Any]) -> None:
    """A node's schema has each field's type and default, and the type as a constant."""
    add = _node(openapi, "add")
    assert ("add", "integer", 0) == (
        add["properties"]["type"]["const"],
        add["properties"]["a"]["type"],
        add["properties"]["a"]["default"],
    )


def test_a_node_schema_names_its_output(openapi: dict[str, Any]) -> None:
    """A node's output is a reference to another schema."""
    assert {"$ref": "#/components/schemas/IntegerOutput"} == _node(openapi, "add")["output"]


def test_node_fields_have_input_kind(openapi: dict[str, Any]) -> None:
    """A field has whether it takes an edge, a value or either, and whether it is required."""
    assert "any" == _node(openapi, "add")["properties"]["a"]["input"]
    assert {True, False} == {
        _node(openapi, "img_resize")["properties"]["image"]["orig_required"],
        _node(openapi, "add")["properties"]["a"]["orig_required"],
    }


def test_node_fields_have_bounds(openapi: dict[str, Any]) -> None:
    """A field's bounds are JSON schema's own."""
    width = _node(openapi, "img_resize")["properties"]["width"]
    assert ("integer", 0) == (width["type"], width["exclusiveMinimum"])


@pytest.mark.slow
def test_every_field_can_be_checked(openapi: dict[str, Any]) -> None:
    """A value can be checked against every field of every node."""
    nodes = [schema for schema in openapi["components"]["schemas"].values() if schema.get("class") == "invocation"]
    schemas = NodeSchemas(openapi)
    for node in nodes:
        graph = {"nodes": {"n": {"type": node["properties"]["type"]["const"]}}, "edges": []}
        for name in set(node["properties"]) - {"id", "type"}:
            with pytest.raises(InvalidRequest, match="cannot be None"):
                schemas.check_data(graph, [[{"node_path": "n", "field_name": name, "items": [None]}]])
    assert len(nodes) == len(schemas)
