"""GET /dashboard/{city}."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlencode

from apps import problems
from apps.contract.building import get_problem, invalid, wrong_method
from apps.contract.cpu import python_result
from apps.contract.records import Expected, Sample
from apps.contract.users import lookup_user
from apps.contract.weather import CITIES, weather
from apps.domain.cities import BROKEN_CITY, LATE_CITY
from apps.domain.dashboard import (
    QUERIES_DEFAULT,
    QUERIES_MAX,
    WORK_DEFAULT,
    WORK_MAX,
    user_ids,
)


def dashboard(city: str, queries: int | None = None, work: int | None = None) -> Sample:
    """GET /dashboard/{city} for one of CITIES.

    Args:
        city: whose weather is asked for; it also decides which users are looked up.
        queries: number of users, 0 to 20; None: not sent, so the default.
        work: units of work, 0 to 100; None: not sent, so the default.
    """
    given = {"queries": queries, "work": work}
    sent = {name: value for name, value in given.items() if value is not None}
    path = f"{_path(city)}?{urlencode(sent)}" if sent else _path(city)
    ids = user_ids(city, QUERIES_DEFAULT if queries is None else queries)
    users: list[Expected] = [lookup_user(number).json for number in ids]  # type: ignore[misc]
    of_city: Expected = weather(city).json  # type: ignore[assignment]
    reply: Expected = {
        "weather": of_city,
        "users": users,
        "result": python_result(WORK_DEFAULT if work is None else work),
    }
    return Sample(f"GET {path}", "GET", path, 200, reply)


def dashboard_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /dashboard/{city}."""
    for number, city in enumerate(CITIES):
        yield dashboard(city, number % (QUERIES_MAX + 1), number % 4)
    oslo = CITIES[0]
    yield dashboard(oslo)
    yield dashboard(oslo, queries=0)
    yield dashboard(oslo, work=0)
    yield dashboard(oslo, QUERIES_MAX, WORK_MAX)
    yield Sample(
        "dashboard with parameters twice and unknown ones",
        "GET",
        f"{_path(oslo)}?queries=9&queries=2&color=red&work=x&work=1",
        200,
        dashboard(oslo, 2, 1).json,
    )
    for name, texts in {
        "queries": {"-1": "range", str(QUERIES_MAX + 1): "range", "": "type", "1.0": "type"},
        "work": {"-1": "range", str(WORK_MAX + 1): "range", "ten": "type", " 1": "type"},
    }.items():
        for text, rule in texts.items():
            yield get_problem(
                f"dashboard with {name} {text!r}",
                f"{_path(oslo)}?{urlencode({name: text})}",
                invalid(**{name: rule}),
            )
    yield get_problem(
        "dashboard with two wrong parameters",
        f"{_path(oslo)}?work=101&queries=a",
        invalid(queries="type", work="range"),
    )
    yield get_problem(
        "dashboard of an unknown city", _path("Atlantis"), problems.unknown_city("Atlantis")
    )
    yield get_problem(
        "dashboard of a broken upstream", _path(BROKEN_CITY), problems.upstream_broken()
    )
    yield get_problem("dashboard of a late upstream", _path(LATE_CITY), problems.upstream_late())
    yield get_problem("dashboard without a city", "/dashboard/", problems.of_status(404))
    yield wrong_method("POST", _path(oslo), allow="GET")


def _path(city: str) -> str:
    return f"/dashboard/{quote(city, safe='')}"
