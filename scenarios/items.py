"""Several rows from PostgreSQL: filters, pages and how many there are; and single items."""

from apps import contract
from harness.load.users import ScenarioUser

_BANDS = range(1_000, 96_000, 5_000)  # prices, in cents


class Items(ScenarioUser):
    """GET /items three times in four, by category, keyword and price; else GET /items/{id}.

    A search is two queries, one of which counts. Every search has a narrow price band, which an
    index finds, so that PostgreSQL has a quarter to a third of the twin's work. A keyword without
    one makes it read all 10,000 names, which took it 7 ms, more than a twin's whole request: then
    PostgreSQL would be what is measured.
    """

    question = "What does it cost to search a table and to answer several rows?"
    kind = "I/O-bound"
    endpoints = ("GET /items", "GET /items/{id}")
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 8
    slice_s = 1.0  # many times what a request takes, also in the profile smoke
    settle_s = 0.1
    warmup_s = 0.3
    ladder = ("server", "framework", "driver", "handlers")
    samples = (
        *(contract.search_items(category="books", min_price=p, max_price=p + 999) for p in _BANDS),
        *(contract.search_items(keyword="a", min_price=p, max_price=p + 299) for p in _BANDS),
        *(contract.search_items(min_price=p, max_price=p + 499, page=2) for p in _BANDS),
        *(contract.lookup_item(number) for number in range(1, 10_000, 527)),
    )
