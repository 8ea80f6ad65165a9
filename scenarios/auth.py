"""Tokens: most requests show one, a few ask for a new one with a password."""

from apps import contract
from harness.load.users import ScenarioUser


class Auth(ScenarioUser):
    """GET /protected with a token; one request in 200 is POST /login.

    A login takes a quarter of a second of a core, because scrypt is slow on purpose. Checking a
    token takes about a millisecond. With one login in 200 requests, both show in the figures. Two
    users are enough to see how long one waits while the other logs in; with more users, most of
    them would be logging in. The slice is long compared with a login.
    """

    question = "What do tokens cost, and who keeps checking them while a password is hashed?"
    kind = "mixed"
    endpoints = ("GET /protected", "POST /login")
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 2
    least_slice_s = 8.0  # a hash takes a quarter of a second
    warmup_s = 1.5
    ladder = ("server", "framework", "handlers")
    samples = (contract.login(1), *(contract.protected(number) for number in range(1, 200)))
