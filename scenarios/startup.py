"""A server's start: one stack alone, from spawn to its first good answer, then its memory at rest.

The harness starts and stops the servers itself here, and a sample is a start. Run by Locust, this
file only asks a running server whether it is ready.
"""

from apps import contract
from harness.load.users import ScenarioUser


class Startup(ScenarioUser):
    """GET /healthz, once, as soon as it is answered."""

    question = "How long does a server take to start, and how much memory does it hold at rest?"
    kind = "CPU-bound"
    measures = "starts"
    endpoints = ("GET /healthz",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 1
    slice_s = 1.5  # about what a start takes; it ends when the server has come to rest
    settle_s = 0.0
    warmup_s = 0.0
    samples = contract.tested(endpoints)
