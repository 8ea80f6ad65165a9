"""The application factory: `gunicorn 'apps.flask_twin:create_app()'`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, MapAdapter, Rule
from werkzeug.sansio.response import Response
from werkzeug.utils import import_string

from apps import collector
from apps.flask_twin import (
    auth,
    cpu,
    crash,
    dashboard,
    database,
    export,
    health,
    hello,
    items,
    live,
    page,
    predict,
    problems,
    request_body,
    upstream_client,
    users,
    validation,
    weather,
)
from apps.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application; without `settings`, the TWIN_* variables decide."""
    settings = settings or Settings.from_environ(os.environ)

    app = Flask(__name__, static_folder=None, template_folder="../templates")
    app.json = CompactJSON(app)
    app.url_rule_class = ExactRule
    app.url_map = ExactMap(merge_slashes=False)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False

    settings.variant("handlers", {"as written": None}, "as written")  # Flask has no other way
    when_ready = collector.when_ready(settings)

    app.extensions["settings"] = settings
    problems.init_app(app)
    request_body.init_app(app)
    database.init_app(app, settings)
    upstream_client.init_app(app, settings)
    validation.init_app(app, settings)
    auth.init_app(app, settings)
    predict.init_app(app, settings)
    live.init_app(app)
    for feature in (
        *(health, hello, weather, users, cpu, items, auth),
        *(page, export, predict, dashboard, crash, live),
    ):
        app.register_blueprint(feature.blueprint)
    # Both views need SpecTree and Pydantic, which nothing else here uses.
    app.add_url_rule("/openapi.json", view_func=LazyView("apps.flask_twin.openapi.document"))
    app.add_url_rule("/docs", view_func=LazyView("apps.flask_twin.openapi.docs"))
    when_ready()  # each worker process builds its own application, and nothing comes after that
    return app


class LazyView:
    """A view that is imported at its first request, as in Flask's documentation."""

    def __init__(self, import_name: str) -> None:
        self.__module__, _, self.__name__ = import_name.rpartition(".")
        self._import_name = import_name

    @cached_property
    def _view(self) -> Callable[..., ResponseReturnValue]:
        view: Callable[..., ResponseReturnValue] = import_string(self._import_name)
        return view

    def __call__(self, *args: Any, **kwargs: Any) -> ResponseReturnValue:
        """Call the view."""
        return self._view(*args, **kwargs)


class CompactJSON(DefaultJSONProvider):
    """JSON in the bytes that FastAPI writes: without blanks, escapes and a final newline."""

    ensure_ascii = False
    sort_keys = False

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Serialise compactly, also when Flask itself calls this."""
        kwargs.setdefault("separators", (",", ":"))
        return super().dumps(obj, **kwargs)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse; too deep nesting is malformed JSON like any other."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError as error:
            raise ValueError("the JSON is nested too deeply") from error

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Like the base class, but without the final newline."""
        text = self.dumps(self._prepare_response_obj(args, kwargs))
        return self._app.response_class(text, mimetype=self.mimetype)


class ExactRule(Rule):
    """A route for the methods that it names, as in FastAPI: GET does not imply HEAD."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.methods is not None:
            self.methods.discard("HEAD")


class ExactMap(Map):
    """Routes that match a path exactly; Werkzeug alone would answer `//hello` with `/hello`."""

    def bind_to_environ(self, environ: Any, *args: Any, **kwargs: Any) -> MapAdapter:
        """Like the base class; a NotFound raised here means that no route matches."""
        if environ["PATH_INFO"].startswith("//"):
            raise NotFound
        return super().bind_to_environ(environ, *args, **kwargs)
