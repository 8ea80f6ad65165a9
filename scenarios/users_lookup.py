"""One row by primary key from PostgreSQL, through the session of the ORM."""

from apps import contract
from harness.load.users import ScenarioUser


class UsersLookup(ScenarioUser):
    """GET /users/{id}, with ids from the whole table.

    The warm-up opens every connection of the pool. Each connection also runs the query five times,
    because only then does the driver let PostgreSQL keep the plan.
    """

    question = "How many rows a second can be looked up in PostgreSQL?"
    kind = "I/O-bound"
    core = True
    endpoints = ("GET /users/{id}",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 8
    least_slice_s = 0.1  # the collector does more in the burst that begins a slice
    warmup_s = 0.5
    ladder = ("server", "framework", "handlers", "driver", "collector")
    samples = tuple(
        contract.lookup_user(number) for number in range(1, contract.SEEDED_USERS + 1, 20)
    )
