"""The usual work of an API: look up, search, ask another service, validate, log in."""

from apps import contract
from harness.load.users import ScenarioUser


class CrudMix(ScenarioUser):
    """60 % look up a user, 15 % search items, 10 % ask the upstream, 10 % validate, 5 % log in.

    A login takes a quarter of a second of a core, because scrypt is slow on purpose. So the 5 % use
    nearly all of the CPU time, as they do wherever passwords are stored safely. The throughput is
    about what the logins leave over; the median latency shows how long the quick requests wait
    beside them. Two users are enough to see that; with more users, most of them would be waiting
    for a login. The slice is long compared with a login.

    Searches have narrow price bands (items.py explains why). The client of the upstream makes a
    difference of its own, so FastAPI takes part with two of them.
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
    least_slice_s = 8.0  # every kind of request comes, also those that hash
    warmup_s = 3.0
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
