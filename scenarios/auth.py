"""Tokens: checked all the time, and drawn now and then for a password."""

from apps import contract
from harness.load.users import ScenarioUser


class Auth(ScenarioUser):
    """GET /protected with a token; one request in 200 is POST /login.

    A login costs a few hundred times what checking a token does, since scrypt is meant to be
    slow (16 MiB, five times over). At one in 200, neither hides the other: each has about half
    of the CPU time. The slice is long, since few logins fit into one.
    """

    question = "What do tokens cost, and who keeps checking them while a password is hashed?"
    kind = "mixed"
    endpoints = ("GET /protected", "POST /login")
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 8
    slice_s = 3.0
    settle_s = 0.2
    warmup_s = 0.5
    ladder = ("server", "framework", "handlers")
    samples = (contract.login(1), *(contract.protected(number) for number in range(1, 200)))
