"""What the routes share: the parts of one server, and the dependency that finds the requesting user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .events import EventBus
from .images import ImageStore
from .library import Library
from .queue import Queue
from .store import Store
from .users import SYSTEM, CurrentUser, Users
from .worker import Worker


@dataclass(frozen=True)
class Settings:
    """Settings of a server.

    Attributes:
        max_queue_size: maximum number of pending items per queue.
        multiuser: whether users must log in.
        gc_pause: seconds without any response before each item, as during InvokeAI's garbage collection.
    """

    max_queue_size: int = 10_000
    multiuser: bool = False
    gc_pause: float = 0.0


@dataclass(frozen=True)
class Services:
    """The parts of one server, and the token that allows its drills."""

    settings: Settings
    control: str
    store: Store
    bus: EventBus
    users: Users
    images: ImageStore
    library: Library
    queue: Queue
    worker: Worker


def get_services(request: Request) -> Services:
    """Return the parts of the server that received a request."""
    services: Services = request.app.state.services
    return services


Parts = Annotated[Services, Depends(get_services)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def current_user_or_default(request: Request, response: Response, services: Parts, bearer: Bearer) -> CurrentUser:
    """Return the requesting user.

    Single-user mode ignores tokens. In multiuser mode, responses to changes carry a fresh token.
    """
    if not services.users.multiuser:
        return SYSTEM
    if bearer is None:
        raise HTTPException(401, "Authentication required")
    user = services.users.user_of(bearer.credentials)
    if user is None:
        raise HTTPException(401, "Invalid or expired token")
    if request.method not in ("GET", "HEAD"):
        response.headers["X-Refreshed-Token"] = services.users.token(user.user_id)
    return user


User = Annotated[CurrentUser, Depends(current_user_or_default)]


def admin_or_default(user: User) -> CurrentUser:
    """Return the requesting user if that is an administrator; refuse with 403 otherwise."""
    if not user.is_admin:
        raise HTTPException(403, "Admin privileges required")
    return user


Admin = Annotated[CurrentUser, Depends(admin_or_default)]
