"""GET /weather/{city}."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from apps import problems
from apps.contract.building import get_problem, wrong_method
from apps.contract.records import Expected, Sample
from apps.domain.cities import BROKEN_CITY, LATE_CITY, TEMPERATURES_C

CITIES = tuple(TEMPERATURES_C)


def weather(city: str) -> Sample:
    """GET /weather/{city} for one of CITIES."""
    reply: Expected = {"city": city, "temperature_c": TEMPERATURES_C[city]}
    return Sample(f"weather in {city}", "GET", _weather_path(city), 200, reply)


def weather_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /weather/{city}."""
    for city in CITIES:
        yield weather(city)
    for name, city in {
        "an unknown city": "Atlantis",
        "a city in other letters": "oslo",
        "a city in another script": "Ἀτλαντίς",
        "a city with blanks": " Oslo ",
        "a city with characters of URLs": "a?b&c=d#e%+;",
        "a city with a NUL": "Os\0lo",
    }.items():
        yield get_problem(f"weather in {name}", _weather_path(city), problems.unknown_city(city))
    yield get_problem(
        "weather in a city that is not UTF-8", "/weather/%FF", problems.unknown_city("\ufffd")
    )
    yield get_problem("weather without a city", "/weather/", problems.of_status(404))
    yield get_problem("weather at a path below", "/weather/a%2Fb", problems.of_status(404))
    yield get_problem(
        "weather of a broken upstream", _weather_path(BROKEN_CITY), problems.upstream_broken()
    )
    yield get_problem(
        "weather of a late upstream", _weather_path(LATE_CITY), problems.upstream_late()
    )
    yield wrong_method("POST", "/weather/Oslo", allow="GET")


def _weather_path(city: str) -> str:
    return f"/weather/{quote(city, safe='')}"
