"""The Flask twin inside a FastAPI application, as at the beginning of a migration.

Requests still reach Flask, through a2wsgi. Including a router of the FastAPI twin migrates its
feature: a request that FastAPI has a route for no longer reaches Flask. The first feature to
migrate is /live, because WSGI has no WebSockets and a2wsgi does not hand the connection over.
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
    """Build the application; the TWIN_* variables decide."""
    app = FastAPI(
        title="twinbench",
        redirect_slashes=False,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problems.init_app(app)
    app.include_router(live.router)
    flask = WSGIMiddleware(_with_terminated_input(flask_twin.create_app()), workers=_THREADS)
    # Not app.mount("/", …): its pattern does not match a path with a line break.
    app.router.default = cast(ASGIApp, flask)  # a2wsgi defines its own types for ASGI
    return app


def _with_terminated_input(app: Any) -> Any:
    """The WSGI application, with a mark that its input ends by itself.

    a2wsgi's input does, but a2wsgi does not set the mark. Without the mark Werkzeug reads no body
    that lacks content-length.
    """

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        environ["wsgi.input_terminated"] = True
        return app(environ, start_response)

    return application
