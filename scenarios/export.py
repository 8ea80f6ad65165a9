"""Much JSON: 1,000 items, which are in memory already."""

from apps import contract
from harness.load.users import ScenarioUser


class Export(ScenarioUser):
    """GET /export of 1,000 items, which is about 100 kB."""

    question = "What does it cost to write 1,000 items as JSON?"
    kind = "CPU-bound"
    endpoints = ("GET /export",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 2
    least_slice_s = 0.1  # the collector does more in the burst that begins a slice
    warmup_s = 0.4
    ladder = ("server", "framework", "handlers", "collector")
    samples = (contract.export(),)
