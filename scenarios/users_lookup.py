"""One row by primary key from PostgreSQL, through the ORM's session."""

from apps import contract
from harness.load.users import ScenarioUser


class UsersLookup(ScenarioUser):
    """GET /users/{id}, ids spread over the whole table.

    The warm-up is long: every connection of the pool has to be opened, and to have seen the
    query five times, before the driver lets PostgreSQL keep its plan.
    """

    question = "How many rows a second can be looked up in PostgreSQL?"
    kind = "I/O-bound"
    core = True
    endpoints = ("GET /users/{id}",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 16
    slice_s = 0.2
    settle_s = 0.03
    warmup_s = 0.1
    ladder = ("server", "framework", "handlers", "driver")
    samples = tuple(
        contract.lookup_user(number) for number in range(1, contract.SEEDED_USERS + 1, 20)
    )
