"""Users and their tokens. In single-user mode every client is the system user, an administrator."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any

from .nodes import new_id
from .store import Store

TOKEN_SECONDS = 86_400


@dataclass(frozen=True)
class CurrentUser:
    """The user of a request."""

    user_id: str = "system"
    is_admin: bool = True

    @property
    def scope(self) -> str | None:
        """The user whose items bulk operations affect; None for all users."""
        return None if self.is_admin else self.user_id


SYSTEM = CurrentUser()


class Users:
    """The users in the database. Their tokens are valid for a day, as long as the process runs."""

    def __init__(self, store: Store, *, multiuser: bool) -> None:
        self._store = store
        self._tokens: dict[str, tuple[str, float]] = {}
        self.multiuser = multiuser

    def has_admin(self) -> bool:
        """Return whether an administrator has been set up."""
        with self._store.transaction() as db:
            sql = "SELECT 1 FROM users WHERE is_admin = 1 AND password IS NOT NULL"
            return db.execute(sql).fetchone() is not None

    def create(self, email: str, display_name: str | None, password: str, is_admin: bool) -> str:
        """Create a user, and return its id.

        Raises:
            ValueError: the email is taken.
        """
        user_id = new_id()
        with self._store.transaction() as db:
            if db.execute("SELECT 1 FROM users WHERE email = ?", (email,)).fetchone():
                raise ValueError(f"User with email {email} already exists")
            db.execute(
                "INSERT INTO users (user_id, email, display_name, password, is_admin) VALUES (?, ?, ?, ?, ?)",
                (user_id, email, display_name, _hashed(password, secrets.token_bytes(16)), is_admin),
            )
        return user_id

    def login(self, email: str, password: str) -> dict[str, Any] | None:
        """Return the user with that email and password, or None."""
        with self._store.transaction() as db:
            row = db.execute("SELECT user_id, password FROM users WHERE email = ?", (email,)).fetchone()
            if row is None or row["password"] is None:
                return None
            salt = bytes.fromhex(row["password"].partition("$")[0])
            if not hmac.compare_digest(_hashed(password, salt), row["password"]):
                return None
            db.execute(
                "UPDATE users SET last_login_at = STRFTIME('%Y-%m-%dT%H:%M:%fZ', 'NOW') WHERE user_id = ?",
                (row["user_id"],),
            )
        return self.get(row["user_id"])

    def get(self, user_id: str) -> dict[str, Any] | None:
        """Return a user in the form of the API, or None."""
        with self._store.transaction() as db:
            row = db.execute("SELECT * FROM users WHERE user_id = ?", (user_id,)).fetchone()
        if row is None:
            return None
        return {
            "user_id": row["user_id"],
            "email": row["email"],
            "display_name": row["display_name"],
            "is_admin": bool(row["is_admin"]),
            "is_active": True,
            "created_at": row["created_at"].replace(" ", "T") + "000",
            "updated_at": row["updated_at"].replace(" ", "T") + "000",
            "last_login_at": row["last_login_at"],
            "token_epoch": 0,
        }

    def token(self, user_id: str) -> str:
        """Create a token."""
        token = secrets.token_urlsafe(32)
        self._tokens[token] = (user_id, time.monotonic() + TOKEN_SECONDS)
        return token

    def user_of(self, token: str) -> CurrentUser | None:
        """Return the user of a token, or None if it is invalid."""
        user_id, valid_until = self._tokens.get(token, ("", 0.0))
        user = self.get(user_id)
        if user is None or valid_until < time.monotonic():
            return None
        return CurrentUser(user_id, user["is_admin"])


def _hashed(password: str, salt: bytes) -> str:
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1).hex()}"
