"""Work in C that releases the GIL: other threads of the process can run meanwhile."""

from apps import contract
from harness.load.users import ScenarioUser


class CpuNative(ScenarioUser):
    """GET /cpu/native.

    What concurrent users change (threads that wait for the GIL, for instance), a sweep over users shows.
    """

    question = "What remains of a difference when the handler hashes in C?"
    kind = "CPU-bound"
    core = True
    endpoints = ("GET /cpu/native",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 1  # keeps the server busy; more users only queue
    most_slice_s = 0.01  # all requests cost the same, so more turns make the ratio steadier
    warmup_s = 0.05
    ladder = ("server", "framework")  # "handlers" changes nothing: this one is always a `def`
    samples = (contract.cpu_native(),)
