"""A page of several parts: wait for another service, look rows up, compute."""

from collections.abc import Sequence

from apps import contract
from apps.contract import Sample
from harness.load.users import ScenarioUser
from harness.models import Load


class Dashboard(ScenarioUser):
    """GET /dashboard/{city}, with each city in turn.

    The load decides how many rows each request looks up and how much it computes, and how long the
    upstream takes. So this one scenario can stand for services of many kinds: a map or a question about
    one's own traffic varies them.
    """

    question = "What does a page need that waits, looks up and computes?"
    kind = "mixed"
    endpoints = ("GET /dashboard/{city}",)
    asks = ("queries", "work")
    stacks = ("flask-gthread", "flask-gevent", "fastapi-uvicorn", "fastapi-aiohttp")
    users = 30
    least_slice_s = 0.1  # the collector does more in the burst that begins a slice
    warmup_s = 0.5
    samples = tuple(contract.dashboard(city) for city in contract.CITIES[:15])

    @classmethod
    def samples_for(cls, load: Load) -> Sequence[Sample]:
        """The same cities, with the lookups and the work of the load."""
        return tuple(
            contract.dashboard(city, load.queries, load.work) for city in contract.CITIES[:15]
        )
