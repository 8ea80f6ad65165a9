"""Requests that are refused: every answer is a problem document (RFC 9457)."""

from apps import contract
from harness.load.users import ScenarioUser


class Errors(ScenarioUser):
    """Six kinds of requests that are refused, each as often as the others.

    They are an unknown path, a method that the path does not take, a body that is not JSON, a user
    with wrong fields, an item that does not exist and a request without a token. GET /crash is left
    out: an unexpected error is logged with its traceback, and Uvicorn closes the connection after
    it, so the scenario would measure logging and connecting.

    """

    question = "What does it cost to refuse a request?"
    kind = "framework"
    endpoints = ("POST /users/validate", "GET /items/{id}", "GET /protected")
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 8
    least_slice_s = 0.1  # the collector does more in the burst that begins a slice
    warmup_s = 0.2
    ladder = ("server", "framework", "validation", "driver", "handlers", "collector")
    samples = contract.refused()
