"""The database session, from Flask-SQLAlchemy; it ends with the request.

In a twin that was started without a database, the session raises a Problem when it connects.
"""

from __future__ import annotations

import atexit
from typing import Any, NoReturn

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from apps.domain.models import Base
from apps.problems import no_database
from apps.settings import Settings

# Without expiry on commit, answering with a stored row needs no SELECT, as in the FastAPI twin.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


def init_app(app: Flask, settings: Settings) -> None:
    """Create the application's engine."""
    settings.variant("database_driver", {"psycopg": None}, "psycopg")  # the only driver it has
    options: dict[str, Any] = {"pool_size": settings.database_pool, "max_overflow": 0}
    if settings.database_url is None:
        options["creator"] = _refuse
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url or "postgresql+psycopg://"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    with app.app_context():
        atexit.register(db.engine.dispose)  # Flask has no hook for a shutdown of its own


def _refuse() -> NoReturn:
    raise no_database()
