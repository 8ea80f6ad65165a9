"""What an API does all day: reading, searching, asking another service, checking, logging in."""

from apps import contract
from harness.load.users import ScenarioUser


class CrudMix(ScenarioUser):
    """60 % look up a user, 15 % search items, 10 % ask the upstream, 10 % validate, 5 % log in.

    A login takes a quarter of a second of a core, since scrypt is meant to be slow, so that the
    5 % have nearly all of the CPU time, as they do wherever passwords are kept as they should be.
    The throughput is about what the logins leave; the median latency tells how long the quick
    requests wait beside them. Two users are enough for that, and with more, all but one would
    wait for a login most of the time. The slice is long, since a login must be short beside it.

    Items are searched in narrow price bands (see items.py). The upstream's client is a matter of
    its own, so that FastAPI stands here with two of them.
    """

    question = "What do quick requests suffer beside slow ones, in a usual mix?"
    kind = "mixed"
    endpoints = (
        "GET /users/{id}",
        "GET /items",
        "GET /weather/{city}",
        "POST /users/validate",
        "POST /login",
    )
    stacks = ("flask-gthread", "fastapi-uvicorn", "fastapi-aiohttp")
    users = 2
    slice_s = 8.0
    settle_s = 0.1
    warmup_s = 0.5
    ladder = ("validation", "client", "server", "framework", "handlers", "driver")
    samples = (
        *(contract.lookup_user(number) for number in range(1, 10_000, 167)),  # 60
        *(
            contract.search_items(min_price=p, max_price=p + 499)
            for p in range(1_000, 91_000, 6_000)
        ),
        *(contract.weather(city) for city in contract.CITIES[:10]),
        *(contract.validate_user(number) for number in range(10)),
        *(contract.login(number) for number in range(1, 6)),
    )
