"""The application factory: `gunicorn 'apps.flask_twin:create_app()'`."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, abort, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.routing import Rule
from werkzeug.sansio.response import Response

from apps.flask_twin import (
    cpu,
    database,
    health,
    hello,
    problems,
    request_body,
    upstream_client,
    users,
    validation,
    weather,
)
from apps.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application; without settings, from TWIN_* variables."""
    settings = settings or Settings.from_environ(os.environ)

    app = Flask(__name__, static_folder=None)
    app.json = CompactJSON(app)
    app.url_rule_class = ExactRule
    app.url_map.merge_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False

    settings.variant("handlers", {"as written": None}, "as written")  # Flask has no other kind

    app.before_request(refuse_slashes_too_many)
    problems.init_app(app)
    request_body.init_app(app)
    database.init_app(app, settings)
    upstream_client.init_app(app, settings)
    validation.init_app(app, settings)
    for feature in (health, hello, weather, users, cpu):
        app.register_blueprint(feature.blueprint)
    return app


def refuse_slashes_too_many() -> None:
    """404 for `//hello`, which Werkzeug would route as `/hello`."""
    if request.environ["PATH_INFO"].startswith("//"):
        abort(404)


class CompactJSON(DefaultJSONProvider):
    """JSON in the bytes that FastAPI writes: no blanks, no escapes, no newline at the end."""

    ensure_ascii = False
    sort_keys = False

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Serialise compactly, also where Flask itself calls it."""
        kwargs.setdefault("separators", (",", ":"))
        return super().dumps(obj, **kwargs)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse; nesting that is too deep is bad input like any other."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError as error:
            raise ValueError("the JSON is nested too deeply") from error

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """As the base class, without the newline."""
        text = self.dumps(self._prepare_response_obj(args, kwargs))
        return self._app.response_class(text, mimetype=self.mimetype)


class ExactRule(Rule):
    """A route that answers the methods it names, as FastAPI's do: GET does not bring HEAD."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.methods is not None:
            self.methods.discard("HEAD")
