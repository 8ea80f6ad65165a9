"""Checked input: a JSON body is parsed, validated and answered in its normal form."""

from apps import contract
from harness.load.users import ScenarioUser


class UsersValidate(ScenarioUser):
    """POST /users/validate with valid users. Flask validates by hand, FastAPI with Pydantic."""

    question = "What does it cost to check a JSON body?"
    kind = "framework"
    core = True
    endpoints = ("POST /users/validate",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 4
    warmup_s = 0.05
    ladder = ("server", "validation", "framework", "handlers")
    samples = tuple(contract.validate_user(number) for number in range(200))
