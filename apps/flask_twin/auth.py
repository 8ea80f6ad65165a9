"""POST /login, GET /protected: tokens, with Flask-JWT-Extended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, Response, current_app
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required
from flask_jwt_extended.exceptions import InvalidHeaderError

from apps.domain import passwords
from apps.domain.accounts import password_hash_of
from apps.flask_twin.database import db
from apps.flask_twin.problems import answer
from apps.flask_twin.request_body import json_object
from apps.flask_twin.validation import RuleBroken, checked, email, string
from apps.problems import token_expired, token_invalid, token_missing, wrong_login
from apps.settings import Settings

blueprint = Blueprint("auth", __name__)
jwt = JWTManager()


def init_app(app: Flask, settings: Settings) -> None:
    """Configure the secret and the lifetime of tokens."""
    app.config["JWT_SECRET_KEY"] = settings.jwt_secret
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(seconds=settings.jwt_lifetime_s)
    jwt.init_app(app)
    # For a header without a token. The extension itself would call the token invalid.
    app.register_error_handler(InvalidHeaderError, _answer_missing)


@blueprint.post("/login")
def login() -> dict[str, object]:
    """Answer with a token if the password is right."""
    given = checked(json_object(), {"email": email, "password": _password})
    kept = db.session.scalar(password_hash_of(given["email"]))
    if not passwords.matches(given["password"], kept):
        raise wrong_login()
    lifetime: timedelta = current_app.config["JWT_ACCESS_TOKEN_EXPIRES"]
    return {
        "access_token": create_access_token(given["email"]),
        "token_type": "Bearer",
        "expires_in": int(lifetime.total_seconds()),
    }


@blueprint.get("/protected")
# There is only one type of token.
@jwt_required(verify_type=False)  # type: ignore[untyped-decorator]
def protected() -> dict[str, object]:
    """Answer with the email of the token's owner."""
    return {"email": get_jwt_identity()}


@jwt.unauthorized_loader
def _answer_missing(reason: str) -> Response:
    return answer(token_missing())


@jwt.invalid_token_loader
def _answer_invalid(reason: str) -> Response:
    return answer(token_invalid())


@jwt.expired_token_loader
def _answer_expired(header: Mapping[str, Any], claims: Mapping[str, Any]) -> Response:
    return answer(token_expired())


@jwt.token_verification_loader
def _expires(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    return "exp" in claims


@jwt.token_verification_failed_loader
def _answer_unverified(header: Mapping[str, Any], claims: Mapping[str, Any]) -> Response:
    return answer(token_invalid())


def _password(value: object) -> str:
    text = string(value)
    if not 1 <= len(text) <= 100:
        raise RuleBroken("length")
    return text
