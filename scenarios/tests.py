"""A test suite: requests one after the other through each framework's own test client.

There is no server: a stack gives its application and its settings, and each of its requests is
made by Flask's or FastAPI's test client inside the application's own process. They are what tests
usually ask: something that is there, something that is not, and input that is refused. Run by
Locust, this file sends the same requests to a running server.
"""

from apps import contract
from harness.load.users import ScenarioUser


class Tests(ScenarioUser):
    """GET /hello, POST /users/validate and GET /users/{id}, in turn."""

    question = "How many requests a second does a test suite get through the test client?"
    kind = "mixed"
    measures = "test client"
    endpoints = ("GET /hello", "POST /users/validate", "GET /users/{id}")
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 1
    slice_s = 0.25
    settle_s = 0.02
    warmup_s = 0.2
    samples = contract.tested(endpoints)
