"""Much JSON: 1,000 items, which are in memory already."""

from apps import contract
from harness.load.users import ScenarioUser


class Export(ScenarioUser):
    """GET /export of 1,000 items, which is about 100 kB.

    FastAPI pauses several times a second to collect garbage, so slices are never shorter than 1 s.
    """

    question = "What does it cost to write 1,000 items as JSON?"
    kind = "CPU-bound"
    endpoints = ("GET /export",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 8
    slice_s = 1.0
    shortest_slice_s = 1.0
    settle_s = 0.08
    warmup_s = 0.2
    ladder = ("server", "framework", "handlers", "collector")
    samples = (contract.export(),)
