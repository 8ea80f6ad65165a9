"""The application factory: `uvicorn --factory apps.fastapi_twin:create_app`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI

from apps import collector
from apps.domain import classifier
from apps.fastapi_twin import (
    auth,
    cpu,
    crash,
    dashboard,
    database,
    export,
    handlers,
    health,
    hello,
    items,
    live,
    openapi,
    page,
    predict,
    problems,
    upstream_client,
    users,
    weather,
)
from apps.settings import Settings


class State(TypedDict):
    """Objects that live as long as the process. A request finds them in `request.state`."""

    settings: Settings
    sessions: database.Sessions
    upstream: upstream_client.UpstreamClient
    classifier: classifier.Classifier | None


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; without `settings`, the TWIN_* variables decide."""
    settings = settings or Settings.from_environ(os.environ)
    settings.variant("validation", {"pydantic": None}, "pydantic")  # FastAPI has no other way
    open_sessions = database.opener(settings)
    open_upstream = upstream_client.opener(settings)
    with_life = settings.variant("classifier_life", classifier.LIVES, "process")
    when_ready = collector.when_ready(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        async with open_sessions() as sessions, open_upstream() as upstream:
            state: State = {
                "settings": settings,
                "sessions": sessions,
                "upstream": upstream,
                "classifier": with_life(classifier.trained()) if settings.classifier else None,
            }
            when_ready()
            yield state

    app = FastAPI(
        title="twinbench",
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # openapi.py has a route that answers only the contract's methods
        # Always off, because Flask has no built-in tracing.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problems.init_app(app)
    # FastAPI tries one router after another, so routes of later routers cost a little more.
    for feature in (
        *(health, hello, weather, users, cpu, items, auth),
        *(page, export, predict, dashboard, crash, live, openapi),
    ):
        app.include_router(handlers.adapted(feature.router, settings))
    return app
