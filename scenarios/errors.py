"""Answers to what is wrong: every one is a problem document (RFC 9457)."""

from apps import contract
from harness.load.users import ScenarioUser


class Errors(ScenarioUser):
    """Requests that are refused, of six kinds, each as often as the others.

    An unknown path, a method that is not allowed, a body that is no JSON, a user with wrong
    fields, an item that is not there, a request without a token. GET /crash is not among them:
    what nobody has foreseen goes to the log with its traceback, and Uvicorn closes the
    connection after it, so that logging and connecting would be measured.
    """

    question = "What does it cost to refuse a request?"
    kind = "framework"
    endpoints = ("POST /users/validate", "GET /items/{id}", "GET /protected")
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 16
    slice_s = 0.15
    settle_s = 0.02
    warmup_s = 0.2
    ladder = ("server", "framework", "validation", "driver", "handlers")
    samples = contract.refused()
