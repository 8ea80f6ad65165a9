"""The database session, by Flask-SQLAlchemy; it ends with the request."""

from __future__ import annotations

import atexit

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from apps.domain.models import Base
from apps.settings import Settings

# Without expiry on commit, a stored row is answered without a SELECT, as in the FastAPI twin.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its engine."""
    settings.variant("database_driver", {"psycopg": None}, "psycopg")  # the only one it has
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": settings.database_pool,
        "max_overflow": 0,
    }
    db.init_app(app)
    with app.app_context():
        atexit.register(db.engine.dispose)  # Flask knows no shutdown but the process's own
