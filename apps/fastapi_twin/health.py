"""GET /healthz."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from apps.fastapi_twin.database import Session
from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.upstream_client import Upstream
from apps.problems import Problem, not_ready
from apps.settings import Settings

router = APIRouter()


class Health(BaseModel):
    """The state of the twin."""

    status: str


@router.get("/healthz", responses=responses(503))
async def healthz(request: Request, session: Session, upstream: Upstream) -> Health:
    """Say that the twin is ready: the services that it was started with answer."""
    settings: Settings = request.state.settings
    if settings.database_url is not None:
        try:
            await session.execute(select(1))
        except SQLAlchemyError as error:
            raise not_ready("database") from error
    if settings.upstream_url is not None:
        try:
            await upstream.healthy()
        except Problem as problem:
            raise not_ready("weather service") from problem
    return Health(status="ok")
