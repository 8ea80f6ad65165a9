"""GET /hello."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("hello", __name__)


@blueprint.get("/hello")
def hello() -> dict[str, str]:
    """Greet: the cost is the framework's alone."""
    return {"message": "Hello, World!"}
