"""The Flask twin inside a FastAPI application, as in a migration that has just begun.

Requests still go to Flask, by way of a2wsgi. To migrate a feature is to include its router from
the FastAPI twin: what FastAPI has a route for does not come to Flask any more. The first one has
to be /live, since WSGI has no WebSockets and a2wsgi leaves no connection to take over.
"""

from __future__ import annotations

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from fastapi import FastAPI
from starlette.types import ASGIApp

from apps import flask_twin
from apps.fastapi_twin import live, problems

# As many threads as the Flask stacks have; a2wsgi's own default is 10.
_THREADS = 40


def create_app() -> FastAPI:
    """Build the application from TWIN_* variables."""
    app = FastAPI(
        title="twinbench",
        redirect_slashes=False,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problems.init_app(app)
    app.include_router(live.router)
    flask = WSGIMiddleware(_saying_where_it_ends(flask_twin.create_app()), workers=_THREADS)
    # Not app.mount("/", …), whose pattern no path with a line break in it matches.
    app.router.default = cast(ASGIApp, flask)  # a2wsgi has types of its own for the same interface
    return app


def _saying_where_it_ends(app: Any) -> Any:
    """The WSGI application over a2wsgi's input, which ends by itself but does not say so.

    Werkzeug would read nothing of a body without content-length.
    """

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        environ["wsgi.input_terminated"] = True
        return app(environ, start_response)

    return application
