"""Waiting for another service: each request asks the upstream, which takes 50 ms."""

from apps import contract
from harness.load.users import ScenarioUser


class Weather(ScenarioUser):
    """GET /weather/{city}, all cities in turn.

    The HTTP client decides more than the framework does, so that FastAPI stands here with
    three of them. The slice is long: it must hold many times the 50 ms that a request waits.
    """

    question = "How many requests are served when each waits for another service?"
    kind = "I/O-bound"
    core = True
    endpoints = ("GET /weather/{city}",)
    stacks = ("flask-gthread", "fastapi-uvicorn", "fastapi-httpx2", "fastapi-aiohttp")
    users = 50
    slice_s = 1.0
    settle_s = 0.2
    warmup_s = 0.1
    ladder = ("server", "framework", "client", "handlers")
    samples = tuple(contract.weather(city) for city in contract.CITIES)
