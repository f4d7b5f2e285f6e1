"""The routes under `/api/v1/auth`; useful in multiuser mode only."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from .services import Bearer, Parts, Services, User
from .users import TOKEN_SECONDS, CurrentUser

router = APIRouter(prefix="/api/v1/auth", tags=["authentication"])


class LoginRequest(BaseModel):
    """Credentials"""

    email: str
    password: str


class UserCreateRequest(BaseModel):
    """A user to add; the first is an administrator whatever it says"""

    email: str
    display_name: str | None = None
    password: str
    is_admin: bool = False


def _logged_in(services: Parts, bearer: Bearer) -> CurrentUser:
    """Return the user of a token, which is required in single-user mode too."""
    if bearer is None:
        raise HTTPException(401, "Missing authentication credentials")
    user = services.users.user_of(bearer.credentials)
    if user is None:
        raise HTTPException(401, "Invalid or expired authentication token")
    return user


LoggedIn = Annotated[CurrentUser, Depends(_logged_in)]


@router.get("/status")
def status(services: Parts) -> dict[str, Any]:
    """Get whether users must log in, and whether an administrator is set up."""
    multiuser = services.users.multiuser
    return {
        "setup_required": multiuser and not services.users.has_admin(),
        "multiuser_enabled": multiuser,
        "strict_password_checking": False,
        "admin_email": None,
    }


@router.post("/setup")
def setup(services: Parts, request: UserCreateRequest) -> dict[str, Any]:
    """Create the first administrator."""
    if not services.users.multiuser:
        raise HTTPException(403, "Multiuser mode is disabled. Admin setup is not required in single-user mode.")
    if services.users.has_admin():
        raise HTTPException(400, "Administrator account already configured")
    return {"success": True, "user": _create(services, request, is_admin=True)}


@router.post("/login")
def login(services: Parts, request: LoginRequest) -> dict[str, Any]:
    """Get a token."""
    if not services.users.multiuser:
        raise HTTPException(403, "Multiuser mode is disabled. Authentication is not required in single-user mode.")
    user = services.users.login(request.email, request.password)
    if user is None:
        raise HTTPException(401, "Incorrect email or password", headers={"WWW-Authenticate": "Bearer"})
    return {"token": services.users.token(user["user_id"]), "user": user, "expires_in": TOKEN_SECONDS}


@router.get("/me")
def me(services: Parts, user: LoggedIn) -> dict[str, Any] | None:
    """Get the requesting user."""
    return services.users.get(user.user_id)


@router.post("/users", status_code=201)
def create_user(services: Parts, logged_in: LoggedIn, user: User, request: UserCreateRequest) -> dict[str, Any] | None:
    """Create a user. For administrators."""
    if not logged_in.is_admin:
        raise HTTPException(403, "Admin privileges required")
    return _create(services, request, is_admin=request.is_admin)


def _create(services: Services, request: UserCreateRequest, *, is_admin: bool) -> dict[str, Any] | None:
    try:
        user_id = services.users.create(request.email, request.display_name, request.password, is_admin)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    return services.users.get(user_id)
