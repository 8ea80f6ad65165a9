"""GET /weather/{city}."""

from __future__ import annotations

from fastapi import APIRouter

from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.upstream_client import Upstream, Weather

router = APIRouter()


@router.get("/weather/{city}", responses=responses(404, 502, 503, 504))
async def weather(city: str, upstream: Upstream) -> Weather:
    """Ask the weather service."""
    return await upstream.weather(city)
