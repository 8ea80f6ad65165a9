"""GET /weather/{city}."""

from __future__ import annotations

from flask import Blueprint

from apps.flask_twin.upstream_client import Weather, upstream

blueprint = Blueprint("weather", __name__)


@blueprint.get("/weather/<city>")
def weather(city: str) -> Weather:
    """Ask the weather service."""
    return upstream().weather(city)
