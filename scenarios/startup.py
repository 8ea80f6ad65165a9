"""The start of a server, from spawn to its first good answer, and its memory at rest.

Here the harness starts and stops one server at a time, and a sample is a start. Locust can't do
that, so it refuses to run this file by itself.
"""

from harness.load.users import ScenarioUser


class Startup(ScenarioUser):
    """GET /healthz, until the server answers it for the first time."""

    question = "How long does a server take to start, and how much memory does it hold at rest?"
    kind = "CPU-bound"
    measures = "starts"
    endpoints = ("GET /healthz",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 1
    least_slice_s = 1.5  # about as long as a start takes; it ends when the server has come to rest
    warmup_s = 0.0
