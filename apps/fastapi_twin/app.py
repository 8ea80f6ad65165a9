"""The application factory: `uvicorn --factory apps.fastapi_twin:create_app`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI

from apps.domain import classifier
from apps.fastapi_twin import (
    auth,
    cpu,
    crash,
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
    """What lives as long as the process; a request sees it as `request.state`."""

    settings: Settings
    sessions: database.Sessions
    upstream: upstream_client.UpstreamClient
    classifier: classifier.Classifier | None


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; without settings, from TWIN_* variables."""
    settings = settings or Settings.from_environ(os.environ)
    settings.variant("validation", {"pydantic": None}, "pydantic")  # FastAPI has no other
    open_sessions = database.opener(settings)
    open_upstream = upstream_client.opener(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        async with open_sessions() as sessions, open_upstream() as upstream:
            yield {
                "settings": settings,
                "sessions": sessions,
                "upstream": upstream,
                "classifier": classifier.trained() if settings.classifier else None,
            }

    app = FastAPI(
        title="twinbench",
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # openapi.py has it, with no more methods than the contract
        # Flask has no tracing built in: off, whatever the environment configures.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problems.init_app(app)
    # A request's path is tried on one router after another, so that later ones cost a little more.
    for feature in (
        *(health, hello, weather, users, cpu, items, auth),
        *(page, export, predict, crash, live, openapi),
    ):
        app.include_router(handlers.adapted(feature.router, settings))
    return app
