"""What a server says of the rest: access, images, boards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from invoke_widgets.json_values import count, mapping, optional_text, parse_time, text


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthStatus:
    """Whether the server is in multiuser mode, in which each request needs a token. Servers before 6.12 have none."""

    multiuser_enabled: bool
    setup_required: bool = False

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(
            multiuser_enabled=bool(data.get("multiuser_enabled")), setup_required=bool(data.get("setup_required"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who a token belongs to, on a server in multiuser mode. An administrator may change everybody's items."""

    user_id: str
    is_admin: bool = False
    display_name: str | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(
            user_id=text(data, "user_id"),
            is_admin=data.get("is_admin") is True,
            display_name=optional_text(data.get("display_name")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image on the server. `image_url` and `thumbnail_url` are relative to the server's address."""

    image_name: str
    image_url: str = ""
    thumbnail_url: str = ""
    width: int = 0
    height: int = 0
    image_category: str | None = None
    image_origin: str | None = None
    is_intermediate: bool = False
    starred: bool = False
    session_id: str | None = None
    node_id: str | None = None
    board_id: str | None = None
    created_at: datetime | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(
            image_name=text(data, "image_name"),
            image_url=optional_text(data.get("image_url")) or "",
            thumbnail_url=optional_text(data.get("thumbnail_url")) or "",
            width=count(data, "width"),
            height=count(data, "height"),
            image_category=optional_text(data.get("image_category")),
            image_origin=optional_text(data.get("image_origin")),
            is_intermediate=bool(data.get("is_intermediate")),
            starred=bool(data.get("starred")),
            session_id=optional_text(data.get("session_id")),
            node_id=optional_text(data.get("node_id")),
            board_id=optional_text(data.get("board_id")),
            created_at=parse_time(data.get("created_at")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board of the gallery. `image_count` leaves out intermediates; the cover is its newest image, if it has any."""

    board_id: str
    board_name: str
    image_count: int = 0
    archived: bool = False
    cover_image_name: str | None = None
    created_at: datetime | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        data = mapping(data)
        return cls(
            board_id=text(data, "board_id"),
            board_name=text(data, "board_name"),
            image_count=count(data, "image_count"),
            archived=bool(data.get("archived")),
            cover_image_name=optional_text(data.get("cover_image_name")),
            created_at=parse_time(data.get("created_at")),
        )
