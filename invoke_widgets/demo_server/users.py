"""Users and their tokens. In single-user mode every client is the system user, an administrator."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
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
    """The users in the database. Tokens are JSON Web Tokens, signed anew in each process."""

    def __init__(self, store: Store, *, multiuser: bool) -> None:
        self._store = store
        self._secret = secrets.token_bytes(32)
        self.multiuser = multiuser

    def has_admin(self) -> bool:
        """Return whether an administrator has been set up."""
        with self._store.transaction() as db:
            sql = "SELECT 1 FROM users WHERE is_admin = 1 AND password IS NOT NULL"
            return db.execute(sql).fetchone() is not None

    def create(self, email: str, display_name: str | None, password: str, is_admin: bool) -> dict[str, Any]:
        """Create a user, and return it in the form of the API.

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
        user = self.get(user_id)
        assert user is not None
        return user

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
        payload = {"sub": user_id, "exp": int(time.time()) + TOKEN_SECONDS, "jti": secrets.token_hex(8)}
        signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(payload)}"
        return f"{signed}.{self._signature(signed)}"

    def user_of(self, token: str) -> CurrentUser | None:
        """Return the user of a token, or None if it is invalid."""
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return None
        part = signed.partition(".")[2]
        payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        user = self.get(payload["sub"])
        if user is None or payload["exp"] < time.time():
            return None
        return CurrentUser(user["user_id"], user["is_admin"])

    def _signature(self, text: str) -> str:
        return _base64(hmac.new(self._secret, text.encode(), hashlib.sha256).digest())


def _hashed(password: str, salt: bytes) -> str:
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1).hex()}"


def _encoded(document: dict[str, Any]) -> str:
    return _base64(json.dumps(document, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
