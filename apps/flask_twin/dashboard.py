"""GET /dashboard/{city}."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from flask import Blueprint, request

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
from apps.flask_twin.database import db
from apps.flask_twin.upstream_client import upstream
from apps.flask_twin.users import as_json, existing
from apps.flask_twin.validation import Check, checked, whole_number

blueprint = Blueprint("dashboard", __name__)

_CHECKS: Mapping[str, Check] = {
    "queries": partial(whole_number, low=QUERIES_MIN, high=QUERIES_MAX),
    "work": partial(whole_number, low=WORK_MIN, high=WORK_MAX),
}


@blueprint.get("/dashboard/<city>")
def dashboard(city: str) -> dict[str, object]:
    """Ask the weather service, look users up one after the other, and compute."""
    queries, work = _size()
    weather = upstream().weather(city)
    users = [existing(db.session.get(User, id), id) for id in user_ids(city, queries)]
    return {
        "weather": weather,
        "users": [as_json(user) for user in users],
        "result": cpu.python(work),
    }


def _size() -> tuple[int, int]:
    # With several values the last one counts, as in the FastAPI twin.
    given = {field: values[-1] for field, values in request.args.lists()}
    checks = {field: check for field, check in _CHECKS.items() if field in given}
    size = checked(given, checks)
    return size.get("queries", QUERIES_DEFAULT), size.get("work", WORK_DEFAULT)
