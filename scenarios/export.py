"""Writing much JSON: 1,000 items that are in memory already."""

from apps import contract
from harness.load.users import ScenarioUser


class Export(ScenarioUser):
    """GET /export of 1,000 items, which is about 100 kB."""

    question = "What does it cost to write 1,000 items as JSON?"
    kind = "CPU-bound"
    endpoints = ("GET /export",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 8
    slice_s = 0.8
    settle_s = 0.06
    warmup_s = 0.2
    ladder = ("server", "framework", "handlers")
    samples = (contract.export(),)
