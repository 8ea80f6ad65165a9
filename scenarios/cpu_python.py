"""Work in pure Python, which holds the GIL: nothing else in the process runs meanwhile."""

from apps import contract
from harness.load.users import ScenarioUser


class CpuPython(ScenarioUser):
    """GET /cpu/python.

    What concurrent users change (threads that wait for the GIL, for instance), a sweep over users shows.
    """

    question = "What remains of a difference when the handler computes in Python?"
    kind = "CPU-bound"
    core = True
    endpoints = ("GET /cpu/python",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 1  # keeps the server busy; more users only queue
    most_slice_s = 0.01  # all requests cost the same, so more turns make the ratio steadier
    warmup_s = 0.05
    ladder = ("server", "framework")  # "handlers" changes nothing: this one is always a `def`
    samples = (contract.cpu_python(),)
