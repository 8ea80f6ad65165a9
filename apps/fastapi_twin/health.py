"""GET /healthz."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from apps.fastapi_twin.database import Session
from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.upstream_client import Upstream
from apps.problems import Problem, not_ready

router = APIRouter()


class Health(BaseModel):
    """The state of the twin."""

    status: str


@router.get("/healthz", responses=responses(503))
async def healthz(session: Session, upstream: Upstream) -> Health:
    """Say that the twin is ready, which takes its database and its upstream."""
    try:
        await session.execute(select(1))
    except SQLAlchemyError as error:
        raise not_ready("database") from error
    try:
        await upstream.healthy()
    except Problem as problem:
        raise not_ready("weather service") from problem
    return Health(status="ok")
