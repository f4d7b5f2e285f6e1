"""The routes that tell about the server itself, and the page that every unknown path answers with."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.types import Receive, Scope, Send

from . import API_VERSION
from .services import Parts, User

router = APIRouter(prefix="/api/v1/app", tags=["app"])

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8" /><title>Invoke - Community Edition</title></head>
<body><div id="root">An embedded InvokeAI queue without a web interface.</div></body>
</html>
"""
_NEVER_STORE = {"Cache-Control": "max-age=0, no-cache, no-store, , must-revalidate", "Pragma": "no-cache"}


@router.get("/version", operation_id="app_version")
def app_version() -> dict[str, str]:
    """Get the version of InvokeAI whose API this is."""
    return {"version": API_VERSION}


@router.get("/app_deps", operation_id="get_app_deps")
def get_app_deps() -> dict[str, str]:
    """Get the versions of what the server is made with."""
    return {"InvokeAI": API_VERSION, "CUDA": "N/A"}


@router.get("/runtime_config", operation_id="get_runtime_config")
def get_runtime_config(services: Parts, user: User) -> dict[str, Any]:
    """Get the settings that mean something here."""
    settings = services.settings
    return {
        "set_fields": [],
        "config": {
            "schema_version": "4.0.3",
            "allow_origins": [],
            "http_compression_level": 9,
            "log_level": "info",
            "device": "auto",
            "generation_devices": "auto",
            "precision": "auto",
            "max_queue_size": settings.max_queue_size,
            "session_queue_mode": "round_robin",
            "clear_queue_on_startup": False,
            "max_queue_history": settings.max_queue_history,
            "allow_nodes": None,
            "deny_nodes": None,
            "node_cache_size": services.cache.status()["max_size"],
            "multiuser": settings.multiuser,
            "strict_password_checking": False,
        },
    }


@router.get("/patchmatch_status", operation_id="get_patchmatch_status")
def get_patchmatch_status() -> bool:
    """Say that there is no PatchMatch."""
    return False


@router.get("/generation_device_options", operation_id="get_generation_device_options")
def get_generation_device_options() -> list[dict[str, str]]:
    """Get the devices."""
    return [{"device": "cpu", "name": "CPU"}]


@router.get("/logging", operation_id="get_log_level")
def get_log_level() -> int:
    """Get the log level."""
    return logging.INFO


@router.get("/invocation_cache/status", operation_id="get_invocation_cache_status")
def get_invocation_cache_status(services: Parts, user: User) -> dict[str, Any]:
    """Get the counts of the node cache."""
    return services.cache.status()


@router.delete("/invocation_cache", operation_id="clear_invocation_cache")
def clear_invocation_cache(services: Parts, user: User) -> None:
    """Empty the node cache."""
    services.cache.clear()


@router.put("/invocation_cache/enable", operation_id="enable_invocation_cache")
def enable_invocation_cache(services: Parts, user: User) -> None:
    """Use the node cache."""
    services.cache.enabled = True


@router.put("/invocation_cache/disable", operation_id="disable_invocation_cache")
def disable_invocation_cache(services: Parts, user: User) -> None:
    """Don't use the node cache."""
    services.cache.enabled = False


models_router = APIRouter(prefix="/api/v2/models", tags=["model_manager"])


@models_router.get("/", operation_id="list_model_records")
def list_model_records() -> dict[str, list[Any]]:
    """Say that there are no models."""
    return {"models": []}


async def web_interface(scope: Scope, receive: Receive, send: Send) -> None:
    """What every path leads to that no route matches: a page for GET, 405 for the rest, as on the server."""
    if scope["type"] != "http":
        return
    if scope["method"] in ("GET", "HEAD"):
        await HTMLResponse(_PAGE, headers=_NEVER_STORE)(scope, receive, send)
    else:
        await JSONResponse({"detail": "Method Not Allowed"}, status_code=405)(scope, receive, send)
