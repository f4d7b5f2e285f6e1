"""The routes under `/api/v1/app`, and the page that every unknown path answers with."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
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


@router.get("/version")
def app_version(services: Parts, response: Response) -> dict[str, str]:
    """Get the version of InvokeAI whose API this is."""
    # Tells a client that this is no InvokeAI, and how to start drills. No page of another origin gets as far as here.
    response.headers["X-Demo-Control"] = services.control
    return {"version": API_VERSION}


@router.get("/runtime_config")
def get_runtime_config(services: Parts, user: User) -> dict[str, Any]:
    """Get the settings that this server knows."""
    settings = services.settings
    return {"config": {"max_queue_size": settings.max_queue_size, "multiuser": settings.multiuser}, "set_fields": []}


async def web_interface(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a path that matches no route as InvokeAI does: with a web page for GET, with 405 for the rest."""
    if scope["type"] != "http":
        return
    if scope["method"] in ("GET", "HEAD"):
        await HTMLResponse(_PAGE, headers=_NEVER_STORE)(scope, receive, send)
    else:
        await JSONResponse({"detail": "Method Not Allowed"}, status_code=405)(scope, receive, send)
