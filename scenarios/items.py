"""Several rows from PostgreSQL, with filters, pages and a total; and single rows."""

from apps import contract
from harness.load.users import ScenarioUser

_BANDS = range(1_000, 96_000, 5_000)  # prices, in cents


class Items(ScenarioUser):
    """Three requests in four are GET /items, by category, keyword and price; the rest GET /items/{id}.

    A search is two queries, one for the rows and one for the total. Every search has a narrow price
    band, which an index finds, so PostgreSQL does a quarter to a third of the twin's work. A keyword
    alone makes PostgreSQL read all 10,000 names. That takes 7 ms, which is more than the whole
    request takes a twin, so the scenario would measure PostgreSQL.

    """

    question = "What does it cost to search a table and to answer several rows?"
    kind = "I/O-bound"
    endpoints = ("GET /items", "GET /items/{id}")
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 8
    least_slice_s = 0.1  # the collector does more in the burst that begins a slice
    warmup_s = 0.5
    ladder = ("server", "framework", "driver", "handlers", "collector")
    samples = (
        *(contract.search_items(category="books", min_price=p, max_price=p + 999) for p in _BANDS),
        *(contract.search_items(keyword="a", min_price=p, max_price=p + 299) for p in _BANDS),
        *(contract.search_items(min_price=p, max_price=p + 499, page=2) for p in _BANDS),
        *(contract.lookup_item(number) for number in range(1, 10_000, 527)),
    )
