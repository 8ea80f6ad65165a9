"""Work in pure Python, which holds the GIL: nothing else in the process runs meanwhile."""

from apps import contract
from harness.load.users import ScenarioUser


class CpuPython(ScenarioUser):
    """GET /cpu/python."""

    question = "What remains of a difference when the handler computes in Python?"
    kind = "CPU-bound"
    core = True
    endpoints = ("GET /cpu/python",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 2
    warmup_s = 0.05
    ladder = ("server", "framework")  # "handlers" changes nothing: this one is always a `def`
    samples = (contract.cpu_python(),)
