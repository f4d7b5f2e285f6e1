"""What a server's OpenAPI document says of the requests that the client sends, in short.

    python -m tests.support.openapi openapi.json "where it is from" > tests/data/openapi-7.json

The extract has the names and kinds of parameters and fields only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_QUEUE = "/api/v1/queue/{queue_id}"
REQUESTS = (
    "GET /api/v1/app/runtime_config",
    "GET /api/v1/app/version",
    "GET /api/v1/auth/me",
    "GET /api/v1/auth/status",
    "POST /api/v1/auth/login",
    "POST /api/v1/board_images/batch",
    "POST /api/v1/board_images/batch/delete",
    "GET /api/v1/boards/",
    "POST /api/v1/boards/",
    "DELETE /api/v1/boards/{board_id}",
    "GET /api/v1/boards/{board_id}",
    "PATCH /api/v1/boards/{board_id}",
    "GET /api/v1/boards/{board_id}/image_names",
    "GET /api/v1/images/",
    "POST /api/v1/images/delete",
    "DELETE /api/v1/images/i/{image_name}",
    "GET /api/v1/images/i/{image_name}",
    "GET /api/v1/images/i/{image_name}/full",
    "GET /api/v1/images/i/{image_name}/metadata",
    "GET /api/v1/images/i/{image_name}/thumbnail",
    "GET /api/v1/images/i/{image_name}/workflow",
    "POST /api/v1/images/images_by_names",
    "POST /api/v1/images/star",
    "POST /api/v1/images/unstar",
    "POST /api/v1/images/upload",
    f"GET {_QUEUE}/b/{{batch_id}}/status",
    f"PUT {_QUEUE}/cancel_all_except_current",
    f"PUT {_QUEUE}/cancel_by_batch_ids",
    f"PUT {_QUEUE}/cancel_by_destination",
    f"PUT {_QUEUE}/clear",
    f"GET {_QUEUE}/counts_by_destination",
    f"GET {_QUEUE}/current",
    f"DELETE {_QUEUE}/d/{{destination}}",
    f"PUT {_QUEUE}/delete_all_except_current",
    f"POST {_QUEUE}/enqueue_batch",
    f"DELETE {_QUEUE}/i/{{item_id}}",
    f"GET {_QUEUE}/i/{{item_id}}",
    f"PUT {_QUEUE}/i/{{item_id}}/cancel",
    f"GET {_QUEUE}/item_ids",
    f"POST {_QUEUE}/item_summaries_by_ids",
    f"POST {_QUEUE}/items_by_ids",
    f"GET {_QUEUE}/list_all",
    f"GET {_QUEUE}/next",
    f"PUT {_QUEUE}/processor/pause",
    f"PUT {_QUEUE}/processor/resume",
    f"PUT {_QUEUE}/prune",
    f"PUT {_QUEUE}/retry_items_by_id",
    f"GET {_QUEUE}/status",
    "POST /api/v1/utilities/dynamicprompts",
    "GET /api/v1/workflows/",
    "POST /api/v1/workflows/",
    "DELETE /api/v1/workflows/i/{workflow_id}",
    "GET /api/v1/workflows/i/{workflow_id}",
    "GET /api/v2/models/",
)

EVENTS = {
    "queue_item_status_changed": "QueueItemStatusChangedEvent",
    "batch_enqueued": "BatchEnqueuedEvent",
    "queue_items_canceled": "QueueItemsCanceledEvent",
    "queue_items_retried": "QueueItemsRetriedEvent",
    "queue_cleared": "QueueClearedEvent",
    "invocation_started": "InvocationStartedEvent",
    "invocation_progress": "InvocationProgressEvent",
    "invocation_complete": "InvocationCompleteEvent",
    "invocation_error": "InvocationErrorEvent",
}
"""The type of each event's data."""

READ = (
    "AddImagesToBoardResult", "AppVersion", "Batch", "BatchStatus", "BoardDTO", "CancelAllExceptCurrentResult",
    "CancelByBatchIDsResult", "CancelByDestinationResult", "ClearResult", "DeleteAllExceptCurrentResult",
    "DeleteByDestinationResult", "DeleteImagesResult", "DynamicPromptsResponse", "EnqueueBatchResult", "ImageDTO",
    "InvokeAIAppConfig", "InvokeAIAppConfigWithSetFields", "ItemIdsResult", "Main_Diffusers_SD1_Config", "ModelsList",
    "NodeFieldValue", "OffsetPaginatedResults_ImageDTO_", "PruneResult", "RemoveImagesFromBoardResult",
    "PaginatedResults_WorkflowRecordListItemWithThumbnailDTO_", "RetryItemsResult", "SessionProcessorStatus",
    "SessionQueueAndProcessorStatus", "SessionQueueCountsByDestination", "SessionQueueItem", "SessionQueueItemSummary",
    "SessionQueueStatus", "SetupStatusResponse", "StarredImagesResult", "UnstarredImagesResult", "Workflow",
    "WorkflowAndGraphResponse", "WorkflowRecordDTO", "WorkflowRecordListItemWithThumbnailDTO",
    "WorkflowRecordWithThumbnailDTO",
)  # fmt: skip
"""The types of answers of which the client reads something."""

_DEPTH = 2
_OF_MANY = {"InvokeAIAppConfig": ("max_queue_size",)}
"""The fields that are taken of a type that has very many."""


def extract(document: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return `source`; of each request the parameters, the body's type and the answer's; and the fields of those types.

    A parameter or field that must be given ends in "!". A field's kind is that of its JSON, or the name of its type.
    """
    types: dict[str, dict[str, str]] = {}
    requests = {}
    for request in REQUESTS:
        method, path = request.split()
        operation = document["paths"].get(path, {}).get(method.lower())
        if operation is None:
            continue
        bodies = operation.get("requestBody", {}).get("content", {})
        answers = next(iter(operation["responses"].values())).get("content", {})
        requests[request] = {
            "parameters": [
                each["name"] + ("!" if each.get("required") else "")
                for each in operation.get("parameters", ())
                if each["in"] == "query"
            ],
            "body": _kind(next(iter(bodies.values()), {}).get("schema"), document, types, _DEPTH),
            "answer": _kind(next(iter(answers.values()), {}).get("schema"), document, types, _DEPTH),
        }
    for name in EVENTS.values():
        _kind({"$ref": f"/{name}"}, document, types, _DEPTH)
    bodies = {str(each["body"]) for each in requests.values()}
    wanted = {*READ, *EVENTS.values(), *bodies, "ProgressImage", "LoginResponse", "UserDTO"}
    return {"source": source, "requests": requests, "types": {k: types[k] for k in sorted(wanted & types.keys())}}


def _kind(schema: Any, document: Mapping[str, Any], types: dict[str, dict[str, str]], depth: int) -> str:
    """Return the kind of a schema's values, "list of X" for a list, and note the fields of the types that it names."""
    if not schema:
        return ""
    for choices in (schema.get("anyOf"), schema.get("oneOf"), schema.get("allOf")):
        if choices:
            return _kind(next(one for one in choices if one.get("type") != "null"), document, types, depth)
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        found = document["components"]["schemas"][name]
        if "properties" not in found:
            return str(found.get("type", "object"))
        if not depth:
            return "object"
        if name not in types:
            fields = types[name] = {}
            for field, each in found["properties"].items():
                if field not in _OF_MANY.get(name, (field,)):
                    continue
                mark = "!" if field in found.get("required", ()) else ""
                fields[field + mark] = _kind(each, document, types, depth - 1)
        return name
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items'), document, types, depth)}"
    return str(schema.get("type", "any"))


if __name__ == "__main__":
    print(json.dumps(extract(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2]), indent=1))
