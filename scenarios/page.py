"""HTML: both twins render the same Jinja template."""

from apps import contract
from harness.load.users import ScenarioUser


class Page(ScenarioUser):
    """GET /page, a list of 50 items. Every byte of the reply is compared."""

    question = "What remains of a difference when both render the same template?"
    kind = "CPU-bound"
    endpoints = ("GET /page",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 4
    warmup_s = 0.1
    ladder = ("server", "framework", "handlers")
    samples = (contract.page(),)
