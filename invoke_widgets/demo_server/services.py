"""What the routes share: the parts of one server, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .events import EventBus
from .faults import Drills
from .images import ImageStore
from .node_cache import NodeCache
from .queue import Queue
from .store import Store
from .users import SYSTEM, CurrentUser, Users
from .worker import Worker


@dataclass(frozen=True)
class Settings:
    """How a server is to behave.

    Attributes:
        max_queue_size: how many items may be pending in one queue.
        max_queue_history: how many ended items are kept over a restart; None for all.
        multiuser: whether users must log in.
        gc_pause: seconds for which nothing is answered before each item, as the real server's garbage collection does.
    """

    max_queue_size: int = 10_000
    max_queue_history: int | None = None
    multiuser: bool = False
    gc_pause: float = 0.0


@dataclass(frozen=True)
class Services:
    """The parts of one server."""

    settings: Settings
    store: Store
    bus: EventBus
    drills: Drills
    users: Users
    images: ImageStore
    cache: NodeCache
    queue: Queue
    worker: Worker


def get_services(request: Request) -> Services:
    """The parts of the server that a request came to."""
    services: Services = request.app.state.services
    return services


Parts = Annotated[Services, Depends(get_services)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def current_user_or_default(request: Request, response: Response, services: Parts, bearer: Bearer) -> CurrentUser:
    """Who asks. Without multiuser mode tokens are ignored; with it, changes answer with a fresh one."""
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
    """Who asks, if it is an administrator."""
    if not user.is_admin:
        raise HTTPException(403, "Admin privileges required")
    return user


Admin = Annotated[CurrentUser, Depends(admin_or_default)]
