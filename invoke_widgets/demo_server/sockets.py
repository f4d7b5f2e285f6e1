"""Socket.IO at `/ws/socket.io`: the connected clients, and the events that each receives.

A client joins its user's room on connecting, an administrator also joins `admin`; so in single-user mode every client
receives nearly all events without subscribing. `subscribe_queue` adds the queue's room, for public events.
"""

from __future__ import annotations

from typing import Any

import socketio

from .events import QueueEvent
from .faults import Drills
from .users import SYSTEM, CurrentUser, Users

ADMIN_ROOM = "admin"


def _user_room(user_id: str) -> str:
    return f"user:{user_id}"


class Sockets:
    """The Socket.IO server and its clients."""

    def __init__(self, users: Users, drills: Drills) -> None:
        self._users = users
        self._drills = drills
        self._clients: dict[str, CurrentUser] = {}
        self._server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
        self._server.on("connect", handler=self._connect)
        self._server.on("disconnect", handler=self._disconnect)
        self._server.on("subscribe_queue", handler=self._subscribe)
        self._server.on("unsubscribe_queue", handler=self._unsubscribe)
        self.app = socketio.ASGIApp(socketio_server=self._server, socketio_path="/ws/socket.io")

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> bool:
        if self._drills.on("drop_sockets"):
            return False
        user = self._user_for(environ, auth)
        if user is None:
            return False
        self._clients[sid] = user
        await self._server.enter_room(sid, _user_room(user.user_id))
        if user.is_admin:
            await self._server.enter_room(sid, ADMIN_ROOM)
        return True

    def _user_for(self, environ: dict[str, Any], auth: Any) -> CurrentUser | None:
        if not self._users.multiuser:
            return SYSTEM
        token = auth.get("token") if isinstance(auth, dict) else None
        header = str(environ.get("HTTP_AUTHORIZATION", ""))
        if not token and header.startswith("Bearer "):
            token = header.removeprefix("Bearer ")
        return self._users.user_of(str(token)) if token else None

    async def _disconnect(self, sid: str, _reason: str | None = None) -> None:
        self._clients.pop(sid, None)

    async def _subscribe(self, sid: str, data: Any) -> None:
        # Malformed data is ignored: the exception only reaches the log of the Socket.IO server, which is off.
        await self._server.enter_room(sid, data["queue_id"])

    async def _unsubscribe(self, sid: str, data: Any) -> None:
        await self._server.leave_room(sid, data["queue_id"])

    async def drop(self) -> None:
        """Disconnect every client."""
        for sid in list(self._clients):
            await self._server.disconnect(sid)

    async def send(self, event: QueueEvent) -> None:
        """Send an event to its recipients, once to each client."""
        queue_room = event.data["queue_id"]
        if event.public:
            await self._server.emit(event.name, event.data, room=queue_room)
            return
        admins = [sid for sid, user in self._clients.items() if user.is_admin]
        if event.name == "invocation_progress":  # goes to owners alone
            admins = []
        else:
            await self._server.emit(event.name, event.data, room=ADMIN_ROOM)
        for owner in event.owners:
            data = event.by_owner.get(owner, event.data)
            await self._server.emit(event.name, data, room=_user_room(owner), skip_sid=admins)
        if event.redacted is not None and self._users.multiuser:
            knowing = [sid for sid, user in self._clients.items() if user.is_admin or user.user_id in event.owners]
            await self._server.emit(event.name, event.redacted, room=queue_room, skip_sid=knowing)
