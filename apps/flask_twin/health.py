"""GET /healthz."""

from __future__ import annotations

from flask import Blueprint, current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from apps.flask_twin.database import db
from apps.flask_twin.upstream_client import upstream
from apps.problems import Problem, not_ready
from apps.settings import Settings

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the twin is ready: the services that it was started with answer."""
    settings: Settings = current_app.extensions["settings"]
    if settings.database_url is not None:
        try:
            db.session.execute(select(1))
        except SQLAlchemyError as error:
            raise not_ready("database") from error
    if settings.upstream_url is not None:
        try:
            upstream().healthy()
        except Problem as problem:
            raise not_ready("weather service") from problem
    return {"status": "ok"}
