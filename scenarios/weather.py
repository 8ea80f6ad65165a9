"""Waiting for another service: each request asks the upstream, which takes 50 ms."""

from apps import contract
from harness.load.users import ScenarioUser


class Weather(ScenarioUser):
    """GET /weather/{city}, with each city in turn.

    The HTTP client matters more than the framework, so FastAPI takes part with three of them.
    """

    question = "How many requests are served when each waits for another service?"
    kind = "I/O-bound"
    core = True
    endpoints = ("GET /weather/{city}",)
    stacks = ("flask-gthread", "fastapi-uvicorn", "fastapi-httpx2", "fastapi-aiohttp")
    users = 50
    warmup_s = 0.1
    ladder = ("server", "framework", "client", "handlers")
    samples = tuple(contract.weather(city) for city in contract.CITIES)
