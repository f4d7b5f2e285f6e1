"""Images and boards: PNG files and WebP thumbnails on disk, their records in the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from .nodes import new_id
from .store import Store

THUMBNAIL_SIZE = 256
NO_BOARD = "none"


class ImageRecordNotFoundException(Exception):
    """No image has that name."""

    def __init__(self) -> None:
        super().__init__("Image record not found")


class BoardNotFoundError(Exception):
    """No board has that id."""


class ImageStore:
    """All images and boards.

    Attributes:
        on_deleted: called with the name of each deleted image.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        (folder / "thumbnails").mkdir(parents=True, exist_ok=True)
        self.on_deleted: Callable[[str], None] = lambda image_name: None

    def path(self, image_name: str, thumbnail: bool = False) -> Path:
        """Return the path of an image's file, or of its thumbnail."""
        if thumbnail:
            return self._folder / "thumbnails" / Path(image_name).with_suffix(".webp").name
        return self._folder / Path(image_name).name

    def create(
        self,
        image: Image.Image,
        *,
        origin: str,
        category: str,
        is_intermediate: bool,
        user_id: str,
        session_id: str | None = None,
        node_id: str | None = None,
        board_id: str | None = None,
        metadata: str | None = None,
        workflow: str | None = None,
        graph: str | None = None,
    ) -> str:
        """Store an image and return its name. An unknown board is ignored, as by InvokeAI."""
        name = f"{new_id()}.png"
        info = PngImagePlugin.PngInfo()
        for key, text in {"metadata": metadata, "workflow": workflow, "graph": graph}.items():
            if text is not None:
                info.add_text(f"invokeai_{key}", text)
        image.save(self.path(name), "PNG", pnginfo=info, compress_level=1)
        thumbnail = image.convert("RGBA" if "A" in image.getbands() else "RGB")
        thumbnail.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE))
        thumbnail.save(self.path(name, thumbnail=True), "WEBP")
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO images (image_name, image_origin, image_category, width, height, session_id, node_id,"
                " user_id, is_intermediate, has_workflow, metadata, workflow, graph)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(name, origin, category, image.width, image.height, session_id, node_id, user_id, is_intermediate),
                    *(workflow is not None or graph is not None, metadata, workflow, graph),
                ),
            )
            if board_id is not None and self._boards("WHERE board_id = ?", [board_id]):
                self.set_board(name, board_id)
        return name

    def _row(self, image_name: str) -> sqlite3.Row:
        with self._store.transaction() as db:
            row: sqlite3.Row | None = db.execute("SELECT * FROM images WHERE image_name = ?", (image_name,)).fetchone()
        if row is None:
            raise ImageRecordNotFoundException
        return row

    def load(self, image_name: str) -> Image.Image:
        """Return an image's pixels, or raise ImageRecordNotFoundException."""
        self._row(image_name)
        with Image.open(self.path(image_name)) as image:
            image.load()
            return image.copy()

    def dto(self, image_name: str) -> dict[str, Any]:
        """Return an image's record in the form of the API, or raise ImageRecordNotFoundException."""
        return _dto(self._row(image_name))

    def embedded(self, image_name: str) -> dict[str, str | None]:
        """Return the metadata, workflow and graph of an image as JSON text, or raise ImageRecordNotFoundException."""
        row = self._row(image_name)
        return {key: row[key] for key in ("metadata", "workflow", "graph")}

    def page(
        self, *, board_id: str | None, is_intermediate: bool | None, starred_first: bool, offset: int, limit: int
    ) -> tuple[int, list[dict[str, Any]]]:
        """Return the number of images that fit, and the records of one page of them, the newest first."""
        where, params = _condition(board_id, is_intermediate)
        order = "starred DESC, " if starred_first else ""
        with self._store.transaction() as db:
            total = db.execute(f"SELECT COUNT(*) FROM images WHERE {where}", params).fetchone()[0]
            sql = f"SELECT * FROM images WHERE {where} ORDER BY {order}created_at DESC, rowid DESC LIMIT ? OFFSET ?"
            rows = db.execute(sql, [*params, limit, offset]).fetchall()
        return int(total), [_dto(row) for row in rows]

    def star(self, image_name: str, starred: bool) -> None:
        """Star an image or take its star."""
        with self._store.transaction() as db:
            db.execute("UPDATE images SET starred = ? WHERE image_name = ?", (starred, image_name))

    def delete(self, image_names: Sequence[str]) -> list[str]:
        """Delete images, skipping unknown names; return the names of the deleted ones."""
        deleted = []
        for name in image_names:
            with self._store.transaction() as db:
                if db.execute("DELETE FROM images WHERE image_name = ?", (name,)).rowcount == 0:
                    continue
            self.path(name).unlink(missing_ok=True)
            self.path(name, thumbnail=True).unlink(missing_ok=True)
            self.on_deleted(name)
            deleted.append(name)
        return deleted

    def set_board(self, image_name: str, board_id: str | None) -> None:
        """Put an image on a board; None for no board."""
        with self._store.transaction() as db:
            db.execute(
                "UPDATE images SET board_id = ?, board_since = STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')"
                " WHERE image_name = ?",
                (board_id, image_name),
            )

    def board_image_names(
        self, board_id: str, categories: Sequence[str] | None = None, is_intermediate: bool | None = None
    ) -> list[str]:
        """Return the names of a board's images, in the order in which they were added."""
        where, params = _condition(board_id, is_intermediate)
        if categories is not None:
            where += " AND image_category IN (SELECT value FROM json_each(?))"
            params.append(json.dumps(categories))
        with self._store.transaction() as db:
            sql = f"SELECT image_name FROM images WHERE {where} ORDER BY board_since, rowid"
            return [row[0] for row in db.execute(sql, params)]

    def create_board(self, board_name: str, user_id: str) -> str:
        """Create a board and return its id."""
        board_id = new_id()
        with self._store.transaction() as db:
            sql = "INSERT INTO boards (board_id, board_name, user_id) VALUES (?, ?, ?)"
            db.execute(sql, (board_id, board_name, user_id))
        return board_id

    def get_board(self, board_id: str) -> dict[str, Any]:
        """Return a board, or raise BoardNotFoundError."""
        boards = self._boards("WHERE board_id = ?", [board_id])
        if not boards:
            raise BoardNotFoundError
        return {**boards[0], "owner_username": None}

    def boards(self) -> list[dict[str, Any]]:
        """Return all boards, the newest first."""
        return self._boards("ORDER BY created_at DESC, boards.rowid DESC", [])

    def rename_board(self, board_id: str, board_name: str) -> None:
        """Give a board another name."""
        with self._store.transaction() as db:
            db.execute("UPDATE boards SET board_name = ? WHERE board_id = ?", (board_name, board_id))

    def delete_board(self, board_id: str) -> None:
        """Delete a board, and leave its images on no board."""
        with self._store.transaction() as db:
            db.execute("UPDATE images SET board_id = NULL WHERE board_id = ?", (board_id,))
            db.execute("DELETE FROM boards WHERE board_id = ?", (board_id,))

    def _boards(self, where: str, params: Sequence[Any]) -> list[dict[str, Any]]:
        sql = (
            "SELECT boards.*, (SELECT display_name FROM users WHERE users.user_id = boards.user_id) AS owner"
            f" FROM boards {where}"
        )
        with self._store.transaction() as db:
            return [self._board(db, row) for row in db.execute(sql, params).fetchall()]

    @staticmethod
    def _board(db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
        images = db.execute(
            "SELECT image_name, image_category FROM images WHERE board_id = ? AND is_intermediate = 0"
            " ORDER BY starred DESC, created_at DESC",
            (row["board_id"],),
        ).fetchall()
        general = [image["image_name"] for image in images if image["image_category"] == "general"]
        return {
            "board_id": row["board_id"],
            "board_name": row["board_name"],
            "user_id": row["user_id"],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "deleted_at": None,
            "cover_image_name": images[0]["image_name"] if images else None,
            "archived": bool(row["archived"]),
            "board_visibility": "private",
            "cover_video_name": None,
            "image_count": len(general),
            "video_count": 0,
            "asset_count": len(images) - len(general),
            "owner_username": row["owner"],
        }


def _condition(board_id: str | None, is_intermediate: bool | None) -> tuple[str, list[Any]]:
    """Return an SQL condition and its parameters; None of either stands for all."""
    parts, params = ["1"], list[Any]()
    if is_intermediate is not None:
        parts.append("is_intermediate = ?")
        params.append(int(is_intermediate))
    if board_id == NO_BOARD:
        parts.append("board_id IS NULL")
    elif board_id is not None:
        parts.append("board_id = ?")
        params.append(board_id)
    return " AND ".join(parts), params


def _dto(row: sqlite3.Row) -> dict[str, Any]:
    url = f"api/v1/images/i/{row['image_name']}"
    return {
        "image_name": row["image_name"],
        "image_url": f"{url}/full",
        "thumbnail_url": f"{url}/thumbnail",
        "image_origin": row["image_origin"],
        "image_category": row["image_category"],
        "width": row["width"],
        "height": row["height"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "deleted_at": None,
        "is_intermediate": bool(row["is_intermediate"]),
        "session_id": row["session_id"],
        "node_id": row["node_id"],
        "starred": bool(row["starred"]),
        "has_workflow": bool(row["has_workflow"]),
        "image_subfolder": "",
        "board_id": row["board_id"],
    }
