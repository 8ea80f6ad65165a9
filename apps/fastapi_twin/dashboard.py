"""GET /dashboard/{city}."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from apps.domain import cpu
from apps.domain.dashboard import (
    QUERIES_DEFAULT,
    QUERIES_MAX,
    QUERIES_MIN,
    WORK_DEFAULT,
    WORK_MAX,
    WORK_MIN,
    user_ids,
)
from apps.domain.models import User
from apps.fastapi_twin.database import Session
from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.upstream_client import Upstream, Weather
from apps.fastapi_twin.users import StoredUser, existing
from apps.fastapi_twin.validation import Plain

router = APIRouter()

Queries = Annotated[int, Query(ge=QUERIES_MIN, le=QUERIES_MAX), Plain]
Work = Annotated[int, Query(ge=WORK_MIN, le=WORK_MAX), Plain]


class Dashboard(BaseModel):
    """The weather in a city, users, and the result of some work."""

    weather: Weather
    users: list[StoredUser]
    result: str


@router.get(
    "/dashboard/{city}", response_model=Dashboard, responses=responses(404, 422, 502, 503, 504)
)
async def dashboard(
    city: str,
    upstream: Upstream,
    session: Session,
    queries: Queries = QUERIES_DEFAULT,
    work: Work = WORK_DEFAULT,
) -> dict[str, Any]:
    """Ask the weather service, look users up one after the other, and compute.

    The work is done in the handler, as so often: while it computes, the event loop serves nobody else.
    """
    weather = await upstream.weather(city)
    users = [existing(await session.get(User, id), id) for id in user_ids(city, queries)]
    return {"weather": weather, "users": users, "result": cpu.python(work)}
