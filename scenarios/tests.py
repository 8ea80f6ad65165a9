"""A test suite: requests one after the other through each framework's own test client.

There is no server. A process builds the stack's application with the stack's settings, and Flask's
or FastAPI's test client sends the requests inside that process: for each endpoint one that finds
something, one that finds nothing and one with invalid input. Locust has no such client, so it
refuses to run this file by itself.
"""

from harness.load.users import ScenarioUser


class Tests(ScenarioUser):
    """GET /hello, POST /users/validate and GET /users/{id}, in turn."""

    question = "How many requests a second does a test suite get through the test client?"
    kind = "mixed"
    measures = "test client"
    endpoints = ("GET /hello", "POST /users/validate", "GET /users/{id}")
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 1
    warmup_s = 0.2
