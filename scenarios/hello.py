"""The framework's own cost: the shortest JSON reply, without input and without I/O."""

from apps import contract
from harness.load.users import ScenarioUser


class Hello(ScenarioUser):
    """GET /hello."""

    question = "What does one request cost when the handler does nothing?"
    kind = "framework"
    core = True
    endpoints = ("GET /hello",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 4
    warmup_s = 0.05
    ladder = ("server", "framework", "handlers")
    samples = (contract.hello(),)
