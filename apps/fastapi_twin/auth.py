"""POST /login, GET /protected: tokens by PyJWT."""

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
    """Who wants to come in."""

    email: Email
    password: Annotated[str, Field(strict=True, min_length=1, max_length=100)]


class Token(BaseModel):
    """What opens /protected, and for how many seconds."""

    access_token: str
    token_type: str
    expires_in: int


class Identity(BaseModel):
    """Whose a token is."""

    email: str


async def _settings(request: Request) -> Settings:
    settings: Settings = request.state.settings
    return settings


async def _email(
    settings: Annotated[Settings, Depends(_settings)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> str:
    # As strict about the header as Flask-JWT-Extended: this scheme in this spelling, one token.
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


# 0.2 s of work: no `async`, so that FastAPI does it in a thread and the event loop goes on.
def _account(given: Login, kept: Annotated[str | None, Depends(_kept)]) -> str:
    if not passwords.matches(given.password, kept):
        raise wrong_login()
    return given.email


@router.post("/login", responses=responses(400, 401, 413, 415, 422, 503))
async def login(
    email: Annotated[str, Depends(_account)], settings: Annotated[Settings, Depends(_settings)]
) -> Token:
    """Answer a token for the right password."""
    now = datetime.now(UTC)
    lifetime = timedelta(seconds=settings.jwt_lifetime_s)
    token = jwt.encode(
        {"sub": email, "iat": now, "exp": now + lifetime}, settings.jwt_secret, ALGORITHM
    )
    return Token(access_token=token, token_type="Bearer", expires_in=settings.jwt_lifetime_s)


@router.get("/protected", responses=responses(401))
async def protected(email: Annotated[str, Depends(_email)]) -> Identity:
    """Say whose the token is."""
    return Identity(email=email)
