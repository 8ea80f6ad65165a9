"""POST /users/validate, POST /users, GET /users/{id}."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError

from apps.domain.models import ID_MAX, ID_MIN, User
from apps.fastapi_twin.database import Session
from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.request_body import JSONBodyRoute
from apps.fastapi_twin.validation import Integer, NewUser
from apps.problems import email_taken, unknown_user

router = APIRouter(prefix="/users", route_class=JSONBodyRoute)


class StoredUser(BaseModel):
    """A user in the database, with its members in the order in which they are written."""

    id: int
    name: str
    email: str
    age: int


@router.post("/validate", responses=responses(400, 413, 415, 422))
async def validate(user: NewUser) -> NewUser:
    """Answer with the normalised user, without storing it."""
    return user


@router.post(
    "",
    status_code=201,
    response_model=StoredUser,
    responses=responses(400, 409, 413, 415, 422, 503),
)
async def create(new_user: NewUser, session: Session, response: Response) -> User:
    """Store a user."""
    user = User(**new_user.model_dump())
    session.add(user)
    try:
        await session.commit()
    except IntegrityError as error:  # a valid user breaks no other constraint
        raise email_taken() from error
    response.headers["location"] = f"/users/{user.id}"
    return user


@router.get("/{id}", response_model=StoredUser, responses=responses(404, 422, 503))
async def get(user_id: Annotated[Integer, Path(alias="id")], session: Session) -> User:
    """Answer with one user, found by primary key."""
    user = await session.get(User, user_id) if ID_MIN <= user_id <= ID_MAX else None
    return existing(user, user_id)


def existing(user: User | None, user_id: int) -> User:
    """The user, which must have been found."""
    if user is None:
        raise unknown_user(user_id)
    return user
