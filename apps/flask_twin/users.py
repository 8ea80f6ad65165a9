"""POST /users/validate, POST /users, GET /users/{id}."""

from __future__ import annotations

from flask import Blueprint
from sqlalchemy.exc import IntegrityError

from apps.domain.models import ID_MAX, ID_MIN, User
from apps.flask_twin.database import db
from apps.flask_twin.request_body import json_object
from apps.flask_twin.validation import NewUser, integer, new_user
from apps.problems import email_taken, unknown_user

blueprint = Blueprint("users", __name__, url_prefix="/users")


@blueprint.post("/validate")
def validate() -> NewUser:
    """Answer with the normalised user, without storing it."""
    return new_user(json_object())


@blueprint.post("")
def create() -> tuple[dict[str, object], int, dict[str, str]]:
    """Store a user."""
    user = User(**new_user(json_object()))
    db.session.add(user)
    try:
        db.session.commit()
    except IntegrityError as error:  # a valid user breaks no other constraint
        raise email_taken() from error
    return as_json(user), 201, {"location": f"/users/{user.id}"}


@blueprint.get("/<id>")
def get(id: str) -> dict[str, object]:
    """Answer with one user, found by primary key."""
    number = integer("id", id)
    user = db.session.get(User, number) if ID_MIN <= number <= ID_MAX else None
    return as_json(existing(user, number))


def existing(user: User | None, number: int) -> User:
    """The user, which must have been found."""
    if user is None:
        raise unknown_user(number)
    return user


def as_json(user: User) -> dict[str, object]:
    """A user, with its members in the order in which they are written."""
    return {"id": user.id, "name": user.name, "email": user.email, "age": user.age}
