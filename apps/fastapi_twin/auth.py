"""POST /login, GET /protected: tokens, with PyJWT."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from apps.domain import passwords
from apps.domain.accounts import password_hash_of
from apps.fastapi_twin.database import Session
from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.request_body import JSONBodyRoute
from apps.fastapi_twin.validation import Email
from apps.problems import token_expired, token_invalid, token_missing, wrong_login
from apps.settings import Settings

router = APIRouter(route_class=JSONBodyRoute)

ALGORITHM = "HS256"


class Login(BaseModel):
    """The credentials of a user."""

    email: Email
    password: Annotated[str, Field(strict=True, min_length=1, max_length=100)]


class Token(BaseModel):
    """A token for /protected, and the seconds until it expires."""

    access_token: str
    token_type: str
    expires_in: int


class Identity(BaseModel):
    """The owner of a token."""

    email: str


async def _settings(request: Request) -> Settings:
    settings: Settings = request.state.settings
    return settings


async def _email(
    settings: Annotated[Settings, Depends(_settings)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> str:
    # As strict as Flask-JWT-Extended: the scheme in exactly this spelling, and one token.
    if bearer is None or bearer.scheme != "Bearer" or len(bearer.credentials.split()) != 1:
        raise token_missing()
    try:
        claims = jwt.decode(
            bearer.credentials,
            settings.jwt_secret,
            algorithms=[ALGORITHM],
            options={"require": ["exp", "sub"], "verify_aud": False},
        )
    except jwt.ExpiredSignatureError as error:
        raise token_expired() from error
    except jwt.InvalidTokenError as error:
        raise token_invalid() from error
    email: str = claims["sub"]
    return email


async def _kept(given: Login, session: Session) -> str | None:
    return await session.scalar(password_hash_of(given.email))


# 0.2 s of work. Without `async`, FastAPI does it in a thread, and the event loop stays free.
def _account(given: Login, kept: Annotated[str | None, Depends(_kept)]) -> str:
    if not passwords.matches(given.password, kept):
        raise wrong_login()
    return given.email


@router.post("/login", responses=responses(400, 401, 413, 415, 422, 503))
async def login(
    email: Annotated[str, Depends(_account)], settings: Annotated[Settings, Depends(_settings)]
) -> Token:
    """Answer with a token if the password is right."""
    now = datetime.now(UTC)
    lifetime = timedelta(seconds=settings.jwt_lifetime_s)
    token = jwt.encode(
        {"sub": email, "iat": now, "exp": now + lifetime}, settings.jwt_secret, ALGORITHM
    )
    return Token(access_token=token, token_type="Bearer", expires_in=settings.jwt_lifetime_s)


@router.get("/protected", responses=responses(401))
async def protected(email: Annotated[str, Depends(_email)]) -> Identity:
    """Answer with the email of the token's owner."""
    return Identity(email=email)
