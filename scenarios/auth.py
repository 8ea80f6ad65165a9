"""Tokens: checked all the time, and drawn now and then for a password."""

from apps import contract
from harness.load.users import ScenarioUser


class Auth(ScenarioUser):
    """GET /protected with a token; one request in 200 is POST /login.

    A login takes a quarter of a second of a core and checking a token about a millisecond, since
    scrypt is meant to be slow. At one in 200, neither hides the other. Two users show what one
    of them waits while the other logs in; with more, most would be logging in. The slice is long,
    since a login must be short beside it.
    """

    question = "What do tokens cost, and who keeps checking them while a password is hashed?"
    kind = "mixed"
    endpoints = ("GET /protected", "POST /login")
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 2
    slice_s = 8.0
    settle_s = 0.1
    warmup_s = 0.5
    ladder = ("server", "framework", "handlers")
    samples = (contract.login(1), *(contract.protected(number) for number in range(1, 200)))
